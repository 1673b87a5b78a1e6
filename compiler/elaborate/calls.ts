/**
 * Calls and pipes as they stand in the text: which list is configuration, which names an instance, what is built in.
 */
import type { Argument, CallExpr, Callable, Expr, PipeExpr, Span } from '../../grammar/ast.ts';
import type { Definition } from '../check/program.ts';
import { differentiate } from '../differentiate/differentiate.ts';
import type { Node } from '../graph/types.ts';
import { add as addSizes, ceilDiv, floorDiv, mul, num, ONE, type Poly } from '../sizes/poly.ts';
import { align, asTensor, binary, elementwise, extremum, lift, real, wrap } from './arithmetic.ts';
import { joinPath, refuse, type Elaboration } from './elaboration.ts';
import type { Equation } from './equation.ts';
import { evaluate } from './expressions.ts';
import { bindParameters, callFunction, instantiate, invoke, maskOf, scopeOfModule, type Given } from './instances.ts';
import { entriesOf, frozen, leafwise, networkOf, recordGradient, reduceRecord } from './records.ts';
import { scheduleAt } from './schedules.ts';
import type { Scope } from './scope.ts';
import {
  boolean,
  float,
  integer,
  tensor,
  type InstanceValue,
  type LeavesValue,
  type MaskValue,
  type Value,
} from './values.ts';

export const BUILTINS: ReadonlySet<string> = new Set([
  ...['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sqrt', 'abs', 'floor', 'ceil', 'min', 'max'],
  ...['sum', 'mean', 'prod', 'any', 'all', 'size', 'float', 'int'],
  ...['normal', 'uniform', 'bernoulli', 'randint', 'categorical'],
  ...['grad', 'stop_gradient', 'surrogate', 'eval', 'frozen', 'recomputed'],
]);

const LEAFWISE = new Set([
  ...['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sqrt', 'abs', 'floor', 'ceil', 'stop_gradient', 'min', 'max'],
  ...['sum', 'mean', 'prod', 'any', 'all', 'size'],
]);

const ELEMENTWISE = new Set(['exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sqrt', 'abs', 'floor', 'ceil']);

/** Arguments of whole-tensor calls are whole; scalars of an equation may go into elementwise functions. */
function give(cx: Elaboration, args: readonly Argument[], scope: Scope, eq: Equation | null): Given[] {
  return args.map((a) => ({
    name: a.name?.text ?? null,
    value: evaluate(cx, a.value, scope, eq),
    text: a.value.kind === 'name' ? a.value.name : null,
    span: a.span,
  }));
}

const whole = (cx: Elaboration, args: readonly Argument[], scope: Scope): Given[] =>
  cx.plain(() => give(cx, args, scope, null));

/** The name that an unlabelled instance gets: `Linear` → `linear`, `LayerNorm` → `layer_norm`. */
const lowerName = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();

/** A fresh instance at this place of the text. */
function instanceAt(
  cx: Elaboration,
  d: Definition,
  config: readonly Given[],
  place: Expr,
  label: string | null,
  span: Span,
): InstanceValue {
  const callable = d.declaration as Callable;
  if (callable.kind === 'model') {
    const path = cx.networkPath(callable.name.text);
    return instantiate(cx, callable, d.module, config, path, span);
  }
  const wanted = label ?? lowerName(callable.name.text);
  const path = joinPath(cx.path, cx.unit.segment(cx.path, place, wanted));
  return instantiate(cx, callable, d.module, config, path, span);
}

/** The block or model that a value names, if it does. */
const layerOf = (v: Value): Definition | null =>
  v.kind === 'definition' && (v.definition.declaration.kind === 'block' || v.definition.declaration.kind === 'model')
    ? v.definition
    : null;

const configOf = (d: Definition): Callable['config'] => (d.declaration as Callable).config;

