/**
 * One kernel as one WGSL module with an entry point a pass of its schedule.
 *
 * Bindings: 0 is a uniform block with the kernel's sizes; the slots (slots.ts) follow, all `read_write`, since they are ranges of a few large buffers and
 * WebGPU forbids one buffer to be read-only and writable in one dispatch. Workgroups are counted in two dimensions where one is too small.
 *
 * A shared row (threads > 1) has no barrier in any loop or branch that depends on data: barriers stand between stages and in the combination of
 * partial reductions only.
 */
import { add, mul, name as nameOf, num, type Poly } from '../../sizes/poly.ts';
import type { Def, Expr, Kernel, Stage } from '../../kernel/types.ts';
import { readByFour, resultsByFour, wideWords, type Wide } from '../../schedule/wgsl-product.ts';
import type { MatrixProduct, MatrixSchedule } from '../../schedule/wgsl-matrix.ts';
import type { WgslPass } from '../../schedule/wgsl.ts';
import { partsOf, type Parts } from '../../kernel/parts.ts';
import { Expressions, identifier } from './expression.ts';
import { slotLines, type Lie } from './windows.ts';
import type { Helper } from './helpers.ts';
import { matrixLines } from './matrix.ts';
import type { Emitted } from './finish.ts';
import { productLines } from './product.ts';
import { AT_ONCE, isLight, reduceLines, sharedResults } from './reduce.ts';
import { rowLines } from './row.ts';
import { constant, folds, registerType, type RegisterType } from './scalar.ts';
import { skinnyLines } from './skinny.ts';
import { slotsOf, type Lanes, type Slot, type SlotMap } from './slots.ts';
import { streamLines } from './stream.ts';

/** Threads of a workgroup whose rows are one invocation each. */
const LOCAL = 64;

export interface EmittedPass {
  readonly entry: string;
  /** Rows of the dispatch; a workgroup has `per` of them. */
  readonly count: Poly;
  readonly per: number;
}

export interface EmittedKernel {
  readonly name: string;
  /** Without helpers. */
  readonly lines: readonly string[];
  readonly helpers: ReadonlySet<Helper>;
  readonly slots: readonly Slot[];
  /** Of all slots. */
  readonly bindings: number;
  readonly passes: readonly EmittedPass[];
  /** Elements (f32) of memory that the passes leave values in for each other: the binding after the slots. */
  readonly scratch: Poly | null;
  /** Whether it has elements that are halves where the device has such. */
  readonly halves: boolean;
}

export class PassEmitter {
  readonly kernel: Kernel;
  readonly x: Expressions;
  readonly slots: readonly Slot[];
  /** Workgroup variables, declared before the entry points. */
  readonly shared = new Map<string, string>();
  scratchElements: Poly | null = null;
  /** It is memory of vectors. */
  hasScratchVectors = false;
  private readonly stages: ReadonlyMap<string, Stage>;
  readonly lie: Lie;
  private readonly map: SlotMap;

  /** `halves`: buffers that are kept as such. */
  constructor(
    kernel: Kernel,
    map: SlotMap,
    { vectors, areWritten }: Vectors,
    lie: Lie,
    halves: ReadonlySet<number> = new Set(),
  ) {
    this.kernel = kernel;
    this.map = map;
    this.lie = lie;
    const names = new Set<string>();
    this.slots = slotsOf(
      kernel,
      map,
      (text) => {
        const base = `${identifier(text)}b`;
        let own = base;
        for (let n = 2; names.has(own); n++) own = `${base}${n}`;
        names.add(own);
        return own;
      },
      vectors,
      lie.windows,
      halves,
      areWritten && (lie.windows ?? []).every((n) => n === 1),
    );
    this.x = new Expressions(kernel, this.slots, map, lie);
    this.stages = new Map(kernel.stages.map((s) => [s.name, s]));
  }

  stage(name: string): Stage {
    const found = this.stages.get(name);
    if (found === undefined) throw new Error(`kernel ${this.kernel.name}: no stage ${name}`);
    return found;
  }

  /** Whether four neighbours of what an expression reads are one load here. */
  hasVectors(e: Expr): boolean {
    const read = readByFour(this.kernel, e);
    if (read === null) return false;
    return this.kernel.buffers[read.buffer]!.storage !== undefined || this.lanes(read.buffer) === 4;
  }

  /** Whether such four are halves. */
  hasHalves(e: Expr): boolean {
    const read = readByFour(this.kernel, e);
    return read !== null && this.slots[this.map[read.buffer]!]?.type === 'f16' && this.lanes(read.buffer) === 4;
  }

