/**
 * Products of matrices in every tile, for every way in which operands may lie, with edges and without: what plain sums give. Sums in parts, few rows, and
 * convolutions with their gradients by the same schedule. The choice of a schedule, and its count of memory traffic, are pinned.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { TILES, patchOf, workgroupBytes, type TiledProduct } from '../../../compiler/schedule/wgsl-product.ts';
import {
  explainWgslSchedule,
  printWgslSchedule,
  wgslSchedule,
  type WgslPass,
  type WgslSchedule,
} from '../../../compiler/schedule/wgsl.ts';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type Data } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('products are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

interface Shape {
  readonly b: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Operands by the letters of their axes, in the order in which they lie. */
function program(left: string, right: string, { b, m, n, k }: Shape, more = ''): string {
  const size = { b, m, n, k } as Record<string, number>;
  const type = (letters: string): string => `float[${[...letters].map((l) => size[l]!).join(', ')}]`;
  const at = (letters: string): string => [...letters].join(', ');
  const free = left.includes('b') ? 'bmn' : 'mn';
  return `model Net(x: ${type(left)}, y: ${type(right)}) -> ${type(free)} {
  let c[${at(free)}] = sum[k] x[${at(left)}] * y[${at(right)}]
  return c${more}
}`;
}

const numbers = (count: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: count }, () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5);
};

function reference(left: string, right: string, s: Shape, x: Float32Array, y: Float32Array): Float64Array {
  const size = s as unknown as Record<string, number>;
  const at = (letters: string, index: Record<string, number>): number =>
    [...letters].reduce((p, l) => p * size[l]! + index[l]!, 0);
  const batches = left.includes('b') ? s.b : 1;
  const out = new Float64Array(batches * s.m * s.n);
  let p = 0;
  for (let b = 0; b < batches; b++)
    for (let m = 0; m < s.m; m++)
      for (let n = 0; n < s.n; n++, p++)
        for (let k = 0; k < s.k; k++) {
          const index = { b, m, n, k };
          out[p]! += x[at(left, index)]! * y[at(right, index)]!;
        }
  return out;
}

async function check(
  left: string,
  right: string,
  shape: Shape,
  change: (pass: TiledProduct) => TiledProduct = (p) => p,
  wanted: 'product' | 'skinny' = 'product',
): Promise<string> {
  const result = compile(program(left, right, shape, ' * 2.0'), { only: 'Net' });
  expect(result.reports.map((r) => r.message)).toEqual([]);
  let text = '';
  const schedule = (kernel: Kernel, of: (s: string) => number): WgslSchedule => {
    const found = wgslSchedule(kernel, of);
    const changed = { passes: found.passes.map((p) => (p.kind === 'product' ? change(p) : p)) };
    expect(changed.passes.map((p) => p.kind)).toContain(wanted);
    text = printWgslSchedule(changed, kernel);
    return changed;
  };
  const net = await onGpu(result.artifacts.get('Net')!, result.sources, device!, {}, undefined, schedule);
  const count = (letters: string): number =>
    [...letters].reduce((p, l) => p * (shape as unknown as Record<string, number>)[l]!, 1);
  const [x, y] = [numbers(count(left), 3), numbers(count(right), 5)];
  const [z] = Object.values(await net.forward({ x, y })) as { data: Data }[];
  net.close();
  const expected = reference(left, right, shape, x, y);
  expect(z!.data.length).toBe(expected.length);
  let worst = 0;
  for (const [i, v] of expected.entries()) worst = Math.max(worst, Math.abs(z!.data[i]! - 2 * v));
  expect(worst).toBeLessThan(2e-5 * Math.sqrt(shape.k));
  return text;
}

const everyTile = process.env['NNC_VERIFY'] === 'all';

