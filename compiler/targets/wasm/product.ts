/**
 * A product of matrices: blocks of both operands packed into panels (pack.ts), register tiles (tile.ts) into a strip of a few rows that stays
 * in L1, and the rest of the stage over that strip while it is there: bias, activation, an optimizer's update.
 *
 *   for each batch: for blocks of columns { pack; for blocks of rows { pack; for panels of rows { tiles of all columns; the rest of the stage } } }
 *
 * The last panel of rows has a tile of its own height; the last panel of columns is computed in full and its surplus not read.
 */
import { asConst, coefficientOf, evaluate, mul, name, names, num, substitute, type Poly } from '../../sizes/poly.ts';
import type { Def, Kernel, Stage } from '../../kernel/types.ts';
import { widthOf } from '../../schedule/panels.ts';
import type { WasmLeaf, WasmSchedule } from '../../schedule/wasm.ts';
import { dotsBytes } from '../../schedule/dots.ts';
import { blockBytes } from './block.ts';
import { collapseAxes } from './collapse.ts';
import { Expressions, NO_SHIFT, type Context, type Shift } from './expression.ts';
import { PARAMETERS } from './indices.ts';
import type { Fn } from './function.ts';
import type { Side } from './hoist.ts';
import { commonDivisor, unitOf } from './divisor.ts';
import { KernelEmitter, type KernelContext, type Range } from './kernel.ts';
import { partsOf } from '../../kernel/parts.ts';
import { Packer } from './pack.ts';

export interface ProductContext {
  /** The function of register tiles beside each other (`tilesSignature`). */
  readonly tiles: () => number;
  /** Whether a program's data are more than caches hold, so that operands come from memory. */
  readonly cold: boolean;
}

type Leaf = Extract<WasmLeaf, { kind: 'product' }>;

/** The axes of a product: rows, columns, and those of both operands. */
interface Sides {
  readonly batch: readonly string[];
  readonly rows: { readonly axes: readonly string[] };
  readonly columns: { readonly axes: readonly string[] };
}

/** Columns of a strip at most. */
export const STRIP = 512;
const MARGIN = 64;

/** Bytes of workspace that a kernel needs, at these sizes or smaller ones. */
export function workspaceBytes(kernel: Kernel, schedule: WasmSchedule, of: (size: string) => number): number {
  if (schedule.block !== null) return blockBytes(kernel, schedule, schedule.block, of);
  let most = 0;
  for (const leaf of schedule.leaves) {
    if (leaf.kind === 'dots') most = Math.max(most, dotsBytes(kernel, leaf, of));
    if (leaf.kind !== 'product') continue;
    const count = (axes: readonly string[]): number => axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of), 1);
    const [rows, columns] = leaf.tile;
    const k = count(leaf.over);
    const a = Math.min(Math.max(leaf.block[0], 4 * (rows + 1) * k), 4 * (count(leaf.rows.axes) + rows + 1) * k);
    const b = Math.min(Math.max(leaf.block[1], 4 * columns * k), 4 * (count(leaf.columns.axes) + columns) * k);
    most = Math.max(most, a + b + 4 * (rows + 1) * STRIP + 6 * MARGIN);
  }
  return most;
}

export class Arithmetic {
  private readonly fn: Fn;
  constructor(fn: Fn) {
    this.fn = fn;
  }
  /** min(a, b) of two locals. */
  least(a: number, b: number, op: 'i32.lt_s' | 'i32.gt_s' = 'i32.lt_s'): number {
    const { fn } = this;
    fn.code.get(a);
    fn.code.get(b);
    fn.code.get(a);
    fn.code.get(b);
    fn.code.op(op);
    fn.code.op('select');
    return fn.hold('i32');
  }
  constant(n: number): number {
    this.fn.code.i32(n);
    return this.fn.hold('i32');
  }
  do(
    op: 'i32.add' | 'i32.sub' | 'i32.mul' | 'i32.div_u' | 'i32.and' | 'i32.shl',
    a: number,
    b: number | { readonly by: number },
  ): number {
    const { fn } = this;
    fn.code.get(a);
    if (typeof b === 'number') fn.code.get(b);
    else fn.code.i32(b.by);
    fn.code.op(op);
    return fn.hold('i32');
  }
}

