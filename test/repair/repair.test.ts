/** Where an error comes from, and what was meant: the report stands where the evidence points, and its first fix gives the program back. */
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { checkSource } from '../../compiler/index.ts';

const attention = `block Attend(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  require D % heads == 0
  let q[b, h: heads, t, e] = (x |> query: Linear(D))[b, t, (h e)]
  let k[b, h: heads, t, e] = (x |> key: Linear(D))[b, t, (h e)]
  let score[b, h, t, s] = (sum[e] q[b, h, t, e] * k[b, h, s, e]) / sqrt(D / heads)
  let weight[b, h, t, s] = softmax[s where s <= t] score[b, h, t, s]
  let z[b, t, (h e)] = sum[s] weight[b, h, t, s] * k[b, h, s, e]
  return z
}
`;
const training = `model Net(x: float[B, 784]) -> float[B, 10] { x |> Linear(64) |> relu |> Linear(10) }
train Fit {
  input x: float[B, 784]
  input label: i32[B] < 10
  let logits = Net(x)
  minimize cross_entropy(logits, label)
  optimizer Adam()
  batch B = 8
}
`;

/** What is changed, by what; and what the report's place then reads. */
const cases: readonly (readonly [name: string, text: string, from: string, to: string, at: string])[] = [
  ['axes of the left exchanged', attention, 'let z[b, t, (h e)]', 'let z[b, (h e), t]', '(h e), t'],
  ['axes of a read exchanged', attention, 'q[b, h, t, e] *', 'q[b, h, e, t] *', 'e, t'],
  ['a type with its axes exchanged', attention, '(x: float[B, T, D])', '(x: float[B, D, T])', 'D, T'],
  ['another value', attention, 'sum[s] weight[b', 'sum[s] score[b', 'score'],
  ['an index too few', attention, 'k[b, h, s, e]) /', 'k[b, h, s]) /', 'k[b, h, s]'],
  ['a part of a group left out', attention, 'let z[b, t, (h e)]', 'let z[b, t, e]', 'e'],
  ['a class too many', training, '< 10', '< 11', '11'],
  ['floats for labels', training, 'i32[B] < 10', 'float[B]', 'float[B]'],
  ['whole numbers for images', training, 'input x: float[B, 784]', 'input x: i32[B, 784]', 'i32'],
  [
    'a width that differs by one',
    training,
    'relu |> Linear(10)',
    'relu |> Linear(11)',
    'x |> Linear(64) |> relu |> Linear(11)',
  ],
  ['an argument forgotten', training, 'cross_entropy(logits, label)', 'cross_entropy(logits)', 'cross_entropy(logits)'],
  [
    'probabilities where logits are due',
    training,
    '|> Linear(10) }',
    '|> Linear(10) |> softmax }',
    'x |> Linear(64) |> relu |> Linear(10) |> softmax',
  ],
];

describe('what was meant', () => {
  it.each(cases)('%s', async (name, text, from, to, at) => {
    expect(checkSource(text, { guesses: true }).reports).toEqual([]);
    const wrong = text.replace(from, to);
    const { reports, program } = checkSource(wrong, { guesses: true });
    const first = reports.find((r) => r.severity === 'error') ?? reports[0]!;
    const { start, end } = first.span!;
    expect(wrong.slice(start, end).trim()).toBe(at);
    expect(applyEdits(wrong, first.fixes[0]!, program.entry.ast.file)).toBe(text);
    const rendered = renderTerminal(reports, program.sources, { color: false, width: 100 });
    await expect(`${wrong}\n${'='.repeat(60)}\n${rendered}`).toMatchFileSnapshot(
      `golden/${name.replace(/[^a-z0-9]+/g, '-')}.txt`,
    );
  });

  it('the same text has the same report, and tries cost no more than a count allows', () => {
    const wrong = attention.replace('let z[b, t, (h e)]', 'let z[b, (h e), t]');
    const twice = [1, 2].map(() => JSON.stringify(checkSource(wrong, { guesses: true }).reports));
    expect(twice[0]).toBe(twice[1]);
  });

  it('where both places could be mended alike, the report stays where it was noticed', () => {
    const text = 'model M(x: float[B, 8]) -> float[B, 4] {\n  let y[b, d: 5] = x[b, d]\n  return y\n}\n';
    const { reports } = checkSource(text, { guesses: true });
    expect(reports.every((r) => r.span !== null)).toBe(true);
  });
});

