/**
 * Reductions by the threads of a workgroup and by several workgroups, for every operation, over rows, columns and all, with edges: what plain loops give, and
 * the same bits twice. The choice of a schedule is pinned.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import type { WgslReduction } from '../../../compiler/schedule/wgsl-reduce.ts';
import { printWgslSchedule, wgslSchedule, type WgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type Data } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('reductions are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const [A, M, K] = [2, 49, 51];
/** Result, its type, what it is, and which of [A, M, K] it keeps. */
const results = [
  ['whole', 'float[]', 'sum[a, m, k] x[a, m, k] ^ 2', ''],
  ['row', 'float[2, 49]', 'sum[k] x[a, m, k]', 'am'],
  ['column', 'float[51]', 'sum[a, m] x[a, m, k]', 'k'],
  ['middle', 'float[2, 51]', 'max[m] x[a, m, k]', 'ak'],
  ['least', 'float[49]', 'min[a, k] x[a, m, k]', 'm'],
  ['product', 'float[51]', 'prod[a, m] (1 + 0.1 * x[a, m, k])', 'k'],
  ['first', 'i32[2, 49]', 'argmax[k] floor(4 * x[a, m, k])', 'am'],
  ['place', 'i32[51]', 'argmax[m] floor(4 * x[0, m, k])', 'k'],
  ['some', 'bool[2, 49]', 'any[k] (x[a, m, k] > 0.49)', 'am'],
  ['every', 'bool[51]', 'all[a, m] (x[a, m, k] > -0.49)', 'k'],
] as const;

const text = `model Net(x: float[${A}, ${M}, ${K}]) -> (${results.map(([name, type]) => `${name}: ${type}`).join(', ')}) {
${results.map(([name, , value, kept]) => `  let ${name}${kept === '' ? '' : `[${[...kept].join(', ')}]`} = ${value}`).join('\n')}
  return (${results.map(([name]) => `${name}: ${name}`).join(', ')})
}`;

const x = Float32Array.from({ length: A * M * K }, (_, i) => ((i * 7919 + 13) % 1009) / 1009 - 0.5);

/** By plain loops, in float64. */
function expected(name: string, kept: string): number[] {
  const size: Record<string, number> = { a: A, m: M, k: K };
  const groups = new Map<number, number[]>();
  for (let a = 0; a < A; a++)
    for (let m = 0; m < M; m++)
      for (let k = 0; k < K; k++) {
        if (name === 'place' && a > 0) continue;
        const index: Record<string, number> = { a, m, k };
        const at = [...kept].reduce((p, l) => p * size[l]! + index[l]!, 0);
        if (!groups.has(at)) groups.set(at, []);
        groups.get(at)!.push(x[(a * M + m) * K + k]!);
      }
  const fold = (list: number[]): number => {
    const quarters = list.map((v) => Math.floor(Math.fround(4 * v)));
    switch (name) {
      case 'whole':
        return list.reduce((s, v) => s + v * v, 0);
      case 'row':
      case 'column':
        return list.reduce((s, v) => s + v, 0);
      case 'middle':
        return Math.max(...list);
      case 'least':
        return Math.min(...list);
      case 'product':
        return list.reduce((s, v) => s * (1 + 0.1 * v), 1);
      case 'some':
        return list.some((v) => v > 0.49) ? 1 : 0;
      case 'every':
        return list.every((v) => v > -0.49) ? 1 : 0;
      default:
        return quarters.indexOf(Math.max(...quarters));
    }
  };
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, list]) => fold(list));
}

describe.skipIf(gpu === null)('reductions on a device', { timeout: 120_000 }, () => {
  const result = compile(text, { only: 'Net', fuse: false });

  const forms: readonly (readonly [string, Partial<WgslReduction>])[] = [
    ['as chosen', {}],
    ['many results side by side, in one part', { along: 'results', across: 16, down: 8, parts: 1 }],
    ['many results side by side, in five parts', { along: 'results', across: 16, down: 4, parts: 5 }],
    ['threads side by side, in one part', { along: 'reduced', across: 4, down: 16, parts: 1 }],
    [
      'threads side by side, in more parts than some have elements',
      { along: 'reduced', across: 8, down: 4, parts: 60 },
    ],
  ];
  it.each(forms)('%s', async (_name, form) => {
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    let count = 0;
    const schedule = (kernel: Kernel, of: (s: string) => number): WgslSchedule => ({
      passes: wgslSchedule(kernel, of).passes.map((p) => {
        if (p.kind !== 'reduce') return p;
        count++;
        return { ...p, ...form };
      }),
    });
    const net = await onGpu(result.artifacts.get('Net')!, result.sources, device!, {}, undefined, schedule);
    expect(count).toBe(results.length);
    const found = (await net.forward({ x })) as Record<string, number | { data: Data }>;
    const again = (await net.forward({ x })) as Record<string, number | { data: Data }>;
    net.close();
    for (const [name, , , kept] of results) {
      const value = found[name]!;
      const list = typeof value === 'number' ? [value] : [...value.data];
      const want = expected(name, kept);
      expect(list.length).toBe(want.length);
      for (const [i, v] of want.entries())
        expect(Math.abs(list[i]! - v)).toBeLessThan(1e-5 * Math.max(10, Math.abs(v)));
      expect(again[name]).toEqual(value);
    }
  });
});

describe('the choice of a schedule', () => {
  const scheduled = (source: string, bounds: Record<string, number>): string[] => {
    const made = compile(source, { only: 'Net', bounds });
    expect(made.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    const of = (s: string): number => bounds[s] ?? 64;
    return made.artifacts.get('Net')!.kernels.map((k) => printWgslSchedule(wgslSchedule(k, of), k));
  };

  it('all, rows, columns and short rows', () => {
    const net = (type: string, value: string, result: string): string =>
      `model Net(x: ${type}) -> ${result} { let y${result === 'float[]' ? '' : '[i]'} = ${value}\n  return y }`;
    expect([
      scheduled(net('float[4096, 4096]', 'sum[i, j] x[i, j] ^ 2', 'float[]'), {}),
      scheduled(net('float[8192, 768]', 'sum[r] x[r, i]', 'float[768]'), {}),
      scheduled(net('float[8192, 768]', 'sum[r] x[i, r]', 'float[8192]'), {}),
      scheduled(net('float[8192, 64]', 'sum[r] x[i, r]', 'float[8192]'), {}),
      scheduled(net('float[64, 1000000]', 'sum[r] x[r, i]', 'float[1000000]'), {}),
    ]).toMatchInlineSnapshot(`
      [
        [
          "sum: 256 threads a result, 1 result a workgroup, neighbours along the reduction, in 1024 parts",
        ],
        [
          "sum: 16 threads a result, 16 results a workgroup, neighbours along the results, in 32 parts",
        ],
        [
          "sum: 32 threads a result, 8 results a workgroup, neighbours along the reduction",
        ],
        [
          "sum: 32 threads a result, 8 results a workgroup, neighbours along the reduction",
        ],
        [
          "sum: rows [i] 256 a workgroup",
        ],
      ]
    `);
  });
});
