/** Loads emitted JavaScript and runs its programs, for comparison with the evaluator. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact } from '../../compiler/pipeline.ts';

export interface Instance {
  step(inputs: object, sizes?: object): Record<string, number>;
  evaluate(inputs: object, sizes?: object): Record<string, number>;
  forward(
    inputs: object,
    sizes?: object,
  ): Record<string, { shape: number[]; data: Float32Array | Int32Array | Uint8Array }>;
  weights(): Map<string, { dtype: string; shape: readonly number[]; data: Float32Array | Int32Array | Uint8Array }>;
  load(weights: unknown): void;
  checkpoint(): unknown;
  restore(checkpoint: unknown): void;
  readonly machine: { memory: { views: (Float32Array | Int32Array | Uint8Array)[] } };
}

let count = 0;

/** From a file, so that a failure shows a place and not the whole module. */
export async function loadModule(code: string): Promise<Record<string, unknown>> {
  const path = join(mkdtempSync(join(tmpdir(), 'nnc-')), `module${count++}.mjs`);
  writeFileSync(path, code);
  return (await import(/* @vite-ignore */ path)) as Record<string, unknown>;
}

export async function instantiate(artifact: Artifact, seed = 1, weights?: unknown): Promise<Instance> {
  const module = await loadModule(artifact.javascript);
  const type = module[artifact.name] as { create(options: object): Instance };
  return type.create(weights === undefined ? { seed } : { seed, weights });
}
