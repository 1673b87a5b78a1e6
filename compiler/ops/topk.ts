/**
 * The k greatest along an axis with their positions. The values' gradient goes back to those positions.
 */
import type { TensorType } from '../graph/types.ts';
import { evaluate, name, num, ONE, type Poly } from '../sizes/poly.ts';
import type { OpRecord } from './record.ts';
import { topkRule } from './rules.ts';
import { isFloat, splice, without } from './shapes.ts';
import { eachPosition, offsetOf, zeros } from './tensor.ts';

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const N = name('N');

export const topk: OpRecord<'topk'> = {
  ...topkRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const x = node.inputs[0]!.type;
    const { axis } = node.attrs;
    if (g === null || !isFloat(x.dtype)) return [null];
    return [
      builder.scatter(g, [builder.part(node, 1)], {
        sizes: x.sizes,
        sources: x.sizes.map((_, k) => (k === axis ? { from: 'index', which: 0 } : { from: 'axis', axis: k })),
        on: x.sizes.map((_, k) => k),
        combine: 'add',
        initial: 0,
      }),
    ];
  },
  evaluate: ([x], node, cx) => {
    const { axis } = node.attrs;
    const k = evaluate(node.attrs.k, cx.sizes);
    const values = zeros(x!.dtype, splice(x!.sizes, axis, 1, k));
    const positions = zeros('i32', values.sizes);
    eachPosition(without(x!.sizes, [axis]), (position) => {
      const value = (n: number): number => x!.data[offsetOf(x!.sizes, splice(position, axis, 0, n))]!;
      const order = Array.from({ length: x!.sizes[axis]! }, (_, n) => n).sort((m, n) => value(n) - value(m) || m - n);
      for (let rank = 0; rank < k; rank++) {
        const to = offsetOf(values.sizes, splice(position, axis, 0, rank));
        values.data[to] = value(order[rank]!);
        positions.data[to] = order[rank]!;
      }
    });
    return [values, positions];
  },
  lowering: { kind: 'opaque' },
  cost: () => Infinity,
  examples: [
    { title: 'two of a row', inputs: [F(num(2), N)], attrs: { axis: 1, k: num(2) }, sizes: { N: 4 } },
    { title: 'all: sorting a column', inputs: [F(N, num(2))], attrs: { axis: 0, k: N }, sizes: { N: 3 } },
    {
      title: 'ties and integers',
      inputs: [{ dtype: 'i32', sizes: [num(4)] }],
      attrs: { axis: 0, k: num(3) },
      sizes: {},
      values: { 0: [1, 3, 3, 0] },
    },
    { title: 'the greatest', inputs: [F(N)], attrs: { axis: 0, k: ONE }, sizes: { N: 3 } },
  ],
};
