/**
 * Windows over an axis and their adjoint: unfold reads x[offset + Σ stride · i], fold adds there. Convolution is unfold and contract, pooling
 * unfold and reduce; strided slices and reversal are unfolds with one window.
 *
 * Lowering of fold: for a result position n one window's coordinate follows from the others', i = (n − offset − Σ others) / stride, guarded by
 * divisibility and range; the others are reduced axes. Solved for is the window of greatest extent, so that the loop is over the small ones (a
 * convolution's kernel, not its image). With one window nothing is reduced, and the reduction has no axes.
 */
import type { DType, TensorType, Window } from '../graph/types.ts';
import {
  add,
  asConst,
  evaluate,
  floorDiv,
  mod,
  mul,
  name,
  neg,
  num,
  ONE,
  sub,
  terms,
  ZERO,
  type Poly,
} from '../sizes/poly.ts';
import type { Guard } from '../kernel/types.ts';
import type { EvaluateContext, OpRecord } from './record.ts';
import { foldRule, unfoldRule } from './movement-rules.ts';
import { splice } from './shapes.ts';
import { at as elementAt, concrete, eachPosition, fill, offsetOf, zeros } from './tensor.ts';

const T = (dtype: DType, ...sizes: Poly[]): TensorType => ({ dtype, sizes });
const F = (...sizes: Poly[]): TensorType => T('f32', ...sizes);
const N = name('N');
const window = (size: Poly, stride = 1): Window => ({ size, stride: num(stride) });

/** Where the windows' coordinates lead, as numbers. */
function target(
  offset: Poly,
  windows: readonly Window[],
  cx: EvaluateContext,
): (coordinates: readonly number[]) => number {
  const start = evaluate(offset, cx.sizes);
  const strides = windows.map((w) => evaluate(w.stride, cx.sizes));
  return (coordinates) => coordinates.reduce((sum, i, k) => sum + strides[k]! * i, start);
}

export const unfold: OpRecord<'unfold'> = {
  ...unfoldRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, offset, windows } = node.attrs;
    return [g === null ? null : builder.fold(g, axis, node.inputs[0]!.type.sizes[axis]!, offset, windows)];
  },
  evaluate: ([x], node, cx) => {
    const { axis, offset, windows } = node.attrs;
    const to = target(offset, windows, cx);
    return [
      fill(x!.dtype, concrete(node.type.sizes, cx), (p) =>
        elementAt(x!, splice(p, axis, windows.length, to(p.slice(axis, axis + windows.length)))),
      ),
    ];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { axis, offset, windows } = node.attrs;
      const place = windows.reduce((sum, w, k) => add(sum, mul(w.stride, at[axis + k]!)), offset);
      return cx.read(0, splice(at, axis, windows.length, place));
    },
  },
  cost: () => 0,
  examples: [
    {
      title: 'windows of a convolution',
      inputs: [F(num(2), N)],
      attrs: { axis: 1, offset: ZERO, windows: [window(sub(N, num(2))), window(num(3))] },
      sizes: { N: 5 },
    },
    {
      title: 'stride 2 and dilation 3',
      inputs: [F(N, num(2))],
      attrs: { axis: 0, offset: ZERO, windows: [window(num(3), 2), window(num(2), 3)] },
      sizes: { N: 8 },
    },
    {
      title: 'apart: pooling',
      inputs: [F(mul(N, num(2)))],
      attrs: { axis: 0, offset: ZERO, windows: [window(N, 2), window(num(2))] },
      sizes: { N: 3 },
    },
    {
      title: 'reversal',
      inputs: [F(num(2), N)],
      attrs: { axis: 1, offset: sub(N, ONE), windows: [window(N, -1)] },
      sizes: { N: 4 },
    },
    {
      title: 'a strided slice with an offset',
      inputs: [F(N)],
      attrs: { axis: 0, offset: ONE, windows: [window(num(3), 2)] },
      sizes: { N: 7 },
    },
    {
      title: 'forward and backward window',
      inputs: [F(N)],
      attrs: { axis: 0, offset: num(2), windows: [window(sub(N, num(2))), window(num(3), -1)] },
      sizes: { N: 5 },
    },
    {
      title: 'integers',
      inputs: [T('i32', N)],
      attrs: { axis: 0, offset: ZERO, windows: [window(num(2), 2)] },
      sizes: { N: 4 },
    },
  ],
};

