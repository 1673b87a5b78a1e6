/**
 * Which part of a row's matrices anything depends on: under a causal mask, the places up to the row's own. A kernel may leave out the rest.
 *
 * For an axis that is no row, every stage that reduces along it must reduce to the same without the places outside (they are the reduction's neutral
 * element there), and every other stage with the axis may only write what stays inside the kernel. What says so are selections by comparisons
 * of positions; a product with 0 is 0, and so is what was stored as 0.
 */
import { add, asConst, coefficientOf, mul, names, neg, num, sub, type Poly } from '../sizes/poly.ts';
import type { Expr, Guard, Kernel, Span, Stage } from '../kernel/types.ts';

const FAR = num(2 ** 30);

/** Integer arithmetic on positions as a polynomial. */
function linear(e: Expr): Poly | null {
  if (e.dtype !== 'i32') return null;
  if (e.kind === 'index') return e.at;
  if (e.kind === 'const') return num(e.value);
  if (e.kind !== 'op') return null;
  const args = e.args.map(linear);
  if (args.some((p) => p === null)) return null;
  const [a, b] = args as Poly[];
  switch (e.op) {
    case 'neg':
      return neg(a!);
    case 'add':
      return add(a!, b!);
    case 'sub':
      return sub(a!, b!);
    case 'mul':
      return mul(a!, b!);
    default:
      return null;
  }
}

const isConst = (e: Expr, value: number): boolean => e.kind === 'const' && e.value === value;

class Finder {
  /** What is stored in the kernel's own buffers is 0 where these do not hold. */
  readonly stored = new Map<number, readonly Guard[]>();
  private readonly named: ReadonlyMap<string, Expr>;

  constructor(kernel: Kernel) {
    this.named = new Map(
      kernel.stages.flatMap((s) => [...s.defs].filter(([, d]) => d.op === null).map(([n, d]) => [n, d.value] as const)),
    );
  }

  /** Comparisons of positions that hold wherever `e` does (the others are left out). */
  private conditions(e: Expr, wanted: boolean): Guard[] {
    if (e.kind === 'value') {
      const def = this.named.get(e.name);
      return def === undefined ? [] : this.conditions(def, wanted);
    }
    if (e.kind !== 'op') return [];
    const [a, b] = e.args;
    if (e.op === 'not') return this.conditions(a!, !wanted);
    if (e.op === (wanted ? 'and' : 'or')) return e.args.flatMap((x) => this.conditions(x, wanted));
    if (e.op === 'cast') return this.conditions(a!, wanted);
    if (e.op === 'lt') {
      // Below a least, or a greatest below: below all.
      if (wanted && b!.kind === 'op' && b!.op === 'min') return b!.args.flatMap((x) => this.below(a!, x, true));
      if (wanted && a!.kind === 'op' && a!.op === 'max') return a!.args.flatMap((x) => this.below(x, b!, true));
      return this.below(a!, b!, wanted);
    }
    const [x, y] = [linear(a!), b === undefined ? null : linear(b)];
    if (e.op === 'eq' && wanted && x !== null && y !== null) return [{ e: sub(x, y), lo: num(0), hi: num(1) }];
    return [];
  }

  private below(a: Expr, b: Expr, wanted: boolean): Guard[] {
    const [x, y] = [linear(a), linear(b)];
    if (x === null || y === null) return [];
    return [wanted ? { e: sub(y, x), lo: num(1), hi: FAR } : { e: sub(y, x), lo: neg(FAR), hi: num(1) }];
  }

  /** Where not all of these hold, the value is `neutral`. null: not known to be so anywhere. */
  outside(e: Expr, neutral: number): readonly Guard[] | null {
    if (isConst(e, neutral)) return [];
    if (e.kind === 'value') {
      const def = this.named.get(e.name);
      return def === undefined ? null : this.outside(def, neutral);
    }
    if (e.kind === 'read') {
      const own = neutral === 0 && e.guards.length === 0 ? this.stored.get(e.buffer) : undefined;
      return own ?? null;
    }
    if (e.kind === 'guarded') {
      if (isConst(e.outside, neutral)) return [...e.guards, ...(this.outside(e.inside, neutral) ?? [])];
      return null;
    }
    if (e.kind !== 'op') return null;
    const [a, b, c] = e.args;
    switch (e.op) {
      case 'select': {
        if (isConst(c!, neutral)) return [...this.conditions(a!, true), ...(this.outside(b!, neutral) ?? [])];
        if (isConst(b!, neutral)) return [...this.conditions(a!, false), ...(this.outside(c!, neutral) ?? [])];
        return null;
      }
      case 'mul': {
        if (neutral !== 0) return null;
        const [x, y] = [this.outside(a!, 0), this.outside(b!, 0)];
        return x === null && y === null ? null : [...(x ?? []), ...(y ?? [])];
      }
      case 'div':
        return neutral === 0 ? this.outside(a!, 0) : null;
      case 'neg':
      case 'cast':
        return neutral === 0 ? this.outside(a!, 0) : null;
      default:
        return null;
    }
  }
}

