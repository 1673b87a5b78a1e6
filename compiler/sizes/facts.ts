/**
 * What is known about sizes in a place of a program, and what follows from it.
 *
 * `Facts` is immutable: every `assume…` returns new facts, so a scope is a value and nothing has to be undone. Names are sizes (at
 * least 1) unless declared otherwise. An equality that can be solved for a name replaces the name everywhere; another one with a leading
 * monomial of coefficient ±1 rewrites that monomial; `D % heads == 0` becomes D = heads · e where e is shown as `D / heads`.
 * Inequalities are bounds of names or known inequalities of the prover.
 *
 * A verdict is `proved` or `refuted` only where it holds for all numbers that satisfy the facts and make every divisor positive;
 * `counterexample` carries checked numbers; the rest is `unknown`. There is no general solver, no disjunction and no disequality.
 */
import { findCounterexample } from './counterexample.ts';
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
  format,
  greatestCommonDivisor,
  isDefined,
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
  substitute,
  terms,
} from './poly.ts';
import type { Poly, Term } from './poly.ts';
import { Prover, SIZE } from './prover.ts';
import type { Bound } from './prover.ts';
import { formatRelation, namesOfRelation } from './relation.ts';
import type { Relation } from './relation.ts';
import { alwaysMultiple, byResidues, neverMultiple } from './residues.ts';
import type { ClassTest, ResidueResult } from './residues.ts';

export type { Bound } from './prover.ts';
export type { Relation } from './relation.ts';
export { formatRelation } from './relation.ts';

/** What would be enough for the claim: all the relations together. Weakest where residue classes decide the claim. */
export interface Condition {
  readonly relations: readonly Relation[];
  /** `H % 16 == 0 and W % 16 == 0` */
  readonly text: string;
}

export type Verdict =
  | { readonly kind: 'proved' }
  | { readonly kind: 'refuted' }
  | { readonly kind: 'counterexample'; readonly env: ReadonlyMap<string, number>; readonly condition?: Condition }
  | { readonly kind: 'unknown'; readonly condition?: Condition };

const PROVED: Verdict = { kind: 'proved' };
const REFUTED: Verdict = { kind: 'refuted' };

interface Rewrite {
  /** A monomial with coefficient 1. */
  readonly from: Poly;
  readonly to: Poly;
}

/** An internal name stands for numerator / denominator, which is exact under the facts. */
export interface Quotient {
  readonly numerator: Poly;
  readonly denominator: Poly;
}

interface State {
  readonly declared: ReadonlyMap<string, Bound>;
  readonly solved: ReadonlyMap<string, Poly>;
  readonly rewrites: readonly Rewrite[];
  /** At least 0 each. */
  readonly known: readonly Poly[];
  /** Names made here, and the quotient each stands for; a name is its quotient's text. */
  readonly internal: ReadonlyMap<string, Quotient>;
  readonly assumptions: readonly Relation[];
  readonly contradictory: boolean;
}

const NOTHING: State = {
  declared: new Map(),
  solved: new Map(),
  rewrites: [],
  known: [],
  internal: new Map(),
  assumptions: [],
  contradictory: false,
};

const REWRITE_STEPS = 32;
const REWRITE_DEPTH = 4;
const toPoly = (p: Poly | number): Poly => (typeof p === 'number' ? num(p) : p);

export class Facts {
  private readonly state: State;
  private readonly normals = new Map<Poly, Poly>();
  private proverOfState: Prover | null = null;

  constructor(state?: State) {
    this.state = state ?? NOTHING;
  }

  /** A child scope. Facts are immutable, so this is the same object; what is assumed on it stays there. */
  extend(): Facts {
    return this;
  }

  /** Whether an assumption was seen to contradict the others: nothing that is said then matters. */
  get contradictory(): boolean {
    return this.state.contradictory;
  }

  /** Everything assumed, in order, as it was stated. */
  get assumptions(): readonly Relation[] {
    return this.state.assumptions;
  }

  // Assuming

