/**
 * Data meet a program's inputs: by name, by type, by shape, all before training starts. Every named size must have one value wherever it is
 * seen; index values must lie below their bound. Problems name both places in the user's own words: input, column, file.
 *
 * Values convert only where nothing is lost: whole f32 to i32, numbers 0 and 1 to bool, anything to float. Shapes change only where the
 * order of the elements leaves no doubt: a flat row meets any shape of its size, a row of any shape meets a flat one, axes of one come and go.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import type { SizeSeen } from '../../compiler/diagnostics/families/data.ts';
import { nearestName } from './nearest.ts';
import { cellOf, elements, type Column, type ColumnData, type Dataset } from './dataset.ts';

/** A size computed from named ones. `evaluate` gives null (or NaN) as long as a name has no value. */
export interface SizeFormula {
  readonly text: string;
  readonly evaluate: (sizes: ReadonlyMap<string, number>) => number | null;
}

export interface InputSpec {
  readonly name: string;
  readonly dtype: 'f32' | 'f16' | 'i32' | 'bool';
  /** A string is a named size. */
  readonly dims: readonly (number | string | SizeFormula)[];
  readonly below?: number | SizeFormula;
}

export type Meeting =
  | {
      readonly ok: true;
      /** Input → its column, in the input's type (f16 as f32) and shape. */
      readonly bound: ReadonlyMap<string, Column>;
      readonly sizes: ReadonlyMap<string, number>;
      /** Warnings and notes (NN526, NN527). */
      readonly problems: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `known`: sizes that already have a value (a constant set at build, a size fixed by saved weights). */
export function meetInputs(
  dataset: Dataset,
  inputs: readonly InputSpec[],
  known: ReadonlyMap<string, number> = new Map(),
): Meeting {
  const errors: Problem[] = [];
  const remarks: Problem[] = [];
  const found: { spec: InputSpec; column: Column }[] = [];
  for (const spec of inputs) {
    const column = dataset.columns.get(spec.name);
    const damage = dataset.damaged.get(spec.name);
    if (column !== undefined) found.push({ spec, column });
    else if (damage !== undefined) errors.push(damage);
    else {
      const columns = [...dataset.columns.keys(), ...dataset.damaged.keys()];
      const nearest = nearestName(spec.name, columns);
      errors.push(problem('NN521', null, { input: spec.name, columns, nearest, path: dataset.source }));
    }
  }
  for (const { column } of found) {
    if (column.shape[0] === 0) {
      const path = column.source ?? dataset.source;
      return { ok: false, problems: [...errors, problem('NN529', null, { path })] };
    }
  }

  const sizes = new SizeTable(known, dataset.source);
  const shapes = new Map<string, number[]>();
  // Axes that meet one to one give the sizes their values; formulas and reshapes can then be worked out from them.
  const waiting: { spec: InputSpec; column: Column }[] = [];
  for (const pair of found) {
    if (pair.column.shape.length === pair.spec.dims.length) sizes.seeAxes(pair.spec, pair.column);
    else if (pair.spec.dims.length > 0) {
      sizes.seeAxis(pair.spec, pair.column, 0);
    }
    waiting.push(pair);
  }
  for (const { spec, column } of waiting) {
    const path = column.source ?? dataset.source;
    const wants = dimsText(spec);
    const target: number[] = [];
    for (const dim of spec.dims) {
      const value = sizes.value(dim);
      if (value !== null) target.push(value);
      else {
        errors.push(
          problem('NN528', null, { input: spec.name, wants, text: typeof dim === 'object' ? dim.text : String(dim) }),
        );
        break;
      }
    }
    if (target.length < spec.dims.length) continue;
    const guilty =
      column.shape.length === target.length ? column.shape.findIndex((extent, axis) => extent !== target[axis]) : -1;
    if (guilty < 0 && column.shape.length === target.length) {
      shapes.set(spec.name, target);
      continue;
    }
    if (reshapable(column.shape, target)) {
      shapes.set(spec.name, target);
      remarks.push(
        problem('NN527', null, { input: spec.name, column: column.name, path, from: column.shape, to: target, wants }),
      );
      continue;
    }
    const dim = guilty < 0 ? null : spec.dims[guilty]!;
    // A named size with two values has its own report, once for the size.
    const clash = guilty < 0 && target[0] !== column.shape[0] ? spec.dims[0] : dim;
    if (typeof clash === 'string') continue;
    const axis =
      dim === null
        ? null
        : { index: guilty, text: typeof dim === 'object' ? dim.text : String(dim), value: target[guilty]! };
    errors.push(
      problem('NN523', null, { input: spec.name, wants, column: column.name, path, shape: column.shape, axis }),
    );
  }
  errors.push(...sizes.conflicts);

  const bound = new Map<string, Column>();
  for (const { spec, column } of found) {
    const data = convert(spec, column, dataset.source);
    if ('code' in data) {
      errors.push(data);
      continue;
    }
    errors.push(...outOfBounds(spec, column, data, sizes, dataset.source));
    remarks.push(...notFinite(spec, column, data, dataset.source));
    const shape = shapes.get(spec.name);
    if (shape === undefined) continue;
    const dtype = spec.dtype === 'f16' ? 'f32' : spec.dtype;
    bound.set(spec.name, { ...column, name: spec.name, dtype, shape, data });
  }
  return errors.length > 0
    ? { ok: false, problems: [...errors, ...remarks] }
    : { ok: true, bound, sizes: sizes.values, problems: remarks };
}

/** The named sizes, where each got its value, and the disagreements (one for each size). */
class SizeTable {
  readonly values: Map<string, number>;
  readonly conflicts: Problem[] = [];
  private readonly seen = new Map<string, SizeSeen>();
  private readonly reported = new Set<string>();
  private readonly source: string;

  constructor(known: ReadonlyMap<string, number>, source: string) {
    this.values = new Map(known);
    this.source = source;
  }

  seeAxes(spec: InputSpec, column: Column): void {
    for (let axis = 0; axis < column.shape.length; axis++) this.seeAxis(spec, column, axis);
  }

  seeAxis(spec: InputSpec, column: Column, axis: number): void {
    const name = spec.dims[axis];
    if (typeof name !== 'string') return;
    const path = column.source ?? this.source;
    const seen: SizeSeen = { value: column.shape[axis]!, input: spec.name, column: column.name, axis, path };
    const before = this.values.get(name);
    if (before === undefined) {
      this.values.set(name, seen.value);
      this.seen.set(name, seen);
    } else if (before !== seen.value && !this.reported.has(name)) {
      this.reported.add(name);
      // A size known beforehand was seen in no column: its place is the program.
      const first = this.seen.get(name) ?? { value: before, input: '', column: '', axis: 0, path: '' };
      this.conflicts.push(problem('NN524', null, { size: name, first, second: seen }));
    }
  }

  value(dim: number | string | SizeFormula): number | null {
    if (typeof dim === 'number') return dim;
    const value = typeof dim === 'string' ? this.values.get(dim) : dim.evaluate(this.values);
    return value === undefined || value === null || Number.isNaN(value) ? null : value;
  }
}

function reshapable(from: readonly number[], to: readonly number[]): boolean {
  if (to.length === 0) return elements(from) === 1;
  if (from[0] !== to[0] || elements(from) !== elements(to)) return false;
  if (from.length <= 2 || to.length <= 2) return true;
  const thick = (shape: readonly number[]) => shape.slice(1).filter((extent) => extent !== 1);
  return thick(from).join() === thick(to).join();
}

/** The values in the input's type, or the first that does not fit. Never changes the column. */
function convert(spec: InputSpec, column: Column, source: string): ColumnData | Problem {
  const { data } = column;
  const mismatch = (index: number) => {
    const cell = cellOf(column, index, source);
    return problem('NN522', null, {
      input: spec.name,
      wants: spec.dtype,
      has: column.dtype,
      cell,
      value: String(data[index]),
    });
  };
  if (spec.dtype === 'f32' || spec.dtype === 'f16')
    return data instanceof Float32Array ? data : Float32Array.from(data);
  if (spec.dtype === column.dtype) return data;
  const result = spec.dtype === 'i32' ? new Int32Array(data.length) : new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    result[i] = data[i]!;
    if (result[i] !== data[i] || (spec.dtype === 'bool' && data[i]! > 1)) return mismatch(i);
  }
  return result;
}

