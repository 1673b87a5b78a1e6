/**
 * Calling what is declared: functions, blocks, models. Binds arguments to parameters and sizes to names, makes instances and their persistent
 * leaves. What the arguments look like in the text is `calls.ts`.
 */
import type { Callable, Dim, Expr, LeafStatement, Parameter, Span, Statement, TypeExpr } from '../../grammar/ast.ts';
import type { ProgramModule } from '../check/program.ts';
import type { DType, Node, TensorType } from '../graph/types.ts';
import {
  asConst,
  coefficientOf,
  divideExact,
  floorDiv,
  name as sizeName,
  names,
  sub,
  type Poly,
} from '../sizes/poly.ts';
import { asTensor, real } from './arithmetic.ts';
import { joinPath, refuse, type Elaboration, type LeafRecord } from './elaboration.ts';
import { evaluate, sizeOf } from './expressions.ts';
import { isRecordName, leavesAt, networkOf, seenLeaf } from './records.ts';
import { scheduleNow } from './schedules.ts';
import { Scope } from './scope.ts';
import { execute } from './statements.ts';
import { integer, tensor, type InstanceValue, type MaskValue, type Value } from './values.ts';

const moduleScopes = new WeakMap<ProgramModule, Scope>();

/** The scope of a module's text: empty, since top-level names are looked up in the module itself. */
export function scopeOfModule(module: ProgramModule): Scope {
  let scope = moduleScopes.get(module);
  if (scope === undefined) moduleScopes.set(module, (scope = new Scope(module)));
  return scope;
}

// ------------------------------------------------------------------------------------------------------------------- arguments

/** An argument as given: by position or name; `text` is its own name when it is a plain name (for masks). */
export interface Given {
  readonly name: string | null;
  readonly value: Value;
  readonly text: string | null;
  readonly span: Span;
}

const DTYPES: Record<string, DType> = { float: 'f32', f32: 'f32', f16: 'f16', i32: 'i32', bool: 'bool' };

export const dtypeOf = (type: TypeExpr): DType | null => DTYPES[type.dtype.text] ?? null;

/** Matches a declared shape with actual sizes: introduces names, runs, and names that stand alone in a linear size. */
export function bindShape(cx: Elaboration, scope: Scope, dims: readonly Dim[], sizes: readonly Poly[]): void {
  const run = dims.findIndex((d) => d.kind === 'run');
  const at = (k: number): Poly => sizes[run >= 0 && k > run ? sizes.length - dims.length + k : k]!;
  dims.forEach((d, k) => {
    if (d.kind === 'run') {
      if (scope.find(d.name.text) === null)
        scope.set(d.name.text, { kind: 'run', sizes: sizes.slice(k, sizes.length - (dims.length - 1 - k)) });
    } else if (d.value.kind === 'name' && isFreeSize(cx, scope, d.value.name)) scope.set(d.value.name, integer(at(k)));
  });
  dims.forEach((d, k) => {
    if (d.kind !== 'size' || d.value.kind === 'name') return;
    const unknown = [...namesIn(d.value)].filter((n) => isFreeSize(cx, scope, n));
    if (unknown.length !== 1) return;
    // Linear in its only unknown: solve.
    const trial = scope.child();
    trial.set(unknown[0]!, integer(sizeName(unknown[0]!)));
    const p = sizeOf(cx, d.value, trial, null);
    const parts = coefficientOf(p, unknown[0]!);
    if (parts === null) return;
    const rest = sub(at(k), parts.rest);
    scope.set(unknown[0]!, integer(divideExact(rest, parts.coefficient) ?? floorDiv(rest, parts.coefficient)));
  });
}

const isFreeSize = (cx: Elaboration, scope: Scope, text: string): boolean =>
  /^[A-Z]/.test(text) && scope.find(text) === null && !scope.module.names.has(text) && !cx.program.library.has(text);

export function namesIn(e: Expr, into = new Set<string>()): Set<string> {
  if (e.kind === 'name') into.add(e.name);
  else if (e.kind === 'binary') {
    namesIn(e.left, into);
    namesIn(e.right, into);
  } else if (e.kind === 'unary') namesIn(e.operand, into);
  else if (e.kind === 'call') for (const a of e.arguments) namesIn(a.value, into);
  return into;
}

/** The sizes that a declared shape has in this scope. */
export function sizesOf(cx: Elaboration, dims: readonly Dim[], scope: Scope): Poly[] {
  return dims.flatMap((d) => {
    if (d.kind === 'size') return [sizeOf(cx, d.value, scope, null)];
    const run = scope.get(d.name.text);
    if (run?.kind !== 'run') return refuse('NN802', d.span, { what: `the unknown run \`...${d.name.text}\`` });
    return [...run.sizes];
  });
}