  /** A name that is not simply a size: configuration (`lo` 0), an index letter (`lo` 0, `hi` extent - 1). Ends inclusive, null for none. */
  withName(s: string, lo: Poly | number | null, hi: Poly | number | null = null): Facts {
    const bound: Bound = { lo: lo === null ? null : toPoly(lo), hi: hi === null ? null : toPoly(hi) };
    return this.with({ declared: new Map(this.state.declared).set(s, bound) });
  }

  /** 0 <= s < extent */
  withIndex(s: string, extent: Poly | number): Facts {
    return this.withName(s, 0, sub(toPoly(extent), ONE));
  }

  assume(r: Relation): Facts {
    switch (r.kind) {
      case 'equal':
        return this.assumeEqual(r.left, r.right);
      case 'at-least':
        return this.assumeAtLeast(r.left, r.right);
      case 'below':
        return this.assumeBelow(r.left, r.right);
      case 'divides':
        return this.assumeDivides(r.divisor, r.of, r.residue);
    }
  }

  assumeEqual(p: Poly, q: Poly): Facts {
    if (!isDefined(p) || !isDefined(q)) return this;
    return this.remember({ kind: 'equal', left: p, right: q }).solve(p, q);
  }

  /** p >= n */
  assumeAtLeast(p: Poly, n: Poly | number): Facts {
    const least = toPoly(n);
    if (!isDefined(p) || !isDefined(least)) return this;
    const facts = this.remember({ kind: 'at-least', left: p, right: least });
    const s = asName(p);
    const value = asConst(least);
    if (s === null || value === null || this.state.solved.has(s)) return facts.withKnown(sub(p, least));
    const { lo, hi } = this.declaredBound(s);
    const before = lo === null ? null : asConst(lo);
    if (lo !== null && before === null) return facts.withKnown(sub(p, least));
    return before !== null && before >= value ? facts : facts.withName(s, least, hi);
  }

  /** p < q */
  assumeBelow(p: Poly, q: Poly | number): Facts {
    const end = toPoly(q);
    if (!isDefined(p) || !isDefined(end)) return this;
    const facts = this.remember({ kind: 'below', left: p, right: end });
    const s = asName(p);
    const most = sub(end, ONE);
    if (s !== null && !this.state.solved.has(s) && !this.reaches(most, s)) {
      const { lo, hi } = this.declaredBound(s);
      const tighter = hi === null || (asConst(hi) !== null && asConst(most) !== null && asConst(most)! < asConst(hi)!);
      if (tighter) return facts.withName(s, lo, most);
    }
    return facts.withKnown(sub(most, p));
  }

  /** p % d == residue */
  assumeDivides(d: Poly, p: Poly, residue = 0): Facts {
    if (!isDefined(p) || !isDefined(d) || d === ZERO) return this;
    const facts = this.remember({ kind: 'divides', divisor: d, of: p, ...(residue === 0 ? {} : { residue }) });
    return facts.divide(d, sub(p, num(residue)));
  }

  // Asking

  ask(r: Relation): Verdict {
    switch (r.kind) {
      case 'equal':
        return this.equal(r.left, r.right);
      case 'at-least':
        return this.verdictAtLeast(sub(r.left, r.right), r);
      case 'below':
        return this.verdictAtLeast(sub(r.right, add(r.left, ONE)), r);
      case 'divides':
        return this.divides(r.divisor, sub(r.of, num(r.residue ?? 0)));
    }
  }

  equal(p: Poly, q: Poly): Verdict {
    const d = this.normal(sub(p, q));
    if (d === UNDEFINED) return { kind: 'unknown' };
    if (d === ZERO) return PROVED;
    const prover = this.prover();
    const test: ClassTest = (x, inClass) => {
      if (x === ZERO) return 'pass';
      if (neverMultiple(x, 0)) return 'fail';
      return inClass.nonNegative(sub(x, ONE)) || inClass.nonNegative(sub(neg(x), ONE)) ? 'fail' : 'open';
    };
    if (test(d, prover) === 'fail') return REFUTED;
    if (prover.nonNegative(d) && prover.nonNegative(neg(d))) return PROVED;
    return this.decide(
      { kind: 'equal', left: p, right: q },
      this.classes(d, 1, test, (v) => v !== 0),
    );
  }

  /** Whether p >= 0. */
  atLeastZero(p: Poly): Verdict {
    return this.verdictAtLeast(p, { kind: 'at-least', left: p, right: ZERO });
  }

