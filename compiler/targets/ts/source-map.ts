/** Source maps, revision 3 (ECMA-426): which line of an emitted module came from where. One segment a line; no names. */

export interface Mapped {
  /** All count from 0. */
  readonly line: number;
  readonly source: number;
  readonly sourceLine: number;
  readonly sourceColumn: number;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base-64 VLQ: five bits a digit, least first, the sign in the lowest bit of all. */
export function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}

export function sourceMap(
  file: string,
  sources: readonly { readonly path: string; readonly text: string }[],
  mapped: readonly Mapped[],
): string {
  const lines: string[] = [];
  let source = 0;
  let line = 0;
  let column = 0;
  for (const m of [...mapped].sort((a, b) => a.line - b.line)) {
    while (lines.length < m.line) lines.push('');
    lines.push(`A${vlq(m.source - source)}${vlq(m.sourceLine - line)}${vlq(m.sourceColumn - column)}`);
    ({ source, sourceLine: line, sourceColumn: column } = m);
  }
  return JSON.stringify({
    version: 3,
    file,
    sources: sources.map((s) => s.path),
    sourcesContent: sources.map((s) => s.text),
    names: [],
    mappings: lines.join(';'),
  });
}
