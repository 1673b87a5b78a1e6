/**
 * IDX, the format of MNIST: two zero bytes, element type, rank, extents as u32, then the elements; all big-endian.
 * Bytes with two axes or more are pictures and become f32 with their raw values 0..255; bytes with one axis are labels and become i32.
 */
import { problem } from '../../compiler/diagnostics/problem.ts';
import { datasetOf, elements, failed, stem, type Reading } from './dataset.ts';
import { columnOf, scaled, widthOf, type Stored } from './numbers.ts';

const types: { readonly [code: number]: Stored } = { 8: 'u8', 9: 'i8', 11: 'i16', 12: 'i32', 13: 'f32', 14: 'f64' };

export const looksLikeIdx = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && bytes[0] === 0 && bytes[1] === 0 && types[bytes[2]!] !== undefined && bytes[3]! > 0;

export function readIdx(bytes: Uint8Array, path: string): Reading {
  const damaged = (what: string): Reading => failed(problem('NN903', null, { path, format: 'IDX', what }));
  if (bytes.length < 4) return damaged(`it has ${bytes.length} bytes, fewer than a header`);
  const stored = types[bytes[2]!];
  if (bytes[0] !== 0 || bytes[1] !== 0 || stored === undefined) return damaged('its first bytes are not those of IDX');
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  if (rank === 0 || bytes.length < start) return damaged('its header is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = elements(shape) * widthOf[stored];
  if (bytes.length - start !== expected) {
    return damaged(
      `its header announces ${expected} bytes of data ([${shape.join(', ')}]), but ${bytes.length - start} follow`,
    );
  }
  const column = columnOf(stem(path), stored, shape, bytes.subarray(start), false, path);
  if ('code' in column) return { ok: true, dataset: datasetOf([], path, new Map([[stem(path), column]])) };
  return { ok: true, dataset: datasetOf([stored === 'u8' && rank > 1 ? scaled(column, 1, false) : column], path) };
}
