/** Half precision numbers (IEEE 754 binary16) as bits and as values. */

/** The value of IEEE 754 binary16 bits. */
export function f16Value(bits: number): number {
  const sign = (bits & 0x8000) !== 0 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const wordView = new Uint32Array(1);
const floatView = new Float32Array(wordView.buffer);

/** IEEE 754 binary16 bits nearest to an f32 value, ties to even; NaN stays a (quiet) NaN. */
export function f16Bits(value: number): number {
  floatView[0] = value;
  const word = wordView[0]!;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65,520 on, half way beyond the largest half, rounding gives infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: the value in units of 2^-24. The scaling is exact, so one rounding happens, here.
    const scaled = Math.abs(floatView[0]) * 2 ** 24;
    const below = Math.floor(scaled);
    const rest = scaled - below;
    return sign | (below + (rest > 0.5 || (rest === 0.5 && (below & 1) === 1) ? 1 : 0));
  }
  // Rebias the exponent by 15 − 127, then round away 13 bits; a carry runs into the exponent as it should.
  const rebiased = magnitude - 0x38000000;
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** The value of a finite half, fast: its bits as those of an f32, whose exponent counts from another place. Kernels do the same. */
export function halfValue(bits: number): number {
  wordView[0] = (((bits << 16) >> 16) << 13) & 0x8fffffff;
  return floatView[0]! * 2 ** 112;
}
