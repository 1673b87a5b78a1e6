/**
 * Kernels with buffers of the row (attention, forward and backward), by blocks of rows: stage by stage, the products as register tiles over packed
 * panels, everything else row by row over what the products left. What the products' columns are packed from is the same for all blocks, and packed once.
 *
 * A row's own buffers have a line for every row of the block in the workspace; accesses to them become accesses to the line (`withRoom`). Values
 * that a stage leaves for a later one are kept by row beside them. Under spans only a part of an axis is visited: for a block, what any of its rows needs.
 */
import { add, asConst, coefficientOf, evaluate, mul, name, num, sub, substitute, type Poly } from '../../sizes/poly.ts';
import { Copier, ExprTable, walk } from '../../kernel/expr.ts';
import type { Def, Expr, Kernel, Stage, Write } from '../../kernel/types.ts';
import { Levels } from '../../kernel/levels.ts';
import { stageRoots } from '../../kernel/expr.ts';
import { blockProduct, type ProductSide, type WasmLeaf, type WasmSchedule } from '../../schedule/wasm.ts';
import { NO_SHIFT, typeOf } from './expression.ts';
import { PARAMETERS } from './indices.ts';
import { unitOf } from './divisor.ts';
import type { KernelContext, KernelEmitter, Range } from './kernel.ts';
import { Packer } from './pack.ts';
import { Arithmetic, Epilogue } from './product.ts';
import { PANEL } from './tile.ts';

type Block = NonNullable<WasmSchedule['block']>;
type Product = Extract<WasmLeaf, { kind: 'product' }>;

/** First row of the block; elements of a line of a buffer; first place of a part of an axis, how long it is, and a place counted from it. */
const FIRST = '#first';
const LAST = '#last';
const line = (buffer: number): string => `#line${buffer}`;
const LOW = '#low';
const LENGTH = '#length';
const PLACE = '#place';

/** Columns that stay in L1 between the tiles and the rest of a stage. */
const STRIP = 512;
const MARGIN = 64;

const elements = (kernel: Kernel, buffer: number): Poly =>
  kernel.buffers[buffer]!.sizes.reduce((p, s) => mul(p, s), num(1));

/** The kernel with a line of its own buffers for each row of a block. */
export function withRoom(kernel: Kernel, axis: string): Kernel {
  const place = (buffer: number, at: Poly): Poly =>
    kernel.buffers[buffer]!.row ? add(at, mul(sub(name(axis), name(FIRST)), name(line(buffer)))) : at;
  const table = new ExprTable();
  const copier: Copier = new Copier(
    table,
    (p, renamed) => (renamed.size === 0 ? p : substitute(p, renamed)),
    (e) => {
      if (e.kind !== 'read' || !kernel.buffers[e.buffer]!.row) return null;
      const { at, guards, otherwise } = copier.access(e);
      return table.read(e.buffer, e.dtype, place(e.buffer, at), guards, otherwise);
    },
  );
  const write = (w: Write): Write => {
    const { at, guards, dynamic } = copier.access(w);
    return { ...w, at: place(w.buffer, at), guards, dynamic, value: copier.copy(w.value) };
  };
  const def = (d: Def): Def => {
    if (d.op === null || d.op === 'argmax') return { ...d, value: copier.copy(d.value) };
    return { ...d, init: d.init === null ? null : copier.copy(d.init), value: copier.copy(d.value) };
  };
  return {
    ...kernel,
    axes: new Map([...kernel.axes, [PLACE, name(LENGTH)]]),
    stages: kernel.stages.map((s) => ({
      ...s,
      defs: new Map([...s.defs].map(([n, d]) => [n, def(d)])),
      each: s.each.map(write),
      writes: s.writes.map(write),
    })),
  };
}

/** Values that another stage than their own reads: name → dtype. */
function passedOn(kernel: Kernel): Map<string, Def> {
  const found = new Map<string, Def>();
  const maker = new Map(kernel.stages.flatMap((s) => [...s.defs].map(([n, d]) => [n, { s, d }] as const)));
  for (const stage of kernel.stages)
    walk(stageRoots(stage), (e) => {
      if (e.kind !== 'value') return;
      const made = maker.get(e.name);
      if (made !== undefined && made.s !== stage) found.set(e.name, made.d);
    });
  return found;
}

/** The one axis of a product that only a part of is visited. */
const spanned = (kernel: Kernel, axes: readonly string[]): boolean =>
  axes.length === 1 && kernel.spans?.has(axes[0]!) === true;