  /** Whether p >= 0 can be shown at once: no residue classes, no search for a counterexample. False means "not shown". */
  showsAtLeastZero(p: Poly): boolean {
    const d = this.normal(p);
    return d !== UNDEFINED && this.prover().nonNegative(d);
  }

  /** Whether q divides p, q taken to be positive. */
  divides(q: Poly, p: Poly): Verdict {
    const d = this.normal(p);
    const by = this.normal(q);
    if (d === UNDEFINED || by === UNDEFINED || by === ZERO) return { kind: 'unknown' };
    if (divideExact(d, by) !== null) return PROVED;
    const claim: Relation = { kind: 'divides', divisor: q, of: p };
    const prover = this.prover();
    const c = asConst(by);
    if (c !== null && c > 0) {
      if (neverMultiple(d, c)) return REFUTED;
      const test: ClassTest = (x) => (alwaysMultiple(x, c) ? 'pass' : neverMultiple(x, c) ? 'fail' : 'open');
      return this.decide(
        claim,
        this.classes(d, c, test, (v) => v % c !== 0),
      );
    }
    const { rest } = divideWithRest(d, by);
    for (const r of [rest, neg(rest)]) {
      if (prover.nonNegative(sub(r, ONE)) && prover.nonNegative(sub(by, add(r, ONE)))) return REFUTED;
    }
    return this.decide(claim, null);
  }

  /** p / q where q divides p under the facts, else null. */
  quotient(p: Poly, q: Poly): Poly | null {
    return divideExact(p, q) ?? divideExact(this.normal(p), this.normal(q));
  }

  /** p rewritten by the equalities; equal to p wherever the facts hold. */
  normal(p: Poly): Poly {
    const { solved, rewrites } = this.state;
    if (solved.size === 0 && rewrites.length === 0) return p;
    let result = this.normals.get(p);
    if (result === undefined) this.normals.set(p, (result = this.rewrite(substitute(p, solved))));
    return result;
  }

  /** p for people, internal names as what they stand for: `D / heads`. */
  show(p: Poly): string {
    const { internal, solved } = this.state;
    if (internal.size === 0) return format(p);
    let folded = p;
    for (const [s, value] of [...solved].reverse()) {
      if (terms(value).length !== 1 || ![...names(value)].some((t) => internal.has(t))) continue;
      for (const t of terms(folded)) {
        const rest = divideExact(ofTerm(t), value);
        if (rest !== null) folded = add(folded, neg(ofTerm(t)), mul(rest, name(s)));
      }
    }
    return format(folded);
  }

  /**
   * p without internal names, each replaced by floor(numerator / denominator): for a place where the facts are no longer at hand, such as
   * the evaluation of a size when the program runs.
   */
  external(p: Poly): Poly {
    const { internal } = this.state;
    if (![...names(p)].some((s) => internal.has(s))) return p;
    const map = new Map<string, Poly>();
    // In the order they were made: one can stand in the quotient of a later one.
    for (const [s, { numerator, denominator }] of internal) {
      map.set(s, floorDiv(substitute(numerator, map), substitute(denominator, map)));
    }
    return substitute(p, map);
  }

  /** Bounds of a name under the facts. */
  bound(s: string): Bound {
    const { lo, hi } = this.declaredBound(s);
    return { lo: lo && this.normal(lo), hi: hi && this.normal(hi) };
  }

  // How

  private with(change: Partial<State>): Facts {
    return new Facts({ ...this.state, ...change });
  }

  private remember(r: Relation): Facts {
    return this.with({ assumptions: [...this.state.assumptions, r] });
  }

  private declaredBound(s: string): Bound {
    return this.state.declared.get(s) ?? SIZE;
  }

  private withKnown(p: Poly): Facts {
    const value = asConst(this.normal(p));
    if (value !== null) return value >= 0 ? this : this.with({ contradictory: true });
    return this.with({ known: [...this.state.known, p] });
  }

