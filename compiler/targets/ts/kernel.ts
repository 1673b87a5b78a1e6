/**
 * One kernel as one function: `function softmax(x: Float32Array, y: Float32Array, B: number): void`.
 *
 * The schedule's tree becomes the loops; a stage leaf gets loops over its remaining axes, register tiles as several points in one body with a
 * remainder loop, reductions in local accumulators (f64), bounds of reduced loops tightened by guards. A value lives in a local variable when
 * its stage and its readers stand in the same round of the same loops, else in a scratch array of the function that grows to the greatest size
 * seen. Arithmetic order is that of the plain loops, so tiles and unrolling change no bit of a result.
 *
 * Not here: what to tile (the schedule says), scalar arithmetic (scalar.ts), offsets and hoisting (expression.ts).
 */
import {
  add as addPoly,
  asConst,
  format,
  mod,
  mul,
  name as nameOf,
  names as namesOf,
  num,
  sub,
  type Poly,
} from '../../sizes/poly.ts';
import type { Def, Expr, Kernel, Schedule, ScheduleNode, Stage, Write } from '../../kernel/types.ts';
import type { DType } from '../../graph/types.ts';
import type { Storage } from '../../../runtime/plan.ts';
import { stageRoots, walk } from '../../kernel/expr.ts';
import { Expressions, NO_SHIFT, type Shift } from './expression.ts';
import { atom, at, folds, type Helper, type Piece } from './scalar.ts';
import { partsOf, type Parts } from '../../kernel/parts.ts';
import { guardKey, solve, stageGuards, type Bounds } from './tighten.ts';
import { Writer } from './writer.ts';

export interface EmittedKernel {
  readonly name: string;
  /** Complete function, comment first; module-level scratch arrays before it. */
  readonly lines: readonly string[];
  readonly helpers: ReadonlySet<Helper>;
}

export const ARRAYS: Readonly<Record<DType, string>> = {
  f32: 'Float32Array',
  f16: 'Float32Array',
  i32: 'Int32Array',
  bool: 'Uint8Array',
};

/** Of a buffer, which may keep its values in fewer bytes. */
export const arrayOf = ({ dtype, storage }: { readonly dtype: DType; readonly storage?: Storage }): string =>
  storage === undefined ? ARRAYS[dtype] : { f16: 'Uint16Array', i8: 'Int8Array', i4: 'Uint8Array' }[storage];

type Leaf = Extract<ScheduleNode, { kind: 'stage' }>;

/** Axes that enclosing loops have bound; `step` > 1: to the first of a block. */
interface Around {
  readonly axis: string;
  readonly step: number;
  readonly text: string;
}

class KernelEmitter {
  private readonly kernel: Kernel;
  private readonly types: boolean;
  private readonly x: Expressions;
  private readonly writer: Writer;
  private readonly stages: ReadonlyMap<string, Stage>;
  /** Values that another stage than their own reads. */
  private readonly exported = new Set<string>();
  private readonly definedIn = new Map<string, string>();
  private readonly scratch: string[] = [];
  private readonly done = new Set<string>();

  constructor(kernel: Kernel, types: boolean, taken: Iterable<string>) {
    this.kernel = kernel;
    this.types = types;
    this.x = new Expressions(kernel, types, taken);
    this.writer = new Writer(kernel, this.x);
    this.stages = new Map(kernel.stages.map((s) => [s.name, s]));
    for (const stage of kernel.stages) {
      for (const [name] of stage.defs) {
        this.definedIn.set(name, stage.name);
        this.x.valueAxes.set(name, stage.axes);
      }
    }
    for (const stage of kernel.stages) {
      walk(stageRoots(stage), (e) => {
        if (e.kind === 'value' && this.definedIn.get(e.name) !== stage.name) this.exported.add(e.name);
      });
    }
  }

