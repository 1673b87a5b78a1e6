/** A compiled unit's WGSL module, running on a device. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact } from '../../../compiler/pipeline.ts';
import type { Instance } from '../../support/emitted.ts';
import type { Sources } from '../../../compiler/source/source.ts';
import type { GpuLimits } from '../../../compiler/targets/wgsl/layout.ts';
import { emitWgsl, type WgslOptions } from '../../../compiler/targets/wgsl/emit.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import type { Weights } from '../../../runtime/weights.ts';

export type Data = Float32Array | Int32Array | Uint8Array;
type Values = Record<string, number | boolean | { readonly shape: readonly number[]; readonly data: Data }>;

export interface GpuInstance {
  step(inputs: object, sizes?: object): Promise<Values>;
  enqueue(inputs: object, sizes?: object): void;
  evaluate(inputs: object, sizes?: object): Promise<Values>;
  forward(inputs: object, sizes?: object): Promise<Values>;
  stream(inputs: object, sizes?: object): Promise<Values>;
  reset(): void;
  readonly steps: number;
  validated?(loss: number): void;
  checkpoint(): Promise<{ readonly tensors: ReadonlyMap<string, { readonly data: Data }> }>;
  weights(): Promise<Weights>;
  load(weights: Weights | ReturnType<Instance['weights']>): void;
  close(): void;
}

export async function onGpu(
  artifact: Artifact,
  sources: Sources,
  device: GpuDevice,
  options: object,
  limits?: GpuLimits,
  schedule?: WgslOptions['schedule'],
  matrices = false,
): Promise<GpuInstance> {
  const { unit, plan, kernels, schedules, origins } = artifact;
  const { code } = emitWgsl(unit, plan, kernels, schedules, {
    types: false,
    matrices,
    origins,
    sources,
    ...(limits === undefined ? {} : { limits }),
    ...(schedule === undefined ? {} : { schedule }),
  });
  const path = join(mkdtempSync(join(tmpdir(), 'nnc-')), 'module.mjs');
  writeFileSync(path, code);
  const module = (await import(/* @vite-ignore */ path)) as Record<string, { create(o: object): Promise<GpuInstance> }>;
  return module[artifact.name]!.create({ device, ...options });
}
