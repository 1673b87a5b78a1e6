/**
 * What threads do of a program, and where they meet: before a step that touches what another thread may have written or may still read since they met last.
 * Of a kernel that is shared each thread does its part; what is not shared the first does alone. Steps that are cut alike (align.ts) touch in each thread that
 * thread's units only, and so ask for no meeting between them, in a loop's next round either.
 *
 * Plain data, made before any code (program.ts).
 */
import type { Plan, PlanStep } from '../../../runtime/plan.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { Poly } from '../../sizes/poly.ts';
import type { Cut } from './align.ts';

type Call = Extract<PlanStep, { kind: 'call' }>;
type Copy = Extract<PlanStep, { kind: 'copy' }>;
export type Loop = Extract<PlanStep, { kind: 'loop' }>;

export interface Parallel {
  readonly plan: Plan;
  readonly kernels: readonly Kernel[];
  /** Whether threads share a kernel's work. */
  readonly shared: (kernel: number) => boolean;
  readonly cuts: ReadonlyMap<PlanStep, Cut>;
  /** Whether operands are packed before a loop: by all, who meet then. */
  readonly packed: (loop: Loop) => boolean;
}

export type Together =
  | { readonly kind: 'meet' }
  | { readonly kind: 'alone'; readonly steps: readonly PlanStep[] }
  | { readonly kind: 'all'; readonly step: Call | Copy }
  /** A loop that data end is left by all in the same round: they meet when all have read what tells them. */
  | { readonly kind: 'loop'; readonly step: Loop; readonly body: readonly Together[] };

/** Bytes from start to end, whether they are written, and how they are cut, if they are. */
interface Touch {
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
  readonly unit: number | null;
  readonly units: Poly | null;
}

/** What has been touched since the last meeting, by all threads and by the first alone. */
interface Pending {
  readonly all: ReadonlySet<Touch>;
  readonly first: ReadonlySet<Touch>;
}

const NOTHING: Pending = { all: new Set(), first: new Set() };

const join = (a: Pending, b: Pending): Pending => ({
  all: new Set([...a.all, ...b.all]),
  first: new Set([...a.first, ...b.first]),
});
const contains = (a: Pending, b: Pending): boolean =>
  [...b.all].every((t) => a.all.has(t)) && [...b.first].every((t) => a.first.has(t));

function some(touches: ReadonlySet<Touch>, wanted: (t: Touch) => boolean): boolean {
  for (const t of touches) if (wanted(t)) return true;
  return false;
}

const overlaps = (x: Touch, y: Touch): boolean => (x.writes || y.writes) && x.from < y.to && y.from < x.to;
const alike = (x: Touch, y: Touch): boolean =>
  x.unit !== null && x.unit === y.unit && x.units === y.units && x.from === y.from;

const isShared = (parallel: Parallel, step: PlanStep): boolean =>
  step.kind === 'loop'
    ? step.body.some((s) => isShared(parallel, s))
    : step.kind === 'copy'
      ? parallel.cuts.has(step)
      : parallel.shared(step.kernel);

/** Whether a program has anything for several threads. */
export const isParallel = (parallel: Parallel, steps: readonly PlanStep[]): boolean =>
  steps.some((s) => isShared(parallel, s));

const count = (list: readonly Together[]): number =>
  list.reduce((n, t) => n + (t.kind === 'meet' ? 1 : t.kind === 'loop' ? count(t.body) : 0), 0);

class Meetings {
  private readonly parallel: Parallel;
  private readonly known = new Map<PlanStep, readonly Touch[]>();
  constructor(parallel: Parallel) {
    this.parallel = parallel;
  }

  private touch(buffer: number, writes: boolean, cut: Cut | undefined, position: number): Touch {
    const { arena, offset, bytes } = this.parallel.plan.buffers[buffer]!;
    const from = offset + (arena === 'work' ? 2 ** 40 : 0);
    const unit = cut?.bytes[position] ?? null;
    return { from, to: from + bytes, writes, unit, units: unit === null ? null : cut!.units };
  }

