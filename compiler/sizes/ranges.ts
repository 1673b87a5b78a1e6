/**
 * Index arithmetic under ranges: interval bounds of a polynomial whose names are loop axes, and the simplifier that turns the divisions
 * and remainders of splits, merges and transposed reads into linear accesses: with 0 <= e < E, floor((E h + e) / E) is h.
 *
 * A rewrite happens only where it is proven (prover.ts) for every value in the ranges; names without a range are sizes, at least 1.
 * Bounds are valid, not always the tightest.
 */
import { Prover, SIZE } from './prover.ts';
import type { Bound } from './prover.ts';
import {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  asConst,
  coefficientOf,
  divideExact,
  divideWithRest,
  floorDiv,
  mapAtoms,
  mul,
  name,
  names,
  neg,
  num,
  ofTerm,
  power,
  remainders,
  sub,
  terms,
} from './poly.ts';
import type { Atom, Poly } from './poly.ts';

/** Both ends inclusive; a missing `hi` (or null) is no bound. Ends may be polynomials in sizes and in other axes. */
export interface Range {
  readonly lo: Poly | number | null;
  readonly hi?: Poly | number | null;
}

export type RangeOf = (name: string) => Range | null;

const end = (e: Poly | number | null | undefined): Poly | null => (typeof e === 'number' ? num(e) : (e ?? null));

function asBound(rangeOf: RangeOf, s: string): Bound {
  const range = rangeOf(s);
  return range === null ? SIZE : { lo: end(range.lo), hi: end(range.hi) };
}

/** 0 <= axis < extent */
export const upTo = (extent: Poly | number): Range => ({ lo: 0, hi: sub(end(extent)!, ONE) });

/** One simplifier for many polynomials under the same ranges; it remembers what it has shown. */
export class Ranges {
  private readonly rangeOf: RangeOf;
  private readonly prover: Prover;
  private readonly simplified = new Map<Poly, Poly>();

  constructor(rangeOf: RangeOf, known: readonly Poly[] = []) {
    this.rangeOf = rangeOf;
    this.prover = new Prover((s) => asBound(rangeOf, s), known);
  }

  /** Whether p >= q holds for all values in the ranges, as far as it can be shown. */
  atLeast(p: Poly, q: Poly): boolean {
    return this.prover.nonNegative(sub(p, q));
  }

  /** lo <= p < hi, shown. */
  within(p: Poly, lo: Poly, hi: Poly): boolean {
    return this.atLeast(p, lo) && this.atLeast(hi, add(p, ONE));
  }

  /** p with its floors (and so its remainders) rewritten where the ranges allow it; equal to p for all values in them. */
  simplify(p: Poly): Poly {
    let result = this.simplified.get(p);
    if (result === undefined) {
      result = p;
      for (let round = 0; round < 8; round++) {
        const next = mapAtoms(result, (atom) => this.simplifyAtom(atom));
        if (next === result) break;
        result = next;
      }
      this.simplified.set(p, result);
    }
    return result;
  }

  /** Ends in terms of the names that have no range; null where none was found. */
  bounds(p: Poly): { lo: Poly | null; hi: Poly | null } {
    return { lo: this.extreme(p, -1), hi: this.extreme(p, 1) };
  }

  private simplifyAtom(atom: Atom): Poly | null {
    if (atom.kind === 'name') return this.pinned(atom.name);
    if (atom.kind === 'power') {
      const exponent = this.simplify(atom.exponent);
      return exponent === atom.exponent ? null : power(num(atom.base), exponent);
    }
    const n = this.simplify(atom.numerator);
    const q = this.simplify(atom.denominator);
    if (n !== atom.numerator || q !== atom.denominator) return floorDiv(n, q);
    for (const g of this.divisors(n, q)) {
      const other = divideExact(q, g);
      if (other === null) continue;
      // n = g a + rest with rest in [0, g): floor(n / (g other)) = floor(a / other)
      for (const { quotient, rest } of splits(n, g)) {
        if (!this.prover.nonNegative(add(rest, g))) continue;
        if (this.within(rest, ZERO, g)) return floorDiv(quotient, other);
        if (this.within(rest, neg(g), ZERO)) return floorDiv(sub(quotient, ONE), other);
      }
    }
    return null;
  }

  /** The only value of a name whose range is a single number: an axis of extent 1 is 0. */
  private pinned(s: string): Poly | null {
    const range = this.rangeOf(s);
    const lo = end(range?.lo);
    return lo !== null && lo === end(range?.hi) && asConst(lo) !== null ? lo : null;
  }

  /** Divisors of q by which the numerator might split: q itself, what its terms share with q, extents of its names. */
  private divisors(n: Poly, q: Poly): Iterable<Poly> {
    const found = new Set<Poly>([q]);
    const single = terms(q).length === 1 ? terms(q)[0]! : null;
    if (single !== null) {
      for (const t of terms(n)) {
        if (t.factors.length === 0) continue;
        const factors = single.factors.flatMap(({ atom, exponent }) => {
          const same = t.factors.find((f) => f.atom === atom);
          return same === undefined ? [] : [{ atom, exponent: Math.min(exponent, same.exponent) }];
        });
        const whole = single.coefficient;
        let [x, y] = [Math.abs(t.coefficient), whole];
        while (y !== 0) [x, y] = [y, x % y];
        found.add(ofTerm({ coefficient: x, factors }));
        // 63 e is -e modulo 64, where it shares 64: coefficients were reduced.
        if (factors.length === 0) found.add(num(x));
      }
    }
    for (const s of names(n)) {
      const { hi } = this.prover.bound(s);
      if (hi !== null) found.add(add(hi, ONE));
    }
    found.delete(ONE);
    found.delete(ZERO);
    return found;
  }

