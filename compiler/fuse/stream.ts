/**
 * Streaming: matrices that only products, sums and maxima ever look at (the scores and weights of attention, forward and backward) are never stored. What
 * is reduced from them is computed row by row, and every kernel that needs them computes them again from the small things they are made of.
 *
 * Recognised by structure alone. *Wide* values have the shape of a large product of two smaller operands, and are elementwise in each other.
 * *Results* reduce wide values to something smaller; the axes of the wide shape that a result keeps are the rows of its kernel. Results with the same rows
 * share a kernel (a *group*) unless one needs, by way of other work, what comes out of the other. Each group gets a copy of the wide values it needs, so that
 * the fuser keeps them inside the kernel, one row at a time.
 *
 * Not here: the kernel (assemble.ts), which part of a row a mask leaves (span.ts), blocks of rows (the targets).
 */
import { evaluate, type Poly } from '../sizes/poly.ts';
import type { Graph, Node } from '../graph/types.ts';
import { liveNodes, loweringOf } from './materialise.ts';
import { rowSums } from './row-sums.ts';

/** Results that one kernel computes row by row. */
export interface Group {
  /** The wide shape, and which of its axes are the rows. */
  readonly sizes: readonly Poly[];
  readonly rows: readonly number[];
}

export interface Streamed {
  readonly graph: Graph;
  /** Wide copies, results, and small values between them. */
  readonly groups: ReadonlyMap<Node, Group>;
}

export interface StreamOptions {
  /** What sizes are expected to be at most. */
  readonly of: (size: string) => number;
  /** Matrices with fewer elements than this are stored. */
  readonly least: number;
  /** The longest sum that makes such a matrix, and the longest side of what is summed from it, rows aside. Absent: unbounded. */
  readonly narrow?: number;
}

/** 16 MiB: about what caches hold. */
export const LEAST = 1 << 22;
/** The product must be so many times its operands. */
const RATIO = 3;

interface Result {
  readonly node: Node;
  readonly rows: readonly number[];
  readonly key: string;
}

const shapeKey = (sizes: readonly Poly[]): string => sizes.map((s) => s.id).join();

/** `refused`: products whose shape cannot be streamed. */
export function stream(whole: Graph, options: StreamOptions): { streamed: Streamed | null; refused: readonly Node[] } {
  const count = (n: Node): number => n.type.sizes.reduce((c, s) => c * evaluate(s, options.of), 1);
  const refused: Node[] = [];
  const isWide = (n: Node): boolean => {
    if (n.op !== 'contract' || n.type.sizes.length < 2) return false;
    const own = count(n);
    if (options.narrow !== undefined && summed(n, options.of) > options.narrow) return false;
    return own >= options.least && n.inputs.every((x) => own >= RATIO * count(x));
  };
  // A row at a time, both matrices are at hand where they are summed; in blocks, that would be one more pass over them.
  const graph = options.narrow === undefined ? whole : rowSums(whole, isWide);
  const seeds = graph.nodes.filter(isWide);
  if (seeds.length === 0) return { streamed: null, refused };
  const live = liveNodes(graph);
  const isLive = new Set(live);
  const shapes = new Map<string, Node>();
  for (const s of seeds)
    if (isLive.has(s) && !shapes.has(shapeKey(s.type.sizes))) shapes.set(shapeKey(s.type.sizes), s);
  let found: Streamed | null = null;
  let current = graph;
  let groups: ReadonlyMap<Node, Group> = new Map();
  for (const seed of shapes.values()) {
    const shape = seed.type.sizes;
    const region = new Region(current, shape, options);
    if (!region.isStreamable()) {
      refused.push(...seeds.filter((s) => shapeKey(s.type.sizes) === shapeKey(shape)));
      continue;
    }
    const next = region.rewrite(groups);
    ({ graph: current, groups } = next);
    found = next;
  }
  // Where nothing is streamed, the graph is what it was, and its nodes too.
  const known = new Map(whole.nodes.map((n) => [n.id, n]));
  return { streamed: found, refused: found === null ? refused.map((n) => known.get(n.id)!) : refused };
}

/** How long a product's sum is. */
function summed(n: Node, of: (size: string) => number): number {
  if (n.op !== 'contract') return 0;
  const { a, out } = n.attrs;
  return a.reduce((c, letter, k) => (out.includes(letter) ? c : c * evaluate(n.inputs[0]!.type.sizes[k]!, of)), 1);
}

/** All wide values of one shape, and what is reduced from them. */
class Region {
  private readonly graph: Graph;
  private readonly shape: readonly Poly[];
  private readonly options: StreamOptions;
  private readonly live: readonly Node[];
  private readonly wide = new Set<Node>();
  private readonly results = new Map<Node, Result>();
  private readonly users = new Map<Node, Node[]>();
  private group = new Map<Node, string>();

