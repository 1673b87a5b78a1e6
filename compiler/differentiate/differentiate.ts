/**
 * Reverse-mode differentiation: adds gradient nodes to the builder whose nodes it differentiates.
 *
 * Algorithm. One pass forward marks the float nodes that depend on what is asked for. One pass backward, over the numbers of the nodes in falling
 * order (every input has a smaller number than its node), sends each node's gradient through its record's rule to its inputs and adds up
 * what arrives, in that fixed order. Gradient nodes are ordinary nodes, so they can be differentiated in turn. Loops, not recursion: a
 * graph may be tens of thousands of nodes deep.
 *
 * It does not simplify, and leaves behind nodes nobody uses: `finish` drops them.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, NodeOf, OpName } from '../graph/types.ts';
import type { Pullback, VjpContext } from '../ops/record.ts';
import { recordOf } from '../ops/registry.ts';
import { isFloat, sameType, showType } from '../ops/shapes.ts';

/**
 * The gradient of `output` (a float scalar; any float shape if `seed` is given, then of ⟨output, seed⟩) for each of `wrt`, or null where it does not
 * depend on it differentiably. `wrt` may be leaves or any nodes of the builder, or nodes of enclosing builders that it has captured.
 */
export function differentiate(builder: GraphBuilder, output: Node, wrt: readonly Node[], seed?: Node): (Node | null)[] {
  const local = builder.local(output);
  if (!isFloat(local.type.dtype)) throw new Error(`the gradient of a ${local.type.dtype} node`);
  if (seed === undefined && local.type.sizes.length > 0)
    throw new Error('the gradient of a tensor needs a seed; of a scalar it does not');
  if (seed !== undefined && !sameType(seed.type, local.type))
    throw new Error(`a seed of ${showType(seed.type)} for ${showType(local.type)}`);
  const gradient = seed ?? builder.at(gradientOrigin(builder, local), () => builder.constant(1, local.type.dtype));
  return [...pullback(builder, [{ node: local, gradient }], wrt)];
}

const gradientOrigin = (builder: GraphBuilder, node: Node): number =>
  builder.origins.add(builder.origins.get(node.origin).span, node.origin, 'gradient');

/** Float in some member. */
const carriesGradient = (node: Node): boolean => (node.members ?? [node.type]).some((t) => isFloat(t.dtype));

export const pullback: Pullback = (builder, seeds, wrt) => {
  const locals = wrt.map((n) => builder.local(n));
  const sources = seeds.map((s) => ({ node: builder.local(s.node), gradient: builder.local(s.gradient) }));
  const last = sources.reduce((m, s) => Math.max(m, s.node.id), -1);

  const active = new Uint8Array(last + 1);
  for (const n of locals) if (n.id <= last && carriesGradient(n)) active[n.id] = 1;
  for (let id = 0; id <= last; id++) {
    const n = builder.nodes[id]!;
    if (active[id] === 0 && carriesGradient(n) && n.inputs.some((x) => active[x.id] === 1)) active[id] = 1;
  }

  /** By node number, then by member. */
  const gradients: (Node | null)[][] = [];
  const send = (to: Node, member: number, g: Node): void => {
    if (active[to.id] !== 1) return;
    const row = (gradients[to.id] ??= (to.members ?? [to.type]).map(() => null));
    const before = row[member] ?? null;
    row[member] = before === null ? g : builder.add(before, g);
  };
  for (const s of sources) send(s.node, 0, s.gradient);

  for (let id = last; id >= 0; id--) {
    const row = gradients[id];
    const node = builder.nodes[id]!;
    if (row === undefined || node.inputs.length === 0) continue;
    builder.at(gradientOrigin(builder, node), () => {
      if (node.op === 'part') {
        if (row[0] !== null && row[0] !== undefined) send(node.inputs[0]!, node.attrs.index, row[0]);
        return;
      }
      const back = rule(node, {
        builder,
        gradients: row,
        wanted: node.inputs.map((x) => active[x.id] === 1),
        pullback,
      });
      for (const [k, g] of back.entries()) if (g !== null) send(node.inputs[k]!, 0, g);
    });
  }
  return locals.map((n) => gradients[n.id]?.[0] ?? null);
};

/** The node's backward rule. A node's op picks its record; tsc cannot follow that through the union. */
function rule(node: Node, rest: Omit<VjpContext<OpName>, 'node'>): readonly (Node | null)[] {
  return recordOf<OpName>(node.op).vjp({ ...rest, node: node as unknown as NodeOf<OpName> });
}
