/**
 * How each scalar operation is written in TypeScript: one row an operation. f32 arithmetic is done in f64 and rounded when stored; i32
 * arithmetic wraps; booleans are JavaScript booleans inside kernels and bytes in memory. Functions that JavaScript lacks are helpers, whose text is
 * put into a module only when used.
 */
import type { DType } from '../../graph/types.ts';
import type { Combine, ScalarOp } from '../../kernel/types.ts';

/** Text with the precedence of its outermost operator (JavaScript's, 20 = atom). */
export interface Piece {
  readonly text: string;
  readonly level: number;
}

export const ATOM = 20;
const UNARY = 15;
const PRODUCT = 13;
const SUM = 12;
export const ADDITIVE = SUM;
const RELATION = 10;
const EQUALITY = 9;
const BITS = 6;
const AND = 5;
const OR = 4;
const CONDITION = 3;

export const atom = (text: string): Piece => ({ text, level: ATOM });
export const at = (piece: Piece, level: number): string => (piece.level >= level ? piece.text : `(${piece.text})`);

const call = (name: string, ...args: readonly Piece[]): Piece => atom(`${name}(${args.map((a) => a.text).join(', ')})`);

export type Helper = 'erf' | 'toHalf' | 'floorDivide' | 'modulo' | 'random';

export interface ScalarCode {
  readonly dtype: DType;
  /** dtypes of the arguments. */
  readonly from: readonly DType[];
  readonly use: (helper: Helper) => void;
}

type Row = (args: readonly Piece[], cx: ScalarCode) => Piece;

const wrapped = (piece: Piece, dtype: DType): Piece =>
  dtype === 'i32' ? { text: `${at(piece, BITS + 1)} | 0`, level: BITS } : piece;

const binary =
  (operator: string, level: number): Row =>
  ([a, b], { dtype }) =>
    wrapped({ text: `${at(a!, level)} ${operator} ${at(b!, level + 1)}`, level }, dtype);

const math =
  (name: string): Row =>
  (args) =>
    call(`Math.${name}`, ...args);

export function sum(list: readonly Piece[]): Piece {
  const first = list.findIndex((p) => !p.text.startsWith('-'));
  // `H - i` reads better than `-i + H`.
  const pieces = first > 0 ? [list[first]!, ...list.slice(0, first), ...list.slice(first + 1)] : list;
  if (pieces.length === 1) return pieces[0]!;
  let text = '';
  for (const piece of pieces) {
    const own = at(piece, text === '' ? SUM : SUM + 1);
    if (text === '') text = own;
    else if (own.startsWith('-') && !own.startsWith('--')) text += ` - ${own.slice(1)}`;
    else text += ` + ${own}`;
  }
  return text === '' ? atom('0') : { text, level: SUM };
}

export const product = (pieces: readonly Piece[]): Piece =>
  pieces.length === 1
    ? pieces[0]!
    : { text: pieces.map((p, i) => at(p, i === 0 ? PRODUCT : PRODUCT + 1)).join(' * '), level: PRODUCT };

export const every = (pieces: readonly Piece[]): Piece =>
  pieces.length === 1 ? pieces[0]! : { text: pieces.map((p) => at(p, AND + 1)).join(' && '), level: AND };

export const relation = (a: Piece, operator: '<' | '<=' | '>=', b: Piece): Piece => ({
  text: `${at(a, RELATION + 1)} ${operator} ${at(b, RELATION + 1)}`,
  level: RELATION,
});

export const choose = (condition: Piece, inside: Piece, outside: Piece): Piece => ({
  text: `${at(condition, CONDITION + 1)} ? ${at(inside, CONDITION + 1)} : ${at(outside, CONDITION + 1)}`,
  level: CONDITION,
});

const negate = (a: Piece): Piece => ({
  text: a.text.startsWith('-') ? `-(${a.text})` : `-${at(a, UNARY)}`,
  level: UNARY,
});

/** Which comparison to another value a boolean byte gets. */
export const truth = (byte: Piece): Piece => ({ text: `${at(byte, EQUALITY + 1)} !== 0`, level: EQUALITY });
export const byte = (condition: Piece): Piece => choose(condition, atom('1'), atom('0'));

