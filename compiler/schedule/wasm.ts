/**
 * Schedules of the WebAssembly target, as plain data: which axis the four lanes of a vector lie along, how many vectors are computed together, and
 * which stages are products of matrices, with their blocks.
 *
 * Lanes: for every axis that the accesses could be vectorised along, a cost is counted (lanes.ts); the least wins. Products: a sum over reduced axes of a · b in which a lacks
 * some free axes and b lacks others; packed panels and register tiles of `rows` x `columns` (the machine's numbers in docs/performance.md).
 */
import { asConst, names } from '../sizes/poly.ts';
import { walk } from '../kernel/expr.ts';
import type { Expr, Guard, Kernel, Stage } from '../kernel/types.ts';
import { extent, hasValue, mentions, readsOf, rootsOf, stride, type Read, type SizeOf } from './access.ts';
import { MACHINE } from './machine.ts';
import { dotsLeaf, type DotsLeaf } from './dots.ts';
import { hasHeavy, stageCost, wideEnough } from './lanes.ts';
import { blocksFor, tileFor, tilesTime } from './panels.ts';
import { outward, shareOfAxes, shareOfLeaf, shareOfStages } from './share.ts';

export { printWasmSchedule } from './print-wasm.ts';

/** A product's operand: its expression, and the free axes that only it has. */
export interface ProductSide {
  readonly value: Expr;
  readonly axes: readonly string[];
  /** Under which the whole term is not zero. */
  readonly guards: readonly Guard[];
}

export type WasmLeaf =
  | DotsLeaf
  | {
      readonly kind: 'loops';
      readonly stage: string;
      /** Free axes, outermost first; the vector's, if free, last. */
      readonly free: readonly string[];
      readonly over: readonly string[];
      readonly vector: string | null;
      /** Vectors computed together: points of a free axis, partial results of a reduced one. */
      readonly count: number;
      /** Where the lanes lie along a reduced axis: so many points of the last free axis together, for which what they all read is loaded once. */
      readonly points?: number;
    }
  | {
      readonly kind: 'product';
      readonly stage: string;
      /** Axes of both operands: one product each. */
      readonly batch: readonly string[];
      readonly rows: ProductSide;
      readonly columns: ProductSide;
      readonly over: readonly string[];
      /** Register tile. */
      readonly tile: readonly [rows: number, columns: number];
      readonly unroll: number;
      /** How the stage is looped when there are fewer rows than this at run time. */
      readonly few: { readonly below: number; readonly leaf: Loops };
      /** Greatest bytes of a packed block: of rows (stays in L2), of columns (L2 and L3). */
      readonly block: readonly [rows: number, columns: number];
    };

export type Loops = Extract<WasmLeaf, { kind: 'loops' }>;

/**
 * What threads share out: runs of an axis, in units of so many points, or the panels of a product's rows or columns; with `by` not panels, but units
 * of so many rows or columns. Only free axes: no sum is ever cut, so that results do not depend on the number of threads.
 */
export type WasmShare =
  { readonly axis: string; readonly by: number } | { readonly panels: 'rows' | 'columns'; readonly by?: number };

/** How a stage is computed: loops, a product, or products with integers (dots.ts). */
export interface WasmSchedule {
  /** Loops around all stages. */
  readonly rows: readonly string[];
  /** The vector's axis, if it is one of these. */
  readonly vector: string | null;
  readonly leaves: readonly WasmLeaf[];
  /** null: one thread does it all. */
  readonly share: WasmShare | null;
  /**
   * Kernels with buffers of the row: so many rows along this axis are computed together, stage by stage, each with its own part of those buffers. What the
   * products' columns are packed from does not depend on the axis.
   */
  readonly block: { readonly axis: string; readonly by: number } | null;
}

const nominal: SizeOf = () => MACHINE.nominal;

