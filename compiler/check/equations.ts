/**
 * Index equations: `let score[b, h, t, s] = sum[e] query[b, h, t, e] * key[b, h, s, e]`, reads and reductions.
 *
 * Inside an equation every value is one element. A read must be provably inside, or typed below its extent, or stand left of an `else`; what
 * may leave its tensor is collected as conditions, whose negation is a fact on the right of that `else` (rule 17).
 */
import type { Expr, Index, ReadExpr, ReduceExpr, Span } from '../../grammar/ast.ts';
import { asConst, name as nameOfAtom, num, ONE, sub, ZERO } from '../sizes/poly.ts';
import type { Fix } from '../diagnostics/problem.ts';
import type { Poly } from '../sizes/poly.ts';
import { checkCondition, isBelow, numberElement } from './choices.ts';
import { isElement } from './arithmetic.ts';
import { some } from './arguments.ts';
import { sameAxis } from './broadcast.ts';
import type { Condition } from './conditions.ts';
import { atMost, below, both, conditionNames, hasOpaque, opaque, substituteCondition } from './conditions.ts';
import { checkValue } from './expressions.ts';
import {
  addLetter,
  alignRead,
  findLetter,
  gather,
  makeLetter,
  nameExpr,
  product,
  readTarget,
  solve,
} from './letters.ts';
import type { Gathered } from './letters.ts';
import { axisWhy, because, chain, judgement, showShape, showType, sourceText } from './report.ts';
import { mapRoleAxis, reduceRole, roleOf } from './roles.ts';
import { Scope } from './scope.ts';
import type { Letter } from './scope.ts';
import type { Frame } from './session.ts';
import type { Axis, NumberType, TensorType, Type } from './types.ts';
import { ERROR, formatType, isFloat, isInteger, REAL, sizeAxis, tensor } from './types.ts';

/** One place of the left side: a letter, a group of letters, or the variable of the scan around a named yield. */
type Place =
  | { readonly kind: 'letter'; readonly letter: Letter }
  | { readonly kind: 'group'; readonly letters: readonly Letter[]; readonly index: Index }
  | { readonly kind: 'round'; readonly axis: Axis };

export interface EquationOptions {
  /** The shape of what is rebound: its axes are the extents. */
  readonly existing?: readonly Axis[] | null;
  /** Name and extent of the scan variable that may stand among the indices of a yield. */
  readonly round?: { readonly name: string; readonly axis: Axis } | null;
}

/** The type of `name[indices] = value`; null after a report. */
export function checkEquation(
  f: Frame,
  indices: readonly Index[],
  value: Expr,
  span: Span,
  options: EquationOptions = {},
): TensorType | null {
  const outer = f.scope;
  f.scope = new Scope(outer);
  const places: Place[] = [];
  const gathered: Gathered = { constraints: [], letters: [], quiet: false, guarded: false };
  let failed = false;
  const make = (i: Parameters<typeof makeLetter>[1]): Letter => {
    const letter = makeLetter(f, i);
    addLetter(f, letter);
    gathered.letters.push(letter);
    return letter;
  };
  for (const index of indices) {
    if (index.kind === 'expression') {
      f.report('NN721', index.span, {
        what: 'an expression',
        where: 'the left side of an equation: it takes index names',
      });
      failed = true;
    } else if (index.kind === 'group') places.push({ kind: 'group', letters: index.parts.map(make), index });
    else if (options.round != null && index.name.text === options.round.name)
      places.push({ kind: 'round', axis: options.round.axis });
    else places.push({ kind: 'letter', letter: make(index) });
  }
  if (!failed && options.existing != null) failed = !takeExisting(f, places, options.existing, gathered, span);
  if (failed) {
    f.scope = outer;
    return null;
  }
  const type = inEquation(f, value, gathered, () => checkValue(f, value));
  f.scope = outer;
  if (type.kind === 'error' || gathered.letters.some((l) => l.failed)) return null;
  const shape = leftShape(places);
  if (type.kind !== 'tensor' && type.kind !== 'number') {
    f.report('NN712', value.span, { what: 'the value of an equation', expected: 'a number', actual: formatType(type) });
    return null;
  }
  if (type.kind === 'tensor' && type.shape.length > 0) {
    f.report('NN112', value.span, { name: sourceText(f, value.span), type: showType(f, type) });
    return null;
  }
  // A plain number has no element type of its own: tensors of numbers are floats (`let origin[n: 1] = 0`).
  const dtype = type.kind === 'number' ? (type.dtype === 'bool' ? 'bool' : 'float') : type.dtype;
  const axisOf = (axis: number | string): number | null => {
    const k = places.findIndex((p) => p.kind === 'letter' && p.letter.atom === axis);
    return k < 0 ? null : places.length - 1 - k;
  };
  const role = mapRoleAxis(roleOf(type), axisOf);
  return tensor(dtype, shape, {
    below: limitOf(type, gathered.letters),
    role: role.kind === 'unit' || role.kind === 'nonneg' || role.axis !== null ? role : softened(role),
  });
}

