/**
 * Movements: the same elements in other places. They disappear into index arithmetic when kernels are built. Windows are in `unfold.ts`.
 */
import type { DType, Node, TensorType } from '../graph/types.ts';
import { add, evaluate, floorDiv, mod, mul, name, num, ONE, sub, ZERO, type Poly } from '../sizes/poly.ts';
import type { OpRecord } from './record.ts';
import {
  broadcastRule,
  concatRule,
  mergeRule,
  padRule,
  sliceRule,
  splitRule,
  transposeRule,
} from './movement-rules.ts';
import { splice } from './shapes.ts';
import { at as elementAt, concrete, eachPosition, fill, isInside, offsetOf, zeros } from './tensor.ts';

const T = (dtype: DType, ...sizes: Poly[]): TensorType => ({ dtype, sizes });
const F = (...sizes: Poly[]): TensorType => T('f32', ...sizes);
const N = name('N');
const M = name('M');
const two = num(2);
const three = num(3);

/** Row-major position of axes as one. */
export function linear(sizes: readonly Poly[], at: readonly Poly[]): Poly {
  let position = ZERO;
  for (const [k, size] of sizes.entries()) position = add(mul(position, size), at[k]!);
  return position;
}

/** Row-major coordinates of a position over these sizes. */
export function coordinates(sizes: readonly Poly[], position: Poly): Poly[] {
  const out: Poly[] = [];
  let rest = position;
  for (let k = sizes.length - 1; k >= 0; k--) {
    out.unshift(k === 0 ? rest : mod(rest, sizes[k]!));
    rest = floorDiv(rest, sizes[k]!);
  }
  return out;
}

export const broadcast: OpRecord<'broadcast'> = {
  ...broadcastRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    if (g === null) return [null];
    const fresh = node.attrs.sizes.map((_, k) => k).filter((k) => !node.attrs.axes.includes(k));
    return [builder.reduce('sum', g, fresh)];
  },
  evaluate: ([x], node, cx) => [
    fill(x!.dtype, concrete(node.attrs.sizes, cx), (position) =>
      elementAt(
        x!,
        node.attrs.axes.map((a) => position[a]!),
      ),
    ),
  ],
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) =>
      cx.read(
        0,
        node.attrs.axes.map((a) => at[a]!),
      ),
  },
  cost: () => 0,
  examples: [
    { title: 'a scalar', inputs: [F()], attrs: { sizes: [N, three], axes: [] }, sizes: { N: 2 } },
    { title: 'rows', inputs: [F(three)], attrs: { sizes: [N, three], axes: [1] }, sizes: { N: 2 } },
    {
      title: 'a column and an axis between',
      inputs: [F(N, M)],
      attrs: { sizes: [N, two, M], axes: [0, 2] },
      sizes: { N: 2, M: 3 },
    },
    { title: 'bools', inputs: [T('bool', N)], attrs: { sizes: [N, two], axes: [0] }, sizes: { N: 2 } },
  ],
};

export const transpose: OpRecord<'transpose'> = {
  ...transposeRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { perm } = node.attrs;
    return [
      g === null
        ? null
        : builder.transpose(
            g,
            perm.map((_, k) => perm.indexOf(k)),
          ),
    ];
  },
  evaluate: ([x], node) => {
    const { perm } = node.attrs;
    return [
      fill(
        x!.dtype,
        perm.map((p) => x!.sizes[p]!),
        (position) =>
          elementAt(
            x!,
            perm.map((_, k) => position[perm.indexOf(k)]!),
          ),
      ),
    ];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { perm } = node.attrs;
      return cx.read(
        0,
        perm.map((_, k) => at[perm.indexOf(k)]!),
      );
    },
  },
  cost: () => 0,
  examples: [
    { title: 'a matrix', inputs: [F(N, three)], attrs: { perm: [1, 0] }, sizes: { N: 2 } },
    { title: 'a cycle of three axes', inputs: [F(N, M, two)], attrs: { perm: [2, 0, 1] }, sizes: { N: 3, M: 2 } },
  ],
};

export const split: OpRecord<'split'> = {
  ...splitRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, sizes } = node.attrs;
    if (g === null) return [null];
    return [sizes.length === 0 ? builder.newAxis(g, axis) : builder.merge(g, axis, sizes.length)];
  },
  evaluate: ([x], node, cx) => {
    const sizes = splice(x!.sizes, node.attrs.axis, 1, ...concrete(node.attrs.sizes, cx));
    return [fill(x!.dtype, sizes, (_, k) => x!.data[k]!)];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { axis, sizes } = node.attrs;
      return cx.read(0, splice(at, axis, sizes.length, linear(sizes, at.slice(axis, axis + sizes.length))));
    },
  },
  cost: () => 0,
  examples: [
    { title: 'heads', inputs: [F(two, mul(M, three))], attrs: { axis: 1, sizes: [M, three] }, sizes: { M: 2 } },
    {
      title: 'the first axis into three',
      inputs: [F(mul(M, num(6)), two)],
      attrs: { axis: 0, sizes: [three, M, two] },
      sizes: { M: 2 },
    },
    { title: 'an axis of size 1 goes', inputs: [F(N, ONE, two)], attrs: { axis: 1, sizes: [] }, sizes: { N: 2 } },
  ],
};

