/**
 * Weights that are kept in fewer bytes on a GPU: products of many and of few rows, lookups, operands that lie crosswise, against the evaluator on the values that the stored numbers
 * stand for; bit for bit what the CPU keeps; the memory they take; and that Dawn's front end takes every kernel.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, type CompileResult } from '../../../compiler/index.ts';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import { printWgslSchedule, wgslSchedule, type SizeOf, type WgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import { gpuPlan } from '../../../compiler/targets/wgsl/layout.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import type { Weights } from '../../../runtime/weights.ts';
import { instantiate } from '../../support/emitted.ts';
import { complaints, deviceOf, nullGpu, realGpu, shadersOf, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';
import { inputs, reference } from '../../store/reference.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('stored weights are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

/** `merge` is summed over two axes; `cross` is read along its columns; `e` is both looked up and multiplied by. */
const source = `
model M(x: float[B, 96], id: i32[B] < 50) -> (y: float[B, 50], z: float[B, 96]) {
  param merge: float[96, 3, 32] = normal() / 8
  param cross: float[96, 96] = normal() / 8
  let e = Embedding(50, 96)
  let h = x |> a: Linear(96) |> relu |> b: Linear(96, bias: false)
  let heads[b, n: 3, d] = (h |> c: Linear(96))[b, (n d)]
  let g[b, m] = sum[n, d] tanh(heads[b, n, d]) * merge[m, n, d]
  let k[b, m] = sum[d] g[b, d] * cross[d, m]
  let y[b, w] = sum[d] (h[b, d] + g[b, d]) * e.weight[w, d]
  let z[b, d] = e.weight[id[b], d] + k[b, d]
  return (y: y, z: z)
}`;

function built(rules: readonly string[], B: number): CompileResult {
  const result = compile(source, { bounds: { B }, weights: rules, targets: ['wgsl'], only: 'M' });
  expect(result.reports.map((r) => r.message)).toEqual([]);
  return result;
}

const whole = built([], 1).artifacts.get('M')!;

/** Every storage, in groups of rows and of parts of them, those that are no whole vectors of four too; each for a product, a lookup and a crosswise operand somewhere. */
const mixtures = [
  ['a.weight=int8', 'b.weight=int4', 'c.weight=f16', 'merge=int8:16', 'cross=int4:6', 'e.weight=int8:6'],
  ['a.weight=int8:6', 'b.weight=int8:32', 'c.weight=int4:6', 'merge=f16', 'cross=int8', 'e.weight=int4:96'],
  ['merge=int4:96', 'e.weight=f16', '**=int8:48'],
];

/** Products along the sum with loads of sixteen elements, where the schedule has eight. */
const bySixteen = (kernel: Kernel, of: SizeOf): WgslSchedule => ({
  passes: wgslSchedule(kernel, of).passes.map((p) =>
    p.kind === 'skinny' && p.wide !== null && p.load.columns.along === 'depth' ? { ...p, wide: 16 } : p,
  ),
});

