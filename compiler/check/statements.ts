/** Statements of a body: bindings, leaves, compile-time branches, results. Loops are in `loops.ts`, requirements in `requires.ts`. */
import type {
  AssignStatement,
  BinaryOperator,
  Callable,
  IfStatement,
  LeafStatement,
  LetStatement,
  Name,
  ReturnStatement,
  Span,
  Statement,
  YieldStatement,
} from '../../grammar/ast.ts';
import { name as nameAtom, names } from '../sizes/poly.ts';
import { broadcast, sameAxis, sameShape } from './broadcast.ts';
import { noteLabel } from './calls.ts';
import type { Condition } from './conditions.ts';
import { negate } from './conditions.ts';
import { checkEquation, inEquation } from './equations.ts';
import { checkCondition, checkValue, combine, isBelow, joinElements, undefinedName } from './expressions.ts';
import { assigned, checkRepeat, sameType } from './loops.ts';
import { aligned, axisWhy, because, chain, judgement, showShape, showType, sourceText } from './report.ts';
import { checkRequire } from './requires.ts';
import { joinRoles } from './roles.ts';
import { valueBinding } from './scope.ts';
import type { ValueBinding } from './scope.ts';
import type { Frame, Signature } from './session.ts';
import { tensorType } from './signature.ts';
import type { Axis, TensorType, Type } from './types.ts';
import { ERROR, formatType, isFloat, isInteger, NONE, numberOf, sizeAxis, tensor } from './types.ts';

/** True when control never leaves the list at its end: every way returns. */
export function checkStatements(f: Frame, statements: readonly Statement[]): boolean {
  const savedBranches = f.branches;
  let returned = false;
  for (const s of statements) {
    f.lastValue = null;
    if (checkStatement(f, s)) returned = true;
  }
  f.branches = savedBranches;
  return returned;
}

function checkStatement(f: Frame, s: Statement): boolean {
  switch (s.kind) {
    case 'let':
      checkLet(f, s);
      return false;
    case 'assign':
      checkAssign(f, s);
      return false;
    case 'leaf':
      checkLeaf(f, s);
      return false;
    case 'require':
      if (!f.headRequires.has(s)) checkRequire(f, s);
      return false;
    case 'if':
      return checkIf(f, s);
    case 'return':
      checkReturn(f, s);
      return true;
    case 'repeat':
      checkRepeat(f, s);
      return false;
    case 'yield':
      checkYield(f, s);
      return false;
    case 'until': {
      if (f.loops.at(-1)?.kind !== 'scan') f.report('NN721', s.span, { what: '`until`', where: 'a body that is no scan' });
      const condition = checkCondition(f, s.condition);
      if (condition?.type.kind === 'tensor' && condition.type.shape.length > 0)
        f.report('NN124', s.condition.span, {
          what: 'the condition of `until`',
          expected: 'one bool: `all(…)` or `any(…)`',
          actual: showType(f, condition.type),
        });
      return false;
    }
    case 'expression':
      f.lastValue = { type: checkValue(f, s.value), span: s.value.span };
      return false;
    case 'bad':
      f.damaged = true;
      return false;
  }
}

// Bindings

function newName(f: Frame, name: Name, what: string): void {
  const earlier = f.scope.names.get(name.text);
  if (earlier !== undefined && (earlier.kind !== 'value' || earlier.origin !== 'yield')) {
    if (earlier.span.start === name.span.start && earlier.span.file === name.span.file) return;
    const described = earlier.kind === 'value' ? `a ${earlier.origin}` : earlier.kind === 'size' ? 'a size' : 'an index';
    f.report('NN705', name.span, { name: name.text, what: described, first: earlier.span });
    return;
  }
  const outer = f.scope.find(name.text);
  if (outer?.kind === 'size' || outer?.kind === 'run')
    f.report('NN705', name.span, { name: name.text, what: 'a size', first: outer.span });
  else if (what === 'let' && f.module.names.get(name.text)?.declaration.kind === 'const')
    f.report('NN705', name.span, {
      name: name.text,
      what: 'a const',
      first: f.module.names.get(name.text)!.declaration.name.span,
    });
}

function bind(f: Frame, name: Name, origin: ValueBinding['origin'], type: Type, declared: Type | null = null): ValueBinding {
  const binding = valueBinding(name, origin, type, declared);
  f.scope.add(binding);
  f.session.references.set(name, { kind: 'local', binding });
  const same = f.bindings.get(name) ?? [];
  same.push(binding);
  f.bindings.set(name, same);
  return binding;
}