  /** Whether p, or a bound of a name in it, speaks of s: bounds must not go in circles. */
  private reaches(p: Poly, s: string, seen = new Set<string>()): boolean {
    for (const t of names(p)) {
      if (t === s) return true;
      if (seen.has(t)) continue;
      seen.add(t);
      const { lo, hi } = this.declaredBound(t);
      if ((lo && this.reaches(lo, s, seen)) || (hi && this.reaches(hi, s, seen))) return true;
    }
    return false;
  }

  private prover(): Prover {
    this.proverOfState ??= new Prover(
      (s) => this.bound(s),
      this.state.known.map((k) => this.normal(k)),
    );
    return this.proverOfState;
  }

  private solve(p: Poly, q: Poly): Facts {
    let d = this.normal(sub(p, q));
    if (d === ZERO || d === UNDEFINED) return this;
    if (neverMultiple(d, 0)) return this.with({ contradictory: true });
    d = withoutContent(d);

    // n % q == c
    const [only] = remainders(d);
    if (only !== undefined) {
      const rest = asConst(sub(d, only.value));
      if (rest !== null && only.others.length === 0 && rest % only.coefficient === 0) {
        return this.divide(only.denominator, add(only.numerator, num(rest / only.coefficient))).withEquality(d);
      }
    }

    const preferred = [asName(p), asName(q)].filter((s) => s !== null);
    const candidates = [...preferred, ...[...names(d)].sort()].filter((s) => !this.state.solved.has(s));
    for (const s of candidates) {
      const split = coefficientOf(d, s);
      const c = split === null ? null : asConst(split.coefficient);
      if (split === null || (c !== 1 && c !== -1)) continue;
      return this.replace(s, c === 1 ? neg(split.rest) : split.rest);
    }
    return this.withMonomialRewrite(d);
  }

  /** s is value, everywhere from now on. */
  private replace(s: string, value: Poly): Facts {
    const one = new Map([[s, value]]);
    const solved = new Map([...this.state.solved].map(([t, e]) => [t, substitute(e, one)]));
    if (value === UNDEFINED || [...solved.values()].includes(UNDEFINED)) return this;
    solved.set(s, value);
    const { lo, hi } = this.declaredBound(s);
    const stale = this.state.rewrites.filter((r) => names(r.from).has(s) || names(r.to).has(s));
    let facts = this.with({ solved, rewrites: this.state.rewrites.filter((r) => !stale.includes(r)) });
    if (lo !== null && !facts.prover().nonNegative(sub(value, facts.normal(lo))))
      facts = facts.withKnown(sub(value, lo));
    if (hi !== null) facts = facts.withKnown(sub(hi, value));
    for (const r of stale) facts = facts.solve(r.from, r.to);
    return facts;
  }

  /** d = 0 where no name can be solved for: its leading monomial is rewritten, or else d is bounded from both sides. */
  private withMonomialRewrite(d: Poly): Facts {
    const lead = terms(d)[0]!;
    const others = sub(d, ofTerm(lead));
    const simple = (t: Term): boolean => t.factors.every(({ atom }) => atom.kind !== 'floor');
    if (Math.abs(lead.coefficient) !== 1 || !terms(d).every(simple)) return this.withEquality(d);
    const from = ofTerm({ coefficient: 1, factors: lead.factors });
    const to = lead.coefficient === 1 ? neg(others) : others;
    return this.with({ rewrites: [...this.state.rewrites, { from, to }] });
  }

  private withEquality(d: Poly): Facts {
    return this.withKnown(d).withKnown(neg(d));
  }

  /** d divides p: p = d · e for a new name e. */
  private divide(d: Poly, p: Poly): Facts {
    const [of, by] = [this.normal(p), this.normal(d)];
    if (divideExact(of, by) !== null || by === ZERO || by === UNDEFINED || of === UNDEFINED) return this;
    const part = (x: Poly): string => (/^[^\s()]+$/.test(this.show(x)) ? this.show(x) : `(${this.show(x)})`);
    const text = `${part(p)} / ${part(d)}`;
    if (this.state.internal.has(text)) return this;
    const prover = this.prover();
    const lo = prover.nonNegative(sub(of, ONE)) ? ONE : prover.nonNegative(of) ? ZERO : null;
    return this.with({ internal: new Map(this.state.internal).set(text, { numerator: p, denominator: d }) })
      .withName(text, lo)
      .solve(of, mul(by, name(text)));
  }

