/** The shader functions on a device against JavaScript's in f64: bounds in units in the last place of f32, special values, and random numbers bit for bit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closure, helperText, type Helper } from '../../../compiler/targets/wgsl/helpers.ts';
import { constant } from '../../../compiler/targets/wgsl/scalar.ts';
import { threefryWord0, threefryWord1, uniform } from '../../../runtime/random.ts';
import { erf, floorDivide, modulo } from '../../../runtime/scalars.ts';
import { toHalf } from '../../../runtime/memory.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('WGSL functions are not computed', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** result[i] = the expression at a[i], b[i]. */
async function compute<A extends Words>(expression: string, used: readonly Helper[], a: A, b: A): Promise<A> {
  const gpuDevice = device!;
  const type = a instanceof Float32Array ? 'f32' : 'i32';
  const code = `${closure(used).map(helperText).join('\n')}
@group(0) @binding(0) var<storage, read_write> left: array<${type}>;
@group(0) @binding(1) var<storage, read_write> right: array<${type}>;
@group(0) @binding(2) var<storage, read_write> result: array<${type}>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  if (i >= ${a.length}u) { return; }
  let a = left[i];
  let b = right[i];
  result[i] = ${expression};
}`;
  const layout = gpuDevice.createBindGroupLayout({
    entries: [0, 1, 2].map((binding) => ({ binding, visibility: 4, buffer: { type: 'storage' } })),
  });
  const pipeline = await gpuDevice.createComputePipelineAsync({
    layout: gpuDevice.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: gpuDevice.createShaderModule({ code }), entryPoint: 'main' },
  });
  const buffers = [a, b, null].map((data) => {
    const buffer = gpuDevice.createBuffer({ size: a.byteLength, usage: 128 | 8 | 4 });
    if (data !== null) gpuDevice.queue.writeBuffer(buffer, 0, data);
    return buffer;
  });
  const read = gpuDevice.createBuffer({ size: a.byteLength, usage: 1 | 8 });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = gpuDevice.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpuDevice.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(Math.ceil(a.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(buffers[2]!, 0, read, 0, a.byteLength);
  gpuDevice.queue.submit([encoder.finish()]);
  await read.mapAsync(1, 0, a.byteLength);
  const out = a.slice() as A;
  out.set(a instanceof Float32Array ? new Float32Array(read.getMappedRange()) : new Int32Array(read.getMappedRange()));
  return out;
}

/** Distance in units in the last place of the reference as f32; 0 where both are NaN or equal. */
function ulps(found: number, exact: number): number {
  const reference = Math.fround(exact);
  if (found === reference || (Number.isNaN(found) && Number.isNaN(reference))) return 0;
  if (!Number.isFinite(found) || !Number.isFinite(reference)) return Infinity;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(exact))), -126) - 23);
  return Math.abs(found - exact) / unit;
}

const grid = (from: number, to: number, n = 4000): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1));

const functions: readonly [string, Helper, (x: number) => number, Float32Array<ArrayBuffer>, number][] = [
  ['exp', 'exponential', Math.exp, grid(-86, 88.7), 2],
  ['log', 'logarithm', Math.log, Float32Array.from(grid(-80, 80), (x) => 2 ** x), 2],
  ['log near 1', 'logarithm', Math.log, grid(0.5, 2), 2],
  ['tanh', 'hyperbolicTangent', Math.tanh, grid(-10, 10), 3],
  ['erf', 'errorFunction', erf, grid(-5, 5), 4],
];

