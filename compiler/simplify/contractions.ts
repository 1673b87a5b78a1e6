/**
 * Rules of contractions: transposes become labels, repeated operands are not repeated, products without a sum become multiplications, and
 * multiplications of repeated operands that are summed become contractions.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, NodeOf } from '../graph/types.ts';
import { contracted } from '../ops/contract.ts';
import { without } from '../ops/shapes.ts';
import { as, freshAxes, inverse, rule, spread, type Rule } from './rule.ts';

type Contract = NodeOf<'contract'>;

/** The contraction with operand `side` in place of its broadcast. */
function withoutBroadcast(b: GraphBuilder, n: Contract, side: 0 | 1): Node | null {
  const inner = as(n.inputs[side], 'broadcast');
  if (inner === null) return null;
  const own = side === 0 ? n.attrs.a : n.attrs.b;
  const others = side === 0 ? n.attrs.b : n.attrs.a;
  const repeated = freshAxes(inner).map((a) => own[a]!);
  const kept = inner.attrs.axes.map((a) => own[a]!);
  let partner = n.inputs[1 - side]!;
  // Summed over: only the partner varies along it, so the partner is summed first.
  const summed = repeated.filter((label) => others.includes(label) && !n.attrs.out.includes(label));
  partner = b.reduce(
    'sum',
    partner,
    summed.map((label) => others.indexOf(label)),
  );
  const partnerLabels = others.filter((label) => !summed.includes(label));
  // In neither what is left of the operand nor the partner: the result repeats along it.
  const out = n.attrs.out.filter((label) => kept.includes(label) || partnerLabels.includes(label));
  const x = inner.inputs[0]!;
  const small =
    side === 0 ? b.contract(x, partner, kept, partnerLabels, out) : b.contract(partner, x, partnerLabels, kept, out);
  return b.broadcast(
    small,
    n.type.sizes,
    out.map((label) => n.attrs.out.indexOf(label)),
  );
}

export const contractionRules: readonly Rule[] = [
  rule('contract_transpose', 'contract', (b, n) => {
    const [x, y] = n.inputs;
    const left = as(x, 'transpose');
    const right = as(y, 'transpose');
    if (left === null && right === null) return null;
    const relabel = (t: NodeOf<'transpose'> | null, labels: readonly string[]): readonly string[] =>
      t === null ? labels : inverse(t.attrs.perm).map((k) => labels[k]!);
    return b.contract(
      left?.inputs[0] ?? x!,
      right?.inputs[0] ?? y!,
      relabel(left, n.attrs.a),
      relabel(right, n.attrs.b),
      n.attrs.out,
    );
  }),
  rule('transpose_contract', 'transpose', (b, n) => {
    const inner = as(n.inputs[0], 'contract');
    if (inner === null) return null;
    const out = n.attrs.perm.map((p) => inner.attrs.out[p]!);
    return b.contract(inner.inputs[0]!, inner.inputs[1]!, inner.attrs.a, inner.attrs.b, out);
  }),
  rule('contract_broadcast', 'contract', (b, n) => withoutBroadcast(b, n, 0) ?? withoutBroadcast(b, n, 1)),
  rule('contract_without_sum', 'contract', (b, n) => {
    const { a, b: labels, out } = n.attrs;
    if (contracted(n.attrs).length > 0) return null;
    const [x, y] = n.inputs;
    const places = (own: readonly string[]): number[] => own.map((label) => out.indexOf(label));
    return b.mul(spread(b, x!, places(a), n.type.sizes), spread(b, y!, places(labels), n.type.sizes));
  }),
  // Σ of a product whose operands each repeat along an axis of the other: a contraction.
  rule('sum_of_product', 'reduce', (b, n) => {
    const product = as(n.inputs[0], 'mul');
    if (n.attrs.op !== 'sum' || product === null || n.type.dtype !== 'f32') return null;
    const left = as(product.inputs[0], 'broadcast');
    const right = as(product.inputs[1], 'broadcast');
    if (left === null || right === null) return null;
    const inBoth = (k: number): boolean => left.attrs.axes.includes(k) && right.attrs.axes.includes(k);
    const rank = product.type.sizes.length;
    const axes = Array.from({ length: rank }, (_, k) => k);
    // Each operand must repeat along something that the other has, every axis must be in one, and every summed one in both.
    const leftOnly = axes.some((k) => left.attrs.axes.includes(k) && !right.attrs.axes.includes(k));
    const rightOnly = axes.some((k) => right.attrs.axes.includes(k) && !left.attrs.axes.includes(k));
    const covered = axes.every((k) => left.attrs.axes.includes(k) || right.attrs.axes.includes(k));
    if (!leftOnly || !rightOnly || !covered || !n.attrs.axes.every(inBoth)) return null;
    const label = (k: number): string => `l${k}`;
    return b.contract(
      left.inputs[0]!,
      right.inputs[0]!,
      left.attrs.axes.map(label),
      right.attrs.axes.map(label),
      without(axes, n.attrs.axes).map(label),
    );
  }),
];
