/**
 * A named value as scalars: one unit each, over axes of its own, with everything inlined that has no name.
 *
 * Reads of named values are `read` expressions whose `buffer` is the position of the value in the unit's list and whose offset is row-major in the value's own axes; the
 * coordinates are kept beside (`reads`), because clustering asks which coordinate is which axis. Axes of extent 1 get no loop: their coordinate
 * is 0. Divisions and remainders are simplified under the axes' ranges, guards that always hold are dropped.
 */
import { ONE, ZERO, add, asConst, mul, name, names, type Poly } from '../sizes/poly.ts';
import { Ranges, upTo, type Range } from '../sizes/ranges.ts';
import { ExprTable, polysOf, walk, type Dynamic } from '../kernel/expr.ts';
import type { Combine, Expr, Guard, Reason } from '../kernel/types.ts';
import type { Node } from '../graph/types.ts';
import type { LowerContext } from '../ops/record.ts';
import { loweringOf, type Materialisation } from './materialise.ts';
import { shapeOf, UnitShapes } from './shapes.ts';

const STREAM = 'stream:';
const streamName = (stream: number): string => `${STREAM}${stream}`;
/** The number that such a name stands for; null for any other name. */
export const streamOf = (s: string): number | null => (s.startsWith(STREAM) ? Number(s.slice(STREAM.length)) : null);

export interface ReadInfo {
  readonly slot: Node;
  /** Of the slot in the unit's list. */
  readonly position: number;
  /** One coordinate an axis of the slot. */
  readonly at: readonly Poly[];
}

/** A scatter's write, in the unit's axes (those of the update). */
export interface ScatterWrite {
  readonly at: Poly;
  readonly guards: readonly Guard[];
  readonly dynamic: Dynamic;
  readonly mode: 'add' | 'max';
  readonly initial: number;
}

export interface Unit {
  readonly node: Node;
  readonly reason: Reason;
  /** Free axes with more than one point, outermost first. */
  readonly axes: readonly string[];
  /** The coordinate of every axis of the value: a free axis or null (extent 1). */
  readonly dims: readonly (string | null)[];
  readonly over: readonly string[];
  readonly extents: ReadonlyMap<string, Poly>;
  /** null: a value at each point; else a reduction. */
  readonly op: Combine | 'argmax' | null;
  readonly value: Expr;
  readonly reads: ReadonlyMap<Expr, ReadInfo>;
  readonly slots: ReadonlySet<Node>;
  /** What it reads, by the `buffer` of its reads. */
  readonly list: readonly Node[];
  /** Equal for units that differ only in what they read. */
  readonly shape: number;
  /** A product of matrices or alike: two operands, each free of an axis of the result. Wants a register tile. */
  readonly tile: boolean;
  readonly scatter: ScatterWrite | null;
  /** A prefix reduction: `over` is one of `dims`, the running value is written at each point. */
  readonly order: 'forward' | 'backward' | null;
  /** Names in its polynomials that are no axes of its own: sizes, loop variables. */
  readonly sizeNames: ReadonlySet<string>;
}

/** Row-major offset of coordinates. */
export function offset(sizes: readonly Poly[], at: readonly Poly[]): Poly {
  let sum = ZERO;
  let stride = ONE;
  for (let k = sizes.length - 1; k >= 0; k--) {
    sum = add(sum, mul(at[k]!, stride));
    stride = mul(stride, sizes[k]!);
  }
  return sum;
}

export const freeAxis = (k: number): string => `$i${k}`;

/** What a body's leaf is when it is no tensor (the round of a scan, a constant). */
export type LeafValue = (node: Node, table: ExprTable) => Expr | null;

export interface LowerOptions {
  readonly leaf: LeafValue;
  /** Extents of the loop variables around. */
  readonly variables: ReadonlyMap<string, Poly>;
}

export class Lowerer {
  readonly table: ExprTable;
  readonly shapes: UnitShapes;
  /** Loads and leaves: what is read, not inlined. */
  readonly named: Map<Node, Reason>;
  readonly merged: ReadonlySet<Node>;
  private readonly options: LowerOptions;

  constructor(decided: Materialisation, options: LowerOptions, shapes: UnitShapes) {
    this.shapes = shapes;
    this.table = shapes.table;
    this.named = decided.named;
    this.merged = decided.merged;
    this.options = options;
  }

  isSlot(node: Node): boolean {
    return node.op === 'input' || node.op === 'part' || this.named.has(node);
  }

