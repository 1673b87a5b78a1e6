/**
 * Reductions on a GPU, as data: how many neighbouring results a workgroup computes, how many threads share each of them, which of the two runs along the threads (so that
 * neighbouring threads read neighbouring elements), and into how many parts a long reduction is cut, each a workgroup's own. The order in which partial results are
 * combined is fixed, so the same call gives the same bits every time.
 *
 * Not here: products of matrices (wgsl-product.ts), reductions of rows that later stages use (rows of wgsl.ts), and the text (targets/wgsl/reduce.ts).
 */
import { asConst, coefficientOf, evaluate } from '../sizes/poly.ts';
import { stageRoots, walk } from '../kernel/expr.ts';
import type { Kernel, Stage } from '../kernel/types.ts';
import type { SizeOf } from './wgsl.ts';

export interface WgslReduction {
  readonly kind: 'reduce';
  readonly stage: string;
  /** Results of a workgroup. */
  readonly across: number;
  /** Threads that share one; a power of two. */
  readonly down: number;
  /** What neighbouring threads differ in. */
  readonly along: 'results' | 'reduced';
  /** A reduction is the work of so many workgroups; above one, a second pass combines what they found. */
  readonly parts: number;
}

/** Threads of a workgroup: what every device has. */
const THREADS = 256;
/** A result with less to do than this is one thread's work. */
const WORTH_SHARING = 48;
/** So many results, side by side, keep a device busy by a thread each. */
const MANY = 1 << 16;
/** So many, each with some threads. */
const BUSY = 1 << 13;
/** What fits caches may be read in shorter pieces, by more workgroups. */
const CACHED = 1 << 20;

/*
 * Measured on an H200: what counts is how many loads are under way. Sums over the columns of 8192 x 768 take 17 µs in 32 parts, 58 in 8, 195 in one; of 1024 x 128, 11 µs
 * in 32 parts of which half is the second pass. Operations of subgroups instead of the last five rounds of a tree gained nothing (66.0 and 66.8 µs for a sum of 2^24).
 */

/** Null: nothing to be shared, or nothing that may be (an order, writes on the way). */
export function reducePass(kernel: Kernel, stage: Stage, of: SizeOf): WgslReduction | null {
  const isReduction = [...stage.defs.values()].some((d) => d.op !== null);
  if (!isReduction || stage.order !== null || stage.each.length > 0 || stage.over.length === 0) return null;
  const size = (axes: readonly string[]): number =>
    axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
  const [results, reduced] = [size(stage.axes), size(stage.over)];
  if (reduced < WORTH_SHARING) return null;
  const along = neighbours(stage);
  if (along === 'results' && results >= MANY) return null;
  const across = along === 'results' ? (results * reduced <= CACHED ? 8 : 16) : rowsOfGroup(results, reduced);
  const down = THREADS / across;
  const groups = Math.ceil(results / across);
  const each = reduced / down;
  // The parts lie in one more binding.
  const wanted =
    kernel.buffers.length >= 8
      ? 1
      : along === 'results'
        ? each <= 64
          ? 1
          : Math.min(32, each / 16, 4096 / groups)
        : each <= 16
          ? 1
          : Math.min(each / 8, 1024 / groups);
  return { kind: 'reduce', stage: stage.name, across, down, along, parts: Math.max(1, Math.floor(wanted)) };
}

/** How threads of a workgroup share the results of a stage within a row: `across` results at a time, `down` threads each. */
export type SharedForm = Pick<WgslReduction, 'across' | 'down' | 'along'>;

/** Null: the points of the stage are dealt out one by one, or there is one, shared by all. */
export function shareForm(kernel: Kernel, stage: Stage, rows: readonly string[], threads: number): SharedForm | null {
  const free = stage.axes.filter((a) => !rows.includes(a));
  if (free.length === 0 || stage.over.length === 0 || stage.each.length > 0) return null;
  const extent = (axes: readonly string[]): number | null =>
    axes.reduce<number | null>((n, a) => {
      const own = asConst(kernel.axes.get(a)!);
      return n === null || own === null ? null : n * own;
    }, 1);
  const [results, reduced] = [extent(free), extent(stage.over)];
  if (neighbours(stage, free) === 'results') {
    const across = Math.min(threads, 2 ** Math.ceil(Math.log2(Math.max(16, results ?? threads))));
    return { across, down: threads / across, along: 'results' };
  }
  if (reduced !== null && reduced < 16) return null;
  // Eight neighbours read 32 bytes side by side.
  const down = results === null || results >= threads / 8 ? 8 : 32;
  return { across: threads / down, down, along: 'reduced' };
}

/** Results of a workgroup whose threads run along the reduction: several where one has too little for all threads. */
function rowsOfGroup(results: number, reduced: number): number {
  if (results === 1) return 1;
  // So many keep a device busy by few threads each, which have more loads under way.
  if (results >= BUSY) return THREADS / 32;
  const threads = Math.min(THREADS, Math.max(32, 2 ** Math.ceil(Math.log2(reduced / 4))));
  return THREADS / threads;
}

/** Whether most of what is read has its neighbours along the results or along the reduction; `free`: what does not vary along these and the reduction stays in caches, and does not count. */
function neighbours(stage: Stage, free: readonly string[] = []): WgslReduction['along'] {
  const [result, reduced] = [stage.axes.at(-1), stage.over.at(-1)];
  if (result === undefined) return 'reduced';
  let votes = 0;
  walk(stageRoots(stage), (e) => {
    if (e.kind !== 'read') return;
    const isOne = (axis: string | undefined): boolean => {
      const split = axis === undefined ? null : coefficientOf(e.at, axis);
      return split !== null && asConst(split.coefficient) === 1;
    };
    if (free.length > 0 && ![free, stage.over].every((axes) => axes.some((a) => mentions(e.at, a)))) return;
    // What does not vary along the reduction is read once.
    if (isOne(reduced)) votes--;
    else if (isOne(result) && stage.over.some((a) => coefficientOf(e.at, a) !== null && mentions(e.at, a))) votes++;
  });
  return votes > 0 ? 'results' : 'reduced';
}

const mentions = (p: Parameters<typeof coefficientOf>[0], axis: string): boolean => {
  const split = coefficientOf(p, axis);
  return split === null || asConst(split.coefficient) !== 0;
};

export const printReduction = ({ stage, across, down, along, parts }: WgslReduction): string =>
  `${stage}: ${down} threads a result, ${across} ${across === 1 ? 'result' : 'results'} a workgroup, neighbours along the ${along === 'results' ? 'results' : 'reduction'}${parts > 1 ? `, in ${parts} parts` : ''}`;
