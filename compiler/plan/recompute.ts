/**
 * Recomputation: a program that computes values again in place of keeping them, so that fewer lie in memory at once. The usual case are
 * activations, which the forward pass makes and the backward pass reads long after.
 *
 * The program is run on paper, with room for so many bytes. Where the next step does not fit, the value goes for which the work of making it again, over its
 * bytes and over how long nobody wants it, is least (the rule of Kirisame et al., "Dynamic tensor rematerialization", 2021, with the time until the next use, which a
 * compiler knows, in place of the time since the last). A step that reads what has gone makes it again first, and whatever that needs: the same kernels on the same
 * operands, hence the same bits. What they read must be what it was: a value made from a weight can not be made again after the weight's update.
 *
 * Values of layers that ask for it (requested.ts) go after the forward pass, whatever room there is.
 *
 * A list of steps is treated by itself, loop bodies within the list around them (`batch B = 64 in 4 parts` has the whole pass in one). Here is nothing
 * of offsets: what a program really takes is asked of the planner (within.ts).
 */
import type { OriginId } from '../graph/origin.ts';
import type { Buffer, KernelProgram, KernelStep } from '../kernel/types.ts';
import { accessesOf } from './liveness.ts';
import { lettingGo, type Requests } from './requested.ts';

export interface Costs {
  readonly bytes: (buffer: Buffer) => number;
  /** Seconds, about. */
  readonly seconds: (step: KernelStep) => number;
  /** Of a loop. */
  readonly rounds: (step: KernelStep) => number;
}

/** A value that is made more than once. */
export interface Repeat {
  readonly buffer: string;
  readonly origin: OriginId;
  readonly bytes: number;
  times: number;
  /** Of work that its making again takes, in all; values that are made together share it. */
  seconds: number;
}

export interface Recomputed {
  readonly program: KernelProgram;
  readonly repeats: readonly Repeat[];
  /** Seconds of work that is done again, and of all work without. */
  readonly again: number;
  readonly once: number;
}

interface Access {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly defines: boolean;
}

/** What a step touches, by buffer; of a loop everything in it. */
function touched(step: KernelStep): Map<number, Access> {
  const found = new Map<number, Access>();
  const add = (buffer: number, a: Access): void => {
    const before = found.get(buffer);
    found.set(
      buffer,
      before === undefined
        ? a
        : { reads: before.reads || a.reads, writes: before.writes || a.writes, defines: before.defines },
    );
  };
  const go = (s: KernelStep): void => {
    if (s.kind !== 'loop') {
      for (const a of accessesOf(s)) add(a.buffer, a);
      return;
    }
    const look = { reads: true, writes: false, defines: false };
    if (s.limit !== null) add(s.limit, look);
    for (const inner of s.body) go(inner);
    if (s.until !== null) add(s.until, look);
  };
  go(step);
  return found;
}

/**
 * The same with updates of leaves behind the first last use by others of what they read, where they may stand there: nothing lives longer for it, and what is made from a leaf can be
 * made again until the leaf changes. A bias is updated first of its layer, and the layer's own result is made from it.
 */
function postponed(steps: readonly KernelStep[], isOwn: (id: number) => boolean): KernelStep[] {
  const order = steps.map((step) => ({ step, touches: touched(step) }));
  for (let from = order.length - 2; from >= 0; from--) {
    const { step, touches } = order[from]!;
    const writes = [...touches].filter(([, a]) => a.writes);
    if (step.kind !== 'call' || writes.length === 0 || writes.some(([id]) => isOwn(id))) continue;
    const reads = [...touches.keys()].filter(isOwn);
    let end = from;
    const last = new Map(reads.map((id) => [id, from]));
    for (let k = from + 1; k < order.length; k++) {
      const other = order[k]!.touches;
      if (writes.some(([id]) => other.has(id))) break;
      if ([...touches.keys()].some((id) => other.get(id)?.writes === true)) break;
      end = k;
      for (const id of reads) if (other.has(id)) last.set(id, k);
    }
    const to = Math.min(end, ...last.values());
    if (to > from) order.splice(to, 0, ...order.splice(from, 1));
  }
  return order.map((o) => o.step);
}

/** Steps that make values together: all that write a buffer, and what else those write. */
interface Maker {
  readonly steps: number[];
  readonly outputs: readonly number[];
  readonly inputs: readonly number[];
  /** Buffers that are no values of this list: leaves, inputs, what belongs to the steps around. */
  readonly outside: readonly number[];
  readonly repeatable: boolean;
  readonly seconds: number;
}

