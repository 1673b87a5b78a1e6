/**
 * One kernel as one function: `(workspace, thread, threads, sizes…, addresses of the buffers…)`. Where its schedule has something that threads
 * share, a thread does its part of it; else it does all.
 *
 * The schedule says where the lanes lie. A loop along the lanes becomes up to three: several vectors a round, one vector a round, then what is left
 * one by one. Reductions along the lanes have partial results that are combined at the end. All accumulate in f32.
 *
 * Not here: what to vectorise (schedule/wasm.ts), products of matrices (product.ts), expressions and hoisting (expression.ts, indices.ts), stores (writer.ts).
 */
import { add as addPoly, asConst, mul, name as nameOf, num, type Poly } from '../../sizes/poly.ts';
import type { Def, Expr, Kernel, Stage, Write } from '../../kernel/types.ts';
import { Levels } from '../../kernel/levels.ts';
import type { WasmLeaf, WasmSchedule } from '../../schedule/wasm.ts';
import type { FunctionBody, Signature, ValueType } from './encoder.ts';
import { Expressions, NO_SHIFT, typeOf, type Context, type Shift } from './expression.ts';
import { Fn } from './function.ts';
import { PARAMETERS } from './indices.ts';
import { BlockEmitter } from './block.ts';
import { multipleOf, unitOf } from './divisor.ts';
import { emitDots } from './dots.ts';
import type { Side } from './hoist.ts';
import { emitProduct, packOperand, type ProductContext } from './product.ts';
import { partsOf, type Parts } from '../../kernel/parts.ts';
import { across, combine, identity } from './scalar.ts';
import { Writer } from './writer.ts';

export type KernelContext = Context & ProductContext;

type Loops = Extract<WasmLeaf, { kind: 'loops' }>;

/** With an operand that is packed already: where its panels are, last. */
export const signatureOf = (kernel: Kernel, packed: Side | null = null): Signature => ({
  parameters: Array.from(
    { length: kernel.buffers.length + kernel.sizes.length + (packed === null ? 3 : 4) },
    (): ValueType => 'i32',
  ),
  results: [],
});

type End = number | { readonly local: number };

export interface Range {
  readonly from: 0 | { readonly local: number };
  readonly to: { readonly local: number };
  /** Both ends are multiples of it, but for the end of the whole. */
  readonly unit?: number;
}

const rootsOf = (writes: readonly Write[]): Expr[] =>
  writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]);

export class KernelEmitter {
  readonly kernel: Kernel;
  readonly fn: Fn;
  readonly x: Expressions;
  private readonly context: KernelContext;
  private readonly writer: Writer;
  private readonly stages: ReadonlyMap<string, Stage>;
  /** Axes of which a thread has a part. */
  readonly parts = new Map<string, Range>();
  /** Which of a product's operands threads share, in runs of so many points; without a number in panels. */
  panels: { readonly side: Side; readonly by?: number } | null = null;
  /** The axis of which several points are computed together, beside lanes along a reduced one. */
  private beside: string | null = null;

  /** The operand that is packed already. */
  packed: Side | null = null;

  constructor(
    kernel: Kernel,
    context: KernelContext,
    fn: Fn = new Fn(signatureOf(kernel)),
    x: Expressions | null = null,
  ) {
    this.kernel = kernel;
    this.context = context;
    this.fn = fn;
    this.x = x ?? new Expressions(fn, kernel, context);
    this.writer = new Writer(this.x, context);
    this.stages = new Map(kernel.stages.map((s) => [s.name, s]));
    for (const stage of kernel.stages) {
      const levels = new Levels(stage);
      for (const [name, def] of stage.defs)
        this.x.valueAxes.set(
          name,
          def.op === null && levels.defs.get(name) === 'inside' ? [...stage.axes, ...stage.over] : stage.axes,
        );
    }
  }

