/**
 * Scalar and index expressions of a kernel as instructions, for one value or for four lanes along one axis. Every expression belongs to the
 * outermost scope in which all that it mentions is known (axes, values, dynamic indices); what belongs further out than where it is used, or
 * is used more than once, gets a local there.
 *
 * Lanes: in wide code every value is a v128, booleans are masks, and `lane` is the axis along which the four differ; its binding holds the
 * first. What does not mention the lane is computed once and splat. Reads with stride 1 are vector loads, with stride 2 two loads and a
 * shuffle; whatever has no wide form (data-dependent indices, powers) is computed lane by lane.
 *
 * A load never leaves the memory: where guards fail its address is a safe one (the buffer's own, or within 16 bytes around it: the plan keeps
 * margins), and the loaded value is not used. Arithmetic is f32, without contraction into fused operations.
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
import { stageRoots, visit } from '../../plan/usage.ts';
import { WIDTH } from '../../plan/place.ts';
import type { ValueType } from './encoder.ts';
import type { Fn } from './function.ts';
import type { LibraryName, Pool } from './math.ts';
import { decide } from './residues.ts';
import { applyScalar, foldable } from './scalar.ts';
import { evenBeside, loadStored, loadStoredWide, type StoredElements } from './stored.ts';

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
}

export const typeOf = (dtype: DType, wide: boolean): ValueType =>
  wide ? 'v128' : dtype === 'f32' || dtype === 'f16' ? 'f32' : 'i32';

export class Expressions {
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

  private readonly bindings = new Map<string, Binding>();
  private readonly mutable: ReadonlySet<number>;
  private readonly mentions = new Map<Expr, ReadonlySet<string>>();
  private readonly pinned = new Set<string>();
  private uses = new Map<Expr, number>();
  private tile: ReadonlySet<string> = new Set();
  private dynamics = 0;
  /** Expressions of two tables may meet in one function. */
  private readonly tag: string;
  /** Loads are not moved out of scopes further in than this (branches). */
  private floor = 0;
  /** In code for one lane of wide code: which. */
  private single: number | null = null;

  constructor(fn: Fn, kernel: Kernel, context: Context) {
    this.fn = fn;
    this.kernel = kernel;
    this.context = context;
    this.tag = `${fn.tags++}`;
    this.bases = kernel.buffers.map((_, k) => k);
    for (const [k, size] of kernel.sizes.entries()) this.bind(size, kernel.buffers.length + k, true);
    const read = new Set<number>();
    const written = new Set<number>();
    for (const stage of kernel.stages) {
      for (const w of [...stage.each, ...stage.writes]) written.add(w.buffer);
      visit(stageRoots(stage), (e) => {
        if (e.kind === 'read') read.add(e.buffer);
      });
    }
    this.mutable = new Set([...written].filter((b) => read.has(b)));
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
    this.uses = new Map();
    const use = (e: Expr): void => void this.uses.set(e, (this.uses.get(e) ?? 0) + 1);
    for (const root of roots) use(root);
    visit(roots, (e) => {
      const below = e.kind === 'op' ? e.args : e.kind === 'guarded' ? [e.inside, e.outside] : [];
      for (const child of below) use(child);
      if (e.kind === 'read' && e.otherwise !== null) use(e.otherwise);
    });
  }

  /** After a write: held reads of buffers that change are no longer what they were. */
  forget(): void {
    for (let scope: typeof this.fn.scope | null = this.fn.scope; scope !== null; scope = scope.parent)
      for (const key of this.pinned) scope.known.delete(key);
    this.pinned.clear();
  }

  // -------------------------------------------------------------------------------------------------------------------- what it mentions

  /** Names; `=v` for values, `!` for reads of what the kernel changes, `~` for any read. */
  mentioned(e: Expr): ReadonlySet<string> {
    const before = this.mentions.get(e);
    if (before !== undefined) return before;
    const found = new Set<string>();
    const poly = (p: Poly, dynamic: ReadonlySet<string>): void => {
      for (const s of names(p)) if (!dynamic.has(s)) found.add(s);
    };
    const take = (other: Expr): void => {
      for (const s of this.mentioned(other)) found.add(s);
    };
    const guards = (all: readonly Guard[], dynamic: ReadonlySet<string>): void => {
      for (const g of all) for (const p of [g.e, g.lo, g.hi]) poly(p, dynamic);
    };
    switch (e.kind) {
      case 'read': {
        const dynamic = new Set(e.dynamic.map((d) => d.name));
        poly(e.at, dynamic);
        guards(e.guards, dynamic);
        for (const d of e.dynamic) take(d.value);
        if (e.otherwise !== null) take(e.otherwise);
        found.add('~');
        if (this.mutable.has(e.buffer)) found.add('!');
        break;
      }
      case 'value':
        found.add(`=${e.name}`);
        for (const axis of this.valueAxes.get(e.name) ?? []) found.add(axis);
        break;
      case 'index':
        poly(e.at, new Set());
        break;
      case 'const':
        break;
      case 'guarded':
        guards(e.guards, new Set());
        take(e.inside);
        take(e.outside);
        break;
      case 'op':
        for (const arg of e.args) take(arg);
        break;
    }
    this.mentions.set(e, found);
    return found;
  }

  private depthOf(mentioned: Iterable<string>): number {
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

  private key(e: Expr, wide: boolean, shift: Shift): string {
    const mentioned = this.mentioned(e);
    let text = `${this.tag}${wide ? 'w' : 's'}${e.id}`;
    for (const [axis, by] of shift) if (by !== 0 && mentioned.has(axis)) text += `,${axis}+${by}`;
    return text;
  }

  private shared(e: Expr): boolean {
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

  private guardsVary(guards: readonly Guard[]): boolean {
    return guards.some(
      (g) =>
        this.lane !== null &&
        decide(g, this.kernel) !== true &&
        [g.e, g.lo, g.hi].some((p) => names(p).has(this.lane!)),
    );
  }

  // -------------------------------------------------------------------------------------------------------------------- index arithmetic

  private shifted(p: Poly, shift: Shift): Poly {
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
  private steady(a: Atom, axis: string): boolean {
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

  private plainName(p: Poly): number | null {
    const [t, more] = terms(p);
    if (more !== undefined || t?.coefficient !== 1 || t.factors.length !== 1) return null;
    const { atom, exponent } = t.factors[0]!;
    return atom.kind === 'name' && exponent === 1 ? this.bindings.get(atom.name)!.local : null;
  }

  private polyOf(a: Atom): Poly {
    return ofAtom(a);
  }

  private termPoly(coefficient: number, factors: readonly { readonly atom: Atom; readonly exponent: number }[]): Poly {
    let p = num(coefficient);
    for (const { atom, exponent } of factors) p = mul(p, ofAtom(atom, exponent));
    return p;
  }

  private term(
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

  private atomLocal(a: Atom): number {
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

  private power(base: number, exponent: Operand): number {
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

  private quotient(a: Extract<Atom, { kind: 'floor' }>): number {
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
  private mask(guards: readonly Guard[], shift: Shift): number | null {
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

  /** Dynamic indices of a read or write become names of their own; null where they differ from lane to lane in wide code. */
  dynamic(list: readonly { readonly name: string; readonly value: Expr }[], shift: Shift): ReadonlyMap<string, Poly> {
    const map = new Map<string, Poly>();
    for (const { name, value } of list) {
      const key = `#${this.key(value, false, shift)}`;
      let local = this.fn.scope.find(key);
      const depth = this.depthOf(this.mentioned(value));
      local ??= this.fn.at(depth, () => {
        this.emit(value, false, shift);
        const held = this.fn.hold('i32');
        this.fn.scope.known.set(key, held);
        if (this.mentioned(value).has('!')) this.pinned.add(key);
        return held;
      });
      const bound = `#${this.dynamics++}`;
      this.bindings.set(bound, { local, depth, natural: false });
      map.set(name, nameOf(bound));
    }
    return map;
  }

  // ---------------------------------------------------------------------------------------------------------------------------- scalars

  /** Leaves the value on the stack. */
  emit(e: Expr, wide: boolean, shift: Shift = NO_SHIFT): void {
    const { fn } = this;
    if (e.kind === 'const') return this.constant(e.value, e.dtype, wide);
    if (e.kind === 'value') return this.value(e.name, e.dtype, wide, shift);
    if (wide && !this.varies(e)) return this.splat(e, shift);
    if (e.kind === 'index' && !wide) return this.push(this.index(e.at, shift));
    const key = this.key(e, wide, shift);
    const known = fn.scope.find(key);
    if (known !== null) return fn.code.get(known);
    const mentioned = this.mentioned(e);
    const depth = this.depthOf(mentioned);
    if (depth === fn.scope.depth && !this.shared(e)) return this.build(e, wide, shift);
    const held = fn.at(depth, () => {
      this.build(e, wide, shift);
      return fn.hold(typeOf(e.dtype, wide));
    });
    fn.at(depth, () => fn.scope.known.set(key, held));
    if (mentioned.has('!')) this.pinned.add(key);
    fn.code.get(held);
  }

  private constant(value: number, dtype: DType, wide: boolean): void {
    const { code } = this.fn;
    if (dtype === 'f32' || dtype === 'f16') {
      if (!wide) return code.f32(value);
      const bits = new Int32Array(new Float32Array([value]).buffer)[0]!;
      return code.v128([bits, bits, bits, bits]);
    }
    const whole = dtype === 'bool' ? (value === 0 ? 0 : wide ? -1 : 1) : value;
    if (wide) code.v128([whole, whole, whole, whole]);
    else code.i32(whole);
  }

  private value(name: string, dtype: DType, wide: boolean, shift: Shift): void {
    const { fn } = this;
    const binding = this.values.get(name);
    if (binding === undefined)
      throw new Error(`kernel ${this.kernel.name}: value ${name} is used before it is defined`);
    if (binding.wide && !wide) {
      if (this.single === null)
        throw new Error(`kernel ${this.kernel.name}: four lanes of ${name} where one is wanted`);
      const back = new Map(shift);
      back.set(this.lane!, (shift.get(this.lane!) ?? 0) - this.single);
      fn.code.get(binding.local(back));
      if (dtype === 'f32' || dtype === 'f16') fn.code.lane('f32x4.extract_lane', this.single);
      else {
        fn.code.lane('i32x4.extract_lane', this.single);
        if (dtype === 'bool') {
          fn.code.i32(1);
          fn.code.op('i32.and');
        }
      }
      return;
    }
    const local = binding.local(shift);
    if (!wide || binding.wide) return fn.code.get(local);
    if (!binding.steady) {
      fn.code.get(local);
      return this.splatted(dtype);
    }
    const key = `v${local}`;
    let known = fn.scope.find(key);
    if (known === null) {
      known = fn.at(binding.depth, () => {
        fn.code.get(local);
        this.splatted(dtype);
        return fn.hold('v128');
      });
      const held = known;
      fn.at(binding.depth, () => fn.scope.known.set(key, held));
    }
    fn.code.get(known);
  }

  private splatted(dtype: DType): void {
    const { code } = this.fn;
    if (dtype === 'f32' || dtype === 'f16') return code.op('f32x4.splat');
    if (dtype === 'bool') {
      const bit = this.fn.hold('i32');
      code.i32(0);
      code.get(bit);
      code.op('i32.sub');
    }
    code.op('i32x4.splat');
  }

  private splat(e: Expr, shift: Shift): void {
    const { fn } = this;
    const key = `p${this.key(e, false, shift)}`;
    const known = fn.scope.find(key);
    if (known !== null) return fn.code.get(known);
    const mentioned = this.mentioned(e);
    const depth = this.depthOf(mentioned);
    const held = fn.at(depth, () => {
      this.emit(e, false, shift);
      this.splatted(e.dtype);
      return fn.hold('v128');
    });
    fn.at(depth, () => fn.scope.known.set(key, held));
    if (mentioned.has('!')) this.pinned.add(key);
    fn.code.get(held);
  }

  private build(e: Expr, wide: boolean, shift: Shift): void {
    const { fn } = this;
    switch (e.kind) {
      case 'read':
        return wide ? this.readWide(e, shift) : this.readOne(e, shift);
      case 'guarded': {
        if (wide && this.guardsVary(e.guards)) return this.lanewise(e, shift);
        const condition = this.condition(e.guards, shift);
        if (condition === null) return this.emit(e.inside, wide, shift);
        fn.code.get(condition);
        const branch = (of: Expr) => (): void => this.branch(() => this.emit(of, wide, shift));
        return fn.if(branch(e.inside), branch(e.outside), typeOf(e.dtype, wide));
      }
      case 'index': {
        const stride = this.stride(e.at, this.lane!);
        if (stride === null) return this.lanewise(e, shift);
        this.push(this.index(e.at, shift));
        fn.code.op('i32x4.splat');
        fn.code.v128([0, stride, 2 * stride, 3 * stride]);
        return fn.code.op('i32x4.add');
      }
      case 'op': {
        if (wide && !foldable(e)) return this.lanewise(e, shift);
        const from = e.args.map((a) => a.dtype);
        applyScalar(e, from, wide, this.fn, this.context, (k) => this.emit(e.args[k]!, wide, shift));
        return;
      }
      default:
        this.emit(e, wide, shift);
    }
  }

  /** One lane at a time. */
  private lanewise(e: Expr, shift: Shift): void {
    const { fn } = this;
    const result = fn.local('v128');
    const float = typeOf(e.dtype, false) === 'f32';
    for (let lane = 0; lane < 4; lane++) {
      if (lane > 0) fn.code.get(result);
      this.one(lane, () => this.emit(e, false, this.laneShift(shift, lane)));
      if (lane === 0) fn.code.op(float ? 'f32x4.splat' : 'i32x4.splat');
      else fn.code.lane(float ? 'f32x4.replace_lane' : 'i32x4.replace_lane', lane);
      if (lane < 3) fn.code.set(result);
    }
    if (e.dtype === 'bool') {
      fn.code.v128([0, 0, 0, 0]);
      fn.code.op('i32x4.ne');
    }
  }

  /** The shift of one lane of a wide point. */
  laneShift(shift: Shift, lane: number): Shift {
    return new Map([...shift, [this.lane!, (shift.get(this.lane!) ?? 0) + lane]]);
  }

  /** Code for one lane of wide code. */
  one(lane: number, body: () => void): void {
    const before = this.single;
    this.single = lane;
    body();
    this.single = before;
  }

  /** Not of two elements a byte. */
  private bytesOf(buffer: number): number {
    const { dtype, storage } = this.kernel.buffers[buffer]!;
    return storage === undefined ? WIDTH[dtype] : storage === 'f16' ? 2 : 1;
  }

  /** A stored element, or four side by side: stored.ts. */
  private get elements(): StoredElements {
    return {
      fn: this.fn,

      address: (buffer, p, shift) => this.address(buffer, p, shift),
      index: (p, shift) => this.inLocal(this.index(p, shift)),
      base: (buffer) => this.bases[buffer]!,
    };
  }

  /** Address of an element, and an offset for the access itself. */
  address(buffer: number, p: Poly, shift: Shift): { readonly local: number; readonly offset: number } {
    const o = this.index(mul(p, num(this.bytesOf(buffer))), shift, this.bases[buffer]!);
    if (o.plus === 0 || (o.plus > 0 && o.natural)) return { local: o.local!, offset: o.plus };
    this.push(o);
    return { local: this.fn.hold('i32'), offset: 0 };
  }

  private readOne(e: Extract<Expr, { kind: 'read' }>, shift: Shift): void {
    const { fn } = this;
    const map = this.dynamic(e.dynamic, shift);
    const condition = this.condition(substituted(e.guards, map), shift);
    const { storage } = this.kernel.buffers[e.buffer]!;
    if (storage !== undefined) {
      // Outside its guards the place is 0, which every buffer has.
      const element = (): void => loadStored(this.elements, storage, e.buffer, substitute(e.at, map), shift, condition);
      element();
      if (condition === null || e.otherwise === null) return;
      this.emit(e.otherwise, false, shift);
      fn.code.get(condition);
      return fn.code.op('select');
    }
    let { local, offset } = this.address(e.buffer, substitute(e.at, map), shift);
    if (condition !== null) {
      if (offset > 0) {
        fn.code.get(local);
        fn.code.i32(offset);
        fn.code.op('i32.add');
      } else fn.code.get(local);
      fn.code.get(this.bases[e.buffer]!);
      fn.code.get(condition);
      fn.code.op('select');
      local = fn.hold('i32');
      offset = 0;
    }
    fn.code.get(local);
    const { dtype } = this.kernel.buffers[e.buffer]!;
    fn.code.access(dtype === 'bool' ? 'i32.load8_u' : dtype === 'i32' ? 'i32.load' : 'f32.load', offset);
    if (condition === null || e.otherwise === null) return;
    this.emit(e.otherwise, false, shift);
    fn.code.get(condition);
    fn.code.op('select');
  }

  private readWide(e: Extract<Expr, { kind: 'read' }>, shift: Shift): void {
    const { fn, lane } = this;
    if (e.dynamic.some((d) => this.varies(d.value))) return this.lanewise(e, shift);
    const map = this.dynamic(e.dynamic, shift);
    const at = substitute(e.at, map);
    const guards = substituted(e.guards, map);
    const stride = this.stride(at, lane!);
    const vary = this.guardsVary(guards);
    const { dtype, storage } = this.kernel.buffers[e.buffer]!;
    if (storage !== undefined) {
      const even = storage !== 'i4' || (this.aligned && (shift.get(lane!) ?? 0) % 2 === 0 && evenBeside(at, lane!));
      if (stride !== 1 || vary || guards.length > 0 || !even) return this.lanewise(e, shift);
      return loadStoredWide(this.elements, storage, e.buffer, at, shift);
    }
    if (stride === null || stride < 0 || stride > 2 || (dtype === 'bool' && stride !== 1))
      return this.lanewise(e, shift);
    if (vary && stride !== 1) return this.lanewise(e, shift);
    let mask: number | null = null;
    let condition: number | null = null;
    if (vary) {
      mask = this.mask(guards, shift);
      if (mask === null) return this.lanewise(e, shift);
    } else condition = this.condition(guards, shift);
    let { local, offset } = this.address(e.buffer, at, shift);
    if (mask !== null || condition !== null) {
      const whole = (): void => {
        fn.code.get(local);
        if (offset > 0) {
          fn.code.i32(offset);
          fn.code.op('i32.add');
        }
      };
      const base = this.bases[e.buffer]!;
      if (condition !== null) {
        whole();
        fn.code.get(base);
        fn.code.get(condition);
        fn.code.op('select');
        local = fn.hold('i32');
      } else {
        // A vector with a lane inside begins at most three lanes before the buffer and at its last element at latest. Addresses have no sign: memory goes to 4 GiB.
        whole();
        local = fn.hold('i32');
        const first = this.bound(base, -16);
        const last = this.bufferEnd(e.buffer);
        fn.code.get(local);
        fn.code.get(first);
        fn.code.get(local);
        fn.code.get(first);
        fn.code.op('i32.gt_u');
        fn.code.op('select');
        const raised = fn.hold('i32');
        fn.code.get(raised);
        fn.code.get(last);
        fn.code.get(raised);
        fn.code.get(last);
        fn.code.op('i32.lt_u');
        fn.code.op('select');
        local = fn.hold('i32');
      }
      offset = 0;
    }
    if (dtype === 'bool') {
      fn.code.get(local);
      fn.code.access('v128.load32_zero', offset);
      fn.code.op('i16x8.extend_low_i8x16_u');
      fn.code.op('i32x4.extend_low_i16x8_u');
      fn.code.v128([0, 0, 0, 0]);
      fn.code.op('i32x4.ne');
    } else if (stride === 2) {
      fn.code.get(local);
      fn.code.access('v128.load', offset);
      fn.code.get(local);
      fn.code.access('v128.load', offset + 16);
      fn.code.shuffle([0, 2, 4, 6]);
    } else {
      fn.code.get(local);
      fn.code.access(stride === 0 ? 'v128.load32_splat' : 'v128.load', offset);
    }
    if (e.otherwise === null || (mask === null && condition === null)) return;
    if (mask === null) {
      fn.code.i32(0);
      fn.code.get(condition!);
      fn.code.op('i32.sub');
      fn.code.op('i32x4.splat');
      mask = fn.hold('v128');
    }
    if (e.otherwise.kind === 'const' && Object.is(e.otherwise.value, 0)) {
      fn.code.get(mask);
      return fn.code.op('v128.and');
    }
    this.emit(e.otherwise, true, shift);
    fn.code.get(mask);
    fn.code.op('v128.bitselect');
  }

  private bound(base: number, by: number): number {
    const key = `|${base}${by}`;
    let known = this.fn.scope.find(key);
    known ??= this.fn.at(0, () => {
      this.fn.code.get(base);
      this.fn.code.i32(by);
      this.fn.code.op('i32.add');
      const held = this.fn.hold('i32');
      this.fn.scope.known.set(key, held);
      return held;
    });
    return known;
  }

  /**
   * An address up to which a vector may be loaded, at or behind the buffer's end: where the kernel does not know how long the buffer is (a sequence of which it
   * sees one round), the last of the memory.
   */
  bufferEnd(buffer: number): number {
    const { sizes } = this.kernel.buffers[buffer]!;
    const count = sizes.reduce((p, s) => mul(p, s), num(this.bytesOf(buffer)));
    if ([...names(count)].some((s) => !this.bindings.has(s))) {
      const known = this.fn.scope.find('|end');
      if (known !== null) return known;
      return this.fn.at(0, () => {
        const { code } = this.fn;
        code.memorySize();
        code.i32(16);
        code.op('i32.shl');
        code.i32(32);
        code.op('i32.sub');
        const held = this.fn.hold('i32');
        this.fn.scope.known.set('|end', held);
        return held;
      });
    }
    return this.fn.at(0, () => this.inLocal(this.index(count, NO_SHIFT, this.bases[buffer]!)));
  }
}

export const substituted = (guards: readonly Guard[], map: ReadonlyMap<string, Poly>): readonly Guard[] =>
  map.size === 0
    ? guards
    : guards.map((g) => ({ e: substitute(g.e, map), lo: substitute(g.lo, map), hi: substitute(g.hi, map) }));
