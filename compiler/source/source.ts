/** Source files and positions in them. A span names a file by its number in the `Sources` of one compilation. */
import type { Span } from '../../grammar/ast.ts';

export type { Span } from '../../grammar/ast.ts';

export interface SourceFile {
  readonly id: number;
  /** As the user knows it: `digits.nn`, or `nnc:linear.nn` for the standard library. */
  readonly path: string;
  readonly text: string;
  readonly library: boolean;
}

export interface Position {
  /** Both count from 1; columns in UTF-16 units. */
  readonly line: number;
  readonly column: number;
}

export class Sources {
  readonly files: SourceFile[] = [];
  private readonly lineStarts: number[][] = [];

  add(path: string, text: string, library = false): SourceFile {
    const file: SourceFile = { id: this.files.length, path, text, library };
    this.files.push(file);
    const starts = [0];
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
    this.lineStarts.push(starts);
    return file;
  }

  get(id: number): SourceFile {
    const file = this.files[id];
    if (file === undefined) throw new RangeError(`no source file ${id}`);
    return file;
  }

  text(span: Span): string {
    return this.get(span.file).text.slice(span.start, span.end);
  }

  position(file: number, offset: number): Position {
    const starts = this.lineStarts[file] ?? [0];
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  }

  /** `digits.nn:14:7` */
  place(span: Span): string {
    const { line, column } = this.position(span.file, span.start);
    return `${this.get(span.file).path}:${line}:${column}`;
  }

  /** The text of a line (from 1), without its break. */
  line(file: number, line: number): string {
    const starts = this.lineStarts[file] ?? [0];
    const start = starts[line - 1] ?? 0;
    const end = starts[line] ?? this.get(file).text.length + 1;
    return this.get(file)
      .text.slice(start, end - 1)
      .replace(/\r$/, '');
  }
}
