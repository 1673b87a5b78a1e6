/**
 * The inner functions of products with integers.
 *
 * `round8`, `round4` (values, to, blocks, chunks): a row of f32 as integers q = x m / max |x|, block by block: what sums begin with, the integers, the scale (16 bytes too). For
 * `round8` m is 32767, and sums begin with 0.
 *
 * `round4` has the work of taking four bits from 16 done beforehand. A word of weights w holds n0 + 8, n1 + 8, n2 + 8 and, signed, n3 (stored.ts), so w, w >> 4, w >> 8 and
 * w >> 12, shifts that keep the sign, are sums of those from some on: w >> 8 = (n2 + 8) + 16 n3. With q0, q1 - 16 q0, q2 - 16 q1 and q3 - 16 q2 in place of the q's, sums of their
 * products are q0 n0 + … + q3 n3, exactly, modulo 2^32; so no bits have to be masked. Seventeen times q is to be 16 bits: m = 1927. Sums begin with -8 (q0 + q1 + q2).
 *
 * `dots8`, `dots4` (row, weights, weights' scales, to, columns, blocks, chunks, step of the weights' scales from block to block, bytes of a row of weights, bytes of its scales): a
 * row's product with so many columns. Four columns at a time share the loads of the row; they lie a quarter of all apart, so that each is a stream through memory whose continuation
 * the processor sees. Bytes are bound by memory, half bytes by arithmetic: eleven instructions for 32 weights. Of the four one address is kept and the others are counted from it:
 * with one for each, V8 has too few registers, and what it moves to and fro is a tenth of the time.
 */
import { GREATEST } from '../../schedule/dots.ts';
import type { FunctionBody, Signature } from './encoder.ts';
import { Fn } from './function.ts';

const signature = (count: number): Signature => ({
  parameters: Array.from({ length: count }, () => 'i32' as const),
  results: [],
});

/** Columns at a time. */
const AT_ONCE = 4;
/** The bits of 1.5 * 2^23: a number below 2^22 added to that is rounded to a whole one, which is how far the bits of the sum are from these. */
const WHOLE = 0x4b400000;
const ROUND = signature(4);
const DOTS = signature(10);

const vectors = (fn: Fn, count: number): number[] => Array.from({ length: count }, () => fn.local('v128'));
const integers = (fn: Fn, count: number): number[] => Array.from({ length: count }, () => fn.local('i32'));

function copyTo(fn: Fn, to: number, from: number): void {
  fn.code.get(from);
  fn.code.set(to);
}

function zero(fn: Fn, v: number): void {
  fn.code.v128([0, 0, 0, 0]);
  fn.code.set(v);
}

function advance(fn: Fn, pointer: number, by: number | { readonly local: number }): void {
  fn.code.get(pointer);
  if (typeof by === 'number') fn.code.i32(by);
  else fn.code.get(by.local);
  fn.code.op('i32.add');
  fn.code.set(pointer);
}

/** All bits of an f32 but its sign: as integers they are ordered as sizes are, no number behind infinity. */
const SIZE = 0x7fffffff;

/** A vector of f32 times `by`, rounded to whole numbers, on the stack. What is no number becomes any. */
function whole(fn: Fn, from: number, offset: number, by: number): void {
  fn.code.get(from);
  fn.code.access('v128.load', offset);
  fn.code.get(by);
  fn.code.op('f32x4.mul');
  fn.code.v128([WHOLE, WHOLE, WHOLE, WHOLE]);
  fn.code.op('f32x4.add');
  fn.code.v128([WHOLE, WHOLE, WHOLE, WHOLE]);
  fn.code.op('i32x4.sub');
}

/** Four vectors as the columns of four others. */
function transpose(fn: Fn, rows: readonly number[], columns: readonly number[]): void {
  const pairs = vectors(fn, 4);
  const into = (to: number, a: number, b: number, lanes: readonly [number, number, number, number]): void => {
    fn.code.get(a);
    fn.code.get(b);
    fn.code.shuffle(lanes);
    fn.code.set(to);
  };
  for (const half of [0, 1]) {
    into(pairs[half]!, rows[2 * half]!, rows[2 * half + 1]!, [0, 4, 1, 5]);
    into(pairs[2 + half]!, rows[2 * half]!, rows[2 * half + 1]!, [2, 6, 3, 7]);
  }
  for (const k of [0, 1]) {
    into(columns[2 * k]!, pairs[2 * k]!, pairs[2 * k + 1]!, [0, 1, 4, 5]);
    into(columns[2 * k + 1]!, pairs[2 * k]!, pairs[2 * k + 1]!, [2, 3, 6, 7]);
  }
}

