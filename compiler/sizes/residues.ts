/**
 * Deciding by residue classes. With constant divisors only, x = M x' + r makes every floor a polynomial in x'; if there are few classes
 * each is tested on its own. The classes that pass are a condition such as `H % 16 == 0`.
 *
 * "No class passes identically" is not "never": floor(S / 8) = 0 is no identity in any class and holds for S < 8. So a class counts as
 * failed only where the test shows that nothing in it passes.
 */
import { strictValue } from './counterexample.ts';
import { add, asConst, greatestCommonDivisor, mul, name, names, num, scratch, sub, substitute, terms } from './poly.ts';
import type { Poly } from './poly.ts';
import { Prover, SIZE } from './prover.ts';
import type { Bound } from './prover.ts';

export const MOST_CLASSES = 4096;
/** Beyond this many classes inequalities are not asked and the provers of the classes do not search. */
const MANY = 64;
/** Steps of all classes' provers together. */
const STEPS = 192;

/** name ≡ residue modulo `modulus` */
export type Congruence = {
  readonly name: string;
  readonly modulus: number;
  readonly residue: number;
};

export type ClassTest = (p: Poly, prover: Prover) => 'pass' | 'fail' | 'open';

export type ResidueResult =
  | { readonly kind: 'all-pass' | 'all-fail' | 'open' }
  /** The test passes in these classes, given as congruences that together are sufficient. */
  | { readonly kind: 'some'; readonly when: readonly Congruence[] };

/**
 * The modulus each name needs for the floors in p to become polynomials whose coefficients are multiples of `scale`.
 * Floors by a symbolic divisor and powers are left as they are.
 */
function collectModuli(p: Poly, scale: number, moduli: Map<string, number>): void {
  for (const t of terms(p)) {
    for (const { atom } of t.factors) {
      if (atom.kind === 'name') {
        if (scale > 1) moduli.set(atom.name, lcm(moduli.get(atom.name) ?? 1, scale));
      } else if (atom.kind === 'floor') {
        const divisor = asConst(atom.denominator);
        if (divisor !== null) collectModuli(atom.numerator, scale * divisor, moduli);
      }
    }
  }
}

const lcm = (a: number, b: number): number => (a / greatestCommonDivisor(a, b)) * b;

export interface ResidueQuestion {
  readonly p: Poly;
  /** The divisor when the question is a divisibility, else 1. */
  readonly scale: number;
  readonly boundOf: (name: string) => Bound;
  /** Polynomials that are at least 0. */
  readonly known: readonly Poly[];
  readonly test: ClassTest;
  /**
   * Given where the test passes by identity, for all numbers: then one number that violates it shows that a class does not pass, and
   * passing classes are worth finding as a condition. Without it the question ends at the first class that settles it.
   */
  readonly violates?: (value: number) => boolean;
}

/** Tests p class by class; null if it needs none or more than 4,096. */
export function byResidues(question: ResidueQuestion): ResidueResult | null {
  const bounds = boundsFor([question.p, ...question.known], question.boundOf);
  return scratch(() => byClass({ ...question, boundOf: (s) => bounds.get(s) ?? SIZE }));
}

/** The bounds of all names that can come up, made before `scratch`: what a caller caches must outlive it. */
function boundsFor(polys: readonly Poly[], boundOf: (name: string) => Bound): Map<string, Bound> {
  const out = new Map<string, Bound>();
  const visit = (p: Poly | null): void => {
    if (p === null) return;
    for (const s of names(p)) {
      if (out.has(s)) continue;
      const bound = boundOf(s);
      out.set(s, bound);
      visit(bound.lo);
      visit(bound.hi);
    }
  };
  polys.forEach(visit);
  return out;
}

