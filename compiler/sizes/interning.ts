/**
 * The tables behind poly.ts: interned atoms, monomials and polynomials, their order, sums and products. Internal to this folder; everything
 * else imports poly.ts, where the conventions are written down.
 */
declare const opaque: unique symbol;

export interface Poly {
  /** Number of the intern table; equal polynomials have equal ids. Depends on the order of creation: never sort output by it. */
  readonly id: number;
  /** Canonical text, injective, independent of the order of creation. For people there is `format`. */
  readonly key: string;
  readonly [opaque]: true;
}

export type Atom =
  | { readonly kind: 'name'; readonly key: string; readonly name: string }
  | { readonly kind: 'floor'; readonly key: string; readonly numerator: Poly; readonly denominator: Poly }
  /** A prime base to a single monomial with coefficient 1. */
  | { readonly kind: 'power'; readonly key: string; readonly base: number; readonly exponent: Poly };

export interface Factor {
  readonly atom: Atom;
  readonly exponent: number;
}

export interface Term {
  readonly coefficient: number;
  /** Sorted by the atoms' keys; empty for the constant. */
  readonly factors: readonly Factor[];
}

export interface Monomial {
  readonly id: number;
  readonly key: string;
  readonly degree: number;
  readonly factors: readonly Factor[];
}

export interface Part extends Term {
  readonly monomial: Monomial;
}

export interface Node extends Poly {
  /** Greatest monomial first (degree, then lexicographic), the constant last. */
  readonly parts: readonly Part[];
  names: ReadonlySet<string> | null;
}

let nextId = 0;
let scratchKeys: { atoms: string[]; monomials: string[]; polys: string[] } | null = null;
export const memos: Map<number, unknown>[] = [];
export const atoms = new Map<string, Atom>();
export const monomials = new Map<string, Monomial>();
export const polys = new Map<string, Node>();
export const MEMO_LIMIT = 1 << 17;
/** Pairs of ids up to here fit a number: 2^26 · 2^26 < 2^53. */
export const ID_LIMIT = 2 ** 26;

export const node = (p: Poly): Node => p as Node;

/** A memo for a function of two ids; forgets everything rather than growing without end. */
export function memo2<A extends { readonly id: number }, B extends { readonly id: number }, R>(
  compute: (a: A, b: B) => R,
): (a: A, b: B) => R {
  const at = memos.push(new Map()) - 1;
  return (a, b) => {
    const table = memos[at] as Map<number, R>;
    const key = a.id * ID_LIMIT + b.id;
    const known = table.get(key);
    if (known !== undefined) return known;
    const result = compute(a, b);
    if (table.size >= MEMO_LIMIT) table.clear();
    table.set(key, result);
    return result;
  };
}

/**
 * Runs `body` and forgets every polynomial made in it, so that a question with thousands of cases leaves nothing in the tables. Nothing
 * made inside may be used afterwards, caches included: it would no longer be identical to its equals.
 */
export function scratch<R extends Scalar>(body: () => R): R {
  if (scratchKeys !== null) return body();
  const keys = (scratchKeys = { atoms: [], monomials: [], polys: [] });
  const firstId = nextId;
  const before = memos.splice(0, memos.length, ...memos.map(() => new Map<number, unknown>()));
  try {
    return body();
  } finally {
    scratchKeys = null;
    nextId = firstId;
    memos.splice(0, memos.length, ...before);
    for (const key of keys.atoms) atoms.delete(key);
    for (const key of keys.monomials) monomials.delete(key);
    for (const key of keys.polys) polys.delete(key);
  }
}

export type Scalar = string | number | boolean | null | { readonly [key: string]: Scalar } | readonly Scalar[];

/** Given once, except that `scratch` takes back those of what it forgets. */
export function newId(): number {
  if (nextId >= ID_LIMIT) throw new Error('the table of polynomials is full');
  return nextId++;
}

// Atoms and monomials

