import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encode } from '../../runtime/safetensors.ts';
import { readData } from '../../cli/data/open.ts';
import { unzip } from '../../cli/data/zip.ts';
import { base64, bytesOf, complaint, shown, sound } from './tools.ts';

const columns = (bytes: Uint8Array, path: string) =>
  Object.fromEntries([...sound(readData(bytes, path)).columns].map(([name, column]) => [name, shown(column)]));

// Written by NumPy: asfortranarray(arange(12, '<f4').reshape(2, 3, 2)), arange(4, '>i2') - 2, and
// savez_compressed(x=[[1.5, 2], [3, 4]], y=int64 [1, -2], c=[1j]).
const fortran = base64(
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAADAQAAAAEAAAABBAACAQAAAIEEAAIA/AADgQAAAQEAAABBBAACgQAAAMEE=',
);
const bigEndian = base64(
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPmkyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDQsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr//v//AAAAAQ==',
);
const archive = base64(
  'UEsDBC0AAAAIAAAAIQCdGKI8//////////8FABQAeC5ucHkBABAAoAAAAAAAAABVAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIK' +
    'EndLzClOBYoXZyQWpAL5GkY6CkaaOgq1CmQDLgYw+GEPoRkcIBQHlBZwAABQSwMELQAAAAgAAAAhAJr79SP//////////wUAFAB5Lm5weQEAEACQAAAAAAAAAEsAAAAA' +
    'AAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNpoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALkYGCPj3HwIAUEsDBC0AAAAIAAAAIQDaMbDV' +
    '//////////8FABQAYy5ucHkBABAAkAAAAAAAAABKAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TbGimrqOgnpZfVFKUmBefX5SSCpJwS8wpTgWKF2ckFqQC+RqG' +
    'Opo6CrUK5AMuBhTwwR4AUEsBAi0DLQAAAAgAAAAhAJ0YojxVAAAAoAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAgAAAAhAJr79SNLAAAAkAAAAAUA' +
    'AAAAAAAAAAAAAIABjAAAAHkubnB5UEsBAi0DLQAAAAgAAAAhANoxsNVKAAAAkAAAAAUAAAAAAAAAAAAAAIABDgEAAGMubnB5UEsFBgAAAAADAAMAmQAAAI8BAAAAAA==',
);

/** An NPY file as NumPy writes it. */
function npy(descr: string, shape: string, data: Uint8Array): Uint8Array {
  const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  bytes.set(bytesOf(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}
const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer);

describe('NPY', () => {
  it('reads Fortran order and big-endian values that NumPy wrote', () => {
    expect(columns(fortran, 'x.npy')).toEqual({ x: ['f32', [2, 3, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] });
    expect(columns(bigEndian, 'folder/id.npy.gz')).toEqual({ id: ['i32', [4], [-2, -1, 0, 1]] });
  });
  it.each<[string, ArrayBufferView, string, number[]]>([
    ["'|b1'", Uint8Array.of(1, 0), 'bool', [1, 0]],
    ["'|u1'", Uint8Array.of(1, 255), 'i32', [1, 255]],
    ["'|i1'", Int8Array.of(1, -1), 'i32', [1, -1]],
    ["'<u2'", Uint16Array.of(1, 65535), 'i32', [1, 65535]],
    ["'<u4'", Uint32Array.of(1, 2147483647), 'i32', [1, 2147483647]],
    ["'<i8'", BigInt64Array.of(1n, -2147483648n), 'i32', [1, -2147483648]],
    ["'<u8'", BigUint64Array.of(1n, 7n), 'i32', [1, 7]],
    ["'<f2'", Uint16Array.of(0x3e00, 0xc000), 'f32', [1.5, -2]],
    ["'<f8'", Float64Array.of(0.1, NaN), 'f32', [Math.fround(0.1), NaN]],
  ])('reads %s', (descr, data, dtype, values) => {
    expect(columns(npy(descr, '(2,)', raw(data)), 'x.npy')).toEqual({ x: [dtype, [2], values] });
  });
  it.each<[string, Uint8Array]>([
    ['an integer beyond i32', npy("'<i8'", '(2, 2)', raw(BigInt64Array.of(1n, 2n, 3n, 2n ** 31n)))],
    ['a double beyond f32', npy("'<f8'", '(2,)', raw(Float64Array.of(1, -1e39)))],
    ['complex numbers', npy("'<c16'", '(1,)', new Uint8Array(16))],
    ['records', npy("[('a', '<f4')]", '(1,)', new Uint8Array(4))],
    ['a file cut off', npy("'<f4'", '(3,)', new Uint8Array(8))],
    ['a header cut off', npy("'<f4'", '(3,)', new Uint8Array(8)).subarray(0, 60)],
    ['a damaged header', npy("'<f4'", '3', new Uint8Array(12))],
    ['something else', bytesOf('hello')],
  ])('reports %s', (_, bytes) => {
    expect(complaint(readData(bytes, 'x.npy'))).toMatchSnapshot();
  });
});

describe('NPZ', () => {
  it('reads an archive that NumPy wrote, and sets aside what has no counterpart', () => {
    const reading = readData(archive, 'all.npz');
    expect(columns(archive, 'all.npz')).toEqual({ x: ['f32', [2, 2], [1.5, 2, 3, 4]], y: ['i32', [2], [1, -2]] });
    expect(complaint(reading)).toMatchInlineSnapshot(`
      "NN911: column c in all.npz has element type complex128, which has no counterpart
        known: booleans, integers of 8 to 64 bits, floats of 16 to 64 bits"
    `);
  });
  it('never throws on a damaged archive, and notices damage to the data', () => {
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = archive.slice();
        bytes[at]! ^= change;
        unzip(bytes);
        readData(bytes, 'a.npz');
      }),
      { seed: 5, numRuns: 2000 },
    );
    const bytes = archive.slice();
    bytes[80]! ^= 1;
    expect(complaint(readData(bytes, 'a.npz'))).toMatch(/^NN903.*x\.npy (fails its checksum|does not unpack)/);
  });
});

