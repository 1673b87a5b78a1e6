/**
 * How each scalar operation is written in WGSL: one row an operation, and the text of the functions that they call (put into a shader only when used).
 * Every text is an atom or in parentheses. f32 and f16 values are f32 in registers (f16 is rounded where cast or stored); booleans are `bool` in
 * registers and u32 in memory.
 *
 * WGSL's own `exp`, `log`, `sin`, `tanh` and `pow` may be off by many units in the last place (`sin` by 2^-11) and it promises nothing for NaN and
 * infinities; these do better: single-precision approximations of the Cephes library (S. Moshier), erf by W. J. Cody (Math. Comp. 23, 1969).
 */
import type { DType } from '../../graph/types.ts';
import type { Combine, ScalarOp } from '../../kernel/types.ts';
import type { Helper } from './helpers.ts';

export interface ScalarCode {
  readonly dtype: DType;
  /** dtypes of the arguments. */
  readonly from: readonly DType[];
  readonly use: (helper: Helper) => string;
}

type Row = (args: readonly string[], cx: ScalarCode) => string;

export type RegisterType = 'f32' | 'i32' | 'bool';
export const registerType = (dtype: DType): RegisterType => (dtype === 'f16' ? 'f32' : dtype);

/** A constant. What WGSL's constant expressions may not hold comes from the bits of a variable. */
export function constant(value: number, dtype: DType, use: (helper: Helper) => string): string {
  if (dtype === 'bool') return value !== 0 ? 'true' : 'false';
  if (dtype === 'i32') {
    const n = Number.isNaN(value) ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value)));
    return n < 0 ? `i32(${n})` : String(n);
  }
  const x = Math.fround(value);
  if (Number.isNaN(x)) return `${use('nan')}()`;
  if (!Number.isFinite(x)) return x > 0 ? `${use('infinity')}()` : `(-${use('infinity')}())`;
  if (Object.is(x, -0)) return '(-0.0f)';
  // The shortest text that gives this f32.
  let text = String(x);
  for (let digits = 1; digits <= 9; digits++) {
    const shorter = x.toPrecision(digits);
    if (Math.fround(Number(shorter)) === x) {
      text = String(Number(shorter));
      break;
    }
  }
  const literal = `${text.replace('-', '').replace(/^(\d+)$/, '$1.0')}f`.replace(
    /e(\d+)f/,
    text.includes('e-') ? 'e-$1f' : 'e+$1f',
  );
  return x < 0 ? `(-${literal})` : literal;
}

const infix =
  (operator: string): Row =>
  ([a, b]) =>
    `(${a} ${operator} ${b})`;

const helper =
  (name: Helper): Row =>
  (args, { use }) =>
    `${use(name)}(${args.join(', ')})`;

const whole =
  (other: Row, integer: Row): Row =>
  (args, cx) =>
    (cx.dtype === 'i32' ? integer : other)(args, cx);

export const scalars = {
  neg: ([a]) => `(-${a})`,
  recip: ([a]) => `(1.0f / ${a})`,
  exp: helper('exponential'),
  log: helper('logarithm'),
  sin: helper('sine'),
  cos: helper('cosine'),
  tanh: helper('hyperbolicTangent'),
  erf: helper('errorFunction'),
  sqrt: ([a]) => `sqrt(${a})`,
  floor: ([a]) => `floor(${a})`,
  not: ([a]) => `(!${a})`,
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: whole(infix('/'), helper('floorDivide')),
  pow: whole(helper('power'), helper('wholePower')),
  max: whole(helper('greatest'), ([a, b]) => `max(${a}, ${b})`),
  min: whole(helper('least'), ([a, b]) => `min(${a}, ${b})`),
  mod: whole(helper('remainder'), helper('modulo')),
  lt: ([a, b], { from }) => (from[0] === 'bool' ? `(!${a} && ${b})` : `(${a} < ${b})`),
  eq: infix('=='),
  and: infix('&&'),
  or: infix('||'),
  select: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
  cast: ([a], { dtype, from, use }) => {
    const source = registerType(from[0]!);
    // f16 to f16 rounds too: in registers numbers are wider until then.
    if (dtype === 'f16') return `${use('toHalf')}(${source === 'f32' ? a : `f32(${a})`})`;
    const target = registerType(dtype);
    if (source === target) return a!;
    if (target === 'bool') return source === 'i32' ? `(${a} != 0)` : `(${a} != 0.0f)`;
    return `${target}(${a})`;
  },
  random: ([seed, stream, step, position, word], { use }) =>
    `${use('draw')}(${seed}, ${stream}, ${step}, ${position}, ${word})`,
} satisfies Record<ScalarOp, Row>;

export const scalarCode = (op: ScalarOp, args: readonly string[], cx: ScalarCode): string => {
  const row: Row = scalars[op];
  return row(args, cx);
};

export interface Fold {
  readonly identity: (dtype: DType) => number;
  readonly take: (a: string, b: string, dtype: DType, use: (helper: Helper) => string) => string;
}

export const folds = {
  sum: { identity: () => 0, take: (a, b) => `${a} + ${b}` },
  prod: { identity: () => 1, take: (a, b) => `${a} * ${b}` },
  max: {
    identity: (dtype) => (dtype === 'i32' ? -(2 ** 31) : -Infinity),
    take: (a, b, dtype, use) => `${dtype === 'i32' ? 'max' : use('greatest')}(${a}, ${b})`,
  },
  min: {
    identity: (dtype) => (dtype === 'i32' ? 2 ** 31 - 1 : Infinity),
    take: (a, b, dtype, use) => `${dtype === 'i32' ? 'min' : use('least')}(${a}, ${b})`,
  },
  any: { identity: () => 0, take: (a, b) => `${a} || ${b}` },
  all: { identity: () => 1, take: (a, b) => `${a} && ${b}` },
} satisfies Record<Combine, Fold>;