export const merge: OpRecord<'merge'> = {
  ...mergeRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, count } = node.attrs;
    return [g === null ? null : builder.split(g, axis, node.inputs[0]!.type.sizes.slice(axis, axis + count))];
  },
  evaluate: ([x], node) => {
    const { axis, count } = node.attrs;
    const merged = x!.sizes.slice(axis, axis + count).reduce((n, s) => n * s, 1);
    return [fill(x!.dtype, splice(x!.sizes, axis, count, merged), (_, k) => x!.data[k]!)];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { axis, count } = node.attrs;
      const sizes = node.inputs[0]!.type.sizes.slice(axis, axis + count);
      return cx.read(0, splice(at, axis, 1, ...coordinates(sizes, at[axis]!)));
    },
  },
  cost: () => 0,
  examples: [
    { title: 'heads', inputs: [F(two, M, three)], attrs: { axis: 1, count: 2 }, sizes: { M: 2 } },
    { title: 'all axes', inputs: [F(two, M, three)], attrs: { axis: 0, count: 3 }, sizes: { M: 2 } },
    { title: 'one axis stays', inputs: [F(two, M)], attrs: { axis: 1, count: 1 }, sizes: { M: 2 } },
  ],
};

export const slice: OpRecord<'slice'> = {
  ...sliceRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, start, size } = node.attrs;
    if (g === null) return [null];
    const rest = sub(node.inputs[0]!.type.sizes[axis]!, add(start, size));
    return [builder.pad(g, axis, start, rest, 0)];
  },
  evaluate: ([x], node, cx) => {
    const { axis } = node.attrs;
    const start = evaluate(node.attrs.start, cx.sizes);
    const sizes = splice(x!.sizes, axis, 1, evaluate(node.attrs.size, cx.sizes));
    return [fill(x!.dtype, sizes, (p) => elementAt(x!, splice(p, axis, 1, p[axis]! + start)))];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { axis, start } = node.attrs;
      return cx.read(0, splice(at, axis, 1, add(at[axis]!, start)));
    },
  },
  cost: () => 0,
  examples: [
    { title: 'the middle', inputs: [F(two, N)], attrs: { axis: 1, start: ONE, size: sub(N, two) }, sizes: { N: 5 } },
    { title: 'the first rows', inputs: [F(N, two)], attrs: { axis: 0, start: ZERO, size: two }, sizes: { N: 3 } },
  ],
};

export const pad: OpRecord<'pad'> = {
  ...padRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, before } = node.attrs;
    return [g === null ? null : builder.slice(g, axis, before, node.inputs[0]!.type.sizes[axis]!)];
  },
  evaluate: ([x], node, cx) => {
    const { axis, value } = node.attrs;
    const before = evaluate(node.attrs.before, cx.sizes);
    return [
      fill(x!.dtype, concrete(node.type.sizes, cx), (p) => {
        const from = splice(p, axis, 1, p[axis]! - before);
        return isInside(x!.sizes, from) ? elementAt(x!, from) : value;
      }),
    ];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { axis, before, value } = node.attrs;
      const e = sub(at[axis]!, before);
      const hi = node.inputs[0]!.type.sizes[axis]!;
      return cx.guarded(0, splice(at, axis, 1, e), [{ e, lo: ZERO, hi }], cx.constant(value, node.type.dtype));
    },
  },
  cost: () => 1,
  examples: [
    {
      title: 'both sides',
      inputs: [F(two, N)],
      attrs: { axis: 1, before: ONE, after: two, value: 0 },
      sizes: { N: 3 },
    },
    {
      title: 'before only, another value',
      inputs: [F(N, two)],
      attrs: { axis: 0, before: M, after: ZERO, value: 1.5 },
      sizes: { N: 2, M: 2 },
    },
    {
      title: 'integers',
      inputs: [T('i32', N)],
      attrs: { axis: 0, before: ZERO, after: ONE, value: -1 },
      sizes: { N: 2 },
    },
  ],
};

export const concat: OpRecord<'concat'> = {
  ...concatRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis } = node.attrs;
    let start = ZERO;
    return node.inputs.map((x): Node | null => {
      const from = start;
      start = add(start, x.type.sizes[axis]!);
      return g === null ? null : builder.slice(g, axis, from, x.type.sizes[axis]!);
    });
  },
  evaluate: (inputs, node, cx) => {
    const { axis } = node.attrs;
    const out = zeros(node.type.dtype, concrete(node.type.sizes, cx));
    let start = 0;
    for (const x of inputs) {
      eachPosition(x.sizes, (p, k) => {
        out.data[offsetOf(out.sizes, splice(p, axis, 1, p[axis]! + start))] = x.data[k]!;
      });
      start += x.sizes[axis]!;
    }
    return [out];
  },
  lowering: {
    kind: 'scalar',
    // Nested guards from the last operand inwards: each read stands in the `otherwise` of the one before it.
    lower: (cx, node, at) => {
      const { axis } = node.attrs;
      const starts = [ZERO];
      for (const x of node.inputs) starts.push(add(starts.at(-1)!, x.type.sizes[axis]!));
      let value = cx.constant(0, node.type.dtype);
      for (let k = node.inputs.length - 1; k >= 0; k--) {
        const e = sub(at[axis]!, starts[k]!);
        const guard = { e, lo: ZERO, hi: node.inputs[k]!.type.sizes[axis]! };
        value = cx.guarded(k, splice(at, axis, 1, e), [guard], value);
      }
      return value;
    },
  },
  cost: (node) => node.inputs.length,
  examples: [
    { title: 'two', inputs: [F(two, N), F(two, three)], attrs: { axis: 1 }, sizes: { N: 2 } },
    { title: 'three, first axis', inputs: [F(N, two), F(ONE, two), F(two, two)], attrs: { axis: 0 }, sizes: { N: 2 } },
    { title: 'one operand twice', inputs: [T('i32', N), T('i32', N)], attrs: { axis: 0 }, sizes: { N: 2 } },
  ],
};
