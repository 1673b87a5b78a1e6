/**
 * Numbered columns become one tensor: `image.0 … image.63` → image [rows, 64], `patch[0][0] … patch[7][7]` → patch [rows, 8, 8].
 * Numbers start at 0 or at 1 and may stand in any order, but none may be missing.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import type { Column } from './dataset.ts';

/** Replaces `name: first..last` by the numbered names. A cell whose range cannot be is returned as text. */
export function expandHeader(header: readonly string[]): string[] | string {
  const names: string[] = [];
  for (const cell of header) {
    const range = /^(.+?)\s*:\s*(\d+)\s*\.\.\s*(\d+)$/.exec(cell.trim());
    if (range === null) names.push(cell.trim());
    else {
      const first = Number(range[2]);
      const last = Number(range[3]);
      if (last < first || last - first > 10_000_000) return cell;
      for (let i = first; i <= last; i++) names.push(`${range[1]}.${i}`);
    }
  }
  return names;
}

interface Member {
  readonly position: readonly number[];
  readonly column: Column | Problem;
  readonly name: string;
}

export function gather(
  names: readonly string[],
  finished: readonly (Column | Problem)[],
  path: string,
): { columns: Column[]; damaged: Map<string, Problem> } {
  const groups = new Map<string, Member[]>();
  names.forEach((name, i) => {
    const numbered = /^(.*?[^.\]\d[])((?:\.\d+|\[\d+\])+)$/.exec(name);
    const key = numbered === null ? name : numbered[1]!.trim();
    const position = numbered === null ? [] : [...numbered[2]!.matchAll(/\d+/g)].map((match) => Number(match[0]));
    const member = { position, column: finished[i]!, name };
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [member]);
    else group.push(member);
  });

  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  for (const [key, members] of groups) {
    const result = members.length === 1 ? single(key, members[0]!) : tensor(key, members, path);
    if ('code' in result) damaged.set(key, result);
    else columns.push(result);
  }
  return { columns, damaged };
}

/** A lone `x.0` stays a tensor of one; any other lone name stays as it is. */
function single(key: string, { position, column, name }: Member): Column | Problem {
  if ('code' in column || position.length === 0) return column;
  if (position.some((i) => i !== 0)) return { ...column, name };
  return { ...column, name: key, shape: [...column.shape, ...position.map(() => 1)] };
}

function tensor(key: string, members: readonly Member[], path: string): Column | Problem {
  const rank = Math.max(...members.map(({ position }) => position.length));
  const odd = members.find(({ position }) => position.length !== rank);
  if (odd !== undefined) return problem('NN910', null, { column: odd.name, paths: [path] });
  const base: number[] = [];
  const extents: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let low = Infinity;
    let high = 0;
    for (const { position } of members) {
      low = Math.min(low, position[axis]!);
      high = Math.max(high, position[axis]!);
    }
    base.push(low === 1 ? 1 : 0);
    extents.push(high - (low === 1 ? 0 : -1));
  }
  const rowSize = extents.reduce((product, extent) => product * extent, 1);
  const slots = new Map<number, Column>();
  let dtype: Column['dtype'] | null = null;
  for (const { position, column } of members) {
    if ('code' in column) return column;
    const slot = position.reduce((sum, i, axis) => sum * extents[axis]! + i - base[axis]!, 0);
    slots.set(slot, column);
    // Whole numbers in one column and fractions in the next are one tensor of fractions; truth values stay apart.
    if (dtype === null || dtype === column.dtype) dtype = column.dtype;
    else if (dtype === 'bool' || column.dtype === 'bool') {
      const cell = { path, column: column.name, row: 0, line: column.lines?.[0] ?? null };
      return problem('NN906', null, { cell, text: column.data[0] === 1 ? 'true' : 'false' });
    } else dtype = 'f32';
  }
  if (slots.size !== rowSize) {
    let missing = 0;
    while (slots.has(missing)) missing++;
    const position: number[] = [];
    for (let axis = rank - 1, rest = missing; axis >= 0; axis--) {
      position.unshift((rest % extents[axis]!) + base[axis]!);
      rest = Math.floor(rest / extents[axis]!);
    }
    return problem('NN912', null, { path, column: key, missing: position.map((i) => `.${i}`).join('') });
  }
  const any = members[0]!.column as Column;
  const rows = any.shape[0]!;
  const size = rows * rowSize;
  const data = dtype === 'f32' ? new Float32Array(size) : dtype === 'i32' ? new Int32Array(size) : new Uint8Array(size);
  for (const [slot, column] of slots) {
    for (let row = 0; row < rows; row++) data[row * rowSize + slot] = column.data[row]!;
  }
  return { ...any, name: key, dtype: dtype!, shape: [rows, ...extents], data };
}
