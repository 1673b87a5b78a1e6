/**
 * The line that says how training goes: a bar, the measures, throughput, time left. On a terminal one line is redrawn a few times a second
 * and each finished epoch leaves a line behind; elsewhere (a file, a pipe, CI) there are only the lines of finished epochs.
 *
 * Clock and stream come from outside: tests pass their own. It measures nothing itself.
 */
import { textWidth } from '../../compiler/diagnostics/terminal-text.ts';

export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  /** Milliseconds, increasing. */
  readonly now: () => number;
  readonly epochs: number;
  /** Rows that one epoch trains on. */
  readonly rows: number;
  /** Epochs done before (a resumed run). */
  readonly start?: number;
  readonly color?: boolean;
}

/** Name → value: `loss`, then the metrics. */
export type Measures = Readonly<Record<string, number>>;

export interface Progress {
  /** After a step: rows of this epoch so far, and running measures. */
  step(rowsDone: number, measures: Measures): void;
  /** After an epoch: final measures; `best` marks it. */
  epoch(train: Measures, validation: Measures | null, best?: boolean): void;
  /** A line above the bar. */
  say(text: string): void;
  /** Removes the bar. Safe to call twice. */
  finish(): void;
}

/** At most ten drawings a second: more is flicker. */
const interval = 100;

export function createProgress(options: ProgressOptions): Progress {
  const { stream, now, epochs, rows } = options;
  const live = stream.isTTY === true;
  const color = options.color === true;
  const begun = now();
  const first = options.start ?? 0;
  let done = first;
  let epochBegun = begun;
  let drawnAt = -Infinity;
  let drawn = false;
  const digits = String(epochs).length;

  const dim = (text: string) => (color ? `\x1b[2m${text}\x1b[0m` : text);
  const clear = () => {
    if (drawn) stream.write('\r\x1b[K');
    drawn = false;
  };
  const print = (line: string) => {
    clear();
    stream.write(`${line}\n`);
  };

  return {
    step(rowsDone, measures) {
      const time = now();
      if (!live || time - drawnAt < interval) return;
      drawnAt = time;
      const part = rows === 0 ? 1 : Math.min(1, rowsDone / rows);
      const whole = (done - first + part) / Math.max(1, epochs - first);
      const seconds = (time - epochBegun) / 1000;
      const left = whole > 0 ? ((time - begun) / 1000) * (1 / whole - 1) : Infinity;
      const width = Math.max(20, stream.columns ?? 80) - 1;
      const pieces = [
        `epoch ${String(Math.min(done + 1, epochs)).padStart(digits)}/${epochs}`,
        ...Object.entries(measures).map(([name, value]) => `${name} ${formatMeasure(value)}`),
        ...(seconds > 0.2 ? [`${formatCount(rowsDone / seconds)} rows/s`] : []),
        ...(Number.isFinite(left) && time - begun > 500 ? [`${formatSeconds(left)} left`] : []),
      ];
      // The bar takes what is left; on a narrow terminal the last pieces go first.
      while (pieces.length > 1 && textWidth(pieces.join('  ')) > width) pieces.pop();
      const text = pieces
        .slice(1)
        .map((piece) => `  ${piece}`)
        .join('');
      const room = Math.min(30, width - textWidth(pieces[0]! + text) - 2);
      clear();
      stream.write(`${pieces[0]}${room >= 5 ? `  ${drawBar(part, room)}` : ''}${dim(text)}`);
      drawn = true;
    },

    epoch(train, validation, best = false) {
      const time = now();
      const seconds = Math.max(1e-6, (time - epochBegun) / 1000);
      done++;
      epochBegun = time;
      drawnAt = -Infinity;
      const names = Object.keys(train).concat(Object.keys(validation ?? {}).filter((name) => !(name in train)));
      const values = names.map((name) => {
        const own = train[name];
        const held = validation?.[name];
        const texts = [own, held].flatMap((value) => (value === undefined ? [] : [formatMeasure(value)]));
        return `${name} ${texts.join(' / ')}`;
      });
      const speed = dim(`${formatCount(rows / seconds)} rows/s  ${formatSeconds(seconds)}`);
      const number = `epoch ${String(done).padStart(digits)}/${epochs}`;
      print(`${number}  ${values.join('  ')}  ${speed}${best ? '  best' : ''}`);
    },

    say: print,
    finish: clear,
  };
}

/** Eighths of a cell, so that the bar moves smoothly. */
function drawBar(part: number, width: number): string {
  const eighths = Math.round(part * width * 8);
  const full = Math.floor(eighths / 8);
  const rest = eighths % 8;
  const bar = '█'.repeat(full) + (rest > 0 ? '▏▎▍▌▋▊▉'[rest - 1]! : '');
  return bar + '░'.repeat(Math.max(0, width - full - (rest > 0 ? 1 : 0)));
}

/** Four significant digits, without exponents between 0.0001 and 100000: 0.1234, 12.34, 1.234e-5. */
export function formatMeasure(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';
  const size = Math.abs(value);
  if (size === 0) return '0.0000';
  if (size < 1e-4 || size >= 1e5) return value.toExponential(3);
  return value.toFixed(Math.max(0, Math.min(7, 3 - Math.floor(Math.log10(size)))));
}

/** 950, 12.3k, 4.56M */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return '∞';
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    // 999,950 and up round to the next unit.
    if (value >= size * 0.99995) return `${(value / size).toPrecision(3).replace(/e\+\d+$/, '')}${unit}`;
  }
  return value >= 100 ? value.toFixed(0) : value.toPrecision(value >= 10 ? 2 : 3);
}

/** 0.4 s, 12 s, 3 min 05 s, 2 h 07 min */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
