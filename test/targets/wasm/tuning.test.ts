/** Measured schedules: whatever is chosen, results have the same bits; what does not fit is passed over; how the choice is found, by a clock of the test's own. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { climb, race } from '../../../cli/tune/measure.ts';
import { compile, type Artifact } from '../../../compiler/index.ts';
import { prepareAll } from '../../../compiler/targets/wasm/emit.ts';
import { chosen, choiceText, neighbours, tuningKey, type Choice } from '../../../compiler/targets/wasm/tuning.ts';
import { evaluateSize } from '../../../compiler/plan/sizes.ts';
import { loadModule } from '../../support/emitted.ts';

const programs = {
  cnn: readFileSync('bench/wasm/programs/cnn.nn', 'utf8'),
  attention: `
model M(x: float[B, T, 16]) -> float[B, T, 16] {
  require T <= 96
  let q = x |> q: Linear(16)
  let score[b, t, s] = (sum[e] q[b, t, e] * x[b, s, e]) / 4
  let weight[b, t, s] = softmax[s where s <= t] score[b, t, s]
  let y[b, t, e] = sum[s] weight[b, t, s] * x[b, s, e]
  return y
}
train Fit {
  input x: float[B, T, 16]
  minimize mean((M(x) - x) ^ 2)
  optimizer SGD(lr: 1e-2)
  batch B = 2
}`,
  vector: `
model M(x: float[96]) -> float[131] { return x |> Linear(131) |> tanh }
train Fit {
  input x: float[96]
  minimize mean(M(x) ^ 2)
  optimizer SGD(lr: 1e-2)
}`,
};

function build(source: string, tuning?: ReadonlyMap<string, Choice>): Artifact {
  const bounds = { B: 4, T: 96 };
  const result = compile(source, { only: 'Fit', bounds, targets: ['wasm'], stream: 1, ...(tuning && { tuning }) });
  if (!result.ok) throw new Error(result.reports.map((r) => r.message).join('\n'));
  return result.artifacts.get('Fit')!;
}

/** Threads that have reported (targets/wasm/threads.ts). */
const READY = 1088;

interface Net {
  step(inputs: object, sizes: object): object;
  weights(): Map<string, { data: Float32Array }>;
  close(): void;
  readonly machine: { memory: { views: { buffer: SharedArrayBuffer }[] } };
}

async function results(artifact: Artifact, threads = 1): Promise<Uint8Array[]> {
  const module = await loadModule(artifact.modules.get('wasm')!.javascript);
  const { Fit } = module as unknown as { Fit: { create(o: object): Net } };
  const net = Fit.create({ seed: 1, threads });
  while (threads > 1 && Atomics.load(new Int32Array(net.machine.memory.views[0]!.buffer, READY, 1), 0) < threads - 1)
    await new Promise((resolve) => setTimeout(resolve, 2));
  const sizes = Object.fromEntries(artifact.plan.sizes.map((s) => [s.name, s.bound]));
  const inputs = Object.fromEntries(
    artifact.plan.inputs.map((i) => {
      const length = i.shape.reduce<number>((n, e) => n * evaluateSize(e, (s) => sizes[s]!), 1);
      const wave = (_: unknown, k: number): number => (i.dtype === 'i32' ? k % 7 : Math.sin(0.7 * k));
      return [i.name, i.dtype === 'i32' ? Int32Array.from({ length }, wave) : Float32Array.from({ length }, wave)];
    }),
  );
  const losses = [1, 2, 3].map(() => Object.values(net.step(inputs, sizes)) as number[]).flat();
  const found = [
    new Uint8Array(Float64Array.from(losses).buffer),
    ...[...net.weights().values()].map(({ data }) => new Uint8Array(Float32Array.from(data).buffer)),
  ];
  net.close();
  return found;
}

