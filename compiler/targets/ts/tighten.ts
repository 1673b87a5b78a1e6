/**
 * Where a guard fails, does a reduction gain anything? A padded read in a sum is 0 outside, in a maximum −∞: such guards bound the loops instead
 * of asking in every round. (A product with a NaN or an infinity outside would have been NaN; it is 0, as if the term were absent.)
 */
import { coefficientOf, floorDiv, names, neg, num, sub, add, asConst, type Poly } from '../../sizes/poly.ts';
import type { Expr, Guard, Stage } from '../../kernel/types.ts';

export const guardKey = (g: Guard): string => `${g.lo.key}≤${g.e.key}<${g.hi.key}`;

type Found = ReadonlyMap<string, Guard>;

const merge = (a: Found, b: Found): Found => new Map([...a, ...b]);

function isIdentity(e: Expr, op: string): boolean {
  if (e.kind !== 'const') return false;
  if (op === 'sum') return e.value === 0;
  if (op === 'prod' || op === 'all') return e.value === 1;
  if (op === 'any') return e.value === 0;
  if (op === 'max' || op === 'argmax') return e.value === -Infinity;
  return e.value === Infinity;
}

/** Guards of which each alone, failing, makes `e` the identity of `op`. */
function vanishing(e: Expr, op: string): Found {
  const own = (guards: readonly Guard[]): Found => new Map(guards.map((g) => [guardKey(g), g]));
  switch (e.kind) {
    case 'read':
      // A guard on a data-dependent index is no bound of a loop.
      return e.otherwise !== null && isIdentity(e.otherwise, op)
        ? own(e.guards.filter((g) => !e.dynamic.some((d) => [g.e, g.lo, g.hi].some((p) => names(p).has(d.name)))))
        : new Map();
    case 'guarded':
      return isIdentity(e.outside, op) ? merge(own(e.guards), vanishing(e.inside, op)) : new Map();
    case 'op':
      if (op === 'sum' && e.op === 'mul') return merge(vanishing(e.args[0]!, op), vanishing(e.args[1]!, op));
      if (op === 'sum' && (e.op === 'neg' || e.op === 'cast')) return vanishing(e.args[0]!, op);
      if (op === 'sum' && e.op === 'div') return vanishing(e.args[0]!, op);
      return new Map();
    default:
      return new Map();
  }
}

/** Guards without which no reduction of the stage gains anything; none when it also writes at every point. */
export function stageGuards(stage: Stage): Guard[] {
  if (stage.each.length > 0 || stage.order !== null) return [];
  const all: Found[] = [];
  for (const def of stage.defs.values()) {
    // The position of the greatest value is 0 when there is none; leave argmax alone.
    if (def.op === 'argmax') return [];
    if (def.op === null) continue;
    const found = vanishing(def.value, def.op);
    all.push(found);
  }
  const first = all[0];
  return first === undefined ? [] : [...first].flatMap(([key, g]) => (all.every((f) => f.has(key)) ? [g] : []));
}

export interface Bounds {
  /** The loop runs from the greatest of these and 0 … */
  readonly from: readonly Poly[];
  /** … to the least of these and the extent. */
  readonly to: readonly Poly[];
}

/** The rounds of `axis` in which the guard holds, if it is linear in it with a constant coefficient. */
export function solve(g: Guard, axis: string): Bounds | null {
  if (names(g.lo).has(axis) || names(g.hi).has(axis)) return null;
  const linear = coefficientOf(g.e, axis);
  const c = linear === null ? null : asConst(linear.coefficient);
  if (linear === null || c === null || c === 0) return null;
  const { rest } = linear;
  const one = num(1);
  if (c > 0) {
    const ceil = (p: Poly): Poly => (c === 1 ? p : floorDiv(add(p, num(c - 1)), num(c)));
    return { from: [ceil(sub(g.lo, rest))], to: [ceil(sub(g.hi, rest))] };
  }
  const down = (p: Poly): Poly => add(floorDiv(p, num(-c)), one);
  return { from: [down(sub(rest, g.hi))], to: [down(neg(sub(g.lo, rest)))] };
}
