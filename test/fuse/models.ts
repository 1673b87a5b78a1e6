/** Small networks built by hand, as fusion meets them. */
import { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Node, TensorType } from '../../compiler/graph/types.ts';
import { name, num, type Poly } from '../../compiler/sizes/poly.ts';

export const f32 = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
export const scalarOf = (b: GraphBuilder, value: number, like: Node): Node => b.constantOf(value, like.type);

const others = (x: Node, axis: number): number[] => x.type.sizes.map((_, k) => k).filter((k) => k !== axis);
export const alongAxis = (b: GraphBuilder, x: Node, like: Node, axis: number): Node =>
  b.broadcast(x, like.type.sizes, others(like, axis));

export function softmax(b: GraphBuilder, x: Node, axis = x.type.sizes.length - 1): Node {
  const greatest = b.reduce('max', x, [axis]);
  const e = b.exp(b.sub(x, alongAxis(b, greatest, x, axis)));
  return b.div(e, alongAxis(b, b.reduce('sum', e, [axis]), x, axis));
}

export function layerNorm(b: GraphBuilder, x: Node, gain: Node, bias: Node): Node {
  const axis = x.type.sizes.length - 1;
  const mean = (y: Node): Node => {
    const sum = b.reduce('sum', y, [axis]);
    return b.div(sum, b.broadcast(b.cast(b.sizeValue(x.type.sizes[axis]!), 'f32'), sum.type.sizes, []));
  };
  const centred = b.sub(x, alongAxis(b, mean(x), x, axis));
  const variance = mean(b.mul(centred, centred));
  const scale = b.recip(b.sqrt(b.add(variance, scalarOf(b, 1e-5, variance))));
  const unit = b.mul(centred, alongAxis(b, scale, x, axis));
  return b.add(b.mul(unit, b.broadcastTo(gain, x.type.sizes)), b.broadcastTo(bias, x.type.sizes));
}

/** x [B, K] · w [K, N] + bias [N] */
export function linear(b: GraphBuilder, x: Node, w: Node, bias: Node): Node {
  const lead = x.type.sizes.slice(0, -1).map((_, k) => `l${k}`);
  const y = b.contract(x, w, [...lead, 'k'], ['k', 'n'], [...lead, 'n']);
  return b.add(y, b.broadcastTo(bias, y.type.sizes));
}

export const relu = (b: GraphBuilder, x: Node): Node => b.max(x, scalarOf(b, 0, x));

/** x [B, C, H, W] with w [O, C, 3, 3], stride, zero padding 1. */
export function conv(b: GraphBuilder, x: Node, w: Node, stride = 1): Node {
  const [, , h, width] = x.type.sizes;
  let y = b.pad(b.pad(x, 2, num(1), num(1), 0), 3, num(1), num(1), 0);
  const out = (n: Poly): Poly => (stride === 1 ? n : num((Number(n.key) - 1) / stride + 1));
  y = b.unfold(y, 2, num(0), [
    { size: out(h!), stride: num(stride) },
    { size: num(3), stride: num(1) },
  ]);
  y = b.unfold(y, 4, num(0), [
    { size: out(width!), stride: num(stride) },
    { size: num(3), stride: num(1) },
  ]);
  return b.contract(y, w, ['b', 'c', 'y', 'r', 'x', 's'], ['o', 'c', 'r', 's'], ['b', 'o', 'y', 'x']);
}

/** One Adam update; m, v, w take new values. */
export function adam(
  b: GraphBuilder,
  w: Node,
  g: Node,
  m: Node,
  v: Node,
  rate: Node,
): readonly [w: Node, m: Node, v: Node] {
  const blend = (old: Node, fresh: Node, beta: number): Node =>
    b.add(b.mul(scalarOf(b, beta, old), old), b.mul(scalarOf(b, 1 - beta, old), fresh));
  const m2 = blend(m, g, 0.9);
  const v2 = blend(v, b.mul(g, g), 0.999);
  const step = b.div(m2, b.add(b.sqrt(v2), scalarOf(b, 1e-8, v2)));
  return [b.sub(w, b.mul(b.broadcast(rate, w.type.sizes, []), step)), m2, v2];
}

export const [B, T, D, K, N] = ['B', 'T', 'D', 'K', 'N'].map((s) => name(s)) as [Poly, Poly, Poly, Poly, Poly];
