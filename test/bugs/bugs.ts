/**
 * Bugs of shapes, axes, roles and masks that people have written elsewhere, as programs: what each is here, how it is mended, and, where the
 * language does not let it be written, the nearest program. Those that a report mends by itself say so.
 */
export interface Bug {
  readonly name: string;
  /** `reported`: the bug can be written and is reported. `impossible`: it cannot; `wrong` is the nearest, `mended` is right by construction. */
  readonly kind: 'reported' | 'impossible';
  /** Silent elsewhere: nothing is said, training goes on. */
  readonly silent: boolean;
  readonly wrong: string;
  readonly codes: readonly string[];
  readonly mended: string;
  /** The report offers a fix that gives the mended program. */
  readonly fixed?: boolean;
}

const train = (body: string, optimizer = 'Adam()'): string => `train Fit {
${body}
  optimizer ${optimizer}
  batch B = 8
}`;

const attend = (
  score: string,
  softmax = 'softmax[s]',
): string => `block Attend(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  require D % heads == 0
  let E = D / heads
  let q[b, h: heads, t, e: E] = (x |> query: Linear(D))[b, t, (h e)]
  let k[b, h: heads, t, e] = (x |> key: Linear(D))[b, t, (h e)]
  let v[b, h: heads, t, e] = (x |> value: Linear(D))[b, t, (h e)]
  let score[b, h, t, s] = ${score}
  let w[b, h, t, s] = ${softmax} score[b, h, t, s]
  let z[b, t, (h e)] = sum[s] w[b, h, t, s] * v[b, h, s, e]
  return z |> Linear(D)
}`;