describe.skipIf(gpu === null)('products on a device', { timeout: 120_000 }, () => {
  const ways = [
    ['mk', 'kn'],
    ['mk', 'nk'],
    ['km', 'kn'],
    ['km', 'nk'],
    ['bmk', 'bkn'],
  ] as const;
  const edges: Shape = { b: 2, m: 71, n: 67, k: 37 };
  const whole: Shape = { b: 2, m: 128, n: 128, k: 32 };

  // The others differ from these in numbers only; NNC_VERIFY=all computes them, too.
  it.each(
    TILES.map((t, i) => [t[0].join('x'), t[0], t[1], i] as const).filter(([, , , i]) => everyTile || i % 2 === 0),
  )('tile %s', async (_name, tile, threads, i) => {
    const as = (p: TiledProduct): TiledProduct => ({ ...p, tile, threads, patch: patchOf(threads) });
    const [left, right] = ways[i >> 1]!;
    if (i % 4 === 0) expect(await check(left, right, { ...whole, k: 24 }, as)).toMatch(/by 4.*by 4/);
    else expect(await check(left, right, edges, as)).not.toMatch(/by 4/);
  });

  it.each(ways)('%s times %s, with edges that vectors still reach', async (left, right) => {
    await check(left, right, { b: 2, m: 36, n: 44, k: 20 });
  });

  it('sums in parts, the last of them short', async () => {
    const as = (p: TiledProduct): TiledProduct => ({ ...p, split: 5 });
    expect(await check('bmk', 'bkn', { b: 2, m: 33, n: 20, k: 211 }, as)).toMatch(/sums in 5 parts/);
  });

  // Slabs of 16 steps lie within T or across its end; there are as many of them as fit, or one that is short.
  it.each([
    [2, 32],
    [3, 20],
  ])('a sum over two axes in several calls: B = %d, T = %d', async (B, T) => {
    const text = `model Net(x: float[B, 4, T, 16], y: float[B, T, 36]) -> float[4, 16, 36] {
  let c[h, e, f] = sum[b, t] x[b, h, t, e] * y[b, t, f]
  return c * 2.0
}`;
    const result = compile(text, { only: 'Net', bounds: { B: 3, T: 32 } });
    let passes: readonly WgslPass[] = [];
    const schedule = (kernel: Kernel, of: (s: string) => number): WgslSchedule => ({
      passes: (passes = wgslSchedule(kernel, of).passes.map((p) =>
        p.kind === 'product' ? { ...p, split: T === 20 ? 2 : 1 } : p,
      )),
    });
    const net = await onGpu(result.artifacts.get('Net')!, result.sources, device!, {}, undefined, schedule);
    expect(passes).toMatchObject([{ kind: 'product', fours: true }]);
    const [x, y] = [numbers(B * 64 * T, 3), numbers(B * T * 36, 5)];
    const [z] = Object.values(await net.forward({ x, y }, { B, T })) as { data: Data }[];
    net.close();
    for (let m = 0; m < 64; m++)
      for (let f = 0; f < 36; f++) {
        let sum = 0;
        for (let b = 0; b < B; b++)
          for (let t = 0; t < T; t++)
            sum += x[((b * 4 + (m >> 4)) * T + t) * 16 + (m & 15)]! * y[(b * T + t) * 36 + f]!;
        expect(z!.data[m * 36 + f]).toBeCloseTo(2 * sum, 4);
      }
  });

  it('a long tail behind the sum, with what it reads, written four at a time', async () => {
    const text = `model Net(x: float[B, 40], y: float[40, 68], z: float[B, 68]) -> float[B, 68] {
  let c[i, j] = sum[k] x[i, k] * y[k, j]
  let d = c + z
  let e = tanh(d * 0.3) + d * d * 0.1
  let f = exp(e * -1.0) + e / (1.0 + e * e)
  return f * sin(f) + e * z
}`;
    const result = compile(text, { only: 'Net', bounds: { B: 50 } });
    const net = await onGpu(result.artifacts.get('Net')!, result.sources, device!, {});
    const [x, y, z] = [numbers(50 * 40, 3), numbers(40 * 68, 5), numbers(50 * 68, 7)];
    const [found] = Object.values(await net.forward({ x, y, z })) as { data: Data }[];
    net.close();
    for (let i = 0; i < 50; i++)
      for (let j = 0; j < 68; j++) {
        let c = 0;
        for (let k = 0; k < 40; k++) c += x[i * 40 + k]! * y[k * 68 + j]!;
        const d = c + z[i * 68 + j]!;
        const e = Math.tanh(d * 0.3) + d * d * 0.1;
        const f = Math.exp(-e) + e / (1 + e * e);
        expect(found!.data[i * 68 + j]).toBeCloseTo(f * Math.sin(f) + e * z[i * 68 + j]!, 4);
      }
  });

  it('few rows', async () => {
    const few = { b: 3, m: 4, n: 52, k: 150 };
    const as = (p: TiledProduct): TiledProduct => p;
    expect(await check('mk', 'kn', few, as, 'skinny')).toMatch(/16 columns a workgroup/);
    expect(await check('mk', 'nk', few, as, 'skinny')).toMatch(/16 columns a workgroup, sums in 8 parts/);
    // Few columns are few rows of the transposed product.
    await check('bmk', 'bkn', { ...few, m: 60, n: 5, k: 152 }, as, 'skinny');
  });
});

