/**
 * Loading what is kept in fewer bytes: one element as an f32, or four side by side. Halves: the bits moved to where an f32 has them, times 2^112 for the
 * other exponent (finite values only: others are refused when they are stored). Integers are converted; their scale is an expression around.
 *
 * Of four elements of four bits, a word of 16, the last is a signed number here, where the others have 8 added (`turned` in the plan; the word's first bit is the other one):
 * so words are what products with integers take as they are (dots-library.ts).
 */
import { floorDiv, names, num, terms, type Poly } from '../../sizes/poly.ts';
import type { Storage } from '../../../runtime/plan.ts';
import type { Shift } from './expression.ts';
import type { Fn } from './function.ts';

/** What is needed of the emitter of expressions. */
export interface StoredElements {
  readonly fn: Fn;
  readonly address: (buffer: number, p: Poly, shift: Shift) => { readonly local: number; readonly offset: number };
  /** A polynomial's value in a local. */
  readonly index: (p: Poly, shift: Shift) => number;
  /** Local with a buffer's address. */
  readonly base: (buffer: number) => number;
}

const SIGN_AND_BITS = 0x8fffffff | 0;
const EXPONENT = 2 ** 112;

/** The bit by which a word's last element is signed. */
const TURNED = 0x8000;

/** Whether p is a multiple of four wherever its lane begins at one. */
export const wordsBeside = (p: Poly, lane: string): boolean =>
  terms(p).every(
    ({ coefficient, factors }) =>
      coefficient % 4 === 0 ||
      (factors.length === 1 && factors[0]!.atom.kind === 'name' && factors[0]!.atom.name === lane),
  ) && names(p).has(lane);

/** Leaves the element on the stack; where the condition fails it is that of place 0. */
export function loadStored(
  x: StoredElements,
  storage: Storage,
  buffer: number,
  p: Poly,
  shift: Shift,
  condition: number | null,
): void {
  const { fn } = x;
  const at = x.index(p, shift);
  const place = (scale: number): void => {
    fn.code.get(at);
    if (scale !== 0) {
      fn.code.i32(Math.abs(scale));
      fn.code.op(scale > 0 ? 'i32.shl' : 'i32.shr_u');
    }
    // A word of four elements.
    if (scale < 0) {
      fn.code.i32(1);
      fn.code.op('i32.shl');
    }
    if (condition !== null) {
      fn.code.i32(0);
      fn.code.get(condition);
      fn.code.op('select');
    }
    fn.code.get(x.base(buffer));
    fn.code.op('i32.add');
  };
  if (storage === 'f16') {
    place(1);
    fn.code.access('i32.load16_s');
    fn.code.i32(13);
    fn.code.op('i32.shl');
    fn.code.i32(SIGN_AND_BITS);
    fn.code.op('i32.and');
    fn.code.op('f32.reinterpret_i32');
    fn.code.f32(EXPONENT);
    return fn.code.op('f32.mul');
  }
  if (storage === 'i8') {
    place(0);
    fn.code.access('i32.load8_s');
    return fn.code.op('f32.convert_i32_s');
  }
  place(-2);
  fn.code.access('i32.load16_u');
  fn.code.i32(TURNED);
  fn.code.op('i32.xor');
  fn.code.get(at);
  fn.code.i32(3);
  fn.code.op('i32.and');
  fn.code.i32(2);
  fn.code.op('i32.shl');
  fn.code.op('i32.shr_u');
  fn.code.i32(15);
  fn.code.op('i32.and');
  fn.code.i32(8);
  fn.code.op('i32.sub');
  fn.code.op('f32.convert_i32_s');
}

/** Four elements with stride 1, on the stack; of two a byte, a word. */
export function loadStoredWide(x: StoredElements, storage: Storage, buffer: number, p: Poly, shift: Shift): void {
  const { fn } = x;
  const bits = (lanes: readonly [number, number, number, number]): void => fn.code.v128(lanes);
  const splat = (value: number): void => {
    const word = new Int32Array(new Float32Array([value]).buffer)[0]!;
    bits([word, word, word, word]);
  };
  const { local, offset } = x.address(buffer, storage === 'i4' ? floorDiv(p, num(2)) : p, shift);
  fn.code.get(local);
  if (storage === 'f16') {
    fn.code.access('v128.load16x4_s', offset);
    fn.code.i32(13);
    fn.code.op('i32x4.shl');
    bits([SIGN_AND_BITS, SIGN_AND_BITS, SIGN_AND_BITS, SIGN_AND_BITS]);
    fn.code.op('v128.and');
    splat(EXPONENT);
    return fn.code.op('f32x4.mul');
  }
  if (storage === 'i8') {
    fn.code.access('v128.load32_zero', offset);
    fn.code.op('i16x8.extend_low_i8x16_s');
    fn.code.op('i32x4.extend_low_i16x8_s');
    return fn.code.op('f32x4.convert_i32x4_s');
  }
  // Four times four bits, each in a lane of its own, and its power of 16 taken away: exact.
  fn.code.access('i32.load16_u', offset);
  fn.code.i32(TURNED);
  fn.code.op('i32.xor');
  fn.code.op('i32x4.splat');
  bits([0xf, 0xf0, 0xf00, 0xf000]);
  fn.code.op('v128.and');
  fn.code.op('f32x4.convert_i32x4_s');
  const powers = new Int32Array(new Float32Array([1, 1 / 16, 1 / 256, 1 / 4096]).buffer);
  bits([powers[0]!, powers[1]!, powers[2]!, powers[3]!]);
  fn.code.op('f32x4.mul');
  splat(8);
  fn.code.op('f32x4.sub');
}
