/**
 * Products with weights that are kept as integers, as products of integers: y[r, n] = sum over k of x[r, k] * q[n, k] * s[n, group of k]. Every row of x
 * is rounded to integers in blocks with a scale of their own; dots of 16-bit integers are exact, and blocks are added in f32. So each weight is
 * read once, unpacked by one instruction at most, and never becomes an f32: where a row is multiplied with a matrix, memory is the limit.
 *
 * Rounding x is off by at most the largest |x| of its block / (2 m) for every term, m being 32767 with weights of a byte and 1927 with those of half a byte: 2^-16 and 2^-11.9,
 * far below what the weights have lost (2^-8 and 2^-3.8 of the largest of their group).
 */
import { asConst, coefficientOf, evaluate, mul, names, num, ZERO, type Poly } from '../sizes/poly.ts';
import { polysOf, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';

export interface DotsLeaf {
  readonly kind: 'dots';
  readonly stage: string;
  readonly batch: readonly [];
  readonly rows: { readonly axes: readonly string[] };
  /** In the order of the rows of the matrix in memory. */
  readonly columns: { readonly axes: readonly string[] };
  /** In the order of the elements of a row of the matrix. */
  readonly over: readonly string[];
  readonly x: Expr;
  readonly storage: 'i8' | 'i4';
  /** Buffers. */
  readonly weights: number;
  readonly scales: number;
  /** Elements of a row, of a block of x, and of what shares a scale. */
  readonly length: number;
  readonly block: number;
  readonly group: number;
}

/** Columns that are computed one after the other, before what follows the sum: of one row of x, of several. */
export const COLUMNS = { one: 4096, several: 512 } as const;
/** Elements that one vector of weights holds. */
export const CHUNK = { i8: 16, i4: 32 } as const;
/** What the largest |x| of a block becomes: 1927, since seventeen times that are 16 bits (targets/wasm/dots-library.ts). */
export const GREATEST = { i8: 32767, i4: 1927 } as const;
/** Dots of so many elements stay within 32 bits: a lane has a quarter of them, 256 products of 127 * 32767, or of 8 * 1927. */
const GREATEST_BLOCK = 1024;
const USUAL_BLOCK = 512;

function mentions(root: Expr): Set<string> {
  const found = new Set<string>();
  walk([root], (e) => {
    for (const p of polysOf(e)) for (const s of names(p)) found.add(s);
    if (e.kind === 'value') found.add('=');
  });
  return found;
}

/** Axes by their coefficients, greatest first, if they run through memory row by row with steps of `unit`. */
function rowMajor(kernel: Kernel, at: Poly, axes: readonly string[], unit: Poly): string[] | null {
  const left = new Map<string, Poly>();
  for (const axis of axes) {
    const linear = coefficientOf(at, axis);
    if (linear === null) return null;
    left.set(axis, linear.coefficient);
  }
  const order: string[] = [];
  let step = unit;
  while (left.size > 0) {
    const next = [...left].find(([, coefficient]) => coefficient === step);
    if (next === undefined) return null;
    left.delete(next[0]);
    order.unshift(next[0]);
    step = mul(step, kernel.axes.get(next[0])!);
  }
  return order;
}

/** The greatest part of a length that divides it, is made of whole vectors and is not too long. */
function blockOf(length: number, chunk: number): number | null {
  for (let block = Math.floor(Math.min(USUAL_BLOCK, length) / chunk) * chunk; block > 0; block -= chunk)
    if (length % block === 0) return block;
  return null;
}

export function dotsLeaf(kernel: Kernel, stage: Stage): DotsLeaf | null {
  if (stage.over.length === 0 || stage.order !== null || stage.each.length > 0) return null;
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const sum = reduced[0];
  if (reduced.length !== 1 || sum?.op !== 'sum' || sum.init !== null || sum.value.dtype !== 'f32') return null;
  for (const d of stage.defs.values())
    if (d.op === null && stage.over.some((axis) => mentions(d.value).has(axis))) return null;
  if (sum.value.kind !== 'op' || sum.value.op !== 'mul') return null;
  for (const [w, x] of [sum.value.args, [...sum.value.args].reverse()] as [Expr, Expr][]) {
    const leaf = matched(kernel, stage, w, x);
    if (leaf !== null) return leaf;
  }
  return null;
}

function matched(kernel: Kernel, stage: Stage, w: Expr, x: Expr): DotsLeaf | null {
  if (w.kind !== 'op' || w.op !== 'mul' || x.dtype !== 'f32') return null;
  const [q, s] = w.args as [Expr, Expr];
  if (q.kind !== 'read' || s.kind !== 'read' || q.guards.length > 0 || q.dynamic.length > 0) return null;
  const { storage, scale } = kernel.buffers[q.buffer]!;
  if (storage === undefined || storage === 'f16' || scale?.buffer !== s.buffer) return null;
  const inX = mentions(x);
  if (inX.has('=')) return null;
  const inQ = names(q.at);
  const columns = stage.axes.filter((axis) => inQ.has(axis));
  const rows = stage.axes.filter((axis) => !inQ.has(axis));
  if (columns.length === 0 || columns.some((axis) => inX.has(axis))) return null;
  if (stage.over.some((axis) => !inQ.has(axis))) return null;
  const extents = stage.over.map((axis) => asConst(kernel.axes.get(axis)!));
  if (extents.includes(null)) return null;
  const length = (extents as number[]).reduce((n, extent) => n * extent, 1);
  const over = rowMajor(kernel, q.at, stage.over, num(1));
  const ordered = rowMajor(kernel, q.at, columns, num(length));
  if (over === null || ordered === null) return null;
  let rest = q.at;
  for (const axis of [...over, ...ordered]) ({ rest } = coefficientOf(rest, axis)!);
  if (rest !== ZERO) return null;
  const chunk = CHUNK[storage];
  const { group } = scale;
  if (length % chunk !== 0 || length % group !== 0) return null;
  const block = group < length ? group : blockOf(length, chunk);
  if (block === null || block % chunk !== 0 || block > GREATEST_BLOCK) return null;
  return {
    kind: 'dots',
    stage: stage.name,
    batch: [],
    rows: { axes: rows },
    columns: { axes: ordered },
    over,
    x,
    storage,
    weights: q.buffer,
    scales: s.buffer,
    length,
    block,
    group,
  };
}

/** Bytes in the workspace, from its beginning: a row of x as f32, then every row as integers, a block after the other with what stands around it. */
export function dotsLayout({ length, block }: DotsLeaf): { readonly values: number; readonly row: number } {
  return { values: 4 * length, row: (length / block) * (2 * block + 32) };
}

export function dotsBytes(kernel: Kernel, leaf: DotsLeaf, of: (size: string) => number): number {
  const rows = leaf.rows.axes.reduce((n, axis) => n * evaluate(kernel.axes.get(axis)!, of), 1);
  const { values, row } = dotsLayout(leaf);
  // The strip of results, and margins.
  return values + rows * row + 4 * COLUMNS.one + 256;
}
