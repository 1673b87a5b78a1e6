/** Statements of a body: bindings, leaves, compile-time branches, results. Loops are in `loops.ts`, requirements in `requires.ts`. */
import type {
  AssignStatement,
  BinaryOperator,
  IfStatement,
  LeafStatement,
  LetStatement,
  Name,
  NameExpr,
  ReturnStatement,
  Span,
  Statement,
  YieldStatement,
} from '../../grammar/ast.ts';
import { nodesOf } from '../../grammar/walk.ts';
import { name as nameAtom, names } from '../sizes/poly.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { combine } from './arithmetic.ts';
import { broadcast, sameShape } from './broadcast.ts';
import { noteLabel } from './calls.ts';
import { checkCondition, isBelow, joinElements } from './choices.ts';
import { negate } from './conditions.ts';
import type { Condition } from './conditions.ts';
import { checkEquation } from './equations.ts';
import { checkValue, undefinedName } from './expressions.ts';
import { assigned, checkRepeat, sameType } from './loops.ts';
import { axisWhy, because, chain, showShape, showType, sourceText } from './report.ts';
import { checkRequire } from './requires.ts';
import { joinRoles } from './roles.ts';
import { valueBinding } from './scope.ts';
import type { ValueBinding } from './scope.ts';
import { Frame, OUTSIDE_VALIDATED } from './session.ts';
import { tensorType } from './signature.ts';
import { ERROR, NONE, formatType, isFloat, numberOf, sizeAxis, tensor } from './types.ts';
import type { Axis, TensorType, Type } from './types.ts';

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
      const loop = f.loops.at(-1);
      if (loop?.kind !== 'scan') f.report('NN721', s.span, { what: '`until`', where: 'a body that is no scan' });
      else if (loop.reversed) f.report('NN721', s.span, { what: '`until`', where: 'a reversed scan' });
      else loop.until ??= s.span;
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
    const described =
      earlier.kind === 'value' ? `a ${earlier.origin}` : earlier.kind === 'size' ? 'a size' : 'an index';
    f.report('NN705', name.span, { name: name.text, what: described, first: earlier.span });
    return;
  }
  const outer = f.scope.find(name.text);
  if (outer?.kind === 'size' || outer?.kind === 'run')
    f.report('NN705', name.span, { name: name.text, what: 'a size', first: outer.span });
  else if (what === 'let' && f.lookupOwn(name.text)?.declaration.kind === 'const')
    f.report('NN705', name.span, {
      name: name.text,
      what: 'a const',
      first: f.lookupOwn(name.text)!.declaration.name.span,
    });
}

function bind(
  f: Frame,
  name: Name,
  origin: ValueBinding['origin'],
  type: Type,
  declared: Type | null = null,
): ValueBinding {
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
    if (definition === null) {
      const introduce: Fix = {
        title: 'introduce it with `let`',
        edits: [{ span: { file: s.span.file, start: s.span.start, end: s.span.start }, text: 'let ' }],
        applicability: 'maybe',
      };
      // `x = x + 1`: to introduce it would not help, what it is made of is missing.
      const read = nodesOf(s.value).find((n) => n.kind === 'name' && (n as NameExpr).name === s.name.text);
      if (read?.span !== undefined) undefinedName(f, s.name.text, read.span, []);
      else undefinedName(f, s.name.text, s.name.span, s.operator === '=' ? [introduce] : []);
      // What was meant as a new name is one, so that its uses are not reported too.
      if (s.operator === '=') bind(f, s.name, 'yield', ERROR);
    } else f.report('NN716', s.name.span, { name: s.name.text, what: `a ${definition.declaration.kind}` });
    return touch();
  }
  f.session.references.set(s.name, { kind: 'local', binding: found });
  if (found.kind !== 'value') {
    f.report('NN716', s.name.span, { name: s.name.text, what: found.kind === 'letter' ? 'an index' : 'a size' });
    return touch();
  }
  if (f.callable?.kind === 'schedule' && found.origin === 'state' && !f.isValidated)
    f.report('NN721', s.span, { what: `a change of \`${s.name.text}\``, where: OUTSIDE_VALIDATED });
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
    const at = {
      operator,
      operatorSpan: s.name.span,
      span: s.span,
      left: { span: s.name.span },
      right: { span: s.value.span },
    };
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
  if (isLeaf && declared?.kind === 'leaves' && type.kind !== 'leaves' && type.kind !== 'error') {
    f.report('NN712', s.value.span, { what: binding.name, expected: formatType(declared), actual: showType(f, type) });
    return declared;
  }
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
  if (
    declared.below !== null &&
    (type.kind === 'tensor' || type.kind === 'number') &&
    !isBelow(f, type, declared.below)
  ) {
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
  state: ['block', 'model', 'optimizer', 'schedule', 'train block'],
  carry: ['block', 'model', 'fn', 'loss', 'metric'],
};

