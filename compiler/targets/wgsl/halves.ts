/**
 * Tensors that a GPU keeps in memory as halves, two bytes a number: those in which nothing but numbers of f16 ever lies (`precision f16` rounds the operands of products where they are made), so nothing is
 * lost. Decided here, for the whole plan; sums, registers and what is combined in memory stay f32. A device without `shader-f16` runs the same kernels over f32: their text calls the element
 * `Half`, and what that is stands in its first line.
 *
 * Not here: offsets (layout.ts), and how an element is read and written (expression.ts).
 */
import type { Kernel } from '../../kernel/types.ts';
import { holdsHalves } from '../../schedule/wgsl-matrix.ts';
import type { Plan, PlanStep } from '../../../runtime/plan.ts';
import { gpuPlan, type GpuLimits } from './layout.ts';
import { slotPlaces, type SlotMap } from './slots.ts';

type Call = Extract<PlanStep, { kind: 'call' }>;

/** Calls of all programs, in the order of the text, and the buffers of other steps. */
function stepsOf(plan: Plan): { readonly calls: readonly Call[]; readonly others: ReadonlySet<number> } {
  const calls: Call[] = [];
  const others = new Set<number>();
  const go = (steps: readonly PlanStep[]): void => {
    for (const step of steps)
      if (step.kind === 'call') calls.push(step);
      else if (step.kind === 'copy') others.add(step.from).add(step.to);
      else {
        for (const b of [step.until, step.limit]) if (b !== undefined) others.add(b);
        go(step.body);
      }
  };
  for (const program of Object.values(plan.programs)) go(program.steps);
  return { calls, others };
}

/** Buffers into which kernels write numbers of f16 only, and nobody else writes. */
export function roundedBuffers(plan: Plan, kernels: readonly Kernel[]): ReadonlySet<number> {
  const { calls, others } = stepsOf(plan);
  const isOpen = plan.buffers.map((b, k) => b.kind === 'temporary' && !others.has(k));
  let found = new Set<number>();
  // What is moved from one such buffer to another is of that kind, too.
  for (;;) {
    const written = new Set<number>();
    const wide = new Set<number>();
    for (const { kernel: k, buffers } of calls) {
      const kernel = kernels[k]!;
      for (const { each, writes } of kernel.stages)
        for (const w of [...each, ...writes]) {
          const own = kernel.buffers[w.buffer]!;
          const isHalf = own.dtype === 'f16' || holdsHalves(kernel, (b) => found.has(buffers[b]!), w.value);
          (w.mode === 'store' && isHalf ? written : wide).add(buffers[w.buffer]!);
        }
    }
    const next = new Set([...written].filter((b) => isOpen[b] && !wide.has(b)));
    if (next.size === found.size) return next;
    found = next;
  }
}

/** How the buffers of a call lie in its slots. */
export interface CallLie {
  readonly map: SlotMap;
  readonly bases: readonly number[];
  readonly windows: readonly number[];
}

export function callLie(plan: Plan, kernel: Kernel, buffers: readonly number[], limits: GpuLimits): CallLie {
  return slotPlaces(
    buffers.map((b, i) => (kernel.buffers[i]!.row ? null : plan.buffers[b]!)),
    limits,
  );
}

/** Whether every buffer that is among the halves has a slot with such alone, and one binding of it. */
function isOf(halves: ReadonlySet<number>, buffers: readonly number[], { map, bases, windows }: CallLie): boolean {
  return buffers.every((b, i) => {
    if (map[i]! < 0 || !halves.has(b)) return true;
    return bases[i] === 0 && windows[map[i]!] === 1 && buffers.every((o, j) => map[j] !== map[i] || halves.has(o));
  });
}

/** Which parameters of a call are halves where they lie so; none of them if they could not be. */
export const halfParameters = (
  halves: ReadonlySet<number>,
  buffers: readonly number[],
  lie: CallLie,
): ReadonlySet<number> =>
  new Set(isOf(halves, buffers, lie) ? buffers.flatMap((b, i) => (halves.has(b) && lie.map[i]! >= 0 ? [i] : [])) : []);

export interface HalvesPlan {
  readonly plan: Plan;
  readonly halves: ReadonlySet<number>;
}

/** The plan for devices with `shader-f16`; null where it would be the same. */
export function halvesPlan(plan: Plan, kernels: readonly Kernel[], limits: GpuLimits): HalvesPlan | null {
  let halves = roundedBuffers(plan, kernels);
  const { calls } = stepsOf(plan);
  while (halves.size > 0) {
    const found = gpuPlan(plan, limits, halves);
    const refused = new Set<number>();
    for (const { kernel, buffers } of calls)
      if (!isOf(halves, buffers, callLie(found, kernels[kernel]!, buffers, limits)))
        for (const b of buffers) refused.add(b);
    if (refused.size === 0) return { plan: found, halves };
    halves = new Set([...halves].filter((b) => !refused.has(b)));
  }
  return null;
}
