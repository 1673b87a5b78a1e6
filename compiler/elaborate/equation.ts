/**
 * Index equations: letters, their extents, and reads. A read becomes movement where its indices are affine in letters that stand nowhere
 * else (slice, pad, split, unfold), and a gather otherwise.
 *
 * Every letter is a polynomial name with a `#`, so a position is ordinary integer arithmetic until it meets data. Where a read may leave
 * its tensor, its definedness is added to `cx.masks` for the enclosing `else`.
 */
import type { Expr, Index, IndexName, ReadExpr, ReduceExpr, Span } from '../../grammar/ast.ts';
import type { DType, Node, Source, Window } from '../graph/types.ts';
import {
  add,
  coefficientOf,
  divideExact,
  floorDiv,
  mul,
  name,
  names,
  neg,
  num,
  ONE,
  sub,
  ZERO,
  type Poly,
} from '../sizes/poly.ts';
import {
  binary,
  hasLetters,
  lift,
  logical,
  polyNode,
  provablyNonNegative,
  requiredNonNegative,
  select,
  wrap,
} from './arithmetic.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import { evaluate, sizeOf, wholeTensor } from './expressions.ts';
import { namesIn } from './instances.ts';
import type { Scope } from './scope.ts';
import { boolean, float, integer, type LabelledValue, type Value } from './values.ts';

export class Equation {
  readonly scope: Scope;
  /** Letters of the left side in order, runs expanded (once their length is known). */
  readonly left: string[] = [];
  readonly scopes = new Map<ReduceExpr, Scope>();
  readonly targets = new Map<Expr, Node>();
  private readonly rank = new Map<string, number>();
  private readonly extents = new Map<string, Poly>();
  /** Runs whose length is not known yet. */
  readonly openRuns = new Set<string>();
  readonly spans = new Map<string, Span>();

  constructor(scope: Scope) {
    this.scope = scope.child();
  }

  letter(text: string, extent: Poly | null, span: Span): string {
    // Numbered within the equation: equal equations (of equal layers) then have equal polynomials, which are interned and remembered.
    const label = `${text}#${this.rank.size}`;
    this.rank.set(label, this.rank.size);
    this.spans.set(label, span);
    if (extent !== null) this.extents.set(label, extent);
    return label;
  }

  known(label: string): Poly | null {
    return this.extents.get(label) ?? null;
  }

  extent(label: string): Poly {
    const extent = this.extents.get(label);
    if (extent !== undefined) return extent;
    return refuse('NN151', this.spans.get(label) ?? { file: 0, start: 0, end: 0 }, { index: label.split('#')[0]! });
  }

  setExtent(label: string, extent: Poly): void {
    if (!this.extents.has(label)) this.extents.set(label, extent);
  }

  /** Left letters first, then reductions as they were met: the order of axes in this equation. */
  order(labels: readonly string[]): string[] {
    return [...new Set(labels)].sort((a, b) => this.rank.get(a)! - this.rank.get(b)!);
  }

  /** A node with axes `from` as one with axes `to` (both in order, `from` ⊆ `to`). */
  spread(cx: Elaboration, node: Node, from: readonly string[], to: readonly string[]): Node {
    if (from.length === to.length) return node;
    const sizes = to.map((l) => this.extent(l));
    return cx.builder.broadcast(
      node,
      sizes,
      from.map((l) => to.indexOf(l)),
    );
  }
}

// ----------------------------------------------------------------------------------------------------------------- declaration

/** Left-side indices (also of a reduction): declares letters and runs in `scope`. */
export function declareIndices(
  cx: Elaboration,
  eq: Equation,
  indices: readonly Index[],
  scope: Scope,
  left: boolean,
): void {
  const one = (part: IndexName): void => {
    const text = part.name.text;
    if (part.run) {
      const run = part.extent === null ? null : evaluate(cx, part.extent, scope, null);
      if (run !== null && run.kind === 'run') bindRun(eq, scope, text, run.sizes, part.span, left);
      else eq.openRuns.add(text);
      return;
    }
    const extent = part.extent === null ? null : sizeOf(cx, part.extent, scope, null);
    const label = eq.letter(text, extent, part.span);
    scope.set(text, integer(name(label)));
    if (left) eq.left.push(label);
  };
  for (const index of indices) {
    if (index.kind === 'index') one(index);
    else if (index.kind === 'group') for (const part of index.parts) one(part);
    // A left-side expression index is only the variable of a scan, which `yield` takes out beforehand.
  }
}

