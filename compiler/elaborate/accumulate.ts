/**
 * A step in parts: the batch goes through the network part by part, and what comes out is that of the whole batch.
 *
 * Method. A loss (or metric) is a function F of sums over the rows: numerators, counts, penalties. F is cut out of the undivided graph at those sums
 * (they have no batch axis but are made from something that has one). Then, with ∂F/∂S for every sum S: a first pass over the parts adds up the
 * sums that ∂F/∂S depends on (for a masked mean its count, which costs little; for a root of a mean the mean itself), and a second pass adds up
 * Σ ∂F/∂S · ∂S/∂w. So a mean over unequally masked parts is that of the undivided batch, to rounding. Both passes are loops of the graph, whose
 * bodies are copies of the undivided graph for fewer rows: memory for activations is that of one part.
 *
 * What depends on the batch as a whole in another way (statistics of batch normalisation) is of each part; draws differ from part to part.
 */
import type { Span } from '../../grammar/ast.ts';
import { pullback } from '../differentiate/differentiate.ts';
import { differentiate } from '../differentiate/differentiate.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { inline } from '../graph/copy.ts';
import type { Graph, Node, NodeOf, OpAttributes, OpName } from '../graph/types.ts';
import { isFloat } from '../ops/shapes.ts';
import { floorDiv, name as sizeName, names, num, ONE, substitute, ZERO, type Poly } from '../sizes/poly.ts';
import { refuse, type Elaboration } from './elaboration.ts';

export interface Whole {
  /** What is differentiated: a scalar, and by which leaves. */
  readonly objectives: readonly { readonly loss: Node; readonly wrt: readonly Node[]; readonly span: Span }[];
  /** Other results. */
  readonly values: readonly { readonly node: Node; readonly span: Span }[];
  /** Persistent values that the forward pass changes: what they were, and what they become. */
  readonly states: readonly { readonly before: Node; readonly after: Node }[];
}

export interface Parted {
  readonly losses: readonly Node[];
  /** By objective, by leaf. */
  readonly gradients: readonly (readonly (Node | null)[])[];
  readonly values: readonly Node[];
  readonly states: readonly Node[];
}

/** A value of F, made from no rows but those it sums. */
interface Sum {
  readonly node: Node;
  readonly op: 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all';
  readonly span: Span;
}

/** Sends the streams of draws apart: a prime, so that parts and small seeds do not meet. */
const SEED_STRIDE = 1_000_003;

export function inParts(cx: Elaboration, whole: Whole, batch: string, parts: number): Parted {
  return new Parts(cx, whole, batch, parts).run();
}

class Parts {
  private readonly cx: Elaboration;
  private readonly root: GraphBuilder;
  private readonly whole: Whole;
  private readonly batch: string;
  private readonly parts: number;
  /** Rows of a part. */
  private readonly rows: Poly;
  private readonly rowed = new Map<Node, boolean>();
  private readonly sums = new Map<Node, Sum>();
  /** Nodes of F, which are made anew from the sums of all parts. */
  private readonly outside = new Set<Node>();

  constructor(cx: Elaboration, whole: Whole, batch: string, parts: number) {
    this.cx = cx;
    this.root = cx.root;
    this.whole = whole;
    this.batch = batch;
    this.parts = parts;
    this.rows = floorDiv(sizeName(batch), num(parts));
  }

  run(): Parted {
    const { root, whole } = this;
    for (const o of whole.objectives) this.cut(o.loss, o.span, true);
    for (const v of whole.values) this.cut(v.node, v.span, false);
    const sums = [...this.sums.values()];
    const f = this.outer(sums);

    // The sums that the derivatives of F need are known after a first pass.
    const first = sums.filter((s) => f.needed.has(s.node));
    const totals = new Map<Node, Node>();
    if (first.length > 0) {
      const { carries } = this.pass(first, null);
      first.forEach((s, k) => totals.set(s.node, carries[k]!));
    }
    const seeds = this.fill(f.seeds, totals, f.leaves);
    const rest = sums.filter((s) => !totals.has(s.node));
    const second = this.pass(rest, {
      sums,
      seeds: f.seedOf.map((row) => row.map((at) => (at === null ? null : seeds[at]!))),
    });
    rest.forEach((s, k) => totals.set(s.node, second.carries[k]!));
    const finals = this.fill(f.values, totals, f.leaves);
    const count = whole.objectives.length;
    return {
      losses: finals.slice(0, count),
      values: finals.slice(count, count + whole.values.length),
      states: second.states,
      gradients: whole.objectives.map((o, k) =>
        o.wrt.map((_, j) => {
          const through = second.gradients[k]![j]!;
          const at = f.direct[k]![j]!;
          if (at === null) return through;
          const direct = finals[at]!;
          return through === null ? direct : root.add(through, direct);
        }),
      ),
    };
  }

