/**
 * Scalar operations as instructions: one row an operation, for one value and for four lanes. Arguments are on the stack, in order, when a
 * row runs. i32 wraps; booleans are 0 or 1, or masks; integer division is toward minus infinity and gives 0 for a divisor of 0.
 */
import type { DType } from '../../graph/types.ts';
import type { Combine, Expr, ScalarOp } from '../../kernel/types.ts';
import type { Context } from './expression.ts';
import type { Fn } from './function.ts';
import { Lanes, wideInto, type LibraryName } from './math.ts';
import type { Op } from './opcodes.ts';

interface Cx {
  readonly dtype: DType;
  readonly from: readonly DType[];
  readonly wide: boolean;
  readonly fn: Fn;
  readonly call: (name: LibraryName) => void;
  readonly context: Context;
  /** Puts argument k on the stack (again). */
  readonly arg: (k: number) => void;
}

type Row = (cx: Cx) => void;

const isInt = (dtype: DType): boolean => dtype === 'i32';

/** Arguments, then one instruction by kind. */
const plain =
  (count: number, float: Op, float4: Op, int: Op | null = null, int4: Op | null = null): Row =>
  ({ from, wide, fn, arg }) => {
    for (let k = 0; k < count; k++) arg(k);
    const op = from[0] === 'i32' || from[0] === 'bool' ? (wide ? int4 : int) : wide ? float4 : float;
    if (op === null) throw new Error(`no instruction like ${float} for ${from.join()}`);
    fn.code.op(op);
  };

const called =
  (name: LibraryName, name4: LibraryName | null): Row =>
  ({ from, wide, arg, call, fn, context }) => {
    for (const k of from.keys()) arg(k);
    const into = wide ? wideInto[name4!] : undefined;
    if (into === undefined) return call(wide ? name4! : name);
    // In line: a call costs as much as a third of the function.
    const x = fn.hold('v128');
    const lanes = new Lanes(fn, true, context.pool);
    into(lanes, lanes.local(x));
  };

/** max and min: NaN goes through; the cheap instruction where one side is a constant that is none. */
const extreme =
  (which: 'max' | 'min'): Row =>
  (cx) => {
    const { from, wide, fn, arg } = cx;
    if (from[0] === 'i32') {
      arg(0);
      arg(1);
      if (wide) return fn.code.op(which === 'max' ? 'i32x4.max_s' : 'i32x4.min_s');
      const b = fn.hold('i32');
      const a = fn.hold('i32');
      fn.code.get(a);
      fn.code.get(b);
      fn.code.get(a);
      fn.code.get(b);
      fn.code.op(which === 'max' ? 'i32.gt_s' : 'i32.lt_s');
      return fn.code.op('select');
    }
    arg(0);
    arg(1);
    fn.code.op(wide ? `f32x4.${which}` : `f32.${which}`);
  };

/** Integer division toward minus infinity, or its remainder, of the arguments; 0 for a divisor of 0. */
function integerDivision(cx: Cx, remainder: boolean): void {
  const { fn, arg } = cx;
  arg(0);
  arg(1);
  const given = fn.hold('i32');
  const a = fn.hold('i32');
  // A divisor of 0 becomes 1 and the result 0; -1 negates, without the trap at the least integer.
  fn.code.get(given);
  fn.code.i32(1);
  fn.code.get(given);
  fn.code.i32(1);
  fn.code.op('i32.add');
  fn.code.i32(2);
  fn.code.op('i32.lt_u');
  fn.code.i32(1);
  fn.code.op('i32.xor');
  fn.code.op('select');
  const b = fn.hold('i32');
  fn.code.get(a);
  fn.code.get(b);
  fn.code.op('i32.div_s');
  const q = fn.hold('i32');
  fn.code.get(a);
  fn.code.get(q);
  fn.code.get(b);
  fn.code.op('i32.mul');
  fn.code.op('i32.sub');
  const r = fn.hold('i32');
  // The remainder has the other sign than the divisor: one less.
  fn.code.get(r);
  fn.code.i32(0);
  fn.code.op('i32.ne');
  fn.code.get(r);
  fn.code.get(b);
  fn.code.op('i32.xor');
  fn.code.i32(31);
  fn.code.op('i32.shr_u');
  fn.code.op('i32.and');
  const down = fn.hold('i32');
  if (remainder) {
    fn.code.get(r);
    fn.code.get(b);
    fn.code.i32(0);
    fn.code.get(down);
    fn.code.op('select');
    fn.code.op('i32.add');
    const value = fn.hold('i32');
    fn.code.get(value);
    fn.code.i32(0);
    fn.code.get(given);
    fn.code.i32(1);
    fn.code.op('i32.add');
    fn.code.i32(2);
    fn.code.op('i32.lt_u');
    fn.code.op('i32.eqz');
    fn.code.op('select');
    return;
  }
  fn.code.get(q);
  fn.code.get(down);
  fn.code.op('i32.sub');
  const value = fn.hold('i32');
  fn.code.get(value);
  fn.code.i32(0);
  fn.code.get(a);
  fn.code.op('i32.sub');
  fn.code.get(given);
  fn.code.i32(-1);
  fn.code.op('i32.ne');
  fn.code.op('select');
  fn.code.i32(0);
  fn.code.get(given);
  fn.code.op('select');
}