/** Gives every parameter its value in `scope`: by position, by name, by default. */
export function bindParameters(
  cx: Elaboration,
  parameters: readonly Parameter[],
  given: readonly Given[],
  scope: Scope,
  span: Span,
  /** Defaults that speak of sizes not known yet are left out. */
  deferring = false,
): void {
  const positional = given.filter((g) => g.name === null);
  const named = new Map(given.filter((g) => g.name !== null).map((g) => [g.name!, g]));
  const open: Parameter[] = [];
  for (const p of parameters) if (!named.has(p.name.text)) open.push(p);
  const values = new Map<Parameter, Value>();
  positional.forEach((g, k) => {
    const p = open[k];
    if (p === undefined) refuse('NN802', span, { what: 'more arguments than parameters' });
    else values.set(p, g.value);
  });
  for (const p of parameters) {
    const n = named.get(p.name.text);
    if (n !== undefined) values.set(p, n.value);
  }
  // Given tensors bind sizes before defaults are evaluated, which may speak of them.
  const bindOne = (p: Parameter, v: Value): void => {
    const value = adapt(cx, p, v, span);
    const shape = p.type?.shape ?? null;
    if (shape !== null && value.kind === 'tensor') bindShape(cx, scope, shape, value.node.type.sizes);
    scope.set(p.name.text, value);
  };
  const shaped = (p: Parameter): boolean => (p.type?.shape ?? null) !== null;
  const byDefault = (p: Parameter): void => {
    const value = cx.plain(() => evaluate(cx, p.default!, scope, null));
    const shape = p.type?.shape ?? null;
    if (shape === null || (value.kind !== 'integer' && value.kind !== 'float')) return bindOne(p, value);
    // `weights: float[C] = 1`: the number stands at every place.
    const node = asTensor(cx, value, span, null, sizesOf(cx, shape, scope));
    bindOne(p, tensor(dtypeOf(p.type!) === 'f32' ? real(cx, node) : node));
  };
  const tensors = new Set(parameters.filter(shaped).map((p) => p.name.text));
  const ofTensor = (p: Parameter): boolean => [...namesIn(p.default!)].some((n) => tensors.has(n));
  // Numbers before shapes that may speak of them, shapes before defaults that may speak of their sizes.
  for (const p of parameters) {
    const v = values.get(p);
    if (!shaped(p) && v !== undefined) bindOne(p, v);
    else if (!shaped(p) && p.default !== null && !waits(cx, scope, p) && !ofTensor(p)) byDefault(p);
  }
  for (const p of parameters) {
    const v = values.get(p);
    if (shaped(p) && v !== undefined) bindOne(p, v);
  }
  for (const p of parameters) {
    if (scope.bindings.has(p.name.text)) continue;
    if (p.default === null) refuse('NN802', span, { what: `the missing argument \`${p.name.text}\`` });
    else if (!deferring || !waits(cx, scope, p)) byDefault(p);
  }
}

/** Whether a default speaks of sizes that only the tensor arguments will give. */
const waits = (cx: Elaboration, scope: Scope, p: Parameter): boolean =>
  p.default !== null && [...namesIn(p.default)].some((n) => isFreeSize(cx, scope, n));

/** A value as its parameter's type wants it. */
function adapt(cx: Elaboration, p: Parameter, v: Value, span: Span): Value {
  const type = p.type;
  if (type === null) return v;
  if (type.dtype.text === 'mask') return maskOf(cx, v, span);
  if (type.dtype.text === 'schedule') return v.kind === 'schedule' ? tensor(scheduleNow(cx, v, span)) : v;
  const dtype = dtypeOf(type);
  if (type.shape !== null && dtype !== null) {
    const node = asTensor(cx, v, span, v.kind === 'tensor' && v.node.type.dtype === 'f16' ? 'f32' : dtype);
    return tensor(node);
  }
  return v;
}

export function maskOf(cx: Elaboration, v: Value, span: Span): MaskValue {
  if (v.kind === 'mask') return v;
  if (v.kind === 'definition' && v.definition.declaration.kind === 'mask') {
    const { declaration, module } = v.definition;
    const scope = scopeOfModule(module).child();
    bindParameters(cx, declaration.config ?? [], [], scope, span);
    return { kind: 'mask', how: 'declared', callable: declaration, scope, module };
  }
  return refuse('NN802', span, { what: 'something that is no mask where a mask is needed' });
}

