/**
 * What the layout pass can tell from a word and the few tokens behind it, before any parsing: whether it leads a declaration or a
 * statement, whether a `(` opens a group. Pure functions over the lexer's tokens.
 */
import { createTokenInstance, type IToken, type TokenType } from 'chevrotain';
import * as T from './tokens.ts';

export const start = (token: IToken): number => token.startOffset;
/** The lexer keeps start offsets only; placed tokens, which have no text, say where they end. */
export const end = (token: IToken): number =>
  token.endOffset === undefined ? token.startOffset + token.image.length : token.endOffset + 1;

export function retype(token: IToken, type: TokenType): void {
  token.tokenType = type;
  token.tokenTypeIdx = type.tokenTypeIdx!;
}

/** A token that is not in the text, standing at an offset without width. */
export function placed(type: TokenType, image: string, offset: number): IToken {
  return createTokenInstance(type, image, offset, offset - 1, 0, 0, 0, 0);
}

export const assigns: ReadonlySet<TokenType> = new Set([T.Equal, T.PlusEqual, T.MinusEqual, T.StarEqual, T.SlashEqual]);

/** Words that can only begin a statement. A `scan` may also stand in an expression. */
const statementWords: ReadonlySet<string> = new Set(['let', 'return', 'yield', 'repeat', 'if', 'require']);

export function leadsDeclaration(tokens: readonly IToken[], i: number): boolean {
  const token = tokens[i]!;
  if (token.tokenType !== T.Name) return false;
  const word = token.image;
  if (word === 'fn' || word === 'block' || word === 'const' || word === 'import') return true;
  if (!T.softDeclarations.has(word)) return false;
  const next = tokens[i + 1];
  if (next === undefined || next.tokenType !== T.Name || T.joiningWords.has(next.image)) return false;
  const afterNext = tokens[i + 2]?.tokenType;
  return afterNext === undefined || !assigns.has(afterNext);
}

/**
 * Can this token only be the head of a statement, even where a bracket is still open? `shallow`: its line is not indented deeper than the
 * statement that it would otherwise continue. `training`: the innermost body is that of a `train`.
 */
export function leadsStatement(tokens: readonly IToken[], i: number, shallow: boolean, training: boolean): boolean {
  const token = tokens[i]!;
  if (token.tokenType !== T.Name) return false;
  const word = token.image;
  const next = tokens[i + 1];
  if (statementWords.has(word)) return true;
  if (next === undefined) return false;
  if (next.tokenType === T.Name) {
    if (T.leafWords.has(word)) {
      const afterNext = tokens[i + 2]?.tokenType;
      return afterNext === T.Colon || afterNext === T.LBracket;
    }
    if (word === 'until' || (training && T.trainWords.has(word))) return true;
  }
  if (!shallow) return false;
  if (assigns.has(next.tokenType)) return true;
  return next.tokenType === T.LBracket && assignsBehindBracket(tokens, i + 1);
}

/** `[…] =` from the bracket at `from` on. */
function assignsBehindBracket(tokens: readonly IToken[], from: number): boolean {
  let depth = 0;
  for (let k = from; k < tokens.length && k < from + 200; k++) {
    const type = tokens[k]!.tokenType;
    if (type === T.LBracket || type === T.LParen) depth++;
    else if (type === T.RBracket || type === T.RParen) depth--;
    else if (type === T.LBrace || type === T.RBrace) return false;
    if (depth === 0) {
      const after = tokens[k + 1]?.tokenType;
      return after !== undefined && assigns.has(after);
    }
  }
  return false;
}

/** `param w …` and its kin, but not `state with r`. */
export function isLeaf(tokens: readonly IToken[], i: number): boolean {
  if (!T.leafWords.has(tokens[i]!.image)) return false;
  const next = tokens[i + 1];
  if (next?.tokenType !== T.Name) return false;
  if (!T.joiningWords.has(next.image)) return true;
  const after = tokens[i + 2]?.tokenType;
  return after === T.Colon || after === T.LBracket || after === T.Equal;
}

/** Does what follows `until` begin its condition? */
export function isUntil(next: IToken): boolean {
  const type = next.tokenType;
  return type === T.Name || type === T.LParen || type === T.NumberLiteral || type === T.Minus;
}

/** Is the `(` at `i`, which stands where an index begins, the start of a group such as `(h e)` or `(h: heads e)`? */
export function isGroup(tokens: readonly IToken[], i: number): boolean {
  const first = tokens[i + 1];
  if (first?.tokenType === T.Ellipsis) return true;
  if (first?.tokenType !== T.Name || T.reserved.has(first.image)) return false;
  const second = tokens[i + 2];
  if (second === undefined) return false;
  if (second.tokenType === T.Name) return !T.reserved.has(second.image) && second.image !== 'with';
  return second.tokenType === T.Colon || second.tokenType === T.Ellipsis;
}
