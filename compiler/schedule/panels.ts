/** Panels of a product's packed operands: how high a register tile is, and so how many points stand side by side. */
import { MACHINE } from './machine.ts';
import type { WasmLeaf } from './wasm.ts';

/**
 * The tile for so many rows. A low tile takes longer a row, so where there are few panels it counts how full the last one is: 16 rows are sooner done in
 * four panels of four than in three of five and one of a row; 32 are not.
 */
export function tileFor(rows: number): readonly [number, number] {
  const { tile, tileTime, fewPanels } = MACHINE;
  const [height, width] = tile;
  const time = (h: number): number => Math.floor(rows / h) * tileTime[h]! + tileTime[rows % h]!;
  return rows <= fewPanels * height && time(height - 1) < time(height) ? [height - 1, width] : tile;
}

/** Of all tiles of a product with so many rows and columns, a full one taken as 1. */
export function tilesTime(rows: number, columns: number): number {
  const [height, width] = tileFor(rows);
  const { tileTime } = MACHINE;
  return (Math.floor(rows / height) * tileTime[height]! + tileTime[rows % height]!) * Math.ceil(columns / width);
}

/**
 * Greatest bytes of packed blocks of rows and of columns. Blocks of columns are few columns where sums are long, and rows that do not fit into one block are packed
 * again for each: a product with a vocabulary's length would do little else. There all rows are one block, as far as caches reach, or the columns' blocks are larger.
 */
export function blocksFor(rows: number, columns: number, length: number): readonly [number, number] {
  const { block, largeBlocks, enoughColumns, tile } = MACHINE;
  const [height, width] = tile;
  const together = Math.max(width, Math.floor(block[1] / (4 * width * length)) * width);
  const needed = 4 * (rows + height) * length;
  if (together >= Math.min(columns, enoughColumns) || needed <= block[0]) return block;
  const fits = largeBlocks.find((bytes) => needed <= bytes);
  return fits === undefined ? [block[0], largeBlocks.at(-1)!] : [fits, block[1]];
}

/** Points of an operand that a panel has. */
export const widthOf = (leaf: Extract<WasmLeaf, { kind: 'product' }>, side: 'rows' | 'columns'): number =>
  leaf.tile[side === 'rows' ? 0 : 1];
