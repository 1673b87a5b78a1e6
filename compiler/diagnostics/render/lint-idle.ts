/** The prose of lints about what is taken for something else, or does nothing: axes, kinds of elements, copies, widths (NN137 ..., NN310 ..., NN618 ...). */
import type { LintProblems } from '../families/lint.ts';
import type { ProseTable } from '../problem.ts';
import { explain } from './prose.ts';

type Family = Pick<
  LintProblems,
  'NN137' | 'NN138' | 'NN139' | 'NN140' | 'NN310' | 'NN311' | 'NN618' | 'NN619' | 'NN620' | 'NN621' | 'NN622'
>;

export const lintIdleProse: ProseTable<Family> = {
  NN137: {
    severity: 'warning',
    title: 'two indices that run over each other’s axes',
    explain: explain(
      `Where an \`else\` says what stands outside, or two sizes happen to be equal, a read may have its indices exchanged and still be legal. The names tell: one index runs over the
size of the other's axis, and that one over the size of the first; or a letter runs over an axis that another letter has everywhere else in the body.`,
      `fn shift(x: float[B, W, H], rows: int) -> float[B, H, W] {
  let y[b, i: H, j: W] = x[b, i - rows, j] else 0
  return y
}`,
      `fn shift(x: float[B, W, H], rows: int) -> float[B, H, W] {
  let y[b, i: H, j: W] = x[b, j, i - rows] else 0
  return y
}`,
    ),
    render: ({ read, first, second, firstRuns, secondRuns, elsewhere, how }) => ({
      message:
        how === 'axes'
          ? `in \`${read}\` the index \`${first}\` runs over ${firstRuns} and \`${second}\` over ${secondRuns}, each on the other's axis`
          : `in \`${read}\` the letter \`${first}\` runs over ${firstRuns} and \`${second}\` over ${secondRuns}: elsewhere in this body it is the other way round`,
      label: 'exchanged?',
      related: elsewhere === null ? [] : [{ span: elsewhere, label: 'does not go with this' }],
    }),
  },
  NN138: {
    severity: 'warning',
    title: 'one part of an axis read as the whole of it',
    explain: explain(
      `\`(h e)\` takes an axis apart into heads and what is in each. With \`e\` alone, \`e\` runs over the whole axis and nothing tells the heads apart: each holds the same.`,
      `fn heads(x: float[B, T, D], y: float[B, T, D], n: int) -> float[B, n, T, T] {
  require D % n == 0
  let q[b, h: n, t, e] = x[b, t, e]
  let k[b, h: n, t, e] = y[b, t, (h e)]
  let score[b, h, t, s] = sum[e: D / n] (q[b, h, t, e] * k[b, h, s, e])
  return score
}`,
      `fn heads(x: float[B, T, D], y: float[B, T, D], n: int) -> float[B, n, T, T] {
  require D % n == 0
  let q[b, h: n, t, e] = x[b, t, (h e)]
  let k[b, h: n, t, e] = y[b, t, (h e)]
  let score[b, h, t, s] = sum[e: D / n] (q[b, h, t, e] * k[b, h, s, e])
  return score
}`,
    ),
    render: ({ letter, group, idle, elsewhere }) => ({
      message: `\`${letter}\` alone runs over the whole axis, so that every \`${idle}\` holds the same; elsewhere the axis is \`${group}\``,
      label: `\`${group}\`?`,
      related: [{ span: elsewhere, label: 'taken apart here' }],
    }),
  },
  NN139: {
    severity: 'warning',
    title: 'an input transposed while it is made flat',
    explain: explain(
      `\`(i j)\` of \`image[b, i, j]\` keeps the order in which the data lie, as \`flatten\` does. \`(j i)\` puts columns before rows: legal, silent, and different from what every other
program does with the same data and weights.`,
      `model Net(image: float[B, 28, 28]) -> float[B, 10] {
  let x[b, (j i)] = image[b, i, j]
  return x |> Linear(10)
}`,
      `model Net(image: float[B, 28, 28]) -> float[B, 10] {
  let x[b, (i j)] = image[b, i, j]
  return x |> Linear(10)
}`,
    ),
    render: ({ group, read, other, at }) => ({
      message: `\`${group}\` makes \`${read}\` flat in the reverse of its order`,
      label: 'transposes',
      related: [{ span: other, label: at === 'group' ? 'lies in this order' : 'made flat in this one' }],
    }),
  },
  NN140: {
    severity: 'warning',
    title: 'two arguments that bear each other’s names',
    explain: explain(
      `Arguments without a name go by their places. Where a value is given to one parameter and has the name of another, which gets something else, the two were probably exchanged.`,
      `loss mine(logits: float[B, C], target: float[B, C]) -> float = mean((logits - target) ^ 2 * target)
metric error(logits: float[B, C], target: float[B, C]) -> float = mine(target, logits)`,
      `loss mine(logits: float[B, C], target: float[B, C]) -> float = mean((logits - target) ^ 2 * target)
metric error(logits: float[B, C], target: float[B, C]) -> float = mine(logits, target)`,
    ),
    render: ({ callee, first, second }) => ({
      message: `${callee} gets \`${first}\` for its \`${second}\`, and has a parameter \`${first}\` that gets something else`,
      label: 'exchanged?',
    }),
  },
  NN310: {
    severity: 'warning',
    title: 'a float compared with an index for equality',
    explain: explain(
      `A label is the number of a class. A score is hardly ever equal to it; the number of the greatest score, \`argmax\`, may be.`,
      `metric right(logits: float[B, C], label: i32[B] < C) -> float = mean[b] ((max[c] logits[b, c]) == label[b])`,
      `metric right(logits: float[B, C], label: i32[B] < C) -> float = mean[b] ((argmax[c] logits[b, c]) == label[b])`,
    ),
    render: ({ value, index }) => ({
      message: `\`${value}\` is a float, and \`${index}\` is the number of a class: they are hardly ever equal`,
      label: 'a float',
    }),
  },
  NN311: {
    severity: 'warning',
    title: 'whole numbers that are only used as floats',
    explain: explain(
      `A parameter of type \`i32\` can be given whole numbers alone. Where all that is done with it is arithmetic of floats, callers that have floats are refused for nothing. What counts or
picks something is compared, used as an index, or has a bound: \`i32[B] < n\`. If whole numbers are meant, \`float(x)\` says so.`,
      `fn shrink(x: i32[...S]) -> float[...S] = x - tanh(x)`,
      `fn shrink(x: float[...S]) -> float[...S] = x - tanh(x)`,
    ),
    render: ({ name, owner }) => ({
      message: `\`${name}\` of ${owner} takes whole numbers alone, and all that is done with it is arithmetic of floats`,
      label: '`float`?',
    }),
  },
  NN618: {
    severity: 'warning',
    title: 'a value that is another under a second name',
    explain: explain(
      `A \`let\` that only gives a tensor a second name, place for place, does nothing. Mostly an operation was to stand there: a layer, a softmax, a scale.`,
      `fn attend(score: float[B, T, S], value: float[B, S, D]) -> float[B, T, D] {
  let weight[b, t, s] = score[b, t, s]
  let y[b, t, d] = sum[s] weight[b, t, s] * value[b, s, d]
  return y
}`,
      `fn attend(score: float[B, T, S], value: float[B, S, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s] score[b, t, s]
  let y[b, t, d] = sum[s] weight[b, t, s] * value[b, s, d]
  return y
}`,
    ),
    render: ({ name, of, how, other }) => ({
      message:
        how === 'copy'
          ? `\`${name}\` is \`${of}\` under another name: nothing is done to it`
          : `\`${name}\` is computed as \`${of}\` is: they are the same`,
      label: how === 'copy' ? 'is something missing here?' : 'the same again',
      related: other === null ? [] : [{ span: other, label: 'here for the first time' }],
    }),
  },
  NN619: {
    severity: 'warning',
    title: 'the greatest or least of one number',
    explain: explain(
      `\`max(a, b)\` is the greater of two numbers. Of one number it is the number itself: the bound that it was to be held against is missing.`,
      `schedule falling(peak: float, total: int)(step) = peak * max(1 - step / total)`,
      `schedule falling(peak: float, total: int)(step) = peak * max(0, 1 - step / total)`,
    ),
    render: ({ function: f, of }) => ({
      message: `\`${f}\` of the one number \`${of}\` is that number`,
      label: 'against what?',
    }),
  },
  NN620: {
    severity: 'warning',
    title: 'a range that is empty',
    explain: explain(
      `\`uniform(low, high)\` draws from low to high. With the ends exchanged the sign of what is drawn is turned round, and its gradient with respect to the ends; with equal ends nothing is
random.`,
      `block Scale(x: float[B, D]) -> float[B, D] {
  param weight: float[D] = uniform(1, -1)
  return x * weight
}`,
      `block Scale(x: float[B, D]) -> float[B, D] {
  param weight: float[D] = uniform(-1, 1)
  return x * weight
}`,
    ),
    render: ({ low, high }) => ({
      message: `the range from ${low} to ${high} is empty`,
      label: 'the lower end comes first',
    }),
  },
  NN621: {
    severity: 'warning',
    title: 'a width that is off by one',
    explain: explain(
      `Widths of hidden layers are free, and are chosen round or by name. One of 65, or of \`width + 1\`, that nothing else in the file has too, is most often a slip; and sizes beside a power of
two are slower. Where it is meant, give it a name (\`const bins = 257\`).`,
      `model Net(x: float[B, 784]) -> float[B, 10] { x |> Linear(65) |> relu |> Linear(10) }`,
      `model Net(x: float[B, 784]) -> float[B, 10] { x |> Linear(64) |> relu |> Linear(10) }`,
    ),
    render: ({ width, round }) => ({
      message: `a width of \`${width}\` is one beside \`${round}\`, and nothing else in the file has it`,
      label: `\`${round}\`?`,
    }),
  },
  NN622: {
    severity: 'warning',
    title: 'a const or block that nothing uses',
    explain: explain(
      `In a file that has a model or a \`train\` block, the one const or block that nothing mentions is a leftover, or was to stand where something else does. A name that begins with \`_\` says that it
is meant.`,
      `const width = 32
model Net(x: float[B, 8]) -> float[B, 4] { x |> Linear(16) |> relu |> Linear(4) }`,
      `const width = 32
model Net(x: float[B, 8]) -> float[B, 4] { x |> Linear(width) |> relu |> Linear(4) }`,
    ),
    render: ({ name, what }) => ({ message: `nothing in this file uses the ${what} \`${name}\``, label: 'unused' }),
  },
};