/** Bytes of workspace, at these sizes or smaller ones. */
export function blockBytes(kernel: Kernel, schedule: WasmSchedule, block: Block, of: (size: string) => number): number {
  const count = (axes: readonly string[]): number => axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of), 1);
  let bytes = 4 * block.by * passedOn(kernel).size + 4 * (PANEL.rows + 1) * STRIP + 4 * MARGIN;
  for (const [k, b] of kernel.buffers.entries())
    if (b.row) bytes += 4 * block.by * (evaluate(elements(kernel, k), of) + 16) + MARGIN;
  let panel = 0;
  for (const leaf of schedule.leaves) {
    if (leaf.kind !== 'product') continue;
    const k = count(leaf.over);
    bytes += 4 * k * (count(leaf.columns.axes) + PANEL.columns) + MARGIN;
    panel = Math.max(panel, 4 * (block.by + PANEL.rows) * k);
  }
  return bytes + panel;
}

interface Packed {
  readonly leaf: Product;
  readonly stage: Stage;
  readonly epilogue: Epilogue;
  /** Locals: where the columns' panels are, length of K, number of columns. */
  readonly at: number;
  readonly length: number;
  readonly columns: number;
}

export class BlockEmitter {
  private readonly emitter: KernelEmitter;
  private readonly kernel: Kernel;
  private readonly schedule: WasmSchedule;
  private readonly block: Block;
  private readonly context: KernelContext;
  private readonly n: Arithmetic;
  private readonly packer: Packer;
  private readonly passed: ReadonlyMap<string, Def>;
  /** Values passed on → where they are kept, by row. */
  private readonly kept = new Map<string, number>();
  private readonly names: string[];
  private panel = 0;
  private strip = 0;

  constructor(emitter: KernelEmitter, schedule: WasmSchedule, block: Block, context: KernelContext) {
    this.emitter = emitter;
    this.kernel = emitter.kernel;
    this.schedule = schedule;
    this.block = block;
    this.context = context;
    this.n = new Arithmetic(emitter.fn);
    this.packer = new Packer(emitter.x);
    this.passed = passedOn(this.kernel);
    this.names = [FIRST, ...[...this.kernel.buffers.keys()].filter((k) => this.kernel.buffers[k]!.row).map(line)];
  }

  emit(): void {
    const { fn, x, parts } = this.emitter;
    const { axis, by } = this.block;
    const products = this.layout();
    const { rows } = this.schedule;
    const own = parts.get(axis);
    const nest = (k: number): void => {
      const outer = rows[k];
      if (outer !== undefined && outer !== axis) return this.emitter.loop(outer, () => nest(k + 1));
      for (const p of products.values()) this.columns(p);
      const from = own?.from ?? 0;
      const to = own?.to ?? { local: x.inLocal(x.index(this.kernel.axes.get(axis)!)) };
      fn.for(from, to, by, (first) => {
        x.bind(FIRST, first, true);
        const height = this.n.least(this.n.constant(by), this.n.do('i32.sub', to.local, first));
        this.rows(products, first, height);
        x.unbind(FIRST);
      });
    };
    nest(0);
  }

  /** Addresses in the workspace; the row's own buffers move there. */
  private layout(): Map<string, Packed> {
    const { x } = this.emitter;
    const { n } = this;
    const { by } = this.block;
    let at = n.do('i32.add', PARAMETERS.workspace, { by: 16 });
    const take = (bytes: number): number => {
      const here = at;
      at = n.do('i32.and', n.do('i32.add', n.do('i32.add', at, bytes), { by: 31 }), { by: -16 });
      return here;
    };
    const size = (p: Poly): number => x.inLocal(x.index(p));
    this.strip = take(n.constant(4 * (PANEL.rows + 1) * STRIP));
    for (const value of this.passed.keys()) this.kept.set(value, take(n.constant(4 * by)));
    for (const [k, b] of this.kernel.buffers.entries()) {
      if (!b.row) continue;
      const length = n.do('i32.and', n.do('i32.add', size(elements(this.kernel, k)), { by: 15 }), { by: -8 });
      x.bind(line(k), length, true);
      x.bases[k] = take(n.do('i32.mul', length, { by: 4 * by }));
    }
    const products = new Map<string, Packed>();
    const count = (axes: readonly string[]): Poly =>
      axes.reduce<Poly>((p, a) => mul(p, this.kernel.axes.get(a)!), num(1));
    let most = n.constant(0);
    for (const old of this.schedule.leaves) {
      if (old.kind !== 'product') continue;
      const stage = this.kernel.stages.find((s) => s.name === old.stage)!;
      const leaf = blockProduct(this.kernel, stage, this.block.axis);
      if (leaf === null) throw new Error(`kernel ${this.kernel.name}: ${stage.name} is no product of its rows`);
      const length = size(count(leaf.over));
      const columns = size(count(leaf.columns.axes));
      const bytes = n.do(
        'i32.mul',
        length,
        n.do('i32.shl', n.do('i32.add', columns, { by: PANEL.columns }), { by: 2 }),
      );
      const epilogue = new Epilogue(this.emitter, leaf, stage, this.context);
      for (const [k, base] of x.bases.entries()) epilogue.inner.x.bases[k] = base;
      products.set(stage.name, { leaf, stage, epilogue, at: take(bytes), length, columns });
      most = n.least(most, length, 'i32.gt_s');
    }
    this.panel = take(n.do('i32.mul', most, { by: 4 * (by + PANEL.rows) }));
    return products;
  }