function byClass(question: ResidueQuestion): ResidueResult | null {
  const { p, scale, test, violates } = question;
  const moduli = new Map<string, number>();
  collectModuli(p, scale, moduli);
  const split = [...moduli].sort(([a], [b]) => (a < b ? -1 : 1));
  const count = split.reduce((product, [, m]) => product * m, 1);
  if (split.length === 0 || !(count <= (violates ? MOST_CLASSES : MANY))) return null;

  const passing: number[][] = [];
  let failed = 0;
  for (let code = 0; code < count; code++) {
    const residues: number[] = [];
    let left = code;
    for (const [, m] of split) {
      residues.push(left % m);
      left = Math.floor(left / m);
    }
    const undecided = failed < code && passing.length < code;
    if (undecided && violates === undefined) return { kind: 'open' };
    // Whether it fails or is open no longer matters once another class did not fail.
    if (failed < code && violates && SAMPLES.some((at) => violates(sample(p, split, residues, at)))) continue;
    const map = new Map<string, Poly>();
    for (const [k, [s, m]] of split.entries()) map.set(s, add(mul(num(m), name(s)), num(residues[k]!)));
    const outcome = test(substitute(p, map), classProver(question, map, split, residues, count));
    if (outcome === 'pass') passing.push(residues);
    else if (outcome === 'fail') failed++;
  }
  if (passing.length === count) return { kind: 'all-pass' };
  if (failed === count) return { kind: 'all-fail' };
  const when = passing.length === 0 ? null : asCongruences(split, passing);
  return when === null ? { kind: 'open' } : { kind: 'some', when };
}

const SAMPLES = [5, 11];

/** The value of p at one point of a class; names that are not split get arbitrary numbers of their own. */
function sample(
  p: Poly,
  split: readonly (readonly [string, number])[],
  residues: readonly number[],
  at: number,
): number {
  const env = new Map([...names(p)].map((s, k) => [s, at + k]));
  for (const [k, [s, m]] of split.entries()) env.set(s, m * (at + k) + residues[k]!);
  return strictValue(p, env);
}

/** A prover for x' where x = M x' + r; the name of x' is that of x. */
function classProver(
  { boundOf, known }: ResidueQuestion,
  map: ReadonlyMap<string, Poly>,
  split: readonly (readonly [string, number])[],
  residues: readonly number[],
  count: number,
): Prover {
  const many = count > MANY;
  const inClass = (p: Poly): Poly => substitute(p, map);
  const bounds = (s: string): Bound => {
    const { lo, hi } = boundOf(s);
    const at = split.findIndex(([x]) => x === s);
    if (at < 0) return { lo: lo && inClass(lo), hi: hi && inClass(hi) };
    const least = lo === null ? null : asConst(lo);
    // A symbolic end of a split name is used as a known inequality below.
    return { lo: least === null ? null : num(Math.ceil((least - residues[at]!) / split[at]![1])), hi: null };
  };
  const facts: Poly[] = many ? [] : known.map(inClass);
  if (!many) {
    for (const [s] of split) {
      const { lo, hi } = boundOf(s);
      const value = map.get(s)!;
      if (lo !== null && asConst(lo) === null) facts.push(sub(value, inClass(lo)));
      if (hi !== null) facts.push(sub(inClass(hi), value));
    }
  }
  return new Prover(bounds, facts, many ? 0 : Math.ceil(STEPS / count));
}

/** The set of residue tuples as a product of progressions r ≡ r0 (mod g), or null if it is none. */
function asCongruences(
  split: readonly (readonly [string, number])[],
  passing: readonly (readonly number[])[],
): Congruence[] | null {
  const out: Congruence[] = [];
  let size = 1;
  for (const [k, [s, m]] of split.entries()) {
    const found = new Set(passing.map((residues) => residues[k]!));
    size *= found.size;
    const modulus = m / found.size;
    const residue = Math.min(...found);
    if (!Number.isInteger(modulus) || [...found].some((r) => r % modulus !== residue % modulus)) return null;
    if (modulus > 1) out.push({ name: s, modulus, residue: residue % modulus });
  }
  return size === passing.length ? out : null;
}

/** No choice of the names makes p a multiple of c (0: makes p zero), by the common divisor of the coefficients. */
export function neverMultiple(p: Poly, c: number): boolean {
  let g = c;
  let constant = 0;
  for (const t of terms(p)) {
    if (t.factors.length === 0) constant = t.coefficient;
    else g = greatestCommonDivisor(g, t.coefficient);
  }
  return g === 0 ? constant !== 0 : constant % g !== 0;
}

export const alwaysMultiple = (p: Poly, c: number): boolean => terms(p).every((t) => t.coefficient % c === 0);
