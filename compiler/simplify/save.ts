/**
 * scan_save: what a round cost is kept for the loop that comes back to it.
 *
 * The gradient of a loop (`ops/scan.ts`) makes each round's values again from the saved carries. Where such a value was costly (a contraction, a reduction, an
 * exponential) the first loop yields it and the second reads it; what is cheap is still made again from what was kept. Twins are found by making both
 * bodies again in one hash-consing builder, whose leaves are the same where they stand for the same thing: so it holds for a gradient's gradient too, and
 * for any two loops of which one reads what the other stacked.
 *
 * Values much larger than what they are made of (scores of attention) are not kept: a round's are small beside all rounds'. Loops that are there to keep
 * memory small (`apart`) keep nothing.
 */
import { GraphBuilder } from '../graph/builder.ts';
import { remake } from '../graph/copy.ts';
import type { Graph, Node, NodeOf, Output } from '../graph/types.ts';
import { recordOf } from '../ops/registry.ts';
import { evaluate } from '../sizes/poly.ts';
import type { LoopContext } from './loops.ts';

type Scan = NodeOf<'scan'>;

/** Elementwise work from which a value is worth a place in memory. */
const COSTLY = 16;
/** A contraction so many times its operands is made again. */
const WIDE = 3;
const NOMINAL = 64;

/** What one loop reads of another instead of making it again: nodes of its body → nodes of the other's. */
interface Saving {
  readonly of: Scan;
  readonly twins: Map<Node, Node>;
}

/** The graph with such values kept; the same object where there are none. */
export function saveRounds(graph: Graph, cx: LoopContext): Graph {
  const savings = new Map<Scan, Saving[]>();
  const yields = new Map<Scan, Node[]>();
  const families = new Map<readonly Node[], number>();
  for (const n of graph.nodes)
    if (n.op === 'scan') families.set(n.attrs.body.nodes, (families.get(n.attrs.body.nodes) ?? 0) + 1);
  for (const scan of graph.nodes) {
    // A member of a family stays what the others are (scan_share).
    if (scan.op !== 'scan' || scan.attrs.apart === true || families.get(scan.attrs.body.nodes)! > 1) continue;
    const taken = new Set<Node>();
    for (const of of readFrom(scan)) {
      const twins = twinsOf(scan, of, cx);
      for (const n of taken) twins.delete(n);
      if (twins.size === 0) continue;
      cx.trace('scan_save', scan);
      savings.set(scan, [...(savings.get(scan) ?? []), { of, twins }]);
      const own = yields.get(of) ?? [];
      yields.set(of, own);
      for (const [mine, theirs] of twins) {
        taken.add(mine);
        if (!own.includes(theirs)) own.push(theirs);
      }
    }
  }
  if (savings.size === 0) return graph;

  const builder = new GraphBuilder(graph.name, cx.origins);
  const copies = new Map<Node, Node>();
  const bodies = new Map<Scan, ReadonlyMap<Node, Node>>();
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((x) => copies.get(x)!);
    if (node.op !== 'scan' || (!savings.has(node) && !yields.has(node))) {
      copies.set(node, remake(builder, node, inputs));
      continue;
    }
    const { carries, sequences } = node.attrs;
    const kept = savings.get(node) ?? [];
    const read = kept.flatMap(({ of, twins }) =>
      [...twins].map(([mine, theirs]) => ({
        mine,
        stack: builder.at(node.origin, () =>
          builder.part(copies.get(of)!, of.attrs.body.outputs.length + yields.get(of)!.indexOf(theirs)),
        ),
      })),
    );
    let { body } = node.attrs;
    let inside: ReadonlyMap<Node, Node> = new Map();
    if (read.length > 0)
      ({ body, copies: inside } = reading(
        body,
        1 + carries + sequences,
        read.map((r) => r.mine),
        cx,
      ));
    bodies.set(node, inside);
    const more = (yields.get(node) ?? []).map((n, k): Output => ({
      name: `kept${body.outputs.length + k}`,
      node: inside.get(n) ?? n,
      updates: null,
    }));
    const [before, after] = [inputs.slice(0, carries + sequences), inputs.slice(carries + sequences)];
    copies.set(
      node,
      builder.at(node.origin, () =>
        builder.scan([...before, ...read.map((r) => r.stack), ...after], {
          ...node.attrs,
          sequences: sequences + read.length,
          // The nodes stay the very same list: by it loops over one body are known.
          body: more.length === 0 ? body : { ...body, outputs: [...body.outputs, ...more] },
        }),
      ),
    );
  }
  return builder.finish(graph.outputs.map((o) => ({ ...o, node: copies.get(o.node)! })));
}

/** Loops of which this one reads stacked values, round by round. */
function readFrom(scan: Scan): ReadonlySet<Scan> {
  const { carries, sequences, length } = scan.attrs;
  const found = new Set<Scan>();
  for (const x of scan.inputs.slice(carries, carries + sequences)) {
    const of = x.inputs[0];
    if (x.op === 'part' && of?.op === 'scan' && x.attrs.index >= of.attrs.carries && of.attrs.length === length)
      if (of.attrs.apart !== true) found.add(of);
  }
  return found;
}

