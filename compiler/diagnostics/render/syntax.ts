/** The prose of the syntax family (NN0xx): one sentence, the words under the place, and the text of `nnc explain`. */
import type { SyntaxProblems } from '../../../grammar/problems.ts';
import type { ProseTable } from '../problem.ts';

const explain = (text: string, wrong: string, mended: string): string =>
  `${text}\n\nWrong:\n\n\`\`\`nn\n${wrong}\n\`\`\`\n\nMended:\n\n\`\`\`nn\n${mended}\n\`\`\`\n`;

const error = 'error' as const;

export const syntaxProse: ProseTable<SyntaxProblems> = {
  NN001: {
    severity: error,
    title: 'unknown character',
    explain: explain(
      'The character begins no word, number or sign of the language. Names consist of the letters A to Z and a to z, digits and underscores.',
      'fn area(r: float) -> float = π * r ^ 2',
      'fn area(r: float) -> float = pi * r ^ 2',
    ),
    render: ({ character, hint }) => ({
      message: `the character \`${character}\` has no meaning here`,
      label: 'not part of the language',
      notes: hint === null ? [] : [hint],
    }),
  },
  NN002: {
    severity: error,
    title: 'string without an end',
    explain: explain(
      'A string ends on the line on which it begins. A line break inside is written `\\n`.',
      'fn f(x: float[N]) -> float[N] {\n  require N > 1, "at least two\n  return x\n}',
      'fn f(x: float[N]) -> float[N] {\n  require N > 1, "at least two"\n  return x\n}',
    ),
    render: () => ({ message: 'this string has no closing quote on its line', label: 'begins here' }),
  },
  NN003: {
    severity: error,
    title: 'bracket that nothing closes',
    explain: explain(
      'Every bracket needs its counterpart. A statement cannot begin inside ( ) or [ ], and a declaration in column 1 cannot begin inside { }: there the bracket is taken as closed, and the rest is checked as usual.',
      'fn f(x: float[N]) -> float[N] {\n  let y = exp(x\n  return y\n}',
      'fn f(x: float[N]) -> float[N] {\n  let y = exp(x)\n  return y\n}',
    ),
    render: ({ open, close, before, comment = false }) => ({
      message: `nothing closes this \`${open}\``,
      notes: comment ? ['`//` begins a comment; a division that rounds down is `floor(a / b)`'] : [],
      label: `needs a \`${close}\``,
      related: before === null ? [] : [{ span: before, label: `\`${close}\` is missing before this` }],
    }),
  },
  NN004: {
    severity: error,
    title: 'closing bracket that nothing opens',
    explain: explain(
      'A closing bracket has no open counterpart in its statement, or, for a brace, in its declaration.',
      'fn f(x: float[N]) -> float[N] = exp(x))',
      'fn f(x: float[N]) -> float[N] = exp(x)',
    ),
    render: ({ close }) => ({ message: `this \`${close}\` closes nothing`, label: 'no open counterpart' }),
  },
  NN005: {
    severity: error,
    title: 'bracket closed by another kind',
    explain: explain(
      'Calls and groups use ( ), reads and reductions [ ].',
      'fn f(x: float[N]) -> float[N] = exp(x]',
      'fn f(x: float[N]) -> float[N] = exp(x)',
    ),
    render: ({ open, opener, found, expected }) => ({
      message: `\`${found}\` closes a \`${open}\`; that takes a \`${expected}\``,
      label: `should be \`${expected}\``,
      related: [{ span: opener, label: 'opened here' }],
    }),
  },
  NN006: {
    severity: error,
    title: 'something else expected',
    explain: explain(
      'At this place the sentence cannot go on as written. The message says what could stand here and what was found. A statement ends at the end of its line or at `;`; a line goes on when it ends in an operator or when the next, indented deeper, begins with one (but not with `-`, `(` or `[`).',
      'fn f(x: float[N]) -> float[N] {\n  let y x * 2\n  return y\n}',
      'fn f(x: float[N]) -> float[N] {\n  let y = x * 2\n  return y\n}',
    ),
    render: ({ expected, found, after, hint }) => ({
      message: `expected ${expected}${after === null ? '' : ` after ${after}`}, found ${found}`,
      label: `expected ${expected}`,
      notes: hint === null ? [] : [hint],
    }),
  },
  NN007: {
    severity: error,
    title: 'continuation that is not indented',
    explain: explain(
      'A line that begins with an operator continues the one before it. It must be indented deeper than the statement, so that the eye sees it.',
      'fn f(x: float[N]) -> float[N] {\n  let y = x\n  + 1\n  return y\n}',
      'fn f(x: float[N]) -> float[N] {\n  let y = x\n    + 1\n  return y\n}',
    ),
    render: ({ operator }) => ({
      message: `a line that begins with \`${operator}\` continues the statement above and must be indented deeper`,
      label: 'indent this line',
    }),
  },
  NN008: {
    severity: error,
    title: '`=-` written together',
    explain: explain(
      '`x =-1` could be meant as `x = -1` or as `x -= 1`. Write one of them.',
      'fn f(x: float[N]) -> float[N] {\n  let y =-x\n  return y\n}',
      'fn f(x: float[N]) -> float[N] {\n  let y = -x\n  return y\n}',
    ),
    render: () => ({ message: '`=-` can be read as `= -` or as `-=`; write which', label: 'ambiguous' }),
  },
  NN009: {
    severity: error,
    title: 'sum on the left of a pipe',
    explain: explain(
      '`x + y |> f` reads both as `(x + y) |> f` and as `x + (y |> f)`. Parentheses say which. A product may be piped without them.',
      'block Residual(x: float[...S, D]) -> float[...S, D] {\n  x + x |> LayerNorm\n}',
      'block Residual(x: float[...S, D]) -> float[...S, D] {\n  x + (x |> LayerNorm)\n}',
    ),
    render: ({ operator }) => ({
      message: `what is piped is either the whole or only what follows the last \`${operator}\`: put parentheses around it`,
      label: 'needs parentheses to the left of `|>`',
    }),
  },
  NN010: {
    severity: error,
    title: 'minus directly after a reduction',
    explain: explain(
      '`max[e] -x[e]` looks like a difference. The sign stands before the reduction, or in parentheses behind it.',
      'fn low(x: float[B, E]) -> float[B] {\n  let y[b] = max[e] -x[b, e]\n  return y\n}',
      'fn low(x: float[B, E]) -> float[B] {\n  let y[b] = max[e] (-x[b, e])\n  return y\n}',
    ),
    render: ({ reduction }) => ({
      message: `a minus cannot follow the bracket of \`${reduction}\` directly`,
      label: 'put it before the reduction, or into parentheses',
    }),
  },
  NN011: {
    severity: error,
    title: 'reduction as an exponent',
    explain: explain(
      'A reduction takes the whole product that follows, so as a bare exponent it would take what looks like a factor of the power.',
      'fn f(x: float[B, E]) -> float[B] {\n  let y[b] = 2 ^ sum[e] x[b, e]\n  return y\n}',
      'fn f(x: float[B, E]) -> float[B] {\n  let y[b] = 2 ^ (sum[e] x[b, e])\n  return y\n}',
    ),
    render: ({ reduction }) => ({
      message: `\`${reduction}\` as an exponent needs parentheses around it and its operand`,
      label: 'put the reduction into parentheses',
    }),
  },
  NN012: {
    severity: error,
    title: 'chain of comparisons',
    explain: explain(
      'A comparison gives true or false, which is not compared again. Join two comparisons with `and`.',
      'mask band(q, k) = 0 <= q < k',
      'mask band(q, k) = 0 <= q and q < k',
    ),
    render: ({ first, second }) => ({
      message: `\`${first}\` and \`${second}\` do not chain; join two comparisons with \`and\``,
      label: 'a second comparison',
    }),
  },
  NN013: {
    severity: error,
    title: 'reserved word as a name',
    explain: explain(
      'Reserved are: let return yield repeat scan if else require or and not where true false const fn block import, and a reduction word directly before a bracket.',
      'fn f(x: float[N]) -> float[N] {\n  let repeat = x + 1\n  return repeat\n}',
      'fn f(x: float[N]) -> float[N] {\n  let again = x + 1\n  return again\n}',
    ),
    render: ({ word }) => ({
      message: `\`${word}\` is a reserved word and cannot be a name here`,
      label: 'choose another name',
    }),
  },
  NN014: {
    severity: error,
    title: 'stage that is not a name or a call',
    explain: explain(
      'A value is piped into a function or a layer: a name, or a name with its arguments. Anything else is written as a call or as arithmetic.',
      'fn f(x: float[N]) -> float[N] = x |> (2 * x)',
      'fn f(x: float[N]) -> float[N] = x * 2 * x',
    ),
    render: ({ found }) => ({
      message: `a value cannot be piped into ${found}; a stage is a name or a call`,
      label: 'not a function or a layer',
    }),
  },
  NN015: {
    severity: error,
    title: 'left side that cannot be assigned to',
    explain: explain(
      'On the left of an assignment stands a name, or a name with the indices of an equation. Parts of other values cannot be rebound; equality is written `==`.',
      'fn f(x: float[N]) -> float[N] {\n  x + 1 = x\n  return x\n}',
      'fn f(x: float[N]) -> float[N] {\n  let y = x + 1\n  return y\n}',
    ),
    render: ({ operator }) => ({
      message: `the left side of \`${operator}\` must be a name, or a name with indices`,
      label: 'cannot be assigned to',
    }),
  },
  NN016: {
    severity: error,
    title: 'statement in the wrong body',
    explain: explain(
      'A `train` declaration says how to train: inputs, `let`, `minimize`, `metric`, `optimizer`, `gradient`, `batch`, `epochs`, `validate`, `runs`, `precision`. Computation with parameters, loops and branches belongs into a `block` or `fn`.',
      'train Fit {\n  input x: float[B, 4]\n  mean(x)\n  minimize mean((x |> Linear(1)) ^ 2)\n  optimizer SGD()\n}',
      'train Fit {\n  input x: float[B, 4]\n  minimize mean((x |> Linear(1)) ^ 2)\n  optimizer SGD()\n}',
    ),
    render: ({ statement, place }) => ({
      message:
        place === 'train'
          ? `a \`train\` declaration does not contain ${statement}`
          : `${statement} belongs into a \`train\` declaration`,
      label: 'not possible here',
    }),
  },
  NN017: {
    severity: error,
    title: 'body without its brace',
    explain: explain(
      'The statements of a declaration stand in { }. A body that is one expression may be written `= …`.',
      'fn f(x: float[N]) -> float[N]\n  return x\n}',
      'fn f(x: float[N]) -> float[N] {\n  return x\n}',
    ),
    render: ({ kind, name }) => ({
      message: `the body of ${name === '' ? `this \`${kind}\`` : `${kind} \`${name}\``} has no opening brace`,
      label: 'needs `{` after it',
    }),
  },
  NN018: {
    severity: error,
    title: 'label before something that takes none',
    explain: explain(
      'A label names an instance: it stands before a stage (`x |> name: Layer`), before `repeat` or before `scan`.',
      'block F(x: float[B, D]) -> float[B, D] {\n  return up: Linear(D)(x)\n}',
      'block F(x: float[B, D]) -> float[B, D] {\n  return x |> up: Linear(D)\n}',
    ),
    render: ({ label }) => ({
      message: `the label \`${label}:\` stands before a stage, \`repeat\` or \`scan\` only`,
      label: 'labels nothing',
    }),
  },
  NN019: {
    severity: error,
    title: 'number in an unknown form',
    explain: explain(
      'Numbers are written `768`, `2.0` or `1e-3`, without underscores, suffixes or a base.',
      'const width = 50_257',
      'const width = 50257',
    ),
    render: ({ text }) => ({
      message: `\`${text}\` is not a number; numbers are written \`768\`, \`2.0\` or \`1e-3\``,
      label: 'not a number',
    }),
  },
  NN020: {
    severity: error,
    title: 'sign of another language',
    explain: explain(
      'Powers are `^`, the logical operators are words, strings stand in double quotes, comments begin with `//`.',
      'mask near(q, k) = q - k < 2 && k <= q',
      'mask near(q, k) = q - k < 2 and k <= q',
    ),
    render: ({ found, use }) => ({
      message: `\`${found.length > 12 ? `${found.slice(0, 12)}…` : found}\` is written \`${use}\` here`,
      label: `write \`${use}\``,
    }),
  },
  NN021: {
    severity: error,
    title: 'text outside any declaration',
    explain: explain(
      'A file consists of declarations: import, const, fn, block, mask, loss, metric, optimizer, schedule, model, train, checkpoint. Statements stand in their bodies.',
      'let width = 64',
      'const width = 64',
    ),
    render: ({ found, suggestion, hint }) => ({
      notes: hint === null ? [] : [hint],
      message: `a declaration was expected, found \`${found}\``,
      label: suggestion === null ? 'begins no declaration' : `did you mean \`${suggestion}\`?`,
    }),
  },
  NN022: {
    severity: error,
    title: 'unknown escape',
    explain: explain(
      'In a string, `\\n` is a line break, `\\t` a tabulator, `\\"` a quote and `\\\\` a backslash.',
      'fn f(x: float[N]) -> float[N] {\n  require N > 1, "more than\\ one"\n  return x\n}',
      'fn f(x: float[N]) -> float[N] {\n  require N > 1, "more than one"\n  return x\n}',
    ),
    render: ({ escape }) => ({
      message: `\`${escape}\` is not an escape; a backslash itself is written \`\\\\\``,
      label: 'unknown escape',
    }),
  },
  NN023: {
    severity: error,
    title: 'pipeline as an operand',
    explain: explain(
      'A pipeline reaches as far as it can, so as an operand of arithmetic it stands in parentheses.',
      'block Residual(x: float[...S, D]) -> float[...S, D] {\n  return x |> LayerNorm + x\n}',
      'block Residual(x: float[...S, D]) -> float[...S, D] {\n  return (x |> LayerNorm) + x\n}',
    ),
    render: ({ operator }) => ({
      message: `a pipeline before \`${operator}\` needs parentheses`,
      label: 'applies to the whole pipeline?',
    }),
  },
};
