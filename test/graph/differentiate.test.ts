/** Reverse mode as a whole: what it asks, where it stops, in what order, how deep. Rules of single operations: `test/ops/derivatives.test.ts`. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { print } from '../../compiler/graph/print.ts';
import type { Node, TensorType } from '../../compiler/graph/types.ts';
import { verify } from '../../compiler/graph/verify.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { simplify } from '../../compiler/simplify/simplify.ts';
import { name, num } from '../../compiler/sizes/poly.ts';
import { newBuilder } from '../ops/harness.ts';

const scalar: TensorType = { dtype: 'f32', sizes: [] };
const N = name('N');
const vector: TensorType = { dtype: 'f32', sizes: [N] };
const number = (value: number): Tensor => fill('f32', [], () => value);

const valueAt = (b: ReturnType<typeof newBuilder>, node: Node, inputs: Record<string, number>): number =>
  evaluate(
    b.finish([{ name: 'y', node, updates: null }]),
    new Map(Object.entries(inputs).map(([key, value]) => [key, number(value)])),
    {},
  ).get('y')!.data[0]!;

describe('what is differentiated', () => {
  test('null where the output does not depend, or only through integers', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', scalar);
    const y = b.input('y', 'param', scalar);
    const count = b.cast(b.cast(y, 'i32'), 'f32');
    expect(differentiate(b, b.mul(x, count), [y])).toEqual([null]);
    expect(differentiate(b, b.exp(x), [y])).toEqual([null]);
    expect(differentiate(b, x, [x])[0]).toBe(b.constant(1, 'f32'));
  });
  test('a node inside, and leaves before it, both get their whole gradient', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', scalar);
    const y = b.mul(x, x);
    const z = b.mul(y, x);
    const [gx, gy] = differentiate(b, z, [x, y]);
    expect(valueAt(b, gx!, { x: 2 })).toBe(12);
    expect(valueAt(b, gy!, { x: 2 })).toBe(2);
  });
  test('a seed weighs a tensor', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', vector);
    const seed = b.input('s', 'data', vector);
    const [g] = differentiate(b, b.mul(x, x), [x], seed);
    expect(g!.type).toEqual(vector);
    expect(() => differentiate(b, x, [x])).toThrow('needs a seed');
    expect(() => differentiate(b, b.sizeValue(N), [x])).toThrow('i32');
  });
  test('f16', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', { dtype: 'f16', sizes: [N] });
    const y = b.cast(b.reduce('max', b.mul(x, x), [0]), 'f32');
    expect(differentiate(b, y, [x])[0]!.type.dtype).toBe('f16');
  });
  test('derivatives of derivatives: the fifth of sin', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', scalar);
    let y: Node = b.sin(x);
    for (let order = 0; order < 5; order++) y = differentiate(b, y, [x])[0]!;
    expect(valueAt(b, y, { x: 0.3 })).toBeCloseTo(Math.cos(0.3), 12);
  });
  test('a guarded input keeps NaN out of the gradient', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', scalar);
    const zero = b.constant(0, 'f32');
    const positive = b.lt(zero, x);
    const safe = b.select(positive, x, b.constant(1, 'f32'));
    const y = b.select(positive, b.log(safe), zero);
    expect(valueAt(b, differentiate(b, y, [x])[0]!, { x: 0 })).toBe(0);
    expect(valueAt(b, differentiate(b, y, [x])[0]!, { x: 4 })).toBe(0.25);
  });
});

describe('gradient nodes', () => {
  test('come from their forward node, by `gradient`', () => {
    const b = newBuilder();
    const x = b.input('x', 'param', scalar);
    const here = b.origins.add({ file: 0, start: 10, end: 20 });
    const y = b.at(here, () => b.exp(b.sin(x)));
    const before = b.nodes.length;
    differentiate(b, y, [x]);
    for (const node of b.nodes.slice(before)) {
      const origin = b.origins.get(node.origin);
      expect([origin.span.start, origin.parent, origin.via]).toEqual([10, here, 'gradient']);
    }
  });
  test('are the same on every run', () => {
    const text = (): string => {
      const b = newBuilder();
      const x = b.input('x', 'param', vector);
      const y = b.reduce('sum', b.mul(b.add(b.exp(x), b.mul(x, x)), b.tanh(x)), [0]);
      return print(b.finish([{ name: 'g', node: differentiate(b, y, [x])[0]!, updates: null }]));
    };
    expect(text()).toBe(text());
  });
});

describe('inside a body', () => {
  test('the gradient of a captured node, in each round', () => {
    const b = newBuilder();
    const w = b.input('w', 'param', scalar);
    const start = b.input('s', 'data', scalar);
    // One inner step of gradient descent a round on (w s)²: s ← s − 0.1 · 2 w² s; the gradient for w is yielded.
    const loop = b.loop({ carries: [start], sequences: [], length: num(3), reversed: false }, (inner, _, [s]) => {
      const objective = inner.pow(inner.mul(s!, w), inner.constant(2, 'f32'));
      const [gs, gw] = differentiate(inner, objective, [s!, w]);
      return { carries: [inner.sub(s!, inner.mul(inner.constant(0.1, 'f32'), gs!))], yields: [gw!] };
    });
    const factor = 1 - 0.2 * 4;
    expect(valueAt(b, loop.carries[0]!, { w: 2, s: 3 })).toBeCloseTo(3 * factor ** 3, 12);
    // Through the loop: d/dw of 3 (1 − 0.2 w²)³.
    const [g] = differentiate(b, loop.carries[0]!, [w]);
    expect(valueAt(b, g!, { w: 2, s: 3 })).toBeCloseTo(3 * 3 * factor ** 2 * (-0.4 * 2), 12);
    const graph = b.finish([{ name: 'g', node: g!, updates: null }]);
    expect(verify(graph, b.origins.rows.length)).toEqual([]);
  });
});

test('a graph of 40,000 nodes in a row is differentiated, simplified, printed, checked and evaluated', () => {
  const b = newBuilder();
  const x = b.input('x', 'param', scalar);
  let y: Node = x;
  for (let k = 0; k < 20_000; k++) y = b.add(b.sin(y), x);
  const [g] = differentiate(b, y, [x]);
  const graph = b.finish([{ name: 'g', node: g!, updates: null }]);
  const simple = simplify(graph, b.origins);
  expect(verify(simple, b.origins.rows.length)).toEqual([]);
  expect(print(simple).length).toBeGreaterThan(1_000_000);
  const value = evaluate(simple, new Map([['x', number(1.5)]]), {}).get('g')!.data[0]!;
  let expected = 1;
  let at = 1.5;
  for (let k = 0; k < 20_000; k++) {
    expected = Math.cos(at) * expected + 1;
    at = Math.sin(at) + 1.5;
  }
  expect(value).toBeCloseTo(expected, 8);
});