export function evaluateCall(
  cx: Elaboration,
  e: CallExpr,
  scope: Scope,
  eq: Equation | null,
  label: string | null = null,
): Value {
  const callee = calleeOf(cx, e, scope, label);
  switch (callee.kind) {
    case 'builtin':
      if (callee.name === 'recomputed') return recomputed(cx, e, scope, label);
      return builtin(cx, callee.name, e, scope, eq);
    case 'mask':
      return applyMask(cx, eq, callee, e, scope);
    case 'instance':
      return invoke(cx, callee, whole(cx, e.arguments, scope), e.span);
    case 'schedule':
      return tensor(
        scheduleAt(
          cx,
          callee,
          e.arguments.map((a) => evaluate(cx, a.value, scope, null)),
          e.span,
        ),
      );
    case 'definition': {
      const d = callee.definition;
      const declaration = d.declaration;
      switch (declaration.kind) {
        case 'block':
        case 'model':
          if (configOf(d) !== null) return instanceAt(cx, d, whole(cx, e.arguments, scope), e, label, e.span);
          if (e.arguments.length === 0 && declaration.parameters.length > 0)
            return instanceAt(cx, d, [], e, label, e.span);
          return invoke(cx, instanceAt(cx, d, [], e, label, e.span), whole(cx, e.arguments, scope), e.span);
        case 'mask': {
          if (declaration.config === null) return applyMask(cx, eq, maskOf(cx, callee, e.span), e, scope);
          const inner = scopeOfModule(d.module).child();
          bindParameters(cx, declaration.config, whole(cx, e.arguments, scope), inner, e.span);
          return { kind: 'mask', how: 'declared', callable: declaration, scope: inner, module: d.module };
        }
        case 'schedule': {
          const inner = scopeOfModule(d.module).child();
          bindParameters(cx, declaration.config ?? [], whole(cx, e.arguments, scope), inner, e.span);
          return { kind: 'schedule', place: e, callable: declaration, scope: inner, module: d.module };
        }
        case 'fn':
        case 'loss':
        case 'metric':
          return applyFunction(cx, d, give(cx, e.arguments, scope, eq), eq, e.span);
        default:
          return refuse('NN802', e.span, { what: `a call of the ${declaration.kind} \`${declaration.name.text}\`` });
      }
    }
    default:
      return refuse('NN802', e.span, { what: 'a call of something that is not callable' });
  }
}

function calleeOf(cx: Elaboration, e: CallExpr, scope: Scope, label: string | null): Value {
  const { callee } = e;
  if (callee.kind === 'call') return evaluateCall(cx, callee, scope, null, label);
  const v = evaluate(cx, callee, scope, null);
  return v;
}

export function evaluatePipe(cx: Elaboration, e: PipeExpr, scope: Scope, eq: Equation | null): Value {
  const label = e.label?.text ?? null;
  const { stage } = e;
  const value = evaluate(cx, e.value, scope, eq);
  const first: Given = { name: null, value, text: null, span: e.value.span };
  const layer = (v: Value, place: Expr, extra: readonly Argument[]): Value => {
    const rest = whole(cx, extra, scope);
    const d = layerOf(v);
    if (d !== null) return invoke(cx, instanceAt(cx, d, [], place, label, e.span), [first, ...rest], e.span);
    if (v.kind === 'instance') return invoke(cx, v, [first, ...rest], e.span);
    return refuse('NN802', place.span, { what: 'a pipe into something that is not callable' });
  };
  if (stage.kind === 'call') {
    if (stage.callee.kind === 'call') {
      const inner = evaluateCall(cx, stage.callee, scope, null, label);
      return layer(inner, stage, stage.arguments);
    }
    const callee = evaluate(cx, stage.callee, scope, null);
    const d = layerOf(callee);
    if (d !== null && configOf(d) !== null)
      return invoke(cx, instanceAt(cx, d, whole(cx, stage.arguments, scope), stage, label, e.span), [first], e.span);
    if (d !== null || callee.kind === 'instance') return layer(callee, stage, stage.arguments);
    if (callee.kind === 'definition')
      return applyFunction(cx, callee.definition, [first, ...give(cx, stage.arguments, scope, eq)], eq, e.span);
    if (callee.kind === 'builtin') return builtin(cx, callee.name, { ...stage, kind: 'call' }, scope, eq, value);
    return refuse('NN802', stage.span, { what: 'a pipe into something that is not callable' });
  }
  const callee = evaluate(cx, stage, scope, null);
  if (layerOf(callee) !== null || callee.kind === 'instance') return layer(callee, stage, []);
  if (callee.kind === 'definition') return applyFunction(cx, callee.definition, [first], eq, e.span);
  if (callee.kind === 'builtin')
    return builtin(cx, callee.name, { kind: 'call', callee: stage, arguments: [], span: stage.span }, scope, eq, value);
  return refuse('NN802', stage.span, { what: 'a pipe into something that is not callable' });
}

