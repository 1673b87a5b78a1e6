/**
 * Tensors that are longer than a binding, and than a buffer: at limits that are tiny, kernels read, write and scatter through several windows and give what they give through one. What is
 * read back comes in pieces. GPT-2's table of tokens fits what every device has.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { slotPlaces } from '../../../compiler/targets/wgsl/slots.ts';
import { GUARANTEED, type GpuLimits } from '../../../compiler/targets/wgsl/layout.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { instantiate } from '../../support/emitted.ts';
import { complaints, deviceOf, nullGpu, realGpu, shadersOf, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('tensors in several bindings are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

/** The table is looked up, multiplied by along its rows, and its gradient is scattered into; the logits are long too. */
const source = `
model Net(id: i32[B] < 60) -> float[B, 60] {
  let e = Embedding(60, 64)
  let x[b, d] = e.weight[id[b], d]
  let h = x |> tanh |> mix: Linear(64)
  let y[b, w] = sum[d] h[b, d] * e.weight[w, d]
  return y
}
train Fit {
  input id: i32[B] < 60
  minimize mean((Net(id) - 0.5) ^ 2)
  optimizer SGD(lr: 1e-2)
}`;

const tiny = (limits: Partial<GpuLimits>): GpuLimits => ({ ...GUARANTEED, ...limits });

describe.runIf(gpu !== null)('as through one binding', () => {
  for (const [title, limits, rule, B] of [
    ['a step, across buffers', tiny({ binding: 8192, buffer: 8192 }), null, 8],
    ['stored weights', tiny({ binding: 1024 }), 'int8', 4],
  ] as const)
    it(title, async () => {
      const name = rule === null ? 'Fit' : 'Net';
      const id = Int32Array.from({ length: B }, (_, i) => (i * 7) % 23);
      const options = { only: name, bounds: { B }, ...(rule === null ? {} : { weights: [rule] }) };
      const { artifacts, sources } = compile(source, options);
      const artifact = artifacts.get(name)!;
      const long = artifact.plan.buffers.filter((b) => b.bytes > limits.binding);
      expect(long.length).toBeGreaterThan(0);
      const drawn =
        artifact.kind === 'train'
          ? null
          : (await instantiate(compile(source, { only: 'Net', bounds: { B } }).artifacts.get('Net')!, 4)).weights();
      const create = drawn === null ? { seed: 4 } : { weights: drawn };
      const runs = [];
      for (const own of [limits, GUARANTEED]) {
        const net = await onGpu(artifact, sources, device!, create, own);
        const results = [];
        for (let k = 0; k < 2; k++) results.push(await (name === 'Fit' ? net.step({ id }) : net.forward({ id })));
        const kept = await net.weights();
        net.load(kept);
        expect(await net.weights()).toEqual(kept);
        runs.push({ results, kept });
        net.close();
      }
      expect(runs[0]).toEqual(runs[1]);
    });
});

it('windows are bindings, and neighbours make room for them', () => {
  const at = (offset: number, bytes: number) => ({ arena: 'work', offset, bytes });
  const limits = { binding: 1024, bindings: 4, buffer: 8192 };
  const places = [at(0, 2000), at(2048, 100), at(2304, 100), at(2560, 100)];
  expect(slotPlaces(places, limits)).toEqual({ map: [0, 1, 1, 2], bases: [0, 0, 64, 0], windows: [2, 1, 1] });
});

it("GPT-2's table of tokens and logits over 1,024 places, within what every device has", async () => {
  const text = `
model Head(token: i32[T] < 50257) -> float[T, 50257] {
  let wte = Embedding(50257, 768)
  let x[t, d] = wte.weight[token[t], d]
  let y[t, w] = sum[d] x[t, d] * wte.weight[w, d]
  return y
}`;
  const compiled = compile(text, { bounds: { T: 1024 }, targets: ['wgsl'] });
  expect(compiled.reports.map((r) => r.message)).toEqual([]);
  const code = compiled.artifacts.get('Head')!.modules.get('wgsl')!.javascript;
  expect(code).toContain('fn weight_bat(at: i32) -> vec4<f32>');
  const { gpu: front, reason: why } = await nullGpu();
  if (front === null) throw new Error(why);
  const own = await deviceOf(front);
  for (const shader of shadersOf(code)) expect(await complaints(own, shader)).toEqual([]);
  own.destroy();
});
