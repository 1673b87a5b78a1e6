/**
 * The indices of an equation and their extents.
 *
 * Extents are found before the expression is checked, because a guard may speak of an index that only a later read measures: every read where
 * an index stands alone (or as the one unknown part of a group) is a statement about its extent; the first gives it, the others must agree.
 */
import type { Expr, Index, IndexGroup, IndexName, NameExpr, ReadExpr, ReduceExpr, Span } from '../../grammar/ast.ts';
import { mul, name as nameAtom, ONE, sub } from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { sameAxis, sameShape } from './broadcast.ts';
import { namesLetter } from './arguments.ts';
import { checkValue, integerValue } from './expressions.ts';
import { axisWhy, because, chain, judgement, showAxis, showShape, sourceText } from './report.ts';
import { Scope } from './scope.ts';
import type { Letter } from './scope.ts';
import { standsFor, type Frame } from './session.ts';
import { needPositive } from './signature.ts';
import type { Axis, Type } from './types.ts';
import { sizeAxis } from './types.ts';

type Constraint =
  | {
      readonly kind: 'one';
      readonly letter: Letter;
      readonly axis: Axis;
      readonly span: Span;
      readonly guarded: boolean;
    }
  /** `t - 1`: gives an extent only where nothing else does. */
  | { readonly kind: 'shift'; readonly letter: Letter; readonly axis: Axis; readonly span: Span }
  | { readonly kind: 'run'; readonly letter: Letter; readonly axes: readonly Axis[]; readonly span: Span }
  | {
      readonly kind: 'group';
      readonly letters: readonly Letter[];
      readonly axis: Axis;
      readonly group: IndexGroup;
    };

export interface Gathered {
  readonly constraints: Constraint[];
  readonly letters: Letter[];
  /** Something in the expression is wrong already: indices without an extent are not its fault. */
  quiet: boolean;
  /** Left of an `else`: reads may leave their tensor. */
  guarded: boolean;
}

/** Index names that are no letters (sizes, constants, rounds) stand for expressions. */
const asNames = new WeakMap<IndexName, NameExpr>();

export function nameExpr(i: IndexName): NameExpr {
  let e = asNames.get(i);
  if (e === undefined) {
    e = { kind: 'name', name: i.name.text, span: i.span };
    asNames.set(i, e);
    standsFor.set(e, i);
  }
  return e;
}

/** A new letter with its written extent. Reports hiding and doubling. */
export function makeLetter(f: Frame, i: IndexName): Letter {
  const { text } = i.name;
  const atom = `${text}#${f.session.fresh()}`;
  const letter: Letter = {
    kind: 'letter',
    name: text,
    span: i.name.span,
    isRun: i.run,
    atom,
    position: nameAtom(atom),
    extent: null,
    run: null,
    place: null,
    written: false,
    failed: false,
    used: false,
  };
  f.session.references.set(i, { kind: 'local', binding: letter });
  hides(f, text, i.name.span);
  if (i.extent === null) return letter;
  letter.place = i.extent.span;
  const { extent } = i;
  if (i.run) {
    const found = extent.kind === 'name' ? f.scope.find(extent.name) : null;
    if (found?.kind === 'run') {
      letter.run = [{ kind: 'run', name: found.name }];
      f.session.references.set(extent, { kind: 'local', binding: found });
    } else {
      f.report('NN127', extent.span, { name: sourceText(f, extent.span), isRun: false });
      letter.failed = true;
    }
    return letter;
  }
  const size = f.whole(() => integerValue(f, extent, `the extent of \`${text}\``));
  if (size === null) letter.failed = true;
  else {
    needPositive(f, size, extent.span);
    const why = because(size, `extent of \`${text}\`, written \`${sourceText(f, extent.span)}\``, extent.span);
    letter.extent = sizeAxis(size, why);
    letter.written = true;
  }
  return letter;
}

/** Rule 14: an index may not hide a constant, a size or a configuration. */
function hides(f: Frame, text: string, span: Span): void {
  const found = f.scope.find(text);
  const isConfig = found?.kind === 'value' && (found.origin === 'config' || found.origin === 'round');
  if (found !== null && (found.kind === 'size' || isConfig)) {
    f.report('NN705', span, {
      name: text,
      what: found.kind === 'size' ? 'a size' : 'a configuration',
      first: found.span,
    });
    return;
  }
  const own = f.lookupOwn(text);
  if (own?.declaration.kind === 'const')
    f.report('NN705', span, { name: text, what: 'a const', first: own.declaration.name.span });
}

