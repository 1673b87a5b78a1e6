/**
 * Products on the matrix units of a GPU, as data: subgroups multiply squares of 16 x 16 halves and sum them in f32. Only products whose operands are halves already (those of `precision f16`)
 * are computed so: nothing is rounded that was not, sums are f32 in another order. Asked for by an option, and taken at start only by devices that have such units; a kernel has its tiled
 * form beside this one.
 */
import type { Expr, Kernel } from '../kernel/types.ts';
import { evaluate } from '../sizes/poly.ts';
import type { SizeOf, WgslPass } from './wgsl.ts';
import type { TiledProduct } from './wgsl-product.ts';

export interface MatrixProduct {
  readonly kind: 'matrix';
  readonly product: TiledProduct;
  /** Results of a workgroup, and how much of the reduced axes lies in workgroup memory at a time. Four subgroups have a quarter of the results each. */
  readonly tile: readonly [rows: number, columns: number, depth: number];
}

/** Passes of a kernel, some of them on matrix units. */
export interface MatrixSchedule {
  readonly passes: readonly (WgslPass | MatrixProduct)[];
}

/** Rows, columns and depth of what a matrix unit multiplies; threads of a subgroup; subgroups. */
export const MATRIX = { side: 16, lanes: 32, subgroups: 4 } as const;
/** Halves between rows in workgroup memory, that keep them off each other's banks. */
export const MATRIX_GAP = 8;

/** As measured on an H200: 140 TFLOP/s of products of 4096 x 4096 with such a tile, where f32 has 37. */
const DEPTH = 32;
/** A tile that is mostly empty is slower than the plain form. */
const LEAST = 48;
const ENOUGH = 96;

/** `halves`: whether what a read reads is halves. Null: not for matrix units. */
export function matrixPass(
  kernel: Kernel,
  product: TiledProduct,
  of: SizeOf,
  halves: (e: Expr) => boolean,
): MatrixProduct | null {
  if (!halves(product.rows.value) || !halves(product.columns.value)) return null;
  const size = (axes: readonly string[]): number =>
    axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
  const [batch, m, n] = [size(product.batch), size(product.rows.axes), size(product.columns.axes)];
  if (Math.min(m, n) < LEAST) return null;
  // The large tile, where there are enough of them for all cores.
  const large = batch * Math.ceil(m / 128) * Math.ceil(n / 128) * product.split;
  const side = large >= ENOUGH ? 128 : 64;
  return { kind: 'matrix', product, tile: [side, side, DEPTH] };
}

/**
 * Whether an expression has values of f16 only: rounded to them, stored so, or read from a buffer that holds them.
 */
export function holdsHalves(kernel: Kernel, known: (buffer: number) => boolean, e: Expr): boolean {
  const go = (x: Expr): boolean => {
    if (x.dtype === 'f16') return x.kind === 'read' || (x.kind === 'op' && x.op === 'cast');
    if (x.kind === 'const') return x.value === 0;
    if (x.kind === 'op') return x.op === 'cast' && x.args[0]!.dtype === 'f16' && go(x.args[0]!);
    if (x.kind !== 'read' || !(x.otherwise === null || go(x.otherwise))) return false;
    return kernel.buffers[x.buffer]!.storage === 'f16' || known(x.buffer);
  };
  return go(e);
}

/** Halves of workgroup memory that a tile of one operand takes. */
export const matrixHalves = (width: number, depth: number, along: 'depth' | 'own'): number =>
  along === 'own' ? depth * (width + MATRIX_GAP) : width * (depth + MATRIX_GAP);

/** Bytes of workgroup memory: both tiles, and a strip of results for each subgroup. */
export function matrixBytes({ product: { load }, tile: [rows, columns, depth] }: MatrixProduct): number {
  const halves = matrixHalves(rows, depth, load.rows.along) + matrixHalves(columns, depth, load.columns.along);
  return 2 * halves + 4 * STRIP * MATRIX.subgroups;
}

/** Results of a subgroup that lie in workgroup memory at a time, on their way out: 16 rows of 32. */
export const STRIP = MATRIX.side * MATRIX.lanes;

export const printMatrix = (pass: MatrixProduct): string =>
  `${pass.product.stage}: product on matrix units, tile ${pass.tile.join('x')} of ${MATRIX.lanes * MATRIX.subgroups} threads in ${matrixBytes(pass)} bytes`;
