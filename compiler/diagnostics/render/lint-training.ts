/** The prose of lints about training and numbers (NN60x), and of the levels themselves (NN78x). */
import type { LintProblems } from '../families/lint.ts';
import type { ProseTable } from '../problem.ts';
import { didYouMean, explain, quoted } from './prose.ts';

type Family = Pick<LintProblems, Extract<keyof LintProblems, `NN60${string}` | `NN7${string}`>>;

const directive = (line: string): string => `model M(x: float[B, 8]) -> float[B, 4] {
  ${line}
  return x |> Linear(16) |> Linear(4)
}`;

export const lintTrainingProse: ProseTable<Family> = {
  NN602: {
    severity: 'warning',
    title: 'a parameter that nothing teaches',
    explain: explain(
      `The loss does not depend on the parameter, or only through something without a derivative: argmax, a comparison, an index, rounding. It keeps its
initial value.`,
      `train Fit {
  input x: float[B, 4]
  input y: float[B]
  let h = x |> Linear(8)
  let best[b] = argmax[c] h[b, c]
  let z = x |> Linear(1)
  minimize mean[b] (z[b, 0] - y[b] + float(best[b])) ^ 2
  optimizer Adam()
  batch B = 8
}`,
      `train Fit {
  input x: float[B, 4]
  input y: float[B]
  let h = x |> Linear(8)
  let most[b] = max[c] h[b, c]
  let z = x |> Linear(1)
  minimize mean[b] (z[b, 0] - y[b] + most[b]) ^ 2
  optimizer Adam()
  batch B = 8
}`,
    ),
    render: ({ names, why, train, by, bySpan }) => ({
      message:
        why === 'unreached'
          ? `what \`${train}\` minimises does not depend on ${quoted(names)}: nothing is learnt here`
          : `${quoted(names)} ${names.length === 1 ? 'gets' : 'get'} no gradient in \`${train}\`: the loss depends on ${names.length === 1 ? 'it' : 'them'} only through ${by ?? 'something without a derivative'}`,
      label: 'keeps its initial values',
      related: bySpan === null ? [] : [{ span: bySpan, label: 'no derivative passes here' }],
    }),
  },
  NN603: {
    severity: 'warning',
    title: 'something declared that nothing reads',
    explain: explain(
      'A parameter, an argument or an input that nothing reads is a slip or a leftover. A name that begins with `_` says that it is meant.',
      `block Scale(x: float[B, D]) -> float[B, D] {
  param weight: float[D] = 1
  param bias: float[D] = 0
  return x * weight
}`,
      `block Scale(x: float[B, D]) -> float[B, D] {
  param weight: float[D] = 1
  param bias: float[D] = 0
  return x * weight + bias
}`,
    ),
    render: ({ name, what }) => ({ message: `nothing reads the ${what} \`${name}\``, label: 'unused' }),
  },
  NN604: {
    severity: 'warning',
    title: 'two affine layers in a row',
    explain: explain(
      `W2 (W1 x + b1) + b2 is one affine map: the second layer adds parameters and nothing that the first could not say. Usually an activation is missing. A narrow layer between two
wide ones is a factorised matrix and is left alone.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> Linear(4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
    ),
    render: ({ first, second, firstSpan }) => ({
      message: `\`${second}\` follows \`${first}\` with nothing between: together they are one affine layer`,
      label: 'affine again',
      related: [{ span: firstSpan, label: 'the layer before' }],
      notes: ['an activation belongs between, as `relu`'],
    }),
  },
  NN605: {
    severity: 'warning',
    title: 'normalisation of one value',
    explain: explain(
      'A value minus its own mean is 0: the layer gives its bias, whatever comes in. Normalise over an axis with more values; batch normalisation needs more than one row.',
      `model M(x: float[B, 8]) -> float[B, 1] { return x |> Linear(1) |> LayerNorm }`,
      `model M(x: float[B, 8]) -> float[B, 1] { return x |> LayerNorm |> Linear(1) }`,
    ),
    render: ({ layer, over, shape }) => ({
      message: `${layer} normalises over ${over}, which ${over.includes(' and ') ? 'have' : 'has'} one value in ${shape}: the result is constant`,
      label: 'one value',
    }),
  },
  NN606: {
    severity: 'warning',
    title: 'a rate out of range',
    explain: explain(
      'Learning rates, moments, decays and dropout rates have ranges in which they work. Optimizers that divide by the size of the gradient (Adam and its kin) take steps of about the rate itself.',
      `train Fit {
  input x: float[B, 4]
  minimize mean((x |> Linear(1)) ^ 2)
  optimizer Adam(lr: 3)
  batch B = 8
}`,
      `train Fit {
  input x: float[B, 4]
  minimize mean((x |> Linear(1)) ^ 2)
  optimizer Adam(lr: 3e-3)
  batch B = 8
}`,
    ),
    render: ({ name, of, value, range, then }) => ({
      message: `\`${name}\` of ${of} is ${value}; it works ${range}`,
      label: range,
      notes: [then],
    }),
  },
  NN607: {
    severity: 'warning',
    title: 'an epsilon that does not work',
    explain: explain(
      'Programs compute in single precision: below 1.2e-38 a number is (nearly) nothing, and protects from nothing. One of 0.05 or more changes the result it should only protect.',
      `fn f(x: float[N]) -> float[N] = log(x + 1e-60)`,
      `fn f(x: float[N]) -> float[N] = log(x + 1e-12)`,
    ),
    render: ({ value, why, least }) => ({
      message:
        why === 'zero'
          ? `${value} is nothing in single precision: it protects from nothing`
          : `${value} is large for an epsilon: it changes what it should protect`,
      label: why === 'zero' ? `less than ${least}` : 'large',
    }),
  },
  NN608: {
    severity: 'warning',
    title: 'an initialiser for another activation',
    explain: explain(
      `Kaiming's initialisers are sqrt(2) larger, because a rectifier loses half of the variance. Before tanh or a sigmoid that only saturates; Xavier's are made for them.`,
      `block Cell(x: float[B, D]) -> float[B, D] {
  param w: float[D, D] = kaiming_normal()
  let y[b, o] = tanh(sum[d] x[b, d] * w[o, d])
  return y
}`,
      `block Cell(x: float[B, D]) -> float[B, D] {
  param w: float[D, D] = xavier_normal()
  let y[b, o] = tanh(sum[d] x[b, d] * w[o, d])
  return y
}`,
    ),
    render: ({ initialiser, activation, parameter }) => ({
      message: `${initialiser} is made for rectifiers, and \`${parameter}\` feeds ${activation}`,
      label: 'too large by sqrt(2)',
      notes: [`a gain of 1, as in \`${initialiser}(1)\`, says that it is meant`],
    }),
  },
  NN609: {
    severity: 'warning',
    title: 'an initialiser that counts the wrong inputs',
    explain: explain(
      `Initialisers take their sizes from the parameter: the last axis holds the inputs, as everywhere in the library ([out, in]). Where the sum runs over the first axis, the scale
comes from the outputs.`,
      `block Layer(out: int)(x: float[B, D]) -> float[B, out] {
  param w: float[D, out] = kaiming_normal()
  let y[b, o] = sum[d] x[b, d] * w[d, o]
  return relu(y)
}`,
      `block Layer(out: int)(x: float[B, D]) -> float[B, out] {
  param w: float[out, D] = kaiming_normal()
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return relu(y)
}`,
    ),
    render: ({ initialiser, parameter, index }) => ({
      message: `${initialiser} takes the last axis of \`${parameter}\` for its inputs, and the sum runs over \`${index}\`, the first`,
      label: 'scaled by the outputs',
    }),
  },
  NN780: {
    severity: 'warning',
    title: 'an `allow` without a reason',
    explain: explain(
      'Whoever reads the program next should know why the report was wrong here: `because` and a few words.',
      directive('// nnc: allow(NN604)'),
      directive('// nnc: allow(NN604) because the product of two matrices is what is studied'),
    ),
    render: ({ codes }) => ({
      message: `say why ${quoted(codes)} ${codes.length === 1 ? 'is' : 'are'} allowed: \`… because …\``,
      label: 'no reason',
    }),
  },
  NN781: {
    severity: 'warning',
    title: 'a level for something that has none',
    explain: explain(
      'Levels are for lints and for reports about what values mean; errors of sizes, names and syntax have none. The lints are listed in docs/errors.',
      directive('// nnc: allow(NN604, NN699) because the product of two matrices is what is studied'),
      directive('// nnc: allow(NN604) because the product of two matrices is what is studied'),
    ),
    render: ({ name, suggestion, exists }) => ({
      message: exists
        ? `${name} is no matter of levels: it is always an error`
        : `there is no lint ${name}${didYouMean(suggestion)}`,
      label: 'has no level',
    }),
  },
  NN782: {
    severity: 'warning',
    title: 'an `allow` that allows nothing',
    explain: explain(
      'Nothing of the kind is found where it stands, so it only hides what may come later. Remove it.',
      `// nnc: allow(NN604) because the product of two matrices is what is studied
model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
    ),
    render: ({ code, where }) => ({
      message: `no ${code} is found ${where === 'file' ? 'in this file' : 'here'}: this \`allow\` allows nothing`,
      label: 'idle',
    }),
  },
  NN783: {
    severity: 'warning',
    title: 'a directive that cannot be read',
    explain: explain(
      `The forms are \`// nnc: allow(CODE, …) because …\`, before a statement or behind it, \`// nnc: allow-file(CODE) because …\` before the first declaration of a file, and the same with
\`warn\` and \`deny\`, which need no reason.`,
      `// nnc: ignore NN604
model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
      `// nnc: deny(NN604)
model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> relu |> Linear(4) }`,
    ),
    render: ({ text }) => ({
      message: `\`${text}\` cannot be read as a level`,
      label: 'write `nnc: allow(CODE) because …`',
      notes: ['`allow-file(…)`, `warn-file(…)` and `deny-file(…)` stand before the first declaration'],
    }),
  },
};
