/** Weights in files: written with what they belong to, and read with a report of everything that does not fit a network. */
import { problem } from '../compiler/diagnostics/problem.ts';
import { NncError } from '../runtime/errors.ts';
import { importWeights } from '../runtime/exchange.ts';
import { decodeWeights, encodeWeights } from '../runtime/files.ts';
import type { Plan, PlanLeaf } from '../runtime/plan.ts';
import type { Weights, WeightTensor } from '../runtime/weights.ts';
import { shapeOf } from './artifact.ts';
import { readBytes } from './files.ts';
import type { Io } from './io.ts';
import { refuse, refuseProblems, type TensorFacts } from './problems.ts';

const typeText = (dtype: string, shape: readonly number[]): string => `${dtype}[${shape.join(', ')}]`;

export interface WeightsFile {
  readonly weights: Map<string, WeightTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export function readWeights(io: Io, path: string): WeightsFile {
  const decoded = decodeWeights(readBytes(io, path));
  if (decoded.ok) return decoded;
  const { problem: what } = decoded;
  if (what.kind === 'type')
    return refuseProblems([problem('NN911', null, { path, column: what.name, type: what.dtype })]);
  return refuseProblems([problem('NN915', null, { path, problem: what })]);
}

/** Deterministic: the same weights give the same bytes. */
export const weightsBytes = (
  weights: Weights,
  unit: string,
  epoch: number | null,
  further: Readonly<Record<string, string>> = {},
): Uint8Array =>
  encodeWeights(weights, { format: 'nnc', unit, ...(epoch === null ? {} : { epoch: String(epoch) }), ...further });

export interface Misfit {
  readonly missing: readonly TensorFacts[];
  readonly surplus: readonly TensorFacts[];
  readonly wrong: readonly { readonly name: string; readonly has: string; readonly wants: string }[];
}

/** What keeps tensors from being the wanted leaves of a plan; null if nothing does. f16 and f32 stand for each other. */
export function misfit(plan: Plan, tensors: Weights, wanted: (leaf: PlanLeaf) => boolean): Misfit | null {
  const leaves = plan.leaves.filter(wanted);
  const missing: TensorFacts[] = [];
  const wrong: { name: string; has: string; wants: string }[] = [];
  for (const leaf of leaves) {
    const tensor = tensors.get(leaf.path);
    const wants = typeText(leaf.dtype, shapeOf(plan, leaf));
    if (tensor === undefined) missing.push({ name: leaf.path, type: wants });
    else {
      const has = typeText(tensor.dtype, tensor.shape);
      const same = has === wants || has.replace('f16', 'f32') === wants.replace('f16', 'f32');
      if (!same) wrong.push({ name: leaf.path, has, wants });
    }
  }
  const known = new Set(leaves.map(({ path }) => path));
  const surplus = [...tensors].flatMap(([name, { dtype, shape }]) =>
    known.has(name) ? [] : [{ name, type: typeText(dtype, shape) }],
  );
  return missing.length + wrong.length + surplus.length === 0 ? null : { missing, surplus, wrong };
}

/** The same tensors in the plan's element types, once they fit. */
export function adopted(plan: Plan, tensors: Weights): Map<string, WeightTensor> {
  const dtypes = new Map(plan.leaves.map(({ path, dtype }) => [path, dtype]));
  return new Map([...tensors].map(([path, tensor]) => [path, { ...tensor, dtype: dtypes.get(path) ?? tensor.dtype }]));
}

export const isWeight = ({ kind }: PlanLeaf): boolean => kind === 'param' || kind === 'state';

/** A file under the names and layouts of a `checkpoint` map, as ours; what the network has no use for is told. */
export function translatedWeights(plan: Plan, file: WeightsFile, checkpoint: string, path: string) {
  try {
    const { weights, unused } = importWeights(plan, checkpoint, file.weights);
    return { file: { weights, metadata: {} }, unused };
  } catch (error) {
    if (!(error instanceof NncError)) throw error;
    return refuse('NN940', { path, checkpoint, reasons: error.problems });
  }
}

/**
 * A model's weights out of a file. A train block with several networks has their names in front of the paths: then the model's own are
 * taken, without the name.
 */
export function modelWeights(plan: Plan, { weights, metadata }: WeightsFile, path: string): Map<string, WeightTensor> {
  let own: Weights = weights;
  const prefix = `${plan.name}.`;
  const direct = plan.leaves.some((leaf) => isWeight(leaf) && weights.has(leaf.path));
  if (metadata['kind'] === 'checkpoint') {
    own = new Map(
      plan.leaves.flatMap((leaf) => (weights.has(leaf.path) ? [[leaf.path, weights.get(leaf.path)!]] : [])),
    );
  } else if (!direct && [...weights.keys()].some((name) => name.startsWith(prefix))) {
    own = new Map(
      [...weights].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
    );
  }
  const found = misfit(plan, own, isWeight);
  if (found !== null) refuse('NN924', { path, unit: plan.name, ...found });
  return adopted(plan, own);
}