/** fn, loss, metric. Scalars of an equation go in as whole tensors over the equation's letters and come out as scalars again. */
function applyFunction(
  cx: Elaboration,
  d: Definition,
  given: readonly Given[],
  eq: Equation | null,
  span: Span,
): Value {
  const callable = d.declaration as Callable;
  // A function of a tensor, given a record, is applied to every leaf.
  if (given.some((g) => g.value.kind === 'leaves') && !callable.parameters.some((p) => p.type?.dtype.text === 'record'))
    return leafwise(
      given.map((g) => g.value),
      span,
      (values) =>
        callFunction(
          cx,
          callable,
          d.module,
          given.map((g, k) => ({ ...g, value: values[k]! })),
          span,
        ),
    );
  const positions = given.some((g) => g.value.kind === 'labelled' || (g.value.kind === 'integer' && eq !== null));
  if (eq === null || !positions) return callFunction(cx, callable, d.module, given, span);
  const lifted = given.map((g) =>
    g.value.kind === 'labelled' || (g.value.kind === 'integer' && lift(cx, eq, g.value, span).labels.length > 0)
      ? lift(cx, eq, g.value, span)
      : null,
  );
  const labels = eq.order(lifted.flatMap((l) => l?.labels ?? []));
  const wholes = given.map((g, k): Given => {
    const l = lifted[k];
    if (l === null || l === undefined) return g;
    const spread = eq.spread(cx, l.node, l.labels, labels);
    return { ...g, value: tensor(g.value.kind === 'integer' ? real(cx, spread) : spread) };
  });
  const result = callFunction(cx, callable, d.module, wholes, span);
  if (result.kind !== 'tensor') return result;
  const rank = result.node.type.sizes.length;
  if (rank === labels.length) return { kind: 'labelled', node: result.node, labels };
  if (rank === 0) return { kind: 'labelled', node: result.node, labels: [] };
  return refuse('NN802', span, { what: `\`${callable.name.text}\` is not elementwise: index its result` });
}

/** keep(b, h, q: t, k: s): what the mask does not declare is dropped. */
function applyMask(cx: Elaboration, eq: Equation | null, mask: MaskValue, e: CallExpr, scope: Scope): Value {
  const given = new Map<string, Value>();
  for (const a of e.arguments) {
    const text = a.name?.text ?? (a.value.kind === 'name' ? a.value.name : null);
    if (text === null) return refuse('NN802', a.span, { what: 'a position of a mask without a name' });
    given.set(text, evaluate(cx, a.value, scope, eq));
  }
  const apply = (m: MaskValue): Value => {
    switch (m.how) {
      case 'everything':
        return boolean(true);
      case 'not': {
        const v = apply(m.of);
        if (v.kind === 'boolean') return boolean(!v.value);
        const l = lift(cx, eq, v, e.span);
        return wrap(eq, cx.builder.not(l.node), l.labels);
      }
      case 'and':
      case 'or':
        return binary(cx, eq, m.how, apply(m.left), apply(m.right), e.span);
      case 'declared': {
        const inner = m.scope.child();
        for (const p of m.callable.parameters) {
          const v = given.get(p.name.text);
          if (v === undefined)
            return refuse('NN802', e.span, {
              what: `the position \`${p.name.text}\` of the mask \`${m.callable.name.text}\``,
            });
          inner.set(p.name.text, v);
        }
        const statement = m.callable.body.statements[0];
        const body =
          statement?.kind === 'expression' ? statement.value : statement?.kind === 'return' ? statement.value : null;
        if (body === null || m.callable.body.statements.length !== 1)
          return refuse('NN802', m.callable.span, { what: 'a mask of several statements' });
        return cx.inside(e.span, `mask ${m.callable.name.text}`, () => evaluate(cx, body, inner, eq));
      }
    }
  };
  return apply(mask);
}

// -------------------------------------------------------------------------------------------------------------------- built in

