/**
 * NumPy's .npy (versions 1 to 3) and .npz (a zip archive of them). Numeric and boolean element types of either byte order, C or
 * Fortran order; no Python objects, strings, complex or structured types.
 */
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import { datasetOf, elements, failed, stem, type Column, type Reading } from './dataset.ts';
import { columnOf, widthOf, type Stored } from './numbers.ts';
import { unzip } from './zip.ts';

const types: { readonly [descr: string]: Stored } = {
  b1: 'bool',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u2: 'u16',
  u4: 'u32',
  u8: 'u64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
};

export const looksLikeNpy = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x93 && bytes[1] === 0x4e && bytes[2] === 0x55 && bytes[3] === 0x4d && bytes[4] === 0x50;

export function readNpy(bytes: Uint8Array, path: string): Reading {
  const result = readArray(bytes, stem(path), path);
  if (!('code' in result)) return { ok: true, dataset: datasetOf([result], path) };
  return result.code === 'NN903'
    ? failed(result)
    : { ok: true, dataset: datasetOf([], path, new Map([[stem(path), result]])) };
}

export function readNpz(bytes: Uint8Array, path: string): Reading {
  const archive = unzip(bytes);
  if (!archive.ok) return failed(problem('NN903', null, { path, format: 'NPZ', what: archive.what }));
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  for (const [entry, content] of archive.files) {
    if (!entry.endsWith('.npy')) continue;
    const name = entry.slice(0, -4);
    const result = readArray(content, name, path);
    if (!('code' in result)) columns.push(result);
    else if (result.code === 'NN903') return failed(result);
    else damaged.set(name, result);
  }
  if (columns.length === 0 && damaged.size === 0) {
    return failed(problem('NN903', null, { path, format: 'NPZ', what: 'it holds no .npy file' }));
  }
  return { ok: true, dataset: datasetOf(columns, path, damaged) };
}

function readArray(bytes: Uint8Array, name: string, path: string): Column | Problem {
  const broken = (what: string) => problem('NN903', null, { path, format: 'NPY', what: `array ${name}: ${what}` });
  if (!looksLikeNpy(bytes) || bytes.length < 10) return broken('its first bytes are not those of NPY');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = bytes[6]! >= 2;
  if (bytes[6]! > 3 || (wide && bytes.length < 12)) return broken(`version ${bytes[6]} of the format is not known`);
  const start = (wide ? 12 : 10) + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (start > bytes.length) return broken('its header is cut off');
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start));
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[.*\]))/.exec(header);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const extents = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header);
  if (descr === null || fortran === null || extents === null)
    return broken('its header lacks descr, fortran_order or shape');
  const shape = extents[1]!.split(',').flatMap((part) => (part.trim() === '' ? [] : [parseInt(part, 10)]));
  const code = /^([<>|=])([a-z]\d+)$/.exec(descr[1] ?? '');
  const stored = code === null ? undefined : types[code[2]!];
  if (code === null || stored === undefined) {
    return problem('NN911', null, { path, column: name, type: numpyName(descr[1]) });
  }
  const data = bytes.subarray(start);
  const expected = elements(shape) * widthOf[stored];
  if (data.length !== expected) {
    return broken(`its header announces ${expected} bytes of data ([${shape.join(', ')}]), but ${data.length} follow`);
  }
  const rowMajor = fortran[1] === 'True' && shape.length > 1 ? toRowMajor(data, shape, widthOf[stored]) : data;
  return columnOf(name, stored, shape, rowMajor, code[1] !== '>', path);
}

/** From Fortran order (first axis fastest) to row-major, element by element. */
function toRowMajor(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const position = shape.map(() => 0);
  const strides = shape.map((_, axis) => elements(shape.slice(0, axis)));
  for (let to = 0; to < bytes.length; to += width) {
    let from = 0;
    for (let axis = 0; axis < shape.length; axis++) from += position[axis]! * strides[axis]!;
    for (let byte = 0; byte < width; byte++) result[to + byte] = bytes[from * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0 && ++position[axis]! === shape[axis]; axis--) position[axis] = 0;
  }
  return result;
}

/** As NumPy prints it: `<c8` is complex64. */
function numpyName(descr: string | undefined): string {
  if (descr === undefined) return 'structured';
  const [, kind = '', width = ''] = /^[<>|=]?([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  const bits = 8 * Number(width);
  const named: Readonly<Record<string, string>> = {
    c: `complex${bits}`,
    f: `float${bits}`,
    S: 'bytes',
    U: 'text',
    O: 'object',
    M: 'datetime64',
    m: 'timedelta64',
    V: 'void',
  };
  return named[kind] ?? descr;
}
