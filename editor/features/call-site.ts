/**
 * The call around an offset, read off the text: brackets backwards, over strings and comments. It has to work in text that does not parse,
 * since that is when somebody types a call.
 */
import { blank } from './text.ts';

export interface CallSite {
  /** The word before the bracket; of `Attention(8)(…)` also `Attention`, with `second` true. */
  readonly callee: string;
  readonly calleeStart: number;
  readonly second: boolean;
  /** The value of a pipe is the first tensor argument. */
  readonly piped: boolean;
  /** Arguments before the offset, each as far as it is written; the last is the one at the offset. */
  readonly arguments: readonly string[];
  readonly open: number;
}

/** Where the innermost open bracket of a kind is; -1 where there is none before a `{` or the start of the declaration. */
export function openBracket(text: string, offset: number): number {
  let depth = 0;
  for (let i = offset - 1; i >= 0; i--) {
    const c = text[i]!;
    if (c === ')' || c === ']' || c === '}') depth++;
    else if (c === '(' || c === '[' || c === '{') {
      if (depth === 0) return c === '{' ? -1 : i;
      depth--;
    }
  }
  return -1;
}

const matching = (text: string, close: number): number => openBracket(text, close);

export function callSite(source: string, offset: number): CallSite | null {
  // A declaration is far enough to look back.
  const from = Math.max(0, offset - 8000);
  const text = blank(source.slice(from, offset));
  let open = openBracket(text, text.length);
  // A read or a group inside the call: look further out.
  while (open >= 0 && (text[open] === '[' || !/[\w)]\s*$/.test(text.slice(0, open)))) open = openBracket(text, open);
  if (open < 0) return null;
  let before = open;
  let second = false;
  if (/\)\s*$/.test(text.slice(0, before))) {
    second = true;
    before = matching(text, text.slice(0, before).trimEnd().length - 1);
    if (before < 0) return null;
  }
  const word = /([A-Za-z_]\w*)\s*$/.exec(text.slice(0, before));
  if (word === null) return null;
  const head = text.slice(0, word.index);
  return {
    callee: word[1]!,
    calleeStart: from + word.index,
    second,
    piped: /\|>\s*(?:[A-Za-z_]\w*\s*:\s*)?$/.test(head),
    arguments: split(text.slice(open + 1)),
    open: from + open,
  };
}

/** At commas outside brackets. */
function split(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const c of text) {
    if (c === '(' || c === '[' || c === '{') depth++;
    else if (c === ')' || c === ']' || c === '}') depth--;
    if (c === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts;
}

/** `bias: tr` → `bias`. */
export function argumentName(argument: string): string | null {
  return /^\s*([A-Za-z_]\w*)\s*:/.exec(argument)?.[1] ?? null;
}