describe('numbers', () => {
  // Products of few rows; and in tiles, which drivers without a GPU are slow to compile.
  const cases = [
    ...mixtures.map((rules, k) => ({ rules, bound: k < 2 ? 3 : 20, wide: 8 })),
    { rules: ['b.weight=int4:32', 'merge=int4', '**=int8:48'], bound: 2, wide: 16 },
  ];
  for (const { rules, bound, wide } of cases)
    it.runIf(gpu !== null)(`${rules.join(' ')}, up to ${bound} rows, loads of ${wide}`, async () => {
      const { artifacts, sources } = built(rules, bound);
      const artifact = artifacts.get('M')!;
      const weights = (await instantiate(whole, 3)).weights();
      const schedule = wide === 16 ? bySixteen : undefined;
      const net = await onGpu(artifact, sources, device!, { weights }, undefined, schedule);
      const kept = await net.weights();
      const onCpu = (await instantiate(artifact, 1, weights)).weights() as Weights;
      expect(kept).toEqual(onCpu);
      for (const B of [1, bound]) {
        const results = await net.forward(inputs(B));
        const wanted = reference(whole, kept, B);
        for (const name of ['y', 'z']) {
          const { data } = results[name] as { data: Float32Array };
          const exact = wanted.get(name)!.data;
          const bound = Math.max(...Array.from(exact, Math.abs)) * 2 ** -19;
          for (let i = 0; i < data.length; i++)
            expect(Math.abs(data[i]! - exact[i]!), `${name}[${i}] of B = ${B}`).toBeLessThan(bound);
        }
      }
      // What was taken out goes in again, in its stored form.
      net.load(kept);
      expect(await net.weights()).toEqual(kept);
      expect(() => net.load(new Map([...weights].slice(1)))).toThrow(/NN536: .* is missing/);
      net.close();
    });

  it.runIf(gpu !== null)('a tensor that is packed in several pieces, and one that ends within a word', async () => {
    const text = `model N(x: float[B, 3]) -> (y: float[B, 5], z: float[B, 1100]) {
  param big: float[1100, 1000] = normal()
  let z[b, r] = x[b, 0] * (sum[c] big[r, c])
  return (y: x |> a: Linear(5, bias: false), z: z)
}`;
    const options = { bounds: { B: 1 }, weights: ['int8'], targets: ['wgsl'], only: 'N' } as const;
    const { artifacts, sources, reports } = compile(text, options);
    expect(reports.map((r) => r.message)).toEqual([]);
    const artifact = artifacts.get('N')!;
    const tensor = (...shape: number[]): Weights extends ReadonlyMap<string, infer T> ? T : never => {
      const length = shape.reduce((n, e) => n * e);
      return {
        dtype: 'f32',
        shape,
        data: Float32Array.from({ length }, (_, i) => ((i * 48271) % 65537) / 65537 - 0.5),
      };
    };
    const weights = new Map([
      ['big', tensor(1100, 1000)],
      ['a.weight', tensor(5, 3)],
    ]);
    const net = await onGpu(artifact, sources, device!, { weights });
    const kept = await net.weights();
    const onCpu = (await instantiate(artifact, 1, weights)).weights() as Weights;
    expect([...kept.keys()]).toEqual([...onCpu.keys()]);
    // As bytes: a comparison element by element takes a minute.
    const bytes = (list: Weights): Buffer[] =>
      [...list.values()].flatMap(({ data, stored }) =>
        [data, stored!.data, stored!.scales].map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength)),
      );
    for (const [k, own] of bytes(kept).entries()) expect(own.equals(bytes(onCpu)[k]!)).toBe(true);
    net.close();
  });
});

it.each(['int8:16', 'int8'])('four elements are one load, and the operands are products still: %s', (rule) => {
  const { artifacts } = built([rule], 20);
  const text = artifacts
    .get('M')!
    .kernels.map((k) =>
      printWgslSchedule(
        wgslSchedule(k, () => 20),
        k,
      ),
    )
    .join('\n');
  expect(text.match(/product/g)!.length).toBeGreaterThan(4);
  expect(text.match(/columns \[\w+\] along depth by 4/g)!.length).toBeGreaterThan(2);
  expect(artifacts.get('M')!.modules.get('wgsl')!.javascript).toContain('int8Four(');
});

it('eight elements are one load where there are few rows, along the sum and along the columns', () => {
  const { artifacts } = built(['cross=int4', 'int8'], 1);
  const { kernels, modules } = artifacts.get('M')!;
  const text = kernels
    .map((k) =>
      printWgslSchedule(
        wgslSchedule(k, () => 1),
        k,
      ),
    )
    .join('\n');
  expect(text).toMatch(/product of 1 rows .* columns \[\w+\] along depth by 8/);
  expect(text).toMatch(/product of 1 rows .* columns \[\w+\] along own by 8/);
  const { javascript } = modules.get('wgsl')!;
  expect(javascript).toMatch(/array<vec2<u32>>/);
  expect(javascript).toContain('-> mat2x4<f32>');
});

it('takes a quarter and an eighth of the memory, and says so', () => {
  const bytes = (rule: string): number =>
    gpuPlan(built(rule === '' ? [] : [rule], 4).artifacts.get('M')!.plan).arenas.persistent;
  expect(bytes('f16') / bytes('')).toBeLessThan(0.52);
  expect(bytes('int8') / bytes('')).toBeLessThan(0.28);
  expect(bytes('int4:32') / bytes('')).toBeLessThan(0.18);
});

it.each(mixtures)('%s, …: every kernel passes the front end of Dawn, within the least limits', async (...rules) => {
  const { gpu: front, reason: why } = await nullGpu();
  if (front === null) throw new Error(why);
  const own = await deviceOf(front);
  for (const B of [3, 20]) {
    const { artifacts, sources } = built(rules, B);
    const { unit, plan, kernels, schedules, origins } = artifacts.get('M')!;
    const { code, excess } = emitWgsl(unit, plan, kernels, schedules, { types: false, origins, sources });
    expect(excess).toEqual([]);
    const shaders = shadersOf(code);
    expect(shaders.length).toBeGreaterThan(4);
    for (const shader of shaders) expect(await complaints(own, shader)).toEqual([]);
  }
  own.destroy();
});
