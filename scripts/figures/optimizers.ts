/** Note 3: the paths of the optimizers of examples/optimizers.nn on the surface of their loss, step by step, and the loss by step. */
import { figure, levelLines, type Panel, type Point } from '../../cli/report/figure.ts';
import { permutation } from '../../runtime/random.ts';
import { built, created, csvColumns, save } from './support.ts';

const program = 'examples/optimizers.nn';
const steps = 200;
const shown = { x: [0, 2.5], y: [0.4, 2.8] } as const;

const titles: readonly (readonly [block: string, title: string])[] = [
  ['GradientDescent', 'gradient descent'],
  ['Stochastic', 'stochastic: one row a step'],
  ['MiniBatch', 'mini-batches of 8'],
  ['Momentum', 'momentum'],
  ['Nesterov', 'Nesterov'],
  ['AdaptiveGradient', 'AdaGrad'],
  ['MeanSquare', 'RMSProp'],
  ['AdaptiveMoments', 'Adam'],
  ['DecoupledDecay', 'AdamW'],
  ['Sign', 'Lion'],
  ['Cosine', 'mini-batches, cosine schedule'],
  ['Groups', 'a rate for each parameter'],
  ['Hasty', 'one row a step, too large a rate'],
  ['Clipped', 'the same, gradients clipped'],
  ['Accumulated', 'all rows in four parts'],
];

export async function optimizers(): Promise<void> {
  const { x, y } = csvColumns('examples/data/optimizers.csv') as { x: Float32Array; y: Float32Array };
  const rows = x.length;
  const examiner = await created(built(program, 'GradientDescent'));
  const scalar = (value: number) => ({ dtype: 'f32' as const, shape: [], data: Float32Array.of(value) });
  const loss = (slope: number, height: number): number => {
    examiner.load(
      new Map([
        ['slope', scalar(slope)],
        ['height', scalar(height)],
      ]),
    );
    return examiner.evaluate({ x, y })['loss']!;
  };
  const levels = levelLines(loss, shown.x, shown.y, [0.045, 0.06, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2], 48);

  const panels: Panel[] = [];
  const descents: { title: string; points: Point[] }[] = [];
  for (const [block, title] of titles) {
    const artifact = built(program, block);
    const unit = await created(artifact);
    const batch = artifact.unit.training!.batch!.value;
    const path: Point[] = [];
    const note = (): void => {
      const weights = unit.weights();
      path.push([weights.get('slope')!.data[0]!, weights.get('height')!.data[0]!]);
    };
    note();
    for (let epoch = 0, done = 0; done < steps; epoch++) {
      const order = permutation(rows, 0, epoch);
      for (let from = 0; from + batch <= rows && done < steps; from += batch, done++) {
        const take = (column: Float32Array): Float32Array =>
          Float32Array.from(order.subarray(from, from + batch), (row) => column[row]!);
        unit.step({ x: take(x), y: take(y) });
        note();
      }
    }
    const color = panels.length;
    panels.push({
      title,
      x: { from: shown.x[0], to: shown.x[1], label: 'slope' },
      y: { from: shown.y[0], to: shown.y[1], label: 'height' },
      levels,
      curves: [
        { name: '', color, points: path },
        { name: '', color, points: [path[0]!, path.at(-1)!], style: 'points' },
      ],
    });
    descents.push({ title, points: path.map(([a, b], i) => [i, loss(a, b)]) });
  }
  const down = (list: readonly number[]): Panel => ({
    title: 'loss of all rows',
    x: { label: 'step' },
    y: { log: true },
    curves: list.map((i) => ({ name: '', color: i, points: descents[i]!.points.filter((_, step) => step % 4 === 0) })),
  });
  panels.push(down(titles.map((_, i) => i)));
  save(
    'optimizers.svg',
    figure(panels, { title: 'Paths of optimizers on one loss surface', columns: 4, panelWidth: 240, panelHeight: 200 }),
  );
}

/** The rates of docs/learn/schedules.nn, step by step. */
export async function schedules(): Promise<void> {
  const unit = await created(built('docs/learn/schedules.nn', 'Rates'));
  const rates = new Map<string, Point[]>();
  for (let step = 1; step <= steps; step++)
    for (const [name, value] of Object.entries(unit.step({ x: Float32Array.of(0) })))
      if (name !== 'loss') rates.set(name, [...(rates.get(name) ?? []), [step, value]]);
  const panels = [...rates].map(([name, points], color): Panel => ({
    title: name,
    x: { from: 0, to: steps },
    y: { from: 0, to: 1 },
    curves: [{ name: '', color, points }],
  }));
  save('schedules.svg', figure(panels, { title: 'Schedules by step', columns: 4, panelWidth: 200, panelHeight: 130 }));
}
