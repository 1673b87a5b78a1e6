/**
 * What a program dispatches at the present sizes: every call of the plan with its extents, loops round by round, and a row of the uniform buffer with the sizes of each.
 *
 * A program without loops keeps its rows: when sizes change, only the calls that depend on them are looked at again (a token more in a text that grows changes a few
 * of hundreds). One with loops is listed anew, equal rows once.
 */
import type { Plan, PlanProgram, PlanStep, SizeExpr } from '../plan.ts';
import type { GpuBuffer, GpuDevice, GpuHandle } from './api.ts';
import { ROW } from './device.ts';
import { isGated, type Gates, type LoopStep } from './gates.ts';
import { sizeValue, type Env } from './sizes.ts';
import type { GpuKernel, GpuMergedCalls } from './table.ts';

export interface Dispatch {
  readonly kernel: GpuKernel;
  readonly pipeline: GpuHandle;
  readonly group: GpuHandle;
  /** Where its sizes are, if the group does not say it. */
  offsets: readonly number[] | null;
  readonly x: number;
  readonly y: number;
  /** Row of its extents among the gates', in a loop that may end early; else -1. */
  row: number;
  /** Of a gate within a gated round: what is to be done when its row is known. */
  settle?: (row: number) => void;
}

export interface Call {
  readonly kernel: GpuKernel;
  readonly pipelines: readonly GpuHandle[];
  readonly group: GpuHandle;
  /** What is called instead where there are few rows. */
  readonly few: Call | null;
}

/** Several steps as one call, where sizes allow it. */
export interface MergedCall {
  readonly call: Call;
  readonly count: number;
  readonly within: GpuMergedCalls['within'];
}

/** A call of a program without loops. */
interface Entry {
  readonly step: Exclude<PlanStep, LoopStep>;
  readonly row: number;
  /** Sizes that it depends on. */
  readonly names: Set<string>;
  dispatches: readonly Dispatch[];
  readonly merged: MergedCall | null;
  /** With whose call its own is merged, if sizes allow it. */
  leader: Entry | null;
  /** Whether it is computed with those behind it. */
  isMerged: boolean;
}

interface Listed {
  /** The sizes it is listed for. */
  env: Env;
  dispatches: readonly Dispatch[];
  readonly entries: readonly Entry[];
}

interface Extents {
  readonly values: readonly number[];
  readonly isFew: boolean;
  readonly extents: readonly { readonly pass: number; readonly x: number; readonly y: number }[];
}

// WebGPU's numbers.
const USAGE = 64 | 8;
const GROUPS = 65_535;

export class Listing {
  readonly uniform: GpuBuffer;
  /** Whether a call has other sizes from round to round: then groups do not say where they are. */
  readonly moves: boolean;
  private readonly plan: Plan;
  private readonly device: GpuDevice;
  private readonly calls: ReadonlyMap<PlanStep, Call>;
  private readonly merged: ReadonlyMap<PlanStep, MergedCall>;
  private readonly gates: Gates | null;
  private readonly values: Int32Array<ArrayBuffer>;
  /** First row of each program. */
  private readonly first = new Map<string, number>();
  private readonly listed = new Map<string, Listed>();
  private readonly latest = new Map<GpuKernel, Extents>();

  /** With room for every row that the bounds (`env`) can ask for. `calls` and `merged` are filled by the caller before anything is listed. */
  constructor(
    plan: Plan,
    device: GpuDevice,
    calls: ReadonlyMap<PlanStep, Call>,
    merged: ReadonlyMap<PlanStep, MergedCall>,
    gates: Gates | null,
    env: Env,
  ) {
    this.plan = plan;
    this.device = device;
    this.calls = calls;
    this.merged = merged;
    this.gates = gates;
    this.moves = Object.values(plan.programs).some((p) => p.steps.some((s) => s.kind === 'loop'));
    let count = 0;
    for (const program of Object.values(plan.programs)) {
      this.first.set(program.name, count);
      count += longest(program.steps, new Map(env));
    }
    this.values = new Int32Array((count * ROW) / 4);
    this.uniform = device.createBuffer({
      label: `${plan.name}: sizes`,
      size: Math.max(ROW, count * ROW),
      usage: USAGE,
    });
  }

