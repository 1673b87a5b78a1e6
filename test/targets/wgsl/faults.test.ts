/** What goes wrong on a GPU is said in words with a code, before anything is lost: no WebGPU, limits, refused kernels, a lost device. Dawn's null backend. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, type CompileResult } from '../../../compiler/index.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import type { GpuBuffer, GpuDevice, GpuLike } from '../../../runtime/webgpu/api.ts';
import { deviceOf, nullGpu, skipLoudly } from './gpu.ts';

const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('faults of GPU programs are not tried', reason);

interface Instance {
  step(inputs: object, sizes?: object): Promise<{ loss: number }>;
  forward(inputs: object, sizes?: object): Promise<object>;
  enqueue(inputs: object, sizes?: object): void;
  finished(): Promise<void>;
  checkpoint(): Promise<{ readonly step: number; readonly tensors: ReadonlyMap<string, unknown> }>;
  restore(checkpoint: unknown): void;
  close(): void;
  readonly steps: number;
}

interface Module {
  readonly Fit: { create(options?: object): Promise<Instance> };
}

const digits = readFileSync(join(import.meta.dirname, '../../../examples/digits.nn'), 'utf8');

const result = compile(digits, { path: 'digits.nn', only: 'Fit', bounds: { B: 8 } });
const { unit, plan, kernels, schedules, origins } = result.artifacts.get('Fit')!;
const { code } = emitWgsl(unit, plan, kernels, schedules, { types: false, origins, sources: result.sources });

const same = (text: string): string => text;

async function imported(text: string): Promise<unknown> {
  const path = join(mkdtempSync(join(tmpdir(), 'nnc-')), 'module.mjs');
  writeFileSync(path, text);
  return import(/* @vite-ignore */ path);
}

const load = async (change = same): Promise<Module> => (await imported(change(code))) as Module;

/** Another program's module, changed. */
async function moduleOf(from: CompileResult, name: string, change = same): Promise<Record<string, Module['Fit']>> {
  const made = from.artifacts.get(name)!;
  const emitted = emitWgsl(made.unit, made.plan, made.kernels, made.schedules, {
    types: false,
    origins: made.origins,
    sources: from.sources,
  });
  return (await imported(change(emitted.code))) as Record<string, Module['Fit']>;
}