export function addLetter(f: Frame, letter: Letter): void {
  const earlier = f.scope.names.get(letter.name);
  if (earlier?.kind === 'letter') {
    f.report('NN122', letter.span, { index: letter.name, first: earlier.span });
    letter.failed = true;
  }
  f.scope.add(letter);
}

/** Walks an equation's expression: makes the letters of its reductions and collects what its reads say about extents. */
export function gather(f: Frame, e: Expr, out: Gathered): void {
  // Too deep an expression is reported when it is checked.
  f.session.deeper(() => gatherIn(f, e, out));
}

function gatherIn(f: Frame, e: Expr, out: Gathered): void {
  switch (e.kind) {
    case 'unary':
      return gather(f, e.operand, out);
    case 'binary':
      gather(f, e.left, out);
      return gather(f, e.right, out);
    case 'where':
      gather(f, e.condition, out);
      return gather(f, e.value, out);
    case 'else': {
      const outer = out.guarded;
      out.guarded = true;
      gather(f, e.left, out);
      out.guarded = outer;
      return gather(f, e.right, out);
    }
    case 'pipe':
      gather(f, e.value, out);
      return e.stage.kind === 'call' ? gather(f, e.stage, out) : undefined;
    case 'call':
      for (const a of e.arguments) gather(f, a.value, out);
      return;
    case 'reduce':
      return gatherReduce(f, e, out);
    case 'read':
      return gatherRead(f, e, out);
    case 'bad':
      out.quiet = true;
      return;
    case 'with':
      // No tensor has parts to change: that is reported, and nothing follows from it.
      out.quiet = true;
      return gather(f, e.target, out);
    default:
  }
}

function gatherReduce(f: Frame, e: ReduceExpr, out: Gathered): void {
  const outer = f.scope;
  f.scope = new Scope(outer);
  const letters: Letter[] = [];
  for (const i of e.indices) {
    if (e.operator === 'softmax' && findLetter(f, i) !== null) continue;
    const letter = makeLetter(f, i);
    addLetter(f, letter);
    // A softmax keeps its axis, so its index must exist already; the report is at the reduction.
    if (e.operator === 'softmax') letter.failed = true;
    letters.push(letter);
  }
  f.reductions.set(e, letters);
  out.letters.push(...letters);
  if (e.guard !== null) gather(f, e.guard, out);
  gather(f, e.operand, out);
  f.scope = outer;
}

function gatherRead(f: Frame, e: ReadExpr, out: Gathered): void {
  const type = readTarget(f, e);
  for (const i of e.indices) if (i.kind === 'expression') gather(f, i.value, out);
  const aligned = type.kind === 'tensor' ? alignRead(f, e, type.shape) : null;
  if (aligned === null) {
    out.quiet = true;
    return;
  }
  for (const { index, axes } of aligned) {
    const axis = axes[0];
    if (index.kind === 'expression') {
      const shifted = shiftedLetter(f, index.value);
      if (shifted !== null && axis !== undefined)
        out.constraints.push({ kind: 'shift', letter: shifted, axis, span: index.span });
      continue;
    }
    for (const part of index.kind === 'group' ? index.parts : [index]) writtenInRead(f, part);
    if (index.kind === 'group') {
      if (axis === undefined) continue;
      const letters = index.parts.map((p) => findLetter(f, p)).filter((l) => l !== null);
      if (letters.length < index.parts.length) continue;
      out.constraints.push({ kind: 'group', letters, axis, group: index });
      continue;
    }
    const letter = findLetter(f, index);
    if (letter === null) continue;
    if (index.run) out.constraints.push({ kind: 'run', letter, axes, span: index.span });
    else if (axis !== undefined)
      out.constraints.push({ kind: 'one', letter, axis, span: index.span, guarded: out.guarded });
  }
}

/** `(i p: patch)` in a read gives `p` its extent as well as a left side would. */
function writtenInRead(f: Frame, i: IndexName): void {
  if (i.extent === null || i.run) return;
  const letter = findLetter(f, i);
  if (letter === null || letter.extent !== null) return;
  const size = f.whole(() => integerValue(f, i.extent!, `the extent of \`${i.name.text}\``));
  if (size === null) {
    letter.failed = true;
    return;
  }
  letter.extent = sizeAxis(
    size,
    because(size, `extent of \`${letter.name}\`, written \`${sourceText(f, i.extent.span)}\``, i.extent.span),
  );
  letter.place = i.extent.span;
  letter.written = true;
}

