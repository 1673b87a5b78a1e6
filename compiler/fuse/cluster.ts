/**
 * Which units share a kernel. One pass in topological order, each unit joining the kernel of its last producer, or a later one with the same
 * domain that reads the same values (siblings), or starting its own. Positions in the sequence never go back, so no cycle can arise.
 *
 * A kernel has *rows*: axes that all its units have, looped outside. A unit may read what another unit of its kernel made at the same point of
 * the rows only; the other coordinates are free, because the whole row is there by then. An elementwise chain has all axes as rows; softmax
 * and layer normalisation shrink them to all but the normalised axis. Two rules keep kernels fast: a product of matrices takes only
 * epilogues (units with exactly its axes), so that it can be tiled; and rows never shrink so that the last axis of a larger
 * value is looped outside (a bias gradient does not join the elementwise chain it sums, whose rows it would turn into columns).
 */
import { name, type Poly } from '../sizes/poly.ts';
import type { Node } from '../graph/types.ts';
import type { Unit } from './lower.ts';
import type { Group } from './stream.ts';

export interface Cluster {
  readonly kind: 'cluster';
  readonly units: Unit[];
  /** Local axis of a unit → axis of the cluster. */
  readonly axisOf: Map<Unit, Map<string, number>>;
  readonly unitOf: Map<Node, Unit>;
  readonly extents: Poly[];
  rows: Set<number>;
  tile: boolean;
  /** Read, not made here. */
  external: Set<Node>;
  /** Made here and needed elsewhere, as far as is known. */
  live: Set<Node>;
  /** What its units are streamed for; null: an ordinary kernel. */
  readonly group: Group | null;
}

/** Lowered by its own code: takes a place in the sequence. */
export interface Opaque {
  readonly kind: 'opaque';
  readonly node: Node;
  readonly reads: readonly Node[];
}

export type Entry = Cluster | Opaque;

export interface Clustering {
  readonly entries: readonly Entry[];
  /** Position of the entry that makes a value; leaves have none. */
  readonly position: ReadonlyMap<Node, number>;
  /** Positions of the entries that read a value. */
  readonly readers: ReadonlyMap<Node, readonly number[]>;
}

/** In topological order: a lowered unit, or a node with code of its own and what it reads. */
export type Item = { readonly unit: Unit } | { readonly opaque: Node; readonly reads: readonly Node[] };

const MAX_SIBLINGS = 4;

/** Whether a unit makes a value of its group's wide shape. */
export const isWide = (unit: Unit, group: Group): boolean =>
  unit.node.type.sizes.length === group.sizes.length && group.sizes.every((s, k) => s === unit.node.type.sizes[k]);

/** A unit that does not fit into the kernel of its group: the values are stored after all. */
export class NotStreamed extends Error {
  readonly node: Node;
  constructor(node: Node) {
    super(`${node.op} node ${node.id} does not go with its group`);
    this.node = node;
  }
}

export class Clusterer {
  private readonly entries: Entry[] = [];
  private readonly position = new Map<Node, number>();
  private readonly readers = new Map<Node, number[]>();
  /** Items that read a value, less those in the value's own cluster. */
  private readonly remaining = new Map<Node, number>();
  /** Items that read a value. */
  private readonly consumers = new Map<Node, number>();
  private readonly siblings = new Map<string, Cluster[]>();
  private readonly places = new Map<Cluster, number>();
  private readonly outputs: ReadonlySet<Node>;
  private readonly maxBuffers: number;
  /** Value → leaf whose buffer it will probably take. */
  private readonly inPlace: ReadonlyMap<Node, Node>;

  /** Value → values whose kernels come no later than its own (order.ts). */
  private readonly after: ReadonlyMap<Node, readonly Node[]>;
  private readonly groups: ReadonlyMap<Node, Group>;
  private readonly streamed = new Map<Group, Cluster>();

  constructor(
    outputs: ReadonlySet<Node>,
    inPlace: ReadonlyMap<Node, Node>,
    maxBuffers: number,
    after: ReadonlyMap<Node, readonly Node[]> = new Map(),
    groups: ReadonlyMap<Node, Group> = new Map(),
  ) {
    this.after = after;
    this.groups = groups;
    this.outputs = outputs;
    this.inPlace = inPlace;
    this.maxBuffers = maxBuffers;
  }

  run(items: readonly Item[], fusing: boolean): Clustering {
    for (const item of items) {
      for (const slot of 'unit' in item ? item.unit.slots : new Set(item.reads)) {
        this.remaining.set(slot, (this.remaining.get(slot) ?? 0) + 1);
      }
    }
    for (const [slot, count] of this.remaining) this.consumers.set(slot, count);
    for (const item of items) {
      if ('opaque' in item)
        this.place({ kind: 'opaque', node: item.opaque, reads: item.reads }, item.reads, item.opaque);
      else if (this.groups.has(item.unit.node)) this.streamIn(item.unit, this.groups.get(item.unit.node)!);
      else if (!fusing || !this.joinAny(item.unit)) this.start(item.unit, null);
    }
    return { entries: this.entries, position: this.position, readers: this.readers };
  }