/** A device with other methods. */
const changed = (device: GpuDevice, methods: Partial<GpuDevice>): GpuDevice =>
  new Proxy(device, {
    get(target, key) {
      const value: unknown = Reflect.get(methods, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as (...a: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });

const batch = { image: new Float32Array(8 * 64), label: new Int32Array(8) };

async function codeOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
  return { code: 'none', message: '' };
}

describe('without WebGPU', () => {
  it('a module can be imported, and says what is missing when it is used', async () => {
    const { Fit } = await load();
    expect((await codeOf(Fit.create())).code).toBe('NN541');
    const empty: GpuLike = { requestAdapter: () => Promise.resolve(null) };
    expect((await codeOf(Fit.create({ gpu: empty }))).code).toBe('NN541');
  });
});

describe.skipIf(gpu === null)('on a device', () => {
  it('refuses what does not fit the device', async () => {
    const { Fit } = await load();
    const device = await deviceOf(gpu!);
    const tiny = new Proxy(device, {
      get: (target, key) =>
        key === 'limits'
          ? { maxBufferSize: 1024, maxStorageBufferBindingSize: 512, maxStorageBuffersPerShaderStage: 2 }
          : (Reflect.get(target, key, target) as unknown),
    });
    const { code, message } = await codeOf(Fit.create({ device: tiny }));
    expect(code).toBe('NN543');
    expect(message).toMatch(/at most 1024/);
    device.destroy();
  });

  it('names the kernel and the line of the program that it was made from', async () => {
    const { Fit } = await load((text) => text.replace('let row = ', 'let row = nonsense + '));
    const { code, message } = await codeOf(Fit.create({ gpu }));
    expect(code).toBe('NN544');
    expect(message).toMatch(/kernel \w+ \(.*\.nn:\d+:\d+\).*nonsense/s);
    await expect(`${message.split('\n')[0]!}\n`).toMatchFileSnapshot('../../diagnostics/golden/shown/NN544.txt');
  });

  it('reports a lost device at the next call, and goes on from a checkpoint on another', async () => {
    const { Fit } = await load();
    const device = await deviceOf(gpu!);
    const net = await Fit.create({ device, seed: 5 });
    await net.step(batch);
    net.enqueue(batch);
    const checkpoint = await net.checkpoint();
    expect(checkpoint.step).toBe(2);
    device.destroy();
    await device.lost;
    const { code, message } = await codeOf(net.step(batch));
    expect(code).toBe('NN542');
    expect(message).toMatch(/step 2 of Fit \(digits\.nn:\d+:\d+\).*last checkpoint/);
    const next = await Fit.create({ gpu });
    next.restore(checkpoint);
    expect(next.steps).toBe(2);
    await next.step(batch);
    expect(next.steps).toBe(3);
    next.close();
  });

  it('a device lost while results are awaited rejects that call', async () => {
    const { Fit } = await load();
    const device: GpuDevice = await deviceOf(gpu!);
    const net = await Fit.create({ device });
    const pending = codeOf(net.step(batch));
    device.destroy();
    expect(['NN542', 'none']).toContain((await pending).code);
    await device.lost;
    expect((await codeOf(net.step(batch))).code).toBe('NN542');
  });

  it('checks inputs as the other targets do, and changes nothing then', async () => {
    const { Fit } = await load();
    const net = await Fit.create({ gpu });
    expect((await codeOf(net.step({}))).code).toBe('NN531');
    expect((await codeOf(net.step({ ...batch, image: new Int32Array(8 * 64) }))).code).toBe('NN531');
    expect((await codeOf(net.step({ ...batch, label: Int32Array.from({ length: 8 }, () => 99) }))).code).toBe('NN534');
    expect(net.steps).toBe(0);
    net.close();
  });

  it('calls need not be awaited one by one', async () => {
    const { Fit } = await load();
    const net = await Fit.create({ gpu });
    await Promise.all([net.step(batch), net.step(batch), net.step(batch)]);
    expect(net.steps).toBe(3);
    net.close();
  });

  it('a shader over the limits is refused with its line', async () => {
    const { Fit } = await load((text) =>
      text
        .replace('let row = ', 'too_much[0] = 1.0;\n  let row = ')
        .replace('\n@compute', '\nvar<workgroup> too_much: array<f32, 9000>;\n@compute'),
    );
    const { code, message } = await codeOf(Fit.create({ gpu }));
    expect(code).toBe('NN544');
    expect(message).toMatch(/kernel \w+ \(\S*\.nn:\d+:\d+\): .*workgroup storage.*16384/s);
  });

  it('a dispatch that is refused while a program runs is found out, with the line of its kernel', async () => {
    const text = 'model Net(x: float[N]) -> float[N] {\n  let y[n] = x[n] * 2\n  return exp(y)\n}';
    const N = 100;
    const other = compile(text, { path: 'net.nn', bounds: { N }, fuse: false });
    const { Net } = await moduleOf(other, 'Net', (made) => made.replace('y: Math.ceil(groups / x)', 'y: 65_537'));
    const net = await Net!.create({ gpu });
    const { code, message } = await codeOf(net.forward({ x: new Float32Array(N) }));
    expect(code).toBe('NN544');
    expect(message).toMatch(
      /refused \w+ \(net\.nn:\d:\d+\)(, \w+ \(net\.nn:\d:\d+\))* of Net\.forward \(net\.nn:3:\d+\).*65537/s,
    );
    net.close();
  });

  it('an error on the device reaches the next call, with the line of what it was in', async () => {
    const { Fit } = await load();
    const device = await deviceOf(gpu!);
    const buffers: GpuBuffer[] = [];
    const net = await Fit.create({
      device: changed(device, { createBuffer: (o) => (buffers.push(device.createBuffer(o)), buffers.at(-1)!) }),
    });
    await net.step(batch);
    buffers[0]!.destroy();
    net.enqueue(batch);
    const { code, message } = await codeOf(net.finished());
    expect(code).toBe('NN544');
    expect(message).toMatch(/The GPU refused Fit\.step \(digits\.nn:\d+:\d+\): .*"Fit: persistent".*destroyed/s);
    expect((await codeOf(net.step(batch))).code).toBe('NN544');
    device.destroy();
  });

  it('says what needs the memory that is not there', async () => {
    const params = [1, 2, 3, 4, 5];
    const text = `model Net(x: float[2]) -> float[2] {
${params.map((k) => `  param p${k}: float[2, ${k + 24}, 500000] = 0`).join('\n')}
  let y[n] = ${params.map((k) => `(sum[i, j] p${k}[n, i, j])`).join(' + ')} + x[n]
  return y
}`;
    const other = compile(text, { path: 'net.nn' });
    expect(other.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    const { Net } = await moduleOf(other, 'Net');
    const { code, message } = await codeOf(Net!.create({ gpu }));
    expect(code).toBe('NN545');
    expect(message).toMatch(/Net needs 6\d\d\.\d MiB \+ .*largest tensors: p5, 110\.\d MiB \(net\.nn:6:\d+\); p4,/s);
  });

  it('no memory to read into: that call fails and says so; nothing is lost', async () => {
    const N = 2 ** 22;
    const other = compile('model Net(x: float[N]) -> float[N] { return 2 * x }', { path: 'net.nn', bounds: { N } });
    const { Net } = await moduleOf(other, 'Net');
    const device = await deviceOf(gpu!);
    const net = await Net!.create({ device });
    device.pushErrorScope('out-of-memory');
    const fill = Array.from({ length: 64 }, () => device.createBuffer({ size: 2 ** 23, usage: 128 }));
    expect(await device.popErrorScope()).not.toBe(null);
    const { code, message } = await codeOf(net.forward({ x: new Float32Array(N) }));
    expect(code).toBe('NN545');
    expect(message).toMatch(/read output \(net\.nn:1:\d+\) back into, 16\.0 MiB/);
    for (const buffer of fill) buffer.destroy();
    await net.forward({ x: new Float32Array(N) });
    device.destroy();
  });

  it('a device lost while kernels are compiled is told as such', async () => {
    const { Fit } = await load();
    const device = await deviceOf(gpu!);
    let made = 0;
    const { code, message } = await codeOf(
      Fit.create({
        device: changed(device, {
          createComputePipelineAsync: (options) => {
            if (++made === 3) device.destroy();
            return device.createComputePipelineAsync(options);
          },
        }),
      }),
    );
    expect(code).toBe('NN542');
    expect(message).toMatch(/nothing yet/);
  });

  it('arrays of half precision are refused as inputs and as weights: a queue may not be given them', async () => {
    const { Fit } = await load();
    const net = await Fit.create({ gpu });
    // Node 20 has no such class.
    class Float16Array extends Uint16Array {}
    const { code, message } = await codeOf(net.step({ ...batch, image: new Float16Array(8 * 64) }));
    expect(code).toBe('NN531');
    expect(message).toMatch(/must be a Float32Array, not Float16Array/);
    const checkpoint = await net.checkpoint();
    const tensors = new Map(checkpoint.tensors as Map<string, { data: Float32Array }>);
    const [path, tensor] = [...tensors][0]!;
    tensors.set(path, { ...tensor, data: new Float16Array(tensor.data.length) as unknown as Float32Array });
    expect(() => net.restore({ ...checkpoint, tensors })).toThrow(/must be a Float32Array, not Float16Array/);
    net.close();
  });
});
