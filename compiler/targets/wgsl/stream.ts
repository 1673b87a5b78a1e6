/**
 * Kernels with buffers of the row, block by block: scores of a block are a product in registers, what is elementwise stays there, sums along the row are added by every
 * thread for its columns and combined at the end of a phase, and sums over the wide axis take the block through workgroup memory as the left operand of a product.
 *
 * The phases and tiles are the schedule's (schedule/wgsl-stream.ts).
 */
import { asConst, coefficientOf, ceilDiv, mul, names, num, type Poly } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import type { Combine, Expr, Stage } from '../../kernel/types.ts';
import { divides, type TiledProduct } from '../../schedule/wgsl-product.ts';
import type { Riding, Scaled } from '../../schedule/wgsl-online.ts';
import {
  heldDepth,
  resultWidth,
  weightColumns,
  type StreamPhase,
  type StreamProduct,
  type StreamStage,
  type WgslStream,
} from '../../schedule/wgsl-stream.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { PassEmitter } from './kernel.ts';
import { sumOf, type Emitted } from './finish.ts';
import { loadOf, operandLines } from './operand.ts';
import { Quotients } from './quotients.ts';
import { constant, folds, registerType } from './scalar.ts';
import { advance, LANES, stageBoth, Tile, type Loaders, type Staged } from './tile.ts';

type Sums = Map<string, { readonly op: Combine; readonly value: Expr; readonly own: string }>;

type ScoresStage = Extract<StreamStage, { kind: 'scores' }>;
type ResultStage = Extract<StreamStage, { kind: 'result' }>;

/** A maximum that rises, and with it the value that exponentials are taken from, and what is scaled: variables of each of the thread's rows. */
interface Rise {
  readonly by: Scaled;
  readonly shift: string;
  readonly factor: string;
}

export const streamLines = (emitter: PassEmitter, pass: WgslStream, entry: string): Emitted =>
  new Streamer(emitter, pass, entry).lines();

class Streamer {
  private readonly emitter: PassEmitter;
  private readonly pass: WgslStream;
  private readonly entry: string;
  /** Rows and columns of a block that a thread has: fours of neighbours. */
  private readonly own: number;
  private readonly wide: number;
  /** Values of rows that are finished: variables of these names and `_` and each of the thread's rows. All is written out: nothing that is indexed stays in registers. */
  private readonly rowValues = new Map<string, string>();
  /** What is read from memory once a row: such variables. */
  private readonly rowReads = new Map<Expr, string>();
  /** What is read from memory once a column: such variables, for each of the thread's columns of the block. */
  private readonly columnReads = new Map<Expr, string>();
  private readonly quotients: Quotients;
  /** What results will need, on its way. */
  private readonly ahead = new Map<number, { readonly tile: Tile; readonly staged: Staged }>();
  /** Buffers of the row: such variables for each of the thread's points. */
  private readonly points = new Map<number, string>();
  private readonly exactColumns: boolean;
  private readonly extent: { readonly rows: Poly; readonly columns: Poly };

  constructor(emitter: PassEmitter, pass: WgslStream, entry: string) {
    this.emitter = emitter;
    this.pass = pass;
    this.entry = entry;
    this.own = pass.tile[0] / pass.threads[0];
    this.wide = pass.tile[1] / pass.threads[1];
    if (this.own % 4 !== 0 || this.wide % 4 !== 0) throw new Error('a thread has fours of rows and columns');
    this.extent = { rows: emitter.extent(pass.block), columns: emitter.extent(pass.wide) };
    this.exactColumns = divides(this.extent.columns, pass.tile[1] * pass.teams);
    this.quotients = new Quotients((e) => this.isRead(e, [pass.block]) || this.isRead(e, [pass.wide]));
  }

