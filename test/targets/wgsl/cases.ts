/** Programs at sizes that a software driver computes in seconds. */
export interface Case {
  readonly file: string;
  readonly unit: string;
  readonly consts?: Record<string, number>;
  readonly sizes: Record<string, number>;
  /** Appended to the file. */
  readonly more?: string;
  /** Adam's first step is the sign of the gradient: where that is 0 but for rounding (a key's bias), only SGD can be compared. */
  readonly sgd?: boolean;
  /** Literal values for some inputs. */
  readonly inputs?: Record<string, number[]>;
}

const gpt2 = { vocab: 13, width: 8, heads: 2, layers: 1, context: 8 };

export const cases: readonly Case[] = [
  { file: 'test/golden/cases/linear.nn', unit: 'Net', sizes: { B: 3 } },
  { file: 'test/golden/cases/softmax.nn', unit: 'Net', sizes: { B: 3, C: 5 } },
  { file: 'test/golden/cases/convolution.nn', unit: 'Net', sizes: { B: 2 } },
  { file: 'test/golden/cases/recurrence.nn', unit: 'Net', sizes: { B: 3, T: 4 } },
  { file: 'test/golden/cases/training.nn', unit: 'Fit', sizes: { B: 3 } },
  { file: 'examples/design/digits.nn', unit: 'Fit', sizes: { B: 5 } },
  {
    file: 'examples/design/gpt2.nn',
    unit: 'Fit',
    sgd: true,
    consts: gpt2,
    sizes: { B: 2, T: 5 },
    more: `
train Fit {
      input token: i32[B, T + 1] < vocab
      let seen[b, t: T] = token[b, t]
      let next[b, t: T] = token[b, t + 1]
      minimize cross_entropy(GPT2(seen), next)
      optimizer Adam(lr: 1e-3)
}`,
  },
  {
    file: 'examples/design/lstm.nn',
    unit: 'Fit',
    sizes: { B: 2, T: 4 },
    more: `
model Net(x: float[B, T, 3]) -> float[B, 2] {
      let y = x |> lstm: LSTM(5)
      let last[b, n] = y[b, T - 1, n]
      return last |> out: Linear(2)
}
train Fit {
      input x: float[B, T, 3]
      input label: i32[B] < 2
      minimize cross_entropy(Net(x), label)
      optimizer Adam(lr: 1e-3)
}`,
  },
  {
    file: 'examples/design/translation.nn',
    unit: 'Translation',
    sgd: true,
    consts: { vocab: 11, width: 8, heads: 2, layers: 1 },
    sizes: { B: 2, S: 4, T: 3 },
  },
  // Scatters in both directions. A score's bias moves all weights of a softmax alike: its gradient is 0 but for rounding.
  { file: 'examples/design/graph.nn', unit: 'Nodes', sgd: true, sizes: { N: 5, E: 9 } },
  // Second derivatives.
  { file: 'examples/design/oscillator.nn', unit: 'Oscillator', sizes: { N: 6 } },
  {
    file: 'examples/design/ctc.nn',
    unit: 'Fit',
    sizes: { B: 2, T: 5, L: 2 },
    inputs: { frames: [5, 4], length: [2, 1] },
    more: `
model Net(x: float[B, T, 3]) -> float[B, T, 4] { return x |> Linear(4) |> log_softmax }
train Fit {
      input x: float[B, T, 3]
      input label: i32[B, L] < 4
      input frames: i32[B] < T + 1
      input length: i32[B] < L + 1
      minimize ctc(Net(x), label, frames, length)
      optimizer SGD(lr: 0.1)
}`,
  },
  {
    file: 'examples/design/resnet.nn',
    unit: 'Fit',
    sizes: { B: 2 },
    more: `
model Small(image: float[B, 3, 9, 8]) -> float[B, 4] {
      let x = image |> conv1: Conv2d(4, kernel: 3, stride: 2, pad: 1) |> bn1: BatchNorm |> relu |> max_pool(3, stride: 2, pad: 1)
      layer: repeat width in [4, 6] { x = Basic(width, stride: 2 where width > 4 else 1)(x) }
      let pooled[b, c] = mean[i, j] x[b, c, i, j]
      return pooled |> fc: Linear(4)
}
train Fit {
      input image: float[B, 3, 9, 8]
      input label: i32[B] < 4
      minimize cross_entropy(Small(image), label)
      optimizer SGD(lr: 0.01, momentum: 0.9)
}`,
  },
  // Rows shared by a workgroup, tiles of products with ragged edges, transposed operands in the gradient.
  {
    file: 'test/targets/wgsl/wide.nn',
    unit: 'Fit',
    sgd: true,
    sizes: { B: 67 },
  },
];
