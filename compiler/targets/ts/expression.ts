/**
 * Scalar and index expressions of a kernel as text. Every expression belongs to the outermost block in which all that it mentions is known
 * (axes, values, dynamic indices); what belongs further out than where it is used, or is used more than once, gets a name there.
 *
 * A register tile computes several points in one body: a shift moves axes by constants, and expressions are named once for all points that agree
 * on the axes they mention. Reads of buffers that the kernel also writes are never moved and are forgotten after each write.
 */
import {
  add,
  asConst,
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
import type { Expr, Guard, Kernel } from '../../kernel/types.ts';
import { Mentions, useCounts } from '../../kernel/mentions.ts';
import { Names } from './names.ts';
import {
  ADDITIVE,
  at,
  ATOM,
  atom,
  choose,
  every,
  product,
  relation,
  scalarCode,
  sum,
  truth,
  type Helper,
  type Piece,
} from './scalar.ts';
import { Scope } from './scope.ts';
import { guardKey } from './tighten.ts';

/** Axis → constant added to it. */
export type Shift = ReadonlyMap<string, number>;
export const NO_SHIFT: Shift = new Map();

interface Binding {
  readonly text: string;
  readonly depth: number;
  /** Dynamic indices may be negative; axes and sizes are not. */
  readonly natural: boolean;
}

/** A stage's value: what to write for it at a point. */
export interface ValueBinding {
  readonly depth: number;
  readonly text: (shift: Shift) => string;
}

export class Expressions {
  private readonly names: Names;
  readonly helpers = new Set<Helper>();
  /** Parameter names, by buffer position. */
  readonly buffers: readonly string[];
  readonly values = new Map<string, ValueBinding>();
  /** Axes that a value varies over. */
  readonly valueAxes = new Map<string, readonly string[]>();
  /** Guards that the enclosing loops establish. */
  readonly assumed = new Set<string>();
  scope = new Scope(null);

  private readonly kernel: Kernel;
  private readonly types: boolean;
  private readonly bindings = new Map<string, Binding>();
  private readonly mentions: Mentions;
  private readonly pinned = new Set<string>();
  private uses = new Map<Expr, number>();
  /** Tiled axes and how many points of them are computed together. */
  private tile = new Map<string, number>();
  private dynamics = 0;

  constructor(kernel: Kernel, types: boolean, taken: Iterable<string>) {
    this.kernel = kernel;
    this.types = types;
    this.names = new Names(taken);
    this.buffers = kernel.buffers.map((b) => this.names.take(b.name));
    for (const size of kernel.sizes) this.bind(size, this.names.take(size), true);
    this.mentions = new Mentions(kernel, this.valueAxes);
  }

  // ---------------------------------------------------------------------------------------------------------------- names and blocks

  bind(name: string, text: string, natural: boolean): void {
    this.bindings.set(name, { text, depth: this.scope.depth, natural });
  }

  /** A fresh name for something that the current block declares. */
  take(text: string): string {
    const name = this.names.take(text);
    this.scope.declared.push(name);
    return name;
  }

  line(text: string): void {
    this.scope.lines.push(text);
  }

  /** A nested block: `head {` … `}`. */
  block(head: string, body: () => void): void {
    this.open(() => {
      body();
      return head;
    });
  }

  /** A loop over a variable named after `axis`; `head` gives its text. */
  loop(axis: string, head: (variable: string) => string, body: (variable: string) => void): void {
    this.open(() => {
      const variable = this.take(axis);
      this.bind(axis, variable, true);
      body(variable);
      this.bindings.delete(axis);
      return head(variable);
    });
  }

  private open(body: () => string): void {
    const outer = this.scope;
    this.scope = new Scope(outer);
    const head = body();
    const inner = this.scope;
    this.scope = outer;
    this.names.release(inner.declared);
    outer.lines.push(`${head} {`, ...inner.lines.map((l) => (l === '' ? l : `  ${l}`)), '}');
  }

  /** What follows computes these points together; `roots` are all expressions of it. */
  begin(roots: readonly Expr[], tile: ReadonlyMap<string, number>): void {
    this.tile = new Map([...tile].filter(([, n]) => n > 1));
    this.uses = useCounts(roots);
  }

  /** After a write: named reads of buffers that change are no longer what they were. */
  forget(): void {
    this.scope.forget(this.pinned);
    this.pinned.clear();
  }

  // ------------------------------------------------------------------------------------------------------------------- what it mentions

  private depthOf(mentioned: ReadonlySet<string>): number {
    let depth = 0;
    for (const s of mentioned) {
      if (s === '!') return this.scope.depth;
      if (s === '~') continue;
      const own = s.startsWith('=') ? this.values.get(s.slice(1))?.depth : this.bindings.get(s)?.depth;
      if (own === undefined) throw new Error(`kernel ${this.kernel.name}: ${s} is used where it is not known`);
      depth = Math.max(depth, own);
    }
    return depth;
  }

  private key(e: Expr, shift: Shift): string {
    const mentioned = this.mentions.of(e);
    const moved = [...shift].filter(([axis, by]) => by !== 0 && mentioned.has(axis));
    return `${e.id}|${moved.map(([axis, by]) => `${axis}+${by}`).join(',')}`;
  }

  /** Whether several points of the tile have this expression in common, or one point uses it twice. */
  private shared(e: Expr): boolean {
    if ((this.uses.get(e) ?? 0) > 1) return true;
    const mentioned = this.mentions.of(e);
    for (const axis of this.tile.keys()) if (!mentioned.has(axis)) return true;
    return false;
  }

  // -------------------------------------------------------------------------------------------------------------------- index arithmetic

  private shifted(p: Poly, shift: Shift): Poly {
    const map = new Map<string, Poly>();
    for (const [axis, by] of shift) if (by !== 0 && names(p).has(axis)) map.set(axis, add(nameOf(axis), num(by)));
    return substitute(p, map);
  }

  /** p as an integer expression; sums are gathered by block, outermost first, and named there as `label_axis`. */
  index(p: Poly, label: string, shift: Shift = NO_SHIFT): Piece {
    const moved = this.shifted(p, shift);
    const constant = asConst(moved);
    if (constant !== null) return { text: String(constant), level: constant < 0 ? 15 : ATOM };
    const levels: { depth: number; poly: Poly }[] = [];
    let rest = num(0);
    for (const t of terms(moved)) {
      if (t.factors.length === 0) {
        rest = num(t.coefficient);
        continue;
      }
      const own = new Set<string>();
      for (const { atom: a } of t.factors) for (const s of names(this.polyOf(a))) own.add(s);
      const depth = this.depthOf(own);
      const single = this.termPoly(t.coefficient, t.factors);
      const level = levels.find((l) => l.depth === depth);
      if (level === undefined) levels.push({ depth, poly: single });
      else level.poly = add(level.poly, single);
    }
    levels.sort((a, b) => a.depth - b.depth);
    let base: Piece | null = null;
    let total = num(0);
    for (const [i, { depth, poly }] of levels.entries()) {
      const last = i === levels.length - 1;
      total = add(total, poly);
      const here = depth === this.scope.depth;
      const key = `@${total.key}`;
      const known = this.scope.find(key);
      if (known !== null) {
        base = atom(known);
        continue;
      }
      const outer = this.scope;
      this.scope = outer.at(depth);
      const pieces = terms(poly).map((t) => this.term(t.coefficient, t.factors));
      const text: Piece = sum(base === null ? pieces : [base, ...pieces]);
      if (text.level === ATOM || (here && last)) base = text;
      else {
        const axis = this.axisAt(poly);
        const named = this.take(axis === null ? label : `${label}_${axis}`);
        this.scope.lines.push(`const ${named} = ${text.text};`);
        this.scope.known.set(key, named);
        base = atom(named);
      }
      this.scope = outer;
    }
    if (rest === num(0) && base !== null) return base;
    const offset = asConst(rest)!;
    const piece: Piece = { text: String(offset), level: offset < 0 ? 15 : ATOM };
    if (base === null) return piece;
    return sum([base, offset < 0 ? { text: piece.text, level: ATOM } : piece]);
  }

  private axisAt(p: Poly): string | null {
    for (const s of names(p)) if (this.kernel.axes.has(s)) return s;
    for (const s of names(p)) if (s.startsWith('#')) return this.bindings.get(s)!.text;
    return null;
  }

  private polyOf(a: Atom): Poly {
    return this.termPoly(1, [{ atom: a, exponent: 1 }]);
  }

  private termPoly(coefficient: number, factors: readonly { readonly atom: Atom; readonly exponent: number }[]): Poly {
    let p = num(coefficient);
    for (const { atom: a, exponent } of factors) {
      p = mul(p, ofAtom(a, exponent));
    }
    return p;
  }

  private term(coefficient: number, factors: readonly { readonly atom: Atom; readonly exponent: number }[]): Piece {
    const pieces: Piece[] = [];
    for (const { atom: a, exponent } of factors) {
      const piece = this.atomPiece(a);
      for (let i = 0; i < exponent; i++) pieces.push(piece);
    }
    if (coefficient === 1 && pieces.length > 0) return product(pieces);
    if (coefficient === -1 && pieces.length > 0) return { text: `-${at(product(pieces), 14)}`, level: ATOM };
    const c: Piece = { text: String(coefficient), level: ATOM };
    return pieces.length === 0 ? c : product([...pieces, c]);
  }

  private atomPiece(a: Atom): Piece {
    if (a.kind === 'name') {
      const binding = this.bindings.get(a.name);
      if (binding === undefined) throw new Error(`kernel ${this.kernel.name}: ${a.name} is used where it is not known`);
      return atom(binding.text);
    }
    const own = this.polyOf(a);
    const key = `@${own.key}`;
    const known = this.scope.find(key);
    if (known !== null) return atom(known);
    const outer = this.scope;
    this.scope = outer.at(this.depthOf(names(own)));
    let text: string;
    if (a.kind === 'power') text = `${a.base} ** ${at(this.index(a.exponent, 'exponent'), 15)}`;
    else {
      const divisor = asConst(a.denominator);
      const top = this.index(a.numerator, 'dividend');
      if (divisor !== null && Number.isInteger(Math.log2(divisor)) && divisor < 2 ** 31) {
        text = `${at(top, 12)} >> ${Math.log2(divisor)}`;
      } else {
        const quotient = `${at(top, 13)} / ${at(this.index(a.denominator, 'divisor'), 14)}`;
        text = this.natural(a.numerator) ? `(${quotient}) | 0` : `Math.floor(${quotient})`;
      }
    }
    const named = this.take(`${this.axisAt(own) ?? 'size'}_${a.kind === 'floor' ? 'quotient' : 'power'}`);
    this.scope.lines.push(`const ${named} = ${text};`);
    this.scope.known.set(key, named);
    this.scope = outer;
    return atom(named);
  }

  /** Certainly not negative: no coefficient is, nor anything named. */
  private natural(p: Poly): boolean {
    return terms(p).every(
      (t) =>
        t.coefficient > 0 &&
        t.factors.every(({ atom: a }) =>
          a.kind === 'name'
            ? (this.bindings.get(a.name)?.natural ?? false)
            : a.kind === 'power' || (this.natural(a.numerator) && this.natural(a.denominator)),
        ),
    );
  }

  // ----------------------------------------------------------------------------------------------------------------------------- guards

  /** The condition that all guards hold; null if the loops already make sure. */
  condition(guards: readonly Guard[], shift: Shift): Piece | null {
    const pieces: Piece[] = [];
    for (const g of guards) {
      if (this.assumed.has(guardKey(g))) continue;
      const e = this.shifted(g.e, shift);
      const lo = this.shifted(g.lo, shift);
      const hi = this.shifted(g.hi, shift);
      const value = this.index(e, 'position');
      const above = asConst(sub(e, lo));
      if (!(above !== null && above >= 0) && !(asConst(lo) === 0 && this.natural(e))) {
        pieces.push(relation(value, '>=', this.index(lo, 'from')));
      }
      const below = asConst(sub(hi, e));
      if (below === null || below <= 0) pieces.push(relation(value, '<', this.index(hi, 'to')));
    }
    return pieces.length === 0 ? null : every(pieces);
  }

  /** Dynamic indices of a read or write become names of their own. */
  dynamic(list: readonly { readonly name: string; readonly value: Expr }[], shift: Shift): ReadonlyMap<string, Poly> {
    const map = new Map<string, Poly>();
    for (const { name, value } of list) {
      const key = `#${this.key(value, shift)}`;
      let known = this.scope.find(key);
      if (known === null) {
        const depth = this.depthOf(this.mentions.of(value));
        const outer = this.scope;
        this.scope = outer.at(depth);
        const piece = this.emit(value, shift);
        let { text } = piece;
        if (piece.level !== ATOM || !/^[\w$]+$/.test(text)) {
          text = this.take(
            /^[a-z]/i.test(name) ? name : value.kind === 'read' ? `${this.buffers[value.buffer]}_index` : 'index',
          );
          this.scope.lines.push(`const ${text} = ${piece.text};`);
        }
        known = `#${this.dynamics++}`;
        this.bindings.set(known, { text, depth, natural: false });
        this.scope.known.set(key, known);
        if (this.mentions.of(value).has('!')) this.pinned.add(key);
        this.scope = outer;
      }
      map.set(name, nameOf(known));
    }
    return map;
  }

  // ------------------------------------------------------------------------------------------------------------------------------- scalars

  emit(e: Expr, shift: Shift): Piece {
    switch (e.kind) {
      case 'const':
        return constant(e.value, e.dtype);
      case 'value': {
        const binding = this.values.get(e.name);
        if (binding === undefined)
          throw new Error(`kernel ${this.kernel.name}: value ${e.name} is used before it is defined`);
        return atom(binding.text(shift));
      }
      case 'index':
        return this.index(e.at, 'index', shift);
    }
    const key = this.key(e, shift);
    const known = this.scope.find(key);
    if (known !== null) return atom(known);
    const mentioned = this.mentions.of(e);
    const depth = this.depthOf(mentioned);
    if (depth === this.scope.depth && !this.shared(e)) return this.build(e, shift);
    const outer = this.scope;
    this.scope = outer.at(depth);
    const piece = this.build(e, shift);
    const moved = [...shift].filter(([axis, by]) => mentioned.has(axis) && (by !== 0 || this.tile.has(axis)));
    const base = e.kind === 'read' ? this.buffers[e.buffer]! : 't';
    const named = this.take(
      `${base}${moved.length > 0 ? moved.map(([, by]) => by).join('_') : e.kind === 'read' ? '_value' : ''}`,
    );
    this.scope.lines.push(`const ${named} = ${piece.text};`);
    this.scope.known.set(key, named);
    if (mentioned.has('!')) this.pinned.add(key);
    this.scope = outer;
    return atom(named);
  }

  private build(e: Expr, shift: Shift): Piece {
    switch (e.kind) {
      case 'read': {
        const map = this.dynamic(e.dynamic, shift);
        const guards = e.guards.map((g) => (map.size === 0 ? g : substituted(g, map)));
        const condition = this.condition(guards, shift);
        const inside = this.element(e.buffer, substitute(e.at, map), shift);
        const read = this.kernel.buffers[e.buffer]!.dtype === 'bool' ? truth(inside) : inside;
        if (condition === null || e.otherwise === null) return read;
        return choose(condition, read, this.emit(e.otherwise, shift));
      }
      case 'guarded': {
        const condition = this.condition(e.guards, shift);
        const inside = this.emit(e.inside, shift);
        return condition === null ? inside : choose(condition, inside, this.emit(e.outside, shift));
      }
      case 'op':
        return scalarCode(
          e.op,
          e.args.map((a) => this.emit(a, shift)),
          { dtype: e.dtype, from: e.args.map((a) => a.dtype), use: (helper) => this.helpers.add(helper) },
        );
      default:
        return this.emit(e, shift);
    }
  }

  private element(buffer: number, p: Poly, shift: Shift): Piece {
    const name = this.buffers[buffer]!;
    const { storage } = this.kernel.buffers[buffer]!;
    if (storage === 'i4') {
      const { text } = this.index(p, name, shift);
      const byte = `${name}[(${text}) >> 1]${this.types ? '!' : ''}`;
      return { text: `((${byte} >> (((${text}) & 1) << 2)) & 15) - 8`, level: ADDITIVE };
    }
    if (storage === 'f16')
      return atom(`halfValue(${name}[${this.index(p, name, shift).text}]${this.types ? '!' : ''})`);
    return atom(`${name}[${this.index(p, name, shift).text}]${this.types ? '!' : ''}`);
  }

  /** The element as the target of an assignment. */
  place(buffer: number, p: Poly, shift: Shift, combined: boolean): string {
    const name = this.buffers[buffer]!;
    return `${name}[${this.index(p, name, shift).text}]${this.types && combined ? '!' : ''}`;
  }
}

const substituted = (g: Guard, map: ReadonlyMap<string, Poly>): Guard => ({
  e: substitute(g.e, map),
  lo: substitute(g.lo, map),
  hi: substitute(g.hi, map),
});

export function constant(value: number, dtype: Expr['dtype']): Piece {
  if (dtype === 'bool') return atom(value === 0 ? 'false' : 'true');
  const text = Object.is(value, -0) ? '-0' : String(value);
  return { text, level: text.startsWith('-') ? 15 : ATOM };
}
