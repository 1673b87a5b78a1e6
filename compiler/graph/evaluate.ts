/**
 * The evaluator: every node in order, by its record's slow and obvious rule, floats in float64. The oracle of everything faster. It is not an
 * execution path of the product.
 */
import type { EvaluateContext, Tensor } from '../ops/record.ts';
import { recordOf } from '../ops/registry.ts';
import { showType } from '../ops/shapes.ts';
import { concrete } from '../ops/tensor.ts';
import type { Graph, Node, NodeOf, OpName } from './types.ts';

/** Values of the size names. */
export type SizeValues = Readonly<Record<string, number>>;

function contextOf(sizes: SizeValues): EvaluateContext {
  const cx: EvaluateContext = {
    sizes: (name) => {
      const value = sizes[name];
      if (value === undefined) throw new Error(`size ${name} has no value`);
      return value;
    },
    run: (body, inputs) => run(body, inputs, cx),
  };
  return cx;
}

/** Outputs by position, for inputs by position. */
function run(graph: Graph, inputs: readonly Tensor[], cx: EvaluateContext): Tensor[] {
  const values = new Map<Node, readonly Tensor[]>();
  for (const [k, leaf] of graph.inputs.entries()) values.set(leaf, [fitting(leaf, inputs[k]!, cx)]);
  const first = (n: Node): Tensor => values.get(n)![0]!;
  for (const node of graph.nodes) {
    if (values.has(node)) continue;
    values.set(node, evaluateNode(node, first, values, cx));
  }
  return graph.outputs.map((o) => first(o.node));
}

function evaluateNode(
  node: Node,
  first: (n: Node) => Tensor,
  values: ReadonlyMap<Node, readonly Tensor[]>,
  cx: EvaluateContext,
): readonly Tensor[] {
  if (node.op === 'part') return [values.get(node.inputs[0]!)![node.attrs.index]!];
  return recordOf<OpName>(node.op).evaluate(node.inputs.map(first), node as unknown as NodeOf<OpName>, cx);
}

function fitting(leaf: NodeOf<'input'>, given: Tensor, cx: EvaluateContext): Tensor {
  const sizes = concrete(leaf.type.sizes, cx);
  if (given.dtype !== leaf.type.dtype || given.sizes.join() !== sizes.join())
    throw new Error(`leaf ${leaf.attrs.name} is ${showType(leaf.type)}, given ${given.dtype}[${given.sizes.join()}]`);
  return given;
}

/** Outputs by name. Throws where an input is missing or does not fit: this is a tool for tests, not for users. */
export function evaluate(graph: Graph, inputs: ReadonlyMap<string, Tensor>, sizes: SizeValues): Map<string, Tensor> {
  const given = graph.inputs.map((leaf) => {
    const tensor = inputs.get(leaf.attrs.name);
    if (tensor === undefined) throw new Error(`leaf ${leaf.attrs.name} has no value`);
    return tensor;
  });
  const results = run(graph, given, contextOf(sizes));
  return new Map(graph.outputs.map((o, k) => [o.name, results[k]!]));
}