/** A `let` of the checked value; an instance takes the name as its label. */
export function checkLet(f: Frame, s: LetStatement): void {
  newName(f, s.name, 'let');
  let type: Type;
  if (s.indices !== null) type = checkEquation(f, s.indices, s.value, s.span) ?? ERROR;
  else {
    type = checkValue(f, s.value);
    if (type.kind === 'none') {
      f.report('NN712', s.value.span, { what: `let ${s.name.text}`, expected: 'a value', actual: 'nothing' });
      type = ERROR;
    }
    if (type.kind === 'instance' && type.instance.label === null && !type.instance.shared) {
      type = { kind: 'instance', instance: { ...type.instance, label: s.name.text } };
      noteLabel(f, s.name.text, s.name.span);
      f.signature?.instances.set(s.name.text, type.instance);
    }
  }
  f.session.lets.set(s, type);
  bind(f, s.name, 'let', type);
}

export function checkAssign(f: Frame, s: AssignStatement): void {
  const found = f.scope.find(s.name.text);
  const touch = (): void => {
    if (s.indices === null) checkValue(f, s.value);
    else checkEquation(f, s.indices, s.value, s.span);
  };
  if (found === null) {
    const definition = f.lookup(s.name.text);
    if (definition === null) undefinedName(f, s.name.text, s.name.span);
    else f.report('NN716', s.name.span, { name: s.name.text, what: `a ${definition.declaration.kind}` });
    return touch();
  }
  f.session.references.set(s.name, { kind: 'local', binding: found });
  if (found.kind !== 'value') {
    f.report('NN716', s.name.span, { name: s.name.text, what: found.kind === 'letter' ? 'an index' : 'a size' });
    return touch();
  }
  const fixed =
    found.origin === 'config' || found.origin === 'round'
      ? 'configuration'
      : found.origin === 'param'
        ? 'a trained parameter: only an optimizer rebinds it'
        : null;
  if (fixed !== null) {
    f.report('NN716', s.name.span, { name: s.name.text, what: fixed });
    return touch();
  }
  let type: Type;
  if (s.indices === null) type = checkValue(f, s.value);
  else {
    const existing = found.type.kind === 'tensor' ? found.type.shape : null;
    type = checkEquation(f, s.indices, s.value, s.span, { existing }) ?? ERROR;
  }
  if (s.operator !== '=') {
    const operator = s.operator[0] as BinaryOperator;
    found.used = true;
    const at = { operator, operatorSpan: s.name.span, span: s.span, left: { span: s.name.span }, right: { span: s.value.span } };
    type = combine(f, at, found.type, type);
  }
  if (type.kind === 'none') {
    f.report('NN712', s.value.span, { what: s.name.text, expected: 'a value', actual: 'nothing' });
    type = ERROR;
  }
  found.type = keepDeclared(f, found, type, s);
}

/** Leaves (and an optimizer's weights) keep their type; other names take the new one. */
function keepDeclared(f: Frame, binding: ValueBinding, type: Type, s: AssignStatement): Type {
  const declared = binding.declared;
  const isLeaf =
    binding.origin === 'state' ||
    binding.origin === 'carry' ||
    (binding.origin === 'parameter' && f.callable?.kind === 'optimizer');
  if (!isLeaf || declared?.kind !== 'tensor' || type.kind === 'error') return type;
  const fits =
    (type.kind === 'tensor' &&
      joinElements(declared, type) !== null &&
      isFloat(declared.dtype) === isFloat(type.dtype) &&
      (type.shape.length === 0 || sameShape(f, declared.shape, type.shape))) ||
    (type.kind === 'number' && joinElements(declared, type) !== null);
  if (!fits) {
    f.report('NN110', s.value.span, {
      name: binding.name,
      origin: binding.origin === 'parameter' ? 'weight' : binding.origin,
      declared: showType(f, declared),
      actual: showType(f, type),
      declaredSpan: binding.span,
      chain: type.kind === 'tensor' ? chain(f, ...type.shape.map(axisWhy)) : [],
    });
    return declared;
  }
  if (declared.below !== null && (type.kind === 'tensor' || type.kind === 'number') && !isBelow(f, type, declared.below)) {
    f.report('NN110', s.value.span, {
      name: binding.name,
      origin: binding.origin,
      declared: showType(f, declared),
      actual: showType(f, type),
      declaredSpan: binding.span,
      chain: [],
    });
    return declared;
  }
  return type.kind === 'tensor' ? { ...declared, role: type.role } : declared;
}

// Leaves

const LEAF_HOMES: Readonly<Record<LeafStatement['leaf'], readonly string[]>> = {
  param: ['block', 'model'],
  state: ['block', 'model', 'optimizer'],
  carry: ['block', 'model', 'fn', 'loss', 'metric'],
};

