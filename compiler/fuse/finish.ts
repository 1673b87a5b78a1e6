/**
 * The last steps of a kernel before it gets its identity, each exact:
 *
 * 1. Split axes. Where reads take floor(r / E) and r mod E of an axis r whose extent E divides, the axis becomes two, r = E·r1 + r2, and these
 *    reads become linear (heads split and merged, transposed copies).
 * 2. Collapse axes. Two neighbouring axes that every access sees only as E·a + b become one (an elementwise kernel is one loop).
 * 3. Name what is shared. Scalars used more than once in a stage become plain values; so do reads of buffers that the stage also
 *    writes, so that at one point every read comes before every write.
 */
import {
  ONE,
  ZERO,
  add,
  asConst,
  coefficientOf,
  divideExact,
  mul,
  name,
  names,
  substitute,
  terms,
  type Poly,
} from '../sizes/poly.ts';
import { Ranges, upTo } from '../sizes/ranges.ts';
import { Copier, polysOf, walk, type ExprTable } from '../kernel/expr.ts';
import type { Def, Expr, Stage, Write } from '../kernel/types.ts';
import type { Draft } from './assemble.ts';

export function finish(draft: Draft, table: ExprTable): Draft {
  const axes = new Axes(draft);
  axes.splitAll();
  axes.collapseAll();
  const looped = axes.changed ? axes.rewritten(table) : draft;
  return { ...looped, stages: looped.stages.map((s) => nameShared(s, table, [...looped.axes.keys()])) };
}

const rootsOf = (s: Stage): Expr[] => [
  ...[...s.defs.values()].flatMap((d) => (d.op !== null && d.init !== null ? [d.init, d.value] : [d.value])),
  ...[...s.each, ...s.writes].flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
];

// ---------------------------------------------------------------------------------------------------------------------------- axes

class Axes {
  changed = false;
  private readonly draft: Draft;
  private extents: Map<string, Poly>;
  private rows: readonly string[];
  private lists: { axes: readonly string[]; over: readonly string[] }[];
  /** Original polynomial → as it is now. */
  private readonly now = new Map<Poly, Poly>();
  private readonly taken: Set<string>;

  constructor(draft: Draft) {
    this.draft = draft;
    this.extents = new Map(draft.axes);
    this.rows = draft.rows;
    this.lists = draft.stages.map((s) => ({ axes: s.axes, over: s.over }));
    const note = (p: Poly): void => {
      if (asConst(p) === null) this.now.set(p, p);
    };
    const seen = new Set<Expr>();
    for (const s of draft.stages) {
      walk(rootsOf(s), (e) => polysOf(e).forEach(note), seen);
      for (const w of [...s.each, ...s.writes]) {
        note(w.at);
        for (const g of w.guards) [g.e, g.lo, g.hi].forEach(note);
      }
    }
    this.taken = new Set(this.extents.keys());
    for (const p of this.now.keys()) for (const s of names(p)) this.taken.add(s);
    for (const e of this.extents.values()) for (const s of names(e)) this.taken.add(s);
  }

  private replace(map: ReadonlyMap<string, Poly>, simplify: boolean): void {
    this.changed = true;
    const ranges = simplify
      ? new Ranges((s) => (this.extents.has(s) ? upTo(this.extents.get(s)!) : s.startsWith('@') ? { lo: null } : null))
      : null;
    for (const [p, q] of this.now) {
      let next = substitute(q, map);
      if (ranges !== null && next.key.includes('floor(')) next = ranges.simplify(next);
      this.now.set(p, next);
    }
  }

  private mapLists(f: (axes: readonly string[]) => readonly string[]): void {
    this.rows = f(this.rows);
    this.lists = this.lists.map((l) => ({ axes: f(l.axes), over: f(l.over) }));
  }

  // ------------------------------------------------------------------------------------------------------------------------ split

  splitAll(): void {
    for (let round = 0; round < 4; round++) {
      const found = this.divided();
      if (found === null) return;
      this.split(found.axis, found.by, found.quotient);
    }
  }