  // ------------------------------------------------------------------------------------------------------------------- the cut

  private hasRows(n: Node): boolean {
    let known = this.rowed.get(n);
    if (known === undefined) {
      known = (n.members ?? [n.type]).some((t) => t.sizes.some((s) => names(s).has(this.batch)));
      this.rowed.set(n, known);
    }
    return known;
  }

  /** Finds the sums under a value without rows. */
  private cut(value: Node, span: Span, differentiated: boolean): void {
    const open = [value];
    while (open.length > 0) {
      const n = open.pop()!;
      if (this.sums.has(n) || this.outside.has(n)) continue;
      if (this.hasRows(n)) return refuse('NN802', span, { what: 'a loss or metric with the batch as an axis' });
      if (!n.inputs.some((x) => this.hasRows(x))) {
        this.outside.add(n);
        open.push(...n.inputs);
        continue;
      }
      const op = n.op === 'contract' ? 'sum' : n.op === 'reduce' ? n.attrs.op : null;
      if (op === null || (differentiated && op !== 'sum' && isFloat(n.type.dtype)))
        return refuse('NN806', span, { op: op ?? n.op, parts: this.parts });
      this.sums.set(n, { node: n, op, span });
    }
  }

  // ---------------------------------------------------------------------------------------------------------------- F and its slopes

  /** F as graphs over leaves that stand for the sums and for leaves of the program. */
  private outer(sums: readonly Sum[]) {
    const { whole } = this;
    const made = new GraphBuilder(`${this.root.name}.sums`, this.root.origins);
    made.origin = this.root.origin;
    const copies = new Map<Node, Node>();
    const leaves: Node[] = [];
    const leaf = (n: Node): void => {
      leaves.push(n);
      copies.set(n, made.input(`leaf${leaves.length}`, 'body', n.type, n.origin));
    };
    for (const s of sums) leaf(s.node);
    for (const n of this.root.nodes) {
      if (!this.outside.has(n) || copies.has(n)) continue;
      if (n.op === 'input') leaf(n);
      else
        copies.set(
          n,
          again(
            made,
            n,
            n.inputs.map((x) => copies.get(x)!),
          ),
        );
    }
    const floats = sums.filter((s) => isFloat(s.node.type.dtype));
    const seeds: Node[] = [];
    const direct: Node[] = [];
    const at = (list: Node[], n: Node | null): number | null => (n === null ? null : list.push(n) - 1);
    const seedOf: (number | null)[][] = [];
    const directOf: (number | null)[][] = [];
    const offset = whole.objectives.length + whole.values.length;
    for (const o of whole.objectives) {
      const own = o.wrt.map((w) => copies.get(w) ?? null);
      const wrt = [...floats.map((s) => copies.get(s.node)!), ...own.filter((n) => n !== null)];
      const found = differentiate(made, copies.get(o.loss)!, wrt);
      const bySum = new Map(floats.map((s, k) => [s.node, found[k]!]));
      seedOf.push(sums.map((s) => at(seeds, bySum.get(s.node) ?? null)));
      let next = floats.length;
      directOf.push(
        own.map((n) => {
          if (n === null) return null;
          const place = at(direct, found[next++]!);
          return place === null ? null : offset + place;
        }),
      );
    }
    const value = (n: Node): Node => copies.get(n)!;
    const graph = (nodes: readonly Node[]): Graph =>
      made.finish(nodes.map((node, k) => ({ name: `out${k}`, node, updates: null })));
    const seedGraph = graph(seeds);
    const used = reachable(seedGraph);
    return {
      leaves,
      seeds: seedGraph,
      seedOf,
      direct: directOf,
      values: graph([
        ...whole.objectives.map((o) => value(o.loss)),
        ...whole.values.map((v) => value(v.node)),
        ...direct,
      ]),
      needed: new Set(sums.filter((s) => used.has(copies.get(s.node)!)).map((s) => s.node)),
    };
  }

