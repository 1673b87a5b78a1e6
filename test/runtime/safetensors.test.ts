import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f16Bits, f16Value } from '../../runtime/half.ts';
import { decode, encode, widen, type Tensor } from '../../runtime/safetensors.ts';

/** Written by the reference implementation (safetensors for Python, from NumPy arrays): an oracle for both directions. */
const reference = Uint8Array.from(
  Buffer.from(
    'QAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJuIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMCwxNl19' +
      'LCJlbXB0eSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCw0XSwiZGF0YV9vZmZzZXRzIjpbMTYsMTZdfSwidyI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpb' +
      'MiwzXSwiZGF0YV9vZmZzZXRzIjpbMTYsNDBdfSwiYiI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzQwLDQ2XX0sImZsYWci' +
      'OnsiZHR5cGUiOiJCT09MIiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNDYsNDldfX0gIP//////////AAAAAAABAAAAAAAAAACAPgAAAD8AAEA/AACA' +
      'PwAAoD8APgDA/3sBAAE=',
    'base64',
  ),
);

const tensors = new Map<string, Tensor>([
  ['flag', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) }],
  ['b', { dtype: 'F16', shape: [3], data: Float32Array.of(1.5, -2, 65504) }],
  ['w', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) }],
  ['empty', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
  ['n', { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) }],
]);

/** A file with this header text and so many bytes of data. */
function file(header: string, data: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const problemOf = (bytes: Uint8Array) => {
  const result = decode(bytes);
  return result.ok ? 'fine' : result.problem;
};
const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) =>
  `{"dtype":"F32","shape":[${shape.join()}],"data_offsets":[${begin},${end}]}`;

describe('encode', () => {
  it('writes the bytes of the reference implementation', () => {
    expect(Buffer.from(encode(tensors, { format: 'np' })).toString('base64')).toBe(
      Buffer.from(reference).toString('base64'),
    );
  });
  it('does not depend on the order of the map', () => {
    expect(encode(new Map([...tensors].reverse()))).toEqual(encode(tensors));
  });
  it('keeps names that look like numbers in order', () => {
    const result = decode(
      encode(
        new Map([
          ['b', tensors.get('b')!],
          ['10', tensors.get('b')!],
        ]),
      ),
    );
    expect(result.ok && [...result.tensors.keys()]).toEqual(['10', 'b']);
  });
  it('refuses data that are not their type', () => {
    expect(() => encode(new Map([['w', { dtype: 'F32', shape: [3], data: Float32Array.of(1, 2) }]]))).toThrow('w:');
    expect(() => encode(new Map([['w', { dtype: 'F32', shape: [2], data: Int32Array.of(1, 2) }]]))).toThrow(
      'Int32Array',
    );
  });
});