const NEUTRAL: Partial<Record<string, number>> = { sum: 0, max: -Infinity, min: Infinity };

const guardKey = (g: Guard): string => `${g.e.id}:${g.lo.id}:${g.hi.id}`;

/** The spans of a kernel's axes; `local` are its own buffers. */
export function spansOf(kernel: Kernel): ReadonlyMap<string, Span> {
  const rows = new Set(kernel.rows ?? []);
  const spans = new Map<string, Span>();
  if (rows.size === 0) return spans;
  const finder = new Finder(kernel);
  const isLocal = (buffer: number): boolean => kernel.buffers[buffer]!.row === true;
  for (const stage of kernel.stages)
    for (const w of [...stage.each, ...stage.writes]) {
      if (!isLocal(w.buffer)) continue;
      const own = finder.outside(w.value, 0);
      if (own !== null) finder.stored.set(w.buffer, own);
    }
  const inner = new Set(kernel.stages.flatMap((s) => [...s.axes, ...s.over]).filter((a) => !rows.has(a)));
  for (const axis of inner) {
    let held: readonly Guard[] | null = null;
    let possible = true;
    for (const stage of kernel.stages) {
      const own = along(stage, axis, finder, isLocal);
      if (own === 'any') continue;
      if (own === null) possible = false;
      else held = held === null ? own : held.filter((g) => own.some((o) => guardKey(o) === guardKey(g)));
    }
    if (!possible || held === null) continue;
    const span = solve(held, axis, rows, kernel);
    if (span.from.length + span.to.length > 0) spans.set(axis, span);
  }
  return spans;
}

/** Conditions outside of which the stage does nothing along the axis; `any`: whatever is left out. */
function along(
  stage: Stage,
  axis: string,
  finder: Finder,
  isLocal: (buffer: number) => boolean,
): readonly Guard[] | null | 'any' {
  if (stage.axes.includes(axis)) return [...stage.each, ...stage.writes].every((w) => isLocal(w.buffer)) ? 'any' : null;
  if (!stage.over.includes(axis)) return 'any';
  if (stage.order !== null || !stage.each.every((w) => isLocal(w.buffer))) return null;
  let held: readonly Guard[] | null = null;
  for (const def of stage.defs.values()) {
    if (def.op === null) continue;
    const neutral = NEUTRAL[def.op];
    const own = neutral === undefined || def.init !== null ? null : finder.outside(def.value, neutral);
    if (own === null) return null;
    const mine: readonly Guard[] = own;
    held = held === null ? mine : held.filter((g: Guard) => mine.some((o) => guardKey(o) === guardKey(g)));
  }
  return held ?? 'any';
}

function solve(guards: readonly Guard[], axis: string, rows: ReadonlySet<string>, kernel: Kernel): Span {
  const from: Poly[] = [];
  const to: Poly[] = [];
  const known = (p: Poly): boolean => [...names(p)].every((s) => rows.has(s) || kernel.sizes.includes(s));
  const put = (list: Poly[], p: Poly): void => {
    if (known(p) && !list.includes(p)) list.push(p);
  };
  for (const g of guards) {
    const linear = coefficientOf(g.e, axis);
    const c = linear === null ? null : asConst(linear.coefficient);
    if (linear === null || (c !== 1 && c !== -1)) continue;
    const { rest } = linear;
    const [low, high] = [g.lo !== neg(FAR), g.hi !== FAR];
    // lo <= c · axis + rest < hi
    if (c === 1) {
      if (low) put(from, sub(g.lo, rest));
      if (high) put(to, sub(g.hi, rest));
    } else {
      if (low) put(to, add(sub(rest, g.lo), num(1)));
      if (high) put(from, add(sub(rest, g.hi), num(1)));
    }
  }
  return { from, to };
}
