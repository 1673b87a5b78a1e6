/** What a stage's expressions read and how that moves along an axis: what schedules are chosen by. */
import { asConst, coefficientOf, evaluate, names, terms, type Poly } from '../sizes/poly.ts';
import { operands, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';

/** The value of a size parameter: its bound, where that is known. */
export type SizeOf = (size: string) => number;

export type Read = Extract<Expr, { kind: 'read' }>;

export const extent = (kernel: Kernel, axis: string, of: SizeOf): number => evaluate(kernel.axes.get(axis)!, of);

export function rootsOf(stage: Stage): Expr[] {
  return [
    ...[...stage.defs.values()].map((d) => d.value),
    ...[...stage.each, ...stage.writes].flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
  ];
}

export function readsOf(stage: Stage): Read[] {
  const found: Read[] = [];
  walk(rootsOf(stage), (e) => {
    if (e.kind === 'read') found.push(e);
  });
  return found;
}

/** 0, a constant, or null: another one for every lane. Divisions by multiples of four are taken to be steady within a vector. */
export function stride(at: Poly, axis: string): number | null {
  if (!names(at).has(axis)) return 0;
  let sum = 0;
  for (const t of terms(at)) {
    for (const { atom, exponent } of t.factors) {
      if (atom.kind === 'name') {
        if (atom.name !== axis) continue;
        if (exponent !== 1 || t.factors.length > 1) return null;
        sum += t.coefficient;
      } else if (atom.kind === 'floor') {
        const linear = coefficientOf(atom.numerator, axis);
        const d = asConst(atom.denominator);
        if (linear === null) return null;
        if (asConst(linear.coefficient) === 0) continue;
        if (d === null || d % 4 !== 0 || asConst(linear.coefficient) !== 1) return null;
        if (terms(linear.rest).some((u) => u.coefficient % 4 !== 0)) return null;
      } else if (names(atom.exponent).has(axis)) return null;
    }
  }
  return sum;
}

export function depends(e: Expr, axis: string): boolean {
  let found = false;
  walk([e], (x) => {
    if (x.kind === 'index' && names(x.at).has(axis)) found = true;
    if (x.kind === 'read' && [x.at, ...x.guards.flatMap((g) => [g.e, g.lo, g.hi])].some((p) => names(p).has(axis)))
      found = true;
  });
  return found;
}

export function mentions(root: Expr): Set<string> {
  const found = new Set<string>();
  walk([root], (e) => {
    const polys =
      e.kind === 'index' ? [e.at] : e.kind === 'read' ? [e.at, ...e.guards.flatMap((g) => [g.e, g.lo, g.hi])] : [];
    for (const p of polys) for (const s of names(p)) found.add(s);
  });
  return found;
}

export function hasValue(root: Expr): boolean {
  let found = false;
  const go = (e: Expr): void => {
    if (e.kind === 'value') found = true;
    for (const x of operands(e)) go(x);
  };
  go(root);
  return found;
}