/** The letter of `t - 1` or `e + E / 2`: an index moved by something that is no index. */
function shiftedLetter(f: Frame, e: Expr): Letter | null {
  if (e.kind !== 'binary' || (e.operator !== '+' && e.operator !== '-')) return null;
  const found = e.left.kind === 'name' ? f.scope.find(e.left.name) : null;
  return found?.kind === 'letter' && !found.isRun && !namesLetter(f, e.right) ? found : null;
}

export function findLetter(f: Frame, i: IndexName): Letter | null {
  const found = f.scope.find(i.name.text);
  if (found?.kind !== 'letter' || found.isRun !== i.run) return null;
  f.session.references.set(i, { kind: 'local', binding: found });
  found.used = true;
  return found;
}

/** The tensor that is read, checked once, as a whole. */
export function readTarget(f: Frame, e: ReadExpr): Type {
  const known = f.readTargets.get(e);
  if (known !== undefined) return known;
  if (e.target.kind !== 'name' && namesLetter(f, e.target))
    f.report('NN721', e.target.span, {
      what: 'an index',
      where: 'what is computed before it is indexed: index a `let` of its own',
    });
  const type = f.whole(() => checkValue(f, e.target));
  f.readTargets.set(e, type);
  return type;
}

export interface Slot {
  readonly index: Index;
  readonly axes: readonly Axis[];
  /** Of the first axis, from the end of the tensor. */
  readonly fromEnd: number;
}

/** Which index reads which axis; a run index takes what the others leave. Null after a report. */
export function alignRead(f: Frame, e: ReadExpr, shape: readonly Axis[]): readonly Slot[] | null {
  const { indices } = e;
  const at = indices.findIndex((i) => i.kind === 'index' && i.run);
  const wrong = (): null => {
    f.report('NN113', e.span, {
      tensor: sourceText(f, e.target.span),
      shape: showShape(f, shape),
      rank: String(shape.length),
      given: indices.length,
    });
    return null;
  };
  const rank = shape.length;
  if (at < 0) {
    if (indices.length !== rank || shape.some((a) => a.kind === 'run')) return wrong();
    return indices.map((index, k) => ({ index, axes: [shape[k]!], fromEnd: rank - 1 - k }));
  }
  if (indices.slice(at + 1).some((i) => i.kind === 'index' && i.run)) return wrong();
  const suffix = indices.length - at - 1;
  if (rank < at + suffix) return wrong();
  const slots = indices.map((index, k): Slot => {
    if (k < at) return { index, axes: [shape[k]!], fromEnd: rank - 1 - k };
    if (k === at) return { index, axes: shape.slice(at, rank - suffix), fromEnd: suffix };
    const j = rank - (indices.length - k);
    return { index, axes: [shape[j]!], fromEnd: rank - 1 - j };
  });
  return slots.some((s, k) => k !== at && s.axes[0]!.kind === 'run') ? wrong() : slots;
}

/** Gives every letter its extent, compares the rest, reports disagreement once a letter. */
export function solve(f: Frame, { constraints, letters, quiet }: Gathered): void {
  const todo = new Set(constraints);
  const give = (letter: Letter, axis: Axis, span: Span): void => {
    letter.extent = axis;
    letter.place = span;
  };
  for (const c of constraints) {
    if (c.kind === 'one' && c.letter.extent === null && !c.letter.failed) {
      give(c.letter, c.axis, c.span);
      todo.delete(c);
    } else if (c.kind === 'run' && c.letter.run === null && !c.letter.failed) {
      c.letter.run = c.axes;
      c.letter.place = c.span;
      todo.delete(c);
    }
  }
  for (let changed = true; changed;) {
    changed = false;
    for (const c of todo) {
      if (c.kind !== 'group' || c.letters.some((l) => l.failed)) continue;
      const open = c.letters.filter((l) => l.extent === null);
      if (open.length !== 1 || c.axis.kind === 'run') continue;
      const known = product(c.letters.filter((l) => l.extent !== null));
      todo.delete(c);
      changed = true;
      const quotient = f.know.quotient(c.axis.size, known);
      if (quotient === null) {
        reportGroup(f, c.group, c.axis, known, open[0]!.name);
        for (const l of open) l.failed = true;
        continue;
      }
      const text = `${f.know.show(c.axis.size)} split by ${sourceText(f, c.group.span)}`;
      give(
        open[0]!,
        sizeAxis(quotient, because(quotient, text, c.group.span, c.axis.why === null ? [] : [c.axis.why])),
        c.group.span,
      );
    }
  }
  for (const c of todo)
    if (c.kind === 'shift' && c.letter.extent === null && !c.letter.failed) give(c.letter, c.axis, c.span);
  for (const c of todo) if (c.kind !== 'shift') compare(f, c);
  for (const l of letters) {
    if (l.failed) continue;
    if (l.isRun ? l.run === null : l.extent === null) {
      if (!f.damaged && !quiet && !letters.some((o) => o.failed)) f.report('NN104', l.span, { index: l.name });
      l.failed = true;
    } else if (l.extent?.kind === 'run') {
      f.report('NN127', l.span, { name: l.name, isRun: false });
      l.failed = true;
    }
  }
  for (const l of letters) if (l.extent?.kind === 'size') f.know.position(l.atom, l.extent.size);
}