  /** A graph of `outer` over the sums of all parts. Slopes do not pass through them: that is what the second pass is for. */
  private fill(graph: Graph, totals: ReadonlyMap<Node, Node>, leaves: readonly Node[]): Node[] {
    const { root } = this;
    const inputs = graph.inputs.map((input) => {
      const leaf = leaves[Number(input.attrs.name.slice('leaf'.length)) - 1]!;
      const total = totals.get(leaf);
      if (total === undefined) return this.sums.has(leaf) ? root.zeros(leaf.type) : leaf;
      return isFloat(total.type.dtype) ? root.stopGradient(total) : total;
    });
    return inline(root, graph, inputs);
  }

  // ------------------------------------------------------------------------------------------------------------------- a pass

  /** One pass over the parts: adds up `wanted`, and with `backward` the gradients; states change along. */
  private pass(
    wanted: readonly Sum[],
    backward: { readonly sums: readonly Sum[]; readonly seeds: readonly (readonly (Node | null)[])[] } | null,
  ) {
    const { root, whole, parts } = this;
    const inputs = root.inputs.filter((n) => n.attrs.kind === 'data' && this.hasRows(n as Node)) as Node[];
    const accumulators: { objective: number; leaf: number; node: Node }[] = [];
    const objectives = backward === null ? [] : whole.objectives;
    objectives.forEach((o, objective) => o.wrt.forEach((node, leaf) => accumulators.push({ objective, leaf, node })));
    const reached = new Set<number>();
    const loop = root.loop(
      {
        carries: [
          ...wanted.map((s) => root.constantOf(start(s), s.node.type)),
          ...whole.states.map((s) => s.before),
          ...accumulators.map((a) => root.zeros(a.node.type)),
        ],
        sequences: inputs.map((n) => this.parted(n)),
        length: num(parts),
        reversed: false,
        apart: true,
        name: `${root.name}.parts`,
      },
      (inner, round, carries, elements) => {
        inner.origin = root.origin;
        const states = carries.slice(wanted.length, wanted.length + whole.states.length);
        const gradients = carries.slice(wanted.length + whole.states.length);
        const given = new Map<Node, Node>();
        inputs.forEach((n, k) => given.set(n, elements[k]!));
        whole.states.forEach((s, k) => given.set(s.before, states[k]!));
        for (const n of root.inputs as readonly Node[]) {
          if (n.op === 'input' && n.attrs.kind === 'scalar' && n.attrs.name === 'seed')
            given.set(n, inner.add(inner.local(n), inner.mul(round, inner.constant(SEED_STRIDE, 'i32'))));
        }
        const sums = backward?.sums ?? wanted;
        const copies = this.copy(inner, [...sums.map((s) => s.node), ...whole.states.map((s) => s.after)], given);
        const next = wanted.map((s, k) => combine(inner, s.op, carries[k]!, copies.get(s.node)!));
        const found: (Node | null)[] = [];
        objectives.forEach((o, k) => {
          const seeds = backward!.sums.flatMap((s, j) => {
            const seed = backward!.seeds[k]![j] ?? null;
            return seed === null ? [] : [{ node: copies.get(s.node)!, gradient: inner.local(seed) }];
          });
          found.push(
            ...pullback(
              inner,
              seeds,
              o.wrt.map((w) => inner.local(w)),
            ),
          );
        });
        return {
          carries: [
            ...next,
            ...whole.states.map((s) => copies.get(s.after)!),
            ...gradients.map((sum, k) => {
              const g = found[k]!;
              if (g === null) return sum;
              reached.add(k);
              return inner.add(sum, g);
            }),
          ].map((n) => inner.local(n)),
          yields: [],
        };
      },
    );
    const from = wanted.length + whole.states.length;
    return {
      carries: loop.carries.slice(0, wanted.length),
      states: loop.carries.slice(wanted.length, from),
      gradients: objectives.map((o, objective) =>
        o.wrt.map((_, leaf) => {
          const k = accumulators.findIndex((a) => a.objective === objective && a.leaf === leaf);
          return reached.has(k) ? loop.carries[from + k]! : null;
        }),
      ),
    };
  }