  /** All columns of a product, for the rows further out that hold now. */
  private columns(p: Packed): void {
    const { n } = this;
    const zero = n.constant(0);
    const panels = n.do('i32.div_u', n.do('i32.add', p.columns, { by: PANEL.columns - 1 }), { by: PANEL.columns });
    this.packer.pack(p.leaf.columns, p.leaf.over, {
      width: PANEL.columns,
      first: zero,
      count: panels,
      to: p.at,
      length: p.length,
      total: p.columns,
    });
  }

  /** The part of an axis that any row of the block needs; from a multiple of the panels' width. */
  private part(axis: string, first: number, height: number): Range {
    const { x } = this.emitter;
    const { n } = this;
    const span = this.kernel.spans!.get(axis)!;
    const last = n.do('i32.sub', n.do('i32.add', first, height), { by: 1 });
    const end = x.inLocal(x.index(this.kernel.axes.get(axis)!));
    x.bind(LAST, last, true);
    /** The least or greatest of a bound over the block's rows; null where that is not at an end. */
    const over = (p: Poly, greatest: boolean): number | null => {
      const linear = coefficientOf(p, this.block.axis);
      const c = linear === null ? null : asConst(linear.coefficient);
      if (c === null) return null;
      const late = c > 0 === greatest;
      return x.inLocal(x.index(substitute(p, new Map([[this.block.axis, name(late ? LAST : FIRST)]]))));
    };
    let from = n.constant(0);
    for (const p of span.from) {
      const bound = over(p, false);
      if (bound !== null) from = n.least(from, bound, 'i32.gt_s');
    }
    let to = end;
    for (const p of span.to) {
      const bound = over(p, true);
      if (bound !== null) to = n.least(to, bound);
    }
    from = n.do('i32.and', from, { by: -PANEL.columns });
    to = n.least(to, from, 'i32.gt_s');
    x.unbind(LAST);
    return { from: { local: from }, to: { local: to } };
  }

  private rows(products: ReadonlyMap<string, Packed>, first: number, height: number): void {
    const { emitter, n } = this;
    const { fn, x } = emitter;
    const { axis } = this.block;
    const parts = new Map<string, Range>();
    for (const spannedAxis of this.kernel.spans?.keys() ?? [])
      parts.set(spannedAxis, this.part(spannedAxis, first, height));
    for (const [k, leaf] of this.schedule.leaves.entries()) {
      const stage = this.kernel.stages[k]!;
      const product = products.get(stage.name);
      if (product !== undefined) {
        this.product(product, parts, first, height);
        continue;
      }
      fn.for(0, { local: height }, 1, (r) => {
        x.bind(axis, n.do('i32.add', first, r), true);
        this.load(stage, r);
        for (const [a, range] of parts) emitter.parts.set(a, range);
        emitter.leaf(leaf, false);
        for (const a of parts.keys()) emitter.parts.delete(a);
        this.keep(stage, r);
        x.unbind(axis);
      });
    }
  }

  private address(value: string, row: number): number {
    return this.n.do('i32.add', this.kept.get(value)!, this.n.do('i32.shl', row, { by: 2 }));
  }

