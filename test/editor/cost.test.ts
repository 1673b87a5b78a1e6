/** Hover and lenses on what a program costs and where its gradient flows, against arithmetic by hand. */
import { describe, expect, it } from 'vitest';
import { analyse, type Analysis } from '../../editor/analysis.ts';
import { hover } from '../../editor/features/hover.ts';
import { weigh } from '../../editor/features/lens.ts';

const text = `const width = 16
block Attend(query: float[B, H, T, E], key: float[B, H, S, E]) -> float[B, H, T, S] {
  let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e] / sqrt(E)
  let weight[b, h, t, s] = softmax[s] score[b, h, t, s]
  return weight
}
model Net(x: float[B, 8]) -> float[B, 4] { return x |> Linear(width) |> relu |> Linear(4) }
train Fit {
  input x: float[B, 8]
  input y: i32[B] < 4
  let logits = Net(x)
  let aside = mean(x)
  let picked[b] = argmax[c] logits[b, c]
  let loss = cross_entropy(logits, y) + 0 * mean(float(picked))
  minimize loss
  metric other = aside
  optimizer SGD()
  batch B = 32
}
`;
const a: Analysis = analyse('a.nn', text, { read: () => null });
const over = (piece: string, by = 0): string => hover(a, text.indexOf(piece) + by)?.markdown ?? '';

it('the program is right', () => {
  expect(a.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
});

describe('operations', () => {
  it('of an equation, as it is written', () => {
    // At each place and each e: a product, a quotient, a sum; the root of a size is known beforehand.
    expect(over('score[b')).toMatch(/Operations: `3 \* B \* E \* H \* S \* T`/);
    expect(over('weight[b')).toMatch(/Operations: `3 \* B \* H \* S \* T`/);
  });
  it('of a model and of a step, by its graph', () => {
    // Two products (2·8·16 + 2·16·4), two biases, one maximum: 420 for each row of a batch of 32.
    expect(weigh(a, 'Net')).toBe(
      `${(8 * 16 + 16 + 16 * 4 + 4).toLocaleString('en-US')} parameters · 848 B · 13 k operations forward`,
    );
    expect(over('model Net', 6)).toContain('13 k operations forward');
    const alone = analyse('b.nn', text.slice(0, text.indexOf('train Fit')), { read: () => null });
    expect(weigh(alone, 'Net')).toContain('420 operations for each B');
    const step = weigh(a, 'Fit')!;
    expect(step).toMatch(/batch 32 · [\d.,]+ ?k? operations a step$/);
  });
});

describe('gradients', () => {
  it('flow, or what stops them is said', () => {
    expect(over('let logits', 4)).toContain('Gradient: flows to it from the loss.');
    expect(over('let aside', 4)).toContain('No gradient: the loss does not depend on it.');
    expect(over('query: ')).toContain('Gradient: flows to it from the result of `Attend`.');
    expect(over('score[b')).toContain('Gradient: flows to it from the result of `Attend`.');
    expect(over('let picked', 4)).not.toContain('Gradient: flows');
  });
});

describe('parameters passed as values', () => {
  // The places of the library's declarations, as numbers, lie in the first block.
  const long = `block Long(x: float[B, 4]) -> float[B, 4] {\n${'  // A long block.\n'.repeat(500)}  return x\n}\n`;
  const tied = `${long}block Head(table: float[V, D])(x: float[B, D]) -> float[B, V] {
  let y[b, v] = sum[d] x[b, d] * table[v, d]
  return y
}
block Mixed(w: float[D, D], x: float[B, D]) -> float[B, D] {
  let z[b, e] = sum[d] x[b, d] * stop_gradient(w)[d, e]
  return z
}
model Net(word: i32[B] < 10) -> float[B, 10] {
  let embed = Embedding(10, 8)
  param mix: float[8, 8] = 0.1
  let h = Mixed(mix, embed(word))
  let head = Head(embed.weight)
  return head(h)
}
`;
  const t = analyse('tied.nn', tied, { read: () => null });
  const at = (piece: string, by = 0): string => hover(t, tied.indexOf(piece) + by)?.markdown ?? '';

  it('the program is right', () => {
    expect(t.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  });
  it('the block that takes them says whether a gradient comes to them', () => {
    expect(at('table: float')).toContain('Gradient: flows to it from the result of `Head`.');
    expect(at('w: float')).toMatch(/No gradient: the result of `Mixed` depends on it only through/);
    expect(at('mix: float')).toMatch(/No gradient: the result of `Net` depends on it only through/);
  });
  it('of a parameter of another file nothing is said that would be of another declaration here', () => {
    expect(at('embed.weight', 6)).toContain('param weight: float[10, 8]');
    expect(at('embed.weight', 6)).not.toMatch(/[Gg]radient/);
  });
});
