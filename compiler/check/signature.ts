/**
 * Signatures: configuration, parameters, the sizes they introduce (rule 9), result. And the once-only check of the body behind each.
 *
 * A signature is made when first asked for; the body is checked when a call first needs its result or requirements, at the latest at the end.
 * A recursive call sees the declared signature only.
 */
import type { Callable, Dim, Expr, Parameter, ResultField, Span, TypeExpr } from '../../grammar/ast.ts';
import { asConst, coefficientOf, name as nameAtom, names, ONE } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { checkBody } from './bodies.ts';
import { atMost, opaque } from './conditions.ts';
import { check, integerOf, integerValue, undefinedName, visibleNames } from './expressions.ts';
import { Knowledge } from './knowledge.ts';
import type { Definition } from './program.ts';
import { typeHabit } from './habits.ts';
import { because, showType } from './report.ts';
import { checkRequire } from './requires.ts';
import { role } from './roles.ts';
import { nearest, valueBinding } from './scope.ts';
import { Frame } from './session.ts';
import type { ParameterInfo, Session, Signature } from './session.ts';
import { isName } from './substitute.ts';
import type { Axis, ElementType, RoleKind, TensorType, Type } from './types.ts';
import { RECORD, ERROR, intOf, isFloat, numberOf, sizeAxis, tensor } from './types.ts';

const ELEMENTS: readonly string[] = ['float', 'f32', 'f16', 'i32', 'bool'];
const NUMBERS: readonly string[] = ['int', 'float', 'bool', 'size', 'schedule', 'mask', 'record'];
const ROLES: readonly string[] = ['logits', 'probs', 'log_probs', 'unit', 'nonneg', 'real'];

const frames = new WeakMap<Signature, Frame>();

export function signatureOf(session: Session, definition: Definition): Signature {
  const callable = definition.declaration;
  if (callable.kind === 'const' || callable.kind === 'train') throw new Error('only a callable has a signature');
  const { units } = session;
  units.needs(definition);
  const known = session.signatures.get(callable);
  if (known !== undefined && units.isFresh(callable)) return known;
  const circular = units.isVerifying(callable);
  if (!circular && units.repeat(callable)) return session.signatures.get(callable)!;
  // Verification may have met a circle and declared it.
  if (!units.isFresh(callable))
    units.start(callable, definition.module, () => declareSignature(session, definition, callable));
  const signature = session.signatures.get(callable)!;
  if (circular) {
    // A callee calls what is being verified: it sees what it would see if the body were being checked.
    units.foundCircular(callable);
    signature.state = 'checking';
  } else if (units.isCircular(callable) && signature.state === 'checking') signature.state = 'declared';
  return signature;
}

function declareSignature(session: Session, definition: Definition, callable: Callable): void {
  const sizes: string[] = [];
  const runs: string[] = [];
  const contextual: string[] = [];
  const config: ParameterInfo[] = [];
  const parameters: ParameterInfo[] = [];
  const signature: Signature = {
    definition,
    config: callable.config === null ? null : config,
    parameters,
    sizes,
    runs,
    contextual,
    damaged: callable.damaged,
    result: null,
    requirements: [],
    instanceSizes: new Set(),
    leaves: new Map(),
    instances: new Map(),
    paths: new Map(),
    state: 'declared',
  };
  session.signatures.set(callable, signature);
  const f = new Frame(session, definition.module, callable, signature, new Knowledge(session.constValues));
  f.damaged = callable.damaged;
  frames.set(signature, f);
  f.know.integer('step', 1);

  for (const p of callable.config ?? []) config.push(declareParameter(f, p, true, sizes, runs));
  // Numbers first: `fn sinusoidal(T: size, x: float[T, D])` does not introduce T.
  const isNumber = (p: Parameter): boolean => p.type?.shape === null && NUMBERS.includes(p.type.dtype.text);
  const declare = (p: Parameter): ParameterInfo => declareParameter(f, p, callable.kind === 'schedule', sizes, runs);
  const numbers = new Map(callable.parameters.filter(isNumber).map((p) => [p, declare(p)] as const));
  for (const p of callable.parameters) introduce(f, p.type, sizes, runs);
  for (const p of callable.parameters) parameters.push(numbers.get(p) ?? declare(p));
  completeBelow(f, callable.parameters, parameters);
  checkDefaults(f, [...(callable.config ?? []), ...callable.parameters], [...config, ...parameters]);
  if (!callable.damaged) checkIntroduced(f, signature);
  if (callable.result !== null) signature.result = declareResult(f, callable, signature, contextual);
  else {
    readHead(f, callable);
    if (callable.kind === 'loss' || callable.kind === 'metric') signature.result = tensor('float', []);
  }
}

