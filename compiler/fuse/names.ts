/** Readable names of kernels and buffers, from the calls in the source and the operations. */
import type { OriginId, Origins } from '../graph/origin.ts';
import type { Node } from '../graph/types.ts';

const snake = (s: string): string =>
  s
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();

/** The innermost called block or function around an origin, and whether a gradient stands in between. */
function callee(origins: Origins, origin: OriginId): { readonly name: string | null; readonly gradient: boolean } {
  let gradient = false;
  for (let id: OriginId | null = origin, k = 0; id !== null && k < 64; k++) {
    const row = origins.get(id);
    if (row.via.startsWith('gradient')) gradient = true;
    if (row.via.startsWith('call ')) return { name: snake(row.via.slice(5)), gradient };
    id = row.parent;
  }
  return { name: null, gradient };
}

export function operationName(node: Node): string {
  if (node.op === 'contract') return 'product';
  if (node.op === 'reduce') return node.attrs.op;
  return node.op;
}

const MAX_WORDS = 3;

/** `linear_relu`, `softmax`, `linear_gradient`: the calls of the units, in order; the operations where there are none. */
export function kernelName(origins: Origins, nodes: readonly Node[]): string {
  const words: string[] = [];
  let gradient = false;
  for (const node of nodes) {
    const found = callee(origins, node.origin);
    gradient ||= found.gradient;
    const word = found.name ?? operationName(node);
    if (!words.includes(word)) words.push(word);
  }
  const shown = words.length > MAX_WORDS ? [...words.slice(0, MAX_WORDS - 1), words.at(-1)!] : words;
  return shown.join('_') + (gradient ? '_gradient' : '');
}
