/**
 * Reductions along axes: reduce and argmax.
 *
 * Gradients. max and min share among all elements that attain the value. prod multiplies the elements before and after each position
 * (exclusive prefix products from both ends), so zeros need no case of their own.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { DType, Node, OpAttributes, TensorType } from '../graph/types.ts';
import { mul, name, num, ONE, type Poly } from '../sizes/poly.ts';
import type { Example, OpRecord, Tensor } from './record.ts';
import { argmaxRule, reduceRule } from './rules.ts';
import { isFloat, splice, without } from './shapes.ts';
import { eachPosition, fill, offsetOf, zeros } from './tensor.ts';

type ReduceOp = OpAttributes['reduce']['op'];

export const identities: Record<ReduceOp, number> = {
  sum: 0,
  prod: 1,
  max: -Infinity,
  min: Infinity,
  any: 0,
  all: 1,
};

export const combine: Record<ReduceOp, (a: number, b: number) => number> = {
  sum: (a, b) => a + b,
  prod: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
  any: (a, b) => a | b,
  all: (a, b) => a & b,
};

/** The identity as a value of the dtype. */
export function identityOf(op: ReduceOp, dtype: DType): number {
  const identity = identities[op];
  if (dtype !== 'i32' || Number.isFinite(identity)) return identity;
  return op === 'max' ? -(2 ** 31) : 2 ** 31 - 1;
}

const remaining = (rank: number, axes: readonly number[]): number[] =>
  without(
    Array.from({ length: rank }, (_, k) => k),
    axes,
  );

/** The gradient of a product along axes: the others' product, from prefix products of both directions over the axes as one. */
function prodGradient(b: GraphBuilder, x: Node, g: Node, axes: readonly number[]): Node {
  const kept = remaining(x.type.sizes.length, axes);
  const perm = [...kept, ...axes];
  const axis = kept.length;
  const reduced = axes.map((a) => x.type.sizes[a]!);
  const flat = b.merge(b.transpose(x, perm), axis, axes.length);
  const before = b.cumulate('prod', flat, axis, { exclusive: true });
  const after = b.cumulate('prod', flat, axis, { exclusive: true, reversed: true });
  const spread = b.broadcast(g, flat.type.sizes, remaining(axis + 1, [axis]));
  const inner = b.mul(spread, b.mul(before, after));
  const inverse = perm.map((_, k) => perm.indexOf(k));
  return b.transpose(b.split(inner, axis, reduced), inverse);
}

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const N = name('N');

const examples: Example<'reduce'>[] = (['sum', 'max', 'min', 'prod'] as const).flatMap((op) => [
  { title: `${op}, the last axis`, inputs: [F(N, num(3))], attrs: { op, axes: [1] }, sizes: { N: 2 } },
  { title: `${op}, two axes`, inputs: [F(num(2), N, num(2))], attrs: { op, axes: [0, 2] }, sizes: { N: 3 } },
  { title: `${op}, all axes`, inputs: [F(N, num(2))], attrs: { op, axes: [0, 1] }, sizes: { N: 3 } },
]);

