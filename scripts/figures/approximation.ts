/** Note 5: how near a network of three layers comes to three continuous functions, by its width. */
import { nodeIo } from '../../cli/io.ts';
import { figure, type Panel, type Point } from '../../cli/report/figure.ts';
import type { StudyRecord } from '../../cli/study/record.ts';
import { recorded } from './studies.ts';
import { built, created, csvColumns, range, save, values } from './support.ts';

const program = 'examples/approximation.nn';
const shown = [2, 8, 64];

export async function approximation(): Promise<void> {
  const io = nodeIo();
  const words =
    'study examples/approximation.nn --data examples/data/approximation.csv --vary width=1,2,4,8,16,32,64,128 --resample subset --retrainings 3 --target wasm';
  const record = await recorded<StudyRecord>(words.split(' '), 'approximation', 'study.json');
  const error = (name: string): Point[] => record.variants.map((v) => [v.value!, v.test[name]!.mean]);
  const panels: Panel[] = [
    {
      title: 'distance from the functions',
      x: { label: 'width', log: true },
      y: { log: true },
      curves: [
        { name: 'greatest', color: 3, style: 'both', points: error('greatest') },
        { name: 'mean square', color: 5, style: 'both', points: error('loss') },
      ],
    },
  ];
  const x = csvColumns('examples/data/approximation.csv')['x.0']!;
  const places = range(-2, 2, 161);
  for (const width of shown) {
    const unit = await created(built(program, 'Fit', { B: x.length }, { width }), 1);
    for (let i = 0; i < 6000; i++) unit.step({ x });
    const y = values(unit.forward({ x: Float32Array.from(places) })['output']);
    const curve = (k: number): Point[] => places.map((at, i) => [at, y[i * 3 + k]!]);
    const truth = (f: (v: number) => number): Point[] => places.map((at) => [at, f(at)]);
    const truths = [(v: number) => Math.sin(3 * v), (v: number) => Math.abs(v) - 1, (v: number) => Math.tanh(8 * v)];
    panels.push({
      title: `${width} hidden units`,
      x: { from: -2, to: 2 },
      y: { from: -1.4, to: 1.4 },
      curves: [
        ...truths.map((f) => ({ name: 'function', color: 4, points: truth(f), dashed: true })),
        ...truths.map((_, k) => ({ name: 'network', color: k, points: curve(k) })),
      ],
    });
    await io.pause();
  }
  save(
    'approximation.svg',
    figure(panels, {
      title: 'Approximation of continuous functions by width',
      columns: 2,
      panelWidth: 380,
      panelHeight: 240,
    }),
  );
  for (const v of record.variants)
    console.log(
      `| ${v.value} | ${v.test['loss']!.mean.toExponential(1)} | ${v.test['greatest']!.mean.toPrecision(2)} |`,
    );
}
