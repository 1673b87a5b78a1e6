/**
 * What the expressions of a kernel rest on: which names hold now and how deep, what an expression mentions and so where it belongs, and polynomials over
 * axes and sizes as instructions. Every expression belongs to the outermost scope in which all that it mentions is known (axes, values, dynamic
 * indices); what belongs further out than where it is used, or is used more than once, gets a local there.
 *
 * Not here: scalars, reads, lanes (expression.ts).
 */
import {
  add,
  asConst,
  coefficientOf,
  mul,
  ofAtom,
  name as nameOf,
  names,
  num,
  sub,
  substitute,
  terms,
  type Atom,
  type Poly,
} from '../../sizes/poly.ts';
import type { DType } from '../../graph/types.ts';
import type { Expr, Guard, Kernel } from '../../kernel/types.ts';
import { Mentions, useCounts } from '../../kernel/mentions.ts';
import type { ValueType } from './encoder.ts';
import type { Fn } from './function.ts';
import type { PackForm } from './pack-function.ts';
import type { LibraryName, Pool } from './math.ts';
import { decide } from './residues.ts';

/** Parameters of a kernel: these, its sizes, its buffers; of one with an operand that is packed already where its panels are, last. */
export const PARAMETERS = { workspace: 0, thread: 1, threads: 2, sizes: 3 } as const;

/** Axis → constant added to it. */
export type Shift = ReadonlyMap<string, number>;
export const NO_SHIFT: Shift = new Map();

/** A local and a constant beside it, or a constant alone. */
export interface Operand {
  readonly local: number | null;
  readonly plus: number;
  /** The local's value is certainly not negative. */
  readonly natural: boolean;
}

interface Binding {
  readonly local: number;
  readonly depth: number;
  readonly natural: boolean;
}

export interface ValueBinding {
  readonly depth: number;
  readonly wide: boolean;
  /** Does not change any more while it is bound. */
  readonly steady: boolean;
  readonly local: (shift: Shift) => number;
}

/** What the functions of a module have in common. */
export interface Context {
  readonly library: (name: LibraryName) => number;
  readonly pool: Pool | null;
  /** The function that packs plain matrices of this form. */
  readonly pack: (form: PackForm) => number;
}

export const typeOf = (dtype: DType, wide: boolean): ValueType =>
  wide ? 'v128' : dtype === 'f32' || dtype === 'f16' ? 'f32' : 'i32';

export class Indices {
  readonly fn: Fn;
  readonly kernel: Kernel;
  readonly context: Context;
  readonly values = new Map<string, ValueBinding>();
  /** Axes that a value varies over. */
  readonly valueAxes = new Map<string, readonly string[]>();
  /** The axis of the lanes; null: there is no wide code. */
  lane: string | null = null;
  /** Whether the lane's binding is a multiple of four. */
  aligned = true;
  /** Locals with the addresses of the buffers. */
  readonly bases: number[];

  protected readonly bindings = new Map<string, Binding>();
  private readonly mentions: Mentions;
  protected readonly pinned = new Set<string>();
  protected uses = new Map<Expr, number>();
  protected tile: ReadonlySet<string> = new Set();
  protected dynamics = 0;
  /** Expressions of two tables may meet in one function. */
  protected readonly tag: string;
  /** Loads are not moved out of scopes further in than this (branches). */
  protected floor = 0;
  /** In code for one lane of wide code: which. */
  protected single: number | null = null;

  constructor(fn: Fn, kernel: Kernel, context: Context) {
    this.fn = fn;
    this.kernel = kernel;
    this.context = context;
    this.tag = `${fn.tags++}`;
    this.bases = kernel.buffers.map((_, k) => PARAMETERS.sizes + kernel.sizes.length + k);
    for (const [k, size] of kernel.sizes.entries()) this.bind(size, PARAMETERS.sizes + k, true);
    this.mentions = new Mentions(kernel, this.valueAxes);
  }

  // --------------------------------------------------------------------------------------------------------------------------- names

  bind(name: string, local: number, natural: boolean): void {
    this.bindings.set(name, { local, depth: this.fn.scope.depth, natural });
  }

  /** A name that was bound further out. */
  bindAt(name: string, local: number, depth: number): void {
    this.bindings.set(name, { local, depth, natural: true });
  }

  /** Loads in `body` stay in the current scope. */
  branch(body: () => void): void {
    const before = this.floor;
    this.floor = this.fn.scope.depth;
    body();
    this.floor = before;
  }

  /** The lane's loop variable and the like are bound in the scope of their loop's body. */
  binding(name: string): Binding | undefined {
    return this.bindings.get(name);
  }

  unbind(name: string): void {
    this.bindings.delete(name);
  }

