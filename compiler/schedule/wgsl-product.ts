/**
 * Products of matrices on a GPU, as data: the tile of results that a workgroup computes, the part of it that every thread holds in registers, how each
 * operand comes into workgroup memory, and into how many parts a long sum is cut. Chosen by a count of work and memory traffic, never by a timing.
 *
 * Not here: what a product is (`productLeaf` of wasm.ts), and the text (targets/wgsl/product.ts, skinny.ts).
 */
import { asConst, coefficientOf, evaluate, names, num, sub, terms, type Poly } from '../sizes/poly.ts';
import { partsOf } from '../kernel/parts.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';
import { productLeaf, type ProductSide } from './wasm.ts';
import type { SizeOf } from './wgsl.ts';

/**
 * How an operand's tile is loaded and kept. `along`: four neighbours of the summed axis (`depth`) or of the operand's own axis (`own`) lie in one vector, whichever
 * runs with stride 1. `vector`: they are one aligned load from memory, else four.
 */
export interface OperandLoad {
  readonly along: 'depth' | 'own';
  readonly vector: boolean;
}

/** Elements of a load of several words. */
export type Wide = 8 | 16;

interface Product {
  readonly stage: string;
  readonly batch: readonly string[];
  readonly rows: ProductSide;
  readonly columns: ProductSide;
  readonly over: readonly string[];
  readonly load: { readonly rows: OperandLoad; readonly columns: OperandLoad };
}

export interface TiledProduct extends Product {
  readonly kind: 'product';
  /** Results of a workgroup, and how much of the reduced axes lies in workgroup memory at a time. */
  readonly tile: readonly [rows: number, columns: number, depth: number];
  readonly threads: readonly [rows: number, columns: number];
  /** Threads beside each other in number lie so over the tile: what a subgroup reads from workgroup memory at once is little, and in different banks. */
  readonly patch: readonly [rows: number, columns: number];
  /** The sum is computed in so many parts by different workgroups; a second pass adds them. */
  readonly split: number;
  /** Four neighbours along the columns are finished and written together, as a vector. */
  readonly fours: boolean;
}

/** Few rows: every thread has a column, or four neighbours, and a part of the sum, for all rows; a workgroup adds the parts. */
export interface SkinnyProduct extends Product {
  readonly kind: 'skinny';
  /** The most rows there are. */
  readonly few: number;
  /** Threads along the columns of a workgroup, and parts of the sum; their product is its threads. */
  readonly across: number;
  readonly parts: number;
  /** Columns of a thread: several where the matrix is read in vectors along them. */
  readonly each: 1 | 4 | 8;
  /** Elements of a matrix stored in fewer bytes that one load brings; null: four, or one. */
  readonly wide: Wide | null;
  /** Elements (or vectors) of the matrix that a thread has on their way at once. */
  readonly ahead: number;
}

/** What is known, or assumed, of the device that tiles are chosen for: a wrong number of cores costs some time and never a result. */
export interface Device {
  /** Cores that workgroups are dealt out to. */
  readonly cores: number;
  /** Bindings of a kernel, one of them for the parts of sums. */
  readonly bindings: number;
  /** Bytes of workgroup memory. */
  readonly workgroup: number;
}

/** A device of which nothing is known. */
export const SOME_DEVICE: Device = { cores: 128, bindings: 8, workgroup: 2 ** 14 };

/** What a GPU is taken to be where choices are made. */
const GPU = {
  /** Multiplications and additions while a byte passes between memory and a core. */
  flopsPerByte: 15,
  /** Results that a core's registers hold at a time. */
  results: 2 ** 15,
  /** The most workgroups that a core computes side by side. */
  together: 16,
  /** Shorter parts of a sum are not worth a second pass. */
  leastPart: 256,
  mostParts: 32,
  /** Memory that they may take. */
  partBytes: 2 ** 26,
  /** So many columns of a product of few rows are more workgroups than there is room for. */
  manyColumns: 16_384,
} as const;

/**
 * Tiles: rows, columns, depth; threads; and the share of arithmetic in a thread's inner loop where there is enough to do. The more results a thread has, the less it reads
 * from workgroup memory for each product: 8 by 16 leave just enough registers for the operands that are on their way. More memory than every device
 * has (16 KiB) makes none quicker.
 */
