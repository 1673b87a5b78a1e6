/**
 * Scalars and elementwise arithmetic. Numbers known at build are folded; integers stay polynomials; what is left becomes nodes, aligned by
 * index letters inside an equation and by trailing axes outside. No reads, no calls.
 */
import type { BinaryOperator, Span } from '../../grammar/ast.ts';
import type { DType, Node } from '../graph/types.ts';
import {
  add,
  asConst,
  divideExact,
  floorDiv,
  mod,
  mul,
  names,
  num,
  power,
  sub,
  terms,
  ofAtom,
  ONE,
  ZERO,
  ofTerm,
  type Atom,
  type Poly,
} from '../sizes/poly.ts';
import { bounds } from '../sizes/ranges.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import type { Equation } from './equation.ts';
import { scheduleNow } from './schedules.ts';
import { boolean, float, integer, tensor, type Value } from './values.ts';

export const isNumber = (v: Value): v is Extract<Value, { kind: 'integer' | 'float' | 'boolean' }> =>
  v.kind === 'integer' || v.kind === 'float' || v.kind === 'boolean';

/** A number known at build as a JavaScript number; null for a size that is only known at run time. */
export function constantOf(v: Value): number | null {
  if (v.kind === 'integer') return asConst(v.poly);
  if (v.kind === 'float') return v.value;
  if (v.kind === 'boolean') return v.value ? 1 : 0;
  return null;
}

export const hasLetters = (poly: Poly): boolean => {
  for (const n of names(poly)) if (n.includes('#')) return true;
  return false;
};

/** Wraps a node as a value of where we are: labelled inside an equation, whole outside. */
export const wrap = (eq: Equation | null, node: Node, labels: readonly string[]): Value =>
  eq === null ? tensor(node) : { kind: 'labelled', node, labels };

/** An integer polynomial over sizes and letters as an i32 node over its letters. */
export function polyNode(cx: Elaboration, eq: Equation | null, poly: Poly): { node: Node; labels: string[] } {
  const b = cx.builder;
  const labels = eq === null ? [] : eq.order([...names(poly)].filter((n) => n.includes('#')));
  if (labels.length === 0) {
    const c = asConst(poly);
    return { node: c === null ? b.sizeValue(poly) : b.constant(c, 'i32'), labels };
  }
  const sizes = labels.map((l) => eq!.extent(l));
  const spread = (p: Poly): Node => {
    const c = asConst(p);
    return b.broadcast(c === null ? b.sizeValue(p) : b.constant(c, 'i32'), sizes, []);
  };
  const ofAtomNode = (atom: Atom): Node => {
    if (atom.kind === 'name') return b.iota(sizes, labels.indexOf(atom.name));
    if (atom.kind === 'floor') return b.div(over(atom.numerator), over(atom.denominator));
    return b.cast(b.pow(b.cast(spread(num(atom.base)), 'f32'), b.cast(over(atom.exponent), 'f32')), 'i32');
  };
  const over = (p: Poly): Node => {
    if (!hasLetters(p)) return spread(p);
    let fixed = ZERO;
    let sum: Node | null = null;
    for (const t of terms(p)) {
      const whole = ofTerm(t);
      if (!hasLetters(whole)) {
        fixed = add(fixed, whole);
        continue;
      }
      let factor: Poly = num(t.coefficient);
      let product: Node | null = null;
      for (const { atom, exponent } of t.factors) {
        if (!hasLetters(ofAtom(atom))) {
          factor = mul(factor, ofAtom(atom, exponent));
          continue;
        }
        const node = ofAtomNode(atom);
        for (let k = 0; k < exponent; k++) product = product === null ? node : b.mul(product, node);
      }
      const term = factor === ONE ? product! : b.mul(spread(factor), product!);
      sum = sum === null ? term : b.add(sum, term);
    }
    return fixed === ZERO ? sum! : b.add(sum!, spread(fixed));
  };
  return { node: over(poly), labels };
}

/** Any value as a node with its letters; `dtype` only for numbers without one of their own (floats are f32). */
export function lift(
  cx: Elaboration,
  eq: Equation | null,
  v: Value,
  span: Span,
): { node: Node; labels: readonly string[] } {
  const b = cx.builder;
  switch (v.kind) {
    case 'tensor':
      if (eq !== null && v.node.type.sizes.length > 0)
        return refuse('NN802', span, { what: 'a whole tensor inside an index equation' });
      return { node: b.local(v.node), labels: [] };
    case 'labelled':
      return { node: b.local(v.node), labels: v.labels };
    case 'integer':
      return polyNode(cx, eq, v.poly);
    case 'float':
      return { node: b.constant(v.value, 'f32'), labels: [] };
    case 'boolean':
      return { node: b.constant(v.value ? 1 : 0, 'bool'), labels: [] };
    case 'schedule':
      return { node: scheduleNow(cx, v, span), labels: [] };
    default:
      return refuse('NN802', span, { what: `a ${v.kind} where a number or a tensor is needed` });
  }
}