  /** What follows computes these; several points at once along the axes of `tile`. */
  begin(roots: readonly Expr[], tile: Iterable<string> = []): void {
    this.tile = new Set(tile);
    this.uses = useCounts(roots);
  }

  /** After a write: held reads of buffers that change are no longer what they were. */
  forget(): void {
    for (let scope: typeof this.fn.scope | null = this.fn.scope; scope !== null; scope = scope.parent)
      for (const key of this.pinned) scope.known.delete(key);
    this.pinned.clear();
  }

  // -------------------------------------------------------------------------------------------------------------------- what it mentions

  mentioned(e: Expr): ReadonlySet<string> {
    return this.mentions.of(e);
  }

  protected depthOf(mentioned: Iterable<string>): number {
    let depth = 0;
    for (const s of mentioned) {
      if (s === '!') return this.fn.scope.depth;
      if (s === '~') {
        depth = Math.max(depth, this.floor);
        continue;
      }
      const own = s.startsWith('=') ? this.values.get(s.slice(1))?.depth : this.bindings.get(s)?.depth;
      if (own === undefined) {
        // Axes of a value's own stage need not be bound where the value itself is.
        if (this.kernel.axes.has(s)) continue;
        throw new Error(`kernel ${this.kernel.name}: ${s} is used where it is not known`);
      }
      depth = Math.max(depth, own);
    }
    return depth;
  }

  protected key(e: Expr, wide: boolean, shift: Shift): string {
    const mentioned = this.mentioned(e);
    let text = `${this.tag}${wide ? 'w' : 's'}${e.id}`;
    for (const [axis, by] of shift) if (by !== 0 && mentioned.has(axis)) text += `,${axis}+${by}`;
    return text;
  }

  protected shared(e: Expr): boolean {
    if ((this.uses.get(e) ?? 0) > 1) return true;
    if (this.tile.size === 0) return false;
    const mentioned = this.mentioned(e);
    for (const axis of this.tile) if (!mentioned.has(axis)) return true;
    return false;
  }

  /** Whether the lanes of an expression differ. */
  varies(e: Expr): boolean {
    if (this.lane === null) return false;
    const mentioned = this.mentioned(e);
    if (mentioned.has(this.lane)) return true;
    for (const s of mentioned) if (s.startsWith('=') && this.values.get(s.slice(1))?.wide === true) return true;
    return false;
  }

  protected guardsVary(guards: readonly Guard[]): boolean {
    return guards.some(
      (g) =>
        this.lane !== null &&
        decide(g, this.kernel) !== true &&
        [g.e, g.lo, g.hi].some((p) => names(p).has(this.lane!)),
    );
  }

  // -------------------------------------------------------------------------------------------------------------------- index arithmetic

  protected shifted(p: Poly, shift: Shift): Poly {
    if (shift.size === 0) return p;
    const map = new Map<string, Poly>();
    for (const [axis, by] of shift) if (by !== 0 && names(p).has(axis)) map.set(axis, add(nameOf(axis), num(by)));
    return substitute(p, map);
  }

  /** How far p moves from lane to lane; null where that is no constant. */
  stride(p: Poly, axis: string): number | null {
    if (!names(p).has(axis)) return 0;
    let stride = 0;
    for (const t of terms(p)) {
      for (const { atom, exponent } of t.factors) {
        if (atom.kind === 'name') {
          if (atom.name !== axis) continue;
          if (exponent !== 1 || t.factors.length !== 1) return null;
          stride += t.coefficient;
        } else if (names(this.polyOf(atom)).has(axis) && !this.steady(atom, axis)) return null;
      }
    }
    return stride;
  }

  /** floor((axis + rest) / d) where everything but the axis moves in steps of four, and the axis begins at a multiple of four. */
  protected steady(a: Atom, axis: string): boolean {
    if (a.kind !== 'floor' || !this.aligned) return false;
    const d = asConst(a.denominator);
    const linear = coefficientOf(a.numerator, axis);
    if (d === null || d % 4 !== 0 || linear === null || asConst(linear.coefficient) !== 1) return false;
    return terms(linear.rest).every((t) => t.coefficient % 4 === 0);
  }