/** Remainder with the sign of the divisor, in f64: exact while the quotient is below 2^29. */
function floatRemainder({ fn, arg }: Cx): void {
  arg(0);
  fn.code.op('f64.promote_f32');
  const a = fn.hold('f64');
  arg(1);
  fn.code.op('f64.promote_f32');
  const b = fn.hold('f64');
  fn.code.get(a);
  fn.code.get(a);
  fn.code.get(b);
  fn.code.op('f64.div');
  fn.code.op('f64.floor');
  fn.code.get(b);
  fn.code.op('f64.mul');
  fn.code.op('f64.sub');
  fn.code.op('f32.demote_f64');
}

function cast(cx: Cx): void {
  const { dtype, from, wide, fn, arg, call } = cx;
  const source = from[0]!;
  arg(0);
  const { code } = fn;
  const float = source === 'f32' || source === 'f16';
  if (dtype === 'f16') {
    if (!float) fromInteger(source, wide, fn);
    return call(wide ? 'half4' : 'half');
  }
  if (dtype === 'f32') {
    if (!float) fromInteger(source, wide, fn);
    return;
  }
  if (dtype === 'i32') {
    if (float) return code.op(wide ? 'i32x4.trunc_sat_f32x4_s' : 'i32.trunc_sat_f32_s');
    if (source === 'bool' && wide) code.op('i32x4.neg');
    return;
  }
  if (source === 'bool') return;
  if (wide) code.v128([0, 0, 0, 0]);
  else if (float) code.f32(0);
  else code.i32(0);
  code.op(float ? (wide ? 'f32x4.ne' : 'f32.ne') : wide ? 'i32x4.ne' : 'i32.ne');
}

function fromInteger(source: DType, wide: boolean, fn: Fn): void {
  if (wide && source === 'bool') {
    // The bits of 1, where the mask is set.
    fn.code.v128([0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000]);
    return fn.code.op('v128.and');
  }
  fn.code.op(wide ? 'f32x4.convert_i32x4_s' : 'f32.convert_i32_s');
}

export const scalars = {
  neg: (cx) => {
    if (!isInt(cx.dtype)) return plain(1, 'f32.neg', 'f32x4.neg')(cx);
    if (cx.wide) {
      cx.arg(0);
      return cx.fn.code.op('i32x4.neg');
    }
    cx.fn.code.i32(0);
    cx.arg(0);
    cx.fn.code.op('i32.sub');
  },
  recip: ({ wide, fn, arg }) => {
    if (wide) fn.code.v128([0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000]);
    else fn.code.f32(1);
    arg(0);
    fn.code.op(wide ? 'f32x4.div' : 'f32.div');
  },
  exp: called('exp', 'exp4'),
  log: called('log', 'log4'),
  sin: called('sin', null),
  cos: called('cos', null),
  tanh: called('tanh', 'tanh4'),
  erf: called('erf', 'erf4'),
  sqrt: plain(1, 'f32.sqrt', 'f32x4.sqrt'),
  floor: (cx) => (isInt(cx.dtype) ? cx.arg(0) : plain(1, 'f32.floor', 'f32x4.floor')(cx)),
  not: ({ wide, fn, arg }) => {
    arg(0);
    fn.code.op(wide ? 'v128.not' : 'i32.eqz');
  },
  add: plain(2, 'f32.add', 'f32x4.add', 'i32.add', 'i32x4.add'),
  sub: plain(2, 'f32.sub', 'f32x4.sub', 'i32.sub', 'i32x4.sub'),
  mul: plain(2, 'f32.mul', 'f32x4.mul', 'i32.mul', 'i32x4.mul'),
  div: (cx) => (isInt(cx.dtype) ? integerDivision(cx, false) : plain(2, 'f32.div', 'f32x4.div')(cx)),
  pow: called('pow', null),
  max: extreme('max'),
  min: extreme('min'),
  mod: (cx) => (isInt(cx.dtype) ? integerDivision(cx, true) : floatRemainder(cx)),
  lt: plain(2, 'f32.lt', 'f32x4.lt', 'i32.lt_s', 'i32x4.lt_s'),
  eq: plain(2, 'f32.eq', 'f32x4.eq', 'i32.eq', 'i32x4.eq'),
  and: ({ wide, fn, arg }) => {
    arg(0);
    arg(1);
    fn.code.op(wide ? 'v128.and' : 'i32.and');
  },
  or: ({ wide, fn, arg }) => {
    arg(0);
    arg(1);
    fn.code.op(wide ? 'v128.or' : 'i32.or');
  },
  select: ({ wide, fn, arg }) => {
    arg(1);
    arg(2);
    arg(0);
    fn.code.op(wide ? 'v128.bitselect' : 'select');
  },
  cast,
  random: called('random', 'random4'),
} satisfies Record<ScalarOp, Row>;

