/**
 * A plan's offsets for WebGPU: ranges start at multiples of 256 and every element takes four bytes (booleans and f16 too), but in what is stored in fewer:
 * that is whole words; and in what is kept as halves (halves.ts): two. Buffers that the plan keeps apart stay apart and in their order; buffers that share memory there may share it here, and those
 * at one place (in-place writing) stay at one place, unless only one of them is of halves.
 */
import { SOME_DEVICE } from '../../schedule/wgsl-product.ts';
import type { Plan, PlanBuffer, PlanStep } from '../../../runtime/plan.ts';

const ALIGNMENT = 256;
const WIDTH = { f32: 4, f16: 4, i32: 4, bool: 1 } as const;

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const bytesOf = (b: PlanBuffer, isHalf: boolean): number => {
  if (b.storage !== undefined) return Math.ceil(b.bytes / 4) * 4;
  const elements = b.bytes / WIDTH[b.dtype];
  return isHalf ? Math.ceil(elements / 2) * 4 : elements * 4;
};

/** Positions of the work buffers of each program. */
function members(plan: Plan): number[][] {
  return Object.values(plan.programs).map((program) => {
    const found = new Set([...Object.values(program.inputs), ...Object.values(program.outputs)]);
    const go = (steps: readonly PlanStep[]): void => {
      for (const step of steps) {
        if (step.kind === 'loop') go(step.body);
        else for (const b of step.kind === 'call' ? step.buffers : [step.from, step.to]) found.add(b);
      }
    };
    go(program.steps);
    return [...found].filter((b) => plan.buffers[b]!.arena === 'work');
  });
}

/** Buffers that a call writes over one another in the plan, and that here cannot be, since one is of halves and the other is not: by the first, those that it must not touch. */
function partedBy(plan: Plan, halves: ReadonlySet<number>): ReadonlyMap<number, ReadonlySet<number>> {
  const found = new Map<number, Set<number>>();
  const go = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body);
      if (step.kind !== 'call') continue;
      for (const a of step.buffers)
        for (const b of step.buffers) {
          const [x, y] = [plan.buffers[a]!, plan.buffers[b]!];
          if (halves.has(a) === halves.has(b) || x.arena !== y.arena || x.offset !== y.offset) continue;
          const known = found.get(a);
          if (known === undefined) found.set(a, new Set([b]));
          else known.add(b);
        }
    }
  };
  if (halves.size > 0) for (const program of Object.values(plan.programs)) go(program.steps);
  return found;
}

/**
 * Arenas are buffers of at most `limits.buffer` bytes, one behind the other: no tensor lies across the end of one, unless it is longer than a buffer itself; then it begins where one
 * does. `halves`: buffers of two bytes an element.
 */
export function gpuPlan(
  plan: Plan,
  limits: GpuLimits = GUARANTEED,
  halves: ReadonlySet<number> = new Set<number>(),
): Plan {
  const buffers = plan.buffers.map((b, k) => ({ ...b, bytes: bytesOf(b, halves.has(k)) }));
  const parted = partedBy(plan, halves);
  const within = (offset: number, bytes: number): number => {
    const begin = Math.floor(offset / limits.buffer) * limits.buffer;
    return offset + bytes > begin + limits.buffer && offset > begin ? begin + limits.buffer : offset;
  };
  let persistent = 0;
  for (const b of buffers) {
    if (b.arena !== 'persistent') continue;
    b.offset = within(persistent, b.bytes);
    persistent = b.offset + align(b.bytes);
  }
  let work = 0;
  for (const own of members(plan)) {
    const placed: number[] = [];
    for (const position of own.sort((a, b) => plan.buffers[a]!.offset - plan.buffers[b]!.offset)) {
      const before = plan.buffers[position]!;
      const b = buffers[position]!;
      b.offset = 0;
      for (const other of placed) {
        const { offset, bytes } = plan.buffers[other]!;
        if (offset + bytes <= before.offset || parted.get(position)?.has(other))
          b.offset = Math.max(b.offset, align(buffers[other]!.offset + buffers[other]!.bytes));
      }
      b.offset = within(b.offset, b.bytes);
      placed.push(position);
      work = Math.max(work, align(b.offset + b.bytes));
    }
  }
  return { ...plan, arenas: { persistent, work }, buffers };
}

export interface GpuLimits {
  /** Bytes of a buffer. */
  readonly buffer: number;
  /** Bytes that a kernel sees through one binding. */
  readonly binding: number;
  /** Bindings of a kernel. */
  readonly bindings: number;
  /** Bytes of workgroup memory. */
  readonly workgroup: number;
  /** Cores that workgroups are dealt out to, which WebGPU tells nobody: sums are cut into parts where there are too few tiles for them. */
  readonly cores: number;
}

/** What every WebGPU device has, and what is assumed of its cores. */
export const GUARANTEED: GpuLimits = { buffer: 2 ** 28, binding: 2 ** 27, ...SOME_DEVICE };

/** Positions of buffers of a GPU plan that no kernel can see: longer than all its bindings, or with a binding that would lie across the end of a buffer. */
export function overLimits(plan: Plan, { binding, buffer, bindings }: GpuLimits = GUARANTEED): number[] {
  const most = buffer % binding === 0 ? binding * bindings : Math.min(binding * bindings, buffer);
  return plan.buffers.flatMap((b, i) => (b.bytes > most ? [i] : []));
}
