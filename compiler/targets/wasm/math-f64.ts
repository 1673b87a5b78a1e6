/** sin, cos and powers, in f64 and one lane at a time: errors of half a unit in the last place of f32 (math.ts says where they are measured). */
import type { ValueType } from './encoder.ts';
import type { Fn } from './function.ts';
import type { Op } from './opcodes.ts';

type D = () => void;

class Doubles {
  readonly fn: Fn;
  constructor(fn: Fn) {
    this.fn = fn;
  }
  private op(name: Op, ...args: D[]): D {
    return () => {
      for (const a of args) a();
      this.fn.code.op(name);
    };
  }
  c =
    (value: number): D =>
    () =>
      this.fn.code.f64(value);
  hold(v: D, type: ValueType = 'f64'): D {
    v();
    const local = this.fn.hold(type);
    return () => this.fn.code.get(local);
  }
  add = (a: D, b: D): D => this.op('f64.add', a, b);
  sub = (a: D, b: D): D => this.op('f64.sub', a, b);
  mul = (a: D, b: D): D => this.op('f64.mul', a, b);
  div = (a: D, b: D): D => this.op('f64.div', a, b);
  un = (name: Op, a: D): D => this.op(name, a);
  bin = (name: Op, a: D, b: D): D => this.op(name, a, b);
  select = (mask: D, a: D, b: D): D => this.op('select', a, b, mask);
  polynomial(x: D, coefficients: readonly number[]): D {
    let sum = this.c(coefficients[0]!);
    for (const k of coefficients.slice(1)) sum = this.add(this.mul(sum, x), this.c(k));
    return sum;
  }
}

const factorials = (from: number, to: number, step: number, sign: number): number[] => {
  const out: number[] = [];
  let f = 1;
  let n = 0;
  for (let k = from; k <= to; k += step) {
    while (n < k) f *= ++n;
    out.push(sign ** out.length / f);
  }
  return out.reverse();
};

/** 2/π in 32-bit words, enough for the greatest exponent of f32. */
const TWO_OVER_PI = [0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041].map(BigInt);