function bindRun(
  eq: Equation,
  scope: Scope,
  text: string,
  sizes: readonly (Poly | null)[],
  span: Span,
  left: boolean,
): void {
  const labels = sizes.map((s, k) => eq.letter(`${text}${k}`, s, span));
  scope.set(text, { kind: 'run', sizes: labels.map((l) => name(l)) });
  eq.openRuns.delete(text);
  if (left) eq.left.push(...labels);
}

const letterOf = (v: Value | null): string | null => {
  if (v === null || v.kind !== 'integer') return null;
  for (const n of names(v.poly)) return n.includes('#') && v.poly === name(n) ? n : null;
  return null;
};

// --------------------------------------------------------------------------------------------------------------------- extents

/**
 * Finds the extents of all letters by looking at where they stand alone in a read. Left-side runs must be resolved before letters are ordered,
 * so the left side is declared by a callback once the runs' lengths are known.
 */
export function resolveExtents(cx: Elaboration, eq: Equation, left: readonly Index[], exprs: readonly Expr[]): void {
  // Lengths of runs first: their letters must stand in the order of the left side.
  const runs = new Map<string, number>();
  const noteRuns = (e: ReadExpr, scope: Scope): void => {
    const open = e.indices.filter((i) => i.kind === 'index' && i.run && scope.get(i.name.text)?.kind !== 'run');
    if (open.length !== 1) return;
    const node = target(cx, eq, e.target, scope);
    const text = (open[0] as IndexName).name.text;
    let fixed = 0;
    for (const i of e.indices) {
      if (i === open[0]) continue;
      const value = i.kind === 'index' && i.run ? scope.get(i.name.text) : null;
      fixed += value !== null && value.kind === 'run' ? value.sizes.length : 1;
    }
    if (!runs.has(text)) runs.set(text, node.type.sizes.length - fixed);
  };
  const needRuns = left.some((i) => (i.kind === 'index' ? i.run : i.kind === 'group' && i.parts.some((p) => p.run)));
  const reduceRuns = exprs.some((e) => mentionsRun(e));
  if (needRuns || reduceRuns) for (const e of exprs) visitReads(e, eq.scope, noteRuns);

  for (const index of left) {
    const parts = index.kind === 'index' ? [index] : index.kind === 'group' ? index.parts : [];
    for (const part of parts) {
      if (part.run && part.extent === null) {
        const length = runs.get(part.name.text);
        if (length === undefined) refuse('NN151', part.span, { index: `...${part.name.text}` });
        bindRun(eq, eq.scope, part.name.text, new Array<null>(length ?? 0).fill(null), part.span, true);
      } else declareIndices(cx, eq, [part], eq.scope, true);
    }
  }

  const reads: { e: ReadExpr; scope: Scope }[] = [];
  const walk = (e: Expr, scope: Scope): void => {
    switch (e.kind) {
      case 'read':
        target(cx, eq, e.target, scope);
        reads.push({ e, scope });
        for (const i of e.indices) if (i.kind === 'expression') walk(i.value, scope);
        return;
      case 'reduce': {
        let inner = eq.scopes.get(e);
        if (inner === undefined) {
          inner = scope.child();
          for (const i of e.indices) {
            const bound = scope.get(i.name.text);
            if (e.operator === 'softmax' && (letterOf(bound) !== null || bound?.kind === 'run')) continue;
            if (i.run && i.extent === null) {
              const length = runs.get(i.name.text);
              if (length === undefined) refuse('NN151', i.span, { index: `...${i.name.text}` });
              bindRun(eq, inner, i.name.text, new Array<null>(length ?? 0).fill(null), i.span, false);
            } else declareIndices(cx, eq, [i], inner, false);
          }
          eq.scopes.set(e, inner);
        }
        if (e.guard !== null) walk(e.guard, inner);
        walk(e.operand, inner);
        return;
      }
      default:
        forChildren(e, (child) => walk(child, scope));
    }
  };
  for (const e of exprs) walk(e, eq.scope);

  // What stands alone nowhere but is shifted in a read (`x[…, e + n]`) has that axis's extent.
  const shifted = (): boolean => {
    let found = false;
    for (const { e, scope } of reads) {
      const sizes = target(cx, eq, e.target, scope).type.sizes;
      if (e.indices.some((i) => i.kind !== 'expression' && (i.kind === 'group' || i.run))) continue;
      e.indices.forEach((index, axis) => {
        if (index.kind !== 'expression' || index.value.kind !== 'binary' || !['+', '-'].includes(index.value.operator))
          return;
        const letters = [...namesIn(index.value)].flatMap((n) => letterOf(scope.get(n)) ?? []);
        const [label] = letters;
        if (letters.length !== 1 || label === undefined || eq.known(label) !== null) return;
        if (index.value.left.kind !== 'name' && index.value.right.kind !== 'name') return;
        eq.setExtent(label, sizes[axis]!);
        found = true;
      });
    }
    return found;
  };

  // A bare letter has its axis's extent; a group's open part is the quotient of what is known: repeat until nothing new is learnt.
  for (let changed = true; changed || shifted();) {
    changed = false;
    for (const { e, scope } of reads) {
      const sizes = target(cx, eq, e.target, scope).type.sizes;
      let axis = 0;
      for (const index of e.indices) {
        if (index.kind === 'index' && index.run) {
          const run = scope.get(index.name.text);
          if (run?.kind === 'run')
            for (const p of run.sizes) {
              const label = letterOf(integer(p));
              if (label !== null && eq.known(label) === null) {
                eq.setExtent(label, sizes[axis]!);
                changed = true;
              }
              axis++;
            }
          continue;
        }
        const size = sizes[axis++]!;
        if (index.kind === 'index') {
          const label = letterOf(scope.get(index.name.text));
          if (label !== null && eq.known(label) === null) {
            eq.setExtent(label, size);
            changed = true;
          }
        } else if (index.kind === 'group') {
          let product: Poly = ONE;
          const open: string[] = [];
          for (const part of index.parts) {
            const label = part.extent === null ? null : letterOf(scope.get(part.name.text));
            if (label !== null && eq.known(label) === null) eq.setExtent(label, sizeOf(cx, part.extent!, scope, null));
          }
          for (const label of groupLabels(index.parts, scope)) {
            const extent = eq.known(label);
            if (extent === null) open.push(label);
            else product = mul(product, extent);
          }
          if (open.length === 1) {
            eq.setExtent(open[0]!, divideExact(size, product) ?? floorDiv(size, product));
            changed = true;
          }
        }
      }
    }
  }
}

