/**
 * Emitted code against the evaluator: initial values, the forward pass, the loss, and every parameter, slot and state after a step of training;
 * and every stage's verifier on the way.
 */
import { expect } from 'vitest';
import { compile } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';
import { verify } from '../../compiler/graph/verify.ts';
import { verifyProgram } from '../../compiler/kernel/verify.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { evaluate as evaluateSize } from '../../compiler/sizes/poly.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { instantiate } from './emitted.ts';
import { toTensor } from './program.ts';
import { sameBits } from '../targets/wasm/together.ts';

/** A cheap deterministic generator (Park and Miller, 1988), so that inputs do not depend on what is tested. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

export function inputsOf(
  artifact: Artifact,
  sizes: Record<string, number>,
  literal: Record<string, number[]> = {},
): Map<string, Tensor> {
  const random = generator(7);
  return new Map(
    artifact.unit.inputs.map((input) => {
      const shape = input.type.sizes.map((s) => evaluateSize(s, (n) => sizes[n]!));
      const count = shape.reduce((a, b) => a * b, 1);
      const below = input.below === null ? 3 : evaluateSize(input.below, (n) => sizes[n]!);
      const given = literal[input.name];
      const values = Array.from({ length: count }, (_, k) =>
        given !== undefined
          ? given[k]!
          : input.type.dtype === 'f32'
            ? Math.fround(random() * 2 - 1)
            : input.type.dtype === 'bool'
              ? Number(random() < 0.7)
              : Math.floor(random() * below),
      );
      return [input.name, { ...toTensor(values, input.type.dtype === 'f16' ? 'f32' : input.type.dtype), sizes: shape }];
    }),
  );
}

/** Largest difference as a share of the reference's largest magnitude. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = 0;
  let scale = 1e-6;
  for (let k = 0; k < b.length; k++) {
    if (a[k] === b[k]) continue;
    worst = Math.max(worst, Number.isNaN(a[k]! - b[k]!) ? Infinity : Math.abs(a[k]! - b[k]!));
    if (Number.isFinite(b[k])) scale = Math.max(scale, Math.abs(b[k]!));
  }
  return worst / scale;
}

const typed = (t: Tensor): Float32Array | Int32Array | Uint8Array =>
  t.dtype === 'f32' || t.dtype === 'f16' ? Float32Array.from(t.data) : (t.data as Int32Array);

export interface AgreeOptions {
  readonly consts?: Record<string, number>;
  readonly inputs?: Record<string, number[]>;
  /** Trained by Adam, whose first step is the sign of the gradient. */
  readonly adam?: boolean;
  readonly path?: string;
  /** Compares the WebAssembly target's results too. */
  readonly wasm?: boolean;
  /** Runs its kernels as several threads do, which must leave the same bits. */
  readonly threads?: boolean;
}

/** Compiles `unit` of the text for sizes up to these, and compares. */
export async function agree(
  text: string,
  unit: string,
  sizes: Record<string, number>,
  options: AgreeOptions = {},
): Promise<void> {
  const result = compile(text, {
    path: options.path ?? 'test.nn',
    only: unit,
    bounds: sizes,
    ...(options.wasm === true ? { targets: ['wasm' as const] } : {}),
    ...(options.consts ? { consts: options.consts } : {}),
  });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  const artifact = result.artifacts.get(unit)!;
  for (const graph of artifact.graphs.values()) expect(verify(graph), graph.name).toEqual([]);
  for (const program of artifact.kernelPrograms.values())
    expect(verifyProgram(program, sizes), program.name).toEqual([]);
  expect(verifyPlan(artifact.plan, artifact.kernels, artifact.schedules)).toEqual([]);
  const net = await instantiate(artifact, 3);
  const wasm = options.wasm === true ? await instantiate(artifact, 3, undefined, 'wasm') : null;

  const seed = toTensor(3, 'i32');
  const leaves = evaluate(artifact.unit.programs.get('init')!, new Map([['seed', seed]]), {});
  for (const [path, w] of net.weights()) {
    // A fused program keeps f64 where the graph says f32: equal within rounding of f32, longer for iterated initialisers.
    expect(distance(w.data, leaves.get(path)!.data), `init ${path}`).toBeLessThan(1e-5);
  }
  // From here on the evaluator starts where the emitted code starts.
  for (const leaf of artifact.plan.leaves) {
    const view = net.machine.memory.views[leaf.buffer]!;
    const old = leaves.get(leaf.path)!;
    const n = old.data.length;
    leaves.set(leaf.path, {
      ...old,
      data: old.dtype === 'f32' ? Float64Array.from(view.subarray(0, n)) : (view.slice(0, n) as Int32Array),
    });
  }
  if (options.threads === true) sameBits(artifact.plan, artifact.kernels, sizes);
  const inputs = inputsOf(artifact, sizes, options.inputs);
  const given = new Map([...leaves, ...inputs, ['seed', seed]]);
  for (const program of ['forward', 'evaluate', 'step'] as const) {
    const graph = artifact.unit.programs.get(program);
    if (graph === undefined) continue;
    const names = new Set(graph.inputs.map((i) => i.attrs.name));
    // No step has been done when the others are asked.
    const scope = new Map([...given, ['step', toTensor(program === 'step' ? 1 : 0, 'i32')]]);
    const expected = evaluate(graph, scope, sizes);
    const data = Object.fromEntries([...inputs].filter(([n]) => names.has(n)).map(([n, t]) => [n, typed(t)]));
    const actual = net[program](data, sizes);
    if (wasm !== null)
      for (const [name, value] of Object.entries(wasm[program](data, sizes))) {
        const reference = expected.get(name)!;
        const got = typeof value === 'number' ? [value] : value.data;
        expect(distance(got, reference.data), `wasm ${program} ${name}`).toBeLessThan(2e-5);
      }
    for (const output of graph.outputs) {
      const reference = expected.get(output.name)!;
      const value = actual[output.name];
      const got =
        output.updates !== null
          ? net.machine.memory.views[artifact.plan.leaves.find((l) => l.path === output.updates)!.buffer]!
          : typeof value === 'number'
            ? [value]
            : value!.data;
      // Adam divides by the root of a small second moment: the rounding of f32 shows more there.
      const tolerance = output.updates !== null && options.adam === true ? 2e-3 : 2e-5;
      const slice = Array.from(got).slice(0, reference.data.length);
      expect(distance(slice, reference.data), `${program} ${output.name}`).toBeLessThan(tolerance);
    }
  }
}
