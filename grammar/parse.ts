/**
 * `.nn` text to AST: lexer, layout, one parse a declaration, builder. Any text gives a module; what is wrong with it is in `problems`.
 */
import { createTokenInstance, type ILexingError, type IToken } from 'chevrotain';
import type { Comment, Declaration, Module } from './ast.ts';
import { DeclarationBuilder } from './build.ts';
import { Complaints } from './complaints.ts';
import { layout, type Slice } from './layout.ts';
import { end, start } from './lookahead.ts';
import type { Place } from './place.ts';
import { isEnd, parseDeclaration, type ParsedDeclaration } from './parser.ts';
import { declarationHint, signHint } from './habits.ts';
import { SyntaxReporter, type SyntaxFix, type SyntaxProblem } from './problems.ts';
import { Hole, If, LBrace, lexer, RBrace, reserved, Separator, softDeclarations, TrainWord } from './tokens.ts';

export interface ParseResult {
  readonly module: Module;
  /** In the order of the text. */
  readonly problems: readonly SyntaxProblem[];
}

/** With a place, whose offset must be 0 meanwhile, the spans are relative to it. */
export function parse(file: { readonly id: number; readonly text: string }, place: Place | null = null): ParseResult {
  const { id, text } = file;
  const report = new SyntaxReporter(id, place);
  const lexed = lexer.tokenize(text);
  unknownCharacters(text, lexed.errors, report);
  const comments = collectComments(report, text, lexed.groups['comments'] ?? []);
  const hashes = lexed.groups['hashes'] ?? [];
  for (const hash of hashes) {
    const span = report.span(start(hash), start(hash) + 1);
    report.add('NN020', start(hash), start(hash) + 1, { found: '#', use: '//' }, [
      { title: 'write `//`', edits: [{ span, text: '//' }], applicability: 'always' },
    ]);
  }
  const { slices, boundaries } = layout(text, lexed.tokens, report);
  const complaints = new Complaints(report, boundaries);
  const declarations: Declaration[] = [];
  const builder = new DeclarationBuilder(report);
  let stray: { readonly start: number; end: number } | null = null;
  const flush = (): void => {
    if (stray !== null) declarations.push({ kind: 'bad', span: report.span(stray.start, stray.end) });
    stray = null;
  };
  for (const slice of slices) {
    const from = start(slice.tokens[0]!);
    const to = end(slice.tokens.at(-1)!);
    if (!slice.declaration) {
      // A run of lines that belong to no declaration is one damage.
      if (stray === null) {
        strayText(slice, report);
        stray = { start: from, end: to };
      } else stray.end = to;
      continue;
    }
    flush();
    const doc = documentation(text, comments, from);
    try {
      const { cst, errors } = parseIsolated(slice.tokens, complaints);
      const damaged = errors.some((error) => error.context.ruleStack.includes('signature'));
      declarations.push(...builder.declarations(cst, slice.tokens, doc, damaged));
    } catch (error) {
      // Parser and builder recur with the nesting of the text; the engine's stack is their only bound.
      if (!(error instanceof RangeError)) throw error;
      const found = 'thousands of brackets or signs in one another';
      report.add('NN006', from, to, { expected: 'a declaration of sane depth', found, after: null, hint: null });
      declarations.push({ kind: 'bad', span: report.span(from, to) });
    }
  }
  flush();
  const problems = [...report.problems].sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end);
  return {
    module: { file: id, declarations, comments, lineStarts: lineStarts(text), span: report.span(0, text.length) },
    problems,
  };
}

/**
 * Parses a declaration. The brackets balance, so when the parser leaves a body too early or too late, its recovery went astray in the
 * statement of the first complaint: that statement is replaced by a hole, and the declaration parsed again.
 */
function parseIsolated(tokens: IToken[], complaints: Complaints): ParsedDeclaration {
  let current = tokens;
  for (let round = 0; ; round++) {
    const parsed = parseDeclaration(current);
    const { errors } = parsed;
    const astray = errors.slice(1).some((error) => isEnd(error.token) || error.name === 'NotAllInputParsedException');
    const without = astray && round < 8 ? isolate(current, errors[0]!.token) : null;
    if (without === null) {
      complaints.add(
        errors.length > 1 ? errors.filter((error) => error.name !== 'NotAllInputParsedException') : errors,
        current,
      );
      return parsed;
    }
    complaints.add(errors.slice(0, 1), current);
    current = without;
  }
}

