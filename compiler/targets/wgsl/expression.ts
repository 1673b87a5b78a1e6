/**
 * Scalar and index expressions of a kernel as WGSL statements: one block of text at a time, shared expressions named where they are first needed, guarded
 * reads as conditionals (so nothing outside a buffer is touched), data-dependent indices clamped to their buffer.
 *
 * Not here: which loops there are (kernel.ts), scalar arithmetic (scalar.ts).
 */
import { asConst, mul, names, num, sub, terms, type Atom, type Poly } from '../../sizes/poly.ts';
import type { Expr, Guard, Kernel, Write } from '../../kernel/types.ts';
import type { DType } from '../../graph/types.ts';
import { walk } from '../../kernel/expr.ts';
import type { Helper } from './helpers.ts';
import { constant, registerType, scalarCode } from './scalar.ts';
import { wideWords, type Wide } from '../../schedule/wgsl-product.ts';
import type { Slot } from './slots.ts';
import { HALF, inWindow, itemOf, lengthText, type Lie } from './windows.ts';

interface Index {
  readonly text: string;
  /** Never negative: axes and sizes are, dynamic indices need not be. */
  readonly natural: boolean;
}

interface Block {
  readonly lines: string[];
  readonly known: Map<Expr, string>;
}

/** Registers that stand for elements of a row in memory (row.ts). */
export interface RowMemory {
  /** Null: they do not. */
  readonly key: (buffer: number, at: Poly) => string | null;
  readonly known: Map<string, string>;
  /** Whether nobody reads it afterwards: it need not be written. */
  readonly isOwn: (buffer: number) => boolean;
  /** What must hold for this thread to write. */
  readonly mask: string | null;
}

export class Expressions {
  readonly helpers = new Set<Helper>();
  readonly values = new Map<string, string>();
  private readonly indices = new Map<string, Index>();
  private readonly kernel: Kernel;
  private readonly slots: readonly Slot[];
  private readonly slotOf: readonly number[];
  private readonly lie: Lie;
  /** Memory that the kernel both reads and writes: what was read is forgotten at every phase. */
  private readonly mutable: boolean;
  /** Whether exponentials are the device's, within 3 + 2|x| units of the last place: next to a row's greatest, which is 1, that is nothing. */
  quick = false;
  /** Buffers of the row: what the point at hand has there. */
  readonly local = new Map<number, string>();
  row: RowMemory | null = null;
  private blocks: Block[] = [{ lines: [], known: new Map() }];
  private readonly held = new Map<Expr, string>();
  private uses = new Map<Expr, number>();
  private readonly taken = new Set<string>();
  private count = 0;

  constructor(kernel: Kernel, slots: readonly Slot[], slotOf: readonly number[], lie: Lie = {}) {
    this.lie = lie;
    this.kernel = kernel;
    this.slots = slots;
    this.slotOf = slotOf;
    const read = new Set<string>();
    const written = new Set<string>();
    const place = (buffer: number): string => `${slotOf[buffer]!} ${lie.bases?.[buffer] ?? 0}`;
    for (const stage of kernel.stages) {
      for (const w of [...stage.each, ...stage.writes]) if (slotOf[w.buffer]! >= 0) written.add(place(w.buffer));
      walk(rootsOf(stage), (e) => {
        if (e.kind === 'read') read.add(place(e.buffer));
      });
    }
    this.mutable = [...written].some((s) => read.has(s));
    for (const size of kernel.sizes) this.bind(size, `sizes.${identifier(size)}`);
  }

  /** Whether the kernel reads memory that it also writes. */
  get rewrites(): boolean {
    return this.mutable;
  }

  readonly use = (helper: Helper): string => {
    this.helpers.add(helper);
    return helper;
  };

  // --------------------------------------------------------------------------------------------------------------------- names and blocks

  bind(name: string, text: string, natural = true): void {
    this.indices.set(name, { text, natural });
  }