  private rewrite(p: Poly, depth = 0): Poly {
    // Rewrites can bring in floors in which others apply; where that goes round, stopping keeps an equal value.
    if (this.state.rewrites.length === 0 || p === UNDEFINED || depth > REWRITE_DEPTH) return p;
    let result = p;
    for (let step = 0; step < REWRITE_STEPS; step++) {
      const next = this.rewriteOnce(result) ?? this.rewriteInside(result, depth + 1);
      if (next === result) break;
      result = next;
    }
    return result;
  }

  private rewriteInside(p: Poly, depth: number): Poly {
    return mapAtoms(p, (atom) => {
      if (atom.kind === 'name') return null;
      if (atom.kind === 'power') {
        const exponent = this.rewrite(atom.exponent, depth);
        return exponent === atom.exponent ? null : power(num(atom.base), exponent);
      }
      const [n, q] = [this.rewrite(atom.numerator, depth), this.rewrite(atom.denominator, depth)];
      return n === atom.numerator && q === atom.denominator ? null : floorDiv(n, q);
    });
  }

  private rewriteOnce(p: Poly): Poly | null {
    for (const { from, to } of this.state.rewrites) {
      for (const t of terms(p)) {
        const rest = divideExact(ofTerm(t), from);
        if (rest !== null) return add(p, neg(ofTerm(t)), mul(rest, to));
      }
    }
    return null;
  }

  private verdictAtLeast(p: Poly, claim: Relation): Verdict {
    const d = this.normal(p);
    if (d === UNDEFINED) return { kind: 'unknown' };
    const test: ClassTest = (x, prover) =>
      prover.nonNegative(x) ? 'pass' : prover.nonNegative(sub(neg(x), ONE)) ? 'fail' : 'open';
    const direct = test(d, this.prover());
    if (direct !== 'open') return direct === 'pass' ? PROVED : REFUTED;
    return this.decide(claim, this.classes(d, 1, test));
  }

  private classes(
    p: Poly,
    scale: number,
    test: ClassTest,
    violates?: (value: number) => boolean,
  ): ResidueResult | null {
    const known = this.state.known.map((k) => this.normal(k));
    return byResidues({ p, scale, boundOf: (s) => this.bound(s), known, test, ...(violates && { violates }) });
  }

  private decide(claim: Relation, classes: ResidueResult | null): Verdict {
    if (classes?.kind === 'all-pass') return PROVED;
    if (classes?.kind === 'all-fail') return REFUTED;
    const condition = classes?.kind === 'some' ? { condition: this.condition(classes.when) } : {};
    const { declared, solved, internal, assumptions, contradictory } = this.state;
    if (contradictory) return { kind: 'unknown', ...condition };
    const env = findCounterexample(claim, {
      of: namesOfRelation(claim),
      boundOf: (s) => declared.get(s) ?? SIZE,
      assumptions,
      solved,
      isInternal: (s) => internal.has(s),
    });
    return env === null ? { kind: 'unknown', ...condition } : { kind: 'counterexample', env, ...condition };
  }

  private condition(when: readonly { name: string; modulus: number; residue: number }[]): Condition {
    const relations = when.map(({ name: s, modulus, residue }): Relation => {
      const relation = { kind: 'divides', divisor: num(modulus), of: name(s) } as const;
      return residue === 0 ? relation : { ...relation, residue };
    });
    return { relations, text: relations.map((r) => formatRelation(r, (p) => this.show(p))).join(' and ') };
  }
}

/** Facts about nothing: every name is a size. */
export const NO_FACTS: Facts = new Facts();

function asName(p: Poly): string | null {
  const [t, ...more] = terms(p);
  if (t === undefined || more.length > 0 || t.coefficient !== 1 || t.factors.length !== 1) return null;
  const { atom, exponent } = t.factors[0]!;
  return atom.kind === 'name' && exponent === 1 ? atom.name : null;
}

function withoutContent(d: Poly): Poly {
  const g = terms(d).reduce((x, t) => greatestCommonDivisor(x, t.coefficient), 0);
  return divideExact(d, num(g)) ?? d;
}
