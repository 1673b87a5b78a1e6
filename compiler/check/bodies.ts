/** Whole bodies: what a callable's statements give, compared with what it declares. Also masks, and names that nothing uses. */
import type { Callable, Span } from '../../grammar/ast.ts';
import { sameAxis } from './broadcast.ts';
import { isBelow } from './choices.ts';
import { inEquation } from './equations.ts';
import { checkValue } from './expressions.ts';
import { sameType } from './loops.ts';
import { aligned, axisWhy, chain, judgement, showType } from './report.ts';
import { joinRoles } from './roles.ts';
import { Frame } from './session.ts';
import type { Signature } from './session.ts';
import { checkStatements } from './statements.ts';
import { ERROR, formatType, isFloat, isInteger } from './types.ts';
import type { TensorType, Type } from './types.ts';

/** Checks a callable's body and sets the signature's result. */
export function checkBody(f: Frame, callable: Callable, signature: Signature): void {
  const { result } = signature;
  if (callable.kind === 'mask') return checkMask(f, callable);
  if (signature.contextual.length > 0 && result?.kind === 'tensor') f.drawShape = result.shape;
  const returned = checkStatements(f, callable.body.statements);
  const last = f.lastValue;
  if (!returned && last !== null) f.returns.push({ type: last.type, knowledge: f.know, span: last.span });
  if (returned || last !== null || callable.kind === 'optimizer') unusedNames(f);
  if (callable.kind === 'optimizer') return;
  if (callable.kind === 'schedule') {
    for (const r of f.returns)
      if (
        r.type.kind !== 'number' &&
        r.type.kind !== 'error' &&
        !(r.type.kind === 'tensor' && r.type.shape.length === 0)
      )
        f.report('NN109', r.span, plainMismatch(callable.name.text, 'a number', showType(f, r.type)));
    return;
  }
  if (f.returns.length === 0) {
    if (!f.damaged) f.report('NN717', callable.name.span, { name: callable.name.text });
    signature.result ??= ERROR;
    return;
  }
  if (!returned && last === null && f.returns.length > 0 && !f.damaged)
    f.report('NN717', callable.name.span, { name: callable.name.text });
  if (result !== null) {
    const role = f.returns.map((r) => matchResult(f, callable, signature, result, r.type, r.span, r.knowledge));
    // The body knows more about roles than a plain declaration.
    if (result.kind === 'tensor' && result.role.kind === 'real') {
      const roles = role.filter((r) => r !== null);
      if (roles.length === f.returns.length && roles.length > 0)
        signature.result = { ...result, role: roles.reduce((a, b) => joinRoles(a, b)) };
    }
    return;
  }
  // The most general way is the last one; earlier ones must agree with it under their own facts.
  const candidate = f.returns.at(-1)!;
  for (const r of f.returns.slice(0, -1)) {
    const saved = f.know;
    f.know = r.knowledge;
    if (!sameType(f, candidate.type, r.type))
      f.report('NN114', r.span, {
        name: 'the result',
        then: showType(f, r.type),
        otherwise: showType(f, candidate.type),
      });
    f.know = saved;
  }
  signature.result = candidate.type.kind === 'none' ? ERROR : candidate.type;
}

const plainMismatch = (name: string, declared: string, actual: string) => ({
  name,
  declared,
  actual,
  shapes: null,
  declaredSpan: null,
  judgement: null,
  chain: [],
});

function checkMask(f: Frame, callable: Callable): void {
  const [only] = callable.body.statements;
  if (
    only === undefined ||
    callable.body.statements.length > 1 ||
    (only.kind !== 'expression' && only.kind !== 'return')
  ) {
    const where = 'a mask, whose body is one expression';
    if (f.damaged) return;
    if (only === undefined) f.report('NN717', callable.name.span, { name: callable.name.text });
    else f.report('NN721', only.span, { what: `\`${f.session.program.sources.text(only.span)}\``, where });
    return;
  }
  const value = only.value;
  if (value === null) return;
  // Positions lie inside the tensors they index: the application says how far they go.
  f.undefinedness = [];
  const type = inEquation(f, value, { constraints: [], letters: [], quiet: false, guarded: false }, () =>
    checkValue(f, value),
  );
  const isBool = (type.kind === 'tensor' && type.dtype === 'bool') || (type.kind === 'number' && type.dtype === 'bool');
  if (!isBool && type.kind !== 'error' && type.kind !== 'mask')
    f.report('NN124', value.span, { what: `mask ${callable.name.text}`, expected: 'bool', actual: showType(f, type) });
}