  /** Packs an operand of the kernel's only product, each thread a part. */
  emitPack(schedule: WasmSchedule, side: Side): FunctionBody {
    const [leaf] = schedule.leaves;
    if (leaf?.kind !== 'product') throw new Error(`kernel ${this.kernel.name} is no product`);
    const rows = this.rowsOf(leaf);
    const pack = (): void => packOperand(this, leaf, side);
    if (asConst(rows) !== null) pack();
    else {
      this.x.push(this.x.index(rows));
      this.fn.code.i32(leaf.few.below);
      this.fn.code.op('i32.ge_s');
      this.fn.if(pack);
    }
    return this.fn.done();
  }

  private rowsOf(leaf: Extract<WasmLeaf, { kind: 'product' }>): Poly {
    return leaf.rows.axes.reduce<Poly>((p, a) => mul(p, this.extent(a)), num(1));
  }

  /** Of an operand that is packed already. */
  get givenPanels(): number {
    return PARAMETERS.sizes + this.kernel.sizes.length + this.kernel.buffers.length;
  }

  emit(schedule: WasmSchedule): FunctionBody {
    const { rows, share } = schedule;
    if (share !== null && 'axis' in share) {
      const part = this.part(this.x.inLocal(this.x.index(this.extent(share.axis))), share.by);
      this.parts.set(share.axis, part);
    } else if (share !== null)
      this.panels = { side: share.panels, ...(share.by === undefined ? {} : { by: share.by }) };
    if (schedule.block !== null) {
      new BlockEmitter(this, schedule, schedule.block, this.context).emit();
      return this.fn.done();
    }
    const nest = (k: number): void => {
      const axis = rows[k];
      if (axis === undefined) {
        for (const leaf of schedule.leaves) this.leaf(leaf, schedule.vector !== null && this.x.lane !== null);
        return;
      }
      if (axis === schedule.vector) this.lanes(axis, 1, () => nest(k + 1));
      else this.loop(axis, () => nest(k + 1));
    };
    nest(0);
    return this.fn.done();
  }

  /** This thread's part of `count` points (a local) in units of `by`. */
  part(count: number, by: number): Range {
    const { fn } = this;
    const { code } = fn;
    const { thread, threads } = PARAMETERS;
    const units = (): void => {
      code.get(count);
      if (by === 1) return;
      code.i32(by - 1);
      code.op('i32.add');
      code.i32(by);
      code.op('i32.div_u');
    };
    const bound = (next: boolean): number => {
      units();
      code.get(thread);
      if (next) {
        code.i32(1);
        code.op('i32.add');
      }
      code.op('i32.mul');
      code.get(threads);
      code.op('i32.div_u');
      if (by > 1) {
        code.i32(by);
        code.op('i32.mul');
      }
      const local = fn.hold('i32');
      if (by === 1) return local;
      code.get(local);
      code.get(count);
      code.get(local);
      code.get(count);
      code.op('i32.lt_s');
      code.op('select');
      return fn.hold('i32');
    };
    return { from: { local: bound(false) }, to: { local: bound(true) }, unit: by };
  }

  extent(axis: string): Poly {
    return this.kernel.axes.get(axis)!;
  }

  /** The extent in a local, or as a constant. */
  private end(axis: string): number | { readonly local: number } {
    const o = this.x.index(this.extent(axis));
    return o.local === null ? o.plus : { local: this.x.inLocal(o) };
  }

  loop(axis: string, body: () => void, backward = false): void {
    const { x, fn } = this;
    const run = (variable: number): void => {
      x.bind(axis, variable, true);
      body();
      x.unbind(axis);
    };
    const part = this.parts.get(axis);
    if (backward) fn.down(this.end(axis), run);
    else if (part !== undefined) fn.for(part.from, part.to, 1, run);
    else fn.for(0, this.end(axis), 1, run);
  }

  /**
   * The loops over the axis of the lanes: rounds of `count` vectors (`body(count)`, wide), of one vector, and single points (`body(0)`, with no
   * lane set).
   */
  private lanes(axis: string, count: number, body: (vectors: number) => void): void {
    const part = this.parts.get(axis);
    const unit = part === undefined ? multipleOf(this.extent(axis)) : unitOf(this.extent(axis), part.unit ?? 1);
    this.lanesBetween(axis, part?.from ?? 0, part?.to ?? this.end(axis), count, body, unit);
  }

