/**
 * The safetensors file format (huggingface/safetensors, format 0.x): eight bytes with the header's length (u64, little-endian), a JSON
 * header `{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {…}}`, then the tensors' bytes, row by row, little-endian.
 *
 * Works on memory alone: reading files is the caller's. A malformed file is reported as data, never thrown; the strict rules are those of
 * the reference implementation: tensors cover the data section without holes or overlaps, names are unique, the header is below 100 MB.
 * Typed arrays are taken to be little-endian, as they are in every engine that runs this.
 */

import { f16Bits, f16Value } from './half.ts';

export type TensorData =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array
  | BigUint64Array;

/** Element types: code → bytes. F16 and BF16 are carried as their bits in a Uint16Array, BOOL as bytes 0 and 1. */
const widths = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type TensorType = keyof typeof widths;

export interface Tensor {
  readonly dtype: TensorType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Facts of a malformed file; whoever shows it writes the sentence. Offsets count bytes. */
export type SafetensorsProblem =
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'header length'; readonly length: number; readonly bytes: number }
  | { readonly kind: 'header text'; readonly reason: string }
  | { readonly kind: 'metadata'; readonly key: string }
  | { readonly kind: 'duplicate name'; readonly name: string }
  | { readonly kind: 'entry'; readonly name: string; readonly field: 'entry' | 'dtype' | 'shape' | 'data_offsets' }
  | { readonly kind: 'unknown type'; readonly name: string; readonly dtype: string }
  | {
      readonly kind: 'outside';
      readonly name: string;
      readonly begin: number;
      readonly end: number;
      readonly bytes: number;
    }
  | {
      readonly kind: 'length';
      readonly name: string;
      readonly dtype: TensorType;
      readonly shape: readonly number[];
      readonly expected: number;
      readonly found: number;
    }
  | { readonly kind: 'overlap'; readonly name: string; readonly other: string; readonly at: number }
  | { readonly kind: 'hole'; readonly begin: number; readonly end: number; readonly before: string | null };

export type Decoded =
  | { readonly ok: true; readonly tensors: Map<string, Tensor>; readonly metadata: Record<string, string> }
  | { readonly ok: false; readonly problem: SafetensorsProblem };

const longestHeader = 100_000_000;

/**
 * The bytes of a file. Wider elements come first, then names in code-unit order, so that every tensor lies aligned and the same tensors
 * give the same bytes. A Float32Array under F16 is rounded to nearest, ties to even; otherwise the array's type must be the dtype's.
 * Throws when a tensor's data disagrees with its dtype or shape: that is a bug of the caller.
 */
