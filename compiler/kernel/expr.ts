/**
 * Constructors of kernel expressions. Equal expressions of one table are one object, so a DAG never becomes a tree and `===` compares.
 *
 * Simplifications are local and exact: the simplified expression has the same bits for every input (so `x + 0` of floats stays, because of
 * −0, and `x · 0` stays, because of infinities). Nothing here knows the ranges of axes: whoever makes polynomials simplifies them first.
 */
import type { DType } from '../graph/types.ts';
import { add, asConst, mul, name as nameOf, names, num, sub, type Poly } from '../sizes/poly.ts';
import type { Expr, Guard, ScalarOp, Stage } from './types.ts';

export type Dynamic = readonly { readonly name: string; readonly value: Expr }[];

const NONE: Dynamic = [];
const FREE: readonly Guard[] = [];

export class ExprTable {
  private readonly known = new Map<string, Expr>();
  /** Dynamic name → the integer expression it stands for. */
  private readonly dynamics = new Map<string, Expr>();

  private make(key: string, build: (id: number) => Expr): Expr {
    let e = this.known.get(key);
    if (e === undefined) this.known.set(key, (e = build(this.known.size)));
    return e;
  }

  constant(value: number, dtype: DType): Expr {
    const text = Object.is(value, -0) ? '-0' : String(value);
    return this.make(`c${dtype}${text}`, (id) => ({ id, dtype, kind: 'const', value }));
  }

  /** A polynomial over axes and sizes as an i32; a constant polynomial is a constant. */
  index(at: Poly): Expr {
    const value = asConst(at);
    if (value !== null) return this.constant(value, 'i32');
    return this.make(`i${at.id}`, (id) => ({ id, dtype: 'i32', kind: 'index', at }));
  }

  value(name: string, dtype: DType): Expr {
    return this.make(`v${dtype}${name}`, (id) => ({ id, dtype, kind: 'value', name }));
  }

  /** The name that stands for an integer expression inside polynomials; the same for the same expression. */
  dynamic(value: Expr): string {
    const name = `@${value.id}`;
    this.dynamics.set(name, value);
    return name;
  }

  dynamicValue(name: string): Expr | null {
    return this.dynamics.get(name) ?? null;
  }

  /** What the polynomials mention by dynamic names, in order of the names. */
  mentioned(polys: Iterable<Poly>): Dynamic {
    if (this.dynamics.size === 0) return NONE;
    const found = new Map<string, Expr>();
    for (const p of polys) {
      for (const s of names(p)) {
        const value = this.dynamics.get(s);
        if (value !== undefined) found.set(s, value);
      }
    }
    if (found.size === 0) return NONE;
    return [...found].map(([name, value]) => ({ name, value })).sort((a, b) => a.value.id - b.value.id);
  }

  read(buffer: number, dtype: DType, at: Poly, guards: readonly Guard[] = FREE, otherwise: Expr | null = null): Expr {
    if (guards.length > 0 !== (otherwise !== null))
      throw new Error('a read has guards exactly when it has an otherwise');
    let key = `r${buffer},${dtype},${at.id}`;
    if (guards.length > 0) key += `|${guardKey(guards)}|${otherwise!.id}`;
    return this.make(key, (id) => ({
      id,
      dtype,
      kind: 'read',
      buffer,
      at,
      dynamic: this.mentioned([at, ...guards.flatMap((g) => [g.e, g.lo, g.hi])]),
      guards,
      otherwise,
    }));
  }

  guarded(guards: readonly Guard[], inside: Expr, outside: Expr): Expr {
    if (guards.length === 0 || inside === outside) return inside;
    if (inside.kind === 'read' && (inside.otherwise === null || inside.otherwise === outside)) {
      const all = [...inside.guards];
      for (const g of guards) if (!all.some((h) => sameGuard(g, h))) all.push(g);
      return this.read(inside.buffer, inside.dtype, inside.at, all, outside);
    }
    if (inside.kind === 'guarded' && inside.outside === outside) {
      const all = [...guards, ...inside.guards.filter((g) => !guards.some((h) => sameGuard(g, h)))];
      return this.guardedNode(all, inside.inside, outside);
    }
    return this.guardedNode(guards, inside, outside);
  }

  private guardedNode(guards: readonly Guard[], inside: Expr, outside: Expr): Expr {
    const key = `g${guardKey(guards)}|${inside.id}|${outside.id}`;
    return this.make(key, (id) => ({ id, dtype: inside.dtype, kind: 'guarded', guards, inside, outside }));
  }

  op(op: ScalarOp, dtype: DType, ...args: readonly Expr[]): Expr {
    const simple = this.simplified(op, dtype, args);
    if (simple !== null) return simple;
    let key = `o${op},${dtype}`;
    for (const a of args) key += `,${a.id}`;
    return this.make(key, (id) => ({ id, dtype, kind: 'op', op, args }));
  }

