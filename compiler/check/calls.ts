/**
 * Calls: which list of arguments goes where, and pipes. What a call does with its shapes is in `apply.ts`.
 *
 * A configuration list, where declared, always comes first (`LayerNorm()(x)`); only a bare name in a pipe omits it.
 */
import type { CallExpr, Callable, PipeExpr, Span } from '../../grammar/ast.ts';
import { apply, signatureText } from './apply.ts';
import type { Call } from './apply.ts';
import { configure } from './configure.ts';
import { callBuiltin, given } from './builtins.ts';
import type { Given } from './builtins.ts';
import { check, checkValue } from './expressions.ts';
import { applyMask } from './masks.ts';
import { sharedInstance } from './members.ts';
import { showType, sourceText } from './report.ts';
import { signatureOf } from './signature.ts';
import type { Definition } from './program.ts';
import type { Frame } from './session.ts';
import type { Instance, Type } from './types.ts';
import { ERROR, formatType, numberOf } from './types.ts';

const piped = (type: Type, span: Span): Given => ({ name: null, nameSpan: null, value: null, type, span });

export function checkCall(f: Frame, e: CallExpr): Type {
  return call(f, e, check(f, e.callee), null, null);
}

export function checkPipe(f: Frame, e: PipeExpr): Type {
  return checkStage(f, checkValue(f, e.value), e);
}

/** A stage of a pipe into which a value of this type goes. */
export function checkStage(
  f: Frame,
  value: Type,
  e: Pick<PipeExpr, 'label' | 'stage' | 'span'> & { readonly value: { readonly span: Span } },
): Type {
  const first = piped(value, e.value.span);
  const { stage } = e;
  if (e.label !== null) noteLabel(f, e.label.text, e.label.span);
  const label = e.label?.text ?? null;
  if (stage.kind === 'call') {
    const type = call(f, stage, check(f, stage.callee), first, label, e.span);
    f.session.types.set(stage, type);
    return type;
  }
  const callee = check(f, stage);
  if (callee.kind === 'error') return ERROR;
  if (callee.kind === 'callable') {
    const declaration = callee.definition.declaration as Callable;
    // A bare name stands for `Name()` applied to the value.
    if (declaration.config !== null) {
      const configured = configure(f, callee.definition, [], stage.span, label);
      return configured === null
        ? ERROR
        : applyConfigured(f, callee.definition, configured, [first], e.span, label, stage.span);
    }
  }
  return call(f, { kind: 'call', callee: stage, arguments: [], span: stage.span }, callee, first, label, e.span);
}

/** Labels and leaves name parameters: one body, one meaning each. */
export function noteLabel(f: Frame, text: string, span: Span): void {
  const first = f.labels.get(text);
  if (first !== undefined && (first.start !== span.start || first.file !== span.file))
    f.report('NN714', span, { name: text, what: 'label', first });
  else f.labels.set(text, span);
}

function call(
  f: Frame,
  e: CallExpr,
  callee: Type,
  first: Given | null,
  label: string | null,
  whole: Span = e.span,
): Type {
  const args = e.arguments.map(given);
  const all = first === null ? args : [first, ...args];
  const touch = (): Type => {
    for (const a of args) if (a.value !== null) check(f, a.value);
    return ERROR;
  };
  switch (callee.kind) {
    case 'error':
      return touch();
    case 'builtin':
      return callBuiltin(f, e, callee.name, all);
    case 'callable':
      return callDefinition(f, e, callee.definition, args, first, label, whole);
    case 'instance':
      return apply(f, {
        span: whole,
        definition: callee.instance.definition,
        instance: callee.instance,
        args: all,
        label,
        stage: e.span,
      });
    case 'mask':
      return applyMask(f, e, callee.definition, all);
    case 'schedule':
      f.handsOn = true;
      touch();
      f.handsOn = false;
      return numberOf('float');
    default:
      f.report('NN711', e.callee.span, {
        what:
          callee.kind === 'tensor'
            ? `\`${sourceText(f, e.callee.span)}\` (${showType(f, callee)})`
            : formatType(callee),
      });
      return touch();
  }
}

function callDefinition(
  f: Frame,
  e: CallExpr,
  definition: Definition,
  args: readonly Given[],
  first: Given | null,
  label: string | null,
  whole: Span,
): Type {
  const declaration = definition.declaration;
  if (declaration.kind === 'const' || declaration.kind === 'train') return ERROR;
  if (declaration.config !== null) {
    const configured = configure(f, definition, args, e.span, label);
    if (configured === null) return ERROR;
    if (first !== null) return applyConfigured(f, definition, configured, [first], whole, label, e.span);
    switch (declaration.kind) {
      case 'mask':
        return { kind: 'mask', definition };
      case 'schedule':
        return { kind: 'schedule' };
      case 'optimizer':
        return { kind: 'optimizer', definition };
      default:
        return { kind: 'instance', instance: configured };
    }
  }
  const all = first === null ? args : [first, ...args];
  switch (declaration.kind) {
    case 'mask':
      return applyMask(f, e, definition, all);
    case 'schedule':
      for (const a of args) if (a.value !== null) check(f, a.value);
      return numberOf('float');
    case 'model':
      return apply(f, {
        span: whole,
        definition,
        instance: sharedInstance(f, definition),
        args: all,
        label,
        stage: e.span,
      });
    case 'block':
      if (all.length === 0 && declaration.parameters.some((p) => p.default === null)) {
        const configured = configure(f, definition, [], e.span, label);
        return configured === null ? ERROR : { kind: 'instance', instance: configured };
      }
      return applyFresh(f, definition, all, whole, label, e.span);
    default:
      return applyFresh(f, definition, all, whole, label, e.span);
  }
}

function applyFresh(
  f: Frame,
  definition: Definition,
  args: readonly Given[],
  span: Span,
  label: string | null,
  stage: Span,
): Type {
  const instance: Instance = {
    definition,
    label,
    config: new Map(),
    flags: new Map(),
    sizes: new Map(),
    fixed: new Map(),
    shared: false,
    span,
  };
  return apply(f, { span, definition, instance, args, label, stage });
}

function applyConfigured(
  f: Frame,
  definition: Definition,
  instance: Instance,
  args: readonly Given[],
  span: Span,
  label: string | null,
  stage: Span,
): Type {
  const made: Call = { span, definition, instance, args, label, stage };
  if ((definition.declaration as Callable).kind === 'mask') {
    f.report('NN711', span, { what: signatureText(f, signatureOf(f.session, definition)) });
    return ERROR;
  }
  return apply(f, made);
}