  constructor(graph: Graph, shape: readonly Poly[], options: StreamOptions) {
    this.graph = graph;
    this.options = options;
    this.shape = shape;
    this.live = liveNodes(graph);
    const key = shapeKey(shape);
    for (const n of this.live) {
      for (const x of n.inputs) {
        const list = this.users.get(x);
        if (list === undefined) this.users.set(x, [n]);
        else if (list.at(-1) !== n) list.push(n);
      }
      if (n.op === 'input' || n.op === 'part' || n.members !== null || shapeKey(n.type.sizes) !== key) continue;
      const { kind } = loweringOf(n);
      // A product of wide operands would need them whole.
      if (kind === 'scalar' || (n.op === 'contract' && !n.inputs.some((x) => this.wide.has(x)))) this.wide.add(n);
    }
  }

  isStreamable(): boolean {
    const outputs = new Set(this.graph.outputs.map((o) => o.node));
    for (const n of this.wide) {
      if (outputs.has(n)) return false;
      for (const user of this.users.get(n) ?? []) {
        if (this.wide.has(user)) continue;
        const rows = this.rowsOf(user);
        if (rows === null || rows.length === 0 || !this.isNarrow(user, rows)) return false;
        this.results.set(user, { node: user, rows, key: rows.join() });
      }
    }
    // Softmax of one product alone (a classifier's loss) would compute the product again for every gradient.
    if (![...this.results.keys()].some((r) => r.op === 'contract')) return false;
    this.assign();
    return true;
  }

  /** Whether a result has little beside the rows that it keeps. */
  private isNarrow(node: Node, rows: readonly number[]): boolean {
    const { narrow, of } = this.options;
    const count = (sizes: readonly Poly[]): number => sizes.reduce((c, s) => c * evaluate(s, of), 1);
    return narrow === undefined || count(node.type.sizes) <= narrow * count(rows.map((k) => this.shape[k]!));
  }

  /** The axes of the wide shape that a reduction keeps; null for what is none, or keeps different ones of two operands. */
  private rowsOf(node: Node): readonly number[] | null {
    if (node.op === 'reduce') {
      const { axes } = node.attrs;
      return this.shape.map((_, k) => k).filter((k) => !axes.includes(k));
    }
    if (node.op !== 'contract') return null;
    let rows: readonly number[] | null = null;
    for (const [k, x] of node.inputs.entries()) {
      if (!this.wide.has(x)) continue;
      const letters = k === 0 ? node.attrs.a : node.attrs.b;
      const own = letters.map((_, i) => i).filter((i) => node.attrs.out.includes(letters[i]!));
      if (own.length === this.shape.length) return null;
      if (rows !== null && rows.join() !== own.join()) return null;
      rows = own;
    }
    return rows;
  }

  /** Whether work outside of kernels over wide values lies between a value and its operands: everything but small elementwise steps. */
  private isApart(n: Node): boolean {
    return loweringOf(n).kind !== 'scalar' || n.op === 'part';
  }

  /**
   * Whether a value that follows from results belongs to a later kernel. Where results must be narrow, rows are computed in blocks whose results are
   * finished together, at the end: a product of the wide shape whose operand they make (the gradient of what has just been summed) comes after them.
   */
  private separates(n: Node): boolean {
    return this.wide.has(n) ? this.options.narrow !== undefined && n.op === 'contract' : this.isApart(n);
  }

  /**
   * Groups: results of the same rows at the same level. A level is how often other rows or other work lie between; where nothing forces two
   * levels of the same rows apart, they are one group.
   */
  private assign(): void {
    const keys = [...new Set([...this.results.values()].map((r) => r.key))];
    const levels = new Map<Node, readonly number[]>();
    const zero = keys.map(() => 0);
    const after = new Set<Node>();
    for (const n of this.live) {
      let own = zero;
      const follows = n.inputs.some((x) => after.has(x));
      if (follows || this.results.has(n)) after.add(n);
      for (const x of n.inputs) {
        const of = levels.get(x)!;
        own = own.map((l, k) => Math.max(l, of[k]!));
      }
      const result = this.results.get(n);
      if (result !== undefined) {
        const at = own[keys.indexOf(result.key)]!;
        this.group.set(n, `${result.key}/${at}`);
        own = keys.map((key, k) => Math.max(own[k]!, key === result.key ? at : at + 1));
      } else if (this.separates(n) && (follows || !this.wide.has(n))) own = keys.map(() => Math.max(...own) + 1);
      levels.set(n, own);
    }
    for (const key of keys) {
      const names = [
        ...new Set([...this.results.values()].filter((r) => r.key === key).map((r) => this.group.get(r.node)!)),
      ];
      names.sort((a, b) => Number(a.split('/')[1]) - Number(b.split('/')[1]));
      for (let k = 0; k + 1 < names.length; k++) {
        const [from, to] = [names[k]!, names[k + 1]!];
        if (this.pathAround(from, to)) continue;
        for (const [n, g] of this.group) if (g === from) this.group.set(n, to);
      }
    }
  }