  fresh(name: string): string {
    const base = identifier(name);
    let text = base;
    for (let n = 2; this.taken.has(text); n++) text = `${base}${n}_`;
    this.taken.add(text);
    return text;
  }

  line(text: string): void {
    this.blocks.at(-1)!.lines.push(text);
  }

  block(head: string, body: () => void, tail = '}'): void {
    const inner: Block = { lines: [], known: new Map() };
    this.blocks.push(inner);
    body();
    this.blocks.pop();
    this.line(`${head} {`);
    for (const l of inner.lines) this.line(`  ${l}`);
    this.line(tail);
  }

  /** Takes all lines written so far. */
  take(): string[] {
    const { lines } = this.blocks[0]!;
    this.blocks = [{ lines: [], known: new Map() }];
    this.values.clear();
    return lines;
  }

  /** Names have other meanings from here on: nothing that was read or computed counts. */
  forget(): void {
    for (const b of this.blocks) b.known.clear();
    this.held.clear();
  }

  /** What was read before anything was written, and stays that. */
  remember(e: Expr, text: string): void {
    this.held.set(e, text);
  }

  /** What follows is computed from these expressions together; what was read before may have changed. */
  begin(roots: readonly Expr[]): void {
    if (this.mutable) for (const b of this.blocks) b.known.clear();
    this.uses = new Map();
    for (const root of roots) this.uses.set(root, (this.uses.get(root) ?? 0) + 1);
    walk(roots, (e) => {
      const below = e.kind === 'op' ? e.args : e.kind === 'guarded' ? [e.inside, e.outside] : [];
      for (const child of below) this.uses.set(child, (this.uses.get(child) ?? 0) + 1);
      if (e.kind === 'read') for (const d of e.dynamic) this.uses.set(d.value, (this.uses.get(d.value) ?? 0) + 1);
    });
  }

  // ----------------------------------------------------------------------------------------------------------------------------- indices

  /** Text of a polynomial, an atom or in parentheses. */
  poly(p: Poly): string {
    const known = asConst(p);
    if (known !== null) return known < 0 ? `(${known})` : String(known);
    const parts = terms(p).map(({ coefficient, factors }) => {
      const texts = factors.flatMap(({ atom, exponent }) => Array.from({ length: exponent }, () => this.atom(atom)));
      const size = Math.abs(coefficient);
      if (size !== 1 || texts.length === 0) texts.push(String(size));
      return { minus: coefficient < 0, text: texts.join(' * ') };
    });
    const ordered = [...parts.filter((x) => !x.minus), ...parts.filter((x) => x.minus)];
    const text = ordered.map((x, i) => `${i === 0 ? (x.minus ? '-' : '') : x.minus ? ' - ' : ' + '}${x.text}`).join('');
    return ordered.length === 1 && !/[ -]/.test(text) ? text : `(${text})`;
  }

  private atom(atom: Atom): string {
    switch (atom.kind) {
      case 'name': {
        const found = this.indices.get(atom.name);
        if (found === undefined) throw new Error(`kernel ${this.kernel.name}: nothing binds ${atom.name}`);
        return found.text;
      }
      case 'floor':
        return this.isNatural(atom.numerator) && this.isNatural(atom.denominator)
          ? `(${this.poly(atom.numerator)} / ${this.poly(atom.denominator)})`
          : `${this.use('floorDivide')}(${this.poly(atom.numerator)}, ${this.poly(atom.denominator)})`;
      case 'power':
        return `${this.use('wholePower')}(${atom.base}, ${this.poly(atom.exponent)})`;
    }
  }

  /** Surely not negative. */
  private isNatural(p: Poly): boolean {
    return (
      terms(p).every((t) => t.coefficient >= 0) && [...names(p)].every((s) => this.indices.get(s)?.natural ?? false)
    );
  }

