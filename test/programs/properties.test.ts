/**
 * What must hold of every program: fusing and planning change nothing but speed and memory, a step back is the same step again, and what a mask rules out has no
 * part in a result, bit for bit.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';
import { instantiate, instantiateUnrounded, type Instance } from '../support/emitted.ts';

function artifact(text: string, name: string, options: CompileOptions): Artifact {
  const result = compile(text, { ...options, only: name });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  return result.artifacts.get(name)!;
}

const design = (file: string): string => readFileSync(`examples/design/${file}.nn`, 'utf8');
const fixture = (file: string): string => readFileSync(`test/fixtures/${file}.nn`, 'utf8');
const oneConvolution = fixture('cnn').replace('conv2: Conv2d(6, kernel: 3) |> relu |> ', '');
const gpt2 = { vocab: 13, width: 8, heads: 2, layers: 2, context: 8 };
const fit = `
train Fit {
  input token: i32[B, T + 1] < vocab
  let seen[b, t: T] = token[b, t]
  let next[b, t: T] = token[b, t + 1]
  minimize cross_entropy(GPT2(seen), next)
  optimizer Adam(lr: 1e-2)
}
`;
const dropout = `
block Running(x: float[B, D]) -> float[B, D] {
  state mean: float[D] = 0
  if training {
    let now[d] = mean[b] x[b, d]
    mean = 0.9 * mean + 0.1 * now
  }
  return x - mean
}
model Net(x: float[B, 6]) -> float[B, 3] { return x |> Linear(16) |> Running |> relu |> Dropout(0.5) |> Linear(3) }
train Fit {
  input x: float[B, 6]
  input label: i32[B] < 3
  minimize cross_entropy(Net(x), label)
  optimizer Adam(lr: 1e-2)
  batch B = 8
}`
  .replaceAll('let now[d] = mean[b] x[b, d]', 'let now[d] = mean[b] x[b, d]')
  .replaceAll('mean: float[D]', 'average: float[D]')
  .replaceAll('mean = 0.9 * mean', 'average = 0.9 * average')
  .replaceAll('x - mean', 'x - average');

const tokens = (count: number, seed: number, below: number): Int32Array => {
  let state = seed;
  return Int32Array.from({ length: count }, () => (state = (state * 48271) % 2147483647) % below);
};
const noise = (count: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: count }, () => ((state = (state * 48271) % 2147483647) / 2147483647) * 2 - 1);
};

/** All leaves, slots included: digests of their bytes. */
const everything = (net: Instance, a: Artifact): string =>
  a.plan.leaves
    .map((l) => {
      const view = net.machine.memory.views[l.buffer]!;
      const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
      return `${l.path} ${createHash('sha256').update(bytes).digest('hex')}`;
    })
    .join('\n');

describe('fused equals unfused', () => {
  for (const [name, text, unit, options, inputs, sizes] of [
    [
      'gpt2',
      design('gpt2') + fit,
      'Fit',
      { consts: gpt2, bounds: { B: 2, T: 6 } },
      { token: tokens(14, 5, 13) },
      { B: 2, T: 6 },
    ],
    ['dropout', dropout, 'Fit', {}, { x: noise(48, 3), label: tokens(8, 4, 3) }, { B: 8 }],
    // One convolution: the gradient by the input of a second one is a sum of sums, which fusion makes one sum, in another order.
    ['cnn', oneConvolution, 'Fit', {}, { image: noise(6 * 144, 5), label: tokens(6, 6, 5) }, { B: 6 }],
    [
      'lstm',
      fixture('lstm'),
      'Fit',
      { bounds: { T: 9 } },
      { x: noise(4 * 9 * 5, 7), label: tokens(4, 8, 3) },
      { B: 4, T: 9 },
    ],
  ] as const) {
    const fused = artifact(text, unit, options);
    const plain = artifact(text, unit, { ...options, fuse: false });

    it(`${name}, bit for bit where memory is as wide as registers`, async () => {
      expect(plain.kernels.length).toBeGreaterThan(fused.kernels.length);
      const [a, b] = [await instantiateUnrounded(fused, 2), await instantiateUnrounded(plain, 2)];
      const wide = Object.fromEntries(
        Object.entries(inputs).map(([n, data]) => [n, data instanceof Float32Array ? Float64Array.from(data) : data]),
      );
      for (let k = 0; k < 3; k++) expect(a.step(wide, sizes)).toEqual(b.step(wide, sizes));
      expect(everything(a, fused)).toBe(everything(b, plain));
    });

    it(`${name}, within rounding where it is not`, async () => {
      const [a, b] = [await instantiate(fused, 2), await instantiate(plain, 2)];
      for (let k = 0; k < 3; k++) {
        const [x, y] = [a.step(inputs, sizes).loss!, b.step(inputs, sizes).loss!];
        // Unfused, every value is rounded to f32; fused, some stay in float64.
        expect(Math.abs(x - y) / Math.abs(y), `step ${k}`).toBeLessThan(2e-5);
      }
    });
  }
});