  emit(schedule: Schedule, place: string | null, name: string): EmittedKernel {
    const { kernel, x } = this;
    this.nodes(schedule.body, []);
    for (const stage of kernel.stages) {
      if (!this.done.has(stage.name)) throw new Error(`kernel ${kernel.name}: stage ${stage.name} is not scheduled`);
    }
    const parameters = kernel.buffers.map((b, i) => `${x.buffers[i]}${this.types ? `: ${arrayOf(b)}` : ''}`);
    for (const size of kernel.sizes) parameters.push(`${this.sizeName(size)}${this.types ? ': number' : ''}`);
    const shapes = kernel.buffers.map((b, i) => {
      const access = b.access === 'read' ? '' : b.access === 'write' ? ' (written)' : ' (updated)';
      const dtype = b.storage !== undefined ? `${b.storage} ` : b.dtype === 'f32' ? '' : `${b.dtype} `;
      return `// ${x.buffers[i]}: ${dtype}[${b.sizes.map((s) => format(s)).join(', ')}]${access}`;
    });
    const head = `function ${name}(${parameters.join(', ')})${this.types ? ': void' : ''} {`;
    const wide = head.length > 110;
    return {
      name,
      lines: [
        ...this.scratch,
        ...(place === null ? [] : [`// ${place}`]),
        ...shapes,
        ...(wide
          ? [`function ${name}(`, ...parameters.map((p) => `  ${p},`), `)${this.types ? ': void' : ''} {`]
          : [head]),
        ...x.scope.lines.map((l) => `  ${l}`),
        '}',
      ],
      helpers: x.helpers,
    };
  }

  private sizeName(size: string): string {
    return this.x.index(nameOf(size), size).text;
  }

  // ------------------------------------------------------------------------------------------------------------------------------- loops

  private nodes(list: readonly ScheduleNode[], around: readonly Around[]): void {
    for (const node of list) {
      if (node.kind === 'stage') this.leaf(node, around);
      else {
        const { axis, step } = node;
        const to = this.x.index(this.extent(axis), `${axis}End`).text;
        this.x.loop(
          axis,
          (v) => `for (let ${v} = 0; ${v} < ${to}; ${step === 1 ? `${v}++` : `${v} += ${step}`})`,
          (v) => this.nodes(node.body, [...around, { axis, step, text: v }]),
        );
        this.forgetValues(node);
      }
    }
  }

  /** Values of a round are gone after its loop. */
  private forgetValues(node: ScheduleNode): void {
    if (node.kind === 'stage') {
      for (const name of this.stages.get(node.stage)?.defs.keys() ?? []) {
        const value = this.x.values.get(name);
        if (value !== undefined && value.depth > this.x.scope.depth) this.x.values.delete(name);
      }
    } else for (const inner of node.body) this.forgetValues(inner);
  }

  private extent(axis: string): Poly {
    const p = this.kernel.axes.get(axis);
    if (p === undefined) throw new Error(`kernel ${this.kernel.name}: no axis ${axis}`);
    return p;
  }

  private leaf(leaf: Leaf, around: readonly Around[]): void {
    const stage = this.stages.get(leaf.stage);
    if (stage === undefined) throw new Error(`kernel ${this.kernel.name}: no stage ${leaf.stage}`);
    if (this.done.has(stage.name))
      throw new Error(`kernel ${this.kernel.name}: stage ${stage.name} is scheduled twice`);
    this.done.add(stage.name);
    const bound = new Set(around.filter((a) => a.step === 1).map((a) => a.axis));
    const split = stage.over.find((axis) => around.some((a) => a.axis === axis));
    if (split !== undefined)
      throw new Error(`kernel ${this.kernel.name}: reduced axis ${split} is looped outside its stage`);
    const rest = [...leaf.order, ...stage.axes, ...stage.over].filter(
      (a, i, all) => all.indexOf(a) === i && !bound.has(a),
    );
    const free = rest.filter((a) => stage.axes.includes(a));
    const over = rest.filter((a) => stage.over.includes(a));
    const arrays = this.arrays(stage, free);
    const tiled = new Map([...leaf.tile].filter(([axis, n]) => n > 1 && free.includes(axis)));

    const nest = (i: number, points: readonly Shift[], tile: ReadonlyMap<string, number>): void => {
      const axis = free[i];
      if (axis === undefined) {
        this.points(stage, leaf, over, points, tile, arrays);
        return;
      }
      const block = around.find((a) => a.axis === axis);
      this.freeLoop(axis, block, tiled.get(axis) ?? 1, (count) => {
        const more =
          count === 1
            ? points
            : points.flatMap((p) => Array.from({ length: count }, (_, by): Shift => new Map([...p, [axis, by]])));
        nest(i + 1, more, count === 1 ? tile : new Map([...tile, [axis, count]]));
      });
    };
    nest(0, [NO_SHIFT], new Map());
  }

