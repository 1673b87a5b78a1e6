/**
 * Weights under the names and in the layouts of another file, as the source's `checkpoint` maps say: for loading and, the other way, for saving.
 */
import { NncError } from './errors.ts';
import type { Plan, PlanCheckpoint, PlanLeafMap } from './plan.ts';
import type { Weights, WeightTensor } from './weights.ts';

type Data = WeightTensor['data'];

function mapsOf(plan: Plan, name: string): PlanCheckpoint {
  const known = plan.checkpoints ?? [];
  const found = known.find((c) => c.name === name);
  if (found !== undefined) return found;
  const names = known.map((c) => c.name);
  throw new NncError('NN536', name, [
    `${plan.name} has no checkpoint map ${name}${names.length === 0 ? '' : `, only ${names.join(', ')}`}.`,
  ]);
}

/** For each of their positions, in order, ours: rows over the same letters in two orders. */
function positions(map: PlanLeafMap): Int32Array {
  const { extents, order } = map;
  const strides = extents.map((_, k) => extents.slice(k + 1).reduce((n, e) => n * e, 1));
  const count = extents.reduce((n, e) => n * e, 1);
  const out = new Int32Array(count);
  const at = order.map(() => 0);
  let place = 0;
  for (let i = 0; i < count; i++) {
    out[i] = place;
    for (let k = order.length - 1; k >= 0; k--) {
      const letter = order[k]!;
      place += strides[letter]!;
      if (++at[k]! < extents[letter]!) break;
      at[k] = 0;
      place -= strides[letter]! * extents[letter]!;
    }
  }
  return out;
}

const like = (data: Data, length: number): Data =>
  data instanceof Float32Array
    ? new Float32Array(length)
    : data instanceof Int32Array
      ? new Int32Array(length)
      : new Uint8Array(length);

export interface Imported {
  /** As `load` takes them. */
  readonly weights: Map<string, WeightTensor>;
  /** Names in the file that the network has no use for. */
  readonly unused: readonly string[];
}

/** From their names and layouts to ours. Tensors that are missing are left out: `load` reports them. */
export function importWeights(plan: Plan, checkpoint: string, theirs: Weights): Imported {
  const maps = new Map(mapsOf(plan, checkpoint).leaves.map((m) => [m.ours, m]));
  const weights = new Map<string, WeightTensor>();
  const used = new Set<string>();
  const problems: string[] = [];
  for (const leaf of plan.leaves) {
    if (leaf.kind !== 'param' && leaf.kind !== 'state') continue;
    const map = maps.get(leaf.path);
    const name = map?.theirs ?? leaf.path;
    const tensor = theirs.get(name);
    if (tensor === undefined) continue;
    used.add(name);
    if (map === undefined) {
      weights.set(leaf.path, tensor);
      continue;
    }
    if (tensor.shape.join() !== map.shape.join()) {
      problems.push(
        `${name} has shape [${tensor.shape.join(', ')}], not [${map.shape.join(', ')}] as ${leaf.path} needs.`,
      );
      continue;
    }
    const data = like(tensor.data, tensor.data.length);
    positions(map).forEach((place, i) => (data[place] = tensor.data[i]!));
    weights.set(leaf.path, { dtype: tensor.dtype, shape: leaf.shape as readonly number[], data });
  }
  if (problems.length > 0) throw new NncError('NN536', null, problems);
  return { weights, unused: [...theirs.keys()].filter((name) => !used.has(name)) };
}

/** From our names and layouts to theirs. */
export function exportWeights(plan: Plan, checkpoint: string, ours: Weights): Map<string, WeightTensor> {
  const maps = new Map(mapsOf(plan, checkpoint).leaves.map((m) => [m.ours, m]));
  const out = new Map<string, WeightTensor>();
  for (const [path, tensor] of ours) {
    const map = maps.get(path);
    if (map === undefined) {
      out.set(path, tensor);
      continue;
    }
    const data = like(tensor.data, tensor.data.length);
    positions(map).forEach((place, i) => (data[i] = tensor.data[place]!));
    out.set(map.theirs, { dtype: tensor.dtype, shape: map.shape, data });
  }
  return out;
}