  /** p (plus the address `base`), gathered by scope, outermost first. */
  index(p: Poly, shift: Shift = NO_SHIFT, base: number | null = null): Operand {
    const moved = this.shifted(p, shift);
    const levels: { depth: number; poly: Poly }[] = [];
    let rest = 0;
    let natural = true;
    for (const t of terms(moved)) {
      if (t.factors.length === 0) {
        rest = t.coefficient;
        continue;
      }
      const own = new Set<string>();
      for (const { atom } of t.factors) for (const s of names(this.polyOf(atom))) own.add(s);
      const depth = this.depthOf(own);
      const single = this.termPoly(t.coefficient, t.factors);
      if (!this.natural(single)) natural = false;
      const level = levels.find((l) => l.depth === depth);
      if (level === undefined) levels.push({ depth, poly: single });
      else level.poly = add(level.poly, single);
    }
    levels.sort((a, b) => a.depth - b.depth);
    let total = num(0);
    let from: number | null = base;
    const start = base === null ? '@' : `@${base}:`;
    for (const { depth, poly } of levels) {
      total = add(total, poly);
      const key = `${start}${total.key}`;
      const known = this.fn.scope.find(key);
      if (known !== null) {
        from = known;
        continue;
      }
      from = this.fn.at(depth, () => {
        const plain = from === null ? this.plainName(poly) : null;
        if (plain !== null) return plain;
        let first = from === null;
        const operands = terms(poly).map((t) => this.term(t.coefficient, t.factors));
        const { code } = this.fn;
        if (from !== null) code.get(from);
        for (const push of operands) {
          push();
          if (!first) code.op('i32.add');
          first = false;
        }
        const held = this.fn.hold('i32');
        this.fn.scope.known.set(key, held);
        return held;
      });
    }
    return { local: from, plus: rest, natural };
  }

  protected plainName(p: Poly): number | null {
    const [t, more] = terms(p);
    if (more !== undefined || t?.coefficient !== 1 || t.factors.length !== 1) return null;
    const { atom, exponent } = t.factors[0]!;
    return atom.kind === 'name' && exponent === 1 ? this.bindings.get(atom.name)!.local : null;
  }

  protected polyOf(a: Atom): Poly {
    return ofAtom(a);
  }

  protected termPoly(
    coefficient: number,
    factors: readonly { readonly atom: Atom; readonly exponent: number }[],
  ): Poly {
    let p = num(coefficient);
    for (const { atom, exponent } of factors) p = mul(p, ofAtom(atom, exponent));
    return p;
  }

  protected term(
    coefficient: number,
    factors: readonly { readonly atom: Atom; readonly exponent: number }[],
  ): () => void {
    const locals = factors.flatMap(({ atom, exponent }) => {
      const local = this.atomLocal(atom);
      return Array.from({ length: exponent }, () => local);
    });
    return () => {
      const { code } = this.fn;
      for (const [k, local] of locals.entries()) {
        code.get(local);
        if (k > 0) code.op('i32.mul');
      }
      if (coefficient === 1) return;
      const log = Math.log2(coefficient);
      if (Number.isInteger(log)) {
        code.i32(log);
        code.op('i32.shl');
      } else {
        code.i32(coefficient);
        code.op('i32.mul');
      }
    };
  }

  protected atomLocal(a: Atom): number {
    if (a.kind === 'name') {
      const binding = this.bindings.get(a.name);
      if (binding === undefined) throw new Error(`kernel ${this.kernel.name}: ${a.name} is used where it is not known`);
      return binding.local;
    }
    const own = this.polyOf(a);
    const key = `@${own.key}`;
    const known = this.fn.scope.find(key);
    if (known !== null) return known;
    return this.fn.at(this.depthOf(names(own)), () => {
      const again = this.fn.scope.find(key);
      if (again !== null) return again;
      const held = a.kind === 'floor' ? this.quotient(a) : this.power(a.base, this.index(a.exponent));
      this.fn.scope.known.set(key, held);
      return held;
    });
  }

  protected power(base: number, exponent: Operand): number {
    const { fn } = this;
    const result = fn.local('i32');
    fn.code.i32(1);
    fn.code.set(result);
    this.push(exponent);
    const count = fn.hold('i32');
    fn.for(0, { local: count }, 1, () => {
      fn.code.get(result);
      fn.code.i32(base);
      fn.code.op('i32.mul');
      fn.code.set(result);
    });
    return result;
  }

  protected quotient(a: Extract<Atom, { kind: 'floor' }>): number {
    const { fn } = this;
    const divisor = asConst(a.denominator);
    const top = this.index(a.numerator);
    const natural = this.natural(a.numerator);
    if (divisor !== null && Number.isInteger(Math.log2(divisor))) {
      this.push(top);
      fn.code.i32(Math.log2(divisor));
      fn.code.op('i32.shr_s');
      return fn.hold('i32');
    }
    const bottom = this.index(a.denominator);
    this.push(top);
    this.push(bottom);
    if (natural) {
      fn.code.op('i32.div_u');
      return fn.hold('i32');
    }
    // Toward minus infinity: one less where the remainder is negative.
    fn.code.op('i32.div_s');
    const q = fn.hold('i32');
    fn.code.get(q);
    this.push(top);
    fn.code.get(q);
    this.push(bottom);
    fn.code.op('i32.mul');
    fn.code.op('i32.sub');
    fn.code.i32(31);
    fn.code.op('i32.shr_s');
    fn.code.op('i32.add');
    return fn.hold('i32');
  }