/** `of`: what sizes are expected to be; `worth`: least cost of a kernel that threads share. */
export function wasmSchedule(kernel: Kernel, of: SizeOf = nominal, worth: number = MACHINE.worthSharing): WasmSchedule {
  if (kernel.buffers.some((b) => b.row)) return streamSchedule(kernel, of, worth);
  const rows = kernel.rows ?? [];
  const inner = kernel.stages.map((s) => loopsLeaf(kernel, s, rows, null, of));
  if (rows.length === 0) {
    const leaves = kernel.stages.map((s, k) => dotsLeaf(kernel, s) ?? productLeaf(kernel, s, of) ?? inner[k]!.leaf);
    const [leaf] = leaves;
    const cost = inner.reduce((sum, l) => sum + l.cost, 0);
    const share =
      leaves.length === 1
        ? shareOfLeaf(kernel, leaf!, cost, of, worth)
        : cost / 4 < worth
          ? null
          : shareOfStages(kernel, leaves, of);
    return { rows, vector: null, leaves, share, block: null };
  }
  const shared = (vector: string | null, cost: number): WasmShare | null =>
    cost < worth ? null : shareOfAxes(kernel, rows, kernel.stages, vector, vector === null ? 1 : 4, of);
  // Lanes along a row axis, for all stages together, or each stage its own.
  const apart = inner.reduce((sum, l) => sum + l.cost, 0);
  let best: { vector: string; cost: number } | null = null;
  for (const axis of rows) {
    if (!wideEnough(kernel, axis)) continue;
    const costs = kernel.stages.map((s) => stageCost(kernel, s, axis, of));
    if (costs.some((c) => c === null)) continue;
    const cost = costs.reduce<number>((sum, c) => sum + c!, 0);
    if (cost < (best?.cost ?? apart)) best = { vector: axis, cost };
  }
  if (best === null)
    return { rows, vector: null, leaves: inner.map((l) => l.leaf), share: shared(null, apart / 4), block: null };
  const { vector } = best;
  const order = [...rows.filter((r) => r !== vector), vector];
  const leaves = kernel.stages.map((s) => loopsLeaf(kernel, s, rows, vector, of).leaf);
  return { rows: order, vector, leaves, share: shared(vector, best.cost / 4), block: null };
}

function loopsLeaf(
  kernel: Kernel,
  stage: Stage,
  rows: readonly string[],
  given: string | null,
  of: SizeOf,
): { leaf: Loops; cost: number } {
  const free = stage.axes.filter((a) => !rows.includes(a));
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  let over = [...stage.over];
  const reads = readsOf(stage);
  const unordered = stage.order === null && reduced.every((d) => d.op !== 'argmax');
  if (unordered && over.length > 1) {
    const unit = (a: string): number => reads.filter((r) => stride(r.at, a) === 1).length;
    over.sort((a, b) => unit(a) - unit(b));
  }
  let vector: string | null = null;
  let cost = stageCost(kernel, stage, null, of)!;
  if (given === null) {
    const candidates = [...free, ...(unordered ? over.slice(-1) : [])];
    for (const axis of candidates) {
      if (!wideEnough(kernel, axis)) continue;
      const own = stageCost(kernel, stage, axis, of);
      if (own !== null && own < cost) {
        cost = own;
        vector = axis;
      }
    }
  }
  const isFree = vector !== null && free.includes(vector);
  const order = isFree ? [...free.filter((a) => a !== vector), vector!] : free;
  if (vector !== null && !isFree) over = [...over.filter((a) => a !== vector), vector];
  const heavy = rootsOf(stage).some((e) => hasHeavy(e));
  const fits = (n: number): boolean =>
    vector !== null && (asConst(kernel.axes.get(vector)!) ?? MACHINE.nominal) >= 4 * n;
  let count = 1;
  if (vector !== null && !isFree) count = fits(4) ? (heavy ? 2 : 4) : 1;
  else if (isFree && stage.order === null) {
    const wanted = stage.over.length > 0 ? (reduced.length > 2 ? 2 : 4) : heavy ? 1 : 2;
    count = fits(wanted) ? wanted : 1;
  }
  const leaf = { kind: 'loops', stage: stage.name, free: order, over, vector, count } as const;
  if (vector === null || isFree || heavy || !sharesAcross(kernel, stage, order.at(-1), reads)) return { leaf, cost };
  return { leaf: { ...leaf, ...MACHINE.dots }, cost };
}

/** Whether a sum of plain products is made for many points of an axis from something that they share: a vector with the rows of a matrix. */
function sharesAcross(kernel: Kernel, stage: Stage, axis: string | undefined, reads: readonly Read[]): boolean {
  if (axis === undefined || stage.each.length > 0 || (asConst(kernel.axes.get(axis)!) ?? 0) < 64) return false;
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const [sum] = reduced;
  if (reduced.length !== 1 || sum?.op !== 'sum' || sum.value.kind !== 'op' || sum.value.op !== 'mul') return false;
  const sides = sum.value.args.map((e) => mentions(e).has(axis));
  return sides.includes(true) && sides.includes(false) && reads.every((r) => r.dynamic.length === 0);
}

// ------------------------------------------------------------------------------------------------------------------------------- products

const isZero = (e: Expr): boolean => e.kind === 'const' && e.value === 0;

