/** The prose of sizes, shapes, index equations (NN1xx) and broadcasting (NN2xx). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { count, explain, places, quoted, stateIt, table, verdict } from './prose.ts';

type Family = Pick<CheckProblems, Extract<keyof CheckProblems, `NN1${string}` | `NN2${string}`>>;

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
      notes: [...(shapes === null ? [] : [table(shapes)]), ...(judgement === null ? [] : verdict(judgement, 'the marked sizes are equal'))],
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
  NN111: {
    severity: 'error',
    title: 'something undefined without an `else`',
    explain: explain(
      '`v where condition` is undefined where the condition fails, and so is the maximum of nothing. `else` says what stands there.',
      `fn positive(x: float[N]) -> float[N] {
  let y[n] = x[n] where x[n] > 0
  return y
}`,
      `fn positive(x: float[N]) -> float[N] {
  let y[n] = x[n] where x[n] > 0 else 0
  return y
}`,
    ),
    render: ({ what }) => ({
      message: `${what} may be undefined, and no \`else\` says what stands there`,
      label: 'undefined where the condition fails',
      notes: ['write `… else 0`, or whatever belongs there'],
    }),
  },
  NN112: {
    severity: 'error',
    title: 'a whole tensor in an equation',
    explain: explain(
      'Inside an equation every value is one element: a tensor is read with indices, or is the argument of a call that is then indexed.',
      `fn scale(x: float[B, D], w: float[D]) -> float[B, D] {
  let y[b, d] = x[b, d] * w
  return y
}`,
      `fn scale(x: float[B, D], w: float[D]) -> float[B, D] {
  let y[b, d] = x[b, d] * w[d]
  return y
}`,
    ),
    render: ({ name, type }) => ({
      message: `\`${name}\` is a whole tensor (${type}) where one element is needed`,
      label: 'needs indices',
    }),
  },
  NN113: {
    severity: 'error',
    title: 'a read with too few or too many indices',
    explain: explain(
      'A read names a place on every axis. A run (`...s`) takes all axes that the others leave.',
      `fn first(x: float[B, T, D]) -> float[B, D] {
  let y[b, d] = x[b, d]
  return y
}`,
      `fn first(x: float[B, T, D]) -> float[B, D] {
  let y[b, d] = x[b, 0, d]
  return y
}`,
    ),
    render: ({ tensor, shape, rank, given }) => ({
      message: `\`${tensor}\` has ${rank === '1' ? '1 axis' : `${rank} axes`} ${shape}, and ${count(given, 'index').replace('indexs', 'indices')} ${given === 1 ? 'stands' : 'stand'} here`,
      label: `${shape}`,
    }),
  },
  NN114: {
    severity: 'error',
    title: 'branches that differ in type',
    explain: explain(
      'Both branches of an `if` leave a name with one type, and all ways through a body give one result type.',
      `block M(deep: bool)(x: float[B, D]) -> float[B, D] {
  let y = x
  if deep { y = mean(x) }
  return y
}`,
      `block M(deep: bool)(x: float[B, D]) -> float[B, D] {
  let y = x
  if deep { y = x |> Linear(D) }
  return y
}`,
    ),
    render: ({ name, then, otherwise }) => ({
      message: `${name === 'the result' ? name : `\`${name}\``} is ${then} in one branch and ${otherwise} in the other`,
      label: `${then} or ${otherwise}`,
    }),
  },
  NN115: {
    severity: 'error',
    title: 'a round that changes a type',
    explain: explain(
      'A body that is repeated is checked once for all rounds, so each round must leave the names it rebinds with the types it found. A literal list (`repeat width in [64, 128]`) is checked round by round and may change them.',
      `block Deep(n: int)(x: float[B, D]) -> float[B, D] {
  repeat n { x = x |> Linear(2 * D) }
  return x
}`,
      `block Deep(n: int)(x: float[B, D]) -> float[B, D] {
  repeat n { x = x |> Linear(D) }
  return x
}`,
    ),
    render: ({ name, before, after, loop, loopSpan, chain }) => ({
      message: `a ${loop} turns \`${name}\` from ${before} into ${after}`,
      label: `${after}`,
      related: [{ span: loopSpan, label: 'repeated here' }, ...places(chain)],
      notes: ['each round must keep the types it rebinds, or the rounds must stand in a literal list'],
    }),
  },
  NN116: {
    severity: 'error',
    title: "a guard that does not mention the reduction's index",
    explain: explain(
      "The guard of a reduction chooses among its own indices. A condition on others selects the result: write it with `where` outside.",
      `fn f(x: float[B, T], on: bool[B]) -> float[B] {
  let y[b] = sum[t where on[b]] x[b, t]
  return y
}`,
      `fn f(x: float[B, T], on: bool[B]) -> float[B] {
  let y[b] = (sum[t] x[b, t]) where on[b] else 0
  return y
}`,
    ),
    render: ({ operator, indices }) => ({
      message: `the guard mentions none of the indices of this ${operator}: ${quoted(indices)}`,
      label: 'chooses nothing',
      notes: ['a condition on other indices selects the result: `(sum[…] …) where condition else 0`'],
    }),
  },
  NN117: {
    severity: 'error',
    title: 'a softmax over an index that is not on the left',
    explain: explain(
      'Softmax keeps its axis: its index stands on the left of the equation or in an enclosing reduction.',
      `fn f(x: float[B, C]) -> float[B] {
  let y[b] = softmax[c] x[b, c]
  return y
}`,
      `fn f(x: float[B, C]) -> float[B, C] {
  let y[b, c] = softmax[c] x[b, c]
  return y
}`,
    ),
    render: ({ index }) => ({
      message: `softmax works along \`${index}\`, which is not an index of the result`,
      label: 'not on the left, nor in an enclosing reduction',
      notes: ['softmax keeps its axis; to remove it, take `sum`, `max` or `logsumexp`'],
    }),
  },
  NN118: {
    severity: 'error',
    title: 'no single axis to scan along',
    explain: explain(
      '`along` names the size of the axis that is scanned; exactly one axis of each sequence has it.',
      `block Sums(x: float[T, T]) -> float[T, T] {
  return scan v over x along T {
    carry total: float[T] = 0
    total = total + v
    yield total
  }
}`,
      `block Sums(x: float[B, T]) -> float[B, T] {
  return scan v over x along T {
    carry total: float[B] = 0
    total = total + v
    yield total
  }
}`,
    ),
    render: ({ along, shape, found }) => ({
      message:
        along === ''
          ? 'a scan over a sequence says along which axis: `scan v over x along T { … }`'
          : found === 0
            ? `no axis of ${shape} has the size ${along}`
            : `${found} axes of ${shape} have the size ${along}: which is meant?`,
      label: found > 1 ? 'ambiguous' : 'along which axis?',
      notes: found > 1 ? ['give the axes different names in the signature: sizes of different names are never confused'] : [],
    }),
  },
  NN119: {
    severity: 'error',
    title: 'one instance used with two sizes',
    explain: explain(
      'Parameters belong to an instance, so the sizes they depend on are fixed by its first use. For other sizes make another instance.',
      `model M(x: float[B, 8], y: float[B, 9]) -> float[B, 4] {
  let shared = Linear(4)
  return shared(x) + shared(y)
}`,
      `model M(x: float[B, 8], y: float[B, 9]) -> float[B, 4] {
  return (x |> Linear(4)) + (y |> Linear(4))
}`,
    ),
    render: ({ instance, size, first, firstSpan, second, judgement }) => ({
      message: `the parameters of \`${instance}\` were made for ${size} = ${first}, and here it is ${second}`,
      label: `${size} = ${second}`,
      related: [{ span: firstSpan, label: `${size} = ${first} here` }],
      notes: verdict(judgement, `${first} == ${second}`),
    }),
  },
  NN120: {
    severity: 'error',
    title: 'no integer where one is needed',
    explain: explain(
      'Extents, configuration of type `int` and counts are integers known at build, or sizes.',
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4.5) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4) }`,
    ),
    render: ({ what, needed, actual }) => ({
      message: `${what} must be ${needed}, not ${actual}`,
      label: `${actual}`,
    }),
  },
  NN121: {
    severity: 'error',
    title: 'a size that nothing fixes',
    explain: explain(
      'Every size of a signature stands in some argument alone, or as the only unknown of a linear size: otherwise a call could not know it.',
      `fn f(x: float[A * C]) -> float[A] {
  let y[a: A] = x[a]
  return y
}`,
      `fn f(A: size, x: float[A * C]) -> float[A] {
  let y[a: A] = x[a]
  return y
}`,
    ),
    render: ({ size, callable }) => ({
      message: `nothing fixes the size \`${size}\` of ${callable}`,
      label: 'unknown here',
      notes: ['a size must stand alone (or linearly) in the shape of an argument; an instance knows the sizes of its first use'],
    }),
  },
  NN122: {
    severity: 'error',
    title: 'one index twice',
    explain: explain(
      'On the left and in one reduction every index stands once. A diagonal is read: `x[i, i]`.',
      `fn f(x: float[N]) -> float[N, N] {
  let y[i, i] = x[i]
  return y
}`,
      `fn f(x: float[N]) -> float[N, N] {
  let y[i, j: N] = x[i] where i == j else 0
  return y
}`,
    ),
    render: ({ index, first }) => ({
      message: `index \`${index}\` stands twice`,
      label: 'again here',
      related: [{ span: first, label: 'first here' }],
    }),
  },
  NN123: {
    severity: 'error',
    title: 'a draw without a shape',
    explain: explain(
      'Draws and initialisers take their shape from where they stand: the left side of an equation, or the declared type of a leaf.',
      `fn noise(x: float[B, D]) -> float[B, D] {
  let n = normal()
  return x + n
}`,
      `fn noise(x: float[B, D]) -> float[B, D] {
  let n[b: B, d: D] = normal()
  return x + n
}`,
    ),
    render: ({ name }) => ({
      message: `\`${name}\` has no shape here`,
      label: 'of what shape?',
      notes: [`give it indices: \`let z[b: B, d: D] = ${name}(…)\``],
    }),
  },
  NN124: {
    severity: 'error',
    title: 'an element type that does not fit',
    explain: explain(
      'Integers become floats only next to a float or with `float(x)`; indices are typed below the extent they index.',
      `model M(token: i32[B, T]) -> float[B, T, 8] { token |> Embedding(100, 8) }`,
      `model M(token: i32[B, T] < 100) -> float[B, T, 8] { token |> Embedding(100, 8) }`,
    ),
    render: ({ what, expected, actual }) => ({
      message: `${what} must be ${expected}, not ${actual}`,
      label: actual,
    }),
  },
  NN125: {
    severity: 'error',
    title: 'no scalar where one is needed',
    explain: explain(
      '`grad` and `minimize` take one number. Reduce a tensor first: `sum` keeps the gradient of each element, `mean` divides by their number.',
      `model M(x: float[N, 1]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 1]
  minimize M(x) ^ 2
  optimizer Adam()
}`,
      `model M(x: float[N, 1]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 1]
  minimize mean(M(x) ^ 2)
  optimizer Adam()
}`,
    ),
    render: ({ what, type, name }) => ({
      message: `\`${what}\` takes one float${name === null ? '' : `, and \`${name}\``} is ${type}`,
      label: type,
      notes: what === 'grad' ? ['the gradient of a sum holds the gradient of each element: `sum(…)`'] : [],
    }),
  },
  NN126: {
    severity: 'error',
    title: 'an index that is no integer',
    explain: explain(
      'Indices are integers: positions, sizes, integer tensors. `floor(a / b)` rounds.',
      `fn f(x: float[N], w: float[N]) -> float[N] {
  let y[n] = x[w[n]] else 0
  return y
}`,
      `fn f(x: float[N], w: i32[N] < N) -> float[N] {
  let y[n] = x[w[n]]
  return y
}`,
    ),
    render: ({ index, type }) => ({ message: `\`${index}\` is ${type} and cannot be an index`, label: type }),
  },
  NN127: {
    severity: 'error',
    title: 'a run where a single axis is needed',
    explain: explain(
      '`...s` stands for any number of axes; it is written with its dots, once in a shape, and its measure is `size(S)`.',
      `fn f(x: float[...S]) -> float[...S] = x * S`,
      `fn f(x: float[...S]) -> float[...S] = x * size(S)`,
    ),
    render: ({ name, isRun }) => ({
      message: isRun ? `\`${name}\` is a run of axes, not one axis` : `\`${name}\` is not a run of axes`,
      label: isRun ? 'a run' : 'one axis',
      notes: isRun ? ['the number of elements of a run is `size(S)`'] : [],
    }),
  },
  NN128: {
    severity: 'error',
    title: 'rounds that cannot be counted',
    explain: 'The rounds of a `repeat` are a number known at build or a literal list.',
    render: ({ type }) => ({ message: `a \`repeat\` needs a number of rounds or a list, not ${type}`, label: type }),
  },
  NN201: {
    severity: 'error',
    title: 'a pairing that nobody meant',
    explain: explain(
      `[N, 1] next to [N] would pair every element with every other: [N, N]. NumPy and its kin do so silently; it is the most costly of silent mistakes,
because the loss still falls. Here an axis is never repeated because it happens to be 1.`,
      `model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 3]
  input y: float[N]
  minimize mean((M(x) - y) ^ 2)
  optimizer Adam()
}`,
      `model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 3]
  input y: float[N]
  let error[n] = M(x)[n, 0] - y[n]
  minimize mean(error ^ 2)
  optimizer Adam()
}`,
    ),
    render: ({ operator, shapes, pairing, chain }) => ({
      message: `\`${operator}\` would pair every element of one side with every element of the other: ${pairing}`,
      label: `[${shapes.left.join(', ')}] ${operator} [${shapes.right.join(', ')}]`,
      related: places(chain),
      notes: [
        table(shapes),
        'an axis of size 1 is never repeated silently; say in an equation which elements belong together: `let d[n] = a[n, 0] - b[n]`',
      ],
    }),
  },
  NN202: {
    severity: 'error',
    title: 'shapes that do not combine',
    explain: explain(
      'Two tensors combine elementwise if their shapes are equal, if one is a scalar, or if one is a trailing part of the other.',
      `fn f(x: float[B, D], w: float[B]) -> float[B, D] = x * w`,
      `fn f(x: float[B, D], w: float[B]) -> float[B, D] {
  let y[b, d] = x[b, d] * w[b]
  return y
}`,
    ),
    render: ({ operator, shapes, judgement, chain }) => {
      const k = shapes.axis;
      const fromEnd = k === null ? 0 : shapes.left.length - k;
      const [a, b] = [shapes.left.at(-fromEnd) ?? '', shapes.right.at(-fromEnd) ?? ''];
      return {
        message: `the sides of \`${operator}\` do not combine: [${shapes.left.join(', ')}] and [${shapes.right.join(', ')}]`,
        label: k === null ? 'different shapes' : `${a} against ${b}`,
        related: places(chain),
        notes: [table(shapes), ...(k === null ? [] : verdict(judgement, `${a} == ${b}`)), ...(k === null ? [] : stateIt(judgement, `${a} == ${b}`))],
      };
    },
  },
  NN203: {
    severity: 'error',
    title: 'a trailing part that could be meant twice',
    explain: explain(
      'Where the size of the smaller shape stands twice in the larger, only an equation can say which axis is meant.',
      `fn f(x: float[N, N], w: float[N]) -> float[N, N] = x * w`,
      `fn f(x: float[N, N], w: float[N]) -> float[N, N] {
  let y[i, j] = x[i, j] * w[j]
  return y
}`,
    ),
    render: ({ operator, shapes, size }) => ({
      message: `\`${operator}\`: ${size} stands twice in the larger shape, so it is open which axis is meant`,
      label: `[${shapes.left.join(', ')}] ${operator} [${shapes.right.join(', ')}]`,
      notes: [table(shapes), 'say it in an equation: `let y[i, j] = x[i, j] * w[j]`'],
    }),
  },
};

const parenthesised = (text: string): string => (/^[\w.]+$/.test(text) ? text : `(${text})`);