  /** Null: always. */
  condition(guards: readonly Guard[]): string | null {
    const parts: string[] = [];
    for (const g of guards) {
      const least = asConst(sub(g.e, g.lo));
      if (!(asConst(g.lo) === 0 && this.isNatural(g.e)) && !(least !== null && least >= 0))
        parts.push(`${this.poly(g.lo)} <= ${this.poly(g.e)}`);
      parts.push(`${this.poly(g.e)} < ${this.poly(g.hi)}`);
    }
    return parts.length === 0 ? null : [...new Set(parts)].join(' && ');
  }

  /** Names that `body`'s polynomials may mention, for as long as it runs. */
  withDynamic<T>(dynamic: readonly { readonly name: string; readonly value: Expr }[], body: () => T): T {
    const saved = dynamic.map((d) => [d.name, this.indices.get(d.name)] as const);
    for (const d of dynamic) {
      const text = this.expr(d.value);
      this.bind(d.name, d.value.dtype === 'i32' ? text : `i32(${text})`, false);
    }
    const result = body();
    for (const [name, old] of saved) if (old !== undefined) this.indices.set(name, old);
    return result;
  }

  /** Number of elements of a buffer, where the kernel's sizes tell. */
  length(buffer: number): string {
    const { sizes } = this.kernel.buffers[buffer]!;
    const count = sizes.reduce((n, s) => mul(n, s), num(1));
    return [...names(count)].every((s) => this.indices.has(s))
      ? this.poly(count)
      : lengthText(this.slots[this.slotOf[buffer]!]!);
  }

  // -------------------------------------------------------------------------------------------------------------------------- expressions

  /** Text of an expression (an atom or in parentheses); statements that it needs go to the current block. */
  expr(e: Expr): string {
    if (e.kind === 'const') return constant(e.value, e.dtype, this.use);
    if (e.kind === 'value') {
      const text = this.values.get(e.name);
      if (text === undefined) throw new Error(`kernel ${this.kernel.name}: value ${e.name} is not known here`);
      return text;
    }
    const held = this.held.get(e);
    if (held !== undefined) return held;
    for (let i = this.blocks.length - 1; i >= 0; i--) {
      const known = this.blocks[i]!.known.get(e);
      if (known !== undefined) return known;
    }
    const text = this.compute(e);
    const isSimple = /^[\w.]+$/.test(text);
    if (isSimple) return text;
    if ((this.uses.get(e) ?? 0) <= 1 && text.length < 90 && e.kind !== 'read') return text;
    return this.named(e, text);
  }

  private named(e: Expr, text: string): string {
    const name = `t${this.count++}`;
    this.line(`let ${name} = ${text};`);
    this.blocks.at(-1)!.known.set(e, name);
    return name;
  }

  private compute(e: Expr): string {
    switch (e.kind) {
      case 'const':
      case 'value':
        return this.expr(e);
      case 'index': {
        const text = this.poly(e.at);
        return e.dtype === 'i32' ? text : e.dtype === 'bool' ? `(${text} != 0)` : `f32(${text})`;
      }
      case 'op': {
        const args = e.args.map((a) => this.expr(a));
        if (this.quick && e.op === 'exp') return `exp(${args[0]!})`;
        return scalarCode(e.op, args, { dtype: e.dtype, from: e.args.map((a) => a.dtype), use: this.use });
      }
      case 'guarded':
        return this.choose(
          e,
          e.guards,
          () => this.expr(e.inside),
          () => this.expr(e.outside),
        );
      case 'read': {
        const own = this.local.get(e.buffer);
        if (own !== undefined) return own;
        const { dtype } = this.kernel.buffers[e.buffer]!;
        const isDynamic = e.dynamic.length > 0;
        return this.withDynamic(e.dynamic, () => {
          const load = (): string => {
            let at = this.poly(e.at);
            if (isDynamic) at = `clamp(${at}, 0, ${this.length(e.buffer)} - 1)`;
            return this.load(e.buffer, at, dtype);
          };
          if (e.guards.length === 0 || e.otherwise === null) return isDynamic ? load() : this.kept(e, load);
          const { otherwise } = e;
          return this.choose(e, e.guards, load, () => this.expr(otherwise));
        });
      }
    }
  }