export const TILES: readonly (readonly [
  tile: TiledProduct['tile'],
  threads: TiledProduct['threads'],
  share: number,
])[] = [
  [[128, 128, 16], [16, 8], 1.08],
  [[128, 64, 16], [16, 8], 0.92],
  [[64, 128, 16], [8, 16], 0.92],
  [[64, 64, 16], [8, 8], 0.88],
  [[32, 64, 16], [8, 16], 0.6],
  [[64, 32, 16], [16, 8], 0.6],
  [[32, 32, 16], [8, 8], 0.55],
];

/** What a second pass costs before it computes anything: so many multiplications and additions of a core (2 microseconds). */
const SECOND = 700_000;

/** Few rows are not worth a tile. */
const FEW = 8;

export function productPass(
  kernel: Kernel,
  stage: Stage,
  of: SizeOf,
  device: Device = SOME_DEVICE,
): TiledProduct | SkinnyProduct | null {
  const leaf = productLeaf(kernel, stage, of);
  if (leaf === null) return null;
  const size = (axes: readonly string[]): number =>
    axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
  const { batch } = leaf;
  let { rows, columns } = leaf;
  const k = size(leaf.over);
  if (size(columns.axes) <= FEW && size(rows.axes) > FEW) [rows, columns] = [columns, rows];
  const [m, n] = [size(rows.axes), size(columns.axes)];
  const over = overOrder(kernel, stage, rows, columns);
  const loadOf = (side: ProductSide): OperandLoad => operandLoad(kernel, side, over);
  const load = { rows: loadOf(rows), columns: loadOf(columns) };
  const common = { stage: stage.name, batch, rows, columns, over, load };
  if (m <= FEW) {
    if (k < 64) return null;
    return { kind: 'skinny', ...common, few: m, ...skinnyTile(kernel, columns, over.at(-1)!, load.columns, [n, k]) };
  }
  // A tile that is mostly empty is slower than plain rows.
  if (m < 16 || n < 16 || k < 16) return null;
  const canSplit = kernel.buffers.length < device.bindings;
  const room = GPU.partBytes / (4 * size(batch) * m * n);
  const most = canSplit ? Math.max(1, Math.floor(Math.min(GPU.mostParts, k / GPU.leastPart, room))) : 1;
  const { tile, threads, split } = bestTile(device.cores, size(batch), m, n, k, most);
  const fours = load.columns.vector && resultsByFour(kernel, stage, columns) !== null;
  return { kind: 'product', ...common, tile, threads, patch: patchOf(threads), split, fours };
}

/**
 * Memory is the limit, and waiting for it: as many threads as there may be, each with several loads on their way, and few columns a workgroup, so that there are many.
 * Neighbouring threads read neighbouring elements of the matrix.
 */
function skinnyTile(
  kernel: Kernel,
  side: ProductSide,
  unit: string,
  load: OperandLoad,
  [n, k]: readonly [number, number],
): Pick<SkinnyProduct, 'across' | 'parts' | 'each' | 'wide' | 'ahead'> {
  const vector = load.along === 'own' && load.vector;
  const wide = wideOf(kernel, side, load.along === 'own' ? side.axes.at(-1)! : unit);
  const loads = k / (load.along === 'depth' ? (wide ?? 4) : 1);
  const [across, parts] = load.along === 'depth' ? alongDepth(n, loads, wide) : vector ? [4, 64] : [16, 16];
  const rounds = loads / parts;
  const each = vector ? (wide ?? 4) : 1;
  return { across, parts, each, wide, ahead: Math.max(1, Math.min(4, Math.floor(rounds))) };
}

/** As measured on an H200: three loads a thread are soonest there, twelve where there are columns enough for all cores many times over. */
function alongDepth(n: number, loads: number, wide: Wide | null): readonly [across: number, parts: number] {
  const each = n >= GPU.manyColumns ? 12 : 3;
  const most = wide === null ? 64 : 128;
  const parts = Math.max(8, Math.min(most, 2 ** Math.floor(Math.log2(loads / each))));
  return [Math.min(16, 256 / parts), parts];
}