  /** A loop over a free axis in steps of `tile` with what remains one by one; `body` is told how many points it computes. */
  private freeLoop(axis: string, block: Around | undefined, tile: number, body: (count: number) => void): void {
    const { x } = this;
    const extent = this.extent(axis);
    const run = (from: string, to: string, step: number): void => {
      x.loop(
        axis,
        (v) => `for (let ${v} = ${from}; ${v} < ${to}; ${step === 1 ? `${v}++` : `${v} += ${step}`})`,
        () => body(step),
      );
    };
    if (block !== undefined) {
      const end = x.take(`${axis}Last`);
      x.line(`const ${end} = Math.min(${block.text} + ${block.step}, ${x.index(extent, `${axis}End`).text});`);
      if (tile === 1) run(block.text, end, 1);
      else {
        const main = x.take(`${axis}Tiled`);
        x.line(`const ${main} = ${end} - ((${end} - ${block.text}) % ${tile});`);
        run(block.text, main, tile);
        run(main, end, 1);
      }
      // The block's own name again, for the leaves that follow.
      x.bind(axis, block.text, true);
      return;
    }
    const span = this.kernel.spans?.get(axis);
    if (span !== undefined) {
      const [from, end] = this.ends(axis, span.from, span.to);
      if (tile === 1) return run(from, end, 1);
      const main = x.take(`${axis}Tiled`);
      x.line(`const ${main} = ${end} - (Math.max(0, ${end} - ${from}) % ${tile});`);
      run(from, main, tile);
      return run(main, end, 1);
    }
    const to = x.index(extent, `${axis}End`).text;
    const known = asConst(extent);
    const left = asConst(mod(extent, num(tile)));
    if (tile === 1 || (known !== null && known < tile)) run('0', to, 1);
    else if (left === 0) run('0', to, tile);
    else if (known !== null && left !== null) {
      run('0', String(known - left), tile);
      run(String(known - left), to, 1);
    } else {
      const main = x.take(`${axis}Tiled`);
      x.line(`const ${main} = ${to} - (${at(atom(to), 14)} % ${tile});`);
      run('0', main, tile);
      run(main, to, 1);
    }
  }

  /** Where a loop begins and ends that the greatest of 0 and `froms` and the least of the extent and `tos` bound. */
  private ends(axis: string, froms: readonly Poly[], tos: readonly Poly[]): [from: string, to: string] {
    const { x } = this;
    const end = x.index(this.extent(axis), `${axis}End`).text;
    let from = '0';
    let to = end;
    if (froms.length > 0) {
      from = x.take(`${axis}From`);
      x.line(`const ${from} = Math.max(0, ${froms.map((p) => x.index(p, axis).text).join(', ')});`);
    }
    if (tos.length > 0) {
      to = x.take(`${axis}To`);
      x.line(`const ${to} = Math.min(${end}, ${tos.map((p) => x.index(p, axis).text).join(', ')});`);
    }
    return [from, to];
  }

