/**
 * Points of a streamed kernel: the rows and columns of a block that a thread has, by what names their values go, and what is read from memory once for a row or a column.
 * All is written out: what is indexed by a loop may not stay in registers.
 */
import { names, type Poly } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import type { Expr, Stage } from '../../kernel/types.ts';
import { divides } from '../../schedule/wgsl-product.ts';
import type { WgslStream } from '../../schedule/wgsl-stream.ts';
import type { PassEmitter } from './kernel.ts';
import { Quotients } from './quotients.ts';
import { registerType } from './scalar.ts';

export class StreamPoints {
  protected readonly emitter: PassEmitter;
  protected readonly pass: WgslStream;
  protected readonly entry: string;
  /** Rows and columns of a block that a thread has: fours of neighbours. */
  protected readonly own: number;
  protected readonly wide: number;
  /** Values of rows that are finished: variables of these names and `_` and each of the thread's rows. All is written out: nothing that is indexed stays in registers. */
  protected readonly rowValues = new Map<string, string>();
  /** What is read from memory once a row: such variables. */
  protected readonly rowReads = new Map<Expr, string>();
  /** What is read from memory once a column: such variables, for each of the thread's columns of the block. */
  protected readonly columnReads = new Map<Expr, string>();
  protected readonly quotients: Quotients;
  /** Buffers of the row: such variables for each of the thread's points. */
  protected readonly points = new Map<number, string>();
  protected readonly exactColumns: boolean;
  protected readonly extent: { readonly rows: Poly; readonly columns: Poly };

  constructor(emitter: PassEmitter, pass: WgslStream, entry: string) {
    this.emitter = emitter;
    this.pass = pass;
    this.entry = entry;
    this.own = pass.tile[0] / pass.threads[0];
    this.wide = pass.tile[1] / pass.threads[1];
    if (this.own % 4 !== 0 || this.wide % 4 !== 0) throw new Error('a thread has fours of rows and columns');
    this.extent = { rows: emitter.extent(pass.block), columns: emitter.extent(pass.wide) };
    this.exactColumns = divides(this.extent.columns, pass.tile[1]);
    this.quotients = new Quotients((e) => this.isRead(e, [pass.block]) || this.isRead(e, [pass.wide]));
  }

  /** How far row `i` of a thread is from its block's first, and column `c`. */
  protected rowAt(i: number): string {
    return `down * 4 + ${(i >> 2) * this.pass.threads[0] * 4 + (i & 3)}`;
  }

  protected columnAt(c: number): string {
    return `across * 4 + ${(c >> 2) * this.pass.threads[1] * 4 + (c & 3)}`;
  }

