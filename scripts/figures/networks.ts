/** Note 6: training curves of the convolutional and the recurrent networks, and what a convolutional one sees. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openData } from '../../cli/data/index.ts';
import { instantiate, type ResultTensor } from '../../cli/artifact.ts';
import { figure, heatMaps, type Curve, type HeatMap, type Panel, type Point } from '../../cli/report/figure.ts';
import type { RunRecord } from '../../cli/report/record.ts';
import { compile } from '../../compiler/index.ts';
import { decodeWeights } from '../../runtime/files.ts';
import { headerOf } from '../examples.ts';
import { recorded } from './studies.ts';
import { save } from './support.ts';

/** The n-th run of an example, as its header says. */
async function runOf(example: string, name: string, n = 0): Promise<RunRecord> {
  const { command } = headerOf(readFileSync(`examples/${example}.nn`, 'utf8')).experiments[n]!.full;
  const run = await recorded<RunRecord>([...command, '--quiet'], name, 'run.json');
  const test = Object.entries(run.test ?? {}).map(([key, value]) => `${key} ${value!.toFixed(4)}`);
  console.log(
    `${name}: ${run.parameters} parameters, ${run.epochs.length} epochs, ${Math.round(run.seconds)} s; test ${test.join(', ')}`,
  );
  return run;
}

const by = (run: RunRecord, part: 'train' | 'validation', measure: string): Point[] =>
  run.epochs.map((e): Point => [e.epoch, e[part]![measure] ?? NaN]);

/** A measure by epoch, of the rows for training and those for validation, and of the test at the end. */
function panel(
  title: string,
  measure: string,
  runs: readonly (readonly [name: string, run: RunRecord])[],
  from = 0,
): Panel {
  const curves = runs.flatMap(([name, run], i): Curve[] => {
    const color = from + i;
    return [
      { name, color, style: 'both', points: by(run, 'validation', measure) },
      { name: '', color, dashed: true, points: by(run, 'train', measure) },
      { name: '', color, style: 'points', points: [[run.epochs.length + 0.4, run.test![measure]!]] },
    ];
  });
  return { title, x: { label: 'epoch' }, curves };
}

export async function convolutional(): Promise<void> {
  const runs = [
    ['MNIST', await runOf('cnn-mnist', 'cnn-mnist')],
    ['Fashion-MNIST', await runOf('fashion-mnist', 'fashion-mnist')],
  ] as const;
  save(
    'convolutional.svg',
    figure([panel('loss', 'loss', runs), panel('accuracy', 'accuracy', runs)], {
      title: 'Two convolutional networks by epoch: validation solid, training dashed, the test at the end',
      columns: 2,
      panelWidth: 400,
      panelHeight: 260,
    }),
  );
}

export async function recurrent(): Promise<void> {
  const names = [
    ['simple recurrent network', await runOf('names-rnn', 'names-rnn')],
    ['LSTM', await runOf('names-lstm', 'names-lstm')],
    ['GRU', await runOf('names-gru', 'names-gru')],
  ] as const;
  const forms = [
    ['GRU from the left', await runOf('names-forms', 'forms-Left', 0)],
    ['two in layers', await runOf('names-forms', 'forms-Stacked', 1)],
    ['from both sides', await runOf('names-forms', 'forms-Both', 2)],
  ] as const;
  save(
    'recurrent.svg',
    figure(
      [panel('bits a letter: the next one', 'bits', names), panel('bits a letter: one left out', 'bits', forms, 3)],
      {
        title: 'Recurrent networks on first names by epoch: validation solid, training dashed, the test at the end',
        columns: 2,
        panelWidth: 400,
        panelHeight: 260,
      },
    ),
  );
}

/** One picture of the test files, and what the first layer's filters make of it, after batch normalisation, rectifier and pooling. */
export async function features(): Promise<void> {
  await runOf('fashion-mnist', 'fashion-mnist');
  const path = 'nnc-out/data/fashion-mnist/t10k-images-idx3-ubyte.gz';
  const reading = openData([path]);
  if (!reading.ok) throw new Error(`${path} cannot be read`);
  const [images] = reading.dataset.columns.values();
  const image = Float32Array.from({ length: 784 }, (_, i) => images!.data[i]! / 255);
  const file = decodeWeights(readFileSync(join('nnc-out', 'learn', 'fashion-mnist', 'weights.safetensors')));
  if (!file.ok) throw new Error('the weights cannot be read');
  const { artifacts } = compile(readFileSync('examples/fashion-mnist.nn', 'utf8'), {
    only: 'CNN',
    bounds: { B: 1 },
    expose: ['x', 'y'],
  });
  const unit = await instantiate(artifacts.get('CNN')!, 'ts');
  unit.load(file.weights);
  const results = unit.forward({ image }, { B: 1 }) as Readonly<Record<string, ResultTensor>>;
  const filters = file.weights.get('conv1.weight')!.data;
  const plane = (data: ArrayLike<number>, from: number, size: number): (number | null)[][] =>
    Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_v, j) => {
        const value = data[from + i * size + j]!;
        return value === 0 ? null : value;
      }),
    );
  const map = (title: string, values: (number | null)[][], cell: number): HeatMap => ({
    title,
    rows: values.map(() => ''),
    columns: values.map(() => ''),
    values,
    cell,
  });
  /** As wide as the picture. */
  const empty: HeatMap = { ...map('', plane(image, 0, 28), 3.5), rows: [], values: [] };
  /** Those that differ most from one another say most: by the spread of their map. */
  const spread = (data: ArrayLike<number>, from: number, count: number): number => {
    const list = Array.from({ length: count }, (_, i) => data[from + i]!);
    const mean = list.reduce((a, b) => a + b, 0) / count;
    return list.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  };
  const best = (data: ArrayLike<number>, channels: number, size: number, count: number): number[] =>
    Array.from({ length: channels }, (_, c) => c)
      .sort((a, b) => spread(data, b * size * size, size * size) - spread(data, a * size * size, size * size))
      .slice(0, count)
      .sort((a, b) => a - b);
  const first = best(results['x']!.data, 16, 14, 5);
  const second = best(results['y']!.data, 32, 7, 5);
  save(
    'features.svg',
    heatMaps(
      [
        map('a picture of the test', plane(image, 0, 28), 3.5),
        ...first.map((c) => map(`filter ${c}`, plane(filters, 9 * c, 3), 32)),
        empty,
        ...first.map((c) => map(`first layer, ${c}`, plane(results['x']!.data, 196 * c, 14), 7)),
        empty,
        ...second.map((c) => map(`second layer, ${c}`, plane(results['y']!.data, 49 * c, 7), 14)),
      ],
      {
        title: 'A picture of Fashion-MNIST, five filters of the first layer, and what the layers make of it',
        columns: 6,
      },
    ),
  );
}
