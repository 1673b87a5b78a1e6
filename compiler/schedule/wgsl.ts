/**
 * Schedules of the WGSL target, as plain data: the dispatches that a kernel becomes, and what an invocation or a workgroup of each computes.
 *
 * A pass over rows gives every row (a point of its axes) to one invocation, or to a workgroup that shares the reductions and the inner points
 * among its threads; rows that fit stay in their registers (wgsl-row.ts). A product of matrices is computed in tiles held in workgroup memory. Stages without common rows become passes of
 * their own, one after the other, which is what they must look like.
 */
import { evaluate, mul, names, num, type Poly } from '../sizes/poly.ts';
import { stageRoots, walk } from '../kernel/expr.ts';
import type { Kernel, Stage } from '../kernel/types.ts';
import { printReduction, reducePass, type SharedForm, type WgslReduction } from './wgsl-reduce.ts';
import { heldPass, printHeld, type HeldRows } from './wgsl-row.ts';
import { printStream, streamBytes, streamPass, streamTraffic, type WgslStream } from './wgsl-stream.ts';
import {
  printProduct,
  productPass,
  productTraffic,
  type Device,
  type SkinnyProduct,
  type TiledProduct,
} from './wgsl-product.ts';

export type WgslPass =
  | {
      readonly kind: 'rows';
      readonly rows: readonly string[];
      readonly stages: readonly string[];
      /** Threads that share a row; 1: one invocation a row. A power of two. */
      readonly threads: number;
      /** Rows of a workgroup, where one invocation has one: 64 if left out. */
      readonly local?: number;
      /** Stages whose results within a row have several threads each. */
      readonly shared?: ReadonlyMap<string, SharedForm>;
    }
  | HeldRows
  | WgslReduction
  | TiledProduct
  | SkinnyProduct
  | WgslStream;

export interface WgslSchedule {
  readonly passes: readonly WgslPass[];
}

/** What a size is taken to be where nobody told. */
const NOMINAL = 64;
const GROUP = 64;
const LARGE_GROUP = 256;
const LONG_ROW = 4096;
/** So many workgroups of 64 take longer to begin than they compute. */
const MANY_POINTS = 1 << 18;
/** A row with less to do than this is one invocation's work. */
const WORTH_SHARING = 48;
/** So many rows keep a device busy by themselves; then a workgroup a row must have more to do. */
const MANY_ROWS = 1 << 14;

export type SizeOf = (name: string) => number;

/** `most`: what a size never exceeds, where that is certain and most calls have it: then rows of that length may be kept in registers. */
export function wgslSchedule(
  kernel: Kernel,
  sizeOf: SizeOf = () => NOMINAL,
  device?: Device,
  most?: SizeOf,
): WgslSchedule {
  const rows = kernel.rows ?? [];
  if (kernel.buffers.some((b) => b.row)) {
    const pass = streamPass(kernel, sizeOf, device);
    if (pass === null) throw new Error(`kernel ${kernel.name}: buffers of the row, but not of a form that streams`);
    return { passes: [pass] };
  }
  if (kernel.stages.length > 1 && (rows.length > 0 || sharesValues(kernel))) {
    const held = heldPass(kernel, rows, sizeOf, most);
    if (held !== null) return { passes: [held] };
    const threads = threadsFor(kernel, rows, kernel.stages, sizeOf);
    return { passes: [{ kind: 'rows', rows, stages: kernel.stages.map((s) => s.name), threads }] };
  }
  return {
    passes: kernel.stages.map((stage): WgslPass => {
      const product = productPass(kernel, stage, sizeOf, device);
      if (product !== null) return product;
      const reduction = reducePass(kernel, stage, sizeOf);
      if (reduction !== null) return reduction;
      const threads = stage.over.length > 0 ? threadsFor(kernel, stage.axes, [stage], sizeOf) : 1;
      const large = threads === 1 && points(kernel, stage.axes, sizeOf) >= MANY_POINTS;
      return {
        kind: 'rows',
        rows: stage.axes,
        stages: [stage.name],
        threads,
        ...(large ? { local: LARGE_GROUP } : {}),
      };
    }),
  };
}

/** Smaller matrices are read soon enough in any way. */
const LARGE_MATRIX = 1 << 16;

/**
 * Calls with fewer rows than the bounds allow (a token after a long prompt, one image where there may be many): a product of a tile full of rows that are not there is
 * computed as one of `most` rows instead. Null: there is no such product, or it would not matter.
 */