  /** `unit`: of which start and end are multiples. */
  lanesBetween(
    axis: string,
    start: number | { readonly local: number },
    end: number | { readonly local: number },
    count: number,
    body: (vectors: number) => void,
    unit = 1,
  ): void {
    const { x, fn } = this;
    const run = (
      from: number | { readonly local: number },
      to: number | { readonly local: number },
      step: number,
      vectors: number,
    ): void =>
      fn.for(from, to, step, (variable) => {
        x.bind(axis, variable, true);
        x.lane = vectors > 0 ? axis : null;
        body(vectors);
        x.lane = null;
        x.unbind(axis);
      });
    const downTo = (step: number): number | { local: number } => this.downTo(start, end, step);
    if (unit % (4 * count) === 0) return run(start, end, 4 * count, count);
    let from: number | { readonly local: number } = start;
    if (count > 1) {
      const main = downTo(4 * count);
      if (main !== 0) run(start, main, 4 * count, count);
      from = main;
    }
    if (unit % 4 === 0) return run(from, end, 4, 1);
    const vectors = downTo(4);
    if (!(typeof vectors === 'number' && vectors === from)) run(from, vectors, 4, 1);
    if (!(typeof end === 'number' && end === vectors)) run(vectors, end, 1, 0);
  }

  /** The end of the whole steps, a power of two each, between two ends. */
  private downTo(
    start: number | { readonly local: number },
    end: number | { readonly local: number },
    step: number,
  ): number | { local: number } {
    const { fn } = this;
    if (typeof end === 'number' && start === 0) return end - (end % step);
    if (typeof end === 'number') fn.code.i32(end);
    else fn.code.get(end.local);
    if (start !== 0) {
      if (typeof start === 'number') fn.code.i32(start);
      else fn.code.get(start.local);
      fn.code.op('i32.sub');
    }
    fn.code.i32(-step);
    fn.code.op('i32.and');
    if (start !== 0) {
      if (typeof start === 'number') fn.code.i32(start);
      else fn.code.get(start.local);
      fn.code.op('i32.add');
    }
    return { local: fn.hold('i32') };
  }

  leaf(leaf: WasmLeaf, wideRows: boolean): void {
    const stage = this.stages.get(leaf.stage)!;
    if (leaf.kind === 'product') {
      // A few rows only are not worth packing the columns.
      const rows = this.rowsOf(leaf);
      if (asConst(rows) !== null) return emitProduct(this, leaf, stage, this.context);
      this.x.push(this.x.index(rows));
      this.fn.code.i32(leaf.few.below);
      this.fn.code.op('i32.lt_s');
      this.fn.if(
        () => this.few(leaf),
        () => emitProduct(this, leaf, stage, this.context),
      );
      return;
    }
    if (leaf.kind === 'dots') return emitDots(this, leaf, stage, this.context);
    const parts = partsOf(stage);
    const nest = (k: number, wide: boolean, points: readonly Shift[]): void => {
      const axis = leaf.free[k];
      if (axis === undefined) return this.points(stage, parts, leaf, wide, points);
      if (k + 1 === leaf.free.length && leaf.points !== undefined)
        this.together(axis, leaf.points, (shifts) => nest(k + 1, wide, shifts));
      else if (axis === leaf.vector)
        this.lanes(axis, leaf.count, (vectors) =>
          nest(
            k + 1,
            vectors > 0,
            vectors <= 1 ? [NO_SHIFT] : Array.from({ length: vectors }, (_, v): Shift => new Map([[axis, 4 * v]])),
          ),
        );
      else this.loop(axis, () => nest(k + 1, wide, points));
    };
    nest(0, wideRows, [NO_SHIFT]);
  }