  /** Whether so many neighbours of what is stored in fewer bytes are one load here. */
  hasWide(e: Expr, by: Wide): boolean {
    const read = readByFour(this.kernel, e);
    const storage = read === null ? undefined : this.kernel.buffers[read.buffer]!.storage;
    return storage !== undefined && this.lanes(read!.buffer) === wideWords(storage, by);
  }

  private lanes(buffer: number): number {
    return this.slots[this.map[buffer]!]?.lanes ?? 1;
  }

  /** Equal for buffers at one place. */
  placeOf(buffer: number): string {
    return `${this.map[buffer]!} ${this.lie.bases?.[buffer] ?? 0}`;
  }

  slotOf(buffer: number): Slot {
    return this.slots[this.map[buffer]!]!;
  }

  needScratch(elements: Poly): void {
    // Passes run one after another, and none leaves values for more than the next: they use the same memory.
    this.scratchElements = this.scratchElements === null ? elements : add(this.scratchElements, elements);
  }

  scratch(): string {
    return 'scratch';
  }

  extent(axis: string): Poly {
    const p = this.kernel.axes.get(axis);
    if (p === undefined) throw new Error(`kernel ${this.kernel.name}: no axis ${axis}`);
    return p;
  }

  points(axes: readonly string[]): Poly {
    return axes.reduce((n, a) => mul(n, this.extent(a)), num(1));
  }

  /** The linear position over axes, as a polynomial in their names. */
  position(axes: readonly string[]): Poly {
    return axes.reduce<Poly>((p, a) => add(mul(p, this.extent(a)), nameOf(a)), num(0));
  }

  /** Binds axes to the digits of a linear index; their texts. */
  split(axes: readonly string[], index: string): string[] {
    const { x } = this;
    const texts: string[] = [];
    let rest = index;
    for (let i = axes.length - 1; i >= 0; i--) {
      const axis = axes[i]!;
      const own = x.fresh(axis);
      if (i === 0) x.line(`let ${own} = ${rest};`);
      else {
        const extent = x.poly(this.extent(axis));
        x.line(`let ${own} = ${rest} % ${extent};`);
        const next = x.fresh(`${axis}_rest`);
        x.line(`let ${next} = ${rest} / ${extent};`);
        rest = next;
      }
      x.bind(axis, own);
      texts.unshift(own);
    }
    return texts;
  }

  // -------------------------------------------------------------------------------------------------------------------------------- rows

  rows(pass: Extract<WgslPass, { kind: 'rows' }>, entry: string): { lines: string[]; pass: EmittedPass } {
    const { x } = this;
    const count = this.points(pass.rows);
    const isShared = pass.threads > 1;
    const local = pass.local ?? LOCAL;
    const group = 'i32(group.y * groups.x + group.x)';
    x.line(isShared ? `let row = ${group};` : `let row = ${group} * ${local} + i32(thread);`);
    x.line(`if (row >= ${x.poly(count)}) { return; }`);
    this.split(pass.rows, 'row');
    for (const [i, name] of pass.stages.entries()) {
      const stage = this.stage(name);
      if (i > 0 && isShared) x.line('storageBarrier(); workgroupBarrier();');
      const free = stage.axes.filter((a) => !pass.rows.includes(a));
      if (!isShared) this.serial(stage, free);
      else if (free.length > 0) {
        const form = pass.shared?.get(name);
        if (form === undefined) this.strided(stage, free, pass.threads);
        else sharedResults(this, stage, free, form);
      } else this.together(stage, pass.threads);
    }
    const threads = isShared ? pass.threads : local;
    return { lines: this.entry(entry, threads, x.take()), pass: { entry, count, per: isShared ? 1 : local } };
  }

  entry(entry: string, threads: number, body: readonly string[]): string[] {
    return [
      `@compute @workgroup_size(${threads})`,
      `fn ${entry}(`,
      '  @builtin(workgroup_id) group: vec3<u32>,',
      '  @builtin(num_workgroups) groups: vec3<u32>,',
      '  @builtin(local_invocation_index) thread: u32,',
      ') {',
      ...body.map((l) => `  ${l}`),
      '}',
    ];
  }

  /** Loops over the free axes within the row, by one thread. */
  private serial(stage: Stage, free: readonly string[]): void {
    const [axis, ...rest] = free;
    if (axis === undefined) this.point(stage);
    else this.loop(axis, false, () => this.serial(stage, rest));
  }

