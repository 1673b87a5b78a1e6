/**
 * Interned integer polynomials: the sizes of tensors (`4 * D`, `floor((H + 1) / 2)`) and the index arithmetic of kernels.
 *
 * A polynomial is a sum of integer multiples of monomials over atoms: a name, floor(p / q), or c^e with a prime base. Every value is kept
 * in normal form and interned, so equal normal forms are the same object and `===` compares them. The normal form is not complete:
 * floor(H / 2) + floor((H + 1) / 2) equals H and does not reduce to it; `Facts` (facts.ts) decides such cases by residue classes.
 *
 * Two conventions. The divisor of a floor is positive wherever the value is used (callers check it), exponents are not negative. A value
 * that does not exist (division by the constant 0) or that would need a coefficient beyond 2^53 is `UNDEFINED`, which absorbs everything;
 * it is identical to itself but proves nothing, so test with `isDefined` where user input could lead there.
 *
 * The tables are global and only grow; entries are small and shared between compilations. The memos of operations are dropped when large.
 * Nothing here knows the ranges of names (ranges.ts) or facts about them (facts.ts).
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

interface Monomial {
  readonly id: number;
  readonly key: string;
  readonly degree: number;
  readonly factors: readonly Factor[];
}

interface Part extends Term {
  readonly monomial: Monomial;
}

interface Node extends Poly {
  /** Greatest monomial first (degree, then lexicographic), the constant last. */
  readonly parts: readonly Part[];
  names: ReadonlySet<string> | null;
}

const atoms = new Map<string, Atom>();
const monomials = new Map<string, Monomial>();
const polys = new Map<string, Node>();
const MEMO_LIMIT = 1 << 17;
const ID_LIMIT = 1 << 26;

const node = (p: Poly): Node => p as Node;

/** A memo for a function of two ids; forgets everything rather than growing without end. */
function memo2<A extends { readonly id: number }, B extends { readonly id: number }, R>(
  compute: (a: A, b: B) => R,
): (a: A, b: B) => R {
  const table = new Map<number, R>();
  return (a, b) => {
    const key = a.id * ID_LIMIT + b.id;
    const known = table.get(key);
    if (known !== undefined) return known;
    const result = compute(a, b);
    if (table.size >= MEMO_LIMIT) table.clear();
    table.set(key, result);
    return result;
  };
}

// Atoms and monomials