/** The stage as a product of matrices, where it is one that is large enough to be packed. */
export function productLeaf(
  kernel: Kernel,
  stage: Stage,
  of: SizeOf = nominal,
): Extract<WasmLeaf, { kind: 'product' }> | null {
  if (stage.over.length === 0 || stage.order !== null || stage.each.length > 0) return null;
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const sum = reduced[0];
  if (reduced.length !== 1 || sum?.op !== 'sum' || sum.init !== null || sum.value.dtype !== 'f32') return null;
  let term = sum.value;
  let guards: readonly Guard[] = [];
  if (term.kind === 'guarded' && isZero(term.outside)) {
    ({ guards } = term);
    term = term.inside;
  }
  if (term.kind !== 'op' || term.op !== 'mul') return null;
  const [a, b] = term.args as [Expr, Expr];
  if (hasValue(a) || hasValue(b)) return null;
  const [inA, inB] = [mentions(a), mentions(b)];
  // Plain values of the stage must not lie inside the reduction.
  for (const d of stage.defs.values())
    if (d.op === null && [...mentions(d.value)].some((s) => stage.over.includes(s))) return null;
  const onlyA = stage.axes.filter((s) => inA.has(s) && !inB.has(s));
  const onlyB = stage.axes.filter((s) => inB.has(s) && !inA.has(s));
  const batch = stage.axes.filter((s) => !onlyA.includes(s) && !onlyB.includes(s));
  if (onlyA.length === 0 || onlyB.length === 0) return null;
  if (!batch.every((s) => inA.has(s) && inB.has(s))) return null;
  const size = (axes: readonly string[]): number => axes.reduce((n, s) => n * extent(kernel, s, of), 1);
  const least = (axes: readonly string[]): number =>
    axes.reduce((n, s) => n * (asConst(kernel.axes.get(s)!) ?? MACHINE.nominal), 1);
  if (least(onlyA) < 4 || least(onlyB) < 4 || size(stage.over) < 6) return null;
  if (size(onlyA) * size(onlyB) * size(stage.over) < MACHINE.leastProduct) return null;
  // Guards go to the operand that has their axes.
  const split = (own: readonly string[], other: readonly string[]): Guard[] | null => {
    const mine: Guard[] = [];
    for (const g of guards) {
      const all = new Set([...names(g.e), ...names(g.lo), ...names(g.hi)]);
      const here = own.some((s) => all.has(s));
      const there = other.some((s) => all.has(s));
      if (here && there) return null;
      if (here) mine.push(g);
    }
    return mine;
  };
  const guardsA = split(onlyA, onlyB);
  const guardsB = split(onlyB, onlyA);
  if (guardsA === null || guardsB === null) return null;
  const rest = guards.filter((g) => !guardsA.includes(g) && !guardsB.includes(g));
  const sideA: ProductSide = { value: a, axes: onlyA, guards: [...guardsA, ...rest] };
  const sideB: ProductSide = { value: b, axes: onlyB, guards: guardsB };
  // Columns are what the results run along with stride 1, unless too much of their last panel is empty.
  const unit = (axes: readonly string[]): number =>
    stage.writes.filter((w) => axes.some((s) => stride(w.at, s) === 1)).length;
  const isAlong = unit(onlyB) >= unit(onlyA);
  const long = size(stage.over) >= MACHINE.longSum;
  const [along, across] = isAlong ? [onlyB, onlyA] : [onlyA, onlyB];
  const known = [along, across].every((axes) => axes.every((s) => asConst(kernel.axes.get(s)!) !== null));
  const turned =
    known && long && tilesTime(size(along), size(across)) < MACHINE.worthTurning * tilesTime(size(across), size(along));
  const [rowsSide, columnsSide] = isAlong !== turned ? [sideA, sideB] : [sideB, sideA];
  return {
    kind: 'product',
    stage: stage.name,
    batch,
    rows: rowsSide,
    columns: columnsSide,
    over: stage.over,
    tile: tileFor(size(rowsSide.axes)),
    unroll: MACHINE.unroll,
    few: { below: MACHINE.fewRows, leaf: fewLeaf(kernel, loopsLeaf(kernel, stage, [], null, of).leaf, batch) },
    block: blocksFor(size(rowsSide.axes), size(columnsSide.axes), size(stage.over)),
  };
}

/**
 * A few rows with each of several matrices (the keys of a model's heads): where lanes lie along the sum, the matrices come innermost. So each is a stream of its own through
 * memory, and what one waits for another does not. Rows of whole cache lines only: those of all matrices may fall to the same few places of a cache, and a line is to be used up
 * at once.
 */
