/**
 * Runs a kernel program slowly and obviously: the oracle between the graph's evaluator and emitted code. Arithmetic in f64, rounded where it
 * is stored; integers wrap. An access outside its buffer throws. Stages run one after the other inside the kernel's rows, as every schedule must
 * look from outside; loops within a stage run in the order written.
 */
import { evaluate, type Poly } from '../sizes/poly.ts';
import { threefry2x32 } from '../ops/random.ts';
import { Levels } from './levels.ts';
import type {
  Buffer,
  Combine,
  Def,
  Expr,
  Guard,
  Kernel,
  KernelProgram,
  KernelStep,
  ScalarOp,
  Stage,
  Write,
} from './types.ts';
import type { DType } from '../graph/types.ts';

export type Data = Float32Array | Int32Array | Uint8Array;

/** f16 values are held in Float32Array, rounded. */
export function allocate(dtype: DType, length: number): Data {
  return dtype === 'i32'
    ? new Int32Array(length)
    : dtype === 'bool'
      ? new Uint8Array(length)
      : new Float32Array(length);
}

/** To the nearest half-precision number, ties to even (IEEE 754 binary16). */
export function roundToHalf(x: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const size = Math.abs(x);
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const unit = 2 ** (exponent - 10);
  const scaled = size / unit;
  let whole = Math.floor(scaled);
  const rest = scaled - whole;
  if (rest > 0.5 || (rest === 0.5 && whole % 2 === 1)) whole++;
  const rounded = whole * unit;
  return Math.sign(x) * (rounded > 65504 ? Infinity : rounded);
}