/** Requirements at the head of the body belong to the signature: the result's sizes may need them. */
function readHead(f: Frame, callable: Callable): void {
  for (const s of callable.body.statements) {
    if (s.kind !== 'require') break;
    checkRequire(f, s);
    f.headRequires.add(s);
  }
}

/** Checks the body once. A call inside its own body finds `checking` and goes by the declared signature. */
export function ensureBody(session: Session, signature: Signature): void {
  if (signature.state !== 'declared') return;
  signature.state = 'checking';
  const f = frames.get(signature)!;
  const callable = f.callable!;
  session.units.resume(callable, () => {
    session.bodyChecks.set(callable, (session.bodyChecks.get(callable) ?? 0) + 1);
    session.atSurface(() => checkBody(f, callable, signature));
    signature.requirements.push(...f.requirements);
    signature.instanceSizes = new Set([...f.sizesOfParameters].filter((s) => signature.sizes.includes(s)));
    signature.state = 'checked';
  });
  session.units.finish(callable);
  // It knows the session, and with it every text of that time: signatures outlive both.
  frames.delete(signature);
}

// Parameters

const isUpper = (text: string): boolean => /^\p{Lu}/u.test(text);

/** Upper-case names of shapes that mean nothing yet become sizes; `...S` becomes a run. */
export function introduce(f: Frame, t: TypeExpr | null, sizes: string[], runs: string[]): void {
  for (const dim of t?.shape ?? []) {
    if (dim.kind === 'run') {
      const found = f.scope.find(dim.name.text);
      if (found === null) {
        f.scope.add({ kind: 'run', name: dim.name.text, span: dim.name.span, used: true });
        runs.push(dim.name.text);
      }
      continue;
    }
    forNames(dim.value, (text, span) => {
      if (f.scope.find(text) !== null) return;
      const definition = f.lookup(text);
      if (definition?.declaration.kind === 'const') return;
      if (!isUpper(text)) return;
      sizes.push(text);
      const size = nameAtom(text);
      f.scope.add({
        kind: 'size',
        name: text,
        span,
        size,
        why: because(size, `declared in \`${f.session.program.sources.text(t!.span)}\``, span),
        used: true,
      });
    });
  }
}

function forNames(e: Expr, visit: (name: string, span: Span) => void): void {
  if (e.kind === 'name') visit(e.name, e.span);
  else if (e.kind === 'binary') {
    forNames(e.left, visit);
    forNames(e.right, visit);
  } else if (e.kind === 'unary') forNames(e.operand, visit);
  else if (e.kind === 'call') for (const a of e.arguments) forNames(a.value, visit);
}

function declareParameter(f: Frame, p: Parameter, isConfig: boolean, sizes: string[], runs: string[]): ParameterInfo {
  if (isConfig) introduce(f, p.type, sizes, runs);
  const { text } = p.name;
  const earlier = f.scope.names.get(text);
  if (earlier !== undefined && earlier.kind !== 'size')
    f.report('NN714', p.name.span, { name: text, what: 'parameter', first: earlier.span });
  const type = parameterType(f, p, isConfig);
  // Weights and their gradients are numbers that change a little at a time.
  if (
    f.callable?.kind === 'optimizer' &&
    !isConfig &&
    type.kind === 'tensor' &&
    !isFloat(type.dtype) &&
    p.type !== null
  )
    f.report(
      'NN124',
      p.type.span,
      { what: `\`${text}\` of an optimizer`, expected: 'f32', actual: showType(f, type) },
      [{ title: 'write `f32`', edits: [{ span: p.type.dtype.span, text: 'f32' }], applicability: 'maybe' }],
    );
  const demand = p.type?.role?.name.text ?? null;
  if (!(isConfig && earlier !== undefined && earlier.kind === 'size')) {
    // Inside the optimizer a schedule is its value at this step.
    const inside = type.kind === 'schedule' ? numberOf('float') : type;
    const origin = isMeasure(f, p) ? 'measure' : isConfig ? 'config' : 'parameter';
    const binding = valueBinding(p.name, origin, inside, inside);
    f.scope.add(binding);
  }
  return { name: text, span: p.span, type, default: p.default, defaultType: null, demand, declaredType: p.type };
}

/** A schedule's second value: the loss of a validation. */
const isMeasure = (f: Frame, p: Parameter): boolean =>
  f.callable?.kind === 'schedule' && f.callable.parameters.indexOf(p) === 1;

