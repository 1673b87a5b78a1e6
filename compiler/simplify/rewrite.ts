/**
 * The engine of the rewrite rules. A pass makes the graph again, node by node in order, and after each node tries its rules until none
 * applies. Nodes that rules make are looked at in the next pass; passes are repeated until one changes nothing. Dead nodes go with `finish`.
 */
import { remake } from '../graph/copy.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { Origins } from '../graph/origin.ts';
import type { Graph, Node, OpName } from '../graph/types.ts';
import type { Rule } from './rule.ts';

/** Told of every rewrite, by the rule's name. */
export type Trace = (rule: string, node: Node) => void;

const PASSES = 24;
const STEPS = 64;

export function rewrite(graph: Graph, origins: Origins, rules: readonly Rule[], trace: Trace): Graph {
  const byOp = new Map<OpName, Rule[]>();
  for (const rule of rules) for (const op of rule.on) byOp.set(op, [...(byOp.get(op) ?? []), rule]);
  let current = graph;
  for (let pass = 0; pass < PASSES; pass++) {
    let changes = 0;
    const next = rewriteOnce(current, origins, byOp, (name, node) => {
      changes++;
      trace(name, node);
    });
    // Without a rewrite the pass may still have merged equal nodes or dropped dead ones.
    if (changes === 0) return next.nodes.length === current.nodes.length ? current : next;
    current = next;
  }
  return current;
}

function rewriteOnce(graph: Graph, origins: Origins, rules: ReadonlyMap<OpName, readonly Rule[]>, trace: Trace): Graph {
  const builder = new GraphBuilder(graph.name, origins);
  const copies = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const copy = remake(
      builder,
      node,
      node.inputs.map((x) => copies.get(x)!),
    );
    copies.set(
      node,
      builder.at(node.origin, () => applied(builder, copy, rules, trace)),
    );
  }
  return builder.finish(graph.outputs.map((o) => ({ ...o, node: copies.get(o.node)! })));
}

function applied(builder: GraphBuilder, start: Node, rules: ReadonlyMap<OpName, readonly Rule[]>, trace: Trace): Node {
  let node = start;
  for (let step = 0; step < STEPS; step++) {
    let next: Node | null = null;
    for (const rule of rules.get(node.op) ?? []) {
      const made = rule.apply(builder, node);
      if (made === null || made === node) continue;
      trace(rule.name, node);
      next = made;
      break;
    }
    if (next === null) return node;
    node = next;
  }
  return node;
}