/** Thirty-two threads, as nearly square as they divide the tile's. */
export const patchOf = ([rows, columns]: TiledProduct['threads']): TiledProduct['patch'] =>
  rows % 4 === 0 && columns % 8 === 0 ? [4, 8] : rows % 8 === 0 && columns % 4 === 0 ? [8, 4] : [1, columns];

/** How much of a core so many threads keep busy: they wait for memory, and for each other. */
const busy = (threads: number): number =>
  threads <= 128
    ? threads / 256
    : threads <= 256
      ? 0.5 + (0.42 * (threads - 128)) / 128
      : Math.min(1, 0.92 + (0.08 * (threads - 256)) / 256);

/**
 * The tile, and the parts of the sum, of the least time. Workgroups come to a core in rounds, the last of which is half empty on average; with few threads a
 * core waits for memory; parts are written and read once more.
 */
function bestTile(
  cores: number,
  batch: number,
  m: number,
  n: number,
  k: number,
  most: number,
): Pick<TiledProduct, 'tile' | 'threads' | 'split'> {
  let best: Pick<TiledProduct, 'tile' | 'threads' | 'split'> | null = null;
  let least = Infinity;
  for (const [tile, threads, share] of TILES)
    for (let split = 1; split <= most; split++) {
      const [rows, columns, depth] = tile;
      const groups = (batch * Math.ceil(m / rows) * Math.ceil(n / columns) * split) / cores;
      const own = threads[0] * threads[1];
      const together = Math.min(GPU.together, GPU.results / (rows * columns));
      const whole = Math.floor(groups / together) * together;
      const last = whole > 0 && groups - whole < 0.02 ? 0 : Math.min(together, Math.max(1, groups - whole + 0.5));
      const rounds = whole / busy(own * together) + (last === 0 ? 0 : last / busy(own * last));
      const each = 2 * rows * columns * Math.ceil(k / split / depth) * depth;
      const parts = split > 1 ? (4 * (2 * split + 1) * batch * m * n * GPU.flopsPerByte) / cores + SECOND : 0;
      const time = (rounds * each) / share + parts;
      // Parts must be worth their memory.
      if (time * (split > 1 ? 1.05 : 1) < least) [least, best] = [time, { tile, threads, split }];
    }
  return best!;
}

// -------------------------------------------------------------------------------------------------------------------------------- operands

type Read = Extract<Expr, { kind: 'read' }>;

function readsOf(root: Expr): Read[] {
  const found: Read[] = [];
  const go = (e: Expr): void => {
    if (e.kind === 'read') found.push(e);
    else if (e.kind === 'op') e.args.forEach(go);
    else if (e.kind === 'guarded') [e.inside, e.outside].forEach(go);
  };
  go(root);
  return found;
}

/** How far an access moves with an axis: a constant, or null. */
function step(at: Poly, axis: string): number | null {
  const linear = coefficientOf(at, axis);
  return linear === null ? null : asConst(linear.coefficient);
}

/** Reads of a side that run with stride 1 along an axis; scales of what is stored in fewer bytes are few, and follow it. */
const steady = (kernel: Kernel, side: ProductSide, axis: string): number => {
  const isScale = (buffer: number): boolean => kernel.buffers.some((b) => b.scale?.buffer === buffer);
  return readsOf(side.value).filter((r) => !isScale(r.buffer) && step(r.at, axis) === 1).length;
};

/** Sums may be computed in any order of axes: what the operands run along comes last. */
function overOrder(kernel: Kernel, stage: Stage, rows: ProductSide, columns: ProductSide): readonly string[] {
  const own = (axis: string): number => {
    const fits = asConst(kernel.axes.get(axis)!) === null || asConst(kernel.axes.get(axis)!)! >= 4 ? 1 : 0;
    return fits * (steady(kernel, rows, axis) + steady(kernel, columns, axis));
  };
  return [...stage.over].sort((a, b) => own(a) - own(b));
}

export function operandLoad(kernel: Kernel, side: ProductSide, over: readonly string[]): OperandLoad {
  const [unit, mine] = [over.at(-1)!, side.axes.at(-1)!];
  const along = steady(kernel, side, mine) > 0 || steady(kernel, side, unit) === 0 ? 'own' : 'depth';
  return { along, vector: isAligned(kernel, side, along === 'own' ? mine : unit) };
}