/** The tokens with a hole instead of the statement around a token; null if that stands in no statement. */
function isolate(tokens: readonly IToken[], culprit: IToken): IToken[] | null {
  const at = tokens.indexOf(culprit);
  if (at < 0) return null;
  const train = tokens[0]!.tokenType === TrainWord;
  let from = at;
  let depth = 0;
  while (from > 0) {
    const type = tokens[from - 1]!.tokenType;
    if (type === RBrace) depth++;
    else if (depth === 0 && (type === LBrace || type === Separator)) break;
    else if (type === LBrace) depth--;
    from--;
  }
  if (from === 0) return null;
  let to = at;
  while (to < tokens.length && ![LBrace, RBrace, Separator].includes(tokens[to]!.tokenType)) to++;
  const header = tokens[to]?.tokenType === LBrace;
  if (header && train) {
    for (depth = 0; to < tokens.length; to++) {
      const type = tokens[to]!.tokenType;
      if (type === LBrace) depth++;
      else if (type === RBrace && --depth === 0) break;
    }
    to++;
  }
  if (to === from) return null;
  const first = tokens[from]!;
  if (first.tokenType === Hole) return null;
  const offset = start(first);
  const hole = createTokenInstance(Hole, '', offset, end(tokens[to - 1]!) - 1, 0, 0, 0, 0);
  // A header keeps its body: what is bound there stays bound.
  const head = header && !train ? [createTokenInstance(If, 'if', offset, offset - 1, 0, 0, 0, 0), hole] : [hole];
  return [...tokens.slice(0, from), ...head, ...tokens.slice(to)];
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}

function unknownCharacters(text: string, errors: readonly ILexingError[], report: SyntaxReporter): void {
  let last = -1;
  for (const { offset, length } of errors) {
    // Several on one line are one damage.
    if (last >= 0 && !text.slice(last, offset).includes('\n')) continue;
    last = offset;
    // Not half of a surrogate pair.
    const character = String.fromCodePoint(text.codePointAt(offset) ?? 0xfffd);
    report.add(
      'NN001',
      offset,
      offset + Math.min(length, character.length),
      { character, hint: signHint(character) },
      character === '@' ? products(text, offset, report) : [],
    );
  }
}

/** `let y = x @ w` as an equation, for tensors of two and three axes; only what then compiles is offered. */
function products(text: string, at: number, report: SyntaxReporter): SyntaxFix[] {
  const from = text.lastIndexOf('\n', at) + 1;
  const to = text.indexOf('\n', at) < 0 ? text.length : text.indexOf('\n', at);
  const match = /^(\s*let\s+)(\w+)(\s*=\s*)(\w+)\s*@\s*(\w+)(\.T)?\s*$/.exec(text.slice(from, to));
  if (match === null) return [];
  const [, head, name, equal, left, right, turned] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  const span = report.span(from, to);
  return [
    ['i, ', ''],
    ['n, i, ', ''],
    ['n, i, ', 'n, '],
  ].map(([lead, shared]) => {
    const text = `${head}${name}[${lead!}j]${equal}sum[k] ${left}[${lead!}k] * ${right}[${shared!}${turned === undefined ? 'k, j' : 'j, k'}]`;
    return { title: 'write the product as an equation', edits: [{ span, text }], applicability: 'maybe' as const };
  });
}

function collectComments(report: SyntaxReporter, text: string, tokens: readonly IToken[]): Comment[] {
  return tokens.map((token) => {
    const lineStart = text.lastIndexOf('\n', start(token) - 1) + 1;
    return {
      text: token.image,
      span: report.span(start(token), end(token)),
      ownLine: text.slice(lineStart, start(token)).trim() === '',
    };
  });
}

/** The `///` lines that end directly above an offset. */
function documentation(text: string, comments: readonly Comment[], offset: number): string | null {
  const lines: string[] = [];
  let at = offset;
  let low = 0;
  let high = comments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comments[middle]!.span.start < offset) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0; i--) {
    const comment = comments[i]!;
    const between = text.slice(comment.span.end, at);
    if (!comment.ownLine || !comment.text.startsWith('///') || !/^\r?\n[ \t]*$/.test(between)) break;
    lines.unshift(comment.text.slice(3).replace(/^ /, '').trimEnd());
    at = comment.span.start;
  }
  return lines.length === 0 ? null : lines.join('\n');
}

function strayText(slice: Slice, report: SyntaxReporter): void {
  const first = slice.tokens[0]!;
  report.add('NN021', start(first), end(first), {
    found: first.image,
    hint: declarationHint(first.image),
    suggestion: nearest(first.image, [...softDeclarations.keys(), 'fn', 'block', 'const', 'import']),
  });
}

/** The declaration word within two edits, if the text is not a word of its own. */
function nearest(word: string, candidates: readonly string[]): string | null {
  if (!/^[a-z]+$/i.test(word) || reserved.has(word) || softDeclarations.has(word)) return null;
  let best: string | null = null;
  let distance = Math.min(3, word.length);
  for (const candidate of candidates) {
    const d = editDistance(word.toLowerCase(), candidate);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
