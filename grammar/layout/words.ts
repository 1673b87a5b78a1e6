/**
 * Words that mean something by their place (`model`, `param`, `over`, …), the habits of other systems written as ours, and tokens joined into one.
 */
import { createTokenInstance, type IToken, type TokenType } from 'chevrotain';
import { trainSynonyms } from '../habits.ts';
import { assigns, end, isLeaf, isUntil, retype, start } from '../lookahead.ts';
import type { SyntaxFix } from '../problems.ts';
import * as T from '../tokens.ts';
import type { LayoutState } from './state.ts';

export function word(state: LayoutState, token: IToken, i: number): void {
  const word = token.image;
  const next = state.raw[i + 1];
  const previous = state.previousType;
  if (previous === T.Dot) return; // a member may have any name
  if (T.reductionWords.has(word) && next?.tokenType === T.LBracket && start(next) === end(token)) {
    if (previous !== T.Let && previous !== T.LeafWord) {
      retype(token, T.Reduction);
      return;
    }
    state.report.add('NN013', start(token), end(token), { word });
    return;
  }
  const keyword = T.reserved.get(word);
  if (keyword !== undefined) {
    const named =
      previous === T.Let ||
      previous === T.LeafWord ||
      previous === T.CallableWord ||
      ((previous === T.LParen || previous === T.Comma || previous === T.LBracket) &&
        next?.tokenType === T.Colon &&
        state.frames.length > 0);
    if (named) state.report.add('NN013', start(token), end(token), { word });
    else retype(token, keyword);
    return;
  }
  if (state.atStart) {
    const body = state.innerBody();
    if (body === 'file') {
      const soft = T.softDeclarations.get(word);
      if (soft !== undefined && next?.tokenType === T.Name) retype(token, soft);
    } else if (body === 'train') {
      const soft = T.trainWords.get(word);
      const meant = trainSynonyms.get(word);
      if (soft !== undefined && (next === undefined || !assigns.has(next.tokenType))) retype(token, soft);
      else if (
        meant !== undefined &&
        (next?.tokenType === T.Name ||
          next?.tokenType === T.NumberLiteral ||
          (word === 'validation' && next?.tokenType === T.LParen))
      )
        translate(state, token, { type: T.trainWords.get(meant)!, use: meant });
      else if (isLeaf(state.raw, i)) retype(token, T.LeafWord);
    } else if (isLeaf(state.raw, i)) retype(token, T.LeafWord);
    else if (word === 'until' && next !== undefined && isUntil(next)) retype(token, T.Until);
    return;
  }
  const joining = T.joiningWords.get(word);
  if (joining !== undefined && state.previousIsOperand && state.frames.at(-1)?.opener.tokenType !== T.GroupOpen) {
    retype(token, joining);
  }
}

export function translate(
  state: LayoutState,
  token: IToken,
  alien: { readonly type: TokenType; readonly use: string },
): void {
  const text = alien.type === T.StringLiteral ? `"${token.image.slice(1, -1)}"` : alien.use;
  state.report.add('NN020', start(token), end(token), { found: token.image, use: text.trim() }, [
    {
      title: `write \`${text.trim()}\``,
      edits: [{ span: state.report.span(start(token), end(token)), text }],
      applicability: 'always',
    },
  ]);
  retype(token, alien.type);
}

export function namesArgument(state: LayoutState): boolean {
  const [before, name] = state.out.slice(-2);
  return (
    state.frames.at(-1)?.opener.tokenType === T.LParen &&
    state.frames.at(-1)?.body === null &&
    name?.tokenType === T.Name &&
    (before?.tokenType === T.LParen || before?.tokenType === T.Comma)
  );
}

export function touchingMinus(state: LayoutState, token: IToken, i: number): void {
  const next = state.raw[i + 1];
  if (next === undefined || start(next) !== end(token)) return;
  if (next.tokenType !== T.Minus && next.tokenType !== T.Arrow) return;
  const fixes: SyntaxFix[] = [
    {
      title: 'assign the negative: `= -`',
      edits: [{ span: state.report.span(end(token), end(token)), text: ' ' }],
      applicability: 'maybe',
    },
  ];
  // Only what exists already can be decreased.
  if (state.statementHead === T.Name && state.frames.at(-1)?.body != null) {
    fixes.push({
      title: 'subtract: `-=`',
      edits: [{ span: state.report.span(start(token), start(next) + 1), text: '-=' }],
      applicability: 'maybe',
    });
  }
  state.report.add('NN008', start(token), start(next) + 1, {}, fixes);
}

/** `h.*.attn.c_attn.weight` becomes one token. */
export function path(state: LayoutState, i: number): number {
  let last = i;
  for (let k = i + 1; k < state.raw.length; k++) {
    const token = state.raw[k]!;
    const type = token.tokenType;
    if (type !== T.Name && type !== T.Dot && type !== T.Star && type !== T.DoubleStar && type !== T.NumberLiteral)
      break;
    if (start(token) !== end(state.raw[last]!)) break;
    last = k;
  }
  const from = start(state.raw[i]!);
  const to = end(state.raw[last]!);
  state.emit(createTokenInstance(T.Path, state.text.slice(from, to), from, to - 1, 0, 0, 0, 0), true);
  return last;
}
