/**
 * The bytes of a WebAssembly module out of few: each bit is coded arithmetically with the probability that a model gives it, which learns from the bits before (context
 * mixing: M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005). The model follows the code as it goes by: it knows an
 * opcode from an operand. Half as much as gzip leaves of such code.
 *
 * The model is the same for both ways and is asked for every bit in turn, so the compiler packs with it (`compiler/targets/wasm/packing.ts`). All its
 * arithmetic is of kinds that every engine rounds alike (no exponentials, no logarithms).
 *
 * It is not a general compressor: other bytes get through it unharmed, but hardly smaller.
 */

/**
 * Tells a bit whose probability of being 1 is about `p`: of byte `at`, whether it is `guess` (`node` = 0), else its next bit below the leading 1 of `node`,
 * which are the bits so far.
 */
export type Decide = (p: number, at: number, node: number, guess: number) => number;

/** `length` bytes, as `decide` tells their bits. */
export function predicted(length: number, decide: Decide): Uint8Array<ArrayBuffer> {
  const { imul, min, max } = Math;
  const golden = 0x9e3779b1;
  // Before the first byte stand zeros, so that contexts may look back.
  const room = 16;
  const bytes = new Uint8Array(room + length);
  // The logistic function at 4096 places from -8 to 8, and its inverse at as many probabilities.
  const squash = new Float64Array(4096);
  const stretch = new Float64Array(4096);
  let i = 0;
  let k = 0;
  let x = 0;
  for (let e = 1; i < 2048; i++, e *= 1 + 1 / 256) {
    squash[2048 + i] = e / (1 + e);
    squash[2047 - i] = 1 / (1 + e);
  }
  for (i = 0; i < 4096; i++) {
    while (squash[k]! < (i + 0.5) / 4096) k++;
    stretch[i] = (k - 2047.5) / 256;
  }
  // What was seen in a context: 20 bits of a probability less one half, and 8 of how often. Contexts of all kinds share the first 2^21 places.
  const shared = 2 ** 21;
  const seen = new Int32Array(shared + 4096);
  // Three contexts of the code, then two places where what came last has stood before: after 4 equal bytes, and after 12.
  const weights = new Float64Array(512).fill(0.3);
  const hashes = new Int32Array(3);
  const places = new Int32Array(5);
  const votes = new Float64Array(5);
  const latest = new Int32Array(2 ** 17);
  const from = new Int32Array(2);
  const equal = new Int32Array(2);
  // The code: numbers of variable length and plain bytes that its opcode has still to come, whether a second byte of the opcode is to come, the last four
  // opcodes, the operand so far, the last local that was written.
  let numbers = 0;
  let plain = 0;
  let second = 0;
  let opcodes = 0;
  let operand = 0;
  let local = 0;
  for (i = room; i < bytes.length; i++) {
    const opcode = opcodes & 255;
    for (k = 0; k < 3; k++) {
      x = imul([opcode, opcodes, opcode + local * 256][k]! * 3 + k, golden);
      x = imul(x ^ (x >>> 15) ^ ((numbers * 64 + plain) * 65536 + operand), golden);
      hashes[k] = x ^ (x >>> 13);
    }
    for (k = 0; k < 2; k++) {
      for (let j = (x = 0); j++ < 4 + 8 * k;) x = imul(x, golden) + bytes[i - j]! + 1;
      x = ((x ^ (x >>> 15)) & 65535) | (k << 16);
      const found = latest[x]!;
      latest[x] = i;
      if (found > 0 && equal[k] === 0) {
        from[k] = found;
        while (bytes[found - equal[k]! - 1] === bytes[i - equal[k]! - 1]) equal[k]!++;
      }
    }
    const longer = equal[1]! < equal[0]! ? 0 : 1;
    const guess = equal[longer]! > 0 ? bytes[from[longer]!]! : -1;
    const own = (min(plain + numbers, 3) * 16 + min(equal[longer]!, 15)) * 5;
    // Whether it is the guess first; if not, bit by bit.
    let node = guess < 0 ? 1 : 0;
    for (let below = 8 - node; node < 256; below--) {
      let sum = 0;
      for (k = 0; k < 5; k++) {
        if (k < 3) places[k] = imul(hashes[k]! + (node || 256 + guess), golden) >>> 11;
        else {
          const next = bytes[from[k - 3]!]!;
          const said = node > 0 ? (next >> below) & 1 : +(next === guess);
          places[k] = shared + (((k - 3) * 2 + +(node > 0)) * 32 + min(equal[k - 3]!, 31)) * 2 + said;
          // It has been wrong about this byte.
          if (node > 0 && (next | 256) >> (below + 1) !== node) places[k] = shared + 4095;
        }
        sum += (votes[k] = stretch[(seen[places[k]!]! >> 20) + 2048]!) * weights[own + k]!;
      }
      const p = squash[max(0, min(4095, (sum * 256 + 2048) | 0))]!;
      const bit = decide(p, i - room, node, guess);
      for (k = 0; k < 5; k++) {
        weights[own + k]! += (bit - p) * 0.016 * votes[k]!;
        x = seen[places[k]!]!;
        const times = x & 255;
        seen[places[k]!] = x + (((bit * 0xfffff - 0x80000 - (x >> 12)) / (times + 1.2)) | 0) * 4096 + +(times < 20);
      }
      node = node > 0 ? node * 2 + bit : bit > 0 ? 256 + guess : 1;
    }
    const byte = node - 256;
    bytes[i] = byte;
    for (k = 0; k < 2; k++) if (from[k]! > 0) equal[k] = bytes[from[k]!++] === byte ? equal[k]! + 1 : 0;
    if (plain + numbers > 0) {
      operand = (operand * 256 + byte) | 0;
      if (numbers === 0) plain--;
      else if (byte < 128) {
        numbers--;
        if (numbers === 0 && opcode > 0x20) local = operand;
      }
      if (plain + numbers === 0) operand = 0;
    } else if (second > 0) {
      second = 0;
      opcodes = (opcodes & ~255) | byte;
      // Of vectors: loads and stores, constants, lanes. What is rare is taken for opcodes.
      numbers = byte < 12 ? 2 : +(byte > 127);
      plain = byte === 12 ? 16 : +(byte > 20 && byte < 35);
    } else {
      opcodes = (opcodes << 8) | byte;
      second = +(byte > 251);
      // Locals and globals, whole constants, branches and calls; loads and stores; floats.
      numbers =
        (byte > 31 && byte < 37) || byte === 65 || (byte > 11 && byte < 17) ? 1 : byte > 39 && byte < 63 ? 2 : 0;
      plain = byte === 67 ? 4 : 0;
    }
  }
  return bytes.subarray(room);
}

/**
 * Bytes that were packed into `text`. The coder's interval has seven digits of 91 values each, which a double holds exactly. A digit is a character from `#` to
 * `}`, a space for the backslash: as few characters as text without escapes can be.
 */
export function unpacked(text: string, length: number): Uint8Array<ArrayBuffer> {
  const { floor } = Math;
  const digits = 91;
  const top = digits ** 6;
  let at = 0;
  let low = 0;
  let high = top * digits - 1;
  let value = 0;
  const next = (): void => {
    const code = text.charCodeAt(at++);
    value = (value % top) * digits + (code < 35 ? 92 : code) - 35;
  };
  while (at < 7) next();
  return predicted(length, (p) => {
    const middle = low + floor((high - low) * p);
    const bit = +(value <= middle);
    if (bit > 0) high = middle;
    else low = middle + 1;
    while (floor(low / top) === floor(high / top)) {
      next();
      low = (low % top) * digits;
      high = (high % top) * digits + digits - 1;
    }
    return bit;
  });
}
