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
import {
  resultDepth,
  resultWidth,
  type Scaled,
  type StreamPhase,
  type StreamProduct,
  type StreamStage,
  type WgslStream,
} from '../../schedule/wgsl-stream.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { PassEmitter } from './kernel.ts';
import { sumOf, type Emitted } from './finish.ts';
import { loadOf, operandLines } from './operand.ts';
import { advance, stageBoth, Tile } from './tile.ts';
import { constant, folds, registerType } from './scalar.ts';

type Sums = Map<string, { readonly op: Combine; readonly value: Expr; readonly own: string }>;

const LANES = ['x', 'y', 'z', 'w'] as const;

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
    this.exactColumns = divides(this.extent.columns, pass.tile[1]);
  }

  lines(): Emitted {
    const { emitter, pass, entry } = this;
    const { x } = emitter;
    const [rows, columns] = pass.tile;
    const [, threadColumns] = pass.threads;
    const operands = pass.stages.flatMap((s, k) => this.operandFunctions(s, k));
    const count = emitter.points(pass.outer);
    const [K, L] = [x.poly(this.extent.rows), x.poly(this.extent.columns)];
    const blocks = ceilDiv(this.extent.rows, num(rows));
    x.line(`let blocks = ${x.poly(blocks)};`);
    x.line('let number = i32(group.y * groups.x + group.x);');
    x.line(`if (number >= ${x.poly(count)} * blocks) { return; }`);
    x.line('let batch = number / blocks;');
    x.line(`let first = number % blocks * ${rows};`);
    x.line(`let last = min(first + ${rows}, ${K}) - 1;`);
    x.line(`let down = i32(thread) / ${threadColumns};`);
    x.line(`let across = i32(thread) % ${threadColumns};`);
    emitter.split(pass.outer, 'batch');
    this.range(L, columns);
    this.readRows();
    for (const phase of pass.phases) this.phase(phase);
    // At the end: a result may lie in the memory of an operand that a later phase still reads.
    for (const [k, s] of pass.stages.entries())
      if (s.kind === 'result') this.finishResult(s, k, emitter.stage(s.stage));
    const main = emitter.entry(entry, pass.threads[0] * threadColumns, x.take());
    return { lines: [...operands, ...main], pass: { entry, count: mul(count, blocks), per: 1 } };
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
    const depth = divides(
      emitter.points(s.product.over),
      s.kind === 'scores' ? pass.tile[2] : resultDepth(resultWidth(emitter.kernel, s, pass)),
    );
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

  private workgroup(name: string, size: number, type: string): string {
    this.emitter.shared.set(name, `var<workgroup> ${name}: array<${type}, ${size}>;`);
    return name;
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
    const outside = new Set([...pass.outer, pass.block, ...emitter.kernel.sizes]);
    const found = new Set<Expr>();
    for (const { stage, kind } of pass.stages) {
      const own = emitter.stage(stage);
      const left = kind === 'scores' || kind === 'result' ? [] : [...own.defs.values()].map((d) => d.value);
      const plain = [...own.defs.values()].filter((d) => d.op === null).map((d) => d.value);
      walk([...left, ...plain, ...[...own.each, ...own.writes].map((w) => w.value)], (e) => {
        if (e.kind !== 'read' || emitter.kernel.buffers[e.buffer]!.row || e.dynamic.length > 0) return;
        if (e.guards.length === 0 && [...names(e.at)].every((s) => outside.has(s))) found.add(e);
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

  private phase({ computed, finished, scaled }: StreamPhase): void {
    const { emitter, pass } = this;
    const { x, kernel } = emitter;
    const sums = new Map<number, Sums>();
    for (const k of finished) {
      const { stage, kind } = pass.stages[k]!;
      if (kind === 'result') this.startResult(k);
      else sums.set(k, this.startSums(emitter.stage(stage)));
    }
    const shifts = new Map([...scaled.keys()].map((k) => [k, this.ofRows('shift', 'f32', '0.0f')]));
    const rising = new Set([...scaled.values()].map((by) => by.greatest));
    this.points.clear();
    for (const k of computed) {
      const stage = emitter.stage(pass.stages[k]!.stage);
      for (const { buffer } of [...stage.each, ...stage.writes]) {
        const { row, name, dtype } = kernel.buffers[buffer]!;
        if (row !== true || this.points.has(buffer)) continue;
        const own = x.fresh(name);
        for (let i = 0; i < this.own; i++)
          for (let c = 0; c < this.wide; c++) x.line(`var ${own}_${i}_${c}: ${registerType(dtype)};`);
        this.points.set(buffer, own);
      }
    }
    x.block(`for (var l0 = low; l0 < high; l0 += ${pass.tile[1]})`, () => {
      for (const k of computed) {
        const s = pass.stages[k]!;
        const stage = emitter.stage(s.stage);
        if (s.kind === 'scores') this.scores(s, k, stage);
        else if (s.kind === 'each') this.eachStage(stage);
        else if (s.kind === 'reduce') {
          const by = scaled.get(k);
          if (by !== undefined) this.scaledRow(stage, sums.get(k)!, by, sums.get(by.greatest)!, shifts.get(k)!);
          else if (!rising.has(k)) this.alongRow(stage, sums.get(k) ?? null);
        } else this.addResult(s, k);
      }
    });
    this.points.clear();
    x.local.clear();
    for (const k of finished) {
      const s = pass.stages[k]!;
      if (s.kind !== 'reduce') continue;
      const by = scaled.get(k);
      if (by !== undefined)
        for (let i = 0; i < this.own; i++)
          this.scale(sums.get(k)!, i, `${shifts.get(k)!}_${i} - ${this.rowValues.get(by.value)!}_${i}`);
      this.finishSums(emitter.stage(s.stage), sums.get(k)!);
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

  private scores(s: Extract<StreamStage, { kind: 'scores' }>, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns, depth] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const threads = threadRows * threadColumns;
    const { load, over, left, right } = s.product;
    // The weights of a block are kept in the same memory, when its scores are known.
    const a = new Tile(emitter, 'left', loadOf(emitter, left, load.rows), [rows, depth], threadRows, false, columns);
    const b = new Tile(emitter, 'right', loadOf(emitter, right, load.columns), [columns, depth], threadColumns, false);
    const groups = this.wide / 4;
    this.accumulators(`scores${k}`, groups);
    x.block('', () => {
      const end = x.poly(emitter.points(over));
      const { entry } = this;
      const staged = stageBoth(x, threads, [a, `${entry}left${k}`, 'first'], [b, `${entry}right${k}`, 'l0'], '0');
      x.block(`for (var k0 = 0; k0 < ${end}; k0 += ${depth})`, () => {
        advance(x, staged, 'k0', depth, end);
        x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
          for (const line of [...a.read('a', 'down'), ...b.read('b', 'across')]) x.line(line);
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

  /** A maximum and the sums that are scaled as it rises, of this thread's columns alone. */
  private scaledRow(stage: Stage, sums: Sums, by: Scaled, greatest: Sums, shift: string): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const from = emitter.stage(pass.stages[by.greatest]!.stage);
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
    const { pass, emitter } = this;
    const { x } = emitter;
    const threads = pass.threads[1];
    for (const { op, value, own } of sums.values()) {
      const type = registerType(value.dtype);
      const memory = this.workgroup(`row_partial_${type}`, pass.tile[0] * threads, type);
      x.line('workgroupBarrier();');
      for (let i = 0; i < this.own; i++) x.line(`${memory}[(${this.rowAt(i)}) * ${threads} + across] = ${own}_${i};`);
      x.line('workgroupBarrier();');
      for (let i = 0; i < this.own; i++) {
        const place = `(${this.rowAt(i)}) * ${threads}`;
        x.line(`${own}_${i} = ${memory}[${place}];`);
        const next = folds[op].take(`${own}_${i}`, `${memory}[${place} + p]`, value.dtype, x.use);
        x.line(`for (var p = 1; p < ${threads}; p++) { ${own}_${i} = ${next}; }`);
      }
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
        x.block(`if (across == 0 && first + ${this.rowAt(i)} <= last)`, () => {
          x.begin(stage.writes.map((w) => w.value));
          x.writes(stage.writes);
        });
    });
    for (const [value, own] of kept) this.rowValues.set(value, own);
    for (const [value, { own }] of sums) this.rowValues.set(value, own);
  }

  private groups(k: number): number {
    const s = this.pass.stages[k]! as Extract<StreamStage, { kind: 'result' }>;
    return resultWidth(this.emitter.kernel, s, this.pass) / (4 * this.pass.threads[1]);
  }

  private startResult(k: number): void {
    this.accumulators(`result${k}`, this.groups(k));
  }

  /** The block's weights go through workgroup memory, where every thread finds those of its rows. */
  private addResult(s: Extract<StreamStage, { kind: 'result' }>, k: number): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const { load, left, right } = s.product;
    const width = resultWidth(emitter.kernel, s, pass);
    const depth = resultDepth(width);
    const memory = new Tile(emitter, 'left', load.rows, [rows, columns], threadRows, false).name;
    this.accumulators(`weights${k}`, this.wide / 4);
    this.eachPoint((i, c) => {
      x.begin([left.value]);
      const value = x.expr(left.value);
      const lane = `weights${k}_${i}_${c >> 2}.${LANES[c & 3]!}`;
      x.line(`${lane} = ${this.exactColumns ? value : `select(0.0f, ${value}, inside)`};`);
    });
    for (let c = 0; c < this.wide; c++)
      for (let g = 0; g < this.own / 4; g++) {
        const four = LANES.map((_, i) => `weights${k}_${4 * g + i}_${c >> 2}.${LANES[c & 3]!}`);
        const place = `[across + ${(c >> 2) * threadColumns}][${c & 3}][${g}][down]`;
        x.line(`${memory}${place} = vec4<f32>(${four.join(', ')});`);
      }
    const tile = new Tile(
      emitter,
      'summed',
      loadOf(emitter, right, load.columns),
      [width, depth],
      threadColumns,
      false,
    );
    const end = String(columns);
    x.block('', () => {
      const threads = threadRows * threadColumns;
      const by = { first: 0, count: threads, all: threads };
      const staged = [tile.stage(x, `${this.entry}right${k}`, by, '0', 'l0')];
      x.block(`for (var k0 = 0; k0 < ${columns}; k0 += ${depth})`, () => {
        advance(x, staged, 'k0', depth, end, 'l0 + ');
        x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
          x.line(`let q0 = k0 / 4 + q;`);
          for (let t = 0; t < 4; t++)
            for (let g = 0; g < this.own / 4; g++) x.line(`let a${t}_${g} = ${memory}[q0][${t}][${g}][down];`);
          for (const line of tile.read('b', 'across')) x.line(line);
          this.multiply(`result${k}`, this.groups(k));
        });
        x.line('workgroupBarrier();');
      });
    });
  }

  private finishResult(s: Extract<StreamStage, { kind: 'result' }>, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const { axes } = s.product.right;
    const width = emitter.points(axes);
    const { before, after } = partsOf(stage);
    const groups = this.groups(k);
    this.eachRow((i) => {
      x.block(`if (first + ${this.rowAt(i)} <= last)`, () => {
        const all = Array.from({ length: groups }, (_, g) => `result${k}_${i}_${g}`);
        x.line(`var sums = array<vec4<f32>, ${groups}>(${all.join(', ')});`);
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
