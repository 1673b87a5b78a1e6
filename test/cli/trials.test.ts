/** `nnc train` where the source asks for several trainings, or for steps in parts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeWeights } from '../../runtime/files.ts';
import { folder, nnc, tensors } from './support.ts';

const program = (settings: string): string => `
model Net(x: float[B, 2]) -> float[B, 1] { return x |> a: Linear(4) |> tanh |> b: Linear(1) }
train Fit {
  input x: float[B, 2]
  input y: float[B, 1]
  minimize mean((Net(x) - y) ^ 2)
  optimizer SGD(lr: 0.1)
  ${settings}
}`;

const rows = (n: number): string =>
  ['x.0,x.1,y', ...Array.from({ length: n }, (_, k) => `${Math.sin(k)},${Math.cos(2 * k)},${Math.sin(k) ** 2}`)].join(
    '\n',
  );

const here = (settings: string, n = 22): string => folder({ 'net.nn': program(settings), 'rows.csv': rows(n) });
const train = ['train', 'net.nn', '--data', 'rows.csv'];

interface Record_ {
  readonly rows: { readonly train: number; readonly validation: number };
  readonly epochs: readonly {
    readonly validation: { readonly loss: number } | null;
    readonly train: { readonly loss: number };
  }[];
  readonly trials: readonly {
    readonly name: string;
    readonly seed: number;
    readonly measures: { readonly loss: number };
  }[];
  readonly spread: { readonly loss: { readonly mean: number; readonly deviation: number } };
}

const record = (cwd: string, path: string): Record_ =>
  JSON.parse(readFileSync(join(cwd, path, 'run.json'), 'utf8')) as Record_;

describe('runs and folds', () => {
  it('runs 3 trains from three seeds, and reports mean and spread', async () => {
    const cwd = here('batch B = 8\n  epochs 2\n  runs 3');
    const { code, out, err } = await nnc(cwd, [...train, '--seed', '5']);
    expect(err).toBe('');
    expect(code).toBe(0);
    const all = record(cwd, 'nnc-out/Fit');
    expect(all.trials.map((t) => [t.name, t.seed])).toEqual([
      ['run 1', 5],
      ['run 2', 6],
      ['run 3', 7],
    ]);
    const losses = all.trials.map((t) => t.measures.loss);
    expect(new Set(losses).size).toBe(3);
    const mean = losses.reduce((a, b) => a + b, 0) / 3;
    expect(all.spread.loss.mean).toBeCloseTo(mean, 12);
    const deviation = Math.sqrt(losses.reduce((a, b) => a + (b - mean) ** 2, 0) / 2);
    expect(all.spread.loss.deviation).toBeCloseTo(deviation, 12);
    expect(out).toMatch(/3 trainings, training, mean ± deviation: loss [\d.]+ ± [\d.]+ \([\d.]+ to [\d.]+\)/);
    // The best one's weights; and each is what one training from its seed is.
    const best = 1 + losses.indexOf(Math.min(...losses));
    const weights = (path: string) => tensors(join(cwd, path, 'weights.safetensors')).get('a.weight')!.data;
    expect(weights('nnc-out/Fit')).toEqual(weights(`nnc-out/Fit/run-${best}`));
    const alone = folder({ 'net.nn': program('batch B = 8\n  epochs 2'), 'rows.csv': rows(22) });
    expect((await nnc(alone, [...train, '--seed', '6'])).code).toBe(0);
    expect(tensors(join(alone, 'nnc-out/Fit/weights.safetensors')).get('a.weight')!.data).toEqual(
      weights('nnc-out/Fit/run-2'),
    );
    const html = readFileSync(join(cwd, 'nnc-out/Fit/report.html'), 'utf8');
    expect(html).toContain('3 trainings');
    expect(html).toContain('standard deviation');
  });

  it('validate(folds: 4) validates every row once', async () => {
    const cwd = here('batch B = 8\n  epochs 2\n  validate(folds: 4)');
    const { code, err } = await nnc(cwd, train);
    expect(err).toBe('');
    expect(code).toBe(0);
    const folds = [1, 2, 3, 4].map((k) => record(cwd, `nnc-out/Fit/run-1-fold-${k}`));
    expect(folds.map((f) => f.rows.validation).reduce((a, b) => a + b, 0)).toBe(22);
    for (const f of folds) {
      expect(f.rows.train + f.rows.validation).toBe(22);
      expect(f.epochs.every((e) => e.validation !== null)).toBe(true);
    }
    const all = record(cwd, 'nnc-out/Fit');
    expect(all.trials.map((t) => t.name)).toEqual([1, 2, 3, 4].map((k) => `run 1 fold ${k}`));
    expect(existsSync(join(cwd, 'nnc-out/Fit/weights.safetensors'))).toBe(true);
  });

  it('says when there are fewer rows than folds', async () => {
    const { code, err } = await nnc(here('batch B = 2\n  validate(folds: 9)', 5), train);
    expect(code).not.toBe(0);
    expect(err).toMatch(/9 folds/);
  });
});

describe('a batch in parts', () => {
  it('trains as the undivided batch does, where the rows divide', async () => {
    const [whole, split] = [here('batch B = 8\n  epochs 3', 24), here('batch B = 8 in 4 parts\n  epochs 3', 24)];
    expect((await nnc(whole, train)).code).toBe(0);
    expect((await nnc(split, train)).code).toBe(0);
    const losses = (cwd: string) => record(cwd, 'nnc-out/Fit').epochs.map((e) => e.train.loss);
    losses(split).forEach((loss, k) => expect(loss).toBeCloseTo(losses(whole)[k]!, 5));
  });

  it('leaves rows that do not divide for the next epoch, and counts means over the others', async () => {
    const cwd = here('batch B = 8 in 4 parts\n  epochs 2', 23);
    const { code, err } = await nnc(cwd, train);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(record(cwd, 'nnc-out/Fit').epochs.length).toBe(2);
  });
});

describe('a checkpoint map', () => {
  const map = `
checkpoint other for Net {
  a.weight[o, d] = "in.kernel"[d, o]
  b.weight[o, d] = "out.kernel"[d, o]
}`;
  it('writes the weights of a training in the other layout, which run reads', async () => {
    const cwd = folder({ 'net.nn': program('batch B = 8') + map, 'rows.csv': rows(16) });
    expect(await nnc(cwd, [...train, '--checkpoint', 'other'])).toMatchObject({ code: 0, err: '' });
    const theirs = tensors(join(cwd, 'nnc-out/Fit/weights.other.safetensors'));
    expect(theirs.get('in.kernel')!.shape).toEqual([2, 4]);
    const run = ['run', 'net.nn', '--data', 'rows.csv', '--weights'];
    const own = await nnc(cwd, [...run, 'nnc-out/Fit/weights.safetensors']);
    const other = await nnc(cwd, [...run, 'nnc-out/Fit/weights.other.safetensors', '--checkpoint', 'other']);
    expect(own.code).toBe(0);
    expect(other).toEqual(own);
  });
  it('that there is not is an error', async () => {
    const cwd = folder({ 'net.nn': program('batch B = 8') + map, 'rows.csv': rows(16) });
    const { code, err } = await nnc(cwd, [...train, '--checkpoint', 'another']);
    expect(code).not.toBe(0);
    expect(err).toMatch(/NN940/);
    expect(err).toMatch(/other/);
  });
});

it('nnc run takes a size that the model has as a parameter', async () => {
  const model = `model Powers(x: float[B], N: size) -> float[B, N] {
  require N <= 8
  let y[b, n: N] = x[b] ^ n
  return y
}`;
  const cwd = folder({ 'powers.nn': model, 'x.csv': 'x\n2\n3\n', 'none.safetensors': encodeWeights(new Map()) });
  const run = ['run', 'powers.nn', '--data', 'x.csv', '--weights', 'none.safetensors'];
  const { code, out, err } = await nnc(cwd, [...run, '--size', 'N=3']);
  expect([code, err]).toEqual([0, '']);
  expect(out.trim().split('\n').slice(1)).toEqual(['1,2,4', '1,3,9']);
  const missing = await nnc(cwd, run);
  expect(missing.code).not.toBe(0);
  expect(missing.err).toMatch(/NN941.*size N/);
});