function builtin(
  cx: Elaboration,
  name: string,
  e: CallExpr,
  scope: Scope,
  eq: Equation | null,
  piped: Value | null = null,
): Value {
  const args = e.arguments;
  const argument = (k: number): Value => {
    const at = piped === null ? k : k - 1;
    if (at < 0) return piped!;
    const a = args[at];
    if (a === undefined) return refuse('NN802', e.span, { what: `argument ${k + 1} of \`${name}\`` });
    return evaluate(cx, a.value, scope, eq);
  };
  const count = args.length + (piped === null ? 0 : 1);
  if ((name === 'floor' || name === 'ceil') && piped === null) {
    const quotient = roundedQuotient(cx, name, args[0]?.value, scope, eq);
    if (quotient !== null) return quotient;
  }
  if (LEAFWISE.has(name) && count > 0) {
    const values = Array.from({ length: count }, (_, k) => argument(k));
    if (values.some((v) => v.kind === 'leaves')) return ofRecord(cx, name, values, e.span);
  }
  if (ELEMENTWISE.has(name)) return elementwise(cx, eq, name as Parameters<typeof elementwise>[2], argument(0), e.span);
  switch (name) {
    case 'min':
    case 'max':
      if (count === 2) return extremum(cx, eq, name, argument(0), argument(1), e.span);
      return reduceAll(cx, name, args, scope, piped, e.span);
    case 'sum':
    case 'mean':
    case 'prod':
    case 'any':
    case 'all':
      return reduceAll(cx, name, args, scope, piped, e.span);
    case 'size':
      return sizeBuiltin(cx, args, scope, e.span);
    case 'float': {
      const l = lift(cx, eq, argument(0), e.span);
      return wrap(eq, real(cx, l.node), l.labels);
    }
    case 'int': {
      const l = lift(cx, eq, argument(0), e.span);
      return wrap(eq, cx.builder.cast(l.node, 'i32'), l.labels);
    }
    case 'stop_gradient': {
      const v = argument(0);
      if (v.kind !== 'tensor' && v.kind !== 'labelled') return v;
      const node = cx.builder.stopGradient(v.node);
      return v.kind === 'tensor' ? tensor(node) : { kind: 'labelled', node, labels: v.labels };
    }
    case 'grad':
      return gradient(cx, args, scope, e.span);
    case 'surrogate':
      return surrogate(cx, args, scope, eq, e.span);
    case 'eval':
      return { ...networkOf(cx, argument(0), e.span), evaluating: true };
    case 'frozen':
      return frozen(networkOf(cx, argument(0), e.span));
    default:
      return draw(cx, name, args, scope, eq, e.span);
  }
}

/** The layer with the request on it. What names it names the layer: asking moves no weights. */
function recomputed(cx: Elaboration, e: CallExpr, scope: Scope, label: string | null): InstanceValue {
  const { value, span } = e.arguments[0]!;
  const layer =
    value.kind === 'call'
      ? cx.at(value.span, () => evaluateCall(cx, value, scope, null, label))
      : evaluate(cx, value, scope, null);
  return { ...networkOf(cx, layer, span), recomputed: true };
}

/** Functions that take a record: leaf by leaf, or over all its elements. */
function ofRecord(cx: Elaboration, name: string, values: readonly Value[], span: Span): Value {
  const [first] = values;
  if (ELEMENTWISE.has(name))
    return leafwise(values, span, ([x]) => elementwise(cx, null, name as Parameters<typeof elementwise>[2], x!, span));
  if (name === 'stop_gradient')
    return leafwise(values, span, ([x]) => tensor(cx.builder.stopGradient(asTensor(cx, x!, span, null))));
  if (name === 'size' && first?.kind === 'leaves') return recordSize(first);
  if (values.length === 2)
    return leafwise(values, span, ([x, y]) => extremum(cx, null, name as 'min' | 'max', x!, y!, span));
  if (first?.kind !== 'leaves') return refuse('NN802', span, { what: `\`${name}\` of a record` });
  const both = (a: Value, b: Value): Value => extremum(cx, null, name as 'min' | 'max', a, b, span);
  const join = { sum: '+', mean: '+', prod: '*', min: 'min', max: 'max', any: 'or', all: 'and' } as const;
  const one = name === 'mean' ? 'sum' : (name as Exclude<keyof typeof join, 'mean'>);
  const of = (v: Value): Node => cx.builder.local(asTensor(cx, v, span, null));
  const reduce = (v: Value): Value =>
    tensor(
      cx.builder.reduce(
        one,
        of(v),
        of(v).type.sizes.map((_, k) => k),
      ),
    );
  const total = reduceRecord(cx, first, span, reduce, join[name as keyof typeof join], both);
  return name === 'mean' ? binary(cx, null, '/', total, recordSize(first), span) : total;
}