function parameterType(f: Frame, p: Parameter, isConfig: boolean): Type {
  const { text } = p.name;
  const kind = f.callable?.kind;
  if (p.type === null) {
    if (kind === 'mask' && !isConfig) {
      f.know.integer(text, 0);
      return tensor('i32', [], { value: nameAtom(text) });
    }
    if (kind === 'schedule') {
      if (isMeasure(f, p)) return tensor('float', []);
      if (f.callable!.parameters.length > 2 && p === f.callable!.parameters[2])
        f.report('NN721', p.span, { what: `\`${text}\``, where: 'a schedule, which knows the step and the loss' });
      f.know.integer(text, 1);
      return intOf(nameAtom(text));
    }
    return ERROR;
  }
  const word = p.type.dtype.text;
  if (p.type.shape === null && NUMBERS.includes(word) && (isConfig || word !== 'float')) {
    switch (word) {
      case 'int':
      case 'size':
        f.know.integer(text, word === 'size' ? 1 : 0);
        return intOf(nameAtom(text));
      case 'bool':
        if (!isConfig) return tensor('bool', []);
        return numberOf('bool', { condition: opaque(text, true) });
      case 'float':
        return numberOf('float');
      case 'schedule':
        return { kind: 'schedule' };
      case 'mask':
        return { kind: 'mask', definition: null };
      case 'record':
        return RECORD;
    }
  }
  return tensorType(f, p.type, text) ?? ERROR;
}

/** `< V` may name a size that a later parameter introduces. */
function completeBelow(f: Frame, declared: readonly Parameter[], infos: ParameterInfo[]): void {
  for (const [k, p] of declared.entries()) {
    const info = infos[k]!;
    if (p.type === null || p.type.below === null || info.type.kind !== 'tensor') continue;
    const below = integerValue(f, p.type.below, 'the bound of an index type');
    const type: TensorType = { ...info.type, below };
    infos[k] = { ...info, type };
    const binding = f.scope.names.get(info.name);
    if (binding?.kind === 'value') binding.type = type;
  }
}

function checkDefaults(f: Frame, declared: readonly Parameter[], infos: readonly ParameterInfo[]): void {
  for (const [k, p] of declared.entries()) {
    if (p.default === null) continue;
    const info = infos[k]!;
    let type = f.whole(() => check(f, p.default!));
    if (type.kind === 'callable') type = { kind: 'mask', definition: type.definition };
    (info as { defaultType: Type | null }).defaultType = type;
    if (info.type.kind === 'number' && info.type.dtype === 'int' && type.kind !== 'error')
      integerOf(f, type, p.default.span, `the default of ${p.name.text}`);
  }
}

/** Rule 9: every introduced size occurs alone or linearly as the only unknown. */
function checkIntroduced(f: Frame, signature: Signature): void {
  if (signature.parameters.some((p) => p.type.kind === 'error')) return;
  const bound = new Set<string>();
  const dims: Poly[] = [];
  for (const p of [...(signature.config ?? []), ...signature.parameters])
    if (p.type.kind === 'tensor') for (const a of p.type.shape) if (a.kind === 'size') dims.push(a.size);
  const own = new Set(signature.sizes);
  for (let changed = true; changed;) {
    changed = false;
    for (const d of dims) {
      const open = [...names(d)].filter((n) => own.has(n) && !bound.has(n));
      if (open.length !== 1 || coefficientOf(d, open[0]!) === null) continue;
      bound.add(open[0]!);
      changed = true;
    }
  }
  for (const s of signature.sizes) {
    if (bound.has(s) || signature.contextual.includes(s)) continue;
    const binding = f.scope.find(s);
    f.report('NN121', binding?.kind === 'size' ? binding.span : f.callable!.name.span, {
      size: s,
      callable: f.callable!.name.text,
    });
    // The others of the same product are as open.
    return;
  }
}

// Types

/** A tensor type as written; null after a report. */
export function tensorType(f: Frame, t: TypeExpr, what: string): TensorType | null {
  const word = t.dtype.text;
  if (!ELEMENTS.includes(word)) {
    const known = [...ELEMENTS, ...NUMBERS];
    if (NUMBERS.includes(word)) {
      f.report('NN712', t.dtype.span, { what: `the type of ${what}`, expected: 'a tensor type', actual: word });
      return null;
    }
    const habit = typeHabit(word);
    const suggestion = habit === null ? nearest(word, known) : habit.use;
    if (!f.damaged)
      f.report(
        'NN704',
        t.dtype.span,
        { name: word, suggestion, known: [...new Set(known)], hint: habit?.hint ?? null },
        suggestion === null
          ? []
          : [
              {
                title: `write \`${suggestion}\``,
                edits: [{ span: t.dtype.span, text: suggestion }],
                applicability: 'maybe',
              },
            ],
      );
    return null;
  }
  const shape: Axis[] = [];
  let failed = false;
  for (const dim of t.shape ?? []) {
    const axis = dimension(f, dim, t);
    if (axis === null) failed = true;
    else shape.push(axis);
  }
  if (shape.filter((a) => a.kind === 'run').length > 1) {
    f.report('NN127', t.span, { name: 'a second run', isRun: true });
    failed = true;
  }
  if (failed) return null;
  // The bound of a parameter is read later (`completeBelow`).
  const below =
    t.below === null || f.signature?.state === 'declared'
      ? null
      : integerValue(f, t.below, 'the bound of an index type');
  return tensor(word as ElementType, shape, { below, role: declaredRole(f, t, shape) });
}

