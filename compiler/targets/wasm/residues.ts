/**
 * Index arithmetic with small divisors, resolved: the gradient of a strided window asks at every point whether (q + n) mod 2 = 0. Here the axis q
 * becomes 2 q + 0 and 2 q + 1, one stage each, and reduced axes of a few points are written out; then remainders are constants, most terms
 * are gone, and what is left is linear.
 *
 * Only stages with one sum, no order, and values that no other stage uses. Terms whose guards fail are left out, so a sum of nothing but
 * zeros is +0. Everything else is exact.
 */
import { add, asConst, floorDiv, mul, name, names, num, sub, substitute, terms, type Poly } from '../../sizes/poly.ts';
import { Copier, ExprTable, polysOf, walk } from '../../kernel/expr.ts';
import type { Def, Expr, Guard, Kernel, Stage, Write } from '../../kernel/types.ts';

const GREATEST_DIVISOR = 4;
const GREATEST_TERMS = 16;
const GREATEST_STAGES = 16;

function rootsOf(stage: Stage): Expr[] {
  return [
    ...[...stage.defs.values()].map((d) => d.value),
    ...stage.writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
  ];
}

/** Axis → divisor, for every axis inside a floor with a small constant divisor. */
function divisors(stage: Stage): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const poly = (p: Poly): void => {
    for (const t of terms(p))
      for (const { atom } of t.factors) {
        if (atom.kind !== 'floor') continue;
        const d = asConst(atom.denominator);
        if (d === null || d > GREATEST_DIVISOR) continue;
        for (const s of names(atom.numerator)) found.set(s, Math.max(d, found.get(s) ?? 0));
        poly(atom.numerator);
      }
  };
  walk(rootsOf(stage), (e) => {
    for (const p of polysOf(e)) poly(p);
  });
  return found;
}

/** Whether lo ≤ e < hi for certain (true), for certain not (false), or depends (null); by the extents of the axes. */
export function decide(g: Guard, kernel: Kernel): boolean | null {
  const range = (p: Poly): readonly [number, number] | null => {
    let [low, high] = [0, 0];
    for (const t of terms(p)) {
      if (t.factors.length === 0) {
        low += t.coefficient;
        high += t.coefficient;
        continue;
      }
      const only = t.factors[0]!;
      if (t.factors.length > 1 || only.exponent !== 1 || only.atom.kind !== 'name') return null;
      const extent = kernel.axes.get(only.atom.name);
      const n = extent === undefined ? null : asConst(extent);
      if (n === null) return null;
      const far = t.coefficient * (n - 1);
      low += Math.min(0, far);
      high += Math.max(0, far);
    }
    return [low, high];
  };
  const above = range(sub(g.e, g.lo));
  const below = range(sub(g.hi, g.e));
  if (above !== null && above[1] < 0) return false;
  if (below !== null && below[1] <= 0) return false;
  return above !== null && above[0] >= 0 && below !== null && below[0] > 0 ? true : null;
}

class Resolver {
  private readonly table = new ExprTable();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** e with axes substituted and decided guards gone. */
  copier(map: ReadonlyMap<string, Poly>): Copier {
    const poly = (p: Poly, renamed: ReadonlyMap<string, Poly>): Poly =>
      substitute(renamed.size === 0 ? p : substitute(p, renamed), map);
    return new Copier(this.table, poly, (e, copier) => {
      if (e.kind !== 'read' || e.guards.length === 0) return null;
      const { at, guards, otherwise } = copier.access(e);
      const left = guards.filter((g) => decide(g, this.kernel) !== true);
      if (left.some((g) => decide(g, this.kernel) === false)) return otherwise;
      return this.table.read(e.buffer, e.dtype, at, left, left.length === 0 ? null : otherwise);
    });
  }

  sum(list: readonly Expr[]): Expr {
    const some = list.filter((e) => !(e.kind === 'const' && e.value === 0));
    const first = some[0] ?? list[0]!;
    return some.slice(1).reduce((a, b) => this.table.op('add', a.dtype, a, b), first);
  }
}

const combinations = (extents: readonly number[]): number[][] =>
  extents.reduce<number[][]>((all, n) => all.flatMap((c) => Array.from({ length: n }, (_, k) => [...c, k])), [[]]);

