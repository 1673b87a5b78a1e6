/** The library as programs use it: unknown sizes, stacks by `repeat`, scalars of index equations, masks of masks. Compiled to the end; results are finite. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate } from '../support/emitted.ts';

interface Program {
  readonly name: string;
  readonly text: string;
  /** Inputs by name, for sizes B = 2, T = 5, S = 4. */
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly shape: readonly number[];
}

const wave = (n: number): Float32Array => Float32Array.from({ length: n }, (_, k) => Math.sin(k));

const programs: Program[] = [
  {
    name: 'a convolutional network with every normalisation',
    text: `
model Net(image: float[B, 3, 16, 16]) -> float[B, 10] {
  let x = image |> Conv2d(8, pad: 1, bias: false) |> BatchNorm |> silu
  x = x |> Conv2d(16, stride: 2, pad: 1, groups: 4) |> GroupNorm(4) |> mish |> SpatialDropout(0.1)
  x = x + (x |> DepthwiseConv2d(kernel: 5, pad: 2) |> InstanceNorm(affine: true) |> Conv2d(16, kernel: 1) |> DropPath)
  return x |> max_pool(2) |> global_avg_pool |> Linear(10)
}`,
    inputs: { image: wave(2 * 3 * 16 * 16) },
    shape: [2, 10],
  },
  {
    name: 'an autoencoder with transposed convolutions',
    text: `
model Net(image: float[B, 1, 8, 8]) -> float[B, 1, 8, 8] {
  let code = image |> down: Conv2d(4, stride: 2, pad: 1) |> PReLU |> Conv2d(4, stride: 2, pad: 1)
  return code |> up: ConvTranspose2d(4) |> relu |> ConvTranspose2d(1, kernel: 4, pad: 1) |> sigmoid
}`,
    inputs: { image: wave(128) },
    shape: [2, 1, 8, 8],
  },
  {
    name: 'pictures of unknown size',
    text: `
model Net(image: float[B, 3, T, S]) -> float[B, 6, 2, 3] { return image |> Conv2d(6, pad: 1) |> elu |> adaptive_avg_pool(2, 3) }`,
    inputs: { image: wave(2 * 3 * 5 * 4) },
    shape: [2, 6, 2, 3],
  },
  {
    name: 'sequences through one-dimensional convolutions',
    text: `
model Net(x: float[B, 4, T]) -> float[B, 2] {
  return x |> Conv1d(8, kernel: 3, pad: 2, dilation: 2) |> gelu |> max_pool1d(3, stride: 1, pad: 1) |> Conv1d(4, groups: 2, pad: 1) |> global_max_pool |> Linear(2)
}`,
    inputs: { x: wave(2 * 4 * 5) },
    shape: [2, 2],
  },
  {
    name: 'stacked and bidirectional recurrence',
    text: `
model Net(token: i32[B, T] < 11) -> float[B, T, 11] {
  let x = Embedding(11, 6)(token)
  layer: repeat 2 { x = x |> GRU(6) |> Dropout(0.1) }
  both: repeat width in [4, 8] { x = x |> BiLSTM(width) |> tanh }
  return (x + (x |> BiRNN(8)) + (x |> BiGRU(8))) |> Linear(11)
}`,
    inputs: { token: Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) },
    shape: [2, 5, 11],
  },
  {
    name: 'a translator',
    text: `
const vocab = 13, width = 8, heads = 2
model Net(source: i32[B, S] < vocab, source_length: i32[B] < S + 1, target: i32[B, T] < vocab) -> float[B, T, vocab] {
  let present = padding(source_length)
  let tokens = Embedding(vocab, width)
  let memory = tokens(source) |> sinusoidal_positions
  encoder: repeat 2 { memory = EncoderLayer(heads, present)(memory) }
  memory = memory |> RMSNorm
  let x = tokens(target) |> sinusoidal_positions
  decoder: repeat 2 { x = DecoderLayer(heads, present)(x, memory) }
  return x |> LayerNorm |> Linear(vocab)
}`,
    inputs: {
      source: Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
      source_length: Int32Array.from([2, 4]),
      target: Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    },
    shape: [2, 5, 13],
  },
  {
    name: 'a decoder with rotary positions, gates and windows',
    text: `
model Net(token: i32[B, T] < 13) -> float[B, T, 13] {
  require T <= 16
  let x = Embedding(13, 8)(token) |> LearnedPositions(16)
  h: repeat 2 {
    x = x + (x |> RMSNorm |> attention: MultiHeadAttention(2, causal and window(3), bias: false, rope: true))
    x = x + (x |> RMSNorm |> mlp: GatedFeedForward(12))
  }
  x = x + (x |> MultiHeadAttention(4, causal, alibi_slopes: true))
  return x |> Linear(13) |> log_softmax
}`,
    inputs: { token: Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) },
    shape: [2, 5, 13],
  },
  {
    name: 'activations of the scalars of an equation',
    text: `
model Net(x: float[B, T]) -> float[B, T] {
  let y[b, t] = selu(x[b, t]) + leaky_relu(x[b, t], 0.1) + celu(2 * x[b, t]) + hard_swish(x[b, t]) + softplus(x[b, t]) + sign(x[b, t]) + relu6(elu(x[b, t]))
  return y
}`,
    inputs: { x: wave(10) },
    shape: [2, 5],
  },
];

describe('programs of the library', () => {
  it.each(programs)('$name', async ({ text, inputs, shape }) => {
    const result = compile(text, {
      path: 'net.nn',
      only: 'Net',
      bounds: Object.fromEntries(
        Object.entries({ B: 2, T: 16, S: 16 }).filter(([s]) => new RegExp(`[[ ]${s}[,\\]]`).test(text)),
      ),
    });
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
    const net = await instantiate(result.artifacts.get('Net')!);
    const output = Object.values(net.forward(inputs, { B: 2, T: 5, S: 4 }))[0]!;
    expect([...output.shape]).toEqual(shape);
    const values = Array.from(output.data);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(new Set(values).size).toBeGreaterThan(1);
  });
});

/** The role of what a loss asks for is checked: probabilities are no logits. */
it.each(['cross_entropy(p, label)', 'soft_cross_entropy(p, p)', 'perplexity(p, label)'])(
  '%s of probabilities is refused',
  (use) => {
    const result = compile(
      `
model Net(x: float[B, 4], label: i32[B] < 3) -> float {
  let p = x |> Linear(3) |> softmax
  return ${use}
}`,
      { bounds: { B: 2 } },
    );
    expect(result.reports.map((r) => r.code)).toContain('NN301');
  },
);
