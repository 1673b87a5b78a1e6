/** Measured schedules: whatever is chosen, results have the same bits; what does not fit is passed over; how the choice is found, by a clock of the test's own. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { climb, race } from '../../../cli/tune/measure.ts';
import { compile, type Artifact } from '../../../compiler/index.ts';
import type { WasmSchedule } from '../../../compiler/schedule/wasm.ts';
import { prepareAll } from '../../../compiler/targets/wasm/emit.ts';
import { chosen, choiceText, neighbours, tuningKey, type Choice } from '../../../compiler/targets/wasm/tuning.ts';
import { evaluateSize } from '../../../compiler/plan/sizes.ts';

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
};

function build(source: string, tuning?: ReadonlyMap<string, Choice>): Artifact {
  const bounds = { B: 4, T: 96 };
  const result = compile(source, { only: 'Fit', bounds, targets: ['wasm'], stream: 1, ...(tuning && { tuning }) });
  if (!result.ok) throw new Error(result.reports.map((r) => r.message).join('\n'));
  return result.artifacts.get('Fit')!;
}

async function results(artifact: Artifact): Promise<Uint8Array[]> {
  const { javascript } = artifact.modules.get('wasm')!;
  const address = `data:text/javascript;base64,${Buffer.from(javascript).toString('base64')}`;
  const { Fit } = (await import(/* @vite-ignore */ address)) as {
    Fit: { create(o: object): { step(i: object, s: object): object; weights(): Map<string, { data: Float32Array }> } };
  };
  const net = Fit.create({ seed: 1 });
  const sizes = Object.fromEntries(artifact.plan.sizes.map((s) => [s.name, s.bound]));
  const inputs = Object.fromEntries(
    artifact.plan.inputs.map((i) => {
      const length = i.shape.reduce<number>((n, e) => n * evaluateSize(e, (s) => sizes[s]!), 1);
      const wave = (_: unknown, k: number): number => (i.dtype === 'i32' ? k % 7 : Math.sin(0.7 * k));
      return [i.name, i.dtype === 'i32' ? Int32Array.from({ length }, wave) : Float32Array.from({ length }, wave)];
    }),
  );
  const losses = [1, 2, 3].map(() => Object.values(net.step(inputs, sizes)) as number[]).flat();
  return [
    new Uint8Array(Float64Array.from(losses).buffer),
    ...[...net.weights().values()].map(({ data }) => new Uint8Array(Float32Array.from(data).buffer)),
  ];
}

describe('what is chosen', () => {
  it.each(Object.entries(programs))('%s: another choice for every kernel, the same bits', async (_, source) => {
    const usual = build(source);
    const { joined, usual: schedules, of } = prepareAll(usual.plan, usual.kernels);
    const wanted = await results(usual);
    for (const nth of [0, 3]) {
      const tuning = new Map<string, Choice>();
      usual.kernels.forEach((kernel, i) => {
        const able = neighbours(schedules[i]!, {}).filter((c) => chosen(joined[i]!, schedules[i]!, c) !== null);
        const choice = able[nth % Math.max(1, able.length)];
        if (choice !== undefined) tuning.set(tuningKey(kernel, of[i]!), choice);
      });
      expect(tuning.size).toBeGreaterThan(5);
      const tuned = build(source, tuning);
      expect(prepareAll(tuned.plan, tuned.kernels, tuning).choices.filter((c) => c !== null)).toHaveLength(tuning.size);
      expect(tuned.modules.get('wasm')!.javascript).not.toBe(usual.modules.get('wasm')!.javascript);
      expect(await results(tuned)).toEqual(wanted);
    }
  });

  it('does not fit: the usual schedule stands', () => {
    const { plan, kernels } = build(programs.cnn);
    const { joined, usual, of } = prepareAll(plan, kernels);
    const bad: Choice[] = [
      { together: 40 },
      { stages: { nothing: { count: 2 } } },
      ...usual.map((s) => ({ stages: { [s.leaves[0]!.stage]: { block: [1, 1] as const, count: 3 } } })),
    ];
    for (const choice of bad) joined.forEach((kernel, i) => expect(chosen(kernel, usual[i]!, choice)).toBeNull());
    const tuning = new Map(kernels.map((k, i) => [tuningKey(k, of[i]!), bad[1]!]));
    expect(prepareAll(plan, kernels, tuning).schedules).toEqual(usual);
  });
});

/** A product whose time is told by a table: milliseconds by the text of the choice. */
function fake(table: Readonly<Record<string, number>>, otherwise: number) {
  let time = 0;
  const schedule = {
    ...{ rows: [], vector: null, share: null, block: null },
    leaves: [{ kind: 'product', stage: 'sum', block: [256 * 1024, 1024 * 1024] }],
  } as unknown as WasmSchedule;
  const tried: string[] = [];
  const make = (choice: Choice) => {
    const text = choiceText(choice);
    tried.push(text);
    return () => void (time += table[text] ?? otherwise);
  };
  return { schedule, make, clock: () => time, tried };
}

describe('the search', () => {
  it('goes by single steps to the quickest', () => {
    const { schedule, make, clock, tried } = fake(
      { '': 10, 'sum: blocks of 128 and 1024 KiB': 8, 'sum: blocks of 128 and 2048 KiB': 6 },
      12,
    );
    const found = climb(schedule, make, clock, 100);
    expect(choiceText(found.choice)).toBe('sum: blocks of 128 and 2048 KiB');
    expect(found.usual).toBeCloseTo(10);
    expect(found.best).toBeCloseTo(6);
    expect(tried).toContain('sum: blocks of 512 and 1024 KiB');
  });

  it('stays where nothing is clearly quicker', () => {
    const { schedule, make, clock } = fake({ '': 10, 'sum: blocks of 64 and 1024 KiB': 9.8 }, 12);
    expect(climb(schedule, make, clock, 100).choice).toEqual({});
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
