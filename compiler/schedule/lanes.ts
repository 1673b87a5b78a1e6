/**
 * What a stage costs with the four lanes of a vector along an axis: stride 0 is free, stride 1 a load, 2 two loads, anything else four scalar loads; plain
 * code costs four of everything.
 */
import { asConst, names } from '../sizes/poly.ts';
import { walk } from '../kernel/expr.ts';
import type { Expr, Guard, Kernel, Stage } from '../kernel/types.ts';
import { depends, extent, stride, type SizeOf } from './access.ts';
import { MACHINE } from './machine.ts';

const heavyOps = new Set(['exp', 'log', 'tanh', 'erf', 'sin', 'cos', 'pow', 'random']);

export function hasHeavy(root: Expr): boolean {
  let found = false;
  walk([root], (e) => {
    if (e.kind === 'op' && heavyOps.has(e.op)) found = true;
  });
  return found;
}

function guardCost(guards: readonly Guard[], axis: string): number {
  let cost = 0;
  for (const g of guards) {
    if (names(g.lo).has(axis) || names(g.hi).has(axis)) return MACHINE.singly;
    const s = stride(g.e, axis);
    if (s === null) return MACHINE.singly;
    if (names(g.e).has(axis) && s !== 0) cost += 1;
  }
  return cost;
}

/** Work for four points of the stage, times how many there are; `axis` null: one by one. Null: not possible. */
export function stageCost(kernel: Kernel, stage: Stage, axis: string | null, of: SizeOf): number | null {
  const inside = [...stage.axes, ...stage.over].reduce((n, a) => n * extent(kernel, a, of), 1);
  const outside = stage.axes.reduce((n, a) => n * extent(kernel, a, of), 1);
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const isOver = axis !== null && stage.over.includes(axis);
  if (isOver && (stage.order !== null || reduced.some((d) => d.op === 'argmax'))) return null;
  const each: Expr[] = [
    ...[...stage.defs.values()].map((d) => d.value),
    ...stage.each.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
  ];
  const late: Expr[] = stage.writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]);
  const seen = new Set<Expr>();
  const sum = (roots: readonly Expr[], lane: string | null): number => {
    let cost = 0;
    walk(
      roots,
      (e) => {
        cost += lane === null ? scalarCost(e) : wideCost(kernel, e, lane);
      },
      seen,
    );
    return cost;
  };
  const writes = (list: readonly Stage['writes'][number][], lane: string | null): number =>
    list.reduce((total, w) => {
      if (lane === null) return total + 4;
      const s = w.dynamic.length > 0 && w.dynamic.some((d) => depends(d.value, lane)) ? null : stride(w.at, lane);
      const guarded = guardCost(w.guards, lane);
      return total + (s === 1 && guarded === 0 ? 1.2 : 6);
    }, 0);
  const lateLane = isOver ? null : axis;
  // Loops cost too: one round for four points, or four rounds.
  const round = axis === null ? 4 : 1;
  const insideCost = sum(each, axis) + writes(stage.each, axis) + round;
  const lateCost = sum(late, lateLane) + writes(stage.writes, lateLane) + (isOver ? 12 : 0);
  if (stage.over.length === 0) return (insideCost + lateCost) * outside;
  // Short reductions along the lanes end in their combination.
  const n = isOver ? extent(kernel, axis, of) : 1;
  const ragged = axis === null ? 1 : Math.ceil(extent(kernel, axis, of) / 4) / (extent(kernel, axis, of) / 4);
  return insideCost * inside * (isOver && n < 8 ? 2 : ragged) + lateCost * outside;
}

function scalarCost(e: Expr): number {
  if (e.kind === 'op')
    return e.op === 'exp' || e.op === 'log' || e.op === 'tanh' || e.op === 'erf'
      ? MACHINE.heavy.scalar
      : heavyOps.has(e.op)
        ? MACHINE.heavy.rare
        : MACHINE.scalar;
  if (e.kind === 'read') return 4 + 3 * e.guards.length;
  return e.kind === 'guarded' ? 8 : 0;
}

function wideCost(kernel: Kernel, e: Expr, lane: string): number {
  if (!depends(e, lane) && e.kind !== 'value') return 0.2;
  switch (e.kind) {
    case 'op':
      if (['sin', 'cos', 'pow', 'mod'].includes(e.op) || (e.op === 'div' && e.dtype === 'i32'))
        return scalarCost(e) + MACHINE.singly;
      return heavyOps.has(e.op) ? MACHINE.heavy.lanes : 1;
    case 'read': {
      if (e.dynamic.some((d) => depends(d.value, lane))) return MACHINE.singly + 3 * e.guards.length;
      const s = stride(e.at, lane);
      const guarded = guardCost(e.guards, lane);
      const isBool = kernel.buffers[e.buffer]!.dtype === 'bool';
      if (s === null || s < 0 || s > 2 || (isBool && s !== 1) || (guarded > 0 && s !== 1))
        return MACHINE.singly + 4 * e.guards.length;
      return (s === 2 ? 2.5 : isBool ? 2 : 1) + 2 * guarded;
    }
    case 'guarded':
      return guardCost(e.guards, lane) > 0 ? 3 * MACHINE.singly : 2;
    case 'index':
      return stride(e.at, lane) === null ? MACHINE.singly : 1;
    default:
      return 0;
  }
}

export function wideEnough(kernel: Kernel, axis: string): boolean {
  const n = asConst(kernel.axes.get(axis)!);
  return n === null || n >= 4;
}
