/**
 * Text to formatted text, for `nnc fmt` and the language server: Prettier with this plugin and nothing else. No file is read; whoever knows the
 * user's configuration passes its options.
 */
import type { Options } from 'prettier';
import { format as prettier } from 'prettier/standalone';
import { pieces } from '../../grammar/pieces.ts';
import * as plugin from './index.ts';

export type FormatOptions = Partial<Pick<Options, 'printWidth' | 'endOfLine' | 'requirePragma' | 'insertPragma'>>;

/** Throws `NnSyntaxError` for a text that is no program. */
export async function formatText(text: string, options: FormatOptions = {}): Promise<string> {
  return prettier(text, { endOfLine: 'auto', ...options, parser: 'nn', plugins: [plugin] });
}

export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The smallest single change that formats the text; null where it is formatted. */
export async function formatChange(text: string, options: FormatOptions = {}): Promise<TextChange | null> {
  return smallest(text, await formatText(text, options), 0);
}

/** As Prettier formats a range: the declarations that it touches, as a whole. */
export async function formatRange(
  text: string,
  start: number,
  end: number,
  options: FormatOptions = {},
): Promise<TextChange | null> {
  const before = pieces(text);
  const formatted = await formatText(text, options);
  const after = pieces(formatted);
  // Pieces are told by their declarations, which formatting neither adds nor takes away; where a cut depended on the layout, all is formatted.
  if (before.length !== after.length) return smallest(text, formatted, 0);
  const touched = before.flatMap(({ offset, text: own }, k) =>
    offset <= end && start <= offset + own.trimEnd().length ? [k] : [],
  );
  const [first, last] = [touched[0], touched.at(-1)];
  if (first === undefined || last === undefined) return null;
  const from = before[first]!.offset;
  const to = before[last]!.offset + before[last]!.text.trimEnd().length;
  const made = after
    .slice(first, last + 1)
    .map((p) => p.text)
    .join('');
  return smallest(text.slice(from, to), made.trimEnd(), from);
}

function smallest(text: string, wanted: string, offset: number): TextChange | null {
  if (wanted === text) return null;
  let start = 0;
  while (start < text.length && start < wanted.length && text[start] === wanted[start]) start++;
  let tail = 0;
  while (tail < text.length - start && tail < wanted.length - start && text.at(-1 - tail) === wanted.at(-1 - tail))
    tail++;
  // Never between the halves of a line break.
  if (tail > 0 && text[text.length - tail] === '\n' && text[text.length - tail - 1] === '\r') tail--;
  return {
    start: offset + start,
    end: offset + text.length - tail,
    text: wanted.slice(start, wanted.length - tail),
  };
}
