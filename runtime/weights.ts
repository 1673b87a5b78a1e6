/** Weights in and out: the persistent leaves of a program by path. Copies, so that what was taken out stays as it was. */
import { NncError } from './errors.ts';
import type { Machine } from './execute.ts';
import type { View } from './memory.ts';
import type { Plan, PlanDType, PlanLeaf, Storage } from './plan.ts';

export interface WeightTensor {
  readonly dtype: PlanDType;
  readonly shape: readonly number[];
  /** Float32Array for f32 and f16, Int32Array for i32, Uint8Array for bool. Of what is stored smaller: the values that it stands for. */
  readonly data: View;
  /** The stored form, where a program keeps it smaller: bit for bit what it computes with. One scale for every `group` elements; none for f16. */
  readonly stored?: {
    readonly as: Storage;
    readonly group: number;
    readonly data: Int8Array | Uint8Array | Uint16Array;
    readonly scales: Float32Array;
  };
}

/** Path → tensor, `hidden.weight` say. */
export type Weights = ReadonlyMap<string, WeightTensor>;

/** All that training needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly unit: string;
  readonly seed: number;
  readonly step: number;
  readonly tensors: Weights;
}

export const isWeight = (leaf: PlanLeaf): boolean => leaf.kind === 'param' || leaf.kind === 'state';

export function takeLeaves(machine: Machine, wanted: (leaf: PlanLeaf) => boolean): Map<string, WeightTensor> {
  const out = new Map<string, WeightTensor>();
  for (const leaf of machine.plan.leaves) {
    if (wanted(leaf))
      out.set(leaf.path, takeStored(machine, leaf) ?? { dtype: leaf.dtype, ...machine.copied(leaf.buffer) });
  }
  return out;
}

function takeStored(machine: Machine, leaf: PlanLeaf): WeightTensor | null {
  return leaf.stored === undefined ? null : machine.store!.take(machine, leaf);
}

/** Why such a leaf cannot be what it is given; null where it can, undefined where the leaf is no such. */
function storedProblemOf(machine: Machine, leaf: PlanLeaf, tensor: WeightTensor): string | null | undefined {
  return leaf.stored === undefined ? undefined : machine.store!.problem(leaf, tensor);
}

function put(machine: Machine, leaf: PlanLeaf, tensor: WeightTensor): void {
  if (leaf.stored !== undefined) machine.store!.put(machine, leaf, tensor);
  else machine.memory.views[leaf.buffer]!.set(tensor.data);
}

function needsWeights({ name, leaves }: Plan): void {
  const stored = leaves.find((leaf) => leaf.stored !== undefined);
  if (stored !== undefined)
    throw new NncError('NN538', null, [
      `${name} keeps ${stored.path} as ${stored.stored!.as} and cannot draw initial weights: pass { weights }.`,
    ]);
}

/** Writes all wanted leaves; on anything missing, surplus or of another type writes nothing and throws one error that lists it all. */
export function putLeaves(machine: Machine, weights: Weights, wanted: (leaf: PlanLeaf) => boolean): void {
  const problems: string[] = [];
  const leaves = machine.plan.leaves.filter(wanted);
  const known = new Set(leaves.map((leaf) => leaf.path));
  for (const { path, dtype, ...leaf } of leaves) {
    const tensor = weights.get(path);
    const shape = machine.shape(leaf.buffer);
    const view = machine.memory.views[leaf.buffer]!;
    const say = (problem: string): unknown => problems.push(`${path} ${problem}.`);
    if (tensor === undefined) say(`(${dtype}[${shape.join(', ')}]) is missing`);
    else if (tensor.dtype !== dtype) say(`is ${tensor.dtype}, not ${dtype}`);
    else if (tensor.shape.join() !== shape.join())
      say(`has shape [${tensor.shape.join(', ')}], not [${shape.join(', ')}]`);
    else {
      const why = storedProblemOf(machine, { path, dtype, ...leaf }, tensor);
      if (typeof why === 'string') problems.push(why);
      if (why !== undefined) continue;
      if (tensor.data.constructor !== view.constructor)
        say(`must be a ${view.constructor.name}, not ${tensor.data.constructor.name}`);
      else if (tensor.data.length !== shape.reduce((n, extent) => n * extent, 1))
        say(`has ${tensor.data.length} elements, which is not [${shape.join(', ')}]`);
    }
  }
  for (const path of weights.keys())
    if (!known.has(path)) problems.push(`There is no ${path} in ${machine.plan.name}.`);
  if (problems.length > 0) throw new NncError('NN536', null, problems);
  for (const leaf of leaves) put(machine, leaf, weights.get(leaf.path)!);
}

export function takeCheckpoint(machine: Machine): Checkpoint {
  const tensors = takeLeaves(machine, () => true);
  return { unit: machine.plan.name, seed: machine.seed, step: machine.steps, tensors };
}

export function putCheckpoint(machine: Machine, checkpoint: Checkpoint): void {
  if (checkpoint.unit !== machine.plan.name) {
    throw new NncError('NN536', null, [`The checkpoint is of ${checkpoint.unit}, not of ${machine.plan.name}.`]);
  }
  putLeaves(machine, checkpoint.tensors, () => true);
  machine.seed = checkpoint.seed;
  machine.steps = checkpoint.step;
}

export interface CreateOptions {
  /** For initial weights and everything drawn while training: an integer of 32 bits. 0 if left out. */
  readonly seed?: number;
  /** Instead of the initial weights. */
  readonly weights?: Weights;
  /**
   * Threads of the `wasm` target, where memory can be shared: in Node, and in a page that is isolated across origins. 'auto': as many as there are
   * cores. 1 if left out. Results are the same bits. Arrays in results then lie on shared memory.
   */
  readonly threads?: number | 'auto';
}

/** Initial weights by the seed, then those given; the bytes of the carries as they start. */
export function begin(machine: Machine, options: CreateOptions): Map<string, WeightTensor> {
  const { seed = 0 } = options;
  if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) {
    throw new NncError('NN537', 'seed', [`The seed must be an integer of 32 bits, not ${seed}.`]);
  }
  machine.seed = seed | 0;
  machine.initialise();
  const carries = takeLeaves(machine, (leaf) => leaf.kind === 'carry');
  if (options.weights === undefined) needsWeights(machine.plan);
  else putLeaves(machine, options.weights, isWeight);
  return carries;
}

/** The carries as they start. */
export function resetCarries(machine: Machine, carries: Weights): void {
  for (const leaf of machine.plan.leaves) {
    const start = carries.get(leaf.path);
    if (start !== undefined) machine.memory.views[leaf.buffer]!.set(start.data);
  }
}
