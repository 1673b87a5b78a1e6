/**
 * The seam between the command line and compiled programs: an artifact becomes a running class here, and nowhere else does the command line
 * know what an emitted module looks like. Values cross as typed arrays, weights as `Weights` of the runtime.
 */
import type { Artifact, GpuLimits, Target } from '../compiler/index.ts';
import type { Plan, PlanLeaf, SizeExpr } from '../runtime/plan.ts';
import type { Checkpoint, Weights } from '../runtime/weights.ts';
import { formatBytes, refuse } from './problems.ts';

export type Values = Float32Array | Int32Array | Uint8Array;
export type Inputs = Readonly<Record<string, Values>>;
export type Sizes = Readonly<Record<string, number>>;

export interface ResultTensor {
  readonly shape: readonly number[];
  readonly data: Values;
}

/** An emitted class, created. Methods throw what `refusals` translates. */
export interface Instance {
  readonly step: (inputs: Inputs, sizes?: Sizes) => Readonly<Record<string, number>>;
  readonly evaluate: (inputs: Inputs, sizes?: Sizes) => Readonly<Record<string, number>>;
  readonly forward: (inputs: Inputs, sizes?: Sizes) => Readonly<Record<string, ResultTensor | number | boolean>>;
  /** Of a model with carries: goes on from where the last call left them. */
  readonly stream: (inputs: Inputs, sizes?: Sizes) => Readonly<Record<string, ResultTensor | number | boolean>>;
  /** Begins the carries anew. */
  readonly reset: () => void;
  readonly weights: () => Map<string, WeightTensor>;
  readonly load: (weights: Weights) => void;
  readonly checkpoint: () => Checkpoint;
  readonly restore: (checkpoint: Checkpoint) => void;
  /** Where schedules go by the loss of validations. */
  readonly validated?: (loss: number) => void;
  /** Ends threads, gives a GPU's memory back. */
  readonly close: () => void;
  /** Steps of training done. */
  readonly steps: number;
}

type Eventual<T> = T | Promise<T>;
type Eventually<F> = F extends (...args: infer A) => infer R ? (...args: A) => Eventual<R> : F;

/** The same, which on a GPU answers by promises, and can be lost. */
export type EventualInstance = {
  readonly [K in keyof Instance]: K extends 'load' | 'restore' | 'validated' | 'close'
    ? Instance[K]
    : Eventually<Instance[K]>;
} & {
  readonly recover?: (checkpoint: Checkpoint) => Promise<void>;
  readonly enqueue?: (inputs: Inputs, sizes?: Sizes) => void;
};

export type WeightTensor = Weights extends ReadonlyMap<string, infer T> ? T : never;

/** What this process can run by itself. */
export const nodeTargets = ['ts', 'wasm'] as const satisfies readonly Target[];
export type NodeTarget = (typeof nodeTargets)[number];

/** With the npm package webgpu and a driver that it accepts. */
export const runTargets = [...nodeTargets, 'wgsl', 'auto'] as const satisfies readonly Target[];
export type RunTarget = (typeof runTargets)[number];

interface EmittedClass<I> {
  readonly create: (options: {
    readonly seed?: number;
    readonly weights?: Weights;
    readonly gpu?: object;
    readonly threads?: Threads;
  }) => I;
}

/** The class of a target's module. */
export async function emittedClass<I>(artifact: Artifact, target: RunTarget): Promise<EmittedClass<I>> {
  const { javascript } = artifact.modules.get(target)!;
  const address = `data:text/javascript;base64,${Buffer.from(javascript).toString('base64')}`;
  const module = (await import(/* @vite-ignore */ address)) as Readonly<Record<string, EmittedClass<I>>>;
  const emitted = module[artifact.name];
  if (emitted === undefined) throw new Error(`the module of ${artifact.name} exports no such class`);
  return emitted;
}

export type Threads = number | 'auto';

/** Loads the emitted JavaScript and creates its class; all memory is taken here. */
export async function instantiate(
  artifact: Artifact,
  target: NodeTarget,
  seed = 0,
  threads: Threads = 1,
  weights: Weights | null = null,
): Promise<Instance> {
  const emitted = await emittedClass<Instance>(artifact, target);
  return guarded(artifact, () => emitted.create({ seed, threads, ...(weights === null ? {} : { weights }) }));
}

/** The same for every target. */
export async function instantiateAny(
  artifact: Artifact,
  target: RunTarget,
  seed = 0,
  threads: Threads = 1,
  weights: Weights | null = null,
  matrices = false,
): Promise<EventualInstance> {
  if (target === 'ts' || target === 'wasm') return instantiate(artifact, target, seed, threads, weights);
  const gpu = await webgpu([], matrices);
  if (target === 'wgsl') await demandGpu(artifact.name, gpu as Gpu | undefined);
  const emitted = await emittedClass<Promise<EventualInstance>>(artifact, target);
  return awaited(artifact, () =>
    emitted.create({ seed, threads, ...(weights === null ? {} : { weights }), ...(gpu === undefined ? {} : { gpu }) }),
  );
}

interface Gpu {
  requestAdapter(): Promise<{
    readonly limits: {
      readonly maxBufferSize: number;
      readonly maxStorageBufferBindingSize: number;
      readonly maxStorageBuffersPerShaderStage: number;
      readonly maxComputeWorkgroupStorageSize: number;
    };
  } | null>;
}

