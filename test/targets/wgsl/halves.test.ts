/**
 * Numbers of f16 in two bytes of a GPU's memory: the same bits as in four, on a device that has halves and on one that has not, from one artifact; the memory that it takes; and that Dawn's front end
 * takes every kernel in both forms.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, type CompileResult } from '../../../compiler/index.ts';
import type { Artifact } from '../../../compiler/pipeline.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import { productTraffic } from '../../../compiler/schedule/wgsl-product.ts';
import { wgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import { halvesPlan } from '../../../compiler/targets/wgsl/halves.ts';
import { GUARANTEED, gpuPlan } from '../../../compiler/targets/wgsl/layout.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { complaints, fastGpu, nullGpu, shadersOf, skipLoudly } from './gpu.ts';
import { onGpu, type Data } from './instance.ts';
import { instantiate } from '../../support/emitted.ts';

const { gpu, reason } = await fastGpu();
if (gpu === null) skipLoudly('halves in memory are not computed on WebGPU', reason);

let halves: GpuDevice | null = null;
let without: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu === null) return;
  const open = async (features: readonly string[]): Promise<GpuDevice> =>
    (await gpu.requestAdapter())!.requestDevice({ requiredFeatures: features });
  without = await open([]);
  const adapter = await gpu.requestAdapter();
  if (adapter!.features.has('shader-f16')) halves = await open(['shader-f16']);
  else skipLoudly('halves in memory are not computed on WebGPU', 'the driver has no shader-f16');
});
afterAll(() => {
  halves?.destroy();
  without?.destroy();
});

interface Program {
  readonly text: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly stream: number | false;
}

const network = (body: string): string => `${body}
train Fit {
  input x: float[B, 24]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 0.1)
  precision f16
}`;

/** What is rounded goes through tiles, reductions, streams and movement. Software drivers are slow to compile: little of each. */
const programs: Readonly<Record<string, Program>> = {
  'products in tiles': {
    text: network(
      'model Net(x: float[B, 24]) -> float[B, 4] { return x |> Linear(32) |> tanh |> Linear(4, bias: false) }',
    ),
    sizes: { B: 20 },
    stream: false,
  },
  'streamed attention': {
    text: network(`model Net(x: float[B, 24]) -> float[B, 24] {
  param k: float[40, 8] = normal()
  param v: float[8, 40] = normal()
  let q = x |> Linear(8, bias: false)
  let weight[t, s] = softmax[s where s <= t] (sum[e] q[t, e] * k[s, e])
  let z[t, e] = sum[s] weight[t, s] * v[e, s]
  return z |> Linear(24, bias: false)
}`),
    sizes: { B: 40 },
    stream: 1,
  },
};

const built = ({ text, sizes: bounds, stream }: Program): CompileResult => {
  const result = compile(text, { only: 'Fit', targets: ['wgsl'], bounds, stream });
  expect(result.reports.filter((r) => r.severity === 'error')).toEqual([]);
  return result;
};

const inputs = (artifact: Artifact, sizes: Readonly<Record<string, number>>): Record<string, Data> =>
  Object.fromEntries(
    artifact.plan.inputs.map(({ name, shape }) => {
      const length = shape.reduce<number>((n, e) => n * (typeof e === 'string' ? sizes[e]! : (e as number)), 1);
      return [name, Float32Array.from({ length }, (_, k) => Math.sin(k * 0.37) + Math.cos(k * k * 0.011))];
    }),
  );

describe.each(Object.entries(programs))('%s', (_, program) => {
  const { artifacts, sources } = built(program);
  const artifact = artifacts.get('Fit')!;
  const { unit, plan, kernels, schedules, origins } = artifact;
  const emitted = emitWgsl(unit, plan, kernels, schedules, { types: false, origins, sources });

  it('computes the same bits with halves and without', async ({ skip }) => {
    if (without === null || halves === null) return skip('no device with shader-f16');
    const { sizes } = program;
    const weights = (await instantiate(artifact, 3)).weights();
    const data = inputs(artifact, sizes);
    const run = async (device: GpuDevice): Promise<unknown> => {
      const net = await onGpu(artifact, sources, device, { weights });
      const losses = [];
      for (let k = 0; k < 2; k++) losses.push((await net.step(data, sizes))['loss']);
      const found = [...(await net.weights())].map(([path, t]) => [
        path,
        Buffer.from(t.data.buffer).toString('base64'),
      ]);
      net.close();
      return { losses, found };
    };
    expect(await run(halves)).toEqual(await run(without));
  });

  it('keeps some tensors in halves, and both forms of every kernel pass the front end of Dawn', async () => {
    const found = halvesPlan(plan, kernels, GUARANTEED)!;
    expect(found.halves.size).toBeGreaterThan(1);
    expect(found.plan.arenas.work).toBeLessThan(gpuPlan(plan).arenas.work);
    // Buffers that the plan keeps apart stay apart, and so do those of different widths in a call.
    const apart = (i: number, j: number): boolean => {
      const [x, y] = [found.plan.buffers[i]!, found.plan.buffers[j]!];
      return x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset;
    };
    let [parted, counted] = [0, 0];
    for (const step of plan.programs['step']!.steps) {
      if (step.kind !== 'call') continue;
      for (const i of step.buffers)
        for (const j of step.buffers) {
          const [a, b] = [plan.buffers[i]!, plan.buffers[j]!];
          if (a.arena !== b.arena || (a.offset === b.offset && found.halves.has(i) === found.halves.has(j))) continue;
          expect(apart(i, j), `${a.name} ${b.name}`).toBe(true);
          parted++;
        }
    }
    expect(parted).toBeGreaterThan(0);
    // What products move is counted by those widths.
    for (const step of plan.programs['step']!.steps) {
      const kernel = step.kind === 'call' ? kernels[step.kernel]! : null;
      if (kernel === null || step.kind !== 'call') continue;
      const kept = new Set(step.buffers.flatMap((b, k) => (found.halves.has(b) ? [k] : [])));
      const of = (s: string): number => program.sizes[s] ?? 64;
      for (const pass of wgslSchedule(kernel, of).passes) {
        if (pass.kind !== 'product') continue;
        const [whole, half] = [productTraffic(kernel, pass, of), productTraffic(kernel, pass, of, kept)];
        expect(half.bytes < whole.bytes).toBe(kept.size > 0);
        expect(half.bytes).toBeGreaterThanOrEqual(whole.bytes / 2);
        counted++;
      }
    }
    expect(counted > 0).toBe(program.stream === false);
    expect(emitted.excess).toEqual([]);
    const { gpu: front, reason: why } = await nullGpu();
    if (front === null) throw new Error(why);
    const adapter = await front.requestAdapter();
    const own = await adapter!.requestDevice({ requiredFeatures: ['shader-f16'] });
    const shaders = shadersOf(emitted.code);
    const both = shaders.filter((s) => s.startsWith('alias Half = f32;'));
    expect(both.length).toBeGreaterThan(1);
    const small = both.map((s) => s.replace('alias Half = f32;', 'enable f16;\nalias Half = f16;'));
    for (const shader of [...shaders, ...small]) expect(await complaints(own, shader)).toEqual([]);
    own.destroy();
  });
});
