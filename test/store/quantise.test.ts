/** Values to stored numbers and back: properties that the formula promises, and files that lose nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWeights, encodeWeights } from '../../runtime/files.ts';
import { f16Bits, f16Value, halfValue } from '../../runtime/half.ts';
import { dequantise, quantise, storable } from '../../runtime/store.ts';
import type { WeightTensor } from '../../runtime/weights.ts';

const values = (length: number) =>
  fc
    .array(fc.oneof(fc.double({ min: -8, max: 8, noNaN: true }), fc.constantFrom(0, -0, 1e-20, -3e4, 1e4)), {
      minLength: length,
      maxLength: length,
    })
    .map((list) => Float32Array.from(list));

describe('integers', () => {
  for (const [as, limit] of [
    ['i8', 127],
    ['i4', 7],
  ] as const) {
    it(`${as}: within half a step, the greatest exactly at the end, zeros stay`, () => {
      fc.assert(
        fc.property(values(24), fc.constantFrom(2, 4, 8, 12, 24), (w, group) => {
          const q = quantise(w, as, group);
          const back = dequantise(q, as, group);
          expect(q.scales.length).toBe(24 / group);
          for (let i = 0; i < w.length; i++) {
            const scale = q.scales[Math.floor(i / group)]!;
            // Half a step, and the rounding of the scale to f32 (below the normal numbers, by 2^-150) times how many steps there are.
            expect(Math.abs(w[i]! - back[i]!)).toBeLessThanOrEqual(
              scale * (0.5 + limit * 2 ** -23) + limit * 2 ** -149,
            );
            if (w[i] === 0) expect(back[i]! + 0).toBe(0);
          }
          for (let g = 0; g < q.scales.length; g++) {
            const own = Array.from(w.subarray(g * group, (g + 1) * group), Math.abs);
            expect(q.scales[g]).toBe(Math.fround(Math.max(...own) / limit));
          }
        }),
      );
    });

    it(`${as}: what has been stored is stored as itself`, () => {
      fc.assert(
        fc.property(values(16), (given) => {
          // A scale below the normal numbers has few bits, and its multiples none to tell it by.
          const w = given.map((x) => (Math.abs(x) < 1e-30 ? 0 : x));
          const once = quantise(w, as, 8);
          const again = quantise(dequantise(once, as, 8), as, 8);
          expect(again.data).toEqual(once.data);
        }),
      );
    });
  }

  it('two elements a byte, the even one low, 8 added', () => {
    const { data, scales } = quantise(Float32Array.of(7, -7, 1, 0), 'i4', 4);
    expect([...data]).toEqual([15 | (1 << 4), 9 | (8 << 4)]);
    expect([...scales]).toEqual([1]);
  });

  it('ties go to the even number', () => {
    const { data } = quantise(Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5), 'i8', 6);
    expect([...data]).toEqual([127, 0, 2, 2, 0, -2]);
  });
});

describe('halves', () => {
  it('every finite half comes back', () => {
    for (let bits = 0; bits < 65536; bits++) {
      if (((bits >> 10) & 31) === 31) continue;
      expect(halfValue(bits)).toBe(f16Value(bits));
      expect(f16Bits(halfValue(bits))).toBe(bits);
    }
  });

  it('rounded to nearest', () => {
    fc.assert(
      fc.property(fc.double({ min: -65000, max: 65000, noNaN: true }), (x) => {
        const w = Math.fround(x);
        const [back] = dequantise(quantise([w], 'f16', 0), 'f16', 0);
        expect(Math.abs(back! - w)).toBeLessThanOrEqual(Math.max(Math.abs(w) * 2 ** -11, 2 ** -25));
      }),
    );
  });
});

it('what has no place among them is named', () => {
  expect(storable([1, NaN], 'i8')).toContain('element 1 is NaN');
  expect(storable([Infinity], 'i4')).toContain('Infinity');
  expect(storable([1, 2, -65520], 'f16')).toContain('element 2');
  expect(storable([65519, -1e-30], 'f16')).toBeNull();
  expect(storable([1e30], 'i8')).toBeNull();
});

it.each([
  ['i8', 6],
  ['i4', 2],
  ['i4', 6],
  ['f16', 0],
] as const)('a file holds %s in groups of %s bit for bit', (as, group) => {
  const data = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i) * 3);
  const own = quantise(data, as, group);
  const tensor: WeightTensor = {
    dtype: 'f32',
    shape: [4, 2, 3],
    data: dequantise(own, as, group),
    stored: { as, group, ...own },
  };
  const plain: WeightTensor = { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) };
  const weights = new Map([
    ['a.weight', tensor],
    ['a.bias', plain],
  ]);
  const read = decodeWeights(encodeWeights(weights, { format: 'nnc' }));
  if (!read.ok) throw new Error(JSON.stringify(read.problem));
  expect(read.weights).toEqual(weights);
  const damaged = decodeWeights(
    encodeWeights(new Map([['a.weight', { ...tensor, stored: undefined }]]) as never, {
      'nnc.stored': JSON.stringify({ 'a.weight': { as: 'i8', group: 6, shape: [4, 6] } }),
    }),
  );
  expect(damaged).toMatchObject({ ok: false, problem: { kind: 'type', name: 'a.weight', dtype: 'F32' } });
});
