/**
 * What a program takes of a device, counted: few buffers, each shader once and all pipelines asked for at once, one submit a step, nothing made after the start, results read only when asked for,
 * weights handed over as they are. Dawn's null backend.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { fit, type EventualTrainable } from '../../../runtime/fit.ts';
import type { GpuBuffer, GpuDevice } from '../../../runtime/webgpu/api.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, nullGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('what GPU programs take is not counted', reason);

type Counts = Record<string, number>;

/** A device that counts the calls of its methods and of its queue's, `mapAsync` of its buffers, and what is pending of pipelines. */
function counting(device: GpuDevice): {
  device: GpuDevice;
  counts: Counts;
  writes: ArrayBufferView[];
  most: () => number;
} {
  const counts: Counts = {};
  const writes: ArrayBufferView[] = [];
  let pending = 0;
  let most = 0;
  const counted = <T extends object>(object: T): T =>
    new Proxy(object, {
      get(target, key) {
        if (key === 'queue') return counted(device.queue);
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return (...a: unknown[]) => {
          counts[String(key)] = (counts[String(key)] ?? 0) + 1;
          if (key === 'writeBuffer') writes.push(a[2] as ArrayBufferView);
          const result = (value as (...a: unknown[]) => unknown).apply(target, a);
          if (key === 'createBuffer') {
            const buffer = result as GpuBuffer;
            const mapAsync = buffer.mapAsync.bind(buffer);
            return Object.assign(buffer, {
              mapAsync: (...b: Parameters<typeof mapAsync>) => {
                counts['mapAsync'] = (counts['mapAsync'] ?? 0) + 1;
                return mapAsync(...b);
              },
            });
          }
          if (key === 'createComputePipelineAsync') {
            most = Math.max(most, ++pending);
            void (result as Promise<unknown>).then(() => pending--);
          }
          return result;
        };
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    });
  return { device: counted(device), counts, writes, most: () => most };
}

const text = readFileSync(join(import.meta.dirname, '../../../examples/digits.nn'), 'utf8');
const result = compile(text, { path: 'digits.nn', only: 'Fit', bounds: { B: 8 } });
const artifact = result.artifacts.get('Fit')!;
const batch = { image: new Float32Array(8 * 64), label: new Int32Array(8) };

describe.skipIf(gpu === null)('a program on a device', { timeout: 60_000 }, () => {
  it('takes four buffers, compiles each shader once and all at the same time', async () => {
    const { device, counts, most } = counting(await deviceOf(gpu!));
    const net = await onGpu(artifact, result.sources, device, { seed: 1 });
    // What stays, what a call works in, sizes, and losses on their way back; and what the beginning of the carries was read into.
    expect(counts['createBuffer']).toBeLessThanOrEqual(5);
    const shaders = counts['createShaderModule']!;
    expect(shaders).toBeLessThanOrEqual(new Set(artifact.kernels).size + 1 + 2);
    expect(counts['createComputePipelineAsync']).toBeGreaterThanOrEqual(shaders);
    expect(most()).toBe(counts['createComputePipelineAsync']);
    net.close();
    device.destroy();
  });

  it('makes nothing in a thousand steps, submits once a step, and reads when asked to', async () => {
    const { device, counts } = counting(await deviceOf(gpu!));
    const net = await onGpu(artifact, result.sources, device, { seed: 1 });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    for (let k = 0; k < 50; k++) net.enqueue(batch);
    await net.step(batch);
    const before = heap();
    const start = { ...counts };
    for (let k = 1; k <= 1000; k++) {
      if (k % 50 === 0) await net.step(batch);
      else net.enqueue(batch);
    }
    expect(net.steps).toBe(1051);
    // Two inputs and the number of the step are written.
    const own = Object.entries(counts).map(([key, n]): [string, number] => [key, n - (start[key] ?? 0)]);
    const { submit, mapAsync, createCommandEncoder, writeBuffer, pushErrorScope, popErrorScope, ...others } =
      Object.fromEntries(own.filter(([, n]) => n > 0));
    expect([submit, mapAsync, createCommandEncoder]).toEqual([1000, 20, 1000]);
    expect(writeBuffer).toBeLessThanOrEqual(4 * 1000);
    expect([pushErrorScope, popErrorScope]).toEqual([20, 20]);
    expect(others).toEqual({});
    expect(heap() - before).toBeLessThan(200_000);
    net.close();
    device.destroy();
  });

  it('fit reads the loss every so many steps, with the metrics of the whole epoch', async () => {
    const rows = 8 * 11;
    const columns = {
      image: { data: Float32Array.from({ length: rows * 64 }, (_, k) => k % 17), shape: [8, 8] },
      label: { data: Int32Array.from({ length: rows }, (_, k) => k % 10), shape: [] },
    };
    const { device, counts } = counting(await deviceOf(gpu!));
    const net = await onGpu(artifact, result.sources, device, { seed: 1 });
    const told: number[] = [];
    counts['mapAsync'] = 0;
    const { history } = await fit(net as unknown as EventualTrainable, columns, {
      epochs: 1,
      batch: 8,
      readEvery: 4,
      onBatch: ({ batch: b }) => void told.push(b),
    });
    expect(told).toEqual([3, 7, 10]);
    expect(net.steps).toBe(11);
    // Those, and the checkpoints at the beginning and the end.
    expect(counts['mapAsync']).toBe(3 + 2);
    expect(Object.keys(history[0]!.training)).toEqual(['loss', 'accuracy']);
    net.close();
    device.destroy();

    // On the CPU, where there is nothing to wait for, every step counts; a stand-in with `enqueue` gives the weighted mean.
    const here = await instantiate(artifact, 1);
    const losses: number[] = [];
    const unit = {
      step: (inputs: object) => {
        losses.push(here.step(inputs as Record<string, Float32Array>)['loss']!);
        return { loss: losses.length };
      },
      enqueue: (inputs: object) => void losses.push(here.step(inputs as Record<string, Float32Array>)['loss']!),
      weights: () => here.weights(),
      load: (w: never) => here.load(w),
      checkpoint: () => here.checkpoint(),
      restore: (c: never) => here.restore(c),
      plan: artifact.plan,
    };
    const counted = await fit(unit as unknown as EventualTrainable, columns, { epochs: 1, batch: 8, readEvery: 4 });
    expect(counted.history[0]!.training['loss']).toBeCloseTo((4 * 4 + 4 * 8 + 3 * 11) / 11, 10);
    await expect(fit(unit as unknown as EventualTrainable, columns, { readEvery: 0 })).rejects.toThrow(/NN537/);
  });

  it('begins with a long call whose results are waited for while the rest is recorded', async () => {
    const deep = compile(
      'model Net(x: float[B, 64]) -> float[B, 64] { repeat 60 { x = x |> Linear(64) |> tanh }\n  return x }',
      {
        bounds: { B: 8 },
      },
    );
    expect(deep.reports.filter((r) => r.severity === 'error')).toEqual([]);
    const { device, counts } = counting(await deviceOf(gpu!));
    const net = await onGpu(deep.artifacts.get('Net')!, deep.sources, device, { seed: 1 });
    const start = { ...counts };
    await net.forward({ x: new Float32Array(8 * 64) });
    const made = (net as unknown as { machine: { dispatches(program: string): number } }).machine.dispatches('forward');
    expect(made).toBeGreaterThanOrEqual(60);
    const own = (key: string): number => (counts[key] ?? 0) - (start[key] ?? 0);
    // 24 at a time, and what is left.
    expect(own('submit')).toBe(1 + Math.max(0, Math.ceil(made / 24 - 1.5)));
    // The scopes of the submits, and one for what the results are read into.
    expect(own('pushErrorScope')).toBe(own('popErrorScope'));
    net.close();
    device.destroy();
  });

  it('hands weights over as they are, in pieces', async () => {
    const wide = compile('model Net(x: float[2, 3000]) -> float[2, 700] { return x |> Linear(700) }', {});
    const { device, writes, counts } = counting(await deviceOf(gpu!));
    const weights = new Map([
      ['linear.weight', { dtype: 'f32', shape: [700, 3000], data: new Float32Array(2_100_000) }],
      ['linear.bias', { dtype: 'f32', shape: [700], data: new Float32Array(700) }],
    ]);
    const net = await onGpu(wide.artifacts.get('Net')!, wide.sources, device, { weights });
    for (const { data } of weights.values()) expect(writes.some((w) => w.buffer === data.buffer)).toBe(true);
    // 8.4 MB go in three pieces of at most 4 MiB.
    expect(writes.filter((w) => w.buffer === weights.get('linear.weight')!.data.buffer).length).toBe(3);
    expect(counts['createBuffer']).toBeLessThanOrEqual(4);
    net.close();
    device.destroy();
  });
});
