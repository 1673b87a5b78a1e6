/** Configuration: `Linear(64)` makes an instance with `out = 64`. Integers become sizes of the instance, flags its conditions. */
import type { Callable, Span } from '../../grammar/ast.ts';
import { asConst, substitute } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { opaqueOf } from './arithmetic.ts';
import { signatureText, unifyArguments } from './apply.ts';
import { argumentType, matchArguments } from './arguments.ts';
import type { Matched } from './arguments.ts';
import type { Given } from './builtins.ts';
import type { Condition } from './conditions.ts';
import { integerOf } from './expressions.ts';
import { showType } from './report.ts';
import { signatureOf } from './signature.ts';
import type { Definition } from './program.ts';
import type { Frame } from './session.ts';
import type { Instance, Type } from './types.ts';
import { conditionOf, ERROR, isFloat } from './types.ts';

/** The instance, or null after a report. */
export function configure(
  f: Frame,
  definition: Definition,
  args: readonly Given[],
  span: Span,
  label: string | null,
): Instance | null {
  const signature = signatureOf(f.session, definition);
  const callable = definition.declaration as Callable;
  const name = callable.name.text;
  const parameters = signature.config ?? [];
  if (signature.damaged) {
    for (const a of args) argumentType(f, a);
    return bare(definition, label, span);
  }
  const tensorFirst = args.find((a, k) => a.name === null && isTensorArgument(f, a, parameters[k]?.type ?? null));
  if (tensorFirst !== undefined && callable.kind !== 'mask') {
    f.report('NN713', tensorFirst.span, { callee: name, signature: signatureText(f, signature) });
    return null;
  }
  const matched = matchArguments(f, name, signatureText(f, signature), parameters, args, span);
  if (matched === null) return null;
  const values = new Map<string, Type>();
  const sizes = new Map<string, Poly>();
  const flags = new Map<string, Condition>();
  let ok = true;
  const tensors: Matched[] = [];
  for (const m of matched) {
    const { parameter, given } = m;
    const wanted = parameter.type;
    if (wanted.kind === 'tensor') {
      tensors.push(m);
      continue;
    }
    let actual: Type;
    if (given !== null) actual = argumentType(f, given);
    else actual = defaultOf(parameter.defaultType, sizes);
    values.set(parameter.name, actual);
    if (
      !bindNumber(
        f,
        `\`${parameter.name}\` of ${name}`,
        parameter.name,
        wanted,
        actual,
        given?.span ?? span,
        sizes,
        flags,
      )
    )
      ok = false;
  }
  if (!ok) return null;
  if (tensors.length > 0 && !unifyArguments(f, name, tensors, sizes, new Map(), span)) return null;
  return { definition, label, config: values, flags, sizes, fixed: new Map(), shared: false, span };
}

const bare = (definition: Definition, label: string | null, span: Span): Instance => ({
  definition,
  label,
  config: new Map(),
  flags: new Map(),
  sizes: new Map(),
  fixed: new Map(),
  shared: false,
  span,
});

/** A default in the callee's own numbers, with those already bound. */
export function defaultOf(type: Type | null, sizes: ReadonlyMap<string, Poly>): Type {
  if (type === null) return ERROR;
  return type.kind === 'number' && type.value !== null ? { ...type, value: substitute(type.value, sizes) } : type;
}

function isTensorArgument(f: Frame, a: Given, wanted: Type | null): boolean {
  if (wanted?.kind === 'tensor') return false;
  const value = a.value;
  if (value?.kind !== 'name') return false;
  const found = f.scope.find(value.name);
  return found?.kind === 'value' && found.type.kind === 'tensor' && found.type.shape.length > 0;
}

/** Checks one number, mask or schedule and binds what it says about sizes. False after a report. */
export function bindNumber(
  f: Frame,
  what: string,
  name: string,
  wanted: Type,
  actual: Type,
  span: Span,
  sizes: Map<string, Poly>,
  flags: Map<string, Condition>,
): boolean {
  if (actual.kind === 'error' || wanted.kind === 'error') return false;
  const kindError = (expected: string): boolean => {
    f.report('NN712', span, { what, expected, actual: showType(f, actual) });
    return false;
  };
  switch (wanted.kind) {
    case 'mask':
      return actual.kind === 'mask' || kindError('a mask');
    case 'schedule':
      return actual.kind === 'schedule' || isNumber(actual) || kindError('a number or a schedule');
    case 'leaves':
      // One tensor is a record of one leaf.
      return (
        actual.kind === 'leaves' ||
        (actual.kind === 'tensor' && isFloat(actual.dtype)) ||
        kindError('a record of leaves, as `m.params`')
      );
    case 'number':
      break;
    default:
      return true;
  }
  if (wanted.dtype === 'int') {
    const value = integerOf(f, actual, span, what);
    if (value === null) return false;
    if (asConst(value) !== null && asConst(value)! < 0) {
      f.report('NN120', span, { what, needed: 'an integer that is not negative', actual: String(asConst(value)) });
      return false;
    }
    sizes.set(name, value);
    return true;
  }
  if (wanted.dtype === 'bool') {
    if ((actual.kind !== 'number' && actual.kind !== 'tensor') || actual.dtype !== 'bool')
      return kindError('true or false');
    if (actual.kind === 'tensor' && actual.shape.length > 0) return kindError('true or false');
    flags.set(name, conditionOf(actual) ?? opaqueOf(f, span, actual.kind === 'number'));
    return true;
  }
  // A float: a number, or the value of a schedule in an optimizer.
  if (isNumber(actual)) return true;
  if (actual.kind === 'tensor' && actual.shape.length === 0 && (isFloat(actual.dtype) || actual.dtype === 'i32'))
    return true;
  return kindError('a number');
}

const isNumber = (t: Type): boolean => t.kind === 'number' && t.dtype !== 'bool';