  /** The points within the row dealt out to the threads. */
  private strided(stage: Stage, free: readonly string[], threads: number): void {
    const { x } = this;
    const at = x.fresh(`${free.join('_')}_at`);
    x.block(`for (var ${at} = i32(thread); ${at} < ${x.poly(this.points(free))}; ${at} += ${threads})`, () => {
      this.split(free, at);
      this.point(stage);
    });
  }

  loop(axis: string, backward: boolean, body: () => void): void {
    const { x } = this;
    const own = x.fresh(axis);
    const extent = x.poly(this.extent(axis));
    x.block(
      backward
        ? `for (var ${own} = ${extent} - 1; ${own} >= 0; ${own}--)`
        : `for (var ${own} = 0; ${own} < ${extent}; ${own}++)`,
      () => {
        x.bind(axis, own);
        body();
      },
    );
  }

  // ------------------------------------------------------------------------------------------------------------------------------ points

  define(stage: Stage, value: string): void {
    const { x } = this;
    const def = stage.defs.get(value)!;
    x.begin([def.value]);
    const own = x.fresh(value);
    x.line(`let ${own} = ${x.expr(def.value)};`);
    x.values.set(value, own);
  }

  /** Declares the accumulators of a stage; `fresh` ones start at the identity. */
  accumulators(stage: Stage, plan: Parts, fromIdentity: boolean): Map<string, Accumulator> {
    const { x } = this;
    const out = new Map<string, Accumulator>();
    for (const value of plan.reduced) {
      const def = stage.defs.get(value)!;
      if (def.op === null) continue;
      const own = x.fresh(value);
      if (def.op === 'argmax') {
        const best = x.fresh(`${value}_best`);
        const type = registerType(def.value.dtype);
        const least = constant(folds.max.identity(def.value.dtype), def.value.dtype, x.use);
        x.line(`var ${best}: ${type} = ${least};`);
        x.line(`var ${own}: i32 = 0;`);
        out.set(value, { def, name: own, best, type });
        continue;
      }
      const type = registerType(def.value.dtype);
      let start = constant(folds[def.op].identity(def.value.dtype), def.value.dtype, x.use);
      if (def.init !== null && !fromIdentity) {
        x.begin([def.init]);
        start = x.expr(def.init);
      }
      x.line(`var ${own}: ${type} = ${start};`);
      out.set(value, { def, name: own, best: null, type });
    }
    return out;
  }

