/**
 * Concrete tensors for the evaluators: row-major positions and offsets, slow and obvious. Floats of every width are held in float64.
 */
import type { DType } from '../graph/types.ts';
import { evaluate, type Poly } from '../sizes/poly.ts';
import type { EvaluateContext, Tensor } from './record.ts';

export const count = (sizes: readonly number[]): number => sizes.reduce((n, s) => n * s, 1);

/** A tensor of zeros. */
export function zeros(dtype: DType, sizes: readonly number[]): Tensor {
  const n = count(sizes);
  const data = dtype === 'i32' ? new Int32Array(n) : dtype === 'bool' ? new Uint8Array(n) : new Float64Array(n);
  return { dtype, sizes, data };
}

export const stridesOf = (sizes: readonly number[]): number[] => {
  const strides = new Array<number>(sizes.length).fill(1);
  for (let k = sizes.length - 2; k >= 0; k--) strides[k] = strides[k + 1]! * sizes[k + 1]!;
  return strides;
};

/** Linear offset of a position. */
export function offsetOf(sizes: readonly number[], position: readonly number[]): number {
  let offset = 0;
  for (const [k, size] of sizes.entries()) offset = offset * size + position[k]!;
  return offset;
}

/** Calls `f` with every position in row-major order. The array is reused: copy what you keep. */
export function eachPosition(sizes: readonly number[], f: (position: readonly number[], linear: number) => void): void {
  const total = count(sizes);
  const position = new Array<number>(sizes.length).fill(0);
  for (let linear = 0; linear < total; linear++) {
    f(position, linear);
    for (let k = sizes.length - 1; k >= 0; k--) {
      if (++position[k]! < sizes[k]!) break;
      position[k] = 0;
    }
  }
}

/** A tensor whose element at each position is `f` of it. */
export function fill(
  dtype: DType,
  sizes: readonly number[],
  f: (position: readonly number[], linear: number) => number,
): Tensor {
  const out = zeros(dtype, sizes);
  eachPosition(sizes, (position, linear) => {
    out.data[linear] = f(position, linear);
  });
  return out;
}

export const at = (x: Tensor, position: readonly number[]): number => x.data[offsetOf(x.sizes, position)]!;

export const isInside = (sizes: readonly number[], position: readonly number[]): boolean =>
  sizes.every((size, k) => position[k]! >= 0 && position[k]! < size);

export const concrete = (sizes: readonly Poly[], cx: EvaluateContext): number[] =>
  sizes.map((p) => evaluate(p, cx.sizes));
