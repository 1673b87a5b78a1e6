/**
 * What can be summed along a row before the row's maximum is known: sums of `exp(x - m)`, scaled whenever m rises, and products with such weights, whose divisors
 * (the sum of the exponentials) wait until the end. Recognised by form; what is elementwise in between, masks and dropout say, stays where it is.
 *
 * Not here: which stages are computed together (wgsl-stream.ts).
 */
import { names } from '../sizes/poly.ts';
import { operands, polysOf, stageRoots, walk } from '../kernel/expr.ts';
import { partsOf } from '../kernel/parts.ts';
import type { Expr, Stage } from '../kernel/types.ts';

/** Sums (of a stage) of exponentials of distances from a maximum (another stage's value) that is not finished: they are scaled whenever it rises. */
export interface Scaled {
  readonly greatest: number;
  readonly value: string;
}

/** A product with weights that are scaled as a maximum rises: the weights, and what the finished sums are multiplied with or divided by. */
export interface Riding extends Scaled {
  readonly weights: Expr;
  readonly factors: readonly Factor[];
}

interface Factor {
  readonly op: 'mul' | 'div';
  readonly by: Expr;
}

/** Whether all sums of a stage are of `exp(x - m)` times something, m being another stage's value by a maximum alone; nothing else of that stage is used. */
export function scaledBy(
  stage: Stage,
  stageOf: (value: string) => { readonly stage: Stage; readonly position: number } | null,
): Scaled | null {
  const foreign = new Set<string>();
  walk(stageRoots(stage), (e) => {
    if (e.kind === 'value' && !stage.defs.has(e.name)) foreign.add(e.name);
  });
  const [value] = foreign;
  const sums = [...stage.defs.values()].filter((d) => d.op !== null);
  if (foreign.size !== 1 || sums.some((d) => d.op !== 'sum')) return null;
  const from = stageOf(value!);
  if (from === null || !isOfMaximum(from.stage, value!)) return null;
  if (!sums.every((d) => isScaled(d.value, value!, stage.defs, new Map()))) return null;
  return { greatest: from.position, value: value! };
}

/** Whether an expression is `exp(-m)` times what does not vary with m, under conditions that are known. */
function isScaled(e: Expr, m: string, defs: Stage['defs'], known: ReadonlyMap<Expr, boolean>): boolean {
  const whole = resolved(e, defs);
  const go = (x: Expr): boolean => isScaled(x, m, defs, known);
  if (whole.kind === 'const') return whole.value === 0;
  if (whole.kind !== 'op') return false;
  const [a, b, c] = whole.args;
  switch (whole.op) {
    case 'cast':
      return whole.dtype === 'f32' && a!.dtype === 'f32' && go(a!);
    case 'neg':
      return go(a!);
    case 'mul':
      return (go(a!) && isFree(b!, m, defs, known)) || (go(b!) && isFree(a!, m, defs, known));
    case 'div':
      return go(a!) && isFree(b!, m, defs, known);
    case 'select': {
      const condition = resolved(a!, defs);
      if (!isFree(condition, m, defs, known)) return false;
      return (
        isScaled(b!, m, defs, new Map([...known, [condition, true]])) &&
        isScaled(c!, m, defs, new Map([...known, [condition, false]]))
      );
    }
    case 'exp': {
      const distance = resolved(a!, defs);
      if (distance.kind !== 'op' || distance.op !== 'sub') return false;
      const [x, by] = distance.args;
      return by!.kind === 'value' && by!.name === m && isFree(x!, m, defs, known);
    }
    default:
      return false;
  }
}

function isFree(e: Expr, m: string, defs: Stage['defs'], known: ReadonlyMap<Expr, boolean>): boolean {
  const whole = resolved(e, defs);
  if (whole.kind === 'value') return whole.name !== m;
  if (whole.kind === 'op' && whole.op === 'select') {
    const chosen = known.get(resolved(whole.args[0]!, defs));
    if (chosen !== undefined) return isFree(whole.args[chosen ? 1 : 2]!, m, defs, known);
  }
  return operands(whole).every((x) => isFree(x, m, defs, known));
}

/** What a value of the stage is. */
function resolved(e: Expr, defs: Stage['defs']): Expr {
  if (e.kind !== 'value') return e;
  const def = defs.get(e.name);
  return def === undefined || def.op !== null ? e : resolved(def.value, defs);
}

/** The value must be there from the maximum alone, at any time. */
function isOfMaximum(stage: Stage, value: string): boolean {
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  const { before, inside, after } = partsOf(stage);
  return (
    reduced.length === 1 && reduced[0]!.op === 'max' && before.length + inside.length === 0 && after.includes(value)
  );
}

/** What is known of the stages before a product when weights are looked at. */
export interface Before {
  /** The stage that leaves a buffer of the row, at each point. */
  readonly left: (
    buffer: number,
  ) => { readonly stage: Stage; readonly position: number; readonly isEach: boolean } | null;
  /** Sums that are scaled, by position of their stage. */
  readonly scaled: ReadonlyMap<number, Scaled>;
  /** Whether a value of the row is finished before the maximum is. */
  readonly isFinished: (value: string, by: Scaled) => boolean;
  /** Whether what a stage leaves at a point is known before the maximum is. */
  readonly isKnown: (position: number, by: Scaled) => boolean;
  readonly wide: string;
}

