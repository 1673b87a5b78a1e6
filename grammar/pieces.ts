/**
 * A file in pieces that can be parsed by themselves: the layout pass closes everything where a declaration word stands in column 1, so the
 * text before such a word never changes what comes after it.
 *
 * Fewer pieces than declarations are harmless (a piece may hold several), a cut in the wrong place is not: where one line does not
 * show that it leads a declaration, there is no cut. The comments directly above a declaration belong to its piece, since they document it.
 */
import { leadsDeclaration } from './lookahead.ts';
import { lexer } from './tokens.ts';

export interface Piece {
  readonly offset: number;
  readonly text: string;
}

const LEADER = /^(?:fn|block|const|import)(?![\p{L}\p{N}_])|^[a-z]+[ \t]+[\p{L}_]/u;

function leads(line: string): boolean {
  if (!LEADER.test(line)) return false;
  const { tokens } = lexer.tokenize(line);
  if (tokens.length === 0 || !leadsDeclaration(tokens, 0)) return false;
  // `model x` could go on with `=` in the next line.
  return tokens.length > 2 || /^(?:fn|block|const|import)/.test(line);
}

export function pieces(text: string): Piece[] {
  const cuts = [0];
  /** Where the comment lines began that reach down to the present line; -1 where there are none. */
  let comment = -1;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at);
    const next = newline < 0 ? text.length : newline + 1;
    const line = text.slice(at, next);
    if (/^[ \t]*\/\//.test(line)) {
      if (comment < 0) comment = at;
    } else {
      if (at > 0 && leads(line)) cuts.push(comment < 0 ? at : comment);
      comment = -1;
    }
    at = next;
  }
  return cuts
    .filter((cut, k) => k === 0 || cut > 0)
    .map((offset, k, all) => ({ offset, text: text.slice(offset, all[k + 1] ?? text.length) }));
}
