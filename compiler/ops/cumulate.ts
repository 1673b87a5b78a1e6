/**
 * Prefix reductions along an axis.
 *
 * Gradients. sum: the same from the other end. max and min: each result passes its gradient to the position that set it, which is the latest
 * strict record (so on ties the first in visiting order), found by a prefix maximum of positions, and added there by a scatter. prod:
 * with E the exclusive prefix product, dx[j] = E[j] · S[j], where S[j] = g[j] + x[j+1] · S[j+1] (inclusive) is a loop from the end; no division, so zeros
 * need no case of their own. The exclusive S[j] = g[j+1] + x[j+1] · S[j+1].
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, NodeOf, TensorType } from '../graph/types.ts';
import { name, num, type Poly } from '../sizes/poly.ts';
import type { Example, OpRecord } from './record.ts';
import { cumulateRule } from './rules.ts';
import { combine, identityOf } from './reduce.ts';
import { isFloat, splice } from './shapes.ts';
import { eachPosition, offsetOf, zeros } from './tensor.ts';
import { without } from './shapes.ts';

function recordGradient(b: GraphBuilder, node: NodeOf<'cumulate'>, x: Node, g: Node): Node {
  const { op, axis, exclusive, reversed } = node.attrs;
  const sizes = x.type.sizes;
  const before = b.cumulate(op, x, axis, { exclusive: true, reversed });
  const isRecord = op === 'max' ? b.lt(before, x) : b.lt(x, before);
  const position = b.iota(sizes, axis);
  // Positions that no record precedes must lie outside: −1 going up, the axis's size going down.
  const nowhere = b.broadcast(reversed ? b.sizeValue(sizes[axis]!) : b.constant(-1, 'i32'), sizes, []);
  const setter = b.cumulate(reversed ? 'min' : 'max', b.select(isRecord, position, nowhere), axis, {
    exclusive,
    reversed,
  });
  return b.scatter(g, [setter], {
    sizes,
    sources: sizes.map((_, k) => (k === axis ? { from: 'index', which: 0 } : { from: 'axis', axis: k })),
    on: sizes.map((_, k) => k),
    combine: 'add',
    initial: 0,
  });
}

function prodGradient(b: GraphBuilder, node: NodeOf<'cumulate'>, x: Node, g: Node): Node {
  const { axis, exclusive, reversed } = node.attrs;
  const rank = x.type.sizes.length;
  const toFront = [axis, ...Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis)];
  const fromFront = toFront.map((_, k) => toFront.indexOf(k));
  const element: TensorType = { dtype: x.type.dtype, sizes: without(x.type.sizes, [axis]) };
  const { yields } = b.loop(
    {
      carries: [b.zeros(element)],
      sequences: [b.transpose(g, toFront), b.transpose(x, toFront)],
      length: x.type.sizes[axis]!,
      reversed: !reversed,
      name: 'suffix products',
    },
    (inner, _, [carry], [gt, xt]) => {
      const sum = exclusive ? carry! : inner.add(gt!, carry!);
      return {
        carries: [exclusive ? inner.add(gt!, inner.mul(xt!, carry!)) : inner.mul(xt!, sum)],
        yields: [sum],
      };
    },
  );
  const prefix = b.cumulate('prod', x, axis, { exclusive: true, reversed });
  return b.mul(prefix, b.transpose(yields[0]!, fromFront));
}

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const T = name('T');

const examples: Example<'cumulate'>[] = (['sum', 'max', 'min', 'prod'] as const).flatMap((op) =>
  [false, true].flatMap((exclusive) =>
    [false, true].map((reversed): Example<'cumulate'> => ({
      title: `${op}${exclusive ? ', exclusive' : ''}${reversed ? ', from the end' : ''}`,
      inputs: [F(num(2), T)],
      attrs: { op, axis: 1, exclusive, reversed },
      sizes: { T: 4 },
    })),
  ),
);

export const cumulate: OpRecord<'cumulate'> = {
  ...cumulateRule,
  vjp: ({ builder: b, node, gradients }) => {
    const g = gradients[0] ?? null;
    const x = node.inputs[0]!;
    const { op, axis, exclusive, reversed } = node.attrs;
    if (g === null || !isFloat(x.type.dtype)) return [null];
    if (op === 'sum') return [b.cumulate('sum', g, axis, { exclusive, reversed: !reversed })];
    return [op === 'prod' ? prodGradient(b, node, x, g) : recordGradient(b, node, x, g)];
  },
  evaluate: ([x], node) => {
    const { op, axis, exclusive, reversed } = node.attrs;
    const out = zeros(x!.dtype, x!.sizes);
    const length = x!.sizes[axis]!;
    eachPosition(without(x!.sizes, [axis]), (position) => {
      let sum = identityOf(op, x!.dtype);
      for (let step = 0; step < length; step++) {
        const at = offsetOf(x!.sizes, splice(position, axis, 0, reversed ? length - 1 - step : step));
        const before = sum;
        sum = op === 'prod' && x!.dtype === 'i32' ? Math.imul(sum, x!.data[at]!) : combine[op](sum, x!.data[at]!);
        out.data[at] = exclusive ? before : sum;
      }
    });
    return [out];
  },
  lowering: { kind: 'opaque' },
  cost: () => Infinity,
  examples: [
    ...examples,
    {
      title: 'along the first axis',
      inputs: [F(T, num(2))],
      attrs: { op: 'prod', axis: 0, exclusive: false, reversed: false },
      sizes: { T: 3 },
    },
    {
      title: 'products through zeros',
      inputs: [F(num(2), num(4))],
      attrs: { op: 'prod', axis: 1, exclusive: false, reversed: false },
      sizes: {},
      values: { 0: [2, 0, 3, -1, 0.5, 0, 0, 2] },
    },
    {
      title: 'counting, from the end',
      inputs: [{ dtype: 'i32', sizes: [T] }],
      attrs: { op: 'sum', axis: 0, exclusive: true, reversed: true },
      sizes: { T: 4 },
    },
    {
      title: 'the latest mark so far',
      inputs: [{ dtype: 'i32', sizes: [T] }],
      attrs: { op: 'max', axis: 0, exclusive: true, reversed: false },
      sizes: { T: 3 },
    },
  ],
};
