/**
 * What a place of a program knows: facts about sizes, flags of configuration, and the definitions of constants.
 *
 * A constant equals itself, its definition, and what a `require` states: `width` is 768 next to a literal 768, but never equal to another
 * constant that happens to be 768 (axes). Conditions (`require`, `if`) may use every definition. A thin layer over `sizes/facts.ts`,
 * which holds the immutable facts; this object is the mutable "current facts" of a frame and is branched, never undone.
 */
import { NO_FACTS } from '../sizes/facts.ts';
import type { Facts, Verdict } from '../sizes/facts.ts';
import type { Poly } from '../sizes/poly.ts';
import { add, asConst, floorDiv, names, ONE, sub, substitute, terms, ZERO } from '../sizes/poly.ts';
import type { Condition } from './conditions.ts';
import { negate, substituteCondition } from './conditions.ts';
import { shown } from './types.ts';

export type { Verdict } from '../sizes/facts.ts';

const PROVED: Verdict = { kind: 'proved' };
const REFUTED: Verdict = { kind: 'refuted' };
const UNKNOWN: Verdict = { kind: 'unknown' };
/** Equal by the present values of constants, which is no knowledge. */
export const COINCIDENCE: Verdict = { kind: 'unknown' };

const bareName = (p: Poly): boolean => {
  const [t, ...more] = terms(p);
  if (t === undefined || more.length > 0 || t.coefficient !== 1 || t.factors.length !== 1) return false;
  return t.factors[0]!.atom.kind === 'name' && t.factors[0]!.exponent === 1;
};

export class Knowledge {
  facts: Facts;
  private readonly constants: ReadonlyMap<string, Poly>;
  private readonly flags: Map<string, boolean>;

  constructor(constants: ReadonlyMap<string, Poly>, facts: Facts = NO_FACTS, flags = new Map<string, boolean>()) {
    this.constants = constants;
    this.facts = facts;
    this.flags = flags;
  }

  branch(): Knowledge {
    return new Knowledge(this.constants, this.facts, new Map(this.flags));
  }

  get contradictory(): boolean {
    return this.facts.contradictory;
  }

  /** An index letter or a round: 0 ≤ name < extent. */
  position(name: string, extent: Poly | null): void {
    this.facts = extent === null ? this.facts.withName(name, 0) : this.facts.withIndex(name, extent);
  }

  /** An integer that is not a size. */
  integer(name: string, least: number | null): void {
    this.facts = this.facts.withName(name, least);
  }

  assume(c: Condition): void {
    switch (c.kind) {
      case 'known':
      case 'or':
        return;
      case 'and':
        for (const part of c.parts) this.assume(part);
        return;
      case 'opaque':
        this.flags.set(c.text, !c.negated);
        return;
      case 'equal':
        if (!c.negated) {
          this.facts = this.facts.assumeEqual(c.left, c.right);
          return;
        }
        // A disequality teaches only at the end of a range: depth != 0 with depth >= 0.
        if (this.facts.atLeastZero(sub(c.left, c.right)).kind === 'proved') this.least(sub(c.left, c.right), ONE);
        else if (this.facts.atLeastZero(sub(c.right, c.left)).kind === 'proved') this.least(sub(c.right, c.left), ONE);
        return;
      case 'atMost':
        if (bareName(c.right) && asConst(c.left) !== null) this.least(c.right, c.left);
        else if (bareName(c.left)) this.facts = this.facts.assumeBelow(c.left, add(c.right, ONE));
        else this.least(sub(c.right, c.left), ZERO);
        return;
      case 'divides':
        if (!c.negated) this.facts = this.facts.assumeDivides(c.divisor, c.value);
        else if (asConst(c.divisor) === 2) this.facts = this.facts.assumeDivides(c.divisor, sub(c.value, ONE));
        return;
    }
  }

  private least(p: Poly, n: Poly): void {
    const value = asConst(n);
    // `p >= n` with p = name + constant is a bound of the name.
    this.facts = value === null ? this.facts.assumeAtLeast(sub(p, n), 0) : this.facts.assumeAtLeast(p, value);
  }

  private defined(p: Poly): Poly {
    return substitute(p, this.constants);
  }

  /** Equality of axes: constants by definition only against a size without constants. */
  equal(p: Poly, q: Poly): Verdict {
    if (p === q) return PROVED;
    const direct = this.facts.equal(p, q);
    if (direct.kind === 'proved') return direct;
    const inP = this.hasConstant(p);
    const inQ = this.hasConstant(q);
    if (inP !== inQ) return this.facts.equal(this.defined(p), this.defined(q));
    if (inP && direct.kind !== 'refuted' && this.facts.normal(this.defined(sub(p, q))) === ZERO) return COINCIDENCE;
    return direct;
  }