function checkLeaf(f: Frame, s: LeafStatement): void {
  const home = f.callable?.kind ?? 'train block';
  if (!LEAF_HOMES[s.leaf].includes(home)) f.report('NN721', s.span, { what: `\`${s.leaf}\``, where: `a ${home}` });
  const earlier = f.scope.names.get(s.name.text);
  const isConfig = earlier?.kind === 'value' && earlier.origin === 'config';
  if (!isConfig) newName(f, s.name, 'leaf');
  let type: Type;
  if (s.indices !== null) {
    type = checkEquation(f, s.indices, s.value, s.span) ?? ERROR;
    if (type.kind === 'tensor') type = { ...type, role: { kind: 'real', axis: null, from: null } };
  } else type = typedLeaf(f, s);
  if (s.leaf !== 'carry') {
    noteLabel(f, s.name.text, s.name.span);
    if (type.kind === 'tensor') {
      if (f.callable?.kind !== 'optimizer')
        for (const axis of type.shape) if (axis.kind === 'size') for (const n of names(axis.size)) f.sizesOfParameters.add(n);
      f.signature?.leaves.set(s.name.text, type);
      if (!f.path.includes(null)) f.signature?.paths.set([...f.path, s.name.text].join('.'), type.shape);
    }
  }
  f.session.lets.set(s, type);
  bind(f, s.name, s.leaf, type, type);
}

function typedLeaf(f: Frame, s: LeafStatement): Type {
  const type = s.type === null ? null : tensorType(f, s.type, s.name.text);
  if (type === null) {
    f.whole(() => f.withDraws([], () => checkValue(f, s.value)));
    return ERROR;
  }
  const value = f.whole(() => f.withDraws(type.shape, () => checkValue(f, s.value)));
  initialFits(f, s.name.text, type, value, s.value.span);
  return type;
}

function initialFits(f: Frame, name: string, type: TensorType, value: Type, span: Span): void {
  if (value.kind === 'error') return;
  if (value.kind !== 'tensor' && value.kind !== 'number') {
    f.report('NN712', span, { what: `the initial value of ${name}`, expected: showType(f, type), actual: formatType(value) });
    return;
  }
  const joined = joinElements(type, value);
  if (joined === null || isFloat(joined) !== isFloat(type.dtype)) {
    f.report('NN124', span, { what: `the initial value of ${name}`, expected: type.dtype, actual: showType(f, value) });
    return;
  }
  if (value.kind === 'number' || value.shape.length === 0) return;
  const shape = broadcast(f, '=', span, { shape: type.shape, span }, { shape: value.shape, span });
  if (shape !== null && value.shape.length > type.shape.length)
    f.report('NN106', span, {
      what: `the initial value of ${name}`,
      expected: showShape(f, type.shape),
      actual: showShape(f, value.shape),
      expectedRank: String(type.shape.length),
      actualRank: String(value.shape.length),
      chain: [],
    });
}

// if

function checkIf(f: Frame, s: IfStatement): boolean {
  const checked = f.whole(() => checkCondition(f, s.condition));
  let condition: Condition | null = null;
  if (checked !== null) {
    if (checked.type.kind !== 'number')
      f.report('NN722', s.condition.span, { what: 'the condition of `if`', type: showType(f, checked.type) });
    else ({ condition } = checked);
  }
  const verdict = condition === null ? null : f.know.decide(condition);
  if (verdict?.kind === 'proved') return f.scoped(() => checkStatements(f, s.then));
  if (verdict?.kind === 'refuted')
    return s.otherwise === null ? false : f.scoped(() => checkStatements(f, s.otherwise!));

  const names = assigned(s.then);
  assigned(s.otherwise ?? [], names);
  const bindings = [...names.keys()].map((n) => f.scope.find(n)).filter((b) => b?.kind === 'value') as ValueBinding[];
  const before = bindings.map((b) => b.type);
  const run = (statements: readonly Statement[], fact: Condition | null): boolean => {
    const saved = f.branches;
    if (fact !== null) f.branches = [...saved, fact];
    const returned = f.knowing(fact === null ? [] : [fact], () =>
      f.know.contradictory ? false : f.scoped(() => checkStatements(f, statements)),
    );
    f.branches = saved;
    return returned;
  };
  const thenReturns = run(s.then, condition);
  const thenTypes = bindings.map((b) => b.type);
  for (const [k, b] of bindings.entries()) b.type = before[k]!;
  const otherReturns = run(s.otherwise ?? [], condition === null ? null : negate(condition));
  const otherTypes = bindings.map((b) => b.type);
  f.lastValue = null;

  if (condition !== null && thenReturns !== otherReturns) {
    // What follows runs only where the returning branch is not taken.
    const rest = thenReturns ? negate(condition) : condition;
    f.know.assume(rest);
    f.branches = [...f.branches, rest];
  }
  for (const [k, b] of bindings.entries()) {
    if (thenReturns && !otherReturns) b.type = otherTypes[k]!;
    else if (otherReturns && !thenReturns) b.type = thenTypes[k]!;
    else b.type = joinBranches(f, s, b, thenTypes[k]!, otherTypes[k]!, names.get(b.name)!);
  }
  return thenReturns && otherReturns;
}