  private place(entry: Entry, reads: Iterable<Node>, makes: Node): void {
    const at = this.entries.length;
    this.entries.push(entry);
    this.position.set(makes, at);
    this.note(reads, at);
  }

  private note(reads: Iterable<Node>, at: number): void {
    for (const slot of reads) {
      const list = this.readers.get(slot);
      if (list === undefined) this.readers.set(slot, [at]);
      else if (list.at(-1) !== at) list.push(at);
    }
  }

  private where(slot: Node): number {
    const maker = slot.op === 'part' ? slot.inputs[0]! : slot;
    return this.position.get(maker) ?? -1;
  }

  /** Units of a group stand one after the other and make one kernel, whose rows are given. */
  private streamIn(unit: Unit, group: Group): void {
    const cluster = this.streamed.get(group);
    if (cluster === undefined) this.start(unit, group);
    else if (!this.join(unit, cluster, this.places.get(cluster)!)) throw new NotStreamed(unit.node);
  }

  private start(unit: Unit, group: Group | null): void {
    const axisOf = new Map<string, number>();
    const extents: Poly[] = [];
    for (const a of [...unit.axes, ...unit.over]) {
      axisOf.set(a, extents.length);
      extents.push(unit.extents.get(a)!);
    }
    const cluster: Cluster = {
      kind: 'cluster',
      units: [unit],
      axisOf: new Map([[unit, axisOf]]),
      unitOf: new Map([[unit.node, unit]]),
      extents,
      rows: new Set(
        group === null
          ? unit.axes.map((a) => axisOf.get(a)!)
          : group.rows.flatMap((k) => (unit.dims[k] ? [axisOf.get(unit.dims[k])!] : [])),
      ),
      tile: unit.tile && group === null,
      external: new Set(unit.slots),
      live: this.isLive(unit.node) ? new Set([unit.node]) : new Set(),
      group,
    };
    if (group !== null) {
      if (!isWide(unit, group)) throw new NotStreamed(unit.node);
      this.streamed.set(group, cluster);
    }
    this.places.set(cluster, this.entries.length);
    this.place(cluster, unit.slots, unit.node);
    if (unit.scatter === null && unit.order === null && !unit.tile && group === null) this.addSibling(unit, cluster);
  }

  private addSibling(unit: Unit, cluster: Cluster): void {
    const key = domain(unit);
    const list = this.siblings.get(key);
    if (list === undefined) this.siblings.set(key, [cluster]);
    else if (list.at(-1) !== cluster) list.push(cluster);
  }

  private isLive(node: Node): boolean {
    return this.outputs.has(node) || (this.remaining.get(node) ?? 0) > 0;
  }

  private joinAny(unit: Unit): boolean {
    if (unit.scatter !== null || unit.order !== null || unit.tile) return false;
    let last = -1;
    for (const slot of unit.slots) last = Math.max(last, this.where(slot));
    for (const node of this.after.get(unit.node) ?? []) last = Math.max(last, this.where(node));
    const producer = last < 0 ? undefined : this.entries[last];
    if (producer?.kind === 'cluster' && this.join(unit, producer, last)) return true;
    const list = this.siblings.get(domain(unit)) ?? [];
    for (let k = list.length - 1; k >= Math.max(0, list.length - MAX_SIBLINGS); k--) {
      const cluster = list[k]!;
      const at = this.places.get(cluster)!;
      if (at < last) break;
      if (at === last || cluster.tile) continue;
      const common =
        unit.axes.length === 0 || [...unit.slots].some((s) => cluster.external.has(s) && s.type.sizes.length > 0);
      if (common && this.join(unit, cluster, at)) return true;
    }
    return false;
  }

