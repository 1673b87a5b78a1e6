/**
 * The pass between lexer and parser: it ends statements, gives words their meaning by place, and balances brackets.
 *
 * 1. Statements end at a newline or `;`. A newline ends none inside ( ) or [ ], after an infix operator when the next line is deeper, or
 *    before one; `(`, `[` and `-` never continue a line (`layout/lines.ts`).
 * 2. Soft words (`model`, `param`, `over`, …) become keywords only where they lead or join something (`layout/words.ts`).
 * 3. Damage is bounded: a statement word closes open ( and [, a declaration word in column 1 closes everything, a `}` is matched with the
 *    help of its indentation. What leaves this pass has balanced brackets, so that one wrong statement cannot swallow its neighbours
 *    (`layout/brackets.ts`).
 *
 * The result is one list of tokens a declaration. This pass knows nothing of expressions.
 */
import type { IToken, TokenType } from 'chevrotain';
import { close, closeAll, openBrace } from './layout/brackets.ts';
import { beginsLine, flushSeparator, newLine, semicolon } from './layout/lines.ts';
import { LayoutState, type Slice } from './layout/state.ts';
import { namesArgument, path, touchingMinus, translate, word } from './layout/words.ts';
import { end, isGroup, retype, start } from './lookahead.ts';
import type { SyntaxReporter } from './problems.ts';
import * as T from './tokens.ts';

export type { Slice } from './layout/state.ts';

export interface Layout {
  readonly slices: readonly Slice[];
  /** Offsets of separators and braces in ascending order: two places between the same ones are in one statement. */
  readonly boundaries: readonly number[];
}

const operandEnds = new Set<TokenType>([
  T.Name,
  T.NumberLiteral,
  T.StringLiteral,
  T.RParen,
  T.RBracket,
  T.RBrace,
  T.True,
  T.False,
]);

export function layout(text: string, tokens: readonly IToken[], report: SyntaxReporter): Layout {
  return run(new LayoutState(text, tokens, report));
}

function run(state: LayoutState): Layout {
  for (let i = 0; i < state.raw.length; i++) {
    const token = state.raw[i]!;
    if (beginsLine(state, token)) newLine(state, token, i);
    i = place(state, token, i);
  }
  closeAll(state, 0, null);
  state.cut();
  return { slices: state.slices, boundaries: state.boundaries };
}

/** Places one token; gives the index of the last raw token it consumed. */
function place(state: LayoutState, token: IToken, i: number): number {
  if (state.separatorPending && token.tokenType !== T.RBrace) flushSeparator(state);
  // `;` after the last statement of a body ends it and begins nothing.
  if (token.tokenType === T.RBrace && state.out.at(-1)?.tokenType === T.Separator) state.out.pop();
  const { tokenType: type } = token;
  if (type === T.DoubleStar && state.atStart && state.frames.at(-1)?.body === 'checkpoint') return path(state, i);
  const alien = T.foreign.get(type);
  if (alien !== undefined) translate(state, token, alien);
  switch (token.tokenType) {
    case T.Name:
      if (state.atStart && state.frames.at(-1)?.body === 'checkpoint') return path(state, i);
      word(state, token, i);
      state.emit(token, operandEnds.has(token.tokenType));
      return i;
    case T.Star:
      if (state.atStart && state.frames.at(-1)?.body === 'checkpoint') return path(state, i);
      state.emit(token, false);
      return i;
    case T.Semicolon:
      semicolon(state, token);
      return i;
    case T.OpenString:
      state.report.add('NN002', start(token), end(token), { text: token.image }, [
        {
          title: 'close the string',
          edits: [{ span: state.report.span(end(token), end(token)), text: '"' }],
          applicability: 'maybe',
        },
      ]);
      retype(token, T.StringLiteral);
      state.emit(token, true);
      return i;
    case T.NumberLiteral: {
      const next = state.raw[i + 1];
      state.emit(token, true);
      if (next?.tokenType === T.Name && start(next) === end(token)) {
        state.report.add('NN019', start(token), end(next), { text: token.image + next.image });
        state.previousEnd = end(next);
        return i + 1;
      }
      return i;
    }
    case T.LParen: {
      const top = state.frames.at(-1);
      const indexPlace =
        top?.close === T.RBracket && (state.previousType === T.LBracket || state.previousType === T.Comma);
      if (indexPlace && isGroup(state.raw, i)) retype(token, T.GroupOpen);
      state.open(token, T.RParen, null);
      return i;
    }
    case T.LBracket:
      state.open(token, T.RBracket, null);
      return i;
    case T.LBrace:
      openBrace(state, token);
      return i;
    case T.RParen:
    case T.RBracket:
    case T.RBrace:
      close(state, token, i);
      return i;
    case T.Equal:
      // `Adam(lr=1e-3)`: in a call, and nowhere in a signature, a name stands directly behind the bracket or a comma.
      if (namesArgument(state)) translate(state, token, { type: T.Colon, use: ': ' });
      if (state.frames.length === 0) state.bodySeen = true;
      touchingMinus(state, token, i);
      state.emit(token, false);
      return i;
    default:
      state.emit(token, operandEnds.has(token.tokenType));
      return i;
  }
}