describe.skipIf(gpu === null)('shader functions', () => {
  it.each(functions)('%s', async (_name, helper, exact, x, bound) => {
    const y = await compute(`${helper}(a)`, [helper], x, x);
    expect(Math.max(...Array.from(y, (v, i) => ulps(v, exact(x[i]!))))).toBeLessThan(bound);
  });

  it.each([
    ['sine', Math.sin],
    ['cosine', Math.cos],
  ] as const)('%s within 2^-23 up to 10,000', async (helper, exact) => {
    for (const x of [grid(-8, 8), grid(-10_000, 10_000)]) {
      const y = await compute(`${helper}(a)`, [helper], x, x);
      expect(Math.max(...Array.from(y, (v, i) => Math.abs(v - exact(x[i]!))))).toBeLessThan(2 ** -23);
    }
  });

  it('pow', async () => {
    const x = Float32Array.from([0.999, 0.9, -2, -2, 2, 0, 0, 3, 1e-3, -1.5, 7, 0.999]);
    const e = Float32Array.from([1, 100, 3, 0.5, -3, 2, -1, 0, 2.5, 2, 0, 900]);
    const y = await compute('power(a, b)', ['power'], x, e);
    for (const [i, v] of y.entries()) expect(ulps(v, x[i]! ** e[i]!), `${x[i]} ^ ${e[i]}`).toBeLessThan(24);
    expect(y[0]).toBe(Math.fround(0.999));
  });

  it('special values', async () => {
    const x = Float32Array.from([NaN, Infinity, -Infinity, 0, -1, 1, 200, -200]);
    const other = Float32Array.from([1, 2, NaN, NaN, 5, -Infinity, 1, 2]);
    const same = (found: Float32Array, exact: (a: number, b: number) => number): void =>
      expect(Array.from(found)).toEqual(Array.from(x, (a, i) => Math.fround(exact(a, other[i]!))));
    same(await compute('exponential(a)', ['exponential'], x, other), (a) => (a === -200 ? 0 : Math.exp(a)));
    same(await compute('greatest(a, b)', ['greatest'], x, other), Math.max);
    same(await compute('least(a, b)', ['least'], x, other), Math.min);
    const used = new Set<Helper>();
    const use = (h: Helper): string => (used.add(h), h);
    const least = constant(-Infinity, 'f32', use);
    same(await compute(`greatest(a, ${least})`, [...used, 'greatest'], x, other), (a) => a);
    const logs = await compute('logarithm(a)', ['logarithm'], x, other);
    expect(Array.from(logs.slice(0, 6))).toEqual([NaN, Infinity, NaN, -Infinity, NaN, 0]);
  });

  it('f16 rounding', async () => {
    const x = Float32Array.from([
      ...grid(-70000, 70000, 999),
      ...grid(-1e-4, 1e-4, 999),
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
    ]);
    const y = await compute('toHalf(a)', ['toHalf'], x, x);
    for (const [i, v] of y.entries()) expect(v === toHalf(x[i]!), `${x[i]} → ${v}`).toBe(true);
  });

  it('integer division and remainder', async () => {
    const a = Int32Array.from([7, -7, 7, -7, 0, 5, -1]);
    const b = Int32Array.from([2, 2, -2, -2, 3, 0, 3]);
    const q = await compute('floorDivide(a, b)', ['floorDivide'], a, b);
    expect([...q]).toEqual(Array.from(a, (x, i) => floorDivide(x, b[i]!)));
    const r = await compute('modulo(a, b)', ['modulo'], a, b);
    expect([...r]).toEqual(Array.from(a, (x, i) => (b[i] === 0 ? 0 : modulo(x, b[i]!))));
  });

  it('random numbers are those of every target', async () => {
    const a = Int32Array.from({ length: 256 }, (_, i) => (i * 2654435761) | 0);
    const b = Int32Array.from({ length: 256 }, (_, i) => i);
    const zero = await compute('bitcast<i32>(draw(a, 440269389, 3, b, 0))', ['draw'], a, b);
    const one = await compute('bitcast<i32>(draw(a, -5, 3, b, 1))', ['draw'], a, b);
    const floats = (words: Int32Array): Float32Array => new Float32Array(words.buffer);
    for (let i = 0; i < 256; i++) {
      expect(floats(zero)[i]).toBe(uniform(threefryWord0(a[i]!, 440269389, 3, b[i]!)));
      expect(floats(one)[i]).toBe(uniform(threefryWord1(a[i]!, -5, 3, b[i]!)));
    }
  });
});
