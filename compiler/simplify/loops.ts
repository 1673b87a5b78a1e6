/**
 * Simplification of loops. One pass makes the graph again; every scan is replaced by a smaller equal one.
 *
 * - scan_share: of two loops over the same operands and nodes, of which one yields more (the one that saves carries for its gradient), one stays.
 * - scan_prune: unread yields go, then carries, sequences and constants that nothing read needs.
 * - scan_constant_carry: a carry that every round hands on unchanged is a constant.
 * - scan_operands: an operand given twice is given once; constants are made inside; a sequence of equal elements is a constant.
 * - scan_yield_of_operand: a yield of a constant or of a sequence's element is not computed.
 * - scan_single_round: a loop of one round is its body.
 * - scan_sum_outside: a carry that only sums up contractions (a weight's gradient) becomes one contraction over all rounds, after the loop. It
 *   needs the operands of all rounds in memory, which reverse mode mostly has anyway, and turns many thin products into one large one.
 *
 * - scan_map_outside: in a loop with carries, a contraction of what is known before the loop (sequences' elements and constants: a recurrent
 *   layer's input projection, or its recomputation backward) is one contraction over all rounds before it; what is made of constants alone is a constant.
 * - scan_save: costly values of a round are kept for the loop that comes back to it (save.ts).
 * - scan_yield_outside: a contraction with a constant or an element, only to be yielded, is one contraction over all rounds after the loop.
 *
 * Bodies are simplified by the whole of `simplify`, once each.
 */
import { GraphBuilder } from '../graph/builder.ts';
import { inline, remake } from '../graph/copy.ts';
import type { Origins } from '../graph/origin.ts';
import type { Graph, Node, NodeOf, OpAttributes, Output } from '../graph/types.ts';
import { signatures } from '../ops/elementwise-rules.ts';
import { ONE, ZERO } from '../sizes/poly.ts';
import type { Trace } from './rewrite.ts';
import { as } from './rule.ts';
import { saveRounds } from './save.ts';

type Scan = NodeOf<'scan'>;

export interface LoopContext {
  readonly origins: Origins;
  readonly trace: Trace;
  /** `simplify` for a body, remembered. */
  readonly body: (body: Graph) => Graph;
}

/** The graph with smaller loops; the same object if nothing could be done. */
export function simplifyLoops(whole: Graph, cx: LoopContext): Graph {
  if (!whole.nodes.some((n) => n.op === 'scan')) return whole;
  const graph = saveRounds(whole, cx);
  const used = usedMembers(graph);
  const shared = largerLoops(graph, used);
  const builder = new GraphBuilder(graph.name, cx.origins);
  const copies = new Map<Node, Node>();
  const members = new Map<Node, (index: number) => Node>();
  let changed = false;
  for (const node of graph.nodes) {
    const inputs = (): Node[] => node.inputs.map((x) => copies.get(x)!);
    if (node.op === 'scan') {
      // The larger of a family is made where the first one stands: they have the same operands.
      const scan = shared.get(node)?.scan ?? node;
      if (members.has(scan)) continue;
      const made = builder.at(scan.origin, () => tidy(builder, scan, inputs(), used.get(scan) ?? new Set(), cx));
      if (made === null) {
        const copy = remake(builder, scan, inputs());
        members.set(scan, (index) => builder.part(copy, index));
      } else {
        changed = true;
        members.set(scan, (index) => made.get(index)!);
      }
    } else if (node.op === 'part' && node.inputs[0]!.op === 'scan') {
      const scan = node.inputs[0]! as Scan;
      const larger = shared.get(scan);
      const index = larger?.member(node.attrs.index) ?? node.attrs.index;
      if (larger !== undefined) {
        changed = true;
        cx.trace('scan_share', scan);
      }
      const part = builder.at(node.origin, () => members.get(larger?.scan ?? scan)!(index));
      copies.set(node, part);
    } else copies.set(node, remake(builder, node, inputs()));
  }
  if (!changed) return graph;
  return builder.finish(graph.outputs.map((o) => ({ ...o, node: copies.get(o.node)! })));
}

function usedMembers(graph: Graph): Map<Scan, Set<number>> {
  const used = new Map<Scan, Set<number>>();
  for (const node of graph.nodes) {
    if (node.op !== 'part' || node.inputs[0]!.op !== 'scan') continue;
    const scan = node.inputs[0]! as Scan;
    const set = used.get(scan) ?? new Set<number>();
    used.set(scan, set.add(node.attrs.index));
  }
  return used;
}

interface Larger {
  readonly scan: Scan;
  readonly member: (index: number) => number;
}