/** As real numbers: integers and bools are converted, f16 is widened. */
export function real(cx: Elaboration, node: Node): Node {
  const b = cx.builder;
  if (node.type.dtype === 'f32') return b.local(node);
  if (node.op === 'const') return b.constant(node.attrs.value, 'f32');
  const [inner] = node.inputs;
  if (node.op === 'broadcast' && inner?.op === 'const')
    return b.broadcast(b.constant(inner.attrs.value, 'f32'), node.attrs.sizes, node.attrs.axes);
  return b.cast(node, 'f32');
}

/** Operands of an elementwise operation, broadcast to one shape. */
export function align(
  cx: Elaboration,
  eq: Equation | null,
  values: readonly Value[],
  span: Span,
): { nodes: Node[]; labels: readonly string[] } {
  const lifted = values.map((v) => lift(cx, eq, v, span));
  const b = cx.builder;
  if (eq !== null) {
    const labels = eq.order(lifted.flatMap((l) => l.labels));
    return { nodes: lifted.map((l) => eq.spread(cx, l.node, l.labels, labels)), labels };
  }
  let sizes: readonly Poly[] = [];
  for (const l of lifted) if (l.node.type.sizes.length > sizes.length) sizes = l.node.type.sizes;
  return { nodes: lifted.map((l) => b.broadcastTo(l.node, sizes)), labels: [] };
}

const FOLD: Partial<Record<BinaryOperator, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a - b * Math.floor(a / b),
  '^': (a, b) => a ** b,
};
const COMPARE: Partial<Record<BinaryOperator, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

/** p ≥ 0 for all sizes (each at least 1) and all positions of the equation. */
export function provablyNonNegative(eq: Equation | null, p: Poly): boolean {
  const range = (n: string): { lo: number; hi: Poly } | null =>
    n.includes('#') && eq !== null ? { lo: 0, hi: sub(eq.extent(n), ONE) } : null;
  let low: Poly | null = bounds(p, range).lo;
  for (let k = 0; k < 3 && low !== null; k++) {
    const c = asConst(low);
    if (c !== null) return c >= 0;
    low = bounds(low, () => ({ lo: 1 })).lo;
  }
  return false;
}

/** The same, with what the program requires of sizes: a `require` that cannot be decided is checked before anything runs. */
export function requiredNonNegative(cx: Elaboration, eq: Equation | null, p: Poly): boolean {
  if (provablyNonNegative(eq, p)) return true;
  for (const { left, relation, right } of cx.unit.requirements.values()) {
    const room = sub(right, left);
    if (relation === '<=' && provablyNonNegative(eq, sub(p, room))) return true;
    if (relation === '<' && provablyNonNegative(eq, sub(p, sub(room, ONE)))) return true;
  }
  return false;
}

/** Whether a comparison of integers holds for all sizes and positions: true, false, or null for "depends". */
export function decide(eq: Equation | null, op: BinaryOperator, left: Poly, right: Poly): boolean | null {
  const difference = sub(left, right);
  const c = asConst(difference);
  if (c !== null) return COMPARE[op]!(c, 0);
  const atLeast = (p: Poly): boolean => provablyNonNegative(eq, p);
  const lt = (a: Poly, b: Poly): boolean => atLeast(sub(sub(b, a), ONE));
  const le = (a: Poly, b: Poly): boolean => atLeast(sub(b, a));
  switch (op) {
    case '<':
      return lt(left, right) ? true : le(right, left) ? false : null;
    case '<=':
      return le(left, right) ? true : lt(right, left) ? false : null;
    case '>':
      return lt(right, left) ? true : le(left, right) ? false : null;
    case '>=':
      return le(right, left) ? true : lt(left, right) ? false : null;
    case '==':
      return lt(left, right) || lt(right, left) ? false : null;
    case '!=':
      return lt(left, right) || lt(right, left) ? true : null;
    default:
      return null;
  }
}