  /** What is read of a row once. */
  private kept(e: Read, load: () => string): string {
    const key = this.row?.key(e.buffer, e.at) ?? null;
    if (key === null) return load();
    const known = this.row!.known.get(key);
    if (known !== undefined) return known;
    const text = load();
    // What is named in a branch is not known behind it.
    if (this.blocks.length > 1) return text;
    const name = `t${this.count++}`;
    this.line(`let ${name} = ${text};`);
    this.row!.known.set(key, name);
    return name;
  }

  /** `inside` where the guards hold, else `outside`; each is computed only where it is wanted. */
  private choose(e: Expr, guards: readonly Guard[], inside: () => string, outside: () => string): string {
    const condition = this.condition(guards);
    if (condition === null) return inside();
    const name = `t${this.count++}`;
    this.line(`var ${name}: ${registerType(e.dtype)};`);
    this.block(
      `if (${condition})`,
      () => {
        this.line(`${name} = ${inside()};`);
      },
      '} else {',
    );
    const inner: Block = { lines: [], known: new Map() };
    this.blocks.push(inner);
    inner.lines.push(`${name} = ${outside()};`);
    this.blocks.pop();
    for (const l of inner.lines) this.line(`  ${l}`);
    this.line('}');
    this.blocks.at(-1)!.known.set(e, name);
    return name;
  }

  // ------------------------------------------------------------------------------------------------------------------------------- memory

  private load(buffer: number, at: string, dtype: DType): string {
    const slot = this.slots[this.slotOf[buffer]!]!;
    const { storage } = this.kernel.buffers[buffer]!;
    if (storage !== undefined) {
      const place = `at${this.count++}`;
      this.line(`let ${place} = ${at};`);
      const { one, shift } = STORED[storage];
      return `${this.use(one)}(${this.word(buffer, `(${place} >> ${shift}u)`)}, ${place})`;
    }
    at = this.shifted(buffer, at);
    const element = this.item(slot, at);
    if (dtype === 'bool') return slot.type === 'u32' ? `(${element} != 0u)` : `(bitcast<u32>(${element}) != 0u)`;
    if (slot.type === 'f16') return `f32(${element})`;
    const type = registerType(dtype);
    return slot.type === type ? element : `bitcast<${type}>(${element})`;
  }

  /** One number of a slot, in vectors or not. */
  private item(slot: Slot, at: string): string {
    if (slot.lanes === 1) return itemOf(slot, at);
    const place = `at${this.count++}`;
    this.line(`let ${place} = ${at};`);
    return `${itemOf(slot, `${place} >> ${slot.lanes / 2}u`)}[${place} & ${slot.lanes - 1}]`;
  }

  /** A word of what is stored in fewer bytes. */
  private word(buffer: number, at: string): string {
    return this.item(this.slots[this.slotOf[buffer]!]!, this.shifted(buffer, at));
  }

  /** Four elements from an aligned place, where the guards of what is read hold: of a slot in vectors, or stored in fewer bytes, times their scale. `asHalves`: what lies so stays so. */
  vector(e: Expr, asHalves = false): string {
    if (e.kind === 'op') {
      const [q, scale] = this.scaled(e);
      const four = this.vector(q);
      return `(${four} * ${this.load(scale.buffer, this.poly(scale.at), 'f32')})`;
    }
    const { buffer, at } = e as Read;
    const { storage } = this.kernel.buffers[buffer]!;
    if (storage === undefined) {
      const slot = this.slots[this.slotOf[buffer]!]!;
      const four = itemOf(slot, `${this.shifted(buffer, this.poly(at))} >> 2u`);
      return slot.type === 'f16' && !asHalves ? `vec4<f32>(${four})` : four;
    }
    const place = `at${this.count++}`;
    this.line(`let ${place} = ${this.poly(at)};`);
    const { four, shift } = STORED[storage];
    const word = this.word(buffer, `(${place} >> ${shift}u)`);
    if (storage === 'i8') return `${this.use(four)}(${word})`;
    // Four elements are half a word.
    if (storage === 'i4') return `${this.use(four)}(${word} >> (u32(${place} & 4) * 4u))`;
    return `${this.use(four)}(${word}, ${this.word(buffer, `((${place} >> ${shift}u) + 1)`)})`;
  }

