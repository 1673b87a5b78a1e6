/** A sample of the mutation study, with floors: what the whole of it says is in docs/mutations.md. */
import { expect, it } from 'vitest';
import { operators } from '../scripts/mutations/operators.ts';
import { study } from '../scripts/mutations/study.ts';
import { summary } from '../scripts/mutations.ts';
import { library } from './check/support.ts';

const text = `/// A network small enough to be mutated in every way.
block Attend(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  require D % heads == 0
  let E = D / heads
  let q[b, h: heads, t, e] = (x |> query: Linear(D))[b, t, (h e)]
  let k[b, h: heads, t, e] = (x |> key: Linear(D))[b, t, (h e)]
  let score[b, h, t, s] = sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)
  let weight[b, h, t, s] = softmax[s where s <= t] score[b, h, t, s]
  let z[b, t, (h e)] = sum[s] weight[b, h, t, s] * k[b, h, s, e]
  return z
}
model Net(x: float[B, T, 8]) -> float[B, 3] {
  let y = x |> Attend(2) |> relu
  let last[b, d] = y[b, T - 1, d]
  return last |> out: Linear(3)
}
train Fit {
  input x: float[B, T, 8]
  input label: i32[B] < 3
  let logits = Net(x)
  minimize cross_entropy(logits, label)
  metric accuracy = mean[b] ((argmax[c] logits[b, c]) == label[b])
  optimizer Adam(lr: 1e-3)
  batch B = 4
}
`;

it('there are operators enough, each with a name of its own', () => {
  expect(operators.length).toBeGreaterThanOrEqual(25);
  expect(new Set(operators.map((o) => o.name)).size).toBe(operators.length);
});

it('most slips are reported, on the spot, and many are mended by the first fix', () => {
  const found = study({ name: 'sample.nn', text }, library, { most: 1 });
  const s = summary(found);
  const missed = found.filter((m) => m.outcome === 'missed').map((m) => `${m.operator}: ${m.after}`);
  expect(s.mutants).toBeGreaterThan(30);
  expect((s.error + s.lint) / (s.mutants - s.harmless), missed.join('\n')).toBeGreaterThan(0.85);
  expect(s.onTarget / s.reported).toBeGreaterThan(0.85);
  expect(s.named / s.reported).toBeGreaterThan(0.9);
  expect(s.first / s.reported).toBeGreaterThan(0.7);
}, 120_000);