  /** Sizes have changed: the gates' rows are one program's at a time. */
  changed(): void {
    if (this.gates === null) return;
    this.listed.clear();
    this.gates.clear();
  }

  /** Where the sizes of a program's step lie. */
  place(program: PlanProgram, step: PlanStep): number {
    return this.moves ? 0 : (this.first.get(program.name)! + program.steps.indexOf(step)) * ROW;
  }

  of(program: PlanProgram, env: Env): readonly Dispatch[] {
    const known = this.listed.get(program.name);
    if (known?.env === env) return known.dispatches;
    if (known !== undefined && known.entries.length > 0) {
      this.again(known, env);
      return known.dispatches;
    }
    if (known !== undefined && [...env].every(([name, value]) => known.env.get(name) === value)) {
      known.env = env;
      return known.dispatches;
    }
    const made = program.steps.some((s) => s.kind === 'loop') ? this.rounds(program, env) : this.straight(program, env);
    this.listed.set(program.name, made);
    return made.dispatches;
  }

  // ------------------------------------------------------------------------------------------------------------------------ without loops

  private straight(program: PlanProgram, env: Env): Listed {
    const first = this.first.get(program.name)!;
    const entries = program.steps.map((step, k): Entry => {
      if (step.kind === 'loop') throw new Error('a loop in a program without loops');
      const names = new Set<string>();
      for (const e of step.kind === 'call' ? step.sizes : this.plan.buffers[step.from]!.shape) mentioned(e, names);
      const merged = this.merged.get(step) ?? null;
      for (const w of merged?.within ?? []) mentioned(w.value, names);
      return { step, row: first + k, names, dispatches: [], merged, leader: null, isMerged: false };
    });
    for (const [k, leader] of entries.entries())
      for (const entry of entries.slice(k + 1, k + (leader.merged?.count ?? 1))) {
        entry.leader = leader;
        // What decides about the one decides about the other.
        for (const name of leader.names) entry.names.add(name);
      }
    for (const entry of entries) this.renew(entry, env);
    this.write(first, first + entries.length);
    return { env, dispatches: entries.flatMap((e) => e.dispatches), entries };
  }

  private again(listed: Listed, env: Env): void {
    const changed = [...env].filter(([name, value]) => listed.env.get(name) !== value).map(([name]) => name);
    listed.env = env;
    if (changed.length === 0) return;
    let [from, to] = [Infinity, 0];
    for (const entry of listed.entries) {
      if (!changed.some((name) => entry.names.has(name))) continue;
      this.renew(entry, env);
      from = Math.min(from, entry.row);
      to = entry.row + 1;
    }
    if (to === 0) return;
    this.write(from, to);
    const all: Dispatch[] = [];
    for (const { dispatches } of listed.entries) all.push(...dispatches);
    listed.dispatches = all;
  }

  private renew(entry: Entry, env: Env): void {
    const { merged } = entry;
    entry.isMerged = merged?.within.every((w) => sizeValue(w.value, env) <= w.most) ?? false;
    if (entry.leader?.isMerged === true) {
      entry.dispatches = [];
      return;
    }
    const call = entry.isMerged ? merged!.call : this.calls.get(entry.step)!;
    const values = entry.isMerged ? call.kernel.sizes.map((s) => env.get(s)!) : this.sizesOf(entry.step, env);
    this.values.set(values, (entry.row * ROW) / 4);
    entry.dispatches = this.dispatches(call, values, entry.row * ROW);
  }

  // --------------------------------------------------------------------------------------------------------------------------- with loops

