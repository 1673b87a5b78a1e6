/** The prose of roles (NN3xx), masks (NN4xx) and derivatives (NN6xx). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { explain, knownNames } from './prose.ts';
import type { Span } from '../../../grammar/ast.ts';

type Family = Pick<CheckProblems, Extract<keyof CheckProblems, `NN3${string}` | `NN4${string}` | `NN6${string}`>>;

const becameHere = (from: Span | null, role: string): readonly { span: Span; label: string }[] =>
  from === null ? [] : [{ span: from, label: `${ROLE_NAMES[role] ?? role} from here on` }];

const ROLE_NAMES: Readonly<Record<string, string>> = {
  probs: 'probabilities',
  problike: 'something like probabilities',
  log_probs: 'logarithms of probabilities',
  unit: 'numbers between 0 and 1',
  nonneg: 'numbers that are not negative',
  logits: 'logits',
};
const roleName = (role: string): string => ROLE_NAMES[role] ?? role;

export const rolesProse: ProseTable<Family> = {
  NN301: {
    severity: 'error',
    title: 'a value with another role than demanded',
    explain: explain(
      `Some functions say what their arguments mean: \`cross_entropy\` takes logits, the numbers before a softmax. Probabilities have the same shape, and
training goes on, but slowly and to a worse end.`,
      `model M(x: float[B, 8]) -> float[B, 10] { x |> Linear(10) |> softmax }
train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(M(x), label)
  optimizer Adam()
}`,
      `model M(x: float[B, 8]) -> float[B, 10] { x |> Linear(10) }
train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(M(x), label)
  optimizer Adam()
}`,
    ),
    render: ({ callee, parameter, demanded, role, from }) => ({
      message: `\`${parameter}\` of ${callee} takes ${roleName(demanded)}, and these are ${roleName(role)}`,
      label: roleName(role),
      related: becameHere(from, role),
      notes: demanded === 'logits' ? [`${callee} applies the softmax itself`] : [],
    }),
  },
  NN302: {
    severity: 'warning',
    title: 'perhaps probabilities where logits are due',
    explain: explain(
      `The value was made of probabilities by scaling, blending or dropping; whether it still is one cannot be known. If it is meant, no change is needed.`,
      `train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  let p = softmax(x |> Linear(10)) * 0.9
  minimize cross_entropy(p, label)
  optimizer Adam()
  batch B = 8
}`,
      `train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  let z = x |> Linear(10)
  minimize cross_entropy(z, label)
  optimizer Adam()
  batch B = 8
}`,
    ),
    render: ({ callee, parameter, role, from }) => ({
      message: `\`${parameter}\` of ${callee} takes logits, and this is made of probabilities`,
      label: roleName(role),
      related: becameHere(from, role),
    }),
  },
  NN303: {
    severity: 'error',
    title: 'a softmax of probabilities',
    explain: explain(
      'A softmax of probabilities is nearly flat: its arguments lie between 0 and 1. One of the two is too many.',
      `model M(x: float[B, 8]) -> float[B, 10] {
  let p = x |> Linear(10) |> softmax
  let q[b, c] = softmax[c] p[b, c]
  return q
}`,
      `model M(x: float[B, 8]) -> float[B, 10] { x |> Linear(10) |> softmax }`,
    ),
    render: ({ role, from }) => ({
      message: 'this is a softmax of probabilities: one of the two is too many',
      label: roleName(role),
      related: becameHere(from, role),
    }),
  },
  NN304: {
    severity: 'warning',
    title: 'the logarithm of a softmax',
    explain: explain(
      'exp underflows long before the logarithm does; `log_softmax` takes both at once and is exact.',
      `model M(x: float[B, 8]) -> float[B, 10] { log(softmax(x |> Linear(10))) }`,
      `model M(x: float[B, 8]) -> float[B, 10] { log_softmax(x |> Linear(10)) }`,
    ),
    render: ({ from }) => ({
      message: 'the logarithm of a softmax loses small probabilities: take log_softmax',
      label: 'underflows',
      related: from === null ? [] : [{ span: from, label: 'softmax here' }],
    }),
  },
  NN401: {
    severity: 'error',
    title: 'a mask applied with a position it does not know',
    explain: explain(
      'A mask is applied by the names of positions: b, h (batch and head), q and k (query and key). Positions that a mask does not use are ignored.',
      `mask near(q, k) = abs(q - k) < 4
fn f(x: float[T, T]) -> float[T, T] {
  let y[t, s] = x[t, s] where near(query: t, k: s) else 0
  return y
}`,
      `mask near(q, k) = abs(q - k) < 4
fn f(x: float[T, T]) -> float[T, T] {
  let y[t, s] = x[t, s] where near(q: t, k: s) else 0
  return y
}`,
    ),
    render: ({ mask, position, known }) => ({
      message: `${mask} has no position \`${position}\``,
      label: 'unknown position',
      notes: knownNames(known, 'positions'),
    }),
  },
  NN402: {
    severity: 'error',
    title: 'arithmetic with a bool',
    explain: explain(
      'A mask is not a number: adding it to scores, or multiplying, rarely does what is meant. `v where condition else w` selects; `float(x)` gives 0 or 1.',
      `fn f(x: float[N], on: bool[N]) -> float[N] = x * on`,
      `fn f(x: float[N], on: bool[N]) -> float[N] = x where on else 0`,
    ),
    render: ({ operator, type }) => ({
      message: `\`${operator}\` of ${type}`,
      label: type,
      notes: ['`v where condition else w` selects; `float(condition)` is 0 or 1'],
    }),
  },
  NN601: {
    severity: 'error',
    title: 'no derivative with respect to this',
    explain: explain(
      '`grad(y, wrt: x)` takes the name of a float tensor on which y depends.',
      `fn f(x: float[N], n: i32[N]) -> float[N] = grad(sum(x), wrt: n)`,
      `fn f(x: float[N]) -> float[N] = grad(sum(x ^ 2), wrt: x)`,
    ),
    render: ({ name, type }) => ({
      message: `no derivative can be taken with respect to \`${name}\` (${type})`,
      label: 'must be the name of a float tensor',
    }),
  },
};
