/** Text on a grid of character cells: how wide it is, where it breaks, which part of a long line to show. Knows no reports and no colours. */

/** Columns that a character takes: 0 for combining marks, 2 for East Asian wide characters and emoji, else 1. */
export function charWidth(code: number): 0 | 1 | 2 {
  if (code < 0x300) return 1;
  if (zeroWidth.test(String.fromCodePoint(code))) return 0;
  return wide.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Ranges with East_Asian_Width W or F (Unicode 15), joined where only unassigned or rare characters lie between. */
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26a1, 0x26a1],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x2753, 0x2755],
  [0x2757, 0x2757],
  [0x2795, 0x2797],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f900, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
];

export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char.codePointAt(0)!);
  return width;
}

/**
 * A line as the terminal shows it (tabs as spaces, control characters as pictures) and, for each UTF-16 offset of the original and its
 * end, the column where it begins.
 */
export function expand(line: string): { readonly text: string; readonly columns: readonly number[] } {
  let text = '';
  let column = 0;
  const columns: number[] = [];
  for (const char of line) {
    const code = char.codePointAt(0)!;
    let shown = char;
    let width: number = charWidth(code);
    if (char === '\t') {
      width = 4 - (column % 4);
      shown = ' '.repeat(width);
    } else if (code < 32) shown = String.fromCodePoint(0x2400 + code);
    else if (
      (code >= 0x7f && code < 0xa0) ||
      (code >= 0x202a && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069)
    ) {
      // Delete, the second set of controls, and marks that turn the direction of writing.
      shown = '\ufffd';
      width = 1;
    } else if (code >= 0xd800 && code <= 0xdfff) shown = '\ufffd';
    for (let unit = 0; unit < char.length; unit++) columns.push(column);
    text += shown;
    column += width;
  }
  columns.push(column);
  return { text, columns };
}

/** Lines of at most `width` columns, broken at spaces; a word longer than that is broken within. Leading spaces stay. */
export function wrap(text: string, width: number): string[] {
  const room = Math.max(10, width);
  if (textWidth(text) <= room) return [text];
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const token of text.match(/^\s+\S+|\S+|\s+/g) ?? []) {
    const size = textWidth(token);
    if (used + size <= room) {
      line += token;
      used += size;
      continue;
    }
    if (token.trim() === '') {
      lines.push(line);
      line = '';
      used = 0;
      continue;
    }
    if (line.trim() !== '') lines.push(line.trimEnd());
    line = '';
    used = 0;
    for (const char of token) {
      const step = charWidth(char.codePointAt(0)!);
      if (used + step > room) {
        lines.push(line);
        line = '';
        used = 0;
      }
      line += char;
      used += step;
    }
  }
  if (line.trim() !== '') lines.push(line.trimEnd());
  return lines;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The part of a long line that shows the marks, with `…` where text is left out; the marks moved along. Columns in and out. */
export function clip<R extends Range>(text: string, parts: readonly R[], room: number): { text: string; parts: R[] } {
  const total = textWidth(text);
  if (total <= room) return { text, parts: [...parts] };
  const from = Math.min(...parts.map(({ start }) => start), total);
  const to = Math.max(...parts.map(({ end }) => end), 0);
  // The beginning when all marks fit there; else a window with the first mark a third from its left.
  const first =
    parts.length === 0 || to < room ? 0 : Math.max(0, Math.min(from - Math.floor(room / 3), total - room + 1));
  const last = first + room - (first > 0 ? 1 : 0) - 1;
  let shown = first > 0 ? '…' : '';
  let column = 0;
  let skipped = first;
  let begun = false;
  let complete = false;
  for (const char of text) {
    const next = column + charWidth(char.codePointAt(0)!);
    if (column >= first && next <= last + (next === total ? 1 : 0)) {
      if (!begun) skipped = column;
      begun = true;
      complete = next === total;
      shown += char;
    }
    column = next;
  }
  const shift = skipped - (first > 0 ? 1 : 0);
  const width = textWidth(shown);
  if (!complete) shown += '…';
  const moved = parts.map((part) => {
    const start = Math.min(Math.max(0, part.start - shift), width);
    return { ...part, start, end: Math.max(start + 1, Math.min(part.end - shift, width + 1)) };
  });
  return { text: shown, parts: moved };
}
