/**
 * Checks a graph against what every pass relies on, from scratch: order, owners, origins, unique leaves, and the type of every node by its record.
 * Tests run it between stages. A finding is a bug of the compiler, never of a user's program.
 */
import { recordOf, inferNode } from '../ops/registry.ts';
import { sameType, showType, showTypes } from '../ops/shapes.ts';
import type { Graph, Node, NodeOf, OpName, TensorType } from './types.ts';

export interface Violation {
  /** `forward`, or `forward/body` in the body of a loop. */
  readonly graph: string;
  /** Position of the node; null where the graph as a whole is wrong. */
  readonly node: number | null;
  readonly text: string;
}

/** Empty when all is well. `origins`: how many rows the table has, where it is known. */
export function verify(graph: Graph, origins: number | null = null): Violation[] {
  const out: Violation[] = [];
  check(graph, graph.name, origins, out);
  return out;
}

const sameMembers = (a: readonly TensorType[] | null, b: readonly TensorType[] | null): boolean =>
  a === null || b === null ? a === b : a.length === b.length && a.every((t, k) => sameType(t, b[k]!));

function check(graph: Graph, path: string, origins: number | null, out: Violation[]): void {
  const places = new Map<Node, number>();
  const report = (node: number | null, text: string): void => void out.push({ graph: path, node, text });
  const owner = graph.nodes[0]?.owner;
  const names = new Set<string>();

  for (const [k, node] of graph.nodes.entries()) {
    if (places.has(node)) report(k, 'stands twice in the graph');
    for (const input of node.inputs)
      if (!places.has(input)) report(k, `an operand (${input.op}) does not stand before it`);
    places.set(node, k);
    if (node.owner !== owner) report(k, 'belongs to another builder than the first node');
    if (!Number.isInteger(node.origin) || node.origin < 0 || (origins !== null && node.origin >= origins))
      report(k, `has no origin (${node.origin})`);
    if (node.op === 'input') {
      if (names.has(node.attrs.name)) report(k, `a second leaf is named ${node.attrs.name}`);
      names.add(node.attrs.name);
    }
    checkType(node, k, report);
    if (node.op === 'scan') check(node.attrs.body, `${path}/${node.attrs.body.name}`, origins, out);
  }

  for (const leaf of graph.inputs)
    if (!places.has(leaf)) report(null, `leaf ${leaf.attrs.name} is no node of the graph`);
  const leaves = graph.nodes.filter((n): n is NodeOf<'input'> => n.op === 'input');
  if (leaves.length !== graph.inputs.length) report(null, `${leaves.length} leaves, ${graph.inputs.length} listed`);
  const results = new Set<string>();
  for (const o of graph.outputs) {
    if (!places.has(o.node)) report(null, `output ${o.name} is no node of the graph`);
    if (o.node.members !== null) report(null, `output ${o.name} is a tuple`);
    if (results.has(o.name)) report(null, `a second output is named ${o.name}`);
    results.add(o.name);
  }
}

function checkType(node: Node, k: number, report: (node: number | null, text: string) => void): void {
  const inferred = inferNode<OpName>(node.op, node.inputs, node.attrs);
  if (!inferred.ok) {
    const rule = recordOf<OpName>(node.op).constraints[inferred.constraint] ?? inferred.constraint;
    report(
      k,
      `${node.op} violates ${inferred.constraint} (${rule}): ${inferred.detail}; operands ${showTypes(node.inputs)}`,
    );
  } else if (!sameType(inferred.type, node.type) || !sameMembers(inferred.members, node.members)) {
    report(k, `${node.op} has type ${showType(node.type)}, its record says ${showType(inferred.type)}`);
  }
}