/** Refuses where there is no WebGPU, and says which part of it is missing. */
async function demandGpu(unit: string, gpu: Gpu | undefined): Promise<void> {
  if (gpu === undefined) return refuse('NN938', { unit, lacks: 'package' });
  if ((await gpu.requestAdapter().catch(() => null)) === null) return refuse('NN938', { unit, lacks: 'adapter' });
}

/** Limits of the device at hand, for what will run on it; nothing where there is none, or none is asked for. `matrices`: with forms for matrix units. */
export async function gpuLimits(
  target: RunTarget,
  matrices = false,
): Promise<{ readonly gpu?: Partial<GpuLimits>; readonly matrices: boolean }> {
  if (target === 'ts' || target === 'wasm') return { matrices };
  const adapter = await ((await webgpu([], matrices)) as Gpu | undefined)?.requestAdapter().catch(() => null);
  if (adapter === undefined || adapter === null) return { matrices };
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage: bindings } = adapter.limits;
  const { maxComputeWorkgroupStorageSize: workgroup } = adapter.limits;
  const whole = (bytes: number): number => Math.floor(bytes / 256) * 256;
  const gpu = { buffer: whole(maxBufferSize), binding: whole(maxStorageBufferBindingSize), bindings };
  return { gpu: { ...gpu, workgroup: whole(workgroup) }, matrices };
}

/** Dawn shows matrix units to those only who ask for what is not settled yet, and NVIDIA's halves with another switch. */
const MATRIX_SWITCHES = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia';

/** WebGPU for Node, where it is installed: an optional package, since it is large and most programs do without. `matrices`: with matrix units, if it lets itself be asked for them. */
export async function webgpu(options: string[] = [], matrices = false): Promise<object | undefined> {
  try {
    const { create } = (await import('webgpu')) as unknown as { create: (options: string[]) => Gpu };
    if (matrices) {
      const gpu = create([...options, MATRIX_SWITCHES]);
      if ((await gpu.requestAdapter().catch(() => null)) !== null) return gpu;
    }
    return create(options);
  } catch {
    return undefined;
  }
}

/** Runs what calls an instance; what the compiled program refuses becomes a report. */
export function guarded<T>(artifact: Artifact, call: () => T): T {
  try {
    return call();
  } catch (error) {
    return translated(artifact, error);
  }
}

/** `guarded` for what may answer by a promise. */
export async function awaited<T>(artifact: Artifact, call: () => Eventual<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    return translated(artifact, error);
  }
}

/** For promises: `.catch((error) => translated(artifact, error))`. */
export function translated(artifact: Artifact, error: unknown): never {
  // By name: every emitted module has an NncError of its own.
  if (error instanceof Error && error.name === 'NncError' && 'problems' in error) {
    return refuse('NN930', { unit: artifact.name, reasons: (error.problems as readonly string[]).map(clause) });
  }
  if (error instanceof RangeError && /allocation failed|array buffer|array length/i.test(error.message)) {
    return refuse('NN931', { unit: artifact.name, bytes: memoryOf(artifact.plan) });
  }
  throw error;
}

/** A module throws sentences; within a report they are parts of one. */
const clause = (sentence: string): string =>
  sentence.replace(/\.$/, '').replace(/^(?:The|An?|There) /, (word) => word.toLowerCase());

export const memoryOf = ({ arenas }: Plan): number => arenas.persistent + arenas.work;

/** What a bound on the memory costs, in a few words; nothing where it costs nothing. */
export function recomputed({ recomputations }: Artifact): string[] {
  return recomputations.map(({ program, before, after, share }) => {
    const more = share < 0.001 ? 'hardly more work' : `${(100 * share).toPrecision(2)} % more work`;
    return `\`${program}\` computes values again (${more}) to work in ${formatBytes(after)} in place of ${formatBytes(before)}`;
  });
}

/** The number of trained values. */
export function parametersOf(plan: Plan): number {
  return plan.leaves
    .filter((leaf) => leaf.kind === 'param')
    .reduce((sum, leaf) => sum + shapeOf(plan, leaf).reduce((n, extent) => n * extent, 1), 0);
}

/** A leaf's extents, at the bounds of the sizes. */
export function shapeOf(plan: Plan, leaf: PlanLeaf): number[] {
  const bounds = new Map(plan.sizes.map(({ name, bound }) => [name, bound]));
  return leaf.shape.map((e) => valueOf(e, bounds));
}

function valueOf(e: SizeExpr, sizes: ReadonlyMap<string, number>): number {
  if (typeof e === 'number') return e;
  if (typeof e === 'string') return sizes.get(e) ?? NaN;
  const args = e.args.map((a) => valueOf(a, sizes));
  switch (e.op) {
    case 'add':
      return args.reduce((a, b) => a + b, 0);
    case 'mul':
      return args.reduce((a, b) => a * b, 1);
    case 'floordiv':
      return Math.floor(args[0]! / args[1]!);
    case 'pow':
      return args[0]! ** args[1]!;
  }
}

/** Names of the data inputs that a program of the plan reads. */
export function inputsOf(plan: Plan, program: string): string[] {
  const own = plan.programs[program]?.inputs ?? {};
  return plan.inputs.map(({ name }) => name).filter((name) => own[name] !== undefined);
}