// ----------------------------------------------------------------------------------------------------------------------- calls

/** Runs a body in this scope: its `return`, or its last expression. */
export function runBody(cx: Elaboration, callable: Callable, scope: Scope): Value {
  const result = execute(cx, callable.body.statements, scope);
  if (result.value === null)
    return refuse('NN802', callable.name.span, { what: `\`${callable.name.text}\` gives no result here` });
  return result.value;
}

/** A call of a fn, loss or metric with whole values. */
export function callFunction(
  cx: Elaboration,
  callable: Callable,
  module: ProgramModule,
  given: readonly Given[],
  span: Span,
): Value {
  return cx.inside(span, `call ${callable.name.text}`, () =>
    cx.plain(() =>
      cx.inBody(null, () => {
        const scope = scopeOfModule(module).child();
        bindParameters(
          cx,
          callable.config === null ? callable.parameters : [...callable.config, ...callable.parameters],
          given,
          scope,
          span,
        );
        return callResult(cx, callable, scope, span);
      }),
    ),
  );
}

/** The body's result, of the declared type: a number becomes a tensor of it, halves are rounded. */
export function callResult(cx: Elaboration, callable: Callable, scope: Scope, span: Span): Value {
  const declared = callable.result;
  const single = declared !== null && !Array.isArray(declared) ? (declared as TypeExpr) : null;
  // An initialiser's sizes come from where its value goes.
  if (single !== null && single.shape !== null && cx.drawSizes !== null)
    bindShape(cx, scope, single.shape, cx.drawSizes);
  const sizes =
    single === null || single.shape === null
      ? null
      : introduces(cx, single.shape, scope)
        ? null
        : sizesOf(cx, single.shape, scope);
  const value = cx.withDrawSizes(sizes ?? cx.drawSizes, () => runBody(cx, callable, scope));
  if (single === null || sizes === null) return value;
  const dtype = dtypeOf(single);
  if (dtype === null) return value;
  return tensor(asTensor(cx, value, span, dtype, sizes));
}

const introduces = (cx: Elaboration, dims: readonly Dim[], scope: Scope): boolean =>
  dims.some((d) =>
    d.kind === 'run' ? scope.find(d.name.text) === null : [...namesIn(d.value)].some((n) => isFreeSize(cx, scope, n)),
  );

/** A block or model with its configuration: one set of parameters under `path`. */
export function instantiate(
  cx: Elaboration,
  callable: Callable,
  module: ProgramModule,
  config: readonly Given[],
  path: string,
  span: Span,
): InstanceValue {
  const scope = scopeOfModule(module).child();
  cx.plain(() => bindParameters(cx, callable.config ?? [], config, scope, span, true));
  // A network begins anew where it is named; a layer made in a loop begins in every round.
  const inLoop = cx.loops.some((l) => l.body === cx.bodyRun);
  const store =
    callable.kind === 'model' || cx.store === null || inLoop ? { id: cx.fresh(), depth: cx.loops.length } : cx.store;
  return {
    kind: 'instance',
    callable,
    module,
    scope,
    path,
    store,
    overrides: cx.overrides,
    evaluating: false,
    recomputed: false,
  };
}

export function invoke(cx: Elaboration, instance: InstanceValue, given: readonly Given[], span: Span): Value {
  const { callable } = instance;
  // What is made inside says so by its origin (plan/requested.ts).
  if (instance.recomputed)
    return cx.inside(span, 'recomputed', () => invoke(cx, { ...instance, recomputed: false }, given, span));
  return cx.inside(span, `call ${callable.name.text}`, () =>
    cx.plain(() =>
      cx.withPath(instance.path, () =>
        cx.withDrawSizes(null, () =>
          asInstance(cx, instance, () => {
            const scope = instance.scope.child();
            bindParameters(cx, callable.parameters, given, scope, span);
            bindParameters(
              cx,
              (callable.config ?? []).filter((p) => scope.find(p.name.text) === null),
              [],
              scope,
              span,
            );
            for (const p of callable.parameters) cx.note(p.name.text, scope.get(p.name.text));
            const result = callResult(cx, callable, scope, span);
            cx.note('', result);
            return result;
          }),
        ),
      ),
    ),
  );
}

