/**
 * Axes that every access runs through as one become one: i < B, j < 10 over x[10 i + j] is ij < 10 B over x[ij]. Longer runs vectorise better and
 * have fewer remainders. Exact: the order of reduced axes stays row-major.
 */
import { coefficientOf, mul, names, substitute, ZERO, type Poly } from '../../sizes/poly.ts';
import { Copier, ExprTable, polysOf, walk } from '../../kernel/expr.ts';
import type { Def, Expr, Guard, Kernel, Stage, Write } from '../../kernel/types.ts';

function stagePolys(stage: Stage): Set<Poly> {
  const found = new Set<Poly>();
  const guards = (list: readonly Guard[]): void => {
    for (const g of list) for (const p of [g.e, g.lo, g.hi]) found.add(p);
  };
  const roots: Expr[] = [];
  for (const d of stage.defs.values()) {
    roots.push(d.value);
    if (d.op !== null && d.init !== null) roots.push(d.init);
  }
  for (const w of [...stage.each, ...stage.writes]) {
    found.add(w.at);
    guards(w.guards);
    roots.push(w.value, ...w.dynamic.map((d) => d.value));
  }
  walk(roots, (e) => {
    for (const p of polysOf(e)) found.add(p);
  });
  return found;
}

/** p = … + c (extent · outer + inner): then the outer one can go. */
function joins(p: Poly, outer: string, inner: string, extent: Poly): boolean {
  const mentioned = names(p);
  if (!mentioned.has(outer) && !mentioned.has(inner)) return true;
  const a = coefficientOf(p, outer);
  const b = coefficientOf(p, inner);
  return a !== null && b !== null && a.coefficient === mul(b.coefficient, extent);
}

function canJoin(kernel: Kernel, outer: string, inner: string): boolean {
  const extent = kernel.axes.get(inner)!;
  const rows = kernel.rows ?? [];
  if (rows.includes(outer) !== rows.includes(inner)) return false;
  for (const stage of kernel.stages) {
    const inAxes = stage.axes.includes(outer) && stage.axes.includes(inner);
    const at = stage.over.indexOf(outer);
    const inOver = at >= 0 && stage.over[at + 1] === inner;
    const has = [...stage.axes, ...stage.over].some((s) => s === outer || s === inner);
    if (has && !inAxes && !inOver) return false;
    for (const p of stagePolys(stage)) if (!joins(p, outer, inner, extent)) return false;
  }
  return true;
}

function join(kernel: Kernel, outer: string, inner: string): Kernel {
  const map = new Map([[outer, ZERO]]);
  const table = new ExprTable();
  const copier = new Copier(
    table,
    (p, renamed) => substitute(renamed.size === 0 ? p : substitute(p, renamed), map),
    () => null,
  );
  const write = (w: Write): Write => {
    const { at, guards, dynamic } = copier.access(w);
    return { ...w, at, guards, dynamic, value: copier.copy(w.value) };
  };
  const def = (d: Def): Def => {
    if (d.op === null) return { op: null, value: copier.copy(d.value) };
    if (d.op === 'argmax') return { ...d, value: copier.copy(d.value) };
    return { ...d, init: d.init === null ? null : copier.copy(d.init), value: copier.copy(d.value) };
  };
  const without = (list: readonly string[]): string[] => list.filter((s) => s !== outer);
  const axes = new Map(kernel.axes);
  axes.set(inner, mul(kernel.axes.get(outer)!, kernel.axes.get(inner)!));
  axes.delete(outer);
  return {
    ...kernel,
    axes,
    rows: without(kernel.rows ?? []),
    stages: kernel.stages.map((s) => ({
      ...s,
      axes: without(s.axes),
      over: without(s.over),
      defs: new Map([...s.defs].map(([name, d]) => [name, def(d)])),
      each: s.each.map(write),
      writes: s.writes.map(write),
    })),
  };
}

/** Neighbours among `axes` (outermost first) joined where they can be, from the inside out; the axes that remain. */
export function collapseAxes(
  kernel: Kernel,
  axes: readonly string[],
): { readonly kernel: Kernel; readonly columns: readonly string[] } {
  let result = kernel;
  const left = [...axes];
  for (let k = left.length - 2; k >= 0; k--) {
    const [outer, inner] = [left[k]!, left[k + 1]!];
    if (!canJoin(result, outer, inner)) continue;
    result = join(result, outer, inner);
    left.splice(k, 1);
  }
  return { kernel: result, columns: left };
}

/** All axes that can be joined, joined. */
export function collapse(kernel: Kernel): Kernel {
  let result = kernel;
  for (let again = true; again;) {
    again = false;
    search: for (const stage of result.stages) {
      for (const list of [stage.axes, stage.over]) {
        for (let k = list.length - 1; k > 0; k--) {
          if (!canJoin(result, list[k - 1]!, list[k]!)) continue;
          result = join(result, list[k - 1]!, list[k]!);
          again = true;
          break search;
        }
      }
    }
  }
  return result;
}