/** The products of a training step of one layer, as schedules. */
function schedules(text: string, bounds: Record<string, number>): string[] {
  const result = compile(text, { only: 'Fit', bounds });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  const { kernels, plan } = result.artifacts.get('Fit')!;
  const of = (s: string): number => bounds[s] ?? 64;
  const step = new Set(plan.programs['step']!.steps.flatMap((s) => (s.kind === 'call' ? [s.kernel] : [])));
  return [...step].flatMap((k) => {
    const kernel = kernels[k]!;
    return wgslSchedule(kernel, of).passes.flatMap((p) => {
      if (p.kind !== 'product' && p.kind !== 'skinny') return [];
      expect(workgroupBytes(p)).toBeLessThanOrEqual(16_384);
      return [explainWgslSchedule({ ...kernel, stages: kernel.stages.filter((t) => t.name === p.stage) }, of)];
    });
  });
}

describe('the choice of a schedule', () => {
  it('a wide layer over many rows', () => {
    const text = `train Fit {
  input x: float[B, 1024]
  minimize mean((x |> Linear(1024) |> relu |> Linear(1024)) ^ 2)
  optimizer SGD(lr: 0.1)
}`;
    expect(schedules(text, { B: 4096 })).toMatchInlineSnapshot(`
      [
        "sum: product rows [i] along depth by 4 columns [j] along depth by 4 over [r] tile 128x128x16 of 128 threads 8x16 in 16384 bytes, results by 4; 285.2 MB, 30.1 flop/byte",
        "sum: product rows [i] along depth by 4 columns [j] along depth by 4 over [r] tile 128x128x16 of 128 threads 8x16 in 16384 bytes, results by 4; 285.2 MB, 30.1 flop/byte",
        "sum: product rows [i] along depth by 4 columns [j] along own by 4 over [r] tile 128x128x16 of 128 threads 8x16 in 16384 bytes, results by 4; 285.2 MB, 30.1 flop/byte",
        "sum: product rows [i] along own by 4 columns [j] along own by 4 over [r] tile 128x128x16 of 128 threads 8x16 in 16384 bytes, sums in 4 parts, results by 4; 306.2 MB, 28.1 flop/byte",
      ]
    `);
  });

  it('convolution, and both of its gradients', () => {
    const text = `train Fit {
  input x: float[B, 16, 28, 28]
  minimize mean((x |> Conv2d(32, kernel: 3, pad: 1) |> relu |> Conv2d(32, kernel: 3, stride: 2, pad: 1)) ^ 2)
  optimizer SGD(lr: 0.1)
}`;
    expect(schedules(text, { B: 32 })).toMatchInlineSnapshot(`
      [
        "sum: product rows [j] along depth columns [i k l] along own over [r s u] tile 32x64x16 of 128 threads 4x4 in 6144 bytes; 24.9 MB, 9.3 flop/byte",
        "sum: product rows [j] along depth columns [i k l] along depth over [r s u] tile 32x64x16 of 128 threads 4x4 in 6144 bytes; 11.6 MB, 9.9 flop/byte",
        "sum: product rows [j] along own columns [i k l] along own over [r s u] tile 32x64x16 of 128 threads 4x4 in 6144 bytes; 48.2 MB, 9.9 flop/byte",
        "sum: product rows [i] along depth columns [j k l] along own over [r s u] tile 32x64x16 of 128 threads 4x4 in 6144 bytes, sums in 22 parts; 13.7 MB, 8.4 flop/byte",
        "sum: product rows [i] along depth by 4 columns [j k l] along own over [r s u] tile 32x64x16 of 128 threads 4x4 in 6144 bytes, sums in 31 parts; 30.1 MB, 7.7 flop/byte",
      ]
    `);
  });
});