/** Runs a body as this instance's: its carries, its leaves, its mode. */
export function asInstance<T>(cx: Elaboration, instance: InstanceValue, f: () => T): T {
  const { overrides, training } = cx;
  cx.overrides = instance.overrides;
  if (instance.evaluating) cx.training = false;
  try {
    return cx.inBody(instance.store, f);
  } finally {
    cx.overrides = overrides;
    cx.training = training;
  }
}

// ---------------------------------------------------------------------------------------------------------------------- leaves

/** The persistent leaf that a `param` or `state` statement declares here. */
export function persistentLeaf(
  cx: Elaboration,
  statement: LeafStatement,
  scope: Scope,
  path: string,
  kind: 'param' | 'state' | 'slot' | 'carry',
): LeafRecord {
  const type = leafType(cx, statement, scope);
  const known = cx.unit.leaves.get(path);
  if (known !== undefined) {
    const before = known.leaf.type;
    const same =
      before.dtype === type.dtype &&
      before.sizes.length === type.sizes.length &&
      before.sizes.every((s, k) => s === type.sizes[k]);
    if (!same)
      refuse('NN802', statement.span, { what: `a second use of the same layer with another width (\`${path}\`)` });
    return known;
  }
  for (const size of type.sizes)
    if (asConst(size) === null)
      refuse('NN802', statement.span, {
        what: `the size ${[...names(size)].join(', ')} of \`${path}\`, which is only known at run time: parameters need sizes known at build`,
      });
  const record: LeafRecord = {
    leaf: { path, kind, type, origin: cx.origins.add(statement.span, cx.caller, cx.via) },
    statement,
    scope,
    span: statement.span,
    stream: path,
  };
  cx.unit.leaves.set(path, record);
  return record;
}

export function leafType(cx: Elaboration, statement: LeafStatement, scope: Scope): TensorType {
  const { type, indices } = statement;
  if (type !== null) {
    const dtype = dtypeOf(type);
    if (dtype === null) return refuse('NN802', type.span, { what: `a leaf of type \`${type.dtype.text}\`` });
    return { dtype, sizes: type.shape === null ? [] : sizesOf(cx, type.shape, scope) };
  }
  const sizes = (indices ?? []).flatMap((i) => {
    if (i.kind !== 'index' || i.extent === null)
      return refuse('NN802', i.span, { what: 'an index of a leaf without an extent' });
    return [sizeOf(cx, i.extent, scope, null)];
  });
  return { dtype: 'f32', sizes };
}

function findLeaf(statements: readonly Statement[], name: string): LeafStatement | null {
  for (const s of statements) {
    if (s.kind === 'leaf' && s.name.text === name && s.leaf !== 'carry') return s;
    const inner = s.kind === 'if' ? [...s.then, ...(s.otherwise ?? [])] : s.kind === 'repeat' ? s.body : null;
    const found = inner === null ? null : findLeaf(inner, name);
    if (found !== null) return found;
  }
  return null;
}

/** `tokens.weight`, `stats.mean`, `m.params`; of a network named outside of it also `Llama.core`, which is known by its path only. */
export function memberOf(cx: Elaboration, v: Value, name: string, span: Span): Value {
  if (v.kind === 'record') {
    const field = v.fields.get(name);
    if (field !== undefined) return field;
  }
  if (v.kind === 'definition' && v.definition.declaration.kind === 'model')
    return memberOf(cx, networkOf(cx, v, span), name, span);
  if (v.kind === 'instance') {
    if (isRecordName(name)) return leavesAt(cx, v.path, name, v.overrides, v.store.id);
    const path = joinPath(v.path, name);
    const known = cx.unit.leaves.get(path);
    const statement = known?.statement ?? findLeaf(v.callable.body.statements, name);
    if (statement === null || statement.leaf === 'carry') return { kind: 'place', path, overrides: v.overrides };
    const scope = known?.scope ?? v.scope;
    const sort = statement.leaf;
    const own = (): Node => cx.leaf(known ?? persistentLeaf(cx, statement, scope, path, sort));
    return tensor(seenLeaf(cx, v.overrides, path, { statement, scope, sort }, own).node);
  }
  if (v.kind === 'place') {
    if (isRecordName(name)) return leavesAt(cx, v.path, name, v.overrides, null);
    const path = joinPath(v.path, name);
    const known = cx.unit.leaves.get(path);
    if (known === undefined) return { ...v, path };
    const ask = { statement: known.statement, scope: known.scope, sort: known.statement.leaf };
    return tensor(seenLeaf(cx, v.overrides, path, ask, () => cx.leaf(known)).node);
  }
  return refuse('NN802', span, { what: `the member \`${name}\`` });
}
