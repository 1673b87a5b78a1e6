/**
 * The binding limit: a value inlined from more buffers than a kernel may touch is cut at an inlined value inside it that gathers as many of
 * them as fit.
 */
import type { Node } from '../graph/types.ts';
import type { Lowerer } from './lower.ts';

/** The inlined value below `node` to store instead, or null when there is none that helps. */
export function pickSplit(lowerer: Lowerer, node: Node, most: number): Node | null {
  const below = new Map<Node, ReadonlySet<Node>>();
  const order: Node[] = [];
  const seen = new Set<Node>([node]);
  const todo: { readonly node: Node; done: boolean }[] = [{ node, done: false }];
  while (todo.length > 0) {
    const top = todo.at(-1)!;
    if (top.done) {
      todo.pop();
      order.push(top.node);
      continue;
    }
    top.done = true;
    for (const x of top.node.inputs) {
      if (seen.has(x) || lowerer.isSlot(x)) continue;
      seen.add(x);
      todo.push({ node: x, done: false });
    }
  }
  let best: Node | null = null;
  let wide: Node | null = null;
  for (const n of order) {
    const slots = new Set<Node>();
    for (const x of n.inputs) {
      if (!lowerer.isSlot(x)) for (const s of below.get(x) ?? []) slots.add(s);
      else if (lowerer.leaf(x) === null) slots.add(x);
    }
    below.set(n, slots);
    if (n === node || lowerer.merged.has(n)) continue;
    if (slots.size > most) wide ??= n;
    else if (slots.size > 1 && slots.size > (best === null ? 1 : below.get(best)!.size)) best = n;
  }
  return best ?? wide;
}
