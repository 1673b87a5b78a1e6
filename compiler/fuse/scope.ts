/**
 * One graph's steps, a program's or those of a loop's body: decides, lowers and clusters (the files beside), then emits the kernels in order and gives every
 * stored value a place: an output's or leaf's own buffer where that is safe, else a temporary.
 *
 * In place. A leaf that the program updates takes its new value directly when no later step reads the old one, and the kernel
 * that writes reads it only at the point it writes; otherwise the value goes to a temporary and is copied at the end. A loop's carries are leaves
 * of its body in this sense, so the same rule serves both.
 */
import { ONE, ZERO, add, mul, name as nameOf, type Poly } from '../sizes/poly.ts';
import type { ExprTable } from '../kernel/expr.ts';
import type { Buffer, Expr, KernelStep } from '../kernel/types.ts';
import type { Graph, Node, NodeOf, TensorType } from '../graph/types.ts';
import { Assembly, type Draft, type Location } from './assemble.ts';
import type { Likeness } from './again.ts';
import { Clusterer, type Cluster, type Item } from './cluster.ts';
import { Lowerer, type LeafValue, type Unit } from './lower.ts';
import { materialise, type Materialisation } from './materialise.ts';
import { cumulateUnit, topkDraft } from './opaque.ts';
import { delayUpdates, together } from './order.ts';
import type { UnitShapes } from './shapes.ts';
import type { Group } from './stream.ts';
import { pickSplit } from './split.ts';

/** Where an output has to go. */
export interface Target {
  readonly location: Location;
  /** The input of this graph whose buffer it is: what is read there is the old value. */
  readonly leaf: Node | null;
}

export interface Scope {
  readonly graph: Graph;
  /** Buffers of the leaves; those not in it are what `leaf` says. */
  readonly homes: Map<Node, Location>;
  readonly leaf: LeafValue;
  readonly variables: ReadonlyMap<string, Poly>;
  readonly targets: ReadonlyMap<Node, readonly Target[]>;
  readonly steps: KernelStep[];
  readonly depth: number;
  readonly groups: ReadonlyMap<Node, Group>;
  readonly whole: ReadonlySet<Node>;
}

/** What makes the buffers and kernels of all scopes of a program. */
export interface Building {
  limits(): { readonly maxBuffers: number; readonly fusing: boolean };
  readonly table: ExprTable;
  readonly shapes: UnitShapes;
  temporaryOf(node: Node, type?: TensorType): Location;
  bufferOf(location: Location): Buffer;
  /** What a scope decided by its costs, for `nnc explain`. */
  decided(found: Materialisation): void;
  like(
    cluster: Cluster,
    targets: (unit: Unit) => readonly Location[],
    home: (slot: Node) => Location,
    variables: ReadonlyMap<string, Poly>,
  ): Likeness | null;
  /** @param like what a kernel made before must be like to be this one's; `draft` is asked where there is none */
  call(steps: KernelStep[], like: Likeness | null, draft: () => Draft, nodes: readonly Node[]): void;
  run(scope: Scope): void;
}

const elementCount = (sizes: readonly Poly[]): Poly => sizes.reduce((n, s) => mul(n, s), ONE);

/** One graph's steps: the program's, or those of a loop's body. */
export class ScopeRun {
  private readonly builder: Building;
  private readonly scope: Scope;
  private readonly lowerer: Lowerer;
  private readonly live: readonly Node[];
  private readonly atEnd: (() => void)[] = [];
  private position: ReadonlyMap<Node, number> = new Map();
  private readers: ReadonlyMap<Node, readonly number[]> = new Map();

  constructor(builder: Building, scope: Scope) {
    this.builder = builder;
    this.scope = scope;
    const decided = materialise(scope.graph, builder.limits().fusing, scope.groups);
    for (const n of scope.whole) if (decided.named.get(n) === 'reduction') decided.named.set(n, 'needed whole');
    builder.decided(decided);
    this.live = decided.live;
    this.lowerer = new Lowerer(decided, { leaf: scope.leaf, variables: scope.variables }, builder.shapes);
  }

