/**
 * Which values get a name, and why. Everything else is inlined where it is used.
 *
 * One pass from the outputs to the inputs. A *site* is a loop nest that would compute a value if it were inlined: it starts at a named value
 * or a reduction and goes through elementwise operations unchanged (the same element at the same point: once), through movements as a new
 * site. A value with a single site that asks for each element once is inlined; otherwise computing it at all its sites is weighed against
 * computing it once, storing it and reading it (cost.ts). Reductions always get a name, except sums that only another sum adds up. Whether a
 * named value needs a buffer is decided later (cluster.ts): within one kernel it may stay in registers.
 */
import { ONE, ZERO, name, type Poly } from '../sizes/poly.ts';
import { ExprTable } from '../kernel/expr.ts';
import type { Reason, Weighing } from '../kernel/types.ts';
import type { Graph, Node, OpName } from '../graph/types.ts';
import type { LowerContext, Lowering } from '../ops/record.ts';
import { ops } from '../ops/registry.ts';
import * as cost from './cost.ts';

export const loweringOf = (node: Node): Lowering<OpName> => ops[node.op].lowering as Lowering<OpName>;

/**
 * Movements: every element of the result is one element of the operand, or a constant. They are never worth a buffer, their operand may be.
 * After them a sum of sums is still one sum (a padding by 0 given).
 */
const LINEAR: ReadonlySet<string> = new Set(['broadcast', 'transpose', 'split', 'merge', 'slice', 'unfold', 'pad']);

/** Inputs that are read at places the data tells, or by code of their own: they need a buffer. */
function needsBuffer(node: Node, k: number): boolean {
  if (node.op === 'gather') return k === 0;
  return node.op === 'scan' || node.op === 'topk';
}

interface Site {
  readonly evaluations: number;
  /** Ends in a sum that takes the value as it is. */
  readonly linear: boolean;
  readonly derived: Map<string, Site>;
}

const site = (evaluations: number, linear: boolean): Site => ({ evaluations, linear, derived: new Map() });

export interface Materialisation {
  /** Nodes that the outputs need, in topological order. */
  readonly live: readonly Node[];
  /** Values with a name, and why. Leaves and the parts of tuples are not in it. */
  readonly named: Map<Node, Reason>;
  /** Sums that are added up by another sum. */
  readonly merged: ReadonlySet<Node>;
  /** Values whose costs decided, outputs first. */
  readonly weighed: readonly Weighed[];
  /** Elementwise values without a name, outputs first. */
  readonly inlined: readonly Node[];
}

export type Weighed = Pick<Weighing, 'places' | 'elements' | 'wanted' | 'cost' | 'again' | 'stored' | 'reason'> & {
  readonly node: Node;
};

export function liveNodes(graph: Graph): Node[] {
  const needed = new Set<Node>(graph.outputs.map((o) => o.node));
  const live: Node[] = [];
  for (let k = graph.nodes.length - 1; k >= 0; k--) {
    const node = graph.nodes[k]!;
    if (!needed.has(node)) continue;
    live.push(node);
    for (const x of node.inputs) needed.add(x);
  }
  return live.reverse();
}

interface Probe {
  readonly op: string;
  /** How often the operand is evaluated per element of the result; 0: there is nothing to reduce (an outer product, axes of size 1). */
  readonly steps: number;
}

function probe(node: Node): Probe {
  const table = new ExprTable();
  const dummy = table.constant(0, 'i32');
  let steps = 1;
  let empty = true;
  const cx: LowerContext = {
    node,
    read: (k) => table.constant(0, node.inputs[k]!.type.dtype),
    guarded: (k) => table.constant(0, node.inputs[k]!.type.dtype),
    dynamic: () => name('@probe'),
    op: () => dummy,
    constant: () => dummy,
    index: () => dummy,
    axis: (extent: Poly) => {
      if (extent === ONE) return ZERO;
      empty = false;
      steps *= cost.estimate(extent);
      return name('@axis');
    },
  };
  const lowering = loweringOf(node);
  if (lowering.kind !== 'reduction') return { op: '', steps: 0 };
  const at = node.type.sizes.map((s, k) => (s === ONE ? ZERO : name(`@${k}`)));
  const { op } = lowering.lower(cx, node as never, at);
  return { op, steps: empty && op !== 'argmax' ? 0 : steps };
}

