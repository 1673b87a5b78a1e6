/**
 * From the parser's exceptions to our problems: what was expected and what was found, in the words of someone who writes `.nn`.
 *
 * One damage, one report: within one statement only the first complaint survives, and none where the lexer or the layout pass has already
 * spoken. This is about facts; sentences are made in `compiler/diagnostics/render/syntax.ts`.
 */
import type { IRecognitionException, IToken } from 'chevrotain';
import { end, start } from './lookahead.ts';
import { statementHints } from './habits.ts';
import { isEnd } from './parser.ts';
import type { SyntaxProblem, SyntaxReporter } from './problems.ts';
import * as T from './tokens.ts';

/** What a token type is called. */
const called: Readonly<Record<string, string>> = {
  Name: 'a name',
  String: 'a string',
  Number: 'a number',
  Equal: '`=`',
  Colon: '`:`',
  Comma: '`,`',
  LParen: '`(`',
  LBracket: '`[`',
  LBrace: '`{`',
  Dot: '`.`',
  Less: '`<`',
  Pipe: '`|>`',
  Arrow: '`->`',
  From: '`from`',
  For: '`for`',
  In: '`in`',
  Over: '`over`',
  Along: '`along`',
  Parts: '`parts`',
  Repeat: '`repeat`',
  Scan: '`scan`',
  Path: 'the path of a parameter',
};

/** What a rule wanted when none of its alternatives fits. */
const wanted: Readonly<Record<string, string>> = {
  operand: 'an expression',
  statement: 'a statement',
  trainStatement: 'a statement of a training',
  callable: 'a body: `{ … }` or `= …`',
  signature: 'a type',
  dim: 'a size',
  index: 'an index',
  rounds: 'a number of rounds',
  scan: 'what to scan: `x_t over x along T` or `n in N`',
  infix: 'an operator',
  prefix: 'an expression',
  suffix: 'a call, an index or a member',
  declaration: 'a declaration',
  gradientStatement: '`|>` and a stage',
  ifStatement: '`{` or `if` after `else`',
  returnStatement: 'an expression',
  leafStatement: 'a type or indices',
};

function expectation(error: IRecognitionException): string {
  const rule = error.context.ruleStack.at(-1) ?? '';
  if (error.name === 'NotAllInputParsedException') return 'the end of the declaration';
  if (error.name !== 'MismatchedTokenException') return wanted[rule] ?? 'something else';
  const type = error.message;
  if (type === 'RBrace') return rule === 'edits' ? '`,` or `}`' : 'the end of the statement';
  if (type === 'RParen')
    return rule === 'operand' ? 'an operator or `)`' : rule === 'index' ? 'a name or `)`' : '`,` or `)`';
  if (type === 'RBracket') return '`,` or `]`';
  if (type === 'Name' && rule === 'type') return 'a type';
  if (type === 'Equal' && rule === 'letStatement') return '`=`';
  if (type === 'Equal' && rule === 'leafStatement') return '`=` and an initial value';
  return called[type] ?? 'something else';
}

function description(token: IToken): string {
  if (isEnd(token)) return 'the end of the declaration';
  if (token.tokenType === T.Separator) return token.image === ';' ? '`;`' : 'the end of the line';
  return token.tokenType === T.StringLiteral ? 'a string' : `\`${token.image}\``;
}

/** The first token of the statement in which the token at `position` stands. */
function headOf(tokens: readonly IToken[], position: number): IToken | null {
  const before = tokens.slice(0, position);
  return (
    tokens[before.findLastIndex(({ tokenType }) => tokenType === T.Separator || tokenType === T.LBrace) + 1] ?? null
  );
}