  /**
   * The loop over an axis in `count` equal parts, a point of each part a round, and then what is left: so many streams through memory, each without an end that
   * the processor would have to find the continuation of.
   */
  private together(axis: string, count: number, body: (points: readonly Shift[]) => void): void {
    const { x, fn } = this;
    const extent = asConst(this.extent(axis))!;
    const each = Math.floor(extent / count);
    const shared = this.parts.get(axis);
    const run = (from: End, to: End, points: readonly Shift[]): void =>
      fn.for(from, to, 1, (variable) => {
        x.bind(axis, variable, true);
        this.beside = axis;
        body(points);
        this.beside = null;
        x.unbind(axis);
      });
    let own: { readonly from: End; readonly to: End } = { from: 0, to: each };
    if (shared !== undefined) {
      fn.code.i32(each);
      own = this.part(fn.hold('i32'), 1);
    }
    run(
      own.from,
      own.to,
      Array.from({ length: count }, (_, k): Shift => new Map([[axis, k * each]])),
    );
    if (each * count === extent) return;
    const rest = (): void => run(each * count, extent, [NO_SHIFT]);
    if (shared === undefined) return rest();
    fn.code.get(PARAMETERS.thread);
    fn.code.op('i32.eqz');
    fn.if(rest);
  }

  /**
   * Few rows: threads share the loop's own axis if the product's panels are shared, and the first does it all where there is none. Where the parts are
   * runs of so many points (align.ts), they are the same points here.
   */
  private few(leaf: Extract<WasmLeaf, { kind: 'product' }>): void {
    const { fn } = this;
    if (this.panels === null) return this.leaf(leaf.few.leaf, false);
    if (this.panels.by !== undefined) {
      const [outer, ...inner] = leaf[this.panels.side].axes;
      const each = inner.reduce((n, a) => n * asConst(this.extent(a))!, 1);
      this.parts.set(outer!, this.part(this.x.inLocal(this.x.index(this.extent(outer!))), this.panels.by / each));
      this.leaf(leaf.few.leaf, false);
      this.parts.delete(outer!);
      return;
    }
    const axis = leaf.few.leaf.free.find((a) => leaf.columns.axes.includes(a));
    if (axis === undefined) {
      fn.code.get(PARAMETERS.thread);
      fn.code.op('i32.eqz');
      return fn.if(() => this.leaf(leaf.few.leaf, false));
    }
    const by = axis === leaf.few.leaf.vector ? 4 * leaf.few.leaf.count : 1;
    this.parts.set(axis, this.part(this.x.inLocal(this.x.index(this.extent(axis))), by));
    this.leaf(leaf.few.leaf, false);
    this.parts.delete(axis);
  }

  // ------------------------------------------------------------------------------------------------------------------------------ points

  private valueOf(
    name: string,
    wide: boolean,
    steady: boolean,
    locals: ReadonlyMap<Shift, number>,
    lane: string | null,
  ): void {
    const { x } = this;
    const keyOf = (shift: Shift): string => `${shift.get(lane ?? '') ?? 0},${shift.get(this.beside ?? '') ?? 0}`;
    const byText = new Map([...locals].map(([shift, local]) => [keyOf(shift), local]));
    const first = [...locals.values()][0]!;
    x.values.set(name, {
      depth: this.fn.scope.depth,
      wide,
      steady,
      local: (shift) => byText.get(keyOf(shift)) ?? first,
    });
  }

  /** Everything at these points of the free axes. */
  points(stage: Stage, parts: Parts, leaf: Loops, wide: boolean, points: readonly Shift[]): void {
    const { x, fn } = this;
    const lane = wide ? x.lane : null;
    const tile = points.length > 1 ? this.tileAxes(lane) : [];
    const define = (name: string): void => {
      const def = stage.defs.get(name)!;
      x.begin([def.value], tile);
      const type = typeOf(def.value.dtype, wide);
      const locals = new Map(
        points.map((p) => {
          x.emit(def.value, wide, p);
          return [p, fn.hold(type)] as const;
        }),
      );
      this.valueOf(name, wide, true, locals, lane);
    };
    for (const name of parts.before) define(name);
    if (parts.reduced.length > 0 || stage.each.length > 0 || (stage.over.length > 0 && parts.inside.length > 0))
      this.reduction(stage, parts, leaf, wide, points, lane);
    for (const name of parts.after) define(name);
    x.begin(rootsOf(stage.writes), tile);
    this.writer.write(stage.writes, wide, points);
  }

