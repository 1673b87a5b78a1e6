/** The prose of lints about what axes, probabilities and masks mean (NN13x, NN30x, NN40x). */
import type { Span } from '../../../grammar/ast.ts';
import type { LintProblems } from '../families/lint.ts';
import type { ProseTable } from '../problem.ts';
import { explain } from './prose.ts';

/** Those in `lint-idle.ts`. */
type Elsewhere = 'NN137' | 'NN138' | 'NN139' | 'NN140' | 'NN310' | 'NN311';
type Own = Extract<keyof LintProblems, `NN1${string}` | `NN3${string}` | `NN4${string}`>;
type Family = Pick<LintProblems, Exclude<Own, Elsewhere>>;

const here = (span: Span | null, label: string): readonly { span: Span; label: string }[] =>
  span === null ? [] : [{ span, label }];

export const lintMeaningProse: ProseTable<Family> = {
  NN130: {
    severity: 'warning',
    title: 'the batch merged into features',
    explain: explain(
      `A group merges the examples of a batch with other axes, and not as \`(b t)\` in front. What comes behind then mixes examples, and its parameters depend on
how many there are. Usually the batch should stay an axis of its own.`,
      `model M(x: float[B, 4, 8]) -> float[B, 4, 8] {
  let y[t, (b d)] = x[b, t, d]
  let z[b: B, t, d: 8] = y[t, (b d)]
  return z
}`,
      `model M(x: float[B, 4, 8]) -> float[B, 32] {
  let y[b, (t d)] = x[b, t, d]
  return y
}`,
    ),
    render: ({ index, size, group }) => ({
      message: `${group} merges the examples of the batch (\`${index}\`, ${size} of them) with other axes`,
      label: 'the batch',
      notes: ['what follows mixes examples; let the batch be an axis of its own, in front'],
    }),
  },
  NN131: {
    severity: 'warning',
    title: 'one group in two orders',
    explain: explain(
      `\`(h e)\` and \`(e h)\` are different orders of the same axis: in the first, the places of one head stand together, in the second those of one channel. Taking an
axis apart in one order and putting it together in the other reorders its elements. Where that is meant, do it in one equation, which reads one order and writes the
other.`,
      `model M(x: float[B, T, 12]) -> float[B, T, 12] {
  let y[b, h: 3, t, e] = x[b, t, (h e)]
  let z[b, t, (e h)] = 2 * y[b, h, t, e]
  return z
}`,
      `model M(x: float[B, T, 12]) -> float[B, T, 12] {
  let y[b, h: 3, t, e] = x[b, t, (h e)]
  let z[b, t, (h e)] = 2 * y[b, h, t, e]
  return z
}`,
    ),
    render: ({ group, other, otherSpan }) => ({
      message: `${group} here, ${other} elsewhere in this body: the elements of the axis change places`,
      label: 'another order',
      related: [{ span: otherSpan, label: 'the first order' }],
    }),
  },
  NN132: {
    severity: 'warning',
    title: 'a parameter whose shape depends on the data',
    explain: explain(
      `The size is known only when data arrive, and a parameter has it: weights saved for one length (or batch) do not fit another. Write the number, or a
\`const\`, in the type of the input, or contract over another axis.`,
      `model M(x: float[B, T]) -> float[B, 2] { return x |> Linear(2) }`,
      `const length = 16
model M(x: float[B, length]) -> float[B, 2] { return x |> Linear(2) }`,
    ),
    render: ({ model, size, declared, batch }) => ({
      message: batch
        ? `the weights of ${model} depend on the batch size ${size}: a batch of another size does not fit them`
        : `the weights of ${model} depend on ${size}, which only the data give`,
      label: `${size} becomes part of the weights`,
      related: here(declared, 'given by the data'),
      notes: [
        batch
          ? 'parameters belong to features, not to examples: an axis stands in the wrong place'
          : `if ${size} is always the same, write its number or a const`,
      ],
    }),
  },
  NN133: {
    severity: 'warning',
    title: 'a fixed number of rows',
    explain: explain(
      `Every input begins with a number, so each batch must have exactly so many rows, also the last one. A size (\`B\`) with \`batch B = …\` serves every number of rows.`,
      `train Fit {
  input x: float[64, 3]
  minimize mean((x |> Linear(1)) ^ 2)
  optimizer SGD()
}`,
      `train Fit {
  input x: float[B, 3]
  minimize mean((x |> Linear(1)) ^ 2)
  optimizer SGD()
  batch B = 64
}`,
    ),
    render: ({ input, type, rows }) => ({
      message: `every batch must have exactly ${rows} rows: \`${input}\` is ${type}`,
      label: 'a number where a size belongs',
      notes: [`write \`B\` for the number of rows and \`batch B = ${rows}\` for how many make a batch`],
    }),
  },
  NN134: {
    severity: 'warning',
    title: 'a class that does not exist',
    explain: explain(
      'An index is typed below the number of its classes, which count from 0. It never equals a number outside.',
      `metric rare(label: i32[B] < 10) -> float = mean[b] (label[b] == 10)`,
      `metric rare(label: i32[B] < 10) -> float = mean[b] (label[b] == 9)`,
    ),
    render: ({ index, bound, value, result }) => ({
      message: `\`${index}\` is below ${bound} and ${result === 'never' ? 'never' : 'always something else than'} ${value}`,
      label: `from 0 to ${Number(bound) - 1}`,
    }),
  },
  NN135: {
    severity: 'warning',
    title: 'a comment that looks like a division',
    explain: explain(
      '`//` begins a comment, so that `D // 2` is D. A division that rounds down is `floor(D / 2)`; `D / 2` is exact and must divide.',
      `block Half(x: float[B, D]) -> float[B, D] {
  let E = D // 2
  return x |> Linear(E) |> relu |> Linear(D)
}`,
      `block Half(x: float[B, D]) -> float[B, D] {
  require D > 1
  let E = floor(D / 2)
  return x |> Linear(E) |> relu |> Linear(D)
}`,
    ),
    render: ({ comment, dividend }) => ({
      message: `\`${comment}\` is a comment here, not a division: the value is ${dividend}`,
      label: 'begins a comment',
      notes: ['a division that rounds down is `floor(a / b)`'],
    }),
  },
  NN136: {
    severity: 'warning',
    title: 'axes in each other’s places',
    explain: explain(
      `The sizes fit, since a signature takes any; but the caller has an axis of the same name as one of the callee's, and gives it to another one. Attention
of [batch, time, heads, channels] where [batch, heads, time, channels] is declared attends from head to head. Let an equation put the axes in order.`,
      `fn f(q: float[B, T, H, E]) -> float[B, T, H, E] = attention(q, q, q)`,
      `fn f(q: float[B, T, H, E]) -> float[B, T, H, E] {
  let x[b, h, t, e] = q[b, t, h, e]
  let y = attention(x, x, x)
  let z[b, t, h, e] = y[b, h, t, e]
  return z
}`,
    ),
    render: ({ callee, first, second, expected, actual }) => ({
      message: `${callee} takes ${expected}, and this is ${actual}: its axis ${first} gets your ${second}`,
      label: `${first} is ${second}`,
      notes: ['an equation puts axes in order: `let y[b, h, t, e] = x[b, t, h, e]`'],
    }),
  },
  NN305: {
    severity: 'warning',
    title: 'a softmax over one value',
    explain: explain(
      `The softmax of one number is 1, and the cross-entropy of one class 0, whatever the network says: nothing is learnt. For a yes or no use a sigmoid
(\`binary_cross_entropy\` takes its logits), for classes an axis with one place for each.`,
      `model M(x: float[B, 8]) -> float[B, 1] { return x |> Linear(1) |> softmax }`,
      `model M(x: float[B, 8]) -> float[B, 1] { return x |> Linear(1) |> sigmoid }`,
    ),
    render: ({ what, axis }) => ({
      message: `${what} over ${axis === 'the last axis' ? axis : `\`${axis}\``}, which has one value: the result is always ${what.includes('entropy') || what.startsWith('log_') ? '0' : '1'}`,
      label: 'an axis of one',
      notes: ['for one probability take a sigmoid'],
    }),
  },
  NN306: {
    severity: 'warning',
    title: 'weights normalised along another axis',
    explain: explain(
      `Weights of an average must add up to 1 along the axis that is averaged over. A softmax over the other axis has the same shape and trains, to a worse end. Slot attention
does it on purpose and then normalises again along the summed axis.`,
      `fn attend(score: float[B, T, S], value: float[B, S, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[t] score[b, t, s]
  let y[b, t, d] = sum[s] weight[b, t, s] * value[b, s, d]
  return y
}`,
      `fn attend(score: float[B, T, S], value: float[B, S, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s] score[b, t, s]
  let y[b, t, d] = sum[s] weight[b, t, s] * value[b, s, d]
  return y
}`,
    ),
    render: ({ operator, normalised, summed, other, atSoftmax }) => ({
      message:
        operator === 'argmax'
          ? `these add up to 1 along \`${normalised}\`, and the greatest along \`${summed}\` is taken`
          : `these weights add up to 1 along \`${normalised}\`, and are summed along \`${summed}\``,
      label: `adds up to 1 along \`${normalised}\``,
      related: here(other, atSoftmax ? `used along \`${summed}\`` : 'normalised here'),
    }),
  },
  NN307: {
    severity: 'warning',
    title: 'a softmax over the batch',
    explain: explain(
      'The result for one example depends on which others share its batch, and differs when the network is used alone.',
      `model M(x: float[B, 8]) -> float[B, 8] {
  let p[b, c] = softmax[b] x[b, c]
  return p
}`,
      `model M(x: float[B, 8]) -> float[B, 8] {
  let p[b, c] = softmax[c] x[b, c]
  return p
}`,
    ),
    render: ({ index, size }) => ({
      message: `this softmax runs over \`${index}\`, the ${size} examples of the batch`,
      label: 'the batch',
    }),
  },
  NN308: {
    severity: 'warning',
    title: 'plain numbers where probabilities are due',
    explain: explain(
      'The result of an affine layer is any number, also negative or above 1. Losses of probabilities take its softmax or sigmoid, or better: their twins that take logits.',
      `train Fit {
  input x: float[B, 4]
  input target: float[B, 3]
  let p = x |> Linear(3)
  minimize categorical_cross_entropy(p, target)
  optimizer Adam()
  batch B = 8
}`,
      `train Fit {
  input x: float[B, 4]
  input target: float[B, 3]
  let p = x |> Linear(3)
  minimize soft_cross_entropy(p, target)
  optimizer Adam()
  batch B = 8
}`,
    ),
    render: ({ callee, parameter, layer, from, instead }) => ({
      message: `\`${parameter}\` of ${callee} takes probabilities, and this is the plain result of \`${layer}\``,
      label: 'any numbers',
      related: here(from, 'made here'),
      notes: instead === null ? [] : [`${instead} takes logits and is exact`],
    }),
  },
  NN403: {
    severity: 'warning',
    title: 'a mask with query and key exchanged',
    explain: explain(
      'In a softmax over s, s is the key: what may be attended to. A mask is told so by name: `keep(q: t, k: s)`.',
      `fn weights(score: float[T, S]) -> float[T, S] {
  let w[t, s] = softmax[s where causal(q: s, k: t)] score[t, s]
  return w
}`,
      `fn weights(score: float[T, S]) -> float[T, S] {
  let w[t, s] = softmax[s where causal(q: t, k: s)] score[t, s]
  return w
}`,
    ),
    render: ({ mask, given, index }) => ({
      message: `the softmax runs over \`${index}\`, so \`${index}\` is the key of ${mask}, and it is given as the query`,
      label: `\`q: ${given}\``,
    }),
  },
  NN404: {
    severity: 'warning',
    title: 'a mask that seems turned round',
    explain: explain(
      `In nnc a mask is true where a query may attend. In other systems it is often the other way round (true means: leave out), and data files follow either. A tensor
called \`padding\` that is true at the filling must be negated; \`k >= q\` shows only the future.`,
      `fn weights(score: float[B, T, S], padding_here: bool[B, S]) -> float[B, T, S] {
  let w[b, t, s] = softmax[s where padding_here[b, s]] score[b, t, s]
  return w
}`,
      `fn weights(score: float[B, T, S], padding_here: bool[B, S]) -> float[B, T, S] {
  let w[b, t, s] = softmax[s where not padding_here[b, s]] score[b, t, s]
  return w
}`,
    ),
    render: ({ name, why, condition }) => ({
      message:
        why === 'length'
          ? `\`${condition}\` takes what is behind the end of each row, and leaves out what is real`
          : why === 'given'
            ? `\`${name}\` is a mask, which is true where a query may attend, and it is negated`
            : why === 'future'
              ? `\`${condition}\` lets a position attend to what comes after it and not to what came before`
              : why === 'drop'
                ? `\`${name}\` sounds like what to leave out, and true means attend`
                : `\`${name}\` sounds like what may be attended to, and it is negated`,
      label: 'true means attend',
      notes: why === 'future' ? ['a causal mask is `k <= q`'] : [],
    }),
  },
  NN405: {
    severity: 'warning',
    title: 'a mask that leaves a row nothing',
    explain: explain(
      'Where every key is ruled out, all weights are 0 (not NaN), and so is what attention gives. With `k < q` that is the first position, which has nothing before it.',
      `mask past(q, k) = k < q
fn weights(score: float[T, S]) -> float[T, S] {
  let w[t, s] = softmax[s where past(q: t, k: s)] score[t, s]
  return w
}`,
      `mask past(q, k) = k <= q
fn weights(score: float[T, S]) -> float[T, S] {
  let w[t, s] = softmax[s where past(q: t, k: s)] score[t, s]
  return w
}`,
    ),
    render: ({ condition, row }) => ({
      message: `\`${condition}\` leaves ${row} position nothing to attend to: its weights are all 0`,
      label: `empty for ${row} position`,
    }),
  },
  NN406: {
    severity: 'warning',
    title: 'scores scaled by another width',
    explain: explain(
      `A sum over E products grows as sqrt(E). Dividing by the root of the model's width D instead of the width of a head makes the scores too small by sqrt(heads), and
attention too even.`,
      `fn scores(query: float[B, H, T, E], key: float[B, H, S, E]) -> float[B, H, T, S] {
  let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e] / sqrt(H * E)
  let w[b, h, t, s] = softmax[s] score[b, h, t, s]
  return w
}`,
      `fn scores(query: float[B, H, T, E], key: float[B, H, S, E]) -> float[B, H, T, S] {
  let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e] / sqrt(E)
  let w[b, h, t, s] = softmax[s] score[b, h, t, s]
  return w
}`,
    ),
    render: ({ scale, width, indices }) => ({
      message: `the scores sum over \`${indices}\` (${width} products) and are scaled by the root of ${scale}`,
      label: `${scale} is not ${width}`,
    }),
  },
  NN407: {
    severity: 'warning',
    title: 'scores without a scale, or with two',
    explain: explain(
      'A sum over E products grows as sqrt(E); unscaled, the softmax saturates and its gradient vanishes. Dividing once by sqrt(E) is enough.',
      `fn weights(query: float[B, H, T, E], key: float[B, H, S, E]) -> float[B, H, T, S] {
  let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e]
  let w[b, h, t, s] = softmax[s] score[b, h, t, s]
  return w
}`,
      `fn weights(query: float[B, H, T, E], key: float[B, H, S, E]) -> float[B, H, T, S] {
  let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e] / sqrt(E)
  let w[b, h, t, s] = softmax[s] score[b, h, t, s]
  return w
}`,
    ),
    render: ({ times, width, first }) => ({
      message:
        times === 0
          ? `nothing scales these scores: they grow as the root of ${width}`
          : times < 0
            ? `a mean divides these scores by ${width} already, and they are divided by its root, too`
            : `these scores are divided by the root of ${width} ${times === 2 ? 'twice' : `${times} times`}`,
      label: times === 0 ? `${width} products` : times < 0 ? '`sum`?' : 'again',
      related: here(first, times < 0 ? 'scaled again' : 'the first time'),
    }),
  },
  NN408: {
    severity: 'warning',
    title: 'a mask of queries alone',
    explain: explain(
      `A padding mask says which keys are real. One over q empties the rows of padded queries and leaves padded keys visible to all others. The position is called k.`,
      `mask real(length: i32[B])(b, q) = q < length[b]
model M(x: float[B, T, 8], length: i32[B] < T + 1) -> float[B, T, 8] {
  return x |> MultiHeadAttention(2, real(length))
}`,
      `mask real(length: i32[B])(b, k) = k < length[b]
model M(x: float[B, T, 8], length: i32[B] < T + 1) -> float[B, T, 8] {
  return x |> MultiHeadAttention(2, real(length))
}`,
    ),
    render: ({ mask }) => ({
      message: `${mask} speaks of queries and not of keys: padded keys stay visible`,
      label: 'no position `k`',
    }),
  },
  NN309: {
    severity: 'warning',
    title: 'a mean of what is already averaged',
    explain: explain(
      `Weights that add up to 1 along an axis make an average by a sum along it. A mean along the same axis divides once more, by the number of places: with attention over a
thousand keys the result is a thousand times too small, and nothing says so.`,
      `block Attend(x: float[B, T, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s] (sum[d] x[b, t, d] * x[b, s, d] / sqrt(D))
  let y[b, t, d] = mean[s] weight[b, t, s] * x[b, s, d]
  return y
}`,
      `block Attend(x: float[B, T, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s] (sum[d] x[b, t, d] * x[b, s, d] / sqrt(D))
  let y[b, t, d] = sum[s] weight[b, t, s] * x[b, s, d]
  return y
}`,
    ),
    render: ({ index, weights, from }) => ({
      message: `\`${weights}\` adds up to 1 along \`${index}\`, and the mean divides by their number once more`,
      label: 'a sum is the average here',
      related: here(from, 'normalised here'),
    }),
  },
  NN409: {
    severity: 'warning',
    title: 'causal by name only',
    explain: explain(
      `What is called causal lets a position see itself and those before it. A softmax over all keys also sees what comes after: training looks excellent, since the next token
can be read off, and generating fails.`,
      `block CausalMix(x: float[B, T, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s] (sum[d] x[b, t, d] * x[b, s, d] / sqrt(D))
  let y[b, t, d] = sum[s] weight[b, t, s] * x[b, s, d]
  return y
}`,
      `block CausalMix(x: float[B, T, D]) -> float[B, T, D] {
  let weight[b, t, s] = softmax[s where s <= t] (sum[d] x[b, t, d] * x[b, s, d] / sqrt(D))
  let y[b, t, d] = sum[s] weight[b, t, s] * x[b, s, d]
  return y
}`,
    ),
    render: ({ name, key, query }) => ({
      message: `${name} is called causal, and its softmax over \`${key}\` sees positions after \`${query}\``,
      label: 'every position',
      notes: [`a guard keeps it to what came before: \`softmax[${key} where ${key} <= ${query}]\``],
    }),
  },
};
