/**
 * Rows kept in registers: softmax, normalisations and what follows them, forward and backward, over rows of several lengths (a last element that some threads have
 * not, several rows a workgroup, the last workgroup not full) and in one and in two dimensions; a step of training gives what it gives on the CPU. The choice is pinned, and what a kernel reads and writes is counted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import { printWgslSchedule, wgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('rows in registers are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const trained = (width: number): string => `
model Net(x: float[B, ${width}]) -> float[B, ${width}] {
  let a = x |> LayerNorm
  let b = (a * 3) |> softmax
  let c = (x + b) |> RMSNorm
  let d[b, i] = c[b, i] * exp(x[b, i]) - max[j] x[b, j]
  return d |> LayerNorm
}
train Fit {
  input x: float[B, ${width}]
  input y: i32[B] < ${width}
  minimize cross_entropy(Net(x), y)
  optimizer Adam(lr: 1e-2)
}`;
const images = `
model Net(x: float[B, 6, 5, 10]) -> float[B, 6] {
  let y = x |> InstanceNorm(affine: true)
  let z[b, c] = sum[h, w] y[b, c, h, w] * x[b, c, h, w]
  return z
}
train Fit {
  input x: float[B, 6, 5, 10]
  input y: i32[B] < 6
  minimize cross_entropy(Net(x), y)
  optimizer Adam(lr: 1e-2)
}`;

/** Rows of a length that is told at the call: at the bound, and below it. */
const pooled = `
model Net(x: float[B, T, 4]) -> float[B, T] {
  let a = x |> Linear(4)
  let w[b, t] = softmax[t] 5 * a[b, t, 0] * a[b, t, 1]
  return w
}
train Fit {
  input x: float[B, T, 4]
  input y: float[B, T]
  minimize sum((Net(x) - y) ^ 2)
  optimizer Adam(lr: 1e-2)
}`;

const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919 + 13) % 1009) / 504.5 - 1);

describe('rows in registers', { timeout: 120_000 }, () => {
  it
    .skipIf(gpu === null)
    .each([
      ...[50, 67, 300, 600].map((width) => [`${width} wide`, trained(width), width, width, 5] as const),
      ['images', images, 300, 6, 1] as const,
    ])('train as on the CPU: %s', async (_name, source, width, classes, kernels) => {
    const result = compile(source, { only: 'Fit', bounds: { B: 2000 } });
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    const artifact = result.artifacts.get('Fit')!;
    const held = artifact.kernels.filter((k) => wgslSchedule(k, () => 2000).passes.some((p) => p.kind === 'held'));
    expect(held.length).toBeGreaterThanOrEqual(kernels);
    const B = 5;
    const inputs = { x: values(B * width), y: Int32Array.from({ length: B }, (_, i) => (i * 17) % classes) };
    const here = await instantiate(artifact, 3);
    const there = await onGpu(artifact, result.sources, device!, { seed: 3 });
    for (let k = 0; k < 2; k++) {
      const [a, b] = [here.step(inputs)['loss']!, (await there.step(inputs))['loss'] as number];
      expect(Math.abs(a - b)).toBeLessThan(1e-5 * Math.max(1, Math.abs(a)));
    }
    const found = await there.weights();
    there.close();
    for (const [path, { data }] of here.weights()) {
      const own = found.get(path)!.data as Float32Array;
      expect(own.length).toBe(data.length);
      for (const [i, v] of (data as Float32Array).entries()) expect(Math.abs(own[i]! - v)).toBeLessThan(2e-4);
    }
  });

  it.skipIf(gpu === null)('train as on the CPU: a length that is told at the call', async () => {
    const result = compile(pooled, { only: 'Fit', bounds: { B: 2000, T: 150 } });
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    const artifact = result.artifacts.get('Fit')!;
    const held = (k: Kernel): boolean =>
      wgslSchedule(
        k,
        () => 2000,
        undefined,
        (s) => (s === 'T' ? 150 : Infinity),
      ).passes.some((p) => p.kind === 'held');
    expect(artifact.kernels.some(held)).toBe(true);
    const here = await instantiate(artifact, 3);
    const there = await onGpu(artifact, result.sources, device!, { seed: 3 });
    for (const [B, T] of [
      [5, 150],
      [3, 47],
      [1, 1],
    ] as const) {
      const inputs = { x: values(B * T * 4), y: values(B * T) };
      const sizes = { B, T };
      const [a, b] = [here.step(inputs, sizes)['loss']!, (await there.step(inputs, sizes))['loss'] as number];
      expect(Math.abs(a - b)).toBeLessThan(1e-5 * Math.max(1, Math.abs(a)));
    }
    there.close();
  });

  it('are chosen by length: a thread has a few elements each, short rows lie side by side, long ones in memory', () => {
    const scheduled = (width: number | string, rows: number): string => {
      const source = `model Net(x: float[B, ${width}]) -> float[B, ${width}] { return x |> softmax }`;
      const made = compile(source, { only: 'Net', bounds: { B: rows } });
      const [kernel] = made.artifacts.get('Net')!.kernels;
      return printWgslSchedule(
        wgslSchedule(kernel!, () => rows),
        kernel!,
      );
    };
    expect([
      scheduled(16, 8192),
      scheduled(64, 8192),
      scheduled(768, 8192),
      scheduled(768, 1),
      scheduled(1024, 98304),
      scheduled(4096, 8192),
      scheduled(50257, 8192),
    ]).toMatchInlineSnapshot(`
      [
        "max each each2: rows [i]",
        "max each each2: rows [i] kept in registers, 2 elements in each of 32 threads, 4 rows a workgroup",
        "max each each2: rows [i] kept in registers, 12 elements in each of 64 threads, 2 rows a workgroup",
        "max each each2: rows [i] kept in registers, 3 elements in each of 256 threads",
        "max each each2: rows [i] kept in registers, 16 elements in each of 64 threads, 2 rows a workgroup",
        "max each each2: rows [i] kept in registers, 16 elements in each of 256 threads",
        "max each each2: rows [i] a workgroup of 256 each",
      ]
    `);
  });

  it('are read once and written once, and what only the kernel needs is not written', () => {
    const source = `model Net(x: float[B, 768]) -> float[B, 768] { return x |> LayerNorm }`;
    const made = compile(source, { only: 'Net', bounds: { B: 4096 } });
    const { unit, plan, kernels, schedules } = made.artifacts.get('Net')!;
    const { code } = emitWgsl(unit, plan, kernels, schedules, { types: false });
    const shaders = [...code.matchAll(/const shader_\d+ = `([^`]*)`/g)].map((m) => m[1]!);
    const shader = shaders.find((s) => s.includes('x_b['))!;
    const count = (pattern: RegExp): number => [...shader.matchAll(pattern)].length;
    // Twelve elements in each of 64 threads: the row, gains and shifts are read, the result is written.
    expect(count(/let \w+ = x_b\[/g)).toBe(12);
    expect(count(/ = \w+_b\[/g)).toBe(36);
    expect(count(/^ *\w+_b\[[^\]]*\] = /gm)).toBe(12);
  });
});
