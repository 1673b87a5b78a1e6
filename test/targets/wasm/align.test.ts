/** Loops in which threads never meet: which they are, that they give the same bits, and which ones they must not be. */
import { describe, expect, test } from 'vitest';
import { compile, type Artifact } from '../../../compiler/index.ts';
import { prepareAll } from '../../../compiler/targets/wasm/emit.ts';
import { meetingsOf } from '../../../compiler/targets/wasm/meetings.ts';
import { parallelOf, sameBits } from './together.ts';

const fit = (body: string): string => `
model Net(x: float[B, T, 12]) -> float[B, T, 24] { ${body} }
train Fit {
  input x: float[B, T, 12]
  input y: float[B, T, 24]
  minimize mean((Net(x) - y) ^ 2)
  optimizer Adam(lr: 1e-2)
  batch B = 32
}
`;

function built(body: string): Artifact {
  const { artifacts, reports } = compile(fit(body), { only: 'Fit', bounds: { B: 32, T: 7 }, targets: ['wasm'] });
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  return artifacts.get('Fit')!;
}

/** Meetings of each loop of a training step, by round. */
function meetings({ plan, kernels }: Artifact): number[] {
  const parallel = parallelOf(plan, prepareAll(plan, kernels, undefined, 0));
  return plan.programs['step']!.steps.flatMap((s) => (s.kind === 'loop' ? [meetingsOf(parallel, s)] : []));
}

describe.each([
  ['RNN', 'return x |> cell: RNN(24)'],
  ['LSTM', 'return x |> cell: LSTM(24)'],
  [
    'a carry that is copied',
    `let w = Linear(24)
     return scan x_t over x along T {
       carry a: float[B, 24] = 0
       carry b: float[B, 24] = 1
       let y = tanh(w(x_t) + b)
       b = a
       a = y
       yield y
     }`,
  ],
])('%s: rows of a batch know nothing of one another', (_, body) => {
  const artifact = built(body);
  test('and so the threads do not meet', () => {
    const list = meetings(artifact);
    expect(list.length).toBeGreaterThan(1);
    expect(list.every((n) => n === 0)).toBe(true);
  });
  test.each([32, 13, 5, 2, 1])('the same bits with a batch of %i', (B) => {
    expect(sameBits(artifact.plan, artifact.kernels, { B, T: 7 })).toBeGreaterThan(2);
  });
});

test("GRU: forward alike; backward one meets for a bias's gradient, a sum over the batch", () => {
  const artifact = built('return x |> cell: GRU(24)');
  const [forward, backward] = meetings(artifact);
  expect(forward).toBe(0);
  expect(backward).toBeLessThan(3);
  sameBits(artifact.plan, artifact.kernels, { B: 13, T: 7 });
});

describe.each([
  [
    'a mean of the batch',
    `let w = Linear(24)
     return scan x_t over x along T {
       carry h: float[B, 24] = 0
       let y = tanh(w(x_t) + h)
       let m[d] = mean[b] y[b, d]
       h[b, d] = y[b, d] - m[d]
       yield h
     }`,
  ],
  [
    'the row before',
    `let w = Linear(24)
     return scan x_t over x along T {
       carry h: float[B, 24] = 0
       let y = tanh(w(x_t) + h)
       let n[b, d] = y[b - 1, d] else 0
       h = n
       yield y
     }`,
  ],
  [
    'rows in the order that data say',
    `let w = Linear(24)
     return scan x_t over x along T {
       carry h: float[B, 24] = 0
       let y = tanh(w(x_t) + h)
       let best = argmax[b] y[b, 0]
       let chosen[d] = y[best, d]
       h[b, d] = y[b, d] * chosen[d]
       yield y
     }`,
  ],
])('%s: threads meet', (_, body) => {
  const artifact = built(body);
  test('in every round', () => {
    const list = meetings(artifact);
    expect(list.length).toBeGreaterThan(0);
    expect(list.every((n) => n > 0)).toBe(true);
  });
  test.each([32, 13, 2])('the same bits with a batch of %i', (B) => {
    sameBits(artifact.plan, artifact.kernels, { B, T: 7 });
  });
});