/** sin (quadrant 0) or cos (1). Payne and Hanek's reduction beyond 2^20, three parts of π/2 below. */
export function trigonometric(fn: Fn, quadrant: 0 | 1): void {
  const { code } = fn;
  const d = new Doubles(fn);
  const x = d.hold(d.un('f64.promote_f32', () => fn.code.get(0)));
  const n = fn.local('i32');
  const r = fn.local('f64');
  const large = d.bin('f64.gt', d.un('f64.abs', x), d.c(2 ** 20));
  large();
  fn.if(
    () => {
      // |x| = m · 2^e, m of 24 bits; the bits of 2/π that matter are three words from place e on.
      const { code } = fn;
      const bits = d.hold(() => {
        fn.code.get(0);
        fn.code.op('i32.reinterpret_f32');
      }, 'i32');
      const e = d.hold(() => {
        bits();
        fn.code.i32(23);
        fn.code.op('i32.shr_u');
        fn.code.i32(255);
        fn.code.op('i32.and');
        fn.code.i32(150);
        fn.code.op('i32.sub');
      }, 'i32');
      const m = d.hold(() => {
        bits();
        fn.code.i32(0x7fffff);
        fn.code.op('i32.and');
        fn.code.i32(0x800000);
        fn.code.op('i32.or');
        fn.code.op('i64.extend_i32_u');
      }, 'i64');
      // e is -2 … 104; bits of 2/π before place e - 2 contribute whole turns of 4 quadrants. The window starts at bit s = e + 30 of 0 · 2/π.
      const shift = d.hold(() => {
        e();
        fn.code.i32(30);
        fn.code.op('i32.add');
      }, 'i32');
      const word = d.hold(() => {
        shift();
        fn.code.i32(5);
        fn.code.op('i32.shr_u');
      }, 'i32');
      const select = (at: number): D => {
        const held = fn.local('i64');
        fn.code.i64(0n);
        fn.code.set(held);
        for (const [k, value] of TWO_OVER_PI.entries()) {
          fn.code.i64(value);
          fn.code.get(held);
          word();
          fn.code.i32(k - at);
          fn.code.op('i32.eq');
          fn.code.op('select');
          fn.code.set(held);
        }
        return () => fn.code.get(held);
      };
      const [w0, w1, w2, w3] = [select(0), select(1), select(2), select(3)];
      const by = d.hold(() => {
        shift();
        fn.code.i32(31);
        fn.code.op('i32.and');
        fn.code.op('i64.extend_i32_u');
      }, 'i64');
      // Window words a, b, c of 32 bits each, from bit `shift` on.
      const window = (hi: D, lo: D): D =>
        d.hold(() => {
          hi();
          fn.code.i64(32n);
          fn.code.op('i64.shl');
          lo();
          fn.code.op('i64.or');
          by();
          fn.code.op('i64.shl');
          fn.code.i64(32n);
          fn.code.op('i64.shr_u');
        }, 'i64');
      const a = window(w0, w1);
      const b = window(w1, w2);
      const c = window(w2, w3);
      const i =
        (name: Op, p: D, q: D): D =>
        () => {
          p();
          q();
          fn.code.op(name);
        };
      const k =
        (value: bigint): D =>
        () =>
          fn.code.i64(value);
      // (a b c) · m mod 2^96, its upper 64 bits: quadrant in the top two.
      const product = d.hold(
        i(
          'i64.add',
          i('i64.add', i('i64.shl', i('i64.mul', a, m), k(32n)), i('i64.mul', b, m)),
          i('i64.shr_u', i('i64.mul', c, m), k(32n)),
        ),
        'i64',
      );
      const turns = d.hold(i('i64.shr_u', i('i64.add', product, k(1n << 61n)), k(62n)), 'i64');
      const rest = d.un('f64.convert_i64_s', i('i64.sub', product, i('i64.shl', turns, k(62n))));
      const angle = d.hold(d.mul(rest, d.c((Math.PI / 2) * 2 ** -62)));
      const negative = (): void => {
        bits();
        fn.code.i32(0);
        fn.code.op('i32.lt_s');
      };
      d.select(negative, d.un('f64.neg', angle), angle)();
      code.set(r);
      turns();
      fn.code.op('i32.wrap_i64');
      const t = fn.hold('i32');
      fn.code.i32(0);
      fn.code.get(t);
      fn.code.op('i32.sub');
      fn.code.get(t);
      negative();
      fn.code.op('select');
      code.set(n);
    },
    () => {
      // No -0, from which that of x would come out as 0.
      const q = d.hold(d.add(d.un('f64.nearest', d.mul(x, d.c(2 / Math.PI))), d.c(0)));
      // π/2 in two parts: 33 bits, and the rest to f64.
      const first = 1.5707963267341256;
      d.sub(d.sub(x, d.mul(q, d.c(first))), d.mul(q, d.c(6.077100506506192e-11)))();
      fn.code.set(r);
      q();
      fn.code.op('i32.trunc_sat_f64_s');
      fn.code.set(n);
    },
  );
  const angle: D = () => fn.code.get(r);
  const z = d.hold(d.mul(angle, angle));
  const sin = d.hold(d.mul(angle, d.polynomial(z, factorials(1, 15, 2, -1))));
  const cos = d.hold(d.polynomial(z, factorials(0, 14, 2, -1)));
  const turn: D = () => {
    fn.code.get(n);
    fn.code.i32(quadrant);
    fn.code.op('i32.add');
  };
  const bit =
    (which: number): D =>
    () => {
      turn();
      fn.code.i32(which);
      fn.code.op('i32.and');
    };
  const value = d.hold(d.select(bit(1), cos, sin));
  const finite = d.hold(d.select(bit(2), d.un('f64.neg', value), value));
  d.select(d.bin('f64.lt', d.un('f64.abs', x), d.c(Infinity)), finite, d.c(NaN))();
  code.op('f32.demote_f64');
}