  private divided(): { axis: string; by: Poly; quotient: Poly } | null {
    for (const p of this.now.values()) {
      if (!p.key.includes('floor(')) continue;
      for (const t of terms(p)) {
        for (const { atom } of t.factors) {
          if (atom.kind !== 'floor') continue;
          const inner = terms(atom.numerator);
          const only = inner.length === 1 && inner[0]!.coefficient === 1 ? inner[0]!.factors : [];
          if (only.length !== 1 || only[0]!.exponent !== 1 || only[0]!.atom.kind !== 'name') continue;
          const axis = only[0]!.atom.name;
          const extent = this.extents.get(axis);
          if (
            extent === undefined ||
            [...names(atom.denominator)].some((s) => this.extents.has(s) || s.startsWith('@'))
          )
            continue;
          const quotient = divideExact(extent, atom.denominator);
          if (quotient !== null && quotient !== ONE) return { axis, by: atom.denominator, quotient };
        }
      }
    }
    return null;
  }

  private split(axis: string, by: Poly, quotient: Poly): void {
    let inner = axis;
    for (let k = 2; this.taken.has(inner); k++) inner = `${axis}${k}`;
    this.taken.add(inner);
    const extents = new Map<string, Poly>();
    for (const [s, e] of this.extents) {
      extents.set(s, s === axis ? quotient : e);
      if (s === axis) extents.set(inner, by);
    }
    this.extents = extents;
    this.mapLists((list) => list.flatMap((a) => (a === axis ? [axis, inner] : [a])));
    this.replace(new Map([[axis, add(mul(by, name(axis)), name(inner))]]), true);
  }

  // --------------------------------------------------------------------------------------------------------------------- collapse

  collapseAll(): void {
    const refused = new Set<string>();
    for (;;) {
      const pair = this.neighbours(refused);
      if (pair === null) return;
      const [a, b] = pair;
      if (!this.isOne(a, b)) {
        refused.add(`${a},${b}`);
        continue;
      }
      this.extents.set(a, mul(this.extents.get(a)!, this.extents.get(b)!));
      this.extents.delete(b);
      this.mapLists((list) => list.filter((s) => s !== b));
      this.replace(
        new Map([
          [a, ZERO],
          [b, name(a)],
        ]),
        false,
      );
    }
  }

  /** Two axes that stand next to each other, in this order, wherever one of them stands. */
  private neighbours(refused: ReadonlySet<string>): readonly [string, string] | null {
    const lists = [this.rows, ...this.lists.flatMap((l) => [l.axes, l.over])].filter((l) => l.length > 0);
    for (const list of lists) {
      for (let k = list.length - 2; k >= 0; k--) {
        const [a, b] = [list[k]!, list[k + 1]!];
        if (refused.has(`${a},${b}`)) continue;
        const always = lists.every((l) => {
          const at = l.indexOf(a);
          return at < 0 ? !l.includes(b) : l[at + 1] === b;
        });
        if (always) return [a, b];
      }
    }
    return null;
  }

  /** Whether every access sees the two axes only as extent(b) · a + b. */
  private isOne(a: string, b: string): boolean {
    const extent = this.extents.get(b)!;
    for (const p of this.now.values()) {
      const used = names(p);
      if (!used.has(a) && !used.has(b)) continue;
      const x = coefficientOf(p, a);
      const y = coefficientOf(p, b);
      if (x === null || y === null) return false;
      if (x.coefficient !== mul(extent, y.coefficient)) return false;
      // a · b in one term: the coefficient of one mentions the other.
      if (names(y.coefficient).has(a)) return false;
    }
    return true;
  }

  rewritten(table: ExprTable): Draft {
    const poly = (p: Poly, renamed: ReadonlyMap<string, Poly>): Poly => {
      const q = this.now.get(p) ?? p;
      return renamed.size === 0 ? q : substitute(q, renamed);
    };
    const copier = new Copier(table, poly, () => null);
    const write = (w: Write): Write => {
      const { at, guards, dynamic } = copier.access(w);
      return { ...w, at, guards, dynamic, value: copier.copy(w.value) };
    };
    const stages = this.draft.stages.map((s, k): Stage => ({
      ...s,
      axes: this.lists[k]!.axes,
      over: this.lists[k]!.over,
      defs: new Map(
        [...s.defs].map(([key, d]): [string, Def] => {
          const value = copier.copy(d.value);
          if (d.op === null) return [key, { op: null, value }];
          return [key, { ...d, init: d.init === null ? null : copier.copy(d.init), value } as Def];
        }),
      ),
      each: s.each.map(write),
      writes: s.writes.map(write),
    }));
    return { ...this.draft, axes: this.extents, rows: this.rows, stages };
  }
}

// -------------------------------------------------------------------------------------------------------------------------- sharing

