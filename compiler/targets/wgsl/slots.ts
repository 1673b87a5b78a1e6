/**
 * The storage bindings of a kernel: one a buffer parameter, but buffers that lie at the same place in a call (an output written over a dying input)
 * share one, since WebGPU forbids two writable bindings of the same bytes.
 */
import type { Kernel } from '../../kernel/types.ts';
import { registerType } from './scalar.ts';

export interface Slot {
  readonly name: string;
  readonly type: 'f32' | 'i32' | 'u32';
  readonly atomic: boolean;
  /** Declared as vectors of four f32. */
  readonly vector: boolean;
}

/** Which slot each buffer parameter has: `[0, 1, 1]`, say. Numbers rise in order of first use. */
export type SlotMap = readonly number[];

/** Slots from places: equal places, equal slots. */
export function slotMap(places: readonly string[]): SlotMap {
  const order = [...new Set(places)];
  return places.map((p) => order.indexOf(p));
}

/** `vectors`: buffers that are read in vectors; those that the kernel also writes, or that share their place with such, stay arrays of numbers. */
export function slotsOf(
  kernel: Kernel,
  map: SlotMap,
  nameOf: (text: string) => string,
  vectors: ReadonlySet<number> = new Set(),
): Slot[] {
  const written = new Set(kernel.stages.flatMap((s) => [...s.each, ...s.writes].map((w) => map[w.buffer]!)));
  const combined = new Set(
    kernel.stages.flatMap((s) => [...s.each, ...s.writes].flatMap((w) => (w.mode === 'store' ? [] : [map[w.buffer]!]))),
  );
  return Array.from({ length: Math.max(-1, ...map) + 1 }, (_, k) => {
    const members = kernel.buffers.filter((_b, i) => map[i] === k);
    const types = new Set(members.map((b) => (b.dtype === 'bool' ? 'u32' : registerType(b.dtype))));
    const atomic = combined.has(k);
    const only = [...types][0] as 'f32' | 'i32' | 'u32';
    const vector =
      only === 'f32' &&
      types.size === 1 &&
      !written.has(k) &&
      kernel.buffers.some((_b, i) => map[i] === k && vectors.has(i));
    return { name: nameOf(members[0]!.name), type: atomic || types.size > 1 ? 'u32' : only, atomic, vector };
  });
}