export const bugs: readonly Bug[] = [
  // Contractions and layout
  {
    name: 'queries times keys, the keys not transposed',
    kind: 'reported',
    silent: false,
    wrong: `fn scores(q: float[B, T, D], k: float[B, S, D]) -> float[B, T, S] {
  let y[b, t, s] = sum[d] q[b, t, d] * k[b, d, s]
  return y
}`,
    codes: ['NN102'],
    mended: `fn scores(q: float[B, T, D], k: float[B, S, D]) -> float[B, T, S] {
  let y[b, t, s] = sum[d] q[b, t, d] * k[b, s, d]
  return y
}`,
  },
  {
    name: 'the width behind a convolution counted wrongly',
    kind: 'impossible',
    silent: false,
    wrong: `fn head(x: float[B, 1050]) -> float[B, 1050] = x
model M(x: float[B, 1, 28, 28]) -> float[B, 1050] {
  return x |> Conv2d(32, kernel: 3, pad: 1) |> relu |> max_pool(2) |> max_pool(2) |> flatten |> head
}`,
    codes: ['NN101'],
    mended: `model M(x: float[B, 1, 28, 28]) -> float[B, 10] {
  return x |> Conv2d(32, kernel: 3, pad: 1) |> relu |> max_pool(2) |> max_pool(2) |> flatten |> Linear(10)
}`,
  },
  {
    name: 'channels of a convolution',
    kind: 'impossible',
    silent: false,
    wrong: `block Five(x: float[B, 5, H, W]) -> float[B, 5, H, W] { return x |> Conv2d(5, kernel: 3, pad: 1) }
model M(x: float[B, 3, 8, 8]) -> float[B, 5, 8, 8] { return x |> Five }`,
    codes: ['NN101'],
    mended: `model M(x: float[B, 3, 8, 8]) -> float[B, 5, 8, 8] { return x |> Conv2d(5, kernel: 3, pad: 1) }`,
  },
  {
    name: 'channels last where they are expected second',
    kind: 'reported',
    silent: true,
    wrong: `model Net(x: float[B, 3, 32, 32]) -> float[B, 8] { return x |> Conv2d(8, kernel: 3) |> global_avg_pool }
model M(image: float[B, 32, 32, 3]) -> float[B, 8] { return Net(image) }`,
    codes: ['NN101'],
    mended: `model Net(x: float[B, 3, 32, 32]) -> float[B, 8] { return x |> Conv2d(8, kernel: 3) |> global_avg_pool }
model M(image: float[B, 32, 32, 3]) -> float[B, 8] {
  let x[b, c, i, j] = image[b, i, j, c]
  return Net(x)
}`,
  },
  {
    name: 'a reshape where axes should change places',
    kind: 'reported',
    silent: true,
    wrong: `model M(x: float[B, 12]) -> float[B, 12] {
  let y[b, h: 3, e] = 2 * x[b, (h e)]
  let z[b, (e h)] = tanh(y[b, h, e])
  return z
}`,
    codes: ['NN131'],
    mended: `model M(x: float[B, 12]) -> float[B, 12] {
  let y[b, h: 3, e] = 2 * x[b, (h e)]
  let z[b, (h e)] = tanh(y[b, h, e])
  return z
}`,
    fixed: true,
  },
  {
    name: 'a skip connection that fits only some sizes',
    kind: 'reported',
    silent: false,
    wrong: `block Skip(x: float[B, C, H, W]) -> float[B, C, H, W] {
  let down = x |> max_pool(2)
  return x + upsample(down)
}`,
    codes: ['NN202'],
    mended: `block Skip(x: float[B, C, H, W]) -> float[B, C, H, W] {
  require H % 2 == 0 and W % 2 == 0
  let down = x |> max_pool(2)
  return x + upsample(down)
}`,
  },
  {
    name: 'joined along the wrong axis',
    kind: 'reported',
    silent: true,
    wrong: `fn join(x: float[B, D], y: float[B, D]) -> float[B, 2 * D] {
  let z[n: 2 * B, d] = x[n, d] else y[n - B, d]
  return z
}`,
    codes: ['NN109'],
    mended: `fn join(x: float[B, D], y: float[B, D]) -> float[B, 2 * D] {
  let z[b, d: 2 * D] = x[b, d] else y[b, d - D]
  return z
}`,
  },
  {
    name: 'one index with two extents',
    kind: 'reported',
    silent: false,
    wrong: `fn f(x: float[B, 4], w: float[3, 5]) -> float[B, 3] {
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return y
}`,
    codes: ['NN102'],
    mended: `fn f(x: float[B, 4], w: float[3, 4]) -> float[B, 3] {
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return y
}`,
  },
  {
    name: 'a width that does not divide into heads',
    kind: 'reported',
    silent: false,
    wrong: `model M(x: float[B, T, 30]) -> float[B, T, 30] { return x |> MultiHeadAttention(4) }`,
    codes: ['NN107'],
    mended: `model M(x: float[B, T, 30]) -> float[B, T, 30] { return x |> MultiHeadAttention(5) }`,
  },
  {
    name: 'the batch written into the shape of an input',
    kind: 'impossible',
    silent: false,
    wrong: `model M(x: float[1, 6, 4]) -> float[1, 6, 2] { return x |> Linear(2) }
${train(`  input x: float[B, 6, 4]
  minimize mean(M(x) ^ 2)`)}`,
    codes: ['NN101'],
    mended: `model M(x: float[B, 6, 4]) -> float[B, 6, 2] { return x |> Linear(2) }
${train(`  input x: float[B, 6, 4]
  minimize mean(M(x) ^ 2)`)}`,
  },
  {
    name: 'a tensor of another rank than it is said to be',
    kind: 'reported',
    silent: true,
    wrong: `fn f(x: float[N, D]) -> float[N, D] = x
model M(x: float[B, T, 8]) -> float[B, T, 8] { return f(x) }`,
    codes: ['NN106'],
    mended: `fn f(x: float[...S, D]) -> float[...S, D] = x
model M(x: float[B, T, 8]) -> float[B, T, 8] { return f(x) }`,
  },
  {
    name: 'an axis of no places',
    kind: 'reported',
    silent: false,
    wrong: `model M(x: float[B, 0, 128]) -> float[B, 0, 4] { return x |> Linear(4) }`,
    codes: ['NN120', 'NN120'],
    mended: `model M(x: float[B, 1, 128]) -> float[B, 1, 4] { return x |> Linear(4) }`,
  },
  {
    name: 'a fixed batch, and a smaller last one',
    kind: 'reported',
    silent: false,
    wrong: `train Fit {
  input x: float[64, 8]
  input y: float[64]
  let z = x |> Linear(1)
  minimize mean[n] (z[n, 0] - y[n]) ^ 2
  optimizer Adam()
}`,
    codes: ['NN133'],
    mended: `train Fit {
  input x: float[B, 8]
  input y: float[B]
  let z = x |> Linear(1)
  minimize mean[n] (z[n, 0] - y[n]) ^ 2
  optimizer Adam()
  batch B = 64
}`,
  },
  // Broadcasting
  {
    name: 'squared errors of a column and a row',
    kind: 'reported',
    silent: true,
    wrong: `model Price(x: float[B, 8]) -> float[B, 1] { return x |> Linear(1) }
${train(`  input x: float[B, 8]
  input price: float[B]
  minimize mean((Price(x) - price) ^ 2)`)}`,
    codes: ['NN201'],
    mended: `model Price(x: float[B, 8]) -> float[B, 1] { return x |> Linear(1) }
${train(`  input x: float[B, 8]
  input price: float[B]
  let guess = Price(x)
  minimize mean[b] (guess[b, 0] - price[b]) ^ 2`)}`,
  },
  {
    name: 'binary cross-entropy of a column and a row',
    kind: 'reported',
    silent: true,
    wrong: train(`  input x: float[B, 8]
  input yes: float[B]
  let z = x |> Linear(1)
  minimize binary_cross_entropy(z, yes)`),
    codes: ['NN106'],
    mended: train(`  input x: float[B, 8]
  input yes: float[B]
  let z = x |> Linear(1)
  let flat[b] = z[b, 0]
  minimize binary_cross_entropy(flat, yes)`),
  },
  {
    name: 'returns minus values of a critic',
    kind: 'reported',
    silent: true,
    wrong: `model Critic(s: float[B, 4]) -> float[B, 1] { return s |> Linear(16) |> tanh |> Linear(1) }
${train(`  input s: float[B, 4]
  input gain: float[B]
  let advantage = gain - Critic(s)
  minimize mean(advantage ^ 2)`)}`,
    codes: ['NN201'],
    mended: `model Critic(s: float[B, 4]) -> float[B, 1] { return s |> Linear(16) |> tanh |> Linear(1) }
${train(`  input s: float[B, 4]
  input gain: float[B]
  let value = Critic(s)
  let advantage[b] = gain[b] - value[b, 0]
  minimize mean(advantage ^ 2)`)}`,
  },
  {
    name: 'a metric that compares a column with a row',
    kind: 'reported',
    silent: true,
    wrong: `metric right(z: float[N, 1], y: float[N]) -> float = mean((z > 0) == (y > 0.5))`,
    codes: ['NN201'],
    mended: `metric right(z: float[N, 1], y: float[N]) -> float {
  return mean[n] ((z[n, 0] > 0) == (y[n] > 0.5))
}`,
  },
  // Attention and masks
  {
    name: 'heads split off the axis of time',
    kind: 'reported',
    silent: true,
    wrong: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)').replace(
      'let q[b, h: heads, t, e: E] = (x |> query: Linear(D))[b, t, (h e)]',
      'let q[b, h: heads, t, e: E] = (x |> query: Linear(E))[b, (h t), e]',
    ),
    codes: ['NN105'],
    mended: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)'),
  },
  {
    name: 'heads merged without taking them back behind time',
    kind: 'reported',
    silent: true,
    wrong: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)').replace('let z[b, t, (h e)]', 'let z[b, (h t), e]'),
    codes: ['NN109'],
    mended: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)'),
  },
  {
    name: 'attention normalised over the queries',
    kind: 'reported',
    silent: true,
    wrong: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)', 'softmax[t]'),
    codes: ['NN306'],
    mended: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)'),
    fixed: true,
  },
  {
    name: 'a padding mask on the axis of queries',
    kind: 'reported',
    silent: true,
    wrong: `mask real(length: i32[B])(b, q) = q < length[b]
model M(x: float[B, T, 8], length: i32[B] < T + 1) -> float[B, T, 8] { return x |> MultiHeadAttention(2, real(length)) }`,
    codes: ['NN408'],
    mended: `mask real(length: i32[B])(b, k) = k < length[b]
model M(x: float[B, T, 8], length: i32[B] < T + 1) -> float[B, T, 8] { return x |> MultiHeadAttention(2, real(length)) }`,
  },
  {
    name: 'a mask without an axis for the heads',
    kind: 'impossible',
    silent: true,
    wrong: `fn f(score: float[B, H, T, S], keep: bool[B, T, S]) -> float[B, H, T, S] = score where keep else -inf`,
    codes: ['NN202'],
    mended: `fn f(score: float[B, H, T, S], keep: bool[B, T, S]) -> float[B, H, T, S] {
  let w[b, h, t, s] = softmax[s where keep[b, t, s]] score[b, h, t, s]
  return w
}`,
  },
  {
    name: 'a mask that is true at what to leave out',
    kind: 'reported',
    silent: true,
    wrong: `fn weights(score: float[B, T, S], key_padding: bool[B, S]) -> float[B, T, S] {
  let w[b, t, s] = softmax[s where key_padding[b, s]] score[b, t, s]
  return w
}`,
    codes: ['NN404'],
    mended: `fn weights(score: float[B, T, S], key_padding: bool[B, S]) -> float[B, T, S] {
  let w[b, t, s] = softmax[s where not key_padding[b, s]] score[b, t, s]
  return w
}`,
    fixed: true,
  },
  {
    name: 'a mask added to the scores',
    kind: 'reported',
    silent: true,
    wrong: `fn weights(score: float[T, S], keep: bool[T, S]) -> float[T, S] = softmax(score + keep)`,
    codes: ['NN402'],
    mended: `fn weights(score: float[T, S], keep: bool[T, S]) -> float[T, S] {
  let w[t, s] = softmax[s where keep[t, s]] score[t, s]
  return w
}`,
  },
  {
    name: 'a row that is masked throughout',
    kind: 'reported',
    silent: true,
    wrong: `fn weights(score: float[T, T]) -> float[T, T] {
  let w[t, s] = softmax[s where s < t] score[t, s]
  return w
}`,
    codes: ['NN405'],
    mended: `fn weights(score: float[T, T]) -> float[T, T] {
  let w[t, s] = softmax[s where s <= t] score[t, s]
  return w
}`,
    fixed: true,
  },
  {
    name: "scores scaled by the model's width",
    kind: 'reported',
    silent: true,
    wrong: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(D)'),
    codes: ['NN406'],
    mended: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)'),
    fixed: true,
  },
  {
    name: 'scores that nothing scales',
    kind: 'reported',
    silent: true,
    wrong: attend('sum[e] q[b, h, t, e] * k[b, h, s, e]'),
    codes: ['NN407'],
    mended: attend('sum[e] q[b, h, t, e] * k[b, h, s, e] / sqrt(E)'),
    fixed: true,
  },
  {
    name: 'keys of grouped heads in another order than queries',
    kind: 'reported',
    silent: true,
    wrong: `fn grouped(q: float[B, 8, T, E], k: float[B, 2, S, E]) -> float[B, 8, T, S] {
  let own[b, g: 2, r: 4, t, e] = q[b, (g r), t, e]
  let y[b, (r g), t, s] = sum[e] own[b, g, r, t, e] * k[b, g, s, e] / sqrt(E)
  return y
}`,
    codes: ['NN131'],
    mended: `fn grouped(q: float[B, 8, T, E], k: float[B, 2, S, E]) -> float[B, 8, T, S] {
  let own[b, g: 2, r: 4, t, e] = q[b, (g r), t, e]
  let y[b, (g r), t, s] = sum[e] own[b, g, r, t, e] * k[b, g, s, e] / sqrt(E)
  return y
}`,
    fixed: true,
  },
  {
    name: 'rotary positions in the other layout',
    kind: 'impossible',
    silent: true,
    wrong: `fn turned(x: float[B, H, T, 8]) -> float[B, H, T, 8] = rotary(x, interleaved: true)`,
    codes: ['NN708'],
    mended: `fn turned(x: float[B, H, T, 8]) -> float[B, H, T, 8] = rotary_interleaved(x)`,
  },
  {
    name: 'heads and time in each other’s places',
    kind: 'reported',
    silent: true,
    wrong: `fn f(q: float[B, T, H, E], k: float[B, T, H, E], v: float[B, T, H, E]) -> float[B, T, H, E] = attention(q, k, v)`,
    codes: ['NN136'],
    mended: `fn f(q: float[B, H, T, E], k: float[B, H, T, E], v: float[B, H, T, E]) -> float[B, H, T, E] = attention(q, k, v)`,
  },
  {
    name: 'keys and values of different length',
    kind: 'reported',
    silent: false,
    wrong: `fn f(q: float[B, H, T, E], k: float[B, H, 6, E], v: float[B, H, 7, E]) -> float[B, H, T, E] = attention(q, k, v)`,
    codes: ['NN101'],
    mended: `fn f(q: float[B, H, T, E], k: float[B, H, 6, E], v: float[B, H, 6, E]) -> float[B, H, T, E] = attention(q, k, v)`,
  },
  // Losses and targets
  {
    name: 'softmax before a loss that takes logits',
    kind: 'reported',
    silent: true,
    wrong: train(`  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(softmax(x |> Linear(10)), label)`),
    codes: ['NN301'],
    mended: train(`  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(x |> Linear(10), label)`),
    fixed: true,
  },
  {
    name: 'logits into a loss of probabilities',
    kind: 'reported',
    silent: true,
    wrong: train(`  input x: float[B, 8]
  input yes: float[B, 1]
  let z = x |> Linear(1)
  minimize binary_cross_entropy_from_probs(z, yes)`),
    codes: ['NN308'],
    mended: train(`  input x: float[B, 8]
  input yes: float[B, 1]
  let z = x |> Linear(1)
  minimize binary_cross_entropy(z, yes)`),
    fixed: true,
  },
  {
    name: 'class numbers where a distribution is due',
    kind: 'reported',
    silent: false,
    wrong: train(`  input x: float[B, 8]
  input label: i32[B] < 3
  minimize soft_cross_entropy(x |> Linear(3), label)`),
    codes: ['NN124'],
    mended: train(`  input x: float[B, 8]
  input label: i32[B] < 3
  minimize cross_entropy(x |> Linear(3), label)`),
  },
  {
    name: 'the arguments of a loss exchanged',
    kind: 'reported',
    silent: true,
    wrong: train(`  input x: float[B, 8]
  input label: i32[B] < 3
  let z = x |> Linear(3)
  minimize cross_entropy(label, z)`),
    codes: ['NN124', 'NN124'],
    mended: train(`  input x: float[B, 8]
  input label: i32[B] < 3
  let z = x |> Linear(3)
  minimize cross_entropy(z, label)`),
  },
  {
    name: 'a class beyond the last',
    kind: 'reported',
    silent: true,
    wrong: train(`  input x: float[B, 8]
  input label: i32[B] < 11
  minimize cross_entropy(x |> Linear(10), label)`),
    codes: ['NN124'],
    mended: train(`  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(x |> Linear(10), label)`),
  },
  {
    name: 'the logarithm of a softmax',
    kind: 'reported',
    silent: true,
    wrong: `fn f(x: float[N, C]) -> float[N, C] = log(softmax(x))`,
    codes: ['NN304'],
    mended: `fn f(x: float[N, C]) -> float[N, C] = log_softmax(x)`,
    fixed: true,
  },
  // Derivatives, numbers, targets
  {
    name: 'an operation without a gradient',
    kind: 'impossible',
    silent: false,
    wrong: train(`  input x: float[B, 8]
  let z = x |> Linear(4)
  let best[b] = argmax[c] z[b, c]
  minimize mean[b] float(best[b])`),
    codes: ['NN602'],
    mended: train(`  input x: float[B, 8]
  let z = x |> Linear(4)
  let best[b] = max[c] z[b, c]
  minimize mean(best)`),
  },
  {
    name: 'a missing second derivative',
    kind: 'impossible',
    silent: false,
    wrong: `fn f(x: float[N], n: i32[N]) -> float[N] = grad(sum(x * n), wrt: n)`,
    codes: ['NN601'],
    mended: `fn f(x: float[N, C]) -> float[N, C] {
  let y = sum(tanh(x) + sigmoid(x) + exp(x) + elu(x) + log_softmax(x) + max(x, 0) + min(max(x, -1), 1))
  let dy = grad(y, wrt: x)
  return grad(sum(dy ^ 2), wrt: x)
}`,
  },
  {
    name: 'a division of integers that truncates',
    kind: 'reported',
    silent: true,
    wrong: `fn f(a: i32[N], b: i32[N]) -> i32[N] = a / b`,
    codes: ['NN124'],
    mended: `fn f(a: i32[N], b: i32[N]) -> i32[N] = floor(a / b)`,
  },
  {
    name: 'weights stored the other way round',
    kind: 'reported',
    silent: true,
    wrong: `model M(x: float[B, 8]) -> float[B, 4] { return x |> out: Linear(4, bias: false) }
checkpoint other for M { out.weight[o, d] = "linear.weight"[d, d] }`,
    codes: ['NN104'],
    mended: `model M(x: float[B, 8]) -> float[B, 4] { return x |> out: Linear(4, bias: false) }
checkpoint other for M { out.weight[o, d] = "linear.weight"[d, o] }`,
  },
];