/** `apart`: reductions that are not merged with others. */
export function materialise(
  graph: Graph,
  fusing: boolean,
  apart: ReadonlyMap<Node, unknown> = new Map(),
): Materialisation {
  const live = liveNodes(graph);
  const cones = new Map<Node, number>();
  const buffered = new Set<Node>();
  const costly = new Set<Node>();
  const probes = new Map<Node, Probe>();
  const kinds = new Map<Node, Lowering<OpName>['kind']>();
  const uses = new Map<Node, number>();
  for (const node of live) for (const x of node.inputs) uses.set(x, (uses.get(x) ?? 0) + 1);
  for (const node of live) {
    let kind = loweringOf(node).kind;
    if (kind === 'reduction') {
      const found = probe(node);
      probes.set(node, found);
      if (found.steps === 0) kind = 'scalar';
    }
    kinds.set(node, kind);
    cones.set(
      node,
      cost.coneCost(
        node,
        kind,
        node.inputs.map((x) => (uses.get(x)! > 1 && cones.get(x)! > cost.SHARED ? cost.READ : cones.get(x)!)),
      ),
    );
    const own = cost.isElementwise(node.op) ? cost.ELEMENTWISE[node.op] : node.op === 'random' ? cost.RANDOM : 0;
    if (own >= cost.ELEMENTWISE.exp || (kind === 'scalar' && node.inputs.some((x) => costly.has(x)))) costly.add(node);
    if (kind !== 'scalar' || node.op === 'part' || node.op === 'gather' || node.inputs.some((x) => buffered.has(x)))
      buffered.add(node);
  }

  const named = new Map<Node, Reason>();
  const merged = new Set<Node>();
  const weighed: Weighed[] = [];
  const inlined: Node[] = [];
  const forced = new Map<Node, Reason>();
  for (const o of graph.outputs) forced.set(o.node, 'output');
  const sites = new Map<Node, Set<Site>>();
  const depth = new Map<Node, number>();

  const give = (node: Node, k: number, s: Site): void => {
    const input = node.inputs[k]!;
    let set = sites.get(input);
    if (set === undefined) sites.set(input, (set = new Set()));
    set.add(s);
  };
  const derived = (node: Node, k: number, from: Site): Site => {
    if (cost.isElementwise(node.op)) {
      if (!from.linear) return from;
      const key = 'plain';
      let s = from.derived.get(key);
      if (s === undefined) from.derived.set(key, (s = site(from.evaluations, false)));
      return s;
    }
    const key = `${node.id}:${k}`;
    let s = from.derived.get(key);
    if (s === undefined) {
      const input = node.inputs[k]!;
      const part = node.op === 'concat' || node.op === 'pad' ? cost.elements(input.type) / cost.elements(node.type) : 1;
      const linear = from.linear && k === 0 && LINEAR.has(node.op) && (node.op !== 'pad' || node.attrs.value === 0);
      from.derived.set(key, (s = site(from.evaluations * Math.min(1, part), linear)));
    }
    return s;
  };

  for (let at = live.length - 1; at >= 0; at--) {
    const node = live[at]!;
    if (node.op === 'input' || node.op === 'part') continue;
    const kind = kinds.get(node)!;
    const own = sites.get(node) ?? new Set<Site>();
    const count = cost.elements(node.type);
    let wanted = 0;
    for (const s of own) wanted += s.evaluations;
    const below = (depth.get(node) ?? 0) + 1;
    const nest = (d: number): void => {
      for (const [k, x] of node.inputs.entries()) {
        depth.set(x, Math.max(depth.get(x) ?? 0, d));
        if (needsBuffer(node, k) && x.op !== 'input') forced.set(x, forced.get(x) ?? 'opaque');
      }
    };

    if (kind === 'scatter' || kind === 'opaque') {
      named.set(node, 'opaque');
      nest(0);
      const steps = node.op === 'scan' ? 1 : cost.elements(node.inputs[0]!.type);
      node.inputs.forEach((_, k) => give(node, k, site(steps, false)));
      continue;
    }
    if (kind === 'reduction') {
      const { op, steps } = probes.get(node)!;
      const [only] = own;
      const mergeable =
        fusing &&
        op === 'sum' &&
        own.size === 1 &&
        only!.linear &&
        !forced.has(node) &&
        !apart.has(node) &&
        below <= cost.MAX_DEPTH &&
        wanted <= cost.SUM_OF_SUMS * count;
      if (mergeable) merged.add(node);
      else named.set(node, forced.get(node) ?? 'reduction');
      nest(mergeable ? below : 0);
      const linear = op === 'sum' && node.inputs.length === 1;
      const total = (mergeable ? wanted : count) * steps;
      const root = site(total, linear);
      node.inputs.forEach((_, k) => give(node, k, node.inputs.length === 1 ? root : site(total, false)));
      continue;
    }

    let reason: Reason | null = forced.get(node) ?? null;
    if (reason === null && !fusing) reason = 'not fused';
    if (reason === null && below > cost.MAX_DEPTH && node.inputs.length > 0) reason = 'not fused';
    const cone = cones.get(node)!;
    const trivial = !buffered.has(node) && cone <= cost.TRIVIAL && !costly.has(node);
    const once = own.size === 1 && wanted <= count * 1.001;
    if (reason === null && !trivial && !once && !LINEAR.has(node.op)) {
      const again = wanted * cone;
      const stored = count * (cone + cost.WRITE) + wanted * cost.READ;
      const many = own.size > cost.MAX_SITES && cone > cost.READ;
      if (again > stored || many) {
        const reread = [...own].some((s) => s.evaluations > count * 1.5);
        reason = reread ? 're-read along a broadcast axis' : 'costly and shared';
      }
      weighed.push({ node, places: own.size, elements: count, wanted, cost: cone, again, stored, reason });
    }
    if (reason !== null) {
      named.set(node, reason);
      nest(0);
      const root = site(count, false);
      for (let k = 0; k < node.inputs.length; k++) give(node, k, derived(node, k, root));
    } else {
      if (cost.isElementwise(node.op)) inlined.push(node);
      nest(below);
      for (const s of own) for (let k = 0; k < node.inputs.length; k++) give(node, k, derived(node, k, s));
    }
  }
  return { live, named, merged, weighed, inlined };
}