export const reduce: OpRecord<'reduce'> = {
  ...reduceRule,
  vjp: ({ builder: b, node, gradients }) => {
    const g = gradients[0] ?? null;
    const x = node.inputs[0]!;
    const { op, axes } = node.attrs;
    if (g === null || !isFloat(x.type.dtype)) return [null];
    const kept = remaining(x.type.sizes.length, axes);
    const spread = (y: Node): Node => b.broadcast(y, x.type.sizes, kept);
    if (op === 'sum') return [spread(g)];
    if (op === 'prod') return [prodGradient(b, x, g, axes)];
    const attains = b.eq(x, spread(node));
    const ties = b.reduce('sum', b.cast(attains, x.type.dtype), axes);
    return [b.select(attains, spread(b.div(g, ties)), b.zeros(x.type))];
  },
  evaluate: ([x], node) => {
    const { op, axes } = node.attrs;
    const kept = remaining(x!.sizes.length, axes);
    const out = fill(
      x!.dtype,
      kept.map((k) => x!.sizes[k]!),
      () => identityOf(op, x!.dtype),
    );
    eachPosition(x!.sizes, (position, linear) => {
      const to = offsetOf(
        out.sizes,
        kept.map((k) => position[k]!),
      );
      const value = combine[op](out.data[to]!, x!.data[linear]!);
      out.data[to] = op === 'prod' && x!.dtype === 'i32' ? Math.imul(out.data[to]!, x!.data[linear]!) : value;
    });
    return [out];
  },
  lowering: {
    kind: 'reduction',
    lower: (cx, node, at) => {
      const x = node.inputs[0]!.type;
      const { op, axes } = node.attrs;
      const reduced = axes.map((a) => cx.axis(x.sizes[a]!));
      let next = 0;
      const position = x.sizes.map((_, k) => (axes.includes(k) ? reduced[axes.indexOf(k)]! : at[next++]!));
      return { op, value: cx.read(0, position) };
    },
  },
  cost: (node) => node.attrs.axes.reduce((n, a) => mul(n, node.inputs[0]!.type.sizes[a]!), ONE),
  examples: [
    ...examples,
    {
      title: 'product with one zero and with two',
      inputs: [F(num(2), num(3))],
      attrs: { op: 'prod', axes: [1] },
      sizes: {},
      values: { 0: [2, 0, 3, 0, 5, 0] },
    },
    {
      title: 'sum of integers',
      inputs: [{ dtype: 'i32', sizes: [N, num(2)] }],
      attrs: { op: 'sum', axes: [0] },
      sizes: { N: 3 },
    },
    {
      title: 'greatest integer',
      inputs: [{ dtype: 'i32', sizes: [N] }],
      attrs: { op: 'max', axes: [0] },
      sizes: { N: 3 },
    },
    { title: 'any', inputs: [{ dtype: 'bool', sizes: [N, num(2)] }], attrs: { op: 'any', axes: [1] }, sizes: { N: 3 } },
    {
      title: 'all',
      inputs: [{ dtype: 'bool', sizes: [N, num(2)] }],
      attrs: { op: 'all', axes: [0, 1] },
      sizes: { N: 3 },
    },
  ],
};

function evaluateArgmax(x: Tensor, axis: number): Tensor {
  const sizes = without(x.sizes, [axis]);
  const out = zeros('i32', sizes);
  eachPosition(sizes, (position, linear) => {
    let best = -Infinity;
    for (let k = 0; k < x.sizes[axis]!; k++) {
      const value = x.data[offsetOf(x.sizes, splice(position, axis, 0, k))]!;
      if (value > best) {
        best = value;
        out.data[linear] = k;
      }
    }
  });
  return out;
}

export const argmax: OpRecord<'argmax'> = {
  ...argmaxRule,
  vjp: () => [null],
  evaluate: ([x], node) => [evaluateArgmax(x!, node.attrs.axis)],
  lowering: {
    kind: 'reduction',
    lower: (cx, node, at) => {
      const { axis } = node.attrs;
      const reduced = cx.axis(node.inputs[0]!.type.sizes[axis]!);
      return { op: 'argmax', value: cx.read(0, splice(at, axis, 0, reduced)) };
    },
  },
  cost: (node) => node.inputs[0]!.type.sizes[node.attrs.axis]!,
  examples: [
    { title: 'along the last axis', inputs: [F(N, num(4))], attrs: { axis: 1 }, sizes: { N: 3 } },
    { title: 'along the first axis', inputs: [F(num(4), N)], attrs: { axis: 0 }, sizes: { N: 3 } },
    {
      title: 'the first on ties',
      inputs: [{ dtype: 'i32', sizes: [num(4)] }],
      attrs: { axis: 0 },
      sizes: {},
      values: { 0: [1, 3, 3, 0] },
    },
  ],
};