  /** A data input as a sequence of parts. */
  private parted(input: Node): Node {
    const { root, parts, rows } = this;
    const size = sizeName(this.batch);
    const axes = input.type.sizes.flatMap((s, k) => (names(s).has(this.batch) ? [k] : []));
    const axis = axes[0]!;
    if (axes.length > 1 || input.type.sizes[axis] !== size)
      return refuse('NN802', this.cx.origins.get(input.origin).span, {
        what: 'a batch in parts where an input has the batch in an axis of another size',
      });
    const split = root.unfold(input, axis, ZERO, [
      { size: num(parts), stride: rows },
      { size: rows, stride: ONE },
    ]);
    const rank = input.type.sizes.length + 1;
    const order = Array.from({ length: rank }, (_, k) => k).filter((k) => k !== axis);
    return root.transpose(split, [axis, ...order]);
  }

  /** What these nodes need, for the rows of a part. */
  private copy(inner: GraphBuilder, targets: readonly Node[], given: ReadonlyMap<Node, Node>): Map<Node, Node> {
    const needed = new Set<Node>();
    const open = [...targets];
    while (open.length > 0) {
      const n = open.pop()!;
      if (needed.has(n)) continue;
      needed.add(n);
      if (!given.has(n)) open.push(...n.inputs);
    }
    const sizes = new Map([[this.batch, this.rows]]);
    const copies = new Map(given);
    for (const n of this.root.nodes) {
      if (!needed.has(n) || copies.has(n)) continue;
      if (n.op === 'input') copies.set(n, inner.local(n));
      else
        copies.set(
          n,
          resized(
            inner,
            n,
            n.inputs.map((x) => copies.get(x)!),
            sizes,
          ),
        );
    }
    return copies;
  }
}

function start(s: Sum): number {
  switch (s.op) {
    case 'sum':
    case 'any':
      return 0;
    case 'prod':
    case 'all':
      return 1;
    case 'max':
      return s.node.type.dtype === 'i32' ? -(2 ** 31) : -Infinity;
    case 'min':
      return s.node.type.dtype === 'i32' ? 2 ** 31 - 1 : Infinity;
  }
}

function combine(b: GraphBuilder, op: Sum['op'], x: Node, y: Node): Node {
  switch (op) {
    case 'sum':
      return b.add(x, y);
    case 'prod':
      return b.mul(x, y);
    case 'any':
      return b.or(x, y);
    case 'all':
      return b.and(x, y);
    case 'max':
      return b.max(x, y);
    case 'min':
      return b.min(x, y);
  }
}

const again = (b: GraphBuilder, n: Node, inputs: readonly Node[]): Node =>
  b.node<OpName>(n.op, inputs, n.attrs, n.origin) as Node;

type Sizes = ReadonlyMap<string, Poly>;

/** The same operation where a size is another one. */
function resized(b: GraphBuilder, n: Node, inputs: readonly Node[], sizes: Sizes): Node {
  return b.node<OpName>(n.op, inputs, resize(n.attrs, sizes, b) as OpAttributes[OpName], n.origin) as Node;
}

const isPoly = (v: object): v is Poly => 'key' in v && 'id' in v;
const isGraph = (v: object): v is Graph => 'nodes' in v;

function resize(value: unknown, sizes: Sizes, b: GraphBuilder): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((v) => resize(v, sizes, b));
  if (isPoly(value)) return substitute(value, sizes);
  if (isGraph(value)) return resizedBody(value, sizes, b);
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, resize(v, sizes, b)]));
}

/** A loop's body, once for each loop that has it. */
function resizedBody(body: Graph, sizes: Sizes, b: GraphBuilder): Graph {
  const made = new GraphBuilder(body.name, b.origins);
  made.origin = b.origin;
  const copies = new Map<Node, Node>();
  for (const n of body.nodes)
    copies.set(
      n,
      resized(
        made,
        n,
        n.inputs.map((x) => copies.get(x)!),
        sizes,
      ),
    );
  return made.finish(body.outputs.map((o) => ({ ...o, node: copies.get(o.node)! })));
}

function reachable(graph: Graph): ReadonlySet<Node> {
  const found = new Set<Node>(graph.outputs.map((o) => o.node));
  for (const n of graph.nodes.toReversed()) if (found.has(n)) for (const x of n.inputs) found.add(x);
  return found;
}

export type DataLeaf = NodeOf<'input'>;
