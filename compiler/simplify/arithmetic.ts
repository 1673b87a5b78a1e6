/**
 * Rules of elementwise arithmetic, logic and selection.
 */
import type { DType, ElementwiseOp, Node, NodeOf } from '../graph/types.ts';
import { signatures } from '../ops/elementwise-rules.ts';
import { recordOf } from '../ops/registry.ts';
import { isFloat } from '../ops/shapes.ts';
import { fill } from '../ops/tensor.ts';
import { asConst } from '../sizes/poly.ts';
import { as, isValue, rule, valueOf, type Rule } from './rule.ts';

const elementwiseOps = Object.keys(signatures) as ElementwiseOp[];

/** Folded: everything but what stands for something else than its value. */
const foldable = elementwiseOps.filter((op) => op !== 'stop_gradient' && op !== 'surrogate');

/** Every value of `from` is a value of `to`. */
const holds = (from: DType, to: DType): boolean => from === to || from === 'bool' || (from === 'f16' && to === 'f32');

const other = (node: { readonly inputs: readonly Node[] }, isIt: (x: Node) => boolean): Node | null => {
  const [x, y] = node.inputs;
  return isIt(x!) ? y! : isIt(y!) ? x! : null;
};

export const arithmeticRules: readonly Rule[] = [
  // What a derivative was taken of has been differentiated by now.
  rule('surrogate_value', ['surrogate'], (_, n) => n.inputs[0]!),
  rule('fold_constants', foldable, (b, n) => {
    if (n.inputs.some((x) => x.op !== 'const')) return null;
    const values = n.inputs.map((x) => fill(x.type.dtype, [], () => valueOf(x)!));
    const noSizes = { sizes: () => NaN, run: () => [] };
    const { dtype } = n.type;
    if ((n.op === 'div' || n.op === 'mod') && dtype === 'i32' && isValue(n.inputs[1]!, 0)) return null;
    const value = recordOf<ElementwiseOp>(n.op).evaluate(values, n, noSizes)[0]!.data[0]!;
    return Number.isNaN(value) ? null : b.constant(value, dtype);
  }),
  // Operands that all repeat along an axis are combined before they are repeated along it.
  rule('elementwise_of_broadcast', foldable, (b, n) => {
    let widest: NodeOf<'broadcast'> | null = null;
    for (const x of n.inputs) {
      const candidate = as(x, 'broadcast');
      if (candidate === null) return null;
      if (widest === null || candidate.attrs.axes.length > widest.attrs.axes.length) widest = candidate;
    }
    const { axes } = widest!.attrs;
    const sizes = widest!.inputs[0]!.type.sizes;
    const inner: Node[] = [];
    for (const x of n.inputs) {
      const own = as(x, 'broadcast')!;
      const places = own.attrs.axes.map((a) => axes.indexOf(a));
      if (places.includes(-1)) return null;
      inner.push(b.broadcast(own.inputs[0]!, sizes, places));
    }
    return b.broadcast(b.node<ElementwiseOp>(n.op, inner, n.attrs) as Node, n.type.sizes, axes);
  }),
  rule('size_constant', 'size', (b, n) => {
    const value = asConst(n.attrs.value);
    return value === null ? null : b.constant(value, 'i32');
  }),

  rule('add_zero', 'add', (_, n) => other(n, (x) => isValue(x, 0))),
  rule('sub_zero', 'sub', (_, n) => (isValue(n.inputs[1]!, 0) ? n.inputs[0]! : null)),
  rule('zero_sub', 'sub', (b, n) => (isValue(n.inputs[0]!, 0) ? b.neg(n.inputs[1]!) : null)),
  rule('mul_one', 'mul', (_, n) => other(n, (x) => isValue(x, 1))),
  rule('mul_minus_one', 'mul', (b, n) => {
    const x = other(n, (y) => isValue(y, -1));
    return x === null ? null : b.neg(x);
  }),
  rule('mul_zero_integer', 'mul', (b, n) =>
    n.type.dtype === 'i32' && n.inputs.some((x) => isValue(x, 0)) ? b.zeros(n.type) : null,
  ),
  rule('div_one', 'div', (_, n) => (isValue(n.inputs[1]!, 1) ? n.inputs[0]! : null)),
  rule('one_div', 'div', (b, n) => (isFloat(n.type.dtype) && isValue(n.inputs[0]!, 1) ? b.recip(n.inputs[1]!) : null)),
  rule('pow_zero', 'pow', (b, n) => (isValue(n.inputs[1]!, 0) ? b.constantOf(1, n.type) : null)),
  rule('pow_one', 'pow', (_, n) => (isValue(n.inputs[1]!, 1) ? n.inputs[0]! : null)),
  rule('pow_two', 'pow', (b, n) => (isValue(n.inputs[1]!, 2) ? b.mul(n.inputs[0]!, n.inputs[0]!) : null)),
  rule('pow_minus_one', 'pow', (b, n) => (isValue(n.inputs[1]!, -1) ? b.recip(n.inputs[0]!) : null)),

  rule('neg_neg', 'neg', (_, n) => as(n.inputs[0], 'neg')?.inputs[0] ?? null),
  rule('neg_sub', 'neg', (b, n) => {
    const x = as(n.inputs[0], 'sub');
    return x === null ? null : b.sub(x.inputs[1]!, x.inputs[0]!);
  }),
  rule('add_neg', 'add', (b, n) => {
    const [x, y] = n.inputs;
    const right = as(y, 'neg');
    if (right !== null) return b.sub(x!, right.inputs[0]!);
    const left = as(x, 'neg');
    return left === null ? null : b.sub(y!, left.inputs[0]!);
  }),
  rule('sub_neg', 'sub', (b, n) => {
    const right = as(n.inputs[1], 'neg');
    return right === null ? null : b.add(n.inputs[0]!, right.inputs[0]!);
  }),
  rule('mul_neg_neg', ['mul', 'div'], (b, n) => {
    const x = as(n.inputs[0], 'neg');
    const y = as(n.inputs[1], 'neg');
    if (x === null || y === null || !isFloat(n.type.dtype)) return null;
    return n.op === 'mul' ? b.mul(x.inputs[0]!, y.inputs[0]!) : b.div(x.inputs[0]!, y.inputs[0]!);
  }),

  rule('same_operands', ['max', 'min', 'and', 'or'], (_, n) => (n.inputs[0] === n.inputs[1] ? n.inputs[0]! : null)),
  rule('not_not', 'not', (_, n) => as(n.inputs[0], 'not')?.inputs[0] ?? null),
  rule('and_constant', 'and', (_, n) => {
    const falsehood = n.inputs.find((x) => isValue(x, 0));
    return falsehood ?? other(n, (x) => isValue(x, 1));
  }),
  rule('or_constant', 'or', (_, n) => {
    const truth = n.inputs.find((x) => isValue(x, 1));
    return truth ?? other(n, (x) => isValue(x, 0));
  }),
  rule('lt_itself', 'lt', (b, n) => (n.inputs[0] === n.inputs[1] ? b.zeros(n.type) : null)),
  // NaN differs from itself, so not for floats.
  rule('eq_itself', 'eq', (b, n) =>
    n.inputs[0] === n.inputs[1] && !isFloat(n.inputs[0]!.type.dtype) ? b.constantOf(1, n.type) : null,
  ),
  rule('select_constant', 'select', (_, n) => {
    const condition = valueOf(n.inputs[0]!);
    return condition === null ? null : n.inputs[condition !== 0 ? 1 : 2]!;
  }),
  rule('select_same', 'select', (_, n) => (n.inputs[1] === n.inputs[2] ? n.inputs[1]! : null)),
  rule('select_not', 'select', (b, n) => {
    const x = as(n.inputs[0], 'not');
    return x === null ? null : b.select(x.inputs[0]!, n.inputs[2]!, n.inputs[1]!);
  }),
  // Nested choices by one condition: the inner one is decided.
  rule('select_select', 'select', (b, n) => {
    const [c, x, y] = n.inputs;
    const left = as(x, 'select');
    const right = as(y, 'select');
    const decidedLeft = left !== null && left.inputs[0] === c ? left.inputs[1]! : x!;
    const decidedRight = right !== null && right.inputs[0] === c ? right.inputs[2]! : y!;
    return decidedLeft === x && decidedRight === y ? null : b.select(c!, decidedLeft, decidedRight);
  }),
  rule('cast_cast', 'cast', (b, n) => {
    const inner = as(n.inputs[0], 'cast');
    if (inner === null) return null;
    const x = inner.inputs[0]!;
    return holds(x.type.dtype, inner.attrs.dtype) ? b.cast(x, n.attrs.dtype) : null;
  }),
];
