/**
 * Elementwise operations, one row each: the value on numbers, the gradient, the cost. Everything else follows from the row.
 *
 * Ties: where max or min has equal operands the second takes the gradient, so that `max(x, 0)` has slope 0 at 0, as relu has elsewhere.
 * The oracle computes in float64 and rounds nothing, so a cast to f16 or f32 keeps the value.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { DType, ElementwiseOp, Node, TensorType } from '../graph/types.ts';
import type { ScalarOp } from '../kernel/types.ts';
import { name, num } from '../sizes/poly.ts';
import { elementwiseConstraints, inferElementwise } from './elementwise-rules.ts';
import type { Example, OpRecord } from './record.ts';
import { isFloat } from './shapes.ts';
import { zeros } from './tensor.ts';

interface Row<O extends ElementwiseOp> {
  readonly summary: string;
  readonly value: (a: number, b: number, c: number) => number;
  /** On i32, where it differs. */
  readonly integer?: (a: number, b: number) => number;
  /** Gradients by operand, from b(uilder), g (of the result), y (the result), and the operands. */
  readonly gradient: (b: GraphBuilder, g: Node, y: Node, x: readonly Node[]) => readonly (Node | null)[];
  readonly cost: number;
  readonly examples: readonly Example<O>[];
}

const N = name('N');
const vector = (dtype: DType): TensorType => ({ dtype, sizes: [N, num(3)] });
const F = vector('f32');
const I = vector('i32');
const B = vector('bool');
const sizes = { N: 2 };

type Domain = readonly [number, number];

const example = (title: string, inputs: readonly TensorType[], domain: Domain = [-2, 2]): Example<never> => ({
  title,
  inputs,
  attrs: {} as never,
  sizes,
  domain,
});

const none = (): null[] => [null, null, null];

/** The constant in the shape of `like`. */
const fill = (b: GraphBuilder, value: number, like: Node): Node => b.constantOf(value, like.type);

const record = <O extends ElementwiseOp>(op: O, row: Row<O>): OpRecord<O> => ({
  name: op,
  summary: row.summary,
  constraints: elementwiseConstraints(op),
  infer: inferElementwise(op),
  vjp: ({ builder, node, gradients }) => {
    const g = gradients[0] ?? null;
    if (g === null) return node.inputs.map(() => null);
    // A generic NodeOf<O> is one of the union, which tsc cannot see.
    return row.gradient(builder, g, node as unknown as Node, node.inputs).slice(0, node.inputs.length);
  },
  evaluate: (inputs, node) => {
    const [x, y, z] = inputs;
    const out = zeros(node.type.dtype, x!.sizes);
    const compute = x!.dtype === 'i32' && row.integer !== undefined ? row.integer : row.value;
    for (let k = 0; k < out.data.length; k++) {
      const value = compute(x!.data[k]!, y?.data[k] ?? 0, z?.data[k] ?? 0);
      out.data[k] = out.dtype === 'bool' ? Number(value !== 0) : value;
    }
    return [out];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      if (op === 'stop_gradient' || op === 'surrogate') return cx.read(0, at);
      const operands = node.inputs.map((_, k) => cx.read(k, at));
      return cx.op(op as ScalarOp, node.type.dtype, ...operands);
    },
  },
  cost: () => row.cost,
  examples: row.examples,
});

/** erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)) (Abramowitz & Stegun 7.1.6): positive terms, so nothing cancels. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** The divisor's sign; exact where `%` is. */
function floorMod(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

export const elementwise = {
  neg: record('neg', {
    summary: 'The negative.',
    value: (a) => -a,
    gradient: (b, g) => [b.neg(g)],
    cost: 1,
    examples: [example('floats', [F]), example('integers', [I], [0, 5])],
  }),
  recip: record('recip', {
    summary: 'One over the operand.',
    value: (a) => 1 / a,
    gradient: (b, g, y) => [b.neg(b.mul(g, b.mul(y, y)))],
    cost: 4,
    examples: [example('away from the pole', [F], [0.5, 2])],
  }),
  exp: record('exp', {
    summary: 'e to the operand.',
    value: Math.exp,
    gradient: (b, g, y) => [b.mul(g, y)],
    cost: 16,
    examples: [example('floats', [F])],
  }),
  log: record('log', {
    summary: 'The natural logarithm.',
    value: Math.log,
    gradient: (b, g, _, [x]) => [b.div(g, x!)],
    cost: 16,
    examples: [example('positive', [F], [0.5, 3])],
  }),
  sin: record('sin', {
    summary: 'The sine, of radians.',
    value: Math.sin,
    gradient: (b, g, _, [x]) => [b.mul(g, b.cos(x!))],
    cost: 16,
    examples: [example('floats', [F])],
  }),
  cos: record('cos', {
    summary: 'The cosine, of radians.',
    value: Math.cos,
    gradient: (b, g, _, [x]) => [b.neg(b.mul(g, b.sin(x!)))],
    cost: 16,
    examples: [example('floats', [F])],
  }),
  tanh: record('tanh', {
    summary: 'The hyperbolic tangent.',
    value: Math.tanh,
    gradient: (b, g, y) => [b.mul(g, b.sub(fill(b, 1, y), b.mul(y, y)))],
    cost: 20,
    examples: [example('floats', [F])],
  }),
  erf: record('erf', {
    summary: 'The error function.',
    value: erf,
    gradient: (b, g, _, [x]) => [b.mul(g, b.mul(fill(b, 2 / Math.sqrt(Math.PI), x!), b.exp(b.neg(b.mul(x!, x!)))))],
    cost: 20,
    examples: [example('floats', [F])],
  }),
  sqrt: record('sqrt', {
    summary: 'The square root.',
    value: Math.sqrt,
    gradient: (b, g, y) => [b.div(b.mul(g, fill(b, 0.5, y)), y)],
    cost: 4,
    examples: [example('positive', [F], [0.5, 3])],
  }),
  floor: record('floor', {
    summary: 'The greatest integer not above the operand, as a float. Its gradient is zero.',
    value: Math.floor,
    gradient: none,
    cost: 1,
    examples: [example('between integers', [F], [1.1, 1.9])],
  }),
  not: record('not', {
    summary: 'Logical negation.',
    value: (a) => 1 - a,
    gradient: none,
    cost: 1,
    examples: [example('bools', [B])],
  }),
  cast: record('cast', {
    summary:
      'The value in another dtype: floats to i32 truncate toward zero, to bool is "not zero". Floats to floats have a gradient.',
    value: (a) => a,
    gradient: (b, g, y, [x]) => [isFloat(x!.type.dtype) && isFloat(y.type.dtype) ? b.cast(g, x!.type.dtype) : null],
    cost: 1,
    examples: [
      { ...example('f32 to i32 truncates', [F], [-2, 2]), attrs: { dtype: 'i32' } },
      { ...example('i32 to f32', [I], [0, 9]), attrs: { dtype: 'f32' } },
      { ...example('bool to f32', [B]), attrs: { dtype: 'f32' } },
      { ...example('f32 to bool', [F]), attrs: { dtype: 'bool' } },
      { ...example('f32 to f16', [F]), attrs: { dtype: 'f16' } },
    ],
  }),
  stop_gradient: record('stop_gradient', {
    summary: 'The operand, without a gradient.',
    value: (a) => a,
    gradient: none,
    cost: 0,
    examples: [example('floats', [F])],
  }),
  surrogate: record('surrogate', {
    summary: 'The first operand; its gradient goes to the second.',
    value: (a) => a,
    gradient: (_, g) => [null, g],
    cost: 0,
    examples: [example('floats', [F, F])],
  }),
  add: record('add', {
    summary: 'The sum.',
    value: (a, b) => a + b,
    gradient: (_, g) => [g, g],
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 5])],
  }),
  sub: record('sub', {
    summary: 'The difference.',
    value: (a, b) => a - b,
    gradient: (b, g) => [g, b.neg(g)],
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 5])],
  }),
  mul: record('mul', {
    summary: 'The product.',
    value: (a, b) => a * b,
    integer: Math.imul,
    gradient: (b, g, _, [x, y]) => [b.mul(g, y!), b.mul(g, x!)],
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 5])],
  }),
  div: record('div', {
    summary: 'The quotient; of integers rounded toward minus infinity.',
    value: (a, b) => a / b,
    integer: (a, b) => Math.floor(a / b),
    gradient: (b, g, q, [_, y]) => [b.div(g, y!), b.neg(b.div(b.mul(g, q), y!))],
    cost: 4,
    examples: [
      example('floats', [F, F], [0.5, 2]),
      { ...example('integers round down', [I, I]), values: { 0: [-7, 7, -6, 6, 5, -1], 1: [2, -2, 3, 3, 7, 7] } },
    ],
  }),
  pow: record('pow', {
    summary: 'The first to the power of the second. The gradient by the exponent is 0 where the base is not positive.',
    value: (a, b) => a ** b,
    gradient: (b, g, y, [x, e]) => {
      const zero = fill(b, 0, x!);
      const one = fill(b, 1, x!);
      const positive = b.lt(zero, x!);
      const base = b.select(b.and(b.eq(e!, zero), b.eq(x!, zero)), one, x!); // 0 · 0^(−1) is meant to be 0
      return [
        b.mul(g, b.mul(e!, b.pow(base, b.sub(e!, one)))),
        b.mul(g, b.select(positive, b.mul(y, b.log(b.select(positive, x!, one))), zero)),
      ];
    },
    cost: 40,
    examples: [
      example('positive bases', [F, F], [0.5, 2]),
      { ...example('negative base, whole exponent', [F, F]), values: { 1: [2, 3, 0, 1, 2, 4] } },
    ],
  }),
  max: record('max', {
    summary: 'The greater. On ties the second takes the gradient. NaN if either is.',
    value: (a, b) => Math.max(a, b),
    gradient: (b, g, _, [x, y]) => {
      const first = b.lt(y!, x!);
      const zero = fill(b, 0, g);
      return [b.select(first, g, zero), b.select(first, zero, g)];
    },
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 5])],
  }),
  min: record('min', {
    summary: 'The lesser. On ties the second takes the gradient. NaN if either is.',
    value: (a, b) => Math.min(a, b),
    gradient: (b, g, _, [x, y]) => {
      const first = b.lt(x!, y!);
      const zero = fill(b, 0, g);
      return [b.select(first, g, zero), b.select(first, zero, g)];
    },
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 5])],
  }),
  mod: record('mod', {
    summary: "x - y * floor(x / y): the remainder with the divisor's sign, of floats too.",
    value: floorMod,
    gradient: (b, g, _, [x, y]) => [g, b.neg(b.mul(g, b.floor(b.div(x!, y!))))],
    cost: 6,
    examples: [
      { ...example('floats', [F, F]), values: { 0: [-7.3, 7.3, -6.5, 6.5, 5.2, -1.1], 1: [2, -2, 3, 3, 7, 7] } },
      { ...example('integers', [I, I]), values: { 0: [-7, 7, -6, 6, 5, -1], 1: [2, -2, 3, 3, 7, 7] } },
    ],
  }),
  lt: record('lt', {
    summary: 'Whether the first is less.',
    value: (a, b) => (a < b ? 1 : 0),
    gradient: none,
    cost: 1,
    examples: [example('floats', [F, F]), example('integers', [I, I], [0, 3])],
  }),
  eq: record('eq', {
    summary: 'Whether the operands are equal.',
    value: (a, b) => (a === b ? 1 : 0),
    gradient: none,
    cost: 1,
    examples: [example('integers', [I, I], [0, 3]), example('bools', [B, B])],
  }),
  and: record('and', {
    summary: 'Whether both hold.',
    value: (a, b) => a & b,
    gradient: none,
    cost: 1,
    examples: [example('bools', [B, B])],
  }),
  or: record('or', {
    summary: 'Whether one holds.',
    value: (a, b) => a | b,
    gradient: none,
    cost: 1,
    examples: [example('bools', [B, B])],
  }),
  select: record('select', {
    summary: 'The second where the first holds, else the third.',
    value: (a, b, c) => (a !== 0 ? b : c),
    gradient: (b, g, _, [c]) => [null, b.select(c!, g, fill(b, 0, g)), b.select(c!, fill(b, 0, g), g)],
    cost: 1,
    examples: [example('floats', [B, F, F]), example('integers', [B, I, I], [0, 5])],
  }),
} satisfies { [O in ElementwiseOp]: OpRecord<O> };