function fewLeaf(kernel: Kernel, leaf: Loops, batch: readonly string[]): Loops {
  const { free, over, vector, points } = leaf;
  const [run] = over.slice(-1).map((a) => asConst(kernel.axes.get(a)!));
  const streams = batch.reduce((n, a) => n * (asConst(kernel.axes.get(a)!) ?? Infinity), 1);
  if (points !== undefined || vector === null || vector !== over.at(-1) || run == null) return leaf;
  if (run % MACHINE.line !== 0 || streams > MACHINE.mostStreams) return leaf;
  return { ...leaf, free: [...free.filter((a) => !batch.includes(a)), ...batch] };
}

// -------------------------------------------------------------------------------------------------------------------------------- streaming

const rowBuffers = (kernel: Kernel): ReadonlySet<number> =>
  new Set([...kernel.buffers.keys()].filter((k) => kernel.buffers[k]!.row));

/** What an expression varies with, buffers of the row with every row. */
function variesWith(kernel: Kernel, root: Expr): Set<string> {
  const found = mentions(root);
  const own = rowBuffers(kernel);
  walk([root], (e) => {
    if (e.kind === 'read' && own.has(e.buffer)) for (const a of kernel.rows ?? []) found.add(a);
  });
  return found;
}

/** The stage as a product of a block of rows: one operand has the block's axis, the other has the free axes that are no rows. */
export function blockProduct(
  kernel: Kernel,
  stage: Stage,
  block: string,
  of: SizeOf = nominal,
): Extract<WasmLeaf, { kind: 'product' }> | null {
  const rows = kernel.rows ?? [];
  const free = stage.axes.filter((a) => !rows.includes(a));
  if (stage.over.length === 0 || stage.order !== null || stage.each.length > 0 || free.length === 0) return null;
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const sum = reduced[0];
  if (reduced.length !== 1 || sum?.op !== 'sum' || sum.init !== null || sum.value.dtype !== 'f32') return null;
  const term = sum.value;
  if (term.kind !== 'op' || term.op !== 'mul') return null;
  for (const d of stage.defs.values())
    if (d.op === null && [...mentions(d.value)].some((s) => stage.over.includes(s))) return null;
  const sides = term.args.map((value) => ({ value, varies: variesWith(kernel, value) }));
  const a = sides.find((s) => s.varies.has(block));
  const b = sides.find((s) => !s.varies.has(block));
  if (a === undefined || b === undefined || hasValue(a.value) || hasValue(b.value)) return null;
  if (free.some((s) => a.varies.has(s)) || !free.every((s) => b.varies.has(s))) return null;
  if (free.reduce((n, s) => n * extent(kernel, s, of), 1) < 4) return null;
  return {
    kind: 'product',
    stage: stage.name,
    batch: rows.filter((r) => r !== block),
    rows: { value: a.value, axes: [block], guards: [] },
    columns: { value: b.value, axes: free, guards: [] },
    over: stage.over,
    tile: MACHINE.tile,
    unroll: MACHINE.unroll,
    few: { below: 0, leaf: loopsLeaf(kernel, stage, rows, null, of).leaf },
    block: [0, 0],
  };
}

function streamSchedule(kernel: Kernel, of: SizeOf, worth: number): WasmSchedule {
  const rows = kernel.rows ?? [];
  const loops = kernel.stages.map((s) => loopsLeaf(kernel, s, rows, null, of).leaf);
  let best: { readonly axis: string; readonly leaves: readonly WasmLeaf[]; readonly products: number } | null = null;
  for (const axis of rows) {
    const found = kernel.stages.map((s) => blockProduct(kernel, s, axis, of));
    const products = found.filter((p) => p !== null).length;
    const longer = best !== null && extent(kernel, axis, of) > extent(kernel, best.axis, of);
    if (products > 0 && (best === null || products > best.products || (products === best.products && longer)))
      best = { axis, leaves: found.map((p, k) => p ?? loops[k]!), products };
  }
  if (best === null) return { rows, vector: null, leaves: loops, share: null, block: null };
  const { axis, leaves } = best;
  const outer = rows.filter((r) => r !== axis);
  const work = kernel.stages
    .map((s) => [...s.axes, ...s.over].reduce<number>((n, a) => n * extent(kernel, a, of), MACHINE.multiplyAdd))
    .reduce((a, b) => a + b, 0);
  const share =
    work < worth
      ? null
      : (shareOfAxes(kernel, outer, kernel.stages.map(outward(kernel)), null, 1, of) ?? {
          axis,
          by: MACHINE.rowsTogether,
        });
  const wide = share !== null && 'axis' in share && share.axis !== axis && extent(kernel, share.axis, of) < 4;
  return {
    rows: [...outer, axis],
    vector: null,
    leaves,
    share: wide ? { axis, by: MACHINE.rowsTogether } : share,
    block: { axis, by: MACHINE.rowsTogether },
  };
}