  run(): void {
    const { fusing, maxBuffers } = this.builder.limits();
    const items: Item[] = [];
    for (const node of this.live) if (this.lowerer.named.has(node)) this.lower(node, items);
    const outputs = new Set(this.scope.graph.outputs.map((o) => o.node));
    const inPlace = new Map<Node, Node>();
    for (const [node, targets] of this.scope.targets) {
      const leaf = targets.find((t) => t.leaf !== null)?.leaf;
      if (leaf !== undefined && leaf !== null) inPlace.set(node, leaf);
    }
    const delayed = delayUpdates(items, inPlace);
    const { groups } = this.scope;
    const ordered = groups.size === 0 ? delayed.items : together(delayed.items, groups);
    const clustering = new Clusterer(outputs, inPlace, maxBuffers, delayed.after, groups).run(ordered, fusing);
    this.position = clustering.position;
    this.readers = clustering.readers;

    for (const [node, targets] of this.scope.targets) if (node.op === 'input') this.leafOutput(node, targets);
    for (const [at, entry] of clustering.entries.entries()) {
      if (entry.kind === 'cluster') this.emitCluster(entry, at);
      else if (entry.node.op === 'scan') this.emitScan(entry.node, at);
      else if (entry.node.op === 'topk') this.emitTopk(entry.node);
      else if (entry.node.op === 'concat') this.emitConcat(entry.node, at);
      else throw new Error(`no lowering of ${entry.node.op}`);
    }
    for (const [node, targets] of this.scope.targets) {
      if (node.op !== 'part') continue;
      for (const t of targets)
        if (this.home(node).buffer !== t.location.buffer) this.atEnd.push(() => this.copy(node, t.location));
    }
    for (const step of this.atEnd) step();
  }

  // ------------------------------------------------------------------------------------------------------------------ lowering

  private lower(node: Node, items: Item[]): void {
    if (node.op === 'scan' || node.op === 'topk') {
      const reads = node.inputs.filter((x) => this.lowerer.leaf(x) === null);
      items.push({ opaque: node, reads });
      return;
    }
    if (node.op === 'cumulate') {
      items.push({ unit: cumulateUnit(this.lowerer, node) });
      return;
    }
    const { maxBuffers } = this.builder.limits();
    let unit = this.lowerer.unit(node);
    while (unit.slots.size + 1 > maxBuffers && !this.scope.groups.has(node)) {
      const part = pickSplit(this.lowerer, node, maxBuffers - 1);
      if (part === null) break;
      this.lowerer.named.set(part, 'binding limit');
      this.lower(part, items);
      unit = this.lowerer.unit(node);
    }
    if (unit.slots.size + 1 > maxBuffers && node.op === 'concat') items.push({ opaque: node, reads: [...unit.slots] });
    else items.push({ unit });
  }

  // --------------------------------------------------------------------------------------------------------------------- homes

  private home(slot: Node): Location {
    const location = this.scope.homes.get(slot);
    if (location === undefined) throw new Error(`${slot.op} node ${slot.id} has no buffer`);
    return location;
  }

  private readonly homeOf = (slot: Node): Location => this.home(slot);

  /** Names that are no axes: sizes and loop variables are never a single letter with a number, but may be a letter. */
  private reserved(units: readonly Unit[]): ReadonlySet<string> {
    const taken = new Set<string>(this.scope.variables.keys());
    for (const u of units) for (const s of u.sizeNames) taken.add(s);
    return taken;
  }

  /** Copies a value to a place: whole buffers by a step, parts of buffers by a kernel. */
  private copy(node: Node, to: Location): void {
    const instead = this.lowerer.leaf(node);
    if (instead === null) {
      const from = this.home(node);
      const [a, b] = [this.builder.bufferOf(from), this.builder.bufferOf(to)];
      const whole =
        from.offset === ZERO &&
        to.offset === ZERO &&
        a.sizes.length === b.sizes.length &&
        a.sizes.every((s, k) => s === b.sizes[k]);
      if (whole) {
        this.scope.steps.push({ kind: 'copy', from: from.buffer, to: to.buffer, origin: node.origin });
        return;
      }
    }
    const frame = this.lowerer.frame(node.type.sizes);
    const value = frame.element(node, frame.at);
    const copying = { ...node, id: -1 - node.id } as Node;
    this.emitUnit(frame.unit(copying, 'output', null, value, null), [to]);
  }

