/**
 * Products of matrices on a GPU, as data: the tile of results that a workgroup computes, the part of it that every thread holds in registers, how each
 * operand comes into workgroup memory, and into how many parts a long sum is cut. Chosen by a count of work and memory traffic, never by a timing.
 *
 * Not here: what a product is (`productLeaf` of wasm.ts), and the text (targets/wgsl/product.ts, skinny.ts).
 */
import { asConst, coefficientOf, evaluate, names, num, sub, terms, type Poly } from '../sizes/poly.ts';
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
  /** The sum is computed in so many parts by different workgroups; a second pass adds them. */
  readonly split: number;
}

/** Few rows: every thread has a column and a part of the sum, for all rows; a workgroup adds the parts. */
export interface SkinnyProduct extends Product {
  readonly kind: 'skinny';
  /** The most rows there are. */
  readonly few: number;
  /** Columns of a workgroup, and parts of the sum; their product is its threads. */
  readonly across: number;
  readonly parts: number;
}

/** What a GPU is taken to be where choices are made: a wrong number costs some time and never a result. */
const GPU = {
  /** Cores that workgroups are dealt out to. */
  cores: 128,
  /** Threads that keep a core busy. */
  threads: 256,
  /** Shorter parts of a sum are not worth a second pass. */
  leastPart: 256,
  mostParts: 32,
} as const;

/** Tiles: rows, columns, depth; threads; and the share of arithmetic in a thread's inner loop (a larger square loads less for each product). */
export const TILES: readonly (readonly [
  tile: TiledProduct['tile'],
  threads: TiledProduct['threads'],
  share: number,
])[] = [
  [[128, 128, 8], [16, 16], 1],
  [[128, 64, 8], [16, 16], 0.85],
  [[64, 128, 8], [16, 16], 0.85],
  [[64, 64, 16], [16, 16], 0.7],
  [[32, 64, 16], [8, 16], 0.6],
  [[64, 32, 16], [16, 8], 0.6],
  [[32, 32, 16], [8, 8], 0.5],
];

/** Few rows are not worth a tile. */
const FEW = 8;

export function productPass(kernel: Kernel, stage: Stage, of: SizeOf): TiledProduct | SkinnyProduct | null {
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
    // Neighbouring threads read neighbouring elements of the matrix.
    const across = load.columns.along === 'own' ? 32 : 4;
    return { kind: 'skinny', ...common, few: m, across, parts: 128 / across };
  }
  // A tile that is mostly empty is slower than plain rows.
  if (m < 16 || n < 16 || k < 16) return null;
  const [tile, threads] = bestTile(size(batch), m, n);
  const groups = size(batch) * Math.ceil(m / tile[0]) * Math.ceil(n / tile[1]);
  // The parts lie in one more binding.
  const wanted =
    kernel.buffers.length >= 8 ? 1 : Math.floor(Math.min(GPU.mostParts, (2 * GPU.cores) / groups, k / GPU.leastPart));
  return { kind: 'product', ...common, tile, threads, split: wanted >= 2 ? wanted : 1 };
}

