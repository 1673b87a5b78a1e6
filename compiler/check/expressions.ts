/**
 * Expressions: names, arithmetic, `where` and `else`, members, lists. Calls, reads, reductions and scans have files of their own.
 *
 * `check` records and returns the type of an expression; after a report it is the error type, which unifies with everything.
 * Integers carry their value as a polynomial, booleans their condition: that is how configuration, sizes and index positions are computed.
 */
import type { BinaryExpr, ElseExpr, Expr, NameExpr, Span, UnaryExpr, WhereExpr } from '../../grammar/ast.ts';
import { add, asConst, mod, mul, name as nameAtom, neg, num, ONE, power, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { broadcast } from './broadcast.ts';
import { BUILTIN_NAMES, builtinValue } from './builtins.ts';
import { checkCall, checkPipe } from './calls.ts';
import { constType } from './constants.ts';
import type { Condition } from './conditions.ts';
import { atMost, below, both, either, FALSE, negate, opaque, TRUE } from './conditions.ts';
import { checkRead, checkReduce } from './equations.ts';
import { checkScan } from './loops.ts';
import { checkMember, checkWith, sharedInstance } from './members.ts';
import { needPositive } from './signature.ts';
import { judgement, showType, sourceText } from './report.ts';
import { binaryRole, joinRoles, roleOf } from './roles.ts';
import { nearest } from './scope.ts';
import type { Frame } from './session.ts';
import type { ElementType, NumberType, TensorType, Type } from './types.ts';
import { boolOf, conditionOf, ERROR, formatType, intOf, isFloat, isInteger, numberOf, tensor, valueOf } from './types.ts';

/** The type of an expression; names of callables stay callables. */
export function check(f: Frame, e: Expr): Type {
  const type = compute(f, e);
  f.session.types.set(e, type);
  return type;
}

/** The type of an expression used as a value: a mask's name is a mask, a model's name its network. */
export function checkValue(f: Frame, e: Expr): Type {
  const type = check(f, e);
  const value = asValue(f, type, e.span);
  if (value !== type) f.session.types.set(e, value);
  return value;
}

function compute(f: Frame, e: Expr): Type {
  switch (e.kind) {
    case 'number':
      return e.integer
        ? numberOf('int', { value: num(e.value), literal: e.value })
        : numberOf('float', { literal: e.value });
    case 'boolean':
      return boolOf(e.value ? TRUE : FALSE);
    case 'string':
      return { kind: 'text', value: e.value };
    case 'name':
      return checkName(f, e);
    case 'unary':
      return checkUnary(f, e);
    case 'binary':
      return checkBinary(f, e);
    case 'where':
      return checkWhere(f, e);
    case 'else':
      return checkElse(f, e);
    case 'pipe':
      return checkPipe(f, e);
    case 'call':
      return checkCall(f, e);
    case 'read':
      return checkRead(f, e);
    case 'reduce':
      return checkReduce(f, e);
    case 'member':
      return checkMember(f, e);
    case 'list':
      return { kind: 'list', items: e.items.map((item) => checkValue(f, item)) };
    case 'scan':
      return checkScan(f, e);
    case 'with':
      return checkWith(f, e);
    case 'bad':
      return ERROR;
  }
}

// Names

function checkName(f: Frame, e: NameExpr): Type {
  const found = f.scope.find(e.name);
  if (found !== null) {
    found.used = true;
    f.session.references.set(e, { kind: 'local', binding: found });
    switch (found.kind) {
      case 'value':
        return found.type;
      case 'size':
        return intOf(found.size);
      case 'run':
        f.report('NN127', e.span, { name: e.name, isRun: true });
        return ERROR;
      case 'letter':
        if (found.failed) return ERROR;
        if (found.isRun) {
          f.report('NN127', e.span, { name: e.name, isRun: true });
          return ERROR;
        }
        return tensor('i32', [], {
          value: found.position,
          below: found.extent?.kind === 'size' ? found.extent.size : null,
        });
    }
  }
  const definition = f.lookup(e.name);
  if (definition !== null) {
    f.session.references.set(e, { kind: 'definition', definition });
    const { declaration } = definition;
    if (declaration.kind === 'const') return constType(f.session, definition);
    if (declaration.kind === 'train') {
      f.report('NN712', e.span, { what: e.name, expected: 'a value', actual: 'a train block' });
      return ERROR;
    }
    return { kind: 'callable', definition };
  }
  const builtin = builtinValue(f, e.name);
  if (builtin !== null) {
    f.session.references.set(e, { kind: 'builtin', name: e.name });
    return builtin;
  }
  undefinedName(f, e.name, e.span);
  return ERROR;
}

/** Everything a name could mean here, for suggestions. */
export function visibleNames(f: Frame): string[] {
  return [...f.scope.visible(), ...f.module.names.keys(), ...f.session.program.library.keys(), ...BUILTIN_NAMES];
}

export function undefinedName(f: Frame, name: string, span: Span): void {
  if (f.damaged) return;
  const suggestion = nearest(name, visibleNames(f));
  // It is not unused: it is what was meant.
  const meant = suggestion === null ? null : f.scope.find(suggestion);
  if (meant !== null) meant.used = true;
  f.report(
    'NN704',
    span,
    { name, suggestion, known: [...f.scope.visible()].slice(0, 12) },
    suggestion === null
      ? []
      : [{ title: `write \`${suggestion}\``, edits: [{ span, text: suggestion }], applicability: 'maybe' }],
  );
}

export function asValue(f: Frame, type: Type, span: Span): Type {
  if (type.kind !== 'callable') return type;
  const { definition } = type;
  const { declaration } = definition;
  if (declaration.kind === 'const' || declaration.kind === 'train') return ERROR;
  const needsConfig = (declaration.config ?? []).some((p) => p.default === null);
  switch (declaration.kind) {
    case 'mask':
      if (!needsConfig) return { kind: 'mask', definition };
      break;
    case 'schedule':
      if (!needsConfig) return { kind: 'schedule' };
      break;
    case 'optimizer':
      if (!needsConfig) return { kind: 'optimizer', definition };
      break;
    case 'model':
      if (!needsConfig) return { kind: 'instance', instance: sharedInstance(f, definition) };
      break;
    default:
  }
  f.report('NN712', span, {
    what: declaration.name.text,
    expected: 'a value',
    actual: needsConfig
      ? `a ${declaration.kind} whose configuration is missing`
      : declaration.kind === 'block'
        ? `a block; \`${declaration.name.text}()\` makes an instance`
        : `a ${declaration.kind}, which must be called`,
  });
  return ERROR;
}

// Integers

/** An integer expression's value, or null after a report (or for the error type). `what` says what it is for. */
export function integerValue(f: Frame, e: Expr, what: string): Poly | null {
  return integerOf(f, check(f, e), e.span, what);
}

export function integerOf(f: Frame, t: Type, span: Span, what: string): Poly | null {
  if (t.kind === 'error') return null;
  if (t.kind === 'number' && t.inexact !== null) {
    const { dividend, divisor, span: at } = t.inexact;
    const verdict = f.know.divides(divisor, dividend);
    f.report('NN108', at, {
      dividend: f.know.show(dividend),
      divisor: f.know.show(divisor),
      judgement: judgement(verdict),
    });
    return null;
  }
  if ((t.kind === 'number' && t.dtype === 'int') || (t.kind === 'tensor' && isInteger(t.dtype))) {
    const value = valueOf(t);
    if (value !== null) return value;
  }
  f.report('NN120', span, { what, needed: 'an integer known at build or a size', actual: showType(f, t) });
  return null;
}

// Arithmetic

function checkUnary(f: Frame, e: UnaryExpr): Type {
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

const isBool = (t: Type): boolean => (t.kind === 'number' || t.kind === 'tensor') && t.dtype === 'bool';

function arithmeticOperand(f: Frame, t: Type, operator: string, span: Span): boolean {
  if (t.kind === 'leaves' || t.kind === 'schedule') return true;
  if (t.kind !== 'tensor' && t.kind !== 'number') {
    f.report('NN712', span, { what: `an operand of \`${operator}\``, expected: 'a number or tensor', actual: formatType(t) });
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

function checkBinary(f: Frame, e: BinaryExpr): Type {
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
  if ((type.kind !== 'number' && type.kind !== 'tensor') || type.condition === TRUE || type.condition === FALSE) return type;
  const valueAt = (x: Expr): Poly | null => valueOf(f.session.types.get(x) ?? ERROR);
  const [p, q, r] = [valueAt(e.left.left), valueAt(e.left.right), valueAt(e.right)];
  if (p === null || q === null || r === null || asConst(r) === null) return type;
  if (type.kind === 'tensor' && type.shape.length > 0) return type;
  const condition: Condition = { kind: 'divides', divisor: q, value: sub(p, r), negated: e.operator === '!=' };
  return { ...type, condition };
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
  for (const t of [left, right]) if (t.kind === 'leaves' || t.kind === 'schedule') return t;
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
    const condition = scalar ? (comparison(operator, valueOf(left), valueOf(right)) ?? opaqueOf(f, e.span, bothNumbers)) : null;
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
  if (bothNumbers) return numberOf('float', { literal: floats(operator, a.kind === 'number' ? a.literal : null, b.kind === 'number' ? b.literal : null) });
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
      if (p === null || q === null) return a.kind === 'number' && b.kind === 'number' ? int(null) : { kind: 'float', inexact: null };
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

// where, else

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

function checkWhere(f: Frame, e: WhereExpr): Type {
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

function checkElse(f: Frame, e: ElseExpr): Type {
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
  const dtype = joinElements(a, b);
  if (dtype === null) {
    f.report('NN124', e.right.span, { what: 'the right side of `else`', expected: showType(f, a), actual: showType(f, b) });
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
  if (t.kind === 'tensor' && t.below !== null && (t.below === limit || f.know.isAtLeastZero(sub(limit, t.below)))) return true;
  const v = t.value;
  return v !== null && f.know.isAtLeastZero(v) && f.know.isAtLeastZero(sub(sub(limit, v), ONE));
}

