/**
 * From the element types of files to the three of a column: f32, i32, bool. Integers must fit exactly; doubles are rounded to f32 but may
 * not overflow. The first value that does not fit is the problem, with its row.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import { widen } from '../../runtime/safetensors.ts';
import { cellOf, type Column } from './dataset.ts';

/** Names of element types, shared by all binary formats. */
export type Stored =
  'bool' | 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'f16' | 'bf16' | 'f32' | 'f64';

export const widthOf: { readonly [S in Stored]: number } = {
  bool: 1,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  u64: 8,
  f16: 2,
  bf16: 2,
  f32: 4,
  f64: 8,
};

/** From here on, half a unit beyond the largest f32, rounding gives infinity. */
const overflowF32 = 3.4028235677973366e38;

export const overflowsF32 = (value: number): boolean => Number.isFinite(value) && Math.abs(value) >= overflowF32;
export const fitsI32 = (value: number): boolean => (value | 0) === value;

/**
 * A column from raw elements: `bytes` holds product(shape) elements of type `stored`, in row-major order, of either endianness.
 * Never keeps a view of `bytes`.
 */
export function columnOf(
  name: string,
  stored: Stored,
  shape: readonly number[],
  bytes: Uint8Array,
  littleEndian: boolean,
  path: string,
): Column | Problem {
  const count = bytes.length / widthOf[stored];
  // Not slice(): a Node Buffer's shares its memory.
  const aligned = new Uint8Array(bytes);
  if (!littleEndian) swap(aligned, widthOf[stored]);
  const buffer = aligned.buffer;
  const base = { name, shape: shape.length === 0 ? [1] : shape, source: path };
  switch (stored) {
    case 'bool':
      return { ...base, dtype: 'bool', data: aligned.map((byte) => (byte === 0 ? 0 : 1)) };
    case 'i32':
      return { ...base, dtype: 'i32', data: new Int32Array(buffer) };
    case 'f32':
      return { ...base, dtype: 'f32', data: new Float32Array(buffer) };
    case 'i8':
      return { ...base, dtype: 'i32', data: Int32Array.from(new Int8Array(buffer)) };
    case 'u8':
      return { ...base, dtype: 'i32', data: Int32Array.from(aligned) };
    case 'i16':
      return { ...base, dtype: 'i32', data: Int32Array.from(new Int16Array(buffer)) };
    case 'u16':
      return { ...base, dtype: 'i32', data: Int32Array.from(new Uint16Array(buffer)) };
    case 'f16':
    case 'bf16':
      return { ...base, dtype: 'f32', data: widen(new Uint16Array(buffer), stored === 'f16' ? 'F16' : 'BF16') };
    case 'u32':
    case 'i64':
    case 'u64': {
      const values =
        stored === 'u32'
          ? new Uint32Array(buffer)
          : stored === 'i64'
            ? new BigInt64Array(buffer)
            : new BigUint64Array(buffer);
      const data = new Int32Array(count);
      const column: Column = { ...base, dtype: 'i32', data };
      for (let i = 0; i < count; i++) {
        const value = values[i]!;
        if (value > 0x7fffffff || value < -0x80000000) {
          return problem('NN907', null, { cell: cellOf(column, i, path), value: String(value), type: 'i32' });
        }
        data[i] = Number(value);
      }
      return column;
    }
    case 'f64': {
      const values = new Float64Array(buffer);
      const data = new Float32Array(count);
      const column: Column = { ...base, dtype: 'f32', data };
      for (let i = 0; i < count; i++) {
        if (overflowsF32(values[i]!)) {
          return problem('NN907', null, { cell: cellOf(column, i, path), value: String(values[i]), type: 'f32' });
        }
        data[i] = values[i]!;
      }
      return column;
    }
  }
}

/** The same values times `by`, or divided by it, computed in doubles. The result is f32 whatever the column was. */
export function scaled(column: Column, by: number, divide: boolean): Column {
  const data = new Float32Array(column.data.length);
  for (let i = 0; i < data.length; i++) data[i] = divide ? column.data[i]! / by : column.data[i]! * by;
  return { ...column, dtype: 'f32', data };
}

function swap(bytes: Uint8Array, width: number): void {
  for (let start = 0; width > 1 && start < bytes.length; start += width) bytes.subarray(start, start + width).reverse();
}
