/**
 * The five networks that are compared with PyTorch, on a device: results, gradients, losses and weights after 1 and after 20 steps (see test/fixtures/README.md). And steps of a GPT and an LSTM beside the CPU's.
 * Bounds are those of sums in f32, in another order than the reference's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { distance, readTensors, type Tensors } from '../../support/artifact.ts';
import { instantiate } from '../../support/emitted.ts';
import { cases as programs } from './cases.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type GpuInstance } from './instance.ts';

interface Case {
  readonly parameters: readonly string[];
  readonly states: readonly string[];
  readonly losses: readonly number[];
}

const folder = new URL('../../fixtures/', import.meta.url);
const { cases, steps } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  readonly cases: Readonly<Record<string, Case>>;
  readonly steps: number;
};

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('PyTorch fixtures are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

/** Of a tensor's own scale. */
const RELATIVE = 2e-5;

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, relative = RELATIVE): void {
  const { gap, scale } = distance(actual, expected);
  expect(gap, `${what}: off by ${gap} where numbers reach ${scale}`).toBeLessThanOrEqual(relative * scale + 1e-6);
}

async function running(
  source: string,
  unit: string,
  weights: Tensors,
  inputs: Tensors,
): Promise<{ net: GpuInstance; arrays: object; sizes: object }> {
  const result = compile(source, { only: unit, bounds: { B: 8, T: 8 } });
  const artifact = result.artifacts.get(unit)!;
  const given = new Map([...weights].map(([path, { shape, data }]) => [path, { dtype: 'f32', shape, data }]));
  const net = await onGpu(artifact, result.sources, device!, { weights: given });
  const own = artifact.plan.inputs;
  const arrays = Object.fromEntries(own.map(({ name }) => [name, inputs.get(name)!.data]));
  const sizes = Object.fromEntries(
    own.flatMap(({ name, shape }) =>
      shape.flatMap((e, k) => (typeof e === 'string' ? [[e, inputs.get(name)!.shape[k]!]] : [])),
    ),
  );
  return { net, arrays, sizes };
}

describe.skipIf(gpu === null).each(Object.keys(cases))('%s on a device', { timeout: 200_000 }, (name) => {
  const { parameters, states, losses } = cases[name]!;
  const tensors = readTensors(new URL(`${name}.safetensors`, folder));
  const part = (prefix: string): Tensors =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
  const numbers = (key: string): Float32Array => tensors.get(key)!.data as Float32Array;
  const [initial, inputs] = [part('initial/'), part('input/')];
  const source = readFileSync(new URL(`${name}.nn`, folder), 'utf8');

  it('computes the same result and gradients', async () => {
    // A step of gradient descent with a rate so large that the weight drowns; and the forward pass of the network in it, before.
    const rate = 1024;
    const { net, arrays, sizes } = await running(
      source.replace(/optimizer .*/, `optimizer SGD(lr: ${rate})`),
      'Fit',
      initial,
      inputs,
    );
    const [output] = Object.values(await net.forward(arrays, sizes)) as { data: Float32Array }[];
    expectClose(output!.data, numbers('forward'), 'result');
    await net.step(arrays, sizes);
    const after = (await net.checkpoint()).tensors;
    for (const path of parameters) {
      const before = numbers(`initial/${path}`);
      const gradient = Array.from(after.get(path)!.data, (value, i) => (before[i]! - value) / rate);
      expectClose(gradient, numbers(`gradient/${path}`), `gradient of ${path}`);
    }
    net.close();
  });

  it('trains to the same weights', async () => {
    const { net, arrays, sizes } = await running(source, 'Fit', initial, inputs);
    const seen: number[] = [];
    // All twenty steps where a software driver takes no more than a few seconds for them.
    const count = /mlp|lstm/.test(name) ? steps : 3;
    for (let step = 1; step <= count; step++) {
      seen.push((await net.step(arrays, sizes))['loss'] as number);
      if (step !== 1 && step !== steps) continue;
      const { tensors: now } = await net.checkpoint();
      for (const path of [...parameters, ...states])
        expectClose(now.get(path)!.data, numbers(`after${step}/${path}`), `${path} after ${step}`);
    }
    expectClose(seen, losses.slice(0, count), 'losses');
    net.close();
  });
});

describe.skipIf(gpu === null)('ten steps beside the CPU', { timeout: 200_000 }, () => {
  const named = programs.filter((c) => /gpt2|lstm/.test(c.file)).map((c) => [c.file, c] as const);
  it.each(named)('%s', async (_name, c) => {
    const text = `${readFileSync(join(import.meta.dirname, '../../..', c.file), 'utf8')}\n${c.more ?? ''}`;
    const result = compile(text, { only: c.unit, bounds: c.sizes, ...(c.consts ? { consts: c.consts } : {}) });
    const artifact = result.artifacts.get(c.unit)!;
    const here = await instantiate(artifact, 3);
    const there = await onGpu(artifact, result.sources, device!, { seed: 3 });
    const { B = 1, T = 1 } = c.sizes;
    const inputs = /gpt2/.test(c.file)
      ? { token: Int32Array.from({ length: B * (T + 1) }, (_, k) => (k * 5) % 13) }
      : {
          x: Float32Array.from({ length: B * T * 3 }, (_, k) => ((k * 7) % 11) / 11 - 0.5),
          label: Int32Array.from({ length: B }, (_, k) => k % 2),
        };
    const losses: [number, number][] = [];
    for (let step = 0; step < 10; step++)
      losses.push([(await there.step(inputs, c.sizes))['loss'] as number, here.step(inputs, c.sizes)['loss']!]);
    // They learn, and drift apart by rounding only.
    expect(losses.at(-1)![1]).toBeLessThan(losses[0]![1]);
    for (const [a, b] of losses) expect(Math.abs(a - b) / Math.abs(b)).toBeLessThan(2e-5);
    there.close();
  });
});
