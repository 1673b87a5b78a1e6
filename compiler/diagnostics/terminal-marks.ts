/**
 * The rows below a source line: underlines, and labels hung from them.
 *
 *     let y = x + bias
 *             - ^^^^ this is [B, 10]
 *             |
 *             this is [B, 8]
 *
 * The rightmost label stands behind its underline where nothing is in its way; the others hang below, rightmost first, each from a bar.
 * Marks that cover the same columns share an underline (the primary one wins) and hang one below the other.
 */
import type { Span } from '../../grammar/ast.ts';
import type { Severity } from './problem.ts';
import type { Paint, Style } from './terminal.ts';
import { charWidth, textWidth, wrap } from './terminal-text.ts';

export interface Mark {
  readonly span: Span;
  readonly label: string;
  readonly primary: boolean;
}

export interface ColumnMark {
  /** Columns, half-open. */
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly primary: boolean;
}

export function annotate(marks: readonly ColumnMark[], room: number, severity: Severity, paint: Paint): string[] {
  const styleOf = (mark: ColumnMark): Style => (mark.primary ? severity : 'related');
  const rows: Canvas[] = [];
  const under = new Canvas();
  rows.push(under);
  // Related marks first, so that the primary one is drawn over them.
  for (const mark of [...marks].sort((a, b) => Number(a.primary) - Number(b.primary))) {
    under.draw(mark.start, (mark.primary ? '^' : '-').repeat(mark.end - mark.start), styleOf(mark));
  }
  const labelled = marks
    .filter(({ label }) => label !== '')
    .sort((a, b) => b.start - a.start || Number(b.primary) - Number(a.primary));

  const right = labelled[0];
  const end = Math.max(0, ...marks.map((mark) => mark.end));
  let hanging = labelled;
  if (right !== undefined && right.end === end) {
    // In line when it fits, or when nothing hangs and the rest can go on below in the same column.
    const space = room - end - 1;
    if (textWidth(right.label) <= space) {
      under.draw(end, ` ${right.label}`, styleOf(right));
      hanging = labelled.slice(1);
    } else if (labelled.length === 1 && space >= 24) {
      wrap(right.label, space).forEach((text, i) => {
        if (i > 0) rows.push(new Canvas());
        rows.at(-1)!.draw(end, ` ${text}`, styleOf(right));
      });
      hanging = [];
    }
  }

  hanging.forEach((mark, i) => {
    const waiting = hanging.slice(i);
    const connector = new Canvas();
    // From the left: a primary bar wins a shared column.
    for (const other of waiting) connector.draw(other.start, '|', styleOf(other));
    // Bars directly above a label that shares its column with the one before say nothing new.
    if (i === 0 || hanging[i - 1]!.start !== mark.start) rows.push(connector);
    const left = waiting.filter((other) => other.start < mark.start);
    // A label that does not fit to the right of its bar begins further left, where no bar is.
    const start = Math.min(
      mark.start,
      Math.max(0, room - Math.max(24, Math.min(textWidth(mark.label), Math.floor(room * 0.7)))),
    );
    // Where a bar is in the way it is interrupted, if the words would not fit beside it.
    const longest = Math.max(...mark.label.split(/\s+/).map(textWidth));
    const fits = mark.start + longest <= room;
    const free = !fits || left.every((other) => other.start < start - 1) ? Math.min(start, mark.start) : mark.start;
    for (const text of wrap(mark.label, room - free)) {
      const row = new Canvas();
      for (const other of left) if (other.start < free - 1 || fits) row.draw(other.start, '|', styleOf(other));
      row.draw(free, text, styleOf(mark));
      rows.push(row);
    }
  });
  return rows.map((row) => row.toString(paint));
}

/** One row of cells with styles. A wide character takes its cell and an empty one. */
class Canvas {
  private readonly cells: { text: string; style: Style | null }[] = [];

  draw(column: number, text: string, style: Style): void {
    let at = column;
    for (const char of text) {
      while (this.cells.length < at) this.cells.push({ text: ' ', style: null });
      const width = charWidth(char.codePointAt(0)!);
      if (width === 0 && at > 0) this.cells[at - 1]!.text += char;
      else this.cells[at] = { text: char, style };
      if (width === 2) this.cells[at + 1] = { text: '', style };
      at += width;
    }
  }

  toString(paint: Paint): string {
    let result = '';
    for (let i = 0; i < this.cells.length;) {
      const { style } = this.cells[i]!;
      let run = '';
      for (; i < this.cells.length && this.cells[i]!.style === style; i++) run += this.cells[i]!.text;
      result += style === null ? run : paint(style, run);
    }
    return result;
  }
}
