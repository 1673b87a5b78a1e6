/**
 * Puts updates after the last use of what they replace, so that they can be written in place.
 *
 * A weight's update needs its gradient only, but the gradient with respect to the layer's input still reads the old weight. Updates, and what
 * feeds nothing but updates directly, may wait (call them sinks): they get an edge from every other reader of the leaf that is replaced. Whatever
 * reads a sink is a sink, and edges lead from others to sinks, so no cycle can arise; otherwise the order stays as it was.
 */
import type { Node } from '../graph/types.ts';
import type { Item } from './cluster.ts';

export const madeBy = (item: Item): Node => ('unit' in item ? item.unit.node : item.opaque);
export const readBy = (item: Item): Iterable<Node> => ('unit' in item ? item.unit.slots : new Set(item.reads));
const makerOf = (slot: Node): Node => (slot.op === 'part' ? slot.inputs[0]! : slot);

export interface Delayed {
  readonly items: readonly Item[];
  /** Value → values whose kernels come no later than its own. */
  readonly after: ReadonlyMap<Node, readonly Node[]>;
}

/** Scalars made of leaves alone (a step's corrections of an optimizer) come first: else the first of many users could not take them into its kernel. */
function scalarsFirst(items: readonly Item[]): { readonly items: readonly Item[]; readonly early: number } {
  const makers = new Set<Node>(items.map(madeBy));
  const early = new Set<Node>();
  const isEarly = (item: Item): boolean =>
    'unit' in item &&
    item.unit.axes.length === 0 &&
    item.unit.over.length === 0 &&
    item.unit.scatter === null &&
    [...readBy(item)].every((slot) => !makers.has(makerOf(slot)) || early.has(slot));
  for (const item of items) if (isEarly(item)) early.add(madeBy(item));
  const [first, rest] = [true, false].map((wanted) => items.filter((i) => early.has(madeBy(i)) === wanted));
  return { items: [...first!, ...rest!], early: early.size };
}

/** @param replaces value → leaf whose buffer it should take */
export function delayUpdates(given: readonly Item[], replaces: ReadonlyMap<Node, Node>): Delayed {
  const { items, early } = scalarsFirst(given);
  const after = new Map<Node, Node[]>();
  if (replaces.size === 0) return { items, after };
  const indexOf = new Map<Node, number>(items.map((item, k) => [madeBy(item), k]));
  const readers = new Map<Node, number[]>();
  const leafReaders = new Map<Node, number[]>();
  for (const [k, item] of items.entries()) {
    for (const slot of readBy(item)) {
      const maker = makerOf(slot);
      const table = indexOf.has(maker) ? readers : leafReaders;
      const list = table.get(maker);
      if (list === undefined) table.set(maker, [k]);
      else if (list.at(-1) !== k) list.push(k);
    }
  }
  const update: boolean[] = [];
  for (let k = items.length - 1; k >= 0; k--) {
    const node = madeBy(items[k]!);
    update[k] = replaces.has(node) && (readers.get(node) ?? []).every((r) => update[r]);
  }
  const groups: { readonly leaf: Node; readonly members: ReadonlySet<number> }[] = [];
  const sinks = new Set<number>([...items.keys()].filter((k) => update[k]!));
  for (const [value, leaf] of replaces) {
    const at = indexOf.get(value);
    if (at === undefined || !update[at]) continue;
    const members = new Set<number>([at]);
    for (const member of members) {
      for (const slot of readBy(items[member]!)) {
        const maker = makerOf(slot);
        const k = indexOf.get(maker);
        if (k !== undefined && k >= early && (readers.get(maker) ?? []).every((r) => members.has(r) || update[r]))
          members.add(k);
      }
    }
    groups.push({ leaf, members });
    for (const k of members) sinks.add(k);
  }

  const waitsFor = items.map(() => 0);
  const wakes: number[][] = items.map(() => []);
  const edge = (from: number, to: number): void => {
    waitsFor[to]!++;
    wakes[from]!.push(to);
  };
  for (const [k, item] of items.entries()) {
    for (const maker of new Set([...readBy(item)].map(makerOf))) {
      const from = indexOf.get(maker);
      if (from !== undefined) edge(from, k);
    }
  }
  for (const { leaf, members } of groups) {
    for (const reader of leafReaders.get(leaf) ?? []) {
      if (sinks.has(reader)) continue;
      for (const member of members) {
        edge(reader, member);
        const node = madeBy(items[member]!);
        const list = after.get(node);
        if (list === undefined) after.set(node, [madeBy(items[reader]!)]);
        else list.push(madeBy(items[reader]!));
      }
    }
  }

  const ordered: Item[] = [];
  const passed = items.map(() => false);
  const emit = (first: number): void => {
    const ready = [first];
    for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
      ordered.push(items[next]!);
      for (const k of wakes[next]!) if (--waitsFor[k]! === 0 && passed[k]) ready.push(k);
      ready.sort((a, b) => a - b);
    }
  };
  for (const k of items.keys()) {
    passed[k] = true;
    if (waitsFor[k] === 0) emit(k);
  }
  if (ordered.length !== items.length) throw new Error('the order of updates has a cycle');
  return { items: ordered, after };
}

/** The same in an order in which the items of a group stand one after the other. The groups come from stream.ts, between which there is no cycle. */
export function together(items: readonly Item[], groups: ReadonlyMap<Node, object>): readonly Item[] {
  const made = new Map<Node, Item>(items.map((item) => [madeBy(item), item]));
  const members = new Map<object, Item[]>();
  for (const item of items) {
    const group = groups.get(madeBy(item));
    if (group === undefined) continue;
    const list = members.get(group);
    if (list === undefined) members.set(group, [item]);
    else list.push(item);
  }
  const out: Item[] = [];
  const done = new Set<Item>();
  const visit = (item: Item): void => {
    if (done.has(item)) return;
    const group = groups.get(madeBy(item));
    const all = group === undefined ? [item] : members.get(group)!;
    for (const one of all) done.add(one);
    for (const one of all)
      for (const slot of readBy(one)) {
        const maker = made.get(makerOf(slot));
        if (maker !== undefined) visit(maker);
      }
    out.push(...all);
  };
  for (const item of items) visit(item);
  return out;
}
