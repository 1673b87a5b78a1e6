/** Loads emitted JavaScript and runs its programs, for comparison with the evaluator. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact } from '../../compiler/pipeline.ts';

export interface Instance {
  step(inputs: object, sizes?: object): Record<string, number>;
  evaluate(inputs: object, sizes?: object): Record<string, number>;
  validated?(loss: number): void;
  forward(
    inputs: object,
    sizes?: object,
  ): Record<string, { shape: number[]; data: Float32Array | Int32Array | Uint8Array }>;
  /** Of models that go on from call to call. */
  stream?: Instance['forward'];
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

export async function instantiate(
  artifact: Artifact,
  seed = 1,
  weights?: unknown,
  target: 'ts' | 'wasm' = 'ts',
): Promise<Instance> {
  const module = await loadModule(artifact.modules.get(target)!.javascript);
  const type = module[artifact.name] as { create(options: object): Instance };
  return type.create(weights === undefined ? { seed } : { seed, weights });
}

/**
 * The same module over memory that holds float64 where it held f32, and that rounds nowhere: in JavaScript, where registers are float64, this takes away the
 * one thing that fusion may change, so that fused and unfused code must agree bit for bit. Fails when the emitted text is not what it expects.
 */
export async function instantiateUnrounded(artifact: Artifact, seed = 1): Promise<Instance> {
  let code = artifact.javascript;
  for (const [from, to] of [
    ['new ArrayBuffer(plan.arenas.persistent)', 'new ArrayBuffer(2 * plan.arenas.persistent)'],
    ['new ArrayBuffer(plan.arenas.work)', 'new ArrayBuffer(2 * plan.arenas.work)'],
    ['new Uint8Array(memory, offset, bytes)', 'new Uint8Array(memory, 2 * offset, bytes)'],
    ['new Int32Array(memory, offset, bytes / 4)', 'new Int32Array(memory, 2 * offset, bytes / 4)'],
    ['new Float32Array(memory, offset, bytes / 4)', 'new Float64Array(memory, 2 * offset, bytes / 4)'],
  ] as const) {
    if (code.split(from).length !== 2) throw new Error(`expected once in the emitted module: ${from}`);
    code = code.replace(from, to);
  }
  const module = await loadModule(code.replaceAll('Math.fround(', '('));
  return (module[artifact.name] as { create(options: object): Instance }).create({ seed });
}
