/**
 * What threads share of a kernel: an axis or a product's panels, chosen by how many parts it has; and everything that they could share instead, for
 * whoever measures. Only what no two points of write to one place, and never a reduced axis: results have the same bits whatever is shared.
 */
import { asConst, coefficientOf, names } from '../sizes/poly.ts';
import { walk } from '../kernel/expr.ts';
import type { Kernel, Stage } from '../kernel/types.ts';
import { depends, extent, rootsOf, type SizeOf } from './access.ts';
import { MACHINE } from './machine.ts';
import type { WasmLeaf, WasmSchedule, WasmShare } from './wasm.ts';

type AxisShare = Extract<WasmShare, { readonly axis: string }>;

/** The axes that no two points of write to one place, and how many parts each has. */
function openAxes(
  kernel: Kernel,
  axes: readonly string[],
  stages: readonly Stage[],
  vector: string | null,
  unit: number,
  of: SizeOf,
): { readonly share: AxisShare; readonly units: number }[] {
  return axes
    .filter((a) => stages.every((s) => s.axes.includes(a) && [...s.each, ...s.writes].every((w) => apartAlong(w, a))))
    .map((axis) => {
      const by = axis === vector ? unit : 1;
      return { share: { axis, by }, units: extent(kernel, axis, of) / by };
    });
}

/** The axis that threads share: the outermost long enough, else the longest, of those that are open. */
export function shareOfAxes(...given: Parameters<typeof openAxes>): WasmShare | null {
  const open = openAxes(...given);
  const found = open.find((o) => o.units >= MACHINE.partsToShare) ?? open.sort((a, b) => b.units - a.units)[0];
  return found === undefined || found.units < 2 ? null : found.share;
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
  const axes = commonAxes(kernel, leaves);
  return axes === null ? null : shareOfAxes(kernel, axes, kernel.stages, null, 1, of);
}

/** null: the stages know of each other, or some are no loops. */
function commonAxes({ stages }: Kernel, leaves: readonly WasmLeaf[]): readonly string[] | null {
  const written = new Set(stages.flatMap((s) => [...s.each, ...s.writes].map((w) => w.buffer)));
  const apart = stages.every((s) => {
    let alone = true;
    walk(rootsOf(s), (e) => {
      if (e.kind === 'read' ? written.has(e.buffer) : e.kind === 'value' && !s.defs.has(e.name)) alone = false;
    });
    return alone;
  });
  if (!apart || leaves.some((l) => l.kind !== 'loops')) return null;
  const lanes = new Set(leaves.map((l) => (l.kind === 'loops' ? l.vector : null)));
  return stages[0]!.axes.filter((a) => !lanes.has(a) && stages.every((s) => s.axes.includes(a)));
}

/**
 * Everything that threads could share of a kernel that they share: what the cost model chose from, and its choice. Whether a kernel is shared at all is not
 * in question here: that is a matter of what a meeting takes.
 */
export function sharesOf(kernel: Kernel, schedule: WasmSchedule, of: SizeOf): readonly WasmShare[] {
  const { rows, vector, leaves, share, block } = schedule;
  if (share === null) return [];
  const along = (...given: Parameters<typeof openAxes>): readonly WasmShare[] =>
    openAxes(...given)
      .filter((o) => o.units >= 2)
      .map((o) => o.share);
  if (block !== null) {
    const outer = rows.filter((r) => r !== block.axis);
    const stages = kernel.stages.map(outward(kernel));
    const blocks = along(kernel, [block.axis], stages, block.axis, block.by, of);
    return [...along(kernel, outer, stages, null, 1, of), ...blocks];
  }
  if (rows.length > 0) return along(kernel, rows, kernel.stages, vector, vector === null ? 1 : 4, of);
  const [leaf, more] = leaves;
  if (leaf === undefined) return [];
  if (more !== undefined) {
    const axes = commonAxes(kernel, leaves);
    return axes === null ? [] : along(kernel, axes, kernel.stages, null, 1, of);
  }
  if (leaf.kind === 'loops') return along(kernel, leaf.free, kernel.stages, leaf.vector, 4 * leaf.count, of);
  if (leaf.kind === 'dots') return [share];
  const { few } = leaf;
  const panels = (['rows', 'columns'] as const).filter((side) => {
    const width = leaf.tile[side === 'rows' ? 0 : 1];
    return leaf[side].axes.reduce((n, a) => n * extent(kernel, a, of), 1) >= 2 * width;
  });
  return [
    ...along(kernel, leaf.batch, kernel.stages, few.leaf.vector, 4 * few.leaf.count, of),
    ...panels.map((side) => ({ panels: side })),
  ];
}

/** The stage without its writes to buffers of the row: those of different threads are different ones. */
export const outward =
  (kernel: Kernel) =>
  (stage: Stage): Stage => ({
    ...stage,
    each: stage.each.filter((w) => !kernel.buffers[w.buffer]!.row),
    writes: stage.writes.filter((w) => !kernel.buffers[w.buffer]!.row),
  });