/** For a loop that another one contains: that one, which then has the members of both in use. */
function largerLoops(graph: Graph, used: Map<Scan, Set<number>>): Map<Scan, Larger> {
  const families = new Map<string, Scan[]>();
  const bodies = new Map<readonly Node[], number>();
  for (const node of graph.nodes) {
    if (node.op !== 'scan') continue;
    const { body, length, carries, sequences, reversed, until = false, limited = false, apart = false } = node.attrs;
    if (!bodies.has(body.nodes)) bodies.set(body.nodes, bodies.size);
    const inputs = node.inputs.map((x) => x.id);
    const key = [bodies.get(body.nodes), inputs, length.key, carries, sequences, reversed, until, limited, apart].join(
      ';',
    );
    families.set(key, [...(families.get(key) ?? []), node]);
  }
  const out = new Map<Scan, Larger>();
  for (const family of families.values()) {
    const largest = family.reduce((x, y) => (y.attrs.body.outputs.length > x.attrs.body.outputs.length ? y : x));
    for (const scan of family) {
      if (scan === largest) continue;
      const from = scan.attrs.body.outputs;
      const to = largest.attrs.body.outputs;
      const { carries } = scan.attrs;
      const places = from.map((o, k) =>
        k < carries ? (to[k]!.node === o.node ? k : -1) : to.findIndex((p, n) => n >= carries && p.node === o.node),
      );
      if (places.includes(-1)) continue;
      out.set(scan, { scan: largest, member: (index) => places[index]! });
      const all = used.get(largest) ?? new Set<number>();
      for (const index of used.get(scan) ?? []) all.add(places[index]!);
      used.set(largest, all);
    }
  }
  return out;
}

/** A node that is made from nothing: worth making again inside a body. */
const isFree = (n: Node): boolean =>
  n.op === 'const' || n.op === 'size' || n.op === 'iota' || (n.op === 'broadcast' && isFree(n.inputs[0]!));

const copyFree = (b: GraphBuilder, n: Node): Node =>
  remake(
    b,
    n,
    n.inputs.map((x) => copyFree(b, x)),
  );

/** What stands for a leaf of the old body. */
type Operand =
  | { readonly kind: 'round' }
  | { readonly kind: 'carry'; readonly input: Node; readonly index: number }
  | { readonly kind: 'sequence'; readonly input: Node }
  | { readonly kind: 'constant'; readonly input: Node };

