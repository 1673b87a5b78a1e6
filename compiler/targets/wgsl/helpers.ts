/** The functions that shaders call, as WGSL text, each with those that it needs itself. */

export type Helper =
  | 'bits'
  | 'nan'
  | 'infinity'
  | 'isNan'
  | 'greatest'
  | 'least'
  | 'exponential'
  | 'logarithm'
  | 'sine'
  | 'cosine'
  | 'quarterTurns'
  | 'hyperbolicTangent'
  | 'errorFunction'
  | 'power'
  | 'wholePower'
  | 'floorDivide'
  | 'modulo'
  | 'remainder'
  | 'toHalf'
  | 'int8At'
  | 'int8Four'
  | 'int4At'
  | 'int4Four'
  | 'halfAt'
  | 'halfFour'
  | 'threefry'
  | 'draw';

interface Row {
  readonly needs: readonly Helper[];
  readonly text: string;
}

const rows: Readonly<Record<Helper, Row>> = {
  // Elements that are stored in fewer bytes, from the words that hold them: one of a word, or four from a multiple of four on.
  int8At: {
    needs: [],
    text: 'fn int8At(word: u32, at: i32) -> f32 { return f32(extractBits(bitcast<i32>(word), (u32(at) & 3u) * 8u, 8u)); }',
  },
  int8Four: {
    needs: [],
    text: `
fn int8Four(word: u32) -> vec4<f32> {
  return vec4<f32>((vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}`,
  },
  int4At: {
    needs: [],
    text: 'fn int4At(word: u32, at: i32) -> f32 { return f32((word >> ((u32(at) & 7u) * 4u)) & 15u) - 8.0f; }',
  },
  int4Four: {
    needs: [],
    text: `
fn int4Four(word: u32) -> vec4<f32> {
  return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u)) - 8.0f;
}`,
  },
  halfAt: {
    needs: [],
    text: 'fn halfAt(word: u32, at: i32) -> f32 { return unpack2x16float(word)[at & 1]; }',
  },
  halfFour: {
    needs: [],
    text: 'fn halfFour(a: u32, b: u32) -> vec4<f32> { return vec4<f32>(unpack2x16float(a), unpack2x16float(b)); }',
  },
  bits: {
    needs: [],
    // A variable, since a constant expression must not be infinite.
    text: 'var<private> bits: vec2<u32> = vec2<u32>(0x7f800000u, 0x7fc00000u);',
  },
  nan: { needs: ['bits'], text: 'fn nan() -> f32 { return bitcast<f32>(bits.y); }' },
  infinity: { needs: ['bits'], text: 'fn infinity() -> f32 { return bitcast<f32>(bits.x); }' },
  isNan: { needs: [], text: 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }' },
  greatest: {
    needs: ['isNan'],
    text: 'fn greatest(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }',
  },
  least: {
    needs: ['isNan'],
    text: 'fn least(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }',
  },
  exponential: {
    needs: ['isNan'],
    text: `
fn exponential(x: f32) -> f32 {
  let c = clamp(x, -104.0f, 89.0f);
  let n = round(c * 1.44269504f);
  let r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
  var p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  let y = p * r * r + r + 1.0f;
  let i = i32(n);
  let h = i >> 1u;
  let scaled = y * bitcast<f32>(u32(h + 127) << 23u) * bitcast<f32>(u32(i - h + 127) << 23u);
  return select(scaled, x, isNan(x));
}`,
  },
  logarithm: {
    needs: ['nan', 'infinity'],
    text: `
fn logarithm(x: f32) -> f32 {
  if (!(x > 0.0f)) { return select(nan(), -infinity(), x == 0.0f); }
  var b = bitcast<u32>(x);
  if (b >= 0x7f800000u) { return x; }
  var e = -126;
  if (b < 0x00800000u) { b = bitcast<u32>(x * 8388608.0f); e = -149; }
  e += i32(b >> 23u);
  var m = bitcast<f32>((b & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781f) { e -= 1; m = m + m - 1.0f; } else { m = m - 1.0f; }
  let z = m * m;
  var p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  let n = f32(e);
  let y = p * m * z - n * 2.12194440e-4f - 0.5f * z;
  return (m + y) + n * 0.693359375f;
}`,
  },
  quarterTurns: {
    needs: [],
    // Three-part pi / 2 (Cody and Waite): exact products up to 2^15 quarter turns.
    text: `
fn quarterTurns(x: f32) -> vec2<f32> {
  let n = round(x * 0.636619772f);
  return vec2<f32>(n, ((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.54978995489188216e-8f);
}
fn turned(x: f32, more: i32) -> f32 {
  let q = quarterTurns(x);
  let r = q.y;
  let z = r * r;
  let k = i32(q.x) + more;
  let s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  let c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
  let v = select(s, c, (k & 1) != 0);
  return select(v, -v, (k & 2) != 0);
}`,
  },
  sine: { needs: ['quarterTurns'], text: 'fn sine(x: f32) -> f32 { return turned(x, 0); }' },
  cosine: { needs: ['quarterTurns'], text: 'fn cosine(x: f32) -> f32 { return turned(x, 1); }' },
  hyperbolicTangent: {
    needs: ['exponential'],
    text: `
fn hyperbolicTangent(x: f32) -> f32 {
  let y = abs(x);
  let z = x * x;
  if (y < 0.625f) {
    let p = (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z - 3.33332819422e-1f;
    return p * z * x + x;
  }
  if (y > 9.1f) { return sign(x); }
  let far = 1.0f - 2.0f / (exponential(2.0f * y) + 1.0f);
  return select(far, -far, x < 0.0f);
}`,
  },
  errorFunction: {
    needs: ['exponential'],
    text: `
fn errorFunction(x: f32) -> f32 {
  let y = abs(x);
  if (y <= 0.46875f) {
    let s = x * x;
    let top = (((0.185777706f * s + 3.16112374f) * s + 113.864154f) * s + 377.485238f) * s + 3209.37759f;
    let bottom = (((s + 23.6012909f) * s + 244.024638f) * s + 1282.61653f) * s + 2844.23683f;
    return x * (top / bottom);
  }
  if (y > 4.0f) { return sign(x); }
  var top = 2.15311535e-8f;
  top = top * y + 0.564188497f;
  top = top * y + 8.88314979f;
  top = top * y + 66.1191907f;
  top = top * y + 298.635138f;
  top = top * y + 881.952221f;
  top = top * y + 1712.04761f;
  top = top * y + 2051.07838f;
  top = top * y + 1230.33935f;
  var bottom = y + 15.7449261f;
  bottom = bottom * y + 117.693951f;
  bottom = bottom * y + 537.181102f;
  bottom = bottom * y + 1621.38957f;
  bottom = bottom * y + 3290.79924f;
  bottom = bottom * y + 4362.61909f;
  bottom = bottom * y + 3439.36767f;
  bottom = bottom * y + 1230.33935f;
  let near = 1.0f - exponential(-y * y) * (top / bottom);
  return select(near, -near, x < 0.0f);
}`,
  },
  power: {
    needs: ['exponential', 'logarithm', 'nan', 'infinity'],
    // Small whole exponents by squaring, so that x^1 is x; beyond, squaring loses more than the logarithm does.
    text: `
fn power(x: f32, y: f32) -> f32 {
  let size = abs(y);
  let isWhole = size == floor(size);
  if (isWhole && size <= 16.0f) {
    var n = u32(size);
    var base = x;
    var result = 1.0f;
    while (n > 0u) {
      if ((n & 1u) != 0u) { result *= base; }
      base *= base;
      n >>= 1u;
    }
    return select(result, 1.0f / result, y < 0.0f);
  }
  if (x == 0.0f) { return select(0.0f, infinity(), y < 0.0f); }
  if (x < 0.0f && !isWhole) { return nan(); }
  let value = exponential(y * logarithm(abs(x)));
  let isOdd = isWhole && floor(size * 0.5f) * 2.0f != size;
  return select(value, -value, x < 0.0f && isOdd);
}`,
  },
  wholePower: {
    needs: [],
    text: `
fn wholePower(x: i32, y: i32) -> i32 {
  if (y < 0) { return select(select(0, select(1, -1, (y & 1) != 0), x == -1), 1, x == 1); }
  var n = u32(y);
  var base = x;
  var result = 1;
  while (n > 0u) {
    if ((n & 1u) != 0u) { result *= base; }
    base *= base;
    n >>= 1u;
  }
  return result;
}`,
  },
  floorDivide: {
    needs: [],
    text: `
fn floorDivide(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let q = a / b;
  return select(q, q - 1, a % b != 0 && (a < 0) != (b < 0));
}`,
  },
  modulo: {
    needs: [],
    text: `
fn modulo(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let r = a % b;
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}`,
  },
  remainder: {
    needs: [],
    text: `
fn remainder(a: f32, b: f32) -> f32 {
  let r = a % b;
  return select(r, r + b, r != 0.0f && (r < 0.0f) != (b < 0.0f));
}`,
  },
  toHalf: {
    needs: ['isNan', 'infinity'],
    // Nearest, ties to even, by the bits; below 2^-14 in units of 2^-24.
    text: `
fn toHalf(x: f32) -> f32 {
  let size = abs(x);
  if (isNan(x)) { return x; }
  if (size >= 65520.0f) { return select(infinity(), -infinity(), x < 0.0f); }
  var rounded: f32;
  if (size < 6.103515625e-5f) {
    rounded = round(size * 16777216.0f) * 5.9604644775390625e-8f;
  } else {
    let b = bitcast<u32>(size);
    rounded = bitcast<f32>((b + 0x0fffu + ((b >> 13u) & 1u)) & 0xffffe000u);
  }
  return select(rounded, -rounded, x < 0.0f);
}`,
  },
  threefry: {
    needs: [],
    // Threefry-2x32-20 (Salmon, Moraes, Dror, Shaw, SC 2011), as on every other target.
    text: `
fn threefryRound(p: vec2<u32>, by: u32) -> vec2<u32> {
  let x = p.x + p.y;
  return vec2<u32>(x, ((p.y << by) | (p.y >> (32u - by))) ^ x);
}
fn threefry(k0: u32, k1: u32, c0: u32, c1: u32) -> vec2<u32> {
  let k2 = k0 ^ k1 ^ 0x1bd11bdau;
  var p = vec2<u32>(c0 + k0, c1 + k1);
  p = threefryRound(threefryRound(threefryRound(threefryRound(p, 13u), 15u), 26u), 6u) + vec2<u32>(k1, k2 + 1u);
  p = threefryRound(threefryRound(threefryRound(threefryRound(p, 17u), 29u), 16u), 24u) + vec2<u32>(k2, k0 + 2u);
  p = threefryRound(threefryRound(threefryRound(threefryRound(p, 13u), 15u), 26u), 6u) + vec2<u32>(k0, k1 + 3u);
  p = threefryRound(threefryRound(threefryRound(threefryRound(p, 17u), 29u), 16u), 24u) + vec2<u32>(k1, k2 + 4u);
  p = threefryRound(threefryRound(threefryRound(threefryRound(p, 13u), 15u), 26u), 6u) + vec2<u32>(k2, k0 + 5u);
  return p;
}`,
  },
  draw: {
    needs: ['threefry'],
    text: `
fn draw(seed: i32, stream: i32, step: i32, position: i32, word: i32) -> f32 {
  let p = threefry(u32(seed), u32(stream), u32(step), u32(position));
  return f32(select(p.y, p.x, word == 0) >> 8u) * 5.9604644775390625e-8f;
}`,
  },
};

/** `used` and all that they need, each before its users. */
export function closure(used: Iterable<Helper>): Helper[] {
  const out = new Set<Helper>();
  const add = (helper: Helper): void => {
    if (out.has(helper)) return;
    for (const other of rows[helper].needs) add(other);
    out.add(helper);
  };
  for (const helper of used) add(helper);
  return [...out];
}

export const helperText = (helper: Helper): string => rows[helper].text.trim();

/** Names that a shader must not use for its own things. */
export const HELPER_NAMES: readonly string[] = [...Object.keys(rows), 'turned', 'threefryRound'];