  private tileAxes(lane: string | null): string[] {
    return [lane, this.beside].filter((a) => a !== null);
  }

  private reduction(
    stage: Stage,
    parts: Parts,
    leaf: Loops,
    wide: boolean,
    points: readonly Shift[],
    lane: string | null,
  ): void {
    const { x, fn } = this;
    const across_ = leaf.vector !== null && leaf.over.includes(leaf.vector);
    const defs = parts.reduced.map((name) => ({ name, def: stage.defs.get(name)! as Exclude<Def, { op: null }> }));
    // Accumulators: one a point; with lanes along a reduced axis also partial vectors.
    const sums = new Map<string, Map<Shift, number>>();
    const best = new Map<string, Map<Shift, number>>();
    const partial = new Map<string, Map<Shift, number[]>>();
    for (const { name, def } of defs) {
      const own = new Map<Shift, number>();
      if (def.op !== 'argmax' && def.init !== null) x.begin([def.init]);
      for (const p of points) {
        if (def.op === 'argmax') {
          const top = new Map(best.get(name) ?? []);
          if (wide) fn.code.v128([-8388608, -8388608, -8388608, -8388608]);
          else fn.code.f32(-Infinity);
          if (def.value.dtype === 'i32') {
            fn.code.op('drop');
            identity('max', 'i32', wide, fn);
          }
          top.set(p, fn.hold(typeOf(def.value.dtype, wide)));
          best.set(name, top);
          if (wide) fn.code.v128([0, 0, 0, 0]);
          else fn.code.i32(0);
          own.set(p, fn.hold(typeOf('i32', wide)));
          continue;
        }
        if (def.init === null) identity(def.op, def.value.dtype, wide, fn);
        else x.emit(def.init, wide, p);
        own.set(p, fn.hold(typeOf(def.value.dtype, wide)));
      }
      sums.set(name, own);
      if (across_ && def.op !== 'argmax') {
        const { op } = def;
        const vectors = (): number[] =>
          Array.from({ length: leaf.count }, () => {
            identity(op, def.value.dtype, true, fn);
            return fn.hold('v128');
          });
        partial.set(name, new Map(points.map((p) => [p, vectors()])));
      }
    }
    const round = (
      wideRound: boolean,
      steps: readonly Shift[],
      into: (name: string, p: Shift, k: number) => number,
    ): void => this.round(stage, parts, defs, wideRound, points, steps, into, best, wideRound ? x.lane : null);
    const nest = (k: number): void => {
      const axis = leaf.over[k];
      if (axis === undefined) return round(wide, [NO_SHIFT], (name, p) => sums.get(name)!.get(p)!);
      if (across_ && axis === leaf.vector)
        return this.lanes(axis, leaf.count, (vectors) => {
          if (vectors === 0) return round(false, [NO_SHIFT], (name, p) => sums.get(name)!.get(p)!);
          const steps = Array.from({ length: vectors }, (_, v): Shift =>
            v === 0 ? NO_SHIFT : new Map([[axis, 4 * v]]),
          );
          round(true, steps, (name, p, v) => partial.get(name)!.get(p)![v]!);
        });
      this.loop(axis, () => nest(k + 1), stage.order === 'backward');
    };
    nest(0);
    for (const { name, def } of defs) {
      for (const p of points) {
        const all = partial.get(name)?.get(p);
        if (all === undefined || def.op === 'argmax') continue;
        const total = sums.get(name)!.get(p)!;
        fn.code.get(total);
        // Pairwise, so that the order is the same whatever their number.
        let level = all;
        while (level.length > 1) {
          const next: number[] = [];
          for (let k = 0; k < level.length; k += 2) {
            if (level[k + 1] === undefined) next.push(level[k]!);
            else {
              fn.code.get(level[k]!);
              fn.code.get(level[k + 1]!);
              combine(def.op, def.value.dtype, true, fn);
              next.push(fn.hold('v128'));
            }
          }
          level = next;
        }
        fn.code.get(level[0]!);
        across(def.op, def.value.dtype, fn);
        combine(def.op, def.value.dtype, false, fn);
        fn.code.set(total);
      }
      this.valueOf(name, wide, true, sums.get(name)!, lane);
    }
    for (const name of parts.inside) x.values.delete(name);
  }