  leaf(node: Node): Expr | null {
    return node.op === 'input' ? this.options.leaf(node, this.table) : null;
  }

  /** The unit of a named value that has a scalar, reduction or scatter lowering. */
  unit(node: Node): Unit {
    const reason = this.named.get(node) ?? 'output';
    const shape = shapeOf(
      node,
      (x) => this.isSlot(x),
      (x) => this.leaf(x) === null,
      this.options.variables,
    );
    const make = (): Unit => this.lowered(node, reason);
    return shape === null ? make() : this.shapes.unit(shape, node, reason, make);
  }

  private lowered(node: Node, reason: Reason): Unit {
    const lowering = loweringOf(node);
    const sizes = lowering.kind === 'scatter' ? node.inputs[0]!.type.sizes : node.type.sizes;
    const frame = this.frame(sizes);
    let op: Unit['op'] = null;
    let value: Expr;
    let scatter: ScatterWrite | null = null;
    if (lowering.kind === 'reduction') {
      const result = lowering.lower(frame.context(node), node as never, frame.at);
      if (frame.over.length > 0) ({ op, value } = result);
      else value = result.op === 'argmax' ? this.table.constant(0, 'i32') : result.value;
    } else if (lowering.kind === 'scatter') {
      const to = lowering.lower(frame.context(node), node as never, frame.at);
      value = to.value;
      const { guards } = frame.simpleGuards(to.guards);
      const at = offset(
        node.type.sizes,
        to.to.map((p) => frame.simplify(p)),
      );
      const dynamic = this.table.mentioned([at, ...guards.flatMap((g) => [g.e, g.lo, g.hi])]);
      scatter = { at, guards, dynamic, mode: to.mode, initial: to.initial };
    } else if (lowering.kind === 'scalar') {
      value = lowering.lower(frame.context(node), node as never, frame.at);
    } else throw new Error(`${node.op} is not lowered to scalars`);
    return frame.unit(node, reason, op, value, scatter);
  }

  frame(sizes: readonly Poly[]): Frame {
    return new Frame(this, sizes, this.options.variables);
  }
}

/** The axes of one unit in the making, and the reads under them. */
export class Frame {
  readonly dims: (string | null)[];
  readonly at: readonly Poly[];
  readonly over: string[] = [];
  readonly extents = new Map<string, Poly>();
  readonly reads = new Map<Expr, ReadInfo>();
  readonly slots = new Map<Node, number>();
  private readonly lowerer: Lowerer;
  private readonly ranges: Ranges;
  private readonly known = new Map<string, Expr>();

  constructor(lowerer: Lowerer, sizes: readonly Poly[], variables: ReadonlyMap<string, Poly>) {
    this.lowerer = lowerer;
    this.dims = sizes.map((s, k) => {
      if (s === ONE) return null;
      this.extents.set(freeAxis(k), s);
      return freeAxis(k);
    });
    this.at = this.dims.map((d) => (d === null ? ZERO : name(d)));
    const ranges = new Map<string, Range>();
    this.ranges = new Ranges((s) => {
      const known = ranges.get(s);
      if (known !== undefined) return known;
      const extent = this.extents.get(s) ?? variables.get(s);
      const range = extent !== undefined ? upTo(extent) : s.startsWith('@') ? { lo: null, hi: null } : null;
      if (range !== null) ranges.set(s, range);
      return range;
    });
  }

  /** A fresh reduced axis. */
  axis(extent: Poly): Poly {
    if (extent === ONE) return ZERO;
    const s = `$r${this.over.length}`;
    this.over.push(s);
    this.extents.set(s, extent);
    return name(s);
  }

  simplify(p: Poly): Poly {
    return p.key.includes('floor(') ? this.ranges.simplify(p) : p;
  }

  /** Guards that may fail; `never` when one always fails. */
  simpleGuards(guards: readonly Guard[]): { readonly guards: readonly Guard[]; readonly never: boolean } {
    const left: Guard[] = [];
    for (const g of guards) {
      const e = this.simplify(g.e);
      const lo = this.simplify(g.lo);
      const hi = this.simplify(g.hi);
      if (this.ranges.within(e, lo, hi)) continue;
      const [c, from, to] = [asConst(e), asConst(lo), asConst(hi)];
      if (c !== null && ((from !== null && c < from) || (to !== null && c >= to))) return { guards: [], never: true };
      left.push({ e, lo, hi });
    }
    return { guards: left, never: false };
  }

