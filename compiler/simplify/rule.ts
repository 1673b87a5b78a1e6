/**
 * What a rewrite rule is, and the questions that rules ask.
 *
 * A rule looks at one node (whose operands are already simplified) and gives an equal node, or null. It has a name, for traces and for its test.
 * Rules are exact for floats: the result has the same value for every input, infinities and NaN included, but for the sign of a zero (`x + 0`
 * is x, where −0 + 0 is +0), which only a division by that zero could tell; and sums may be taken in another order, which the
 * language does not promise. `x · 0` stays, because x may be infinite. stop_gradient stays: `select(m, x, stop_gradient(x))` guards
 * gradients, and becomes nothing when kernels are built.
 *
 * Direction, so that no two rules undo each other: broadcasts move outward (toward the results), transposes inward and into contractions.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, NodeOf, OpName } from '../graph/types.ts';
import type { Poly } from '../sizes/poly.ts';

export interface Rule {
  readonly name: string;
  readonly on: readonly OpName[];
  readonly apply: (b: GraphBuilder, node: Node) => Node | null;
}

export const rule = <O extends OpName>(
  name: string,
  on: O | readonly O[],
  apply: (b: GraphBuilder, node: NodeOf<O>) => Node | null,
): Rule => ({
  name,
  on: typeof on === 'string' ? [on] : on,
  apply: (b, node) => apply(b, node as unknown as NodeOf<O>), // the engine asks only for the ops in `on`
});

/** The node if it is this operation. */
export const as = <O extends OpName>(node: Node | undefined, op: O): NodeOf<O> | null =>
  node?.op === op ? (node as unknown as NodeOf<O>) : null;

/** The value of a constant or of a constant repeated; null otherwise. */
export function valueOf(node: Node): number | null {
  if (node.op === 'const') return node.attrs.value;
  const inner = node.op === 'broadcast' ? node.inputs[0]! : node;
  return inner.op === 'const' ? inner.attrs.value : null;
}

export const isValue = (node: Node, value: number): boolean => valueOf(node) === value;

/** Axes of a broadcast's result that repeat. */
export const freshAxes = (node: NodeOf<'broadcast'>): number[] =>
  node.attrs.sizes.map((_, k) => k).filter((k) => !node.attrs.axes.includes(k));

export const inverse = (perm: readonly number[]): number[] => perm.map((_, k) => perm.indexOf(k));

/** The order of these axes after the others are gone: [5, 2, 7] → [1, 0, 2]. */
export const ranks = (axes: readonly number[]): number[] => {
  const sorted = [...axes].sort((p, q) => p - q);
  return axes.map((a) => sorted.indexOf(a));
};

/** x with axis k at `places[k]` of a tensor of these sizes, repeated along the other axes. */
export function spread(b: GraphBuilder, x: Node, places: readonly number[], sizes: readonly Poly[]): Node {
  const order = inverse(ranks(places));
  return b.broadcast(
    b.transpose(x, order),
    sizes,
    order.map((k) => places[k]!),
  );
}
