/**
 * CSV (RFC 4180): quotes, doubled quotes, CRLF or LF, an optional header. Reads bytes in one pass without making a string a cell, so that
 * tens of millions of numbers stay affordable.
 *
 * Columns whose names are numbered (`image.0`, `image[0]`, `patch[1][2]`, from 0 or from 1) are gathered into one tensor; a header cell
 * `image: 0..63` stands for that many columns. Without a header the names are the positions: `0`, `1`, …. Numbers are what JavaScript and
 * C print, and nan and inf; text is no error until an input wants the column. Delimiters: comma, else semicolon or tab when the first line
 * has no comma.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import { datasetOf, failed, type Column, type Reading } from './dataset.ts';
import { fitsI32, overflowsF32 } from './numbers.ts';
import { expandHeader, gather } from './gather.ts';

export interface CsvOptions {
  /** A header for a file without one: `['image: 0..63', 'label']`. */
  readonly header?: readonly string[];
}

const comma = 44;
const quote = 34;
const cr = 13;
const lf = 10;

export function readCsv(bytes: Uint8Array, path: string, options: CsvOptions = {}): Reading {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const delimiter = sniff(bytes, at);
  const capacity = countLines(bytes);
  let line = 1;
  let row = -1; // Until the first record has shown whether it is a header.
  let cells: CellReader[] | null = null;
  let first: { text: string; quoted: boolean }[] = [];
  const lines = new Uint32Array(capacity);

  while (at < bytes.length) {
    // Blank lines are nobody's record.
    if (bytes[at] === lf || (bytes[at] === cr && bytes[at + 1] === lf)) {
      at += bytes[at] === lf ? 1 : 2;
      line++;
      continue;
    }
    const start = line;
    if (cells !== null) lines[row] = start;
    let field = 0;
    for (let more = true; more; field++) {
      let text: string | null = null;
      let begin = at;
      let end: number;
      if (bytes[at] === quote) {
        let doubled = false;
        begin = ++at;
        for (;;) {
          if (at >= bytes.length) return failed(problem('NN905', null, { path, line: start, unclosed: true }));
          if (bytes[at] === lf) line++;
          if (bytes[at] !== quote) at++;
          else if (bytes[at + 1] === quote) {
            doubled = true;
            at += 2;
          } else break;
        }
        text = decode(bytes, begin, at);
        if (doubled) text = text.replaceAll('""', '"');
        end = at++;
        if (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== lf && bytes[at] !== cr) {
          return failed(problem('NN905', null, { path, line, unclosed: false }));
        }
      } else {
        while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== lf) at++;
        end = at;
        if (end > begin && bytes[end - 1] === cr && bytes[at] !== delimiter) end--;
      }
      if (cells === null) first.push({ text: text ?? decode(bytes, begin, end), quoted: text !== null });
      else if (field < cells.length) {
        if (text === null) cells[field]!.bytes(bytes, begin, end, row);
        else cells[field]!.text(text, row);
      }
      if (bytes[at] === cr && text !== null) at++;
      more = bytes[at] === delimiter && at < bytes.length;
      if (more || bytes[at] === lf) at++;
    }
    if (bytes[at - 1] === lf) line++;
    if (cells !== null) {
      if (field !== cells.length) {
        return failed(problem('NN904', null, { path, line: start, expected: cells.length, found: field }));
      }
      row++;
      continue;
    }

    const headed = options.header === undefined && first.some(({ text }) => !looksLikeValue(text));
    const given = headed ? first.map(({ text }) => text.trim()) : options.header;
    const names = given === undefined ? first.map((_, i) => String(i)) : expandHeader(given);
    if (typeof names === 'string') {
      return failed(
        problem('NN913', null, { text: names, reason: 'the range is not one (it is written first..last)' }),
      );
    }
    const ranged = given !== undefined && names.length !== given.length;
    // Under a header with a range, the line below says how many fields there are.
    if (!headed || !ranged) {
      if (names.length !== first.length) {
        return failed(problem('NN904', null, { path, line: start, expected: names.length, found: first.length }));
      }
    }
    cells = names.map((name) => new CellReader(name, capacity));
    row = 0;
    if (!headed) {
      lines[0] = start;
      first.forEach(({ text }, i) => cells![i]!.text(text, 0));
      row = 1;
    }
    first = [];
  }
  if (cells === null) return failed(problem('NN529', null, { path }));

  const rows = row;
  const used = lines.slice(0, rows);
  const names = new Set<string>();
  const finished: (Column | Problem)[] = [];
  for (const cell of cells) {
    if (names.has(cell.name)) return failed(problem('NN910', null, { column: cell.name, paths: [path] }));
    names.add(cell.name);
    finished.push(cell.finish(rows, path, used));
  }
  const gathered = gather([...names], finished, path);
  return { ok: true, dataset: datasetOf(gathered.columns, path, gathered.damaged) };
}

