/** Attention under every kind of mask, as train blocks: what streaming must compute as storing does. */
export interface Attention {
  readonly heads?: string;
  readonly score?: string;
  readonly weight?: string;
  readonly value?: string;
  readonly inputs?: string;
  readonly before?: string;
}

/** Self-attention with three parameters, as a train block. */
export function source({ heads, score, weight, value, inputs, before }: Attention): string {
  return `
${before ?? ''}
train Fit {
  input x: float[B, T, 16]
  ${inputs ?? ''}
  let q = x |> q: Linear(16, bias: false)
  let k = x |> k: Linear(16, bias: false)
  let v = x |> v: Linear(16, bias: false)
  ${heads ?? 'let query[b, h: 2, t, e] = q[b, t, (h e)]\n  let key[b, h: 2, t, e] = k[b, t, (h e)]\n  let vals[b, h: 2, t, e] = v[b, t, (h e)]'}
  let score[b, h, t, s] = ${score ?? '(sum[e] query[b, h, t, e] * key[b, h, s, e]) / sqrt(8)'}
  let weight[b, h, t, s] = ${weight ?? 'softmax[s where s <= t] score[b, h, t, s]'}
  let y[b, t, (h e)] = ${value ?? 'sum[s] weight[b, h, t, s] * vals[b, h, s, e]'}
  minimize mean((y |> o: Linear(16)) ^ 2) + mean((y - x) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 3
}
`;
}

export const attentions: Record<string, Attention> = {
  causal: {},
  'no mask': { weight: 'softmax[s] score[b, h, t, s]' },
  'a window': { weight: 'softmax[s where s <= t and t - s < 9] score[b, h, t, s]' },
  'places that must come later': { weight: 'softmax[s where s > t] score[b, h, t, s]' },
  'lengths from data': {
    inputs: 'input length: i32[B] < T',
    weight: 'softmax[s where s <= length[b] and s <= t] score[b, h, t, s]',
  },
  'a bias of the positions': {
    score: '(sum[e] query[b, h, t, e] * key[b, h, s, e]) / sqrt(8) - 0.1 * abs(float(t - s))',
  },
  'a soft cap': { score: '5 * tanh((sum[e] query[b, h, t, e] * key[b, h, s, e]) / 5)' },
  'no softmax at all': { weight: 'exp(-(score[b, h, t, s] ^ 2)) where s <= t else 0' },
  'dropout on the weights': {
    before: 'block Drop(x: float[...S]) -> float[...S] { return x |> Dropout(0.2) }',
    value: 'sum[s] dropped[b, h, t, s] * vals[b, h, s, e]',
    weight: 'softmax[s where s <= t] score[b, h, t, s]\n  let dropped = weight |> Drop',
  },
  'heads that share keys': {
    heads:
      'let query[b, h: 2, t, e: 8] = q[b, t, (h e)]\n  let key[b, h: 2, t, e: 8] = k[b, t, e]\n  let vals[b, h: 2, t, e: 8] = v[b, t, 8 + e]',
  },
};