const PLAIN_NAME = /^[\p{L}_$@#'][\p{L}\p{N}_$@#'.:]*$/u;

function nameAtom(text: string): Atom {
  const key = PLAIN_NAME.test(text) ? text : JSON.stringify(text);
  let atom = atoms.get(key);
  if (atom === undefined) atoms.set(key, (atom = { kind: 'name', key, name: text }));
  return atom;
}

function floorAtom(numerator: Poly, denominator: Poly): Atom {
  const key = `floor(${numerator.key}/${denominator.key})`;
  let atom = atoms.get(key);
  if (atom === undefined) atoms.set(key, (atom = { kind: 'floor', key, numerator, denominator }));
  return atom;
}

function powerAtom(base: number, exponent: Poly): Atom {
  const key = `${base}^(${exponent.key})`;
  let atom = atoms.get(key);
  if (atom === undefined) atoms.set(key, (atom = { kind: 'power', key, base, exponent }));
  return atom;
}

function monomial(factors: readonly Factor[]): Monomial {
  let key = '';
  let degree = 0;
  for (const { atom, exponent } of factors) {
    key += (key === '' ? '' : '*') + (exponent === 1 ? atom.key : `${atom.key}^${exponent}`);
    degree += exponent;
  }
  let result = monomials.get(key);
  if (result === undefined) monomials.set(key, (result = { id: monomials.size, key, degree, factors }));
  return result;
}

const UNIT = monomial([]);

const timesMonomial = memo2((a: Monomial, b: Monomial): Monomial => {
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
function overMonomial(a: Monomial, b: Monomial): Monomial | null {
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
function order(a: Monomial, b: Monomial): number {
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

function intern(parts: readonly Part[]): Poly {
  let key = '';
  for (const { coefficient, monomial: m } of parts) {
    if (!Number.isSafeInteger(coefficient)) return UNDEFINED;
    if (key !== '') key += '+';
    key += m === UNIT ? String(coefficient) : coefficient === 1 ? m.key : `${coefficient}*${m.key}`;
  }
  if (key === '') key = '0';
  return internAs(key, parts);
}

function internAs(key: string, parts: readonly Part[]): Poly {
  let result = polys.get(key);
  if (result === undefined) {
    const fresh = { id: polys.size, key, parts, names: null };
    if (fresh.id >= ID_LIMIT) throw new Error('the table of polynomials is full');
    result = fresh as unknown as Node; // the brand exists in types only
    polys.set(key, result);
  }
  return result;
}

const part = (coefficient: number, m: Monomial): Part => ({ coefficient, factors: m.factors, monomial: m });

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

const add2 = memo2((a: Poly, b: Poly): Poly => {
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

function plus(a: Poly, b: Poly): Poly {
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
function scale(p: Poly, coefficient: number, m: Monomial): Poly {
  if (p === UNDEFINED) return UNDEFINED;
  if (coefficient === 0) return ZERO;
  if (coefficient === 1 && m === UNIT) return p;
  // The order is admissible: multiplying by one monomial keeps the parts sorted.
  return intern(node(p).parts.map((t) => part(t.coefficient * coefficient, timesMonomial(t.monomial, m))));
}

export const neg = (p: Poly): Poly => scale(p, -1, UNIT);

export const sub = (a: Poly, b: Poly): Poly => (a === b && a !== UNDEFINED ? ZERO : plus(a, neg(b)));

const mul2 = memo2((a: Poly, b: Poly): Poly => {
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

function fromSums(sums: ReadonlyMap<Monomial, number>): Poly {
  const out: Part[] = [];
  for (const [m, coefficient] of sums) if (coefficient !== 0) out.push(part(coefficient, m));
  out.sort((s, t) => order(s.monomial, t.monomial));
  return intern(out);
}

function times(a: Poly, b: Poly): Poly {
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

// Division

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
function divideWithRest(p: Poly, q: Poly): { quotient: Poly; rest: Poly } {
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

// Looking inside

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

// For people

/**
 * `4 * D`, `floor((H + 1) / 2)`, `(i + 1) % 4`, `2 ^ i`. `shown` replaces names (a fact's `D / heads`); text with spaces is put in
 * parentheses where it meets an operator.
 */
export function format(p: Poly, shown: (name: string) => string = (s) => s): string {
  if (p === UNDEFINED) return 'undefined';
  if (p === ZERO) return '0';
  const pieces: { negative: boolean; text: string }[] = [];
  let left = p;
  for (const found of remainders(p)) {
    left = sub(left, found.value);
    pieces.push({ negative: found.coefficient < 0, text: remainderText(found, shown) });
  }
  for (const t of node(left).parts) pieces.push({ negative: t.coefficient < 0, text: termText(t, shown) });
  // `1 - H` reads better than `-H + 1`.
  const first = pieces.findIndex((piece) => !piece.negative);
  if (first > 0) pieces.unshift(...pieces.splice(first, 1));
  return pieces
    .map(({ negative, text }, i) => (i === 0 ? (negative ? '-' : '') : negative ? ' - ' : ' + ') + text)
    .join('');
}

interface Remainder {
  readonly coefficient: number;
  readonly others: readonly Factor[];
  readonly numerator: Poly;
  readonly denominator: Poly;
  readonly value: Poly;
}

/** The parts of p of the form k · m · (n - d · floor(n / d)). */
function remainders(p: Poly): Remainder[] {
  const out: Remainder[] = [];
  let left = p;
  for (const t of node(p).parts) {
    for (const [at, { atom, exponent }] of t.factors.entries()) {
      if (atom.kind !== 'floor' || exponent !== 1) continue;
      const { numerator, denominator } = atom;
      const cofactor = neg(ofTerm({ coefficient: t.coefficient, factors: t.factors.toSpliced(at, 1) }));
      const multiple = divideExact(cofactor, denominator);
      if (multiple === null || node(multiple).parts.length !== 1) continue;
      const value = times(multiple, sub(numerator, times(denominator, ofAtom(atom))));
      const rest = sub(left, value);
      if (node(rest).parts.length + node(value).parts.length !== node(left).parts.length) continue;
      const { coefficient, factors } = node(multiple).parts[0]!;
      out.push({ coefficient, others: factors, numerator, denominator, value });
      left = rest;
      break;
    }
  }
  return out;
}

function remainderText(
  { coefficient, others, numerator, denominator }: Remainder,
  shown: (s: string) => string,
): string {
  const text = `${inParentheses(numerator, shown)} % ${inParentheses(denominator, shown)}`;
  const scale_ = Math.abs(coefficient);
  if (scale_ === 1 && others.length === 0) return text;
  return `${termText({ coefficient: scale_, factors: others }, shown)} * (${text})`;
}

function termText({ coefficient, factors }: Term, shown: (s: string) => string): string {
  const size = Math.abs(coefficient);
  if (factors.length === 0) return String(size);
  const texts = size === 1 ? [] : [String(size)];
  const alone = size === 1 && factors.length === 1 && coefficient > 0;
  for (const { atom, exponent } of factors) {
    const text = atomText(atom, shown, alone && exponent === 1);
    texts.push(exponent === 1 ? text : `${atom.kind === 'power' ? `(${text})` : text} ^ ${exponent}`);
  }
  return texts.join(' * ');
}

function atomText(atom: Atom, shown: (s: string) => string, alone: boolean): string {
  switch (atom.kind) {
    case 'name': {
      const text = shown(atom.name);
      return alone || text === atom.name || !text.includes(' ') ? text : `(${text})`;
    }
    case 'floor':
      return `floor(${inParentheses(atom.numerator, shown)} / ${inParentheses(atom.denominator, shown)})`;
    case 'power':
      return `${atom.base} ^ ${inParentheses(atom.exponent, shown)}`;
  }
}

function inParentheses(p: Poly, shown: (s: string) => string): string {
  const text = format(p, shown);
  return /^[^\s()-]+$/.test(text) || /^floor\([^()]*\)$/.test(text) ? text : `(${text})`;
}
