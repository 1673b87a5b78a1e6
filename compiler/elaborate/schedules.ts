/**
 * Schedules: what an optimizer is given that changes from step to step. A schedule is a function of the step; one with a second value, the loss of a
 * validation, also has states, which `if validated { … }` changes.
 *
 * Those states are leaves like an optimizer's slots, but one set for each place where the schedule is written, whatever the number of parameters it
 * serves. A step only reads them. The program `validated` runs the same text with `validated` true, once after each validation, and updates them.
 */
import type { Expr, Span, TrainDeclaration } from '../../grammar/ast.ts';
import type { ProgramModule } from '../check/program.ts';
import { lookup } from '../check/program.ts';
import type { Node, Output } from '../graph/types.ts';
import { asTensor } from './arithmetic.ts';
import { refuse, scalarType, type Elaboration } from './elaboration.ts';
import { bindParameters, runBody, scopeOfModule } from './instances.ts';
import { givenOf } from './objectives.ts';
import { float, tensor, type ScheduleValue, type Value } from './values.ts';

/** What the states of all schedules stand under: no parameter's path has a `/`. */
const PREFIX = 'schedule/';
/** The name of the loss among the inputs of `validated`. */
const LOSS = 'validation_loss';
/** What stands for the loss where there is none; nothing reads it. */
const UNKNOWN: Value = float(Infinity);

/** A schedule at the present step, as a scalar. */
export function scheduleNow(cx: Elaboration, s: ScheduleValue, span: Span): Node {
  const { parameters } = s.callable;
  const step = cx.builder.cast(cx.updates ?? cx.step, 'f32');
  const given = [tensor(step), cx.validation === null ? UNKNOWN : tensor(cx.validation)];
  return scheduleAt(cx, s, given.slice(0, parameters.length), span);
}

/** A schedule at a step that is given, and after a validation with its loss. */
export function scheduleAt(cx: Elaboration, s: ScheduleValue, given: readonly Value[], span: Span): Node {
  const { callable } = s;
  if (given.length !== callable.parameters.length)
    return refuse('NN802', span, {
      what: `the schedule \`${callable.name.text}\` with ${given.length} values: it takes ${callable.parameters.map((p) => p.name.text).join(', ')}`,
    });
  const { slotOf, scheduleOf } = cx;
  const key = `${scheduleOf}/${cx.unit.segment(scheduleOf, s.place, callable.name.text)}`;
  // Two optimizers may share one; a validation counts once.
  const known = cx.scheduled.get(key);
  if (known !== undefined) return known;
  const scope = s.scope.child();
  given.forEach((v, k) => scope.set(callable.parameters[k]!.name.text, v));
  cx.slotOf = key;
  cx.scheduleOf = key;
  try {
    const result = cx.inside(span, `schedule ${callable.name.text}`, () => runBody(cx, callable, scope));
    const node = asTensor(cx, result, span, 'f32');
    if (cx.validation !== null) cx.scheduled.set(key, node);
    return node;
  } finally {
    cx.slotOf = slotOf;
    cx.scheduleOf = scheduleOf;
  }
}

/** Numbers the schedules of a train block in the order of the text, so that what they are called does not depend on which parameter comes first. */
export function nameSchedules(cx: Elaboration, train: TrainDeclaration, module: ProgramModule): void {
  const visit = (v: unknown): void => {
    if (Array.isArray(v)) v.forEach(visit);
    if (typeof v !== 'object' || v === null) return;
    const e = v as Expr;
    const callee = e.kind === 'call' && e.callee.kind === 'name' ? lookup(cx.program, module, e.callee.name) : null;
    if (callee?.declaration.kind === 'schedule') cx.unit.segment(cx.scheduleOf, e, callee.declaration.name.text);
    Object.values(v).forEach(visit);
  };
  for (const s of train.statements) if (s.kind === 'optimizer') visit(s.value);
}

/** Whether a schedule of this train block goes by validations. */
export const goesByValidation = (cx: Elaboration): boolean =>
  [...cx.unit.leaves.keys()].some((path) => path.startsWith(PREFIX));

/** The program that runs after a validation: every schedule once, for what becomes of its states. */
export function validatedGraph(cx: Elaboration, train: TrainDeclaration, module: ProgramModule): Output[] {
  cx.validation = cx.root.input(LOSS, 'scalar', scalarType('f32'), cx.root.origin);
  for (const o of train.statements) {
    if (o.kind !== 'optimizer') continue;
    const call = o.value.kind === 'call' ? o.value : null;
    const callee = call?.callee ?? o.value;
    const d = callee.kind === 'name' ? lookup(cx.program, module, callee.name) : null;
    if (d?.declaration.kind !== 'optimizer') continue;
    const { config } = d.declaration;
    cx.at(o.span, () =>
      bindParameters(cx, config ?? [], givenOf(cx, call, module), scopeOfModule(d.module).child(), o.span),
    );
  }
  return [...cx.current].flatMap(([path, node]): Output[] =>
    node === cx.initial.get(path) ? [] : [{ name: path, node, updates: path }],
  );
}
