/**
 * Arithmetic, comparison and logic on numbers, elements and whole tensors. Integers carry their value as a polynomial and booleans their
 * condition, so sizes, positions and configuration are computed by the same operators as data.
 */
import type { BinaryExpr, Expr, Span, UnaryExpr } from '../../grammar/ast.ts';
import { ONE, add, asConst, mod, mul, neg, power, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { broadcast } from './broadcast.ts';
import { FALSE, TRUE, atMost, below, both, either, negate, opaque } from './conditions.ts';
import type { Condition } from './conditions.ts';
import { checkValue } from './expressions.ts';
import { showType, sourceText } from './report.ts';
import { binaryRole } from './roles.ts';
import { Frame } from './session.ts';
import { needPositive } from './signature.ts';
import { ERROR, boolOf, conditionOf, formatType, isInteger, numberOf, tensor, valueOf } from './types.ts';
import type { ElementType, NumberType, TensorType, Type } from './types.ts';

export function checkUnary(f: Frame, e: UnaryExpr): Type {
  const t = checkValue(f, e.operand);
  if (t.kind === 'error') return t;
  if (e.operator === 'not') {
    if (t.kind === 'mask') return { kind: 'mask', definition: null };
    if (!isBool(t)) {
      f.report('NN124', e.operand.span, { what: 'the operand of `not`', expected: 'bool', actual: showType(f, t) });
      return ERROR;
    }
    const c = conditionOf(t);
    const condition = c === null ? null : negate(c);
    return t.kind === 'tensor' ? { ...t, condition } : boolOf(condition);
  }
  if (!arithmeticOperand(f, t, '-', e.operand.span)) return ERROR;
  const value = valueOf(t);
  const negated = value === null ? null : neg(value);
  if (t.kind === 'number')
    return numberOf(t.dtype, { value: negated, literal: t.literal === null ? null : -t.literal });
  return t.kind === 'tensor' ? tensor(t.dtype, t.shape, { value: negated }) : t;
}

export const isBool = (t: Type): boolean => (t.kind === 'number' || t.kind === 'tensor') && t.dtype === 'bool';

function arithmeticOperand(f: Frame, t: Type, operator: string, span: Span): boolean {
  if (t.kind === 'leaves' || t.kind === 'schedule') return true;
  if (t.kind !== 'tensor' && t.kind !== 'number') {
    f.report('NN712', span, {
      what: `an operand of \`${operator}\``,
      expected: 'a number or tensor',
      actual: formatType(t),
    });
    return false;
  }
  if (t.dtype === 'bool') {
    f.report(
      'NN402',
      span,
      { operator, type: showType(f, t) },
      t.kind === 'tensor'
        ? [
            {
              title: 'take it as 0 or 1 with `float`',
              edits: [{ span, text: `float(${f.session.program.sources.text(span)})` }],
              applicability: 'maybe',
            },
          ]
        : [],
    );
    return false;
  }
  return true;
}

/** Inside an equation every operand is one element. Reports a whole tensor. */
export function isElement(f: Frame, t: Type, span: Span): boolean {
  if (!f.inEquation || t.kind !== 'tensor' || t.shape.length === 0) return true;
  f.report('NN112', span, { name: sourceText(f, span), type: showType(f, t) });
  return false;
}

export const shapeOf = (t: Type): TensorType['shape'] => (t.kind === 'tensor' ? t.shape : []);

export function checkBinary(f: Frame, e: BinaryExpr): Type {
  const left = checkValue(f, e.left);
  let right: Type;
  // In `a and b` the left side is known on the right: `E % 2 == 0 and x[E / 2] > 0`.
  const leftCondition = conditionOf(left);
  if ((e.operator === 'and' || e.operator === 'or') && leftCondition !== null)
    right = f.knowing([e.operator === 'and' ? leftCondition : negate(leftCondition)], () => checkValue(f, e.right));
  else right = checkValue(f, e.right);
  return withDivisibility(f, e, combine(f, e, left, right));
}

/** `D % heads == 0` says that heads divides D: more than an equation of remainders. */
function withDivisibility(f: Frame, e: BinaryExpr, type: Type): Type {
  if ((e.operator !== '==' && e.operator !== '!=') || e.left.kind !== 'binary' || e.left.operator !== '%') return type;
  if ((type.kind !== 'number' && type.kind !== 'tensor') || type.condition === TRUE || type.condition === FALSE)
    return type;
  const valueAt = (x: Expr): Poly | null => valueOf(f.session.types.get(x) ?? ERROR);
  const [p, q, r] = [valueAt(e.left.left), valueAt(e.left.right), valueAt(e.right)];
  if (p === null || q === null || r === null || asConst(r) === null) return type;
  if (type.kind === 'tensor' && type.shape.length > 0) return type;
  const condition: Condition = { kind: 'divides', divisor: q, value: sub(p, r), negated: e.operator === '!=' };
  return { ...type, condition };
}

/** Leaf by leaf: with another record, or with a number. */
function combineRecords(
  f: Frame,
  e: Pick<BinaryExpr, 'operator'> & { left: { span: Span }; right: { span: Span } },
  left: Type,
  right: Type,
): Type {
  const record = left.kind === 'leaves' ? left : right;
  const other = left.kind === 'leaves' ? right : left;
  const span = left.kind === 'leaves' ? e.right.span : e.left.span;
  if (other.kind === 'tensor' && other.shape.length > 0) {
    f.report('NN712', span, {
      what: `what stands beside a record at \`${e.operator}\``,
      expected: 'a record or one number',
      actual: showType(f, other),
    });
    return ERROR;
  }
  return record;
}

export function combine(
  f: Frame,
  e: Pick<BinaryExpr, 'operator' | 'operatorSpan' | 'span'> & { left: { span: Span }; right: { span: Span } },
  left: Type,
  right: Type,
): Type {
  const { operator } = e;
  if (left.kind === 'error' || right.kind === 'error') return ERROR;
  if (operator === 'and' || operator === 'or') return logical(f, e, left, right);
  const compares = ['==', '!=', '<', '<=', '>', '>='].includes(operator);
  if (!compares || !(isBool(left) && isBool(right) && (operator === '==' || operator === '!='))) {
    const okLeft = arithmeticOperand(f, left, operator, e.left.span);
    const okRight = arithmeticOperand(f, right, operator, e.right.span);
    if (!okLeft || !okRight) return ERROR;
  }
  if (left.kind === 'leaves' || right.kind === 'leaves') return combineRecords(f, e, left, right);
  for (const t of [left, right]) if (t.kind === 'schedule') return t;
  const okLeft = isElement(f, left, e.left.span);
  const okRight = isElement(f, right, e.right.span);
  if (!okLeft || !okRight) return ERROR;
  const shape = broadcast(
    f,
    operator,
    e.operatorSpan,
    { shape: shapeOf(left), span: e.left.span },
    { shape: shapeOf(right), span: e.right.span },
  );
  if (shape === null) return ERROR;
  const bothNumbers = left.kind === 'number' && right.kind === 'number';
  const scalar = shape.length === 0;

  if (compares) {
    const condition = scalar
      ? (comparison(operator, valueOf(left), valueOf(right)) ?? opaqueOf(f, e.span, bothNumbers))
      : null;
    return bothNumbers ? boolOf(condition) : tensor('bool', shape, { condition });
  }

  const a = left as TensorType | NumberType;
  const b = right as TensorType | NumberType;
  if (isInteger(a.dtype) && isInteger(b.dtype)) {
    const result = integers(f, e, a, b);
    if (result === null) return ERROR;
    if (result.kind === 'float')
      return bothNumbers ? numberOf('float', { inexact: result.inexact }) : tensor('float', shape);
    const value = scalar ? result.value : null;
    if (bothNumbers) return numberOf('int', { value, literal: value === null ? null : asConst(value) });
    return tensor('i32', shape, { value, below: result.below });
  }
  if (bothNumbers)
    return numberOf('float', {
      literal: floats(operator, a.kind === 'number' ? a.literal : null, b.kind === 'number' ? b.literal : null),
    });
  return tensor(floatType(a, b), shape, { role: binaryRole(operator, a, b) });
}

/** `f32` and `f16` are exact wishes, `float` takes the other's. */
function floatType(a: TensorType | NumberType, b: TensorType | NumberType): ElementType {
  for (const t of [a, b]) if (t.kind === 'tensor' && (t.dtype === 'f32' || t.dtype === 'f16')) return t.dtype;
  return 'float';
}

function floats(op: string, a: number | null, b: number | null): number | null {
  if (a === null || b === null) return null;
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '^':
      return a ** b;
    default:
      return null;
  }
}