  isEqual(p: Poly, q: Poly): boolean {
    return this.equal(p, q).kind === 'proved';
  }

  /** p ≥ 0, with every definition. */
  atLeastZero(p: Poly): Verdict {
    const direct = this.facts.atLeastZero(p);
    if (direct.kind === 'proved' || !this.hasConstant(p)) return direct;
    return this.facts.atLeastZero(this.defined(p));
  }

  /** Whether p ≥ 0 can be shown quickly: for choices where "not shown" only loses precision. Reports ask `atLeastZero`. */
  isAtLeastZero(p: Poly): boolean {
    const value = asConst(p);
    if (value !== null) return value >= 0;
    if (this.facts.showsAtLeastZero(p)) return true;
    return this.hasConstant(p) && this.facts.showsAtLeastZero(this.defined(p));
  }

  /** Whether the condition can be shown quickly. */
  holds(c: Condition): boolean {
    switch (c.kind) {
      case 'atMost':
        return this.isAtLeastZero(sub(c.right, c.left));
      case 'and':
        return c.parts.every((p) => this.holds(p));
      case 'or':
        return c.parts.some((p) => this.holds(p));
      case 'equal':
        return !c.negated && this.facts.normal(sub(c.left, c.right)) === ZERO;
      default:
        return this.decide(c).kind === 'proved';
    }
  }

  divides(divisor: Poly, p: Poly): Verdict {
    const direct = this.facts.divides(divisor, p);
    if (direct.kind === 'proved' || !(this.hasConstant(p) || this.hasConstant(divisor))) return direct;
    return this.facts.divides(this.defined(divisor), this.defined(p));
  }

  /** p / q where q divides p; written as a floor, which the facts take back to the quotient. */
  quotient(p: Poly, q: Poly): Poly | null {
    return this.divides(q, p).kind === 'proved' ? floorDiv(p, q) : null;
  }

  decide(c: Condition): Verdict {
    switch (c.kind) {
      case 'known':
        return c.value ? PROVED : REFUTED;
      case 'opaque': {
        const value = this.flags.get(c.text);
        return value === undefined ? UNKNOWN : value !== c.negated ? PROVED : REFUTED;
      }
      case 'equal': {
        let v = this.facts.equal(c.left, c.right);
        if (v.kind !== 'proved' && v.kind !== 'refuted' && (this.hasConstant(c.left) || this.hasConstant(c.right)))
          v = this.facts.equal(this.defined(c.left), this.defined(c.right));
        return c.negated ? flip(v) : v;
      }
      case 'atMost':
        return this.atLeastZero(sub(c.right, c.left));
      case 'divides': {
        const v = this.divides(c.divisor, c.value);
        return c.negated ? flip(v) : v;
      }
      case 'and': {
        let open: Verdict | null = null;
        for (const part of c.parts) {
          const v = this.decide(part);
          if (v.kind === 'refuted') return v;
          if (v.kind !== 'proved') open ??= v;
        }
        return open ?? PROVED;
      }
      case 'or': {
        let open: Verdict | null = null;
        for (const part of c.parts) {
          const v = this.decide(part);
          if (v.kind === 'proved') return v;
          if (v.kind !== 'refuted') open ??= v;
        }
        if (open === null) return REFUTED;
        // Under the negation of the other parts?
        for (const part of c.parts) {
          const rest = this.branch();
          for (const other of c.parts) if (other !== part) rest.assume(negate(other));
          if (part.kind !== 'or' && rest.decide(part).kind === 'proved') return PROVED;
        }
        return open;
      }
    }
  }

  show(p: Poly): string {
    return this.facts.show(this.facts.normal(p) === p ? p : this.shorter(p)).replace(/#[\w@]*/g, '');
  }

  /** The normal form, unless the written one is shorter. */
  private shorter(p: Poly): Poly {
    const n = this.facts.normal(p);
    return this.facts.show(n).length <= this.facts.show(p).length ? n : p;
  }

  private hasConstant(p: Poly): boolean {
    for (const n of names(p)) if (this.constants.has(n)) return true;
    return false;
  }

  /** The condition with every constant replaced by its value. */
  withDefinitions(c: Condition): Condition {
    return substituteCondition(c, this.constants);
  }
}

function flip(v: Verdict): Verdict {
  if (v.kind === 'proved') return REFUTED;
  if (v.kind === 'refuted') return PROVED;
  return UNKNOWN;
}

/** `H = 3, W = 1` for a counterexample; null for other verdicts. */
export function witness(v: Verdict): string | null {
  if (v.kind !== 'counterexample') return null;
  return (
    [...v.env]
      .filter(([n]) => !n.includes(' '))
      .map(([n, value]) => `${shown(n)} = ${value}`)
      .sort()
      .join(', ') || null
  );
}
