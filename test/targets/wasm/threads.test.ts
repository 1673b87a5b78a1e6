/**
 * Threads: the same bits whatever their number, no wake-up lost while the machine is busy, nothing allocated by a step, and options refused.
 * That parts of a kernel make the whole is tested for every kernel of the other tests of this folder (support.ts runs them in three parts).
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { loadModule, type Instance } from '../../support/emitted.ts';

/** Large enough that threads share every kind of work: products, rows, elementwise updates, a scan, an embedding with its gradient. */
const SOURCE = `
block Recurrent(hidden: int)(x: float[B, T, D]) -> float[B, T, hidden] {
  let cell = Linear(hidden)
  return scan x_t over x along T {
    carry h: float[B, hidden] = 0
    let both[b, k: D + hidden] = x_t[b, k] else h[b, k - D]
    h = tanh(cell(both))
    yield h
  }
}
model M(token: i32[B, T] < 50) -> float[B, T, 50] {
  let x = token |> Embedding(50, 96) |> Recurrent(96)
  let score[b, t, s] = sum[d] x[b, t, d] * x[b, s, d] / 10
  let weight[b, t, s] = softmax[s where s <= t] score[b, t, s]
  let y[b, t, d] = sum[s] weight[b, t, s] * x[b, s, d]
  return y |> Linear(200) |> relu |> dropped: Dropout(0.1) |> Linear(50)
}
train Fit {
  input token: i32[B, T] < 50
  input next: i32[B, T] < 50
  minimize cross_entropy(M(token), next)
  optimizer Adam(lr: 1e-3)
  batch B = 13
}
`;

interface Threaded extends Instance {
  close(): void;
  readonly machine: Instance['machine'] & { memory: { views: { buffer: SharedArrayBuffer }[] } };
}
type Emitted = Record<'Fit', { create(options: object): Threaded }>;

/** Threads that have reported (targets/wasm/threads.ts). */
const ready = (net: Threaded): number => Atomics.load(new Int32Array(net.machine.memory.views[0]!.buffer, 1088, 1), 0);

async function started(net: Threaded, threads: number): Promise<void> {
  while (ready(net) < threads - 1) await new Promise((resolve) => setTimeout(resolve, 5));
}

const nets: Threaded[] = [];
afterAll(() => nets.forEach((net) => net.close()));

async function emitted(source: string, bounds: Record<string, number>): Promise<Emitted> {
  const { artifacts, reports } = compile(source, { only: 'Fit', bounds, targets: ['wasm'] });
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  return (await loadModule(artifacts.get('Fit')!.modules.get('wasm')!.javascript)) as unknown as Emitted;
}

const module = emitted(SOURCE, { B: 13, T: 37 });

async function create(threads: number): Promise<Threaded> {
  const net = (await module).Fit.create({ seed: 3, threads });
  nets.push(net);
  await started(net, threads);
  return net;
}

function batch(rows: number, length: number, salt: number): { token: Int32Array; next: Int32Array } {
  const token = Int32Array.from({ length: rows * length }, (_, k) => (k * 7 + salt * 13 + (k >> 3)) % 50);
  return { token, next: token.map((t) => (t * 3 + 1) % 50) };
}

const weightsOf = (net: Threaded): [string, number[]][] => [...net.weights()].map(([path, t]) => [path, [...t.data]]);

describe('the same bits', () => {
  test.each([2, 3, 5])('with %i threads as with one', async (threads) => {
    const [one, many] = [await create(1), await create(threads)];
    for (let k = 0; k < 5; k++) {
      // Sizes with every kind of remainder, and fewer rows than threads.
      const [rows, length] = [
        [13, 37],
        [2, 37],
        [13, 5],
        [1, 36],
        [7, 21],
      ][k]!;
      const inputs = batch(rows!, length!, k);
      expect(many.step(inputs, { B: rows, T: length })).toEqual(one.step(inputs, { B: rows, T: length }));
    }
    expect(weightsOf(many)).toEqual(weightsOf(one));
    many.close();
    const inputs = batch(13, 37, 9);
    expect(many.step(inputs, { B: 13, T: 37 })).toEqual(one.step(inputs, { B: 13, T: 37 }));
  });

  test('digits, from before the threads have started', async () => {
    const { Fit } = await emitted(readFileSync('examples/digits.nn', 'utf8').replace('Linear(64)', 'Linear(512)'), {
      B: 64,
    });
    const [one, two] = [Fit.create({ seed: 1 }), Fit.create({ seed: 1, threads: 2 })];
    nets.push(one, two);
    const image = Float32Array.from({ length: 64 * 64 }, (_, k) => (k * 7) % 17);
    const label = Int32Array.from({ length: 64 }, (_, k) => k % 10);
    for (let k = 0; k < 30; k++) {
      if (k === 10) await started(two, 2);
      expect(two.step({ image, label })).toEqual(one.step({ image, label }));
    }
  });
});