const recordSize = (r: LeavesValue): Value =>
  integer(
    entriesOf(r).reduce(
      (n, [, node]) =>
        addSizes(
          n,
          node.type.sizes.reduce((p, s) => mul(p, s), ONE),
        ),
      num(0),
    ),
  );

/** The value of one, the derivative of the other. */
function surrogate(cx: Elaboration, args: readonly Argument[], scope: Scope, eq: Equation | null, span: Span): Value {
  const value = args.find((a) => a.name === null || a.name.text === 'value');
  const gradient = args.find((a) => a.name?.text === 'gradient') ?? args[1];
  if (value === undefined || gradient === undefined || value === gradient)
    return refuse('NN802', span, { what: '`surrogate` without a gradient' });
  const given = [evaluate(cx, value.value, scope, eq), evaluate(cx, gradient.value, scope, eq)];
  const { nodes, labels } = align(cx, eq, given, span);
  const [x, y] = nodes.map((n) => real(cx, n)) as [Node, Node];
  return wrap(eq, cx.builder.surrogate(x, y), labels);
}

/** floor(a / b), ceil(a / b) of integers, where the quotient itself need not be whole. */
function roundedQuotient(
  cx: Elaboration,
  name: 'floor' | 'ceil',
  e: Expr | undefined,
  scope: Scope,
  eq: Equation | null,
): Value | null {
  if (e === undefined || e.kind !== 'binary' || e.operator !== '/') return null;
  const a = evaluate(cx, e.left, scope, eq);
  const b = evaluate(cx, e.right, scope, eq);
  if (a.kind === 'integer' && b.kind === 'integer')
    return integer(name === 'floor' ? floorDiv(a.poly, b.poly) : ceilDiv(a.poly, b.poly));
  const whole = (v: Value): boolean =>
    v.kind === 'integer' || ((v.kind === 'tensor' || v.kind === 'labelled') && v.node.type.dtype === 'i32');
  if (!whole(a) || !whole(b)) return null;
  const { nodes, labels } = align(cx, eq, [a, b], e.span);
  const [x, y] = nodes as [Node, Node];
  const g = cx.builder;
  if (name === 'floor') return wrap(eq, g.div(x, y), labels);
  return wrap(eq, g.neg(g.div(g.neg(x), y)), labels);
}