/** What people mean who write this. */
function hint(error: IRecognitionException, previous: IToken | null, head: IToken | null): string | null {
  const rule = error.context.ruleStack.at(-1) ?? '';
  const { token } = error;
  const type = token.tokenType;
  if (type === T.If) return 'A value that depends on a condition is written `a where condition else b`.';
  if (type === T.Equal && (rule === 'callArguments' || rule === 'validateStatement')) {
    return 'Arguments are given by name as `name: value`.';
  }
  if (
    type === T.Equal &&
    error.context.ruleStack.some((name) => name === 'ifStatement' || name === 'requireStatement')
  ) {
    return 'Equality is written `==`.';
  }
  if (type === T.Colon && (rule === 'indices' || rule === 'index' || rule === 'operand')) {
    return 'There are no slices: shift the index instead, as in `x[b, t + 1]`, with the extent on the left.';
  }
  if (type === T.Comma && head?.tokenType === T.Return) {
    return 'Several results have names, here and in the type: `return (mean: m, var: v)`.';
  }
  if (type === T.Arrow && rule === 'callable') return 'A function has at most two parameter lists before `->`.';
  for (const word of [previous?.image, token.image])
    if (word !== undefined && Object.hasOwn(statementHints, word)) return statementHints[word]!;
  if (type === T.Plus && previous?.image === '+') return 'A value is changed by `x = x + 1` or `x += 1`.';
  if (type === T.Equal && previous !== null && /^[!=]=$/.test(previous.image))
    return 'Equality is written `==`, its opposite `!=`.';
  return null;
}

/** In which statement an offset lies: the number of boundaries before it. */
function segment(boundaries: readonly number[], offset: number): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boundaries[middle]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Complaints {
  private readonly report: SyntaxReporter;
  private readonly boundaries: readonly number[];
  private readonly spoken = new Set<number>();
  /** Reserved words that were reported as names: their uses are the same damage. */
  private readonly misused = new Set<string>();

  constructor(report: SyntaxReporter, boundaries: readonly number[]) {
    this.report = report;
    this.boundaries = boundaries;
    for (const problem of report.problems) this.speak(problem);
  }

  private speak(problem: SyntaxProblem): void {
    this.spoken.add(segment(this.boundaries, problem.span.start));
    this.spoken.add(segment(this.boundaries, problem.span.end));
    if (problem.code === 'NN013') this.misused.add(problem.data.word);
  }

  /** The parser's complaints about one declaration's tokens. */
  add(errors: readonly IRecognitionException[], tokens: readonly IToken[]): void {
    for (const error of errors) {
      const { token } = error;
      const position = isEnd(token) ? tokens.length : tokens.indexOf(token);
      const previous = tokens[position - 1] ?? null;
      const visible = !isEnd(token) && end(token) > start(token) && token.tokenType !== T.Separator;
      const from = visible ? start(token) : previous === null ? start(tokens[0]!) : end(previous);
      const to = visible ? end(token) : from;
      if (this.misused.has(token.image) || (previous !== null && this.misused.has(previous.image))) continue;
      const place = segment(this.boundaries, from);
      if (this.spoken.has(place)) continue;
      this.spoken.add(place);
      this.complain(error, previous, headOf(tokens, position), from, to);
    }
  }

  private complain(
    error: IRecognitionException,
    previous: IToken | null,
    head: IToken | null,
    from: number,
    to: number,
  ): void {
    const { token } = error;
    const rule = error.context.ruleStack.at(-1) ?? '';
    const named = error.name === 'MismatchedTokenException' && error.message === 'Name' && rule !== 'type';
    if (named && T.reserved.has(token.image)) {
      this.misused.add(token.image);
      this.report.add('NN013', from, to, { word: token.image });
      return;
    }
    if (rule === 'trainStatement' && (token.tokenType === T.LeafWord || T.reserved.has(token.image))) {
      this.report.add('NN016', from, to, { statement: `\`${token.image}\``, place: 'train' });
      return;
    }
    if (rule === 'body' && previous !== null && T.trainWords.has(previous.image) && previous.tokenType === T.Name) {
      this.report.add('NN016', start(previous), end(previous), { statement: `\`${previous.image}\``, place: 'body' });
      return;
    }
    const after =
      previous === null || previous.tokenType === T.Separator || end(previous) <= start(previous)
        ? null
        : previous.tokenType === T.StringLiteral
          ? 'the string'
          : `\`${previous.image}\``;
    this.report.add('NN006', from, to, {
      expected: expectation(error),
      found: description(token),
      after,
      hint: hint(error, previous, head),
    });
  }
}
