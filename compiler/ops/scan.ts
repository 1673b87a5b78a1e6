/**
 * Loops. Their gradient is a loop the other way.
 *
 * Backward. The forward loop is run with one more yield for each carry: its value before each round. The backward loop visits the rounds in
 * the opposite order; its sequences are those saved carries, the forward sequences and the gradients of the yields; its carries are the
 * gradients of the float carries and, summed up over the rounds, those of the float constants. Its body makes the round's nodes again from the
 * saved carries and differentiates them; it is an ordinary graph, so it can be differentiated in turn. Integer carries have no gradient.
 *
 * A loop that ended early (`until`) has a backward loop limited to the rounds that ran; a limited loop has one of the same limit.
 *
 * The forward loop and its saving version are two nodes until `simplify` keeps only the one with more yields.
 */
import { inline } from '../graph/copy.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Graph, Node, NodeOf } from '../graph/types.ts';
import { evaluate } from '../sizes/poly.ts';
import type { OpRecord, Tensor, VjpContext } from './record.ts';
import { scanRule } from './rules.ts';
import { scanExamples } from './scan-examples.ts';
import { isFloat } from './shapes.ts';
import { count, zeros } from './tensor.ts';

interface Saving {
  readonly body: Graph;
  /** Member of the loop's tuple that holds a carry's values before the rounds, by carry. */
  readonly members: readonly number[];
}

const savings = new WeakMap<Graph, Saving>();

/** The body that also yields each carry's value before the round. One graph a body, so that its loops are one node. */
function savingBody(body: Graph, carries: number): Saving {
  const known = savings.get(body);
  if (known !== undefined) return known;
  const outputs = [...body.outputs];
  const members = body.inputs.slice(1, 1 + carries).map((leaf) => {
    const present = outputs.findIndex((o, k) => k >= carries && o.node === leaf);
    if (present >= 0) return present;
    return outputs.push({ name: `before${outputs.length}`, node: leaf, updates: null }) - 1;
  });
  const made = { body: outputs.length === body.outputs.length ? body : { ...body, outputs }, members };
  savings.set(body, made);
  return made;
}

function backward({ builder, node, gradients, wanted, pullback }: VjpContext<'scan'>): (Node | null)[] {
  const { body, length, carries: carryCount, sequences: sequenceCount, reversed } = node.attrs;
  const sequences = node.inputs.slice(carryCount, carryCount + sequenceCount);
  const constants = node.inputs.slice(carryCount + sequenceCount);
  const float = (n: Node): boolean => isFloat(n.type.dtype);

  const saving = savingBody(body, carryCount);
  const again = builder.scan(node.inputs, { ...node.attrs, body: saving.body });
  const saved = saving.members.map((member) => builder.part(again, member));
  const initial = node.inputs.slice(0, carryCount);
  const limit =
    node.attrs.until === true ? builder.part(again, 1) : node.attrs.limited === true ? node.inputs.at(-1)! : null;
  const floatCarries = initial.map((_, k) => k).filter((k) => float(initial[k]!));
  const yields = body.outputs.map((_, k) => k).filter((k) => k >= carryCount && (gradients[k] ?? null) !== null);
  const wantedSequences = sequences
    .map((_, k) => k)
    .filter((k) => wanted[carryCount + k] === true && float(sequences[k]!));
  const wantedConstants = constants
    .map((_, k) => k)
    .filter((k) => wanted[carryCount + sequenceCount + k] === true && float(constants[k]!))
    .filter((k) => constants.indexOf(constants[k]!) === k); // the same tensor twice: its whole gradient goes to the first

  const result = builder.loop(
    {
      carries: [
        ...floatCarries.map((k) => gradients[k] ?? builder.zeros(initial[k]!.type)),
        ...wantedConstants.map((k) => builder.zeros(constants[k]!.type)),
      ],
      sequences: [...saved, ...sequences, ...yields.map((k) => gradients[k]!)],
      length,
      reversed: !reversed,
      limit,
      name: `${body.name}'`,
    },
    (inner, round, sums, elements) => {
      const before = elements.slice(0, carryCount);
      const items = elements.slice(carryCount, carryCount + sequenceCount);
      const yieldGradients = elements.slice(carryCount + sequenceCount);
      const locals = constants.map((c) => inner.local(c));
      const outputs = inline(inner, body, [round, ...before, ...items, ...locals]);
      const seeds = [
        ...floatCarries.map((k, n) => ({ node: outputs[k]!, gradient: sums[n]! })),
        ...yields.map((k, n) => ({ node: outputs[k]!, gradient: yieldGradients[n]! })),
      ];
      const wrt = [
        ...floatCarries.map((k) => before[k]!),
        ...wantedConstants.map((k) => locals[k]!),
        ...wantedSequences.map((k) => items[k]!),
      ];
      const found = pullback(inner, seeds, wrt);
      const carriesEnd = floatCarries.length;
      const constantsEnd = carriesEnd + wantedConstants.length;
      return {
        carries: sums.map((sum, k) => {
          const g = found[k] ?? null;
          if (k < carriesEnd) return g ?? inner.zeros(sum.type);
          return g === null ? sum : inner.add(sum, g);
        }),
        yields: wrt.slice(constantsEnd).map((item, k) => found[constantsEnd + k] ?? inner.zeros(item.type)),
      };
    },
  );

  const out: (Node | null)[] = node.inputs.map(() => null);
  for (const [n, k] of floatCarries.entries()) out[k] = result.carries[n]!;
  for (const [n, k] of wantedConstants.entries())
    out[carryCount + sequenceCount + k] = result.carries[floatCarries.length + n]!;
  for (const [n, k] of wantedSequences.entries()) out[carryCount + k] = ranOnly(builder, result.yields[n]!, limit);
  return out;
}

