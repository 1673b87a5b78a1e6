/** The prose of sizes and shapes (NN101 to NN110). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { explain, places, stateIt, table, verdict } from './prose.ts';

type Family = Pick<CheckProblems, Extract<keyof CheckProblems, `NN10${string}` | 'NN110'>>;

export const shapesProse: ProseTable<Family> = {
  NN101: {
    severity: 'error',
    title: 'an argument of another size than the call needs',
    explain: explain(
      `A call matches the shapes of its arguments against the signature. A size name stands for one size in one call: where it stands twice, both
axes must be that size. Sizes with different names are different unless something states that they are equal; that two happen to be 4 is no reason.`,
      `fn add(a: float[B, D], b: float[B, D]) -> float[B, D] = a + b
model M(x: float[B, 8], y: float[B, 9]) -> float[B, 8] { add(x, y) }`,
      `fn add(a: float[B, D], b: float[B, D]) -> float[B, D] = a + b
model M(x: float[B, 8], y: float[B, 8]) -> float[B, 8] { add(x, y) }`,
    ),
    render: ({ callee, parameter, expected, actual, shapes, judgement, chain }) => ({
      message: `\`${parameter}\` of ${callee} has an axis of ${actual} where ${expected} is needed`,
      label: `${actual} here, ${expected} needed`,
      related: places(chain),
      notes: [
        table(shapes),
        ...verdict(judgement, `${actual} == ${expected}`),
        ...stateIt(judgement, `${actual} == ${expected}`),
      ],
    }),
  },
  NN102: {
    severity: 'error',
    title: 'an index with two extents',
    explain: explain(
      `An index of an equation has one extent. It is written (\`h: heads\`) or taken from a read where the index stands alone, and then it is exactly that
axis. Two axes of different size cannot share an index. A written extent may be a part of an axis.`,
      `model M(x: float[B, 8], w: float[10, 9]) -> float[B, 10] {
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return y
}`,
      `model M(x: float[B, 8], w: float[10, 8]) -> float[B, 10] {
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return y
}`,
    ),
    render: ({ index, first, firstSpan, second, judgement, chain }) => ({
      message: `index \`${index}\` has two extents: ${first} and ${second}`,
      label: `${second} here`,
      related: [...(firstSpan === null ? [] : [{ span: firstSpan, label: `${first} here` }]), ...places(chain)],
      notes: [...verdict(judgement, `${first} == ${second}`), ...stateIt(judgement, `${first} == ${second}`)],
    }),
  },
  NN103: {
    severity: 'error',
    title: 'a read that may leave its tensor',
    explain: explain(
      `A read must be provably inside, or its index typed below the extent (\`i32[B] < vocab\`), or an \`else\` must say what stands outside: padding,
shifting and concatenation are written that way.`,
      `fn previous(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = x[b, t - 1]
  return y
}`,
      `fn previous(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = x[b, t - 1] else 0
  return y
}`,
    ),
    render: ({ tensor, axis, index, extent, side, judgement, chain }) => ({
      message:
        side === 'data'
          ? `\`${index}\` is data that may lie outside \`${tensor}\`, whose axis ${axis} has ${extent} places`
          : `\`${index}\` ${judgement.kind === 'refuted' ? 'lies' : 'may lie'} ${side === 'below' ? 'before the first' : 'behind the last'} place of \`${tensor}\`, whose axis ${axis} has ${extent}`,
      label:
        side === 'data'
          ? `must be typed below ${extent}`
          : judgement.kind === 'refuted'
            ? 'outside'
            : side === 'below'
              ? 'may be negative'
              : `may reach ${extent}`,
      related: places(chain),
      notes: [
        ...(side === 'data'
          ? [`declare the indices as \`i32[…] < ${extent}\`, or say with \`else\` what stands outside`]
          : verdict(judgement, side === 'below' ? `${index} >= 0` : `${index} < ${extent}`)),
        ...(side === 'data' ? [] : ['`else` says what stands outside: `(x[…] else 0)`']),
      ],
    }),
  },
  NN104: {
    severity: 'error',
    title: 'an index without an extent',
    explain: explain(
      `Every index needs an extent: write it (\`t: T\`), or read a tensor with the index alone in its place. A sum or a quotient of indices gives none.`,
      `fn double(x: float[N]) -> float[2 * N] {
  let y[i] = x[floor(i / 2)]
  return y
}`,
      `fn double(x: float[N]) -> float[2 * N] {
  let y[i: 2 * N] = x[floor(i / 2)]
  return y
}`,
    ),
    render: ({ index }) => ({
      message: `nothing gives index \`${index}\` an extent`,
      label: 'how far does it go?',
      notes: [`write it: \`${index}: N\`; or read a tensor with \`${index}\` alone in one of its places`],
    }),
  },
  NN105: {
    severity: 'error',
    title: 'a group that does not fit its axis',
    explain: explain(
      `\`(h e)\` in a read splits an axis, on the left it merges. The product of the parts is the axis; one part may be left open and is then the exact
quotient, which must be known to be a whole number.`,
      `block Heads(heads: int)(x: float[B, D]) -> float[B, heads] {
  let y[b, h: heads] = sum[e] x[b, (h e)]
  return y
}`,
      `block Heads(heads: int)(x: float[B, D]) -> float[B, heads] {
  require D % heads == 0
  let y[b, h: heads] = sum[e] x[b, (h e)]
  return y
}`,
    ),
    render: ({ group, axis, parts, open, judgement, chain }) => {
      const claim = open === null ? `${parts} == ${axis}` : `${parenthesised(axis)} % ${parenthesised(parts)} == 0`;
      return {
        message:
          open === null
            ? `the parts of \`${group}\` make ${parts}, and the axis has ${axis}`
            : `\`${group}\` cannot split an axis of ${axis}: ${parts} ${judgement.kind === 'refuted' ? 'does not' : 'need not'} divide it`,
        label: open === null ? `${parts} on an axis of ${axis}` : `what is \`${open}\`?`,
        related: places(chain),
        notes: [...verdict(judgement, claim), ...stateIt(judgement, claim)],
      };
    },
  },
  NN106: {
    severity: 'error',
    title: 'another number of axes',
    explain: explain(
      'Axes are never added or dropped silently. Say in an equation which axis is meant.',
      `model M(image: float[B, 8, 8]) -> float[B, 10] { image |> flatten |> Linear(10) }`,
      `model M(image: float[B, 8, 8]) -> float[B, 10] {
  let x[b, (i j)] = image[b, i, j]
  return x |> Linear(10)
}`,
    ),
    render: ({ what, expected, actual, expectedRank, actualRank, chain }) => ({
      message: `${what} needs ${expectedRank === '1' ? '1 axis' : `${expectedRank} axes`} and gets ${actualRank}`,
      label: `${actual} where ${expected} is needed`,
      related: places(chain),
      notes: [`needed ${expected}\ngiven  ${actual}`],
    }),
  },
  NN107: {
    severity: 'error',
    title: 'a requirement that does not hold',
    explain: explain(
      `\`require\` says what a block needs of its sizes. A call shows it from what it knows. What it can neither show nor refute, and what speaks only of
the caller's own sizes, becomes the caller's requirement; the report stands at the outermost call.`,
      `block Split(heads: int)(x: float[B, D]) -> float[B, D] {
  require D % heads == 0
  return x
}
model M(x: float[B, 10]) -> float[B, 10] { x |> Split(3) }`,
      `block Split(heads: int)(x: float[B, D]) -> float[B, D] {
  require D % heads == 0
  return x
}
model M(x: float[B, 10]) -> float[B, 10] { x |> Split(5) }`,
    ),
    render: ({ callee, condition, instantiated, message, judgement, requireSpan, chain }) => ({
      message:
        judgement.kind === 'refuted'
          ? `${callee} requires ${condition}, which does not hold here: ${instantiated}${message === null ? '' : ` (${message})`}`
          : `${callee} requires ${condition}, which is not known here: ${instantiated}${message === null ? '' : ` (${message})`}`,
      label: message ?? `requires ${condition}`,
      related: [...(requireSpan === null ? [] : [{ span: requireSpan, label: 'required here' }]), ...places(chain)],
      notes: judgement.kind === 'refuted' ? [] : verdict(judgement, instantiated),
    }),
  },
  NN108: {
    severity: 'error',
    title: 'a quotient that need not be whole',
    explain: explain(
      '`/` between integers is exact and needs a proof that it divides; `floor(a / b)` and `ceil(a / b)` round.',
      `fn evens(x: float[N]) -> float[floor(N / 2)] {
  let y[i: N / 2] = x[2 * i]
  return y
}`,
      `fn evens(x: float[N]) -> float[floor(N / 2)] {
  let y[i: floor(N / 2)] = x[2 * i]
  return y
}`,
    ),
    render: ({ dividend, divisor, judgement }) => ({
      message:
        divisor === '0'
          ? 'division by 0'
          : `${dividend} / ${divisor} need not be an integer, and an integer is needed here`,
      label: divisor === '0' ? 'never defined' : `must divide`,
      notes:
        divisor === '0'
          ? []
          : [
              ...verdict(judgement, `${parenthesised(dividend)} % ${parenthesised(divisor)} == 0`),
              ...stateIt(judgement, `${parenthesised(dividend)} % ${parenthesised(divisor)} == 0`),
              `to round, write \`floor(${dividend} / ${divisor})\``,
            ],
    }),
  },
  NN109: {
    severity: 'error',
    title: 'a result that is not of the declared type',
    explain: explain(
      'The value of a body must have the declared type for all sizes that satisfy its requirements.',
      `block Twice(x: float[B, D]) -> float[B, D] { x |> Linear(2 * D) }`,
      `block Twice(x: float[B, D]) -> float[B, 2 * D] { x |> Linear(2 * D) }`,
    ),
    render: ({ name, declared, actual, shapes, declaredSpan, judgement, chain }) => ({
      message: `${name} gives ${actual}, but declares ${declared}`,
      label: `this is ${actual}`,
      related: [...(declaredSpan === null ? [] : [{ span: declaredSpan, label: 'declared here' }]), ...places(chain)],
      notes: [
        ...(shapes === null ? [] : [table(shapes)]),
        ...(judgement === null ? [] : verdict(judgement, 'the marked sizes are equal')),
      ],
    }),
  },
  NN110: {
    severity: 'error',
    title: 'a leaf rebound with another type',
    explain: explain(
      'A `state` or `carry` keeps its declared type for as long as it lives; so does a weight in an optimizer.',
      `block Wide(x: float[B, D]) -> float[B, D] {
  carry h: float[B, D] = 0
  h = x |> Linear(2 * D)
  return h
}`,
      `block Wide(x: float[B, D]) -> float[B, D] {
  carry h: float[B, D] = 0
  h = x |> Linear(D)
  return h
}`,
    ),
    render: ({ name, origin, declared, actual, declaredSpan, chain }) => ({
      message: `${origin} \`${name}\` is ${declared} and cannot become ${actual}`,
      label: actual,
      related: [{ span: declaredSpan, label: `declared as ${declared}` }, ...places(chain)],
    }),
  },
};

const parenthesised = (text: string): string => (/^[\w.]+$/.test(text) ? text : `(${text})`);