/** The members in use of a smaller loop, by their old index; null if there is nothing to do. */
function tidy(
  b: GraphBuilder,
  scan: Scan,
  inputs: readonly Node[],
  used: ReadonlySet<number>,
  cx: LoopContext,
): Map<number, Node> | null {
  const { length, carries: carryCount, reversed } = scan.attrs;
  const body = cx.body(scan.attrs.body);
  let changed = body !== scan.attrs.body;
  const note = (rule: string): void => {
    changed = true;
    cx.trace(rule, scan);
  };

  // Rounds may be left out: what is stacked over all of them is not to be used, and the operands that say so stay.
  const partial = scan.attrs.until === true || scan.attrs.limited === true;
  const limitLeaf = scan.attrs.limited === true ? body.inputs.at(-1)! : null;

  if (length === ONE && !partial) {
    note('scan_single_round');
    return singleRound(b, body, inputs, scan.attrs);
  }

  const operands = classify(b, scan, body, inputs, note);
  const leaves = new Map<Node, Operand>(body.inputs.map((leaf, k) => [leaf, operands[k]!]));
  const apart = scan.attrs.apart === true;
  // One round that may not run: what is in it is not to be computed where it does not.
  if (carryCount > 0 && length !== ONE) mapOutside(b, body, leaves, note, !apart);
  const result = new Map<number, Node>();

  // Members that need no loop.
  const wanted: number[] = [];
  for (const index of [...used].sort((x, y) => x - y)) {
    const output = body.outputs[index]!.node;
    const operand = leaves.get(output);
    if (index < carryCount) {
      if (operands[1 + index]!.kind === 'constant') result.set(index, inputs[index]!);
      else wanted.push(index);
    } else if (operand?.kind === 'sequence') {
      note('scan_yield_of_operand');
      result.set(index, operand.input);
    } else if (operand?.kind === 'constant') {
      note('scan_yield_of_operand');
      const { sizes } = operand.input.type;
      result.set(
        index,
        b.broadcast(
          operand.input,
          [length, ...sizes],
          sizes.map((_, k) => k + 1),
        ),
      );
    } else wanted.push(index);
  }

  const uses = usesOf(body);
  const lifted = partial || apart ? new Map<number, Outside>() : yieldsOutside(body, wanted, carryCount, leaves, uses);
  if (lifted.size > 0) note('scan_yield_outside');
  const sums = partial || apart ? new Map<number, Outside>() : sumsOutside(body, wanted, carryCount, lifted, uses);
  if (sums.size > 0) note('scan_sum_outside');

  // What the remaining members need: nodes of the body, and through carries the rounds before.
  const yields: Node[] = [];
  const addYield = (node: Node): void => {
    if (!yields.includes(node)) yields.push(node);
  };
  for (const index of wanted) {
    const outside = lifted.get(index) ?? sums.get(index);
    if (outside !== undefined) for (const node of outside.stacked) addYield(node);
    else if (index >= carryCount) addYield(body.outputs[index]!.node);
  }
  const needed = new Set<Node>();
  const carried = new Set<number>(wanted.filter((index) => index < carryCount && !sums.has(index)));
  if (scan.attrs.until === true) for (const k of [0, 1]) carried.add(k);
  const roots: Node[] = [...yields, ...[...carried].map((index) => body.outputs[index]!.node)];
  while (roots.length > 0) {
    const node = roots.pop()!;
    if (needed.has(node)) continue;
    needed.add(node);
    const operand = leaves.get(node);
    if (operand === undefined) roots.push(...node.inputs);
    if (operand?.kind === 'carry' && !carried.has(operand.index)) {
      carried.add(operand.index);
      roots.push(body.outputs[operand.index]!.node);
    }
  }
  if (carried.size + yields.length < body.outputs.length) note('scan_prune');

  // The new body: its leaves in order, equal operands once.
  const made = new GraphBuilder(body.name, cx.origins);
  const copies = new Map<Node, Node>();
  const carryOrder = [...carried].sort((x, y) => x - y);
  const leafOf = (leaf: Node, name: string): Node => made.input(name, 'body', leaf.type, leaf.origin);
  copies.set(body.inputs[0]!, leafOf(body.inputs[0]!, 'round'));
  for (const [n, k] of carryOrder.entries()) copies.set(body.inputs[1 + k]!, leafOf(body.inputs[1 + k]!, `carry${n}`));
  const limitLast = [...leaves].sort(([x], [y]) => Number(x === limitLeaf) - Number(y === limitLeaf));
  const outer: Record<'sequence' | 'constant', Node[]> = { sequence: [], constant: [] };
  for (const kind of ['sequence', 'constant'] as const) {
    const known = new Map<Node, Node>();
    for (const [leaf, operand] of limitLeaf === null ? leaves : limitLast) {
      if (operand.kind !== kind || (!needed.has(leaf) && leaf !== limitLeaf)) continue;
      // The limit is the last constant, also where the body reads the same tensor.
      let copy = leaf === limitLeaf ? undefined : known.get(operand.input);
      if (copy !== undefined) note('scan_operands');
      else {
        if (kind === 'constant' && isFree(operand.input) && leaf !== limitLeaf) {
          note('scan_operands');
          copy = copyFree(made, operand.input);
        } else {
          copy = leafOf(leaf, `${kind}${outer[kind].length}`);
          outer[kind].push(operand.input);
        }
        known.set(operand.input, copy);
      }
      copies.set(leaf, copy);
    }
  }
  const leafCount = 1 + carryOrder.length + outer.sequence.length + outer.constant.length;
  if (leafCount < body.inputs.length) note('scan_prune');
  if (!changed) return null;

  for (const node of body.nodes) {
    if (copies.has(node) || !needed.has(node)) continue;
    copies.set(
      node,
      remake(
        made,
        node,
        node.inputs.map((x) => copies.get(x)!),
      ),
    );
  }
  const outputs: Output[] = [
    ...carryOrder.map((k, n) => ({ name: `carry${n}`, node: copies.get(body.outputs[k]!.node)!, updates: null })),
    ...yields.map((node, n) => ({ name: `yield${n}`, node: copies.get(node)!, updates: null })),
  ];
  if (yields.length === 0 && !wanted.some((index) => index < carryCount && carried.has(index))) return result;
  const loop = b.scan([...carryOrder.map((k) => inputs[k]!), ...outer.sequence, ...outer.constant], {
    body: made.finish(outputs),
    length,
    carries: carryOrder.length,
    sequences: outer.sequence.length,
    reversed,
    ...(scan.attrs.until === true ? { until: true } : {}),
    ...(scan.attrs.limited === true ? { limited: true } : {}),
    ...(apart ? { apart: true } : {}),
  });
  const stackOf = (node: Node): Node => b.part(loop, carryOrder.length + yields.indexOf(node));
  for (const index of wanted) {
    const sum = sums.get(index);
    const whole = lifted.get(index);
    if (whole !== undefined) result.set(index, whole.total(b, stackOf));
    else if (sum !== undefined) result.set(index, b.add(inputs[index]!, sum.total(b, stackOf)));
    else if (index < carryCount) result.set(index, b.part(loop, carryOrder.indexOf(index)));
    else result.set(index, stackOf(body.outputs[index]!.node));
  }
  return result;
}