  /** One round of the reduced axes: all points, and all vectors along a reduced axis (`steps`). */
  private round(
    stage: Stage,
    parts: Parts,
    defs: readonly { readonly name: string; readonly def: Exclude<Def, { op: null }> }[],
    wide: boolean,
    points: readonly Shift[],
    steps: readonly Shift[],
    into: (name: string, p: Shift, k: number) => number,
    best: ReadonlyMap<string, ReadonlyMap<Shift, number>>,
    lane: string | null,
  ): void {
    const { x, fn } = this;
    const all = steps.flatMap((s, k) => points.map((p) => ({ p, k, at: s.size === 0 ? p : new Map([...p, ...s]) })));
    const tile = all.length > 1 ? this.tileAxes(lane) : [];
    const define = (name: string): void => {
      const def = stage.defs.get(name)!;
      x.begin([def.value], tile);
      const locals = new Map<Shift, number>();
      for (const { at } of all) {
        x.emit(def.value, wide, at);
        locals.set(at, fn.hold(typeOf(def.value.dtype, wide)));
      }
      this.valueOf(name, wide, true, locals, lane);
    };
    for (const name of parts.inside) if (!parts.running.has(name)) define(name);
    x.begin([...defs.map(({ def }) => def.value), ...rootsOf(stage.each)], tile);
    for (const { p, k, at } of all) {
      for (const { name, def } of defs) {
        const own = into(name, p, k);
        if (def.op === 'argmax') {
          this.argmax(stage, def.value, own, best.get(name)!.get(p)!, wide, at);
          continue;
        }
        fn.code.get(own);
        x.emit(def.value, wide, at);
        combine(def.op, def.value.dtype, wide, fn);
        fn.code.set(own);
      }
    }
    if (stage.order !== null)
      for (const { name } of defs) {
        const locals = new Map(all.map(({ p, k, at }) => [at, into(name, p, k)]));
        this.valueOf(name, wide, false, locals, lane);
      }
    for (const name of parts.inside) if (parts.running.has(name)) define(name);
    this.writer.write(
      stage.each,
      wide,
      all.map((a) => a.at),
    );
  }

  private argmax(stage: Stage, value: Expr, own: number, top: number, wide: boolean, at: Shift): void {
    const { x, fn } = this;
    const type = typeOf(value.dtype, wide);
    x.emit(value, wide, at);
    const candidate = fn.hold(type);
    fn.code.get(candidate);
    fn.code.get(top);
    fn.code.op(
      type === 'v128' ? (value.dtype === 'i32' ? 'i32x4.gt_s' : 'f32x4.gt') : type === 'i32' ? 'i32.gt_s' : 'f32.gt',
    );
    const better = fn.hold(wide ? 'v128' : 'i32');
    const keep = (fresh: () => void, old: number): void => {
      fresh();
      fn.code.get(old);
      fn.code.get(better);
      fn.code.op(wide ? 'v128.bitselect' : 'select');
      fn.code.set(old);
    };
    keep(() => fn.code.get(candidate), top);
    let position: Poly = num(0);
    for (const axis of stage.over) position = addPoly(mul(position, this.extent(axis)), nameOf(axis));
    keep(() => {
      x.push(x.index(position));
      if (wide) fn.code.op('i32x4.splat');
    }, own);
  }
}