export function encode(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const names = [...tensors.keys()].sort((a, b) => {
    const wider = widths[tensors.get(b)!.dtype] - widths[tensors.get(a)!.dtype];
    return wider !== 0 ? wider : a < b ? -1 : 1;
  });
  const header = new Map<string, unknown>();
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) header.set('__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]])));
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors.get(name)!;
    if (name === '__metadata__') throw new Error('a tensor may not be named __metadata__');
    const stored = dtype === 'F16' && data instanceof Float32Array ? Uint16Array.from(data, f16Bits) : data;
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (stored.BYTES_PER_ELEMENT !== widths[dtype] || !(stored instanceof arrayOf(dtype)) || stored.length !== size) {
      throw new Error(
        `${name}: ${stored.length} elements of ${stored.constructor.name} are not ${dtype}[${shape.join(', ')}]`,
      );
    }
    const part = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    header.set(name, { dtype, shape, data_offsets: [offset, offset + part.length] });
    parts.push(part);
    offset += part.length;
  }
  // Written entry by entry: an object would put names like "0" first.
  const text = `{${[...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const head = new TextEncoder().encode(text);
  const padded = Math.ceil(head.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, 8, 8 + padded);
  bytes.set(head, 8);
  let at = 8 + padded;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * The tensors of a file. Data are views of `bytes` where alignment allows, copies elsewhere. With `widen`, F16 and BF16 arrive as F32
 * (dtype and data), without loss; otherwise as bits in a Uint16Array.
 */
export function decode(bytes: Uint8Array, options: { readonly widen?: boolean } = {}): Decoded {
  const fail = (problem: SafetensorsProblem): Decoded => ({ ok: false, problem });
  if (bytes.length < 8) return fail({ kind: 'short', bytes: bytes.length });
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > longestHeader || length > bytes.length - 8) {
    return fail({ kind: 'header length', length, bytes: bytes.length });
  }
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length));
    header = JSON.parse(text);
  } catch (error) {
    return fail({ kind: 'header text', reason: error instanceof Error ? error.message : String(error) });
  }
  if (!isRecord(header)) return fail({ kind: 'header text', reason: 'the header is not an object' });
  const twice = repeatedKey(text);
  if (twice !== null) return fail({ kind: 'duplicate name', name: twice });

  const metadata: Record<string, string> = {};
  const entries: { name: string; dtype: TensorType; shape: number[]; begin: number; end: number }[] = [];
  const room = bytes.length - 8 - length;
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isRecord(entry)) return fail({ kind: 'metadata', key: name });
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== 'string') return fail({ kind: 'metadata', key });
        // Defined, not assigned: a key may be "__proto__".
        Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
      }
      continue;
    }
    if (!isRecord(entry)) return fail({ kind: 'entry', name, field: 'entry' });
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== 'string') return fail({ kind: 'entry', name, field: 'dtype' });
    if (!isTensorType(dtype)) return fail({ kind: 'unknown type', name, dtype });
    if (!isNaturals(shape)) return fail({ kind: 'entry', name, field: 'shape' });
    if (!isNaturals(offsets) || offsets.length !== 2) return fail({ kind: 'entry', name, field: 'data_offsets' });
    const begin = offsets[0]!;
    const end = offsets[1]!;
    if (begin > end || end > room) return fail({ kind: 'outside', name, begin, end, bytes: room });
    const expected = shape.reduce((product, extent) => product * extent, widths[dtype]);
    if (expected !== end - begin) {
      return fail({ kind: 'length', name, dtype, shape, expected, found: end - begin });
    }
    entries.push({ name, dtype, shape, begin, end });
  }

  // Empty tensors may share an offset with a neighbour: they come first among equals.
  const byOffset = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let previous: string | null = null;
  for (const { name, begin, end } of byOffset) {
    if (begin < covered) return fail({ kind: 'overlap', name, other: previous ?? name, at: begin });
    if (begin > covered) return fail({ kind: 'hole', begin: covered, end: begin, before: name });
    covered = end;
    previous = name;
  }
  if (covered < room) return fail({ kind: 'hole', begin: covered, end: room, before: null });

  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const data = view(bytes, 8 + length + begin, end - begin, dtype);
    const widened = options.widen === true && (dtype === 'F16' || dtype === 'BF16');
    tensors.set(
      name,
      widened ? { dtype: 'F32', shape, data: widen(data as Uint16Array, dtype) } : { dtype, shape, data },
    );
  }
  return { ok: true, tensors, metadata };
}

/** Half-precision or bfloat16 bits as f32, exactly. */
export function widen(bits: Uint16Array, dtype: 'F16' | 'BF16'): Float32Array {
  const values = new Float32Array(bits.length);
  if (dtype === 'BF16') {
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  } else {
    for (let i = 0; i < bits.length; i++) values[i] = f16Value(bits[i]!);
  }
  return values;
}

function arrayOf(dtype: TensorType) {
  switch (dtype) {
    case 'BOOL':
    case 'U8':
      return Uint8Array;
    case 'I8':
      return Int8Array;
    case 'I16':
      return Int16Array;
    case 'U16':
    case 'F16':
    case 'BF16':
      return Uint16Array;
    case 'I32':
      return Int32Array;
    case 'U32':
      return Uint32Array;
    case 'F32':
      return Float32Array;
    case 'F64':
      return Float64Array;
    case 'I64':
      return BigInt64Array;
    case 'U64':
      return BigUint64Array;
  }
}

function view(bytes: Uint8Array, offset: number, length: number, dtype: TensorType): TensorData {
  const start = bytes.byteOffset + offset;
  const aligned = start % widths[dtype] === 0;
  // A copy by construction, not by slice(): a Node Buffer's slice shares its memory.
  const buffer = (aligned ? bytes : new Uint8Array(bytes.subarray(offset, offset + length))).buffer as ArrayBuffer;
  return new (arrayOf(dtype))(buffer, aligned ? start : 0, length / widths[dtype]);
}

/** The first key that the outermost object of a valid JSON text has twice: `JSON.parse` silently keeps the last. */
function repeatedKey(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  let key = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      if (key && depth === 1) {
        const name: unknown = JSON.parse(text.slice(start, i + 1));
        if (typeof name === 'string' && seen.has(name)) return name;
        if (typeof name === 'string') seen.add(name);
      }
      key = false;
    } else if (c === '{' || c === '[') {
      depth++;
      key = c === '{';
    } else if (c === '}' || c === ']') depth--;
    else if (c === ',') key = true;
  }
  return null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function isTensorType(dtype: string): dtype is TensorType {
  return Object.hasOwn(widths, dtype);
}
