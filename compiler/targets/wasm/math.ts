/**
 * Transcendental functions as WebAssembly functions, each written once over `Lanes` and so with the same bits for one value and for four. Errors
 * in units in the last place of f32, measured in test/targets/wasm/math.test.ts (exhaustively on request):
 *
 * exp 1.0, log 0.9, tanh 1.4, erf 1.9 · sin, cos, pow 0.51 (in f64, one lane at a time: math-f64.ts).
 *
 * Results of exp below 2^-125 become 0. There is no fused multiply-add here, so every engine gives the same bits.
 * The polynomials of exp, log and tanh are those of S. Moshier's Cephes library (expf, logf, tanhf); erf was fitted for its own halves.
 */
import type { FunctionBody, Signature, ValueType } from './encoder.ts';
import { dotsLibrary } from './dots-library.ts';
import { Fn } from './function.ts';
import { power, trigonometric } from './math-f64.ts';
import type { Op } from './opcodes.ts';

/** Puts one value on the stack. */
export type V = () => void;

/**
 * Constants of wide code, in memory: V8 builds a vector constant from four instructions wherever it stands, a broadcast load is one. Without a
 * pool constants stand in the code.
 */
export class Pool {
  private readonly words: number[] = [];
  private readonly places = new Map<number, number>();
  readonly start: number;
  private readonly room: number;

  /** `room` bytes from address `start` on. */
  constructor(start: number, room: number) {
    this.start = start;
    this.room = room;
  }

  /** Where these 32 bits lie; null if the pool is full. */
  at(bits: number): number | null {
    let place = this.places.get(bits);
    if (place === undefined) {
      if (4 * this.words.length + 4 > this.room) return null;
      place = this.start + 4 * this.words.length;
      this.words.push(bits);
      this.places.set(bits, place);
    }
    return place;
  }

  bytes(): Uint8Array {
    return new Uint8Array(new Int32Array(this.words).buffer);
  }
}

/** The same operations on f32 / i32 or on four lanes of them. Comparisons give masks: 0 or 1, or all bits of a lane. */
export class Lanes {
  readonly fn: Fn;
  readonly wide: boolean;
  private readonly pool: Pool | null;

  constructor(fn: Fn, wide: boolean, pool: Pool | null) {
    this.fn = fn;
    this.wide = wide;
    this.pool = pool;
  }

  private word(bits: number): void {
    const place = this.pool?.at(bits) ?? null;
    if (place === null) return this.fn.code.v128([bits, bits, bits, bits]);
    this.fn.code.i32(place);
    this.fn.code.access('v128.load32_splat');
  }

  private op(narrow: Op, wide: Op, ...args: V[]): V {
    return () => {
      for (const a of args) a();
      this.fn.code.op(this.wide ? wide : narrow);
    };
  }

  hold(v: V, type: 'f32' | 'i32' = 'f32'): V {
    v();
    const local = this.fn.hold(this.wide ? 'v128' : type);
    return () => this.fn.code.get(local);
  }

  local(index: number): V {
    return () => this.fn.code.get(index);
  }

  f(value: number): V {
    return () => {
      if (!this.wide) return this.fn.code.f32(value);
      this.word(new Int32Array(new Float32Array([value]).buffer)[0]!);
    };
  }

  i(value: number): V {
    return () => (this.wide ? this.word(value) : this.fn.code.i32(value));
  }

  add = (a: V, b: V): V => this.op('f32.add', 'f32x4.add', a, b);
  sub = (a: V, b: V): V => this.op('f32.sub', 'f32x4.sub', a, b);
  mul = (a: V, b: V): V => this.op('f32.mul', 'f32x4.mul', a, b);
  div = (a: V, b: V): V => this.op('f32.div', 'f32x4.div', a, b);
  abs = (a: V): V => this.op('f32.abs', 'f32x4.abs', a);
  neg = (a: V): V => this.op('f32.neg', 'f32x4.neg', a);
  nearest = (a: V): V => this.op('f32.nearest', 'f32x4.nearest', a);
  lt = (a: V, b: V): V => this.op('f32.lt', 'f32x4.lt', a, b);
  le = (a: V, b: V): V => this.op('f32.le', 'f32x4.le', a, b);
  eq = (a: V, b: V): V => this.op('f32.eq', 'f32x4.eq', a, b);
  toInt = (a: V): V => this.op('i32.trunc_sat_f32_s', 'i32x4.trunc_sat_f32x4_s', a);
  toFloat = (a: V): V => this.op('f32.convert_i32_s', 'f32x4.convert_i32x4_s', a);
  iadd = (a: V, b: V): V => this.op('i32.add', 'i32x4.add', a, b);
  isub = (a: V, b: V): V => this.op('i32.sub', 'i32x4.sub', a, b);
  and = (a: V, b: V): V => this.op('i32.and', 'v128.and', a, b);
  or = (a: V, b: V): V => this.op('i32.or', 'v128.or', a, b);
  xor = (a: V, b: V): V => this.op('i32.xor', 'v128.xor', a, b);

