/** The programs of docs/learn/networks.md run: windows by hand, what shares statistics, what a state has seen, and batch normalisation in training and outside. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../analysis/random.ts';
import { instantiate, type Instance, type ResultTensor } from '../../cli/artifact.ts';
import { compile } from '../../compiler/index.ts';

const source = readFileSync('docs/learn/networks.nn', 'utf8');
const B = 2;

async function load(name: string, bounds: Record<string, number> = {}): Promise<Instance> {
  const { artifacts, reports } = compile(source, { only: name, bounds: { B, ...bounds } });
  expect(reports.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
  return instantiate(artifacts.get(name)!, 'ts', 1);
}

const draws = new Stream(7, 0);
const random = (count: number): Float32Array => Float32Array.from({ length: count }, () => draws.normal());
type Results = Readonly<Record<string, ResultTensor>>;

const pictures = { line: random(B * 4 * 24), picture: random(B * 4 * 144), solid: random(B * 4 * 216) };

describe('convolutions', () => {
  it('have the shapes that are written, and the parameters that their forms have', async () => {
    const unit = await load('Convolutions');
    const results = unit.forward(pictures, { B }) as Results;
    const shapes = Object.fromEntries(Object.entries(results).map(([name, { shape }]) => [name, shape.join()]));
    expect(shapes).toMatchObject({ along: '2,8,22', strided: '2,8,6,6', dilated: '2,8,12,12', volume: '2,8,4,4,4' });
    expect(shapes).toMatchObject({ wider: '2,2,24,24', longer: '2,2,48', larger: '2,2,12,12,12' });
    const weights = unit.weights();
    const shapeOf = (path: string): string => weights.get(path)!.shape.join();
    expect([shapeOf('b.weight'), shapeOf('e.weight'), shapeOf('h.weight')]).toEqual(['8,4,3,3', '8,2,3,3', '16,4,1,1']);
    for (const { data } of Object.values(results)) expect([...data].every(Number.isFinite)).toBe(true);
  });

  it('see only their group', async () => {
    const unit = await load('Convolutions');
    const of = (): number[] => [...(unit.forward(pictures, { B }) as Results)['grouped']!.data.slice(0, 8 * 144)];
    const before = of();
    // The last channel of the first picture belongs to the second group, which makes channels 4 to 7.
    const changed = Float32Array.from(pictures.picture, (v, i) => (i >= 3 * 144 && i < 4 * 144 ? v + 1 : v));
    const after = (unit.forward({ ...pictures, picture: changed }, { B }) as Results)['grouped']!.data;
    expect([...after.slice(0, 4 * 144)]).toEqual(before.slice(0, 4 * 144));
    expect([...after.slice(4 * 144, 8 * 144)]).not.toEqual(before.slice(4 * 144));
  });
});

it('poolings are numbers of their windows', async () => {
  const results = (await load('Poolings')).forward(pictures, { B }) as Results;
  const window = (i: number, j: number): number[] =>
    [0, 1].flatMap((p) => [0, 1].map((q) => pictures.picture[(2 * i + p) * 12 + 2 * j + q]!));
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
  for (const [i, j] of [
    [0, 0],
    [3, 5],
  ] as const) {
    const at = i * 6 + j;
    expect(results['greatest']!.data[at]).toBe(Math.max(...window(i, j)));
    expect(results['mean']!.data[at]).toBeCloseTo(sum(window(i, j)) / 4, 5);
    expect(results['power']!.data[at]).toBeCloseTo(Math.sqrt(sum(window(i, j).map((v) => v * v))), 5);
  }
  const first = [...pictures.picture.slice(0, 144)];
  expect(results['whole']!.data[0]).toBeCloseTo(sum(first) / 144, 5);
  expect(results['most']!.data[0]).toBe(Math.max(...first));
});

describe('normalisations', () => {
  it('share the statistics that their names say', async () => {
    const inputs = { picture: random(B * 4 * 36), row: random(B * 8) };
    const results = (await load('Normalisations')).forward(inputs, { B }) as Results;
    const moments = (list: readonly number[]): [number, number] => {
      const mean = list.reduce((a, b) => a + b, 0) / list.length;
      return [mean, list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length];
    };
    const standard = (list: readonly number[]): void => {
      const [mean, variance] = moments(list);
      expect(mean).toBeCloseTo(0, 4);
      expect(variance).toBeCloseTo(1, 2);
    };
    const of = (name: string, from: number, count: number): number[] => [
      ...results[name]!.data.slice(from, from + count),
    ];
    standard(of('group', 0, 72));
    standard(of('instance', 36, 36));
    standard(of('layer', 8, 8));
    standard([0, 1, 2, 3].map((c) => results['places']!.data[c * 36 + 5]!));
    const [mean, variance] = moments(of('root', 0, 8));
    expect(variance + mean ** 2).toBeCloseTo(1, 3);
    // Outside training, with the statistics that batch normalisation begins with, nothing changes.
    of('batch', 0, 36).forEach((v, i) => expect(v).toBeCloseTo(inputs.picture[i]!, 4));
  });

  it('of a batch: by the batch in training, by running statistics outside', async () => {
    const unit = await load('Follow', { B: 64 });
    const x = Float32Array.from(random(64 * 3), (v, i) => 3 * v + 5 * (i % 3));
    // The loss is half of the mean square: near a half for normalised values.
    expect(unit.evaluate({ x })['loss']).toBeGreaterThan(10);
    for (let step = 0; step < 60; step++) {
      const { loss, centre } = unit.step({ x });
      expect(loss).toBeCloseTo(0.5, 1);
      expect(Math.abs(centre!)).toBeLessThan(0.05);
    }
    const running = unit.weights();
    for (const [c, mean] of running.get('norm.running_mean')!.data.entries()) {
      const own = Array.from({ length: 64 }, (_, b) => x[3 * b + c]!);
      expect(mean).toBeCloseTo(own.reduce((a, b) => a + b, 0) / 64, 3);
    }
    expect(unit.evaluate({ x })['loss']).toBeCloseTo(unit.step({ x })['loss']!, 1);
  });
});

it('recurrent states have seen what came before, and with a second direction what comes after', async () => {
  const T = 6;
  const unit = await load('Sequences', { T });
  const x = random(B * T * 5);
  const run = (inputs: Float32Array): Record<string, number[]> =>
    Object.fromEntries(
      Object.entries(unit.forward({ x: inputs }, { B, T }) as Results).map(([name, { data }]) => [name, [...data]]),
    );
  const before = run(x);
  // The last step of the first sequence is another.
  const after = run(Float32Array.from(x, (v, i) => (i >= 5 * (T - 1) && i < 5 * T ? v + 1 : v)));
  const firstState = (list: readonly number[], width: number): number[] => list.slice(0, width);
  for (const name of ['simple', 'long_short', 'gated', 'peephole', 'stacked'])
    expect(firstState(after[name]!, 8), name).toEqual(firstState(before[name]!, 8));
  for (const name of ['both', 'both_long_short', 'both_gated', 'stacked_both'])
    expect(firstState(after[name]!, 16), name).not.toEqual(firstState(before[name]!, 16));
  expect(firstState(after['both']!, 8)).toEqual(firstState(before['both']!, 8));
});
