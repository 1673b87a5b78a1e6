/**
 * Sums of products over labelled axes: matrix products, batched or not, outer and inner products, scaling. Stays primitive, because its
 * gradient is two contractions.
 */
import type { Node, TensorType } from '../graph/types.ts';
import { mul, name, num, type Poly } from '../sizes/poly.ts';
import type { Example, OpRecord } from './record.ts';
import { contractRule } from './rules.ts';
import { eachPosition, fill, offsetOf } from './tensor.ts';

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const B = name('B');
const M = name('M');
const K = name('K');
const sizes = { B: 2, M: 3, K: 2 };

const words = (text: string): string[] => text.split(' ').filter((w) => w !== '');

const example = (title: string, a: TensorType, b: TensorType, labels: string): Example<'contract'> => {
  const [x, y, out] = labels.split(/, | -> /);
  return { title, inputs: [a, b], attrs: { a: words(x!), b: words(y!), out: words(out!) }, sizes };
};

/** Labels summed over: those of both operands that the result does not name. */
export const contracted = (attrs: { readonly a: readonly string[]; readonly out: readonly string[] }): string[] =>
  attrs.a.filter((label) => !attrs.out.includes(label));

export const contract: OpRecord<'contract'> = {
  ...contractRule,
  vjp: ({ builder, node, gradients, wanted }) => {
    const g = gradients[0] ?? null;
    const [x, y] = node.inputs;
    const { a, b, out } = node.attrs;
    if (g === null) return [null, null];
    const side = (k: number, make: () => Node): Node | null => (wanted[k] === true ? make() : null);
    return [side(0, () => builder.contract(g, y!, out, b, a)), side(1, () => builder.contract(g, x!, out, a, b))];
  },
  evaluate: ([x, y], node) => {
    const { a, b, out } = node.attrs;
    const extents = new Map<string, number>();
    for (const [k, label] of a.entries()) extents.set(label, x!.sizes[k]!);
    for (const [k, label] of b.entries()) extents.set(label, y!.sizes[k]!);
    const summed = contracted(node.attrs);
    const labels = [...out, ...summed];
    const positionIn = (own: readonly string[]): number[] => own.map((label) => labels.indexOf(label));
    const ofA = positionIn(a);
    const ofB = positionIn(b);
    const resultSizes = out.map((label) => extents.get(label)!);
    const summedSizes = summed.map((label) => extents.get(label)!);
    return [
      fill(x!.dtype, resultSizes, (free) => {
        let sum = 0;
        eachPosition(summedSizes, (bound) => {
          const all = [...free, ...bound];
          const left =
            x!.data[
              offsetOf(
                x!.sizes,
                ofA.map((k) => all[k]!),
              )
            ]!;
          sum +=
            left *
            y!.data[
              offsetOf(
                y!.sizes,
                ofB.map((k) => all[k]!),
              )
            ]!;
        });
        return sum;
      }),
    ];
  },
  lowering: {
    kind: 'reduction',
    lower: (cx, node, at) => {
      const { a, b, out } = node.attrs;
      const [x, y] = node.inputs;
      const places = new Map<string, Poly>(out.map((label, k) => [label, at[k]!]));
      for (const label of contracted(node.attrs)) places.set(label, cx.axis(x!.type.sizes[a.indexOf(label)]!));
      const left = cx.read(
        0,
        a.map((label) => places.get(label)!),
      );
      const right = cx.read(
        1,
        b.map((label) => places.get(label)!),
      );
      // f16 accumulates in f32: the value is then wider than the node, and is cast where it is written.
      const wide = (which: Node, e: typeof left): typeof left =>
        which.type.dtype === 'f16' ? cx.op('cast', 'f32', e) : e;
      return { op: 'sum', value: cx.op('mul', 'f32', wide(x!, left), wide(y!, right)) };
    },
  },
  cost: (node) => {
    const { a } = node.attrs;
    const x = node.inputs[0]!.type.sizes;
    return contracted(node.attrs).reduce((n, label) => mul(n, x[a.indexOf(label)]!), num(2));
  },
  examples: [
    example('a matrix product', F(M, K), F(K, num(2)), 'm k, k n -> m n'),
    example('weights stored by output', F(B, K), F(M, K), 'b k, m k -> b m'),
    example('batched, heads in the middle', F(B, M, num(2), K), F(B, num(3), num(2), K), 'b t h e, b s h e -> b h t s'),
    example('one operand batched', F(B, M, K), F(K, num(2)), 'b m k, k n -> b m n'),
    example('two contracted axes', F(M, K, num(2)), F(K, num(2), B), 'm k j, k j b -> m b'),
    example('matrix and vector', F(M, K), F(K), 'm k, k -> m'),
    example('an inner product', F(K), F(K), 'k, k -> '),
    example('an outer product', F(M), F(K), 'm, k -> m k'),
    example('rows scaled, transposed on the way', F(M, K), F(M), 'm k, m -> k m'),
    example('a scalar and a matrix', F(), F(M, K), ', m k -> m k'),
    example('two scalars', F(), F(), ',  -> '),
    {
      title: 'f16',
      inputs: [
        { dtype: 'f16', sizes: [M, K] },
        { dtype: 'f16', sizes: [K] },
      ],
      attrs: { a: ['m', 'k'], b: ['k'], out: ['m'] },
      sizes,
    },
  ],
};