export function checkLeaf(f: Frame, s: LeafStatement): void {
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
      if (f.callable?.kind !== 'optimizer' && f.callable?.kind !== 'schedule')
        for (const axis of type.shape)
          if (axis.kind === 'size') for (const n of names(axis.size)) f.sizesOfParameters.add(n);
      f.signature?.leaves.set(s.name.text, type);
      if (!f.path.includes(null)) f.signature?.paths.set([...f.path, s.name.text].join('.'), type.shape);
    }
  }
  f.session.lets.set(s, type);
  bind(f, s.name, s.leaf, type, type);
}

function typedLeaf(f: Frame, s: LeafStatement): Type {
  if (s.type?.dtype.text === 'record' && s.type.shape === null) return recordLeaf(f, s);
  const type = s.type === null ? null : tensorType(f, s.type, s.name.text);
  if (type === null) {
    f.whole(() => f.withDraws([], () => checkValue(f, s.value)));
    return ERROR;
  }
  const value = f.whole(() => f.withDraws(type.shape, () => checkValue(f, s.value)));
  initialFits(f, s.name.text, type, value, s.value.span);
  return type;
}

/** `state average: record = Net.params`, in a train block. */
function recordLeaf(f: Frame, s: LeafStatement): Type {
  const value = checkValue(f, s.value);
  if (value.kind === 'error') return ERROR;
  const direct = s.value.kind === 'member' && s.value.name.text === 'params' && value.kind === 'leaves';
  if (direct && f.callable === null && s.leaf === 'state') return value;
  f.report('NN727', s.value.span, { leaf: s.leaf, name: s.name.text, actual: showType(f, value) });
  return ERROR;
}

function initialFits(f: Frame, name: string, type: TensorType, value: Type, span: Span): void {
  if (value.kind === 'error') return;
  if (value.kind !== 'tensor' && value.kind !== 'number') {
    f.report('NN712', span, {
      what: `the initial value of ${name}`,
      expected: showType(f, type),
      actual: formatType(value),
    });
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

function plainlyEqual(f: Frame, a: Axis, b: Axis): boolean {
  if (a.kind === 'run') return b.kind === 'run' && a.name === b.name;
  return b.kind === 'size' && f.know.holds({ kind: 'equal', left: a.size, right: b.size, negated: false });
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
    // Only what is plainly equal: a joined size is right in any case.
    if (plainlyEqual(f, x, y)) shape.push(x);
    else if (x.kind === 'run' || y.kind === 'run') return differ();
    else {
      const text = `${f.know.show(x.size)} or ${f.know.show(y.size)}`;
      const size = nameAtom(`(${text})#${s.span.file}_${s.span.start}`);
      const whys = [x.why, y.why].filter((w) => w !== null);
      shape.push(
        sizeAxis(
          size,
          because(
            size,
            `\`${b.name}\` differs in the branches of \`if ${sourceText(f, s.condition.span)}\``,
            s.span,
            whys,
          ),
        ),
      );
    }
  }
  const below = a.below !== null && a.below === z.below ? a.below : null;
  return tensor(dtype, shape, { below, role: joinRoles(a.role, z.role) });
}

// Results

function checkReturn(f: Frame, s: ReturnStatement): void {
  if (f.loops.length > 0)
    f.report('NN721', s.span, { what: '`return`', where: 'a scan: it gives values with `yield`' });
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