/** What is read where an operand is no more than a read, or an integer that is stored in fewer bytes times its scale, which is that of four neighbours too. */
export function readByFour(kernel: Kernel, e: Expr): Read | null {
  if (e.kind === 'read') return e;
  if (e.kind !== 'op' || e.op !== 'mul') return null;
  for (const [q, scale] of [e.args, [e.args[1]!, e.args[0]!]] as const) {
    if (q!.kind !== 'read' || scale!.kind !== 'read') continue;
    const of = kernel.buffers[q!.buffer]!.scale;
    if (of !== undefined && of.buffer === scale!.buffer && of.group % 4 === 0) return q!;
  }
  return null;
}

type Storage = NonNullable<Kernel['buffers'][number]['storage']>;

/** Words of so many elements that are stored in fewer bytes. */
export const wideWords = (storage: Storage, by: Wide): 1 | 2 | 4 =>
  (by / { f16: 2, i8: 4, i4: 8 }[storage]) as 1 | 2 | 4;

/** Whether eight neighbours of what is stored in fewer bytes are one load, with one scale. */
function wideOf(kernel: Kernel, side: ProductSide, axis: string): 8 | null {
  const read = readByFour(kernel, side.value);
  if (read === null) return null;
  const { storage, scale } = kernel.buffers[read.buffer]!;
  if (storage === undefined || (scale !== undefined && scale.group % 8 !== 0)) return null;
  return isAligned(kernel, side, axis, 8) ? 8 : null;
}

/** Whether four (or more) neighbours along the axis, from a multiple of as many on, are neighbours in memory that begin at such a multiple. */
function isAligned(kernel: Kernel, side: ProductSide, axis: string, by = 4): boolean {
  const e = readByFour(kernel, side.value);
  if (e === null || e.dtype !== 'f32' || e.dynamic.length > 0) return false;
  const buffer = kernel.buffers[e.buffer]!;
  if (buffer.dtype !== 'f32' || buffer.row === true) return false;
  if (e.otherwise !== null && !(e.otherwise.kind === 'const' && e.otherwise.value === 0)) return false;
  if ([...e.guards, ...side.guards].some((g) => [g.e, g.lo, g.hi].some((p) => names(p).has(axis)))) return false;
  const linear = coefficientOf(e.at, axis);
  if (linear === null || asConst(linear.coefficient) !== 1 || names(linear.rest).has(axis)) return false;
  return isMultiple(linear.rest, by) && isMultiple(kernel.axes.get(axis)!, by);
}

/** Whether four neighbours along the axis, from a multiple of four on, lie so in memory. */
function isFour(kernel: Kernel, buffer: number, at: Poly, axis: string): boolean {
  const { dtype, storage, row } = kernel.buffers[buffer]!;
  if (dtype !== 'f32' || storage !== undefined || row === true) return false;
  const linear = coefficientOf(at, axis);
  return (
    linear !== null && asConst(linear.coefficient) === 1 && !names(linear.rest).has(axis) && isMultiple(linear.rest, 4)
  );
}

/** Reads beside a product's operands that are of four neighbours along its columns where the results are. */
export const readsByFour = (kernel: Kernel, stage: Stage, axis: string): Read[] =>
  finishRoots(stage)
    .flatMap((e) => readsOf(e))
    .filter((r) => r.dynamic.length === 0 && r.guards.length === 0 && isFour(kernel, r.buffer, r.at, axis));

/** What follows the sum, and what is written. */
const finishRoots = (stage: Stage): Expr[] => {
  const { before, last } = partsOf(stage);
  return [...[...before, ...last].map((name) => stage.defs.get(name)!.value), ...stage.writes.map((w) => w.value)];
};

/** The buffers that hold vectors where results are written four at a time; null: some result cannot be. */
export function resultsByFour(kernel: Kernel, stage: Stage, columns: ProductSide): ReadonlySet<number> | null {
  const axis = columns.axes.at(-1)!;
  if (kernel.stages.length > 1 || stage.each.length > 0 || !isMultiple(kernel.axes.get(axis)!, 4)) return null;
  const isWhole = stage.writes.every(
    (w) =>
      w.mode === 'store' && w.dynamic.length === 0 && w.guards.length === 0 && isFour(kernel, w.buffer, w.at, axis),
  );
  if (!isWhole) return null;
  return new Set([...stage.writes, ...readsByFour(kernel, stage, axis)].map((a) => a.buffer));
}