function integers(cx: Elaboration, op: BinaryOperator, a: Poly, b: Poly): Value | null {
  switch (op) {
    case '+':
      return integer(add(a, b));
    case '-':
      return integer(sub(a, b));
    case '*':
      return integer(mul(a, b));
    case '%':
      return integer(mod(a, b));
    case '/': {
      const exact = divideExact(a, b);
      if (exact !== null) return integer(exact);
      // Not exact as polynomials. Where an integer is wanted, or a `require` says so, the checker has proved that it divides; else it is a real quotient.
      if (hasLetters(a) || hasLetters(b) || !(cx.wantInteger || cx.unit.divides(a, b))) return null;
      return integer(floorDiv(a, b));
    }
    case '^': {
      const n = asConst(b);
      if (n !== null && n < 0) return null;
      const p = power(a, b);
      return p === null || hasLetters(b) ? null : integer(p);
    }
    default:
      return null;
  }
}

export function binary(
  cx: Elaboration,
  eq: Equation | null,
  op: BinaryOperator,
  left: Value,
  right: Value,
  span: Span,
): Value {
  const compare = COMPARE[op];
  if (op === 'and' || op === 'or') return logical(cx, eq, op, left, right, span);
  if (left.kind === 'integer' && right.kind === 'integer') {
    if (compare !== undefined) {
      const known = decide(eq, op, left.poly, right.poly);
      if (known !== null) return boolean(known);
    } else {
      const folded = integers(cx, op, left.poly, right.poly);
      if (folded !== null) return folded;
    }
  }
  const a = constantOf(left);
  const c = constantOf(right);
  if (a !== null && c !== null) {
    if (compare !== undefined) return boolean(compare(a, c));
    return float(FOLD[op]!(a, c));
  }
  const b = cx.builder;
  // x ^ n with a small whole n is a product: exact for negative x, and cheaper than a power.
  if (op === '^' && c !== null && Number.isInteger(c) && c >= 1 && c <= 4) {
    const x = lift(cx, eq, left, span);
    const base = x.node.type.dtype === 'i32' ? x.node : real(cx, x.node);
    const square = c >= 2 ? b.mul(base, base) : base;
    const node = c === 4 ? b.mul(square, square) : c === 3 ? b.mul(square, base) : square;
    return wrap(eq, node, x.labels);
  }
  if (op === '^' && c === 0.5) return elementwise(cx, eq, 'sqrt', left, span);
  const { nodes, labels } = align(cx, eq, [left, right], span);
  let [x, y] = nodes as [Node, Node];
  const integral = x.type.dtype === 'i32' && y.type.dtype === 'i32';
  const bools = x.type.dtype === 'bool' && y.type.dtype === 'bool';
  if (!(integral && op !== '/' && op !== '^') && !(bools && (op === '==' || op === '!='))) {
    x = real(cx, x);
    y = real(cx, y);
  }
  if (bools) {
    const same = b.eq(b.cast(x, 'i32'), b.cast(y, 'i32'));
    return wrap(eq, op === '==' ? same : b.not(same), labels);
  }
  const node = ((): Node => {
    switch (op) {
      case '+':
        return b.add(x, y);
      case '-':
        return b.sub(x, y);
      case '*':
        return b.mul(x, y);
      case '/':
        return b.div(x, y);
      case '%':
        return b.mod(x, y);
      case '^':
        return b.pow(x, y);
      case '<':
        return b.lt(x, y);
      case '>':
        return b.lt(y, x);
      // With NaN both orders are false: ≤ is "less or equal", not "not greater".
      case '<=':
        return integral ? b.not(b.lt(y, x)) : b.or(b.lt(x, y), b.eq(x, y));
      case '>=':
        return integral ? b.not(b.lt(x, y)) : b.or(b.lt(y, x), b.eq(x, y));
      case '==':
        return b.eq(x, y);
      case '!=':
        return b.not(b.eq(x, y));
    }
  })();
  return wrap(eq, node, labels);
}

export function logical(
  cx: Elaboration,
  eq: Equation | null,
  op: 'and' | 'or',
  left: Value,
  right: Value,
  span: Span,
): Value {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (one.kind === 'boolean') {
      if (op === 'and') return one.value ? other : one;
      return one.value ? one : other;
    }
  }
  const { nodes, labels } = align(cx, eq, [left, right], span);
  const [x, y] = nodes as [Node, Node];
  return wrap(eq, op === 'and' ? cx.builder.and(x, y) : cx.builder.or(x, y), labels);
}

export function negate(cx: Elaboration, eq: Equation | null, v: Value, span: Span): Value {
  if (v.kind === 'integer') return integer(sub(ZERO, v.poly));
  if (v.kind === 'float') return float(-v.value);
  const { node, labels } = lift(cx, eq, v, span);
  return wrap(eq, cx.builder.neg(node.type.dtype === 'i32' ? node : real(cx, node)), labels);
}

