/**
 * Buffers that are longer than a binding: a kernel sees such a one through several bindings, its windows, each of them as long as a binding may be, the last one shorter. Elements are read by
 * a function that finds the window, and written in a branch for each.
 */
import type { Slot } from './slots.ts';

/** How buffers lie in their slots. */
export interface Lie {
  /** The element of its slot at which each buffer begins; 0 where left out. */
  readonly bases?: readonly number[];
  /** Bindings of each slot; 1 where left out. */
  readonly windows?: readonly number[];
  /** Bytes of a window. */
  readonly bytes?: number;
  /** Buffers that no other call reads. */
  readonly own?: ReadonlySet<number>;
}

/** What kernels call an element that is kept as a half, where the device has such. */
export const HALF = 'Half';

const nameOf = (slot: Slot, window: number): string => (window === 0 ? slot.name : `${slot.name}w${window}`);

const lengthOf = (slot: Slot, bytes: number): number => bytes / (4 * slot.lanes);

/** Declarations of a slot's bindings, and the function that reads it where there are several. */
export function slotLines(slot: Slot, { bytes = 0 }: Lie): string[] {
  const type = slot.type === 'f16' ? HALF : slot.type;
  const element = slot.atomic ? 'atomic<u32>' : slot.lanes > 1 ? `vec${slot.lanes}<${type}>` : type;
  const lines = Array.from(
    { length: slot.windows },
    (_, w) =>
      `@group(0) @binding(${slot.first + w + 1}) var<storage, read_write> ${nameOf(slot, w)}: array<${element}>;`,
  );
  if (slot.windows === 1) return lines;
  const length = lengthOf(slot, bytes);
  const item = (w: number): string => {
    const place = `${nameOf(slot, w)}[${w === 0 ? 'at' : `at - ${w * length}`}]`;
    return slot.atomic ? `atomicLoad(&${place})` : place;
  };
  return [
    ...lines,
    `fn ${slot.name}at(at: i32) -> ${slot.atomic ? 'u32' : element} {`,
    ...Array.from({ length: slot.windows - 1 }, (_, w) => `  if (at < ${(w + 1) * length}) { return ${item(w)}; }`),
    `  return ${item(slot.windows - 1)};`,
    '}',
  ];
}

/** The text of an element, for reading. */
export function itemOf(slot: Slot, at: string): string {
  if (slot.windows > 1) return `${slot.name}at(${at})`;
  const place = `${slot.name}[${at}]`;
  return slot.atomic ? `atomicLoad(&${place})` : place;
}

/** Writes at a place whose text is a name: `write` puts the statements for one window, `block` those of a branch. */
export function inWindow(
  slot: Slot,
  at: string,
  { bytes = 0 }: Lie,
  write: (place: string) => void,
  block: (head: string, body: () => void) => void,
): void {
  if (slot.windows === 1) {
    write(`${slot.name}[${at}]`);
    return;
  }
  const length = lengthOf(slot, bytes);
  for (let w = 0; w < slot.windows; w++) {
    const from = w === 0 ? null : `${at} >= ${w * length}`;
    const to = w === slot.windows - 1 ? null : `${at} < ${(w + 1) * length}`;
    const place = `${nameOf(slot, w)}[${w === 0 ? at : `${at} - ${w * length}`}]`;
    block(`if (${[from, to].filter((t) => t !== null).join(' && ')})`, () => {
      write(place);
    });
  }
}

/** Elements of a slot, where only the device knows. */
export const lengthText = (slot: Slot): string => {
  const sum = Array.from({ length: slot.windows }, (_, w) => `i32(arrayLength(&${nameOf(slot, w)}))`).join(' + ');
  return `(${slot.windows > 1 ? `(${sum})` : sum}${slot.lanes > 1 ? ` * ${slot.lanes}` : ''})`;
};
