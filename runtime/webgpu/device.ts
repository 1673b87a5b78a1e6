/** The device that a program runs on: what the program needs of it, how one is opened, and what is said when there is none or it offers too little. */
import { NncError } from '../errors.ts';
import type { Plan, PlanBuffer } from '../plan.ts';
import type { GpuDevice, GpuLike } from './api.ts';
import { HALVES_FEATURE, programFor } from './halves.ts';
import { MATRIX_FEATURES, matrixNeed } from './matrix.ts';
import type { GpuCompiledLimits, GpuKernel, GpuProgramTable } from './table.ts';

/** Offsets in buffers, and rows of uniforms, are multiples of it. */
export const ROW = 256;

export const align = (bytes: number): number => Math.max(ROW, Math.ceil(bytes / ROW) * ROW);

/** Bindings of a kernel behind its sizes. */
export const bindingsOf = (kernel: GpuKernel): number =>
  (kernel.bindings ?? Math.max(-1, ...kernel.slots) + 1) + (kernel.scratch === undefined ? 0 : 1);

export interface Needs {
  /** Of the longest buffer. */
  readonly buffer: number;
  /** Of the longest binding. */
  readonly binding: number;
  /** The greatest tensor. */
  readonly largest: PlanBuffer | null;
  /** Tensors of the kernel that uses most. */
  readonly bindings: number;
  /** Bytes of workgroup memory of the kernel that takes most; 0: no more than every device has. */
  readonly workgroup: number;
}

export function needsOf(plan: Plan, table: GpuProgramTable, limits: GpuCompiledLimits): Needs {
  const largest = plan.buffers.reduce<PlanBuffer | null>((a, b) => (a === null || b.bytes > a.bytes ? b : a), null);
  const longest = Math.max(align(plan.arenas.persistent), align(plan.arenas.work));
  const bindings = Math.max(0, ...table.kernels.map((k) => bindingsOf(k)));
  const binding = Math.min(largest?.bytes ?? 0, limits.binding);
  const workgroup = Math.max(0, ...table.kernels.map((k) => k.workgroup ?? 0));
  return { buffer: Math.min(longest, limits.buffer), binding, largest, bindings, workgroup };
}

export async function openDevice(
  plan: Plan,
  table: GpuProgramTable,
  compiled: GpuCompiledLimits,
  given: GpuLike | undefined,
): Promise<GpuDevice> {
  const scope = globalThis as { readonly navigator?: { readonly gpu?: GpuLike } };
  const gpu = given ?? scope.navigator?.gpu;
  if (gpu === undefined) {
    throw new NncError('NN541', null, [
      'There is no WebGPU here: use a browser that has it (on a secure page), or pass { gpu } from the npm package webgpu in Node.',
    ]);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null)
    throw new NncError('NN541', null, ['WebGPU found no adapter: no GPU, or no driver that it accepts.']);
  const own = programFor(plan, table, adapter.features);
  const { buffer, binding, bindings, ...needs } = needsOf(own.plan, own.table, compiled);
  const { limits } = adapter;
  const requiredLimits: Record<string, number> = {};
  // The defaults (256 MiB a buffer, 128 MiB a binding, 8 of them) are everywhere; more is asked for only where it is needed.
  if (buffer > 2 ** 28) requiredLimits['maxBufferSize'] = Math.min(buffer, limits.maxBufferSize);
  if (binding > 2 ** 27)
    requiredLimits['maxStorageBufferBindingSize'] = Math.min(binding, limits.maxStorageBufferBindingSize);
  if (bindings > 8)
    requiredLimits['maxStorageBuffersPerShaderStage'] = Math.min(bindings, limits.maxStorageBuffersPerShaderStage);
  const matrices = matrixNeed(table, adapter);
  const workgroup = Math.max(matrices, Math.min(needs.workgroup, limits.maxComputeWorkgroupStorageSize));
  if (workgroup > 2 ** 14) requiredLimits['maxComputeWorkgroupStorageSize'] = workgroup;
  try {
    return await adapter.requestDevice({
      label: plan.name,
      requiredLimits,
      requiredFeatures: [
        ...new Set([...(own.table === table ? [] : [HALVES_FEATURE]), ...(matrices > 0 ? MATRIX_FEATURES : [])]),
      ],
    });
  } catch (error) {
    throw new NncError('NN541', null, [`WebGPU gave no device: ${String(error)}`]);
  }
}

export function checkLimits(
  plan: Plan,
  { buffer, binding, largest, bindings, workgroup }: Needs,
  { limits }: GpuDevice,
): void {
  const problems: string[] = [];
  if (buffer > limits.maxBufferSize) {
    problems.push(
      `${plan.name} needs a buffer of ${buffer} bytes; this device has at most ${limits.maxBufferSize}. Compile it for buffers of that size, or with smaller bounds of the sizes.`,
    );
  }
  if (largest !== null && binding > limits.maxStorageBufferBindingSize) {
    problems.push(
      `${largest.name} takes ${largest.bytes} bytes, of which a binding is to have ${binding}; this device binds at most ${limits.maxStorageBufferBindingSize} at once. Compile it for bindings of that size, or with smaller bounds of the sizes.`,
    );
  }
  if (bindings > limits.maxStorageBuffersPerShaderStage) {
    problems.push(
      `A kernel of ${plan.name} uses ${bindings} tensors; this device binds at most ${limits.maxStorageBuffersPerShaderStage} at once.`,
    );
  }
  if (workgroup > limits.maxComputeWorkgroupStorageSize) {
    problems.push(
      `A kernel of ${plan.name} takes ${workgroup} bytes of workgroup memory; this device has at most ${limits.maxComputeWorkgroupStorageSize}. Compile it for that many.`,
    );
  }
  if (problems.length > 0) throw new NncError('NN543', largest?.name ?? null, problems);
}
