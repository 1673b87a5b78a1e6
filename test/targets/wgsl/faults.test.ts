/** What goes wrong on a GPU is said in words with a code, before anything is lost: no WebGPU, limits, refused kernels, a lost device. Dawn's null backend. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import type { GpuDevice, GpuLike } from '../../../runtime/webgpu/api.ts';
import { deviceOf, nullGpu, skipLoudly } from './gpu.ts';

const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('faults of GPU programs are not tried', reason);

interface Instance {
  step(inputs: object, sizes?: object): Promise<{ loss: number }>;
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

async function load(change: (code: string) => string = (text) => text): Promise<Module> {
  const path = join(mkdtempSync(join(tmpdir(), 'nnc-')), 'module.mjs');
  writeFileSync(path, change(code));
  return (await import(/* @vite-ignore */ path)) as Module;
}

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
    expect(message).toMatch(/restore the last checkpoint/);
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
});
