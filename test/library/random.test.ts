/** What draws in the library: dropout and its kin in training and outside, initialisers by their moments. One seed; bounds are five standard errors. */
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { elaborateText, toTensor } from '../support/program.ts';
import { shapeOf, type Nested } from './cases.ts';

const [rows, columns, places] = [40, 10, 30];
const count = rows * columns * places;
const full = (value: number): Nested =>
  Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => Array.from({ length: places }, () => value)),
  );
const tensor = (value: Nested): Tensor => ({ ...toTensor(value, 'f32'), sizes: shapeOf(value) });

/** y of `x |> layer` for x = 1 in training, the gradient by x of sum(y), and the sum of y outside training. */
function run(layer: string): { readonly y: number[]; readonly gradient: number[]; readonly outside: number } {
  const shape = `float[${rows}, ${columns}, ${places}]`;
  const { units } = elaborateText(`
model Net(on: float[B]) -> float {
  param x: ${shape} = 1
  param cot: ${shape} = 1
  return sum((x |> ${layer}) * cot)
}
train Fit {
  input on: float[B]
  minimize Net(on)
  optimizer SGD(lr: 1)
  batch B = 1
}`);
  const unit = units.find((u) => u.name === 'Fit')!;
  const scope = new Map([
    ['x', tensor(full(1))],
    ['cot', tensor(full(1))],
    ['on', tensor([0])],
    ['seed', toTensor(5, 'i32')],
    ['step', toTensor(1, 'i32')],
  ]);
  const graph = unit.programs.get('step')!;
  const after = evaluate(graph, scope, { B: 1 });
  const change = (path: string): number[] => {
    const name = graph.outputs.find((o) => o.updates === path)!.name;
    return [...after.get(name)!.data].map((v) => 1 - v);
  };
  return {
    y: change('cot'),
    gradient: change('x'),
    outside: evaluate(unit.programs.get('evaluate')!, scope, { B: 1 }).get('loss')!.data[0]!,
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('dropout', () => {
  const rate = 0.25;
  const grown = 1 / (1 - rate);
  // What is kept or dropped together.
  it.each([
    { layer: `Dropout(${rate})`, together: 1 },
    { layer: `SpatialDropout(${rate})`, together: places },
    { layer: `DropPath(${rate})`, together: columns * places },
  ])('$layer', ({ layer, together }) => {
    const { y, gradient, outside } = run(layer);
    expect(outside).toBe(count);
    for (const [at, v] of y.entries()) {
      const kept = v > 0.5;
      expect(Math.abs(v - (kept ? grown : 0))).toBeLessThan(1e-12);
      expect(gradient[at]).toBeCloseTo(v, 12);
      expect(v).toBe(y[at - (at % together)]);
    }
    const draws = count / together;
    const error = Math.sqrt((rate * (1 - rate)) / draws);
    expect(Math.abs(mean(y.map((v) => (v > 0.5 ? 1 : 0))) - (1 - rate))).toBeLessThan(5 * error);
    // Neighbours of a group differ somewhere, so that the groups are no larger.
    const first = Array.from({ length: draws }, (_, k) => y[k * together]! > 0.5);
    const changes = first.filter((v, k) => k > 0 && v !== first[k - 1]).length;
    expect(Math.abs(changes / (draws - 1) - 2 * rate * (1 - rate))).toBeLessThan(0.25);
    expect(changes).toBeGreaterThan(0);
  });

  it('a rate of 0 is the identity', () => {
    expect(run('Dropout(0)').y).toEqual(new Array(count).fill(1));
  });
});

it('AlphaDropout keeps mean and variance, and drops to one value', () => {
  // Of x = 1: kept values are one number, dropped ones another; over x of mean 0 and variance 1 the moments stay.
  const rate = 0.25;
  const { y, gradient, outside } = run(`AlphaDropout(${rate})`);
  expect(outside).toBe(count);
  const limit = -1.0507009873554805 * 1.6732632423543772;
  const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * limit ** 2));
  const values = [scale * (1 - rate * limit), scale * (limit - rate * limit)];
  for (const [at, v] of y.entries()) {
    const kept = Math.abs(v - values[0]!) < 1e-9;
    expect(kept || Math.abs(v - values[1]!) < 1e-9).toBe(true);
    expect(gradient[at]).toBeCloseTo(kept ? scale : 0, 9);
  }
  const share = mean(y.map((v) => (v > 0 ? 1 : 0)));
  expect(Math.abs(share - (1 - rate))).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / count));
  // E y = scale ((1 - r) E x + r limit - r limit) = 0; E y² = scale² ((1 - r) (1 + r² limit²) + r (1 - r)² limit²) = 1.
  const second = scale ** 2 * ((1 - rate) * (1 + rate ** 2 * limit ** 2) + rate * (1 - rate) ** 2 * limit ** 2);
  expect(second).toBeCloseTo(1, 12);
});

it('GaussianNoise', () => {
  const { y, gradient, outside } = run('GaussianNoise(0.5)');
  expect(outside).toBe(count);
  const noise = y.map((v) => (v - 1) / 0.5);
  expect(Math.abs(mean(noise))).toBeLessThan(5 / Math.sqrt(count));
  expect(Math.abs(mean(noise.map((v) => v * v)) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  expect(gradient.every((v) => Math.abs(v - 1) < 1e-12)).toBe(true);
});

describe('initialisers', () => {
  const [O, I] = [60, 40];
  const draw = (initialiser: string): number[] => {
    const { units } = elaborateText(`
model Net(on: float[B]) -> float[B] {
  param w: float[${O}, ${I}] = ${initialiser}
  return on * sum(w)
}`);
    return [...evaluate(units[0]!.programs.get('init')!, new Map([['seed', toTensor(2, 'i32')]]), {}).get('w')!.data];
  };
  it.each([
    { name: 'xavier_uniform()', variance: 2 / (I + O), uniform: true },
    { name: 'xavier_uniform(2)', variance: 8 / (I + O), uniform: true },
    { name: 'xavier_normal()', variance: 2 / (I + O), uniform: false },
    { name: 'kaiming_uniform()', variance: 2 / I, uniform: true },
    { name: 'lecun_uniform()', variance: 1 / I, uniform: true },
    { name: 'lecun_normal()', variance: 1 / I, uniform: false },
    { name: 'kaiming_normal()', variance: 2 / I, uniform: false },
    { name: 'kaiming_normal(1)', variance: 1 / I, uniform: false },
  ])('$name', ({ name, variance, uniform }) => {
    const w = draw(name);
    const n = O * I;
    expect(Math.abs(mean(w))).toBeLessThan(5 * Math.sqrt(variance / n));
    // The variance of a square: 2 σ⁴ of the normal distribution, 4/5 σ⁴ of the uniform one.
    expect(Math.abs(mean(w.map((v) => v * v)) - variance)).toBeLessThan(
      5 * variance * Math.sqrt((uniform ? 0.8 : 2) / n),
    );
    const greatest = Math.max(...w.map(Math.abs));
    if (uniform) expect(greatest).toBeLessThanOrEqual(Math.sqrt(3 * variance));
    else expect(greatest).toBeGreaterThan(2.5 * Math.sqrt(variance));
  });

  it('orthogonal columns in every block', () => {
    const w = draw('orthogonal(blocks: 1)');
    for (let i = 0; i < I; i++) {
      for (let j = 0; j <= i; j++) {
        let product = 0;
        for (let o = 0; o < O; o++) product += w[o * I + i]! * w[o * I + j]!;
        expect(Math.abs(product - (i === j ? 1 : 0)), `${i}, ${j}`).toBeLessThan(1e-9);
      }
    }
  });
});