  lines(): Emitted {
    const { emitter, pass, entry } = this;
    const { x } = emitter;
    const [rows, columns] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const operands = pass.stages.flatMap((s, k) => this.operandFunctions(s, k));
    const count = emitter.points(pass.outer);
    const [K, L] = [x.poly(this.extent.rows), x.poly(this.extent.columns)];
    const blocks = ceilDiv(this.extent.rows, num(rows));
    x.line(`let blocks = ${x.poly(blocks)};`);
    this.begin(x.poly(count));
    x.line(`let first = rowBlock * ${rows};`);
    x.line(`let last = min(first + ${rows}, ${K}) - 1;`);
    // Neighbours in number are neighbours down: they write weights, and read their rows', in different banks of the memory.
    if (pass.teams > 1) {
      x.line(`let team = i32(thread) / ${threadRows * threadColumns};`);
      x.line(`let member = thread % ${threadRows * threadColumns}u;`);
    }
    x.line(`let down = i32(${this.member}) % ${threadRows};`);
    x.line(`let across = i32(${this.member}) / ${threadRows};`);
    emitter.split(pass.outer, 'batch');
    this.range(L, columns * pass.teams);
    this.readRows();
    x.quick = true;
    this.hold();
    for (const phase of pass.phases) this.phase(phase);
    x.quick = false;
    // At the end: a result may lie in the memory of an operand that a later phase still reads.
    for (const [k, s] of pass.stages.entries()) if (s.kind === 'result') this.finishResult(s, k, this.stage(s.stage));
    const main = emitter.entry(entry, threadRows * threadColumns * pass.teams, x.take());
    return { lines: [...operands, ...main], pass: { entry, count: mul(count, blocks), per: 1 } };
  }

  /** Which rows a workgroup has: those that take longest first, and then, from half of them on, the shortest, which run beside those that are left. */
  private begin(count: string): void {
    const { x } = this.emitter;
    const { longest } = this.pass;
    x.line('var number = i32(group.y * groups.x + group.x);');
    x.line(`let behind = ${count} * blocks;`);
    x.line(`if (number >= behind) { return; }`);
    if (longest === null) {
      x.line('let batch = number / blocks;');
      x.line('let rowBlock = number % blocks;');
      return;
    }
    x.line('if (number >= behind / 2) { number = behind + behind / 2 - (number + 1); }');
    x.line(`let batch = number % ${count};`);
    x.line(`let rank = number / ${count};`);
    x.line(`let rowBlock = ${longest === 'first' ? 'rank' : 'blocks - (rank + 1)'};`);
  }

  // ------------------------------------------------------------------------------------------------------------------------------ operands

  private asTiled(stage: string, p: StreamProduct): TiledProduct {
    const { outer, tile, threads } = this.pass;
    return {
      kind: 'product',
      stage,
      batch: outer,
      rows: p.left,
      columns: p.right,
      over: p.over,
      load: p.load,
      tile,
      threads,
      patch: threads,
      split: 1,
      fours: false,
    };
  }

  private operandFunctions(s: StreamStage, k: number): string[] {
    if (s.kind !== 'scores' && s.kind !== 'result') return [];
    const { emitter, entry, pass } = this;
    const tiled = this.asTiled(s.stage, s.product);
    const depth = divides(emitter.points(s.product.over), s.kind === 'scores' ? pass.tile[2] : pass.summed);
    const right = (own: boolean): string[] =>
      operandLines(emitter, tiled, 'columns', `${entry}right${k}`, { own, depth });
    if (s.kind === 'result') return right(false);
    return [
      ...operandLines(emitter, tiled, 'rows', `${entry}left${k}`, {
        own: divides(this.extent.rows, pass.tile[0]),
        depth,
      }),
      ...right(this.exactColumns),
    ];
  }

  /** How far row `i` of a thread is from its block's first, and column `c`. */
  private rowAt(i: number): string {
    return `down * 4 + ${(i >> 2) * this.pass.threads[0] * 4 + (i & 3)}`;
  }

  private columnAt(c: number): string {
    return `across * 4 + ${(c >> 2) * this.pass.threads[1] * 4 + (c & 3)}`;
  }

  // -------------------------------------------------------------------------------------------------------------------------------- phases