const isMultiple = (p: Poly, by: number): boolean => terms(p).every((t) => t.coefficient % by === 0);

// ---------------------------------------------------------------------------------------------------------------------------------- counts

export interface Traffic {
  /** Multiplications and additions. */
  readonly flops: number;
  /** Bytes between memory and workgroups, caches not counted. */
  readonly bytes: number;
}

/** Bytes of an element as a GPU keeps it. */
function widthOf(kernel: Kernel, buffer: number, halves: ReadonlySet<number>): number {
  const { storage } = kernel.buffers[buffer]!;
  if (halves.has(buffer)) return 2;
  return storage === undefined ? 4 : { f16: 2, i8: 1, i4: 0.5 }[storage];
}

/** `halves`: buffers that are kept as such. */
export function productTraffic(
  kernel: Kernel,
  pass: TiledProduct | SkinnyProduct,
  of: SizeOf,
  halves: ReadonlySet<number> = new Set(),
): Traffic {
  const size = (axes: readonly string[]): number =>
    axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
  const [batch, m, n, k] = [size(pass.batch), size(pass.rows.axes), size(pass.columns.axes), size(pass.over)];
  const flops = 2 * batch * m * n * k;
  const results = batch * m * n;
  const { writes } = kernel.stages.find((s) => s.name === pass.stage)!;
  const written = results * (writes.length > 0 && writes.every((w) => halves.has(w.buffer)) ? 2 : 4);
  const width = (side: ProductSide): number =>
    Math.max(0, ...readsOf(side.value).map((r) => widthOf(kernel, r.buffer, halves)));
  const [left, right] = [width(pass.rows), width(pass.columns)];
  if (pass.kind === 'skinny') return { flops, bytes: batch * k * (n * right + m * left) + written };
  const [rows, columns] = pass.tile;
  const tiles = Math.ceil(m / rows) * Math.ceil(n / columns);
  const operands = batch * tiles * (rows * left + columns * right) * k;
  const parts = pass.split > 1 ? 2 * pass.split * results : 0;
  return { flops, bytes: operands + 4 * parts + written };
}

export function workgroupBytes(pass: TiledProduct | SkinnyProduct): number {
  if (pass.kind === 'skinny') return 4 * pass.across * pass.parts * pass.each;
  const [rows, columns, depth] = pass.tile;
  return 4 * (rows + columns) * depth;
}

const loadText = (load: OperandLoad, wide: Wide | null = null): string =>
  `along ${load.along}${load.vector ? ` by ${wide ?? 4}` : ''}`;

export function printProduct(pass: TiledProduct | SkinnyProduct): string {
  const lists =
    `${pass.batch.length > 0 ? ` batch [${pass.batch.join(' ')}]` : ''} rows [${pass.rows.axes.join(' ')}] ${loadText(pass.load.rows)}` +
    ` columns [${pass.columns.axes.join(' ')}] ${loadText(pass.load.columns, pass.kind === 'skinny' ? pass.wide : null)} over [${pass.over.join(' ')}]`;
  if (pass.kind === 'skinny')
    return `${pass.stage}: product of ${pass.few} rows${lists} ${pass.across * pass.each} columns a workgroup, sums in ${pass.parts} parts, ${pass.ahead} loads ahead`;
  const [rows, columns] = pass.tile;
  const [a, b] = pass.threads;
  const split = pass.split > 1 ? `, sums in ${pass.split} parts` : '';
  return `${pass.stage}: product${lists} tile ${pass.tile.join('x')} of ${a * b} threads ${rows / a}x${columns / b} in ${workgroupBytes(pass)} bytes${split}${pass.fours ? ', results by 4' : ''}`;
}

/** Whether an extent surely is a multiple. */
export const divides = (extent: Poly, by: number): boolean => {
  const n = asConst(extent);
  return n === null ? terms(sub(extent, num(0))).every((t) => t.coefficient % by === 0) : n % by === 0;
};
