/**
 * JSON lines: one object a line, its keys the columns. Nested arrays become tensors; every row must have the first row's shape.
 * Whole numbers in all rows give i32, otherwise f32; true and false give bool. Text and null are no error until an input wants the column.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import type { Cell } from '../../compiler/diagnostics/families/data.ts';
import { datasetOf, elements, failed, type Column, type Reading } from './dataset.ts';
import { fitsI32, overflowsF32 } from './numbers.ts';

export function readJsonLines(bytes: Uint8Array, path: string): Reading {
  const makers = new Map<string, ColumnMaker>();
  const lines: number[] = [];
  const decoder = new TextDecoder();
  let line = 0;
  for (let at = 0; at < bytes.length;) {
    const next = bytes.indexOf(10, at);
    const end = next < 0 ? bytes.length : next;
    const text = decoder.decode(bytes.subarray(at, end)).trim();
    at = end + 1;
    line++;
    if (text === '') continue;
    let object: unknown;
    try {
      object = JSON.parse(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return failed(problem('NN909', null, { path, line, reason }));
    }
    if (typeof object !== 'object' || object === null || Array.isArray(object)) {
      const found = Array.isArray(object) ? 'an array' : object === null ? 'null' : `a ${typeof object}`;
      return failed(problem('NN909', null, { path, line, reason: `it holds ${found}` }));
    }
    const row = lines.length;
    lines.push(line);
    for (const [key, value] of Object.entries(object)) {
      let maker = makers.get(key);
      if (maker === undefined) {
        maker = new ColumnMaker(key, path);
        makers.set(key, maker);
      }
      maker.add(value, row, line);
    }
  }
  if (lines.length === 0) return failed(problem('NN529', null, { path }));
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  const lineOf = Uint32Array.from(lines);
  for (const maker of makers.values()) {
    const result = maker.finish(lineOf);
    if ('code' in result) damaged.set(maker.name, result);
    else columns.push(result);
  }
  return { ok: true, dataset: datasetOf(columns, path, damaged) };
}

class ColumnMaker {
  readonly name: string;
  private readonly path: string;
  private values = new Float64Array(1024);
  private count = 0;
  private shape: number[] | null = null;
  private rows = 0;
  private integers = true;
  private kind: 'number' | 'boolean' | null = null;
  private problem: Problem | null = null;

  constructor(name: string, path: string) {
    this.name = name;
    this.path = path;
  }

  add(value: unknown, row: number, line: number): void {
    if (this.problem !== null) return;
    const cell: Cell = { path: this.path, column: this.name, row, line };
    if (row !== this.rows) {
      this.missing(this.rows, null);
      return;
    }
    this.shape ??= shapeOf(value);
    if (!this.take(value, 0, cell)) {
      this.problem ??= problem('NN908', null, { cell, expected: `[${this.shape.join(', ')}]`, found: describe(value) });
    }
    this.rows++;
  }

  private missing(row: number, line: number | null): void {
    this.problem = problem('NN917', null, { cell: { path: this.path, column: this.name, row, line } });
  }

  /** Appends a value's numbers. False when its shape is not the column's. */
  private take(value: unknown, depth: number, cell: Cell): boolean {
    const shape = this.shape!;
    if (depth < shape.length) {
      if (!Array.isArray(value) || value.length !== shape[depth]) return false;
      return value.every((part) => this.take(part, depth + 1, cell));
    }
    if (Array.isArray(value)) return false;
    if ((typeof value !== 'number' && typeof value !== 'boolean') || (this.kind ?? typeof value) !== typeof value) {
      this.problem ??= problem('NN906', null, {
        cell,
        text: typeof value === 'string' ? value : JSON.stringify(value),
      });
      return true;
    }
    this.kind = typeof value === 'number' ? 'number' : 'boolean';
    if (this.count === this.values.length) {
      const grown = new Float64Array(2 * this.count);
      grown.set(this.values);
      this.values = grown;
    }
    const number = Number(value);
    if (!Number.isInteger(number)) this.integers = false;
    this.values[this.count++] = number;
    return true;
  }

  finish(lines: Uint32Array): Column | Problem {
    if (this.problem === null && this.rows < lines.length) this.missing(this.rows, lines[this.rows]!);
    if (this.problem !== null) {
      // A gap is found when the key returns; its line is known only here.
      const { code, data } = this.problem;
      if (code === 'NN917') return problem(code, null, { cell: { ...data.cell, line: lines[data.cell.row] ?? null } });
      return this.problem;
    }
    const base = { name: this.name, shape: [this.rows, ...this.shape!], source: this.path, lines };
    const values = this.values.subarray(0, this.count);
    if (this.kind === 'boolean') return { ...base, dtype: 'bool', data: Uint8Array.from(values) };
    const type = this.integers ? 'i32' : 'f32';
    const guilty = values.findIndex((value) => (this.integers ? !fitsI32(value) : overflowsF32(value)));
    if (guilty >= 0) {
      const row = Math.floor(guilty / elements(this.shape!));
      const cell = { path: this.path, column: this.name, row, line: lines[row] ?? null };
      return problem('NN907', null, { cell, value: String(values[guilty]), type });
    }
    return type === 'i32'
      ? { ...base, dtype: 'i32', data: Int32Array.from(values) }
      : { ...base, dtype: 'f32', data: Float32Array.from(values) };
  }
}

function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let part: unknown = value; Array.isArray(part); part = part[0]) shape.push(part.length);
  return shape;
}

/** The shape of a value that has none, perhaps: `[3]`, or `[2, 3 or 4]`. */
function describe(value: unknown): string {
  const levels: Set<string>[] = [];
  const visit = (part: unknown, depth: number): void => {
    if (depth === 8) return;
    const level = (levels[depth] ??= new Set());
    level.add(Array.isArray(part) ? String(part.length) : '');
    if (Array.isArray(part)) for (const inner of part) visit(inner, depth + 1);
  };
  visit(value, 0);
  const texts = levels.map((level) => [...level].map((extent) => (extent === '' ? 'none' : extent)));
  while (texts.length > 0 && texts.at(-1)!.join() === 'none') texts.pop();
  return `[${texts.map((level) => level.join(' or ')).join(', ')}]`;
}
