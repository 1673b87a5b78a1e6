/**
 * Measures kernels of the WebAssembly target under several schedules, each kernel by itself: in turns, so that a spell of noise meets all, by
 * the least time of each. The clock is given, so that tests can have one of their own.
 *
 * For several threads each one's part is measured by itself, and the longest counts: what a split is worth can so be told on a machine that has other things
 * to do. What the threads' sharing of caches and memory takes is not in it.
 */
import type { Artifact } from '../../compiler/index.ts';
import { evaluateSize } from '../../compiler/plan/sizes.ts';
import { prepareAll, type Prepared } from '../../compiler/targets/wasm/emit.ts';
import { FIRST, WasmModule } from '../../compiler/targets/wasm/module.ts';
import { workspaceBytes } from '../../compiler/targets/wasm/product.ts';
import { tileModule } from '../../compiler/targets/wasm/tile.ts';
import { chosen, neighbours, tuningKey, type Choice, type Extent } from '../../compiler/targets/wasm/tuning.ts';
import type { PlanStep } from '../../runtime/plan.ts';
import { engine } from './engine.ts';

export type Clock = () => number;

/** One kernel as measured; milliseconds. An empty choice: the cost model's is the quickest. */
export interface Tuned {
  readonly key: string;
  readonly kernel: string;
  readonly choice: Choice;
  readonly usual: number;
  readonly best: number;
}

/** Less than this is noise, not a reason. */
export const WORTH = 0.03;

/** Things that can be changed at once. */
const MOST_STEPS = 5;

/** Milliseconds of one sample, at least. */
const SAMPLE = 0.2;

/** Least time of each of some runs, in turns, until the time is over; at least three rounds. */
export function race(runs: readonly (() => void)[], clock: Clock, milliseconds: number): number[] {
  const least = runs.map(() => Infinity);
  // A clock does not tell microseconds: short runs are repeated.
  const repeats = runs.map((run) => {
    run();
    const start = clock();
    run();
    return Math.max(1, Math.min(1000, Math.ceil(SAMPLE / Math.max(1e-4, clock() - start))));
  });
  for (let end = clock() + milliseconds, n = 0; n < 3 || clock() < end; n++)
    for (const [k, run] of runs.entries()) {
      const start = clock();
      for (let i = repeats[k]!; i > 0; i--) run();
      least[k] = Math.min(least[k]!, (clock() - start) / repeats[k]!);
    }
  return least;
}

/** A kernel under one choice: what each thread does. */
export type Parts = readonly (() => void)[];

/** The same for kernels in parts: of each the longest part. */
function raceOfParts(kernels: readonly Parts[], clock: Clock, milliseconds: number): number[] {
  const times = race(kernels.flat(), clock, milliseconds);
  let at = 0;
  return kernels.map((parts) => Math.max(...times.slice(at, (at += parts.length))));
}

/**
 * From the usual choice to the best by steps, each the best of what differs in one thing; `make` gives null where a choice is not possible. What is not
 * clearly quicker is not taken.
 */
export function climb(
  near: (choice: Choice) => readonly Choice[],
  make: (choice: Choice) => Parts | null,
  clock: Clock,
  milliseconds: number,
): { choice: Choice; usual: number; best: number } {
  let choice: Choice = {};
  let first: number | null = null;
  let best = 0;
  for (let step = 0; step < MOST_STEPS; step++) {
    const options = near(choice).flatMap((c) => {
      const parts = make(c);
      return parts === null ? [] : [{ c, parts }];
    });
    const own = make(choice)!;
    if (options.length === 0 && first !== null) break;
    const times = raceOfParts([own, ...options.map((o) => o.parts)], clock, milliseconds);
    first ??= times[0]!;
    best = times[0]!;
    const winner = options.map((o, k) => ({ c: o.c, time: times[k + 1]! })).sort((a, b) => a.time - b.time)[0];
    if (winner === undefined || winner.time > best * (1 - WORTH)) break;
    choice = winner.c;
    best = winner.time;
  }
  if (Object.keys(choice).length === 0) return { choice, usual: first ?? 0, best };
  // The quickest of many is quick by luck, too: once more, against the usual alone.
  const [usual, again] = raceOfParts([make({})!, make(choice)!], clock, milliseconds);
  return again! > usual! * (1 - WORTH)
    ? { choice: {}, usual: usual!, best: usual! }
    : { choice, usual: usual!, best: again! };
}