/** Probabilities whose axis left the shape are just numbers in [0, 1]. */
const softened = (role: TensorType['role']): TensorType['role'] =>
  role.kind === 'probs' || role.kind === 'problike'
    ? { ...role, kind: 'unit' }
    : role.kind === 'log_probs'
      ? REAL
      : role;

/** The bound of integers: declared by what was read, or that of a position. */
function limitOf(t: TensorType | NumberType, letters: readonly Letter[]): Poly | null {
  if (!isInteger(t.dtype)) return null;
  if (t.kind === 'tensor' && t.below !== null) {
    const own = letters.some((l) => conditionNames(below(t.below!, ONE)).has(l.atom));
    return own ? null : t.below;
  }
  const value = t.value === null ? null : asConst(t.value);
  return value !== null && value >= 0 ? num(value + 1) : null;
}

function leftShape(places: readonly Place[]): Axis[] {
  return places.flatMap((p): readonly Axis[] => {
    if (p.kind === 'round') return [p.axis];
    if (p.kind === 'letter') return p.letter.isRun ? p.letter.run! : [p.letter.extent!];
    const size = product(p.letters);
    const from = p.letters.map((l) => axisWhy(l.extent ?? undefined)).filter((w) => w !== null);
    return [sizeAxis(size, because(size, `the group (${p.letters.map((l) => l.name).join(' ')})`, p.index.span, from))];
  });
}

/** `mu[c] = …`: the letters take the extents of what is rebound. */
function takeExisting(f: Frame, places: readonly Place[], shape: readonly Axis[], out: Gathered, span: Span): boolean {
  const at = places.findIndex((p) => p.kind === 'letter' && p.letter.isRun);
  const suffix = at < 0 ? 0 : places.length - at - 1;
  if (at < 0 ? places.length !== shape.length : shape.length < places.length - 1) {
    f.report('NN113', span, {
      tensor: 'the left side',
      shape: showShape(f, shape),
      rank: String(shape.length),
      given: places.length,
    });
    return false;
  }
  for (const [k, p] of places.entries()) {
    if (p.kind === 'round') continue;
    if (k === at && p.kind === 'letter') {
      if (p.letter.run === null) p.letter.run = shape.slice(at, shape.length - suffix);
      continue;
    }
    const axis = at >= 0 && k > at ? shape[shape.length - (places.length - k)]! : shape[k]!;
    if (p.kind === 'letter')
      out.constraints.push({ kind: 'one', letter: p.letter, axis, span: p.letter.span, guarded: false });
    else if (p.index.kind === 'group')
      out.constraints.push({ kind: 'group', letters: p.letters, axis, group: p.index });
  }
  return true;
}

/** Checks something as the expression of an equation whose left letters are already in scope. */
export function inEquation<T>(f: Frame, root: Expr, gathered: Gathered, run: () => T): T {
  const saved = [f.inEquation, f.know, f.reductions, f.readTargets] as const;
  f.know = f.know.branch();
  f.reductions = new Map();
  f.readTargets = new Map();
  gather(f, root, gathered);
  solve(f, gathered);
  f.inEquation = true;
  try {
    return run();
  } finally {
    [f.inEquation, f.know, f.reductions, f.readTargets] = saved;
  }
}