  /** What depends on the row alone is read before the loops. */
  protected readRows(): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const found = new Set<Expr>();
    for (const { stage, kind } of pass.stages) {
      const own = this.stage(stage);
      const left = kind === 'scores' || kind === 'result' ? [] : [...own.defs.values()].map((d) => d.value);
      const plain = [...own.defs.values()].filter((d) => d.op === null).map((d) => d.value);
      walk([...left, ...plain, ...[...own.each, ...own.writes].map((w) => w.value)], (e) => {
        if (this.isRead(this.quotients.of(e) ?? e, [pass.block])) found.add(e);
      });
    }
    for (const e of found) {
      const own = this.ofRows('of_row', registerType(e.dtype));
      this.eachRow((i) => {
        x.begin([e]);
        x.line(`${own}_${i} = ${x.expr(e)};`);
      });
      this.rowReads.set(e, own);
    }
    // A result of the row may lie in the memory of what was read here: all of the workgroup have it before one writes.
    if (x.rewrites) x.line('storageBarrier(); workgroupBarrier();');
  }

  protected stage(name: string): Stage {
    return this.quotients.stage(this.emitter.stage(name));
  }

  /** Whether it is read from memory at a place that these axes and those outside of the block alone tell. */
  protected isRead(e: Expr, axes: readonly string[]): boolean {
    const { kernel } = this.emitter;
    if (e.kind !== 'read' || kernel.buffers[e.buffer]!.row || e.dynamic.length > 0 || e.guards.length > 0) return false;
    return [...names(e.at)].every((s) => axes.includes(s) || this.pass.outer.includes(s) || kernel.sizes.includes(s));
  }

  /** What depends on the column alone is read once for the block. */
  protected readColumns(roots: readonly Expr[]): void {
    const { x } = this.emitter;
    const { wide } = this.pass;
    const found = new Set<Expr>();
    walk(roots, (e) => {
      if (this.columnReads.has(e) || this.rowReads.has(e)) return;
      if (this.isRead(this.quotients.of(e) ?? e, [wide])) found.add(e);
    });
    for (const e of found) {
      const own = x.fresh('of_column');
      for (let c = 0; c < this.wide; c++) x.line(`var ${own}_${c}: ${registerType(e.dtype)};`);
      for (let c = 0; c < this.wide; c++)
        this.point(0, c, () => {
          x.begin([e]);
          x.line(`${own}_${c} = ${x.expr(e)};`);
        });
      this.columnReads.set(e, own);
    }
    x.forget();
  }

  /** Variables for a value of each of the thread's rows. */
  protected ofRows(name: string, type: string, start?: string): string {
    const { x } = this.emitter;
    const own = x.fresh(name);
    for (let i = 0; i < this.own; i++) x.line(`var ${own}_${i}${start === undefined ? `: ${type}` : ` = ${start}`};`);
    return own;
  }

  /** The thread's rows one after the other, with everything named as it is there. */
  protected eachRow(body: (i: number) => void): void {
    const { x } = this.emitter;
    for (let i = 0; i < this.own; i++)
      x.block('', () => {
        x.forget();
        x.line(`let row = min(first + ${this.rowAt(i)}, last);`);
        x.bind(this.pass.block, 'row');
        for (const [value, own] of this.rowValues) x.values.set(value, `${own}_${i}`);
        for (const [e, own] of this.rowReads) x.remember(e, `${own}_${i}`);
        body(i);
      });
    x.forget();
  }

  /** The same over its points: rows `i` and columns `c`. */
  protected eachPoint(body: (i: number, c: number) => void): void {
    this.eachRow((i) => {
      for (let c = 0; c < this.wide; c++) this.point(i, c, () => body(i, c));
    });
  }

  protected point(i: number, c: number, body: () => void): void {
    const { x } = this.emitter;
    x.block('', () => {
      const L = x.poly(this.extent.columns);
      const at = `l0 + ${this.columnAt(c)}`;
      x.line(this.exactColumns ? `let column = ${at};` : `let column = min(${at}, ${L} - 1);`);
      if (!this.exactColumns) x.line(`let inside = ${at} < ${L};`);
      x.bind(this.pass.wide, 'column');
      for (const [buffer, own] of this.points) x.local.set(buffer, `${own}_${i}_${c}`);
      for (const [e, own] of this.columnReads) x.remember(e, `${own}_${c}`);
      body();
    });
  }

  protected define(stage: Stage, value: string): string {
    const { x } = this.emitter;
    const def = stage.defs.get(value)!;
    x.begin([def.value]);
    const own = x.fresh(value);
    x.line(`let ${own} = ${x.expr(def.value)};`);
    x.values.set(value, own);
    return own;
  }

  /** What a stage leaves in buffers of the row at a point. */
  protected keep(writes: Stage['writes'], i: number, c: number): void {
    const { x } = this.emitter;
    x.begin(writes.map((w) => w.value));
    const made = writes.map((w) => [w.buffer, x.expr(w.value)] as const);
    for (const [buffer, text] of made) {
      const own = this.points.get(buffer);
      if (own !== undefined) x.line(`${own}_${i}_${c} = ${text};`);
    }
  }
}
