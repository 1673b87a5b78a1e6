/**
 * `checkpoint name for Model { … }`: for every leaf of the network, which tensor of someone else's file it is and in what order its axes lie there.
 *
 * Each equation is a bijection between the positions of two tensors. With groups taken apart both sides are rows over the same letters, in two
 * orders: that is all a loader needs, and it serves for saving just as well. A leaf that no equation names keeps its name and layout.
 */
import type { CheckpointDeclaration, CheckpointEntry, Index, IndexName } from '../../grammar/ast.ts';
import type { CheckpointMap, Leaf, LeafMap } from '../graph/types.ts';
import { asConst } from '../sizes/poly.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import { sizeOf } from './expressions.ts';
import type { Scope } from './scope.ts';

export function checkpointMap(
  cx: Elaboration,
  d: CheckpointDeclaration,
  leaves: readonly Leaf[],
  scope: Scope,
): CheckpointMap {
  const used = new Set<CheckpointEntry>();
  const maps: LeafMap[] = [];
  for (const leaf of leaves) {
    if (leaf.kind !== 'param' && leaf.kind !== 'state') continue;
    for (const entry of d.entries) {
      const rounds = matchRounds(entry.path, leaf.path);
      if (rounds === null) continue;
      used.add(entry);
      maps.push(mapOf(cx, entry, leaf, fillRounds(entry.source, rounds), scope));
      break;
    }
  }
  for (const entry of d.entries)
    if (!used.has(entry))
      refuse('NN720', entry.pathSpan, {
        path: entry.path,
        of: d.model.text,
        suggestion: null,
        known: leaves.slice(0, 12).map((l) => l.path),
      });
  const theirs = new Map<string, string>();
  for (const map of [...maps, ...rest(leaves, maps)]) {
    const other = theirs.get(map.theirs);
    if (other !== undefined) refuse('NN809', d.span, { name: map.theirs, first: other, second: map.ours });
    theirs.set(map.theirs, map.ours);
  }
  return { name: d.format.text, leaves: maps };
}

const rest = (leaves: readonly Leaf[], maps: readonly LeafMap[]): { ours: string; theirs: string }[] =>
  leaves
    .filter((l) => (l.kind === 'param' || l.kind === 'state') && !maps.some((m) => m.ours === l.path))
    .map((l) => ({ ours: l.path, theirs: l.path }));

/** What the `*` of a pattern stand for in a path; null where it does not match. */
function matchRounds(pattern: string, path: string): readonly string[] | null {
  const [a, b] = [pattern.split('.'), path.split('.')];
  if (a.length !== b.length) return null;
  const found: string[] = [];
  for (const [k, part] of a.entries()) {
    if (part === '*') found.push(b[k]!);
    else if (part !== b[k]) return null;
  }
  return found;
}

/** The other file's name, each `*` in turn replaced. */
function fillRounds(source: string, rounds: readonly string[]): string {
  let next = 0;
  return source.replace(/\*/g, () => rounds[next++] ?? '*');
}

const lettersOf = (indices: readonly Index[]): IndexName[][] =>
  indices.map((i) => (i.kind === 'index' ? [i] : i.kind === 'group' ? [...i.parts] : []));

function mapOf(cx: Elaboration, entry: CheckpointEntry, leaf: Leaf, theirs: string, scope: Scope): LeafMap {
  const sizes = leaf.type.sizes.map((s) => asConst(s)!);
  if (entry.indices.length === 0)
    return { ours: leaf.path, theirs, extents: sizes, order: sizes.map((_, k) => k), shape: sizes };
  const [ours, others] = [lettersOf(entry.indices), lettersOf(entry.sourceIndices)];
  const written = new Map<string, number>();
  for (const part of [...ours, ...others].flat()) {
    if (part.extent === null) continue;
    const value = asConst(sizeOf(cx, part.extent, scope, null));
    if (value !== null) written.set(part.name.text, value);
  }
  const extents = new Map<string, number>();
  if (ours.length !== sizes.length)
    return refuse('NN808', entry.span, { path: leaf.path, what: `it has ${sizes.length} axes, not ${ours.length}` });
  ours.forEach((parts, axis) => {
    const open = parts.filter((p) => !written.has(p.name.text));
    const known = parts.reduce((n, p) => n * (written.get(p.name.text) ?? 1), 1);
    const size = sizes[axis]!;
    if (open.length > 1 || size % known !== 0 || (open.length === 0 && size !== known))
      refuse('NN808', entry.span, { path: leaf.path, what: `an axis of ${size} does not divide so` });
    for (const p of parts) extents.set(p.name.text, written.get(p.name.text) ?? size / known);
  });
  const letters = ours.flat().map((p) => p.name.text);
  const order = others.flat().map((p) => letters.indexOf(p.name.text));
  if (order.includes(-1) || order.length !== letters.length || new Set(order).size !== order.length)
    return refuse('NN808', entry.span, { path: leaf.path, what: 'both sides need the same letters, each once' });
  return {
    ours: leaf.path,
    theirs,
    extents: letters.map((l) => extents.get(l)!),
    order,
    shape: others.map((parts) => parts.reduce((n, p) => n * extents.get(p.name.text)!, 1)),
  };
}
