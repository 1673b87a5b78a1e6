/**
 * Runs a program of an artifact kernel by kernel with a clock around each: time, calls, operations and bytes of every step of the plan, with the
 * places in the source that it comes from.
 */
import type { Artifact } from '../../compiler/index.ts';
import type { OriginId } from '../../compiler/graph/origin.ts';
import type { KernelStep } from '../../compiler/kernel/types.ts';
import { kernelCost } from '../../compiler/plan/cost.ts';
import { evaluateSize } from '../../compiler/plan/sizes.ts';
import { profiled } from '../../compiler/targets/profile.ts';
import type { Plan, PlanStep, SizeExpr } from '../../runtime/plan.ts';
import { guarded, type Inputs, type Instance, type NodeTarget, type Sizes } from '../artifact.ts';

export type ProgramChoice = 'forward' | 'stream' | 'step' | 'evaluate';

/** One call site of a kernel, for one call of the program. */
export interface StepProfile {
  readonly kernel: string;
  readonly origin: OriginId;
  /** Times it ran. */
  readonly calls: number;
  /** Of all its calls: the median over the runs. */
  readonly milliseconds: number;
  readonly flops: number;
  /** Read and written. */
  readonly bytes: number;
  /** Of its buffers in the plan, at the bounds. */
  readonly planned: number;
}

export interface Profile {
  readonly steps: readonly StepProfile[];
  /** Median of a call, clock included. */
  readonly milliseconds: number;
  readonly runs: number;
  readonly sizes: Sizes;
  /** About how it was measured. */
  readonly notes?: readonly string[];
}

export interface Call {
  readonly step: Extract<PlanStep, { kind: 'call' }>;
  readonly origin: OriginId;
  readonly loops: readonly { readonly variable: string; readonly count: SizeExpr }[];
}

/** The calls of a program in the order in which a machine binds them, with the origins that the plan does not keep. */
export function callsOf(artifact: Artifact, program: string): Call[] {
  const found: Call[] = [];
  const go = (steps: readonly PlanStep[], sources: readonly KernelStep[], loops: Call['loops']): void => {
    for (const [k, step] of steps.entries()) {
      const source = sources[k]!;
      if (step.kind === 'call') found.push({ step, origin: source.origin, loops });
      if (step.kind === 'loop' && source.kind === 'loop')
        go(step.body, source.body, [...loops, { variable: step.variable, count: step.count }]);
    }
  };
  const all = artifact.kernelPrograms as ReadonlyMap<string, { readonly steps: readonly KernelStep[] }>;
  go(artifact.plan.programs[program]!.steps, all.get(program)!.steps, []);
  return found;
}

/** Operations and bytes of a call site, over all rounds of its loops. */
export function costOf(artifact: Artifact, { step, loops }: Call, sizes: Sizes): { flops: number; bytes: number } {
  const kernel = artifact.kernels[step.kernel]!;
  const total = { flops: 0, bytes: 0 };
  const variables = new Map<string, number>();
  const value = (e: SizeExpr): number => evaluateSize(e, (s) => variables.get(s) ?? sizes[s] ?? NaN);
  const room = (k: number): number =>
    artifact.plan.buffers[step.buffers[k]!]!.shape.reduce<number>((n, e) => n * value(e), 1);
  let before: string | null = null;
  let cost = { flops: 0, read: 0, written: 0 };
  const rounds = (depth: number): void => {
    const loop = loops[depth];
    if (loop === undefined) {
      const given = step.sizes.map(value);
      const key = given.join();
      if (key !== before) cost = kernelCost(kernel, (s) => given[kernel.sizes.indexOf(s)] ?? NaN, room);
      before = key;
      total.flops += cost.flops;
      total.bytes += cost.read + cost.written;
      return;
    }
    for (let i = 0, n = value(loop.count); i < n; i++) {
      variables.set(loop.variable, i);
      rounds(depth + 1);
    }
  };
  rounds(0);
  return total;
}

interface Clock {
  calls: number;
  milliseconds: number;
}

type Bind = (arrays: unknown, sizes: unknown, at: unknown) => () => void;

/** Every call site of every program gets a clock, in the order in which they are bound. */
async function instrumented(artifact: Artifact, target: NodeTarget): Promise<{ instance: Instance; clocks: Clock[] }> {
  const address = `data:text/javascript;base64,${Buffer.from(profiled[target](artifact)).toString('base64')}`;
  const module = (await import(/* @vite-ignore */ address)) as Readonly<Record<string, unknown>>;
  const kernels = module['profileKernels'] as Bind[];
  const clocks: Clock[] = [];
  for (const [k, bind] of kernels.entries())
    kernels[k] = (arrays, sizes, at) => {
      const run = bind(arrays, sizes, at);
      const clock = { calls: 0, milliseconds: 0 };
      clocks.push(clock);
      return () => {
        const start = performance.now();
        run();
        clock.milliseconds += performance.now() - start;
        clock.calls++;
      };
    };
  const emitted = module[artifact.name] as { create: (options: { seed: number }) => Instance };
  return { instance: guarded(artifact, () => emitted.create({ seed: 1 })), clocks };
}

/** Milliseconds that reading the clock adds to what it measures. */
function overhead(): number {
  const n = 20_000;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    total += performance.now() - start;
  }
  return total / n;
}

export async function profile(
  artifact: Artifact,
  target: NodeTarget,
  program: ProgramChoice,
  inputs: Inputs,
  sizes: Sizes,
  seconds: number,
): Promise<Profile> {
  const { instance, clocks } = await instrumented(artifact, target);
  const once = (): number => {
    const start = performance.now();
    guarded(artifact, () => instance[program](inputs, sizes));
    return performance.now() - start;
  };
  // Compiled code gets fast after a while.
  for (let end = performance.now() + 300 * seconds, n = 0; performance.now() < end || n < 2; n++) once();
  let first = 0;
  for (const name of Object.keys(artifact.plan.programs)) {
    if (name === program) break;
    first += callsOf(artifact, name).length;
  }
  const calls = callsOf(artifact, program);
  const own = calls.map((_, k) => clocks[first + k]!);
  const samples: number[][] = own.map(() => []);
  const times: number[] = [];
  for (let end = performance.now() + 1000 * seconds; performance.now() < end || times.length < 3;) {
    for (const clock of own) clock.calls = clock.milliseconds = 0;
    times.push(once());
    for (const [k, clock] of own.entries()) samples[k]!.push(clock.milliseconds);
    if (times.length === MOST_RUNS) break;
  }
  const extra = overhead();
  const steps = calls.map((call, k): StepProfile => ({
    kernel: artifact.plan.kernels[call.step.kernel]!,
    origin: call.origin,
    calls: own[k]!.calls,
    milliseconds: Math.max(0, median(samples[k]!) - own[k]!.calls * extra),
    ...costOf(artifact, call, sizes),
    planned: plannedBytes(artifact.plan, call.step.buffers),
  }));
  return { steps, milliseconds: median(times), runs: times.length, sizes };
}

const MOST_RUNS = 2000;

/** The middle of a list: what others do on the machine now and then does not count. */
export function median(list: number[]): number {
  list.sort((a, b) => a - b);
  return list[list.length >> 1]!;
}

export function plannedBytes(plan: Plan, buffers: readonly number[]): number {
  return [...new Set(buffers)].reduce((n, b) => n + plan.buffers[b]!.bytes, 0);
}
