/**
 * From a graph to steps over buffers: one place for the buffers, names and kernels of a program; what happens in its scopes is in scope.ts. A graph with large
 * matrices that are only reduced is streamed first (stream.ts), and taken as it is where that does not work out.
 */
import { ZERO, name as nameOf, num, type Poly } from '../sizes/poly.ts';
import type { ExprTable } from '../kernel/expr.ts';
import type { Buffer, BufferKind, KernelProgram, KernelStep, Weighing } from '../kernel/types.ts';
import type { Graph, Node, TensorType } from '../graph/types.ts';
import type { OriginId, Origins } from '../graph/origin.ts';
import type { Draft, Location } from './assemble.ts';
import { likeness, type Likeness } from './again.ts';
import { KernelCache } from './cache.ts';
import { NotStreamed, type Cluster } from './cluster.ts';
import type { Unit } from './lower.ts';
import { liveNodes, type Materialisation } from './materialise.ts';
import { kernelName, operationName } from './names.ts';
import type { UnitShapes } from './shapes.ts';
import { ScopeRun, type Building, type Scope, type Target } from './scope.ts';
import { stream, type Group, type StreamOptions } from './stream.ts';

export interface FuseOptions {
  /** Distinct buffers a kernel may touch. Default 8. */
  readonly maxBuffers?: number;
  readonly origins: Origins;
  /** false: every value in a kernel of its own, the oracle of the fused program. */
  readonly fuse?: boolean;
  /** Shared by the programs of a unit, so that equal kernels are one object. */
  readonly cache?: KernelCache;
  /** Large matrices that are only reduced are not stored (stream.ts). Left out: they are. */
  readonly stream?: StreamOptions;
}

/** The kernel program of a graph. The graph is legal: nothing here can fail but for a bug. */
export function fuse(graph: Graph, options: FuseOptions): KernelProgram {
  if (options.stream !== undefined && options.fuse !== false) {
    const { streamed, refused } = stream(graph, options.stream);
    const whole = new Set(refused);
    try {
      if (streamed !== null) return new ProgramBuilder(options).program(streamed.graph, streamed.groups, whole);
    } catch (error) {
      if (!(error instanceof NotStreamed)) throw error;
    }
    return new ProgramBuilder(options).program(graph, new Map(), whole);
  }
  return new ProgramBuilder(options).program(graph);
}

export class ProgramBuilder implements Building {
  private readonly buffers: Buffer[] = [];
  /** Name → greatest number given to a copy of it. */
  private readonly names = new Map<string, number>();
  private readonly origins: Origins;
  private readonly cache: KernelCache;
  private readonly maxBuffers: number;
  private readonly together: boolean;
  private readonly fusing = { weighed: [] as Weighing[], inlined: [] as TensorType[] };

  constructor(options: FuseOptions) {
    this.origins = options.origins;
    this.cache = options.cache ?? new KernelCache();
    this.maxBuffers = options.maxBuffers ?? 8;
    this.together = options.fuse ?? true;
  }

  /** `groups`: what is streamed; `whole`: large products that are not. */
  program(
    graph: Graph,
    groups: ReadonlyMap<Node, Group> = new Map(),
    whole: ReadonlySet<Node> = new Set(),
  ): KernelProgram {
    const homes = new Map<Node, Location>();
    const persistent = new Map<string, { readonly location: Location; readonly leaf: Node | null }>();
    const used = new Set<Node>(liveNodes(graph));
    const updated = new Set(graph.outputs.flatMap((o) => (o.updates === null ? [] : [o.updates])));
    for (const input of graph.inputs) {
      const { name, kind } = input.attrs;
      const isPersistent = kind !== 'data' && kind !== 'scalar' && kind !== 'body';
      if (!used.has(input) && !(isPersistent && updated.has(name))) continue;
      const location = this.place(
        name,
        isPersistent ? 'persistent' : kind === 'scalar' ? 'scalar' : 'data',
        input.type,
        name,
        input.origin,
      );
      homes.set(input, location);
      if (isPersistent) persistent.set(name, { location, leaf: input });
    }
    const targets = new Map<Node, Target[]>();
    const outputs = graph.outputs.map((o) => {
      let target: Target;
      if (o.updates === null) {
        target = { location: this.place(o.name, 'output', o.node.type, o.name, o.node.origin), leaf: null };
      } else {
        const known = persistent.get(o.updates);
        target = known ?? {
          location: this.place(o.updates, 'persistent', o.node.type, o.updates, o.node.origin),
          leaf: null,
        };
        if (known === undefined) persistent.set(o.updates, target);
      }
      const list = targets.get(o.node);
      if (list === undefined) targets.set(o.node, [target]);
      else list.push(target);
      return { name: o.name, buffer: target.location.buffer, updates: o.updates };
    });
    const steps: KernelStep[] = [];
    this.run({ graph, homes, leaf: () => null, variables: new Map(), targets, steps, depth: 0, groups, whole });
    return { name: graph.name, fusing: this.fusing, buffers: this.buffers, steps, outputs };
  }