function floorMod(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

/** erf by its series (Abramowitz & Stegun 7.1.6). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

type Scalar = (a: number, b: number, c: number, d: number, e: number) => number;

const FLOAT = {
  neg: (a) => -a,
  recip: (a) => 1 / a,
  exp: (a) => Math.exp(a),
  log: (a) => Math.log(a),
  sin: (a) => Math.sin(a),
  cos: (a) => Math.cos(a),
  tanh: (a) => Math.tanh(a),
  erf,
  sqrt: (a) => Math.sqrt(a),
  floor: (a) => Math.floor(a),
  not: (a) => (a === 0 ? 1 : 0),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  mod: floorMod,
  lt: (a, b) => (a < b ? 1 : 0),
  eq: (a, b) => (a === b ? 1 : 0),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  select: (a, b, c) => (a !== 0 ? b : c),
  cast: (a) => a,
  // key (seed, stream), counter (step, position)
  random: (seed, stream, step, position, word) =>
    (threefry2x32([seed, stream], [step, position])[word === 0 ? 0 : 1] >>> 8) * 2 ** -24,
} satisfies Record<ScalarOp, Scalar>;

const INTEGER: Partial<Record<ScalarOp, Scalar>> = {
  neg: (a) => -a | 0,
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: (a, b) => Math.imul(a, b),
  div: (a, b) => Math.floor(a / b) | 0,
  cast: (a) => Math.trunc(a) | 0,
};

function compute(e: Extract<Expr, { kind: 'op' }>, args: readonly number[]): number {
  if (e.op === 'cast' && e.dtype === 'bool') return args[0] !== 0 ? 1 : 0;
  if (e.op === 'cast' && e.dtype === 'f32') return Math.fround(args[0]!);
  if (e.op === 'cast' && e.dtype === 'f16') return roundToHalf(args[0]!);
  const f: Scalar = (e.dtype === 'i32' ? INTEGER[e.op] : undefined) ?? FLOAT[e.op];
  return f(args[0]!, args[1]!, args[2]!, args[3]!, args[4]!);
}

function identityOf(op: Combine): number {
  return op === 'sum' || op === 'any' ? 0 : op === 'prod' || op === 'all' ? 1 : op === 'max' ? -Infinity : Infinity;
}

function combine(op: Combine, dtype: DType, a: number, b: number): number {
  switch (op) {
    case 'sum':
      return dtype === 'i32' ? (a + b) | 0 : a + b;
    case 'prod':
      return dtype === 'i32' ? Math.imul(a, b) : a * b;
    case 'max':
      return Math.max(a, b);
    case 'min':
      return Math.min(a, b);
    case 'any':
      return a !== 0 || b !== 0 ? 1 : 0;
    case 'all':
      return a !== 0 && b !== 0 ? 1 : 0;
  }
}

class KernelRun {
  private readonly kernel: Kernel;
  private readonly buffers: readonly Data[];
  private readonly sizes: ReadonlyMap<string, number>;
  private readonly point = new Map<string, number>();
  /** Named values of earlier stages, by the coordinates of their stage. */
  private readonly named = new Map<string, { readonly stage: Stage; readonly data: Map<string, number> }>();
  private readonly cache = new Map<Expr, number>();
  private current: Stage | null = null;
  private readonly sums = new Map<string, number>();

  constructor(kernel: Kernel, buffers: readonly Data[], sizes: ReadonlyMap<string, number>) {
    this.kernel = kernel;
    this.buffers = buffers;
    this.sizes = sizes;
  }

  run(): void {
    const rows = this.kernel.rows ?? [];
    this.loop(rows, false, () => {
      for (const stage of this.kernel.stages)
        this.stage(
          stage,
          stage.axes.filter((a) => !rows.includes(a)),
        );
    });
  }

  private loop(axes: readonly string[], backward: boolean, body: () => void, from = 0): void {
    if (from === axes.length) {
      body();
      return;
    }
    const axis = axes[from]!;
    const n = evaluate(this.kernel.axes.get(axis)!, (s) => this.size(s));
    const span = this.kernel.spans?.get(axis);
    const at = (p: Poly): number => evaluate(p, (s) => this.point.get(s) ?? this.size(s));
    const first = Math.max(0, ...(span?.from ?? []).map(at));
    const end = Math.min(n, ...(span?.to ?? []).map(at));
    for (let k = first; k < end; k++) {
      this.point.set(axis, backward ? n - 1 - k : k);
      this.loop(axes, backward, body, from + 1);
    }
    this.point.delete(axis);
  }

  private size(s: string): number {
    const value = this.sizes.get(s);
    if (value === undefined) throw new Error(`kernel ${this.kernel.name}: no size ${s}`);
    return value;
  }

  private stage(stage: Stage, free: readonly string[]): void {
    this.current = stage;
    const levels = new Levels(stage);
    this.loop(free, false, () => {
      this.sums.clear();
      const reduced = [...stage.defs].filter(([, d]) => d.op !== null) as [string, Exclude<Def, { op: null }>][];
      const best = new Map<string, { at: number; value: number }>();
      for (const [name, def] of reduced) {
        this.cache.clear();
        if (def.op !== 'argmax') this.sums.set(name, def.init === null ? identityOf(def.op) : this.value(def.init));
      }
      if (stage.over.length > 0 || reduced.length > 0 || stage.each.length > 0) {
        let position = -1;
        this.loop(stage.over, stage.order === 'backward', () => {
          position++;
          this.cache.clear();
          for (const [name, def] of reduced) {
            const x = this.value(def.value);
            if (def.op === 'argmax') {
              const known = best.get(name);
              if (known === undefined || x > known.value) best.set(name, { at: position, value: x });
            } else this.sums.set(name, combine(def.op, def.value.dtype, this.sums.get(name)!, x));
          }
          this.cache.clear();
          this.store(stage.each);
        });
      }
      for (const [name, { at }] of best) this.sums.set(name, at);
      this.cache.clear();
      for (const [name, def] of stage.defs) {
        if (levels.defs.get(name) === 'inside') continue;
        const value = def.op === null ? this.value(def.value) : this.sums.get(name)!;
        let entry = this.named.get(name);
        if (entry === undefined) this.named.set(name, (entry = { stage, data: new Map() }));
        entry.data.set(this.key(stage), value);
      }
      this.store(stage.writes);
    });
    this.current = null;
  }

  private key(stage: Stage): string {
    return stage.axes.map((a) => this.point.get(a)!).join();
  }

  /** All values first, then the stores: at one point every read comes before every write. */
  private store(writes: readonly Write[]): void {
    const stores: (() => void)[] = [];
    for (const w of writes) {
      const dynamic = this.dynamic(w.dynamic);
      if (!this.inside(w.guards, dynamic)) continue;
      const at = this.poly(w.at, dynamic);
      const value = this.value(w.value);
      const data = this.buffers[w.buffer]!;
      if (!(at >= 0 && at < data.length)) throw new Error(`kernel ${this.kernel.name}: write ${at} of ${data.length}`);
      stores.push(() => {
        const old = data[at]!;
        const next = w.mode === 'store' ? value : w.mode === 'add' ? old + value : Math.max(old, value);
        data[at] = this.kernel.buffers[w.buffer]!.dtype === 'f16' ? roundToHalf(next) : next;
      });
    }
    for (const s of stores) s();
  }

  private dynamic(list: readonly { readonly name: string; readonly value: Expr }[]): ReadonlyMap<string, number> {
    return new Map(list.map((d) => [d.name, this.value(d.value)]));
  }

  private poly(p: Poly, dynamic: ReadonlyMap<string, number>): number {
    return evaluate(p, (s) => dynamic.get(s) ?? this.point.get(s) ?? this.size(s));
  }

  private inside(guards: readonly Guard[], dynamic: ReadonlyMap<string, number>): boolean {
    return guards.every((g) => {
      const e = this.poly(g.e, dynamic);
      return this.poly(g.lo, dynamic) <= e && e < this.poly(g.hi, dynamic);
    });
  }

  private value(e: Expr): number {
    const known = this.cache.get(e);
    if (known !== undefined) return known;
    const x = this.fresh(e);
    this.cache.set(e, x);
    return x;
  }

  private fresh(e: Expr): number {
    const none: ReadonlyMap<string, number> = new Map();
    switch (e.kind) {
      case 'const':
        return e.value;
      case 'index':
        return this.poly(e.at, none);
      case 'value': {
        const own = this.current!.defs.get(e.name);
        if (own !== undefined) return own.op === null ? this.value(own.value) : this.sums.get(e.name)!;
        const entry = this.named.get(e.name);
        const x = entry?.data.get(this.key(entry.stage));
        if (x === undefined) throw new Error(`kernel ${this.kernel.name}: value ${e.name} before its definition`);
        return x;
      }
      case 'op':
        return compute(
          e,
          e.args.map((a) => this.value(a)),
        );
      case 'guarded':
        return this.value(this.inside(e.guards, none) ? e.inside : e.outside);
      case 'read': {
        const dynamic = this.dynamic(e.dynamic);
        if (!this.inside(e.guards, dynamic)) return this.value(e.otherwise!);
        const at = this.poly(e.at, dynamic);
        const data = this.buffers[e.buffer]!;
        if (!(at >= 0 && at < data.length)) throw new Error(`kernel ${this.kernel.name}: read ${at} of ${data.length}`);
        return data[at]!;
      }
    }
  }
}

