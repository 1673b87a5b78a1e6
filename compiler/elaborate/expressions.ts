/**
 * Expressions: one evaluator for whole tensors (`eq` null) and for the scalars of an index equation. Calls, reductions and reads have files of
 * their own.
 */
import type { ElseExpr, Expr } from '../../grammar/ast.ts';
import { lookup } from '../check/program.ts';
import type { Node } from '../graph/types.ts';
import { num, type Poly } from '../sizes/poly.ts';
import { asTensor, binary, constantOf, logical, negate, not, select } from './arithmetic.ts';
import { BUILTINS, evaluateCall, evaluatePipe } from './calls.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import { Equation, readTensor, resolveExtents } from './equation.ts';
import { evaluateReduce } from './reductions.ts';
import { evaluateScan } from './loops.ts';
import { maskOf, memberOf, scopeOfModule } from './instances.ts';
import { evaluateWith, leafwise } from './records.ts';
import type { Scope } from './scope.ts';
import { boolean, float, integer, type Value } from './values.ts';

export function evaluate(cx: Elaboration, e: Expr, scope: Scope, eq: Equation | null): Value {
  return cx.at(e.span, () => evaluateHere(cx, e, scope, eq));
}

function evaluateHere(cx: Elaboration, e: Expr, scope: Scope, eq: Equation | null): Value {
  switch (e.kind) {
    case 'number':
      return e.integer ? integer(num(e.value)) : float(e.value);
    case 'boolean':
      return boolean(e.value);
    case 'string':
      return { kind: 'string', value: e.value };
    case 'name':
      return guardName(cx, eq, nameValue(cx, e.name, scope, e.span), e.span);
    case 'unary': {
      const v = evaluate(cx, e.operand, scope, eq);
      if (e.operator === 'not')
        return isMask(v) ? { kind: 'mask', how: 'not', of: maskOf(cx, v, e.span) } : not(cx, eq, v, e.span);
      if (v.kind === 'leaves') return leafwise([v], e.span, ([x]) => negate(cx, null, x!, e.span));
      return negate(cx, eq, v, e.span);
    }
    case 'binary': {
      const left = evaluate(cx, e.left, scope, eq);
      const right = evaluate(cx, e.right, scope, eq);
      if ((e.operator === 'and' || e.operator === 'or') && isMask(left) && isMask(right))
        return {
          kind: 'mask',
          how: e.operator,
          left: maskOf(cx, left, e.left.span),
          right: maskOf(cx, right, e.right.span),
        };
      if (left.kind === 'leaves' || right.kind === 'leaves')
        return leafwise([left, right], e.span, ([x, y]) => binary(cx, null, e.operator, x!, y!, e.span));
      return binary(cx, eq, e.operator, left, right, e.span);
    }
    case 'where': {
      const condition = evaluate(cx, e.condition, scope, eq);
      if (!(condition.kind === 'boolean' && condition.value)) cx.masks?.push(condition);
      return evaluate(cx, e.value, scope, eq);
    }
    case 'else':
      return evaluateElse(cx, e, scope, eq);
    case 'pipe':
      return evaluatePipe(cx, e, scope, eq);
    case 'call':
      return evaluateCall(cx, e, scope, eq);
    case 'read':
      if (eq === null) return anonymous(cx, e, scope);
      return readTensor(cx, eq, e, scope, null);
    case 'reduce':
      if (eq === null) return anonymous(cx, e, scope);
      return evaluateReduce(cx, eq, e, scope);
    case 'member':
      return memberOf(cx, evaluate(cx, e.target, scope, null), e.name.text, e.span);
    case 'scan':
      return evaluateScan(cx, e, scope);
    case 'list':
      return refuse('NN802', e.span, { what: 'a list outside `repeat … in`' });
    case 'with':
      return evaluateWith(cx, e, scope, null);
    case 'bad':
      return refuse('NN802', e.span, { what: 'a damaged expression' });
  }
}

/** Outside equations names are what is read: under a guard a float has its gradient only where the guard holds. */
function guardName(cx: Elaboration, eq: Equation | null, v: Value, span: Expr['span']): Value {
  if (cx.guard === null || eq !== null || v.kind !== 'tensor' || v.node.type.dtype !== 'f32') return v;
  const stopped: Value = { kind: 'tensor', node: cx.builder.stopGradient(v.node) };
  return select(cx, null, cx.guard, v, stopped, span);
}

const isMask = (v: Value): boolean =>
  v.kind === 'mask' || (v.kind === 'definition' && v.definition.declaration.kind === 'mask');