  /** A kernel of one unit. */
  private emitUnit(unit: Unit, targets: readonly Location[]): void {
    const cluster = new Clusterer(new Set([unit.node]), new Map(), 99).run([{ unit }], false).entries[0] as Cluster;
    const { table } = this.builder;
    const draft = (): Draft => new Assembly(cluster).emit(table, () => targets, this.homeOf, this.reserved([unit]));
    this.builder.call(this.scope.steps, null, draft, [unit.node]);
  }

  // ------------------------------------------------------------------------------------------------------------------- outputs

  /** An output that is a leaf of the graph: copied before anything is overwritten. */
  private leafOutput(node: Node, targets: readonly Target[]): void {
    const isTensor = this.lowerer.leaf(node) === null;
    const overwritten = [...this.scope.targets.values()].some((ts) => ts.some((t) => t.leaf === node));
    let saved: Location | null = null;
    for (const t of targets) {
      if (t.leaf === node) continue;
      if (t.leaf === null) this.copy(node, t.location);
      else if (!isTensor || !overwritten) this.atEnd.push(() => this.copy(node, t.location));
      else {
        if (saved === null) this.copy(node, (saved = this.builder.temporaryOf(node)));
        const from = saved.buffer;
        this.atEnd.push(() =>
          this.scope.steps.push({ kind: 'copy', from, to: t.location.buffer, origin: node.origin }),
        );
      }
    }
  }

  /** Whether a leaf's buffer may take a value at this position. */
  private mayOverwrite(leaf: Node, at: number, here: () => boolean): boolean {
    for (const reader of this.readers.get(leaf) ?? []) {
      if (reader > at) return false;
      if (reader === at && !here()) return false;
    }
    return true;
  }

  /** Places that a value is written to directly; the others are copied at the end. */
  private direct(node: Node, at: number, here: (leaf: Node) => boolean): Location[] {
    const direct: Location[] = [];
    for (const t of this.scope.targets.get(node) ?? []) {
      const whole = t.location.offset === ZERO;
      const safe = t.leaf === null || this.mayOverwrite(t.leaf, at, () => here(t.leaf!));
      if (safe && (!whole || !direct.some((d) => d.offset === ZERO))) direct.push(t.location);
      else this.atEnd.push(() => this.copy(node, t.location));
    }
    return direct;
  }

  private isReadElsewhere(node: Node, at: number): boolean {
    return (this.readers.get(node) ?? []).some((r) => r !== at);
  }

  // ------------------------------------------------------------------------------------------------------------------- kernels

  private emitCluster(cluster: Cluster, at: number): void {
    const { maxBuffers } = this.builder.limits();
    const { steps } = this.scope;
    const pending = this.atEnd.length;
    const assembly = new Assembly(cluster);
    const targets = new Map<Unit, readonly Location[]>();
    for (const unit of cluster.units) {
      const { node } = unit;
      const alone = unit.scatter !== null || unit.order !== null;
      const direct = this.direct(node, at, (leaf) => !alone && assembly.mayOverwrite(unit, leaf));
      const stored = this.scope.targets.has(node) || assembly.reread.has(unit) || this.isReadElsewhere(node, at);
      if (direct.length === 0 && stored) {
        const type = assembly.isLocal(unit) ? { ...node.type, sizes: assembly.localSizes(unit) } : node.type;
        direct.push(this.builder.temporaryOf(node, type));
      }
      targets.set(unit, direct);
      if (direct.length > 0) this.scope.homes.set(node, direct[0]!);
    }
    const touched = new Set<number>();
    for (const unit of cluster.units) {
      for (const t of targets.get(unit)!) touched.add(t.buffer);
      for (const s of unit.slots) if (!cluster.unitOf.has(s)) touched.add(this.home(s).buffer);
    }
    if (touched.size > maxBuffers && cluster.units.length > 1 && cluster.group === null) {
      // Too optimistic about what shares a buffer: one kernel a unit, nothing written in place.
      this.atEnd.length = pending;
      this.emitApart(cluster);
      return;
    }
    const first = cluster.units[0]!;
    if (first.scatter !== null) this.fill(first, targets.get(first)!);
    const { table } = this.builder;
    const to = (u: Unit): readonly Location[] => targets.get(u)!;
    const draft = (): Draft => assembly.emit(table, to, this.homeOf, this.reserved(cluster.units));
    const nodes = cluster.units.map((u) => u.node);
    this.builder.call(steps, this.builder.like(cluster, to, this.homeOf, this.scope.variables), draft, nodes);
  }

