/**
 * Expressions: the dispatch, names, integers. Arithmetic, choices, calls, reads, reductions and scans have files of their own.
 *
 * `check` records and returns the type of an expression; after a report it is the error type, which unifies with everything.
 * Integers carry their value as a polynomial, booleans their condition: that is how configuration, sizes and index positions are computed.
 */
import type { Expr, NameExpr, Span } from '../../grammar/ast.ts';
import { num } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { checkBinary, checkUnary } from './arithmetic.ts';
import { BUILTIN_NAMES, builtinValue } from './builtins.ts';
import { checkCall, checkPipe } from './calls.ts';
import { checkElse, checkWhere } from './choices.ts';
import { FALSE, TRUE } from './conditions.ts';
import { constType } from './constants.ts';
import { checkRead, checkReduce } from './equations.ts';
import { checkScan } from './loops.ts';
import { checkMember, checkWith, sharedInstance } from './members.ts';
import { nameHabit } from './habits.ts';
import { judgement, showType } from './report.ts';
import { nearest } from './scope.ts';
import { Frame, OUTSIDE_VALIDATED, standsFor } from './session.ts';
import { ERROR, boolOf, intOf, isInteger, numberOf, tensor, valueOf } from './types.ts';
import type { Type } from './types.ts';

/** The type of an expression; names of callables stay callables. */
export function check(f: Frame, e: Expr): Type {
  const type = f.session.deeper(() => compute(f, e)) ?? tooDeep(f, e);
  f.session.types.set(e, type);
  return type;
}

function tooDeep(f: Frame, e: Expr): Type {
  // Both sides of the operator at the limit are one cause.
  if (!f.tooDeep) f.report('NN724', e.span, {});
  f.tooDeep = true;
  return ERROR;
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
      for (const item of e.items) checkValue(f, item);
      f.report('NN726', e.span, {});
      return ERROR;
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
    f.session.references.set(standsFor.get(e) ?? e, { kind: 'local', binding: found });
    switch (found.kind) {
      case 'value':
        if (found.origin === 'measure' && !f.isValidated)
          f.report('NN721', e.span, { what: `\`${e.name}\``, where: OUTSIDE_VALIDATED });
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
    f.session.references.set(standsFor.get(e) ?? e, { kind: 'definition', definition });
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
    f.session.references.set(standsFor.get(e) ?? e, { kind: 'builtin', name: e.name });
    return builtin;
  }
  undefinedName(f, e.name, e.span);
  return ERROR;
}

/** Everything a name could mean here, for suggestions. */
export function visibleNames(f: Frame): string[] {
  return [...f.scope.visible(), ...f.session.units.names(f.module), ...BUILTIN_NAMES];
}

/** Names of declarations that contain the word: someone who writes `norm` may mean `l2_normalize`. */
function alike(f: Frame, name: string): readonly string[] {
  const word = name.toLowerCase();
  if (word.length < 4) return [];
  // Functions are written small and layers with a capital: what is written alike first, then what is short.
  const apart = (other: string): number => Number(/^[A-Z]/.test(other) !== /^[A-Z]/.test(name)) * 100 + other.length;
  return f.session.units
    .names(f.module)
    .filter((other) => other.toLowerCase().includes(word))
    .sort((a, b) => apart(a) - apart(b) || (a < b ? -1 : 1))
    .slice(0, 6);
}

export function undefinedName(f: Frame, name: string, span: Span, others: readonly Fix[] = []): void {
  if (f.damaged) return;
  // What an import did not find has been said there. Imports are no part of what a unit asks, so it is not repeated.
  f.session.units.unrepeatable();
  const imported = f.module.ast.declarations.some(
    (d) => d.kind === 'import' && d.names.some((n) => (n.as ?? n.name).text === name),
  );
  if (imported) return;
  const habit = nameHabit(name);
  const suggestion = habit === null ? nearest(name, visibleNames(f)) : habit.use;
  // It is not unused: it is what was meant.
  const meant = suggestion === null ? null : f.scope.find(suggestion);
  if (meant !== null) meant.used = true;
  f.report(
    'NN704',
    span,
    {
      name,
      suggestion,
      known: [...f.scope.visible()].slice(0, 12),
      alike: suggestion === null ? alike(f, name) : [],
      hint: habit?.hint ?? (others.length > 0 ? 'a new name is introduced by `let`' : null),
    },
    [
      ...(suggestion === null
        ? []
        : [{ title: `write \`${suggestion}\``, edits: [{ span, text: suggestion }], applicability: 'maybe' as const }]),
      ...others,
    ],
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
