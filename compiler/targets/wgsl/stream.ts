/**
 * Kernels with buffers of the row, block by block: scores of a block are a product in registers, what is elementwise stays there, sums along the row are added by every
 * thread for its columns and combined at the end of a phase, and sums over the wide axis take the block through workgroup memory as the left operand of a product.
 *
 * The phases and tiles are the schedule's (schedule/wgsl-stream.ts).
 */
import { asConst, coefficientOf, ceilDiv, mul, names, num, type Poly } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import type { Combine, Expr, Stage } from '../../kernel/types.ts';
import { divides, type OperandLoad, type TiledProduct } from '../../schedule/wgsl-product.ts';
import { resultWidth, type StreamProduct, type StreamStage, type WgslStream } from '../../schedule/wgsl-stream.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { PassEmitter } from './kernel.ts';
import { operandLines, sumOf, type Emitted } from './product.ts';
import { constant, folds, registerType } from './scalar.ts';

type Sums = Map<string, { readonly op: Combine; readonly value: Expr; readonly own: string }>;

const LANES = ['x', 'y', 'z', 'w'] as const;

export const streamLines = (emitter: PassEmitter, pass: WgslStream, entry: string): Emitted =>
  new Streamer(emitter, pass, entry).lines();

class Streamer {
  private readonly emitter: PassEmitter;
  private readonly pass: WgslStream;
  private readonly entry: string;
  /** Rows and columns of a block that a thread has: four neighbours of each. */
  private readonly own: number;
  /** Values of rows that are finished: arrays with an element for each of the thread's rows. */
  private readonly rowValues = new Map<string, string>();
  /** What is read from memory once a row: such arrays. */
  private readonly rowReads = new Map<Expr, string>();
  /** Buffers of the row: arrays of a vector for each of the thread's rows. */
  private readonly points = new Map<number, string>();
  private readonly exactColumns: boolean;
  private readonly extent: { readonly rows: Poly; readonly columns: Poly };

