/**
 * Rules of movements, scatters and reductions: compositions, cancellations, and what a broadcast does not need to have computed.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node, NodeOf } from '../graph/types.ts';
import { splice, without } from '../ops/shapes.ts';
import { add, asConst, mul, ONE, sub, ZERO, type Poly } from '../sizes/poly.ts';
import { as, freshAxes, inverse, ranks, rule, spread, valueOf, type Rule } from './rule.ts';

/** Known to be at least 0, by constants. */
const isNatural = (p: Poly): boolean => (asConst(p) ?? -1) >= 0;

/** An i32 size as a scalar of the dtype. */
const sizeAs = (b: GraphBuilder, size: Poly, like: Node): Node => {
  const known = asConst(size);
  return known === null ? b.cast(b.sizeValue(size), like.type.dtype) : b.constant(known, like.type.dtype);
};

export const movementRules: readonly Rule[] = [
  rule('movement_of_constant', ['transpose', 'split', 'merge', 'slice', 'unfold'], (b, n) => {
    const value = valueOf(n.inputs[0]!);
    return value === null ? null : b.constantOf(value, n.type);
  }),
  rule('transpose_transpose', 'transpose', (b, n) => {
    const inner = as(n.inputs[0], 'transpose');
    return inner === null
      ? null
      : b.transpose(
          inner.inputs[0]!,
          n.attrs.perm.map((p) => inner.attrs.perm[p]!),
        );
  }),
  rule('transpose_broadcast', 'transpose', (b, n) => {
    const inner = as(n.inputs[0], 'broadcast');
    if (inner === null) return null;
    const from = inverse(n.attrs.perm);
    const places = inner.attrs.axes.map((a) => from[a]!);
    const order = inverse(ranks(places));
    return b.broadcast(
      b.transpose(inner.inputs[0]!, order),
      n.type.sizes,
      order.map((k) => places[k]!),
    );
  }),
  rule('broadcast_broadcast', 'broadcast', (b, n) => {
    const inner = as(n.inputs[0], 'broadcast');
    if (inner === null) return null;
    return b.broadcast(
      inner.inputs[0]!,
      n.attrs.sizes,
      inner.attrs.axes.map((a) => n.attrs.axes[a]!),
    );
  }),

  rule('merge_split', 'merge', (_, n) => {
    const inner = as(n.inputs[0], 'split');
    return inner !== null && inner.attrs.axis === n.attrs.axis && inner.attrs.sizes.length === n.attrs.count
      ? inner.inputs[0]!
      : null;
  }),
  rule('split_merge', 'split', (_, n) => {
    const inner = as(n.inputs[0], 'merge');
    if (inner === null || inner.attrs.axis !== n.attrs.axis || inner.attrs.count !== n.attrs.sizes.length) return null;
    const before = inner.inputs[0]!.type.sizes;
    return n.attrs.sizes.every((s, k) => s === before[n.attrs.axis + k]) ? inner.inputs[0]! : null;
  }),
  rule('merge_merge', 'merge', (b, n) => {
    const inner = as(n.inputs[0], 'merge');
    if (inner === null) return null;
    const { axis, count } = n.attrs;
    if (inner.attrs.axis < axis || inner.attrs.axis >= axis + count) return null;
    return b.merge(inner.inputs[0]!, axis, count + inner.attrs.count - 1);
  }),
  rule('split_split', 'split', (b, n) => {
    const inner = as(n.inputs[0], 'split');
    if (inner === null) return null;
    const k = n.attrs.axis - inner.attrs.axis;
    if (k < 0 || k >= inner.attrs.sizes.length) return null;
    return b.split(inner.inputs[0]!, inner.attrs.axis, splice(inner.attrs.sizes, k, 1, ...n.attrs.sizes));
  }),
  // An axis of size 1 that a broadcast made is not made.
  rule('drop_fresh_axis', 'split', (b, n) => {
    const inner = as(n.inputs[0], 'broadcast');
    const { axis, sizes } = n.attrs;
    if (inner === null || inner.attrs.axes.includes(axis)) return null;
    const shift = sizes.length - 1;
    const axes = inner.attrs.axes.map((a) => (a < axis ? a : a + shift));
    return b.broadcast(inner.inputs[0]!, n.type.sizes, axes);
  }),

  rule('slice_slice', 'slice', (b, n) => {
    const inner = as(n.inputs[0], 'slice');
    if (inner === null || inner.attrs.axis !== n.attrs.axis) return null;
    return b.slice(inner.inputs[0]!, n.attrs.axis, add(inner.attrs.start, n.attrs.start), n.attrs.size);
  }),
  rule('slice_broadcast', 'slice', (b, n) => {
    const inner = as(n.inputs[0], 'broadcast');
    if (inner === null || inner.attrs.axes.includes(n.attrs.axis)) return null;
    return b.broadcast(inner.inputs[0]!, n.type.sizes, inner.attrs.axes);
  }),
  rule('slice_pad', 'slice', (b, n) => {
    const inner = as(n.inputs[0], 'pad');
    const { axis, size } = n.attrs;
    if (inner === null || inner.attrs.axis !== axis) return null;
    const x = inner.inputs[0]!;
    const start = sub(n.attrs.start, inner.attrs.before);
    const rest = sub(x.type.sizes[axis]!, add(start, size));
    return isNatural(start) && isNatural(rest) ? b.slice(x, axis, start, size) : null;
  }),
  rule('slice_concat', 'slice', (b, n) => {
    const inner = as(n.inputs[0], 'concat');
    const { axis, start, size } = n.attrs;
    if (inner === null || inner.attrs.axis !== axis) return null;
    let from = ZERO;
    for (const x of inner.inputs) {
      const own = sub(start, from);
      const extent = x.type.sizes[axis]!;
      if (isNatural(own) && isNatural(sub(extent, add(own, size)))) return b.slice(x, axis, own, size);
      from = add(from, extent);
    }
    return null;
  }),
  rule('pad_pad', 'pad', (b, n) => {
    const inner = as(n.inputs[0], 'pad');
    const { axis, before, after, value } = n.attrs;
    if (inner === null || inner.attrs.axis !== axis || !Object.is(inner.attrs.value, value)) return null;
    return b.pad(inner.inputs[0]!, axis, add(before, inner.attrs.before), add(after, inner.attrs.after), value);
  }),
  rule('pad_of_its_value', 'pad', (b, n) =>
    valueOf(n.inputs[0]!) === n.attrs.value ? b.constantOf(n.attrs.value, n.type) : null,
  ),
  // The gradient of slices side by side: zeros around each, added, are the parts one after the other.
  rule('add_pads', 'add', (b, n) => {
    const [x, y] = [as(n.inputs[0], 'pad'), as(n.inputs[1], 'pad')];
    if (x === null || y === null || x.attrs.axis !== y.attrs.axis) return null;
    if (x.attrs.value !== 0 || y.attrs.value !== 0) return null;
    const { axis } = x.attrs;
    const end = (p: NodeOf<'pad'>): Poly => add(p.attrs.before, p.inputs[0]!.type.sizes[axis]!);
    const [first, second] = end(x) === y.attrs.before ? [x, y] : [y, x];
    if (end(first) !== second.attrs.before) return null;
    const both = b.concat([first.inputs[0]!, second.inputs[0]!], axis);
    return b.pad(both, axis, first.attrs.before, second.attrs.after, 0);
  }),
  // The gradient of picking one of each row. Every element goes to a row of its own, so nothing is combined, and no buffer is needed.
  rule('scatter_as_select', 'scatter', (b, n) => {
    const { sources, on, combine, sizes } = n.attrs;
    const [u, index] = n.inputs;
    const picked = sources.findIndex((s) => s.from === 'index');
    if (combine !== 'add' || n.inputs.length !== 2 || sources.filter((s) => s.from === 'index').length !== 1)
      return null;
    const places = u!.type.sizes.map((_, k) => sources.findIndex((s) => s.from === 'axis' && s.axis === k));
    if (places.length !== sources.length - 1 || places.some((p, k) => p < 0 || sizes[p] !== u!.type.sizes[k]))
      return null;
    const at = spread(
      b,
      index!,
      on.map((k) => places[k]!),
      sizes,
    );
    return b.select(b.eq(at, b.iota(sizes, picked)), spread(b, u!, places, sizes), b.zeros(n.type));
  }),
  rule('concat_concat', 'concat', (b, n) => {
    const { axis } = n.attrs;
    const flat = n.inputs.flatMap((x): readonly Node[] => {
      const inner = as(x, 'concat');
      return inner !== null && inner.attrs.axis === axis ? inner.inputs : [x];
    });
    return flat.length === n.inputs.length ? null : b.concat(flat, axis);
  }),
  // Neighbouring slices of one tensor, put together again.
  rule('concat_of_slices', 'concat', (b, n) => {
    const { axis } = n.attrs;
    const parts: Node[] = [];
    for (const x of n.inputs) {
      const right = as(x, 'slice');
      const left = as(parts.at(-1), 'slice');
      const joins =
        right !== null &&
        left !== null &&
        right.attrs.axis === axis &&
        left.attrs.axis === axis &&
        left.inputs[0] === right.inputs[0] &&
        add(left.attrs.start, left.attrs.size) === right.attrs.start;
      if (joins)
        parts[parts.length - 1] = b.slice(
          left.inputs[0]!,
          axis,
          left.attrs.start,
          add(left.attrs.size, right.attrs.size),
        );
      else parts.push(x);
    }
    return parts.length === n.inputs.length ? null : b.concat(parts, axis);
  }),
  rule('unfold_as_slice', 'unfold', (b, n) => {
    const { axis, offset, windows } = n.attrs;
    const [only] = windows;
    return windows.length === 1 && only!.stride === ONE ? b.slice(n.inputs[0]!, axis, offset, only!.size) : null;
  }),

  rule('reduce_size_one', 'reduce', (b, n) => {
    const x = n.inputs[0]!;
    const single = n.attrs.axes.filter((a) => x.type.sizes[a] === ONE);
    if (single.length === 0) return null;
    const dropped = [...single].reverse().reduce((y, a) => b.dropAxis(y, a), x);
    const rest = n.attrs.axes.filter((a) => !single.includes(a)).map((a) => a - single.filter((s) => s < a).length);
    return b.reduce(n.attrs.op, dropped, rest);
  }),
  rule('reduce_transpose', 'reduce', (b, n) => {
    const inner = as(n.inputs[0], 'transpose');
    if (inner === null) return null;
    const { perm } = inner.attrs;
    const axes = n.attrs.axes.map((a) => perm[a]!);
    return b.transpose(b.reduce(n.attrs.op, inner.inputs[0]!, axes), ranks(without(perm, n.attrs.axes)));
  }),
  rule('reduce_reduce', 'reduce', (b, n) => {
    const inner = as(n.inputs[0], 'reduce');
    if (inner === null || inner.attrs.op !== n.attrs.op) return null;
    const left = without(
      inner.inputs[0]!.type.sizes.map((_, k) => k),
      inner.attrs.axes,
    );
    return b.reduce(n.attrs.op, inner.inputs[0]!, [...inner.attrs.axes, ...n.attrs.axes.map((a) => left[a]!)]);
  }),
  // Repeated elements: a sum multiplies, max, min, any and all need one of them. (A zero summed stays one.)
  rule('reduce_broadcast', 'reduce', (b, n) => {
    const inner = as(n.inputs[0], 'broadcast');
    if (inner === null || n.attrs.op === 'prod') return null;
    const { op, axes } = n.attrs;
    const fresh = freshAxes(inner);
    const repeated = axes.filter((a) => fresh.includes(a));
    if (repeated.length === 0) return null;
    const kept = without(
      inner.attrs.sizes.map((_, k) => k),
      repeated,
    );
    const once = b.broadcast(
      inner.inputs[0]!,
      kept.map((k) => inner.attrs.sizes[k]!),
      inner.attrs.axes.map((a) => kept.indexOf(a)),
    );
    const rest = axes.filter((a) => !repeated.includes(a)).map((a) => kept.indexOf(a));
    const reduced = b.reduce(op, once, rest);
    if (op !== 'sum' || valueOf(inner) === 0) return reduced;
    const times = repeated.reduce((p, a) => mul(p, inner.attrs.sizes[a]!), ONE);
    return b.mul(reduced, b.broadcast(sizeAs(b, times, reduced), reduced.type.sizes, []));
  }),
];
