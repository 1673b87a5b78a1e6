/**
 * What can be chosen about a kernel's schedule without a sum taking another order: the height of a product's register tile, which operand lies along its lanes, the
 * bytes of its packed blocks, vectors or points computed together along free axes, rows that a streamed kernel computes together, and what threads share. The cost
 * model's choices are the defaults; `nnc tune` measures these, and what was quicker stands in a file beside the program. Results have the same bits whatever
 * is chosen.
 *
 * Not here, because a result would change in its last bits: a product in plain loops (tiles have fused multiply-add where the engine has it, loops never), lanes
 * along a reduced axis, the number of partial sums. Nor the clock (`cli/tune`).
 *
 * A kernel is known by its content and its sizes, so that one file serves all blocks of a program, and what has changed is left as it is.
 */
import { asConst } from '../../sizes/poly.ts';
import type { Kernel } from '../../kernel/types.ts';
import { kernelKey } from '../../plan/identity.ts';
import { sharesOf } from '../../schedule/share.ts';
import { verifyWasmSchedule } from '../../schedule/verify-wasm.ts';
import type { WasmLeaf, WasmSchedule, WasmShare } from '../../schedule/wasm.ts';

/** What differs from the default: of stages, and of the whole kernel. Plain data. */
export interface Choice {
  /** Rows of a streamed kernel computed together. */
  readonly together?: number;
  /** What threads share; in which units follows from the rest. */
  readonly share?: { readonly axis: string } | { readonly panels: 'rows' | 'columns' };
  readonly stages?: Readonly<Record<string, StageChoice>>;
}

export interface StageChoice {
  /** Rows of a product's register tile. */
  readonly height?: number;
  /** A product's operands in each other's place. */
  readonly turned?: true;
  /** Greatest bytes of a packed block of rows, and of columns. */
  readonly block?: readonly [number, number];
  /** Vectors computed together. */
  readonly count?: number;
  /** Points computed together where the lanes lie along a reduced axis. */
  readonly points?: number;
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
const ROWS = [64, 128, 256, 512, 1024, 4096, 16384].map((n) => n * KIB);
const COLUMNS = [512, 1024, 2048, 4096, 16384].map((n) => n * KIB);
const COUNTS = [1, 2, 4];
const POINTS = [1, 2, 4];
const HEIGHTS = [2, 3, 4, 5];
const TOGETHER = [20, 40, 80];

type Product = Extract<WasmLeaf, { kind: 'product' }>;

/** What a choice is made for. */
export interface Chooser {
  readonly kernel: Kernel;
  /** The cost model's. */
  readonly schedule: WasmSchedule;
  /** The greatest value of a size. */
  readonly of: (size: string) => number;
}

/** What may be changed: everything, all but what threads share, or only what the alignment of a loop's kernels (align.ts) does not rest on. */
export type Extent = 'all' | 'alone' | 'aligned';

/** One step from a choice: everything that can be changed, changed to everything else that it can be. */
export function neighbours(chooser: Chooser, choice: Choice, what: Extent = 'all'): Choice[] {
  const { kernel, schedule, of } = chooser;
  const found: Choice[] = [];
  if (schedule.block !== null)
    for (const together of TOGETHER)
      if (together !== (choice.together ?? schedule.block.by)) found.push({ ...choice, together });
  if (what === 'all') {
    const now = choice.share ?? schedule.share;
    for (const share of sharesOf(kernel, schedule, of))
      if (now === null || !isSameShare(share, now)) found.push({ ...choice, share: shareChoice(share) });
  }
  for (const leaf of schedule.leaves) {
    const own = choice.stages?.[leaf.stage] ?? {};
    const put = (change: StageChoice): void =>
      void found.push({ ...choice, stages: { ...choice.stages, [leaf.stage]: { ...own, ...change } } });
    if (leaf.kind === 'product' && schedule.block === null) {
      const [rows, columns] = own.block ?? leaf.block;
      for (const r of ROWS) if (r !== rows) put({ block: [r, columns] });
      for (const c of COLUMNS) if (c !== columns) put({ block: [rows, c] });
      if (what !== 'aligned') {
        for (const height of HEIGHTS) if (height !== (own.height ?? leaf.tile[0])) put({ height });
        if (own.turned === undefined && mayTurn(kernel, leaf)) put({ turned: true });
      }
    }
    if (isFreeVector(leaf)) for (const count of COUNTS) if (count !== (own.count ?? leaf.count)) put({ count });
    if (leaf.kind === 'loops' && leaf.points !== undefined)
      for (const points of POINTS) if (points !== (own.points ?? leaf.points)) put({ points });
  }
  return found;
}

/** Lanes along a free axis: what is computed together changes no sum. */
const isFreeVector = (leaf: WasmLeaf): leaf is Extract<WasmLeaf, { kind: 'loops' }> =>
  leaf.kind === 'loops' && leaf.vector !== null && leaf.free.includes(leaf.vector);

/** Where there may be fewer rows at run time than a product is for, that is asked of the same operand always: plain loops may add up in another order. */
function mayTurn(kernel: Kernel, { rows, columns, few }: Product): boolean {
  const enough = (axes: readonly string[]): boolean =>
    axes.reduce((n, a) => n * (asConst(kernel.axes.get(a)!) ?? Number.NaN), 1) >= few.below;
  return enough(rows.axes) && enough(columns.axes);
}

const isSameShare = (a: NonNullable<Choice['share']>, b: NonNullable<Choice['share']>): boolean =>
  'axis' in a ? 'axis' in b && a.axis === b.axis : 'panels' in b && a.panels === b.panels;

const shareChoice = (share: WasmShare): NonNullable<Choice['share']> =>
  'axis' in share ? { axis: share.axis } : { panels: share.panels };

/** Whether a choice is about what other kernels of a loop rely on (align.ts). */
export const isOfItsOwn = ({ share, stages = {} }: Choice): boolean =>
  share !== undefined || Object.values(stages).some((s) => s.height !== undefined || s.turned !== undefined);

/** The schedule as chosen; null where the choice does not fit the kernel: it is of another version, or was written by hand. */
export function chosen({ kernel, schedule, of }: Chooser, choice: Choice): WasmSchedule | null {
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
    const next = own === undefined ? leaf : leafAs(kernel, leaf, own, block !== null);
    if (next === null) return null;
    leaves.push(next);
    const count = own?.count;
    if (count === undefined || next.kind !== 'loops') continue;
    if (share !== null && 'axis' in share && share.axis === next.vector && schedule.leaves.length === 1)
      share = { ...share, by: 4 * count };
  }
  const { share: wanted } = choice;
  if (wanted !== undefined) {
    const found = sharesOf(kernel, { ...schedule, leaves, block, share }, of).find((s) => isSameShare(s, wanted));
    if (found === undefined) return null;
    share = found;
  }
  const made: WasmSchedule = { ...schedule, leaves, block, share };
  return verifyWasmSchedule(kernel, made).length === 0 ? made : null;
}