  /** Eight elements or sixteen of what is stored in fewer bytes, in the columns of a matrix: one load of a slot in vectors of as many words. */
  wide(e: Expr, by: Wide): string {
    if (e.kind === 'op') {
      const [q, scale] = this.scaled(e);
      const all = this.wide(q, by);
      return `(${all} * ${this.load(scale.buffer, this.poly(scale.at), 'f32')})`;
    }
    const { buffer, at } = e as Read;
    const storage = this.kernel.buffers[buffer]!.storage!;
    const words = wideWords(storage, by);
    const { four } = STORED[storage];
    const own = `words${this.count++}`;
    const place = `(${this.poly(at)} >> ${Math.log2(by)}u)`;
    this.line(`let ${own} = ${itemOf(this.slots[this.slotOf[buffer]!]!, this.shifted(buffer, place, words))};`);
    const word = (i: number): string => (words === 1 ? own : `${own}[${i}]`);
    const fours = Array.from({ length: by / 4 }, (_, c) =>
      storage === 'i8'
        ? word(c)
        : storage === 'f16'
          ? `${word(2 * c)}, ${word(2 * c + 1)}`
          : c % 2 === 0
            ? word(c / 2)
            : `${word((c - 1) / 2)} >> 16u`,
    );
    return `mat${by / 4}x4<f32>(${fours.map((args) => `${this.use(four)}(${args})`).join(', ')})`;
  }

  /** Stored integers, and their scale. */
  private scaled({ args }: Extract<Expr, { kind: 'op' }>): readonly [Read, Read] {
    const [a, b] = args as [Read, Read];
    return this.kernel.buffers[a.buffer]!.storage === undefined ? [b, a] : [a, b];
  }

  /** A place in a buffer as a place in its slot, both in units of `by` words. */
  shifted(buffer: number, at: string, by = 1): string {
    const base = (this.lie.bases?.[buffer] ?? 0) / by;
    return base === 0 ? at : `(${base} + ${at})`;
  }

  /** All values and places of one point first, then the stores: every read comes before every write. */
  writes(writes: readonly Write[]): void {
    if (writes.length === 0) return;
    const only = writes.length === 1 && writes[0]!.dynamic.length === 0 ? this.condition(writes[0]!.guards) : null;
    if (only !== null) {
      this.block(`if (${only})`, () => this.writes([{ ...writes[0]!, guards: [] }]));
      return;
    }
    const stores: (() => void)[] = [];
    const kept: (readonly [string, string])[] = [];
    for (const w of writes) {
      const { dtype } = this.kernel.buffers[w.buffer]!;
      this.withDynamic(w.dynamic, () => {
        let condition = this.condition(w.guards);
        let at = this.poly(w.at);
        if (writes.length > 1 || w.dynamic.length > 0 || this.slots[this.slotOf[w.buffer]!]!.windows > 1) {
          const name = `at${this.count++}`;
          this.line(`let ${name} = ${at};`);
          at = name;
        }
        if (w.dynamic.length > 0) {
          const inside = `${at} >= 0 && ${at} < ${this.length(w.buffer)}`;
          condition = condition === null ? inside : `${condition} && ${inside}`;
        }
        const isPlain = condition === null && w.mode === 'store' && this.blocks.length === 1;
        const key = isPlain ? (this.row?.key(w.buffer, w.at) ?? null) : null;
        const mask = this.row?.mask ?? null;
        if (mask !== null) condition = condition === null ? mask : `${mask} && ${condition}`;
        let value = this.expr(w.value);
        // A register holds f32: what was computed has to be rounded, what was read or cast is.
        const isRounded = w.value.dtype === 'f16' && isHalf(w.value);
        if (dtype === 'f16' && !isRounded) value = `${this.use('toHalf')}(${value})`;
        const isNamed = writes.length > 1 || key !== null || w.mode !== 'store';
        if (isNamed || this.slots[this.slotOf[w.buffer]!]!.windows > 1) {
          const name = `next${this.count++}`;
          this.line(`let ${name} = ${value};`);
          value = name;
        }
        if (key !== null) {
          kept.push([key, value]);
          if (this.row!.isOwn(w.buffer)) return;
        }
        stores.push(() => {
          if (condition === null) this.store(w, at, value, dtype);
          else this.block(`if (${condition})`, () => this.store(w, at, value, dtype));
        });
      });
    }
    for (const s of stores) s();
    for (const [key, value] of kept) this.row!.known.set(key, value);
  }