  /** Scratch arrays for values that outlive this leaf's own loops: value → (index text at a shift). */
  private arrays(stage: Stage, free: readonly string[]): ReadonlyMap<string, string> {
    const out = new Map<string, string>();
    if (free.length === 0) return out;
    const { x } = this;
    for (const [name] of stage.defs) {
      if (!this.exported.has(name)) continue;
      const array = x.take(`${this.kernel.name}_${name}`);
      const count = free.reduce((n, axis) => mul(n, this.extent(axis)), num(1));
      this.scratch.push(
        `// ${name}: [${free.map((a) => format(this.extent(a))).join(', ')}], between the loops of ${this.kernel.name}`,
        `let ${array} = new Float64Array(0);`,
      );
      const length = x.index(count, `${name}Length`).text;
      x.line(`if (${array}.length < ${length}) ${array} = new Float64Array(${length});`);
      out.set(name, array);
      const isBool = stage.defs.get(name)!.value.dtype === 'bool';
      const depth = x.scope.depth;
      let position: Poly = num(0);
      for (const axis of free) position = addPoly(mul(position, this.extent(axis)), nameOf(axis));
      x.values.set(name, {
        depth,
        text: (shift) => {
          const element = `${array}[${x.index(position, name, shift).text}]${this.types ? '!' : ''}`;
          return isBool ? `(${element} !== 0)` : element;
        },
      });
    }
    return out;
  }

  // ------------------------------------------------------------------------------------------------------------------------------ points

  /** What one body computes: these points of the free axes together. */
  private points(
    stage: Stage,
    leaf: Leaf,
    over: readonly string[],
    points: readonly Shift[],
    tile: ReadonlyMap<string, number>,
    arrays: ReadonlyMap<string, string>,
  ): void {
    const { x } = this;
    const plan = partsOf(stage);
    const suffix = (shift: Shift): string =>
      [...tile.keys()].map((axis) => shift.get(axis) ?? 0).join(tile.size > 1 ? '_' : '');
    const locals = new Map<string, ReadonlyMap<string, string>>();
    const nameFor = (value: string): ReadonlyMap<string, string> => {
      let all = locals.get(value);
      if (all === undefined) {
        all = new Map(points.map((p) => [suffix(p), x.take(`${value}${suffix(p)}`)]));
        locals.set(value, all);
      }
      return all;
    };
    const bindLocal = (value: string): void => {
      const all = nameFor(value);
      x.values.set(value, { depth: x.scope.depth, text: (shift) => all.get(suffix(shift))! });
    };
    const saved = new Map([...arrays.keys()].map((value) => [value, x.values.get(value)!]));
    const store = (value: string, def: Def): void => {
      const array = saved.get(value);
      if (array === undefined) return;
      const all = nameFor(value);
      for (const p of points) {
        const own = all.get(suffix(p))!;
        const target = array
          .text(p)
          .replace(/^\((.*) !== 0\)$/, '$1')
          .replace(/!$/, '');
        x.line(`${target} = ${def.value.dtype === 'bool' ? `${own} ? 1 : 0` : own};`);
      }
    };
    const define = (value: string, def: Def): void => {
      x.begin([def.value], tile);
      for (const p of points) {
        const piece = x.emit(def.value, p);
        x.line(`const ${nameFor(value).get(suffix(p))!} = ${piece.text};`);
      }
      bindLocal(value);
    };

    for (const value of plan.before) define(value, stage.defs.get(value)!);
    if (plan.reduced.length > 0 || stage.each.length > 0) {
      this.reduction(stage, leaf, over, points, tile, plan, nameFor, bindLocal, suffix);
    }
    for (const value of plan.last) define(value, stage.defs.get(value)!);
    x.begin(writeRoots(stage.writes), tile);
    this.writer.write(stage.writes, points);
    for (const [value] of saved) store(value, stage.defs.get(value)!);
    for (const [value, array] of saved) x.values.set(value, array);
    x.forget();
  }