test('a loop that the data end: all threads leave it in the same round', async () => {
  const { Fit } = await emitted(
    `
model Settle(x: float[B, 256]) -> float[B, 256] {
  let cell = Linear(256)
  let y = x
  scan n in 12 {
    let next = tanh(cell(y)) * 0.5
    let small = abs(next - y) < 3e-3
    y = next
    until all(small)
  }
  return y
}
train Fit { input x: float[B, 256]
  minimize mean((Settle(x) - x) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 32 }
`,
    { B: 32 },
  );
  const [one, many] = [Fit.create({ seed: 1 }), Fit.create({ seed: 1, threads: 3 })];
  nets.push(one, many);
  await started(many, 3);
  for (let k = 0; k < 40; k++) {
    const x = Float32Array.from({ length: 32 * 256 }, (_, i) => Math.sin(i * 0.37 + k) * (k % 4));
    expect(many.step({ x })).toEqual(one.step({ x }));
  }
  expect(weightsOf(many)).toEqual(weightsOf(one));
});

test('threads meet while other work keeps the machine busy', async () => {
  const busy = Array.from(
    { length: 4 },
    () => new Worker('let n = 0; for (;;) n = (n * 31 + 7) % 1000003', { eval: true }),
  );
  try {
    const [one, many] = [await create(1), await create(4)];
    const inputs = batch(3, 9, 1);
    const given = { B: 3, T: 9 };
    for (let k = 0; k < 60; k++) {
      // Pauses longer and shorter than the time for which threads spin before they sleep.
      if (k % 7 === 0) await new Promise((resolve) => setTimeout(resolve, k % 5));
      many.step(inputs, given);
      one.step(inputs, given);
    }
    expect(weightsOf(many)).toEqual(weightsOf(one));
  } finally {
    await Promise.all(busy.map((worker) => worker.terminate()));
  }
}, 120_000);

test('numbers of threads that make no sense are refused', async () => {
  const { Fit } = await module;
  for (const threads of [0, 1.5, 65, -1, 'many'])
    expect(() => Fit.create({ threads })).toThrow(/NN537: threads must be 'auto' or a whole number from 1 to 64/);
});

test('a program too small to share has no threads in its text', () => {
  const source = 'model M(x: float[B, 4]) -> float[B, 3] { return x |> Linear(3) }';
  const { artifacts } = compile(source, { bounds: { B: 2 }, targets: ['wasm'] });
  expect(artifacts.get('M')!.modules.get('wasm')!.javascript).not.toMatch(/worker_threads|Atomics/);
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('10,000 steps leave nothing on the heap, with one thread and with two', async () => {
  const { Fit } = await emitted(
    `model M(x: float[B, 64]) -> float[B, 64] { return x |> a: Linear(64) |> relu |> b: Linear(64) }
     train Fit { input x: float[B, 64]
       minimize mean((M(x) - x) ^ 2)
       optimizer Adam(lr: 1e-3)
       batch B = 64 }`,
    { B: 64 },
  );
  const inputs = { x: new Float32Array(64 * 64).fill(0.5) };
  for (const threads of [1, 2]) {
    const net = Fit.create({ seed: 1, threads });
    nets.push(net);
    await started(net, threads);
    for (let k = 0; k < 10_000; k++) net.step(inputs);
    // The least of some rounds: the engine's own work (compiling, collecting) falls into the others. What a sleep at a meeting takes (V8 makes numbers of its
    // arguments) is garbage at once, so with threads the collector comes first.
    const used = (): number => {
      if (threads > 1) collect();
      return process.memoryUsage().heapUsed;
    };
    let grown = Infinity;
    for (let round = 0; round < 5; round++) {
      const before = used();
      for (let k = 0; k < 2000; k++) net.step(inputs);
      grown = Math.min(grown, Math.abs(used() - before) / 2000);
    }
    expect(grown).toBeLessThan(8);
    net.close();
  }
}, 120_000);