/** A read or reduction outside an equation is an equation without a left side: a scalar. */
function alone(f: Frame, e: Expr, run: () => Type): Type {
  const gathered: Gathered = { constraints: [], letters: [], quiet: false, guarded: false };
  const type = inEquation(f, e, gathered, run);
  if (type.kind !== 'tensor') return type;
  const outside = typeof type.role.axis === 'string' ? softened({ ...type.role, axis: null }) : type.role;
  return {
    ...type,
    value: null,
    condition: null,
    role: outside,
    below: gathered.letters.length > 0 ? outsideBelow(type, gathered) : type.below,
  };
}

function outsideBelow(t: TensorType, g: Gathered): Poly | null {
  if (t.below === null) return null;
  const used = conditionNames(below(t.below, ONE));
  return g.letters.some((l) => used.has(l.atom)) ? null : t.below;
}

// Reads

export function checkRead(f: Frame, e: ReadExpr): Type {
  return f.inEquation ? readElement(f, e) : alone(f, e, () => readElement(f, e));
}

function readElement(f: Frame, e: ReadExpr): Type {
  const type = readTarget(f, e);
  const touch = (): Type => {
    for (const i of e.indices) if (i.kind === 'expression') checkValue(f, i.value);
    return ERROR;
  };
  if (type.kind === 'error') return touch();
  if (type.kind !== 'tensor') {
    f.report('NN712', e.target.span, { what: 'what is indexed', expected: 'a tensor', actual: formatType(type) });
    return touch();
  }
  const slots = alignRead(f, e, type.shape);
  if (slots === null) return touch();
  let failed = false;
  const atoms = new Map<number, string>();
  for (const { index, axes, fromEnd } of slots) {
    if (index.kind === 'group') {
      for (const p of index.parts) {
        const letter = findLetter(f, p);
        if (letter === null) {
          checkValue(f, nameExpr(p));
          f.report('NN721', p.span, { what: `\`${p.name.text}\``, where: 'a group: its parts are indices' });
          failed = true;
        } else if (letter.failed) failed = true;
      }
      continue;
    }
    if (index.kind === 'index') {
      const letter = findLetter(f, index);
      if (letter !== null) {
        if (letter.failed) failed = true;
        else if (!letter.isRun) {
          atoms.set(fromEnd, letter.atom);
          const axis = axes[0]!;
          if (letter.extent !== null && !sameAxis(f, letter.extent, axis)) {
            const place = tensor('i32', [], { value: letter.position });
            if (
              !inside(
                f,
                e,
                place,
                axis,
                nameExpr(index),
                slots.findIndex((s) => s.index === index),
              )
            )
              failed = true;
          }
        }
        continue;
      }
      if (index.run) {
        f.report('NN704', index.span, { name: index.name.text, suggestion: null, known: [] });
        failed = true;
        continue;
      }
    }
    const expression = index.kind === 'index' ? nameExpr(index) : index.value;
    const place = checkValue(f, expression);
    if (place.kind === 'error') {
      failed = true;
      continue;
    }
    if (!isIndex(f, place, expression.span)) failed = true;
    else if (
      !inside(
        f,
        e,
        place,
        axes[0]!,
        expression,
        slots.findIndex((s) => s.index === index),
      )
    )
      failed = true;
  }
  if (failed) return ERROR;
  const role = mapRoleAxis(type.role, (axis) => (typeof axis === 'number' ? (atoms.get(axis) ?? null) : null));
  return tensor(type.dtype, [], { below: type.below, role: role.axis === null ? softened(role) : role });
}

function isIndex(f: Frame, t: Type, span: Span): t is TensorType | NumberType {
  if ((t.kind === 'tensor' || t.kind === 'number') && isInteger(t.dtype)) return isElement(f, t, span);
  if (t.kind === 'number' && t.inexact !== null) {
    f.report('NN108', t.inexact.span, {
      dividend: f.know.show(t.inexact.dividend),
      divisor: f.know.show(t.inexact.divisor),
      judgement: judgement(f.know.divides(t.inexact.divisor, t.inexact.dividend)),
    });
    return false;
  }
  f.report('NN126', span, { index: sourceText(f, span), type: showType(f, t) });
  return false;
}