  private rounds(program: PlanProgram, env: Env): Listed {
    const out: Dispatch[] = [];
    const first = this.first.get(program.name)!;
    const rows = new Map<string, number>();
    const rowOf = (values: readonly number[]): number => {
      const key = values.join();
      let row = rows.get(key);
      if (row === undefined) {
        row = first + rows.size;
        rows.set(key, row);
        this.values.set(values, (row * ROW) / 4);
      }
      return row * ROW;
    };
    /** `gated`: what the gate of the round around it opens. */
    const go = (steps: readonly PlanStep[], scope: Env, gated: Dispatch[] | null): void => {
      for (const step of steps) {
        if (step.kind === 'loop') {
          const count = sizeValue(step.count, scope);
          const inner = new Map(scope);
          for (let i = 0; i < count; i++) {
            const round = step.reversed ? count - 1 - i : i;
            inner.set(step.variable, round);
            const body = (own: Dispatch[] | null): void => go(step.body, inner, own);
            if (isGated(step)) this.gatedRound(step, round, i > 0, out, gated, rowOf, body);
            else body(gated);
          }
          continue;
        }
        const values = this.sizesOf(step, scope);
        for (const dispatch of this.dispatches(this.calls.get(step)!, values, rowOf(values))) {
          out.push(dispatch);
          gated?.push(dispatch);
        }
      }
    };
    go(program.steps, env, null);
    this.gates?.write();
    this.write(first, first + rows.size);
    return { env, dispatches: out, entries: [] };
  }

  private gatedRound(
    step: LoopStep,
    round: number,
    begun: boolean,
    out: Dispatch[],
    around: Dispatch[] | null,
    rowOf: (values: readonly number[]) => number,
    body: (own: Dispatch[]) => void,
  ): void {
    const { kernel, pipelines, group } = this.calls.get(step)!;
    const gate: Dispatch = { kernel, pipeline: pipelines[0]!, group, offsets: [0], x: 1, y: 1, row: -1 };
    out.push(gate);
    around?.push(gate);
    const own: Dispatch[] = [];
    body(own);
    for (const d of own) {
      d.row = this.gates!.row(d.x, d.y);
      d.settle?.(d.row);
    }
    const settle = (outer: number): void => {
      gate.offsets = [rowOf([own[0]?.row ?? 0, own.length, round, begun ? 1 : 0, outer])];
    };
    if (around === null) settle(-1);
    else gate.settle = settle;
  }

  // --------------------------------------------------------------------------------------------------------------------------------- both

  private sizesOf(step: Entry['step'], env: Env): readonly number[] {
    return step.kind === 'call'
      ? step.sizes.map((e) => sizeValue(e, env))
      : [this.plan.buffers[step.from]!.shape.reduce<number>((n, e) => n * sizeValue(e, env), 1)];
  }

  private dispatches(call: Call, values: readonly number[], offset: number): readonly Dispatch[] {
    const { isFew, extents } = this.extents(call, values);
    const { kernel, pipelines, group } = isFew ? call.few! : call;
    const offsets = this.moves ? [offset] : null;
    return extents.map(({ pass, x, y }) => ({ kernel, pipeline: pipelines[pass]!, group, offsets, x, y, row: -1 }));
  }

  /** What a kernel needs at these sizes; of calls one after the other most are equal (layers are). */
  private extents(call: Call, values: readonly number[]): Extents {
    const last = this.latest.get(call.kernel);
    if (last !== undefined && values.every((v, i) => v === last.values[i])) return last;
    const own = new Map(call.kernel.sizes.map((s, i) => [s, values[i]!]));
    const { few } = call.kernel;
    const isFew = few !== undefined && sizeValue(few.rows, own) <= few.most;
    const extents = (isFew ? call.few! : call).kernel.passes.flatMap(({ count, per }, pass) => {
      const groups = Math.ceil(sizeValue(count, own) / per);
      const x = Math.min(groups, GROUPS);
      return groups <= 0 ? [] : [{ pass, x, y: Math.ceil(groups / x) }];
    });
    const found = { values, isFew, extents };
    this.latest.set(call.kernel, found);
    return found;
  }

  private write(from: number, to: number): void {
    if (to <= from) return;
    const [begin, length] = [(from * ROW) / 4, ((to - from) * ROW) / 4];
    this.device.queue.writeBuffer(this.uniform, from * ROW, this.values, begin, length);
  }
}

function mentioned(e: SizeExpr, into: Set<string>): void {
  if (typeof e === 'string') into.add(e);
  else if (typeof e === 'object') for (const a of e.args) mentioned(a, into);
}

function longest(steps: readonly PlanStep[], env: Map<string, number>): number {
  let count = 0;
  for (const step of steps) {
    if (step.kind !== 'loop') {
      count++;
      continue;
    }
    env.set(step.variable, 0);
    const gate = isGated(step) ? 1 : 0;
    count += sizeValue(step.count, env) * (gate + longest(step.body, env));
  }
  return count;
}
