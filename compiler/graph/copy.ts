/**
 * A graph's nodes made again in another builder, with other nodes for its leaves. Origins stay. Bodies of loops are shared, not copied.
 */
import type { GraphBuilder } from './builder.ts';
import type { Graph, Node, OpName } from './types.ts';

/** `inputs` stand for the graph's inputs, in order. Returns the nodes for its outputs, in order. */
export function inline(builder: GraphBuilder, graph: Graph, inputs: readonly Node[]): Node[] {
  if (inputs.length !== graph.inputs.length)
    throw new Error(`graph ${graph.name} has ${graph.inputs.length} inputs, ${inputs.length} were given`);
  const copies = new Map<Node, Node>(graph.inputs.map((leaf, k) => [leaf, inputs[k]!]));
  for (const node of graph.nodes) {
    if (copies.has(node)) continue;
    copies.set(
      node,
      remake(
        builder,
        node,
        node.inputs.map((x) => copies.get(x)!),
      ),
    );
  }
  return graph.outputs.map((o) => copies.get(o.node)!);
}

/** The same operation over other operands, with the same origin. */
export function remake(builder: GraphBuilder, node: Node, inputs: readonly Node[]): Node {
  // Op and attributes belong together because they come from one node, which tsc cannot see in a union.
  return builder.node<OpName>(node.op, inputs, node.attrs, node.origin) as Node;
}
