/**
 * Attention on WebGPU with its matrices streamed: every case passes the front end within the guaranteed limits, and a step of training gives what it gives on the CPU
 * with everything stored. The schedule is pinned.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { Artifact } from '../../../compiler/pipeline.ts';
import type { Sources } from '../../../compiler/source/source.ts';
import { explainWgslSchedule, wgslSchedule, type WgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import { BLOCKS, streamBytes } from '../../../compiler/schedule/wgsl-stream.ts';
import { emitKernel } from '../../../compiler/targets/wgsl/kernel.ts';
import { shaderText } from '../../../compiler/targets/wgsl/shader.ts';
import { GUARANTEED } from '../../../compiler/targets/wgsl/layout.ts';
import { slotPlaces } from '../../../compiler/targets/wgsl/slots.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { attentions, source } from '../../support/attention.ts';
import { instantiate } from '../../support/emitted.ts';
import { complaints, deviceOf, nullGpu, realGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const none = await nullGpu();
const real = await realGpu();
if (real.gpu === null) skipLoudly('streamed attention is not computed on WebGPU', real.reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (real.gpu !== null) device = await deviceOf(real.gpu);
});
afterAll(() => {
  device?.destroy();
});

function build(name: string, stream: number | false): { artifact: Artifact; sources: Sources } {
  const options = { only: 'Fit', bounds: { T: 53, B: 3 }, stream, targets: ['wgsl'] } as const;
  const { artifacts, reports, sources } = compile(source(attentions[name]!).replace('lr: 0.1', 'lr: 100.0'), options);
  expect(reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  return { artifact: artifacts.get('Fit')!, sources };
}

const streamed = ({ artifact }: { artifact: Artifact }) => artifact.kernels.filter((k) => k.buffers.some((b) => b.row));

describe.skipIf(none.gpu === null)('streamed kernels pass the front end', { timeout: 120_000 }, () => {
  it.each(Object.keys(attentions))('%s', async (name) => {
    const own = await deviceOf(none.gpu!);
    const kernels = streamed(build(name, 1));
    expect(kernels.length).toBeGreaterThanOrEqual(3);
    for (const kernel of kernels) {
      const schedule = wgslSchedule(kernel);
      const [pass] = schedule.passes;
      expect(pass!.kind).toBe('stream');
      if (pass!.kind === 'stream') expect(streamBytes(pass!, kernel)).toBeLessThanOrEqual(16_384);
      const places = kernel.buffers.map((b, i) => (b.row ? null : { arena: 'work', offset: i * 256, bytes: 256 }));
      const { map, ...lie } = slotPlaces(places, GUARANTEED);
      const emitted = emitKernel(kernel, schedule, map, null, lie);
      expect(emitted.slots.length).toBeLessThanOrEqual(8);
      expect(await complaints(own, shaderText(emitted))).toEqual([]);
    }
    own.destroy();
  });
});

describe.skipIf(real.gpu === null)('streamed attention on a device', { timeout: 400_000 }, () => {
  it.each(['lengths from data', 'dropout on the weights'])('%s', async (name) => {
    const { artifact, sources } = build(name, 1);
    const there = await onGpu(artifact, sources, device!, { seed: 4 });
    const here = await instantiate(build(name, false).artifact, 4);
    const x = Float32Array.from({ length: 3 * 53 * 16 }, (_, k) => ((k * 37) % 101) / 50 - 1);
    const inputs = { x, ...(name.startsWith('lengths') ? { length: Int32Array.of(7, 52, 30) } : {}) };
    // From the same weights, and what a long step changes: the rounding of the weights themselves is small beside it.
    const before = new Map([...here.weights()].map(([path, { data }]) => [path, data.slice()]));
    there.load(here.weights());
    const [a, b] = [await there.step(inputs, { B: 3, T: 53 }), here.step(inputs, { B: 3, T: 53 })];
    expect(Math.abs(Number(a['loss']) - Number(b['loss']))).toBeLessThan(1e-5 * Math.abs(Number(b['loss'])));
    const weights = here.weights();
    for (const [path, { data }] of (await there.checkpoint()).tensors) {
      const expected = weights.get(path)?.data;
      if (expected === undefined) continue;
      let [worst, scale] = [0, 1e-9];
      for (const [k, v] of expected.entries()) {
        worst = Math.max(worst, Math.abs(data[k]! - v));
        scale = Math.max(scale, Math.abs(v - before.get(path)![k]!));
      }
      expect(worst / scale, path).toBeLessThan(2e-5);
    }
    there.close();
  });
});

describe('results whose gradient is made of themselves alone', { timeout: 400_000 }, () => {
  // Nothing but elementwise work lies between what is summed forward and the gradient's product over the same rows.
  const text = `model Net(x: float[B]) -> float[1, 75, 8] {
  param q: float[1, 75, 8] = normal()
  param k: float[1, 75, 8] = normal()
  param v: float[1, 75, 8] = normal()
  let score[h, t, s] = sum[e] q[h, t, e] * k[h, s, e]
  let weight[h, t, s] = softmax[s where s <= t] score[h, t, s]
  let z[h, t, e] = sum[s] weight[h, t, s] * v[h, s, e] * x[0]
  return z
}
train Fit { input x: float[B]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 100.0) }`;
  const made = (stream: number | false) => compile(text, { only: 'Fit', bounds: { B: 1 }, stream, targets: ['wgsl'] });

  it('are streamed, forward, backward and where there is no gradient', () => {
    const kinds = streamed({ artifact: made(1).artifacts.get('Fit')! }).map((k) => wgslSchedule(k).passes[0]!.kind);
    expect(kinds).toEqual(['stream', 'stream', 'stream', 'stream']);
  });

  // As they are for long rows.
  const asLong = (kernel: Kernel, of: (size: string) => number): WgslSchedule => ({
    passes: wgslSchedule(kernel, of).passes.map((p) => (p.kind === 'stream' ? { ...p, ...BLOCKS[1]! } : p)),
  });

  it.skipIf(real.gpu === null)('give what stored ones give, in the blocks of long rows', async () => {
    const result = made(1);
    const artifact = result.artifacts.get('Fit')!;
    const there = await onGpu(artifact, result.sources, device!, { seed: 2 }, undefined, asLong);
    const here = await instantiate(made(false).artifacts.get('Fit')!, 2);
    there.load(here.weights());
    const x = Float32Array.of(1.5);
    for (let step = 0; step < 2; step++) {
      const [a, b] = [Number((await there.step({ x }))['loss']), Number(here.step({ x })['loss'])];
      expect(Math.abs(a - b)).toBeLessThan(1e-5 * Math.abs(b));
    }
    there.close();
  });
});

describe('the schedule', () => {
  it('of causal attention, forward and backward', () => {
    const text = streamed(build('causal', 1)).map((k) => explainWgslSchedule(k, () => 53));
    expect(text).toMatchInlineSnapshot(`
      [
        "stream rows [i j k] in blocks of 32 k by 32 l, 64 threads in 7680 bytes, blocks outside of the mask left out, last blocks first
        pass over l: sum (scores), max (reduce), each (reduce, scaled as the maximum rises), sum2 (result, scaled as the maximum rises); 1.2 MB, 8.7 flop/byte",
        "stream rows [i j k] in blocks of 32 k by 32 l, 64 threads in 6656 bytes, blocks outside of the mask left out, first blocks first
        pass over l: sum (scores), sum2 (result), sum3 (scores), sum4 (result); 2.4 MB, 8.7 flop/byte",
        "stream rows [i j k] in blocks of 32 k by 32 l, 64 threads in 6656 bytes, blocks outside of the mask left out, last blocks first
        pass over l: sum (scores), sum2 (scores), sum3 (result); 1.8 MB, 8.5 flop/byte",
        "stream rows [i j k] in blocks of 32 k by 32 l, 64 threads in 7680 bytes, blocks outside of the mask left out, last blocks first
        pass over l: sum (scores), max (reduce), each (reduce, scaled as the maximum rises), sum2 (result, scaled as the maximum rises); 1.2 MB, 8.7 flop/byte",
      ]
    `);
  });
});
