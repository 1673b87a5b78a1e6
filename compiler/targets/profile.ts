/**
 * Modules to measure, kernel by kernel: the class of a unit as its target emits it, but with every call of a kernel a step of its own, and the
 * table of kernels exported as `profileKernels`, so that whoever loads the module can put a clock around each before it creates an instance.
 * Normal artifacts have none of this.
 */
import type { Artifact } from '../pipeline.ts';
import { emitWasmProfile } from './wasm/profile.ts';

export const profiled = {
  ts: ({ javascript }: Artifact): string => `${javascript}\nexport { kernels as profileKernels };\n`,
  wasm: ({ plan, kernels, tuning }: Pick<Artifact, 'plan' | 'kernels' | 'tuning'>): string =>
    emitWasmProfile(plan, kernels, tuning),
} satisfies Record<string, (artifact: Artifact) => string>;