function resolveStage(
  kernel: Kernel,
  stage: Stage,
  fresh: (axis: string) => string,
): { stages: Stage[]; axes: Map<string, Poly> } | null {
  if (stage.order !== null || stage.each.length > 0) return null;
  const found = divisors(stage);
  if (found.size === 0) return null;
  const rows = kernel.rows ?? [];
  const over = stage.over.map((a) => asConst(kernel.axes.get(a)!) ?? Infinity);
  if (over.reduce((a, b) => a * b, 1) > GREATEST_TERMS) return null;
  const reduced = [...stage.defs].filter(([, d]) => d.op !== null);
  if (reduced.length > 1 || reduced.some(([, d]) => d.op !== 'sum' || d.init !== null)) return null;
  const split = stage.axes.filter((a) => found.has(a) && !rows.includes(a));
  if (split.length === 0 || split.reduce((n, a) => n * found.get(a)!, 1) > GREATEST_STAGES) return null;
  // With a guard only: the sum must lose terms by this.
  let guarded = false;
  walk(rootsOf(stage), (e) => {
    if (e.kind === 'read' && e.guards.length > 0) guarded = true;
  });
  if (!guarded) return null;

  const axes = new Map<string, Poly>();
  const stages: Stage[] = [];
  for (const [n, residues] of combinations(split.map((a) => found.get(a)!)).entries()) {
    const map = new Map<string, Poly>();
    const renamed = new Map<string, string>();
    let empty = false;
    for (const [k, axis] of split.entries()) {
      const d = found.get(axis)!;
      const own = fresh(axis);
      const extent = floorDiv(add(kernel.axes.get(axis)!, num(d - 1 - residues[k]!)), num(d));
      if (asConst(extent) === 0) empty = true;
      axes.set(own, extent);
      renamed.set(axis, own);
      map.set(axis, add(mul(num(d), name(own)), num(residues[k]!)));
    }
    if (empty) continue;
    const resolver = new Resolver({ ...kernel, axes: new Map([...kernel.axes, ...axes]) });
    const plain = resolver.copier(map);
    const points = combinations(over);
    const defs = new Map<string, Def>();
    for (const [value, d] of stage.defs) {
      if (d.op === null) defs.set(value, { op: null, value: plain.copy(d.value) });
      else {
        const each = points.map((p) =>
          resolver
            .copier(new Map([...map, ...stage.over.map((a, k): [string, Poly] => [a, num(p[k]!)])]))
            .copy(d.value),
        );
        defs.set(value, { op: null, value: resolver.sum(each) });
      }
    }
    const writes = stage.writes.map((w): Write => {
      const { at, guards, dynamic } = plain.access(w);
      return { ...w, at, guards, dynamic, value: plain.copy(w.value) };
    });
    stages.push({
      ...stage,
      name: n === 0 ? stage.name : `${stage.name}_${n}`,
      axes: stage.axes.map((a) => renamed.get(a) ?? a),
      over: [],
      defs,
      writes,
    });
  }
  return { stages, axes };
}

/** The kernel with such stages replaced; itself where there are none. */
export function resolveResidues(kernel: Kernel): Kernel {
  const axes = new Map(kernel.axes);
  let count = 0;
  const fresh = (axis: string): string => {
    let own = `${axis}${++count}`;
    while (axes.has(own) || kernel.sizes.includes(own)) own = `${axis}${++count}`;
    axes.set(own, num(0));
    return own;
  };
  let changed = false;
  const stages = kernel.stages.flatMap((stage) => {
    // Values that other stages read belong to rows and stay.
    const exported = kernel.stages.some((other) => {
      let uses = false;
      if (other !== stage)
        walk([...rootsOf(other), ...other.each.map((w) => w.value)], (e) => {
          if (e.kind === 'value' && stage.defs.has(e.name)) uses = true;
        });
      return uses;
    });
    const done = exported ? null : resolveStage(kernel, stage, fresh);
    if (done === null) return [stage];
    changed = true;
    for (const [axis, extent] of done.axes) axes.set(axis, extent);
    // Values of one name in several stages would be one value.
    return done.stages.map((s, k) => renameValues(s, k));
  });
  return changed ? { ...kernel, axes, stages } : kernel;
}

function renameValues(stage: Stage, k: number): Stage {
  if (k === 0) return stage;
  const table = new ExprTable();
  const own = (value: string): string => `${value}_${k}`;
  const copier = new Copier(
    table,
    (p, renamed) => (renamed.size === 0 ? p : substitute(p, renamed)),
    (e) => (e.kind === 'value' && stage.defs.has(e.name) ? table.value(own(e.name), e.dtype) : null),
  );
  return {
    ...stage,
    defs: new Map(
      [...stage.defs].map(([value, d]) => [own(value), { op: null, value: copier.copy(d.value) } satisfies Def]),
    ),
    writes: stage.writes.map((w) => {
      const { at, guards, dynamic } = copier.access(w);
      return { ...w, at, guards, dynamic, value: copier.copy(w.value) };
    }),
  };
}