  /** Which columns a block of rows needs, in whole blocks. */
  private range(L: string, columns: number): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const span = emitter.kernel.spans?.get(pass.wide);
    const ends = (list: readonly Poly[]): [string, string][] =>
      list.flatMap((p) => {
        const linear = coefficientOf(p, pass.block);
        if (linear === null || asConst(linear.coefficient) === null || names(linear.rest).has(pass.block)) return [];
        return [
          ['first', 'last'].map((at) => {
            x.bind(pass.block, at);
            return x.poly(p);
          }) as [string, string],
        ];
      });
    const low = ends(span?.from ?? []).map(([a, b]) => (a === b ? a : `min(${a}, ${b})`));
    const high = ends(span?.to ?? []).map(([a, b]) => (a === b ? a : `max(${a}, ${b})`));
    x.line(`let low = ${low.reduce((a, b) => `max(${a}, ${b})`, '0')} / ${columns} * ${columns};`);
    x.line(`let high = ${high.reduce((a, b) => `min(${a}, ${b})`, L)};`);
  }

  /** What depends on the row alone is read before the loops. */
  private readRows(): void {
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

  private stage(name: string): Stage {
    return this.quotients.stage(this.emitter.stage(name));
  }

  /** Whether it is read from memory at a place that these axes and those outside of the block alone tell. */
  private isRead(e: Expr, axes: readonly string[]): boolean {
    const { kernel } = this.emitter;
    if (e.kind !== 'read' || kernel.buffers[e.buffer]!.row || e.dynamic.length > 0 || e.guards.length > 0) return false;
    return [...names(e.at)].every((s) => axes.includes(s) || this.pass.outer.includes(s) || kernel.sizes.includes(s));
  }

  /** What depends on the column alone is read once for the block. */
  private readColumns(roots: readonly Expr[]): void {
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
  private ofRows(name: string, type: string, start?: string): string {
    const { x } = this.emitter;
    const own = x.fresh(name);
    for (let i = 0; i < this.own; i++) x.line(`var ${own}_${i}${start === undefined ? `: ${type}` : ` = ${start}`};`);
    return own;
  }

  /** The thread's rows one after the other, with everything named as it is there. */
  private eachRow(body: (i: number) => void): void {
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
  private eachPoint(body: (i: number, c: number) => void): void {
    this.eachRow((i) => {
      for (let c = 0; c < this.wide; c++) this.point(i, c, () => body(i, c));
    });
  }

  private point(i: number, c: number, body: () => void): void {
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

  private define(stage: Stage, value: string): string {
    const { x } = this.emitter;
    const def = stage.defs.get(value)!;
    x.begin([def.value]);
    const own = x.fresh(value);
    x.line(`let ${own} = ${x.expr(def.value)};`);
    x.values.set(value, own);
    return own;
  }

  /** What a stage leaves in buffers of the row at a point. */
  private keep(writes: Stage['writes'], i: number, c: number): void {
    const { x } = this.emitter;
    x.begin(writes.map((w) => w.value));
    const made = writes.map((w) => [w.buffer, x.expr(w.value)] as const);
    for (const [buffer, text] of made) {
      const own = this.points.get(buffer);
      if (own !== undefined) x.line(`${own}_${i}_${c} = ${text};`);
    }
  }

  private phase({ computed, finished, scaled, riding }: StreamPhase): void {
    const { emitter, pass } = this;
    const { x, kernel } = emitter;
    const sums = new Map<number, Sums>();
    for (const k of finished) {
      const { stage, kind } = pass.stages[k]!;
      if (kind === 'result') this.startResult(k);
      else sums.set(k, this.startSums(this.stage(stage)));
    }
    // Where a result is scaled with a maximum, all threads of a row have the same; where only sums are, each has its columns' alone until the end.
    const common = new Map<number, Rise>();
    for (const by of riding.values())
      if (!common.has(by.greatest)) {
        const own = { by, shift: this.ofRows('shift', 'f32', '0.0f'), factor: this.ofRows('factor', 'f32') };
        common.set(by.greatest, own);
      }
    const alone = [...scaled].filter(([, by]) => !common.has(by.greatest));
    const shifts = new Map(alone.map(([k]) => [k, this.ofRows('shift', 'f32', '0.0f')]));
    const rising = new Set(alone.map(([, by]) => by.greatest));
    this.points.clear();
    for (const k of computed) {
      const stage = this.stage(pass.stages[k]!.stage);
      for (const { buffer } of [...stage.each, ...stage.writes]) {
        const { row, name, dtype } = kernel.buffers[buffer]!;
        if (row !== true || this.points.has(buffer)) continue;
        const own = x.fresh(name);
        for (let i = 0; i < this.own; i++)
          for (let c = 0; c < this.wide; c++) x.line(`var ${own}_${i}_${c}: ${registerType(dtype)};`);
        this.points.set(buffer, own);
      }
    }
    const { teams } = pass;
    const [begin, step] = [teams > 1 ? 'l1' : 'l0', pass.tile[1] * teams];
    x.block(`for (var ${begin} = low; ${begin} < high; ${begin} += ${step})`, () => {
      if (teams > 1) x.line(`let l0 = l1 + team * ${pass.tile[1]};`);
      this.columnReads.clear();
      for (const k of computed) {
        const s = pass.stages[k]!;
        const stage = this.stage(s.stage);
        const left = s.kind === 'scores' || s.kind === 'each' ? stage.writes : [];
        this.readColumns([...stage.defs.values(), ...stage.each, ...left].map((d) => d.value));
        if (s.kind === 'scores') {
          this.scores(s, k, stage);
          this.bringAhead(computed, k);
        } else if (s.kind === 'each') this.eachStage(stage);
        else if (s.kind === 'reduce') {
          const by = scaled.get(k);
          const rise = common.get(k) ?? (by && common.get(by.greatest));
          if (by !== undefined && rise !== undefined) this.riseSums(sums.get(k)!, rise);
          if (common.has(k)) this.rise(stage, sums.get(k)!, rise!);
          else if (by !== undefined && rise === undefined)
            this.scaledRow(stage, sums.get(k)!, by, sums.get(by.greatest)!, shifts.get(k)!);
          else if (!rising.has(k)) this.alongRow(stage, sums.get(k) ?? null);
        } else {
          const by = riding.get(k);
          this.addResult(s, k, by === undefined ? null : { by, rise: common.get(by.greatest)! });
        }
      }
    });
    this.points.clear();
    x.local.clear();
    this.columnReads.clear();
    for (const { by } of common.values()) this.rowValues.delete(by.value);
    for (const k of finished) {
      const s = pass.stages[k]!;
      if (s.kind !== 'reduce') continue;
      const by = scaled.get(k);
      const rise = by && common.get(by.greatest);
      if (rise !== undefined && teams > 1) {
        this.meet(rise);
        this.riseSums(sums.get(k)!, rise);
      }
      if (by !== undefined && rise === undefined)
        for (let i = 0; i < this.own; i++)
          this.scale(sums.get(k)!, i, `${shifts.get(k)!}_${i} - ${this.rowValues.get(by.value)!}_${i}`);
      this.finishSums(this.stage(s.stage), sums.get(k)!);
    }
    if (teams > 1)
      for (const k of finished) {
        if (pass.stages[k]!.kind !== 'result') continue;
        const rise = common.get(riding.get(k)?.greatest ?? -1);
        if (rise !== undefined) {
          this.meet(rise);
          this.riseResult(k, rise);
        }
        this.gather(k);
      }
  }

  // -------------------------------------------------------------------------------------------------------------------------------- stages

  /** Vectors of four that add up products, in registers. */
  private accumulators(name: string, groups: number): void {
    const { x } = this.emitter;
    for (let i = 0; i < this.own; i++) for (let g = 0; g < groups; g++) x.line(`var ${name}_${i}_${g} = vec4<f32>();`);
  }

  /** Four steps of a product, from registers `a` and `b`. */
  private multiply(name: string, groups: number): void {
    const { x } = this.emitter;
    for (let s = 0; s < 4; s++)
      for (let g = 0; g < groups; g++)
        for (let i = 0; i < this.own; i++)
          x.line(`${name}_${i}_${g} += a${s}_${i >> 2}.${LANES[i & 3]!} * b${s}_${g};`);
  }

  /** The rows' operand of scores: in slabs as deep as the others', or all of it, where it stays as long as the rows do. */
  private leftTile({ product: { load, left, over } }: ScoresStage, k: number): Tile {
    const { emitter, pass } = this;
    const [rows, , depth] = pass.tile;
    const own = loadOf(emitter, left, load.rows);
    const whole = heldDepth(emitter.kernel, over, pass.tile[2]);
    if (pass.held && whole !== null) return new Tile(emitter, `held${k}`, own, [rows, whole], pass.threads[0], false);
    // The weights of a block are kept in the same memory, when its scores are known.
    const room = Math.max(weightColumns(pass), depth);
    return new Tile(emitter, 'left', own, [rows, depth], pass.threads[0], false, room, false, pass.teams);
  }

  /** Operands of rows that stay. */
  private hold(): void {
    const { emitter, pass, entry } = this;
    const { x } = emitter;
    for (const [k, s] of pass.stages.entries()) {
      if (s.kind !== 'scores' || !pass.held || heldDepth(emitter.kernel, s.product.over, pass.tile[2]) === null)
        continue;
      x.block('', () => {
        const all = pass.threads[0] * pass.threads[1] * pass.teams;
        const by = { first: 0, count: all, all, across: true };
        const staged = this.leftTile(s, k).stage(x, `${entry}left${k}`, by, 'first', '0');
        for (const line of staged.store) x.line(line);
      });
    }
  }

  private loaders(across: boolean): Loaders {
    const threads = this.pass.threads[0] * this.pass.threads[1];
    return { first: 0, count: threads, all: threads, across, name: this.member };
  }

  private scores(s: ScoresStage, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [, columns, depth] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const { load, over, right } = s.product;
    const isHeld = pass.held && heldDepth(emitter.kernel, over, pass.tile[2]) !== null;
    const a = this.leftTile(s, k);
    const b = new Tile(
      emitter,
      'right',
      loadOf(emitter, right, load.columns),
      [columns, depth],
      threadColumns,
      false,
      depth,
      false,
      pass.teams,
    );
    const groups = this.wide / 4;
    this.accumulators(`scores${k}`, groups);
    x.block('', () => {
      const end = x.poly(emitter.points(over));
      const { entry } = this;
      const [l, r] = [`${entry}left${k}`, `${entry}right${k}`];
      const staged = isHeld
        ? [b.stage(x, r, this.loaders(true), 'l0', '0')]
        : stageBoth(x, threadRows * threadColumns, [a, l, 'first'], [b, r, 'l0'], '0', {
            across: true,
            name: this.member,
          });
      x.block(`for (var k0 = 0; k0 < ${end}; k0 += ${depth})`, () => {
        advance(x, staged, 'k0', depth, end);
        x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
          for (const line of [...a.read('a', 'down', isHeld ? 'k0 / 4 + q' : 'q'), ...b.read('b', 'across')])
            x.line(line);
          this.multiply(`scores${k}`, groups);
        });
        x.line('workgroupBarrier();');
      });
    });
    const { before, after } = partsOf(stage);
    this.eachPoint((i, c) => {
      for (const value of before) this.define(stage, value);
      x.values.set(sumOf(stage), `scores${k}_${i}_${c >> 2}.${LANES[c & 3]!}`);
      for (const value of after) this.define(stage, value);
      this.keep(stage.writes, i, c);
    });
  }

  private eachStage(stage: Stage): void {
    this.eachPoint((i, c) => {
      for (const value of stage.defs.keys()) this.define(stage, value);
      this.keep([...stage.each, ...stage.writes], i, c);
    });
  }

  private startSums(stage: Stage): Sums {
    const { x } = this.emitter;
    const made: Sums = new Map();
    for (const value of partsOf(stage).reduced) {
      const def = stage.defs.get(value)!;
      if (def.op === null || def.op === 'argmax') continue;
      const least = constant(folds[def.op].identity(def.value.dtype), def.value.dtype, x.use);
      const own = this.ofRows(`${value}_rows`, registerType(def.value.dtype), least);
      made.set(value, { op: def.op, value: def.value, own });
    }
    return made;
  }

  /** A round of a row's sums; where they are finished already, only what the stage leaves at a point. */
  private alongRow(stage: Stage, sums: Sums | null): void {
    const { x } = this.emitter;
    const { before, inside } = partsOf(stage);
    this.eachPoint((i, c) => {
      if (sums !== null) for (const value of before) this.define(stage, value);
      for (const value of inside) this.define(stage, value);
      for (const { op, value, own } of sums?.values() ?? []) {
        x.begin([value]);
        const sum = `${own}_${i}`;
        const next = folds[op].take(sum, x.expr(value), value.dtype, x.use);
        x.line(`${sum} = ${this.exactColumns ? next : `select(${sum}, ${next}, inside)`};`);
      }
      this.keep(stage.each, i, c);
      for (const value of inside) x.values.delete(value);
    });
  }

  /** Sums so far are of exponentials of distances from another value than from now on. There may be none, and then they may be far apart. */
  private scale(sums: Sums, i: number, distance: string): void {
    for (const { own } of sums.values()) {
      const sum = `${own}_${i}`;
      this.emitter.x.line(`${sum} = select(${sum} * exp(${distance}), 0.0f, ${sum} == 0.0f);`);
    }
  }

  /** The maximum of a row's columns so far, the same for all of its threads, and by how much what was summed is scaled. */
  private rise(stage: Stage, greatest: Sums, { by, shift, factor }: Rise): void {
    const { x } = this.emitter;
    const [name, top] = [...greatest][0]!;
    const type = registerType(top.value.dtype);
    const best = this.ofRows(`${name}_block`, type, constant(folds.max.identity('f32'), 'f32', x.use));
    // What is not a number is left out here: it comes back from the sums.
    this.eachPoint((i) => {
      x.begin([top.value]);
      const next = `max(${best}_${i}, ${x.expr(top.value)})`;
      x.line(`${best}_${i} = ${this.exactColumns ? next : `select(${best}_${i}, ${next}, inside)`};`);
    });
    this.share(best, type, (a, b) => `max(${a}, ${b})`, true);
    this.eachRow((i) => {
      x.line(`${top.own}_${i} = max(${top.own}_${i}, ${best}_${i});`);
      x.values.set(name, `${top.own}_${i}`);
      for (const value of partsOf(stage).after) this.define(stage, value);
      const moved = x.values.get(by.value)!;
      // As long as nothing was summed they may be far apart.
      const scale = `exp(min(${shift}_${i} - ${moved}, 80.0f))`;
      x.line(`${factor}_${i} = select(${scale}, 1.0f, ${shift}_${i} == ${moved});`);
      x.line(`${shift}_${i} = ${moved};`);
      for (const value of partsOf(stage).after) x.values.delete(value);
      x.values.delete(name);
    });
    this.rowValues.set(by.value, shift);
  }

  private riseSums(sums: Sums, { factor }: Rise): void {
    for (const { own } of sums.values())
      for (let i = 0; i < this.own; i++) this.emitter.x.line(`${own}_${i} *= ${factor}_${i};`);
  }

  private riseResult(k: number, { factor }: Rise): void {
    for (let i = 0; i < this.own; i++)
      for (let g = 0; g < this.groups(k); g++) this.emitter.x.line(`result${k}_${i}_${g} *= ${factor}_${i};`);
  }

  /** How a team's sums are scaled when the maximum of all teams is known. */
  private meet({ by, shift, factor }: Rise): void {
    const { x } = this.emitter;
    const all = this.rowValues.get(by.value)!;
    for (let i = 0; i < this.own; i++) {
      const scale = `exp(min(${shift}_${i} - ${all}_${i}, 80.0f))`;
      x.line(`${factor}_${i} = select(${scale}, 1.0f, ${shift}_${i} == ${all}_${i});`);
    }
  }

  /** The first team adds what the others have of a result. */
  private gather(k: number): void {
    const { pass } = this;
    const { x } = this.emitter;
    const [threadRows, threadColumns] = pass.threads;
    const fours = this.own / 4;
    const room = Math.max(weightColumns(pass), pass.tile[2]);
    const memory = `left_tile${pass.tile[0]}x${room}_${threadRows}`;
    const places = Math.floor((room * fours) / threadColumns);
    const all = Array.from({ length: this.own }, (_, i) => i).flatMap((i) =>
      Array.from({ length: this.groups(k) }, (_, g) => `result${k}_${i}_${g}`),
    );
    for (let from = 0; from < all.length; from += places) {
      const here = all.slice(from, from + places);
      const at = (team: string | number, n: number): string => {
        const place = `(across + ${n * threadColumns})`;
        return `${memory}[${team}][${place} / ${4 * fours}][${place} / ${fours} % 4][${place} % ${fours}][down]`;
      };
      x.line('workgroupBarrier();');
      x.block('if (team > 0)', () => {
        for (const [n, own] of here.entries()) x.line(`${at('team', n)} = ${own};`);
      });
      x.line('workgroupBarrier();');
      x.block('if (team == 0)', () => {
        for (let team = 1; team < pass.teams; team++)
          for (const [n, own] of here.entries()) x.line(`${own} += ${at(team, n)};`);
      });
    }
  }

  private get member(): string {
    return this.pass.teams > 1 ? 'member' : 'thread';
  }

  private get isFirst(): string {
    return this.pass.teams > 1 ? 'team == 0 && ' : '';
  }

  /** What every thread of a row has, combined for all of them; in the middle of the columns, of its team alone. */
  private share(own: string, type: string, take: (a: string, b: string) => string, isTeams = false): void {
    const { x } = this.emitter;
    const { teams, threads } = this.pass;
    const [threadRows, threadColumns] = threads;
    const fours = this.own / 4;
    const memory = `shares_${type}`;
    const shape = `array<array<array<vec4<${type}>, ${threadRows}>, ${fours}>, ${threadColumns}>`;
    this.emitter.shared.set(memory, `var<workgroup> ${memory}: ${teams > 1 ? `array<${shape}, ${teams}>` : shape};`);
    const place = (team: string): string => (teams > 1 ? `${memory}[${team}]` : memory);
    for (let g = 0; g < fours; g++) {
      const four = LANES.map((_, i) => `${own}_${4 * g + i}`).join(', ');
      x.line(`${place('team')}[across][${g}][down] = vec4<${type}>(${four});`);
    }
    x.line('workgroupBarrier();');
    const all = isTeams ? ['team'] : Array.from({ length: teams }, (_, team) => String(team));
    for (const team of all)
      for (let n = 0; n < threadColumns * fours; n++) {
        const [a, g] = [Math.floor(n / fours), n % fours];
        const share = x.fresh('share');
        x.line(`let ${share} = ${place(team)}[${a}][${g}][down];`);
        for (const [i, lane] of LANES.entries()) {
          const mine = `${own}_${4 * g + i}`;
          x.line(`${mine} = ${a === 0 && team === all[0] ? `${share}.${lane}` : take(mine, `${share}.${lane}`)};`);
        }
      }
  }

  /** A maximum and the sums that are scaled as it rises, of this thread's columns alone. */
  private scaledRow(stage: Stage, sums: Sums, by: Scaled, greatest: Sums, shift: string): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const from = this.stage(pass.stages[by.greatest]!.stage);
    const [name, top] = [...greatest][0]!;
    const { before, inside } = partsOf(stage);
    this.eachRow((i) => {
      const best = `${top.own}_${i}`;
      for (let c = 0; c < this.wide; c++)
        this.point(i, c, () => {
          x.begin([top.value]);
          const next = folds[top.op].take(best, x.expr(top.value), top.value.dtype, x.use);
          x.line(`${best} = ${this.exactColumns ? next : `select(${best}, ${next}, inside)`};`);
        });
      x.values.set(name, best);
      for (const value of partsOf(from).after) this.define(from, value);
      const moved = x.values.get(by.value)!;
      this.scale(sums, i, `${shift}_${i} - ${moved}`);
      x.line(`${shift}_${i} = ${moved};`);
      for (let c = 0; c < this.wide; c++)
        this.point(i, c, () => {
          for (const value of [...before, ...inside]) this.define(stage, value);
          for (const { op, value, own } of sums.values()) {
            x.begin([value]);
            const sum = `${own}_${i}`;
            const next = folds[op].take(sum, x.expr(value), value.dtype, x.use);
            x.line(`${sum} = ${this.exactColumns ? next : `select(${sum}, ${next}, inside)`};`);
          }
        });
      for (const value of [...before, ...inside]) x.values.delete(value);
      for (const value of partsOf(from).after) x.values.delete(value);
      x.values.delete(name);
    });
  }

  private finishSums(stage: Stage, sums: Sums): void {
    const { emitter } = this;
    const { x } = emitter;
    for (const { op, value, own } of sums.values()) {
      const type = registerType(value.dtype);
      x.line('workgroupBarrier();');
      this.share(own, type, (a, b) => folds[op].take(a, b, value.dtype, x.use));
    }
    const { before, after } = partsOf(stage);
    const kept = new Map<string, string>();
    for (const value of [...before, ...after]) {
      kept.set(value, this.ofRows(`${value}_rows`, registerType(stage.defs.get(value)!.value.dtype)));
    }
    this.eachRow((i) => {
      const put = (value: string): void => {
        const text = this.define(stage, value);
        x.line(`${kept.get(value)!}_${i} = ${text};`);
      };
      before.forEach(put);
      for (const [value, { own }] of sums) x.values.set(value, `${own}_${i}`);
      after.forEach(put);
      if (stage.writes.length > 0)
        x.block(`if (${this.isFirst}across == 0 && first + ${this.rowAt(i)} <= last)`, () => {
          x.begin(stage.writes.map((w) => w.value));
          x.writes(stage.writes);
        });
    });
    for (const [value, own] of kept) this.rowValues.set(value, own);
    for (const [value, { own }] of sums) this.rowValues.set(value, own);
  }

  private groups(k: number): number {
    const s = this.pass.stages[k]! as ResultStage;
    return resultWidth(this.emitter.kernel, s, this.pass) / (4 * this.pass.threads[1]);
  }

  private startResult(k: number): void {
    this.accumulators(`result${k}`, this.groups(k));
  }

  /** The block's weights go through workgroup memory, where every thread finds those of its rows. */
  private addResult(s: ResultStage, k: number, riding: { readonly by: Riding; readonly rise: Rise } | null): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns, depthOfScores] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const { load, left } = s.product;
    const [depth, room] = [pass.summed, weightColumns(pass)];
    const steps = Math.max(room, depthOfScores);
    const memory = new Tile(emitter, 'left', load.rows, [rows, steps], threadRows, false, steps, false, pass.teams)
      .name;
    const weights = this.quotients.within(riding?.by.weights ?? left.value);
    this.readColumns([weights]);
    this.accumulators(`weights${k}`, this.wide / 4);
    this.eachPoint((i, c) => {
      x.begin([weights]);
      const value = x.expr(weights);
      const lane = `weights${k}_${i}_${c >> 2}.${LANES[c & 3]!}`;
      x.line(`${lane} = ${this.exactColumns ? value : `select(0.0f, ${value}, inside)`};`);
    });
    if (riding !== null) this.riseResult(k, riding.rise);
    const { tile, staged } = this.ahead.get(k) ?? this.bring(s, k);
    this.ahead.delete(k);
    for (let from = 0; from < columns; from += room) {
      for (let c = 0; c < room / threadColumns; c++)
        for (let g = 0; g < this.own / 4; g++) {
          const at = (from / threadColumns + c) >> 2;
          const four = LANES.map((_, i) => `weights${k}_${4 * g + i}_${at}.${LANES[c & 3]!}`);
          const place = `[across + ${(c >> 2) * threadColumns}][${c & 3}][${g}][down]`;
          x.line(`${memory}${place} = vec4<f32>(${four.join(', ')});`);
        }
      x.block(`for (var k0 = ${from}; k0 < ${from + room}; k0 += ${depth})`, () => {
        advance(x, [staged], 'k0', depth, String(columns), 'l0 + ');
        x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
          x.line(`let q0 = ${from === 0 ? 'k0' : `(k0 - ${from})`} / 4 + q;`);
          for (let t = 0; t < 4; t++)
            for (let g = 0; g < this.own / 4; g++) x.line(`let a${t}_${g} = ${memory}[q0][${t}][${g}][down];`);
          for (const line of tile.read('b', 'across')) x.line(line);
          this.multiply(`result${k}`, this.groups(k));
        });
        x.line('workgroupBarrier();');
      });
    }
  }

  /** What the next result needs comes while weights are made. */
  private bringAhead(computed: readonly number[], after: number): void {
    const next = computed.find((k) => k > after && ['scores', 'result'].includes(this.pass.stages[k]!.kind));
    const s = next === undefined ? undefined : this.pass.stages[next]!;
    if (s?.kind === 'result') this.ahead.set(next!, this.bring(s, next!));
  }

  /** What a result multiplies weights with, on its way from memory. */
  private bring(s: ResultStage, k: number): { readonly tile: Tile; readonly staged: Staged } {
    const { emitter, pass } = this;
    const { load, right } = s.product;
    const shape = [resultWidth(emitter.kernel, s, pass), pass.summed] as const;
    const own = loadOf(emitter, right, load.columns);
    const tile = new Tile(emitter, 'right', own, shape, pass.threads[1], false, pass.summed, false, pass.teams);
    return { tile, staged: tile.stage(emitter.x, `${this.entry}right${k}`, this.loaders(true), '0', 'l0') };
  }

  private factors(k: number): Riding['factors'] {
    return this.pass.phases.flatMap((p) => p.riding.get(k)?.factors ?? []);
  }

  private finishResult(s: ResultStage, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const { axes } = s.product.right;
    const width = emitter.points(axes);
    const { before, after } = partsOf(stage);
    const groups = this.groups(k);
    this.eachRow((i) => {
      x.block(`if (${this.isFirst}first + ${this.rowAt(i)} <= last)`, () => {
        const all = Array.from({ length: groups }, (_, g) => `result${k}_${i}_${g}`);
        x.line(`var sums = array<vec4<f32>, ${groups}>(${all.join(', ')});`);
        for (const { op, by } of this.factors(k)) {
          x.begin([by]);
          const factor = x.expr(by);
          for (let g = 0; g < groups; g++) x.line(`sums[${g}] = sums[${g}] ${op === 'mul' ? '*' : '/'} ${factor};`);
        }
        x.block(`for (var p = 0; p < ${4 * groups}; p++)`, () => {
          x.line(`let d = across * 4 + (p >> 2u) * ${4 * pass.threads[1]} + (p & 3);`);
          if (!divides(width, 4 * pass.threads[1])) x.line(`if (d >= ${x.poly(width)}) { continue; }`);
          emitter.split(axes, 'd');
          for (const value of before) this.define(stage, value);
          x.values.set(sumOf(stage), 'sums[p >> 2u][p & 3]');
          for (const value of after) this.define(stage, value);
          x.begin(stage.writes.map((w) => w.value));
          x.writes(stage.writes);
        });
      });
    });
  }
}