export const PLAIN_NAME = /^[\p{L}_$@#'][\p{L}\p{N}_$@#'.:]*$/u;

export function keepAtom(atom: Atom): Atom {
  atoms.set(atom.key, atom);
  scratchKeys?.atoms.push(atom.key);
  return atom;
}

export function nameAtom(text: string): Atom {
  const key = PLAIN_NAME.test(text) ? text : JSON.stringify(text);
  let atom = atoms.get(key);
  if (atom === undefined) atom = keepAtom({ kind: 'name', key, name: text });
  return atom;
}

export function floorAtom(numerator: Poly, denominator: Poly): Atom {
  const key = `floor(${numerator.key}/${denominator.key})`;
  let atom = atoms.get(key);
  if (atom === undefined) atom = keepAtom({ kind: 'floor', key, numerator, denominator });
  return atom;
}

export function powerAtom(base: number, exponent: Poly): Atom {
  const key = `${base}^(${exponent.key})`;
  let atom = atoms.get(key);
  if (atom === undefined) atom = keepAtom({ kind: 'power', key, base, exponent });
  return atom;
}

export function monomial(factors: readonly Factor[]): Monomial {
  let key = '';
  let degree = 0;
  for (const { atom, exponent } of factors) {
    key += (key === '' ? '' : '*') + (exponent === 1 ? atom.key : `${atom.key}^${exponent}`);
    degree += exponent;
  }
  let result = monomials.get(key);
  if (result === undefined) {
    result = { id: newId(), key, degree, factors };
    monomials.set(key, result);
    scratchKeys?.monomials.push(key);
  }
  return result;
}

export const UNIT = monomial([]);

export const timesMonomial = memo2((a: Monomial, b: Monomial): Monomial => {
  if (a === UNIT) return b;
  if (b === UNIT) return a;
  const factors: Factor[] = [];
  let i = 0;
  let j = 0;
  while (i < a.factors.length || j < b.factors.length) {
    const f = a.factors[i];
    const g = b.factors[j];
    if (g === undefined || (f !== undefined && f.atom.key < g.atom.key)) {
      factors.push(f!);
      i++;
    } else if (f === undefined || g.atom.key < f.atom.key) {
      factors.push(g);
      j++;
    } else {
      factors.push({ atom: f.atom, exponent: f.exponent + g.exponent });
      i++;
      j++;
    }
  }
  return monomial(factors);
});

/** a / b as monomials, or null. */
export function overMonomial(a: Monomial, b: Monomial): Monomial | null {
  if (b === UNIT) return a;
  if (b.degree > a.degree) return null;
  const factors: Factor[] = [];
  let j = 0;
  for (const f of a.factors) {
    const g = b.factors[j];
    if (g !== undefined && g.atom === f.atom) {
      if (g.exponent > f.exponent) return null;
      if (f.exponent > g.exponent) factors.push({ atom: f.atom, exponent: f.exponent - g.exponent });
      j++;
    } else factors.push(f);
  }
  return j === b.factors.length ? monomial(factors) : null;
}

/** Degree first, then lexicographic by atom keys: an admissible order, which polynomial division needs. Negative: a is greater. */
export function order(a: Monomial, b: Monomial): number {
  if (a === b) return 0;
  if (a.degree !== b.degree) return b.degree - a.degree;
  for (let i = 0; ; i++) {
    const f = a.factors[i]!;
    const g = b.factors[i]!;
    if (f.atom !== g.atom) return f.atom.key < g.atom.key ? -1 : 1;
    if (f.exponent !== g.exponent) return g.exponent - f.exponent;
  }
}

// Polynomials

export function intern(parts: readonly Part[]): Poly {
  let key = '';
  for (const { coefficient, monomial: m } of parts) {
    if (!Number.isSafeInteger(coefficient)) return UNDEFINED;
    if (key !== '') key += '+';
    key += m === UNIT ? String(coefficient) : coefficient === 1 ? m.key : `${coefficient}*${m.key}`;
  }
  if (key === '') key = '0';
  return internAs(key, parts);
}

export function internAs(key: string, parts: readonly Part[]): Poly {
  let result = polys.get(key);
  if (result === undefined) {
    const fresh = { id: newId(), key, parts, names: null };
    result = fresh as unknown as Node; // the brand exists in types only
    polys.set(key, result);
    scratchKeys?.polys.push(key);
  }
  return result;
}

export const part = (coefficient: number, m: Monomial): Part => ({ coefficient, factors: m.factors, monomial: m });

/** The value of what has none: division by the constant 0, a coefficient beyond 2^53. Absorbs. */
export const UNDEFINED: Poly = internAs('?', []);
export const ZERO: Poly = intern([]);
export const ONE: Poly = intern([part(1, UNIT)]);

export const isDefined = (p: Poly): boolean => p !== UNDEFINED;

/** The constant n; `UNDEFINED` if n is no integer within 2^53. */
export function num(n: number): Poly {
  if (n === 0) return ZERO;
  return intern([part(n, UNIT)]);
}

export function name(s: string): Poly {
  return ofAtom(nameAtom(s));
}

export function ofAtom(atom: Atom, exponent = 1): Poly {
  return exponent === 0 ? ONE : intern([part(1, monomial([{ atom, exponent }]))]);
}

export const add2 = memo2((a: Poly, b: Poly): Poly => {
  const x = node(a).parts;
  const y = node(b).parts;
  const out: Part[] = [];
  let i = 0;
  let j = 0;
  while (i < x.length && j < y.length) {
    const f = x[i]!;
    const g = y[j]!;
    const c = order(f.monomial, g.monomial);
    if (c < 0) {
      out.push(f);
      i++;
    } else if (c > 0) {
      out.push(g);
      j++;
    } else {
      const sum = f.coefficient + g.coefficient;
      if (sum !== 0) out.push(part(sum, f.monomial));
      i++;
      j++;
    }
  }
  while (i < x.length) out.push(x[i++]!);
  while (j < y.length) out.push(y[j++]!);
  return intern(out);
});

export function plus(a: Poly, b: Poly): Poly {
  if (a === UNDEFINED || b === UNDEFINED) return UNDEFINED;
  if (a === ZERO) return b;
  if (b === ZERO) return a;
  return a.id <= b.id ? add2(a, b) : add2(b, a);
}

export function add(a: Poly, b: Poly, ...rest: readonly Poly[]): Poly {
  let sum = plus(a, b);
  for (const p of rest) sum = plus(sum, p);
  return sum;
}

/** coefficient · m · p */
export function scale(p: Poly, coefficient: number, m: Monomial): Poly {
  if (p === UNDEFINED) return UNDEFINED;
  if (coefficient === 0) return ZERO;
  if (coefficient === 1 && m === UNIT) return p;
  // The order is admissible: multiplying by one monomial keeps the parts sorted.
  return intern(node(p).parts.map((t) => part(t.coefficient * coefficient, timesMonomial(t.monomial, m))));
}

export const neg = (p: Poly): Poly => scale(p, -1, UNIT);

export const sub = (a: Poly, b: Poly): Poly => (a === b && a !== UNDEFINED ? ZERO : plus(a, neg(b)));

export const mul2 = memo2((a: Poly, b: Poly): Poly => {
  const sums = new Map<Monomial, number>();
  for (const f of node(a).parts) {
    for (const g of node(b).parts) {
      const m = timesMonomial(f.monomial, g.monomial);
      const product = f.coefficient * g.coefficient;
      if (!Number.isSafeInteger(product)) return UNDEFINED;
      sums.set(m, (sums.get(m) ?? 0) + product);
    }
  }
  return fromSums(sums);
});

export function fromSums(sums: ReadonlyMap<Monomial, number>): Poly {
  const out: Part[] = [];
  for (const [m, coefficient] of sums) if (coefficient !== 0) out.push(part(coefficient, m));
  out.sort((s, t) => order(s.monomial, t.monomial));
  return intern(out);
}

export function times(a: Poly, b: Poly): Poly {
  if (a === UNDEFINED || b === UNDEFINED) return UNDEFINED;
  if (a === ONE) return b;
  if (b === ONE) return a;
  const x = node(a).parts;
  const y = node(b).parts;
  if (x.length === 0 || y.length === 0) return ZERO;
  if (x.length === 1) return scale(b, x[0]!.coefficient, x[0]!.monomial);
  if (y.length === 1) return scale(a, y[0]!.coefficient, y[0]!.monomial);
  return a.id <= b.id ? mul2(a, b) : mul2(b, a);
}

export function mul(a: Poly, b: Poly, ...rest: readonly Poly[]): Poly {
  let product = times(a, b);
  for (const p of rest) product = times(product, p);
  return product;
}

export function asConst(p: Poly): number | null {
  if (p === ZERO) return 0;
  const { parts } = node(p);
  return parts.length === 1 && parts[0]!.monomial === UNIT ? parts[0]!.coefficient : null;
}