/** Whether four lanes can be computed together. */
export function foldable(e: Extract<Expr, { kind: 'op' }>): boolean {
  if (e.op === 'sin' || e.op === 'cos' || e.op === 'pow' || e.op === 'mod') return false;
  return !(e.op === 'div' && e.dtype === 'i32');
}

/** `arg(k)` puts argument k on the stack. */
export function applyScalar(
  e: Extract<Expr, { kind: 'op' }>,
  from: readonly DType[],
  wide: boolean,
  fn: Fn,
  context: Context,
  arg: (k: number) => void,
): void {
  const row: Row = scalars[e.op];
  // pow on integers goes through floats, as everywhere.
  if (e.op === 'pow' && e.dtype === 'i32') {
    for (const k of [0, 1]) {
      arg(k);
      fn.code.op('f32.convert_i32_s');
    }
    fn.code.call(context.library('pow'));
    return fn.code.op('i32.trunc_sat_f32_s');
  }
  row({ dtype: e.dtype, from, wide, fn, call: (name) => fn.code.call(context.library(name)), context, arg });
}

// --------------------------------------------------------------------------------------------------------------------------- reductions

const least = -2147483648;

export function identity(op: Combine, dtype: DType, wide: boolean, fn: Fn): void {
  const value =
    op === 'sum' || op === 'any'
      ? 0
      : op === 'prod' || op === 'all'
        ? 1
        : (op === 'max') === (dtype === 'i32')
          ? op === 'max'
            ? least
            : Infinity
          : op === 'max'
            ? -Infinity
            : 2147483647;
  if (dtype === 'f32' || dtype === 'f16') {
    if (!wide) return fn.code.f32(value);
    const bits = new Int32Array(new Float32Array([value]).buffer)[0]!;
    return fn.code.v128([bits, bits, bits, bits]);
  }
  const whole = dtype === 'bool' && wide && value === 1 ? -1 : value;
  if (wide) fn.code.v128([whole, whole, whole, whole]);
  else fn.code.i32(whole);
}

/** Combines the two values on the stack. */
export function combine(op: Combine, dtype: DType, wide: boolean, fn: Fn): void {
  const float = dtype === 'f32' || dtype === 'f16';
  switch (op) {
    case 'sum':
      return fn.code.op(float ? (wide ? 'f32x4.add' : 'f32.add') : wide ? 'i32x4.add' : 'i32.add');
    case 'prod':
      return fn.code.op(float ? (wide ? 'f32x4.mul' : 'f32.mul') : wide ? 'i32x4.mul' : 'i32.mul');
    case 'any':
      return fn.code.op(wide ? 'v128.or' : 'i32.or');
    case 'all':
      return fn.code.op(wide ? 'v128.and' : 'i32.and');
    case 'max':
    case 'min': {
      if (float) return fn.code.op(wide ? `f32x4.${op}` : `f32.${op}`);
      if (wide) return fn.code.op(`i32x4.${op}_s`);
      const b = fn.hold('i32');
      const a = fn.hold('i32');
      fn.code.get(a);
      fn.code.get(b);
      fn.code.get(a);
      fn.code.get(b);
      fn.code.op(op === 'max' ? 'i32.gt_s' : 'i32.lt_s');
      return fn.code.op('select');
    }
  }
}

/** The four lanes on the stack as one value. */
export function across(op: Combine, dtype: DType, fn: Fn): void {
  const v = fn.hold('v128');
  const float = dtype === 'f32' || dtype === 'f16';
  fn.code.get(v);
  fn.code.get(v);
  fn.code.get(v);
  fn.code.shuffle([2, 3, 0, 1]);
  combine(op, dtype, true, fn);
  const w = fn.local('v128');
  fn.code.tee(w);
  fn.code.get(w);
  fn.code.get(w);
  fn.code.shuffle([1, 0, 3, 2]);
  combine(op, dtype, true, fn);
  fn.code.lane(float ? 'f32x4.extract_lane' : 'i32x4.extract_lane', 0);
  if (dtype === 'bool') {
    fn.code.i32(1);
    fn.code.op('i32.and');
  }
}
