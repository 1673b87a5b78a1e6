/**
 * The signs of a polynomial's coefficients when each atom is counted from its least value: the leaves of the prover's search. Plain numbers over
 * exponent vectors: a question asked thousands of times in a check makes no polynomial, and so leaves nothing in the intern tables.
 */
import { UNDEFINED, terms } from './poly.ts';
import type { Atom, Poly, Term } from './poly.ts';

/**
 * Whether p >= 0 because no coefficient of p(x + least) is negative, `least` giving a constant below which an atom never is, or null; an atom without one
 * may only stand at even powers. Sound, and false means "not shown".
 */
export function nonNegativeFrom(p: Poly, least: (atom: Atom) => number | null): boolean {
  if (p === UNDEFINED) return false;
  const parts = terms(p);
  const columns = new Map<Atom, Column>();
  for (const t of parts) {
    for (const { atom, exponent } of t.factors) {
      const column = columns.get(atom);
      if (column === undefined) columns.set(atom, { least: least(atom), most: exponent, place: 0 });
      else column.most = Math.max(column.most, exponent);
    }
  }
  // A negative coefficient is outweighed, after the shift, only by a term whose monomial is a multiple of its own.
  for (const t of parts) {
    if (t.coefficient < 0 && !parts.some((s) => s.coefficient > 0 && s !== t && divides(t, s))) return false;
  }
  let places = 1;
  for (const column of columns.values()) {
    column.place = places;
    places *= column.most + 1;
  }
  if (!Number.isSafeInteger(places)) return false;
  const sums = new Map<number, number>();
  for (const t of parts) {
    for (const [code, coefficient] of expand(t, columns)) {
      const sum = (sums.get(code) ?? 0) + coefficient;
      if (!Number.isSafeInteger(coefficient) || !Number.isSafeInteger(sum)) return false;
      sums.set(code, sum);
    }
  }
  const unknown = [...columns.values()].filter((column) => column.least === null);
  for (const [code, sum] of sums) {
    if (sum < 0) return false;
    if (sum > 0 && unknown.some(({ place, most }) => (Math.floor(code / place) % (most + 1)) % 2 !== 0)) return false;
  }
  return true;
}

interface Column {
  readonly least: number | null;
  /** The greatest exponent, and the weight of an exponent in the number that stands for a monomial. */
  most: number;
  place: number;
}

function divides(t: Term, s: Term): boolean {
  return t.factors.every((f) => s.factors.some((g) => g.atom === f.atom && g.exponent >= f.exponent));
}

/** The terms of coefficient · ∏ (atom + least)^exponent, each as [monomial, coefficient]. */
function expand(t: Term, columns: ReadonlyMap<Atom, Column>): [code: number, coefficient: number][] {
  let out: [number, number][] = [[0, t.coefficient]];
  for (const { atom, exponent } of t.factors) {
    const { least, place } = columns.get(atom)!;
    if (least === null || least === 0) {
      out = out.map(([code, coefficient]) => [code + exponent * place, coefficient]);
      continue;
    }
    const next: [number, number][] = [];
    let binomial = 1; // C(exponent, k)
    let power = 1; // least^(exponent - k)
    for (let k = exponent; k >= 0; k--) {
      for (const [code, coefficient] of out) next.push([code + k * place, coefficient * binomial * power]);
      binomial = (binomial * k) / (exponent - k + 1);
      power *= least;
    }
    out = next;
  }
  return out;
}