  constructor(emitter: PassEmitter, pass: WgslStream, entry: string) {
    this.emitter = emitter;
    this.pass = pass;
    this.entry = entry;
    this.own = pass.tile[0] / pass.threads[0];
    if (this.own !== 4 || pass.tile[1] / pass.threads[1] !== 4) throw new Error('a thread has four rows and columns');
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
    for (const phase of pass.phases) this.phase(phase.computed, new Set(phase.finished));
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
      split: 1,
    };
  }

  private operandFunctions(s: StreamStage, k: number): string[] {
    if (s.kind !== 'scores' && s.kind !== 'result') return [];
    const { emitter, entry, pass } = this;
    const tiled = this.asTiled(s.stage, s.product);
    const depth = divides(emitter.points(s.product.over), pass.tile[2]);
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

  /** Vectors of a tile; one more for every four of its axis where they lie along the sum, which keeps threads off each other's banks. */
  private vectors(width: number): number {
    const [, , depth] = this.pass.tile;
    return (width * depth) / 4 + width / 4;
  }

  private chunk(): string {
    const { pass, emitter } = this;
    const [rows, columns] = pass.tile;
    const widest = pass.stages.map((s) => (s.kind === 'result' ? resultWidth(emitter.kernel, s, pass) : 0));
    const size = Math.max(this.vectors(rows) + this.vectors(columns), ...widest.map((w) => this.vectors(w)));
    return this.workgroup('chunk', size, 'vec4<f32>');
  }

  /** Loads a tile into registers; gives the statements that put it into workgroup memory at `base`. */
  private gather(name: string, load: OperandLoad, width: number, base: number, start: string, k0: string): string[] {
    const { x } = this.emitter;
    const [, , depth] = this.pass.tile;
    const threads = this.pass.threads[0] * this.pass.threads[1];
    const chunk = this.chunk();
    const vectors = (width * depth) / 4;
    const side = load.along === 'own' ? width / 4 : depth / 4;
    const stores: string[] = [];
    for (let l = 0; l * threads < vectors; l++) {
      const e = l === 0 ? 'i32(thread)' : `(i32(thread) + ${l * threads})`;
      const [inner, outer] = [`${e} % ${side}`, `${e} / ${side}`];
      const at = load.along === 'own' ? `${start} + ${inner} * 4` : `${start} + ${outer}`;
      const k = load.along === 'own' ? `${k0} + ${outer}` : `${k0} + ${inner} * 4`;
      const own = x.fresh(name);
      const call = `${name}(batch, ${at}, ${k})`;
      const isPart = vectors < (l + 1) * threads;
      if (isPart) {
        x.line(`var ${own} = vec4<f32>();`);
        x.line(`if (${e} < ${vectors}) { ${own} = ${call}; }`);
      } else x.line(`let ${own} = ${call};`);
      const place = load.along === 'own' ? e : `${e} + ${e} / ${depth}`;
      const store = `${chunk}[${base} + ${place}] = ${own};`;
      stores.push(isPart ? `if (${e} < ${vectors}) { ${store} }` : store);
    }
    return stores;
  }

  /** Four steps `q` of a tile into registers `name…`, for `count` elements of its axis: four at `first`, and on in steps of `4 * threads`. */
  private read(name: string, load: OperandLoad, width: number, base: number, first: string, count: number): void {
    const { x } = this.emitter;
    const [, , depth] = this.pass.tile;
    const chunk = this.chunk();
    const threads = this.pass.threads[1];
    for (let g = 0; g < count / 4; g++) {
      const group = g === 0 ? first : `(${first} + ${g * threads})`;
      for (let s = 0; s < 4; s++) {
        if (load.along === 'own')
          x.line(`let ${name}${s}_${g} = ${chunk}[${base} + (q * 4 + ${s}) * ${width / 4} + ${group}];`);
        else x.line(`let ${name}${4 * g + s} = ${chunk}[${base} + ${group} * ${depth + 1} + ${(s * depth) / 4} + q];`);
      }
    }
  }

  private element(name: string, load: OperandLoad, i: number, s: number): string {
    return load.along === 'own' ? `${name}${s}_${i >> 2}.${LANES[i & 3]!}` : `${name}${i}.${LANES[s]!}`;
  }

  private four(name: string, load: OperandLoad, g: number, s: number): string {
    if (load.along === 'own') return `${name}${s}_${g}`;
    return `vec4<f32>(${[0, 1, 2, 3].map((c) => this.element(name, load, 4 * g + c, s)).join(', ')})`;
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
      const own = x.fresh('of_row');
      x.line(`var ${own}: array<${registerType(e.dtype)}, 4>;`);
      this.eachRow(() => {
        x.begin([e]);
        x.line(`${own}[i] = ${x.expr(e)};`);
      });
      this.rowReads.set(e, own);
    }
    // A result of the row may lie in the memory of what was read here: all of the workgroup have it before one writes.
    if (x.rewrites) x.line('storageBarrier(); workgroupBarrier();');
  }

  /** A loop over the thread's rows `i`, with everything named as it is there. Compilers write such loops out, and keep the arrays in registers. */
  private eachRow(body: () => void): void {
    const { x } = this.emitter;
    x.block('for (var i = 0; i < 4; i++)', () => {
      x.forget();
      x.line('let row = min(first + down * 4 + i, last);');
      x.bind(this.pass.block, 'row');
      for (const [value, own] of this.rowValues) x.values.set(value, `${own}[i]`);
      for (const [e, own] of this.rowReads) x.remember(e, `${own}[i]`);
      body();
    });
    x.forget();
  }

  /** The same over its points: rows `i` and columns `c`. */
  private eachPoint(body: () => void): void {
    const { x } = this.emitter;
    this.eachRow(() => {
      x.block('for (var c = 0; c < 4; c++)', () => {
        const L = x.poly(this.extent.columns);
        const at = 'l0 + across * 4 + c';
        x.line(this.exactColumns ? `let column = ${at};` : `let column = min(${at}, ${L} - 1);`);
        if (!this.exactColumns) x.line(`let inside = ${at} < ${L};`);
        x.bind(this.pass.wide, 'column');
        for (const [buffer, own] of this.points) x.local.set(buffer, `${own}[i][c]`);
        body();
      });
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
  private keep(writes: Stage['writes']): void {
    const { x } = this.emitter;
    x.begin(writes.map((w) => w.value));
    const made = writes.map((w) => [w.buffer, x.expr(w.value)] as const);
    for (const [buffer, text] of made) {
      const own = this.points.get(buffer);
      if (own !== undefined) x.line(`${own}[i][c] = ${text};`);
    }
  }

  private phase(computed: readonly number[], finished: ReadonlySet<number>): void {
    const { emitter, pass } = this;
    const { x, kernel } = emitter;
    const sums = new Map<number, Sums>();
    for (const k of finished) {
      const { stage, kind } = pass.stages[k]!;
      if (kind === 'result') this.startResult(k);
      else sums.set(k, this.startSums(emitter.stage(stage)));
    }
    this.points.clear();
    for (const k of computed) {
      const stage = emitter.stage(pass.stages[k]!.stage);
      for (const { buffer } of [...stage.each, ...stage.writes]) {
        const { row, name, dtype } = kernel.buffers[buffer]!;
        if (row !== true || this.points.has(buffer)) continue;
        const own = x.fresh(name);
        x.line(`var ${own}: array<vec4<${registerType(dtype)}>, 4>;`);
        this.points.set(buffer, own);
      }
    }
    x.block(`for (var l0 = low; l0 < high; l0 += ${pass.tile[1]})`, () => {
      for (const k of computed) {
        const s = pass.stages[k]!;
        const stage = emitter.stage(s.stage);
        if (s.kind === 'scores') this.scores(s, k, stage);
        else if (s.kind === 'each') this.eachStage(stage);
        else if (s.kind === 'reduce') this.alongRow(stage, sums.get(k) ?? null);
        else this.addResult(s, k);
      }
    });
    this.points.clear();
    x.local.clear();
    for (const k of finished) {
      const s = pass.stages[k]!;
      if (s.kind === 'reduce') this.finishSums(emitter.stage(s.stage), sums.get(k)!);
    }
  }

  // -------------------------------------------------------------------------------------------------------------------------------- stages

  private scores(s: Extract<StreamStage, { kind: 'scores' }>, k: number, stage: Stage): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns, depth] = pass.tile;
    const { load, over } = s.product;
    x.line(`var scores${k} = array<vec4<f32>, 4>();`);
    x.block(`for (var k0 = 0; k0 < ${x.poly(emitter.points(over))}; k0 += ${depth})`, () => {
      const stores = [
        ...this.gather(`${this.entry}left${k}`, load.rows, rows, 0, 'first', 'k0'),
        ...this.gather(`${this.entry}right${k}`, load.columns, columns, this.vectors(rows), 'l0', 'k0'),
      ];
      this.exchange(stores);
      x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
        this.read('a', load.rows, rows, 0, 'down', 4);
        this.read('b', load.columns, columns, this.vectors(rows), 'across', 4);
        for (let t = 0; t < 4; t++) {
          x.line(`let c${t} = ${this.four('b', load.columns, 0, t)};`);
          for (let i = 0; i < 4; i++) x.line(`scores${k}[${i}] += ${this.element('a', load.rows, i, t)} * c${t};`);
        }
      });
    });
    const { before, after } = partsOf(stage);
    this.eachPoint(() => {
      for (const value of before) this.define(stage, value);
      x.values.set(sumOf(stage), `scores${k}[i][c]`);
      for (const value of after) this.define(stage, value);
      this.keep(stage.writes);
    });
  }

  private exchange(stores: readonly string[]): void {
    const { x } = this.emitter;
    x.line('workgroupBarrier();');
    for (const s of stores) x.line(s);
    x.line('workgroupBarrier();');
  }

  private eachStage(stage: Stage): void {
    this.eachPoint(() => {
      for (const value of stage.defs.keys()) this.define(stage, value);
      this.keep([...stage.each, ...stage.writes]);
    });
  }

  private startSums(stage: Stage): Sums {
    const { x } = this.emitter;
    const made: Sums = new Map();
    for (const value of partsOf(stage).reduced) {
      const def = stage.defs.get(value)!;
      if (def.op === null || def.op === 'argmax') continue;
      const least = constant(folds[def.op].identity(def.value.dtype), def.value.dtype, x.use);
      const own = x.fresh(`${value}_rows`);
      const type = registerType(def.value.dtype);
      x.line(`var ${own} = array<${type}, 4>(${[least, least, least, least].join(', ')});`);
      made.set(value, { op: def.op, value: def.value, own });
    }
    return made;
  }

  /** A round of a row's sums; where they are finished already, only what the stage leaves at a point. */
  private alongRow(stage: Stage, sums: Sums | null): void {
    const { x } = this.emitter;
    const { before, inside } = partsOf(stage);
    this.eachPoint(() => {
      if (sums !== null) for (const value of before) this.define(stage, value);
      for (const value of inside) this.define(stage, value);
      for (const { op, value, own } of sums?.values() ?? []) {
        x.begin([value]);
        const next = folds[op].take(`${own}[i]`, x.expr(value), value.dtype, x.use);
        x.line(`${own}[i] = ${this.exactColumns ? next : `select(${own}[i], ${next}, inside)`};`);
      }
      this.keep(stage.each);
      for (const value of inside) x.values.delete(value);
    });
  }

  private finishSums(stage: Stage, sums: Sums): void {
    const { pass, emitter } = this;
    const { x } = emitter;
    const threads = pass.threads[1];
    for (const { op, value, own } of sums.values()) {
      const type = registerType(value.dtype);
      const memory = this.workgroup(`row_partial_${type}`, pass.tile[0] * threads, type);
      const place = `(down * 4 + i) * ${threads}`;
      x.line('workgroupBarrier();');
      x.line(`for (var i = 0; i < 4; i++) { ${memory}[${place} + across] = ${own}[i]; }`);
      x.line('workgroupBarrier();');
      x.block('for (var i = 0; i < 4; i++)', () => {
        x.line(`${own}[i] = ${memory}[${place}];`);
        const next = folds[op].take(`${own}[i]`, `${memory}[${place} + p]`, value.dtype, x.use);
        x.line(`for (var p = 1; p < ${threads}; p++) { ${own}[i] = ${next}; }`);
      });
    }
    const { before, after } = partsOf(stage);
    const kept = new Map<string, string>();
    for (const value of [...before, ...after]) {
      const own = x.fresh(`${value}_rows`);
      x.line(`var ${own}: array<${registerType(stage.defs.get(value)!.value.dtype)}, 4>;`);
      kept.set(value, own);
    }
    this.eachRow(() => {
      const put = (value: string): void => {
        const text = this.define(stage, value);
        x.line(`${kept.get(value)!}[i] = ${text};`);
      };
      before.forEach(put);
      for (const [value, { own }] of sums) x.values.set(value, `${own}[i]`);
      after.forEach(put);
      if (stage.writes.length > 0)
        x.block('if (across == 0 && first + down * 4 + i <= last)', () => {
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
    const { x } = this.emitter;
    x.line(`var result${k} = array<vec4<f32>, ${4 * this.groups(k)}>();`);
  }

  private addResult(s: Extract<StreamStage, { kind: 'result' }>, k: number): void {
    const { emitter, pass } = this;
    const { x } = emitter;
    const [rows, columns, depth] = pass.tile;
    const { load, left } = s.product;
    const width = resultWidth(emitter.kernel, s, pass);
    const line = columns / 4 + 1;
    const weights = this.workgroup('weights', rows * line, 'vec4<f32>');
    x.line(`var weights${k}: array<vec4<f32>, 4>;`);
    this.eachPoint(() => {
      x.begin([left.value]);
      const value = x.expr(left.value);
      x.line(`weights${k}[i][c] = ${this.exactColumns ? value : `select(0.0f, ${value}, inside)`};`);
    });
    x.line('workgroupBarrier();');
    x.line(`for (var i = 0; i < 4; i++) { ${weights}[(down * 4 + i) * ${line} + across] = weights${k}[i]; }`);
    x.block(`for (var k0 = 0; k0 < ${columns}; k0 += ${depth})`, () => {
      this.exchange(this.gather(`${this.entry}right${k}`, load.columns, width, 0, '0', 'l0 + k0'));
      x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
        for (let i = 0; i < 4; i++) x.line(`let a${i} = ${weights}[(down * 4 + ${i}) * ${line} + k0 / 4 + q];`);
        this.read('b', load.columns, width, 0, 'across', 4 * this.groups(k));
        for (let t = 0; t < 4; t++)
          for (let g = 0; g < this.groups(k); g++) {
            x.line(`let c${t}_${g} = ${this.four('b', load.columns, g, t)};`);
            for (let i = 0; i < 4; i++)
              x.line(`result${k}[${i * this.groups(k) + g}] += a${i}.${LANES[t]!} * c${t}_${g};`);
          }
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
    this.eachRow(() => {
      x.line('if (first + down * 4 + i > last) { continue; }');
      x.block(`for (var p = 0; p < ${4 * groups}; p++)`, () => {
        x.line(`let d = across * 4 + (p >> 2u) * ${4 * pass.threads[1]} + (p & 3);`);
        if (!divides(width, 4 * pass.threads[1])) x.line(`if (d >= ${x.poly(width)}) { continue; }`);
        emitter.split(axes, 'd');
        for (const value of before) this.define(stage, value);
        x.values.set(sumOf(stage), `result${k}[i * ${groups} + (p >> 2u)][p & 3]`);
        for (const value of after) this.define(stage, value);
        x.begin(stage.writes.map((w) => w.value));
        x.writes(stage.writes);
      });
    });
  }
}
