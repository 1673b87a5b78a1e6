/**
 * In-place writing: may a kernel's output take the memory of an input that is read here for the last time?
 *
 * Yes when every read of the input stands at the element that the write replaces, or comes from an earlier stage and, within the loops that
 * the two stages share, from the same slice. Then no point can read what another point has already replaced. Polynomials decide; where
 * they do not match in form the answer is no. That two lifetimes meet here at all is plan.ts's concern.
 */
import { coefficientOf, name, names, substitute, type Poly } from '../sizes/poly.ts';
import type { Kernel, Schedule, ScheduleNode, Write } from '../kernel/types.ts';
import { stageRoots, walk } from '../kernel/expr.ts';
import { covers } from './usage.ts';

/** Loop axes that enclose each stage, outermost first; every loop node is an object, so shared loops are found by identity. */
function enclosing(schedule: Schedule): Map<string, ScheduleNode[]> {
  const found = new Map<string, ScheduleNode[]>();
  const go = (nodes: readonly ScheduleNode[], around: ScheduleNode[]): void => {
    for (const node of nodes) {
      if (node.kind === 'loop') go(node.body, [...around, node]);
      else found.set(node.stage, around);
    }
  };
  go(schedule.body, []);
  return found;
}

/** `read` with its own axes renamed to those of `at` that have the same coefficient and extent; axes in `fixed` keep their names. */
function renamed(kernel: Kernel, read: Poly, at: Poly, fixed: ReadonlySet<string>): Poly {
  const map = new Map<string, Poly>();
  const taken = new Set<string>();
  for (const axis of names(read)) {
    if (!kernel.axes.has(axis) || fixed.has(axis)) continue;
    const own = coefficientOf(read, axis);
    if (own === null) continue;
    for (const other of names(at)) {
      if (!kernel.axes.has(other) || fixed.has(other) || taken.has(other)) continue;
      const theirs = coefficientOf(at, other);
      if (theirs?.coefficient !== own.coefficient || kernel.axes.get(axis) !== kernel.axes.get(other)) continue;
      taken.add(other);
      map.set(axis, name(other));
      break;
    }
  }
  return substitute(read, map);
}

/** Whether buffer parameter `output` may lie in the memory of buffer parameter `input`. Both have elements of one width. */
export function mayShare(kernel: Kernel, schedule: Schedule, input: number, output: number): boolean {
  const loops = enclosing(schedule);
  const written: { write: Write; stage: number; axes: readonly string[] }[] = [];
  for (const [i, stage] of kernel.stages.entries()) {
    for (const write of stage.each) written.push({ write, stage: i, axes: [...stage.axes, ...stage.over] });
    for (const write of stage.writes) written.push({ write, stage: i, axes: stage.axes });
  }
  if (written.some(({ write }) => write.buffer === input)) return false;
  const mine = written.filter(({ write }) => write.buffer === output);
  const only = mine[0];
  if (only === undefined || mine.length > 1 || !covers(kernel, only.write, only.axes)) return false;
  const { at } = only.write;
  const target = kernel.stages[only.stage]!;
  // A write at every point of `axes` that does not mention one of them would store twice: the second store could be after a read.
  if (only.axes.some((axis) => !names(at).has(axis))) return false;
  const late = target.writes.includes(only.write) && target.over.length > 0;

  for (const [i, stage] of kernel.stages.entries()) {
    let fits = true;
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'read' && e.buffer === output) fits = false;
      if (e.kind !== 'read' || e.buffer !== input) return;
      if (e.dynamic.length > 0 || i > only.stage) fits = false;
      else if (i === only.stage && !late) fits &&= e.at === at;
      else {
        const around = loops.get(target.name) ?? [];
        const shared = (loops.get(stage.name) ?? []).filter((node) => around.includes(node));
        const fixed = new Set<string>();
        for (const node of shared) {
          if (node.kind !== 'loop' || node.step !== 1) fits = false;
          else fixed.add(node.axis);
        }
        // Reductions before a late write in the same stage: its free axes are loops around both.
        if (i === only.stage) for (const axis of stage.axes) fixed.add(axis);
        if (fits && fixed.size > 0) fits = renamed(kernel, e.at, at, fixed) === at;
      }
    });
    if (!fits) return false;
  }
  return true;
}