export interface Wanted {
  readonly clock: Clock;
  /** About so long a step of the search. */
  readonly milliseconds: number;
  readonly threads: number;
  readonly told: (t: Tuned) => void;
}

/** Kernels with anything to choose. */
export function tune(artifact: Artifact, { clock, milliseconds, threads, told }: Wanted): Tuned[] {
  const { plan, kernels } = artifact;
  const prepared = prepareAll(plan, kernels);
  const calls = firstCalls(artifact);
  // Kernels that a loop's alignment has cut alike: what they are cut along is not theirs to choose.
  const aligned = new Set([...prepared.cuts.keys()].flatMap((s) => (s.kind === 'call' ? [s.kernel] : [])));
  const found: Tuned[] = [];
  for (const [i, kernel] of kernels.entries()) {
    const chooser = { kernel: prepared.joined[i]!, schedule: prepared.usual[i]!, of: prepared.of[i]! };
    const what: Extent = aligned.has(i) ? 'aligned' : threads > 1 ? 'all' : 'alone';
    const call = calls.get(i);
    if (call === undefined || neighbours(chooser, {}, what).length === 0) continue;
    const bench = benchOf(artifact, prepared, i, call, threads);
    if (bench === null) continue;
    const near = (choice: Choice): Choice[] => neighbours(chooser, choice, what);
    const { choice, usual, best } = climb(near, bench, clock, milliseconds);
    const tuned = { key: tuningKey(kernel, prepared.of[i]!), kernel: kernel.name, choice, usual, best };
    found.push(tuned);
    told(tuned);
  }
  return found;
}

type Call = Extract<PlanStep, { kind: 'call' }>;

/** Where each kernel is called first. Of kernels that loops call, one round stands for all. */
function firstCalls({ plan }: Artifact): Map<number, Call> {
  const found = new Map<number, Call>();
  const go = (steps: readonly PlanStep[]): void => {
    for (const step of steps)
      if (step.kind === 'loop') go(step.body);
      else if (step.kind === 'call' && !found.has(step.kernel)) found.set(step.kernel, step);
  };
  for (const [name, program] of Object.entries(plan.programs)) if (name !== 'init') go(program.steps);
  return found;
}

/** Beyond this a kernel is not measured: its buffers would not fit beside each other. */
const MOST = 2 ** 30;

/** Gives the call of the kernel under a choice, on memory of its own; null where it needs too much of it. */
function benchOf(
  { plan }: Artifact,
  { joined, usual, of }: Prepared,
  i: number,
  call: Call,
  threads: number,
): ((choice: Choice) => Parts | null) | null {
  const kernel = joined[i]!;
  const align = (n: number): number => Math.ceil(n / 64) * 64 + 128;
  const addresses: number[] = [];
  let end = FIRST;
  for (const b of call.buffers) {
    addresses.push(end);
    end += align(plan.buffers[b]!.bytes);
  }
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const sizes = call.sizes.map((e) => evaluateSize(e, (s) => bounds.get(s) ?? 0));
  // Blocks of rows and columns grow with a choice.
  const room = 2 * workspaceBytes(kernel, usual[i]!, of[i]!) + (36 << 20);
  const pages = Math.ceil((end + room) / 65536);
  if (pages * 65536 > MOST) return null;
  const memory = new engine.Memory({ initial: pages, maximum: pages });
  new Float32Array(memory.buffer).fill(0.01);
  for (const [k, b] of call.buffers.entries())
    if (plan.buffers[b]!.dtype !== 'f32') new Uint8Array(memory.buffer, addresses[k]!, plan.buffers[b]!.bytes).fill(0);
  const relaxed = tileModule(true);
  const tile = new engine.Module(engine.validate(relaxed) ? relaxed : tileModule(false));
  const tiles = new engine.Instance(tile, { e: { m: memory } });
  const given = [...sizes, ...addresses];
  return (choice) => {
    const schedule = chosen({ kernel, schedule: usual[i]!, of: of[i]! }, choice);
    if (schedule === null || workspaceBytes(kernel, schedule, of[i]!) > room) return null;
    const module = new WasmModule({ pages, shared: false });
    module.kernel({ ...kernel, name: 'kernel' }, true, schedule);
    const { exports } = new engine.Instance(new engine.Module(module.encode()), {
      e: { m: memory, ...tiles.exports },
    });
    const run = exports['kernel'] as (...given: number[]) => void;
    const team = schedule.share === null ? 1 : threads;
    return Array.from({ length: team }, (_, thread) => () => run(end, thread, team, ...given));
  };
}
