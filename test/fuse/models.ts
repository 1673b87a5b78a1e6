/** Small networks built by hand, as fusion meets them. */
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import type { Node, Output, TensorType } from '../../compiler/graph/types.ts';
import { mul, name, num, type Poly } from '../../compiler/sizes/poly.ts';

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

/** A scan of tanh(x_t w + h u): the sum of what it yields, squared, and of what it carries last. */
export function recurrent(b: GraphBuilder): {
  readonly loss: Node;
  readonly last: Node;
  readonly wanted: readonly Node[];
} {
  const [x, h0, w, u] = [
    b.input('x', 'data', f32(T, B, K)),
    b.input('h0', 'data', f32(B, N)),
    b.input('w', 'param', f32(K, N)),
    b.input('u', 'param', f32(N, N)),
  ];
  const { carries, yields } = b.loop(
    { carries: [h0], sequences: [x], length: T, reversed: false },
    (inner, _, [h], [xt]) => {
      const next = inner.tanh(
        inner.add(
          inner.contract(xt!, w, ['b', 'k'], ['k', 'n'], ['b', 'n']),
          inner.contract(h!, u, ['b', 'k'], ['k', 'n'], ['b', 'n']),
        ),
      );
      return { carries: [next], yields: [next] };
    },
  );
  const [last, all] = [carries[0]!, yields[0]!];
  const loss = b.add(b.reduce('sum', b.mul(all, all), [0, 1, 2]), b.reduce('sum', last, [0, 1]));
  return { loss, last, wanted: [x, h0, w, u] };
}

export interface GptSizes {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly vocabulary: number;
}

/** A decoder as GPT-2's, over ids [B, T]; returns the mean cross entropy and the parameters. */
export function gpt(b: GraphBuilder, size: GptSizes): { readonly loss: Node; readonly parameters: readonly Node[] } {
  const parameters: Node[] = [];
  const d = num(size.width);
  const [h, e, v] = [num(size.heads), num(size.width / size.heads), num(size.vocabulary)];
  const param = (path: string, ...sizes: Poly[]): Node => {
    const p = b.input(path, 'param', f32(...sizes));
    parameters.push(p);
    return p;
  };
  const norm = (path: string, x: Node): Node => layerNorm(b, x, param(`${path}.gain`, d), param(`${path}.bias`, d));
  const dense = (path: string, x: Node, from: Poly, to: Poly): Node =>
    linear(b, x, param(`${path}.weight`, from, to), param(`${path}.bias`, to));
  const ids = b.input('ids', 'data', { dtype: 'i32', sizes: [B, T] });
  const targets = b.input('targets', 'data', { dtype: 'i32', sizes: [B, T] });
  const table = param('embedding', v, d);
  let x: Node = b.gather(table, [ids], {
    sizes: [B, T, d],
    sources: [
      { from: 'index', which: 0 },
      { from: 'axis', axis: 2 },
    ],
    on: [0, 1],
  });
  const visible = b.not(b.lt(b.iota([T, T], 0), b.iota([T, T], 1)));
  for (let k = 0; k < size.layers; k++) {
    const y = norm(`h.${k}.ln1`, x);
    const head = (part: string): Node => b.split(dense(`h.${k}.${part}`, y, d, d), 2, [h, e]);
    const [query, key, value] = [head('q'), head('k'), head('v')];
    const logits = b.contract(query, key, ['b', 't', 'h', 'e'], ['b', 's', 'h', 'e'], ['b', 'h', 't', 's']);
    const scaled = b.mul(logits, scalarOf(b, 1 / Math.sqrt(size.width / size.heads), logits));
    const masked = b.select(b.broadcastTo(visible, scaled.type.sizes), scaled, scalarOf(b, -1e30, scaled));
    const seen = b.contract(
      softmax(b, masked),
      value,
      ['b', 'h', 't', 's'],
      ['b', 's', 'h', 'e'],
      ['b', 't', 'h', 'e'],
    );
    x = b.add(x, dense(`h.${k}.proj`, b.merge(seen, 2, 2), d, d));
    const wide = dense(`h.${k}.up`, norm(`h.${k}.ln2`, x), d, num(4 * size.width));
    const half = b.mul(wide, scalarOf(b, 0.5, wide));
    const gelu = b.mul(half, b.add(scalarOf(b, 1, wide), b.erf(b.mul(wide, scalarOf(b, Math.SQRT1_2, wide)))));
    x = b.add(x, dense(`h.${k}.down`, gelu, num(4 * size.width), d));
  }
  const logits = b.contract(norm('ln', x), table, ['b', 't', 'd'], ['v', 'd'], ['b', 't', 'v']);
  const greatest = b.stopGradient(b.reduce('max', logits, [2]));
  const shifted = b.sub(logits, alongAxis(b, greatest, logits, 2));
  const total = b.log(b.reduce('sum', b.exp(shifted), [2]));
  const picked = b.gather(shifted, [targets], {
    sizes: [B, T],
    sources: [
      { from: 'axis', axis: 0 },
      { from: 'axis', axis: 1 },
      { from: 'index', which: 0 },
    ],
    on: [0, 1],
  });
  const sum = b.reduce('sum', b.sub(total, picked), [0, 1]);
  return { loss: b.div(sum, b.cast(b.sizeValue(mul(B, T)), 'f32')), parameters };
}

/** The loss, and all parameters and slots after one Adam update. */
export function gptStep(b: GraphBuilder, size: GptSizes): Output[] {
  const { loss, parameters } = gpt(b, size);
  const gradients = differentiate(b, loss, parameters);
  const rate = b.input('rate', 'scalar', f32());
  const outputs: Output[] = [{ name: 'loss', node: loss, updates: null }];
  for (const [k, w] of parameters.entries()) {
    if (w.op !== 'input') continue;
    const path = w.attrs.name;
    const slots = [b.input(`${path}/m`, 'slot', w.type), b.input(`${path}/v`, 'slot', w.type)] as const;
    const [fresh, m, v] = adam(b, w, gradients[k]!, slots[0], slots[1], rate);
    outputs.push(
      { name: path, node: fresh, updates: path },
      { name: `${path}/m`, node: m, updates: `${path}/m` },
      { name: `${path}/v`, node: v, updates: `${path}/v` },
    );
  }
  return outputs;
}