  private shift(narrow: Op, wide: Op, a: V, by: number): V {
    return () => {
      a();
      this.fn.code.i32(by);
      this.fn.code.op(this.wide ? wide : narrow);
    };
  }

  shl = (a: V, by: number): V => this.shift('i32.shl', 'i32x4.shl', a, by);
  shr = (a: V, by: number): V => this.shift('i32.shr_s', 'i32x4.shr_s', a, by);
  shru = (a: V, by: number): V => this.shift('i32.shr_u', 'i32x4.shr_u', a, by);

  bits = (a: V): V => (this.wide ? a : this.op('i32.reinterpret_f32', 'v128.and', a));
  float = (a: V): V => (this.wide ? a : this.op('f32.reinterpret_i32', 'v128.and', a));

  /** The lesser; NaN of `a` stays. */
  clampTo(a: V, greatest: number): V {
    return this.op('f32.min', 'f32x4.pmin', a, this.f(greatest));
  }

  clampFrom(a: V, least: number): V {
    return this.op('f32.max', 'f32x4.pmax', a, this.f(least));
  }

  select(mask: V, a: V, b: V): V {
    return () => {
      a();
      b();
      mask();
      this.fn.code.op(this.wide ? 'v128.bitselect' : 'select');
    };
  }

  /** Coefficients from the highest power on. */
  polynomial(x: V, coefficients: readonly number[]): V {
    let sum = this.f(coefficients[0]!);
    for (const c of coefficients.slice(1)) sum = this.add(this.mul(sum, x), this.f(c));
    return sum;
  }
}

