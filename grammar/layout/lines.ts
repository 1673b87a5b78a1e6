/**
 * Lines and statements: whether a line continues the one before, ends a statement, or begins a body whose brace is missing.
 */
import { createTokenInstance, type IToken, type TokenType } from 'chevrotain';
import { end, leadsDeclaration, leadsStatement, placed, start } from '../lookahead.ts';
import * as T from '../tokens.ts';
import { closeAll, closeToBody } from './brackets.ts';
import type { LayoutState } from './state.ts';

/** A line that begins with one of these continues the line before. */
const leading = new Set<TokenType>([
  T.Pipe,
  T.Plus,
  T.Star,
  T.Slash,
  T.Percent,
  T.Caret,
  T.EqualEqual,
  T.NotEqual,
  T.LessEqual,
  T.GreaterEqual,
  T.Less,
  T.Greater,
  T.Dot,
  T.Comma,
  T.Arrow,
  T.Equal,
  T.PlusEqual,
  T.MinusEqual,
  T.StarEqual,
  T.SlashEqual,
  T.LBrace,
]);
const leadingWords = new Set(['where', 'else', 'and', 'or']);

/** After one of these a deeper line continues. */
const trailing = new Set<TokenType>([
  ...[...leading].filter((type) => type !== T.LBrace),
  T.Minus,
  T.Colon,
  T.Where,
  T.Else,
  T.And,
  T.Or,
  T.Not,
  T.Let,
  T.Return,
  T.Yield,
  T.Require,
  T.If,
  T.Repeat,
  T.Scan,
  T.Over,
  T.Along,
  T.In,
  T.As,
  T.For,
  T.With,
  T.From,
  T.Every,
  T.Const,
  T.Import,
  T.CallableWord,
  T.Minimize,
  T.LeafWord,
]);

export function beginsLine(state: LayoutState, token: IToken): boolean {
  const from = state.previousEnd;
  const breakAt = state.text.lastIndexOf('\n', start(token) - 1);
  if (breakAt < from && !(from === 0 && state.previousType === null)) return false;
  state.lineStart = breakAt + 1;
  state.lineIndent = start(token) - state.lineStart;
  return true;
}

export function newLine(state: LayoutState, token: IToken, i: number): void {
  const column = state.lineIndent;
  if (state.frames.length > 0 && column === 0 && leadsDeclaration(state.raw, i)) {
    closeAll(state, 0, token);
    state.cut();
    return;
  }
  const top = state.frames.at(-1);
  if (top !== undefined && (top.body === null || top.body === 'edits')) {
    if (!leadsStatement(state.raw, i, column <= state.statementIndent, state.innerBody() === 'train')) return;
    closeToBody(state, token);
  }
  if (state.atStart) return;
  const type = token.tokenType;
  if (type === T.RBrace || type === T.Semicolon) return;
  if (leading.has(type) || leadingWords.has(token.image)) {
    const free =
      type === T.LBrace || (token.image === 'else' && state.previousType === T.RBrace) || state.frames.length === 0;
    if (!free && column <= state.statementIndent) {
      state.report.add('NN007', start(token), end(token), { operator: token.image }, [
        {
          title: 'indent the continuation',
          edits: [
            { span: state.report.span(state.lineStart, start(token)), text: ' '.repeat(state.statementIndent + 2) },
          ],
          applicability: 'always',
        },
      ]);
    }
    return;
  }
  if (
    state.previousType !== null &&
    trailing.has(state.previousType) &&
    column > state.statementIndent &&
    !leadsStatement(state.raw, i, column <= state.statementIndent, state.innerBody() === 'train')
  ) {
    return;
  }
  const bodiless = state.frames.length === 0 ? state.declares() && !state.bodySeen : state.headerOpen;
  if (bodiless && column > state.statementIndent) {
    openBodyFor(state, token);
    return;
  }
  state.separatorPending = true;
}

function openBodyFor(state: LayoutState, token: IToken): void {
  const from =
    state.out.findLastIndex((earlier) => earlier.tokenType === T.Separator || earlier.tokenType === T.LBrace) + 1;
  const head = state.out[from];
  const name = state.frames.length === 0 ? state.out[1] : undefined;
  state.report.add(
    'NN017',
    head === undefined ? start(token) : start(head),
    name === undefined ? state.previousEnd : end(name),
    { kind: state.headerOpen?.image ?? head?.image ?? 'block', name: name?.image ?? '' },
    [
      {
        title: 'add the opening brace',
        edits: [{ span: state.report.span(state.previousEnd, state.previousEnd), text: ' {' }],
        applicability: 'maybe',
      },
    ],
  );
  const brace = placed(T.LBrace, '{', state.previousEnd);
  state.virtualOpeners.add(brace);
  state.open(brace, T.RBrace, state.bodyKind(), state.statementIndent);
  state.beginStatement();
}

export function flushSeparator(state: LayoutState): void {
  state.separatorPending = false;
  if (state.frames.length === 0) {
    state.cut();
    return;
  }
  state.out.push(placed(T.Separator, '\n', state.previousEnd));
  state.boundaries.push(state.previousEnd);
  state.beginStatement();
}

export function semicolon(state: LayoutState, token: IToken): void {
  if (state.frames.at(-1)?.body === null || state.frames.at(-1)?.body === 'edits') closeToBody(state, token);
  if (state.atStart) {
    state.previousEnd = end(token);
    return;
  }
  if (state.frames.length === 0) {
    state.cut();
  } else {
    state.out.push(createTokenInstance(T.Separator, ';', start(token), end(token) - 1, 0, 0, 0, 0));
    state.boundaries.push(start(token));
    state.beginStatement();
  }
  state.previousEnd = end(token);
}