  /** Whether something of one group reaches the other by way of what belongs to neither. */
  private pathAround(from: string, to: string): boolean {
    const outside = new Set<Node>();
    const inside = new Set<Node>();
    let reached = false;
    for (const n of this.live) {
      const own = this.group.get(n);
      const after = n.inputs.some((x) => outside.has(x));
      const along = n.inputs.some((x) => inside.has(x));
      if (own === from) {
        if (after) return true;
        inside.add(n);
        reached = true;
      } else if (own === to) {
        if (after) return true;
        inside.add(n);
      } else if (after || (along && (own !== undefined || this.separates(n)))) outside.add(n);
      else if (along) inside.add(n);
    }
    return !reached;
  }

  /** The graph with a copy of the wide values for every group. */
  rewrite(before: ReadonlyMap<Node, Group>): Streamed {
    let id = this.graph.nodes.reduce((m, n) => Math.max(m, n.id), 0) + 1;
    const groups = new Map<Node, Group>();
    const byName = new Map<string, Group>();
    const groupOf = (name: string, rows: readonly number[]): Group => {
      let known = byName.get(name);
      if (known === undefined) byName.set(name, (known = { sizes: this.shape, rows }));
      return known;
    };
    const nodes: Node[] = [];
    const fresh = new Map<Node, Node>();
    const copies = new Map<string, Map<Node, Node>>();
    const order = new Map(this.live.map((n, k) => [n, k]));
    const remade = (n: Node, inputs: readonly Node[], always: boolean): Node => {
      const same = !always && inputs.every((x, k) => x === n.inputs[k]);
      const made = same ? n : ({ ...n, id: always ? id++ : n.id, inputs } as Node);
      nodes.push(made);
      return made;
    };
    /** Small values that a group's wide values read and that depend on its own results belong to it. */
    const attach = (n: Node, name: string, group: Group, seen: Map<Node, boolean>): boolean => {
      const known = seen.get(n);
      if (known !== undefined) return known;
      const result = this.results.get(n);
      if (result !== undefined) return this.group.get(n) === name;
      if (this.wide.has(n) || n.op === 'input' || this.isApart(n)) return false;
      let own = false;
      for (const x of n.inputs) if (attach(x, name, group, seen)) own = true;
      seen.set(n, own);
      if (own && !groups.has(fresh.get(n)!)) groups.set(fresh.get(n)!, group);
      return own;
    };
    for (const n of this.live) {
      if (this.wide.has(n)) continue;
      const result = this.results.get(n);
      if (result === undefined) {
        const made = remade(
          n,
          n.inputs.map((x) => fresh.get(x)!),
          false,
        );
        fresh.set(n, made);
        const old = before.get(n);
        if (old !== undefined) groups.set(made, old);
        continue;
      }
      const name = this.group.get(n)!;
      const group = groupOf(name, result.rows);
      let own = copies.get(name);
      if (own === undefined) copies.set(name, (own = new Map<Node, Node>()));
      const cone = new Set<Node>();
      const open = n.inputs.filter((x) => this.wide.has(x));
      while (open.length > 0) {
        const x = open.pop()!;
        if (cone.has(x) || own.has(x)) continue;
        cone.add(x);
        for (const y of x.inputs) if (this.wide.has(y)) open.push(y);
      }
      const seen = new Map<Node, boolean>();
      for (const x of [...cone].sort((a, b) => order.get(a)! - order.get(b)!)) {
        for (const y of x.inputs) if (!this.wide.has(y)) attach(y, name, group, seen);
        const made = remade(
          x,
          x.inputs.map((y) => own.get(y) ?? fresh.get(y)!),
          true,
        );
        own.set(x, made);
        groups.set(made, group);
      }
      const made = remade(
        n,
        n.inputs.map((x) => own.get(x) ?? fresh.get(x)!),
        false,
      );
      fresh.set(n, made);
      groups.set(made, group);
    }
    return {
      graph: {
        ...this.graph,
        nodes,
        outputs: this.graph.outputs.map((o) => ({ ...o, node: fresh.get(o.node)! })),
      },
      groups,
    };
  }
}
