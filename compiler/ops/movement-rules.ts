/**
 * Constraints and shape rules of the movements. See `rules.ts`.
 */
import type { Window } from '../graph/types.ts';
import { add, asConst, mul, ONE, sub, ZERO, type Poly } from '../sizes/poly.ts';
import { constRule, negative, rule } from './rules.ts';
import {
  isAxis,
  isIncreasing,
  isNumber,
  sameSizes,
  showSizes,
  showType,
  splice,
  typed,
  violates,
  without,
} from './shapes.ts';

const volume = (sizes: readonly Poly[]): Poly => sizes.reduce((n, s) => mul(n, s), ONE);

/** Greatest and least position a window pattern reads, where all is constant; null otherwise. */
function reach(offset: Poly, windows: readonly Window[]): { lo: number; hi: number } | null {
  let lo = asConst(offset);
  let hi = lo;
  for (const w of windows) {
    const size = asConst(w.size);
    const stride = asConst(w.stride);
    if (size === null || stride === null || lo === null || hi === null) return null;
    const span = (size - 1) * stride;
    if (span < 0) lo += span;
    else hi += span;
  }
  return lo === null || hi === null ? null : { lo, hi };
}

export const broadcastRule = rule<'broadcast'>({
  name: 'broadcast',
  summary: 'Repeats along new axes; `axes` says where the old ones stand.',
  constraints: {
    C1: 'takes one operand',
    C2: "axes are as many as the operand's, strictly increasing, within the result",
    C3: 'an axis keeps its size',
  },
  infer: (inputs, { sizes, axes }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (axes.length !== x.sizes.length || !isIncreasing(axes) || !axes.every((a) => isAxis(a, sizes.length)))
      return violates('C2', `axes ${axes.join()} of rank ${sizes.length}`);
    const bad = axes.findIndex((a, k) => sizes[a] !== x.sizes[k]);
    if (bad >= 0)
      return violates('C3', `axis ${bad}: ${showSizes([x.sizes[bad]!])}, ${showSizes([sizes[axes[bad]!]!])}`);
    return typed(x.dtype, sizes);
  },
});

export const transposeRule = rule<'transpose'>({
  name: 'transpose',
  summary: 'Axes in another order: axis k of the result is axis perm[k] of the operand.',
  constraints: { C1: 'takes one operand', C2: 'perm is a permutation of its axes' },
  infer: (inputs, { perm }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const { dtype, sizes } = inputs[0]!.type;
    if (perm.length !== sizes.length || [...perm].sort((p, q) => p - q).some((p, k) => p !== k))
      return violates('C2', `${perm.join()} of rank ${sizes.length}`);
    return typed(
      dtype,
      perm.map((p) => sizes[p]!),
    );
  },
});

export const splitRule = rule<'split'>({
  name: 'split',
  summary: 'One axis into several, row-major; into none where its size is 1.',
  constraints: {
    C1: 'takes one operand',
    C2: 'the axis is within the rank',
    C3: 'the product of the sizes is the size of the axis',
  },
  infer: (inputs, { axis, sizes }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (!isAxis(axis, x.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.sizes.length}`);
    if (volume(sizes) !== x.sizes[axis])
      return violates('C3', `${showSizes([x.sizes[axis]!])} into [${showSizes(sizes)}]`);
    return typed(x.dtype, splice(x.sizes, axis, 1, ...sizes));
  },
});

export const mergeRule = rule<'merge'>({
  name: 'merge',
  summary: 'Neighbouring axes into one, row-major.',
  constraints: { C1: 'takes one operand', C2: 'count is at least 1 and the axes are within the rank' },
  infer: (inputs, { axis, count }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (!isAxis(axis, x.sizes.length) || !Number.isInteger(count) || count < 1 || axis + count > x.sizes.length)
      return violates('C2', `${count} axes from ${axis} of rank ${x.sizes.length}`);
    return typed(x.dtype, splice(x.sizes, axis, count, volume(x.sizes.slice(axis, axis + count))));
  },
});

export const sliceRule = rule<'slice'>({
  name: 'slice',
  summary: 'A run of positions of an axis.',
  constraints: {
    C1: 'takes one operand',
    C2: 'the axis is within the rank',
    C3: 'the run lies inside the axis and is not empty',
  },
  infer: (inputs, { axis, start, size }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (!isAxis(axis, x.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.sizes.length}`);
    const rest = sub(x.sizes[axis]!, add(start, size));
    if (negative(start) || negative(sub(size, ONE)) || negative(rest))
      return violates('C3', `${showSizes([size])} from ${showSizes([start])} of ${showSizes([x.sizes[axis]!])}`);
    return typed(x.dtype, splice(x.sizes, axis, 1, size));
  },
});