  /** Values that the stage reads and an earlier one left for this row, into locals. */
  private load(stage: Stage, row: number, into: KernelEmitter = this.emitter): void {
    const { fn } = this.emitter;
    const wanted = new Set<string>();
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'value' && this.passed.has(e.name) && !stage.defs.has(e.name)) wanted.add(e.name);
    });
    for (const value of wanted) {
      const type = this.typeOf(value);
      fn.code.get(this.address(value, row));
      fn.code.access(type === 'f32' ? 'f32.load' : 'i32.load');
      const local = fn.hold(type);
      into.x.valueAxes.set(value, []);
      into.x.values.set(value, { depth: fn.scope.depth, wide: false, steady: true, local: () => local });
    }
  }

  private typeOf(value: string): 'f32' | 'i32' {
    const def = this.passed.get(value)!;
    return typeOf(def.op === 'argmax' ? 'i32' : def.value.dtype, false) === 'f32' ? 'f32' : 'i32';
  }

  /** Values that later stages read, out of locals. */
  private keep(stage: Stage, row: number): void {
    const { fn, x } = this.emitter;
    const levels = new Levels(stage);
    for (const [value, def] of stage.defs) {
      if (!this.passed.has(value) || (def.op === null && levels.defs.get(value) === 'inside')) continue;
      const bound = x.values.get(value)!;
      fn.code.get(this.address(value, row));
      fn.code.get(bound.local(NO_SHIFT));
      fn.code.access(this.typeOf(value) === 'f32' ? 'f32.store' : 'i32.store');
    }
  }

  /** An operand that has its reduced axis counted from the start of the part. */
  private shifted(side: ProductSide, axis: string): ProductSide {
    const table = new ExprTable();
    const map = new Map([[axis, add(name(PLACE), name(LOW))]]);
    const copier = new Copier(
      table,
      (p, renamed) => substitute(renamed.size === 0 ? p : substitute(p, renamed), map),
      () => null,
    );
    const value: Expr = copier.copy(side.value);
    return { ...side, value };
  }

  private product(p: Packed, parts: ReadonlyMap<string, Range>, first: number, height: number): void {
    const { emitter, n, kernel } = this;
    const { fn, x } = emitter;
    const { leaf } = p;
    const { rows, columns } = PANEL;
    let side = leaf.rows;
    let { over } = leaf;
    let { length } = p;
    let skipped: number | null = null;
    if (spanned(kernel, over)) {
      const range = parts.get(over[0]!)!;
      const from = (range.from as { readonly local: number }).local;
      length = n.do('i32.sub', range.to.local, from);
      x.bind(LOW, from, true);
      x.bind(LENGTH, length, true);
      skipped = n.do('i32.shl', from, { by: 2 + Math.log2(columns) });
      side = this.shifted(side, over[0]!);
      over = [PLACE];
    }
    const panels = n.do('i32.div_u', n.do('i32.add', height, { by: rows - 1 }), { by: rows });
    const total = x.inLocal(x.index(kernel.axes.get(this.block.axis)!));
    this.packer.pack(side, over, { width: rows, first, count: panels, to: this.panel, length, total });
    const wanted = spanned(kernel, leaf.columns.axes) ? parts.get(leaf.columns.axes[0]!)! : null;
    const end = wanted?.to.local ?? p.columns;
    const panelA = n.do('i32.mul', length, { by: 4 * rows });
    const panelB = n.do('i32.mul', p.length, { by: 4 * columns });
    const pitch = n.constant(4 * STRIP);
    const all = leaf.columns.axes.reduce<Poly>((total, a) => mul(total, kernel.axes.get(a)!), num(1));
    const unit = wanted === null ? unitOf(all, columns) : 1;
    fn.for(wanted?.from ?? 0, { local: end }, STRIP, (jc) => {
      const nc = n.least(n.constant(STRIP), n.do('i32.sub', end, jc));
      const np = n.do('i32.div_u', n.do('i32.add', nc, { by: columns - 1 }), { by: columns });
      let start = n.do('i32.add', p.at, n.do('i32.mul', n.do('i32.div_u', jc, { by: columns }), panelB));
      if (skipped !== null) start = n.do('i32.add', start, skipped);
      fn.for(0, { local: panels }, 1, (ip) => {
        const a = n.do('i32.add', this.panel, n.do('i32.mul', ip, panelA));
        const row = n.do('i32.mul', ip, { by: rows });
        const here = n.least(n.constant(rows), n.do('i32.sub', height, row));
        for (const local of [a, start, length, this.strip, pitch]) fn.code.get(local);
        fn.code.i32(4 * rows);
        for (const local of [here, np, panelB]) fn.code.get(local);
        fn.code.call(this.context.tiles());
        p.epilogue.emit(
          { first: n.do('i32.add', first, row), height: here, jc, nc, strip: this.strip, pitch, unit },
          this.names,
          (r) => this.load(p.stage, n.do('i32.add', row, r), p.epilogue.inner),
        );
      });
    });
    if (skipped !== null) {
      x.unbind(LOW);
      x.unbind(LENGTH);
    }
  }
}