const isNegative = (p: Poly): boolean => terms(p).every((t) => t.coefficient < 0);

/** The window to solve for: the greatest extent, symbolic before constant; then a stride of ±1. */
function solvedFor(windows: readonly Window[]): number {
  const rank = (w: Window): readonly [number, number] => {
    const stride = asConst(w.stride);
    return [asConst(w.size) ?? Infinity, stride === 1 || stride === -1 ? 1 : 0];
  };
  let best = 0;
  for (let k = 1; k < windows.length; k++) {
    const [extent, unit] = rank(windows[k]!);
    const [bestExtent, bestUnit] = rank(windows[best]!);
    if (extent > bestExtent || (extent === bestExtent && unit > bestUnit)) best = k;
  }
  return best;
}

export const fold: OpRecord<'fold'> = {
  ...foldRule,
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    const { axis, offset, windows } = node.attrs;
    return [g === null ? null : builder.unfold(g, axis, offset, windows)];
  },
  evaluate: ([x], node, cx) => {
    const { axis, offset, windows } = node.attrs;
    const out = zeros(x!.dtype, concrete(node.type.sizes, cx));
    const to = target(offset, windows, cx);
    eachPosition(x!.sizes, (p, k) => {
      const place = splice(p, axis, windows.length, to(p.slice(axis, axis + windows.length)));
      out.data[offsetOf(out.sizes, place)]! += x!.data[k]!;
    });
    return [out];
  },
  lowering: {
    kind: 'reduction',
    lower: (cx, node, at) => {
      const { axis, offset, windows } = node.attrs;
      const solved = solvedFor(windows);
      let rest = sub(at[axis]!, offset);
      const places = windows.map((w, k) => {
        if (k === solved) return ZERO;
        const i = cx.axis(w.size);
        rest = sub(rest, mul(w.stride, i));
        return i;
      });
      const { size, stride } = windows[solved]!;
      const [distance, step] = isNegative(stride) ? [neg(rest), neg(stride)] : [rest, stride];
      const guards: Guard[] = [];
      if (step !== ONE) guards.push({ e: mod(distance, step), lo: ZERO, hi: ONE });
      const i = floorDiv(distance, step);
      guards.push({ e: i, lo: ZERO, hi: size });
      places[solved] = i;
      const zero = cx.constant(0, node.type.dtype);
      return { op: 'sum', value: cx.guarded(0, splice(at, axis, 1, ...places), guards, zero) };
    },
  },
  cost: (node) => {
    const { windows } = node.attrs;
    const solved = solvedFor(windows);
    return windows.reduce((n, w, k) => (k === solved ? n : mul(n, w.size)), ONE);
  },
  examples: [
    {
      title: 'windows of a convolution',
      inputs: [F(num(2), sub(N, num(2)), num(3))],
      attrs: { axis: 1, size: N, offset: ZERO, windows: [window(sub(N, num(2))), window(num(3))] },
      sizes: { N: 5 },
    },
    {
      title: 'stride 2 and dilation 3',
      inputs: [F(num(3), num(2), num(2))],
      attrs: { axis: 0, size: N, offset: ZERO, windows: [window(num(3), 2), window(num(2), 3)] },
      sizes: { N: 8 },
    },
    {
      title: 'reversal',
      inputs: [F(num(2), N)],
      attrs: { axis: 1, size: N, offset: sub(N, ONE), windows: [window(N, -1)] },
      sizes: { N: 4 },
    },
    {
      title: 'strided into gaps',
      inputs: [F(num(3))],
      attrs: { axis: 0, size: N, offset: ONE, windows: [window(num(3), 2)] },
      sizes: { N: 7 },
    },
    {
      title: 'stride −2',
      inputs: [F(num(3))],
      attrs: { axis: 0, size: N, offset: num(5), windows: [window(num(3), -2)] },
      sizes: { N: 7 },
    },
    {
      title: 'integers',
      inputs: [T('i32', num(2))],
      attrs: { axis: 0, size: num(4), offset: ZERO, windows: [window(num(2), 2)] },
      sizes: {},
    },
  ],
};
