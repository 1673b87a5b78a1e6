/** Weights in and out of a GPU program: the persistent leaves by path, read back as copies. */
import { NncError } from '../errors.ts';
import type { PlanLeaf } from '../plan.ts';
import type { Checkpoint, CreateOptions, Weights, WeightTensor } from '../weights.ts';
import { GpuMachine, type GpuOptions } from './machine.ts';
import type { GpuCompiledLimits, GpuProgramTable } from './table.ts';

export interface GpuCreateOptions extends CreateOptions, GpuOptions {}

export const isWeight = (leaf: PlanLeaf): boolean => leaf.kind === 'param' || leaf.kind === 'state';

const ARRAYS = { f32: Float32Array, f16: Float32Array, i32: Int32Array, bool: Uint8Array } as const;

export async function takeLeaves(
  machine: GpuMachine,
  wanted: (leaf: PlanLeaf) => boolean,
): Promise<Map<string, WeightTensor>> {
  const leaves = machine.plan.leaves.filter(wanted);
  const found = await machine.read(
    leaves.flatMap(({ buffer, stored }) =>
      stored === undefined || stored.scales === null ? [buffer] : [buffer, stored.scales],
    ),
  );
  return new Map(
    leaves.map((leaf) => {
      const words = found.get(leaf.buffer)!;
      if (leaf.stored !== undefined)
        return [leaf.path, machine.store!.take(leaf, words, found.get(leaf.stored.scales ?? -1))];
      const { shape, data } = words;
      return [leaf.path, { dtype: leaf.dtype, shape, data }];
    }),
  );
}

/** Writes all wanted leaves; on anything missing, surplus or of another type writes nothing and throws one error that lists it all. */
export function putLeaves(machine: GpuMachine, weights: Weights, wanted: (leaf: PlanLeaf) => boolean): void {
  const problems: string[] = [];
  const leaves = machine.plan.leaves.filter(wanted);
  const known = new Set(leaves.map((leaf) => leaf.path));
  for (const leaf of leaves) {
    const tensor = weights.get(leaf.path);
    const shape = machine.shape(leaf.buffer);
    const array = ARRAYS[leaf.dtype];
    if (tensor === undefined) problems.push(`${leaf.path} (${leaf.dtype}[${shape.join(', ')}]) is missing.`);
    else if (tensor.dtype !== leaf.dtype) problems.push(`${leaf.path} is ${tensor.dtype}, not ${leaf.dtype}.`);
    else if (tensor.shape.join() !== shape.join()) {
      problems.push(`${leaf.path} has shape [${tensor.shape.join(', ')}], not [${shape.join(', ')}].`);
    } else if (leaf.stored !== undefined) {
      const why = machine.store!.problem(leaf, tensor);
      if (why !== null) problems.push(why);
    } else if (tensor.data.constructor.name !== array.name) {
      problems.push(`${leaf.path} must be a ${array.name}, not ${tensor.data.constructor.name}.`);
    } else if (tensor.data.length !== shape.reduce((n, extent) => n * extent, 1)) {
      problems.push(`${leaf.path} has ${tensor.data.length} elements, which is not [${shape.join(', ')}].`);
    }
  }
  for (const path of weights.keys())
    if (!known.has(path)) problems.push(`There is no ${path} in ${machine.plan.name}.`);
  if (problems.length > 0) throw new NncError('NN536', null, problems);
  for (const leaf of leaves) {
    const tensor = weights.get(leaf.path)!;
    if (leaf.stored !== undefined) machine.store!.put(machine, leaf, tensor);
    else machine.upload(leaf.buffer, tensor.data);
  }
}

export async function takeCheckpoint(machine: GpuMachine): Promise<Checkpoint> {
  const { seed, steps } = machine;
  return { unit: machine.plan.name, seed, step: steps, tensors: await takeLeaves(machine, () => true) };
}

export function putCheckpoint(machine: GpuMachine, checkpoint: Checkpoint): void {
  if (checkpoint.unit !== machine.plan.name) {
    throw new NncError('NN536', null, [`The checkpoint is of ${checkpoint.unit}, not of ${machine.plan.name}.`]);
  }
  putLeaves(machine, checkpoint.tensors, () => true);
  machine.seed = checkpoint.seed;
  machine.steps = checkpoint.step;
}

/** Initial weights by the seed, then those given; the carries as they start. */
export async function begin(machine: GpuMachine, options: CreateOptions): Promise<Map<string, WeightTensor>> {
  const { seed = 0 } = options;
  if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) {
    throw new NncError('NN537', 'seed', [`The seed must be an integer of 32 bits, not ${seed}.`]);
  }
  machine.seed = seed | 0;
  machine.initialise();
  const carries = await takeLeaves(machine, (leaf) => leaf.kind === 'carry');
  const stored = machine.plan.leaves.find((leaf) => leaf.stored !== undefined);
  if (stored !== undefined && options.weights === undefined)
    throw new NncError('NN538', null, [
      `${machine.plan.name} keeps ${stored.path} as ${stored.stored!.as} and cannot draw initial weights: pass { weights }.`,
    ]);
  if (options.weights !== undefined) putLeaves(machine, options.weights, isWeight);
  return carries;
}

/** The carries as they start. */
export function resetCarries(machine: GpuMachine, carries: Weights): void {
  for (const leaf of machine.plan.leaves) {
    const start = carries.get(leaf.path);
    if (start !== undefined) machine.upload(leaf.buffer, start.data);
  }
}

/** A machine on another device, in the place of one whose device was lost. */
export async function reopened(
  lost: GpuMachine,
  table: GpuProgramTable,
  limits: GpuCompiledLimits,
  options: GpuCreateOptions,
  checkpoint: Checkpoint,
): Promise<GpuMachine> {
  lost.destroy();
  // A device that was given is the one that was lost.
  const machine = await GpuMachine.create(
    lost.compiled,
    table,
    limits,
    options.gpu === undefined ? {} : { gpu: options.gpu },
  );
  machine.store = lost.store;
  machine.seed = checkpoint.seed;
  machine.initialise();
  putCheckpoint(machine, checkpoint);
  return machine;
}