/** Leaves exp(x) on the stack. */
export function expInto(l: Lanes, x: V): void {
  // Beyond these the result is infinite or below 2^-125.
  const clamped = l.hold(l.clampFrom(l.clampTo(x, 89), -87));
  // Adding 1.5 · 2^23 rounds to whole numbers and leaves them in the low bits.
  const shifted = l.hold(l.add(l.mul(clamped, l.f(Math.LOG2E)), l.f(12582912)));
  const n = l.hold(l.sub(shifted, l.f(12582912)));
  // ln 2 in two parts, the first with few enough bits that its product with n is exact.
  const r = l.hold(l.sub(l.sub(clamped, l.mul(n, l.f(0.693359375))), l.mul(n, l.f(-2.12194440054690583e-4))));
  const tail = l.polynomial(
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  const p = l.hold(l.add(l.add(l.mul(tail, l.mul(r, r)), r), l.f(1)));
  // 2 p · 2^(n - 1), since 2^128 is no f32.
  const scale = l.float(l.iadd(l.shl(l.bits(shifted), 23), l.i(126 << 23)));
  l.select(l.lt(x, l.f(EXP_LEAST)), l.f(0), l.mul(l.add(p, p), scale))();
}

/** Below this exp gives 0: -125.4 ln 2. */
const EXP_LEAST = -86.92;

export function logInto(l: Lanes, x: V): void {
  const small = l.hold(l.lt(x, l.f(2 ** -126)), 'i32');
  const scaled = l.hold(l.bits(l.select(small, l.mul(x, l.f(2 ** 23)), x)), 'i32');
  // Into sqrt(1/2) … sqrt(2).
  const e = l.hold(l.shr(l.isub(scaled, l.i(0x3f3504f3)), 23), 'i32');
  const m = l.hold(l.sub(l.float(l.isub(scaled, l.shl(e, 23))), l.f(1)));
  const exponent = l.hold(l.toFloat(l.isub(e, l.select(small, l.i(23), l.i(0)))));
  const z = l.hold(l.mul(m, m));
  const tail = l.polynomial(
    m,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const low = l.sub(l.add(l.mul(l.mul(tail, m), z), l.mul(exponent, l.f(-2.12194440054690583e-4))), l.mul(z, l.f(0.5)));
  const value = l.hold(l.add(l.add(low, m), l.mul(exponent, l.f(0.693359375))));
  const special = l.select(l.eq(x, l.f(0)), l.f(-Infinity), l.select(l.lt(x, l.f(0)), l.f(NaN), x));
  const usual = l.and(l.lt(l.f(0), x), l.lt(x, l.f(Infinity)));
  l.select(usual, value, special)();
}

/** `sign` is what the sign bit is taken from. */
function signed(l: Lanes, magnitude: V, sign: V): V {
  return l.float(l.or(l.bits(magnitude), l.and(l.bits(sign), l.i(0x80000000 | 0))));
}

export function tanhInto(l: Lanes, x: V): void {
  const size = l.hold(l.abs(x));
  const z = l.hold(l.mul(x, x));
  const slope = l.polynomial(
    z,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const near = l.add(l.mul(l.mul(slope, z), size), size);
  const clamped = l.hold(l.clampTo(size, 9.2));
  expInto(l, l.add(clamped, clamped));
  const grown = l.hold(l.local(l.fn.hold(l.wide ? 'v128' : 'f32')));
  const far = l.sub(l.f(1), l.div(l.f(2), l.add(grown, l.f(1))));
  // The sign last, so that -0 keeps its own.
  signed(l, l.select(l.lt(size, l.f(0.625)), near, far), x)();
}

export function erfInto(l: Lanes, x: V): void {
  const size = l.hold(l.clampTo(l.abs(x), 4.1));
  const z = l.hold(l.mul(size, size));
  // x + x (2/√π - 1 - …): what is rounded is an eighth of the result at most.
  const slope = l.polynomial(
    z,
    [
      -0.0006090357930961645, 0.0050119623978864755, -0.026778908610968932, 0.1128214080283125, -0.3761252327525143,
      0.1283791537971155,
    ],
  );
  const near = l.add(x, l.mul(x, slope));
  // erfc(x) = exp(-x²) t P(t), t = 1 / (1 + x / 2)
  expInto(l, l.neg(z));
  const e = l.hold(l.local(l.fn.hold(l.wide ? 'v128' : 'f32')));
  const t = l.hold(l.div(l.f(1), l.add(l.f(1), l.mul(size, l.f(0.5)))));
  const p = l.polynomial(
    t,
    [
      0.09493788372417938, -0.38550711421649764, 0.4357318864970118, 0.000680725323405689, 0.2972043866896298,
      0.2742501198024613, 0.28261055627162784,
    ],
  );
  const far = l.sub(l.f(1), l.mul(l.mul(e, t), p));
  l.select(l.lt(size, l.f(0.9)), near, signed(l, far, x))();
}

/** To the nearest f16, ties to even. */
export function halfInto(l: Lanes, x: V): void {
  const bits = l.hold(l.bits(x), 'i32');
  const size = l.hold(l.abs(x));
  const odd = l.and(l.shru(bits, 13), l.i(1));
  const rounded = l.float(l.and(l.iadd(l.iadd(bits, l.i(0xfff)), odd), l.i(~0x1fff)));
  // In [1/2, 1) the last place is 2^-24, the least f16.
  const tiny = signed(l, l.sub(l.add(size, l.f(0.75)), l.f(0.75)), x);
  const large = signed(l, l.f(Infinity), x);
  const finite = l.select(l.lt(size, l.f(2 ** -14)), tiny, rounded);
  const known = l.select(l.le(l.f(65520), size), large, finite);
  l.select(l.eq(x, x), known, x)();
}

/** Threefry-2x32-20, as in runtime/random.ts: a word of it as a number in [0, 1). Everything is i32, or lanes of it. */
function randomInto(l: Lanes, k0: V, k1: V, c0: V, c1: V, word: V): void {
  const { fn } = l;
  const type: ValueType = l.wide ? 'v128' : 'i32';
  const k2 = l.hold(l.xor(l.xor(k0, k1), l.i(0x1bd11bda)), 'i32');
  const x = fn.local(type);
  const y = fn.local(type);
  const [gx, gy] = [l.local(x), l.local(y)];
  const put = (to: number, v: V): void => {
    v();
    fn.code.set(to);
  };
  put(x, l.iadd(c0, k0));
  put(y, l.iadd(c1, k1));
  const keys = [k0, k1, k2];
  const turns = [
    [13, 15, 26, 6],
    [17, 29, 16, 24],
  ];
  for (let group = 0; group < 5; group++) {
    for (const by of turns[group % 2]!) {
      put(x, l.iadd(gx, gy));
      put(y, l.xor(l.or(l.shl(gy, by), l.shru(gy, 32 - by)), gx));
    }
    put(x, l.iadd(gx, keys[(group + 1) % 3]!));
    put(y, l.iadd(l.iadd(gy, keys[(group + 2) % 3]!), l.i(group + 1)));
  }
  const zero = (): void => {
    word();
    if (l.wide) {
      l.i(0)();
      fn.code.op('i32x4.eq');
    } else fn.code.op('i32.eqz');
  };
  const drawn = l.shru(l.select(zero, gx, gy), 8);
  l.mul(l.toFloat(drawn), l.f(2 ** -24))();
}

// ----------------------------------------------------------------------------------------------------------------------- by name

type Body = (pool: Pool | null) => FunctionBody;

const unary = (into: (l: Lanes, x: V) => void, wide: boolean): Body => {
  const type: ValueType = wide ? 'v128' : 'f32';
  return (pool) => {
    const fn = new Fn({ parameters: [type], results: [type] });
    const l = new Lanes(fn, wide, pool);
    into(l, l.local(0));
    return fn.done();
  };
};

const inF64 =
  (parameters: number, body: (fn: Fn) => void): Body =>
  () => {
    const fn = new Fn({ parameters: Array.from({ length: parameters }, (): ValueType => 'f32'), results: ['f32'] });
    body(fn);
    return fn.done();
  };

const f32: Signature = { parameters: ['f32'], results: ['f32'] };
const v128: Signature = { parameters: ['v128'], results: ['v128'] };

function random(wide: boolean, pool: Pool | null): FunctionBody {
  const fn = new Fn(wide ? RANDOM_WIDE : RANDOM);
  const l = new Lanes(fn, wide, pool);
  const [a, b, c, d, e] = [0, 1, 2, 3, 4].map((k) => l.local(k)) as [V, V, V, V, V];
  randomInto(l, a, b, c, d, e);
  return fn.done();
}

const five = (type: ValueType): ValueType[] => [type, type, type, type, type];
const RANDOM: Signature = { parameters: five('i32'), results: ['f32'] };
const RANDOM_WIDE: Signature = { parameters: five('v128'), results: ['v128'] };

/** Functions that a module takes in when it uses them; `4` marks four lanes. */
export const library = {
  exp: { signature: f32, body: unary(expInto, false) },
  exp4: { signature: v128, body: unary(expInto, true) },
  log: { signature: f32, body: unary(logInto, false) },
  log4: { signature: v128, body: unary(logInto, true) },
  tanh: { signature: f32, body: unary(tanhInto, false) },
  tanh4: { signature: v128, body: unary(tanhInto, true) },
  erf: { signature: f32, body: unary(erfInto, false) },
  erf4: { signature: v128, body: unary(erfInto, true) },
  half: { signature: f32, body: unary(halfInto, false) },
  half4: { signature: v128, body: unary(halfInto, true) },
  sin: { signature: f32, body: inF64(1, (fn) => trigonometric(fn, 0)) },
  cos: { signature: f32, body: inF64(1, (fn) => trigonometric(fn, 1)) },
  pow: { signature: { parameters: ['f32', 'f32'], results: ['f32'] }, body: inF64(2, power) },
  ...dotsLibrary,
  random: { signature: RANDOM, body: (pool) => random(false, pool) },
  random4: { signature: RANDOM_WIDE, body: (pool) => random(true, pool) },
} satisfies Record<string, { readonly signature: Signature; readonly body: Body }>;

export type LibraryName = keyof typeof library;

/** Those whose wide form is written in line. */
export const wideInto: Partial<Record<LibraryName, (l: Lanes, x: V) => void>> = {
  exp4: expInto,
  log4: logInto,
  tanh4: tanhInto,
  erf4: erfInto,
};