  /** One round of the reduced axes. */
  round(stage: Stage, plan: Parts, sums: ReadonlyMap<string, Accumulator>): void {
    const { x } = this;
    for (const value of plan.inside) if (!plan.running.has(value)) this.define(stage, value);
    x.begin([...sums.values()].map((s) => s.def.value));
    for (const { def, name, best } of sums.values()) {
      const value = x.expr(def.value);
      if (best !== null) {
        const at = x.poly(this.position(stage.over));
        x.line(`if (${value} > ${best}) { ${best} = ${value}; ${name} = ${at}; }`);
      } else if (def.op !== null && def.op !== 'argmax')
        x.line(`${name} = ${folds[def.op].take(name, value, def.value.dtype, x.use)};`);
    }
    for (const [value, { name }] of sums) x.values.set(value, name);
    for (const value of plan.inside) if (plan.running.has(value)) this.define(stage, value);
    x.begin(stage.each.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]));
    x.writes(stage.each);
  }

  finish(stage: Stage, plan: Parts, sums: ReadonlyMap<string, Accumulator>): void {
    for (const [value, { name }] of sums) this.x.values.set(value, name);
    for (const value of plan.inside) if (!plan.running.has(value)) this.x.values.delete(value);
    for (const value of plan.last) this.define(stage, value);
  }

  put(stage: Stage): void {
    this.x.begin(stage.writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]));
    this.x.writes(stage.writes);
  }

  /** One point of the stage's free axes, by one thread. */
  private point(stage: Stage): void {
    const plan = partsOf(stage);
    for (const value of plan.before) this.define(stage, value);
    const sums = this.accumulators(stage, plan, false);
    if (stage.over.length > 0 || sums.size > 0 || stage.each.length > 0) {
      const loops = (i: number): void => {
        const axis = stage.over[i];
        if (axis === undefined) this.round(stage, plan, sums);
        else this.loop(axis, stage.order === 'backward', () => loops(i + 1));
      };
      loops(0);
    }
    this.finish(stage, plan, sums);
    this.put(stage);
  }

  /** One point, its reduced axes dealt out to the threads of a workgroup; values afterwards are known to all of them. */
  private together(stage: Stage, threads: number): void {
    const { x } = this;
    const plan = partsOf(stage);
    for (const value of plan.before) this.define(stage, value);
    const sums = this.accumulators(stage, plan, true);
    if (stage.over.length > 0 || sums.size > 0 || stage.each.length > 0) {
      const at = x.fresh(`${stage.over.join('_')}_at`);
      const total = x.poly(this.points(stage.over));
      x.line(`var ${at} = i32(thread);`);
      // Several loads under way at once, where no store lies between them.
      if (stage.each.length === 0 && isLight(stage))
        x.block(`for (; ${at} + ${(AT_ONCE - 1) * threads} < ${total}; ${at} += ${AT_ONCE * threads})`, () => {
          for (let k = 0; k < AT_ONCE; k++) {
            x.forget();
            this.split(stage.over, k === 0 ? at : `(${at} + ${k * threads})`);
            this.round(stage, plan, sums);
          }
        });
      x.block(`for (; ${at} < ${total}; ${at} += ${threads})`, () => {
        x.forget();
        this.split(stage.over, at);
        this.round(stage, plan, sums);
      });
      for (const sum of sums.values()) this.combine(sum, threads);
    }
    this.finish(stage, plan, sums);
    if (stage.writes.length === 0) return;
    // Some thread may still be reading what the first one is about to write over.
    if (x.rewrites) x.line('storageBarrier(); workgroupBarrier();');
    x.block('if (thread == 0u)', () => this.put(stage));
  }

  /** Partial results of all threads into one, which all of them get. */
  private combine(sum: Accumulator, threads: number): void {
    const { x } = this;
    const { def, name, best } = sum;
    // bool may not lie in workgroup memory of every implementation's choice; u32 may.
    const stored = sum.type === 'bool' ? 'u32' : sum.type;
    const partial = `partial_${stored}`;
    this.shared.set(partial, `var<workgroup> ${partial}: array<${stored}, ${threads}>;`);
    const pack = (text: string): string => (sum.type === 'bool' ? `select(0u, 1u, ${text})` : text);
    const unpack = (text: string): string => (sum.type === 'bool' ? `(${text} != 0u)` : text);
    const half = x.fresh('half');
    if (best !== null) {
      this.shared.set('partial_at', `var<workgroup> partial_at: array<i32, ${threads}>;`);
      x.line(`${partial}[thread] = ${pack(best)};`);
      x.line(`partial_at[thread] = ${name};`);
      x.line('workgroupBarrier();');
      x.block(`for (var ${half} = ${threads / 2}u; ${half} > 0u; ${half} >>= 1u)`, () => {
        x.block(`if (thread < ${half})`, () => {
          const [a, b] = [`${partial}[thread]`, `${partial}[thread + ${half}]`];
          const [i, j] = ['partial_at[thread]', `partial_at[thread + ${half}]`];
          // The first of equals; a thread that met nothing greater than the least has position 0 and that value.
          x.block(`if (${b} > ${a} || (${b} == ${a} && ${j} < ${i}))`, () => {
            x.line(`${a} = ${b};`);
            x.line(`${i} = ${j};`);
          });
        });
        x.line('workgroupBarrier();');
      });
      x.line(`${name} = workgroupUniformLoad(&partial_at[0]);`);
      return;
    }
    if (def.op === null || def.op === 'argmax') return;
    const { op } = def;
    x.line(`${partial}[thread] = ${pack(name)};`);
    x.line('workgroupBarrier();');
    x.block(`for (var ${half} = ${threads / 2}u; ${half} > 0u; ${half} >>= 1u)`, () => {
      const [a, b] = [unpack(`${partial}[thread]`), unpack(`${partial}[thread + ${half}]`)];
      const taken = folds[op].take(a, b, def.value.dtype, x.use);
      x.line(`if (thread < ${half}) { ${partial}[thread] = ${pack(`(${taken})`)}; }`);
      x.line('workgroupBarrier();');
    });
    x.line(`${name} = ${unpack(`workgroupUniformLoad(&${partial}[0])`)};`);
    this.begun(sum);
  }

  /** What a reduction is begun at comes in last, where the threads began at the identity. */
  begun({ def, name }: Accumulator): void {
    const { x } = this;
    if (def.op === null || def.init === null) return;
    x.begin([def.init]);
    x.line(`${name} = ${folds[def.op].take(x.expr(def.init), name, def.value.dtype, x.use)};`);
  }

  /** What follows the sum of a product at one of its results. */
  result(stage: Stage, value: string, text: string): void {
    this.follow(stage, value, text);
    this.put(stage);
  }

  /** The same without what is written. */
  follow(stage: Stage, value: string, text: string): void {
    const plan = partsOf(stage);
    for (const other of plan.before) this.define(stage, other);
    this.x.values.set(value, text);
    for (const other of plan.last) this.define(stage, other);
  }
}