  /** The value as its buffer would hold it. Registers may be wider (a number of JavaScript), which equality must not see. */
  rounded(e: Expr): Expr {
    return this.op('cast', e.dtype, e);
  }

  /**
   * As `rounded`, for a value whose reads may yet become registers of the same kernel: the cast stands until the expression is copied, and goes
   * then if what is below it is rounded.
   */
  roundedLater(e: Expr): Expr {
    if (e.dtype !== 'f32' || e.kind === 'const') return this.rounded(e);
    return this.make(`ocast,f32,${e.id}`, (id) => ({ id, dtype: 'f32', kind: 'op', op: 'cast', args: [e] }));
  }

  private simplified(op: ScalarOp, dtype: DType, args: readonly Expr[]): Expr | null {
    const [a, b, c] = args;
    if (a === undefined) return null;
    switch (op) {
      case 'cast':
        if (a.dtype === dtype && isRounded(a)) return a;
        if (a.kind === 'const' && dtype === 'f32') return this.constant(Math.fround(a.value), 'f32');
        if (a.kind === 'const' && dtype === 'bool') return this.constant(a.value !== 0 ? 1 : 0, 'bool');
        return null;
      case 'neg':
        if (a.kind === 'const' && dtype !== 'i32') return this.constant(-a.value, dtype);
        if (a.kind === 'op' && a.op === 'neg') return a.args[0]!;
        return null;
      case 'not':
        return a.kind === 'op' && a.op === 'not' ? a.args[0]! : null;
      case 'select':
        if (b === c) return b!;
        return a.kind === 'const' ? (a.value !== 0 ? b! : c!) : null;
      case 'and':
      case 'or': {
        if (a === b) return a;
        const absorbing = op === 'or' ? 1 : 0;
        if (a.kind === 'const') return a.value === absorbing ? a : b!;
        if (b!.kind === 'const') return b!.value === absorbing ? b! : a;
        return null;
      }
      case 'max':
      case 'min':
        return a === b ? a : null;
      case 'mul':
        if (a.kind === 'const' && a.value === 1) return b!;
        if (b!.kind === 'const' && b!.value === 1) return a;
        return dtype === 'i32' ? this.integer(mul, a, b!) : null;
      case 'div':
        return b!.kind === 'const' && b!.value === 1 ? a : null;
      case 'add':
        return dtype === 'i32' ? this.integer(add, a, b!) : null;
      case 'sub':
        if (b!.kind === 'const' && Object.is(b!.value, 0)) return a;
        return dtype === 'i32' ? this.integer(sub, a, b!) : null;
      case 'lt':
      case 'eq': {
        const x = position(a);
        const y = b === undefined ? null : position(b);
        if (x === null || y === null) return null;
        const difference = asConst(sub(x, y));
        if (difference === null) return null;
        return this.constant((op === 'lt' ? difference < 0 : difference === 0) ? 1 : 0, 'bool');
      }
      default:
        return null;
    }
  }

  /** Arithmetic on positions stays index arithmetic: positions are far from the ends of i32. */
  private integer(combine: (a: Poly, b: Poly) => Poly, a: Expr, b: Expr): Expr | null {
    if (a.kind !== 'index' && b.kind !== 'index') return null;
    const x = position(a);
    const y = position(b);
    return x === null || y === null ? null : this.index(combine(x, y));
  }
}

/** Surely has its dtype's precision, wherever it is computed. */
function isRounded(e: Expr): boolean {
  if (e.dtype === 'i32' || e.dtype === 'bool') return true;
  if (e.kind === 'read') return e.otherwise === null || isRounded(e.otherwise);
  if (e.kind === 'const') return Object.is(Math.fround(e.value), e.value) && e.dtype === 'f32';
  if (e.kind === 'guarded') return isRounded(e.inside) && isRounded(e.outside);
  if (e.kind !== 'op') return false;
  if (e.op === 'cast' || e.op === 'floor') return true;
  if (e.op === 'neg' || e.op === 'max' || e.op === 'min') return e.args.every(isRounded);
  return e.op === 'select' && isRounded(e.args[1]!) && isRounded(e.args[2]!);
}

function position(e: Expr): Poly | null {
  if (e.kind === 'index') return e.at;
  return e.kind === 'const' && e.dtype === 'i32' && Math.abs(e.value) < 2 ** 24 ? num(e.value) : null;
}

const guardKey = (guards: readonly Guard[]): string => guards.map((g) => `${g.e.id}:${g.lo.id}:${g.hi.id}`).join(';');

export const sameGuard = (a: Guard, b: Guard): boolean => a.e === b.e && a.lo === b.lo && a.hi === b.hi;