describe('decode', () => {
  it('reads the reference file, at any alignment', () => {
    const arrays = [0, 1, 4].map((shift) => new Uint8Array(reference.length + shift).subarray(shift));
    for (const moved of [...arrays, ...arrays.map((array) => Buffer.from(array.buffer, array.byteOffset))]) {
      moved.set(reference);
      const result = decode(moved);
      if (!result.ok) throw new Error('refused');
      expect(result.metadata).toEqual({ format: 'np' });
      expect(result.tensors.get('w')).toEqual(tensors.get('w'));
      expect(result.tensors.get('n')).toEqual(tensors.get('n'));
      expect(result.tensors.get('flag')).toEqual(tensors.get('flag'));
      expect(result.tensors.get('b')!.data).toEqual(Uint16Array.of(0x3e00, 0xc000, 0x7bff));
    }
  });
  it('widens halves on request', () => {
    const result = decode(reference, { widen: true });
    expect(result.ok && result.tensors.get('b')).toEqual({
      dtype: 'F32',
      shape: [3],
      data: Float32Array.of(1.5, -2, 65504),
    });
    expect(widen(Uint16Array.of(0x3fc0, 0xc120, 0xff80), 'BF16')).toEqual(Float32Array.of(1.5, -10, -Infinity));
  });

  const malformed: [string, Uint8Array, object][] = [
    ['an empty file', new Uint8Array(0), { kind: 'short', bytes: 0 }],
    ['a header beyond the end', reference.subarray(0, 100), { kind: 'header length', length: 320, bytes: 100 }],
    ['a huge header', new Uint8Array(16).fill(255), { kind: 'header length' }],
    ['bad JSON', file('{"w":', 0), { kind: 'header text' }],
    ['bad UTF-8', file('{}', 0).fill(0xff, 8), { kind: 'header text' }],
    ['a header that is a list', file('[]', 0), { kind: 'header text' }],
    ['metadata that are not text', file('{"__metadata__":{"a":1}}', 0), { kind: 'metadata', key: 'a' }],
    ['a name twice', file(`{"a":${f32(0, 4)},"\\u0061":${f32(4, 8)}}`, 8), { kind: 'duplicate name', name: 'a' }],
    ['an entry that is no object', file('{"a":3}', 0), { kind: 'entry', name: 'a', field: 'entry' }],
    ['a missing type', file('{"a":{}}', 0), { kind: 'entry', name: 'a', field: 'dtype' }],
    ['an unknown type', file('{"a":{"dtype":"Q4"}}', 0), { kind: 'unknown type', name: 'a', dtype: 'Q4' }],
    ['a type named like a method', file('{"a":{"dtype":"toString"}}', 0), { kind: 'unknown type' }],
    ['a negative extent', file('{"a":{"dtype":"F32","shape":[-1]}}', 0), { kind: 'entry', field: 'shape' }],
    [
      'offsets that are no pair',
      file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', 4),
      { kind: 'entry', field: 'data_offsets' },
    ],
    ['offsets beyond the end', file(`{"a":${f32(0, 8)}}`, 4), { kind: 'outside', begin: 0, end: 8, bytes: 4 }],
    ['offsets in reverse', file(`{"a":${f32(4, 0, [1])}}`, 4), { kind: 'outside' }],
    ['a length that is not the shape', file(`{"a":${f32(0, 8, [3])}}`, 8), { kind: 'length', expected: 12, found: 8 }],
    ['an overlap', file(`{"a":${f32(0, 8)},"b":${f32(4, 12)}}`, 12), { kind: 'overlap', name: 'b', other: 'a', at: 4 }],
    ['a hole', file(`{"a":${f32(0, 4)},"b":${f32(8, 12)}}`, 12), { kind: 'hole', begin: 4, end: 8, before: 'b' }],
    ['bytes left over', file(`{"a":${f32(0, 4)}}`, 9), { kind: 'hole', begin: 4, end: 9, before: null }],
  ];
  it.each(malformed)('reports %s', (_, bytes, expected) => {
    expect(problemOf(bytes)).toMatchObject(expected);
  });
  it('lets the same key stand in nested objects', () => {
    expect(problemOf(file(`{"dtype":${f32(0, 4)},"b":${f32(4, 8)}}`, 8))).toBe('fine');
  });

  it('never throws, whatever byte is damaged', () => {
    fc.assert(
      fc.property(fc.nat(reference.length - 1), fc.nat(255), fc.nat(reference.length), (at, value, cut) => {
        const bytes = reference.slice(0, cut);
        if (at < cut) bytes[at] = value;
        expect(typeof decode(bytes).ok).toBe('boolean');
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
  it('returns what was encoded', () => {
    const tensor = fc
      .array(fc.float({ noNaN: true }), { maxLength: 6 })
      .map((values): Tensor => ({ dtype: 'F32', shape: [values.length], data: Float32Array.from(values) }));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), tensor), (record) => {
        const map = new Map(Object.entries(record).filter(([name]) => name !== '__metadata__'));
        const result = decode(encode(map));
        expect(result.ok && new Map([...result.tensors].sort())).toEqual(new Map([...map].sort()));
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe('half precision', () => {
  // Values and bits from NumPy's astype(float16).
  const values = [
    0.0, 1.0, -1.0, 0.3333333432674408, 65504.0, 65519.98828125, 65520.0, 9.99999993922529e-9, 2.9800000689306216e-8,
    2.9802322387695312e-8, 2.980232594040899e-8, 5.999999848427251e-5, 6.0999998822808266e-5, 6.103000123403035e-5,
    1.00048828125, 1.00146484375, 0.10000000149011612, 100000.0, -1.0000000116860974e-7, 6.102025508880615e-5,
    6.1005353927612305e-5,
  ];
  const bits = [
    0, 15360, 48128, 13653, 31743, 31743, 31744, 0, 0, 0, 1, 1007, 1023, 1024, 15360, 15362, 11878, 31744, 32770, 1024,
    1024,
  ];
  it('rounds as NumPy does', () => {
    expect(values.map(f16Bits)).toEqual(bits);
  });
  it('is its own inverse on every half that is a number', () => {
    for (let half = 0; half < 0x10000; half++) {
      const value = f16Value(half);
      if (Number.isNaN(value)) expect(f16Bits(value)).toBe(0x7e00);
      else if (f16Bits(value) !== half) throw new Error(`half ${half} returned as ${f16Bits(value)}`);
    }
  });
});
