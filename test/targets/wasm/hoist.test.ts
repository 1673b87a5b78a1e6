/** Weights that a loop reads in every round are packed before it, and others are not; the numbers stay, with few rows and with threads. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { prepareAll } from '../../../compiler/targets/wasm/emit.ts';
import { loadModule, type Instance } from '../../support/emitted.ts';

const fit = (model: string): string => `
${model}
train Fit {
  input x: float[B, T, 12]
  input y: float[B, T, 24]
  minimize mean((Net(x) - y) ^ 2)
  optimizer Adam(lr: 1e-2)
  batch B = 9
}
`;

const recurrent = (cell: string): string =>
  fit(`model Net(x: float[B, T, 12]) -> float[B, T, 24] { return x |> cell: ${cell}(24) }`);

/** The weights are what the loop changes. */
const fast = fit(`
model Net(x: float[B, T, 12]) -> float[B, T, 24] {
  param start: float[24, 12] = xavier_uniform()
  return scan x_t over x along T {
    carry w: float[24, 12] = start
    let y[b, n] = sum[d] x_t[b, d] * w[n, d]
    w[n, d] = w[n, d] * 0.9 + (mean[b] y[b, n] * x_t[b, d])
    yield y
  }
}
`);

const bounds = { B: 16, T: 7 };

function built(source: string) {
  const { artifacts, reports } = compile(source, { only: 'Fit', bounds, targets: ['wasm'] });
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  return artifacts.get('Fit')!;
}

type Threaded = Instance & { close(): void };

async function losses(code: string, B: number, threads: number): Promise<{ list: number[]; weights: Float32Array[] }> {
  const { Fit } = (await loadModule(code)) as unknown as { Fit: { create(options: object): Threaded } };
  const net = await Fit.create({ seed: 3, threads });
  const x = Float32Array.from({ length: B * 7 * 12 }, (_, k) => Math.sin(k));
  const y = Float32Array.from({ length: B * 7 * 24 }, (_, k) => Math.cos(k) / 3);
  const list: number[] = [];
  for (let step = 0; step < 4; step++) {
    list.push(net.step({ x, y }, { B, T: 7 }).loss as number);
    // Threads that were still starting take part later.
    if (threads > 1) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const weights = [...net.weights().values()].map((w) => w.data as Float32Array);
  net.close();
  return { list, weights };
}

describe.each([
  ['RNN', 1],
  ['LSTM', 1],
  ['GRU', 1],
])('%s', (cell, products) => {
  const artifact = built(recurrent(cell));
  test('packs its weights before the loop, forward and backward', () => {
    const { hoisted } = prepareAll(artifact.plan, artifact.kernels);
    const of = (name: string): number => {
      const loops = artifact.plan.programs[name]!.steps.filter((s) => s.kind === 'loop');
      return loops.reduce((n, l) => n + (hoisted.before.get(l)?.length ?? 0), 0);
    };
    expect(of('forward')).toBe(products);
    expect(of('step')).toBe(2 * products);
    expect(hoisted.bytes).toBeGreaterThan(0);
  });
  test('computes what the readable target computes', async () => {
    const wasm = artifact.modules.get('wasm')!.javascript;
    for (const B of [2, 9]) {
      const [own, other] = [await losses(wasm, B, 1), await losses(artifact.javascript, B, 1)];
      for (const [k, loss] of own.list.entries())
        expect(Math.abs(loss - other.list[k]!)).toBeLessThan(1e-5 * (1 + loss));
      expect(await losses(wasm, B, 2)).toEqual(own);
    }
  });
});

test('what the loop changes is packed in every round', () => {
  const artifact = built(fast);
  const { hoisted, schedules } = prepareAll(artifact.plan, artifact.kernels);
  const inLoops = artifact.plan.programs['forward']!.steps.flatMap((s) => (s.kind === 'loop' ? s.body : []));
  expect(inLoops.some((s) => s.kind === 'call' && schedules[s.kernel]!.leaves[0]!.kind === 'product')).toBe(true);
  expect(hoisted.calls.size).toBe(0);
});