/** Expressions directly below one. */
export function operands(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'op':
      return e.args;
    case 'guarded':
      return [e.inside, e.outside];
    case 'read':
      if (e.dynamic.length === 0) return e.otherwise === null ? [] : [e.otherwise];
      return [...e.dynamic.map((d) => d.value), ...(e.otherwise === null ? [] : [e.otherwise])];
    default:
      return [];
  }
}

/** The polynomials written in one expression itself. */
export function polysOf(e: Expr): readonly Poly[] {
  switch (e.kind) {
    case 'index':
      return [e.at];
    case 'read':
      return e.guards.length === 0 ? [e.at] : [e.at, ...e.guards.flatMap((g) => [g.e, g.lo, g.hi])];
    case 'guarded':
      return e.guards.flatMap((g) => [g.e, g.lo, g.hi]);
    default:
      return [];
  }
}

/** Each expression below the roots once, operands first. */
export function walk(roots: Iterable<Expr>, visit: (e: Expr) => void, seen: Set<Expr> = new Set()): void {
  const go = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (const x of operands(e)) go(x);
    visit(e);
  };
  for (const root of roots) go(root);
}

/**
 * Copies expressions into `table`: `poly` maps every polynomial (dynamic names are renamed before it is asked), `leaf` may replace a read or a
 * value as a whole (null: copied). Shared parts are copied once a `Copier`.
 */
export class Copier {
  private readonly done = new Map<Expr, Expr>();
  private readonly table: ExprTable;
  private readonly poly: (p: Poly, renamed: ReadonlyMap<string, Poly>) => Poly;
  private readonly leaf: (e: Expr, copier: Copier) => Expr | null;

  constructor(
    table: ExprTable,
    poly: (p: Poly, renamed: ReadonlyMap<string, Poly>) => Poly,
    leaf: (e: Expr, copier: Copier) => Expr | null,
  ) {
    this.table = table;
    this.poly = poly;
    this.leaf = leaf;
  }

  copy(e: Expr): Expr {
    let copied = this.done.get(e);
    if (copied === undefined) this.done.set(e, (copied = this.fresh(e)));
    return copied;
  }

  private fresh(e: Expr): Expr {
    switch (e.kind) {
      case 'const':
        return this.table.constant(e.value, e.dtype);
      case 'index':
        return this.table.index(this.poly(e.at, NO_NAMES));
      case 'value':
        return this.leaf(e, this) ?? this.table.value(e.name, e.dtype);
      case 'op':
        return this.table.op(e.op, e.dtype, ...e.args.map((a) => this.copy(a)));
      case 'guarded':
        return this.table.guarded(this.guards(e.guards, NO_NAMES), this.copy(e.inside), this.copy(e.outside));
      case 'read': {
        const replaced = this.leaf(e, this);
        if (replaced !== null) return replaced;
        const { at, guards, otherwise } = this.access(e);
        return this.table.read(e.buffer, e.dtype, at, guards, otherwise);
      }
    }
  }

  /** The copied parts of a read or of a write. */
  access(e: {
    readonly at: Poly;
    readonly guards: readonly Guard[];
    readonly dynamic: Dynamic;
    readonly otherwise?: Expr | null;
  }): { at: Poly; guards: readonly Guard[]; otherwise: Expr | null; dynamic: Dynamic } {
    const renamed = this.renamed(e.dynamic);
    const at = this.poly(e.at, renamed);
    const guards = this.guards(e.guards, renamed);
    const otherwise = e.otherwise === undefined || e.otherwise === null ? null : this.copy(e.otherwise);
    const dynamic =
      e.dynamic.length === 0 ? NONE : this.table.mentioned([at, ...guards.flatMap((g) => [g.e, g.lo, g.hi])]);
    return { at, guards, otherwise, dynamic };
  }

  private renamed(dynamic: Dynamic): ReadonlyMap<string, Poly> {
    if (dynamic.length === 0) return NO_NAMES;
    return new Map(dynamic.map((d) => [d.name, nameOf(this.table.dynamic(this.copy(d.value)))]));
  }

  guards(guards: readonly Guard[], renamed: ReadonlyMap<string, Poly>): readonly Guard[] {
    if (guards.length === 0) return FREE;
    return guards.map((g) => ({
      e: this.poly(g.e, renamed),
      lo: this.poly(g.lo, renamed),
      hi: this.poly(g.hi, renamed),
    }));
  }
}

const NO_NAMES: ReadonlyMap<string, Poly> = new Map();

export function stageRoots(stage: Stage): Expr[] {
  const roots: Expr[] = [];
  for (const def of stage.defs.values()) {
    if (def.op !== null && def.init !== null) roots.push(def.init);
    roots.push(def.value);
  }
  for (const write of [...stage.each, ...stage.writes]) {
    for (const d of write.dynamic) roots.push(d.value);
    roots.push(write.value);
  }
  return roots;
}
