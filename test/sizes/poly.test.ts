/** Normal forms against plain arithmetic on numbers, and the laws that interning promises. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  asConst,
  ceilDiv,
  coefficientOf,
  divideExact,
  evaluate,
  floorDiv,
  floorOfQuotient,
  format,
  mod,
  mul,
  name,
  names,
  neg,
  num,
  ofTerm,
  power,
  sub,
  substitute,
  terms,
} from '../../compiler/sizes/poly.ts';
import { RUNS, build, environments, expressions, look, settings, value } from './arbitrary.ts';

const NAMES = ['H', 'W', 'i', 'n'];
const [H, W, i, n] = NAMES.map(name) as [
  ReturnType<typeof name>,
  ReturnType<typeof name>,
  ReturnType<typeof name>,
  ReturnType<typeof name>,
];
const SAFE = 2 ** 45;

describe('normal form', () => {
  it('has the value of the expression it was built from', () => {
    let compared = 0;
    fc.assert(
      fc.property(expressions(NAMES), environments(NAMES, 12), (e, env) => {
        const expected = value(e, env);
        const p = build(e);
        if (Math.abs(expected) > SAFE || p === UNDEFINED) return;
        // Terms of the normal form may leave the exact range of numbers although their sum does not.
        if (terms(p).some((t) => !(Math.abs(evaluate(ofTerm(t), look(env))) < SAFE))) return;
        compared++;
        expect(evaluate(p, look(env))).toBe(expected);
      }),
      settings(),
    );
    expect(compared).toBeGreaterThan(RUNS * 0.8);
  });

  it('substitutes as evaluation composes', () => {
    fc.assert(
      fc.property(expressions(NAMES, false), expressions(['W', 'n'], false), environments(NAMES, 12), (e, by, env) => {
        const inner = value(by, env);
        if (!(inner >= 1)) return; // a name in a divisor is positive
        const outer = substitute(build(e), new Map([['H', build(by)]]));
        const expected = value(e, new Map([...env, ['H', inner]]));
        if (outer !== UNDEFINED && Math.abs(expected) < SAFE) expect(evaluate(outer, look(env))).toBe(expected);
      }),
      settings(),
    );
  });

  it('is one object per normal form: ring laws hold as identities', () => {
    const e = expressions(NAMES).map(build);
    fc.assert(
      fc.property(e, e, e, (a, b, c) => {
        if ([a, b, c, mul(a, b, c)].includes(UNDEFINED)) return;
        expect(add(a, b)).toBe(add(b, a));
        expect(add(add(a, b), c)).toBe(add(a, add(b, c)));
        expect(mul(a, b)).toBe(mul(b, a));
        expect(mul(mul(a, b), c)).toBe(mul(a, mul(b, c)));
        expect(mul(a, add(b, c))).toBe(add(mul(a, b), mul(a, c)));
        expect(sub(a, a)).toBe(ZERO);
        expect(neg(neg(a))).toBe(a);
      }),
      settings(),
    );
  });

  it('divides what was multiplied, and what it divides multiplies back', () => {
    const e = expressions(NAMES, false).map(build);
    fc.assert(
      fc.property(e, e, (a, b) => {
        const product = mul(a, b);
        if (b === ZERO || product === UNDEFINED) return;
        expect(divideExact(product, b)).toBe(a);
        const back = divideExact(a, b);
        if (back !== null) expect(mul(back, b)).toBe(a);
      }),
      settings(),
    );
  });

  it('extracts multiples of the divisor from a floor, so equal classes are equal objects', () => {
    const e = expressions(['H', 'W'], false).map(build);
    fc.assert(
      fc.property(e, e, fc.constantFrom(num(3), num(64), i, mul(i, n), add(i, ONE), mul(num(4), i)), (a, m, q) => {
        if ([a, mul(m, q)].includes(UNDEFINED)) return;
        expect(floorDiv(add(a, mul(m, q)), q)).toBe(add(floorDiv(a, q), m));
      }),
      settings(),
    );
  });

  it('is linear in a name where coefficientOf says so', () => {
    fc.assert(
      fc.property(expressions(NAMES).map(build), (p) => {
        const split = coefficientOf(p, 'i');
        if (split === null || p === UNDEFINED) return;
        expect(add(mul(split.coefficient, i), split.rest)).toBe(p);
        expect(names(split.coefficient).has('i') || names(split.rest).has('i')).toBe(false);
      }),
      settings(),
    );
  });

  it('keeps keys injective: no two polynomials with one key, names with odd characters included', () => {
    expect(name('a*b')).not.toBe(mul(name('a'), name('b')));
    expect(name('2')).not.toBe(num(2));
    expect(name('?')).not.toBe(UNDEFINED);
    expect(name('floor(H/2)')).not.toBe(floorDiv(H, num(2)));
  });
});

describe('single rules', () => {
  it('reduces coefficients and nested floors', () => {
    expect(floorDiv(sub(H, ONE), num(2))).toBe(sub(floorDiv(add(H, ONE), num(2)), ONE));
    expect(floorDiv(floorDiv(H, num(2)), num(2))).toBe(floorDiv(H, num(4)));
    expect(floorDiv(add(floorDiv(H, W), n), i)).toBe(floorDiv(add(H, mul(W, n)), mul(W, i)));
    expect(floorDiv(mul(H, n), mul(W, n))).toBe(floorDiv(H, W));
    expect(floorDiv(add(mul(num(6), H), num(5)), num(4))).toBe(add(H, ONE, floorDiv(H, num(2))));
    expect(ceilDiv(H, num(2))).toBe(floorDiv(add(H, ONE), num(2)));
    expect(floorDiv(mul(add(W, ONE), H), add(W, ONE))).toBe(H);
  });

  it('writes powers over primes', () => {
    const two = power(num(2), i)!;
    expect(power(num(2), add(i, ONE))).toBe(mul(num(2), two));
    expect(power(num(4), i)).toBe(mul(two, two));
    expect(power(num(6), i)).toBe(mul(two, power(num(3), i)!));
    expect(power(num(2), sub(i, ONE))).toBeNull();
    expect(power(H, num(2))).toBe(mul(H, H));
    expect(power(H, i)).toBeNull();
    expect(power(num(1), i)).toBe(ONE);
    expect(asConst(power(num(2), num(10))!)).toBe(1024);
  });

  it('has no value where there is none', () => {
    expect(floorDiv(H, ZERO)).toBe(UNDEFINED);
    expect(num(2 ** 60)).toBe(UNDEFINED);
    expect(num(0.5)).toBe(UNDEFINED);
    expect(mul(num(2 ** 40), num(2 ** 40))).toBe(UNDEFINED);
    expect(sub(UNDEFINED, UNDEFINED)).toBe(UNDEFINED);
    expect(mul(ZERO, UNDEFINED)).toBe(UNDEFINED);
    expect(asConst(UNDEFINED)).toBeNull();
  });

  it('floors quotients exactly', () => {
    const big = 2 ** 53 - 1;
    expect(floorOfQuotient(big, 1)).toBe(big);
    expect(floorOfQuotient(-7, 2)).toBe(-4);
    expect(floorOfQuotient(7, -2)).toBe(-4);
    expect(Object.is(floorOfQuotient(0, -3), 0)).toBe(true);
    expect(floorOfQuotient(big - 1, 2 ** 52)).toBe(1);
  });

  it('reads well', () => {
    const D = name('D');
    const cases: [string, ReturnType<typeof name>][] = [
      ['4 * D', mul(num(4), D)],
      ['floor((H + 1) / 2)', ceilDiv(H, num(2))],
      ['floor(H / 2)', floorDiv(H, num(2))],
      ['1 - H', sub(ONE, H)],
      ['-H', neg(H)],
      ['H ^ 2 - 1', sub(mul(H, H), ONE)],
      ['i % n', mod(i, n)],
      ['(i + 1) % 4', mod(add(i, ONE), num(4))],
      ['W * (i % n) + 3', add(mul(W, mod(i, n)), num(3))],
      ['3 * 2 ^ i', mul(num(3), power(num(2), i)!)],
      ['floor(H / (W + 1))', floorDiv(H, add(W, ONE))],
      ['0', ZERO],
    ];
    for (const [text, p] of cases) expect(format(p)).toBe(text);
    expect(format(mul(H, name('e')), (s) => (s === 'e' ? 'D / heads' : s))).toBe('H * (D / heads)');
    expect(format(name('e'), () => 'D / heads')).toBe('D / heads');
  });
});