  private emitApart(cluster: Cluster): void {
    for (const unit of cluster.units) {
      const location = this.builder.temporaryOf(unit.node);
      this.scope.homes.set(unit.node, location);
      for (const t of this.scope.targets.get(unit.node) ?? []) {
        if (t.location.offset !== ZERO) this.atEnd.unshift(() => this.copy(unit.node, t.location));
        else this.atEnd.push(() => this.copy(unit.node, t.location));
      }
      this.emitUnit(unit, [location]);
    }
  }

  /** What a scatter starts from. */
  private fill(unit: Unit, targets: readonly Location[]): void {
    const frame = this.lowerer.frame(unit.node.type.sizes);
    const value = this.lowerer.table.constant(unit.scatter!.initial, unit.node.type.dtype);
    const filling = { ...unit.node, id: -1 - unit.node.id } as Node;
    this.emitUnit(frame.unit(filling, 'opaque', null, value, null), targets);
  }

  /** More operands than a kernel may have buffers: one kernel a part. */
  private emitConcat(node: NodeOf<'concat'>, at: number): void {
    const direct = this.direct(node, at, () => false);
    if (direct.length === 0) direct.push(this.builder.temporaryOf(node));
    this.scope.homes.set(node, direct[0]!);
    const { axis } = node.attrs;
    let stride = ONE;
    for (const s of node.type.sizes.slice(axis + 1)) stride = mul(stride, s);
    const start = { at: ZERO };
    for (const input of node.inputs) {
      const frame = this.lowerer.frame(input.type.sizes);
      const value = frame.element(input, frame.at);
      // The part's axes with the whole's strides: dims of a unit of the whole, shifted.
      const part = { ...node, id: -1 - node.id } as Node;
      const unit = frame.unit(part, 'binding limit', null, value, null);
      const shift = mul(start.at, stride);
      this.emitUnit(
        unit,
        direct.map((d) => ({ buffer: d.buffer, offset: add(d.offset, shift) })),
      );
      start.at = add(start.at, input.type.sizes[axis]!);
    }
  }

  private emitTopk(node: NodeOf<'topk'>): void {
    const [values, positions] = [0, 1].map((k) => {
      const type = node.members![k]!;
      const part = this.live.find((n) => n.op === 'part' && n.inputs[0] === (node as Node) && n.attrs.index === k);
      const location =
        (part === undefined ? null : this.freshTarget(part)) ?? this.builder.temporaryOf(node as Node, type);
      if (part !== undefined) this.scope.homes.set(part, location);
      return location;
    });
    const variable = this.variable();
    const body: KernelStep[] = [];
    const draft = topkDraft(this.builder.table, node, variable, this.home(node.inputs[0]!), values!, positions!);
    this.builder.call(body, null, () => draft, [node]);
    const { origin } = node;
    this.scope.steps.push({
      kind: 'loop',
      variable,
      count: node.attrs.k,
      reversed: false,
      until: null,
      limit: null,
      body,
      origin,
    });
  }

  private variable(): string {
    return this.scope.depth === 0 ? 'round' : `round${this.scope.depth + 1}`;
  }

  /** A buffer of an output of its own that a tuple's part may be made in. */
  private freshTarget(part: Node): Location | null {
    const found = (this.scope.targets.get(part) ?? []).find((t) => t.leaf === null && t.location.offset === ZERO);
    return found?.location ?? null;
  }

  // --------------------------------------------------------------------------------------------------------------------- loops

