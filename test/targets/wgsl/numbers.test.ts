/**
 * What the emitted WGSL computes on a device is what the evaluator computes: initial weights, forward pass, loss, and every parameter, slot and state
 * after a step. On a software Vulkan driver in CI; bounds are those of f32 arithmetic, since a GPU has no f64.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { evaluate } from '../../../compiler/graph/evaluate.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import type { Artifact } from '../../../compiler/pipeline.ts';
import { evaluate as evaluateSize } from '../../../compiler/sizes/poly.ts';
import { GUARANTEED } from '../../../compiler/targets/wgsl/layout.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { toTensor } from '../../support/program.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type Data } from './instance.ts';
import { cases, type Case } from './cases.ts';

const root = join(import.meta.dirname, '../../..');
const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('WGSL is not computed', reason);

/** Park and Miller, 1988: inputs that do not depend on what is tested. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

function inputsOf(artifact: Artifact, c: Case): Map<string, Tensor> {
  const random = generator(7);
  return new Map(
    artifact.unit.inputs.map((input) => {
      const shape = input.type.sizes.map((s) => evaluateSize(s, (n) => c.sizes[n]!));
      const count = shape.reduce((a, b) => a * b, 1);
      const below = input.below === null ? 3 : evaluateSize(input.below, (n) => c.sizes[n]!);
      const given = c.inputs?.[input.name];
      const { dtype } = input.type;
      const values = Array.from({ length: count }, (_, k) =>
        given !== undefined
          ? given[k]!
          : dtype === 'f32' || dtype === 'f16'
            ? Math.fround(random() * 2 - 1)
            : dtype === 'bool'
              ? Number(random() < 0.7)
              : Math.floor(random() * below),
      );
      return [input.name, { ...toTensor(values, dtype === 'f16' ? 'f32' : dtype), sizes: shape }];
    }),
  );
}

/** Largest difference as a share of the reference's largest magnitude. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  let scale = 1e-6;
  for (let k = 0; k < b.length; k++) {
    if (a[k] === b[k] || (Number.isNaN(a[k]) && Number.isNaN(b[k]))) continue;
    worst = Math.max(worst, Number.isNaN(a[k]! - b[k]!) ? Infinity : Math.abs(a[k]! - b[k]!));
    if (Number.isFinite(b[k])) scale = Math.max(scale, Math.abs(b[k]!));
  }
  return worst / scale;
}

const typed = (t: Tensor): Data =>
  t.dtype === 'f32' || t.dtype === 'f16' ? Float32Array.from(t.data) : (t.data as Int32Array);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const named = cases.map((c): [string, Case] => [`${c.file}: ${c.unit}`, c]);

// A software driver compiles a shader at its first dispatch: seconds for some, until its cache on disk knows them.
describe.skipIf(gpu === null)('WGSL computes what the evaluator computes', { timeout: 400_000 }, () => {
  it.each(named)('%s', async (_name, c) => {
    const whole = `${readFileSync(join(root, c.file), 'utf8')}\n${c.more ?? ''}`;
    const text = c.sgd === true ? whole.replace(/optimizer Adam\(.*\)/, 'optimizer SGD(lr: 0.1)') : whole;
    const options = { path: c.file, only: c.unit, bounds: c.sizes, ...(c.consts ? { consts: c.consts } : {}) };
    const result = compile(text, options);
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
    const artifact = result.artifacts.get(c.unit)!;
    const net = await onGpu(artifact, result.sources, device!, { seed: 3 });

    const seed = toTensor(3, 'i32');
    const leaves = evaluate(artifact.unit.programs.get('init')!, new Map([['seed', seed]]), {});
    const start = await net.checkpoint();
    for (const [path, w] of start.tensors) {
      const reference = leaves.get(path)!;
      expect(distance(w.data, reference.data), `init ${path}`).toBeLessThan(1e-5);
      // From here on the evaluator starts where the device starts.
      leaves.set(path, {
        ...reference,
        data: reference.dtype === 'f32' ? Float64Array.from(w.data) : (w.data as Int32Array),
      });
    }
    const inputs = inputsOf(artifact, c);
    const scope = new Map([...leaves, ...inputs, ['seed', seed], ['step', toTensor(1, 'i32')]]);
    for (const program of ['forward', 'evaluate', 'step'] as const) {
      const graph = artifact.unit.programs.get(program);
      if (graph === undefined) continue;
      const names = new Set(graph.inputs.map((i) => i.attrs.name));
      const expected = evaluate(graph, scope, c.sizes);
      const data = Object.fromEntries([...inputs].filter(([n]) => names.has(n)).map(([n, t]) => [n, typed(t)]));
      const actual = await net[program](data, c.sizes);
      const after = program === 'step' ? await net.checkpoint() : null;
      for (const output of graph.outputs) {
        const reference = expected.get(output.name)!;
        if (output.updates !== null && after === null) continue;
        const value = actual[output.name];
        const got =
          output.updates !== null
            ? after!.tensors.get(output.updates)!.data
            : typeof value === 'object'
              ? value.data
              : [Number(value)];
        // Adam divides by the root of a small second moment: the rounding of f32 shows more there.
        const bound = output.updates !== null && c.sgd !== true ? 4e-3 : 5e-5;
        expect(distance(got, reference.data), `${program} ${output.name}`).toBeLessThan(bound);
      }
    }
    net.close();
  });

  it('folds a dispatch that is too long for one dimension', async () => {
    const count = 65_536 * 64 + 1000;
    const text = 'model Net(x: float[N]) -> float[N] { return 2.0 * x + 1.0 }';
    const result = compile(text, { bounds: { N: count } });
    expect(result.reports.map((r) => r.message)).toEqual([]);
    const net = await onGpu(result.artifacts.get('Net')!, result.sources, device!, {});
    const x = Float32Array.from({ length: count }, (_, i) => i & 1023);
    const [y] = Object.values(await net.forward({ x }, { N: count })) as { data: Data }[];
    expect(y!.data.length).toBe(count);
    expect(y!.data.findIndex((v, i) => v !== 2 * x[i]! + 1)).toBe(-1);
    net.close();
  });

  it('computes the same with its memory in several buffers', async () => {
    const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
    const result = compile(text, { only: 'Fit', bounds: { B: 4 } });
    const artifact = result.artifacts.get('Fit')!;
    const inputs = {
      image: Float32Array.from({ length: 256 }, (_, k) => (k * 5) % 17),
      label: Int32Array.of(1, 2, 3, 4),
    };
    const losses: unknown[] = [];
    for (const limits of [GUARANTEED, { ...GUARANTEED, buffer: 32_768 }]) {
      const net = await onGpu(artifact, result.sources, device!, { seed: 4 }, limits);
      losses.push([await net.step(inputs), await net.step(inputs), [...(await net.checkpoint()).tensors]]);
      net.close();
    }
    expect(losses[1]).toEqual(losses[0]);
  });

  it('draws the masks that the TypeScript target draws', async () => {
    const text = `model Net(x: float[B, 40]) -> float[B, 3] { return x |> Dropout(0.5) |> Linear(3) }
train Fit {
  input x: float[B, 40]
  minimize mean(Net(x))
  optimizer SGD(lr: 0.1)
}`;
    const result = compile(text, { only: 'Fit', bounds: { B: 1 } });
    expect(result.reports.map((r) => r.message)).toEqual([]);
    const artifact = result.artifacts.get('Fit')!;
    const here = await instantiate(artifact, 11);
    const there = await onGpu(artifact, result.sources, device!, { seed: 11 });
    const x = new Float32Array(40).fill(1);
    // What was dropped has no gradient: its weights stay bit for bit.
    const kept = (before: ArrayLike<number>, after: ArrayLike<number>): boolean[] =>
      Array.from({ length: before.length }, (_, k) => before[k] !== after[k]);
    for (let step = 0; step < 3; step++) {
      const [old, oldThere] = [here.weights(), (await there.checkpoint()).tensors];
      here.step({ x }, { B: 1 });
      await there.step({ x }, { B: 1 });
      const [now, nowThere] = [here.weights(), (await there.checkpoint()).tensors];
      const path = [...old.keys()].find((p) => p.endsWith('weight'))!;
      const mask = kept(old.get(path)!.data.slice(), now.get(path)!.data);
      expect(mask.filter(Boolean).length).toBeGreaterThan(9);
      expect(mask.filter((m) => !m).length).toBeGreaterThan(9);
      expect(kept(oldThere.get(path)!.data, nowThere.get(path)!.data)).toEqual(mask);
    }
    there.close();
  });
});
