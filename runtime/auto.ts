/**
 * One class for whatever there is to compute on: WebGPU, else WebAssembly, else JavaScript, behind the calls of the WebGPU class (what may wait is a promise).
 * The emitted module carries all three builds; a build is begun only when it is wanted. A GPU that is lost is replaced by `recover`.
 *
 * Not here: what any of the three computes.
 */
import { NncError } from './errors.ts';
import type { View } from './memory.ts';
import type { Checkpoint, CreateOptions, Weights, WeightTensor } from './weights.ts';
import type { GpuOptions } from './webgpu/machine.ts';

export type AutoTarget = 'wgsl' | 'wasm' | 'ts';

export interface AutoOptions extends CreateOptions, GpuOptions {
  /** What to try, in this order. */
  readonly targets?: readonly AutoTarget[];
}

/** Why a target is not the one that computes. */
export interface Refusal {
  readonly target: AutoTarget;
  readonly reason: string;
}

type Values = Readonly<Record<string, unknown>>;
type Eventual<T> = T | Promise<T>;
type Call = (inputs: Values, sizes?: Values) => Eventual<Values>;

/** The class of any target, created. */
interface Own {
  readonly steps: number;
  readonly step: Call;
  readonly evaluate: Call;
  readonly forward: Call;
  /** Of a model with carries. */
  readonly stream: Call;
  readonly enqueue?: (inputs: Values, sizes?: Values) => void;
  readonly reset: () => void;
  readonly validated?: (loss: number) => void;
  readonly weights: () => Eventual<Map<string, WeightTensor>>;
  readonly load: (weights: Weights) => void;
  readonly checkpoint: () => Eventual<Checkpoint>;
  readonly restore: (checkpoint: Checkpoint) => void;
  readonly finished?: () => Promise<void>;
  readonly close: () => void;
}

export type AutoBuilds = Readonly<
  Record<AutoTarget, () => Promise<{ readonly create: (options: object) => Eventual<unknown> }>>
>;

const ALL: readonly AutoTarget[] = ['wgsl', 'wasm', 'ts'];

interface Chosen {
  readonly target: AutoTarget;
  readonly own: Own;
  readonly tried: readonly Refusal[];
}

/** What a caller's data are guilty of is the same on every target, and no reason to try another. */
const isOfData = (error: unknown): boolean =>
  error instanceof NncError && (error.code === 'NN536' || error.code === 'NN537');

async function choose(name: string, builds: AutoBuilds, options: AutoOptions): Promise<Chosen> {
  const { targets = ALL, ...rest } = options;
  const tried: Refusal[] = [];
  for (const target of targets) {
    if (!ALL.includes(target)) throw new NncError('NN537', 'targets', [`There is no target ${String(target)}.`]);
    try {
      const own = (await (await builds[target]()).create(rest)) as Own;
      return { target, own, tried };
    } catch (error) {
      if (isOfData(error)) throw error;
      tried.push({ target, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  const reasons = tried.map(({ target, reason }) => `${target}: ${reason}`);
  throw new NncError('NN541', null, [`${name} can be computed on none of ${targets.join(', ')}.`, ...reasons]);
}

/** A caller's own: what the targets of the CPU give is theirs, and other after the next call. */
const kept = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (typeof value !== 'object' || value === null) return [name, value];
      const { shape, data } = value as { readonly shape: readonly number[]; readonly data: View };
      return [name, { shape: [...shape], data: data.slice() }];
    }),
  );

export class Automatic {
  private readonly builds: AutoBuilds;
  private readonly options: AutoOptions;
  private chosen: Chosen;

  protected constructor(builds: AutoBuilds, options: AutoOptions, chosen: Chosen) {
    this.builds = builds;
    this.options = options;
    this.chosen = chosen;
  }

  /** What computes. */
  get target(): AutoTarget {
    return this.chosen.target;
  }

  /** Why the targets before it do not. */
  get tried(): readonly Refusal[] {
    return this.chosen.tried;
  }

  get steps(): number {
    return this.chosen.own.steps;
  }

  private async call(
    name: 'step' | 'evaluate' | 'forward' | 'stream',
    inputs: Values,
    sizes?: Values,
  ): Promise<Values> {
    const { own, target } = this.chosen;
    const values = await own[name](inputs, sizes);
    return target === 'wgsl' ? values : kept(values);
  }

  step(inputs: Values, sizes?: Values): Promise<Values> {
    return this.call('step', inputs, sizes);
  }

  evaluate(inputs: Values, sizes?: Values): Promise<Values> {
    return this.call('evaluate', inputs, sizes);
  }

  forward(inputs: Values, sizes?: Values): Promise<Values> {
    return this.call('forward', inputs, sizes);
  }

  stream(inputs: Values, sizes?: Values): Promise<Values> {
    return this.call('stream', inputs, sizes);
  }

  enqueue(inputs: Values, sizes?: Values): void {
    const { own } = this.chosen;
    if (own.enqueue !== undefined) own.enqueue(inputs, sizes);
    else void own.step(inputs, sizes);
  }

  reset(): void {
    this.chosen.own.reset();
  }

  validated(loss: number): void {
    this.chosen.own.validated?.(loss);
  }

  async weights(): Promise<Map<string, WeightTensor>> {
    return this.chosen.own.weights();
  }

  load(weights: Weights): void {
    this.chosen.own.load(weights);
  }

  async checkpoint(): Promise<Checkpoint> {
    return this.chosen.own.checkpoint();
  }

  restore(checkpoint: Checkpoint): void {
    this.chosen.own.restore(checkpoint);
  }

  /** After a lost device: opens another, or computes on what is left, and goes on from a checkpoint. */
  async recover(checkpoint: Checkpoint): Promise<void> {
    this.close();
    // What was given is what was lost.
    const { device: _lost, ...options } = this.options;
    this.chosen = await choose(checkpoint.unit, this.builds, options);
    this.restore(checkpoint);
  }

  async finished(): Promise<void> {
    await this.chosen.own.finished?.();
  }

  close(): void {
    this.chosen.own.close();
  }

  protected static choose(name: string, builds: AutoBuilds, options: AutoOptions): Promise<Chosen> {
    return choose(name, builds, options);
  }
}