/** Worth a name when used twice: not what is as cheap to say again. */
function isWorth(e: Expr): boolean {
  if (e.kind === 'read' || e.kind === 'guarded') return true;
  return e.kind === 'op' && e.args.some((a) => a.kind !== 'const' && a.kind !== 'index');
}

/** Operands that are computed whenever the expression is; a branch or an `otherwise` is not. */
function always(e: Expr): readonly Expr[] {
  if (e.kind === 'op') return e.args;
  return e.kind === 'read' ? e.dynamic.map((d) => d.value) : [];
}

function nameShared(stage: Stage, table: ExprTable, axes: readonly string[]): Stage {
  const roots = rootsOf(stage);
  const written = new Set(stage.writes.map((w) => w.buffer));
  const counts = new Map<Expr, number>();
  const eager = new Set<Expr>();
  const forced = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (eager.has(e)) return;
    eager.add(e);
    for (const x of always(e)) visit(x);
  };
  for (const r of roots) visit(r);
  const seen = new Set<Expr>();
  walk(
    roots,
    (e) => {
      const below =
        e.kind === 'read'
          ? [...always(e), ...(e.otherwise === null ? [] : [e.otherwise])]
          : e.kind === 'guarded'
            ? [e.inside, e.outside]
            : always(e);
      for (const x of below) counts.set(x, (counts.get(x) ?? 0) + 1);
      if (e.kind === 'read' && written.has(e.buffer) && eager.has(e) && stage.writes.length > 1) forced.add(e);
    },
    seen,
  );
  for (const r of roots) counts.set(r, (counts.get(r) ?? 0) + 1);
  const shared = [...eager].filter((e) => forced.has(e) || (counts.get(e)! > 1 && isWorth(e)));
  if (shared.length === 0) return stage;

  const taken = new Set<string>([...axes, ...stage.defs.keys()]);
  const names_ = new Map<Expr, string>();
  // A plain def that is a shared expression as a whole is its name.
  for (const [key, def] of stage.defs) if (def.op === null && !names_.has(def.value)) names_.set(def.value, key);
  const isShared = new Set(shared);
  const defs = new Map<string, Def>();
  const done = new Map<Expr, Expr>();
  let number = 0;
  const fresh = (): string => {
    let s: string;
    do s = `${stage.name === 'each' ? 't' : `${stage.name}_t`}${number++}`;
    while (taken.has(s));
    return s;
  };
  const copier: Pick<Copier, 'copy'> = { copy: (e) => rebuild(e) };
  const access = new Copier(
    table,
    (p, renamed) => (renamed.size === 0 ? p : substitute(p, renamed)),
    (e) => (e.kind === 'value' ? e : null),
  );
  // The copier's own `copy` goes through `rebuild`, so that names are used below reads too.
  Object.assign(access, copier);
  const whole = (e: Expr): Expr => {
    switch (e.kind) {
      case 'op':
        return table.op(e.op, e.dtype, ...e.args.map(rebuild));
      case 'guarded':
        return table.guarded(e.guards, rebuild(e.inside), rebuild(e.outside));
      case 'read': {
        const parts = access.access(e);
        return table.read(e.buffer, e.dtype, parts.at, parts.guards, parts.otherwise);
      }
      default:
        return e;
    }
  };
  const rebuild = (e: Expr): Expr => {
    const known = done.get(e);
    if (known !== undefined) return known;
    if (!isShared.has(e)) {
      const copied = whole(e);
      done.set(e, copied);
      return copied;
    }
    const own = names_.get(e) ?? fresh();
    names_.set(e, own);
    const value = whole(e);
    defs.set(own, { op: null, value });
    const shown = table.value(own, e.dtype);
    done.set(e, shown);
    return shown;
  };
  for (const [key, def] of stage.defs) {
    if (def.op !== null) {
      const init = def.init === null ? null : rebuild(def.init);
      const value = rebuild(def.value);
      defs.set(key, { ...def, init, value } as Def);
      continue;
    }
    const value = rebuild(def.value);
    if (!defs.has(key)) defs.set(key, { op: null, value });
  }
  const write = (w: Write): Write => {
    const { at, guards, dynamic } = access.access(w);
    return { ...w, at, guards, dynamic, value: rebuild(w.value) };
  };
  return { ...stage, defs, each: stage.each.map(write), writes: stage.writes.map(write) };
}