/** Null: the weights are not `exp(x - m)` times what is free of sums that are being made. */
export function ridingOn(weights: Expr, before: Before): Riding | null {
  const whole = inlined(weights, before);
  for (const by of new Map([...before.scaled.values()].map((s) => [s.value, s])).values()) {
    const parts = apart(whole, by, before, new Map());
    if (parts !== null && parts.factors !== null) return { ...by, weights: parts.value, factors: parts.factors };
  }
  return null;
}

/** An expression with what stages compute at every point written out. */
function inlined(root: Expr, before: Before): Expr {
  const done = new Map<Stage | null, Map<Expr, Expr>>();
  const go = (e: Expr, stage: Stage | null): Expr => {
    let known = done.get(stage);
    if (known === undefined) done.set(stage, (known = new Map<Expr, Expr>()));
    const found = known.get(e);
    if (found !== undefined) return found;
    let made = e;
    if (e.kind === 'value') {
      const def = stage?.defs.get(e.name);
      if (def !== undefined && def.op === null) made = go(def.value, stage);
    } else if (e.kind === 'read') {
      const from = before.left(e.buffer);
      const write = from?.isEach === true ? writeOf(from.stage, e.buffer) : null;
      if (write !== null) made = go(write, from!.stage);
    } else if (e.kind === 'op')
      made = withArgs(
        e,
        e.args.map((a) => go(a, stage)),
      );
    else if (e.kind === 'guarded') made = { ...e, inside: go(e.inside, stage), outside: go(e.outside, stage) };
    known.set(e, made);
    return made;
  };
  return go(root, null);
}

const writeOf = (stage: Stage, buffer: number): Expr | null =>
  [...stage.each, ...stage.writes].find((w) => w.buffer === buffer)?.value ?? null;

function withArgs(e: Extract<Expr, { kind: 'op' }>, args: readonly Expr[]): Expr {
  return args.every((a, k) => a === e.args[k]) ? e : { ...e, args };
}

/** Weights without the factors that are the row's alone; factors are null where the weights are zero, which has any. */
interface Parts {
  readonly value: Expr;
  readonly factors: readonly Factor[] | null;
}

function apart(e: Expr, by: Scaled, before: Before, known: ReadonlyMap<Expr, boolean>): Parts | null {
  const go = (x: Expr): Parts | null => apart(x, by, before, known);
  if (e.kind === 'const') return e.value === 0 ? { value: e, factors: null } : null;
  if (e.kind === 'read') {
    const from = before.left(e.buffer);
    if (from === null || before.scaled.get(from.position)?.value !== by.value) return null;
    const left = writeOf(from.stage, e.buffer);
    return left !== null && isScaled(left, by.value, from.stage.defs, known) ? { value: e, factors: [] } : null;
  }
  if (e.kind !== 'op') return null;
  const [a, b, c] = e.args;
  switch (e.op) {
    case 'cast': {
      if (e.dtype !== 'f32' || a!.dtype !== 'f32') return null;
      return go(a!);
    }
    case 'neg': {
      const one = go(a!);
      return one && { ...one, value: withArgs(e, [one.value]) };
    }
    case 'mul':
    case 'div':
      for (const [x, y, first] of [[a!, b!, true] as const, ...(e.op === 'mul' ? [[b!, a!, false] as const] : [])]) {
        const one = go(x);
        if (one === null) continue;
        if (isKnown(y, by, before)) return { ...one, value: withArgs(e, first ? [one.value, y] : [y, one.value]) };
        if (isOfRow(y, before)) return { value: one.value, factors: [...(one.factors ?? []), { op: e.op, by: y }] };
      }
      return null;
    case 'select': {
      if (!isKnown(a!, by, before)) return null;
      const yes = apart(b!, by, before, new Map([...known, [a!, true]]));
      const no = apart(c!, by, before, new Map([...known, [a!, false]]));
      if (yes === null || no === null) return null;
      if (yes.factors !== null && no.factors !== null && !sameFactors(yes.factors, no.factors)) return null;
      return { value: withArgs(e, [a!, yes.value, no.value]), factors: yes.factors ?? no.factors };
    }
    case 'exp':
      return isScaled(e, by.value, new Map(), known) && operands(e).every((x) => isDistance(x, by, before))
        ? { value: e, factors: [] }
        : null;
    default:
      return null;
  }
}

const sameFactors = (a: readonly Factor[], b: readonly Factor[]): boolean =>
  a.length === b.length && a.every((f, k) => f.op === b[k]!.op && f.by === b[k]!.by);

/** Whether nothing in it waits for sums that are being made. */
const isKnown = (e: Expr, by: Scaled, before: Before): boolean => isMadeOf(e, before, by, null);
/** The same but for the maximum itself. */
const isDistance = (e: Expr, by: Scaled, before: Before): boolean => isMadeOf(e, before, by, by.value);

function isMadeOf(root: Expr, before: Before, by: Scaled, also: string | null): boolean {
  let known = true;
  walk([root], (e) => {
    if (e.kind === 'value' && e.name !== also && !before.isFinished(e.name, by)) known = false;
    const from = e.kind === 'read' ? before.left(e.buffer) : null;
    if (from !== null && !before.isKnown(from.position, by)) known = false;
  });
  return known;
}

/** Whether it is the same at all points of a row. */
function isOfRow(root: Expr, before: Before): boolean {
  let same = true;
  walk([root], (e) => {
    if (e.kind === 'read' && before.left(e.buffer) !== null) same = false;
    for (const p of polysOf(e)) if (names(p).has(before.wide)) same = false;
  });
  return same;
}
