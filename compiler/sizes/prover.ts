/**
 * Proves p >= 0 for polynomials over bounded integers, by elimination: a name is replaced by the bound that makes p smallest, a floor by
 * q·floor(n / q) in [n - q + 1, n], a known inequality is subtracted. What remains is checked by shifting every name to its least value
 * and looking at the signs of the coefficients.
 *
 * Sound and incomplete: false means "not shown", never "wrong". The search is limited by depth and by a number of steps, so its cost is
 * bounded. Facts and ranges are both turned into the bounds and known inequalities given here.
 */
import {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  asConst,
  coefficientOf,
  divideExact,
  floorDiv,
  mul,
  names,
  neg,
  num,
  ofTerm,
  sub,
  terms,
} from './poly.ts';
import type { Atom, Poly } from './poly.ts';
import { nonNegativeFrom } from './signs.ts';

/** Inclusive; null where there is none. */
export interface Bound {
  readonly lo: Poly | null;
  readonly hi: Poly | null;
}

/** What a name is when nothing else is said: a size, at least 1. */
export const SIZE: Bound = { lo: ONE, hi: null };

const DEPTH = 8;
const STEPS = 120;
const MOST_TERMS = 16;

export class Prover {
  private readonly boundOf: (name: string) => Bound;
  private readonly known: readonly Poly[];
  private readonly steps: number;
  private readonly bounds = new Map<string, Bound>();
  private readonly least = new Map<Atom, number | null>();
  private readonly leaves = new Map<Poly, boolean>();
  private readonly answers = new Map<Poly, boolean>();

  /** `known` are polynomials that are at least 0; `steps` limits the search of one question (0: signs only). */
  constructor(boundOf: (name: string) => Bound, known: readonly Poly[] = [], steps = STEPS) {
    this.steps = steps;
    this.boundOf = boundOf;
    this.known = known;
  }

  /** Whether p >= 0 could be shown. */
  nonNegative(p: Poly): boolean {
    if (p === UNDEFINED) return false;
    const constant = asConst(p);
    if (constant !== null) return constant >= 0;
    let answer = this.answers.get(p);
    if (answer === undefined) {
      answer = this.search(p, ONE, DEPTH, { steps: this.steps, seen: new Set() });
      this.answers.set(p, answer);
    }
    return answer;
  }

  bound(name: string): Bound {
    let bound = this.bounds.get(name);
    if (bound === undefined) this.bounds.set(name, (bound = this.boundOf(name)));
    return bound;
  }

  /**
   * Shows target >= 0, where target = L + scale - 1 and scale · (the original) >= L: the original is an integer, so it is enough that it
   * exceeds -1, and after multiplying by `scale` there are scale - 1 units to give away.
   */
  private search(target: Poly, scale: Poly, depth: number, budget: { steps: number; seen: Set<string> }): boolean {
    if (target === UNDEFINED || scale === UNDEFINED) return false;
    if (this.leaf(target)) return true; // free of charge: with no steps at all signs still decide
    if (budget.steps-- <= 0) return false;
    if (depth === 0 || terms(target).length > MOST_TERMS) return false;
    const state = `${target.id},${scale.id}`;
    if (budget.seen.has(state)) return false;
    budget.seen.add(state);
    const visited = new Set<Atom>();
    for (const t of terms(target)) {
      for (const { atom } of t.factors) {
        if (visited.has(atom)) continue;
        if (budget.steps <= 0) return false;
        visited.add(atom);
        for (const [next, by] of atom.kind === 'name'
          ? this.withoutName(target, atom.name)
          : this.withoutFloor(target, scale, atom)) {
          if (this.search(next, by === ONE ? scale : mul(scale, by), depth - 1, budget)) return true;
        }
      }
    }
    for (const next of this.lessKnown(target)) {
      if (budget.steps <= 0) return false;
      if (this.search(next, scale, depth - 1, budget)) return true;
    }
    return false;
  }

  /** target with the name at the bound that makes it smallest. */
  private withoutName(target: Poly, name: string): [target: Poly, scale: Poly][] {
    const { lo, hi } = this.bound(name);
    if (hi === null && (lo === null || asConst(lo) !== null)) return [];
    const split = coefficientOf(target, name);
    if (split === null) return [];
    const sign = this.sign(split.coefficient);
    if (sign < 0 && hi !== null) return [[add(mul(split.coefficient, hi), split.rest), ONE]];
    if (sign > 0 && lo !== null) return [[add(mul(split.coefficient, lo), split.rest), ONE]];
    return [];
  }

