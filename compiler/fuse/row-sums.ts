/**
 * Sums along the rows of a wide matrix that sums along short rows give. The gradient of softmax needs, for each row t, what `sum[k] dp[t, k] * p[t, k]` is, where
 * `dp[t, k] = sum[e] g[t, e] * v[k, e]` and the forward pass has `z[t, e] = sum[k] p[t, k] * v[k, e]`: the same as `sum[e] g[t, e] * z[t, e]`, without either matrix. Where
 * those are not stored but computed in blocks, that is a pass over them less.
 *
 * Not here: what is streamed (stream.ts).
 */
import type { Graph, Node, NodeOf } from '../graph/types.ts';

/** The graph with such sums rewritten; `isWide`: of which products. */
export function rowSums(graph: Graph, isWide: (product: NodeOf<'contract'>) => boolean): Graph {
  let id = graph.nodes.reduce((m, n) => Math.max(m, n.id), 0) + 1;
  const fresh = new Map<Node, Node>();
  const nodes: Node[] = [];
  const seen: NodeOf<'contract'>[] = [];
  const made = (
    like: Node,
    inputs: readonly Node[],
    type: Node['type'],
    attrs: object = like.attrs as object,
    op: Node['op'] = like.op,
  ): Node => {
    const node = { ...like, op, id: id++, inputs, type, attrs } as Node;
    nodes.push(node);
    return node;
  };
  for (const n of graph.nodes) {
    const short = n.op === 'reduce' && n.attrs.op === 'sum' ? shortSum(n, seen, isWide) : null;
    if (n.op === 'contract') seen.push(n);
    if (short === null) {
      const inputs = n.inputs.map((x) => fresh.get(x) ?? x);
      const own = inputs.every((x, k) => x === n.inputs[k]) ? n : ({ ...n, inputs } as Node);
      if (own !== n) fresh.set(n, own);
      nodes.push(own);
      continue;
    }
    const { gradient, result, axes, perm, product, around } = short;
    const inputs = [gradient, result].map((x) => fresh.get(x) ?? x);
    const each = made(product, inputs, { ...gradient.type, dtype: product.type.dtype });
    // The rows in the gradient's order, then in the sum's.
    const sizes = perm.map((_, k) => n.type.sizes[perm.indexOf(k)]!);
    let own = made(n, [each], { ...n.type, sizes }, { op: 'sum', axes });
    if (perm.some((from, k) => from !== k)) own = made(n, [own], n.type, { perm }, 'transpose');
    for (const { like, by } of around) own = made(like, by === null ? [own] : [own, fresh.get(by) ?? by], n.type);
    fresh.set(n, own);
  }
  if (fresh.size === 0) return graph;
  return { ...graph, nodes, outputs: graph.outputs.map((o) => ({ ...o, node: fresh.get(o.node) ?? o.node })) };
}

interface ShortSum {
  readonly gradient: Node;
  readonly result: Node;
  /** Of the gradient, that are summed. */
  readonly axes: readonly number[];
  /** For each axis of the sum, which of the gradient's others it is. */
  readonly perm: readonly number[];
  readonly product: Node;
  /** What is done to the product, from the inside, with a value of the row. */
  readonly around: readonly { readonly like: Node; readonly by: Node | null }[];
}

function shortSum(
  n: NodeOf<'reduce'>,
  products: readonly NodeOf<'contract'>[],
  isWide: (product: NodeOf<'contract'>) => boolean,
): ShortSum | null {
  const around: ShortSum['around'][number][] = [];
  const rank = n.inputs[0]!.type.sizes.length;
  const kept = Array.from({ length: rank }, (_, k) => k).filter((k) => !n.attrs.axes.includes(k));
  let core = n.inputs[0]!;
  for (;;) {
    if (core.op === 'neg') around.unshift({ like: core, by: null });
    else if (core.op === 'div') {
      const by: Node = core.inputs[1]!;
      if (by.op !== 'broadcast' || by.attrs.axes.join() !== kept.join()) return null;
      around.unshift({ like: core, by: by.inputs[0]! });
    } else break;
    core = core.inputs[0]!;
  }
  if (core.op !== 'mul') return null;
  for (const [dp, p] of [core.inputs, [core.inputs[1]!, core.inputs[0]!]] as const) {
    if (dp!.op !== 'contract' || !isWide(dp!)) continue;
    const { a, b, out } = dp!.attrs;
    for (const [g, v, of, along] of [
      [dp!.inputs[0]!, dp!.inputs[1]!, a, b],
      [dp!.inputs[1]!, dp!.inputs[0]!, b, a],
    ] as const) {
      const result = products.find((z) => isResult(z, p!, v, { out, along, of }));
      const rows = kept.map((k) => out[k]!);
      const axes = of.flatMap((letter, k) => (rows.includes(letter) ? [] : [k]));
      const left = of.filter((letter) => rows.includes(letter));
      if (result === undefined || axes.length === 0 || left.length !== rows.length) continue;
      return { gradient: g, result, axes, perm: rows.map((l) => left.indexOf(l)), product: core, around };
    }
  }
  return null;
}

/** Whether `z` sums `p`, whose axes are `out`, with `v`, whose axes are `along`, and has the axes `of`, all by the letters of the product that `p` is multiplied with. */
function isResult(
  z: NodeOf<'contract'>,
  p: Node,
  v: Node,
  {
    out,
    along,
    of,
  }: { readonly out: readonly string[]; readonly along: readonly string[]; readonly of: readonly string[] },
): boolean {
  for (const [x, y, xs, ys] of [
    [z.inputs[0]!, z.inputs[1]!, z.attrs.a, z.attrs.b],
    [z.inputs[1]!, z.inputs[0]!, z.attrs.b, z.attrs.a],
  ] as const) {
    if (x !== p || y !== v) continue;
    const letters = new Map<string, string>();
    const names = (own: readonly string[], theirs: readonly string[]): boolean =>
      own.every((letter, k) => {
        if (letters.has(letter) && letters.get(letter) !== theirs[k]) return false;
        letters.set(letter, theirs[k]!);
        return true;
      });
    if (!names(xs, out) || !names(ys, along) || new Set(letters.values()).size !== letters.size) continue;
    if (z.attrs.out.map((l) => letters.get(l)).join() === of.join()) return true;
  }
  return false;
}