/** `x[…] else 0`, in parentheses where it has none: `else` is the loosest operator. */
function orZero(f: Frame, span: Span): string {
  const { text } = f.session.program.sources.get(span.file);
  const inner = `${text.slice(span.start, span.end)} else 0`;
  return /\(\s*$/.test(text.slice(0, span.start)) && /^\s*\)/.test(text.slice(span.end)) ? inner : `(${inner})`;
}

/** Whether a computed index stays in its axis; otherwise an enclosing `else` takes it, or a report. */
function inside(f: Frame, e: ReadExpr, place: TensorType | NumberType, axis: Axis, index: Expr, at: number): boolean {
  if (axis.kind === 'run') return true;
  const { size } = axis;
  if (isBelow(f, place, size)) return true;
  const { value } = place;
  const facts = {
    tensor: sourceText(f, e.target.span),
    axis: at,
    index: sourceText(f, index.span),
    extent: f.know.show(size),
    chain: chain(f, axis.why),
  };
  const outside: Fix[] = [
    {
      title: 'say what stands outside',
      edits: [{ span: e.span, text: orZero(f, e.span) }],
      applicability: 'maybe',
    },
  ];
  // `x[b, -1]` counts from the end elsewhere.
  const back = place.value === null ? null : asConst(place.value);
  if (back !== null && back < 0 && index.kind === 'unary')
    outside.unshift({
      title: 'count from the end',
      edits: [{ span: index.span, text: `${f.know.show(size)} - ${-back}` }],
      applicability: 'maybe',
    });
  if (value === null) {
    if (f.undefinedness !== null) {
      f.undefinedness.push(opaque(`${facts.index} inside ${facts.tensor}`));
      return true;
    }
    const unknown = { kind: 'unknown', witness: null, condition: null } as const;
    f.report('NN103', index.span, { ...facts, side: 'data', judgement: unknown }, outside);
    return false;
  }
  const room = sub(sub(size, ONE), value);
  if (f.undefinedness !== null) {
    let condition: Condition | null = null;
    if (!f.know.isAtLeastZero(value)) condition = atMost(ZERO, value);
    if (!f.know.isAtLeastZero(room))
      condition = condition === null ? below(value, size) : both(condition, below(value, size));
    if (condition !== null) f.undefinedness.push(condition);
    return true;
  }
  const low = f.know.atLeastZero(value);
  const high = f.know.atLeastZero(room);
  if (low.kind === 'proved' && high.kind === 'proved') return true;
  const [verdict, side] = low.kind !== 'proved' ? ([low, 'below'] as const) : ([high, 'above'] as const);
  f.report('NN103', index.span, { ...facts, side, judgement: judgement(verdict) }, outside);
  return false;
}

// Reductions

export function checkReduce(f: Frame, e: ReduceExpr): Type {
  return f.inEquation ? reduceElement(f, e) : alone(f, e, () => reduceElement(f, e));
}

function reduceElement(f: Frame, e: ReduceExpr): Type {
  const outer = f.scope;
  f.scope = new Scope(outer);
  const letters: Letter[] = [];
  let failed = false;
  const own = (f.reductions.get(e) ?? []).filter((l) => l.kind === 'letter');
  if (e.operator === 'softmax') {
    for (const i of e.indices) {
      const letter = findLetter(f, i);
      if (letter === null) {
        f.report('NN117', i.span, { index: i.name.text });
        failed = true;
      } else letters.push(letter);
    }
  } else letters.push(...own);
  for (const l of own) f.scope.add(l);
  const guard = e.guard === null ? null : checkCondition(f, e.guard);
  if (e.guard !== null && guard === null) failed = true;
  if (e.guard !== null && !mentions(e.guard, letters))
    f.report('NN116', e.guard.span, { operator: e.operator, indices: letters.map((l) => l.name) });
  const value = f.knowing(guard === null ? [] : [guard.condition], () => checkValue(f, e.operand));
  f.scope = outer;
  if (value.kind === 'error' || failed || letters.some((l) => l.failed)) return ERROR;
  if (value.kind !== 'tensor' && value.kind !== 'number') {
    f.report('NN712', e.operand.span, {
      what: `what ${e.operator} takes`,
      expected: 'a number',
      actual: formatType(value),
    });
    return ERROR;
  }
  if (!isElement(f, value, e.operand.span)) return ERROR;
  const nothing = e.operator === 'max' || e.operator === 'min' || e.operator === 'argmax';
  if (nothing && guard !== null && !everReached(f, guard.condition, letters)) {
    const what = `${e.operator} of nothing`;
    if (f.undefinedness === null)
      f.report('NN111', e.span, { what }, [
        {
          title: 'say what it is where there is nothing',
          edits: [{ span: { file: e.span.file, start: e.span.end, end: e.span.end }, text: ' else 0' }],
          applicability: 'maybe',
        },
      ]);
    else f.undefinedness.push(opaque(what));
  }
  return reduced(f, e, value, letters);
}