export function fewRows(
  kernel: Kernel,
  schedule: WgslSchedule,
  of: SizeOf,
): { readonly schedule: WgslSchedule; readonly rows: Poly; readonly most: number } | null {
  const products = schedule.passes.filter((p) => p.kind === 'product');
  const [product] = products;
  if (product === undefined || products.length > 1) return null;
  const { rows, columns, over } = product;
  for (const [side, other] of [
    [rows, columns],
    [columns, rows],
  ] as const) {
    const count = side.axes.reduce((n, a) => mul(n, kernel.axes.get(a)!), num(1));
    const sizes = names(count);
    if (sizes.size === 0 || points(kernel, [...other.axes, ...over], of) < LARGE_MATRIX) continue;
    const few = wgslSchedule(kernel, (s) => (sizes.has(s) ? 1 : of(s)));
    const found = few.passes.find((p) => p.kind === 'skinny');
    if (found !== undefined) return { schedule: few, rows: count, most: found.few };
  }
  return null;
}

/** Whether a stage uses what an earlier one named: they are parts of one row then, the only one there is where the kernel has no rows. */
const sharesValues = (kernel: Kernel): boolean =>
  kernel.stages.some((stage) => {
    let foreign = false;
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'value' && !stage.defs.has(e.name)) foreign = true;
    });
    return foreign;
  });

const points = (kernel: Kernel, axes: readonly string[], sizeOf: SizeOf): number =>
  axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, sizeOf)), 1);

function threadsFor(kernel: Kernel, rows: readonly string[], stages: readonly Stage[], sizeOf: SizeOf): number {
  const inner = (stage: Stage): string[] => stage.axes.filter((a) => !rows.includes(a));
  // An order along the row is one thread's work.
  if (stages.some((s) => s.order !== null && inner(s).length === 0)) return 1;
  const shared = stages.map((s) => {
    const own = inner(s);
    return points(kernel, own.length > 0 ? own : s.over, sizeOf);
  });
  const work = Math.max(...shared);
  const count = points(kernel, rows, sizeOf);
  if (work < WORTH_SHARING || (count >= MANY_ROWS && work < 4 * GROUP)) return 1;
  // Measured on an H200: many rows of 768 or 1024 are done soonest by 64 threads each, of 50257 by 256; so is one row of 768, which has the device to itself.
  const isAlone = count * LARGE_GROUP <= MANY_POINTS && work >= 2 * LARGE_GROUP;
  return work >= LONG_ROW || isAlone ? LARGE_GROUP : GROUP;
}

/** Bytes of workgroup memory that depend on what a device was said to have; 0 where nothing does. */
export const workgroupNeed = (kernel: Kernel, { passes }: WgslSchedule): number =>
  Math.max(0, ...passes.map((p) => (p.kind === 'stream' ? streamBytes(p, kernel) : 0)));

/** Whether a GPU computes the kernel: all, but for buffers of the row in a form that has no schedule here. */
export const hasWgslSchedule = (kernel: Kernel): boolean =>
  !kernel.buffers.some((b) => b.row) || streamPass(kernel) !== null;

/** One line a pass. */
export function printWgslSchedule(schedule: WgslSchedule, kernel: Kernel): string {
  return schedule.passes
    .map((p) =>
      p.kind === 'stream'
        ? printStream(p, kernel)
        : p.kind === 'reduce'
          ? printReduction(p)
          : p.kind === 'held'
            ? printHeld(p)
            : p.kind !== 'rows'
              ? printProduct(p)
              : `${p.stages.join(' ')}: rows [${p.rows.join(' ')}]${p.threads > 1 ? ` a workgroup of ${p.threads} each` : p.local === undefined ? '' : ` ${p.local} a workgroup`}`,
    )
    .join('\n');
}

/** The same with what each product moves between memory and workgroups at these sizes; `halves`: buffers that are kept as such. */
export function explainWgslSchedule(kernel: Kernel, of: SizeOf, halves?: ReadonlySet<number>): string {
  if (!hasWgslSchedule(kernel)) return 'none: where WebGPU is among the targets, the matrix of this kernel is stored';
  return wgslSchedule(kernel, of)
    .passes.map((p) => {
      const text = printWgslSchedule({ passes: [p] }, kernel);
      if (p.kind !== 'product' && p.kind !== 'skinny' && p.kind !== 'stream') return text;
      const { flops, bytes } =
        p.kind === 'stream' ? streamTraffic(kernel, p, of) : productTraffic(kernel, p, of, halves);
      return `${text}; ${(bytes / 1e6).toFixed(1)} MB, ${(flops / bytes).toFixed(1)} flop/byte`;
    })
    .join('\n');
}