function groupLabels(parts: readonly IndexName[], scope: Scope): string[] {
  return parts.flatMap((part) => {
    const value = scope.get(part.name.text);
    if (value?.kind === 'run') return value.sizes.map((p) => letterOf(integer(p))!);
    const label = letterOf(value);
    if (label === null) return refuse('NN802', part.span, { what: `\`${part.name.text}\` in a group is no index` });
    return [label];
  });
}

/** The node of what a read reads, evaluated once an equation. */
function target(cx: Elaboration, eq: Equation, e: Expr, scope: Scope): Node {
  // A name is looked up each time: the same mask text may stand for other tensors at another application.
  if (e.kind === 'name') return wholeTensor(cx, e, scope);
  const known = eq.targets.get(e);
  if (known !== undefined) return known;
  const node = wholeTensor(cx, e, scope);
  eq.targets.set(e, node);
  return node;
}

/** Direct sub-expressions, apart from those of reads and reductions. */
export function forChildren(e: Expr, f: (child: Expr) => void): void {
  switch (e.kind) {
    case 'unary':
      return f(e.operand);
    case 'binary':
    case 'else':
      f(e.left);
      return f(e.right);
    case 'where':
      f(e.value);
      return f(e.condition);
    case 'pipe':
      f(e.value);
      return f(e.stage);
    case 'call':
      f(e.callee);
      for (const a of e.arguments) f(a.value);
      return;
    case 'list':
      return e.items.forEach(f);
    case 'reduce':
      if (e.guard !== null) f(e.guard);
      return f(e.operand);
    case 'read':
      f(e.target);
      for (const i of e.indices) if (i.kind === 'expression') f(i.value);
      return;
    default:
      return;
  }
}

function visitReads(e: Expr, scope: Scope, f: (read: ReadExpr, scope: Scope) => void): void {
  if (e.kind === 'read') {
    f(e, scope);
    for (const i of e.indices) if (i.kind === 'expression') visitReads(i.value, scope, f);
    return;
  }
  forChildren(e, (child) => visitReads(child, scope, f));
}

function mentionsRun(e: Expr): boolean {
  if (e.kind === 'read') return e.indices.some((i) => i.kind === 'index' && i.run);
  let found = false;
  forChildren(e, (child) => {
    found ||= mentionsRun(child);
  });
  return found;
}

// ----------------------------------------------------------------------------------------------------------------------- reads

interface Item {
  readonly span: Span;
  readonly poly: Poly | null;
  readonly data: { node: Node; labels: readonly string[] } | null;
}