  private store(w: Write, at: string, value: string, dtype: DType): void {
    const slot = this.slots[this.slotOf[w.buffer]!]!;
    const type = registerType(dtype);
    const packed = (text: string): string => {
      if (dtype === 'bool')
        return slot.type === 'u32' ? `select(0u, 1u, ${text})` : `bitcast<${slot.type}>(select(0u, 1u, ${text}))`;
      // It is a number of f16 already.
      if (slot.type === 'f16') return `${HALF}(${text})`;
      return slot.type === type ? text : `bitcast<${slot.type}>(${text})`;
    };
    inWindow(
      slot,
      this.shifted(w.buffer, at),
      this.lie,
      (place) => this.put(w, place, value, packed(value), dtype),
      (head, body) => this.block(head, body),
    );
  }

  private put(w: Write, place: string, value: string, packed: string, dtype: DType): void {
    const type = registerType(dtype);
    if (w.mode === 'store') {
      this.line(
        this.slots[this.slotOf[w.buffer]!]!.atomic ? `atomicStore(&${place}, ${packed});` : `${place} = ${packed};`,
      );
      return;
    }
    // No float atomics in WGSL: exchange the bits until nobody was faster.
    const old = `old${this.count++}`;
    const current = `bitcast<${type}>(${old})`;
    const combined =
      w.mode === 'add'
        ? `${current} + ${value}`
        : type === 'i32'
          ? `max(${current}, ${value})`
          : `${this.use('greatest')}(${current}, ${value})`;
    const next = dtype === 'f16' ? `${this.use('toHalf')}(${combined})` : combined;
    this.block('loop', () => {
      this.line(`let ${old} = atomicLoad(&${place});`);
      this.line(`if (atomicCompareExchangeWeak(&${place}, ${old}, bitcast<u32>(${next})).exchanged) { break; }`);
    });
  }
}

type Read = Extract<Expr, { kind: 'read' }>;

/** How an element is taken out of its word, how four are, and how many bits of its position tell which of a word it is. */
const STORED = {
  i8: { one: 'int8At', four: 'int8Four', shift: 2 },
  i4: { one: 'int4At', four: 'int4Four', shift: 3 },
  f16: { one: 'halfAt', four: 'halfFour', shift: 1 },
} as const;

/** Whether the register holds a number that f16 has. */
const isHalf = (e: Expr): boolean =>
  (e.kind === 'read' && (e.otherwise === null || isHalf(e.otherwise))) || (e.kind === 'op' && e.op === 'cast');

function rootsOf(stage: Kernel['stages'][number]): Expr[] {
  return [
    ...[...stage.defs.values()].flatMap((d) => (d.op !== null && d.init !== null ? [d.init, d.value] : [d.value])),
    ...[...stage.each, ...stage.writes].flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
  ];
}

/** A WGSL identifier that is no keyword: they never end in an underscore. */
export function identifier(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  return `${/^[A-Za-z]/.test(plain) ? plain : `v${plain}`}_`;
}
