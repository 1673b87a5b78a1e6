/**
 * Roles: what values mean beyond their type (probabilities, their logarithms, something in [0, 1], something not negative).
 *
 * They flow with the data; an alarm needs positive knowledge, so everything doubtful becomes `real` or `problike` and stays quiet. Scaling or
 * blending probabilities by hand (temperature, label smoothing, clipping) gives `problike`; log and exp swap `probs` and `log_probs`.
 * Roles are hints for people: no code is generated from them.
 */
import type { BinaryOperator, ReduceOperator, Span } from '../../grammar/ast.ts';
import type { Frame, ParameterInfo } from './session.ts';
import type { Role, RoleKind, TensorType, Type } from './types.ts';
import { REAL } from './types.ts';

export const role = (kind: RoleKind, axis: Role['axis'] = null, from: Span | null = null): Role => ({
  kind,
  axis,
  from,
});

const isProb = (r: Role): boolean => r.kind === 'probs' || r.kind === 'problike';
const notNegative = (r: Role): boolean => r.kind !== 'real' && r.kind !== 'log_probs';

export function roleOf(t: Type): Role {
  if (t.kind === 'tensor') return t.role;
  if (t.kind !== 'number') return REAL;
  const v = t.literal;
  return v === null ? REAL : v >= 0 && v <= 1 ? role('unit') : v >= 0 ? role('nonneg') : REAL;
}

/** The role of `a op b`. A literal in [0, 1] counts as `unit`. */
export function binaryRole(op: BinaryOperator, left: Type, right: Type): Role {
  const a = roleOf(left);
  const b = roleOf(right);
  switch (op) {
    case '*':
      if (isProb(a) && b.kind === 'unit') return { ...a, kind: 'problike' };
      if (isProb(b) && a.kind === 'unit') return { ...b, kind: 'problike' };
      if (a.kind === 'unit' && b.kind === 'unit') return role('unit');
      return notNegative(a) && notNegative(b) ? role('nonneg') : REAL;
    case '+':
      if (isProb(a) && isProb(b)) return { ...a, kind: 'problike' };
      if (isProb(a) && notNegative(b)) return { ...a, kind: 'problike' };
      if (isProb(b) && notNegative(a)) return { ...b, kind: 'problike' };
      return notNegative(a) && notNegative(b) ? role('nonneg') : REAL;
    case '-':
      // 1 - p
      return left.kind === 'number' && left.literal === 1 && (b.kind === 'unit' || isProb(b)) ? role('unit') : REAL;
    case '/':
      if (isProb(a)) return { ...a, kind: 'problike' };
      return notNegative(a) && notNegative(b) ? role('nonneg') : REAL;
    case '^':
      if (right.kind === 'number' && right.literal !== null && right.literal % 2 === 0) return role('nonneg');
      return notNegative(a) ? role(a.kind === 'nonneg' ? 'nonneg' : 'unit') : REAL;
    default:
      return REAL;
  }
}

/** The role of an elementwise built-in's result. */
export function elementwiseRole(name: string, argument: Role, span: Span): Role {
  switch (name) {
    case 'exp':
      return argument.kind === 'log_probs' ? role('probs', argument.axis, argument.from) : role('nonneg');
    case 'log':
      return argument.kind === 'probs' ? role('log_probs', argument.axis, span) : REAL;
    case 'sqrt':
    case 'abs':
      return role('nonneg');
    case 'stop_gradient':
    case 'float':
      return argument;
    case 'min':
    case 'max':
      return isProb(argument) ? { ...argument, kind: 'problike' } : REAL;
    default:
      return REAL;
  }
}

/** The role of a reduction over the letters with these atoms. */
export function reduceRole(op: ReduceOperator, operand: Role, atoms: readonly string[], span: Span): Role {
  const over = typeof operand.axis === 'string' && atoms.includes(operand.axis);
  switch (op) {
    case 'softmax':
      return role('probs', atoms[0] ?? null, span);
    case 'mean':
      return over
        ? role(operand.kind === 'log_probs' ? 'real' : 'unit')
        : operand.kind === 'log_probs'
          ? REAL
          : operand;
    case 'max':
    case 'min':
      return over
        ? isProb(operand)
          ? role('unit')
          : REAL
        : operand.kind === 'probs'
          ? { ...operand, kind: 'problike' }
          : operand;
    case 'sum':
      return notNegative(operand) ? role('nonneg') : REAL;
    default:
      return REAL;
  }
}

/** A value that is one of two (branches, `else`, rounds of a loop). */
export function joinRoles(a: Role, b: Role): Role {
  if (a.kind === b.kind) return a.axis === b.axis ? a : { ...a, axis: null };
  if (isProb(a) && notNegative(b)) return { ...a, kind: 'problike' };
  if (isProb(b) && notNegative(a)) return { ...b, kind: 'problike' };
  return notNegative(a) && notNegative(b) ? role('nonneg') : REAL;
}

/** Moves a role between a tensor's axes (from the end) and the letters of an equation. */
export function mapRoleAxis(r: Role, move: (axis: number | string) => number | string | null): Role {
  return r.axis === null ? r : { ...r, axis: move(r.axis) };
}

/** Whether the argument's role contradicts what the parameter demands; reports it. */
export function checkDemand(
  f: Frame,
  callee: string,
  parameter: ParameterInfo,
  actual: TensorType,
  span: Span,
  fixes: Parameters<Frame['report']>[3] = [],
): void {
  const { demand } = parameter;
  if (demand === null) return;
  const { kind, from } = actual.role;
  const facts = { callee, parameter: parameter.name, role: kind, from };
  if (demand === 'logits') {
    // Logarithms of probabilities are legal as logits.
    if (kind === 'probs') f.report('NN301', span, { ...facts, demanded: 'logits' }, fixes);
    else if (kind === 'problike') f.report('NN302', span, facts);
    return;
  }
  if (demand === 'probs' && kind === 'log_probs') f.report('NN301', span, { ...facts, demanded: 'probs' });
  if (demand === 'log_probs' && (kind === 'probs' || kind === 'unit'))
    f.report('NN301', span, { ...facts, demanded: 'log_probs' });
}