export function not(cx: Elaboration, eq: Equation | null, v: Value, span: Span): Value {
  if (v.kind === 'boolean') return boolean(!v.value);
  const { node, labels } = lift(cx, eq, v, span);
  return wrap(eq, cx.builder.not(node), labels);
}

const FUNCTIONS: Record<string, (x: number) => number> = {
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sqrt: Math.sqrt,
};

/** A built-in function of one real number, elementwise. */
export function elementwise(
  cx: Elaboration,
  eq: Equation | null,
  op: 'exp' | 'log' | 'sin' | 'cos' | 'tanh' | 'erf' | 'sqrt' | 'abs' | 'floor' | 'ceil',
  v: Value,
  span: Span,
): Value {
  const c = constantOf(v);
  if (v.kind === 'integer' && (op === 'floor' || op === 'ceil')) return v;
  if (c !== null) {
    if (op === 'abs') return v.kind === 'integer' ? integer(num(Math.abs(c))) : float(Math.abs(c));
    if (op === 'floor') return integer(num(Math.floor(c)));
    if (op === 'ceil') return integer(num(Math.ceil(c)));
    const f = FUNCTIONS[op];
    if (f !== undefined) return float(f(c));
  }
  const b = cx.builder;
  const lifted = lift(cx, eq, v, span);
  const labels = lifted.labels;
  if (op === 'abs') {
    const x = lifted.node.type.dtype === 'i32' ? lifted.node : real(cx, lifted.node);
    const negative = b.lt(x, b.constantOf(0, x.type));
    return wrap(eq, b.select(negative, b.neg(x), x), labels);
  }
  const x = real(cx, lifted.node);
  if (op === 'floor') return wrap(eq, b.floor(x), labels);
  if (op === 'ceil') return wrap(eq, b.neg(b.floor(b.neg(x))), labels);
  const table: Record<Exclude<typeof op, 'abs' | 'floor' | 'ceil'>, (x: Node) => Node> = {
    exp: b.exp,
    log: b.log,
    sin: b.sin,
    cos: b.cos,
    tanh: b.tanh,
    erf: b.erf,
    sqrt: b.sqrt,
  };
  return wrap(eq, table[op](x), labels);
}

/** min(a, b), max(a, b). */
export function extremum(
  cx: Elaboration,
  eq: Equation | null,
  op: 'min' | 'max',
  left: Value,
  right: Value,
  span: Span,
): Value {
  const a = constantOf(left);
  const c = constantOf(right);
  if (a !== null && c !== null) {
    const value = op === 'min' ? Math.min(a, c) : Math.max(a, c);
    return left.kind === 'integer' && right.kind === 'integer' ? integer(num(value)) : float(value);
  }
  if (left.kind === 'integer' && right.kind === 'integer') {
    const order = decide(eq, '<=', left.poly, right.poly);
    if (order !== null) return (op === 'min') === order ? left : right;
  }
  const { nodes, labels } = align(cx, eq, [left, right], span);
  let [x, y] = nodes as [Node, Node];
  if (!(x.type.dtype === 'i32' && y.type.dtype === 'i32')) {
    x = real(cx, x);
    y = real(cx, y);
  }
  return wrap(eq, op === 'min' ? cx.builder.min(x, y) : cx.builder.max(x, y), labels);
}

/** condition ? a : b. */
export function select(cx: Elaboration, eq: Equation | null, condition: Value, a: Value, b: Value, span: Span): Value {
  if (condition.kind === 'boolean') return condition.value ? a : b;
  const { nodes, labels } = align(cx, eq, [condition, a, b], span);
  const [mask, first, second] = nodes as [Node, Node, Node];
  let [x, y] = [first, second];
  if (x.type.dtype !== y.type.dtype) {
    x = real(cx, x);
    y = real(cx, y);
  }
  return wrap(eq, cx.builder.select(mask, x, y), labels);
}

/** A value as a whole tensor of this dtype and, where given, these sizes (a number or scalar is repeated). */
export function asTensor(
  cx: Elaboration,
  v: Value,
  span: Span,
  dtype: DType | null,
  sizes: readonly Poly[] | null = null,
): Node {
  const { node } = lift(cx, null, v, span);
  const b = cx.builder;
  const typed = dtype === null ? node : b.cast(node, dtype);
  return sizes === null ? typed : b.broadcastTo(typed, sizes);
}
