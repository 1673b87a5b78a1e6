/**
 * Reads and writes where the data says. Each is the other's gradient: embedding tables, diagonals, picking the target's logit, one-hot sums.
 *
 * scatter max: the updates that attain the value share its gradient; `initial` takes none of it.
 */
import type { Node, OpAttributes, Source, TensorType } from '../graph/types.ts';
import type { Guard } from '../kernel/types.ts';
import { mul, name, num, ONE, ZERO, type Poly } from '../sizes/poly.ts';
import type { LowerContext, OpRecord, Tensor } from './record.ts';
import { gatherRule, scatterRule } from './rules.ts';
import { isFloat } from './shapes.ts';
import { concrete, eachPosition, fill, isInside, offsetOf, zeros } from './tensor.ts';

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const I = (...sizes: Poly[]): TensorType => ({ dtype: 'i32', sizes });
const V = name('V');
const B = name('B');
const T = name('T');
const D = num(2);

const axis = (k: number): Source => ({ from: 'axis', axis: k });
const index = (which = 0): Source => ({ from: 'index', which });

/** The other side's coordinates for a position of the indexed side. */
function follow(
  sources: readonly Source[],
  on: readonly number[],
  indices: readonly Tensor[],
  position: readonly number[],
): number[] {
  const read = (x: Tensor): number =>
    x.data[
      offsetOf(
        x.sizes,
        on.map((k) => position[k]!),
      )
    ]!;
  return sources.map((s) => (s.from === 'axis' ? position[s.axis]! : read(indices[s.which]!)));
}

/** Coordinates on the other side, with a guard for each that may lie outside it. */
function places(
  cx: LowerContext,
  attrs: { readonly sources: readonly Source[]; readonly on: readonly number[] },
  at: readonly Poly[],
  indexed: readonly Poly[],
  other: readonly Poly[],
): { readonly to: Poly[]; readonly guards: Guard[] } {
  const guards: Guard[] = [];
  const values = new Map<number, Poly>();
  const position = attrs.on.map((k) => at[k]!);
  const to = attrs.sources.map((s, k) => {
    const hi = other[k]!;
    if (s.from === 'axis') {
      if (indexed[s.axis] !== hi) guards.push({ e: at[s.axis]!, lo: ZERO, hi });
      return at[s.axis]!;
    }
    const e = values.get(s.which) ?? cx.dynamic(cx.read(1 + s.which, position));
    values.set(s.which, e);
    guards.push({ e, lo: ZERO, hi });
    return e;
  });
  return { to, guards };
}

export const gather: OpRecord<'gather'> = {
  ...gatherRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const [x, ...indices] = node.inputs;
    const { sources, on } = node.attrs;
    const rest = indices.map(() => null);
    if (g === null || !isFloat(x!.type.dtype)) return [null, ...rest];
    return [builder.scatter(g, indices, { sizes: x!.type.sizes, sources, on, combine: 'add', initial: 0 }), ...rest];
  },
  evaluate: ([x, ...indices], node, cx) => {
    const { sources, on, sizes } = node.attrs;
    return [
      fill(x!.dtype, concrete(sizes, cx), (position) => {
        const from = follow(sources, on, indices, position);
        return isInside(x!.sizes, from) ? x!.data[offsetOf(x!.sizes, from)]! : 0;
      }),
    ];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { to, guards } = places(cx, node.attrs, at, node.type.sizes, node.inputs[0]!.type.sizes);
      return guards.length === 0 ? cx.read(0, to) : cx.guarded(0, to, guards, cx.constant(0, node.type.dtype));
    },
  },
  cost: () => 2,
  examples: [
    {
      title: 'rows of a table, some twice',
      inputs: [F(V, D), I(B, T)],
      attrs: { sizes: [B, T, D], sources: [index(), axis(2)], on: [0, 1] },
      sizes: { V: 3, B: 2, T: 3 },
      values: { 1: [0, 2, 2, 1, 0, 2] },
    },
    {
      title: 'one of each row',
      inputs: [F(B, V), I(B)],
      attrs: { sizes: [B], sources: [axis(0), index()], on: [0] },
      sizes: { B: 3, V: 3 },
      values: { 1: [2, 0, 1] },
    },
    {
      title: 'outside: 0',
      inputs: [F(V), I(B)],
      attrs: { sizes: [B], sources: [index()], on: [0] },
      sizes: { V: 3, B: 4 },
      values: { 1: [-1, 2, 3, 0] },
    },
    {
      title: 'two indices',
      inputs: [F(V, T), I(B), I(B)],
      attrs: { sizes: [B], sources: [index(0), index(1)], on: [0] },
      sizes: { V: 2, T: 3, B: 3 },
      values: { 1: [0, 1, 1], 2: [2, 0, 2] },
    },
    {
      title: 'the diagonal: an axis twice',
      inputs: [F(V, V)],
      attrs: { sizes: [V], sources: [axis(0), axis(0)], on: [] },
      sizes: { V: 3 },
    },
    {
      title: 'an axis longer than the source, and a repeated one',
      inputs: [F(V)],
      attrs: { sizes: [T, D], sources: [axis(0)], on: [] },
      sizes: { V: 2, T: 3 },
    },
    {
      title: 'at one place',
      inputs: [F(V, D), I()],
      attrs: { sizes: [D], sources: [index(), axis(0)], on: [] },
      sizes: { V: 3 },
      values: { 1: [1] },
    },
    {
      title: 'integers by the last axis',
      inputs: [I(B, V), I(T)],
      attrs: { sizes: [B, T], sources: [axis(0), index()], on: [1] },
      sizes: { B: 2, V: 3, T: 2 },
      values: { 1: [2, 0] },
    },
  ],
};

