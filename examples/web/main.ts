/**
 * The page: a program to edit, its training to watch, a digit to draw. The engine does the work, in a worker, or in the page itself with `?page` in the address; `?target=wasm`
 * begins with a target.
 */
import file from '../digits.nn?raw';
import { Chart } from './chart.ts';
import { loadDigits } from './data.ts';
import { Engine } from './engine.ts';
import { highlighted } from './highlight.ts';
import type { Command, Report, Target } from './messages.ts';
import { Pad, picture } from './pad.ts';

const find = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const NAMES: Readonly<Record<Target, string>> = { wgsl: 'WebGPU', wasm: 'WebAssembly', ts: 'JavaScript' };
/** Without the lines that say how the example is run. */
const program = file.replace(/^(?:\/\/ .*\n)+\n?/, '');
const query = new URLSearchParams(location.search);

let send: (command: Command) => void;
if (query.has('page')) {
  const engine = new Engine(receive);
  send = (command) => engine.handle(command);
} else {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Report>) => receive(data);
  worker.onerror = (event) => receive({ kind: 'note', text: event.message });
  send = (command) => worker.postMessage(command);
}

// ------------------------------------------------------------------------------------------------------------------------------- what is shown

const chart = new Chart(find('chart'));
const source = find<HTMLTextAreaElement>('source');
const bars = find('bars');
let target: Target | null = null;
let running = false;
let step = 0;

for (let digit = 0; digit < 10; digit++) {
  const row = document.createElement('li');
  row.innerHTML = `<span>${digit}</span><i></i><b></b>`;
  bars.append(row);
}

function receive(report: Report): void {
  switch (report.kind) {
    case 'compiled': {
      const { ok, text, milliseconds, parameters, kernels } = report;
      find('reports').textContent = text;
      find('compiled').textContent = ok
        ? `${parameters.toLocaleString('en')} parameters, ${kernels} kernels, compiled in ${milliseconds.toFixed(0)} ms`
        : 'refused';
      if (ok) chart.clear();
      break;
    }
    case 'ready':
      target = report.target;
      for (const button of document.querySelectorAll<HTMLButtonElement>('#targets button')) {
        const own = button.dataset['target'] as Target;
        button.setAttribute('aria-checked', String(own === target));
        button.disabled = !report.available.includes(own);
        if (button.disabled) button.title = report.reason || 'This browser offers no WebGPU here.';
      }
      find('lose').hidden = target !== 'wgsl';
      find('cores').hidden = target !== 'wasm' || !globalThis.crossOriginIsolated;
      find('where').innerHTML =
        `<b>${NAMES[target]}</b>${report.threads > 1 ? `, ${report.threads} threads,` : ''} in ${query.has('page') ? 'the page' : 'a worker'}`;
      document.body.dataset['threads'] = String(report.threads);
      break;
    case 'state':
      running = report.running;
      if (report.step < step) chart.back(report.step);
      step = report.step;
      find('run').textContent = running ? 'Pause' : 'Train';
      find('step').textContent = step.toLocaleString('en');
      document.body.dataset['step'] = String(step);
      document.body.dataset['target'] = target ?? '';
      break;
    case 'progress': {
      chart.add(target!, report.points);
      find('epoch').textContent = String(report.epoch);
      find('speed').textContent = find<HTMLInputElement>('slow').checked
        ? ''
        : `${Math.round(report.perSecond).toLocaleString('en')} steps a second`;
      const loss = report.points.at(-1)?.loss;
      if (loss !== undefined) find('loss').textContent = loss < 1e-3 ? loss.toExponential(1) : loss.toPrecision(3);
      break;
    }
    case 'tested':
      find('accuracy').textContent = `${(report.accuracy * 100).toFixed(1)}%`;
      document.body.dataset['accuracy'] = String(report.accuracy);
      chart.test(report.step, report.accuracy);
      break;
    case 'prediction':
      showBars(report.probabilities);
      break;
    case 'note':
      find('note').textContent = report.text;
      break;
  }
}

function showBars(probabilities: readonly number[] | null): void {
  const best = probabilities === null ? -1 : probabilities.indexOf(Math.max(...probabilities));
  for (const [digit, row] of [...bars.children].entries()) {
    const p = probabilities?.[digit];
    row.classList.toggle('best', digit === best);
    row.querySelector<HTMLElement>('i')!.style.setProperty('--p', `${(p ?? 0) * 100}%`);
    row.querySelector('b')!.textContent = p === undefined ? '' : `${(p * 100).toFixed(1)}%`;
  }
}

// ------------------------------------------------------------------------------------------------------------------------------- what is done

let typed = 0;
function edited(): void {
  find('highlight').innerHTML = `${highlighted(source.value)}\n`;
  clearTimeout(typed);
  typed = setTimeout(() => send({ kind: 'program', source: source.value, target }), 350);
}
source.addEventListener('input', edited);
source.addEventListener('scroll', () => {
  const shown = find('highlight');
  shown.scrollTop = source.scrollTop;
  shown.scrollLeft = source.scrollLeft;
});

find('targets').addEventListener('click', (event) => {
  const chosen = (event.target as HTMLElement).dataset['target'] as Target | undefined;
  if (chosen !== undefined) send({ kind: 'target', target: chosen });
});
find('run').addEventListener('click', () => send({ kind: 'run', running: !running }));
find('again').addEventListener('click', () => {
  chart.clear();
  find('note').textContent = '';
  send({ kind: 'again' });
});
find('lose').addEventListener('click', () => send({ kind: 'lose' }));
find('threads').addEventListener('change', (event) => {
  send({ kind: 'threads', many: (event.target as HTMLInputElement).checked });
});
find('slow').addEventListener('change', (event) => {
  send({ kind: 'pace', slow: (event.target as HTMLInputElement).checked });
});

const pad = new Pad(find('pad'), () => {
  const image = pad.image();
  const seen = find<HTMLCanvasElement>('seen').getContext('2d')!;
  seen.clearRect(0, 0, 8, 8);
  if (image === null) return showBars(null);
  seen.drawImage(picture(image), 0, 0);
  send({ kind: 'predict', image });
});
find('clear').addEventListener('click', () => pad.clear());
const test = loadDigits(new URL('../data/digits-test.csv.gz', import.meta.url));
find('sample').addEventListener('click', () => {
  void test.then(({ image, count }) => {
    const row = Math.floor(Math.random() * count);
    pad.show(image.subarray(row * 64, row * 64 + 64));
  });
});

source.value = program;
find('highlight').innerHTML = highlighted(program);
send({ kind: 'program', source: program, target: query.get('target') as Target | null });
