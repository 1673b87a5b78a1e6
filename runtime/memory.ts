/** Arenas and the typed arrays on them. All memory is taken when a program is created; views of whole buffers are made once. */
import type { Plan, PlanDType, Storage } from './plan.ts';

/** f16 values are held, rounded, in f32; booleans as bytes 0 and 1. */
export type View = Float32Array | Int32Array | Uint8Array;

/** A buffer's array: Int8Array and Uint16Array hold what is stored smaller (`Storage`), and never leave the program. */
export type Held = View | Int8Array | Uint16Array;

export interface Memory {
  /** By position in `plan.buffers`, at the bounds of the sizes. */
  readonly views: readonly Held[];
  /** Ends threads that work on it. */
  readonly close?: () => void;
}

export function viewOf(dtype: PlanDType, memory: ArrayBuffer, offset: number, bytes: number, storage?: Storage): Held {
  if (storage === 'i8') return new Int8Array(memory, offset, bytes);
  if (storage === 'f16') return new Uint16Array(memory, offset, bytes / 2);
  if (dtype === 'bool' || storage === 'i4') return new Uint8Array(memory, offset, bytes);
  return dtype === 'i32' ? new Int32Array(memory, offset, bytes / 4) : new Float32Array(memory, offset, bytes / 4);
}

export function allocate(plan: Plan): Memory {
  const persistent = new ArrayBuffer(plan.arenas.persistent);
  const work = new ArrayBuffer(plan.arenas.work);
  return {
    views: plan.buffers.map((b) =>
      viewOf(b.dtype, b.arena === 'persistent' ? persistent : work, b.offset, b.bytes, b.storage),
    ),
  };
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