export function emitProduct(
  emitter: KernelEmitter,
  leaf: Leaf,
  stage: Stage,
  context: ProductContext & Context & KernelContext,
): void {
  const { fn, x, kernel } = emitter;
  const n = new Arithmetic(fn);
  const [rows, columns] = leaf.tile;
  const { panels: shared } = emitter;
  const product = (axes: readonly string[]): Poly => axes.reduce((p, a) => mul(p, kernel.axes.get(a)!), num(1));
  const size = (p: Poly): number => x.inLocal(x.index(p));
  const M = size(product(leaf.rows.axes));
  const N = size(product(leaf.columns.axes));
  const K = size(product(leaf.over));
  const bytesK = n.do('i32.shl', K, { by: 2 });

  // Columns of a block: what fits, a multiple of 8, at least one panel; rows likewise.
  const one = n.constant(1);
  const roundUp = (local: number, to: number): number =>
    n.do('i32.div_u', n.do('i32.add', local, { by: to - 1 }), { by: to });
  const panelsOf = (block: number, width: number, all: number, most: number): number => {
    const room = n.do('i32.div_u', n.constant(Math.floor(block / width)), bytesK);
    return n.least(n.least(n.least(room, one, 'i32.gt_s'), roundUp(all, width)), n.constant(most));
  };
  const panelsN = panelsOf(leaf.block[1], columns, N, STRIP / columns);
  const panelsM = panelsOf(leaf.block[0], rows, M, 1 << 20);
  const NC = n.do('i32.mul', panelsN, { by: columns });
  const MC = n.do('i32.mul', panelsM, { by: rows });
  const aligned = (local: number): number => n.do('i32.and', n.do('i32.add', local, { by: MARGIN + 15 }), { by: -16 });
  const A = n.do('i32.add', PARAMETERS.workspace, { by: 16 });
  const B = aligned(n.do('i32.add', A, n.do('i32.mul', MC, bytesK)));
  const strip = aligned(n.do('i32.add', B, n.do('i32.mul', NC, bytesK)));
  const pitch = n.do('i32.shl', NC, { by: 2 });
  const packer = new Packer(x);
  const panels = emitter.givenPanels;
  /** Panels from point `first` on, packed before or here. */
  const panelsAt = (side: Side, first: number, count: number, to: number): number => {
    if (emitter.packed === side) return n.do('i32.add', panels, n.do('i32.mul', first, bytesK));
    const total = side === 'rows' ? M : N;
    packer.pack(leaf[side], leaf.over, {
      width: widthOf(leaf, side),
      first,
      count,
      to,
      length: K,
      total,
      cold: context.cold && side === 'columns',
    });
    return to;
  };
  const epilogue = new Epilogue(emitter, leaf, stage, context);

  const partN: Range =
    shared?.side === 'columns' ? emitter.part(N, shared.by ?? columns) : { from: 0, to: { local: N } };
  const partM: Range = shared?.side === 'rows' ? emitter.part(M, shared.by ?? rows) : { from: 0, to: { local: M } };
  /** Of which the columns of a block are multiples; whether that leaves whole panels only. */
  const unit = unitOf(product(leaf.columns.axes), commonDivisor(partN.unit ?? columns, columns));
  const whole = unit % columns === 0;
  /** Every panel of rows is full. */
  const evenly = unitOf(product(leaf.rows.axes), partM.unit ?? rows) % rows === 0;
  const push = (end: Range['from']): void => (end === 0 ? fn.code.i32(0) : fn.code.get(end.local));
  /** One block of all rows is packed for the first columns, and stays. */
  const rowsAt = (column: number, first: number, count: number): number => {
    if (emitter.packed === 'rows') return panelsAt('rows', first, count, A);
    fn.code.get(column);
    push(partN.from);
    fn.code.op('i32.eq');
    fn.code.get(MC);
    fn.code.get(partM.to.local);
    push(partM.from);
    fn.code.op('i32.sub');
    fn.code.op('i32.lt_s');
    fn.code.op('i32.or');
    fn.if(() => void panelsAt('rows', first, count, A));
    return A;
  };
  const blocks = (): void => {
    fn.for(
      partN.from,
      partN.to,
      0,
      (jc) => {
        const nc = n.least(NC, n.do('i32.sub', partN.to.local, jc));
        const np = roundUp(nc, columns);
        const panelsB = panelsAt('columns', jc, np, B);
        fn.for(
          partM.from,
          partM.to,
          0,
          (ic) => {
            const mc = n.least(MC, n.do('i32.sub', partM.to.local, ic));
            const mp = roundUp(mc, rows);
            const panelsA = rowsAt(jc, ic, mp);
            const panel = n.do('i32.mul', bytesK, { by: rows });
            const panelB = n.do('i32.mul', bytesK, { by: columns });
            fn.for(0, { local: mp }, 1, (ip) => {
              const a = n.do('i32.add', panelsA, n.do('i32.mul', ip, panel));
              const first = n.do('i32.add', ic, n.do('i32.mul', ip, { by: rows }));
              const height = evenly
                ? n.constant(rows)
                : n.least(n.constant(rows), n.do('i32.sub', partM.to.local, first));
              // Sums that are only stored go to their place at once, whole panels of them.
              const straight = epilogue.straight(first, jc);
              const full = straight === null || whole ? np : n.do('i32.div_u', nc, { by: columns });
              const tiles = (b: number, c: number, by: number, count: number): void => {
                for (const local of [a, b, K, c, by]) fn.code.get(local);
                fn.code.i32(4 * rows);
                for (const local of [height, count, panelB]) fn.code.get(local);
                fn.code.call(context.tiles());
              };
              tiles(panelsB, straight?.to ?? strip, straight?.pitch ?? pitch, full);
              if (straight !== null && !whole)
                tiles(n.do('i32.add', panelsB, n.do('i32.mul', full, panelB)), strip, pitch, n.do('i32.sub', np, full));
              if (straight === null) return epilogue.emit({ first, height, jc, nc, strip, pitch, unit });
              if (whole) return;
              const done = n.do('i32.mul', full, { by: columns });
              const left = n.do('i32.sub', nc, done);
              fn.code.get(left);
              fn.if(() =>
                epilogue.emit({ first, height, jc: n.do('i32.add', jc, done), nc: left, strip, pitch, unit }),
              );
            });
          },
          MC,
        );
      },
      NC,
    );
  };
  const nest = (k: number): void => {
    const axis = leaf.batch[k];
    if (axis === undefined) blocks();
    else emitter.loop(axis, () => nest(k + 1));
  };
  nest(0);
}

