/**
 * Brackets and bodies: what opens one, what closes it, and what is done where the text does not balance. A report names the innermost culprit;
 * the tokens that leave are balanced whatever came in.
 */
import type { IToken, TokenType } from 'chevrotain';
import { end, leadsDeclaration, placed, retype, start } from '../lookahead.ts';
import * as T from '../tokens.ts';
import type { Frame, LayoutState } from './state.ts';

const closeImage = new Map<TokenType, string>([
  [T.RParen, ')'],
  [T.RBracket, ']'],
  [T.RBrace, '}'],
]);

export function close(state: LayoutState, token: IToken, i: number): void {
  const type = token.tokenType;
  if (type === T.RBrace) {
    closeBrace(state, token, i);
    return;
  }
  const top = state.frames.at(-1);
  if (top?.close === type) {
    state.pop(token);
    return;
  }
  // Is the right opener below, in the same body?
  let match = -1;
  for (let k = state.frames.length - 1; k >= 0 && state.frames[k]!.body === null; k--) {
    if (state.frames[k]!.close === type) {
      match = k;
      break;
    }
  }
  if (match >= 0 && top !== undefined) {
    const next = state.raw[i + 1];
    if (next?.tokenType === top.close && match === state.frames.length - 2 && !closesLater(state, type, i + 1)) {
      // `(h e])`: the two are swapped.
      wrongCloser(state, token, top);
      retype(next, type);
    } else if (closesLater(state, top.close, i)) stray(state, token);
    else {
      closeAll(state, match + 1, token);
      state.pop(token);
    }
    return;
  }
  if (top === undefined || top.body !== null || closesLater(state, top.close, i)) {
    stray(state, token);
    return;
  }
  wrongCloser(state, token, top);
}

export function openBrace(state: LayoutState, token: IToken): void {
  if (state.previousType === T.With) {
    state.open(token, T.RBrace, 'edits');
    return;
  }
  // A body can only stand in a body: an open ( or [ before it, unless a `scan` stands in it, was left open.
  if (state.frames.at(-1)?.body === null && !scanOpen(state)) closeToBody(state, token);
  const body = state.bodyKind();
  state.open(token, T.RBrace, body);
  state.beginStatement();
}

/** Does a `scan` stand behind the innermost open ( or [? */
function scanOpen(state: LayoutState): boolean {
  const opener = state.frames.at(-1)!.opener;
  for (let k = state.out.length - 1; k >= 0 && state.out[k] !== opener; k--) {
    if (state.out[k]!.tokenType === T.Scan) return true;
  }
  return false;
}

function wrongCloser(state: LayoutState, token: IToken, top: Frame): void {
  const expected = closeImage.get(top.close)!;
  state.report.add(
    'NN005',
    start(token),
    end(token),
    {
      open: top.opener.image,
      opener: state.report.span(start(top.opener), end(top.opener)),
      found: token.image,
      expected,
    },
    [
      {
        title: `write \`${expected}\``,
        edits: [{ span: state.report.span(start(token), end(token)), text: expected }],
        applicability: 'maybe',
      },
    ],
  );
  retype(token, top.close);
  state.pop(token);
}

/** Does a closer of this type that belongs to the open bracket follow on the same line? */
function closesLater(state: LayoutState, close: TokenType, i: number): boolean {
  const open = close === T.RParen ? T.LParen : T.LBracket;
  let depth = 0;
  for (let k = i + 1; k < state.raw.length; k++) {
    const token = state.raw[k]!;
    if (state.text.slice(end(state.raw[k - 1]!), start(token)).includes('\n')) return false;
    if (token.tokenType === open) depth++;
    else if (token.tokenType === close && depth-- === 0) return true;
  }
  return false;
}

function stray(state: LayoutState, token: IToken): void {
  state.report.add('NN004', start(token), end(token), { close: token.image }, [
    {
      title: 'remove it',
      edits: [{ span: state.report.span(start(token), end(token)), text: '' }],
      applicability: 'maybe',
    },
  ]);
  state.previousEnd = Math.max(state.previousEnd, end(token));
}

function closeBrace(state: LayoutState, token: IToken, i: number): void {
  const bodies = state.frames.flatMap((frame, k) => (frame.close === T.RBrace ? [k] : []));
  const inner = bodies.at(-1);
  if (inner === undefined) {
    // Brackets that are open in a header are closed by the end of the declaration.
    stray(state, token);
    return;
  }
  if (inner < state.frames.length - 1) closeAll(state, inner + 1, token);
  const first = start(token) === state.lineStart + state.lineIndent;
  if (first) {
    const column = state.lineIndent;
    const frame = state.frames[inner]!;
    if (column < frame.lineIndent) {
      const match = bodies.findLast((k) => state.frames[k]!.lineIndent <= column);
      if (match !== undefined && match < inner) closeAll(state, match + 1, token);
    } else if (column > frame.lineIndent && inner === 0) {
      // Does the declaration go on after this brace?
      const next = state.raw[i + 1];
      if (next !== undefined && !startsDeclarationLine(state, i + 1)) {
        stray(state, token);
        return;
      }
    }
  }
  state.pop(token);
}

function startsDeclarationLine(state: LayoutState, i: number): boolean {
  const token = state.raw[i]!;
  const lineStart = state.text.lastIndexOf('\n', start(token) - 1) + 1;
  return (
    lineStart === start(token) &&
    (leadsDeclaration(state.raw, i) || token.tokenType === T.RBrace) &&
    token.tokenType !== T.RBrace
  );
}

function restOfLine(state: LayoutState, from: number): string {
  const to = state.text.indexOf('\n', from);
  return state.text.slice(from, to < 0 ? undefined : to);
}

export function closeToBody(state: LayoutState, token: IToken): void {
  let keep = state.frames.length;
  while (keep > 0 && (state.frames[keep - 1]!.body === null || state.frames[keep - 1]!.body === 'edits')) keep--;
  closeAll(state, keep, token);
}

/** Closes all frames from number `keep` on, with one report for the innermost that the text opened. */
export function closeAll(state: LayoutState, keep: number, before: IToken | null): void {
  if (state.frames.length <= keep) return;
  const guilty = state.frames.slice(keep).findLast((frame) => !state.virtualOpeners.has(frame.opener));
  if (guilty !== undefined) {
    const closers = state.frames
      .slice(keep)
      .map((frame) => closeImage.get(frame.close)!)
      .reverse();
    const braces = guilty.close === T.RBrace;
    const comment = /\/\/\s*[\w(]/.test(restOfLine(state, end(guilty.opener)));
    state.report.add(
      'NN003',
      start(guilty.opener),
      end(guilty.opener),
      {
        open: guilty.opener.image,
        close: closeImage.get(guilty.close)!,
        before: before === null ? null : state.report.span(start(before), end(before)),
        comment,
      },
      comment
        ? []
        : [
            {
              title: `add \`${closers.join('')}\``,
              edits: [
                {
                  span: state.report.span(state.previousEnd, state.previousEnd),
                  text: braces ? `\n${closers.join('\n')}` : closers.join(''),
                },
              ],
              applicability: 'maybe',
            },
          ],
    );
  }
  while (state.frames.length > keep) {
    const frame = state.frames.at(-1)!;
    state.pop(placed(frame.close, closeImage.get(frame.close)!, state.previousEnd));
  }
}
