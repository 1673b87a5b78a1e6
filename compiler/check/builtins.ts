/**
 * What is not written in `.nn`: scalar mathematics on any shape, whole-tensor reductions, draws, casts, `grad`, `size`, and a few names.
 * The list of names is agreed with the elaborator.
 */
import type { Argument, CallExpr, Expr, Span } from '../../grammar/ast.ts';
import { asConst, ceilDiv, floorDiv, name, neg, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { isElement, shapeOf } from './arithmetic.ts';
import { joinElements } from './choices.ts';
import { broadcast, sameShape } from './broadcast.ts';
import { opaque } from './conditions.ts';
import { asValue, check, checkValue, integerOf } from './expressions.ts';
import { showType, sourceText } from './report.ts';
import { elementwiseRole, role, roleOf } from './roles.ts';
import { nearest } from './scope.ts';
import { needPositive } from './signature.ts';
import type { Frame } from './session.ts';
import type { NumberType, TensorType, Type } from './types.ts';
import { elements, ERROR, formatType, intOf, isFloat, isInteger, numberOf, REAL, tensor, withRole } from './types.ts';

const ELEMENTWISE = ['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sqrt'] as const;
const INTEGRAL = ['abs', 'floor', 'ceil'] as const;
const REDUCTIONS = ['sum', 'mean', 'prod', 'any', 'all'] as const;
const DRAWS: Readonly<Record<string, readonly { name: string; default: number | null }[]>> = {
  normal: [],
  uniform: [
    { name: 'lo', default: 0 },
    { name: 'hi', default: 1 },
  ],
  bernoulli: [{ name: 'p', default: null }],
  randint: [{ name: 'n', default: null }],
  categorical: [{ name: 'logits', default: null }],
};
const OTHERS = [
  ...['min', 'max', 'size', 'grad', 'stop_gradient', 'surrogate', 'float', 'int'],
  ...['eval', 'frozen', 'recomputed'],
];
const CONSTANTS = ['inf', 'pi', 'training', 'validated', 'step', 'everything'];

const FUNCTIONS = new Set<string>([...ELEMENTWISE, ...INTEGRAL, ...REDUCTIONS, ...Object.keys(DRAWS), ...OTHERS]);
export const BUILTIN_NAMES: readonly string[] = [...FUNCTIONS, ...CONSTANTS];

/** Runs are measured by a name of their own. */
export const runSize = (run: string): Poly => name(`size(${run})`);

export function builtinValue(f: Frame, text: string): Type | null {
  switch (text) {
    case 'inf':
      return numberOf('float', { literal: Infinity });
    case 'pi':
      return numberOf('float', { literal: Math.PI });
    case 'training':
      return numberOf('bool', { condition: opaque('training', true) });
    case 'validated':
      if (f.callable?.kind !== 'schedule') return null;
      return numberOf('bool', { condition: opaque('validated', true) });
    case 'step':
      return intOf(name('step'));
    case 'everything':
      return { kind: 'mask', definition: null };
    default:
      return FUNCTIONS.has(text) ? { kind: 'builtin', name: text } : null;
  }
}

export interface Given {
  readonly name: string | null;
  readonly nameSpan: Span | null;
  readonly value: Expr | null;
  readonly type: Type | null;
  readonly span: Span;
}

export const given = (a: Argument): Given => ({
  name: a.name?.text ?? null,
  nameSpan: a.name?.span ?? null,
  value: a.value,
  type: null,
  span: a.span,
});

const typeOf = (f: Frame, g: Given): Type => (g.type !== null ? asValue(f, g.type, g.span) : checkValue(f, g.value!));

export function callBuiltin(f: Frame, e: CallExpr | Expr, callee: string, args: readonly Given[]): Type {
  const arity = (least: number, most: number, signature: string): boolean => {
    if (args.length > most) {
      for (const a of args) typeOf(f, a);
      f.report('NN707', args[most]!.span, { callee, signature, expected: most, given: args.length });
      return false;
    }
    if (args.length < least) {
      for (const a of args) typeOf(f, a);
      f.report('NN710', e.span, { callee, names: ['x'], signature });
      return false;
    }
    return true;
  };

  if (callee in DRAWS) return draw(f, e, callee, args);
  switch (callee) {
    case 'size':
      return arity(1, 1, 'size(S)') ? sizeOf(f, args[0]!) : ERROR;
    case 'grad':
      return grad(f, e, args);
    case 'min':
    case 'max':
      if (!arity(1, 2, `${callee}(a, b) or ${callee}(x)`)) return ERROR;
      return args.length === 2 ? extreme(f, e, callee, args) : reduction(f, callee, args[0]!);
    case 'sum':
    case 'mean':
    case 'prod':
    case 'any':
    case 'all':
      return arity(1, 1, `${callee}(x)`) ? reduction(f, callee, args[0]!) : ERROR;
    case 'float':
    case 'int':
      return arity(1, 1, `${callee}(x)`) ? cast(f, callee, args[0]!) : ERROR;
    case 'surrogate':
      return surrogate(f, e, args);
    case 'eval':
    case 'frozen':
    case 'recomputed': {
      if (!arity(1, 1, `${callee}(model)`)) return ERROR;
      const t = typeOf(f, args[0]!);
      if (t.kind !== 'instance' && t.kind !== 'error') {
        f.report('NN712', args[0]!.span, {
          what: `the argument of ${callee}`,
          expected: 'an instance or model',
          actual: formatType(t),
        });
        return ERROR;
      }
      return t;
    }
    default:
      return arity(1, 1, `${callee}(x)`) ? elementwise(f, e, callee, args[0]!) : ERROR;
  }
}

function numeric(f: Frame, t: Type, span: Span, callee: string): t is TensorType | NumberType {
  if (t.kind === 'error') return false;
  if (t.kind !== 'tensor' && t.kind !== 'number') {
    f.report('NN712', span, {
      what: `the argument of ${callee}`,
      expected: 'a number or tensor',
      actual: formatType(t),
    });
    return false;
  }
  return true;
}

function elementwise(f: Frame, e: Expr, callee: string, argument: Given): Type {
  // floor(a / b) and ceil(a / b) of integers are size arithmetic.
  const { value } = argument;
  if ((callee === 'floor' || callee === 'ceil') && value?.kind === 'binary' && value.operator === '/') {
    const left = checkValue(f, value.left);
    const right = checkValue(f, value.right);
    const isInt = (t: Type): t is TensorType | NumberType =>
      (t.kind === 'tensor' || t.kind === 'number') && isInteger(t.dtype);
    if (isInt(left) && isInt(right)) return quotient(f, callee, value, left, right);
    if (left.kind === 'error' || right.kind === 'error') return ERROR;
  }
  const t = typeOf(f, argument);
  if (t.kind === 'leaves' || t.kind === 'schedule') return t;
  if (!numeric(f, t, argument.span, callee)) return ERROR;
  if (!isElement(f, t, argument.span)) return ERROR;
  if (t.dtype === 'bool') {
    f.report('NN402', argument.span, { operator: callee, type: showType(f, t) });
    return ERROR;
  }
  const known = t.kind === 'number' ? t.literal : null;
  if (callee === 'abs' || callee === 'floor' || callee === 'ceil') {
    if (isInteger(t.dtype)) {
      const { value: v } = t;
      let result: Poly | null = null;
      if (v !== null) {
        if (callee !== 'abs' || f.know.isAtLeastZero(v)) result = v;
        else if (f.know.isAtLeastZero(neg(v))) result = neg(v);
      }
      return t.kind === 'number' ? numberOf('int', { value: result }) : tensor('i32', t.shape, { value: result });
    }
    // Of floats: a float without a fraction, as everywhere.
    return t.kind === 'number'
      ? numberOf('float')
      : tensor(t.dtype, t.shape, { role: callee === 'abs' ? role('nonneg') : REAL });
  }
  if (t.kind === 'number') return numberOf('float', { literal: known === null ? null : apply(callee, known) });
  const dtype = isFloat(t.dtype) ? t.dtype : 'float';
  const result = elementwiseRole(callee, t.role, argument.span);
  if (callee === 'log' && t.role.kind === 'probs' && t.role.from !== null && isSoftmaxCall(f, t.role.from))
    f.report('NN304', argument.span, { from: t.role.from }, logSoftmax(f, e, argument, t.role.from));
  return tensor(dtype, t.shape, { role: result });
}

/** `log(softmax(x))` → `log_softmax(x)`, where it stands so. */
function logSoftmax(f: Frame, e: Expr, argument: Given, softmax: Span): readonly Fix[] {
  const inner = f.session.softmaxes.get(softmax);
  if (inner === undefined || argument.value === null || argument.span.start !== softmax.start) return [];
  const text = `log_softmax(${f.session.program.sources.text(inner)})`;
  return [{ title: 'take log_softmax', edits: [{ span: e.span, text }], applicability: 'always' }];
}

const isSoftmaxCall = (f: Frame, span: Span): boolean =>
  /^softmax\b|\bsoftmax\s*(\(|$)/.test(f.session.program.sources.text(span));

function apply(callee: string, x: number): number | null {
  switch (callee) {
    case 'exp':
      return Math.exp(x);
    case 'log':
      return Math.log(x);
    case 'sqrt':
      return Math.sqrt(x);
    default:
      return null;
  }
}

function quotient(
  f: Frame,
  callee: 'floor' | 'ceil',
  e: Expr & { kind: 'binary' },
  left: TensorType | NumberType,
  right: TensorType | NumberType,
): Type {
  if (!isElement(f, left, e.left.span) || !isElement(f, right, e.right.span)) return ERROR;
  const shape = broadcast(
    f,
    callee,
    e.operatorSpan,
    { shape: shapeOf(left), span: e.left.span },
    { shape: shapeOf(right), span: e.right.span },
  );
  if (shape === null) return ERROR;
  const bothNumbers = left.kind === 'number' && right.kind === 'number';
  const [p, q] = [left.value, right.value];
  if (q !== null) needPositive(f, q, e.right.span);
  if (q !== null && (asConst(q) ?? 1) <= 0) {
    f.report('NN120', e.right.span, {
      what: `the divisor of ${callee}`,
      needed: 'a positive integer',
      actual: f.know.show(q),
    });
    return ERROR;
  }
  let value: Poly | null = null;
  if (shape.length === 0 && p !== null && q !== null) value = callee === 'floor' ? floorDiv(p, q) : ceilDiv(p, q);
  // floor(x / q) of x in [0, below) stays below it.
  const below = left.kind === 'tensor' && left.below !== null && callee === 'floor' ? left.below : null;
  return bothNumbers ? numberOf('int', { value }) : tensor('i32', shape, { value, below });
}

function sizeOf(f: Frame, argument: Given): Type {
  const { value } = argument;
  if (value?.kind === 'name') {
    const found = f.scope.find(value.name);
    if (found?.kind === 'run') {
      found.used = true;
      f.session.references.set(value, { kind: 'local', binding: found });
      return intOf(runSize(found.name));
    }
    if (found?.kind === 'letter' && found.isRun && found.run !== null) return intOf(elements(found.run, runSize));
  }
  const t = typeOf(f, argument);
  if (t.kind === 'tensor' && t.shape.length > 0) return intOf(elements(t.shape, runSize));
  if (t.kind === 'leaves') return numberOf('int');
  const p = integerOf(f, t, argument.span, 'the argument of size');
  return p === null ? ERROR : intOf(p);
}

function reduction(f: Frame, callee: string, argument: Given): Type {
  const t = typeOf(f, argument);
  if (t.kind === 'leaves' && callee !== 'any' && callee !== 'all') return tensor('float', []);
  if (!numeric(f, t, argument.span, callee)) return ERROR;
  if (t.kind === 'number') return callee === 'mean' ? numberOf('float') : t;
  if (callee === 'any' || callee === 'all') {
    if (t.dtype === 'bool') return tensor('bool', []);
    f.report('NN124', argument.span, { what: `the argument of ${callee}`, expected: 'bool', actual: showType(f, t) });
    return ERROR;
  }
  if (callee === 'mean') return tensor(isFloat(t.dtype) ? t.dtype : 'float', []);
  if (t.dtype === 'bool') {
    if (callee === 'sum') return tensor('i32', []);
    f.report('NN402', argument.span, { operator: callee, type: showType(f, t) });
    return ERROR;
  }
  return tensor(t.dtype, [], { below: callee === 'max' || callee === 'min' ? t.below : null });
}

function extreme(f: Frame, e: Expr, callee: 'min' | 'max', args: readonly Given[]): Type {
  const [x, y] = args as readonly [Given, Given];
  const [a, b] = [typeOf(f, x), typeOf(f, y)];
  if (a.kind === 'leaves') return a;
  if (b.kind === 'leaves') return b;
  if (!numeric(f, a, x.span, callee) || !numeric(f, b, y.span, callee)) return ERROR;
  if (!isElement(f, a, x.span) || !isElement(f, b, y.span)) return ERROR;
  const shape = broadcast(f, callee, e.span, { shape: shapeOf(a), span: x.span }, { shape: shapeOf(b), span: y.span });
  if (shape === null) return ERROR;
  const dtype = joinElements(a, b) ?? (isFloat(a.dtype) || isFloat(b.dtype) ? 'float' : null);
  if (dtype === null || dtype === 'bool') {
    f.report('NN124', e.span, {
      what: `the arguments of ${callee}`,
      expected: 'two numbers',
      actual: `${showType(f, a)} and ${showType(f, b)}`,
    });
    return ERROR;
  }
  let value: Poly | null = null;
  if (dtype === 'i32' && shape.length === 0 && a.value !== null && b.value !== null) {
    const [p, q] = [a.value, b.value];
    if (f.know.isAtLeastZero(sub(p, q))) value = callee === 'max' ? p : q;
    else if (f.know.isAtLeastZero(sub(q, p))) value = callee === 'max' ? q : p;
    else value = extremeName(f, callee, p, q);
  }
  if (a.kind === 'number' && b.kind === 'number')
    return dtype === 'i32'
      ? numberOf('int', { value, literal: value === null ? null : asConst(value) })
      : numberOf('float');
  const positive = callee === 'max' && [a, b].some((t) => t.kind === 'number' && t.literal !== null && t.literal >= 0);
  return tensor(dtype, shape, {
    value,
    role: isFloat(dtype)
      ? elementwiseRole(callee, roleOf(a), e.span).kind !== 'real'
        ? elementwiseRole(callee, roleOf(a), e.span)
        : positive
          ? role('nonneg')
          : REAL
      : REAL,
  });
}

/** min and max of sizes are names with both bounds known: enough for reads and slices. */
function extremeName(f: Frame, callee: 'min' | 'max', p: Poly, q: Poly): Poly {
  const result = name(`${callee}(${f.know.show(p)}, ${f.know.show(q)})`);
  for (const side of [p, q])
    f.know.assume({
      kind: 'atMost',
      ...(callee === 'min' ? { left: result, right: side } : { left: side, right: result }),
    });
  return result;
}

function cast(f: Frame, callee: string, argument: Given): Type {
  const t = typeOf(f, argument);
  if (!numeric(f, t, argument.span, callee)) return ERROR;
  if (callee === 'float') {
    if (t.kind === 'number') return numberOf('float', { literal: t.literal });
    return tensor('float', t.shape, { role: isFloat(t.dtype) ? t.role : t.dtype === 'bool' ? role('unit') : REAL });
  }
  if (t.kind === 'number') return t.dtype === 'int' ? t : numberOf('int');
  return tensor('i32', t.shape, { value: t.dtype === 'i32' ? t.value : null });
}

function surrogate(f: Frame, e: Expr, args: readonly Given[]): Type {
  const value = args.find((a) => a.name === null || a.name === 'value');
  const gradient = args.find((a) => a.name === 'gradient') ?? args[1];
  if (value === undefined || gradient === undefined || args.length !== 2) {
    for (const a of args) typeOf(f, a);
    f.report('NN710', e.span, {
      callee: 'surrogate',
      names: ['value', 'gradient'],
      signature: 'surrogate(value, gradient: e)',
    });
    return ERROR;
  }
  const t = typeOf(f, value);
  const g = typeOf(f, gradient);
  if (t.kind === 'tensor' && g.kind === 'tensor' && !sameShape(f, t.shape, g.shape)) {
    broadcast(f, 'surrogate', e.span, { shape: t.shape, span: value.span }, { shape: g.shape, span: gradient.span });
    return ERROR;
  }
  return t;
}

/** The only named argument of a built-in, misspelt or not. */
const renamed = (span: Span, suggestion: string | null): Fix[] => [
  { title: `write \`${suggestion ?? 'wrt'}\``, edits: [{ span, text: suggestion ?? 'wrt' }], applicability: 'maybe' },
];

function grad(f: Frame, e: Expr, args: readonly Given[]): Type {
  const value = args.find((a) => a.name === null);
  const wrt = args.find((a) => a.name === 'wrt');
  for (const a of args) {
    if (a === value || a === wrt) continue;
    if (a.name !== null && a.name !== 'wrt') {
      f.report(
        'NN708',
        a.nameSpan ?? a.span,
        {
          callee: 'grad',
          name: a.name,
          suggestion: nearest(a.name, ['wrt']),
          known: ['wrt'],
        },
        renamed(a.nameSpan ?? a.span, nearest(a.name, ['wrt'])),
      );
      return ERROR;
    }
  }
  if (value === undefined || wrt === undefined) {
    for (const a of args) typeOf(f, a);
    f.report('NN710', e.span, {
      callee: 'grad',
      names: value === undefined ? ['y'] : ['wrt'],
      signature: 'grad(y, wrt: x)',
    });
    return ERROR;
  }
  const y = typeOf(f, value);
  const x = wrt.value === null ? ERROR : check(f, wrt.value);
  if (x.kind === 'error') return ERROR;
  if (x.kind === 'instance' || (x.kind === 'leaves' && x.what === 'params'))
    return x.kind === 'leaves' ? x : { kind: 'leaves', of: x.instance.definition, what: 'params' };
  if (x.kind !== 'tensor' || !isFloat(x.dtype) || wrt.value?.kind !== 'name') {
    const at = wrt.value?.span ?? wrt.span;
    f.report('NN601', at, { name: sourceText(f, at), type: showType(f, x) });
    return ERROR;
  }
  if (y.kind === 'error') return withRole({ ...x, value: null }, REAL);
  if (y.kind !== 'tensor' || y.shape.length > 0) {
    const text = sourceText(f, value.span, 200);
    f.report('NN125', value.span, { what: 'grad', type: showType(f, y), name: sourceText(f, value.span) }, [
      { title: 'sum it first', edits: [{ span: value.span, text: `sum(${text})` }], applicability: 'maybe' },
    ]);
  }
  return withRole({ ...x, value: null, below: null }, REAL);
}

function draw(f: Frame, e: Expr, callee: string, args: readonly Given[]): Type {
  const parameters = DRAWS[callee]!;
  if (args.length > parameters.length) {
    f.report('NN707', args[parameters.length]!.span, {
      callee,
      signature: `${callee}(${parameters.map((p) => p.name).join(', ')})`,
      expected: parameters.length,
      given: args.length,
    });
    return ERROR;
  }
  const types = f.withDraws(null, () => args.map((a) => typeOf(f, a)));
  const missing = parameters.filter(
    (p, k) => p.default === null && !args.some((a, j) => a.name === p.name || (a.name === null && j === k)),
  );
  if (missing.length > 0) {
    f.report('NN710', e.span, {
      callee,
      names: missing.map((p) => p.name),
      signature: `${callee}(${parameters.map((p) => p.name).join(', ')})`,
    });
    return ERROR;
  }
  const shape = f.inEquation ? [] : f.drawShape;
  if (shape === null) {
    f.report('NN123', e.span, { name: callee });
    return ERROR;
  }
  const [t] = types;
  if (t?.kind === 'error') return ERROR;
  switch (callee) {
    case 'bernoulli':
      return tensor('bool', shape);
    case 'randint': {
      const limit = t !== undefined && (t.kind === 'number' || t.kind === 'tensor') ? t.value : null;
      return tensor('i32', shape, { below: limit });
    }
    case 'categorical': {
      if (t?.kind === 'tensor' && t.shape.length > 0) {
        const last = t.shape.at(-1)!;
        return tensor('i32', shape, { below: last.kind === 'size' ? last.size : null });
      }
      return tensor('i32', shape);
    }
    default:
      return tensor('float', shape, callee === 'uniform' && args.length === 0 ? { role: role('unit') } : {});
  }
}