/** This thread's part of an operand's panels, to where the last parameter says. */
export function packOperand(emitter: KernelEmitter, leaf: Leaf, side: Side): void {
  const { x, kernel } = emitter;
  const n = new Arithmetic(emitter.fn);
  const size = (axes: readonly string[]): number =>
    x.inLocal(x.index(axes.reduce((p, a) => mul(p, kernel.axes.get(a)!), num(1))));
  const width = widthOf(leaf, side);
  const total = size(leaf[side].axes);
  const length = size(leaf.over);
  const part = emitter.part(total, width);
  const first = (part.from as { readonly local: number }).local;
  const all = n.do('i32.add', n.do('i32.sub', part.to.local, first), { by: width - 1 });
  const count = n.do('i32.div_u', all, { by: width });
  const bytes = n.do('i32.mul', first, n.do('i32.shl', length, { by: 2 }));
  const to = n.do('i32.add', emitter.givenPanels, bytes);
  new Packer(x).pack(leaf[side], leaf.over, { width, first, count, to, length, total });
}

export interface Strip {
  readonly first: number;
  readonly height: number;
  readonly jc: number;
  readonly nc: number;
  readonly strip: number;
  readonly pitch: number;
  /** Of which `jc` and `nc` are multiples; 1 if left out. */
  readonly unit?: number;
}

