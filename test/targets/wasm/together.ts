/**
 * Threads without threads: a plan's programs as threads run them together, each as far as to its next meeting while all others stand still, in every order that
 * is asked for. Whatever two threads may do to one another between two meetings, one of the extremes shows it: all of one thread's rounds before any of
 * another's. Everything in memory must be, bit for bit, what one thread leaves there.
 *
 * Real threads, their sleeping and waking: threads.test.ts.
 */
import { expect } from 'vitest';
import type { Kernel } from '../../../compiler/kernel/types.ts';
import { evaluateSize } from '../../../compiler/plan/sizes.ts';
import { prepareAll, type Prepared } from '../../../compiler/targets/wasm/emit.ts';
import { together, type Parallel, type Together } from '../../../compiler/targets/wasm/meetings.ts';
import { FIRST, WasmModule } from '../../../compiler/targets/wasm/module.ts';
import { tileModule } from '../../../compiler/targets/wasm/tile.ts';
import type { Plan, PlanStep } from '../../../runtime/plan.ts';

export const parallelOf = (plan: Plan, prepared: Prepared): Parallel => ({
  plan,
  kernels: prepared.joined,
  shared: (k) => prepared.schedules[k]!.share !== null,
  cuts: prepared.cuts,
  // What is packed before a loop would only add a meeting.
  packed: () => false,
});

type Sizes = ReadonlyMap<string, number>;

class Machine {
  private readonly plan: Plan;
  private readonly prepared: Prepared;
  private readonly memory: WebAssembly.Memory;
  private readonly kernels: readonly ((...args: number[]) => void)[];
  private readonly end: number;