  /** The element of a node at these coordinates: a read of its buffer, or inlined. */
  element(node: Node, at: readonly Poly[]): Expr {
    const coordinates = at.map((p) => this.simplify(p));
    if (this.lowerer.isSlot(node)) return this.load(node, coordinates, [], null);
    let key = `${node.id}`;
    for (const p of coordinates) key += `,${p.id}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const lowering = loweringOf(node);
    let value: Expr;
    if (lowering.kind === 'scalar') value = lowering.lower(this.context(node), node as never, coordinates);
    else if (lowering.kind === 'reduction')
      ({ value } = lowering.lower(this.context(node), node as never, coordinates));
    else throw new Error(`${node.op} cannot be inlined`);
    if (value.dtype !== node.type.dtype) value = this.lowerer.table.op('cast', node.type.dtype, value);
    this.known.set(key, value);
    return value;
  }

  private load(slot: Node, at: readonly Poly[], guards: readonly Guard[], otherwise: Expr | null): Expr {
    const { table } = this.lowerer;
    const instead = this.lowerer.leaf(slot);
    if (instead !== null) return guards.length === 0 ? instead : table.guarded(guards, instead, otherwise!);
    let position = this.slots.get(slot);
    if (position === undefined) this.slots.set(slot, (position = this.slots.size));
    const e = table.read(position, slot.type.dtype, offset(slot.type.sizes, at), guards, otherwise);
    this.reads.set(e, { slot, position, at });
    return e;
  }

  context(node: Node): LowerContext {
    const { table } = this.lowerer;
    return {
      node,
      read: (k, at) => this.element(node.inputs[k]!, at),
      guarded: (k, at, guards, otherwise) => {
        const simple = this.simpleGuards(guards);
        if (simple.never) return otherwise;
        const input = node.inputs[k]!;
        if (simple.guards.length === 0) return this.element(input, at);
        if (this.lowerer.isSlot(input)) {
          return this.load(
            input,
            at.map((p) => this.simplify(p)),
            simple.guards,
            otherwise,
          );
        }
        const inside = this.element(input, at);
        const info = this.reads.get(inside);
        const both = table.guarded(simple.guards, inside, otherwise);
        if (info !== undefined && both.kind === 'read') this.reads.set(both, info);
        return both;
      },
      dynamic: (value) => {
        if (value.kind === 'index') return value.at;
        return name(table.dynamic(value));
      },
      op: (op, dtype, ...args) => {
        if (op === 'eq') return table.op(op, dtype, ...args.map((a) => table.roundedLater(a)));
        // The number of a draw is an argument of the kernel, so that equal layers draw with one kernel.
        const stream = args[1];
        if (op === 'random' && stream?.kind === 'const')
          return table.op(op, dtype, args[0]!, table.index(name(streamName(stream.value))), ...args.slice(2));
        return table.op(op, dtype, ...args);
      },
      constant: (value, dtype) => table.constant(value, dtype),
      index: (at) => table.index(this.simplify(at)),
      axis: (extent) => this.axis(extent),
    };
  }

  unit(node: Node, reason: Reason, op: Unit['op'], value: Expr, scatter: ScatterWrite | null): Unit {
    const axes = this.dims.filter((d) => d !== null);
    return {
      node,
      reason,
      axes,
      dims: this.dims,
      over: this.over,
      extents: this.extents,
      op,
      value,
      reads: this.reads,
      slots: new Set(this.slots.keys()),
      list: [...this.slots.keys()],
      shape: this.lowerer.shapes.another(),
      tile: op === 'sum' && this.isProduct(axes),
      scatter,
      order: null,
      sizeNames: this.sizeNames(value),
    };
  }

  private sizeNames(value: Expr): ReadonlySet<string> {
    const found = new Set<string>();
    const note = (p: Poly): void => {
      for (const s of names(p)) if (!s.startsWith('$') && !s.startsWith('@')) found.add(s);
    };
    for (const extent of this.extents.values()) note(extent);
    walk([value], (e) => polysOf(e).forEach(note));
    return found;
  }

  private isProduct(axes: readonly string[]): boolean {
    const missing = new Map<string, Expr>();
    for (const e of this.reads.keys()) {
      if (e.kind !== 'read') continue;
      const used = names(e.at);
      if (!this.over.some((r) => used.has(r))) continue;
      for (const a of axes) {
        if (used.has(a)) continue;
        missing.set(a, e);
      }
    }
    return new Set(missing.values()).size >= 2;
  }
}
