/** Which argument belongs to which parameter: positional first, then named; each report names the nearest. */
import type { Expr, Span } from '../../grammar/ast.ts';
import type { Given } from './builtins.ts';
import { asValue, check, checkValue } from './expressions.ts';
import { argumentHabit } from './habits.ts';
import { nearest } from './scope.ts';
import type { Frame, ParameterInfo } from './session.ts';
import type { Type } from './types.ts';

export interface Matched {
  readonly parameter: ParameterInfo;
  readonly given: Given | null;
}

export function matchArguments(
  f: Frame,
  callee: string,
  signature: string,
  parameters: readonly ParameterInfo[],
  args: readonly Given[],
  span: Span,
): readonly Matched[] | null {
  const slots: (Given | null)[] = parameters.map(() => null);
  let ok = true;
  let position = 0;
  for (const a of args) {
    if (a.name === null) {
      if (position >= parameters.length) {
        if (ok) f.report('NN707', a.span, { callee, signature, expected: parameters.length, given: args.length });
        ok = false;
        continue;
      }
      if (slots[position] !== null) {
        f.report('NN709', a.span, { callee, name: parameters[position]!.name });
        ok = false;
      }
      slots[position++] = a;
      continue;
    }
    const k = parameters.findIndex((p) => p.name === a.name);
    if (k < 0) {
      const known = parameters.map((p) => p.name);
      const habit = argumentHabit(a.name, known);
      const suggestion = habit === null ? nearest(a.name, known) : habit.use;
      const at = a.nameSpan ?? a.span;
      f.report(
        'NN708',
        at,
        { callee, name: a.name, suggestion, known, hint: habit?.hint ?? null },
        suggestion === null
          ? []
          : [{ title: `write \`${suggestion}\``, edits: [{ span: at, text: suggestion }], applicability: 'maybe' }],
      );
      ok = false;
      continue;
    }
    if (slots[k] !== null) {
      f.report('NN709', a.nameSpan ?? a.span, { callee, name: a.name });
      ok = false;
    }
    slots[k] = a;
  }
  const missing = parameters.filter((p, k) => slots[k] === null && p.default === null);
  if (ok && missing.length > 0) {
    f.report('NN710', span, { callee, names: missing.map((p) => p.name), signature });
    ok = false;
  }
  if (!ok) {
    for (const a of args) if (a.type === null && a.value !== null && !f.session.types.has(a.value)) check(f, a.value);
    return null;
  }
  return parameters.map((parameter, k) => ({ parameter, given: slots[k]! }));
}

/** The type of an argument. Inside an equation, an argument that names whole tensors and no index is a whole tensor. */
export function argumentType(f: Frame, g: Given): Type {
  if (g.type !== null) return asValue(f, g.type, g.span);
  const value = g.value!;
  if (f.inEquation && namesWhole(f, value) && !namesLetter(f, value)) return f.whole(() => checkValue(f, value));
  return checkValue(f, value);
}

export function some(e: Expr, test: (e: Expr) => boolean | null): boolean {
  const own = test(e);
  if (own !== null) return own;
  switch (e.kind) {
    case 'unary':
      return some(e.operand, test);
    case 'binary':
      return some(e.left, test) || some(e.right, test);
    case 'where':
      return some(e.value, test) || some(e.condition, test);
    case 'else':
      return some(e.left, test) || some(e.right, test);
    case 'pipe':
      return some(e.value, test) || some(e.stage, test);
    case 'call':
      return some(e.callee, test) || e.arguments.some((a) => some(a.value, test));
    case 'read':
      return (
        some(e.target, test) ||
        e.indices.some((i) => {
          if (i.kind === 'expression') return some(i.value, test);
          if (i.kind === 'group')
            return i.parts.some((p) => some({ kind: 'name', name: p.name.text, span: p.span }, test));
          return some({ kind: 'name', name: i.name.text, span: i.span }, test);
        })
      );
    case 'reduce':
      return some(e.operand, test) || (e.guard !== null && some(e.guard, test));
    case 'member':
      return some(e.target, test);
    default:
      return false;
  }
}

function namesWhole(f: Frame, e: Expr): boolean {
  return some(e, (x) => {
    if (x.kind === 'read' || x.kind === 'reduce') return false;
    if (x.kind === 'member') return true;
    if (x.kind !== 'name') return null;
    const found = f.scope.find(x.name);
    return found?.kind === 'value' && found.type.kind === 'tensor' && found.type.shape.length > 0;
  });
}

export function namesLetter(f: Frame, e: Expr): boolean {
  return some(e, (x) => (x.kind === 'name' ? f.scope.find(x.name)?.kind === 'letter' : null));
}