/** One column in the making: its values as doubles, and the first cell that stands against each type. */
class CellReader {
  readonly name: string;
  private readonly values: Float64Array;
  private integers = true;
  private words = 0;
  private firstWord: { row: number; text: string } | null = null;
  private bad: { row: number; text: string } | null = null;

  constructor(name: string, capacity: number) {
    this.name = name;
    this.values = new Float64Array(capacity);
  }

  /** A cell without quotes. The common numbers (few digits, no exponent) are exact as mantissa / 10^k and need no string. */
  bytes(bytes: Uint8Array, begin: number, end: number, row: number): void {
    let i = begin;
    const negative = bytes[i] === 45;
    if (negative) i++;
    let mantissa = 0;
    let digits = 0;
    let point = -1;
    for (; i < end; i++) {
      const c = bytes[i]!;
      if (c >= 48 && c <= 57) {
        mantissa = mantissa * 10 + (c - 48);
        digits++;
      } else if (c === 46 && point < 0) point = i;
      else break;
    }
    if (i < end || digits === 0 || digits > 15) {
      this.text(decode(bytes, begin, end), row);
      return;
    }
    if (point >= 0) {
      mantissa /= powers[end - point - 1]!;
      this.integers = false;
    }
    this.values[row] = negative ? -mantissa : mantissa;
  }

  text(text: string, row: number): void {
    const trimmed = text.trim();
    const word = truth(trimmed);
    if (word !== null) {
      this.words++;
      this.firstWord ??= { row, text: trimmed };
      this.values[row] = word;
      return;
    }
    const value = numberOf(trimmed);
    if (value === null) this.bad ??= { row, text: trimmed };
    else {
      if (!/^[+-]?\d+$/.test(trimmed)) this.integers = false;
      this.values[row] = value;
    }
  }

  finish(rows: number, path: string, lines: Uint32Array): Column | Problem {
    const { name, values } = this;
    const cell = (row: number) => ({ path, column: name, row, line: lines[row] ?? null });
    // A few truth values among numbers are as little a number as other text.
    const guilty = this.bad ?? (this.words < rows ? this.firstWord : null);
    if (guilty !== null) return problem('NN906', null, { cell: cell(guilty.row), text: guilty.text });
    const base = { name, shape: [rows], source: path, lines };
    if (this.words > 0) return { ...base, dtype: 'bool', data: Uint8Array.from(values.subarray(0, rows)) };
    const data = this.integers ? new Int32Array(rows) : new Float32Array(rows);
    for (let row = 0; row < rows; row++) {
      const value = values[row]!;
      if (this.integers ? !fitsI32(value) : overflowsF32(value)) {
        const type = this.integers ? 'i32' : 'f32';
        return problem('NN907', null, { cell: cell(row), value: String(value), type });
      }
      data[row] = value;
    }
    return data instanceof Int32Array ? { ...base, dtype: 'i32', data } : { ...base, dtype: 'f32', data };
  }
}

const powers = Array.from({ length: 16 }, (_, k) => 10 ** k);

function numberOf(text: string): number | null {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  const special = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  if (special === null) return null;
  if (special[2]!.toLowerCase() === 'nan') return NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}

const truth = (text: string): 0 | 1 | null => (/^true$/i.test(text) ? 1 : /^false$/i.test(text) ? 0 : null);

/** An empty cell in the first line is a missing value, not a name. */
const looksLikeValue = (text: string): boolean =>
  text.trim() === '' || numberOf(text.trim()) !== null || truth(text.trim()) !== null;

const decoder = new TextDecoder();
const decode = (bytes: Uint8Array, begin: number, end: number): string => decoder.decode(bytes.subarray(begin, end));

function countLines(bytes: Uint8Array): number {
  let count = 1;
  for (let at = bytes.indexOf(lf); at >= 0; at = bytes.indexOf(lf, at + 1)) count++;
  return count;
}

function sniff(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(lf, start);
  const head = bytes.subarray(start, end < 0 ? bytes.length : end);
  return head.includes(comma) ? comma : head.includes(59) ? 59 : head.includes(9) ? 9 : comma;
}
