/** A safetensors file as data: every tensor is a column, its first axis the rows. */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import { decode, type TensorType } from '../../runtime/safetensors.ts';
import { datasetOf, failed, type Column, type Reading } from './dataset.ts';
import { columnOf, type Stored } from './numbers.ts';

const types: { readonly [T in TensorType]: Stored } = {
  BOOL: 'bool',
  U8: 'u8',
  I8: 'i8',
  I16: 'i16',
  U16: 'u16',
  F16: 'f16',
  BF16: 'bf16',
  I32: 'i32',
  U32: 'u32',
  F32: 'f32',
  F64: 'f64',
  I64: 'i64',
  U64: 'u64',
};

/** A header length that fits the file, and an opening brace behind it. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) <= BigInt(bytes.length - 8);
}

export function readSafetensors(bytes: Uint8Array, path: string): Reading {
  const decoded = decode(bytes);
  if (!decoded.ok) return failed(problem('NN915', null, { path, problem: decoded.problem }));
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  for (const [name, { dtype, shape, data }] of decoded.tensors) {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const column = columnOf(name, types[dtype], shape, raw, true, path);
    if ('code' in column) damaged.set(name, column);
    else columns.push(column);
  }
  return { ok: true, dataset: datasetOf(columns, path, damaged) };
}