  private reduction(
    stage: Stage,
    leaf: Leaf,
    over: readonly string[],
    points: readonly Shift[],
    tile: ReadonlyMap<string, number>,
    plan: Parts,
    nameFor: (value: string) => ReadonlyMap<string, string>,
    bindLocal: (value: string) => void,
    suffix: (shift: Shift) => string,
  ): void {
    const { x } = this;
    const best = new Map<string, ReadonlyMap<string, string>>();
    for (const value of plan.reduced) {
      const def = stage.defs.get(value)!;
      if (def.op === null) continue;
      if (def.op === 'argmax') {
        best.set(value, new Map(points.map((p) => [suffix(p), x.take(`${value}Best${suffix(p)}`)])));
      }
      if (def.op !== 'argmax' && def.init !== null) x.begin([def.init], tile);
      for (const p of points) {
        const own = nameFor(value).get(suffix(p))!;
        if (def.op === 'argmax') {
          x.line(`let ${best.get(value)!.get(suffix(p))!} = -Infinity;`);
          x.line(`let ${own} = 0;`);
        } else {
          const start = def.init === null ? folds[def.op].identity(def.value.dtype) : x.emit(def.init, p).text;
          const annotation = this.types && def.value.dtype === 'bool' ? ': boolean' : '';
          x.line(`let ${own}${annotation} = ${start};`);
        }
      }
    }

    // Guards that the loops can establish, each at the innermost reduced axis that it mentions.
    const bounds = new Map<string, Bounds[]>();
    const outside: ReturnType<typeof stageGuards> = [];
    const assumed: string[] = [];
    for (const g of stageGuards(stage)) {
      const mentioned = new Set([g.e, g.lo, g.hi].flatMap((p) => [...namesOf(p)]));
      if ([...tile.keys()].some((axis) => mentioned.has(axis))) continue;
      const inner = over.findLast((axis) => mentioned.has(axis));
      if (inner === undefined) outside.push(g);
      else {
        const solved = solve(g, inner);
        if (solved === null) continue;
        bounds.set(inner, [...(bounds.get(inner) ?? []), solved]);
      }
      assumed.push(guardKey(g));
    }
    const around = outside.length === 0 ? null : x.condition(outside, NO_SHIFT);
    for (const key of assumed) x.assumed.add(key);

    const unroll =
      bounds.size === 0 &&
      !over.some((a) => this.kernel.spans?.has(a)) &&
      stage.each.length === 0 &&
      stage.order === null &&
      plan.inside.length === 0
        ? leaf.unroll
        : 1;
    const loops = (i: number, steps: Shift): void => {
      const axis = over[i];
      if (axis === undefined) {
        this.round(stage, points, tile, plan, nameFor, bindLocal, suffix, best, steps);
        return;
      }
      const last = i === over.length - 1;
      this.overLoop(axis, bounds.get(axis) ?? [], stage.order === 'backward', last ? unroll : 1, (count) => {
        for (let by = 0; by < count; by++) loops(i + 1, by === 0 ? steps : new Map([...steps, [axis, by]]));
      });
    };
    if (around === null) loops(0, NO_SHIFT);
    else x.block(`if (${around.text})`, () => loops(0, NO_SHIFT));
    for (const key of assumed) x.assumed.delete(key);
    for (const value of plan.reduced) bindLocal(value);
    for (const value of plan.inside) x.values.delete(value);
  }

  private overLoop(
    axis: string,
    bounds: readonly Bounds[],
    backward: boolean,
    unroll: number,
    body: (count: number) => void,
  ): void {
    const { x } = this;
    const extent = this.extent(axis);
    const label = axis;
    const span = this.kernel.spans?.get(axis) ?? { from: [], to: [] };
    const froms = [...bounds.flatMap((b) => b.from), ...span.from].filter((p) => !((asConst(p) ?? 1) <= 0));
    const tos = [...bounds.flatMap((b) => b.to), ...span.to].filter((p) => !((asConst(sub(p, extent)) ?? -1) >= 0));
    const [from, to] = this.ends(label, froms, tos);
    const run = (first: string, limit: string, step: number): void => {
      x.loop(
        axis,
        (v) =>
          backward
            ? `for (let ${v} = ${limit} - 1; ${v} >= ${first}; ${v}--)`
            : `for (let ${v} = ${first}; ${v} < ${limit}; ${step === 1 ? `${v}++` : `${v} += ${step}`})`,
        () => body(step),
      );
    };
    const known = asConst(extent);
    if (unroll <= 1 || (known !== null && known < unroll)) run(from, to, 1);
    else {
      const left = asConst(mod(extent, num(unroll)));
      if (left === 0) run(from, to, unroll);
      else {
        const main = x.take(`${axis}Unrolled`);
        x.line(`const ${main} = ${to} - (${to} % ${unroll});`);
        run('0', main, unroll);
        run(main, to, 1);
      }
    }
  }