function round(isHalfByte: boolean): FunctionBody {
  const fn = new Fn(ROUND);
  const [VALUES, TO, BLOCKS, CHUNKS] = [0, 1, 2, 3] as const;
  const width = isHalfByte ? 8 : 4;
  const most = GREATEST[isHalfByte ? 'i4' : 'i8'];
  const top = fn.local('v128');
  const sum = fn.local('v128');
  const [from, begin] = integers(fn, 2);
  const [greatest, scale] = [fn.local('f32'), fn.local('f32')];

  const bytes = (): void => {
    for (let k = 0; k < width; k += 2) {
      fn.code.get(TO);
      whole(fn, VALUES, 16 * k, top);
      whole(fn, VALUES, 16 * k + 16, top);
      fn.code.op('i16x8.narrow_i32x4_s');
      fn.code.access('v128.store', 8 * k);
    }
  };
  /** Lanes are words of weights, vectors what goes with w, w >> 4, w >> 8 and w >> 12. */
  const halfBytes = (): void => {
    const halves = [0, 1].map((half) => {
      const elements = vectors(fn, 4);
      const words = vectors(fn, 4);
      for (const [k, element] of elements.entries()) {
        whole(fn, VALUES, 64 * half + 16 * k, top);
        fn.code.set(element);
      }
      transpose(fn, elements, words);
      for (const k of [0, 1, 2]) {
        fn.code.get(words[k]!);
        fn.code.get(sum);
        fn.code.op('i32x4.add');
        fn.code.set(sum);
      }
      return words;
    });
    for (const k of [3, 2, 1, 0]) {
      fn.code.get(TO);
      for (const words of halves) {
        fn.code.get(words[k]!);
        if (k === 0) continue;
        fn.code.get(words[k - 1]!);
        fn.code.i32(4);
        fn.code.op('i32x4.shl');
        fn.code.op('i32x4.sub');
      }
      fn.code.op('i16x8.narrow_i32x4_s');
      fn.code.access('v128.store', 16 * k);
    }
  };

  fn.for(0, { local: BLOCKS }, 1, () => {
    zero(fn, top);
    zero(fn, sum);
    copyTo(fn, from!, VALUES);
    fn.for(0, { local: CHUNKS }, 1, () => {
      for (let k = 0; k < width; k++) {
        fn.code.get(from!);
        fn.code.access('v128.load', 16 * k);
        fn.code.v128([SIZE, SIZE, SIZE, SIZE]);
        fn.code.op('v128.and');
        fn.code.get(top);
        fn.code.op('i32x4.max_s');
        fn.code.set(top);
      }
      advance(fn, from!, 16 * width);
    });
    for (const lanes of [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ] as const) {
      fn.code.get(top);
      fn.code.get(top);
      fn.code.get(top);
      fn.code.shuffle(lanes);
      fn.code.op('i32x4.max_s');
      fn.code.set(top);
    }
    fn.code.get(top);
    fn.code.lane('f32x4.extract_lane', 0);
    fn.code.set(greatest);
    // Infinite or no number: the scale is none either, and so is every result, whatever the integers are.
    fn.code.get(greatest);
    fn.code.f32(most);
    fn.code.op('f32.div');
    fn.code.get(greatest);
    fn.code.get(greatest);
    fn.code.op('f32.sub');
    fn.code.op('f32.add');
    fn.code.set(scale);
    // Nothing that counts: the integers are 0.
    fn.code.f32(most);
    fn.code.get(greatest);
    fn.code.op('f32.div');
    fn.code.f32(0);
    fn.code.get(greatest);
    fn.code.f32(1e-30);
    fn.code.op('f32.gt');
    fn.code.op('select');
    fn.code.op('f32x4.splat');
    fn.code.set(top);
    copyTo(fn, begin!, TO);
    advance(fn, TO, 16);
    fn.for(0, { local: CHUNKS }, 1, () => {
      if (isHalfByte) halfBytes();
      else bytes();
      advance(fn, TO, 8 * width);
      advance(fn, VALUES, 16 * width);
    });
    fn.code.get(begin!);
    fn.code.get(sum);
    fn.code.i32(3);
    fn.code.op('i32x4.shl');
    fn.code.op('i32x4.neg');
    fn.code.access('v128.store');
    fn.code.get(TO);
    fn.code.get(scale);
    fn.code.access('f32.store');
    advance(fn, TO, 16);
  });
  return fn.done();
}