describe('what is chosen', () => {
  it.each(Object.entries(programs))('%s: another choice for every kernel, the same bits', async (_, source) => {
    const usual = build(source);
    const { joined, usual: schedules, of } = prepareAll(usual.plan, usual.kernels);
    const wanted = await results(usual);
    const choosers = joined.map((kernel, i) => ({ kernel, schedule: schedules[i]!, of: of[i]! }));
    const able = choosers.map((c) => neighbours(c, {}).filter((choice) => chosen(c, choice) !== null));
    const most = Math.max(...able.map((list) => list.length));
    expect(most).toBeGreaterThan(1);
    for (let nth = 0; nth < most; nth++) {
      const tuning = new Map<string, Choice>();
      usual.kernels.forEach((kernel, i) => {
        const choice = able[i]![nth % Math.max(1, able[i]!.length)];
        if (choice !== undefined) tuning.set(tuningKey(kernel, of[i]!), choice);
      });
      expect(tuning.size).toBeGreaterThan(1);
      const tuned = build(source, tuning);
      expect(prepareAll(tuned.plan, tuned.kernels, tuning).choices.filter((c) => c !== null)).toHaveLength(tuning.size);
      expect(tuned.modules.get('wasm')!.javascript).not.toBe(usual.modules.get('wasm')!.javascript);
      expect(await results(tuned, 1 + (nth % 2))).toEqual(wanted);
    }
  });

  it('is everything there is to choose', () => {
    const kinds = new Set<string>();
    for (const source of Object.values(programs)) {
      const { plan, kernels } = build(source);
      const { joined, usual, of } = prepareAll(plan, kernels);
      joined.forEach((kernel, i) => {
        for (const { stages = {}, ...whole } of neighbours({ kernel, schedule: usual[i]!, of: of[i]! }, {}))
          for (const key of [...Object.keys(whole), ...Object.values(stages).flatMap((s) => Object.keys(s))])
            kinds.add(key);
      });
    }
    expect([...kinds].sort()).toEqual(['block', 'count', 'height', 'points', 'share', 'together', 'turned']);
  });

  it('does not fit: the usual schedule stands', () => {
    const { plan, kernels } = build(programs.cnn);
    const { joined, usual, of } = prepareAll(plan, kernels);
    const bad: Choice[] = [
      { together: 40 },
      { share: { axis: 'nowhere' } },
      ...usual.map((s) => ({ stages: { [s.leaves[0]!.stage]: { height: 6 } } })),
      ...usual.map((s) => ({ stages: { [s.leaves[0]!.stage]: { points: 3 } } })),
      { stages: { nothing: { count: 2 } } },
      ...usual.map((s) => ({ stages: { [s.leaves[0]!.stage]: { block: [1, 1] as const, count: 3 } } })),
    ];
    for (const choice of bad)
      joined.forEach((kernel, i) => expect(chosen({ kernel, schedule: usual[i]!, of: of[i]! }, choice)).toBeNull());
    const tuning = new Map(kernels.map((k, i) => [tuningKey(k, of[i]!), bad[1]!]));
    expect(prepareAll(plan, kernels, tuning).schedules).toEqual(usual);
  });
});

/** A product whose time is told by a table: milliseconds by the text of the choice, of each of two parts. */
function fake(table: Readonly<Record<string, readonly [number, number]>>, otherwise: number) {
  let time = 0;
  const source = 'model M(x: float[512, 512]) -> float[512, 300] { return x |> Linear(300) }';
  const built = compile(source, { only: 'M' });
  if (!built.ok) throw new Error(built.reports.map((r) => r.message).join('\n'));
  const { plan, kernels } = built.artifacts.get('M')!;
  const { joined, usual, of } = prepareAll(plan, kernels);
  const i = usual.findIndex((s) => s.leaves[0]!.kind === 'product');
  const chooser = { kernel: joined[i]!, schedule: usual[i]!, of: of[i]! };
  const tried: string[] = [];
  const make = (choice: Choice) => {
    const text = choiceText(choice);
    tried.push(text);
    return [0, 1].map((part) => () => void (time += table[text]?.[part] ?? otherwise));
  };
  return { near: (choice: Choice) => neighbours(chooser, choice), make, clock: () => time, tried };
}

describe('the search', () => {
  it('goes by single steps to the quickest, of which the longer part counts', () => {
    const { near, make, clock, tried } = fake(
      {
        '': [5, 10],
        'sum: tiles of 4 rows': [8, 8],
        'threads share panels of rows': [1, 9],
        'threads share panels of columns': [1, 9],
        'sum: tiles of 4 rows, sum: blocks of 128 and 1024 KiB': [6, 5],
      },
      12,
    );
    const found = climb(near, make, clock, 100);
    expect(choiceText(found.choice)).toBe('sum: tiles of 4 rows, sum: blocks of 128 and 1024 KiB');
    expect(found.usual).toBeCloseTo(10);
    expect(found.best).toBeCloseTo(6);
    expect(tried).toContain('sum: blocks of 512 and 1024 KiB');
    expect(tried).toContain('sum: operands turned');
    expect(tried.some((t) => t.startsWith('threads share panels of'))).toBe(true);
  });

  it('stays where nothing is clearly quicker', () => {
    const { near, make, clock } = fake({ '': [10, 9], 'sum: blocks of 64 and 1024 KiB': [9.8, 9] }, 12);
    expect(climb(near, make, clock, 100).choice).toEqual({});
  });

  it('repeats what is too short for the clock, and runs in turns', () => {
    let time = 0;
    const runs = [0, 0];
    const times = race(
      [0.01, 1].map((ms, k) => () => {
        runs[k]!++;
        time += ms;
      }),
      () => time,
      20,
    );
    expect(times[0]).toBeCloseTo(0.01);
    expect(times[1]).toBeCloseTo(1);
    expect(runs[0]! / runs[1]!).toBeGreaterThan(10);
  });
});