  private withoutFloor(target: Poly, scale: Poly, atom: Atom): [target: Poly, scale: Poly][] {
    if (atom.kind !== 'floor') return [];
    const split = linearIn(target, atom);
    if (split === null) return [];
    const sign = this.sign(split.coefficient);
    if (sign === 0) return [];
    const { numerator: n, denominator: q } = atom;
    const out: [Poly, Poly][] = [];
    // Monotone: a name of the numerator at its bound.
    for (const name of names(n)) {
      const { lo, hi } = this.bound(name);
      if (hi === null && (lo === null || asConst(lo) !== null)) continue;
      const inside = names(q).has(name) ? null : coefficientOf(n, name);
      if (inside === null) continue;
      const towards = sign * this.sign(inside.coefficient);
      const bound = towards < 0 ? hi : towards > 0 ? lo : null;
      if (bound === null) continue;
      const floor = floorDiv(add(mul(inside.coefficient, bound), inside.rest), q);
      out.push([add(mul(split.coefficient, floor), split.rest), ONE]);
    }
    const extreme = sign < 0 ? n : add(n, neg(q), ONE);
    const whole = divideExact(split.coefficient, q);
    if (whole !== null) out.push([add(mul(whole, extreme), split.rest), ONE]);
    else {
      // scale q - 1 units instead of scale - 1
      const rest = add(split.rest, neg(scale), ONE);
      out.push([add(mul(split.coefficient, extreme), mul(q, rest), mul(scale, q), num(-1)), q]);
    }
    return out;
  }

  /** target - m k for known k >= 0 and m >= 0 chosen to cancel a negative term. */
  private *lessKnown(target: Poly): Iterable<Poly> {
    for (const k of this.known) {
      for (const t of terms(target)) {
        if (t.coefficient > 0) continue;
        for (const s of terms(k)) {
          if (s.coefficient > 0 || t.coefficient % s.coefficient !== 0) continue;
          const m = divideExact(ofTerm(t), ofTerm(s));
          if (m !== null && (asConst(m) !== null || this.leaf(m))) yield sub(target, mul(m, k));
        }
      }
    }
  }

  /** 1 for p >= 0, -1 for p <= 0, 0 for not known. */
  private sign(p: Poly): number {
    if (this.leaf(p)) return 1;
    return this.leaf(neg(p)) ? -1 : 0;
  }

  /** p >= 0 because, counted from the least value of each atom, no coefficient is negative. */
  private leaf(p: Poly): boolean {
    const constant = asConst(p);
    if (constant !== null) return constant >= 0;
    let answer = this.leaves.get(p);
    if (answer === undefined) {
      this.leaves.set(p, false); // a bound that needs itself shows nothing
      this.leaves.set(p, (answer = nonNegativeFrom(p, (atom) => this.leastOf(atom))));
    }
    return answer;
  }

  /** A constant below which the atom never is, or null. */
  private leastOf(atom: Atom): number | null {
    let least = this.least.get(atom);
    if (least === undefined) {
      this.least.set(atom, null);
      this.least.set(atom, (least = this.findLeast(atom)));
    }
    return least;
  }

  private findLeast(atom: Atom): number | null {
    if (atom.kind === 'power') return 1;
    if (atom.kind === 'floor') {
      if (!this.leaf(atom.numerator)) return null;
      return this.leaf(sub(atom.numerator, atom.denominator)) ? 1 : 0;
    }
    const { lo } = this.bound(atom.name);
    if (lo === null) return null;
    return asConst(lo) ?? (this.leaf(sub(lo, ONE)) ? 1 : this.leaf(lo) ? 0 : null);
  }
}

/** p = coefficient · atom + rest, or null. */
function linearIn(p: Poly, atom: Atom): { coefficient: Poly; rest: Poly } | null {
  let coefficient = ZERO;
  let rest = ZERO;
  for (const t of terms(p)) {
    const at = t.factors.findIndex((f) => f.atom === atom);
    if (at < 0) rest = add(rest, ofTerm(t));
    else if (t.factors[at]!.exponent !== 1) return null;
    else coefficient = add(coefficient, ofTerm({ coefficient: t.coefficient, factors: t.factors.toSpliced(at, 1) }));
  }
  return { coefficient, rest };
}
