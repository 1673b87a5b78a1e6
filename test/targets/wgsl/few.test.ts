/** A program built for many rows that is called with one: the product is another kernel then, and the results are the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { fewRows, printWgslSchedule, wgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type Data } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('products of few rows are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const source = `model Net(x: float[B, T, 260]) -> float[B, T, 256] { return x |> Linear(256) |> relu }`;
const result = compile(source, { only: 'Net', bounds: { B: 2, T: 24 } });
const artifact = result.artifacts.get('Net')!;
const of = (s: string): number => ({ B: 2, T: 24 })[s] ?? 64;

describe('few rows where there may be many', () => {
  it('have a schedule of their own, where the matrix is large', () => {
    const kernel = artifact.kernels.find((k) => wgslSchedule(k, of).passes.some((p) => p.kind === 'product'))!;
    const few = fewRows(kernel, wgslSchedule(kernel, of), of)!;
    expect(few.most).toBe(1);
    expect(printWgslSchedule(few.schedule, kernel)).toMatch(/columns a workgroup/);
    const small = compile(source.replaceAll('256', '8'), { only: 'Net', bounds: { B: 2, T: 24 } }).artifacts.get(
      'Net',
    )!;
    for (const k of small.kernels) expect(fewRows(k, wgslSchedule(k, of), of)).toBeNull();
  });

  it.skipIf(gpu === null)('give the same results as many', { timeout: 60_000 }, async () => {
    const net = await onGpu(artifact, result.sources, device!, { seed: 3 });
    const x = Float32Array.from({ length: 24 * 260 }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
    const run = async (rows: number): Promise<Data> =>
      (Object.values(await net.forward({ x: x.subarray(0, rows * 260) }, { B: 1, T: rows }))[0] as { data: Data }).data;
    const many = await run(24);
    for (const rows of [1, 2, 1]) {
      const found = await run(rows);
      expect(found.length).toBe(rows * 256);
      for (const [i, v] of found.entries()) expect(Math.abs(v - many[i]!)).toBeLessThan(1e-5);
    }
    expect(many.some((v) => v > 0.01)).toBe(true);
    net.close();
  });
});