/** A list of steps with what is needed to choose. */
class List {
  readonly steps: readonly KernelStep[];
  readonly accesses: readonly ReadonlyMap<number, Access>[];
  /** Buffers that are made in this list and, but for outputs, wanted nowhere else. */
  readonly values = new Set<number>();
  readonly makerOf = new Map<number, Maker>();
  /** Steps that touch a value, in order; steps that write something that is none. */
  readonly uses = new Map<number, number[]>();
  readonly outsideWrites = new Map<number, number[]>();
  /** Buffers that are seen only within one step, a loop. */
  readonly inner: readonly ReadonlySet<number>[];

  constructor(
    steps: readonly KernelStep[],
    accesses: readonly ReadonlyMap<number, Access>[],
    isOwn: (id: number) => boolean,
    pass: { readonly seconds: (step: KernelStep) => number },
  ) {
    this.steps = steps;
    this.accesses = accesses;
    const seen = new Map<number, number[]>();
    for (const [k, all] of accesses.entries())
      for (const id of all.keys()) {
        const list = seen.get(id);
        if (list === undefined) seen.set(id, [k]);
        else list.push(k);
      }
    const inner = steps.map(() => new Set<number>());
    for (const [id, at] of seen) {
      const first = accesses[at[0]!]!.get(id)!;
      if (isOwn(id) && at.length === 1 && steps[at[0]!]!.kind === 'loop') inner[at[0]!]!.add(id);
      else if (isOwn(id) && first.writes && (!first.reads || steps[at[0]!]!.kind === 'loop')) {
        this.values.add(id);
        this.uses.set(id, at);
      }
    }
    this.inner = inner;
    for (const [k, all] of accesses.entries())
      for (const [id, a] of all) {
        if (!a.writes || this.values.has(id) || inner[k]!.has(id)) continue;
        const list = this.outsideWrites.get(id);
        if (list === undefined) this.outsideWrites.set(id, [k]);
        else list.push(k);
      }
    this.findMakers(pass.seconds);
  }

  private findMakers(seconds: (step: KernelStep) => number): void {
    const { steps, accesses } = this;
    const parent = steps.map((_, k) => k);
    const root = (k: number): number => {
      let r = k;
      while (parent[r] !== r) r = parent[r]!;
      parent[k] = r;
      return r;
    };
    const first = new Map<number, number>();
    for (const [k, all] of accesses.entries())
      for (const [id, a] of all) {
        if (!a.writes || !this.values.has(id)) continue;
        const other = first.get(id);
        if (other === undefined) first.set(id, k);
        else parent[root(k)] = root(other);
      }
    const groups = new Map<number, number[]>();
    for (const k of steps.keys()) {
      const list = groups.get(root(k));
      if (list === undefined) groups.set(root(k), [k]);
      else list.push(k);
    }
    for (const members of groups.values()) {
      const outputs = new Set<number>();
      const read = new Set<number>();
      const outside = new Set<number>();
      let repeatable = true;
      for (const k of members)
        for (const [id, a] of accesses[k]!) {
          if (this.inner[k]!.has(id)) continue;
          if (!this.values.has(id)) {
            outside.add(id);
            if (a.writes) repeatable = false;
          } else if (a.writes) outputs.add(id);
          else read.add(id);
        }
      const last = members.at(-1)!;
      const own = new Set(members);
      for (const id of outputs) if (this.uses.get(id)!.some((k) => k <= last && !own.has(k))) repeatable = false;
      const maker: Maker = {
        steps: members,
        outputs: [...outputs],
        inputs: [...read].filter((id) => !outputs.has(id)),
        outside: [...outside],
        repeatable,
        seconds: members.reduce((n, k) => n + seconds(steps[k]!), 0),
      };
      for (const id of outputs) this.makerOf.set(id, maker);
    }
  }

  /** Whether what the maker reads from outside is before step `at` what it was when it ran first. */
  unchanged(maker: Maker, at: number): boolean {
    const from = maker.steps[0]!;
    return maker.outside.every((id) => !(this.outsideWrites.get(id) ?? []).some((k) => k >= from && k < at));
  }
}

/** The run on paper of one list. */
class Run {
  private readonly list: List;
  private readonly pass: Pass;
  private readonly limit: number;
  private readonly resident = new Map<number, number>();
  private readonly current = new Map<number, number>();
  private readonly pinned = new Map<number, number>();
  private readonly out: KernelStep[] = [];
  private memory: number;
  private at = 0;
  /** Values that are kept because others, gone and wanted, are made from them, and when first. */
  private held: Map<number, number> | null = null;
  peak = 0;