/** A stage as chosen; `streamed`: within a block of rows. */
function leafAs(kernel: Kernel, leaf: WasmLeaf, own: StageChoice, streamed: boolean): WasmLeaf | null {
  let next: WasmLeaf = leaf;
  if (own.block !== undefined || own.height !== undefined || own.turned !== undefined) {
    if (next.kind !== 'product' || streamed) return null;
    const { block = next.block, height = next.tile[0] } = own;
    if (own.block !== undefined && (!ROWS.includes(block[0]) || !COLUMNS.includes(block[1]))) return null;
    if (own.height !== undefined && !HEIGHTS.includes(height)) return null;
    if (own.turned === true && !mayTurn(kernel, next)) return null;
    const sides = own.turned === true ? { rows: next.columns, columns: next.rows } : {};
    next = { ...next, ...sides, block, tile: [height, next.tile[1]] };
  }
  if (own.count !== undefined) {
    if (!isFreeVector(next) || !COUNTS.includes(own.count)) return null;
    const extent = asConst(kernel.axes.get(next.vector!)!);
    if (extent !== null && extent < 4 * own.count) return null;
    next = { ...next, count: own.count };
  }
  if (own.points !== undefined) {
    if (next.kind !== 'loops' || next.points === undefined || !POINTS.includes(own.points)) return null;
    next = { ...next, points: own.points };
  }
  return next;
}

/** In a few words, for people. */
export function choiceText(choice: Choice): string {
  const parts = Object.entries(choice.stages ?? {}).flatMap(
    ([stage, { block, count, points, height, turned }]): readonly string[] => [
      ...(height === undefined ? [] : [`${stage}: tiles of ${height} rows`]),
      ...(turned === undefined ? [] : [`${stage}: operands turned`]),
      ...(block === undefined ? [] : [`${stage}: blocks of ${block[0] / KIB} and ${block[1] / KIB} KiB`]),
      ...(count === undefined ? [] : [`${stage}: ${count} ${count === 1 ? 'vector' : 'vectors'} together`]),
      ...(points === undefined ? [] : [`${stage}: ${points} ${points === 1 ? 'point' : 'points'} together`]),
    ],
  );
  if (choice.together !== undefined) parts.unshift(`${choice.together} rows together`);
  const { share } = choice;
  if (share !== undefined) parts.push(`threads share ${'axis' in share ? share.axis : `panels of ${share.panels}`}`);
  return parts.join(', ');
}
