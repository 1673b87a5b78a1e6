/**
 * The inner functions of products with integers.
 *
 * `round8`, `round4` (values, integers, scales, corrections, blocks, chunks): a row of f32 as 16-bit integers, block by block, q = x 32767 / max |x|. `round4` lays
 * every 32 of them out as four vectors of each fourth element, which is how four bits after four bits leave a word, and keeps -8 times their sum: the
 * stored numbers have 8 added.
 *
 * `dots8`, `dots4` (integers, scales, corrections, weights, weights' scales, to, columns, blocks, chunks, step of the weights' scales from block to block, bytes of a row of
 * weights, bytes of its scales): a row's product with so many columns. Four (two) columns at a time share the loads of the row. Four columns of bytes lie
 * a quarter of all apart, so that each is a stream through memory whose continuation the processor sees. Two of half bytes are bound by arithmetic, thirteen
 * instructions for 32 weights; short ones lie side by side, as one stream, long ones half of all apart: where a stream leaps over the other's column every
 * 1,536 bytes, memory answers half as fast.
 */
import type { FunctionBody, Signature } from './encoder.ts';
import { Fn } from './function.ts';

const signature = (count: number): Signature => ({
  parameters: Array.from({ length: count }, () => 'i32' as const),
  results: [],
});

/** Bytes of a row of half bytes from which two at a time are two streams. */
const LONG = 1024;
const ROUND = signature(6);
const DOTS = signature(12);

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

function round(isHalfByte: boolean): FunctionBody {
  const fn = new Fn(ROUND);
  const [VALUES, TO, SCALES, CORRECTIONS, BLOCKS, CHUNKS] = [0, 1, 2, 3, 4, 5] as const;
  const width = isHalfByte ? 8 : 4;
  const top = fn.local('v128');
  const sum = fn.local('v128');
  const [from] = integers(fn, 1);
  const greatest = fn.local('f32');
  fn.for(0, { local: BLOCKS }, 1, () => {
    zero(fn, top);
    zero(fn, sum);
    copyTo(fn, from!, VALUES);
    fn.for(0, { local: CHUNKS }, 1, () => {
      for (let k = 0; k < width; k++) {
        fn.code.get(top);
        fn.code.get(from!);
        fn.code.access('v128.load', 16 * k);
        fn.code.op('f32x4.abs');
        fn.code.op('f32x4.max');
        fn.code.set(top);
      }
      advance(fn, from!, 16 * width);
    });
    for (let lane = 0; lane < 4; lane++) {
      fn.code.get(top);
      fn.code.lane('f32x4.extract_lane', lane);
      if (lane > 0) fn.code.op('f32.max');
    }
    fn.code.set(greatest);
    fn.code.get(SCALES);
    fn.code.get(greatest);
    fn.code.f32(32767);
    fn.code.op('f32.div');
    fn.code.access('f32.store');
    advance(fn, SCALES, 4);
    // Nothing that counts, or no number: the integers are 0, and the scale says the rest.
    fn.code.f32(32767);
    fn.code.get(greatest);
    fn.code.op('f32.div');
    fn.code.f32(0);
    fn.code.get(greatest);
    fn.code.f32(1e-30);
    fn.code.op('f32.gt');
    fn.code.op('select');
    fn.code.op('f32x4.splat');
    fn.code.set(top);
    fn.for(0, { local: CHUNKS }, 1, () => {
      const whole = (k: number): void => {
        fn.code.get(VALUES);
        fn.code.access('v128.load', 16 * k);
        fn.code.get(top);
        fn.code.op('f32x4.mul');
        fn.code.op('f32x4.nearest');
        fn.code.op('i32x4.trunc_sat_f32x4_s');
      };
      if (!isHalfByte) {
        for (let k = 0; k < width; k += 2) {
          fn.code.get(TO);
          whole(k);
          whole(k + 1);
          fn.code.op('i16x8.narrow_i32x4_s');
          fn.code.access('v128.store', 8 * k);
        }
      } else {
        const four = fn.local('v128');
        for (let k = 0; k < width; k++) {
          whole(k);
          fn.code.tee(four);
          fn.code.get(sum);
          fn.code.op('i32x4.add');
          fn.code.set(sum);
          for (let lane = 0; lane < 4; lane++) {
            fn.code.get(TO);
            fn.code.get(four);
            fn.code.laneAccess('v128.store16_lane', 2 * lane, 16 * lane + 2 * k);
          }
        }
      }
      advance(fn, TO, 8 * width);
      advance(fn, VALUES, 16 * width);
    });
    if (!isHalfByte) return;
    fn.code.get(CORRECTIONS);
    fn.code.get(sum);
    fn.code.i32(3);
    fn.code.op('i32x4.shl');
    fn.code.op('i32x4.neg');
    fn.code.access('v128.store');
    advance(fn, CORRECTIONS, 16);
  });
  return fn.done();
}