function declaredRole(f: Frame, t: TypeExpr, shape: readonly Axis[]): TensorType['role'] {
  if (t.role === null) return role('real');
  const { name, axis } = t.role;
  if (!ROLES.includes(name.text)) {
    const suggestion = nearest(name.text, ROLES);
    f.report('NN704', name.span, { name: name.text, suggestion, known: ROLES });
    return role('real');
  }
  if (name.text === 'logits') return role('real');
  let at: number | null = null;
  if (axis !== null) {
    const index = shape.findLastIndex((a) => a.kind === 'size' && isName(a.size)?.replace(/#.*/, '') === axis.text);
    if (index < 0) undefinedName(f, axis.text, axis.span);
    else at = shape.length - 1 - index;
  }
  return role(name.text as RoleKind, at, t.role.name.span);
}

function dimension(f: Frame, dim: Dim, t: TypeExpr): Axis | null {
  if (dim.kind === 'run') {
    const found = f.scope.find(dim.name.text);
    if (found?.kind === 'run') {
      f.session.references.set(dim.name, { kind: 'local', binding: found });
      return { kind: 'run', name: found.name };
    }
    undefinedName(f, dim.name.text, dim.name.span);
    return null;
  }
  const size = f.whole(() => integerValue(f, dim.value, 'a size'));
  if (size === null) return null;
  const constant = asConst(size);
  if (constant !== null && constant < 1) {
    f.report('NN120', dim.span, { what: 'a size', needed: 'at least 1', actual: String(constant) });
    return null;
  }
  needPositive(f, size, dim.span);
  const found = dim.value.kind === 'name' ? f.scope.find(dim.value.name) : null;
  const text = `written in \`${f.session.program.sources.text(t.span)}\``;
  return sizeAxis(size, found?.kind === 'size' ? found.why : because(size, text, dim.span));
}

/** A configuration number used as a size is at least 1; calls have to show it. */
export function needPositive(f: Frame, size: Poly, span: Span): void {
  const name = isName(size);
  if (name === null || f.signature === null) return;
  const { lo } = f.know.facts.bound(name);
  if (lo !== null && (asConst(lo) ?? 0) >= 1) return;
  if (!(f.signature.config ?? []).concat(f.signature.parameters).some((p) => p.name === name)) return;
  const condition = atMost(ONE, size);
  f.know.assume(condition);
  f.need({ condition: f.under(condition), message: null, span, chain: [] });
}

function declareResult(f: Frame, callable: Callable, signature: Signature, contextual: string[]): Type {
  const initialiser =
    callable.kind === 'fn' && signature.parameters.every((p) => p.type.kind !== 'tensor' || p.type.shape.length === 0);
  const isFields = (r: TypeExpr | readonly ResultField[]): r is readonly ResultField[] => Array.isArray(r);
  const single = (t: TypeExpr): Type => {
    if (t.dtype.text === 'record' && t.shape === null) return RECORD;
    if (!initialiser) {
      const problems = f.session.problemCount;
      for (const dim of t.shape ?? []) if (dim.kind === 'size') noNewSize(f, dim.value);
      if (f.session.problemCount > problems) return ERROR;
    }
    return tensorType(f, t, 'the result') ?? ERROR;
  };
  const { result } = callable;
  if (result === null) return ERROR;
  if (initialiser)
    for (const t of isFields(result) ? result.map((r) => r.type) : [result]) {
      const before = signature.sizes.length;
      const runs: string[] = [];
      introduce(f, t, signature.sizes as string[], runs);
      contextual.push(...signature.sizes.slice(before), ...runs);
    }
  readHead(f, callable);
  // Bounds of results may be read at once: every size is known here.
  signature.state = 'checking';
  const type: Type = isFields(result)
    ? { kind: 'record', fields: new Map(result.map((r) => [r.name.text, single(r.type)] as const)) }
    : single(result);
  signature.state = 'declared';
  return type;
}

function noNewSize(f: Frame, e: Expr): void {
  forNames(e, (text, span) => {
    if (!isUpper(text) || f.scope.find(text) !== null || f.lookup(text) !== null || f.damaged) return;
    const suggestion = nearest(text, visibleNames(f).filter(isUpper));
    f.report('NN723', span, { name: text, suggestion });
  });
}