/** What the stage does with each sum, over the rows and columns of a strip. */
export class Epilogue {
  private readonly outer: KernelEmitter;
  readonly inner: KernelEmitter;
  private readonly leaf: Sides;
  private readonly stage: Stage;
  private readonly sum: string;
  private readonly columns: readonly string[];

  constructor(outer: KernelEmitter, leaf: Sides, stage: Stage, context: KernelContext) {
    const [sum] = [...stage.defs].find(([, d]) => d.op !== null)!;
    const defs = new Map<string, Def>([...stage.defs].filter(([name]) => name !== sum));
    const rest: Stage = { ...stage, over: [], defs };
    const { kernel, columns } = collapseAxes({ ...outer.kernel, stages: [rest] }, leaf.columns.axes);
    this.outer = outer;
    this.sum = sum;
    this.leaf = leaf;
    this.columns = columns;
    [this.stage] = kernel.stages as [Stage];
    const x = new Expressions(outer.fn, kernel, context);
    this.inner = new KernelEmitter(kernel, context, outer.fn, x);
    x.valueAxes.set(sum, this.stage.axes);
  }

  /** Where the sum at (first, jc) goes and the bytes from row to row, if the stage does no more than store it, columns side by side. */
  straight(first: number, jc: number): { readonly to: number; readonly pitch: number } | null {
    const { x, kernel } = this.inner;
    const { stage, columns } = this;
    const [write] = stage.writes;
    const [row] = this.leaf.rows.axes;
    const [column] = columns;
    if (write === undefined || stage.writes.length > 1 || stage.defs.size > 0) return null;
    if (write.mode !== 'store' || write.guards.length > 0 || write.dynamic.length > 0) return null;
    if (write.value.kind !== 'value' || kernel.buffers[write.buffer]!.dtype !== 'f32') return null;
    if (columns.length > 1 || this.leaf.rows.axes.length > 1) return null;
    const along = coefficientOf(write.at, column!);
    const down = coefficientOf(write.at, row!);
    if (along === null || asConst(along.coefficient) !== 1 || down === null) return null;
    if ([...kernel.axes.keys()].some((a) => names(down.coefficient).has(a))) return null;
    this.bindBatch();
    // Under names of their own: the axes themselves will be bound further in.
    x.bind('#row', first, true);
    x.bind('#column', jc, true);
    const at = substitute(
      write.at,
      new Map([
        [row!, name('#row')],
        [column!, name('#column')],
      ]),
    );
    const { local, offset } = x.address(write.buffer, at, NO_SHIFT);
    const to = offset === 0 ? local : new Arithmetic(this.outer.fn).do('i32.add', local, { by: offset });
    const pitch = x.inLocal(x.index(mul(down.coefficient, num(4))));
    x.unbind('#row');
    x.unbind('#column');
    return { to, pitch };
  }

  private bindBatch(): void {
    for (const axis of this.leaf.batch) {
      const bound = this.outer.x.binding(axis)!;
      this.inner.x.bindAt(axis, bound.local, bound.depth);
    }
  }