type Scatter = OpAttributes['scatter'];

export const scatter: OpRecord<'scatter'> = {
  ...scatterRule,
  vjp: ({ builder: b, node, gradients }) => {
    const g = gradients[0] ?? null;
    const [u, ...indices] = node.inputs;
    const { sizes, sources, on, combine } = node.attrs;
    const rest = indices.map(() => null);
    if (g === null || !isFloat(u!.type.dtype)) return [null, ...rest];
    const back = (y: Node): Node => b.gather(y, indices, { sizes: u!.type.sizes, sources, on });
    if (combine === 'add') return [back(g), ...rest];
    const attains = b.eq(u!, back(node));
    const add: Scatter = { sizes, sources, on, combine: 'add', initial: 0 };
    const ties = b.scatter(b.cast(attains, u!.type.dtype), indices, add);
    const share = b.div(g, b.max(ties, b.constantOf(1, ties.type))); // places that nothing reached have no ties
    return [b.select(attains, back(share), b.zeros(u!.type)), ...rest];
  },
  evaluate: ([u, ...indices], node, cx) => {
    const { sizes, sources, on, combine, initial } = node.attrs;
    const out = zeros(u!.dtype, concrete(sizes, cx));
    out.data.fill(initial);
    eachPosition(u!.sizes, (position, k) => {
      const to = follow(sources, on, indices, position);
      if (!isInside(out.sizes, to)) return;
      const offset = offsetOf(out.sizes, to);
      const before = out.data[offset]!;
      out.data[offset] = combine === 'add' ? before + u!.data[k]! : Math.max(before, u!.data[k]!);
    });
    return [out];
  },
  lowering: {
    kind: 'scatter',
    lower: (cx, node, at) => {
      const { combine, initial, sizes } = node.attrs;
      const { to, guards } = places(cx, node.attrs, at, node.inputs[0]!.type.sizes, sizes);
      return { to, guards, value: cx.read(0, at), mode: combine, initial };
    },
  },
  cost: (node) => node.inputs[0]!.type.sizes.reduce((n, s) => mul(n, s), ONE),
  examples: [
    {
      title: 'into rows of a table, some twice',
      inputs: [F(B, T, D), I(B, T)],
      attrs: { sizes: [V, D], sources: [index(), axis(2)], on: [0, 1], combine: 'add', initial: 0 },
      sizes: { V: 3, B: 2, T: 3 },
      values: { 1: [0, 2, 2, 1, 0, 2] },
    },
    {
      title: 'into one of each row',
      inputs: [F(B), I(B)],
      attrs: { sizes: [B, V], sources: [axis(0), index()], on: [0], combine: 'add', initial: 0 },
      sizes: { B: 3, V: 3 },
      values: { 1: [2, 0, 1] },
    },
    {
      title: 'outside: ignored',
      inputs: [F(B), I(B)],
      attrs: { sizes: [V], sources: [index()], on: [0], combine: 'add', initial: 0 },
      sizes: { V: 3, B: 4 },
      values: { 1: [-1, 2, 3, 2] },
    },
    {
      title: 'two indices',
      inputs: [F(B), I(B), I(B)],
      attrs: { sizes: [V, T], sources: [index(0), index(1)], on: [0], combine: 'add', initial: 0 },
      sizes: { V: 2, T: 3, B: 3 },
      values: { 1: [0, 1, 1], 2: [2, 0, 0] },
    },
    {
      title: 'a diagonal',
      inputs: [F(V)],
      attrs: { sizes: [V, V], sources: [axis(0), axis(0)], on: [], combine: 'add', initial: 0 },
      sizes: { V: 3 },
    },
    {
      title: 'axes in no source are combined',
      inputs: [F(V, T)],
      attrs: { sizes: [V], sources: [axis(0)], on: [], combine: 'add', initial: 0 },
      sizes: { V: 3, T: 2 },
    },
    {
      title: 'the greatest by group',
      inputs: [F(B, D), I(B)],
      attrs: { sizes: [V, D], sources: [index(), axis(1)], on: [0], combine: 'max', initial: -Infinity },
      sizes: { V: 3, B: 4 },
      values: { 1: [0, 2, 2, 5] },
    },
    {
      title: 'the greatest from 0',
      inputs: [F(B), I(B)],
      attrs: { sizes: [V], sources: [index()], on: [0], combine: 'max', initial: 0 },
      sizes: { V: 2, B: 4 },
      values: { 1: [0, 1, 1, 0] },
    },
    {
      title: 'counting',
      inputs: [I(B), I(B)],
      attrs: { sizes: [V], sources: [index()], on: [0], combine: 'add', initial: 0 },
      sizes: { V: 3, B: 4 },
      values: { 0: [1, 1, 1, 1], 1: [2, 0, 2, 2] },
    },
  ],
};