const norm = `block Norm(eps: float = 1e-6)(x: float[...S, D]) -> float[...S, D] {
  let square[...s] = mean[d] x[...s, d] ^ 2
  let y[...s, d] = x[...s, d] / sqrt(square[...s] + eps)
  return y
}
`;
const masked = `fn attend(score: float[B, H, T, S], value: float[B, H, S, E], keep: mask) -> float[B, H, T, E] {
  let weight[b, h, t, s] = softmax[s where keep(b, h, q: t, k: s)] score[b, h, t, s]
  let y[b, h, t, e] = sum[s] weight[b, h, t, s] * value[b, h, s, e]
  return y
}
`;
const lengths = `loss mine(logp: float[B, T], target_length: i32[B]) -> float = -mean[b, t where t < target_length[b]] logp[b, t]
`;
const layer = `block Feed(hidden: int)(x: float[...S, D]) -> float[...S, D] { x |> Linear(hidden) |> relu |> Linear(D) }
`;
const pool = `fn shrink(x: float[B, T], size: int, pad: int) -> float[B, floor((T + 2 * pad - size) / size) + 1] {
  require T + 2 * pad >= size
  let places = floor((T + 2 * pad - size) / size) + 1
  let y[b, i: places] = sum[p: size] (x[b, size * i + p - pad] else 0)
  return y
}
`;
const groups = `fn apart(x: float[B, C, T], groups: int) -> float[B, groups, C / groups, T] {
  require C % groups == 0
  let y[b, g: groups, c: C / groups, t] = x[b, (g c), t]
  return y
}
`;
const projected = `block Score(out: int)(x: float[N, D], y: float[N, out]) -> float[N, out] {
  let h = x |> Linear(out)
  return h * y
}
`;

/** A change, what the report then marks, and whether its first fix gives the program back. */
const elsewhere: readonly (readonly [
  name: string,
  text: string,
  from: string,
  to: string,
  at: string,
  back: boolean,
])[] = [
  ['a mask that nothing applies', masked, ' where keep(b, h, q: t, k: s)', '', 's', true],
  [
    'a softmax and its mask',
    masked,
    'softmax[s where keep(b, h, q: t, k: s)] score',
    'score',
    'score[b, h, t, s]',
    true,
  ],
  ['a length that nothing reads', lengths, ' where t < target_length[b]', '', 't', true],
  ['a layer with its width', layer, 'x |> Linear(hidden) |> relu', 'x |> relu', 'x', true],
  ['a scale with what it is made of', norm, ' / sqrt(square[...s] + eps)', '', 'x[...s, d]', false],
  ['a tensor without indices', norm, 'x[...s, d] /', 'x /', 'x', true],
  ['an index behind a run', norm, 'mean[d] x[...s, d]', 'mean[d] x[...s]', 's', true],
  [
    'another operator in the formula of a size',
    pool,
    'let places = floor((T + 2',
    'let places = floor((T - 2',
    '-',
    true,
  ],
  ['another size in a requirement', groups, 'require C % groups', 'require C % B', 'B', true],
  ['a layer between a name and its value', projected, 'let h = x |> Linear(out)', 'let h = x', 'x', true],
];

describe('what was forgotten', () => {
  it.each(elsewhere)('%s', (_, text, from, to, at, back) => {
    expect(checkSource(text, { guesses: true }).reports.map((r) => `${r.code} ${r.message}`)).toEqual([]);
    const wrong = text.replace(from, to);
    const { reports, program } = checkSource(wrong, { guesses: true });
    const first = reports.find((r) => r.severity === 'error') ?? reports[0]!;
    expect(wrong.slice(first.span!.start, first.span!.end).trim()).toBe(at);
    if (back) expect(applyEdits(wrong, first.fixes[0]!, program.entry.ast.file)).toBe(text);
  });

  it('a rebinding of nothing is reported at what it reads', () => {
    const { reports } = checkSource('fn f(x: float[B]) -> float[B] {\n  y = y + x\n  return y\n}\n', { guesses: true });
    expect(reports.map((r) => [r.code, r.span!.start])).toEqual([['NN704', 38]]);
  });
});