export const padRule = rule<'pad'>({
  name: 'pad',
  summary: 'A constant before and after an axis.',
  constraints: {
    C1: 'takes one operand',
    C2: 'the axis is within the rank',
    C3: 'before and after are not negative',
    C4: 'the value is one of the dtype, not NaN',
  },
  infer: (inputs, { axis, before, after, value }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (!isAxis(axis, x.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.sizes.length}`);
    if (negative(before) || negative(after)) return violates('C3', `${showSizes([before])} and ${showSizes([after])}`);
    if (!constRule.infer([], { value, dtype: x.dtype }).ok) return violates('C4', `${value} as ${x.dtype}`);
    return typed(x.dtype, splice(x.sizes, axis, 1, add(before, x.sizes[axis]!, after)));
  },
});

export const concatRule = rule<'concat'>({
  name: 'concat',
  summary: 'Operands one after the other along an axis.',
  constraints: {
    C1: 'takes at least one operand',
    C2: 'the axis is within the rank',
    C3: 'operands have one dtype and agree in every other axis',
  },
  infer: (inputs, { axis }) => {
    const first = inputs[0]?.type;
    if (first === undefined) return violates('C1', 'none');
    if (!isAxis(axis, first.sizes.length)) return violates('C2', `axis ${axis} of rank ${first.sizes.length}`);
    const others = without(first.sizes, [axis]);
    for (const { type } of inputs) {
      const agrees = type.sizes.length === first.sizes.length && sameSizes(without(type.sizes, [axis]), others);
      if (type.dtype !== first.dtype || !agrees) return violates('C3', `${showType(first)} and ${showType(type)}`);
    }
    const size = inputs.reduce((n, x) => add(n, x.type.sizes[axis]!), ZERO);
    return typed(first.dtype, splice(first.sizes, axis, 1, size));
  },
});

export const unfoldRule = rule<'unfold'>({
  name: 'unfold',
  summary:
    'An axis into one axis a window: x[offset + sum of stride * i]. Strided slices and reversal are unfolds with one window.',
  constraints: {
    C1: 'takes one operand',
    C2: 'the axis is within the rank',
    C3: 'there is a window, and no stride is 0',
    C4: 'every position read lies inside the axis',
  },
  infer: (inputs, { axis, offset, windows }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const x = inputs[0]!.type;
    if (!isAxis(axis, x.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.sizes.length}`);
    if (windows.length === 0 || windows.some((w) => w.stride === ZERO))
      return violates('C3', `${windows.length} windows`);
    const range = reach(offset, windows);
    const size = asConst(x.sizes[axis]!);
    if (range !== null && (range.lo < 0 || (size !== null && range.hi >= size)))
      return violates('C4', `${range.lo} to ${range.hi} of ${showSizes([x.sizes[axis]!])}`);
    return typed(x.dtype, splice(x.sizes, axis, 1, ...windows.map((w) => w.size)));
  },
});

export const foldRule = rule<'fold'>({
  name: 'fold',
  summary: 'The adjoint of unfold: adds each window position to the place it was read from.',
  constraints: {
    C1: 'takes one operand of numbers',
    C2: 'the window axes are within the rank',
    C3: 'there is a window, and no stride is 0',
    C4: 'every position written lies inside the result',
    C5: 'the window axes have the sizes of the windows',
  },
  infer: (inputs, { axis, size, offset, windows }) => {
    const x = inputs[0]?.type;
    if (inputs.length !== 1 || x === undefined || !isNumber(x.dtype))
      return violates('C1', `${inputs.length} operands, ${x?.dtype ?? 'none'}`);
    if (windows.length === 0 || windows.some((w) => w.stride === ZERO))
      return violates('C3', `${windows.length} windows`);
    if (!isAxis(axis, x.sizes.length) || axis + windows.length > x.sizes.length)
      return violates('C2', `${windows.length} axes from ${axis} of rank ${x.sizes.length}`);
    const bad = windows.findIndex((w, k) => w.size !== x.sizes[axis + k]);
    if (bad >= 0) return violates('C5', `window ${bad}: ${showSizes([windows[bad]!.size, x.sizes[axis + bad]!])}`);
    const range = reach(offset, windows);
    const known = asConst(size);
    if (range !== null && (range.lo < 0 || (known !== null && range.hi >= known)))
      return violates('C4', `${range.lo} to ${range.hi} of ${showSizes([size])}`);
    return typed(x.dtype, splice(x.sizes, axis, windows.length, size));
  },
});