/** sum(x) and its kin: all axes of a whole tensor. */
function reduceAll(
  cx: Elaboration,
  name: string,
  args: readonly Argument[],
  scope: Scope,
  piped: Value | null,
  span: Span,
): Value {
  const v = piped ?? cx.plain(() => evaluate(cx, args[0]!.value, scope, null));
  if (v.kind !== 'tensor' && v.kind !== 'labelled') return v;
  const b = cx.builder;
  let x = b.local(v.node);
  const counts = x.type.dtype === 'bool' && name !== 'any' && name !== 'all';
  if (counts) x = b.cast(x, name === 'mean' ? 'f32' : 'i32');
  if (x.type.dtype === 'f16' || name === 'mean') x = real(cx, x);
  const axes = x.type.sizes.map((_, k) => k);
  if (name !== 'mean') return tensor(b.reduce(name as 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all', x, axes));
  let total: Poly = ONE;
  for (const s of x.type.sizes) total = mul(total, s);
  return binary(cx, null, '/', tensor(b.reduce('sum', x, axes)), integer(total), span);
}

/** size(S): the number of elements of a run, or a size's own value. */
function sizeBuiltin(cx: Elaboration, args: readonly Argument[], scope: Scope, span: Span): Value {
  const v = evaluate(cx, args[0]!.value, scope, null);
  if (v.kind === 'integer') return v;
  const sizes = v.kind === 'run' ? v.sizes : v.kind === 'tensor' ? v.node.type.sizes : null;
  if (sizes === null) return refuse('NN802', span, { what: '`size` of something without sizes' });
  return integer(sizes.reduce((p, s) => mul(p, s), ONE));
}

/** grad(y, wrt: x): y a scalar, x a name. */
function gradient(cx: Elaboration, args: readonly Argument[], scope: Scope, span: Span): Value {
  const of = args.find((a) => a.name === null);
  const wrt = args.find((a) => a.name?.text === 'wrt');
  if (of === undefined || wrt === undefined) return refuse('NN802', span, { what: '`grad` without `wrt`' });
  const y = evaluate(cx, of.value, scope, null);
  const x = evaluate(cx, wrt.value, scope, null);
  if (y.kind === 'tensor' && x.kind === 'leaves') return recordGradient(cx, y.node, x);
  if (y.kind !== 'tensor' || x.kind !== 'tensor')
    return refuse('NN802', span, { what: '`grad` of something that is no tensor' });
  const [g] = differentiate(cx.builder, cx.builder.local(y.node), [cx.builder.local(x.node)]);
  return tensor(g ?? cx.builder.zeros(x.node.type));
}

// ----------------------------------------------------------------------------------------------------------------------- draws

/** One number a position of what is being made here: the left side of an equation, a leaf, an initialiser's result. */
function draw(
  cx: Elaboration,
  name: string,
  args: readonly Argument[],
  scope: Scope,
  eq: Equation | null,
  span: Span,
): Value {
  const b = cx.builder;
  const given = new Map<string, Value>();
  const order: Record<string, readonly string[]> = {
    normal: [],
    uniform: ['low', 'high'],
    bernoulli: ['p'],
    randint: ['n'],
    categorical: ['logits'],
  };
  let position = 0;
  for (const a of args) {
    const key = a.name?.text ?? order[name]![position++];
    if (key !== undefined) given.set(key, evaluate(cx, a.value, scope, name === 'categorical' ? null : eq));
  }
  const stream = cx.stream();
  const uniform = (sizes: readonly Poly[], word: 0 | 1): Node =>
    b.random(cx.seed, cx.drawStep ?? (cx.initStream === null ? cx.step : b.constant(0, 'i32')), sizes, stream, word);

  if (name === 'categorical') {
    // Gumbel's trick: argmax(logits − log(−log u)) is distributed as softmax(logits).
    const logits = asTensor(cx, given.get('logits')!, span, 'f32');
    const u = b.max(uniform(logits.type.sizes, 0), b.constantOf(2 ** -25, logits.type));
    const noise = b.neg(b.log(b.neg(b.log(u))));
    return tensor(b.argmax(b.add(logits, noise), logits.type.sizes.length - 1));
  }

  const labels = eq === null ? [] : eq.left;
  const sizes = eq === null ? cx.drawSizes : labels.map((l) => eq.extent(l));
  if (sizes === null) return refuse('NN152', span, { name });
  const random = (word: 0 | 1): Value => wrap(eq, uniform(sizes, word), labels);
  const f = (op: '+' | '-' | '*', x: Value, y: Value): Value => binary(cx, eq, op, x, y, span);
  switch (name) {
    case 'uniform': {
      const low = given.get('low') ?? integer(num(0));
      const high = given.get('high') ?? integer(num(1));
      return f('+', low, f('*', f('-', high, low), random(0)));
    }
    case 'normal': {
      // Box and Muller (1958): √(−2 ln u) cos 2πv, with u in (0, 1].
      const u = f('-', float(1), random(0));
      const radius = elementwise(cx, eq, 'sqrt', f('*', float(-2), elementwise(cx, eq, 'log', u, span)), span);
      const turn = elementwise(cx, eq, 'cos', f('*', float(2 * Math.PI), random(1)), span);
      return f('*', radius, turn);
    }
    case 'bernoulli':
      return binary(cx, eq, '<', random(0), given.get('p') ?? float(0.5), span);
    case 'randint': {
      const n = given.get('n') ?? integer(num(2));
      const scaled = elementwise(cx, eq, 'floor', f('*', random(0), n), span);
      const top = lift(cx, eq, extremum(cx, eq, 'min', scaled, f('-', n, integer(num(1))), span), span);
      return wrap(eq, b.cast(top.node, 'i32'), top.labels);
    }
    default:
      return refuse('NN802', span, { what: `the unknown function \`${name}\`` });
  }
}