  private emitScan(node: NodeOf<'scan'>, at: number): void {
    const { body, length, carries, sequences, reversed, until, limited } = node.attrs;
    const { builder, scope } = this;
    const variable = this.variable();
    const round = nameOf(variable);
    const parts = new Map<number, Node>();
    for (const n of this.live) if (n.op === 'part' && n.inputs[0] === (node as Node)) parts.set(n.attrs.index, n);

    const homes = new Map<Node, Location>();
    const values = new Map<Node, (table: ExprTable) => Expr>();
    values.set(body.inputs[0]!, (table) => table.index(round));
    for (const [k, input] of node.inputs.entries()) {
      const leaf = body.inputs[1 + k]!;
      const instead = this.lowerer.leaf(input);
      if (k < carries) {
        const part = parts.get(k);
        const fresh = part === undefined ? null : this.freshTarget(part);
        const stays = fresh === null && (this.isOwn(input, node, at) || this.isUpdated(input, part, node, at));
        const own = stays ? this.home(input) : null;
        const location = own ?? fresh ?? builder.temporaryOf(leaf, input.type);
        if (own === null) this.copy(input, location);
        homes.set(leaf, location);
        if (part !== undefined) scope.homes.set(part, location);
      } else if (k < carries + sequences) {
        const { buffer, offset } = this.home(input);
        homes.set(leaf, { buffer, offset: add(offset, mul(round, elementCount(leaf.type.sizes))) });
      } else if (instead !== null) values.set(leaf, (table) => this.scope.leaf(input, table)!);
      else homes.set(leaf, this.home(input));
    }

    let limit: number | null = null;
    if (limited === true) {
      const input = node.inputs.at(-1)!;
      let location = this.lowerer.leaf(input) === null ? this.home(input) : null;
      if (location === null || location.offset !== ZERO) {
        location = builder.temporaryOf(body.inputs.at(-1)!, input.type);
        this.copy(input, location);
      }
      limit = location.buffer;
    }

    const targets = new Map<Node, Target[]>();
    const outputs = body.outputs.filter((o, k) => {
      let target: Target;
      if (k < carries) target = { location: homes.get(body.inputs[1 + k]!)!, leaf: body.inputs[1 + k]! };
      else {
        const part = parts.get(k);
        if (part === undefined) return false;
        const stack = this.freshTarget(part) ?? builder.temporaryOf(o.node, node.members![k]!);
        scope.homes.set(part, stack);
        const start = add(stack.offset, mul(round, elementCount(o.node.type.sizes)));
        target = { location: { buffer: stack.buffer, offset: start }, leaf: null };
      }
      const list = targets.get(o.node);
      if (list === undefined) targets.set(o.node, [target]);
      else list.push(target);
      return true;
    });
    const steps: KernelStep[] = [];
    builder.run({
      graph: { ...body, outputs },
      homes,
      leaf: (n, table) => values.get(n)?.(table) ?? null,
      variables: new Map([...scope.variables, [variable, length]]),
      targets,
      steps,
      depth: scope.depth + 1,
      groups: new Map(),
      whole: new Set(),
    });
    scope.steps.push({
      kind: 'loop',
      variable,
      count: length,
      reversed,
      until: until === true ? homes.get(body.inputs[1]!)!.buffer : null,
      limit,
      body: steps,
      origin: node.origin,
    });
  }

  /** A leaf that this loop's carry is the next value of, and that nobody reads afterwards: the carry may live in it. */
  private isUpdated(input: Node, part: Node | undefined, scan: NodeOf<'scan'>, at: number): boolean {
    if (part === undefined || input.op !== 'input' || this.scope.targets.has(input)) return false;
    const targets = this.scope.targets.get(part) ?? [];
    if (targets.length !== 1 || targets[0]!.leaf !== input || this.lowerer.leaf(input) !== null) return false;
    return scan.inputs.filter((x) => x === input).length === 1 && (this.readers.get(input) ?? []).every((r) => r <= at);
  }

  /** A temporary that nobody but this loop wants: its carry may live in it. */
  private isOwn(input: Node, scan: NodeOf<'scan'>, at: number): boolean {
    if (!this.lowerer.named.has(input) || this.scope.targets.has(input) || this.lowerer.leaf(input) !== null)
      return false;
    const position = this.position.get(input);
    if (position === undefined || (this.readers.get(input) ?? []).some((r) => r !== at && r !== position)) return false;
    const location = this.home(input);
    return (
      scan.inputs.filter((x) => x === input).length === 1 &&
      location.offset === ZERO &&
      this.builder.bufferOf(location).kind === 'temporary'
    );
  }
}
