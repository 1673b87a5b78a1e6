/** The prose of index equations, loops and element types (NN111 to NN128). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { count, explain, places, quoted, verdict } from './prose.ts';

type Family = Pick<CheckProblems, Exclude<Extract<keyof CheckProblems, `NN11${string}` | `NN12${string}`>, 'NN110'>>;

export const equationsProse: ProseTable<Family> = {
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
      'The guard of a reduction chooses among its own indices. A condition on others selects the result: write it with `where` outside.',
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
      notes:
        found > 1
          ? ['give the axes different names in the signature: sizes of different names are never confused']
          : [],
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
      notes: [
        'a size must stand alone (or linearly) in the shape of an argument; an instance knows the sizes of its first use',
      ],
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
};
