/** Arenas and the typed arrays on them. All memory is taken when a program is created; views of whole buffers are made once. */
import type { Plan, PlanDType } from './plan.ts';

/** f16 values are held, rounded, in f32; booleans as bytes 0 and 1. */
export type View = Float32Array | Int32Array | Uint8Array;

export interface Memory {
  readonly persistent: ArrayBuffer;
  readonly work: ArrayBuffer;
  /** By position in `plan.buffers`, at the bounds of the sizes. */
  readonly views: readonly View[];
  /** Ends threads that work on it. */
  readonly close?: () => void;
}

export function viewOf(dtype: PlanDType, memory: ArrayBuffer, offset: number, bytes: number): View {
  if (dtype === 'bool') return new Uint8Array(memory, offset, bytes);
  return dtype === 'i32' ? new Int32Array(memory, offset, bytes / 4) : new Float32Array(memory, offset, bytes / 4);
}

export function allocate(plan: Plan): Memory {
  const persistent = new ArrayBuffer(plan.arenas.persistent);
  const work = new ArrayBuffer(plan.arenas.work);
  const views = plan.buffers.map((b) =>
    viewOf(b.dtype, b.arena === 'persistent' ? persistent : work, b.offset, b.bytes),
  );
  return { persistent, work, views };
}

/** Nearest f16 value, ties to even; from 65,520 on infinity. */
export function toHalf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return size >= 65520 ? (x > 0 ? Infinity : -Infinity) : x;
  // Adding and taking away 1.5 · 2^52 units rounds to whole units; a unit is 2^-24 up to 2^-14, then doubles with the exponent.
  let unit = 2 ** -24;
  for (let top = 2 ** -13; top <= size; top *= 2) unit *= 2;
  const magic = unit * 6755399441055744;
  return x + magic - magic;
}