  constructor(list: List, pass: Pass, limit: number, around: number) {
    this.list = list;
    this.pass = pass;
    this.limit = limit;
    this.memory = around;
  }

  run(): KernelStep[] | null {
    const { list, pass } = this;
    const going = pass.going(list);
    for (const [at, step] of list.steps.entries()) {
      this.at = at;
      const all = list.accesses[at]!;
      const values = [...all.keys()].filter((id) => list.values.has(id));
      for (const id of values) this.pin(id, 1);
      for (const id of values) {
        if (this.resident.has(id) || !this.wasMade(id)) continue;
        if (!this.again(list.makerOf.get(id)!)) return null;
      }
      for (const id of values) if (!this.resident.has(id)) this.admit(id);
      const inside = pass.peakOf(step, list.inner[at]!);
      this.makeRoom(inside);
      let made = step;
      const asked = this.pass.asks(list.inner[at]!);
      if (step.kind === 'loop' && ((this.memory + inside > this.limit && inside > 0) || asked)) {
        const body = pass.body(step, list.inner[at]!, this.limit, this.memory);
        if (body === null) return null;
        made = { ...step, body: body.steps };
        this.peak = Math.max(this.peak, body.peak);
      } else this.peak = Math.max(this.peak, this.memory + inside);
      this.out.push(renamed(made, (id) => this.current.get(id) ?? id));
      for (const id of values) this.pin(id, -1);
      for (const id of going.get(at) ?? []) this.letGo(id);
      for (const id of this.done()) this.drop(id);
    }
    return this.out;
  }

  /** A value that is to be made again, if it can be. */
  private letGo(id: number): void {
    const maker = this.list.makerOf.get(id)!;
    if (!this.resident.has(id) || this.pass.isOutput(id) || !maker.repeatable || maker.steps.at(-1)! > this.at) return;
    if (this.secondsOf(maker, this.nextUse(id)) === null) return;
    this.drop(id);
    this.held = null;
  }

  private done(): number[] {
    this.held = null;
    const held = this.keeps();
    return [...this.resident.keys()].filter((id) => this.nextUse(id) === Infinity && !held.has(id));
  }

  private pin(id: number, by: number): void {
    this.pinned.set(id, (this.pinned.get(id) ?? 0) + by);
  }

  private wasMade(id: number): boolean {
    return this.list.uses.get(id)![0]! < this.at;
  }

  private admit(id: number): void {
    const bytes = this.pass.bytesOf(id);
    this.resident.set(id, bytes);
    this.memory += bytes;
  }

  private drop(id: number): void {
    this.memory -= this.resident.get(id)!;
    this.resident.delete(id);
  }

  /** The next step that wants it, after this one. Outputs are wanted at the end. */
  private nextUse(id: number): number {
    if (this.pass.isOutput(id)) return this.list.steps.length;
    return this.list.uses.get(id)!.find((k) => k > this.at) ?? Infinity;
  }

  private keeps(): Map<number, number> {
    if (this.held !== null) return this.held;
    const held = new Map<number, number>();
    const earliest = new Map<Maker, number>();
    for (const [id, uses] of this.list.uses) {
      if (this.resident.has(id) || uses[0]! > this.at) continue;
      const next = uses.find((k) => k > this.at);
      if (next === undefined) continue;
      const stack = [this.list.makerOf.get(id)!];
      for (let maker = stack.pop(); maker !== undefined; maker = stack.pop()) {
        if ((earliest.get(maker) ?? Infinity) <= next) continue;
        earliest.set(maker, next);
        for (const input of maker.inputs) {
          if (!this.resident.has(input)) stack.push(this.list.makerOf.get(input)!);
          else held.set(input, Math.min(held.get(input) ?? Infinity, next));
        }
      }
    }
    this.held = held;
    return held;
  }

  /** Lets values go until `extra` more bytes fit, or nothing is left to let go. */
  private makeRoom(extra: number): void {
    while (this.memory + extra > this.limit) {
      const id = this.worst();
      if (id === null) return;
      this.drop(id);
      this.held = null;
    }
  }

  private worst(): number | null {
    const held = this.keeps();
    const least = Math.max(1024, this.limit / 8192);
    let best: number | null = null;
    let score = Infinity;
    for (const [id, bytes] of this.resident) {
      if (bytes < least || (this.pinned.get(id) ?? 0) > 0 || this.pass.isOutput(id)) continue;
      const maker = this.list.makerOf.get(id)!;
      if (!maker.repeatable || maker.steps.at(-1)! > this.at) continue;
      const next = Math.min(this.nextUse(id), held.get(id) ?? Infinity);
      if (next === Infinity) return id;
      const seconds = this.secondsOf(maker, next);
      if (seconds === null) continue;
      const value = seconds / (bytes * (next - this.at));
      if (value < score) [score, best] = [value, id];
    }
    return best;
  }

