/**
 * Kernels with buffers of the row, block by block: scores of a block are a product in registers, what is elementwise stays there, sums along the row are added by every
 * thread for its columns (stream-sums.ts), and sums over the wide axis take the block through workgroup memory as the left operand of a product.
 *
 * The phases and tiles are the schedule's (schedule/wgsl-stream.ts).
 */
import { asConst, coefficientOf, ceilDiv, mul, names, num, type Poly } from '../../sizes/poly.ts';
import type { Stage } from '../../kernel/types.ts';
import { divides, type TiledProduct } from '../../schedule/wgsl-product.ts';
import type { Riding } from '../../schedule/wgsl-online.ts';
import {
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
import { registerType } from './scalar.ts';
import { StreamSums, type Rise, type Sums } from './stream-sums.ts';
import { advance, LANES, stageBoth, Tile, type Loaders, type Staged } from './tile.ts';

type ScoresStage = Extract<StreamStage, { kind: 'scores' }>;
type ResultStage = Extract<StreamStage, { kind: 'result' }>;

export const streamLines = (emitter: PassEmitter, pass: WgslStream, entry: string): Emitted =>
  new Streamer(emitter, pass, entry).lines();

class Streamer extends StreamSums {
  /** What results will need, on its way. */
  private readonly ahead = new Map<number, { readonly tile: Tile; readonly staged: Staged }>();

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
    x.line(`let down = i32(thread) % ${threadRows};`);
    x.line(`let across = i32(thread) / ${threadRows};`);
    emitter.split(pass.outer, 'batch');
    this.range(L, columns);
    this.readRows();
    x.quick = true;
    for (const phase of pass.phases) this.phase(phase);
    x.quick = false;
    // At the end: a result may lie in the memory of an operand that a later phase still reads.
    for (const [k, s] of pass.stages.entries()) if (s.kind === 'result') this.finishResult(s, k, this.stage(s.stage));
    const main = emitter.entry(entry, threadRows * threadColumns, x.take());
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
    x.block(`for (var l0 = low; l0 < high; l0 += ${pass.tile[1]})`, () => {
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
      if (by !== undefined && !common.has(by.greatest))
        for (let i = 0; i < this.own; i++)
          this.scale(sums.get(k)!, i, `${shifts.get(k)!}_${i} - ${this.rowValues.get(by.value)!}_${i}`);
      this.finishSums(this.stage(s.stage), sums.get(k)!);
    }
  }

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

  private loaders(across: boolean): Loaders {
    const threads = this.pass.threads[0] * this.pass.threads[1];
    return { first: 0, count: threads, all: threads, across };
  }

  private scores(s: ScoresStage, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns, depth] = pass.tile;
    const [threadRows, threadColumns] = pass.threads;
    const { load, over, left, right } = s.product;
    const room = Math.max(weightColumns(pass), depth);
    // The weights of a block are kept in the same memory, when its scores are known.
    const a = new Tile(emitter, 'left', loadOf(emitter, left, load.rows), [rows, depth], threadRows, false, room);
    const b = new Tile(emitter, 'right', loadOf(emitter, right, load.columns), [columns, depth], threadColumns, false);
    const groups = this.wide / 4;
    this.accumulators(`scores${k}`, groups);
    x.block('', () => {
      const end = x.poly(emitter.points(over));
      const { entry } = this;
      const [l, r] = [`${entry}left${k}`, `${entry}right${k}`];
      const across = { across: true };
      const staged = stageBoth(x, threadRows * threadColumns, [a, l, 'first'], [b, r, 'l0'], '0', across);
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

  private riseResult(k: number, { factor }: Rise): void {
    for (let i = 0; i < this.own; i++)
      for (let g = 0; g < this.groups(k); g++) this.emitter.x.line(`result${k}_${i}_${g} *= ${factor}_${i};`);
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
    const memory = new Tile(emitter, 'left', load.rows, [rows, steps], threadRows, false, steps).name;
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
    const tile = new Tile(emitter, 'right', own, shape, pass.threads[1], false);
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
      x.block(`if (first + ${this.rowAt(i)} <= last)`, () => {
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
