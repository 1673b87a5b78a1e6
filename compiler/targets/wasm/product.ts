import type { Stage } from '../../kernel/types.ts';
import type { WasmLeaf } from '../../schedule/wasm.ts';
import type { KernelEmitter } from './kernel.ts';
import type { TileShape } from "./tile.ts";
export interface ProductContext {
  readonly tile: (shape: TileShape) => number;
  readonly relaxed: boolean;
}
export function emitProduct(_k: KernelEmitter, _leaf: Extract<WasmLeaf, { kind: 'product' }>, _stage: Stage, _context: ProductContext): void {
  throw new Error('not yet');
}
export function workspaceBytes(_k: unknown, _s: unknown, _e: unknown): number { return 0; }