  /**
   * Of making it again, with what is gone itself; null where that is no longer possible when it is wanted next. When it has been made again then it stays, or goes by
   * the same question.
   */
  private secondsOf(maker: Maker, when: number): number | null {
    const seen = new Set<Maker>([maker]);
    let sum = 0;
    for (const one of seen) {
      if (!one.repeatable || !this.list.unchanged(one, when)) return null;
      sum += one.seconds;
      for (const input of one.inputs) if (!this.resident.has(input)) seen.add(this.list.makerOf.get(input)!);
    }
    return sum;
  }

  /** Runs the steps of a maker once more. False: there is no end of it, or its operands have changed. */
  private again(maker: Maker): boolean {
    const { list, pass } = this;
    if (!maker.repeatable || !list.unchanged(maker, this.at) || pass.isTooMuch()) return false;
    for (const input of maker.inputs) this.pin(input, 1);
    for (const input of maker.inputs)
      if (!this.resident.has(input) && !this.again(list.makerOf.get(input)!)) return false;
    const names = new Map<number, number>();
    let more = 0;
    for (const k of maker.steps) {
      more = Math.max(more, pass.peakOf(list.steps[k]!, list.inner[k]!));
      for (const id of list.inner[k]!) names.set(id, pass.copyOf(id));
    }
    // Made together, all of them are written anew; of those that are still here the copy is not wanted.
    const lacking = maker.outputs.filter((id) => !this.resident.has(id));
    for (const id of maker.outputs) {
      names.set(id, pass.copyOf(id));
      if (this.resident.has(id)) more += this.resident.get(id)!;
    }
    for (const id of lacking) {
      this.admit(id);
      this.pin(id, 1);
    }
    this.makeRoom(more);
    this.peak = Math.max(this.peak, this.memory + more);
    for (const k of maker.steps)
      this.out.push(renamed(list.steps[k]!, (id) => names.get(id) ?? this.current.get(id) ?? id));
    pass.done(maker.seconds);
    for (const id of lacking) {
      this.pin(id, -1);
      this.current.set(id, names.get(id)!);
      pass.note(id, maker.seconds / lacking.length);
    }
    for (const input of maker.inputs) this.pin(input, -1);
    this.held = null;
    for (const id of [...lacking, ...maker.inputs]) {
      const wanted = (this.pinned.get(id) ?? 0) > 0 || this.nextUse(id) !== Infinity || this.keeps().has(id);
      if (!wanted && this.resident.has(id)) this.drop(id);
    }
    return true;
  }
}

function renamed(step: KernelStep, to: (id: number) => number): KernelStep {
  switch (step.kind) {
    case 'call':
      return { ...step, buffers: step.buffers.map(to) };
    case 'copy':
      return { ...step, from: to(step.from), to: to(step.to) };
    case 'loop':
      return {
        ...step,
        until: step.until === null ? null : to(step.until),
        limit: step.limit === null ? null : to(step.limit),
        body: step.body.map((s) => renamed(s, to)),
      };
  }
}

/** A program and one try with it. */
class Pass {
  readonly buffers: Buffer[];
  readonly repeats = new Map<number, Repeat>();
  again = 0;
  private readonly costs: Costs;
  private readonly most: number;
  private readonly names: Set<string>;
  private readonly peaks = new Map<KernelStep, number>();
  private readonly requests: Requests | null;
  private rounds = 1;
  private count = 0;
  /** Only to find out what a loop needs. */
  private measuring = false;

  constructor(program: KernelProgram, costs: Costs, requests: Requests | null) {
    this.requests = requests;
    this.buffers = [...program.buffers];
    this.costs = costs;
    this.names = new Set(program.buffers.map((b) => b.name));
    this.most = 8 * program.steps.length + 2000;
  }

  readonly seconds = (step: KernelStep): number => this.costs.seconds(step);

  /** Step of a list → values that go after it because their layer asks for it. */
  going(list: List): ReadonlyMap<number, readonly number[]> {
    const { requests } = this;
    if (requests === null || this.measuring) return new Map();
    const { steps, accesses } = list;
    const of = (id: number): OriginId => this.buffers[id]!.origin;
    const values = [...list.values].map((id) => ({
      id,
      origin: of(id),
      uses: list.uses.get(id)!,
      made: list.makerOf.get(id)!.steps.at(-1)!,
    }));
    return lettingGo(values, steps.length, requests, (k) => {
      if (requests.isBackward(steps[k]!.origin)) return true;
      return [...accesses[k]!].some(([id, a]) => a.writes && list.values.has(id) && requests.isBackward(of(id)));
    });
  }

