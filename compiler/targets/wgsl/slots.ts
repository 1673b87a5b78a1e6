/**
 * The storage bindings of a kernel: one a buffer parameter, but buffers that lie at the same place in a call (an output written over a dying input)
 * share one, since WebGPU forbids two writable bindings of the same bytes. A buffer that is longer than a binding has several, its windows, one behind the other.
 */
import type { Kernel } from '../../kernel/types.ts';
import { registerType } from './scalar.ts';

export type Lanes = 1 | 2 | 4;

export interface Slot {
  readonly name: string;
  readonly type: 'f32' | 'f16' | 'i32' | 'u32';
  readonly atomic: boolean;
  /** Declared as vectors of so many. */
  readonly lanes: Lanes;
  /** Its bindings: the first one's number among those of all slots, and how many there are. */
  readonly first: number;
  readonly windows: number;
}

/** Which slot each buffer parameter has: `[0, 1, 1]`, say. Numbers rise in order of first use. */
export type SlotMap = readonly number[];

/** Where a buffer lies: in an arena, in bytes. */
export interface Place {
  readonly arena: string;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Slots for buffers at these places (null: in no memory), and the element of its slot at which each begins. Where there are more places than `most`, neighbours in an
 * arena share a slot: those with the least memory between their ends, within `binding` bytes and one buffer of `chunk` bytes.
 */
export function slotPlaces(
  places: readonly (Place | null)[],
  limits: { readonly bindings: number; readonly binding: number; readonly buffer: number },
): { readonly map: SlotMap; readonly bases: readonly number[]; readonly windows: readonly number[] } {
  interface Range {
    arena: string;
    from: number;
    to: number;
  }
  const ranges = new Map<string, Range>();
  for (const p of places) {
    if (p === null) continue;
    const key = `${p.arena} ${p.offset}`;
    const known = ranges.get(key);
    const to = p.offset + p.bytes;
    if (known === undefined) ranges.set(key, { arena: p.arena, from: p.offset, to });
    else known.to = Math.max(known.to, to);
  }
  const list = [...ranges.values()];
  const chunkOf = (r: Range): number => Math.floor(r.from / limits.buffer);
  const windowsOf = (r: Range): number => Math.max(1, Math.ceil((r.to - r.from) / limits.binding));
  while (list.reduce((n, r) => n + windowsOf(r), 0) > limits.bindings) {
    const sorted = [...list].sort((a, b) => a.arena.localeCompare(b.arena) || a.from - b.from);
    let best: readonly [Range, Range] | null = null;
    let least = Infinity;
    for (let k = 0; k + 1 < sorted.length; k++) {
      const [a, b] = [sorted[k]!, sorted[k + 1]!];
      const bytes = Math.max(a.to, b.to) - a.from;
      if (a.arena !== b.arena || chunkOf(a) !== chunkOf(b) || bytes > limits.binding || bytes >= least) continue;
      [best, least] = [[a, b], bytes];
    }
    if (best === null) break;
    const [a, b] = best;
    a.to = Math.max(a.to, b.to);
    list.splice(list.indexOf(b), 1);
  }
  const rangeOf = (p: Place): Range =>
    list.find((r) => r.arena === p.arena && r.from <= p.offset && p.offset + p.bytes <= r.to)!;
  const found = places.map((p) => (p === null ? null : rangeOf(p)));
  return {
    map: slotMap(found.map((r) => (r === null ? null : `${r.arena} ${r.from}`))),
    windows: [...new Set(found.filter((r) => r !== null))].map((r) => windowsOf(r)),
    bases: places.map((p, i) => (p === null ? 0 : (p.offset - found[i]!.from) / 4)),
  };
}

/** Slots from places: equal places, equal slots; -1 for what is in no memory (buffers of the row). */
export function slotMap(places: readonly (string | null)[]): SlotMap {
  const order = [...new Set(places.filter((p) => p !== null))];
  return places.map((p) => (p === null ? -1 : order.indexOf(p)));
}

/**
 * `vectors`: buffers that are read in vectors, and how long those are; what the kernel also writes, or what shares its place with such or with vectors of another length, stays an
 * array of numbers. `windows`: of each slot, 1 where left out. `halves`: buffers kept as such, each in a slot with no others. `areWritten`: whatever the kernel writes, it writes in vectors.
 */
export function slotsOf(
  kernel: Kernel,
  map: SlotMap,
  nameOf: (text: string) => string,
  vectors: ReadonlyMap<number, Lanes> = new Map(),
  windows: readonly number[] = [],
  halves: ReadonlySet<number> = new Set(),
  areWritten = false,
): Slot[] {
  let first = 0;
  const written = new Set(kernel.stages.flatMap((s) => [...s.each, ...s.writes].map((w) => map[w.buffer]!)));
  const combined = new Set(
    kernel.stages.flatMap((s) => [...s.each, ...s.writes].flatMap((w) => (w.mode === 'store' ? [] : [map[w.buffer]!]))),
  );
  return Array.from({ length: Math.max(-1, ...map) + 1 }, (_, k) => {
    const members = kernel.buffers.filter((_b, i) => map[i] === k);
    const types = new Set(
      kernel.buffers.flatMap((b, i) => {
        if (map[i] !== k) return [];
        if (halves.has(i)) return 'f16';
        return b.dtype === 'bool' || b.storage !== undefined ? 'u32' : registerType(b.dtype);
      }),
    );
    const atomic = combined.has(k);
    const only = [...types][0] as Slot['type'];
    if (types.has('f16') && (types.size > 1 || atomic))
      throw new Error(`kernel ${kernel.name}: halves share a place with other numbers`);
    const lengths = new Set(kernel.buffers.flatMap((_b, i) => (map[i] === k ? (vectors.get(i) ?? []) : [])));
    const isVector = types.size === 1 && lengths.size === 1 && (areWritten ? !combined.has(k) : !written.has(k));
    const lanes = isVector ? [...lengths][0]! : 1;
    const own = { first, windows: windows[k] ?? 1 };
    first += own.windows;
    return { name: nameOf(members[0]!.name), type: atomic || types.size > 1 ? 'u32' : only, atomic, lanes, ...own };
  });
}