  /** `names`: further names that the outer code has bound; `row`: what comes first in every row, given its number. */
  emit(
    { first, height, jc, nc, strip, pitch, unit = 1 }: Strip,
    names: readonly string[] = [],
    row: (number: number) => void = () => undefined,
  ): void {
    const { fn } = this.outer;
    const { x, kernel } = this.inner;
    const n = new Arithmetic(fn);
    this.bindBatch();
    for (const name of names) {
      const bound = this.outer.x.binding(name)!;
      x.bindAt(name, bound.local, bound.depth);
    }
    const extent = (axis: string): number => x.inLocal(x.index(kernel.axes.get(axis)!));
    const decode = (flat: number, axes: readonly string[]): number[] => {
      const out: number[] = [];
      let rest = flat;
      for (let k = axes.length - 1; k > 0; k--) {
        const by = extent(axes[k]!);
        const quotient = n.do('i32.div_u', rest, by);
        out[k] = n.do('i32.sub', rest, n.do('i32.mul', quotient, by));
        rest = quotient;
      }
      out[0] = rest;
      return out;
    };
    fn.for(0, { local: height }, 1, (r) => {
      const at = decode(n.do('i32.add', first, r), this.leaf.rows.axes);
      for (const [k, axis] of this.leaf.rows.axes.entries()) x.bind(axis, at[k]!, true);
      row(r);
      const line = n.do('i32.add', strip, n.do('i32.mul', r, pitch));
      const { columns } = this;
      const lane = columns.at(-1)!;
      if (columns.length === 1) {
        const base = n.do('i32.sub', line, n.do('i32.shl', jc, { by: 2 }));
        this.run(base, lane, { local: jc }, { local: n.do('i32.add', jc, nc) }, unit);
      } else {
        // Run by run of the innermost axis.
        const end = n.do('i32.add', jc, nc);
        const flat = fn.local('i32');
        fn.code.get(jc);
        fn.code.set(flat);
        fn.while(
          () => {
            fn.code.get(flat);
            fn.code.get(end);
            fn.code.op('i32.lt_s');
          },
          () => {
            const place = decode(flat, columns);
            for (const [k, axis] of columns.entries()) if (axis !== lane) x.bind(axis, place[k]!, true);
            const from = place.at(-1)!;
            const to = n.least(extent(lane), n.do('i32.add', from, n.do('i32.sub', end, flat)));
            const skipped = n.do('i32.sub', n.do('i32.sub', flat, jc), from);
            const base = n.do('i32.add', line, n.do('i32.shl', skipped, { by: 2 }));
            x.aligned = false;
            this.run(base, lane, { local: from }, { local: to }, unitOf(kernel.axes.get(lane)!, unit));
            x.aligned = true;
            for (const axis of columns) x.unbind(axis);
            const next = n.do('i32.add', flat, n.do('i32.sub', to, from));
            fn.code.get(next);
            fn.code.set(flat);
          },
        );
      }
      for (const axis of this.leaf.rows.axes) x.unbind(axis);
    });
  }

  private run(base: number, lane: string, from: { local: number }, to: { local: number }, unit: number): void {
    const { fn } = this.outer;
    const { inner, stage } = this;
    const { x } = inner;
    const parts = partsOf(stage);
    const leaf = { kind: 'loops', stage: stage.name, free: [], over: [], vector: null, count: 1 } as const;
    const each = (vectors: number): void => {
      const wide = vectors > 0;
      const points: readonly Shift[] =
        vectors <= 1 ? [NO_SHIFT] : Array.from({ length: vectors }, (_, v): Shift => new Map([[lane, 4 * v]]));
      fn.code.get(base);
      fn.code.get(x.binding(lane)!.local);
      fn.code.i32(2);
      fn.code.op('i32.shl');
      fn.code.op('i32.add');
      const at = fn.hold('i32');
      const locals = points.map((_, v) => {
        fn.code.get(at);
        fn.code.access(wide ? 'v128.load' : 'f32.load', 16 * v);
        return fn.hold(wide ? 'v128' : 'f32');
      });
      x.values.set(this.sum, {
        depth: fn.scope.depth,
        wide,
        steady: true,
        local: (shift) => locals[Math.floor((shift.get(lane) ?? 0) / 4)] ?? locals[0]!,
      });
      inner.points(stage, parts, leaf, wide, points);
    };
    inner.lanesBetween(lane, from, to, 2, each, unit);
  }
}