export function runKernel(kernel: Kernel, buffers: readonly Data[], sizes: ReadonlyMap<string, number>): void {
  new KernelRun(kernel, buffers, sizes).run();
}

export interface Memory {
  readonly buffers: ReadonlyMap<number, Data>;
  /** A result, or the persistent leaf an output updates. */
  readonly output: (name: string) => Data;
}

/**
 * @param given data inputs, scalars and persistent leaves by name (`Buffer.leaf`); copied, not changed
 * @param sizes every size name
 */
export function interpret(
  program: KernelProgram,
  given: ReadonlyMap<string, ArrayLike<number>>,
  sizes: Readonly<Record<string, number>>,
): Memory {
  const memory = new Map<number, Data>();
  const lengthOf = (b: Buffer): number =>
    b.sizes.reduce((n, s) => n * evaluate(s, (name) => sizes[name] ?? Number.NaN), 1);
  for (const b of program.buffers) {
    const data = allocate(b.dtype, lengthOf(b));
    const values = b.leaf === null || b.kind === 'output' ? undefined : given.get(b.leaf);
    if (values !== undefined) data.set(Array.from(values));
    // What nobody wrote is nonsense: a program that reads it shows.
    else if (data instanceof Float32Array) data.fill(Number.NaN);
    else if (data instanceof Int32Array) data.fill(-(2 ** 30));
    memory.set(b.id, data);
  }
  const run = (steps: readonly KernelStep[], env: ReadonlyMap<string, number>): void => {
    for (const step of steps) {
      if (step.kind === 'copy') {
        memory.get(step.to)!.set(memory.get(step.from)!);
      } else if (step.kind === 'loop') {
        const all = evaluate(step.count, (s) => env.get(s) ?? Number.NaN);
        const count = step.limit === null ? all : Math.min(all, memory.get(step.limit)![0]!);
        for (let k = 0; k < count; k++) {
          run(step.body, new Map([...env, [step.variable, step.reversed ? count - 1 - k : k]]));
          if (step.until !== null && memory.get(step.until)![0] !== 0) break;
        }
      } else {
        const given_ = new Map(
          step.kernel.sizes.map((s, k) => [s, evaluate(step.sizes[k]!, (n) => env.get(n) ?? Number.NaN)]),
        );
        runKernel(
          step.kernel,
          step.buffers.map((b) => memory.get(b)!),
          given_,
        );
      }
    }
  };
  run(program.steps, new Map(Object.entries(sizes)));
  return {
    buffers: memory,
    output: (name) => {
      const found = program.outputs.find((o) => o.name === name);
      if (found === undefined) throw new Error(`no output ${name}`);
      return memory.get(found.buffer)!;
    },
  };
}