  private touches(step: PlanStep): readonly Touch[] {
    let found = this.known.get(step);
    if (found === undefined) this.known.set(step, (found = this.touchesOf(step)));
    return found;
  }

  private touchesOf(step: PlanStep): readonly Touch[] {
    const cut = this.parallel.cuts.get(step);
    if (step.kind === 'copy') return [this.touch(step.from, false, cut, 0), this.touch(step.to, true, cut, 1)];
    if (step.kind === 'loop') {
      const told = [step.limit, step.until].filter((b) => b !== undefined);
      return [...told.map((b) => this.touch(b, false, undefined, 0)), ...step.body.flatMap((s) => this.touches(s))];
    }
    const { buffers } = this.parallel.kernels[step.kernel]!;
    return step.buffers.map((b, k) => this.touch(b, buffers[k]!.access !== 'read', cut, k));
  }

  /** The steps as threads run them, and what is pending after them. */
  steps(list: readonly PlanStep[], before: Pending): { readonly made: readonly Together[]; readonly after: Pending } {
    const made: Together[] = [];
    let all = new Set(before.all);
    let first = new Set(before.first);
    const meet = (): void => {
      if (all.size === 0 && first.size === 0) return;
      made.push({ kind: 'meet' });
      [all, first] = [new Set(), new Set()];
    };
    let held: PlanStep[] = [];
    const alone = (): void => {
      if (held.length === 0) return;
      const own = held.flatMap((s) => this.touches(s));
      if (own.some((x) => some(all, (y) => overlaps(x, y)))) meet();
      for (const t of own) first.add(t);
      made.push({ kind: 'alone', steps: held });
      held = [];
    };
    for (const step of list) {
      if (!isShared(this.parallel, step)) {
        held.push(step);
        continue;
      }
      alone();
      if (step.kind === 'loop') {
        // Better one meeting before the loop than one in every round.
        const fresh = this.loop(step, NOTHING);
        const told = step.until !== undefined || step.limit !== undefined;
        let given = told || this.parallel.packed(step) ? null : this.loop(step, { all, first });
        if (given === null || count(given.body) > count(fresh.body)) {
          meet();
          given = fresh;
        }
        const { body, after } = given;
        made.push({ kind: 'loop', step, body });
        ({ all, first } = { all: new Set(after.all), first: new Set(after.first) });
        continue;
      }
      const own = this.touches(step);
      const clash = (x: Touch): boolean =>
        some(first, (y) => overlaps(x, y)) || some(all, (y) => overlaps(x, y) && !alike(x, y));
      if (own.some(clash)) meet();
      for (const t of own) all.add(t);
      made.push({ kind: 'all', step });
    }
    alone();
    return { made, after: { all, first } };
  }

  /** A round begins with what is pending before the loop, or at the end of the round before. */
  loop(step: Loop, before: Pending): { readonly body: readonly Together[]; readonly after: Pending } {
    if (step.until !== undefined || step.limit !== undefined) {
      const { made, after } = this.steps(step.body, NOTHING);
      const left = after.all.size > 0 || after.first.size > 0;
      return { body: left ? [...made, { kind: 'meet' }] : made, after: NOTHING };
    }
    let start = before;
    for (;;) {
      const { made, after } = this.steps(step.body, start);
      if (contains(start, after)) return { body: made, after: join(before, after) };
      start = join(start, after);
    }
  }
}

/** A program as threads run it together. */
export function together(parallel: Parallel, steps: readonly PlanStep[]): readonly Together[] {
  const { made, after } = new Meetings(parallel).steps(steps, NOTHING);
  return after.all.size > 0 || after.first.size > 0 ? [...made, { kind: 'meet' }] : made;
}

/** Meetings of a round of a loop that has been running. */
export function meetingsOf(parallel: Parallel, loop: Loop): number {
  return count(new Meetings(parallel).loop(loop, NOTHING).body);
}
