/** What threads share of a kernel: an axis or a product's panels, chosen by how many parts it has. */
import { asConst, coefficientOf, names } from '../sizes/poly.ts';
import { walk } from '../kernel/expr.ts';
import type { Kernel, Stage } from '../kernel/types.ts';
import { depends, extent, rootsOf, type SizeOf } from './access.ts';
import { MACHINE } from './machine.ts';
import type { WasmLeaf, WasmShare } from './wasm.ts';

/** The axis that threads share: the outermost long enough, else the longest, of those that no two points of write to one place. */
export function shareOfAxes(
  kernel: Kernel,
  axes: readonly string[],
  stages: readonly Stage[],
  vector: string | null,
  unit: number,
  of: SizeOf,
): WasmShare | null {
  const open = axes
    .filter((a) => stages.every((s) => s.axes.includes(a) && [...s.each, ...s.writes].every((w) => apartAlong(w, a))))
    .map((axis) => {
      const by = axis === vector ? unit : 1;
      return { axis, by, units: extent(kernel, axis, of) / by };
    });
  const found = open.find((o) => o.units >= MACHINE.partsToShare) ?? open.sort((a, b) => b.units - a.units)[0];
  return found === undefined || found.units < 2 ? null : { axis: found.axis, by: found.by };
}

/** Whether different points of the axis certainly write to different places. */
function apartAlong(w: Stage['writes'][number], axis: string): boolean {
  if (w.mode === 'store' && w.dynamic.length === 0) return names(w.at).has(axis);
  if (w.dynamic.some((d) => depends(d.value, axis))) return false;
  const s = coefficientOf(w.at, axis);
  return s !== null && asConst(s.coefficient) !== 0;
}

export function shareOfLeaf(kernel: Kernel, leaf: WasmLeaf, cost: number, of: SizeOf, worth: number): WasmShare | null {
  const [stage] = kernel.stages;
  const count = (axes: readonly string[]): number => axes.reduce((n, a) => n * extent(kernel, a, of), 1);
  if (leaf.kind === 'loops') {
    if (cost / 4 < worth) return null;
    return shareOfAxes(kernel, leaf.free, [stage!], leaf.vector, 4 * leaf.count, of);
  }
  const rows = count(leaf.rows.axes);
  const columns = count(leaf.columns.axes);
  if (leaf.kind === 'dots')
    return rows * columns * leaf.length * MACHINE.multiplyAdd < worth || columns < 32 ? null : { panels: 'columns' };
  if (count(leaf.batch) * rows * columns * count(leaf.over) * MACHINE.multiplyAdd < worth) return null;
  const batch = leaf.batch.find((a) => extent(kernel, a, of) >= 8);
  if (batch !== undefined) return { axis: batch, by: leaf.few.leaf.vector === batch ? 4 * leaf.few.leaf.count : 1 };
  // The other operand is packed by every thread: the shorter one, therefore. But of many rows that is little, and parts of rows lie in one piece: a weight
  // that is updated so stays in the cache of the core that takes the same rows of it in the next step.
  return { panels: rows >= Math.min(columns, MACHINE.rowsToShare) ? 'rows' : 'columns' };
}

/** Stages that know nothing of each other, along an axis that all have and none has its lanes along. */
export function shareOfStages(kernel: Kernel, leaves: readonly WasmLeaf[], of: SizeOf): WasmShare | null {
  const { stages } = kernel;
  const written = new Set(stages.flatMap((s) => [...s.each, ...s.writes].map((w) => w.buffer)));
  const apart = stages.every((s) => {
    let alone = true;
    walk(rootsOf(s), (e) => {
      if (e.kind === 'read' ? written.has(e.buffer) : e.kind === 'value' && !s.defs.has(e.name)) alone = false;
    });
    return alone;
  });
  if (!apart) return null;
  const lanes = new Set(leaves.map((l) => (l.kind === 'loops' ? l.vector : null)));
  if (leaves.some((l) => l.kind !== 'loops')) return null;
  const axes = stages[0]!.axes.filter((a) => !lanes.has(a) && stages.every((s) => s.axes.includes(a)));
  return shareOfAxes(kernel, axes, stages, null, 1, of);
}

/** The stage without its writes to buffers of the row: those of different threads are different ones. */
export const outward =
  (kernel: Kernel) =>
  (stage: Stage): Stage => ({
    ...stage,
    each: stage.each.filter((w) => !kernel.buffers[w.buffer]!.row),
    writes: stage.writes.filter((w) => !kernel.buffers[w.buffer]!.row),
  });