  private join(unit: Unit, cluster: Cluster, at: number): boolean {
    const streamed = cluster.group !== null;
    if (streamed && this.groups.get(unit.node) !== cluster.group) return false;
    if (cluster.units.some((v) => v.scatter !== null || v.order !== null)) return false;
    const map = new Map<string, number>();
    const used = new Set<number>();
    const put = (local: string, axis: number): void => {
      if (map.has(local) || used.has(axis) || cluster.extents[axis] !== unit.extents.get(local)) return;
      map.set(local, axis);
      used.add(axis);
    };
    const locals = new Map<Poly, string>();
    for (const a of [...unit.axes, ...unit.over]) locals.set(name(a), a);
    const inner: { readonly made: Unit; readonly at: readonly Poly[] }[] = [];
    for (const read of unit.reads.values()) {
      const made = cluster.unitOf.get(read.slot);
      if (made !== undefined) inner.push({ made, at: read.at });
    }
    for (const read of inner) {
      const axes = cluster.axisOf.get(read.made)!;
      for (const [k, dim] of read.made.dims.entries()) {
        const local = locals.get(read.at[k]!);
        if (dim !== null && local !== undefined) put(local, axes.get(dim)!);
      }
    }
    if (inner.length === 0 && !streamed) {
      const twin = cluster.units.find((v) => domain(v) === domain(unit));
      if (twin === undefined) return false;
      const axes = cluster.axisOf.get(twin)!;
      unit.axes.forEach((a, k) => put(a, axes.get(twin.axes[k]!)!));
      unit.over.forEach((a, k) => put(a, axes.get(twin.over[k]!)!));
    }

    if (streamed) {
      // Values of the wide shape have its axes in its order.
      const wide = cluster.units[0]!;
      const axes = cluster.axisOf.get(wide)!;
      if (isWide(unit, cluster.group))
        unit.dims.forEach((d, k) => d !== null && wide.dims[k] && put(d, axes.get(wide.dims[k])!));
    }
    const byAxis = new Map<number, string>();
    for (const a of unit.axes) if (map.has(a)) byAxis.set(map.get(a)!, a);
    const rows = new Set<number>();
    for (const row of cluster.rows) {
      const local = byAxis.get(row);
      if (local === undefined) continue;
      const point = name(local);
      const same = inner.every(({ made, at: coordinates }) => {
        const axes = cluster.axisOf.get(made)!;
        return made.dims.every((dim, k) => dim === null || axes.get(dim) !== row || coordinates[k] === point);
      });
      if (same) rows.add(row);
    }
    if (streamed && rows.size < cluster.rows.size) return false;
    // What goes on from call to call may change in part (partial.ts): its kernel is left to those that change with it.
    if (rows.size < cluster.rows.size && cluster.units.some(({ node }) => isCarry(this.inPlace.get(node))))
      return false;
    if (rows.size === 0 && (cluster.rows.size > 0 || unit.axes.length > 0 || unit.over.length > 0)) return false;
    if (cluster.tile && (rows.size < cluster.rows.size || unit.axes.length !== rows.size || unit.over.length > 0))
      return false;
    if (!streamed && !this.isLocal(unit, map, rows)) return false;
    if (rows.size < cluster.rows.size && !cluster.units.every((v) => this.isLocal(v, cluster.axisOf.get(v)!, rows)))
      return false;

    const external = new Set(cluster.external);
    const live = new Set(cluster.live);
    for (const slot of unit.slots) {
      if (!cluster.unitOf.has(slot)) external.add(slot);
      else if (this.remaining.get(slot)! <= 1 && !this.keepsBuffer(slot, cluster, rows)) live.delete(slot);
    }
    if (this.isLive(unit.node)) live.add(unit.node);
    if (rows.size < cluster.rows.size) {
      for (const made of cluster.units) if (this.keepsBuffer(made.node, cluster, rows)) live.add(made.node);
    }
    const buffers = new Set<Node>();
    for (const n of [...external, ...live]) buffers.add(this.inPlace.get(n) ?? n);
    if (buffers.size > this.maxBuffers && !streamed) return false;

    for (const a of [...unit.axes, ...unit.over]) {
      if (map.has(a)) continue;
      let axis = cluster.extents.findIndex((e, k) => e === unit.extents.get(a) && !used.has(k) && !cluster.rows.has(k));
      if (axis < 0) axis = cluster.extents.push(unit.extents.get(a)!) - 1;
      map.set(a, axis);
      used.add(axis);
    }
    for (const slot of unit.slots) {
      if (cluster.unitOf.has(slot)) this.remaining.set(slot, this.remaining.get(slot)! - 1);
    }
    cluster.units.push(unit);
    cluster.axisOf.set(unit, map);
    cluster.unitOf.set(unit.node, unit);
    cluster.rows = rows;
    cluster.external = external;
    cluster.live = live;
    this.position.set(unit.node, at);
    this.note(unit.slots, at);
    if (!cluster.tile && !streamed) this.addSibling(unit, cluster);
    return true;
  }

  /** Whether a value needs a buffer even if only its own cluster reads it: outputs do, and values larger than a row with several readers. */
  private keepsBuffer(node: Node, cluster: Cluster, rows: ReadonlySet<number>): boolean {
    if (this.outputs.has(node)) return true;
    if ((this.consumers.get(node) ?? 0) < 2) return false;
    const made = cluster.unitOf.get(node)!;
    const axes = cluster.axisOf.get(made)!;
    return made.axes.some((a) => !rows.has(axes.get(a)!));
  }

  /** A value larger than a row keeps its last axis inside the rows. */
  private isLocal(unit: Unit, axes: ReadonlyMap<string, number>, rows: ReadonlySet<number>): boolean {
    const last = unit.axes.at(-1);
    if (last === undefined) return true;
    const inside = unit.axes.some((a) => !rows.has(axes.get(a) ?? -1));
    return !inside || !rows.has(axes.get(last) ?? -1);
  }
}

const isCarry = (leaf: Node | undefined): boolean => leaf?.op === 'input' && leaf.attrs.kind === 'carry';

const domains = new WeakMap<Unit, string>();

function domain(unit: Unit): string {
  let key = domains.get(unit);
  if (key === undefined) {
    const ids = (axes: readonly string[]): string => axes.map((a) => unit.extents.get(a)!.id).join();
    domains.set(unit, (key = `${ids(unit.axes)}/${ids(unit.over)}`));
  }
  return key;
}
