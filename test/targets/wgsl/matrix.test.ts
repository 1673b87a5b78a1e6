/**
 * Products on matrix units, which no driver without a GPU has: the front end of Dawn takes every form of them, only products of halves have one, and a device without such units runs the
 * other form out of the same module. (They compute on real ones by bench/gpu.)
 */
import { expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { kernelsFor, matrixNeed, MATRIX_FEATURES } from '../../../runtime/webgpu/matrix.ts';
import type { GpuAdapter, GpuDevice } from '../../../runtime/webgpu/api.ts';
import type { GpuKernel, GpuProgramTable } from '../../../runtime/webgpu/table.ts';
import { complaints, deviceOf, nullGpu, open } from './gpu.ts';
import { onGpu } from './instance.ts';

/** Operands along their rows and across them, edges in all axes, a sum in parts; gradients, of which one operand is no half. */
const source = `
model Net(x: float[B, 200], left: float[300, B], right: float[300, 100]) -> float[B, 100] {
  let h = x |> a: Linear(192) |> gelu |> b: Linear(100)
  param cross: float[200, 100] = normal()
  let c[b, n] = sum[k] left[k, b] * right[k, n] + sum[d] x[b, d] * cross[d, n]
  return h + c
}
train Fit {
  input x: float[B, 200]
  input left: float[300, B]
  input right: float[300, 100]
  minimize mean(Net(x, left, right) ^ 2)
  optimizer SGD(lr: 1e-2)
  precision f16
}
train Whole {
  input x: float[B, 200]
  input left: float[300, B]
  input right: float[300, 100]
  minimize mean(Net(x, left, right) ^ 2)
  optimizer SGD(lr: 1e-2)
}`;

const options = { bounds: { B: 300 }, targets: ['wgsl'], matrices: true } as const;
const module = (only: string, more = {}): string =>
  compile(source, { ...options, only, ...more })
    .artifacts.get(only)!
    .modules.get('wgsl')!.javascript;

it('products of halves have a form for them, others have not, and nobody who did not ask', () => {
  const code = module('Fit');
  // Two layers and the third product, once for the step and once, but for what is alike there, for the evaluation.
  expect(code.match(/const shader_\d+m = /g)!.length).toBeGreaterThanOrEqual(3);
  expect(code).toMatch(/row_major>\(&left_halves/);
  for (const plain of [module('Fit', { matrices: false }), module('Whole')])
    expect(plain).not.toContain('enable chromium_experimental_subgroup_matrix');
});

it('every form passes the front end of Dawn', async () => {
  const { gpu, reason } = await open(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  if (gpu === null) throw new Error(reason);
  const adapter = (await gpu.requestAdapter())!;
  const device = await adapter.requestDevice({
    requiredFeatures: MATRIX_FEATURES,
  });
  for (const B of [300, 4096]) {
    const code = module('Fit', { bounds: { B } });
    const helpers = new Map([...code.matchAll(/const (wgsl_\w+) = `([^`]*)`;/g)].map((m) => [m[1]!, m[2]!]));
    const shaders = [...code.matchAll(/const shader_\d+m = `([^`]*)`;/g)];
    expect(shaders.length).toBeGreaterThanOrEqual(3);
    for (const [, text] of shaders)
      expect(
        await complaints(
          device,
          text!.replaceAll(/\$\{(\w+)\}/g, (_, n: string) => helpers.get(n)!),
        ),
      ).toEqual([]);
  }
  device.destroy();
});

it('a device is given them if it has units of that kind and memory for the tiles', () => {
  const kernel: GpuKernel = {
    name: 'k',
    place: null,
    code: 'plain',
    slots: [0],
    sizes: [],
    passes: [],
    matrix: { code: 'units', passes: [], bytes: 20_000 },
  };
  const table = {
    kernels: [kernel, { ...kernel, matrix: undefined }],
    calls: {},
    origins: {},
  } as unknown as GpuProgramTable;
  const config = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 };
  const found = (
    info: object = {},
    features: readonly string[] = MATRIX_FEATURES,
    maxComputeWorkgroupStorageSize = 32_768,
  ): string => {
    const own = { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs: [config], ...info };
    const device = {
      features: new Set(features),
      adapterInfo: own,
      info: own,
      limits: { maxComputeWorkgroupStorageSize },
    };
    expect(matrixNeed(table, device as unknown as GpuAdapter) > 0).toBe(
      kernelsFor(table, device as unknown as GpuDevice) !== table && maxComputeWorkgroupStorageSize >= 20_000,
    );
    return kernelsFor(table, device as unknown as GpuDevice)
      .kernels.map((k) => k.code)
      .join(' ');
  };
  expect(found()).toBe('units plain');
  expect(found({}, MATRIX_FEATURES.slice(1))).toBe('plain plain');
  expect(found({ subgroupMatrixConfigs: [{ ...config, resultComponentType: 'f16' }] })).toBe('plain plain');
  expect(found({ subgroupMinSize: 16 })).toBe('plain plain');
  expect(found({}, MATRIX_FEATURES, 16_384)).toBe('plain plain');
});

it('without such units the other form out of the same module is compiled', async () => {
  const { gpu, reason } = await nullGpu();
  if (gpu === null) throw new Error(reason);
  const device = await deviceOf(gpu);
  const { artifacts, sources } = compile(source, { ...options, only: 'Fit' });
  const net = await onGpu(artifacts.get('Fit')!, sources, device, { seed: 3 }, undefined, undefined, true);
  net.close();
  device.destroy();
});
