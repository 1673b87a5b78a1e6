/**
 * Every variant of the WebAssembly target that the engine has (SIMD; relaxed SIMD, which Node 20 has behind a flag), with one thread and with two: PyTorch's
 * numbers for whole networks, and the same bits whatever the number of threads.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { tileModule } from '../../../compiler/targets/wasm/tile.ts';
import { distance, readTensors, training, type Tensors } from '../../support/artifact.ts';
import { loadModule, type Instance } from '../../support/emitted.ts';

const folder = new URL('../../fixtures/', import.meta.url);
const { cases, steps } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  readonly cases: Readonly<
    Record<string, { readonly parameters: readonly string[]; readonly losses: readonly number[] }>
  >;
  readonly steps: number;
};

/** Sums in f32, of the scale of each tensor after 20 steps of training. */
const relative = 5e-5;
const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

async function trained(name: string, threads: number) {
  const tensors = readTensors(new URL(`${name}.safetensors`, folder));
  const part = (prefix: string): Tensors =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
  const source = readFileSync(new URL(`${name}.nn`, folder), 'utf8');
  const fit = await training(source, 'Fit', part('initial/'), { path: `${name}.nn`, target: 'wasm', threads });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push(fit.step(part('input/')));
    // Threads that are still starting take part in a later step.
    if (threads > 1) await wait();
  }
  const weights = fit.weights();
  fit.close();
  return { losses, weights, wanted: part(`after${steps}/`) };
}

describe.each(['SIMD', 'relaxed SIMD'])('%s', (variant) => {
  const isRelaxed = variant !== 'SIMD';
  const enabled = (): boolean => {
    // Modules ask when they are loaded. The flag stays: this variant is the last.
    if (isRelaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');
    return !isRelaxed || WebAssembly.validate(tileModule(true));
  };
  test.for(Object.keys(cases))('%s', async (name, { skip }) => {
    if (!enabled()) skip('the engine has no relaxed SIMD');
    const one = await trained(name, 1);
    for (const [k, loss] of one.losses.entries())
      expect(Math.abs(loss - cases[name]!.losses[k]!)).toBeLessThan(relative * (1 + loss));
    for (const path of cases[name]!.parameters) {
      const { gap, scale } = distance(one.weights.get(path)!, one.wanted.get(path)!.data as Float32Array);
      expect(gap, path).toBeLessThan(relative * scale);
    }
    const two = await trained(name, 2);
    expect(two.losses).toEqual(one.losses);
    for (const [path, data] of one.weights) expect(two.weights.get(path), path).toEqual(data);
  });
});

// -------------------------------------------------------------------------------------------------------------------------- examples

type Threaded = Instance & { close(): void };
const examples: readonly (readonly [path: string, unit: string, sizes: Readonly<Record<string, number>>])[] = [
  ['examples/digits.nn', 'Fit', { B: 24 }],
  ['examples/mnist.nn', 'Fit', { B: 5 }],
  ['examples/oscillator.nn', 'Oscillator', { N: 40 }],
  ['examples/names-rnn.nn', 'Fit', { B: 6, T: 9 }],
  ['examples/names-gru.nn', 'Fit', { B: 6, T: 9 }],
  ['examples/phonemes.nn', 'Fit', { B: 5, S: 8, T: 7 }],
  ['examples/phonemes-lstm.nn', 'Fit', { B: 5, S: 8, T: 7 }],
];

test.each(examples)('%s: two threads give the bits of one', async (path, unit, sizes) => {
  const { artifacts, reports } = compile(readFileSync(path, 'utf8'), {
    path,
    only: unit,
    bounds: sizes,
    targets: ['wasm'],
  });
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  const { plan, modules } = artifacts.get(unit)!;
  const module = (await loadModule(modules.get('wasm')!.javascript)) as unknown as Record<
    string,
    { create(options: object): Threaded }
  >;
  let state = 7;
  const draw = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const length = (shape: readonly unknown[]): number => shape.reduce<number>((n, e) => n * sizeOf(e, sizes), 1);
  const inputs = Object.fromEntries(
    plan.inputs.map(({ name, shape, dtype, below }) => [
      name,
      dtype === 'f32'
        ? Float32Array.from({ length: length(shape) }, () => draw())
        : Int32Array.from({ length: length(shape) }, () => Math.floor(draw() * sizeOf(below, sizes))),
    ]),
  );
  const run = async (threads: number): Promise<unknown> => {
    const net = module[unit]!.create({ seed: 2, threads });
    const losses: unknown[] = [];
    for (let step = 0; step < 3; step++) {
      losses.push(net.step(inputs, sizes).loss);
      if (threads > 1) await wait();
    }
    const weights = [...net.weights()].map(([p, { data }]) => [p, data.slice()]);
    net.close();
    return { losses, weights };
  };
  expect(await run(2)).toEqual(await run(1));
});

function sizeOf(e: unknown, sizes: Readonly<Record<string, number>>): number {
  if (typeof e === 'number') return e;
  if (typeof e === 'string') return sizes[e]!;
  const { op, args } = e as { readonly op: string; readonly args: readonly unknown[] };
  const values = args.map((a) => sizeOf(a, sizes));
  return op === 'add' ? values.reduce((a, b) => a + b, 0) : values.reduce((a, b) => a * b, 1);
}