  /** Certainly not negative: no coefficient is, nor anything named. */
  natural(p: Poly): boolean {
    return terms(p).every(
      (t) =>
        t.coefficient > 0 &&
        t.factors.every(({ atom: a }) =>
          a.kind === 'name'
            ? (this.bindings.get(a.name)?.natural ?? this.kernel.axes.has(a.name))
            : a.kind === 'power' || (this.natural(a.numerator) && this.natural(a.denominator)),
        ),
    );
  }

  push(o: Operand): void {
    const { code } = this.fn;
    if (o.local === null) return code.i32(o.plus);
    code.get(o.local);
    if (o.plus !== 0) {
      code.i32(o.plus);
      code.op('i32.add');
    }
  }

  /** The operand in a local. */
  inLocal(o: Operand): number {
    if (o.local !== null && o.plus === 0) return o.local;
    this.push(o);
    return this.fn.hold('i32');
  }

  // ----------------------------------------------------------------------------------------------------------------------------- guards

  /** A local that is 1 where all guards hold, 0 elsewhere; null: they always hold. */
  condition(guards: readonly Guard[], shift: Shift): number | null {
    const { fn } = this;
    let condition: number | null = null;
    for (const g of guards) {
      const e = this.shifted(g.e, shift);
      const lo = this.shifted(g.lo, shift);
      const hi = this.shifted(g.hi, shift);
      const above = asConst(sub(e, lo));
      const below = asConst(sub(hi, e));
      if (decide({ e, lo, hi }, this.kernel) === true) continue;
      const low = !(above !== null && above >= 0) && !(asConst(lo) === 0 && this.natural(e));
      const high = below === null || below <= 0;
      if (!low && !high) continue;
      const key = `?${g.lo.key}≤${e.key}<${hi.key}${low ? '' : '^'}${high ? '' : '_'}`;
      let own = fn.scope.find(key);
      if (own === null) {
        const depth = this.depthOf(new Set([...names(e), ...names(lo), ...names(hi)]));
        own = fn.at(depth, () => {
          const value = this.index(e);
          const from = low ? this.index(lo) : null;
          const to = high ? this.index(hi) : null;
          if (from !== null) {
            this.push(value);
            this.push(from);
            fn.code.op('i32.ge_s');
          }
          if (to !== null) {
            this.push(value);
            this.push(to);
            fn.code.op('i32.lt_s');
          }
          if (from !== null && to !== null) fn.code.op('i32.and');
          const held = fn.hold('i32');
          fn.scope.known.set(key, held);
          return held;
        });
      }
      if (condition === null) condition = own;
      else {
        const both = `&${condition}&${own}`;
        let held = fn.scope.find(both);
        if (held === null) {
          fn.code.get(condition);
          fn.code.get(own);
          fn.code.op('i32.and');
          held = fn.hold('i32');
          fn.scope.known.set(both, held);
        }
        condition = held;
      }
    }
    return condition;
  }

  /** A local with the lanes in which all guards hold; null where a guard has no wide form. */
  protected mask(guards: readonly Guard[], shift: Shift): number | null {
    const { fn, lane } = this;
    const even = guards.filter((g) => !this.guardsVary([g]));
    const odd = guards.filter((g) => this.guardsVary([g]));
    const strides = odd.map((g) => (names(g.lo).has(lane!) || names(g.hi).has(lane!) ? null : this.stride(g.e, lane!)));
    if (strides.some((s) => s === null)) return null;
    let first = true;
    for (const [k, g] of odd.entries()) {
      const [e, lo, hi] = [g.e, g.lo, g.hi].map((p) => this.shifted(p, shift)) as [Poly, Poly, Poly];
      // lo ≤ e < hi as one unsigned comparison.
      const from = this.index(sub(e, lo));
      const room = this.index(sub(hi, lo));
      this.push(from);
      fn.code.op('i32x4.splat');
      const s = strides[k]!;
      if (s !== 0) {
        fn.code.v128([0, s, 2 * s, 3 * s]);
        fn.code.op('i32x4.add');
      }
      this.push(room);
      fn.code.op('i32x4.splat');
      fn.code.op('i32x4.lt_u');
      if (!first) fn.code.op('v128.and');
      first = false;
    }
    const common = this.condition(even, shift);
    if (common !== null) {
      fn.code.i32(0);
      fn.code.get(common);
      fn.code.op('i32.sub');
      fn.code.op('i32x4.splat');
      fn.code.op('v128.and');
    }
    return fn.hold('v128');
  }
}