type IntegerResult =
  | { readonly kind: 'int'; readonly value: Poly | null; readonly below: Poly | null }
  | { readonly kind: 'float'; readonly inexact: NumberType['inexact'] };

function integers(
  f: Frame,
  e: Pick<BinaryExpr, 'operator' | 'span'> & { right: { span: Span } },
  a: TensorType | NumberType,
  b: TensorType | NumberType,
): IntegerResult | null {
  const p = valueOf(a);
  const q = valueOf(b);
  const int = (value: Poly | null, limit: Poly | null = null): IntegerResult => ({ kind: 'int', value, below: limit });
  if (q !== null && (e.operator === '%' || e.operator === '/')) needPositive(f, q, e.right.span);
  switch (e.operator) {
    case '+':
      return int(p && q && add(p, q));
    case '-':
      return int(p && q && sub(p, q));
    case '*':
      return int(p && q && mul(p, q));
    case '%': {
      const positive = q !== null && f.know.isAtLeastZero(sub(q, ONE));
      // The remainder is in [0, q) for any dividend.
      return int(p && q && positive ? mod(p, q) : null, positive ? q : null);
    }
    case '^': {
      if (p === null || q === null)
        return a.kind === 'number' && b.kind === 'number' ? int(null) : { kind: 'float', inexact: null };
      const value = power(p, q);
      if (value !== null) return int(value);
      return f.know.isAtLeastZero(q) ? int(null) : { kind: 'float', inexact: null };
    }
    case '/': {
      if (p === null || q === null) {
        if (a.kind === 'number' && b.kind === 'number') return { kind: 'float', inexact: null };
        f.report('NN124', e.span, {
          what: '`/` between integers of run time',
          expected: '`floor(a / b)`, or a float on one side',
          actual: 'i32 / i32',
        });
        return null;
      }
      if (asConst(q) === 0) {
        f.report('NN108', e.span, {
          dividend: f.know.show(p),
          divisor: '0',
          judgement: { kind: 'refuted', witness: null, condition: null },
        });
        return null;
      }
      const exact = f.know.quotient(p, q);
      if (exact !== null) return int(exact);
      return { kind: 'float', inexact: { dividend: p, divisor: q, span: e.span } };
    }
    default:
      return int(null);
  }
}

