/** Looking inside polynomials: terms, names, linear parts, substitution and evaluation. Internal to this folder, see poly.ts. */
import { floorDiv, floorOfQuotient, power } from './division.ts';
import { UNDEFINED, ZERO, intern, monomial, nameAtom, node, num, ofAtom, part, plus, times } from './interning.ts';
import type { Atom, Part, Poly, Term } from './interning.ts';

export const terms = (p: Poly): readonly Term[] => node(p).parts;

/** coefficient · the factors of one term, as a polynomial. */
export function ofTerm(t: Term): Poly {
  return intern(t.coefficient === 0 ? [] : [part(t.coefficient, monomial(t.factors))]);
}

/** Every name in p, those inside floors and exponents too. */
export function names(p: Poly): ReadonlySet<string> {
  const n = node(p);
  if (n.names !== null) return n.names;
  const found = new Set<string>();
  for (const t of n.parts) for (const { atom } of t.factors) for (const s of namesOfAtom(atom)) found.add(s);
  return (n.names = found);
}

export function namesOfAtom(atom: Atom): Iterable<string> {
  switch (atom.kind) {
    case 'name':
      return [atom.name];
    case 'floor':
      return [...names(atom.numerator), ...names(atom.denominator)];
    case 'power':
      return names(atom.exponent);
  }
}

/** p = coefficient · name + rest with the name in neither; null if p is not linear in it or has it inside a floor or an exponent. */
export function coefficientOf(p: Poly, s: string): { coefficient: Poly; rest: Poly } | null {
  const of = nameAtom(s);
  let coefficient = ZERO;
  const rest: Part[] = [];
  for (const t of node(p).parts) {
    const at = t.factors.findIndex((f) => f.atom === of);
    if (t.factors.some(({ atom }) => atom.kind !== 'name' && [...namesOfAtom(atom)].includes(s))) return null;
    if (at < 0) rest.push(t);
    else if (t.factors[at]!.exponent !== 1) return null;
    else coefficient = plus(coefficient, ofTerm({ coefficient: t.coefficient, factors: t.factors.toSpliced(at, 1) }));
  }
  return { coefficient, rest: intern(rest) };
}

/** p with every atom replaced by what `replace` gives for it (null keeps it); not recursive. */
export function mapAtoms(p: Poly, replace: (atom: Atom) => Poly | null): Poly {
  if (p === UNDEFINED) return p;
  let changed = false;
  let sum = ZERO;
  for (const t of node(p).parts) {
    let product = num(t.coefficient);
    for (const f of t.factors) {
      const by = replace(f.atom);
      if (by !== null) changed = true;
      const value = by ?? ofAtom(f.atom);
      for (let i = 0; i < f.exponent; i++) product = times(product, value);
    }
    sum = plus(sum, product);
  }
  return changed ? sum : p;
}

/** Simultaneous substitution, inside floors and exponents too. `UNDEFINED` if an exponent stops being representable. */
export function substitute(p: Poly, map: ReadonlyMap<string, Poly>): Poly {
  if (map.size === 0) return p;
  const known = new Map<Poly, Poly>();
  const go = (q: Poly): Poly => {
    if (!overlaps(names(q), map)) return q;
    let result = known.get(q);
    if (result === undefined) known.set(q, (result = mapAtoms(q, inAtom)));
    return result;
  };
  const inAtom = (atom: Atom): Poly | null => {
    if (atom.kind === 'name') return map.get(atom.name) ?? null;
    if (atom.kind === 'floor') {
      const numerator = go(atom.numerator);
      const denominator = go(atom.denominator);
      if (numerator === atom.numerator && denominator === atom.denominator) return null;
      return floorDiv(numerator, denominator);
    }
    const exponent = go(atom.exponent);
    return exponent === atom.exponent ? null : (power(num(atom.base), exponent) ?? UNDEFINED);
  };
  return go(p);
}

function overlaps(a: ReadonlySet<string>, map: ReadonlyMap<string, Poly>): boolean {
  for (const s of a) if (map.has(s)) return true;
  return false;
}

/** The number p is for given names; NaN where it has none (a division by zero, a negative exponent, `UNDEFINED`). */
export function evaluate(p: Poly, env: (name: string) => number): number {
  if (p === UNDEFINED) return Number.NaN;
  let sum = 0;
  for (const t of node(p).parts) {
    let product = t.coefficient;
    for (const { atom, exponent } of t.factors) {
      const value = evaluateAtom(atom, env);
      for (let i = 0; i < exponent; i++) product *= value;
    }
    sum += product;
  }
  return sum + 0;
}

export function evaluateAtom(atom: Atom, env: (name: string) => number): number {
  switch (atom.kind) {
    case 'name':
      return env(atom.name);
    case 'floor':
      return floorOfQuotient(evaluate(atom.numerator, env), evaluate(atom.denominator, env));
    case 'power': {
      const exponent = evaluate(atom.exponent, env);
      return exponent < 0 ? Number.NaN : atom.base ** exponent;
    }
  }
}
