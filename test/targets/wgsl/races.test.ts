/**
 * No kernel has a data race within a workgroup: each family runs on tiny shapes, but scheduled as for large ones, on a device that interprets WGSL and watches every access. Barriers taken out
 * one by one are found out, so the watching works.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import { wgslSchedule, type SizeOf, type WgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import { compile } from '../../../compiler/index.ts';
import { evaluate as evaluateSize } from '../../../compiler/sizes/poly.ts';
import { instantiate } from '../../support/emitted.ts';
import { onGpu, type Data } from './instance.ts';
import { raceDevice, type Found } from './race-device.ts';

interface Family {
  readonly name: string;
  readonly source: string;
  readonly sizes: Record<string, number>;
}

const model = (signature: string, body: string): string => `model Net(${signature} {\n${body}\n}`;
const trained = (net: string, input: string, loss: string): string =>
  `${net}\ntrain Fit {\n  ${input}\n  minimize ${loss}\n  optimizer Adam(lr: 1e-2)\n}`;

const families: readonly Family[] = [
  {
    name: 'sums of rows',
    source: model('x: float[B, C]) -> float[B]', '  let s[b] = sum[c] x[b, c] * x[b, c]\n  return s'),
    sizes: { B: 3, C: 70 },
  },
  {
    name: 'a product',
    source: model(
      'a: float[M, K], b: float[K, N]) -> float[M, N]',
      '  let c[i, j] = sum[k] a[i, k] * b[k, j]\n  return c',
    ),
    sizes: { M: 3, K: 17, N: 5 },
  },
  {
    name: 'rows that a workgroup shares',
    source: model('x: float[B, C]) -> float[B, C]', '  return x |> softmax'),
    sizes: { B: 2, C: 67 },
  },
  {
    name: 'rows in registers, several in a workgroup',
    source: trained(
      model('x: float[B, 3, 50]) -> float[B, 3, 50]', '  return x |> LayerNorm |> softmax'),
      'input x: float[B, 3, 50]',
      'sum(Net(x) ^ 2)',
    ),
    sizes: { B: 2 },
  },
  {
    name: 'a sum of everything, and a maximum',
    source: model('x: float[B, C]) -> float[]', '  return mean(x ^ 2) + max(x)'),
    sizes: { B: 3, C: 30 },
  },
  {
    name: 'training: layers, normalisation, dropout, a loss, Adam',
    source: trained(
      model(
        'x: float[B, 5]) -> float[B, 3]',
        '  return x |> Linear(4) |> LayerNorm |> gelu |> Dropout(0.5) |> Linear(3)',
      ),
      'input x: float[B, 5]\n  input y: i32[B] < 3',
      'cross_entropy(Net(x), y)',
    ),
    sizes: { B: 3 },
  },
  {
    name: 'scatter-add',
    source: trained(
      model('t: i32[B] < 7) -> float[B, 3]', '  return t |> Embedding(7, 3)'),
      'input t: i32[B] < 7',
      'sum(Net(t) ^ 2)',
    ),
    sizes: { B: 9 },
  },
  {
    name: 'convolution and pooling',
    source: trained(
      model('x: float[B, 1, 6, 6]) -> float[B, 2, 2, 2]', '  return x |> Conv2d(2, kernel: 3) |> relu |> max_pool(2)'),
      'input x: float[B, 1, 6, 6]',
      'mean(Net(x) ^ 2)',
    ),
    sizes: { B: 2 },
  },
  {
    name: 'a recurrence',
    source: trained(
      model(
        'x: float[B, T, 2]) -> float[B, 3]',
        '  let y = x |> LSTM(3)\n  let last[b, n] = y[b, T - 1, n]\n  return last',
      ),
      'input x: float[B, T, 2]',
      'mean(Net(x) ^ 2)',
    ),
    sizes: { B: 2, T: 3 },
  },
  {
    name: 'attention',
    source: model('q: float[B, T, 4]) -> float[B, T, 4]', '  return MultiHeadAttention(2, causal)(q, q)'),
    sizes: { B: 1, T: 5 },
  },
];

/** As it is, with fewer threads a reduction: each is a generator of the interpreter. */
const fewer = (kernel: Kernel, of: SizeOf): WgslSchedule => ({
  passes: wgslSchedule(kernel, of).passes.map((p) =>
    p.kind !== 'reduce' ? p : { ...p, across: Math.min(p.across, 2), down: 8, parts: Math.min(p.parts, 3) },
  ),
});

interface Outcome extends Found {
  readonly values: number[];
  readonly expected: number[];
}

async function run(f: Family, change?: (code: string) => string): Promise<Outcome> {
  const bounds = Object.fromEntries(Object.keys(f.sizes).map((name) => [name, 512]));
  const name = f.source.includes('train Fit') ? 'Fit' : 'Net';
  const result = compile(f.source, { path: 'family.nn', only: name, bounds });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  const artifact = result.artifacts.get(name)!;
  const { device, found } = raceDevice(change);
  const net = await onGpu(artifact, result.sources, device, { seed: 1 }, undefined, fewer);
  const here = await instantiate(artifact, 1);
  const inputs = Object.fromEntries(
    artifact.unit.inputs.map((input): [string, Data] => {
      const length = input.type.sizes.reduce((n, s) => n * evaluateSize(s, (size) => f.sizes[size]!), 1);
      const floats = Float32Array.from({ length }, (_, k) => ((k * 37) % 41) / 41 - 0.5);
      return [input.name, input.type.dtype === 'i32' ? Int32Array.from({ length }, (_, k) => k % 3) : floats];
    }),
  );
  const program = name === 'Fit' ? 'step' : 'forward';
  const flat = (values: object): number[] =>
    Object.values(values).flatMap((v: number | { data: Data }) => (typeof v === 'object' ? [...v.data] : [v]));
  const values = flat(await net[program](inputs, f.sizes));
  return { ...found, values, expected: flat(here[program](inputs, f.sizes)) };
}

// It complains of what it does not know at length; what matters comes back as an error.
beforeAll(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterAll(() => {
  vi.restoreAllMocks();
});

describe('data races', { timeout: 200_000 }, () => {
  it.each(families.map((f) => [f.name, f] as const))('none in %s', async (_name, f) => {
    const { races, errors, ran, values, expected } = await run(f);
    expect(errors).toEqual([]);
    expect(races).toEqual([]);
    expect(ran.size).toBeGreaterThan(0);
    // Calls of functions confuse the interpreter's values (not its addresses): where there are none it has computed what it should.
    if (f === families[0]) values.forEach((v, k) => expect(v).toBeCloseTo(expected[k]!, 5));
  });

  it.each(families.slice(2, 5).map((f) => [f.name, f] as const))('%s: a missing barrier is found', async (_name, f) => {
    const { races } = await run(f, (code) => code.replaceAll('workgroupBarrier();', ''));
    expect(races.length).toBeGreaterThan(0);
  });
});