/** Compares a result with the declared one; gives its role where it fits. */
function matchResult(
  f: Frame,
  callable: Callable,
  signature: Signature,
  declared: Type,
  actual: Type,
  span: Span,
  knowledge: Frame['know'],
): TensorType['role'] | null {
  if (declared.kind === 'error' || actual.kind === 'error') return null;
  const { text } = callable.name;
  const declaredSpan = Array.isArray(callable.result)
    ? null
    : ((callable.result as { span: Span } | null)?.span ?? null);
  if (declared.kind === 'record') {
    if (actual.kind !== 'record') {
      f.report('NN109', span, { ...plainMismatch(text, formatType(declared), showType(f, actual)), declaredSpan });
      return null;
    }
    for (const [name, type] of declared.fields) {
      const field = actual.fields.get(name);
      if (field === undefined)
        f.report('NN109', span, { ...plainMismatch(text, formatType(declared), formatType(actual)), declaredSpan });
      else matchResult(f, callable, signature, type, field, span, knowledge);
    }
    return null;
  }
  if (declared.kind !== 'tensor') return null;
  const outer = f.know;
  f.know = knowledge;
  try {
    if (actual.kind === 'number' || (actual.kind === 'tensor' && actual.shape.length === 0)) {
      const fits = elementFits(declared, actual);
      // An initialiser may give one number for all.
      if (fits && (declared.shape.length === 0 || signature.contextual.length > 0))
        return actual.kind === 'tensor' ? actual.role : null;
    }
    if (actual.kind !== 'tensor') {
      f.report('NN109', span, { ...plainMismatch(text, showType(f, declared), showType(f, actual)), declaredSpan });
      return null;
    }
    const axis =
      declared.shape.length !== actual.shape.length
        ? null
        : declared.shape.findIndex((a, k) => !sameAxis(f, a, actual.shape[k]!));
    if (axis !== -1) {
      const [x, y] = [declared.shape[axis ?? 0], actual.shape[axis ?? 0]];
      const verdict =
        axis !== null && x?.kind === 'size' && y?.kind === 'size' ? judgement(f.know.equal(x.size, y.size)) : null;
      f.report('NN109', span, {
        name: text,
        declared: showType(f, declared),
        actual: showType(f, actual),
        shapes: aligned(f, 'declared', declared.shape, 'given', actual.shape, axis),
        declaredSpan,
        judgement: verdict,
        chain: chain(f, ...(axis === null ? actual.shape.map(axisWhy) : [axisWhy(y)])),
      });
      return null;
    }
    const below = declared.below !== null && !isBelow(f, actual, declared.below);
    if (!elementFits(declared, actual) || below) {
      f.report('NN109', span, { ...plainMismatch(text, showType(f, declared), showType(f, actual)), declaredSpan });
      return null;
    }
    return actual.role;
  } finally {
    f.know = outer;
  }
}

function elementFits(declared: TensorType, actual: Type): boolean {
  if (actual.kind !== 'tensor' && actual.kind !== 'number') return false;
  const element = actual.kind === 'number' ? (actual.dtype === 'int' ? 'i32' : actual.dtype) : actual.dtype;
  if (isFloat(declared.dtype)) return isFloat(element) || (actual.kind === 'number' && element === 'i32');
  return isInteger(declared.dtype) ? isInteger(element) : element === declared.dtype;
}

/** A `let` that nothing reads is a slip or a leftover. */
export function unusedNames(f: Frame): void {
  if (f.damaged || f.module.library) return;
  for (const [name, bindings] of f.bindings) {
    if (bindings.some((b) => b.used || b.origin !== 'let') || name.text.startsWith('_')) continue;
    if (bindings.some((b) => b.type.kind === 'error')) continue;
    f.report('NN706', name.span, { name: name.text, what: 'let' });
  }
}