  /** Whether one of these belongs to a layer that asks. */
  asks(ids: ReadonlySet<number>): boolean {
    const { requests } = this;
    return (
      requests !== null && !this.measuring && [...ids].some((id) => requests.layerOf(this.buffers[id]!.origin) !== null)
    );
  }

  bytesOf(id: number): number {
    return this.costs.bytes(this.buffers[id]!);
  }

  isOutput(id: number): boolean {
    return this.buffers[id]!.kind === 'output';
  }

  copyOf(id: number): number {
    const buffer = this.buffers[id]!;
    let name = `${buffer.name}_again`;
    for (let k = 2; this.names.has(name); k++) name = `${buffer.name}_again${k}`;
    this.names.add(name);
    this.buffers.push({ ...buffer, id: this.buffers.length, name, kind: 'temporary', leaf: null });
    return this.buffers.length - 1;
  }

  note(id: number, share: number): void {
    const known = this.repeats.get(id);
    const { name, origin } = this.buffers[id]!;
    const seconds = share * this.rounds;
    if (known === undefined)
      return void this.repeats.set(id, { buffer: name, origin, bytes: this.bytesOf(id), times: 1, seconds });
    known.times++;
    known.seconds += seconds;
  }

  done(seconds: number): void {
    this.again += seconds * this.rounds;
    this.count++;
  }

  /** Room far below what a program needs makes it do everything over and over. */
  isTooMuch(): boolean {
    return this.count > this.most;
  }

  /** What a loop needs beside what is seen outside of it. */
  peakOf(step: KernelStep, inner: ReadonlySet<number>): number {
    if (step.kind !== 'loop' || inner.size === 0) return 0;
    let peak = this.peaks.get(step);
    if (peak === undefined) {
      const { measuring } = this;
      this.measuring = true;
      peak = this.body(step, inner, Infinity, 0)?.peak ?? 0;
      this.measuring = measuring;
      this.peaks.set(step, peak);
    }
    return peak;
  }

  body(
    step: Extract<KernelStep, { kind: 'loop' }>,
    inner: ReadonlySet<number>,
    limit: number,
    around: number,
  ): { steps: readonly KernelStep[]; peak: number } | null {
    const rounds = this.costs.rounds(step);
    const ordered = postponed(step.body, (id) => inner.has(id));
    const accesses = ordered.map(touched);
    const first = new Map<number, boolean>();
    for (const all of accesses)
      for (const [id, a] of all) if (!first.has(id)) first.set(id, a.defines || !inner.has(id));
    const list = new List(ordered, accesses, (id) => inner.has(id) && first.get(id) === true, this);
    let kept = around;
    for (const id of inner)
      if (!list.values.has(id) && !list.inner.some((set) => set.has(id))) kept += this.bytesOf(id);
    const run = new Run(list, this, limit, kept);
    const before = this.rounds;
    this.rounds *= rounds;
    const steps = run.run();
    this.rounds = before;
    return steps === null ? null : { steps, peak: run.peak };
  }
}

/**
 * The program with at most about `room` bytes of work buffers at a time, or as near to it as it gets; null where it would do everything over and over.
 */
export function recompute(
  program: KernelProgram,
  room: number,
  costs: Costs,
  requests: Requests | null = null,
): Recomputed | null {
  const pass = new Pass(program, costs, requests);
  const own = (id: number): boolean => ['temporary', 'output'].includes(program.buffers[id]!.kind);
  const ordered = postponed(program.steps, own);
  const accesses = ordered.map(touched);
  const list = new List(ordered, accesses, own, pass);
  // Inputs lie there all the time, and so does what is no value of the list.
  let around = 0;
  const seen = new Set(accesses.flatMap((all) => [...all.keys()]));
  for (const id of seen) {
    const { kind } = program.buffers[id]!;
    if (kind !== 'persistent' && !list.values.has(id) && !list.inner.some((set) => set.has(id)))
      around += pass.bytesOf(id);
  }
  const steps = new Run(list, pass, room, around).run();
  if (steps === null) return null;
  return {
    program: { ...program, buffers: pass.buffers, steps },
    repeats: [...pass.repeats.values()],
    again: pass.again,
    once: program.steps.reduce((n, s) => n + costs.seconds(s), 0),
  };
}