function mentions(guard: Expr, letters: readonly Letter[]): boolean {
  const own = new Set(letters.map((l) => l.name));
  return some(guard, (x) => (x.kind === 'name' ? own.has(x.name) : null));
}

/** Whether some position of the reduced index always passes the guard: its first, its last, or another index's. */
function everReached(f: Frame, guard: Condition, letters: readonly Letter[]): boolean {
  if (hasOpaque(guard) || letters.length !== 1) return false;
  const [letter] = letters as readonly [Letter];
  if (letter.extent?.kind !== 'size') return false;
  const { size } = letter.extent;
  const others = [...conditionNames(guard)].filter((n) => n !== letter.atom && n.includes('#'));
  const tries: Poly[] = [ZERO, sub(size, ONE)];
  for (const n of others) {
    const bound = f.know.facts.bound(n);
    if (bound.hi !== null && f.know.isAtLeastZero(sub(sub(size, ONE), bound.hi))) tries.push(nameOfAtom(n));
  }
  return tries.some((p) => f.know.decide(substituteCondition(guard, new Map([[letter.atom, p]]))).kind === 'proved');
}

function reduced(f: Frame, e: ReduceExpr, value: TensorType | NumberType, letters: readonly Letter[]): Type {
  const element = value.kind === 'number' ? numberElement(value) : value.dtype;
  const atoms = letters.map((l) => l.atom);
  const role = reduceRole(e.operator, roleOf(value), atoms, e.span);
  const needs = (expected: string): Type => {
    f.report('NN124', e.operand.span, { what: `what ${e.operator} takes`, expected, actual: showType(f, value) });
    return ERROR;
  };
  switch (e.operator) {
    case 'any':
    case 'all':
      return element === 'bool' ? tensor('bool', []) : needs('bool');
    case 'argmax': {
      if (element === 'bool') return needs('a number');
      const [only] = letters;
      if (letters.length > 1)
        f.report('NN721', e.span, {
          what: 'more than one index',
          where: '`argmax`, which gives a position along one: merge them before, `let flat[b, (i j)] = x[b, i, j]`',
        });
      const extent = letters.length === 1 && only?.extent?.kind === 'size' ? only.extent.size : null;
      return tensor('i32', [], { below: extent });
    }
    case 'mean':
      return tensor(isFloat(element) ? element : 'float', [], { role: isFloat(element) ? role : REAL });
    case 'sum':
      if (element === 'bool') return tensor('i32', []);
      return tensor(element, [], { role });
    case 'prod':
      return element === 'bool' ? needs('a number') : tensor(element, []);
    case 'max':
    case 'min':
      if (element === 'bool') return needs('a number');
      return tensor(element, [], { role, below: value.kind === 'tensor' ? value.below : null });
    case 'logsumexp':
      return isFloat(element) ? tensor(element, []) : needs('float');
    case 'softmax': {
      if (!isFloat(element)) return needs('float');
      const given = roleOf(value);
      if (given.kind === 'probs') f.report('NN303', e.operand.span, { role: given.kind, from: given.from });
      return tensor(element, [], { role });
    }
  }
}
