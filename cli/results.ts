/** Results of `nnc run` as files: .npy (one tensor), .csv and .jsonl (rows), .safetensors (anything). Written here, without a dependency. */
import { encodeWeights } from '../runtime/files.ts';
import type { Values } from './artifact.ts';
import { refuse } from './problems.ts';

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Values;
}

export const formats = ['npy', 'csv', 'jsonl', 'safetensors'] as const;
export type Format = (typeof formats)[number];

export function formatOf(path: string): Format {
  const format = formats.find((name) => path.toLowerCase().endsWith(`.${name}`));
  const known = formats.map((name) => `.${name}`).join(', ');
  return format ?? refuse('NN929', { path, reason: `its name must end in one of ${known}` });
}

export function encodeResults(tensors: readonly NamedTensor[], format: Format, path: string): string | Uint8Array {
  switch (format) {
    case 'npy':
      if (tensors.length === 1) return npy(tensors[0]!);
      return refuse('NN929', {
        path,
        reason: `.npy holds one tensor, the model gives ${tensors.map(({ name }) => name).join(', ')}; use .safetensors`,
      });
    case 'safetensors':
      return encodeWeights(
        new Map(tensors.map(({ name, shape, data }) => [name, { dtype: dtypeOf(data), shape, data }])),
      );
    case 'csv':
      return csv(tensors, rowsOf(tensors, path));
    case 'jsonl':
      return jsonLines(tensors, rowsOf(tensors, path));
  }
}

const dtypeOf = (data: Values) => (data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'bool');

/** NumPy's format 1.0: magic, version, header length, a Python dictionary padded to 64 bytes, the elements. */
function npy({ shape, data }: NamedTensor): Uint8Array {
  const descr = { f32: '<f4', i32: '<i4', bool: '|b1' }[dtypeOf(data)];
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length + data.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 0xff, length >> 8]);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return bytes;
}

function rowsOf(tensors: readonly NamedTensor[], path: string): number {
  const rows = tensors[0]?.shape[0];
  const odd = tensors.find(({ shape }) => shape.length === 0 || shape[0] !== rows);
  if (odd === undefined && rows !== undefined) return rows;
  return refuse('NN929', {
    path,
    reason: `${odd?.name ?? 'nothing'} has no rows as the others have; use .safetensors`,
  });
}

/** The columns that `readCsv` gathers again: `output.0`, `output.1`; `output[0][1]` for more axes. */
function csv(tensors: readonly NamedTensor[], rows: number): string {
  const header = tensors.flatMap(({ name, shape }) => {
    const axes = shape.slice(1);
    if (axes.length === 0) return [name];
    const size = axes.reduce((n, extent) => n * extent, 1);
    return Array.from({ length: size }, (_, i) => {
      const position: number[] = [];
      for (let axis = axes.length - 1, rest = i; axis >= 0; axis--) {
        position.unshift(rest % axes[axis]!);
        rest = Math.floor(rest / axes[axis]!);
      }
      return axes.length === 1 ? `${name}.${i}` : name + position.map((p) => `[${p}]`).join('');
    });
  });
  const lines = [header.join(',')];
  for (let row = 0; row < rows; row++) {
    const cells = tensors.flatMap(({ data, shape }) => {
      const size = shape.slice(1).reduce((n, extent) => n * extent, 1);
      return Array.from(data.subarray(row * size, (row + 1) * size), (value) => numberText(value, data));
    });
    lines.push(cells.join(','));
  }
  return `${lines.join('\n')}\n`;
}

function jsonLines(tensors: readonly NamedTensor[], rows: number): string {
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    const fields = tensors.map(({ name, shape, data }) => {
      const size = shape.slice(1).reduce((n, extent) => n * extent, 1);
      return `${JSON.stringify(name)}:${nested(data, shape.slice(1), row * size)}`;
    });
    lines.push(`{${fields.join(',')}}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function nested(data: Values, axes: readonly number[], from: number): string {
  if (axes.length === 0) {
    const value = data[from]!;
    if (data instanceof Uint8Array) return value === 0 ? 'false' : 'true';
    return Number.isFinite(value) ? numberText(value, data) : 'null';
  }
  const size = axes.slice(1).reduce((n, extent) => n * extent, 1);
  return `[${Array.from({ length: axes[0]! }, (_, i) => nested(data, axes.slice(1), from + i * size)).join(',')}]`;
}

/** The shortest text that gives the f32 value again. */
function numberText(value: number, data: Values): string {
  if (!(data instanceof Float32Array) || !Number.isFinite(value)) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}