  /** The largest (sign 1) or smallest (-1) value of p, as a polynomial in names without a range. */
  private extreme(p: Poly, sign: 1 | -1): Poly | null {
    const simple = this.simplify(p);
    const fresh = new Map<string, Bound>();
    let body = simple;
    for (const r of remainders(simple)) {
      const s = `%${fresh.size}`;
      fresh.set(s, { lo: ZERO, hi: sub(r.denominator, ONE) });
      const multiple = ofTerm({ coefficient: r.coefficient, factors: r.others });
      body = add(body, neg(r.value), mul(multiple, name(s)));
    }
    const result = this.eliminate(body, sign, fresh, 32);
    return result === UNDEFINED ? null : result;
  }

  private boundOf(s: string, fresh: ReadonlyMap<string, Bound>): Bound | null {
    return fresh.get(s) ?? (this.rangeOf(s) === null ? null : this.prover.bound(s));
  }

  private eliminate(p: Poly, sign: 1 | -1, fresh: ReadonlyMap<string, Bound>, depth: number): Poly | null {
    const ranged = [...names(p)].filter((s) => this.boundOf(s, fresh) !== null);
    if (ranged.length === 0) return p;
    if (depth === 0 || p === UNDEFINED) return null;
    // A name whose bounds speak of others goes before them: s <= t before t < T.
    ranged.sort((a, b) => this.dependsOn(b, a, fresh) - this.dependsOn(a, b, fresh));
    for (const s of ranged) {
      const split = coefficientOf(p, s);
      if (split === null) continue;
      const towards = this.signUnder(split.coefficient, fresh) * sign;
      const { lo, hi } = this.boundOf(s, fresh)!;
      const bound = towards > 0 ? hi : towards < 0 ? lo : null;
      if (bound === null || names(bound).has(s)) continue;
      return this.eliminate(add(mul(split.coefficient, bound), split.rest), sign, fresh, depth - 1);
    }
    for (const t of terms(p)) {
      for (const [at, { atom, exponent }] of t.factors.entries()) {
        if (atom.kind !== 'floor' || exponent !== 1 || ![...names(atom.numerator)].some((s) => ranged.includes(s)))
          continue;
        const cofactor = ofTerm({ coefficient: t.coefficient, factors: t.factors.toSpliced(at, 1) });
        const towards = this.signUnder(cofactor, fresh) * sign;
        if (towards === 0 || [...names(atom.denominator)].some((s) => ranged.includes(s))) continue;
        const n = this.eliminate(atom.numerator, towards > 0 ? 1 : -1, fresh, depth - 1);
        if (n === null) continue;
        const next = add(sub(p, ofTerm(t)), mul(cofactor, floorDiv(n, atom.denominator)));
        return this.eliminate(next, sign, fresh, depth - 1);
      }
    }
    return null;
  }

  private dependsOn(a: string, b: string, fresh: ReadonlyMap<string, Bound>): number {
    const bound = this.boundOf(a, fresh);
    return (bound?.lo && names(bound.lo).has(b)) || (bound?.hi && names(bound.hi).has(b)) ? 1 : 0;
  }

  private signUnder(p: Poly, fresh: ReadonlyMap<string, Bound>): number {
    const prover = fresh.size === 0 ? this.prover : new Prover((s) => fresh.get(s) ?? this.prover.bound(s));
    return prover.nonNegative(p) ? 1 : prover.nonNegative(neg(p)) ? -1 : 0;
  }
}

/** n = g · quotient + rest in two ways: coefficients of the rest in [0, g), and, for a constant g, nearest to 0 (63 e as -e modulo 64). */
function splits(n: Poly, g: Poly): { quotient: Poly; rest: Poly }[] {
  const first = divideWithRest(n, g);
  const c = asConst(g);
  if (c === null) return [first];
  let quotient = first.quotient;
  let rest = ZERO;
  for (const t of terms(first.rest)) {
    const high = 2 * t.coefficient > c;
    if (high) quotient = add(quotient, ofTerm({ coefficient: 1, factors: t.factors }));
    rest = add(rest, ofTerm({ coefficient: high ? t.coefficient - c : t.coefficient, factors: t.factors }));
  }
  return rest === first.rest ? [first] : [first, { quotient, rest }, ...constantUp(first.quotient, first.rest, c)];
}

/** As the balanced split, but with the constant left in [0, g). */
function constantUp(quotient: Poly, rest: Poly, c: number): { quotient: Poly; rest: Poly }[] {
  let q = quotient;
  let r = ZERO;
  for (const t of terms(rest)) {
    const high = t.factors.length > 0 && 2 * t.coefficient > c;
    if (high) q = add(q, ofTerm({ coefficient: 1, factors: t.factors }));
    r = add(r, ofTerm({ coefficient: high ? t.coefficient - c : t.coefficient, factors: t.factors }));
  }
  return [{ quotient: q, rest: r }];
}

/** Interval bounds of p in terms of the names that have no range (sizes, at least 1); null where none was found. */
export function bounds(p: Poly, rangeOf: RangeOf): { lo: Poly | null; hi: Poly | null } {
  return new Ranges(rangeOf).bounds(p);
}

/** See `Ranges.simplify`; for many polynomials under the same ranges keep one `Ranges`. */
export function simplify(p: Poly, rangeOf: RangeOf): Poly {
  return new Ranges(rangeOf).simplify(p);
}