/** Zero in the rounds that did not run. */
function ranOnly(builder: GraphBuilder, stacked: Node, limit: Node | null): Node {
  if (limit === null) return stacked;
  const { sizes } = stacked.type;
  const ran = builder.lt(builder.iota(sizes, 0), builder.broadcast(limit, sizes, []));
  return builder.select(ran, stacked, builder.zeros(stacked.type));
}

const row = (x: Tensor, k: number): Tensor => {
  const sizes = x.sizes.slice(1);
  const n = count(sizes);
  return { dtype: x.dtype, sizes, data: x.data.slice(k * n, (k + 1) * n) };
};

function nonsense(dtype: Tensor['dtype'], sizes: readonly number[]): Tensor {
  const made = zeros(dtype, sizes);
  if (dtype !== 'bool') made.data.fill(dtype === 'i32' ? -(2 ** 30) : Number.NaN);
  return made;
}

function run(
  inputs: readonly Tensor[],
  node: NodeOf<'scan'>,
  length: number,
  sizes: (name: string) => number,
  body: (inputs: readonly Tensor[]) => readonly Tensor[],
): Tensor[] {
  const { carries: carryCount, sequences: sequenceCount, reversed, until, limited } = node.attrs;
  let carries = inputs.slice(0, carryCount);
  const sequences = inputs.slice(carryCount, carryCount + sequenceCount);
  const constants = inputs.slice(carryCount + sequenceCount);
  const stacked: Tensor[] = [];
  const rounds = limited === true ? Math.max(0, Math.min(length, inputs.at(-1)!.data[0]!)) : length;
  // Nobody may read what a round that did not run would have yielded.
  for (const [k, member] of (node.members ?? []).slice(carryCount).entries())
    stacked[k] = nonsense(member.dtype, [length, ...member.sizes.slice(1).map((s) => evaluate(s, sizes))]);
  for (let step = 0; step < rounds; step++) {
    const round = reversed ? rounds - 1 - step : step;
    const counter: Tensor = { dtype: 'i32', sizes: [], data: Int32Array.of(round) };
    const results = body([counter, ...carries, ...sequences.map((s) => row(s, round)), ...constants]);
    carries = results.slice(0, carryCount);
    for (const [k, item] of results.slice(carryCount).entries()) {
      stacked[k]!.data.set(item.data, round * item.data.length);
    }
    if (until === true && carries[0]!.data[0] !== 0) break;
  }
  return [...carries, ...stacked];
}

export const scan: OpRecord<'scan'> = {
  ...scanRule,
  vjp: (cx) => (cx.gradients.every((g) => g === null) ? cx.node.inputs.map(() => null) : backward(cx)),
  evaluate: (inputs, node, cx) =>
    run(inputs, node, evaluate(node.attrs.length, cx.sizes), cx.sizes, (given) => cx.run(node.attrs.body, given)),
  lowering: { kind: 'opaque' },
  cost: () => Infinity,
  examples: scanExamples,
};