export function product(letters: readonly Letter[]): Poly {
  let p = ONE;
  for (const l of letters) if (l.extent?.kind === 'size') p = mul(p, l.extent.size);
  return p;
}

/**
 * A bare index has exactly its axis's extent, with two exceptions that are stated in the text: a written extent may be a part of the axis (or,
 * left of `else`, more than it), and a `require` may say that one extent fits into the other (`T <= context`).
 */
function fitsInside(f: Frame, letter: Letter, axis: Axis, guarded: boolean): boolean {
  if (letter.extent?.kind !== 'size' || axis.kind !== 'size') return false;
  const { size } = letter.extent;
  if (letter.written && (guarded || f.know.isAtLeastZero(sub(axis.size, size)))) return true;
  // Without the values of constants: that 768 < 50257 is no statement of the program.
  if (f.know.equal(size, axis.size).kind === 'refuted') return false;
  return f.know.facts.atLeastZero(sub(axis.size, size)).kind === 'proved';
}

function compare(f: Frame, c: Exclude<Constraint, { kind: 'shift' }>): void {
  if (c.kind === 'one') {
    const { letter, axis } = c;
    if (letter.failed || letter.extent === null || sameAxis(f, letter.extent, axis)) return;
    if (fitsInside(f, letter, axis, c.guarded)) return;
    const verdict =
      letter.extent.kind === 'size' && axis.kind === 'size'
        ? f.know.equal(letter.extent.size, axis.size)
        : ({ kind: 'refuted' } as const);
    f.report('NN102', c.span, {
      index: letter.name,
      first: showAxis(f, letter.extent),
      firstSpan: letter.place,
      second: showAxis(f, axis),
      judgement: judgement(verdict),
      chain: chain(f, axisWhy(axis), axisWhy(letter.extent)),
    });
    letter.failed = true;
    return;
  }
  if (c.kind === 'run') {
    const { letter, axes } = c;
    if (letter.failed || letter.run === null || sameShape(f, letter.run, axes)) return;
    f.report('NN102', c.span, {
      index: `...${letter.name}`,
      first: showShape(f, letter.run),
      firstSpan: letter.place,
      second: showShape(f, axes),
      judgement: { kind: 'unknown', witness: null, condition: null },
      chain: chain(f, ...axes.map(axisWhy)),
    });
    letter.failed = true;
    return;
  }
  if (c.axis.kind === 'run' || c.letters.some((l) => l.failed || l.extent === null)) return;
  const parts = product(c.letters);
  if (f.know.isEqual(parts, c.axis.size)) return;
  reportGroup(f, c.group, c.axis, parts, null);
  for (const l of c.letters) l.failed = true;
}

function reportGroup(
  f: Frame,
  group: IndexGroup,
  axis: Axis & { kind: 'size' },
  parts: Poly,
  open: string | null,
): void {
  const verdict = open === null ? f.know.equal(parts, axis.size) : f.know.divides(parts, axis.size);
  f.report('NN105', group.span, {
    group: sourceText(f, group.span),
    axis: f.know.show(axis.size),
    parts: f.know.show(parts),
    open,
    judgement: judgement(verdict),
    chain: chain(f, axis.why),
  });
}
