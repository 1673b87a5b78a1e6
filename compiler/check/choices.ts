/** `where`, `else` and conditions: values that may be undefined, and what stands there instead (rule 17). */
import type { ElseExpr, Expr, WhereExpr } from '../../grammar/ast.ts';
import { ONE, name as nameAtom, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { isBool, isElement, opaqueOf, shapeOf } from './arithmetic.ts';
import { broadcast } from './broadcast.ts';
import { negate } from './conditions.ts';
import type { Condition } from './conditions.ts';
import { checkValue } from './expressions.ts';
import { showType, sourceText } from './report.ts';
import { joinRoles, roleOf } from './roles.ts';
import { Frame } from './session.ts';
import { ERROR, conditionOf, formatType, intOf, isFloat, numberOf, tensor } from './types.ts';
import type { ElementType, NumberType, TensorType, Type } from './types.ts';

/** A condition expression: bool (a whole tensor outside equations), or null after a report. */
export function checkCondition(f: Frame, e: Expr): { readonly type: Type; readonly condition: Condition } | null {
  const type = checkValue(f, e);
  if (type.kind === 'error') return null;
  if (!isBool(type)) {
    f.report('NN124', e.span, { what: 'a condition', expected: 'bool', actual: showType(f, type) });
    return null;
  }
  if (!isElement(f, type, e.span)) return null;
  return { type, condition: conditionOf(type) ?? opaqueOf(f, e.span, type.kind === 'number') };
}

export function checkWhere(f: Frame, e: WhereExpr): Type {
  const condition = checkCondition(f, e.condition);
  if (condition !== null && !f.know.holds(condition.condition)) {
    if (f.undefinedness === null) f.report('NN111', e.span, { what: 'a value with `where`' });
    else f.undefinedness.push(condition.condition);
  }
  const value = f.knowing(condition === null ? [] : [condition.condition], () => checkValue(f, e.value));
  if (condition === null) return value.kind === 'error' ? ERROR : value;
  if (!isElement(f, value, e.value.span)) return ERROR;
  if (condition.type.kind === 'tensor' && condition.type.shape.length > 0) {
    // Outside equations: the condition must lie within the value's shape.
    const shape = broadcast(
      f,
      'where',
      e.condition.span,
      { shape: shapeOf(value), span: e.value.span },
      { shape: condition.type.shape, span: e.condition.span },
    );
    if (shape === null) return ERROR;
    if (value.kind === 'number') return tensor(numberElement(value), shape);
    if (value.kind === 'tensor') return { ...value, shape };
  }
  return value;
}

export const numberElement = (t: NumberType): ElementType => (t.dtype === 'int' ? 'i32' : t.dtype);

export function checkElse(f: Frame, e: ElseExpr): Type {
  const outer = f.undefinedness;
  const found: Condition[] = [];
  f.undefinedness = found;
  const left = checkValue(f, e.left);
  f.undefinedness = outer;
  // Undefined for one reason only: its negation holds on the right.
  const reasons = found;
  const facts = reasons.length === 1 ? [negate(reasons[0]!)] : [];
  const right = f.knowing(facts, () => checkValue(f, e.right));
  // A value of configuration whose condition is decided is one of the two.
  if (left.kind === 'number' && right.kind === 'number' && !f.inEquation) {
    const verdicts = reasons.map((c) => f.know.decide(c).kind);
    if (verdicts.every((v) => v === 'proved')) return left;
    if (verdicts.includes('refuted')) return right;
  }
  return join(f, e, left, right);
}

/** `0 where negative else x`: the number has the shape of its condition, and still takes the element type of what stands beside it. */
function chosen(f: Frame, e: Expr, type: TensorType | NumberType): TensorType | NumberType {
  const value = e.kind === 'where' ? f.session.types.get(e.value) : undefined;
  return value?.kind === 'number' ? value : type;
}

/** One type for two alternatives. */
function join(f: Frame, e: ElseExpr, left: Type, right: Type): Type {
  if (left.kind === 'error' || right.kind === 'error') return ERROR;
  if (left.kind === 'mask' && right.kind === 'mask') return { kind: 'mask', definition: null };
  if (left.kind === 'schedule' || right.kind === 'schedule') return { kind: 'schedule' };
  for (const [t, at] of [
    [left, e.left.span],
    [right, e.right.span],
  ] as const) {
    if (t.kind !== 'tensor' && t.kind !== 'number') {
      f.report('NN712', at, { what: 'a side of `else`', expected: 'a number or tensor', actual: formatType(t) });
      return ERROR;
    }
    if (!isElement(f, t, at)) return ERROR;
  }
  const a = left as TensorType | NumberType;
  const b = right as TensorType | NumberType;
  const dtype = joinElements(chosen(f, e.left, a), chosen(f, e.right, b));
  if (dtype === null) {
    f.report('NN124', e.right.span, {
      what: 'the right side of `else`',
      expected: showType(f, a),
      actual: showType(f, b),
    });
    return ERROR;
  }
  const shape = broadcast(
    f,
    'else',
    e.right.span,
    { shape: shapeOf(a), span: e.left.span },
    { shape: shapeOf(b), span: e.right.span },
  );
  if (shape === null) return ERROR;
  if (a.kind === 'number' && b.kind === 'number') {
    if (a.value !== null && a.value === b.value) return a;
    if (f.inEquation) return tensor(dtype, [], { role: joinRoles(roleOf(a), roleOf(b)) });
    const name = `${sourceText(f, e.span, 60)}#${e.span.file}.${e.span.start}`;
    if (dtype === 'i32') return intOf(undecided(f, name, a, b));
    return numberOf(dtype === 'bool' ? 'bool' : 'float', {
      condition: dtype === 'bool' ? opaqueOf(f, e.span, true) : null,
    });
  }
  return tensor(dtype, shape, { below: joinBelow(f, a, b), role: joinRoles(roleOf(a), roleOf(b)) });
}

/** An integer that is one of two: a name with the smaller lower bound. */
function undecided(f: Frame, name: string, a: NumberType, b: NumberType): Poly {
  const values = [a.value, b.value];
  const least = values.every((v) => v !== null && f.know.isAtLeastZero(sub(v, ONE)))
    ? 1
    : values.every((v) => v !== null && f.know.isAtLeastZero(v))
      ? 0
      : null;
  f.know.integer(name, least);
  return nameAtom(name);
}

export function joinElements(a: TensorType | NumberType, b: TensorType | NumberType): ElementType | null {
  const element = (t: TensorType | NumberType): ElementType => (t.kind === 'number' ? numberElement(t) : t.dtype);
  const [x, y] = [element(a), element(b)];
  if (x === y) return x;
  if (isFloat(x) && isFloat(y)) return x === 'float' ? y : x;
  if (isFloat(x) && b.kind === 'number' && y === 'i32') return x;
  if (isFloat(y) && a.kind === 'number' && x === 'i32') return y;
  return null;
}

function joinBelow(f: Frame, a: TensorType | NumberType, b: TensorType | NumberType): Poly | null {
  const limit = a.kind === 'tensor' && a.below !== null ? a.below : b.kind === 'tensor' ? b.below : null;
  if (limit === null) return null;
  return isBelow(f, a, limit) && isBelow(f, b, limit) ? limit : null;
}

/** Whether an integer is known to lie in [0, limit). */
export function isBelow(f: Frame, t: TensorType | NumberType, limit: Poly): boolean {
  if (t.kind === 'tensor' && t.below !== null && (t.below === limit || f.know.isAtLeastZero(sub(limit, t.below))))
    return true;
  const v = t.value;
  return v !== null && f.know.isAtLeastZero(v) && f.know.isAtLeastZero(sub(sub(limit, v), ONE));
}
