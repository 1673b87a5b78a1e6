/**
 * Values that only some steps need (`minimize … every 5`). Their work is done in those steps alone: it stands in a loop of one round that does not run in others,
 * and whose carries then keep what they begin with. So every target skips it with what it has for loops, and a parameter is not even touched.
 *
 * What other results need too is computed outside, in every step. What is cheap, and probably stored nowhere, is computed again inside instead of being
 * stored for it in every step.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, OpName } from '../graph/types.ts';
import { signatures } from '../ops/elementwise-rules.ts';
import { ONE } from '../sizes/poly.ts';

export interface Rare {
  /** The value where the condition holds. */
  readonly node: Node;
  /** The value where not. */
  readonly otherwise: Node;
}

/** `always`: what is computed in any case. */
export function onlyWhen(
  b: GraphBuilder,
  condition: Node,
  values: readonly Rare[],
  always: readonly Node[],
): readonly Node[] {
  const kept = below(always, () => true);
  const stored = storedIn(kept);
  const isOutside = (n: Node): boolean =>
    n.op === 'input' || (kept.has(n) && (stored.has(n) || !(n.op in signatures))) || isPartOf(n, kept);
  const inside = below(
    values.map((v) => v.node),
    (n) => !isOutside(n),
  );
  const limit = b.select(condition, b.constant(1, 'i32'), b.constant(0, 'i32'));
  const { carries } = b.loop(
    {
      carries: values.map((v) => v.otherwise),
      sequences: [],
      length: ONE,
      reversed: false,
      limit,
      apart: true,
      name: `${b.name}.every`,
    },
    (inner, _, held) => {
      inner.origin = b.origin;
      const copies = new Map<Node, Node>();
      values.forEach((v, k) => {
        if (v.otherwise.op === 'input') copies.set(v.otherwise, held[k]!);
      });
      const at = (n: Node): Node => {
        const known = copies.get(n);
        if (known !== undefined) return known;
        const leaf = inner.local(n);
        copies.set(n, leaf);
        return leaf;
      };
      for (const n of b.nodes)
        if (inside.has(n) && !isOutside(n))
          copies.set(n, inner.node<OpName>(n.op, n.inputs.map(at), n.attrs, n.origin) as Node);
      return { carries: values.map((v) => at(v.node)), yields: [] };
    },
  );
  return carries;
}

/** A tuple is taken apart where it is made. */
const isPartOf = (n: Node, nodes: ReadonlySet<Node>): boolean => n.op === 'part' && nodes.has(n.inputs[0]!);

/** These nodes and what they are made of, through those that `opens` lets through. */
function below(roots: readonly Node[], opens: (n: Node) => boolean): ReadonlySet<Node> {
  const found = new Set<Node>();
  const open = [...roots];
  while (open.length > 0) {
    const n = open.pop()!;
    if (found.has(n)) continue;
    found.add(n);
    if (opens(n)) open.push(...n.inputs);
  }
  return found;
}

/** What is read by more than elementwise operations, and so will mostly be in memory. */
function storedIn(nodes: ReadonlySet<Node>): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const n of nodes) if (!(n.op in signatures) && n.op !== 'broadcast') for (const x of n.inputs) found.add(x);
  return found;
}