/**
 * x[…]. With `fill` the read is that constant where it leaves its tensor; without, where it may leave is noted in `cx.masks`.
 */
export function readTensor(
  cx: Elaboration,
  eq: Equation,
  e: ReadExpr,
  scope: Scope,
  fill: number | null,
): LabelledValue {
  const b = cx.builder;
  let x = b.local(target(cx, eq, e.target, scope));

  // 1. One item an axis; groups split their axis.
  const items: Item[] = [];
  let axis = 0;
  for (const index of e.indices) {
    if (index.kind === 'group') {
      const labels = groupLabels(index.parts, scope);
      x = b.split(
        x,
        axis,
        labels.map((l) => eq.extent(l)),
      );
      for (const l of labels) items.push({ span: index.span, poly: name(l), data: null });
      axis += labels.length;
      continue;
    }
    if (index.kind === 'index') {
      const value = scope.get(index.name.text);
      if (value?.kind === 'run') {
        for (const p of value.sizes) items.push({ span: index.span, poly: p, data: null });
        axis += value.sizes.length;
        continue;
      }
    }
    const expr: Expr =
      index.kind === 'expression'
        ? index.value
        : { kind: 'name', name: (index as IndexName).name.text, span: (index as IndexName).span };
    const outer = cx.wantInteger;
    cx.wantInteger = true;
    let value: Value;
    try {
      value = evaluate(cx, expr, scope, eq);
    } finally {
      cx.wantInteger = outer;
    }
    if (value.kind === 'integer') items.push({ span: index.span, poly: value.poly, data: null });
    else {
      const lifted = lift(cx, eq, value, index.span);
      items.push({ span: index.span, poly: null, data: { node: b.cast(lifted.node, 'i32'), labels: lifted.labels } });
    }
    axis++;
  }

  // 2. Affine axes by movement, from the last to the first so that positions stay; the others wait for the gather.
  const uses = new Map<string, number>();
  for (const item of items)
    if (item.poly !== null) for (const n of names(item.poly)) if (n.includes('#')) uses.set(n, (uses.get(n) ?? 0) + 1);
  const done = new Set<string>();
  const axisLabels: string[][] = items.map(() => []);
  const dynamic = new Map<number, { node: Node; labels: readonly string[] }>();
  const masks: Value[] = [];
  const padding = fill ?? 0;
  for (let k = items.length - 1; k >= 0; k--) {
    const item = items[k]!;
    const size = x.type.sizes[k]!;
    if (item.poly === null) {
      dynamic.set(k, item.data!);
      if (cx.masks !== null || fill !== null)
        masks.push(inside(cx, eq, wrap(eq, item.data!.node, item.data!.labels), size, item.span));
      continue;
    }
    const moved = affine(cx, eq, item.poly, size, (label) => uses.get(label)! > 1 && done.has(label));
    if (moved === null) {
      dynamic.set(k, polyNode(cx, eq, item.poly));
      if (cx.masks !== null || fill !== null) masks.push(inside(cx, eq, integer(item.poly), size, item.span));
      continue;
    }
    for (const l of moved.labels) done.add(l);
    if (moved.outside && fill === null) masks.push(inside(cx, eq, integer(item.poly), size, item.span));
    x = b.pad(x, k, moved.before, moved.after, padding);
    const offset = add(moved.offset, moved.before);
    if (moved.windows.length === 0) x = b.slice(x, k, offset, ONE);
    else if (moved.windows.length === 1 && moved.windows[0]!.stride === ONE)
      x = b.slice(x, k, offset, moved.windows[0]!.size);
    else x = b.unfold(x, k, offset, moved.windows);
    axisLabels[k] = [...moved.labels];
    if (moved.windows.length === 0) x = b.dropAxis(x, k);
  }

  // 3. What is left: one gather for all data-dependent axes.
  let labels: string[];
  if (dynamic.size > 0) {
    const on = eq.order([...dynamic.values()].flatMap((d) => d.labels));
    labels = eq.order([...axisLabels.flat(), ...on]);
    const indices: Node[] = [];
    const sources: Source[] = [];
    items.forEach((_, k) => {
      const d = dynamic.get(k);
      if (d !== undefined) {
        sources.push({ from: 'index', which: indices.length });
        indices.push(eq.spread(cx, d.node, eq.order(d.labels), on));
      } else for (const l of axisLabels[k]!) sources.push({ from: 'axis', axis: labels.indexOf(l) });
    });
    const sizes = labels.map((l) => eq.extent(l));
    const same = constantOf(x);
    // What is the same number everywhere needs no reading: every index is inside, or its place is masked below.
    if (same !== null) x = b.constantOf(same, { dtype: x.type.dtype, sizes });
    else x = b.gather(x, indices, { sizes, sources, on: on.map((l) => labels.indexOf(l)) });
  } else {
    const flat = axisLabels.flat();
    labels = eq.order(flat);
    x = b.transpose(
      x,
      labels.map((l) => flat.indexOf(l)),
    );
  }

  // 4. Definedness, and the guard that stops gradients of undefined places.
  let result: LabelledValue = { kind: 'labelled', node: x, labels };
  let mask: Value = boolean(true);
  for (const m of masks) mask = logical(cx, eq, 'and', mask, m, e.span);
  if (mask.kind !== 'boolean' || !mask.value) {
    if (fill !== null) {
      if (dynamic.size > 0) {
        const chosen = select(cx, eq, mask, result, fillValue(fill, x.type.dtype), e.span);
        const lifted = lift(cx, eq, chosen, e.span);
        result = { kind: 'labelled', node: lifted.node, labels: lifted.labels };
      }
    } else cx.masks?.push(mask);
  }
  return guardRead(cx, eq, result, e.span);
}