/** What each leaf of the body stands for, after constant carries and sequences of equal elements are seen through. */
function classify(
  b: GraphBuilder,
  scan: Scan,
  body: Graph,
  inputs: readonly Node[],
  note: (rule: string) => void,
): Operand[] {
  const { carries: carryCount, sequences: sequenceCount } = scan.attrs;
  const operands: Operand[] = [{ kind: 'round' }];
  for (const [k, input] of inputs.entries()) {
    if (k < carryCount) {
      const counts = scan.attrs.until === true && k < 2;
      const constant = !counts && body.outputs[k]!.node === body.inputs[1 + k];
      if (constant) note('scan_constant_carry');
      operands.push(constant ? { kind: 'constant', input } : { kind: 'carry', input, index: k });
    } else if (k < carryCount + sequenceCount) {
      const repeated = as(input, 'broadcast');
      if (repeated !== null && !repeated.attrs.axes.includes(0)) {
        note('scan_operands');
        const axes = repeated.attrs.axes.map((a) => a - 1);
        operands.push({ kind: 'constant', input: b.broadcast(repeated.inputs[0]!, input.type.sizes.slice(1), axes) });
      } else operands.push({ kind: 'sequence', input });
    } else operands.push({ kind: 'constant', input });
  }
  return operands;
}

function singleRound(
  b: GraphBuilder,
  body: Graph,
  inputs: readonly Node[],
  attrs: OpAttributes['scan'],
): Map<number, Node> {
  const { carries, sequences } = attrs;
  const elements = inputs.map((x, k) => (k >= carries && k < carries + sequences ? b.take(x, 0, ZERO) : x));
  const outputs = inline(b, body, [b.constant(0, 'i32'), ...elements]);
  return new Map(outputs.map((node, k) => [k, k < carries ? node : b.newAxis(node, 0)]));
}

/** Operations that give every element of their operand another place. */
const MOVES: ReadonlySet<string> = new Set(['split', 'merge', 'transpose']);

/** Finds what can be computed before the loop, and notes it in `leaves` as a sequence or a constant of the body. */
function mapOutside(
  b: GraphBuilder,
  body: Graph,
  leaves: Map<Node, Operand>,
  note: (rule: string) => void,
  /** Whether what varies from round to round may be computed for all rounds. */
  stacking: boolean,
): void {
  /** Constants in another shape: made outside only where a contraction takes them along, since they are index arithmetic where they are. */
  const moved = new Map<Node, () => Node>();
  for (const node of body.nodes) {
    if (leaves.has(node) || node.inputs.length === 0 || node.members !== null) continue;
    if (MOVES.has(node.op)) {
      const [x] = node.inputs as [Node];
      const known = leaves.get(x);
      const from = known?.kind === 'constant' ? () => known.input : moved.get(x);
      if (from !== undefined) moved.set(node, () => remake(b, node, [from()]));
      continue;
    }
    const operands = node.inputs.map((x): Operand | undefined => {
      const known = leaves.get(x);
      const from = node.op === 'contract' ? moved.get(x) : undefined;
      return known ?? (from === undefined ? undefined : { kind: 'constant', input: from() });
    });
    const known = operands.filter((o) => o?.kind === 'sequence' || o?.kind === 'constant');
    if (known.length < operands.length) continue;
    const inputs = known.map((o) => o.input);
    const varies = known.map((o) => o.kind === 'sequence');
    if (!varies.includes(true) && (node.op === 'contract' || node.op === 'reduce' || node.op in signatures)) {
      note('scan_map_outside');
      leaves.set(node, { kind: 'constant', input: remake(b, node, inputs) });
    } else if (node.op === 'contract' && stacking) {
      note('scan_map_outside');
      leaves.set(node, { kind: 'sequence', input: overRounds(b, node, inputs[0]!, inputs[1]!, varies) });
    }
  }
}

/** The contraction of all rounds; `varies` says which operands have a round axis (first). */
function overRounds(b: GraphBuilder, node: NodeOf<'contract'>, x: Node, y: Node, varies: readonly boolean[]): Node {
  const { a, b: labels, out } = node.attrs;
  const withRound = (own: readonly string[], has: boolean): readonly string[] => (has ? ['round', ...own] : own);
  return b.contract(x, y, withRound(a, varies[0]!), withRound(labels, varies[1]!), ['round', ...out]);
}