function outOfBounds(spec: InputSpec, column: Column, data: ColumnData, sizes: SizeTable, source: string): Problem[] {
  if (spec.below === undefined) return [];
  const text = typeof spec.below === 'object' ? spec.below.text : String(spec.below);
  const bound = sizes.value(spec.below);
  if (bound === null) return [problem('NN528', null, { input: spec.name, wants: `${dimsText(spec)} < ${text}`, text })];
  let first = -1;
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i]! >= 0 && data[i]! < bound) continue;
    if (count++ === 0) first = i;
  }
  if (count === 0) return [];
  const cell = cellOf(column, first, source);
  return [problem('NN525', null, { input: spec.name, cell, value: data[first]!, bound, boundText: text, count })];
}

function notFinite(spec: InputSpec, column: Column, data: ColumnData, source: string): Problem[] {
  if (!(data instanceof Float32Array)) return [];
  let first = -1;
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    if (count++ === 0) first = i;
  }
  if (count === 0) return [];
  const cell = cellOf(column, first, source);
  return [problem('NN526', null, { input: spec.name, cell, value: String(data[first]), count })];
}

/** `[B, 8, T + 1]` */
export function dimsText(spec: InputSpec): string {
  return `[${spec.dims.map((dim) => (typeof dim === 'object' ? dim.text : String(dim))).join(', ')}]`;
}
