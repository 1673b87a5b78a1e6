/**
 * A search for small numbers that satisfy the facts and violate a claim. Deterministic: no clock, no random source. What it returns has
 * been checked against the original assumptions, so it is a counterexample; that it returns null says nothing.
 */
import { floorOfQuotient, names, terms } from './poly.ts';
import type { Atom, Poly } from './poly.ts';
import type { Bound } from './prover.ts';
import { namesOfRelation } from './relation.ts';
import type { Relation } from './relation.ts';

const ATTEMPTS = 600;

export interface SearchSpace {
  /** Names the claim speaks of. */
  readonly of: ReadonlySet<string>;
  readonly boundOf: (name: string) => Bound;
  readonly assumptions: readonly Relation[];
  /** Names that the facts give in terms of others. */
  readonly solved: ReadonlyMap<string, Poly>;
  /** Names made by the facts (D / heads): assigned, but not part of the answer. */
  readonly isInternal: (name: string) => boolean;
}

type Env = Map<string, number>;

/** The value where every divisor is at least 1, else NaN: outside of that no claim is made. */
export function strictValue(p: Poly, env: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const t of terms(p)) {
    let product = t.coefficient;
    for (const { atom, exponent } of t.factors) product *= strictAtom(atom, env) ** exponent;
    sum += product;
  }
  return Number.isSafeInteger(sum) ? sum + 0 : Number.NaN;
}

function strictAtom(atom: Atom, env: ReadonlyMap<string, number>): number {
  switch (atom.kind) {
    case 'name':
      return env.get(atom.name) ?? Number.NaN;
    case 'floor': {
      const q = strictValue(atom.denominator, env);
      return q >= 1 ? floorOfQuotient(strictValue(atom.numerator, env), q) : Number.NaN;
    }
    case 'power': {
      const exponent = strictValue(atom.exponent, env);
      return exponent >= 0 ? atom.base ** exponent : Number.NaN;
    }
  }
}

/** Whether the relation holds for these numbers; null where a part of it has no value. */
export function holdsFor(r: Relation, env: ReadonlyMap<string, number>): boolean | null {
  if (r.kind === 'divides') {
    const of = strictValue(r.of, env);
    const by = strictValue(r.divisor, env);
    if (Number.isNaN(of) || !(by >= 1)) return null;
    return (((of - (r.residue ?? 0)) % by) + by) % by === 0;
  }
  const left = strictValue(r.left, env);
  const right = strictValue(r.right, env);
  if (Number.isNaN(left) || Number.isNaN(right)) return null;
  return r.kind === 'equal' ? left === right : r.kind === 'below' ? left < right : left >= right;
}

/** Numbers for the claim's names (and those the facts tie to them) for which the facts hold and the claim does not. */
export function findCounterexample(claim: Relation, space: SearchSpace): ReadonlyMap<string, number> | null {
  const { all, relevant } = connected(space);
  const next = generator();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const most = attempt < 150 ? 4 : attempt < 350 ? 12 : 48;
    const env = assign(all, space, most, next);
    if (env === null || holdsFor(claim, env) !== false) continue;
    if (!relevant.every((r) => holdsFor(r, env) === true)) continue;
    if (![...env.keys()].every((s) => within(s, env, space))) continue;
    return new Map([...env].filter(([s]) => !space.isInternal(s)).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return null;
}

/** The names reached from the claim through assumptions, bounds and solved names, and the assumptions among them. */
function connected(space: SearchSpace): { all: string[]; relevant: Relation[] } {
  const all = new Set(space.of);
  const left = new Map(space.assumptions.map((r) => [r, namesOfRelation(r)]));
  const relevant: Relation[] = [];
  for (let before = -1; before !== all.size + relevant.length;) {
    before = all.size + relevant.length;
    for (const s of all) {
      const { lo, hi } = space.boundOf(s);
      for (const p of [lo, hi, space.solved.get(s)]) if (p) for (const t of names(p)) all.add(t);
    }
    for (const [r, mentioned] of left) {
      if (![...mentioned].some((s) => all.has(s))) continue;
      for (const s of mentioned) all.add(s);
      relevant.push(r);
      left.delete(r);
    }
  }
  return { all: [...all].sort(), relevant };
}

function assign(all: readonly string[], space: SearchSpace, most: number, next: (n: number) => number): Env | null {
  const env: Env = new Map();
  const busy = new Set<string>();
  const visit = (s: string): boolean => {
    if (env.has(s)) return true;
    if (busy.has(s)) return false;
    busy.add(s);
    const value = space.solved.get(s);
    if (value !== undefined) {
      for (const t of names(value)) if (!visit(t)) return false;
      env.set(s, strictValue(value, env));
      return Number.isSafeInteger(env.get(s));
    }
    const { lo, hi } = space.boundOf(s);
    for (const p of [lo, hi]) if (p !== null) for (const t of names(p)) if (!visit(t)) return false;
    let low = lo === null ? -most : strictValue(lo, env);
    let high = hi === null ? low + most - 1 : strictValue(hi, env);
    if (!(low <= high)) return false;
    const side = next(4);
    if (hi !== null && side === 0) low = high;
    else if (side === 1) high = low;
    env.set(s, low + next(Math.min(high - low + 1, 1 << 20)));
    return true;
  };
  for (const s of all) if (!visit(s)) return null;
  return env;
}

function within(s: string, env: Env, space: SearchSpace): boolean {
  const { lo, hi } = space.boundOf(s);
  const value = env.get(s)!;
  return (lo === null || strictValue(lo, env) <= value) && (hi === null || strictValue(hi, env) >= value);
}

/** A small linear congruential sequence, the same at every search (constants of Numerical Recipes). */
function generator(): (n: number) => number {
  let state = 12345;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
