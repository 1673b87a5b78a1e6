/** The prose of names, calls and training (NN7xx). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { count, didYouMean, explain, knownNames, quoted } from './prose.ts';

type Family = Pick<CheckProblems, Extract<keyof CheckProblems, `NN7${string}`>>;

export const namesProse: ProseTable<Family> = {
  NN701: {
    severity: 'error',
    title: 'a name declared twice',
    explain: explain(
      'The declarations and imports of a file have different names. They may hide those of the standard library.',
      `const width = 8
const width = 9`,
      `const width = 8
const height = 9`,
    ),
    render: ({ name, first }) => ({
      message: `\`${name}\` is declared twice`,
      label: 'again here',
      related: [{ span: first, label: 'first here' }],
    }),
  },
  NN702: {
    severity: 'error',
    title: 'an imported file that does not exist',
    explain: explain(
      'Paths of imports are relative to the importing file. Beside this one stands `shared.nn` with `fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x`.',
      `import scaled from "./shred.nn"
model M(x: float[B, 8]) -> float[B, 8] { return scaled(x) }`,
      `import scaled from "./shared.nn"
model M(x: float[B, 8]) -> float[B, 8] { return scaled(x) }`,
    ),
    render: ({ path }) => ({ message: `there is no file ${path}`, label: 'not found' }),
  },
  NN703: {
    severity: 'error',
    title: 'an imported name that its file does not declare',
    explain: explain(
      'An import names declarations of the other file. Beside this one stands `shared.nn` with `fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x`.',
      `import scale from "./shared.nn"
model M(x: float[B, 8]) -> float[B, 8] { return scale(x) }`,
      `import scaled from "./shared.nn"
model M(x: float[B, 8]) -> float[B, 8] { return scaled(x) }`,
    ),
    render: ({ name, path, known, suggestion }) => ({
      message: `${path} does not declare \`${name}\`${didYouMean(suggestion)}`,
      label: 'not there',
      notes: knownNames(known, 'it declares'),
    }),
  },
  NN704: {
    severity: 'error',
    title: 'a name that means nothing here',
    explain: explain(
      'Names are looked up among the local ones, then in the file and its imports, then in the standard library.',
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Liner(4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4) }`,
    ),
    render: ({ name, suggestion, known, alike = [], hint = null }) => ({
      message: `\`${name}\` means nothing here${didYouMean(suggestion)}`,
      label: suggestion === null ? 'unknown name' : `did you mean \`${suggestion}\`?`,
      notes:
        hint !== null
          ? [hint]
          : suggestion !== null
            ? []
            : [...knownNames(alike, 'in the library or this file'), ...knownNames(known)],
    }),
  },
  NN705: {
    severity: 'error',
    title: 'a name that hides another',
    explain: explain(
      'A name has one meaning in a body. `x = …` rebinds; `let` introduces. An index may not hide a constant, a size or a configuration.',
      `fn f(x: float[N]) -> float[N] {
  let x = 2 * x
  return x
}`,
      `fn f(x: float[N]) -> float[N] {
  x = 2 * x
  return x
}`,
    ),
    render: ({ name, what, first }) => ({
      message: `\`${name}\` is ${what} already`,
      label: 'would hide it',
      related: first === null ? [] : [{ span: first, label: 'the other one' }],
      notes: ['`x = …` gives a name a new value; `let` introduces a new name'],
    }),
  },
  NN706: {
    severity: 'warning',
    title: 'a name that nothing uses',
    explain: explain(
      `A \`let\` that nothing reads is a slip or a leftover. A name that begins with \`_\` says that it is meant.`,
      `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
  return x
}`,
      `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
  return y
}`,
    ),
    render: ({ name }) => ({ message: `nothing uses \`${name}\``, label: 'unused' }),
  },
  NN707: {
    severity: 'error',
    title: 'too many arguments',
    explain: explain(
      'The configuration of a block is one list, its tensors another.',
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, true, 3) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, true) }`,
    ),
    render: ({ callee, signature, expected, given }) => ({
      message: `${callee} takes ${count(expected, 'argument')} here and gets ${given}`,
      label: 'one too many',
      notes: [signature],
    }),
  },
  NN708: {
    severity: 'error',
    title: 'a named argument that does not exist',
    explain: explain(
      'Named arguments name parameters of the callee.',
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, bais: false) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, bias: false) }`,
    ),
    render: ({ callee, name, suggestion, known, hint = null }) => ({
      message: `${callee} has no parameter \`${name}\`${didYouMean(suggestion)}`,
      label: suggestion === null ? 'unknown parameter' : `did you mean \`${suggestion}\`?`,
      notes: [...(hint === null ? [] : [hint]), ...knownNames(known, 'parameters')],
    }),
  },
  NN709: {
    severity: 'error',
    title: 'one parameter given twice',
    explain: explain(
      `A parameter takes one argument, by position or by name.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4, out: 4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4) }`,
    ),
    render: ({ callee, name }) => ({ message: `\`${name}\` of ${callee} is given twice`, label: 'again here' }),
  },
  NN710: {
    severity: 'error',
    title: 'a missing argument',
    explain: explain(
      'Parameters without a default need an argument.',
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear() }`,
      `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4) }`,
    ),
    render: ({ callee, names, signature }) => ({
      message: `${callee} needs ${quoted(names)}`,
      label: `${names.length === 1 ? 'an argument is' : 'arguments are'} missing`,
      notes: [signature],
    }),
  },
  NN711: {
    severity: 'error',
    title: 'something that cannot be called',
    explain: explain(
      `Functions, blocks, models, instances and masks can be called. Tensors are read with \`[…]\`.`,
      `fn f(x: float[N]) -> float = x(0)`,
      `fn f(x: float[N]) -> float = x[0]`,
    ),
    render: ({ what }) => ({
      message: `${what} cannot be called`,
      label: 'not callable',
      notes: ['tensors are read with `[…]`'],
    }),
  },
  NN712: {
    severity: 'error',
    title: 'another kind of value than needed',
    explain: explain(
      `Tensors, numbers, masks, schedules, instances and optimizers do not stand for each other.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4, bias: 1) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4, bias: true) }`,
    ),
    render: ({ what, expected, actual }) => ({ message: `${what} must be ${expected}, not ${actual}`, label: actual }),
  },
  NN713: {
    severity: 'error',
    title: 'tensors where the configuration stands',
    explain: explain(
      'A configuration list, where declared, always comes first: `Linear(64)(x)` or `x |> Linear(64)`.',
      `model M(x: float[B, 8]) -> float[B, 4] { Linear(x, 4) }`,
      `model M(x: float[B, 8]) -> float[B, 4] { Linear(4)(x) }`,
    ),
    render: ({ callee, signature }) => ({
      message: `${callee} takes its configuration first, then tensors: \`${callee}(…)(x)\``,
      label: 'a tensor in the configuration',
      notes: [signature],
    }),
  },
  NN714: {
    severity: 'error',
    title: 'one label or leaf name twice',
    explain: explain(
      'Labels and names of leaves are the paths under which weights are saved: one body, one meaning each.',
      `model M(x: float[B, 8]) -> float[B, 8] { x |> a: Linear(8) |> a: Linear(8) }`,
      `model M(x: float[B, 8]) -> float[B, 8] { x |> a: Linear(8) |> b: Linear(8) }`,
    ),
    render: ({ name, what, first }) => ({
      message: `the ${what} \`${name}\` stands twice`,
      label: 'again here',
      related: [{ span: first, label: 'first here' }],
    }),
  },
  NN715: {
    severity: 'error',
    title: 'a member that does not exist',
    explain: explain(
      'An instance has the parameters, states and named instances of its block; a result has its named parts.',
      `model M(x: i32[B] < 9) -> float[9, 4] {
  let e = Embedding(9, 4)
  return e.weights
}`,
      `model M(x: i32[B] < 9) -> float[9, 4] {
  let e = Embedding(9, 4)
  return e.weight
}`,
    ),
    render: ({ of, name, suggestion, known, hint = null }) => ({
      message: `${of} has no \`${name}\`${didYouMean(suggestion)}`,
      label: suggestion === null ? 'no such member' : `did you mean \`${suggestion}\`?`,
      notes: [...(hint === null ? [] : [hint]), ...knownNames(known, 'it has')],
    }),
  },
  NN716: {
    severity: 'error',
    title: 'something that cannot be rebound',
    explain: explain(
      'Lets, parameters of the call, states and carries can be rebound; trained parameters, configuration, sizes and declarations cannot.',
      `block M(n: int)(x: float[B, D]) -> float[B, D] {
  n = 3
  return x
}`,
      `block M(n: int)(x: float[B, D]) -> float[B, D] {
  let m = 3
  return m * x
}`,
    ),
    render: ({ name, what }) => ({ message: `\`${name}\` cannot be rebound: it is ${what}`, label: what }),
  },
  NN717: {
    severity: 'error',
    title: 'a body without a value',
    explain: explain(
      "A body's value is its `return`, or the last expression in it.",
      `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
}`,
      `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
  return y
}`,
    ),
    render: ({ name }) => ({
      message: `${name} gives no value: its body ends without \`return\` or a last expression`,
      label: 'no value',
    }),
  },
  NN718: {
    severity: 'error',
    title: 'a recursion that does not come down',
    explain: explain(
      'A block may call itself on a configuration number that decreases and is known not to be negative, and it declares its result.',
      `block R(depth: int)(x: float[B, D]) -> float[B, D] {
  return x |> R(depth - 1)
}`,
      `block R(depth: int)(x: float[B, D]) -> float[B, D] {
  if depth == 0 { return x }
  return x |> R(depth - 1)
}`,
    ),
    render: ({ name }) => ({
      message: `${name} calls itself, but no configuration number is known to come down to 0`,
      label: 'where does it end?',
      notes: ['write `if depth == 0 { return … }` before it, call with `depth - 1`, and declare the result'],
    }),
  },
  NN719: {
    severity: 'error',
    title: 'an incomplete train block',
    explain: explain(
      'A train block says what is minimised and how.',
      `model M(x: float[N, 1]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 1]
  minimize mean(M(x) ^ 2)
}`,
      `model M(x: float[N, 1]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 1]
  minimize mean(M(x) ^ 2)
  optimizer Adam()
}`,
    ),
    render: ({ text }) => ({ message: text }),
  },
  NN720: {
    severity: 'error',
    title: 'a path that matches no parameter',
    explain: explain(
      `Paths are the labels and names on the way to a parameter, with \`*\` for a round of a repeat: \`h.*.attn.c_attn.weight\`.`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> hidden: Linear(8) |> relu |> out: Linear(4) }
train Fit {
  input x: float[B, 8]
  minimize mean(M(x) ^ 2)
  optimizer Adam() for "hiden.*"
  optimizer SGD()
  batch B = 8
}`,
      `model M(x: float[B, 8]) -> float[B, 4] { return x |> hidden: Linear(8) |> relu |> out: Linear(4) }
train Fit {
  input x: float[B, 8]
  minimize mean(M(x) ^ 2)
  optimizer Adam() for "hidden.*"
  optimizer SGD()
  batch B = 8
}`,
    ),
    render: ({ path, of, suggestion, known }) => ({
      message: `no parameter of ${of} has the path "${path}"${didYouMean(suggestion)}`,
      label: 'matches nothing',
      notes: suggestion === null ? knownNames(known, 'paths') : [],
    }),
  },
  NN721: {
    severity: 'error',
    title: 'something where it has no meaning',
    explain: explain(
      `\`param\` and \`state\` belong to blocks, \`yield\` and \`until\` to scans (\`until\` to scans from the front), index names to the left of equations.`,
      `fn f(x: float[N]) -> float[N] {
  param w: float[N] = 1
  return x * w
}`,
      `block F(x: float[N]) -> float[N] {
  param w: float[N] = 1
  return x * w
}`,
    ),
    render: ({ what, where }) => ({ message: `${what} has no meaning in ${where}`, label: 'not here' }),
  },
  NN722: {
    severity: 'error',
    title: 'a condition that is not known at build',
    explain: explain(
      '`if` chooses at build: its condition is about configuration, constants and sizes. Data is chosen element by element, with `where`.',
      `fn f(x: float[N]) -> float[N] {
  if sum(x) > 0 { return x }
  return 0 * x
}`,
      `fn f(x: float[N]) -> float[N] = x where sum(x) > 0 else 0`,
    ),
    render: ({ what, type }) => ({
      message: `${what} must be known at build, and this is ${type}`,
      label: type,
      notes: ['data chooses with `v where condition else w`'],
    }),
  },
  NN726: {
    severity: 'error',
    title: 'a list where a value is due',
    explain: explain(
      'A list stands only behind `in`, where `repeat width in [64, 128]` goes through it. Tensors are joined by an equation with `else`, or by `concat`.',
      `model M(x: float[B, 8], y: float[B, 8]) -> float[B, 16] {
  return [x, y]
}`,
      `model M(x: float[B, 8], y: float[B, 8]) -> float[B, 16] {
  return concat(x, y)
}`,
    ),
    render: () => ({
      message: 'a list is no value: it stands only in `repeat … in [ … ]`',
      label: 'a list',
      notes: ['tensors are joined by an equation: `let z[b, d: D + E] = x[b, d] else y[b, d - D]`'],
    }),
  },
  NN723: {
    severity: 'error',
    title: 'a result that introduces a size',
    explain: explain(
      'Sizes are introduced by arguments; a result can only name what they introduce.',
      `block M(x: float[B, D]) -> float[B, E] { x |> Linear(4) }`,
      `block M(x: float[B, D]) -> float[B, 4] { x |> Linear(4) }`,
    ),
    render: ({ name, suggestion }) => ({
      message: `no argument has the size \`${name}\`${didYouMean(suggestion)}`,
      label: 'a result introduces no sizes',
    }),
  },
  NN725: {
    severity: 'error',
    title: 'a yield that says nothing of the rounds that do not run',
    explain: explain(
      'A scan with `until` may end before its last round. What it yields is as long as the scan, so each `yield` has an `else`: what stands in the rounds that did not run. It is made of what is known outside the scan, and of the position of the round.',
      `model M(x: float[B]) -> float[B, 8] {
  let y = x
  scan n in 8 {
    yield trace[b, n] = y[b]
    y = y / 2
    until all(y < 1)
  }
  return trace
}`,
      `model M(x: float[B]) -> float[B, 8] {
  let y = x
  scan n in 8 {
    yield trace[b, n] = y[b] else 0
    y = y / 2
    until all(y < 1)
  }
  return trace
}`,
    ),
    render: ({ name, until }) => ({
      message:
        name === null
          ? 'this scan may end early, and the `yield` does not say what stands in the rounds that do not run'
          : `\`${name}\` is of one round, and the \`else\` of this \`yield\` is for rounds that do not run`,
      label: name === null ? 'no `else`' : 'known in a round only',
      related: [{ span: until, label: 'may end the scan here' }],
      notes: name === null ? ['add one: `yield … else 0`'] : [],
    }),
  },
  NN728: {
    severity: 'error',
    title: 'parameters are not stored so',
    explain: explain(
      'A `storage` declaration says how parameters of a model are kept: `f16`, `int8` (a scale for every row, `int8:64` for every 64 elements of a row), `int4` (a scale for every 32 elements, `int4:64` for 64), or `f32`, whole. Groups are even numbers that divide the row.',
      `model Net(x: float[B, 64]) -> float[B, 10] { x |> hidden: Linear(64) |> relu |> out: Linear(10) }
storage Net {
  hidden.weight = int7
}`,
      `model Net(x: float[B, 64]) -> float[B, 10] { x |> hidden: Linear(64) |> relu |> out: Linear(10) }
storage Net {
  hidden.weight = int8
}`,
    ),
    render: ({ given }) => ({
      message: `parameters are not stored as \`${given}\``,
      label: 'f32, f16, int8, int8:GROUP or int4:GROUP',
      notes: /:/.test(given) ? ['groups are even numbers from 2; f32 and f16 have none'] : [],
    }),
  },
  NN727: {
    severity: 'error',
    title: 'a record that cannot be kept',
    explain: explain(
      'A train block can keep a record of parameters as a state: an average of the weights, a target network. It begins as the parameters of a network do, so it is declared `state name: record = m.params`; afterwards it is rebound to any record with the same paths.',
      `model Net(x: float[B, 2]) -> float[B, 1] { x |> Linear(1) }
train Fit {
  input x: float[B, 2]
  state average: record = 0.5 * Net.params
  minimize mean(Net(x) ^ 2)
  average = 0.9 * average + 0.1 * Net.params
  optimizer SGD()
}`,
      `model Net(x: float[B, 2]) -> float[B, 1] { x |> Linear(1) }
train Fit {
  input x: float[B, 2]
  state average: record = Net.params
  minimize mean(Net(x) ^ 2)
  average = 0.9 * average + 0.1 * Net.params
  optimizer SGD()
}`,
    ),
    render: ({ leaf, name, actual }) => ({
      message: `\`${leaf} ${name}: record\` begins as the parameters of a network, in a train block`,
      label: actual,
      notes: [`write \`state ${name}: record = m.params\``],
    }),
  },
  NN724: {
    severity: 'error',
    title: 'an expression nested too deep',
    explain: explain(
      'Some 400 operators or stages in one another are the most that can be checked: more are mostly written by a program. Name parts of the expression with `let`, or let a `repeat` write the rounds.',
      `model M(x: float[B, 8]) -> float[B, 8] {
  return ${Array<string>(420).fill('x').join(' + ')}
}`,
      `model M(x: float[B, 8]) -> float[B, 8] {
  let y = x
  repeat 419 { y = y + x }
  return y
}`,
    ),
    render: () => ({
      message: 'this expression is nested too deep: name parts of it with `let`',
      label: 'hundreds of levels down',
    }),
  },
};
