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
];