function comparison(op: string, p: Poly | null, q: Poly | null): Condition | null {
  if (p === null || q === null) return null;
  switch (op) {
    case '==':
      return equality(p, q);
    case '!=':
      return negate(equality(p, q));
    case '<':
      return below(p, q);
    case '<=':
      return atMost(p, q);
    case '>':
      return below(q, p);
    case '>=':
      return atMost(q, p);
    default:
      return null;
  }
}

function equality(left: Poly, right: Poly): Condition {
  const difference = asConst(sub(left, right));
  if (difference !== null) return difference === 0 ? TRUE : FALSE;
  return { kind: 'equal', left, right, negated: false };
}

/** What cannot be said in sizes: named by its text, so that the same flag twice is the same flag. */
export const opaqueOf = (f: Frame, span: Span, build: boolean): Condition => opaque(sourceText(f, span, 200), build);

function logical(f: Frame, e: Parameters<typeof combine>[1], left: Type, right: Type): Type {
  if (left.kind === 'mask' && right.kind === 'mask') return { kind: 'mask', definition: null };
  for (const [t, at] of [
    [left, e.left.span],
    [right, e.right.span],
  ] as const) {
    if (isBool(t)) {
      if (!isElement(f, t, at)) return ERROR;
      continue;
    }
    f.report('NN124', at, { what: `an operand of \`${e.operator}\``, expected: 'bool', actual: showType(f, t) });
    return ERROR;
  }
  const shape = broadcast(
    f,
    e.operator,
    e.operatorSpan,
    { shape: shapeOf(left), span: e.left.span },
    { shape: shapeOf(right), span: e.right.span },
  );
  if (shape === null) return ERROR;
  const numbers = left.kind === 'number' && right.kind === 'number';
  const join = e.operator === 'and' ? both : either;
  const condition =
    shape.length > 0
      ? null
      : join(
          conditionOf(left) ?? opaqueOf(f, e.left.span, left.kind === 'number'),
          conditionOf(right) ?? opaqueOf(f, e.right.span, right.kind === 'number'),
        );
  return numbers ? boolOf(condition) : tensor('bool', shape, { condition });
}