export interface Accumulator {
  readonly def: Def;
  readonly name: string;
  /** The greatest value so far, of an argmax. */
  readonly best: string | null;
  readonly type: RegisterType;
}

interface Vectors {
  /** Buffers of which aligned vectors are read, and how long those are. */
  readonly vectors: ReadonlyMap<number, Lanes>;
  /** All that is written is written in such. */
  readonly areWritten: boolean;
}

function vectorsOf(kernel: Kernel, schedule: MatrixSchedule): Vectors {
  const found = new Map<number, Lanes>();
  let areWritten = false;
  for (const pass of schedule.passes) {
    if (pass.kind === 'rows' || pass.kind === 'reduce' || pass.kind === 'held') continue;
    if (pass.kind === 'stream') {
      for (const s of pass.stages) {
        if (s.kind !== 'scores' && s.kind !== 'result') continue;
        const sides = [
          [s.product.left, s.product.load.rows],
          [s.product.right, s.product.load.columns],
        ] as const;
        for (const [{ value }, load] of sides) if (load.vector && value.kind === 'read') found.set(value.buffer, 4);
      }
      continue;
    }
    if (pass.kind === 'product' && pass.fours) {
      areWritten = true;
      for (const b of resultsByFour(kernel, kernel.stages[0]!, pass.columns)!) found.set(b, 4);
    }
    const product = pass.kind === 'matrix' ? pass.product : pass;
    for (const which of ['rows', 'columns'] as const) {
      const { value } = product[which];
      if (product.load[which].vector && value.kind === 'read') found.set(value.buffer, 4);
    }
    if (pass.kind === 'skinny' && pass.wide !== null) {
      const { buffer } = readByFour(kernel, pass.columns.value)!;
      found.set(buffer, wideWords(kernel.buffers[buffer]!.storage!, pass.wide));
    }
  }
  return { vectors: found, areWritten };
}

/** The kernel for calls whose buffers lie as `map` and `lie` say; `halves`: those that are kept as such, where the device has such. */
export function emitKernel(
  kernel: Kernel,
  schedule: MatrixSchedule,
  map: SlotMap,
  place: string | null,
  lie: Lie = {},
  halves: ReadonlySet<number> = new Set(),
): EmittedKernel {
  const emitter = new PassEmitter(kernel, map, vectorsOf(kernel, schedule), lie, halves);
  const passes: EmittedPass[] = [];
  const bodies: string[] = [];
  for (const pass of schedule.passes) {
    const entry = `${identifier(kernel.name)}${passes.length === 0 ? '' : passes.length}`;
    for (const made of passLines(emitter, pass, entry)) {
      passes.push(made.pass);
      bodies.push('', ...made.lines);
    }
  }
  const { slots } = emitter;
  const head: string[] = place === null ? [] : [`// ${place}`];
  if (kernel.sizes.length > 0) {
    head.push(`struct Sizes { ${kernel.sizes.map((s) => `${identifier(s)}: i32`).join(', ')} }`);
    head.push('@group(0) @binding(0) var<uniform> sizes: Sizes;');
  }
  for (const s of slots) head.push(...slotLines(s, lie));
  const bindings = slots.reduce((n, s) => n + s.windows, 0);
  if (emitter.scratchElements !== null)
    head.push(
      `@group(0) @binding(${bindings + 1}) var<storage, read_write> ${emitter.scratch()}: array<${emitter.hasScratchVectors ? 'vec4<f32>' : 'f32'}>;`,
    );
  return {
    name: kernel.name,
    lines: [...head, ...emitter.shared.values(), ...bodies],
    helpers: emitter.x.helpers,
    slots,
    bindings,
    passes,
    scratch: emitter.scratchElements,
    halves: slots.some((s) => s.type === 'f16'),
  };
}

function passLines(emitter: PassEmitter, pass: WgslPass | MatrixProduct, entry: string): readonly Emitted[] {
  switch (pass.kind) {
    case 'rows':
      return [emitter.rows(pass, entry)];
    case 'product':
      return productLines(emitter, pass, entry);
    case 'skinny':
      return [skinnyLines(emitter, pass, entry)];
    case 'held':
      return [rowLines(emitter, pass, entry)];
    case 'reduce':
      return reduceLines(emitter, pass, entry);
    case 'matrix':
      return matrixLines(emitter, pass, entry);
    case 'stream':
      return [streamLines(emitter, pass, entry)];
  }
}
