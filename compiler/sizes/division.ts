/**
 * Division of polynomials with rest, the normal form of floors, and powers. Internal to this folder, see poly.ts.
 *
 * The normal form of floor(p / q): multiples of q are extracted (with a constant q, coefficients end up in [0, q)), common factors are
 * cancelled, and floor((floor(a / b) + n) / d) becomes floor((a + b n) / (b d)).
 */
import {
  ONE,
  UNDEFINED,
  UNIT,
  ZERO,
  add,
  asConst,
  floorAtom,
  intern,
  memo2,
  monomial,
  mul,
  neg,
  node,
  num,
  ofAtom,
  overMonomial,
  part,
  plus,
  powerAtom,
  sub,
  times,
} from './interning.ts';
import type { Monomial, Part, Poly } from './interning.ts';

/** Exact for all safe integers, unlike Math.floor(a / b). */
export function floorOfQuotient(a: number, b: number): number {
  const rest = a % b;
  const quotient = (a - rest) / b;
  return (rest !== 0 && rest < 0 !== b < 0 ? quotient - 1 : quotient) + 0;
}

export function greatestCommonDivisor(a: number, b: number): number {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/**
 * p = quotient · q + rest, where no term of the rest has a monomial divisible by q's leading one and a coefficient outside
 * [0, |leading coefficient|). Unique, because the order of monomials is admissible.
 */
export function divideWithRest(p: Poly, q: Poly): { quotient: Poly; rest: Poly } {
  const lead = node(q).parts[0]!;
  const size = Math.abs(lead.coefficient);
  const sign = lead.coefficient < 0 ? -1 : 1;
  let quotient = ZERO;
  let todo = p;
  for (let i = 0; i < node(todo).parts.length;) {
    const term = node(todo).parts[i]!;
    const m = overMonomial(term.monomial, lead.monomial);
    const k = m === null ? 0 : sign * floorOfQuotient(term.coefficient, size);
    if (m === null || k === 0) {
      i++;
      continue;
    }
    const step = intern([part(k, m)]);
    quotient = plus(quotient, step);
    todo = plus(todo, neg(times(step, q)));
    if (quotient === UNDEFINED || todo === UNDEFINED) return { quotient: UNDEFINED, rest: UNDEFINED };
    // What is before position i stays: every new term is smaller than the one removed. With a rest left at i, the next round skips it.
  }
  return { quotient, rest: todo };
}

const floor2 = memo2((p: Poly, q: Poly): Poly => {
  const divisor = asConst(q);
  if (divisor !== null && divisor < 0) return floorDiv(neg(p), neg(q));
  const { quotient, rest } = divideWithRest(p, q);
  return plus(quotient, properFloor(rest, q));
});

/** floor(r / q) of a reduced numerator. */
function properFloor(r: Poly, q: Poly): Poly {
  if (r === UNDEFINED) return UNDEFINED;
  if (r === ZERO) return ZERO;
  if (asConst(r) !== null && asConst(q) !== null) return ZERO; // the rest is in [0, q)
  const top = node(r).parts;
  const bottom = node(q).parts;

  // A constant the divisor shares with every term but the numerator's constant: floor((g a + k) / (g b)) = floor((a + floor(k / g)) / b).
  let g = 0;
  for (const t of bottom) g = greatestCommonDivisor(g, t.coefficient);
  for (const t of top) if (t.monomial !== UNIT) g = greatestCommonDivisor(g, t.coefficient);
  if (g > 1) {
    const by = g;
    const shrink = (t: Part): Part => part(floorOfQuotient(t.coefficient, by), t.monomial);
    return floorDiv(intern(top.map(shrink).filter((t) => t.coefficient !== 0)), intern(bottom.map(shrink)));
  }

  // A monomial shared by everything.
  const common = sharedMonomial([...top, ...bottom]);
  if (common !== UNIT) {
    const shrink = (t: Part): Part => part(t.coefficient, overMonomial(t.monomial, common)!);
    return floorDiv(intern(top.map(shrink)), intern(bottom.map(shrink)));
  }

  // floor((floor(a / b) + n) / d) = floor((a + b n) / (b d))
  for (const t of top) {
    const only = t.factors.length === 1 ? t.factors[0]! : null;
    if (t.coefficient !== 1 || only === null || only.exponent !== 1 || only.atom.kind !== 'floor') continue;
    const { numerator, denominator } = only.atom;
    const n = sub(r, ofAtom(only.atom));
    return floorDiv(plus(numerator, times(denominator, n)), times(denominator, q));
  }
  return ofAtom(floorAtom(r, q));
}

function sharedMonomial(parts: readonly Part[]): Monomial {
  let factors = parts[0]!.factors;
  for (const t of parts) {
    if (factors.length === 0) break;
    factors = factors.flatMap(({ atom, exponent }) => {
      const other = t.factors.find((f) => f.atom === atom);
      return other === undefined ? [] : [{ atom, exponent: Math.min(exponent, other.exponent) }];
    });
  }
  return monomial(factors);
}

/** floor(p / q), the divisor taken to be positive where it is not constant. */
export function floorDiv(p: Poly, q: Poly): Poly {
  if (p === UNDEFINED || q === UNDEFINED || q === ZERO) return UNDEFINED;
  if (q === ONE || p === ZERO) return p;
  return floor2(p, q);
}

/** floor((p + q - 1) / q) */
export function ceilDiv(p: Poly, q: Poly): Poly {
  return floorDiv(add(p, q, num(-1)), q);
}

/** p - q · floor(p / q); `format` prints it back as `p % q`. */
export function mod(p: Poly, q: Poly): Poly {
  return sub(p, mul(q, floorDiv(p, q)));
}

/** The polynomial r with r · q = p, or null. Knows no facts: `D / heads` is null here, see `Facts.quotient`. */
export function divideExact(p: Poly, q: Poly): Poly | null {
  if (p === UNDEFINED || q === UNDEFINED || q === ZERO) return null;
  if (q === ONE) return p;
  const { quotient, rest } = divideWithRest(p, q);
  return rest === ZERO ? quotient : null;
}

/**
 * base ^ exponent. A constant exponent multiplies out (up to degree 64); a symbolic one needs a positive constant base and no negative
 * coefficient: 2^(i + 1) is 2 · 2^i, but 2^(i - 1) is no integer polynomial. Null where not representable.
 */
export function power(base: Poly, exponent: Poly): Poly | null {
  if (base === UNDEFINED || exponent === UNDEFINED) return null;
  const n = asConst(exponent);
  const c = asConst(base);
  if (n !== null) {
    if (n < 0) return null;
    if (c !== null) {
      const value = num(c ** n);
      return value === UNDEFINED ? null : value;
    }
    if (n > 64) return null;
    let product = ONE;
    for (let i = 0; i < n; i++) product = times(product, base);
    return product === UNDEFINED ? null : product;
  }
  if (c === null || c < 1) return null;
  if (c === 1) return ONE;
  if (node(exponent).parts.some((t) => t.coefficient < 0)) return null;
  let product = ONE;
  for (const [prime, times_] of factorise(c)) {
    for (const t of node(exponent).parts) {
      const count = t.coefficient * times_;
      const piece =
        t.monomial === UNIT ? num(prime ** count) : ofAtom(powerAtom(prime, intern([part(1, t.monomial)])), count);
      product = times(product, piece);
    }
  }
  return product === UNDEFINED ? null : product;
}

function factorise(c: number): [prime: number, exponent: number][] {
  const out: [number, number][] = [];
  let left = c;
  for (let d = 2; d * d <= left; d++) {
    let count = 0;
    for (; left % d === 0; left /= d) count++;
    if (count > 0) out.push([d, count]);
  }
  if (left > 1) out.push([left, 1]);
  return out;
}
