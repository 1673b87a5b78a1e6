/**
 * What can be chosen about a kernel's schedule without a sum taking another order: the bytes of a product's packed blocks, vectors computed together along a free
 * axis, rows that a streamed kernel computes together. The cost model's choices are the defaults; `nnc tune` measures these, and what was quicker stands in a
 * file beside the program. Results have the same bits whatever is chosen.
 *
 * A kernel is known by its content and its sizes, so that one file serves all blocks of a program, and what has changed is left as it is. Not here: the clock
 * (`cli/tune`).
 */
import { asConst } from '../../sizes/poly.ts';
import type { Kernel } from '../../kernel/types.ts';
import { kernelKey } from '../../plan/identity.ts';
import { verifyWasmSchedule } from '../../schedule/verify-wasm.ts';
import type { WasmLeaf, WasmSchedule } from '../../schedule/wasm.ts';

/** What differs from the default, by stage; `together` is of the whole kernel. Plain data. */
export interface Choice {
  readonly together?: number;
  readonly stages?: Readonly<Record<string, StageChoice>>;
}

export interface StageChoice {
  /** Greatest bytes of a packed block of rows, and of columns. */
  readonly block?: readonly [number, number];
  /** Vectors computed together. */
  readonly count?: number;
}

/** By the kernel's key. */
export type Tuning = ReadonlyMap<string, Choice>;

/** Of a kernel as planned, at the greatest sizes that it is called with. */
export function tuningKey(kernel: Kernel, of: (size: string) => number): string {
  const text = `${kernelKey(kernel, { parallel: null, body: [] })} ${kernel.sizes.map(of).join()}`;
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let k = 0; k < text.length; k++) {
    const c = text.charCodeAt(k);
    a = Math.imul(a ^ c, 2654435761);
    b = Math.imul(b ^ c, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return [b, a].map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
}

const KIB = 1024;
const ROWS = [64, 128, 256, 512].map((n) => n * KIB);
const COLUMNS = [512, 1024, 2048].map((n) => n * KIB);
const COUNTS = [1, 2, 4];
const TOGETHER = [20, 40, 80];

/** One step from a choice: everything that can be changed, changed to everything else that it can be. */
export function neighbours(schedule: WasmSchedule, choice: Choice): Choice[] {
  const found: Choice[] = [];
  if (schedule.block !== null)
    for (const together of TOGETHER)
      if (together !== (choice.together ?? schedule.block.by)) found.push({ ...choice, together });
  for (const leaf of schedule.leaves) {
    const own = choice.stages?.[leaf.stage] ?? {};
    const put = (change: StageChoice): void =>
      void found.push({ ...choice, stages: { ...choice.stages, [leaf.stage]: { ...own, ...change } } });
    if (leaf.kind === 'product' && schedule.block === null) {
      const [rows, columns] = own.block ?? leaf.block;
      for (const r of ROWS) if (r !== rows) put({ block: [r, columns] });
      for (const c of COLUMNS) if (c !== columns) put({ block: [rows, c] });
    }
    if (isFreeVector(leaf)) for (const count of COUNTS) if (count !== (own.count ?? leaf.count)) put({ count });
  }
  return found;
}

/** Lanes along a free axis: what is computed together changes no sum. */
const isFreeVector = (leaf: WasmLeaf): leaf is Extract<WasmLeaf, { kind: 'loops' }> =>
  leaf.kind === 'loops' && leaf.vector !== null && leaf.free.includes(leaf.vector);

/** The schedule as chosen; null where the choice does not fit the kernel: it is of another version, or was written by hand. */
export function chosen(kernel: Kernel, schedule: WasmSchedule, choice: Choice): WasmSchedule | null {
  const stages = choice.stages ?? {};
  if (Object.keys(stages).some((s) => !schedule.leaves.some((l) => l.stage === s))) return null;
  let { block } = schedule;
  let { share } = schedule;
  if (choice.together !== undefined) {
    if (block === null || !TOGETHER.includes(choice.together)) return null;
    if (share !== null && 'axis' in share && share.axis === block.axis) share = { ...share, by: choice.together };
    block = { ...block, by: choice.together };
  }
  const leaves: WasmLeaf[] = [];
  for (const leaf of schedule.leaves) {
    const own = stages[leaf.stage];
    if (own === undefined) {
      leaves.push(leaf);
      continue;
    }
    let next: WasmLeaf = leaf;
    if (own.block !== undefined) {
      if (next.kind !== 'product' || !ROWS.includes(own.block[0]) || !COLUMNS.includes(own.block[1])) return null;
      next = { ...next, block: own.block };
    }
    if (own.count !== undefined) {
      if (!isFreeVector(next) || !COUNTS.includes(own.count)) return null;
      const extent = asConst(kernel.axes.get(next.vector!)!);
      if (extent !== null && extent < 4 * own.count) return null;
      if (share !== null && 'axis' in share && share.axis === next.vector && schedule.leaves.length === 1)
        share = { ...share, by: 4 * own.count };
      next = { ...next, count: own.count };
    }
    leaves.push(next);
  }
  const made: WasmSchedule = { ...schedule, leaves, block, share };
  return verifyWasmSchedule(kernel, made).length === 0 ? made : null;
}

/** In a few words, for people. */
export function choiceText(choice: Choice): string {
  const parts = Object.entries(choice.stages ?? {}).flatMap(([stage, { block, count }]) => [
    ...(block === undefined ? [] : [`${stage}: blocks of ${block[0] / KIB} and ${block[1] / KIB} KiB`]),
    ...(count === undefined ? [] : [`${stage}: ${count} ${count === 1 ? 'vector' : 'vectors'} together`]),
  ]);
  if (choice.together !== undefined) parts.unshift(`${choice.together} rows together`);
  return parts.join(', ');
}