export const scalars = {
  neg: ([a], { dtype }) => wrapped(negate(a!), dtype),
  recip: ([a]) => ({ text: `1 / ${at(a!, PRODUCT + 1)}`, level: PRODUCT }),
  exp: math('exp'),
  log: math('log'),
  sin: math('sin'),
  cos: math('cos'),
  tanh: math('tanh'),
  erf: (args, { use }) => {
    use('erf');
    return call('erf', ...args);
  },
  sqrt: math('sqrt'),
  floor: math('floor'),
  not: ([a]) => ({ text: `!${at(a!, UNARY)}`, level: UNARY }),
  add: ([a, b], { dtype }) => wrapped(sum([a!, b!]), dtype),
  sub: binary('-', SUM),
  mul: ([a, b], { dtype }) => (dtype === 'i32' ? call('Math.imul', a!, b!) : product([a!, b!])),
  div: ([a, b], { dtype, use }) => {
    if (dtype !== 'i32') return { text: `${at(a!, PRODUCT)} / ${at(b!, PRODUCT + 1)}`, level: PRODUCT };
    use('floorDivide');
    return call('floorDivide', a!, b!);
  },
  pow: ([a, b], { dtype }) => wrapped(call('Math.pow', a!, b!), dtype),
  max: math('max'),
  min: math('min'),
  mod: (args, { dtype, use }) => {
    use('modulo');
    return wrapped(call('modulo', ...args), dtype);
  },
  lt: ([a, b]) => relation(a!, '<', b!),
  eq: ([a, b]) => ({ text: `${at(a!, EQUALITY + 1)} === ${at(b!, EQUALITY + 1)}`, level: EQUALITY }),
  and: (pieces) => every(pieces),
  or: ([a, b]) => ({ text: `${at(a!, OR)} || ${at(b!, OR + 1)}`, level: OR }),
  select: ([c, a, b]) => choose(c!, a!, b!),
  cast: ([a], { dtype, from, use }) => {
    const source = from[0]!;
    // f32 to f32 and f16 to f16 are roundings: in registers numbers are wider until then.
    if (source === dtype && dtype === 'f32') return call('Math.fround', a!);
    if (source === dtype && dtype !== 'f16') return a!;
    if (dtype === 'bool') return { text: `${at(a!, EQUALITY + 1)} !== 0`, level: EQUALITY };
    if (source === 'bool') return byte(a!);
    if (dtype === 'i32') return { text: `${at(a!, BITS + 1)} | 0`, level: BITS };
    if (dtype === 'f16') {
      use('toHalf');
      return call('toHalf', a!);
    }
    return a!;
  },
  random: (args, { use }) => {
    use('random');
    const word = args[4]!.text;
    const rest = args.slice(0, 4);
    if (word === '0') return call('uniform', call('threefryWord0', ...rest));
    if (word === '1') return call('uniform', call('threefryWord1', ...rest));
    const either = choose(
      { text: `${at(args[4]!, EQUALITY + 1)} === 0`, level: EQUALITY },
      call('threefryWord0', ...rest),
      call('threefryWord1', ...rest),
    );
    return call('uniform', either);
  },
} satisfies Record<ScalarOp, Row>;

export const scalarCode = (op: ScalarOp, args: readonly Piece[], cx: ScalarCode): Piece => {
  const row: Row = scalars[op];
  return row(args, cx);
};

export interface Fold {
  readonly identity: (dtype: DType) => string;
  /** The statement that takes `value` into `into`. */
  readonly take: (into: string, value: Piece, dtype: DType) => string;
}

const leastInteger = '-2147483648';
const greatestInteger = '2147483647';

export const folds = {
  sum: {
    identity: () => '0',
    take: (into, value, dtype) =>
      dtype === 'i32'
        ? `${into} = (${into} + ${at(value, SUM + 1)}) | 0;`
        : value.text.startsWith('-') && value.level >= PRODUCT
          ? `${into} -= ${value.text.slice(1)};`
          : `${into} += ${value.text};`,
  },
  prod: {
    identity: () => '1',
    take: (into, value, dtype) =>
      dtype === 'i32' ? `${into} = Math.imul(${into}, ${value.text});` : `${into} *= ${value.text};`,
  },
  max: {
    identity: (dtype) => (dtype === 'i32' ? leastInteger : '-Infinity'),
    take: (into, value) => `${into} = Math.max(${into}, ${value.text});`,
  },
  min: {
    identity: (dtype) => (dtype === 'i32' ? greatestInteger : 'Infinity'),
    take: (into, value) => `${into} = Math.min(${into}, ${value.text});`,
  },
  any: { identity: () => 'false', take: (into, value) => `${into} = ${into} || ${at(value, OR + 1)};` },
  all: { identity: () => 'true', take: (into, value) => `${into} = ${into} && ${at(value, AND + 1)};` },
} satisfies Record<Combine, Fold>;
