/**
 * Sums and maxima along the rows of a streamed kernel: every thread adds for its columns. What must be the same for all threads of a row, a maximum that results are
 * scaled with, is combined in every block; the rest once, at the end.
 */
import type { Combine, Expr, Stage } from '../../kernel/types.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { Scaled } from '../../schedule/wgsl-online.ts';
import { constant, folds, registerType } from './scalar.ts';
import { StreamPoints } from './stream-points.ts';
import { LANES } from './tile.ts';

export type Sums = Map<string, { readonly op: Combine; readonly value: Expr; readonly own: string }>;

/** A maximum that rises, and with it the value that exponentials are taken from, and what is scaled: variables of each of the thread's rows. */
export interface Rise {
  readonly by: Scaled;
  readonly shift: string;
  readonly factor: string;
}

export class StreamSums extends StreamPoints {
  protected startSums(stage: Stage): Sums {
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
  protected alongRow(stage: Stage, sums: Sums | null): void {
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
  protected scale(sums: Sums, i: number, distance: string): void {
    for (const { own } of sums.values()) {
      const sum = `${own}_${i}`;
      this.emitter.x.line(`${sum} = select(${sum} * exp(${distance}), 0.0f, ${sum} == 0.0f);`);
    }
  }

  /** The maximum of a row's columns so far, the same for all of its threads, and by how much what was summed is scaled. */
  protected rise(stage: Stage, greatest: Sums, { by, shift, factor }: Rise): void {
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
    this.share(best, type, (a, b) => `max(${a}, ${b})`);
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

  protected riseSums(sums: Sums, { factor }: Rise): void {
    for (const { own } of sums.values())
      for (let i = 0; i < this.own; i++) this.emitter.x.line(`${own}_${i} *= ${factor}_${i};`);
  }

  /** What every thread of a row has, combined for all of them. */
  protected share(own: string, type: string, take: (a: string, b: string) => string): void {
    const { x } = this.emitter;
    const [threadRows, threadColumns] = this.pass.threads;
    const fours = this.own / 4;
    const memory = `shares_${type}`;
    const shape = `array<array<array<vec4<${type}>, ${threadRows}>, ${fours}>, ${threadColumns}>`;
    this.emitter.shared.set(memory, `var<workgroup> ${memory}: ${shape};`);
    for (let g = 0; g < fours; g++) {
      const four = LANES.map((_, i) => `${own}_${4 * g + i}`).join(', ');
      x.line(`${memory}[across][${g}][down] = vec4<${type}>(${four});`);
    }
    x.line('workgroupBarrier();');
    for (let n = 0; n < threadColumns * fours; n++) {
      const [a, g] = [Math.floor(n / fours), n % fours];
      const share = x.fresh('share');
      x.line(`let ${share} = ${memory}[${a}][${g}][down];`);
      for (const [i, lane] of LANES.entries()) {
        const mine = `${own}_${4 * g + i}`;
        x.line(`${mine} = ${a === 0 ? `${share}.${lane}` : take(mine, `${share}.${lane}`)};`);
      }
    }
  }

  /** A maximum and the sums that are scaled as it rises, of this thread's columns alone. */
  protected scaledRow(stage: Stage, sums: Sums, by: Scaled, greatest: Sums, shift: string): void {
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

  protected finishSums(stage: Stage, sums: Sums): void {
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
        x.block(`if (across == 0 && first + ${this.rowAt(i)} <= last)`, () => {
          x.begin(stage.writes.map((w) => w.value));
          x.writes(stage.writes);
        });
    });
    for (const [value, own] of kept) this.rowValues.set(value, own);
    for (const [value, { own }] of sums) this.rowValues.set(value, own);
  }
}
