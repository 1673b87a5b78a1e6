/**
 * The register tile of a product: `rows` x 8 results in accumulators over packed panels, as one function a number of rows.
 *
 * V8 before 12 moves all loads of a basic block to its top, and the accumulators then spill. A branch that is never taken (a fence) after every
 * few rows ends the block; it must lead to where the accumulators are used. Pointers move on after every step for the same reason.
 */
import { ModuleBuilder, type FunctionBody, type Signature } from './encoder.ts';
import { Fn } from './function.ts';

export interface TileShape {
  readonly rows: number;
  readonly unroll: number;
  readonly fence: number;
}

/** Elements a step of K takes in the packed panels: of rows, of columns. */
export const PANEL = { rows: 5, columns: 8 } as const;

/** (panel of rows, panel of columns, length of K, results, bytes between rows of results, bytes a step of the panel of rows) */
export const tileSignature: Signature = { parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], results: [] };

export function tileFunction(shape: TileShape, relaxed: boolean): FunctionBody {
  const { rows, unroll, fence } = shape;
  const fn = new Fn(tileSignature);
  const { code } = fn;
  const [a, b, k, c, pitch, stepA] = [0, 1, 2, 3, 4, 5] as const;
  const sums = Array.from({ length: rows }, () => [fn.local('v128'), fn.local('v128')] as const);
  const b0 = fn.local('v128');
  const b1 = fn.local('v128');
  const one = fn.local('v128');
  const count = fn.local('i32');

  const step = (exit: number): void => {
    code.get(b);
    code.access('v128.load', 0);
    code.set(b0);
    code.get(b);
    code.access('v128.load', 16);
    code.set(b1);
    for (const [row, pair] of sums.entries()) {
      code.get(a);
      code.access('v128.load32_splat', 4 * row);
      code.set(one);
      for (const [half, sum] of pair.entries()) {
        if (relaxed) {
          code.get(one);
          code.get(half === 0 ? b0 : b1);
          code.get(sum);
          code.op('f32x4.relaxed_madd');
        } else {
          code.get(sum);
          code.get(one);
          code.get(half === 0 ? b0 : b1);
          code.op('f32x4.mul');
          code.op('f32x4.add');
        }
        code.set(sum);
      }
      if (fence > 0 && (row + 1) % fence === 0 && row + 1 < rows) {
        code.get(b);
        code.op('i32.eqz');
        code.brIf(exit);
      }
    }
    code.get(a);
    code.get(stepA);
    code.op('i32.add');
    code.set(a);
    code.get(b);
    code.i32(4 * PANEL.columns);
    code.op('i32.add');
    code.tee(b);
    // The fence between two steps.
    code.op('i32.eqz');
    code.brIf(exit);
  };
  const loop = (steps: number, rounds: () => void): void => {
    rounds();
    code.tee(count);
    code.if();
    code.loop();
    for (let u = 0; u < steps; u++) step(2);
    code.get(count);
    code.i32(1);
    code.op('i32.sub');
    code.tee(count);
    code.brIf(0);
    code.end();
    code.end();
  };
  code.block();
  if (unroll > 1) {
    loop(unroll, () => {
      code.get(k);
      code.i32(Math.log2(unroll));
      code.op('i32.shr_u');
    });
    loop(1, () => {
      code.get(k);
      code.i32(unroll - 1);
      code.op('i32.and');
    });
  } else loop(1, () => code.get(k));
  code.end();
  for (const [row, pair] of sums.entries()) {
    for (const [half, sum] of pair.entries()) {
      code.get(c);
      code.get(sum);
      code.access('v128.store', 16 * half);
    }
    if (row + 1 === rows) break;
    code.get(c);
    code.get(pitch);
    code.op('i32.add');
    code.set(c);
  }
  return fn.done();
}

/** The parameters of a tile's function, the number of rows, how many tiles beside each other, bytes of a panel of columns. */
export const tilesSignature: Signature = { parameters: Array.from({ length: 9 }, () => 'i32'), results: [] };

/** `tile`: the function of a tile of so many rows. */
export function tilesFunction(tile: (rows: number) => number): FunctionBody {
  const fn = new Fn(tilesSignature);
  const [b, c, height, count, panel] = [1, 3, 6, 7, 8] as const;
  for (let rows = PANEL.rows; rows >= 1; rows--) {
    fn.code.get(height);
    fn.code.i32(rows);
    fn.code.op('i32.eq');
    fn.if(() =>
      fn.for(0, { local: count }, 1, () => {
        const { code } = fn;
        for (const k of tileSignature.parameters.keys()) code.get(k);
        code.call(tile(rows));
        code.get(b);
        code.get(panel);
        code.op('i32.add');
        code.set(b);
        code.get(c);
        code.i32(4 * PANEL.columns);
        code.op('i32.add');
        code.set(c);
      }),
    );
  }
  return fn.done();
}

/** What a module with products imports for a tile of so many rows. */
export const tileName = (rows: number): string => `t${rows}`;

/**
 * How the tiles are looped. Measured on Zen 4 with V8 11.3 (bench/wasm/tile.mjs): a full tile is slower with more steps written out, whatever the fences; lower
 * ones, of which the loop's own instructions are a greater part, are a sixth to a fifth quicker with two, a single row with four.
 */
export const tileLoop = (rows: number): { readonly unroll: number; readonly fence: number } => ({
  unroll: rows === PANEL.rows ? 1 : rows > 1 ? 2 : 4,
  fence: 0,
});

/**
 * The tiles of every height as a module of their own, so that an engine with relaxed SIMD can be given those with fused multiply-add:
 * results then differ from the others' by rounding.
 */
export function tileModule(relaxed: boolean): Uint8Array<ArrayBuffer> {
  const builder = new ModuleBuilder({ pages: 1, shared: false });
  for (let rows = 1; rows <= PANEL.rows; rows++)
    builder.define(builder.declare(tileSignature, tileName(rows)), tileFunction({ rows, ...tileLoop(rows) }, relaxed));
  return builder.encode();
}
