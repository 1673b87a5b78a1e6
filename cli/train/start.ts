/**
 * `nnc train --from FILE`: training begins with the weights of a file, one of nnc or, by a `checkpoint` map, someone else's. What the file has under a path of the
 * program begins so; what it lacks begins as the program says (a new head, a low-rank change); what the program has no use for stays unread. All three are told.
 */
import type { Artifact } from '../../compiler/index.ts';
import type { Node } from '../../compiler/graph/types.ts';
import type { Weights, WeightTensor } from '../../runtime/weights.ts';
import type { Io } from '../io.ts';
import { refuse } from '../problems.ts';
import { adopted, isWeight, misfit, readWeights, translatedWeights } from '../weights.ts';

export interface Start {
  /** By path of the program; not all of its leaves. */
  readonly weights: ReadonlyMap<string, WeightTensor>;
  /** What is told. */
  readonly lines: readonly string[];
}

export interface StartOptions {
  /** `FILE` or, where there are several networks, `Network=FILE`. */
  readonly from: readonly string[];
  /** The `checkpoint` map by which the files are read. */
  readonly map?: string;
}

export function startOf(io: Io, artifact: Artifact, { from, map }: StartOptions): Start {
  const { plan } = artifact;
  const leaves = plan.leaves.filter(isWeight);
  const weights = new Map<string, WeightTensor>();
  const lines: string[] = [];
  for (const given of from) {
    const [, network = null, path] = /^(?:([A-Za-z_]\w*)=)?(.+)$/s.exec(given)!;
    const one = fromFile(io, artifact, path!, network, map);
    for (const [leaf, tensor] of one.own) weights.set(leaf, tensor);
    lines.push(`begins with ${one.own.size} of ${leaves.length} parameters and states from ${path!}`);
    if (one.unread.length > 0) lines.push(`not used of ${path!}: ${some(one.unread)}`);
  }
  for (const [path, tensor] of following(artifact, weights)) weights.set(path, tensor);
  const rest = leaves.filter((l) => !weights.has(l.path)).map((l) => l.path);
  if (rest.length > 0) lines.push(`as the program says begin ${some(rest)}`);
  return { weights: adopted(plan, weights), lines };
}

/** What a file has for the program, and what the program has no use for. */
function fromFile(io: Io, { plan }: Artifact, from: string, network: string | null, map: string | undefined) {
  const fail = (reason: string, notes: readonly string[]): never =>
    refuse('NN937', { path: from, unit: plan.name, reason, notes });
  const paths = new Set(plan.leaves.filter(isWeight).map((l) => l.path));
  if (network !== null && ![...paths].some((p) => p.startsWith(`${network}.`)))
    fail(`the program has no network ${network} beside others`, [`it has ${some([...paths])}`]);
  const read = readWeights(io, from);
  const named = map === undefined ? { file: read, unused: [] } : translatedWeights(plan, read, map, from);
  const ways = waysOf(paths, named.file.weights, network);
  const found = ways.map((way) => [...way.keys()].filter((n) => paths.has(n)).length);
  const most = Math.max(...found);
  if (most === 0)
    fail('none of its tensors has a path of the program', [
      `it has ${some([...read.weights.keys()])}`,
      `${plan.name} has ${some([...paths])}`,
    ]);
  const best = ways.filter((_, k) => found[k] === most);
  if (best.length > 1)
    fail('several networks could take it', [
      'say which one: --from Network=FILE',
      `${plan.name} has ${some([...paths])}`,
    ]);
  const [file] = best as [ReadonlyMap<string, WeightTensor>];
  const own = new Map([...file].filter(([path]) => paths.has(path)));
  const wrong = misfit(plan, own, (leaf) => own.has(leaf.path))?.wrong ?? [];
  if (wrong.length > 0)
    fail('tensors of it have another shape or type than the program', [
      ...wrong.map(({ name, has, wants }) => `${name} is ${has}, should be ${wants}`),
      'a layer under a name that the file does not have begins anew',
    ]);
  return { own, unread: [...named.unused, ...[...file.keys()].filter((path) => !paths.has(path))] };
}

/** The initial values, with what the start has in their place. */
export const begun = (initial: Weights, { weights }: Start): Map<string, WeightTensor> =>
  new Map([...initial].map(([path, tensor]) => [path, weights.get(path) ?? tensor]));

const some = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(', ') : `${names.slice(0, 7).join(', ')} and ${names.length - 7} more`;

/**
 * The file's tensors under paths of the program, in every way that makes sense. A train block with several networks has their names in front, one with a single
 * network has not. A training checkpoint also has slots and, behind `best:`, its best weights.
 */
function waysOf(
  paths: ReadonlySet<string>,
  tensors: Weights,
  network: string | null,
): ReadonlyMap<string, WeightTensor>[] {
  const fronts = (names: Iterable<string>): string[] =>
    [...new Set([...names].map((n) => n.slice(0, n.indexOf('.') + 1)))].filter((front) => front !== '');
  const plain = new Map([...tensors].filter(([name]) => !name.includes('/') && !name.startsWith('best:')));
  const part = (front: string) => new Map([...plain].filter(([n]) => n.startsWith(front)));
  const without = (front: string) => new Map([...part(front)].map(([n, t]) => [n.slice(front.length), t]));
  const within = (front: string) => new Map([...plain].map(([n, t]) => [front + n, t]));
  if (network !== null) return part(`${network}.`).size > 0 ? [part(`${network}.`)] : [within(`${network}.`)];
  if ([...plain.keys()].some((n) => paths.has(n))) return [plain];
  return [...fronts(plain.keys()).map(without), ...fronts(paths).map(within)];
}

/** `state average: record = Net.params` begins as the parameters do: where the file gives these and not the state, it follows them. */
function following({ plan, unit }: Artifact, weights: Weights): Map<string, WeightTensor> {
  const first = new Map<string, Node>((unit.programs.get('init')?.outputs ?? []).map((o) => [o.name, o.node]));
  const found = new Map<string, WeightTensor>();
  for (const leaf of plan.leaves) {
    const of = leaf.path.slice(leaf.path.indexOf('.') + 1);
    const tensor = leaf.kind !== 'state' || of === leaf.path || weights.has(leaf.path) ? undefined : weights.get(of);
    if (tensor !== undefined && first.get(leaf.path) === first.get(of)) found.set(leaf.path, tensor);
  }
  return found;
}