function dots(isHalfByte: boolean): FunctionBody {
  const fn = new Fn(DOTS);
  const [ROW, W, WS, TO, COLUMNS, BLOCKS, CHUNKS, STEP, BYTES, SCALES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  const [x, w, ws, rounds, apart, scalesApart, toApart, at] = integers(fn, 8);
  const sum = vectors(fn, AT_ONCE);
  const total = vectors(fn, AT_ONCE);
  const rows = vectors(fn, isHalfByte ? 4 : 2);
  const word = fn.local('v128');

  /** `body` for every column, with its address on the stack. */
  const each = (count: number, from: number, by: number, body: (k: number) => void): void => {
    for (let k = 0; k < count; k++) {
      fn.code.get(k < 2 ? from : at!);
      if (k > 0) {
        fn.code.get(by);
        fn.code.op('i32.add');
        fn.code.tee(at!);
      }
      body(k);
    }
  };

  const chunk = (count: number): void => {
    for (const [k, row] of rows.entries()) {
      fn.code.get(x!);
      fn.code.access('v128.load', 16 + 16 * k);
      fn.code.set(row);
    }
    each(count, w!, apart!, (k) => {
      fn.code.access('v128.load');
      fn.code.set(word);
      for (const [part, row] of rows.entries()) {
        fn.code.get(word);
        if (!isHalfByte) fn.code.op(part === 0 ? 'i16x8.extend_low_i8x16_s' : 'i16x8.extend_high_i8x16_s');
        else if (part > 0) {
          fn.code.i32(4 * part);
          fn.code.op('i16x8.shr_s');
        }
        fn.code.get(row);
        fn.code.op('i32x4.dot_i16x8_s');
        fn.code.get(sum[k]!);
        fn.code.op('i32x4.add');
        fn.code.set(sum[k]!);
      }
    });
    advance(fn, w!, 16);
    advance(fn, x!, 16 * rows.length);
  };

  /** Columns at `W` and `apart` from each other. */
  const some = (count: number): void => {
    for (let k = 0; k < count; k++) zero(fn, total[k]!);
    copyTo(fn, x!, ROW);
    copyTo(fn, w!, W);
    copyTo(fn, ws!, WS);
    fn.for(0, { local: BLOCKS }, 1, () => {
      fn.code.get(x!);
      fn.code.access('v128.load');
      fn.code.set(sum[0]!);
      for (let k = 1; k < count; k++) copyTo(fn, sum[k]!, sum[0]!);
      fn.for(0, { local: CHUNKS }, 1, () => chunk(count));
      fn.code.get(x!);
      fn.code.access('v128.load32_splat', 16);
      fn.code.set(word);
      each(count, ws!, scalesApart!, (k) => {
        fn.code.access('v128.load32_splat');
        fn.code.get(word);
        fn.code.op('f32x4.mul');
        fn.code.get(sum[k]!);
        fn.code.op('f32x4.convert_i32x4_s');
        fn.code.op('f32x4.mul');
        fn.code.get(total[k]!);
        fn.code.op('f32x4.add');
        fn.code.set(total[k]!);
      });
      advance(fn, ws!, { local: STEP });
      advance(fn, x!, 32);
    });
    each(count, TO, toApart!, (k) => {
      // Pairwise: (0 + 2) + (1 + 3).
      fn.code.get(total[k]!);
      fn.code.get(total[k]!);
      fn.code.get(total[k]!);
      fn.code.shuffle([2, 3, 2, 3]);
      fn.code.op('f32x4.add');
      fn.code.tee(total[k]!);
      fn.code.lane('f32x4.extract_lane', 0);
      fn.code.get(total[k]!);
      fn.code.lane('f32x4.extract_lane', 1);
      fn.code.op('f32.add');
      fn.code.access('f32.store');
    });
    advance(fn, TO, 4);
    advance(fn, W, { local: BYTES });
    advance(fn, WS, { local: SCALES });
  };
  const times = (to: number, by: number | { readonly local: number }): void => {
    fn.code.get(rounds!);
    if (typeof by === 'number') fn.code.i32(by);
    else fn.code.get(by.local);
    fn.code.op('i32.mul');
    fn.code.set(to);
  };

  fn.code.get(COLUMNS);
  fn.code.i32(Math.log2(AT_ONCE));
  fn.code.op('i32.shr_u');
  fn.code.set(rounds!);
  times(apart!, { local: BYTES });
  times(scalesApart!, { local: SCALES });
  times(toApart!, 4);
  fn.for(0, { local: rounds! }, 1, () => some(AT_ONCE));
  // What is left, one by one: behind all of those.
  for (let k = 1; k < AT_ONCE; k++)
    for (const [pointer, by] of [
      [W, apart!],
      [WS, scalesApart!],
      [TO, toApart!],
    ] as const)
      advance(fn, pointer, { local: by });
  fn.code.get(COLUMNS);
  fn.code.i32(AT_ONCE - 1);
  fn.code.op('i32.and');
  fn.code.set(rounds!);
  fn.for(0, { local: rounds! }, 1, () => some(1));
  return fn.done();
}

export const dotsLibrary = {
  round8: { signature: ROUND, body: () => round(false) },
  round4: { signature: ROUND, body: () => round(true) },
  dots8: { signature: DOTS, body: () => dots(false) },
  dots4: { signature: DOTS, body: () => dots(true) },
} as const;
