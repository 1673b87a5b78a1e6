/** Objectives of some steps only: a loop of one round that the device runs or leaves out, against the readable target over steps of both kinds. */
import { afterAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('objectives of some steps on WebGPU', reason);
const held = { gpu, device: gpu === null ? null : await deviceOf(gpu) };
afterAll(() => {
  held.gpu = null;
  held.device = null;
});

const text = `
model A(x: float[B, 3]) -> float[B, 2] { return x |> Linear(4) |> tanh |> Linear(2) }
model C(y: float[B, 2]) -> float[B, 1] { return y |> Linear(3) |> gelu |> Linear(1) }
train Fit {
  input x: float[B, 3]
  let y = A(x)
  minimize mean(C(y)) + mean(C(y) ^ 2) over C
  minimize mean(y ^ 4) every 3
  minimize -mean(C(y)) over A every 2
  optimizer Adam(lr: 0.01)
  batch B = 4
}`;

describe.skipIf(gpu === null)('objectives of some steps', () => {
  it('are computed in these', async () => {
    const result = compile(text, { path: 'every.nn', only: 'Fit', targets: ['wasm'] });
    const artifact = result.artifacts.get('Fit')!;
    const here = await instantiate(artifact, 2);
    const there = await onGpu(artifact, result.sources, held.device!, { seed: 2 });
    const x = Float32Array.from({ length: 12 }, (_, k) => Math.sin(1.7 * k));
    try {
      for (let step = 1; step <= 7; step++) {
        const [a, b] = [{ ...here.step({ x }) }, await there.step({ x })];
        for (const [name, value] of Object.entries(a)) expect(Number(b[name]), `${name} ${step}`).toBeCloseTo(value, 5);
        const { tensors } = await there.checkpoint();
        for (const [path, w] of here.weights())
          w.data.forEach((v, k) => expect(tensors.get(path)!.data[k], `${path} ${k} after ${step}`).toBeCloseTo(v, 5));
      }
    } finally {
      there.close();
    }
  });
});
