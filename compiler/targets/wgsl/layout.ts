/**
 * A plan's offsets for WebGPU: ranges start at multiples of 256 and every element takes four bytes (booleans and f16 too). Buffers that the plan keeps
 * apart stay apart and in their order; buffers that share memory there may share it here, and those at one place (in-place writing) stay at one place.
 */
import type { Plan, PlanBuffer, PlanStep } from '../../../runtime/plan.ts';

const ALIGNMENT = 256;
const WIDTH = { f32: 4, f16: 4, i32: 4, bool: 1 } as const;

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const bytesOf = (b: PlanBuffer): number => (b.bytes / WIDTH[b.dtype]) * 4;

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

export function gpuPlan(plan: Plan): Plan {
  const buffers = plan.buffers.map((b) => ({ ...b, bytes: bytesOf(b) }));
  let persistent = 0;
  for (const b of buffers) {
    if (b.arena !== 'persistent') continue;
    b.offset = persistent;
    persistent += align(b.bytes);
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
        if (offset + bytes <= before.offset)
          b.offset = Math.max(b.offset, align(buffers[other]!.offset + buffers[other]!.bytes));
      }
      placed.push(position);
      work = Math.max(work, align(b.offset + b.bytes));
    }
  }
  return { ...plan, arenas: { persistent, work }, buffers };
}

export interface GpuLimits {
  /** Bytes of a buffer. */
  readonly buffer: number;
  /** Bytes of a range that a shader can see. */
  readonly binding: number;
}

/** What every WebGPU device has. */
export const GUARANTEED: GpuLimits = { buffer: 2 ** 28, binding: 2 ** 27 };

/** What of a GPU plan is over the limits: tensors that are too large for a binding, arenas for a buffer. The runtime asks the device for more, if it has more. */
export interface OverLimit {
  readonly what: string;
  /** Path of the leaf, or name of the input or output; null for arenas and temporaries. */
  readonly leaf: string | null;
  readonly bytes: number;
  readonly limit: number;
}

export function overLimits(plan: Plan, limits: GpuLimits = GUARANTEED): OverLimit[] {
  const arenas = Object.entries(plan.arenas)
    .filter(([, bytes]) => bytes > limits.buffer)
    .map(([name, bytes]) => ({ what: `${name} memory`, leaf: null, bytes, limit: limits.buffer }));
  const tensors = plan.buffers
    .filter((b) => b.bytes > limits.binding)
    .map((b) => ({ what: b.name, leaf: b.leaf, bytes: b.bytes, limit: limits.binding }));
  return [...arenas, ...tensors];
}