function dots(isHalfByte: boolean): FunctionBody {
  const fn = new Fn(DOTS);
  const [X, XS, CORRECTIONS, W, WS, TO, COLUMNS, BLOCKS, CHUNKS, STEP, ROW, SCALES] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ] as const;
  const most = isHalfByte ? 2 : 4;
  const weights = integers(fn, most);
  const scales = integers(fn, most);
  const [x, xs, correction, rounds, apart, scalesApart, toApart, to, step, scalesStep, toStep] = integers(fn, 11);
  const low = vectors(fn, most);
  const high = isHalfByte ? vectors(fn, most) : [];
  const total = vectors(fn, most);
  const splat16 = (bits: number): void => {
    const both = (bits << 16) | bits;
    fn.code.v128([both, both, both, both]);
  };

  /** into += dot of what is on the stack with the row's vector at `offset`. */
  const dotInto = (into: number, row: number): void => {
    fn.code.get(row);
    fn.code.op('i32x4.dot_i16x8_s');
    fn.code.get(into);
    fn.code.op('i32x4.add');
    fn.code.set(into);
  };

  const rows = vectors(fn, isHalfByte ? 4 : 2);
  const word = fn.local('v128');
  const chunk = (count: number): void => {
    for (const [k, row] of rows.entries()) {
      fn.code.get(x!);
      fn.code.access('v128.load', 16 * k);
      fn.code.set(row);
    }
    for (let k = 0; k < count; k++) {
      if (!isHalfByte) {
        fn.code.get(weights[k]!);
        fn.code.access('v128.load');
        fn.code.set(word);
        for (const part of [0, 1]) {
          fn.code.get(word);
          fn.code.op(part === 0 ? 'i16x8.extend_low_i8x16_s' : 'i16x8.extend_high_i8x16_s');
          dotInto(low[k]!, rows[part]!);
        }
      } else {
        fn.code.get(weights[k]!);
        fn.code.access('v128.load');
        fn.code.set(word);
        for (const part of [0, 2]) {
          if (part === 2) {
            fn.code.get(word);
            fn.code.i32(8);
            fn.code.op('i16x8.shr_u');
            fn.code.set(word);
          }
          fn.code.get(word);
          splat16(0xf);
          fn.code.op('v128.and');
          dotInto(low[k]!, rows[part]!);
          fn.code.get(word);
          splat16(0xf0);
          fn.code.op('v128.and');
          dotInto(high[k]!, rows[part + 1]!);
        }
      }
      advance(fn, weights[k]!, 16);
    }
    advance(fn, x!, 16 * rows.length);
  };

  /** Columns at `W` and `apart` from each other; the sums of their lanes are left in `total`. */
  const some = (count: number): void => {
    for (let k = 0; k < count; k++) {
      zero(fn, total[k]!);
      copyTo(fn, weights[k]!, k === 0 ? W : weights[k - 1]!);
      copyTo(fn, scales[k]!, k === 0 ? WS : scales[k - 1]!);
      if (k === 0) continue;
      advance(fn, weights[k]!, { local: apart! });
      advance(fn, scales[k]!, { local: scalesApart! });
    }
    copyTo(fn, x!, X);
    copyTo(fn, xs!, XS);
    copyTo(fn, correction!, CORRECTIONS);
    fn.for(0, { local: BLOCKS }, 1, () => {
      for (let k = 0; k < count; k++) {
        if (isHalfByte) {
          if (k === 0) {
            fn.code.get(correction!);
            fn.code.access('v128.load');
            fn.code.set(low[k]!);
          } else copyTo(fn, low[k]!, low[0]!);
          zero(fn, high[k]!);
        } else zero(fn, low[k]!);
      }
      fn.for(0, { local: CHUNKS }, 1, () => chunk(count));
      fn.code.get(xs!);
      fn.code.access('v128.load32_splat');
      fn.code.set(word);
      for (let k = 0; k < count; k++) {
        fn.code.get(low[k]!);
        if (isHalfByte) {
          // 16 times too much, exactly.
          fn.code.get(high[k]!);
          fn.code.i32(4);
          fn.code.op('i32x4.shr_s');
          fn.code.op('i32x4.add');
        }
        fn.code.op('f32x4.convert_i32x4_s');
        fn.code.get(word);
        fn.code.get(scales[k]!);
        fn.code.access('v128.load32_splat');
        fn.code.op('f32x4.mul');
        fn.code.op('f32x4.mul');
        fn.code.get(total[k]!);
        fn.code.op('f32x4.add');
        fn.code.set(total[k]!);
        advance(fn, scales[k]!, { local: STEP });
      }
      advance(fn, xs!, 4);
      if (isHalfByte) advance(fn, correction!, 16);
    });
    for (let k = 0; k < count; k++) {
      // Pairwise: (0 + 2) + (1 + 3).
      fn.code.get(total[k]!);
      fn.code.get(total[k]!);
      fn.code.get(total[k]!);
      fn.code.shuffle([2, 3, 2, 3]);
      fn.code.op('f32x4.add');
      fn.code.set(total[k]!);
      if (k === 0) copyTo(fn, to!, TO);
      else advance(fn, to!, { local: toApart! });
      fn.code.get(to!);
      fn.code.get(total[k]!);
      fn.code.lane('f32x4.extract_lane', 0);
      fn.code.get(total[k]!);
      fn.code.lane('f32x4.extract_lane', 1);
      fn.code.op('f32.add');
      fn.code.access('f32.store');
    }
    advance(fn, TO, count === 1 ? 4 : { local: toStep! });
    advance(fn, W, { local: count === 1 ? ROW : step! });
    advance(fn, WS, { local: count === 1 ? SCALES : scalesStep! });
  };
  const times = (to: number, by: number | { readonly local: number }): void => {
    fn.code.get(rounds!);
    if (typeof by === 'number') fn.code.i32(by);
    else fn.code.get(by.local);
    fn.code.op('i32.mul');
    fn.code.set(to);
  };
  const behind = (): void => {
    times(apart!, { local: ROW });
    times(scalesApart!, { local: SCALES });
    times(toApart!, 4);
    copyTo(fn, step!, ROW);
    copyTo(fn, scalesStep!, SCALES);
    fn.code.i32(4);
    fn.code.set(toStep!);
  };
  const beside = (): void => {
    copyTo(fn, apart!, ROW);
    copyTo(fn, scalesApart!, SCALES);
    fn.code.i32(4);
    fn.code.set(toApart!);
    for (const [to, from] of [
      [step!, ROW],
      [scalesStep!, SCALES],
      [toStep!, toApart!],
    ] as const) {
      fn.code.get(from);
      fn.code.i32(Math.log2(most));
      fn.code.op('i32.shl');
      fn.code.set(to);
    }
  };

  fn.code.get(COLUMNS);
  fn.code.i32(Math.log2(most));
  fn.code.op('i32.shr_u');
  fn.code.set(rounds!);
  if (isHalfByte) {
    fn.code.get(ROW);
    fn.code.i32(LONG);
    fn.code.op('i32.gt_s');
    fn.if(behind, beside);
  } else behind();
  fn.for(0, { local: rounds! }, 1, () => some(most));
  // What is left, one by one: behind all of those.
  const skip = (): void => {
    for (let k = 1; k < most; k++)
      for (const [pointer, by] of [
        [W, apart!],
        [WS, scalesApart!],
        [TO, toApart!],
      ] as const)
        advance(fn, pointer, { local: by });
  };
  if (isHalfByte) {
    fn.code.get(step!);
    fn.code.get(ROW);
    fn.code.op('i32.eq');
    fn.if(skip);
  } else skip();
  fn.code.get(COLUMNS);
  fn.code.i32(most - 1);
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