export function nameValue(cx: Elaboration, text: string, scope: Scope, span: Expr['span']): Value {
  const local = scope.get(text);
  if (local !== null) return local;
  const definition = lookup(cx.program, scope.module, text);
  if (definition !== null) {
    const d = definition.declaration;
    if (d.kind === 'const') {
      let value = cx.unit.consts.get(d);
      if (value === undefined) {
        value = evaluate(cx, d.value, scopeOfModule(definition.module), null);
        cx.unit.consts.set(d, value);
      }
      return value;
    }
    return { kind: 'definition', definition };
  }
  switch (text) {
    case 'inf':
      return float(Infinity);
    case 'pi':
      return float(Math.PI);
    case 'training':
      return boolean(cx.training);
    case 'validated':
      return boolean(cx.validation !== null);
    case 'step':
      return { kind: 'tensor', node: cx.updates ?? cx.step };
    case 'everything':
      return { kind: 'mask', how: 'everything' };
  }
  if (BUILTINS.has(text)) return { kind: 'builtin', name: text };
  return refuse('NN802', span, { what: `the unknown name \`${text}\`` });
}

/** A read or reduction outside any equation: an equation without a left side. */
function anonymous(cx: Elaboration, e: Expr, scope: Scope): Value {
  const eq = new Equation(scope);
  resolveExtents(cx, eq, [], [e]);
  const value = evaluate(cx, e, eq.scope, eq);
  if (value.kind !== 'labelled') return value;
  if (value.labels.length > 0) return refuse('NN802', e.span, { what: 'indices left over without a left side' });
  return { kind: 'tensor', node: value.node };
}

// ------------------------------------------------------------------------------------------------------------------------ else

/** Whether a wrong value in the left side could make a NaN in a gradient: anything but reads, constants and sums of them. */
function risky(e: Expr): boolean {
  switch (e.kind) {
    case 'number':
    case 'boolean':
    case 'name':
    case 'read':
      return false;
    case 'unary':
      return risky(e.operand);
    case 'where':
      return risky(e.value);
    case 'binary':
      return (e.operator !== '+' && e.operator !== '-') || risky(e.left) || risky(e.right);
    case 'else':
      return risky(e.left) || risky(e.right);
    default:
      return true;
  }
}

function evaluateElse(cx: Elaboration, e: ElseExpr, scope: Scope, eq: Equation | null): Value {
  // `read else constant` is padding.
  if (eq !== null && e.left.kind === 'read') {
    const right = evaluate(cx, e.right, scope, eq);
    const fill = constantOf(right);
    const innerPartial = e.left.indices.some((i) => i.kind === 'expression' && containsRead(i.value));
    if (fill !== null && !Number.isNaN(fill) && !innerPartial) return readTensor(cx, eq, e.left, scope, fill);
  }
  const collect = (guard: Value | null): { value: Value; masks: Value[] } => {
    const outer = { masks: cx.masks, guard: cx.guard };
    const masks: Value[] = [];
    cx.masks = masks;
    if (guard !== null) cx.guard = outer.guard === null ? guard : logical(cx, eq, 'and', outer.guard, guard, e.span);
    try {
      return { value: evaluate(cx, e.left, scope, eq), masks };
    } finally {
      cx.masks = outer.masks;
      cx.guard = outer.guard;
    }
  };
  const streams = new Map(cx.drawCount);
  const first = collect(null);
  let mask: Value = boolean(true);
  for (const m of first.masks) mask = logical(cx, eq, 'and', mask, m, e.left.span);
  if (mask.kind === 'boolean' && mask.value) return first.value;
  if (mask.kind === 'boolean') return evaluate(cx, e.right, scope, eq);
  let left = first.value;
  if (risky(e.left)) {
    // The same expression again with its reads guarded: equal nodes are shared, so only what differs is new.
    cx.drawCount = streams;
    left = collect(mask).value;
  }
  const right = evaluate(cx, e.right, scope, eq);
  return select(cx, eq, mask, left, right, e.span);
}

function containsRead(e: Expr): boolean {
  switch (e.kind) {
    case 'read':
      return true;
    case 'binary':
      return containsRead(e.left) || containsRead(e.right);
    case 'unary':
      return containsRead(e.operand);
    case 'call':
      return e.arguments.some((a) => containsRead(a.value));
    default:
      return false;
  }
}

// ------------------------------------------------------------------------------------------------------------- wanted kinds

/** A size or whole number known at build (maybe symbolic). */
export function sizeOf(cx: Elaboration, e: Expr, scope: Scope, eq: Equation | null): Poly {
  const outer = cx.wantInteger;
  cx.wantInteger = true;
  let v: Value;
  try {
    v = evaluate(cx, e, scope, eq);
  } finally {
    cx.wantInteger = outer;
  }
  if (v.kind === 'integer') return v.poly;
  const c = constantOf(v);
  if (c !== null && Number.isInteger(c)) return num(c);
  return refuse('NN802', e.span, { what: 'a size that is not known when the program is built' });
}

/** An expression as a whole tensor. */
export function wholeTensor(cx: Elaboration, e: Expr, scope: Scope): Node {
  return cx.plain(() => {
    const v = evaluate(cx, e, scope, null);
    if (v.kind === 'instance' || v.kind === 'definition')
      return refuse('NN802', e.span, { what: 'a layer where its result is needed' });
    return cx.at(e.span, () => asTensor(cx, v, e.span, null));
  });
}