/** a ** b as JavaScript has it, in f64, rounded once. */
export function power(fn: Fn): void {
  const d = new Doubles(fn);
  const a = d.hold(d.un('f64.promote_f32', () => fn.code.get(0)));
  const b = d.hold(d.un('f64.promote_f32', () => fn.code.get(1)));
  const size = d.hold(d.un('f64.abs', a));
  const bits = d.hold(d.un('i64.reinterpret_f64', size), 'i64');
  const shifted = d.hold(() => {
    bits();
    fn.code.i64(0x3fe6a09e667f3bcdn);
    fn.code.op('i64.sub');
    fn.code.i64(52n);
    fn.code.op('i64.shr_s');
  }, 'i64');
  const m = d.hold(
    d.un('f64.reinterpret_i64', () => {
      bits();
      shifted();
      fn.code.i64(52n);
      fn.code.op('i64.shl');
      fn.code.op('i64.sub');
    }),
  );
  const s = d.hold(d.div(d.sub(m, d.c(1)), d.add(m, d.c(1))));
  const z = d.hold(d.mul(s, s));
  const series = Array.from({ length: 11 }, (_, k) => 2 / (2 * k + 1)).reverse();
  const log = d.add(d.mul(s, d.polynomial(z, series)), d.mul(d.un('f64.convert_i64_s', shifted), d.c(Math.LN2)));
  // Zero and infinity have no logarithm of their own here.
  const known = d.hold(
    d.select(
      d.bin('f64.eq', size, d.c(0)),
      d.c(-Infinity),
      d.select(
        d.bin('f64.eq', size, d.c(Infinity)),
        d.c(Infinity),
        d.select(d.bin('f64.eq', size, d.c(1)), d.c(0), log),
      ),
    ),
  );
  const y = d.hold(d.bin('f64.max', d.bin('f64.min', d.mul(b, known), d.c(200)), d.c(-200)));
  const n = d.hold(d.un('f64.nearest', d.mul(y, d.c(Math.LOG2E))));
  const r = d.hold(d.sub(d.sub(y, d.mul(n, d.c(0.6931471803691238))), d.mul(n, d.c(1.9082149292705877e-10))));
  const e = d.polynomial(r, factorials(0, 13, 1, 1));
  const scale = d.un('f64.reinterpret_i64', () => {
    n();
    fn.code.op('i64.trunc_sat_f64_s');
    fn.code.i64(1023n);
    fn.code.op('i64.add');
    fn.code.i64(52n);
    fn.code.op('i64.shl');
  });
  const value = d.hold(d.mul(e, scale));
  // A negative base: odd integer exponents keep the sign, others that are no integers give NaN.
  const whole = d.bin('f64.eq', d.un('f64.floor', b), b);
  const halved = d.hold(d.mul(b, d.c(0.5)));
  const odd = d.bin('f64.ne', d.un('f64.floor', halved), halved);
  const negative: D = () => {
    a();
    fn.code.op('i64.reinterpret_f64');
    fn.code.i64(63n);
    fn.code.op('i64.shr_u');
    fn.code.op('i32.wrap_i64');
  };
  const infinite = d.bin('f64.eq', d.un('f64.abs', b), d.c(Infinity));
  const even: D = () => {
    odd();
    fn.code.op('i32.eqz');
  };
  const minus = d.select(
    whole,
    d.select(
      (): void => {
        infinite();
        even();
        fn.code.op('i32.or');
      },
      value,
      d.un('f64.neg', value),
    ),
    d.select(d.bin('f64.eq', a, d.c(0)), value, d.select(d.bin('f64.eq', size, d.c(Infinity)), value, d.c(NaN))),
  );
  const result = d.hold(d.select(negative, minus, value));
  const one: D = () => {
    d.bin('f64.eq', size, d.c(1))();
    infinite();
    fn.code.op('i32.and');
  };
  const nan: D = () => {
    d.bin('f64.ne', b, b)();
    one();
    fn.code.op('i32.or');
    d.bin('f64.ne', a, a)();
    fn.code.op('i32.or');
  };
  d.select(d.bin('f64.eq', b, d.c(0)), d.c(1), d.select(nan, d.c(NaN), result))();
  fn.code.op('f32.demote_f64');
}