  /** What a scope decided by its costs, for `nnc explain`. */
  decided({ weighed, inlined }: Materialisation): void {
    for (const { node, ...costs } of weighed.toReversed())
      this.fusing.weighed.push({ value: operationName(node), ...node.type, origin: node.origin, ...costs });
    for (const { type } of inlined) this.fusing.inlined.push(type);
  }

  // ------------------------------------------------------------------------------------------------------------------- buffers

  private place(wanted: string, kind: BufferKind, type: TensorType, leaf: string | null, origin: OriginId): Location {
    let name = wanted;
    for (let k = this.names.get(wanted) ?? 1; this.names.has(name);) {
      name = `${wanted}_${++k}`;
      this.names.set(wanted, k);
    }
    this.names.set(name, this.names.get(name) ?? 1);
    const id = this.buffers.length;
    this.buffers.push({ id, name, kind, dtype: type.dtype, sizes: type.sizes, leaf, origin });
    return { buffer: id, offset: ZERO };
  }

  private temporary(node: Node, type: TensorType = node.type): Location {
    return this.place(operationName(node), 'temporary', type, null, node.origin);
  }

  // --------------------------------------------------------------------------------------------------------------------- scope

  run(scope: Scope): void {
    new ScopeRun(this, scope).run();
  }

  // Used by the runs of scopes; not part of what others see.

  limits(): { readonly maxBuffers: number; readonly fusing: boolean } {
    return { maxBuffers: this.maxBuffers, fusing: this.together };
  }

  temporaryOf(node: Node, type?: TensorType): Location {
    return this.temporary(node, type);
  }

  get table(): ExprTable {
    return this.cache.table;
  }

  get shapes(): UnitShapes {
    return this.cache.shapes;
  }

  /** @param like what a kernel made before must be like to be this one's; `draft` is asked where there is none */
  call(steps: KernelStep[], like: Likeness | null, draft: () => Draft, nodes: readonly Node[]): void {
    const origin = nodes.at(-1)!.origin;
    const known = like === null ? undefined : this.cache.alike.get(like.key);
    const { made, buffers, numbers } =
      known === undefined
        ? this.drafted(like, draft(), nodes, origin)
        : { ...known, buffers: known.parameters.map((k) => like!.buffers[k]!) };
    const { kernel, schedule } = made;
    steps.push({
      kind: 'call',
      kernel,
      schedule,
      buffers,
      sizes: kernel.sizes.map((s) => {
        const n = numbers.get(s);
        return n === undefined ? nameOf(s) : num(n);
      }),
      origin,
    });
  }

  private drafted(like: Likeness | null, draft: Draft, nodes: readonly Node[], origin: OriginId) {
    const { buffers, numbers } = draft;
    const parameters = buffers.map((b) => this.buffers[b]!);
    const made = this.cache.intern(draft, parameters, () => kernelName(this.origins, nodes), origin);
    if (like !== null)
      this.cache.alike.set(like.key, { made, numbers, parameters: buffers.map((b) => like.buffers.indexOf(b)) });
    return { made, buffers, numbers };
  }

  like(
    cluster: Cluster,
    targets: (unit: Unit) => readonly Location[],
    home: (slot: Node) => Location,
    variables: ReadonlyMap<string, Poly>,
  ): Likeness | null {
    return likeness(cluster, targets, home, variables, (b) => this.buffers[b]!);
  }

  bufferOf(location: Location): Buffer {
    return this.buffers[location.buffer]!;
  }
}