/** Costly nodes of a loop's body that the other loop has too, as far as something else in the body needs them. */
function twinsOf(scan: Scan, of: Scan, cx: LoopContext): Map<Node, Node> {
  const b = new GraphBuilder('twins', cx.origins);
  const theirs = new Map<Node, Node>();
  const origin = new Map<Node, Node>();
  const leaf = (n: Node, name: string): Node => b.input(name, 'body', n.type, n.origin);
  const wide = wideNodes(of.attrs.body);
  for (const [k, n] of of.attrs.body.nodes.entries()) {
    const copy =
      n.op === 'input'
        ? leaf(n, `theirs${k}`)
        : remake(
            b,
            n,
            n.inputs.map((x) => theirs.get(x)!),
          );
    theirs.set(n, copy);
    if (!origin.has(copy)) origin.set(copy, n);
  }
  const own = new Map<Node, Node>();
  const { carries, sequences, body } = scan.attrs;
  const stacked = of.attrs.carries + of.attrs.sequences;
  const twinOfLeaf = (k: number): Node | undefined => {
    if (k === 0) return of.attrs.body.inputs[0];
    const x = scan.inputs[k - 1]!;
    if (k <= carries) return undefined;
    const isSequence = k <= carries + sequences;
    if (isSequence && x.op === 'part' && x.inputs[0] === (of as Node) && x.attrs.index >= of.attrs.carries)
      return of.attrs.body.outputs[x.attrs.index]!.node;
    const at = of.inputs.findIndex(
      (y, i) => y === x && (isSequence ? i >= of.attrs.carries && i < stacked : i >= stacked),
    );
    return at < 0 ? undefined : of.attrs.body.inputs[1 + at];
  };
  for (const [k, n] of body.inputs.entries()) {
    const twin = twinOfLeaf(k);
    own.set(n, twin === undefined ? leaf(n, `own${k}`) : theirs.get(twin)!);
  }
  for (const n of body.nodes)
    if (!own.has(n))
      own.set(
        n,
        remake(
          b,
          n,
          n.inputs.map((x) => own.get(x)!),
        ),
      );

  const found = new Map<Node, Node>();
  const seen = new Set<Node>(body.inputs);
  const wanted = body.outputs.map((o) => o.node);
  while (wanted.length > 0) {
    const n = wanted.pop()!;
    if (seen.has(n)) continue;
    seen.add(n);
    const twin = origin.get(own.get(n)!);
    if (twin !== undefined && twin.op !== 'input' && isCostly(twin) && !wide.has(twin)) found.set(n, twin);
    else wanted.push(...n.inputs);
  }
  return found;
}

function isCostly(n: Node): boolean {
  if (n.members !== null) return false;
  if (n.op === 'contract' || n.op === 'reduce' || n.op === 'cumulate') return true;
  if (n.op === 'part' || n.op === 'scatter') return false;
  const cost = (recordOf(n.op).cost as (node: Node) => unknown)(n);
  return typeof cost === 'number' && Number.isFinite(cost) && cost >= COSTLY;
}

const count = (n: Node): number => n.type.sizes.reduce((c, s) => c * evaluate(s, () => NOMINAL), 1);

/** Contractions much larger than their operands, and what has their shape. */
function wideNodes(body: Graph): ReadonlySet<Node> {
  const wide = new Set<Node>();
  const sameShape = (a: Node, c: Node): boolean =>
    a.type.sizes.length === c.type.sizes.length && a.type.sizes.every((s, k) => s === c.type.sizes[k]);
  for (const n of body.nodes) {
    if (n.members !== null || n.type.sizes.length < 2) continue;
    if (
      n.op === 'contract'
        ? n.inputs.every((x) => count(n) >= WIDE * count(x))
        : n.inputs.some((x) => wide.has(x) && sameShape(x, n))
    )
      wide.add(n);
  }
  return wide;
}

/** The body with leaves, as elements of further sequences, in place of some nodes. `at`: how many leaves come before them. */
function reading(
  body: Graph,
  at: number,
  nodes: readonly Node[],
  cx: LoopContext,
): { readonly body: Graph; readonly copies: ReadonlyMap<Node, Node> } {
  const b = new GraphBuilder(body.name, cx.origins);
  const copies = new Map<Node, Node>();
  for (const [k, n] of body.inputs.entries()) {
    if (k === at)
      for (const [i, made] of nodes.entries()) copies.set(made, b.input(`kept${i}`, 'body', made.type, made.origin));
    copies.set(n, b.input(n.attrs.name, 'body', n.type, n.origin));
  }
  if (at === body.inputs.length)
    for (const [i, made] of nodes.entries()) copies.set(made, b.input(`kept${i}`, 'body', made.type, made.origin));
  for (const n of body.nodes)
    if (!copies.has(n))
      copies.set(
        n,
        remake(
          b,
          n,
          n.inputs.map((x) => copies.get(x)!),
        ),
      );
  return { body: b.finish(body.outputs.map((o) => ({ ...o, node: copies.get(o.node)! }))), copies };
}