describe('IDX', () => {
  const idx = (type: number, shape: number[], data: number[]) =>
    Uint8Array.from([0, 0, type, shape.length, ...shape.flatMap((n) => [0, 0, n >> 8, n & 255]), ...data]);
  it('reads pictures as floats with raw values and labels as integers, also packed', () => {
    const pictures = idx(8, [2, 1, 2], [0, 128, 255, 1]);
    expect(columns(pictures, 'train-images-idx3-ubyte')).toEqual({
      'train-images-idx3-ubyte': ['f32', [2, 1, 2], [0, 128, 255, 1]],
    });
    expect(columns(gzipSync(idx(8, [2], [7, 9])), 'label.idx.gz')).toEqual({ label: ['i32', [2], [7, 9]] });
  });
  it('reads wider types big-endian', () => {
    expect(columns(idx(13, [1], [0x3f, 0xc0, 0, 0]), 'x.idx')).toEqual({ x: ['f32', [1], [1.5]] });
    expect(columns(idx(11, [2], [0xff, 0xfe, 1, 0]), 'x.idx')).toEqual({ x: ['i32', [2], [-2, 256]] });
  });
  it('reports a file cut off', () => {
    expect(complaint(readData(idx(8, [2, 2], [1, 2, 3]), 'x.idx'))).toMatchInlineSnapshot(
      `"NN903: x.idx is not a sound IDX file: its header announces 4 bytes of data ([2, 2]), but 3 follow"`,
    );
  });
  it('reports a damaged gzip', () => {
    expect(complaint(readData(gzipSync(idx(8, [2], [7, 9])).subarray(0, 20), 'x.idx.gz'))).toMatch(
      /^NN903: x\.idx\.gz is not a sound gzip file/,
    );
  });
});

describe('safetensors as data', () => {
  it('reads every tensor as a column', () => {
    const bytes = encode(
      new Map([
        ['x', { dtype: 'F16', shape: [2, 1], data: Float32Array.of(1.5, 2) }],
        ['y', { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) }],
      ]),
    );
    expect(columns(bytes, 'a.safetensors')).toEqual({ x: ['f32', [2, 1], [1.5, 2]], y: ['i32', [2], [1, 2]] });
    expect(complaint(readData(bytes.subarray(0, bytes.length - 2), 'a.safetensors'))).toMatchInlineSnapshot(
      `"NN915: a.safetensors is not a sound safetensors file: tensor x claims bytes 16 to 20 of 18"`,
    );
  });
});

describe('JSON lines', () => {
  const read = (text: string) => readData(bytesOf(text), 'a.jsonl');
  it('reads numbers, truth values and nested arrays', () => {
    expect(
      columns(bytesOf('{"x":[[1,2.5],[3,4]],"y":1,"b":true}\n\n{"x":[[5,6],[7,8]],"y":2,"b":false}\n'), 'a.jsonl'),
    ).toEqual({
      x: ['f32', [2, 2, 2], [1, 2.5, 3, 4, 5, 6, 7, 8]],
      y: ['i32', [2], [1, 2]],
      b: ['bool', [2], [1, 0]],
    });
  });
  it.each([
    ['ragged rows', '{"x":[1,2,3]}\n\n{"x":[1,2]}\n'],
    ['ragged arrays within a row', '{"x":[[1,2],[3]]}\n'],
    ['a number where an array was', '{"x":[1]}\n{"x":1}\n'],
    ['text', '{"x":1}\n{"x":"one"}\n'],
    ['null', '{"x":1}\n{"x":null}\n'],
    ['truth values among numbers', '{"x":1}\n{"x":true}\n'],
    ['a key that ends', '{"x":1,"y":1}\n{"x":2}\n'],
    ['a key with a gap', '{"x":1,"y":1}\n{"x":2}\n{"x":2,"y":3}\n'],
    ['a key that begins late', '{"x":1}\n{"x":2,"y":1}\n'],
    ['a number beyond i32', '{"x":[1,2]}\n{"x":[3,4294967296]}\n'],
    ['an array', '{"x":1}\n[1]\n'],
    ['no rows', '\n\n'],
  ])('reports %s', (_, text) => {
    expect(complaint(read(text))).toMatchSnapshot();
  });
  it('reports a line that is no JSON', () => {
    expect(complaint(read('{"x":1}\n{"x":\n'))).toMatch(/^NN909: a\.jsonl:2 is not a JSON object: /);
  });
});

describe('the choice of a reader', () => {
  it('goes by content where the name says nothing', () => {
    expect(columns(bigEndian, 'part-0')).toHaveProperty('part-0');
    expect(columns(archive, 'cache')).toHaveProperty('x');
    expect(columns(bytesOf('{"x":1}\n'), 'stream')).toEqual({ x: ['i32', [1], [1]] });
    expect(columns(bytesOf('a,b\n1,2\n'), 'table')).toHaveProperty('b');
  });
  it('says what it knows where neither helps', () => {
    expect(complaint(readData(Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13), 'a.png')))
      .toMatchInlineSnapshot(`
      "NN902: a.png is in no format that is known here
        known: CSV, JSON lines, NPY, NPZ, IDX, safetensors; each also as .gz"
    `);
  });
});
