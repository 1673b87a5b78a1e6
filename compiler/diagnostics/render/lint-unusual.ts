/** The prose of lints about formulas and chains that do what nobody writes on purpose (NN610 ...). */
import type { LintProblems } from '../families/lint.ts';
import type { ProseTable } from '../problem.ts';
import { explain } from './prose.ts';

type Family = Pick<LintProblems, 'NN610' | 'NN611' | 'NN612' | 'NN613' | 'NN614' | 'NN615' | 'NN616' | 'NN617'>;

export const lintUnusualProse: ProseTable<Family> = {
  NN610: {
    severity: 'warning',
    title: 'a sum that is -inf at the border',
    explain: explain(
      `\`else -inf\` outside of a tensor is right for a maximum, which it never wins. In a sum or a mean one such place makes the result -inf, and the loss NaN. Outside of what is
summed stands 0.`,
      `fn blur(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = sum[p: 3] (x[b, t + p - 1] else -inf)
  return y
}`,
      `fn blur(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = sum[p: 3] (x[b, t + p - 1] else 0)
  return y
}`,
    ),
    render: ({ operator, outside }) => ({
      message: `this ${operator} is -inf wherever it reaches outside of the tensor`,
      label: `a ${operator}`,
      related: [{ span: outside, label: 'one such place is enough' }],
    }),
  },
  NN611: {
    severity: 'warning',
    title: 'a root that may be of something negative',
    explain: explain(
      `A small number is added to squares so that their root has a slope at 0. Subtracted it makes the argument negative exactly there, and the root NaN.`,
      `fn length(x: float[B, D]) -> float[B] {
  let y[b] = sqrt((sum[d] x[b, d] ^ 2) - 1e-12)
  return y
}`,
      `fn length(x: float[B, D]) -> float[B] {
  let y[b] = sqrt((sum[d] x[b, d] ^ 2) + 1e-12)
  return y
}`,
    ),
    render: ({ function: f, small }) => ({
      message: `\`${f}\` of squares less ${small} is NaN where they are 0`,
      label: 'negative at 0',
    }),
  },
  NN612: {
    severity: 'warning',
    title: 'an average whose weights add up to more than 1',
    explain: explain(
      `A running average gives the old value the weight \`beta\` and the new one \`1 - beta\`. With \`1 + beta\` every step makes it larger, and it grows without end.`,
      `optimizer Mine(lr: schedule = 0.01, beta: float = 0.9)(w: f32[...S], g: f32[...S]) {
  state v: f32[...S] = 0
  v = beta * v + (1 + beta) * g
  w -= lr * v
}`,
      `optimizer Mine(lr: schedule = 0.01, beta: float = 0.9)(w: f32[...S], g: f32[...S]) {
  state v: f32[...S] = 0
  v = beta * v + (1 - beta) * g
  w -= lr * v
}`,
    ),
    render: ({ weight }) => ({
      message: `the weights \`${weight}\` and \`1 + ${weight}\` add up to more than 1`,
      label: 'this grows in every step',
    }),
  },
  NN613: {
    severity: 'warning',
    title: 'a stage twice in a row',
    explain: explain(
      `The same activation, dropout or normalisation directly after itself is mostly a layer that fell out between them, or a line that was copied once too often. \`relu\` twice is
\`relu\`; \`tanh\` twice only flattens; \`Dropout(0.1)\` twice drops 19 %.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> tanh |> tanh |> Linear(4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> tanh |> Linear(4) }`,
    ),
    render: ({ stage, first }) => ({
      message: `\`${stage}\` stands directly after \`${stage}\``,
      label: 'once more',
      related: [{ span: first, label: 'once' }],
      notes: ['either one is too many, or a layer is missing between them'],
    }),
  },
  NN614: {
    severity: 'warning',
    title: 'outputs that nothing reads',
    explain: explain(
      `A layer has as many outputs as it says. Where only some are read, the others cost parameters that never learn, and often a place was meant that is not there.`,
      `model Score(x: float[B, 8]) -> float[B] {
  let y = x |> Linear(2)
  let score[b] = y[b, 0]
  return score
}`,
      `model Score(x: float[B, 8]) -> float[B] {
  let y = x |> Linear(1)
  let score[b] = y[b, 0]
  return score
}`,
    ),
    render: ({ layer, width, read }) => ({
      message: `of the ${width} outputs of \`${layer}\` only ${read.length === 1 ? `number ${read[0]!} is` : `${read.join(', ')} are`} read`,
      label: `${width} outputs`,
      notes: ['places count from 0'],
    }),
  },
  NN615: {
    severity: 'warning',
    title: 'rows of an embedding that no index reaches',
    explain: explain(
      `An index has a bound, and an embedding one row for each of its values. Rows beyond the bound are never read and never learn; mostly one of the two numbers is wrong.`,
      `model Words(token: i32[B, T] < 100) -> float[B, T, 16] { return Embedding(101, 16)(token) }`,
      `model Words(token: i32[B, T] < 100) -> float[B, T, 16] { return Embedding(100, 16)(token) }`,
    ),
    render: ({ rows, below }) => ({
      message: `the embedding has ${rows} rows, and its index is below ${below}`,
      label: 'the last rows are never read',
    }),
  },
  NN616: {
    severity: 'warning',
    title: 'an activation on the input of a model',
    explain: explain(
      `An activation stands behind a layer. Directly on the input it throws away what the data say (\`relu\` all that is negative, \`tanh\` all that is large); mostly a layer before it
fell out.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> relu |> Linear(4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
    ),
    render: ({ activation, input }) => ({
      message: `\`${activation}\` is the first thing that happens to \`${input}\``,
      label: 'on the raw input',
      notes: ['either a layer is missing before it, or it is one too many'],
    }),
  },
  NN617: {
    severity: 'warning',
    title: 'windows that do not fit their places',
    explain: explain(
      `With stride 1 and padding, a kernel of odd size has a middle: \`kernel: 3, pad: 1\` keeps the size. An even one has none, so the result is shifted by half a place and one
smaller or larger. A pool whose stride is larger than its window never looks at the places between.`,
      `model M(x: float[B, 1, 8, 8]) -> float[B, 4, 7, 7] { return x |> Conv2d(4, kernel: 4, pad: 1) }`,
      `model M(x: float[B, 1, 8, 8]) -> float[B, 4, 8, 8] { return x |> Conv2d(4, kernel: 3, pad: 1) }`,
    ),
    render: ({ layer, kernel, stride, pad }) => ({
      message:
        stride === null
          ? `${layer} with an even kernel of ${kernel} and padding ${pad} has no middle: its result is shifted`
          : `${layer} looks at ${kernel} places of every ${stride}: the others are never read`,
      label: stride === null ? 'an odd kernel has a middle' : 'larger than the window',
    }),
  },
};