/** The number of which a tensor is made, where it is made of one. */
function constantOf(x: Node): number | null {
  const inner = x.op === 'broadcast' ? x.inputs[0]! : x;
  return inner.op === 'const' ? inner.attrs.value : null;
}

const fillValue = (fill: number, dtype: DType): Value =>
  dtype === 'bool' ? boolean(fill !== 0) : dtype === 'i32' ? integer(num(fill)) : float(fill);

/** Under a guard a float read is itself with a gradient only where the guard holds. */
function guardRead(cx: Elaboration, eq: Equation, v: LabelledValue, span: Span): LabelledValue {
  if (cx.guard === null || v.node.type.dtype !== 'f32') return v;
  const b = cx.builder;
  const stopped: LabelledValue = { kind: 'labelled', node: b.stopGradient(v.node), labels: v.labels };
  const chosen = lift(cx, eq, select(cx, eq, cx.guard, v, stopped, span), span);
  return { kind: 'labelled', node: chosen.node, labels: chosen.labels };
}

/** 0 ≤ index < size, leaving out what is certain. */
function inside(cx: Elaboration, eq: Equation, index: Value, size: Poly, span: Span): Value {
  const low = binary(cx, eq, '>=', index, integer(ZERO), span);
  const high = binary(cx, eq, '<', index, integer(size), span);
  return logical(cx, eq, 'and', low, high, span);
}

interface Affine {
  readonly labels: readonly string[];
  readonly windows: readonly Window[];
  readonly offset: Poly;
  readonly before: Poly;
  readonly after: Poly;
  /** May leave the axis. */
  readonly outside: boolean;
}

/** offset + Σ stride·letter with letters of its own and certain signs; null where that is not so. */
function affine(cx: Elaboration, eq: Equation, p: Poly, size: Poly, taken: (label: string) => boolean): Affine | null {
  let rest = p;
  const labels: string[] = [];
  const windows: Window[] = [];
  let low = ZERO;
  let high = ZERO;
  for (const label of eq.order([...names(p)].filter((n) => n.includes('#')))) {
    if (taken(label)) return null;
    const parts = coefficientOf(rest, label);
    if (parts === null || hasLetters(parts.coefficient)) return null;
    const reach = mul(parts.coefficient, sub(eq.extent(label), ONE));
    if (provablyNonNegative(eq, sub(parts.coefficient, ONE))) high = add(high, reach);
    else if (provablyNonNegative(eq, sub(neg(parts.coefficient), ONE))) low = add(low, reach);
    else return null;
    labels.push(label);
    windows.push({ size: eq.extent(label), stride: parts.coefficient });
    rest = parts.rest;
  }
  if (hasLetters(rest)) return null;
  low = add(low, rest);
  high = add(high, rest);
  const over = add(sub(high, size), ONE);
  const lowInside = requiredNonNegative(cx, eq, low);
  const highInside = requiredNonNegative(cx, eq, neg(over));
  const before = lowInside ? ZERO : neg(low);
  const after = highInside ? ZERO : over;
  if (!lowInside && !requiredNonNegative(cx, eq, before)) return null;
  if (!highInside && !requiredNonNegative(cx, eq, after)) return null;
  // A single position outside for sure cannot be sliced meaningfully when it depends on sizes: the gather handles it.
  if (windows.length === 0 && !(lowInside && highInside)) return null;
  return { labels, windows, offset: rest, before, after, outside: !(lowInside && highInside) };
}
