/** Lints that one code has several forms of: what each says, where it points, and that its first fix gives the right program. */
import { expect, it } from 'vitest';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { diagnoseText } from './support.ts';

const scores = (guard: string, weight = `softmax[s where ${guard}] score[b, t, s]`): string => `fn attend(
  score: float[B, T, S],
  value: float[B, S, D],
  source_length: i32[B],
  keep: mask
) -> float[B, T, D] {
  let weight[b, t, s] = ${weight}
  let y[b, t, d] = sum[s where keep(b, k: s)] weight[b, t, s] * value[b, s, d]
  return y
}
`;
const heads = (
  score: string,
  query = 'x[b, t, (h e)]',
): string => `fn weights(x: float[B, T, D], n: int) -> float[B, n, T, T] {
  require D % n == 0
  let q[b, h: n, t, e] = ${query}
  let k[b, h: n, t, e] = x[b, t, (h e)]
  let score[b, h, t, s] = ${score}
  let weight[b, h, t, s] = softmax[s] score[b, h, t, s]
  return weight
}
`;
const optimizer = (
  beta: string,
): string => `optimizer Mine(lr: schedule = 0.01, beta: float = ${beta})(w: f32[...S], g: f32[...S]) {
  state v: f32[...S] = 0
  v = beta * v + (1 - beta) * g
  w -= lr * v
}
`;
const norm = (eps: string): string => `block Norm(eps: float = ${eps})(x: float[...S, D]) -> float[...S, D] {
  let square[...s] = mean[d] x[...s, d] ^ 2
  let y[...s, d] = x[...s, d] / sqrt(square[...s] + eps)
  return y
}
`;
const flat = (left: string, read: string): string => `model Net(image: float[B, 8, 8]) -> float[B, 10] {
  let x[b, ${left}] = ${read}
  return x |> Linear(10)
}
`;
const pool = (
  axes: string,
): string => `fn shrink(x: float[B, ${axes}], size: int) -> float[B, floor(H / size), floor(W / size)] {
  let rows = floor(H / size)
  let cols = floor(W / size)
  let y[b, i: rows, j: cols] = sum[p: size, q: size] (x[b, size * i + p, size * j + q] else 0)
  return y
}
`;
const next = (
  from: string,
): string => `model Names(letters: i32[B, T] < 27) -> float[B, T, 27] { Embedding(27, 16)(letters) |> GRU(32) |> Linear(27) }
train Fit {
  input letters: i32[B, T + 1] < 27
  let seen[b, t: T] = letters[b, t${from}]
  let next[b, t: T] = letters[b, t + 1]
  minimize cross_entropy(Names(seen), next)
  optimizer Adam()
  batch B = 8
}
`;

/** What is right, what is wrong, the code, what the report marks; null for a fix that nothing in the text gives. */
const cases: readonly (readonly [string, string, string, string, string, boolean])[] = [
  [
    'past the end',
    scores('s < source_length[b]'),
    scores('s > source_length[b]'),
    'NN404',
    's > source_length[b]',
    true,
  ],
  [
    'not before the end',
    scores('s < source_length[b]'),
    scores('not s < source_length[b]'),
    'NN404',
    'not s < source_length[b]',
    true,
  ],
  [
    'a mask that is given, negated',
    scores('s < source_length[b] and keep(b, k: s)'),
    scores('s < source_length[b] and not keep(b, k: s)'),
    'NN404',
    'not keep(b, k: s)',
    true,
  ],
  [
    'a mean that is scaled',
    heads('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(D / n)'),
    heads('mean[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(D / n)'),
    'NN407',
    'mean',
    true,
  ],
  ['next to nothing remembered', optimizer('0.9'), optimizer('0.000009'), 'NN606', '0.000009', false],
  ['an epsilon of one', norm('1e-6'), norm('1'), 'NN607', '1', false],
  ['flat in the reverse', flat('(i j)', 'image[b, i, j]'), flat('(j i)', 'image[b, i, j]'), 'NN139', '(j i)', true],
  [
    'read in the reverse',
    flat('(i j)', 'image[b, i, j]'),
    flat('(i j)', 'image[b, j, i]'),
    'NN139',
    'image[b, j, i]',
    true,
  ],
  ['axes of a type', pool('H, W'), pool('W, H'), 'NN137', 'W, H', true],
  ['the input is the target', next(''), next(' + 1'), 'NN618', 'let next[b, t: T] = letters[b, t + 1]', false],
  ['no softmax', scores('s < source_length[b]'), scores('', 'score[b, t, s]'), 'NN618', 'score[b, t, s]', false],
];

it.each(cases)('%s', (_, right, wrong, code, at, restores) => {
  expect(diagnoseText(right).reports.map((r) => `${r.code} ${r.message}`)).toEqual([]);
  const { reports, program } = diagnoseText(wrong);
  const found = reports.find((r) => r.code === code);
  expect(found?.span, reports.map((r) => r.code).join()).toBeDefined();
  expect(wrong.slice(found!.span!.start, found!.span!.end)).toBe(at);
  if (restores) expect(applyEdits(wrong, found!.fixes[0]!, program.entry.ast.file)).toBe(right);
});

it.each([
  [
    'what goes round a block has a name',
    `model M(x: float[B, 8]) -> float[B, 8] {
  let skip = x
  let y = x |> Linear(8) |> relu |> Linear(8)
  return y + skip
}`,
  ],
  [
    'matrices in both orders by the letters i, j, k',
    `model M(a: float[N, P], b: float[Q, P]) -> float[N, P] {
  let y[i, j] = sum[k] a[i, k] * b[j, k]
  let z[i, j] = sum[k] y[i, k] * b[k, j]
  return z
}`,
  ],
  ['bins of a transform', 'model M(x: float[B, 257]) -> float[B, 257] { x |> Linear(257) |> relu |> Linear(257) }'],
  [
    'a named width',
    'const bins = 129\nmodel M(x: float[B, 8]) -> float[B, 4] { x |> Linear(bins) |> relu |> Linear(4) }',
  ],
  [
    'padding counted as a row',
    'const words = 9\nmodel M(x: i32[B] < words + 1) -> float[B, 4] { Embedding(words + 1, 4)(x) }',
  ],
  [
    'lengths as numbers',
    'fn mean_of(x: float[B, T], length: i32[B]) -> float[B] {\n  let y[b] = (sum[t where t < length[b]] x[b, t]) / length[b]\n  return y\n}',
  ],
  ['greatest of a tensor', 'metric worst(x: float[B], y: float[B]) -> float = max(abs(x - y))'],
  ['a value that is changed later', 'fn f(x: float[B, D]) -> float[B, D] {\n  let y = x\n  y = y + 1\n  return y\n}'],
])('no alarm: %s', (_, text) => {
  expect(diagnoseText(text).reports.map((r) => `${r.code} ${r.message}`)).toEqual([]);
});