describe('planned equals unplanned, bit for bit', () => {
  for (const [name, text, options, inputs, sizes] of [
    [
      'gpt2',
      design('gpt2') + fit,
      { consts: gpt2, bounds: { B: 2, T: 6 } },
      { token: tokens(14, 5, 13) },
      { B: 2, T: 6 },
    ],
    ['dropout', dropout, {}, { x: noise(48, 3), label: tokens(8, 4, 3) }, { B: 8 }],
  ] as const) {
    it(name, async () => {
      const a = artifact(text, 'Fit', options);
      const b = artifact(text, 'Fit', { ...options, reuse: false });
      expect(b.plan.arenas.work).toBeGreaterThan(a.plan.arenas.work);
      const planned = await instantiate(a, 2);
      const plain = await instantiate(b, 2);
      for (let k = 0; k < 3; k++) expect(planned.step(inputs, sizes)).toEqual(plain.step(inputs, sizes));
      expect(everything(planned, a)).toBe(everything(plain, b));
    });
  }
});

describe('resume equals straight through, bit for bit', () => {
  it('with dropout, states and optimizer slots', async () => {
    const a = artifact(dropout, 'Fit', {});
    const batch = (k: number): object => ({ x: noise(48, 10 + k), label: tokens(8, 20 + k, 3) });
    const straight = await instantiate(a, 9);
    for (let k = 0; k < 6; k++) straight.step(batch(k));
    const first = await instantiate(a, 9);
    for (let k = 0; k < 3; k++) first.step(batch(k));
    const saved = structuredClone(first.checkpoint());
    const second = await instantiate(a, 1);
    second.restore(saved);
    for (let k = 3; k < 6; k++) second.step(batch(k));
    expect(everything(second, a)).toBe(everything(straight, a));
    // The other way round: without the checkpoint the numbers differ, so the comparison can fail.
    const other = await instantiate(a, 1);
    for (let k = 3; k < 6; k++) other.step(batch(k));
    expect(everything(other, a)).not.toBe(everything(straight, a));
  });
});

describe('causality', () => {
  it('what comes later does not change what came before, bit for bit', async () => {
    const net = await instantiate(artifact(design('gpt2'), 'GPT2', { consts: gpt2, bounds: { B: 1, T: 8 } }), 4);
    const first = tokens(8, 3, 13);
    const before = net.forward({ token: first }, { B: 1, T: 8 }).logits!.data.slice();
    for (let t = 1; t < 8; t++) {
      const changed = first.slice();
      for (let s = t; s < 8; s++) changed[s] = (changed[s]! + 5) % 13;
      const after = net.forward({ token: changed }, { B: 1, T: 8 }).logits!.data;
      expect([...after.slice(0, t * 13)], `rows before ${t}`).toEqual([...before.slice(0, t * 13)]);
      expect([...after.slice(t * 13)]).not.toEqual([...before.slice(t * 13)]);
    }
  });
  it('a shorter sequence gives the same rows', async () => {
    const net = await instantiate(artifact(design('gpt2'), 'GPT2', { consts: gpt2, bounds: { B: 1, T: 8 } }), 4);
    const first = tokens(8, 3, 13);
    const long = net.forward({ token: first }, { B: 1, T: 8 }).logits!.data.slice();
    const short = net.forward({ token: first.slice(0, 5) }, { B: 1, T: 5 }).logits!.data.slice();
    expect([...short]).toEqual([...long.slice(0, 5 * 13)]);
  });
});

describe('draws', () => {
  it('are the same for the same seed and others for another', async () => {
    const a = artifact(dropout, 'Fit', {});
    const inputs = { x: noise(48, 3), label: tokens(8, 4, 3) };
    const losses = async (seed: number): Promise<number[]> => {
      const net = await instantiate(a, seed);
      return [0, 1, 2].map(() => net.step(inputs).loss!);
    };
    expect(await losses(5)).toEqual(await losses(5));
    expect(await losses(5)).not.toEqual(await losses(6));
  });
});

describe('half precision storage', () => {
  it('rounds parameters, inputs and results to f16, and computes in f32', async () => {
    const text = `model Half(x: f16[B, 3]) -> f16[B, 2] {
      param w: f16[2, 3] = normal()
      let y[b, o] = sum[i] x[b, i] * w[o, i]
      return y
    }`;
    const net = await instantiate(artifact(text, 'Half', { bounds: { B: 4 } }), 3);
    // Numbers of f16 have 11 bits: times 2^k they are whole below 2^11.
    const isHalf = (v: number): boolean => {
      const exponent = Math.floor(Math.log2(Math.abs(v)));
      return v === 0 || Number.isInteger(v * 2 ** (10 - Math.max(exponent, -14)));
    };
    const w = net.weights().get('w')!.data;
    expect([...w].every(isHalf)).toBe(true);
    const x = Float32Array.of(0.1, 0.2, 0.3);
    const y = net.forward({ x }, { B: 1 }).y ?? Object.values(net.forward({ x }, { B: 1 }))[0]!;
    expect([...y.data].every(isHalf)).toBe(true);
    const half = (v: number): number => {
      const scale = 2 ** (10 - Math.max(Math.floor(Math.log2(Math.abs(v))), -14));
      const scaled = v * scale;
      const floor = Math.floor(scaled);
      const rest = scaled - floor;
      return (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor) / scale;
    };
    const expected = [0, 1].map((o) =>
      half(Math.fround([0, 1, 2].reduce((s, i) => s + half(x[i]!) * w[o * 3 + i]!, 0))),
    );
    expect([...y.data]).toEqual(expected);
  });
});
