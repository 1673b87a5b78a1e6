/**
 * Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). A number is a pure function of (key, counter), so every target and any number of threads draw the same ones, in any order.
 *
 * Plain functions over 32-bit integers without allocation and without imports: the compiler embeds this text in what it emits.
 * It is not a cryptographic generator, and it holds no state.
 */

/** First word of Threefry-2x32-20 under key (k0, k1) at counter (c0, c1), as an unsigned 32-bit integer. */
export function threefryWord0(k0: number, k1: number, c0: number, c1: number): number {
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  let x = (c0 + k0) | 0;
  let y = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    const even = (group & 1) === 0;
    x = (x + y) | 0;
    y = even ? (y << 13) | (y >>> 19) : (y << 17) | (y >>> 15);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 15) | (y >>> 17) : (y << 29) | (y >>> 3);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 26) | (y >>> 6) : (y << 16) | (y >>> 16);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 6) | (y >>> 26) : (y << 24) | (y >>> 8);
    y ^= x;
    // Key injection number g = group + 1: words (g mod 3) and (g + 1 mod 3) of the key, and g itself.
    x = (x + (group === 0 || group === 3 ? k1 : group === 1 || group === 4 ? k2 : k0)) | 0;
    y = (y + (group === 0 || group === 3 ? k2 : group === 1 || group === 4 ? k0 : k1) + group + 1) | 0;
  }
  return x >>> 0;
}

/** Second word of Threefry-2x32-20 under key (k0, k1) at counter (c0, c1), as an unsigned 32-bit integer. */
export function threefryWord1(k0: number, k1: number, c0: number, c1: number): number {
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  let x = (c0 + k0) | 0;
  let y = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    const even = (group & 1) === 0;
    x = (x + y) | 0;
    y = even ? (y << 13) | (y >>> 19) : (y << 17) | (y >>> 15);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 15) | (y >>> 17) : (y << 29) | (y >>> 3);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 26) | (y >>> 6) : (y << 16) | (y >>> 16);
    y ^= x;
    x = (x + y) | 0;
    y = even ? (y << 6) | (y >>> 26) : (y << 24) | (y >>> 8);
    y ^= x;
    x = (x + (group === 0 || group === 3 ? k1 : group === 1 || group === 4 ? k2 : k0)) | 0;
    y = (y + (group === 0 || group === 3 ? k2 : group === 1 || group === 4 ? k0 : k1) + group + 1) | 0;
  }
  return y >>> 0;
}

/** A number in [0, 1) from the upper 24 bits of a word: every result is exact in f32, and 1 cannot occur. */
export function uniform(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}

/**
 * The numbers 0 … n − 1 in an order that depends on (seed, stream) alone: Fisher and Yates' shuffle, position i drawing from counter
 * (i, stream). `seed` is an integer up to 2^53, `stream` a 32-bit one (the epoch, say). A draw takes 53 bits, so its bias is below n · 2^-53.
 */
export function permutation(n: number, seed: number, stream: number): Uint32Array {
  const k0 = seed >>> 0;
  const k1 = Math.floor(seed / 2 ** 32) >>> 0;
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const high = threefryWord0(k0, k1, i, stream);
    const low = threefryWord1(k0, k1, i, stream);
    // The product may round up to i + 1, hence the minimum.
    const j = Math.min(i, Math.floor((high * 2 ** 21 + (low >>> 11)) * 2 ** -53 * (i + 1)));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}
