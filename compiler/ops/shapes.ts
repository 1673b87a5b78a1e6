/**
 * What shape rules share: building an `Inferred`, comparing and showing types. No rule of any operation stands here.
 */
import type { DType, Node, TensorType } from '../graph/types.ts';
import { format, type Poly } from '../sizes/poly.ts';
import type { Inferred } from './record.ts';

export const typed = (dtype: DType, sizes: readonly Poly[]): Inferred => ({
  ok: true,
  type: { dtype, sizes },
  members: null,
});

export const tuple = (members: readonly TensorType[]): Inferred => ({ ok: true, type: members[0]!, members });

export const violates = (constraint: string, detail: string): Inferred => ({ ok: false, constraint, detail });

export const sameSizes = (a: readonly Poly[], b: readonly Poly[]): boolean =>
  a.length === b.length && a.every((size, k) => size === b[k]);

export const sameType = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && sameSizes(a.sizes, b.sizes);

/** `f32[B, 4 * D]`. */
export const showType = (t: TensorType): string => `${t.dtype}[${showSizes(t.sizes)}]`;

export const showSizes = (sizes: readonly Poly[]): string => sizes.map((p) => format(p)).join(', ');

export const showTypes = (nodes: readonly Node[]): string => nodes.map((n) => showType(n.type)).join(', ');

export const isFloat = (d: DType): boolean => d === 'f32' || d === 'f16';

export const isNumber = (d: DType): boolean => d !== 'bool';

export const isAxis = (axis: number, rank: number): boolean => Number.isInteger(axis) && axis >= 0 && axis < rank;

export const isIncreasing = (axes: readonly number[]): boolean => axes.every((a, k) => k === 0 || a > axes[k - 1]!);

/** `xs` without the positions in `gone`. */
export const without = <T>(xs: readonly T[], gone: readonly number[]): T[] => xs.filter((_, k) => !gone.includes(k));

/** `xs` with `count` elements from `at` on replaced. */
export const splice = <T>(xs: readonly T[], at: number, count: number, ...put: readonly T[]): T[] => [
  ...xs.slice(0, at),
  ...put,
  ...xs.slice(at + count),
];