function bestTile(batch: number, m: number, n: number): readonly [TiledProduct['tile'], TiledProduct['threads']] {
  let best = TILES.at(-1)!;
  let least = Infinity;
  for (const candidate of TILES) {
    const [[rows, columns], [a, b], share] = candidate;
    const groups = batch * Math.ceil(m / rows) * Math.ceil(n / columns);
    const each = Math.max(1, groups / GPU.cores);
    const busy = Math.min(1, (a * b * Math.min(8, each)) / GPU.threads);
    const cost = (each * rows * columns) / (share * busy);
    if (cost < least) [least, best] = [cost, candidate];
  }
  return [best[0], best[1]];
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

/** Reads of a side that run with stride 1 along an axis. */
const steady = (side: ProductSide, axis: string): number =>
  readsOf(side.value).filter((r) => step(r.at, axis) === 1).length;

/** Sums may be computed in any order of axes: what the operands run along comes last. */
function overOrder(kernel: Kernel, stage: Stage, rows: ProductSide, columns: ProductSide): readonly string[] {
  const own = (axis: string): number => {
    const fits = asConst(kernel.axes.get(axis)!) === null || asConst(kernel.axes.get(axis)!)! >= 4 ? 1 : 0;
    return fits * (steady(rows, axis) + steady(columns, axis));
  };
  return [...stage.over].sort((a, b) => own(a) - own(b));
}

export function operandLoad(kernel: Kernel, side: ProductSide, over: readonly string[]): OperandLoad {
  const [unit, mine] = [over.at(-1)!, side.axes.at(-1)!];
  const along = steady(side, mine) > 0 || steady(side, unit) === 0 ? 'own' : 'depth';
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

/** Whether four neighbours along the axis, from a multiple of four on, are four neighbours in memory that begin at a multiple of 16 bytes. */
function isAligned(kernel: Kernel, side: ProductSide, axis: string): boolean {
  const e = readByFour(kernel, side.value);
  if (e === null || e.dtype !== 'f32' || e.dynamic.length > 0) return false;
  const buffer = kernel.buffers[e.buffer]!;
  if (buffer.dtype !== 'f32' || buffer.row === true) return false;
  if (e.otherwise !== null && !(e.otherwise.kind === 'const' && e.otherwise.value === 0)) return false;
  if ([...e.guards, ...side.guards].some((g) => [g.e, g.lo, g.hi].some((p) => names(p).has(axis)))) return false;
  const linear = coefficientOf(e.at, axis);
  if (linear === null || asConst(linear.coefficient) !== 1 || names(linear.rest).has(axis)) return false;
  return isMultiple(linear.rest) && isMultiple(kernel.axes.get(axis)!);
}

const isMultiple = (p: Poly): boolean => terms(p).every((t) => t.coefficient % 4 === 0);

// ---------------------------------------------------------------------------------------------------------------------------------- counts

export interface Traffic {
  /** Multiplications and additions. */
  readonly flops: number;
  /** Bytes between memory and workgroups, caches not counted. */
  readonly bytes: number;
}

/** Bytes of an element as a GPU keeps it. */
function widthOf(kernel: Kernel, buffer: number): number {
  const { storage } = kernel.buffers[buffer]!;
  return storage === undefined ? 4 : { f16: 2, i8: 1, i4: 0.5 }[storage];
}

export function productTraffic(kernel: Kernel, pass: TiledProduct | SkinnyProduct, of: SizeOf): Traffic {
  const size = (axes: readonly string[]): number =>
    axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
  const [batch, m, n, k] = [size(pass.batch), size(pass.rows.axes), size(pass.columns.axes), size(pass.over)];
  const flops = 2 * batch * m * n * k;
  const results = batch * m * n;
  const width = (side: ProductSide): number =>
    Math.max(0, ...readsOf(side.value).map((r) => widthOf(kernel, r.buffer)));
  const [left, right] = [width(pass.rows), width(pass.columns)];
  if (pass.kind === 'skinny') return { flops, bytes: batch * k * (n * right + m * left) + 4 * results };
  const [rows, columns] = pass.tile;
  const tiles = Math.ceil(m / rows) * Math.ceil(n / columns);
  const operands = batch * tiles * (rows * left + columns * right) * k;
  const parts = pass.split > 1 ? 2 * pass.split * results : 0;
  return { flops, bytes: operands + 4 * (parts + results) };
}

/** Workgroup memory of a tile of one operand, in vectors of four; a column more keeps threads off each other's banks. */
export const tileVectors = (width: number, depth: number, load: OperandLoad): number =>
  load.along === 'own' ? (width / 4) * depth : width * (depth / 4 + 1);

export function workgroupBytes(pass: TiledProduct | SkinnyProduct): number {
  if (pass.kind === 'skinny') return 4 * pass.across * pass.parts;
  const [rows, columns, depth] = pass.tile;
  return 16 * (tileVectors(rows, depth, pass.load.rows) + tileVectors(columns, depth, pass.load.columns));
}

const loadText = (load: OperandLoad): string => `along ${load.along}${load.vector ? ' by 4' : ''}`;

export function printProduct(pass: TiledProduct | SkinnyProduct): string {
  const lists =
    `${pass.batch.length > 0 ? ` batch [${pass.batch.join(' ')}]` : ''} rows [${pass.rows.axes.join(' ')}] ${loadText(pass.load.rows)}` +
    ` columns [${pass.columns.axes.join(' ')}] ${loadText(pass.load.columns)} over [${pass.over.join(' ')}]`;
  if (pass.kind === 'skinny')
    return `${pass.stage}: product of ${pass.few} rows${lists} ${pass.across} columns a workgroup, sums in ${pass.parts} parts`;
  const [rows, columns] = pass.tile;
  const [a, b] = pass.threads;
  const split = pass.split > 1 ? `, sums in ${pass.split} parts` : '';
  return `${pass.stage}: product${lists} tile ${pass.tile.join('x')} of ${a * b} threads ${rows / a}x${columns / b} in ${workgroupBytes(pass)} bytes${split}`;
}

/** Whether an extent surely is a multiple. */
export const divides = (extent: Poly, by: number): boolean => {
  const n = asConst(extent);
  return n === null ? terms(sub(extent, num(0))).every((t) => t.coefficient % by === 0) : n % by === 0;
};
