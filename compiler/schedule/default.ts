/**
 * The schedule a kernel gets when nobody wrote one: plain data, decided from extents and strides alone.
 *
 * Rows are loops outside of all stages. Within a stage free axes come first, reduced axes innermost; among each, an axis in
 * which the accesses run with stride 1 comes last. A product of matrices (a sum of which two reads are each free of an axis of the result) gets a
 * register tile over two free axes, so that each loaded value is used several times.
 */
import { asConst, coefficientOf, evaluate, names, ONE, ZERO, type Poly } from '../sizes/poly.ts';
import { walk } from '../kernel/expr.ts';
import type { Expr, Kernel, Schedule, ScheduleNode, Stage } from '../kernel/types.ts';

export type Target = 'ts';

const NOMINAL = 64;
const TILE = 4;

export function defaultSchedule(kernel: Kernel, _target: Target): Schedule {
  const rows = kernel.rows ?? [];
  let body: readonly ScheduleNode[] = kernel.stages.map((s) => stageNode(kernel, s, new Set(rows)));
  for (const axis of [...rows].reverse()) body = [{ kind: 'loop', axis, step: 1, body }];
  return { parallel: null, body };
}

type Read = Extract<Expr, { kind: 'read' }>;

function readsOf(stage: Stage): Read[] {
  const found: Read[] = [];
  const roots = [...stage.defs.values()].flatMap((d) => (d.op === null ? [] : [d.value]));
  walk(roots, (e) => {
    if (e.kind === 'read') found.push(e);
  });
  return found;
}

const extent = (kernel: Kernel, axis: string): number => evaluate(kernel.axes.get(axis)!, () => NOMINAL);

/** How far an access moves along an axis: 0, 1, a number, or far (a symbolic or irregular stride). */
function stride(at: Poly, axis: string): number {
  if (!names(at).has(axis)) return 0;
  const linear = coefficientOf(at, axis);
  if (linear === null) return NOMINAL;
  return linear.coefficient === ZERO ? 0 : Math.abs(asConst(linear.coefficient) ?? NOMINAL);
}

function stageNode(kernel: Kernel, stage: Stage, rows: ReadonlySet<string>): ScheduleNode {
  const free = stage.axes.filter((a) => !rows.has(a));
  const reads = readsOf(stage);
  const tile = new Map<string, number>();
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  if (
    stage.over.length > 0 &&
    stage.each.length === 0 &&
    stage.order === null &&
    reduced.length === 1 &&
    reduced[0]!.op === 'sum'
  ) {
    for (const axis of tileAxes(kernel, stage, free, reads)) tile.set(axis, TILE);
  }
  // Reduced axes keep their order (argmax counts along it) but for sums, where unit strides go innermost.
  const over = [...stage.over];
  const sums = stage.order === null && reduced.every((d) => d.op === 'sum');
  if (sums && over.length > 1) {
    const unit = (a: string): number => reads.filter((r) => stride(r.at, a) === 1).length;
    over.sort((a, b) => unit(a) - unit(b));
  }
  return { kind: 'stage', stage: stage.name, order: [...free, ...over], tile, unroll: 1 };
}

/** Two free axes: each of them is missing in a read that has the other or has reduced axes; the largest extents win. */
function tileAxes(kernel: Kernel, stage: Stage, free: readonly string[], reads: readonly Read[]): string[] {
  const useful = reads.filter((r) => stage.over.some((o) => names(r.at).has(o)));
  const missing = free.filter((a) => useful.some((r) => !names(r.at).has(a)) && big(kernel.axes.get(a)!));
  const byExtent = [...missing].sort((a, b) => extent(kernel, b) - extent(kernel, a));
  for (const first of byExtent) {
    const without = useful.filter((r) => !names(r.at).has(first));
    const second = byExtent.find((b) => b !== first && useful.some((r) => !names(r.at).has(b) && !without.includes(r)));
    if (second !== undefined) return free.filter((a) => a === first || a === second);
  }
  // One row at a time: what the row has is read once for several points.
  const [widest] = byExtent;
  return widest !== undefined && kernel.buffers.some((b) => b.row) ? [widest] : [];
}

function big(p: Poly): boolean {
  const n = asConst(p);
  return p !== ONE && (n === null || n >= TILE);
}