/** What is computed after the loop, from the values that nodes of the body have in all rounds. */
interface Outside {
  readonly stacked: readonly Node[];
  readonly total: (b: GraphBuilder, stackOf: (node: Node) => Node) => Node;
}

function usesOf(body: Graph): Map<Node, number> {
  const uses = new Map<Node, number>();
  const use = (n: Node): void => void uses.set(n, (uses.get(n) ?? 0) + 1);
  for (const node of body.nodes) for (const x of node.inputs) use(x);
  for (const o of body.outputs) use(o.node);
  return uses;
}

/** Yields that are contractions of one node of the body with a constant or an element, and are read by nothing else. */
function yieldsOutside(
  body: Graph,
  wanted: readonly number[],
  carryCount: number,
  leaves: ReadonlyMap<Node, Operand>,
  uses: ReadonlyMap<Node, number>,
): Map<number, Outside> {
  const out = new Map<number, Outside>();
  if (carryCount === 0) return out;
  for (const index of wanted) {
    const product = as(body.outputs[index]!.node, 'contract');
    if (index < carryCount || product === null || uses.get(product as Node) !== 1) continue;
    const given = product.inputs.map((x) => {
      const operand = leaves.get(x);
      return operand?.kind === 'sequence' || operand?.kind === 'constant' ? operand : null;
    });
    if (given.filter((o) => o === null).length !== 1) continue;
    out.set(index, {
      stacked: product.inputs.filter((_, k) => given[k] === null),
      total: (b, stackOf) => {
        const [x, y] = product.inputs.map((n, k) => given[k]?.input ?? stackOf(n));
        return overRounds(
          b,
          product,
          x!,
          y!,
          given.map((o) => o?.kind !== 'constant'),
        );
      },
    });
  }
  return out;
}

/** Carries in use that do nothing but add up a contraction, or the sum of something that is stacked for one. */
function sumsOutside(
  body: Graph,
  wanted: readonly number[],
  carryCount: number,
  lifted: ReadonlyMap<number, Outside>,
  uses: ReadonlyMap<Node, number>,
): Map<number, Outside> {
  const sums = new Map<number, Outside>();
  const stacked = new Set<Node>([...lifted.values()].flatMap((o) => o.stacked));
  for (const k of wanted) if (k >= carryCount && !lifted.has(k)) stacked.add(body.outputs[k]!.node);

  /** What is added, and the changes of shape that the addition sees it through. */
  const addend = (k: number): { readonly node: Node; readonly moves: readonly Node[] } | null => {
    const leaf = body.inputs[1 + k]!;
    const next = as(body.outputs[k]!.node, 'add');
    // The sum so far is read by the addition alone, and the addition is nothing but the next carry.
    if (next === null || uses.get(leaf) !== 1 || uses.get(next as Node) !== 1) return null;
    const [x, y] = next.inputs;
    let node = x === leaf ? y! : y === leaf ? x! : null;
    const moves: Node[] = [];
    while (node !== null && MOVES.has(node.op) && uses.get(node) === 1) {
      moves.unshift(node);
      [node] = node.inputs as [Node];
    }
    return node === null ? null : { node, moves };
  };
  const shaped = (b: GraphBuilder, moves: readonly Node[], total: Node): Node =>
    moves.reduce((x, move) => remake(b, move, [x]), total);
  const carries = wanted.filter((k) => k < carryCount);
  for (const k of carries) {
    const added = addend(k);
    const product = as(added?.node, 'contract');
    if (added === null || product === null || (added.moves.length > 0 && uses.get(product as Node) !== 1)) continue;
    const { a, b: labels, out } = product.attrs;
    const [x, y] = product.inputs as [Node, Node];
    stacked.add(x).add(y);
    const total: Outside['total'] = (b, stackOf) =>
      shaped(b, added.moves, b.contract(stackOf(x), stackOf(y), ['round', ...a], ['round', ...labels], out));
    sums.set(k, { stacked: [x, y], total });
  }
  for (const k of carries) {
    const added = addend(k);
    const sum = as(added?.node, 'reduce');
    const x = sum?.inputs[0];
    if (added === null || sum === null || x === undefined || sum.attrs.op !== 'sum' || !stacked.has(x)) continue;
    const axes = [0, ...sum.attrs.axes.map((a) => a + 1)];
    sums.set(k, { stacked: [x], total: (b, stackOf) => shaped(b, added.moves, b.reduce('sum', stackOf(x), axes)) });
  }
  return sums;
}
