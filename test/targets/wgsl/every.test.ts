/** What train blocks can ask for, on a device. Objectives of some steps only: a loop of one round that the device runs or leaves out, against the readable target over steps of both kinds; half precision. */
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

describe.skipIf(gpu === null)('train blocks on a device', () => {
  it('objectives of some steps are computed in these', async () => {
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

  it('and products of halves are the same numbers', async () => {
    const half = `
model Net(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> tanh |> Linear(4) }
train Fit {
  input x: float[B, 8]
  minimize mean((Net(x) - 1) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 4
  precision f16
}`;
    const losses = async (source: string): Promise<number[][]> => {
      const result = compile(source, { path: 'half.nn', only: 'Fit', targets: ['wasm'] });
      const artifact = result.artifacts.get('Fit')!;
      const nets = [await instantiate(artifact, 1), await instantiate(artifact, 1, undefined, 'wasm')];
      const there = await onGpu(artifact, result.sources, held.device!, { seed: 1 });
      const x = Float32Array.from({ length: 32 }, (_, k) => Math.sin(k));
      const rows: number[][] = [];
      for (let k = 0; k < 4; k++)
        rows.push([...nets.map((n) => n.step({ x })['loss']!), Number((await there.step({ x })).loss)]);
      there.close();
      return rows;
    };
    const rounded = await losses(half);
    for (const [a, b, c] of rounded) {
      expect(b).toBeCloseTo(a!, 6);
      expect(c).toBeCloseTo(a!, 6);
    }
    // And they are halves: single precision gives others.
    const single = await losses(half.replace('precision f16', ''));
    expect(Math.abs(single[3]![0]! - rounded[3]![0]!)).toBeGreaterThan(1e-6);
  });
});