  constructor(plan: Plan, prepared: Prepared, threads: number) {
    const { layout, joined, schedules } = prepared;
    this.plan = plan;
    this.prepared = prepared;
    this.end = layout.panels;
    const pages = Math.ceil((layout.workspace + threads * layout.room) / 65536);
    const module = new WasmModule({ pages, shared: false });
    for (const [k, kernel] of joined.entries()) module.kernel({ ...kernel, name: `k${k}` }, true, schedules[k]!);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
    const e = { m: memory };
    const tiles = new WebAssembly.Instance(new WebAssembly.Module(tileModule(false)), { e });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {
      e: { ...e, ...tiles.exports },
    });
    this.memory = memory;
    this.kernels = joined.map((_, k) => exports[`k${k}`] as (...args: number[]) => void);
  }

  private address(buffer: number): number {
    const { arena, offset } = this.plan.buffers[buffer]!;
    return (arena === 'persistent' ? this.prepared.layout.persistent : this.prepared.layout.work) + offset;
  }

  /** The same numbers every time: floats in [-0.5, 0.5), integers and truths of 0 and 1. */
  fill(): void {
    let state = 7;
    const draw = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    new Uint8Array(this.memory.buffer, FIRST).fill(0);
    for (const [k, b] of this.plan.buffers.entries()) {
      if (b.storage !== undefined || b.dtype === 'bool') {
        const bytes = new Uint8Array(this.memory.buffer, this.address(k), b.bytes);
        for (let i = 0; i < b.bytes; i++) bytes[i] = b.storage === undefined ? Number(draw() < 0.5) : draw() * 100;
      } else if (b.dtype === 'i32') {
        const words = new Int32Array(this.memory.buffer, this.address(k), b.bytes >> 2);
        for (let i = 0; i < words.length; i++) words[i] = Number(draw() < 0.5);
      } else {
        const floats = new Float32Array(this.memory.buffer, this.address(k), b.bytes >> 2);
        for (let i = 0; i < floats.length; i++) floats[i] = draw() - 0.5;
      }
    }
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer.slice(FIRST, this.end));
  }

  private step(step: PlanStep, sizes: Sizes, thread: number, threads: number): void {
    const of = (s: string): number => sizes.get(s)!;
    if (step.kind === 'loop') {
      for (const round of this.rounds(step, sizes)) for (const s of step.body) this.step(s, round, thread, threads);
      return;
    }
    if (step.kind === 'copy') {
      const { dtype, shape } = this.plan.buffers[step.from]!;
      const units = threads === 1 || shape.length === 0 ? 1 : evaluateSize(shape[0]!, of);
      const all = shape.reduce<number>((n, s) => n * evaluateSize(s, of), dtype === 'bool' ? 1 : 4);
      const [low, high] = [0, 1].map((k) => Math.floor((units * (thread + k)) / threads) * (all / units));
      const [to, from] = [this.address(step.to), this.address(step.from)];
      new Uint8Array(this.memory.buffer).copyWithin(to + low!, from + low!, from + high!);
      return;
    }
    const { layout } = this.prepared;
    this.kernels[step.kernel]!(
      layout.workspace + thread * layout.room,
      thread,
      threads,
      ...step.sizes.map((e) => evaluateSize(e, of)),
      ...step.buffers.map((b) => this.address(b)),
    );
  }

  private *rounds(loop: Extract<PlanStep, { kind: 'loop' }>, sizes: Sizes): Generator<Sizes> {
    const word = (buffer: number): number => new DataView(this.memory.buffer).getInt32(this.address(buffer), true);
    const all = evaluateSize(loop.count, (s) => sizes.get(s)!);
    const count = loop.limit === undefined ? all : Math.min(all, word(loop.limit));
    for (let k = 0; k < count; k++) {
      yield new Map([...sizes, [loop.variable, loop.reversed ? count - 1 - k : k]]);
      if (loop.until !== undefined && new Uint8Array(this.memory.buffer)[this.address(loop.until)] !== 0) return;
    }
  }

  /** Stops where the thread meets the others. */
  *thread(list: readonly Together[], sizes: Sizes, thread: number, threads: number): Generator<undefined> {
    for (const t of list) {
      if (t.kind === 'meet') yield;
      else if (t.kind === 'all') this.step(t.step, sizes, thread, threads);
      else if (t.kind === 'alone') {
        if (thread === 0) for (const s of t.steps) this.step(s, sizes, 0, 1);
      } else {
        const told = t.step.limit !== undefined || t.step.until !== undefined;
        const rounds = this.rounds(t.step, sizes);
        for (;;) {
          const round = rounds.next();
          if (told) yield;
          if (round.done === true) break;
          yield* this.thread(t.body, round.value, thread, threads);
        }
      }
    }
  }

  /** All threads of a program, `order[0]` first as far as it gets. */
  run(list: readonly Together[], sizes: Sizes, order: readonly number[]): void {
    const running = order.map((k) => this.thread(list, sizes, k, order.length));
    for (let left = running.length; left > 0;) {
      left = 0;
      for (const r of running) if (r.next().done !== true) left++;
      // All meet the same number of times.
      expect([0, running.length]).toContain(left);
    }
  }
}

/** Every program of the plan by one thread and by several, everything shared, in both orders; returns how many loops run without a meeting. */
export function sameBits(plan: Plan, kernels: readonly Kernel[], sizes: Readonly<Record<string, number>>): number {
  const prepared = prepareAll(plan, kernels, undefined, 0);
  const parallel = parallelOf(plan, prepared);
  const machine = new Machine(plan, prepared, 3);
  const given = new Map(plan.sizes.map((s) => [s.name, sizes[s.name] ?? s.bound]));
  let free = 0;
  for (const [name, program] of Object.entries(plan.programs)) {
    const list = together(parallel, program.steps);
    free += list.filter((t) => t.kind === 'loop' && t.body.every((x) => x.kind !== 'meet')).length;
    const after = [[0], [0, 1], [2, 1, 0]].map((order) => {
      machine.fill();
      machine.run(list, given, order);
      return machine.bytes();
    });
    for (const [k, bytes] of after.slice(1).entries())
      expect(Buffer.compare(bytes, after[0]!), `${name} of ${plan.name} by ${k + 2} threads`).toBe(0);
  }
  return free;
}