/** One type after two branches; an axis that differs becomes a size of its own, the same for every name that differs in the same way. */
function joinBranches(f: Frame, s: IfStatement, b: ValueBinding, a: Type, z: Type, span: Span): Type {
  if (a === z) return a;
  if (a.kind === 'error' || z.kind === 'error') return ERROR;
  const differ = (): Type => {
    f.report('NN114', span, { name: b.name, then: showType(f, a), otherwise: showType(f, z) });
    return ERROR;
  };
  if (a.kind === 'number' && z.kind === 'number') {
    if (joinElements(a, z) === null) return differ();
    return a.value !== null && a.value === z.value ? a : a.dtype === 'int' ? numberOf('int') : numberOf(a.dtype);
  }
  if (a.kind !== 'tensor' || z.kind !== 'tensor') {
    if (sameType(f, a, z)) return a.kind === 'tensor' ? a : z;
    return differ();
  }
  const dtype = joinElements(a, z);
  if (dtype === null || a.shape.length !== z.shape.length) return differ();
  const shape: Axis[] = [];
  for (const [k, x] of a.shape.entries()) {
    const y = z.shape[k]!;
    if (sameAxis(f, x, y)) shape.push(x);
    else if (x.kind === 'run' || y.kind === 'run') return differ();
    else {
      const text = `${f.know.show(x.size)} or ${f.know.show(y.size)}`;
      const size = nameAtom(`(${text})#${s.span.file}.${s.span.start}`);
      const whys = [x.why, y.why].filter((w) => w !== null);
      shape.push(sizeAxis(size, because(size, `\`${b.name}\` differs in the branches of \`if ${sourceText(f, s.condition.span)}\``, s.span, whys)));
    }
  }
  const below = a.below !== null && a.below === z.below ? a.below : null;
  return tensor(dtype, shape, { below, role: joinRoles(a.role, z.role) });
}

// Results

function checkReturn(f: Frame, s: ReturnStatement): void {
  if (f.loops.length > 0) f.report('NN721', s.span, { what: '`return`', where: 'a scan: it gives values with `yield`' });
  let type: Type = NONE;
  if (s.fields !== null) {
    const fields = new Map<string, Type>();
    for (const field of s.fields) fields.set(field.name?.text ?? String(fields.size), checkValue(f, field.value));
    type = { kind: 'record', fields };
  } else if (s.value !== null) type = checkValue(f, s.value);
  f.returns.push({ type, knowledge: f.know, span: s.value?.span ?? s.span });
}

function checkYield(f: Frame, s: YieldStatement): void {
  const loop = f.loops.at(-1);
  if (loop?.kind !== 'scan') f.report('NN721', s.span, { what: '`yield`', where: 'a body that is no scan' });
  if (s.indices !== null && s.name !== null) {
    const round = loop?.variable != null && loop.length !== null ? { name: loop.variable, axis: loop.length } : null;
    const type = checkEquation(f, s.indices, s.value, s.span, { round }) ?? ERROR;
    loop?.yields.set(s.name.text, { type, span: s.name.span });
    return;
  }
  const type = checkValue(f, s.value);
  if (loop !== undefined) loop.unnamed = { type, span: s.value.span };
}

// Bodies

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
      if (r.type.kind !== 'number' && r.type.kind !== 'error' && !(r.type.kind === 'tensor' && r.type.shape.length === 0))
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
      f.report('NN114', r.span, { name: 'the result', then: showType(f, r.type), otherwise: showType(f, candidate.type) });
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
  if (only === undefined || callable.body.statements.length > 1 || (only.kind !== 'expression' && only.kind !== 'return')) {
    if (!f.damaged) f.report('NN717', callable.name.span, { name: callable.name.text });
    return;
  }
  const value = only.value;
  if (value === null) return;
  // Positions lie inside the tensors they index: the application says how far they go.
  f.undefinedness = [];
  const type = inEquation(f, value, { constraints: [], letters: [], quiet: false, guarded: false }, () => checkValue(f, value));
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
  const declaredSpan = Array.isArray(callable.result) ? null : ((callable.result as { span: Span } | null)?.span ?? null);
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
  if (isFloat(declared.dtype)) return isFloat(element) || actual.kind === 'number' && element === 'i32';
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
