/**
 * `repeat` and `scan`: bodies that run many times but are checked once (a literal list round by round).
 *
 * A round keeps the types of what it rebinds; roles and bounds that a round loses are dropped before the first one. A `repeat i < 3` with a
 * literal count whose rounds change types is unrolled like a list. The scanned axis is chosen here, generically, and recorded (rule 13).
 */
import type { Expr, NameExpr, RepeatStatement, ScanExpr, Span, Statement } from '../../grammar/ast.ts';
import { asConst, name as nameAtom, num, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { joinElements } from './choices.ts';
import { sameShape } from './broadcast.ts';
import { checkValue, integerOf, integerValue } from './expressions.ts';
import { axisWhy, because, chain, showShape, showType, sourceText } from './report.ts';
import { joinRoles, roleOf } from './roles.ts';
import { valueBinding } from './scope.ts';
import type { ValueBinding } from './scope.ts';
import { standsFor, type Frame, type LoopState } from './session.ts';
import { checkStatements } from './statements.ts';
import type { Axis, NumberType, Type } from './types.ts';
import { ERROR, formatType, intOf, NONE, numberOf, sizeAxis } from './types.ts';

const MOST_ROUNDS = 64;

/** Names a body rebinds, innermost statements included. */
export function assigned(statements: readonly Statement[], out = new Map<string, Span>()): Map<string, Span> {
  for (const s of statements) {
    if (s.kind === 'assign') out.set(s.name.text, s.name.span);
    else if (s.kind === 'if') {
      assigned(s.then, out);
      assigned(s.otherwise ?? [], out);
    } else if (s.kind === 'repeat') assigned(s.body, out);
    for (const e of expressionsOf(s)) if (e.kind === 'scan') assigned(e.body, out);
  }
  return out;
}

function expressionsOf(s: Statement): readonly Expr[] {
  switch (s.kind) {
    case 'let':
    case 'assign':
    case 'expression':
    case 'yield':
      return [s.value];
    case 'return':
      return s.value === null ? [] : [s.value];
    default:
      return [];
  }
}

interface Carried {
  readonly binding: ValueBinding;
  readonly before: Type;
  readonly span: Span;
}

function carriedBy(f: Frame, body: readonly Statement[]): Carried[] {
  const out: Carried[] = [];
  for (const [text, span] of assigned(body)) {
    const binding = f.scope.find(text);
    if (binding?.kind === 'value') out.push({ binding, before: binding.type, span });
  }
  return out;
}

/** What holds in every round: the type at the start, without roles, bounds and values that a round loses. */
function weakened(f: Frame, before: Type, after: Type): Type {
  if (before.kind === 'number' && after.kind === 'number') {
    if (before.value !== null && before.value === after.value) return before;
    return before.dtype === 'int' ? freshInteger(f) : numberOf(before.dtype);
  }
  if (before.kind !== 'tensor') return before;
  if (after.kind !== 'tensor') return before;
  const role = joinRoles(roleOf(before), roleOf(after));
  const below =
    before.below !== null && after.below !== null && f.know.isAtLeastZero(sub(before.below, after.below))
      ? before.below
      : null;
  return { ...before, role, below, value: null, condition: null };
}

function freshInteger(f: Frame): NumberType {
  const text = `count#${f.session.fresh()}`;
  f.know.integer(text, 0);
  return intOf(nameAtom(text));
}

const fragile = (t: Type): boolean =>
  t.kind === 'number' || (t.kind === 'tensor' && (t.below !== null || t.role.kind !== 'real' || t.value !== null));

/** Runs a body as one of many rounds. `quietly` says whether it would have reported a change instead of reporting it. */
function runGeneric(f: Frame, carried: readonly Carried[], loop: Span, what: string, body: () => void): boolean {
  if (carried.some((c) => fragile(c.before))) {
    const labels = new Map(f.labels);
    f.session.quietly(body);
    for (const [k, v] of labels) f.labels.set(k, v);
    for (const c of carried) c.binding.type = weakened(f, c.before, c.binding.type);
  }
  const start = carried.map((c) => c.binding.type);
  body();
  let kept = true;
  for (const [k, c] of carried.entries()) {
    const after = c.binding.type;
    const before = start[k]!;
    c.binding.type = before;
    if (sameType(f, before, after)) continue;
    kept = false;
    const whys = after.kind === 'tensor' ? after.shape.map(axisWhy) : [];
    f.report('NN115', c.span, {
      name: c.binding.name,
      before: showType(f, before),
      after: showType(f, after),
      loop: what,
      loopSpan: loop,
      chain: chain(f, ...whys),
    });
    c.binding.type = ERROR;
  }
  return kept;
}

export function sameType(f: Frame, a: Type, b: Type): boolean {
  if (a.kind === 'error' || b.kind === 'error') return true;
  if (a.kind === 'tensor' && b.kind === 'tensor') return sameShape(f, a.shape, b.shape) && joinElements(a, b) !== null;
  if (a.kind === 'number' && b.kind === 'tensor') return b.shape.length === 0;
  if (a.kind === 'tensor' && b.kind === 'number') return a.shape.length === 0;
  if (a.kind === 'number' && b.kind === 'number') return joinElements(a, b) !== null;
  return a.kind === b.kind;
}

// repeat

export function checkRepeat(f: Frame, s: RepeatStatement): void {
  const outerPath = f.path;
  if (s.label !== null) f.path = [...f.path, s.label.text, '*'];
  else f.path = [...f.path, null];
  const round = (type: Type | null): void =>
    f.scoped(() => {
      if (s.variable !== null && type !== null) {
        const binding = valueBinding(s.variable, 'round', type, type, true);
        f.session.references.set(s.variable, { kind: 'local', binding });
        f.scope.add(binding);
      }
      checkStatements(f, s.body);
    });
  if (s.items !== null)
    unroll(
      f,
      s.items.map((item) => checkValue(f, item)),
      round,
    );
  else if (s.count !== null) {
    const count = integerValue(f, s.count, 'the number of rounds');
    if (count !== null) counted(f, s, count, round);
    else round(freshInteger(f));
  }
  f.path = outerPath;
}

function unroll(f: Frame, items: readonly Type[], round: (type: Type) => void): void {
  for (const item of items) {
    const problems = f.session.problemCount;
    round(item);
    // The next rounds would only repeat it.
    if (f.session.problemCount > problems) return;
  }
}

function counted(f: Frame, s: RepeatStatement, count: Poly, round: (type: Type | null) => void): void {
  const carried = carriedBy(f, s.body);
  const outer = f.know;
  const generic = (): boolean => {
    f.know = outer.branch();
    let variable: Type | null = null;
    if (s.variable !== null) {
      const atom = `${s.variable.text}#${f.session.fresh()}`;
      f.know.position(atom, count);
      variable = intOf(nameAtom(atom));
    }
    try {
      return runGeneric(f, carried, s.span, 'round of `repeat`', () => round(variable));
    } finally {
      f.know = outer;
    }
  };
  const literal = asConst(count);
  if (s.variable !== null && literal !== null && literal <= MOST_ROUNDS) {
    const trial = f.session.quietly(generic);
    for (const c of carried) c.binding.type = c.before;
    if (trial.problems > 0) {
      unroll(
        f,
        Array.from({ length: literal }, (_, i): Type => ({ ...intOf(num(i)), literal: i })),
        round,
      );
      return;
    }
  }
  generic();
}

// scan

export function checkScan(f: Frame, e: ScanExpr): Type {
  return f.whole(() => scan(f, e));
}

function scan(f: Frame, e: ScanExpr): Type {
  const outerPath = f.path;
  if (e.label !== null) f.path = [...f.path, e.label.text];
  const outer = f.know;
  f.know = outer.branch();
  const elements: { name: (typeof e.sources)[number]['variable']; type: Type }[] = [];
  let length: Axis | null = null;
  let position = 0;
  let round: Type | null = null;
  let failed = false;
  if (e.count !== null && e.variable !== null) {
    const count = integerValue(f, e.count, 'the number of rounds');
    if (count === null) failed = true;
    else {
      length = sizeAxis(
        count,
        because(count, `rounds of \`scan ${e.variable.text} in ${sourceText(f, e.count.span)}\``, e.count.span),
      );
      const atom = `${e.variable.text}#${f.session.fresh()}`;
      f.know.position(atom, count);
      round = { ...intOf(nameAtom(atom)) };
    }
  } else {
    const axes: number[] = [];
    const along = e.along === null ? null : integerOf(f, nameValue(f, e.along), e.along.span, '`along`');
    for (const source of e.sources) {
      const type = checkValue(f, source.sequence);
      if (type.kind === 'error' || along === null) {
        failed = true;
        elements.push({ name: source.variable, type: ERROR });
        continue;
      }
      if (type.kind !== 'tensor') {
        f.report('NN712', source.sequence.span, {
          what: 'what is scanned',
          expected: 'a tensor',
          actual: formatType(type),
        });
        failed = true;
        elements.push({ name: source.variable, type: ERROR });
        continue;
      }
      const matches = [...type.shape.keys()].filter((k) => {
        const axis = type.shape[k]!;
        return axis.kind === 'size' && f.know.isEqual(axis.size, along);
      });
      if (matches.length !== 1) {
        f.report('NN118', e.along!.span, {
          along: e.along!.text,
          shape: showShape(f, type.shape),
          found: matches.length,
        });
        failed = true;
        elements.push({ name: source.variable, type: ERROR });
        continue;
      }
      const [axis] = matches as [number];
      axes.push(type.shape.length - 1 - axis);
      if (length === null) {
        length = type.shape[axis]!;
        position = axis;
      }
      elements.push({
        name: source.variable,
        type: { ...type, shape: type.shape.toSpliced(axis, 1), role: { ...type.role, axis: null } },
      });
    }
    if (e.along === null && e.sources.length > 0) {
      f.report('NN118', e.span, { along: '', shape: '', found: 0 });
      failed = true;
    }
    if (!failed) f.session.scanAxes.set(e, axes);
  }

  const carried = carriedBy(f, e.body);
  const make = (): LoopState => ({
    kind: 'scan',
    length,
    variable: e.variable?.text ?? null,
    reversed: e.reversed,
    until: null,
    yields: new Map(),
    unnamed: null,
  });
  let state = make();
  const body = (): void => {
    state = make();
    f.scoped(() => {
      for (const { name, type } of elements) {
        const binding = valueBinding(name, 'element', type, type, true);
        f.session.references.set(name, { kind: 'local', binding });
        f.scope.add(binding);
      }
      if (e.variable !== null) {
        const binding = valueBinding(e.variable, 'round', round ?? ERROR, null, true);
        f.session.references.set(e.variable, { kind: 'local', binding });
        f.scope.add(binding);
      }
      f.loops.push(state);
      checkStatements(f, e.body);
      f.loops.pop();
    });
  };
  runGeneric(f, carried, e.span, 'round of `scan`', body);
  if (state.until !== null) checkFills(f, e.body, state.until);
  f.know = outer;
  f.path = outerPath;
  for (const [text, y] of state.yields) {
    const binding = valueBinding({ text, span: y.span }, 'yield', y.type, null, true);
    f.scope.add(binding);
  }
  if (failed) return ERROR;
  const { unnamed } = state;
  if (unnamed === null) return NONE;
  const { type } = unnamed;
  if (type.kind === 'error' || length === null) return ERROR;
  if (type.kind !== 'tensor' && type.kind !== 'number') {
    f.report('NN712', unnamed.span, { what: 'what `yield` gives', expected: 'a tensor', actual: formatType(type) });
    return ERROR;
  }
  const shape = type.kind === 'number' ? [] : type.shape;
  if (shape.length < position) {
    f.report('NN106', unnamed.span, {
      what: 'what `yield` gives',
      expected: `at least ${position} axes before the scanned one`,
      actual: showShape(f, shape),
      expectedRank: `${position} or more`,
      actualRank: String(shape.length),
      chain: [],
    });
    return ERROR;
  }
  const stacked = shape.toSpliced(position, 0, length);
  const element = type.kind === 'number' ? (type.dtype === 'int' ? 'i32' : type.dtype) : type.dtype;
  const role = type.kind === 'tensor' ? type.role : roleOf(type);
  const axis = typeof role.axis === 'number' && role.axis >= shape.length - position ? role.axis + 1 : role.axis;
  return {
    kind: 'tensor',
    dtype: element,
    shape: stacked,
    below: type.kind === 'tensor' ? type.below : null,
    role: { ...role, axis },
    value: null,
    condition: null,
  };
}

/** After an `until` every yield says what stands in the rounds that do not run, by what is known outside the loop. */
function checkFills(f: Frame, body: readonly Statement[], until: Span): void {
  const own = new Set<string>();
  const yields: Extract<Statement, { kind: 'yield' }>[] = [];
  const visit = (statements: readonly Statement[]): void => {
    for (const s of statements) {
      if (s.kind === 'let' || s.kind === 'leaf') own.add(s.name.text);
      else if (s.kind === 'yield') yields.push(s);
      else if (s.kind === 'repeat') visit(s.body);
      else if (s.kind === 'if') visit([...s.then, ...(s.otherwise ?? [])]);
    }
  };
  visit(body);
  for (const s of yields) {
    if (s.value.kind !== 'else') {
      const fix = { span: { file: s.span.file, start: s.value.span.end, end: s.value.span.end }, text: ' else 0' };
      f.report('NN725', s.value.span, { name: null, until }, [
        { title: 'fill with 0', edits: [fix], applicability: 'maybe' },
      ]);
      continue;
    }
    const inside = firstName(s.value.right, own);
    if (inside !== null) f.report('NN725', inside.span, { name: inside.name, until });
  }
}

function firstName(e: unknown, among: ReadonlySet<string>): Extract<Expr, { kind: 'name' }> | null {
  if (e === null || typeof e !== 'object') return null;
  const node = e as Expr;
  if (node.kind === 'name' && among.has(node.name)) return node;
  for (const part of Object.values(e)) {
    const found = firstName(part, among);
    if (found !== null) return found;
  }
  return null;
}

function nameValue(f: Frame, name: { readonly text: string; readonly span: Span }): Type {
  const e: NameExpr = { kind: 'name', name: name.text, span: name.span };
  standsFor.set(e, name);
  return checkValue(f, e);
}