  /** One round of the reduced axes, for all points. */
  private round(
    stage: Stage,
    points: readonly Shift[],
    tile: ReadonlyMap<string, number>,
    plan: Parts,
    nameFor: (value: string) => ReadonlyMap<string, string>,
    bindLocal: (value: string) => void,
    suffix: (shift: Shift) => string,
    best: ReadonlyMap<string, ReadonlyMap<string, string>>,
    steps: Shift,
  ): void {
    const { x } = this;
    const moved = (p: Shift): Shift => (steps.size === 0 ? p : new Map([...p, ...steps]));
    const define = (value: string): void => {
      const def = stage.defs.get(value)!;
      x.begin([def.value], tile);
      for (const p of points) {
        const piece = x.emit(def.value, moved(p));
        x.line(`const ${nameFor(value).get(suffix(p))!} = ${piece.text};`);
      }
      bindLocal(value);
    };
    for (const value of plan.inside) if (!plan.running.has(value)) define(value);
    const defs = plan.reduced.map((value) => ({ value, def: stage.defs.get(value)! }));
    x.begin([...defs.map(({ def }) => def.value), ...writeRoots(stage.each)], tile);
    for (const { def } of defs) this.columnsFirst(def.value, points.map(moved), tile);
    for (const p of points) {
      for (const { value, def } of defs) {
        const own = nameFor(value).get(suffix(p))!;
        const piece = x.emit(def.value, moved(p));
        if (def.op === 'argmax') {
          const top = best.get(value)!.get(suffix(p))!;
          let found: Piece = piece;
          if (!/^[\w$]+$/.test(piece.text)) {
            const candidate = x.take('candidate');
            x.line(`const ${candidate} = ${piece.text};`);
            found = atom(candidate);
          }
          let position: Poly = num(0);
          for (const axis of stage.over) position = addPoly(mul(position, this.extent(axis)), nameOf(axis));
          const where = x.index(position, `${value}At`, steps).text;
          x.block(`if (${found.text} > ${top})`, () => {
            x.line(`${top} = ${found.text};`);
            x.line(`${own} = ${where};`);
          });
        } else if (def.op !== null) x.line(folds[def.op].take(own, piece, def.value.dtype));
      }
    }
    for (const value of plan.reduced) bindLocal(value);
    for (const value of plan.inside) if (plan.running.has(value)) define(value);
    this.writer.write(stage.each, points);
    x.forget();
  }

  /** In a tile of a product the reads that all rows share come first: an engine then has them before the first row's sums wait for one another. */
  private columnsFirst(value: Expr, points: readonly Shift[], tile: ReadonlyMap<string, number>): void {
    const [rows, ...columns] = [...tile.keys()];
    if (rows === undefined || columns.length === 0 || value.kind !== 'op' || value.op !== 'mul') return;
    for (const read of value.args) {
      if (read.kind !== 'read' || read.guards.length > 0 || read.dynamic.length > 0) continue;
      const used = namesOf(read.at);
      if (used.has(rows) || !columns.some((axis) => used.has(axis))) continue;
      for (const p of points) if ((p.get(rows) ?? 0) === 0) this.x.emit(read, p);
    }
  }
}

const writeRoots = (writes: readonly Write[]): Expr[] =>
  writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]);

/** The function of a kernel. `place` is the `.nn` place for its comment; `taken` are names of the module. */
export function emitKernel(
  kernel: Kernel,
  schedule: Schedule,
  options: {
    readonly types: boolean;
    readonly place: string | null;
    readonly taken: Iterable<string>;
    /** Of the function; the kernel's own if left out. */
    readonly name?: string;
  },
): EmittedKernel {
  return new KernelEmitter(kernel, options.types, options.taken).emit(
    schedule,
    options.place,
    options.name ?? kernel.name,
  );
}
