/** Digits, trained on a device from the same seed and batches as on the CPU: the same accuracy on pictures that neither has seen. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { fit, type EventualTrainable } from '../../../runtime/fit.ts';
import { permutation } from '../../../runtime/random.ts';
import type { GpuDevice, GpuHandle } from '../../../runtime/webgpu/api.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, fastGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const root = join(import.meta.dirname, '../../..');
const { gpu, reason } = await fastGpu();
if (gpu === null) skipLoudly('training on WebGPU', reason);

interface Digits {
  readonly image: Float32Array;
  readonly label: Int32Array;
  readonly count: number;
}

function digits(name: string): Digits {
  const text = gunzipSync(readFileSync(join(root, 'examples/data', name))).toString('utf8');
  const lines = text.trim().split('\n');
  const head = lines[0]!.split(',');
  const rows = (Number.isNaN(Number(head[0])) ? lines.slice(1) : lines).map((l) => l.split(',').map(Number));
  const at = Math.max(0, head.indexOf('label'));
  return {
    image: Float32Array.from(rows.flatMap((r) => r.filter((_v, k) => k !== at))),
    label: Int32Array.from(rows, (r) => r[at]!),
    count: rows.length,
  };
}

describe.skipIf(gpu === null)('training', { timeout: 400_000 }, () => {
  it('digits reach the accuracy that they reach on the CPU', async () => {
    const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
    const result = compile(text, { path: 'digits.nn', only: 'Fit', bounds: { B: 64 } });
    const artifact = result.artifacts.get('Fit')!;
    const device = await deviceOf(gpu!);
    const there = await onGpu(artifact, result.sources, device, { seed: 2 });
    const here = await instantiate(artifact, 2);
    const [train, test] = [digits('digits-train.csv.gz'), digits('digits-test.csv.gz')];
    expect(train.image.length).toBe(train.count * 64);
    const batch = (from: Digits, rows: ArrayLike<number>): { image: Float32Array; label: Int32Array } => ({
      image: Float32Array.from(Array.from(rows).flatMap((r) => [...from.image.subarray(r * 64, r * 64 + 64)])),
      label: Int32Array.from(Array.from(rows), (r) => from.label[r]!),
    });
    for (let epoch = 0; epoch < 12; epoch++) {
      const order = permutation(train.count, 1, epoch);
      for (let from = 0; from + 64 <= train.count; from += 64) {
        const inputs = batch(train, order.subarray(from, from + 64));
        // Read back now and then only.
        if (from === 0) {
          const [a, b] = [here.step(inputs)['loss']!, (await there.step(inputs))['loss'] as number];
          if (epoch === 0) expect(Math.abs(a - b)).toBeLessThan(1e-5);
          expect(Math.abs(a - b)).toBeLessThan(0.05);
        } else {
          here.step(inputs);
          there.enqueue(inputs);
        }
      }
    }
    const correct = { here: 0, there: 0, of: 0 };
    for (let from = 0; from < test.count; from += 64) {
      const rows = Array.from({ length: Math.min(64, test.count - from) }, (_, k) => from + k);
      const inputs = batch(test, rows);
      correct.here += here.evaluate(inputs)['accuracy']! * rows.length;
      correct.there += ((await there.evaluate(inputs))['accuracy'] as number) * rows.length;
      correct.of += rows.length;
    }
    expect(correct.here / correct.of).toBeGreaterThan(0.93);
    expect(Math.abs(correct.there - correct.here) / correct.of).toBeLessThan(0.01);
    there.close();
    device.destroy();
  });

  it.each(['recording', 'submitted', 'reading'])('a device lost while a step is %s costs nothing', async (when) => {
    const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
    const result = compile(text, { path: 'digits.nn', only: 'Fit', bounds: { B: 64 } });
    const all = digits('digits-train.csv.gz');
    const columns = {
      image: { data: all.image.subarray(0, 320 * 64), shape: [8, 8] },
      label: { data: all.label.subarray(0, 320), shape: [] },
    };
    const run = async (device: GpuDevice): Promise<{ history: unknown; weights: unknown; back: number[] }> => {
      const net = await onGpu(result.artifacts.get('Fit')!, result.sources, device, { seed: 2, gpu });
      const back: number[] = [];
      const { history } = await fit(net as unknown as EventualTrainable, columns, {
        epochs: 3,
        batch: 64,
        keepEvery: 4,
        onRecover: ({ checkpoint }) => back.push(checkpoint.step),
      });
      const weights = [...(await net.checkpoint()).tensors].map(([path, { data }]) => [path, [...data]]);
      net.close();
      device.destroy();
      return { history, weights, back };
    };
    const whole = await run(await deviceOf(gpu!));
    const again = await run(losing(await deviceOf(gpu!), 7, when));
    expect([whole.back, again.back]).toEqual([[], [5]]);
    expect(again.history).toEqual(whole.history);
    expect(again.weights).toEqual(whole.weights);
  });
});

/** A device that goes away in the middle of a step: while it is recorded, once it is submitted, or while its loss is read. */
function losing(device: GpuDevice, step: number, when: string): GpuDevice {
  let steps = 0;
  const after = <A extends unknown[], R>(method: (...a: A) => R, act: () => void): ((...a: A) => R) => {
    return (...a) => {
      const value = method(...a);
      act();
      return value;
    };
  };
  const lose = (at: string): void => {
    if (steps === step && when === at) device.destroy();
  };
  /** The object with some methods replaced; the rest is called on the object itself. */
  const over = <T extends object>(object: T, methods: Partial<T>): T =>
    new Proxy(object, {
      get(target, key) {
        const value: unknown = Reflect.get(methods, key) ?? Reflect.get(target, key, target);
        return typeof value === 'function' ? (value as (...a: unknown[]) => unknown).bind(target) : value;
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    });
  const queue = over(device.queue, {
    submit: after(
      (buffers: readonly GpuHandle[]) => device.queue.submit(buffers),
      () => lose('submitted'),
    ),
  });
  const wrapped = over(device, {
    createBuffer(options) {
      const buffer = device.createBuffer(options);
      if (options.label !== 'Fit: results') return buffer;
      const mapAsync = after(buffer.mapAsync.bind(buffer), () => lose('reading'));
      return Object.assign(buffer, { mapAsync });
    },
    createCommandEncoder(options) {
      const encoder = device.createCommandEncoder(options);
      if (options?.label !== 'Fit.step') return encoder;
      steps++;
      let dispatches = 0;
      return over(encoder, {
        beginComputePass() {
          const pass = encoder.beginComputePass();
          const count = (): void => {
            if (++dispatches === 5) lose('recording');
          };
          return over(pass, {
            dispatchWorkgroups: after((x: number, y?: number) => pass.dispatchWorkgroups(x, y), count),
          });
        },
      });
    },
  });
  return new Proxy(wrapped, { get: (target, key) => (key === 'queue' ? queue : Reflect.get(target, key)) as unknown });
}
