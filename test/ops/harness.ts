/**
 * What the tests of operations share: examples as graphs, drawn inputs, and central finite differences in float64.
 */
import { GraphBuilder } from '../../compiler/graph/builder.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { Origins } from '../../compiler/graph/origin.ts';
import type { Graph, Node, OpAttributes, OpName } from '../../compiler/graph/types.ts';
import type { Example, Tensor } from '../../compiler/ops/record.ts';
import { isFloat } from '../../compiler/ops/shapes.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { evaluate as evaluateSize } from '../../compiler/sizes/poly.ts';

export type AnyExample = Example<OpName>;

/** mulberry32: a fixed sequence of numbers in [0, 1). */
export function drawer(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function newBuilder(name = 'test'): GraphBuilder {
  const origins = new Origins();
  const builder = new GraphBuilder(name, origins);
  builder.origin = origins.add({ file: 0, start: 0, end: 1 });
  return builder;
}

export interface Built {
  readonly builder: GraphBuilder;
  readonly inputs: readonly Node[];
  /** The op's node. */
  readonly node: Node;
  /** Its members, or itself. */
  readonly members: readonly Node[];
}

export function build(op: OpName, example: AnyExample): Built {
  const builder = newBuilder(op);
  const inputs = example.inputs.map((type, k) => builder.input(`x${k}`, 'data', type));
  const node = builder.node(op, inputs, example.attrs) as Node;
  const members = node.members === null ? [node] : node.members.map((_, k) => builder.part(node, k));
  return { builder, inputs, node, members };
}

export function drawInputs(example: AnyExample, seed = 1): Map<string, Tensor> {
  const draw = drawer(seed);
  const [lo, hi] = example.domain ?? [-2, 2];
  const out = new Map<string, Tensor>();
  const attrs = example.attrs as Partial<OpAttributes['input']>;
  const leaves = example.inputs.map((type, k) => ({ name: `x${k}`, type }));
  if (attrs.type !== undefined) leaves.push({ name: attrs.name!, type: attrs.type });
  for (const [k, { name, type }] of leaves.entries()) {
    const given = example.values?.[k];
    const sizes = type.sizes.map((p) => evaluateSize(p, (size) => example.sizes[size] ?? NaN));
    out.set(
      name,
      fill(type.dtype, sizes, (_, at) => {
        if (given !== undefined) return given[at]!;
        const u = draw();
        return type.dtype === 'bool' ? Number(u < 0.5) : type.dtype === 'i32' ? Math.floor(u * hi) : lo + u * (hi - lo);
      }),
    );
  }
  return out;
}

export const plus = (x: Tensor, direction: Tensor, h: number): Tensor => ({
  ...x,
  data: Float64Array.from(x.data, (v, k) => v + h * direction.data[k]!),
});

/** One number: the scalar output of this name. */
export const scalar = (
  graph: Graph,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: AnyExample['sizes'],
  name = 'y',
): number => evaluate(graph, inputs, sizes).get(name)!.data[0]!;

/** d f(x + h v) / dh at 0 by Richardson-extrapolated central differences: error O(h⁴). NaN where f is not defined on both sides. */
export function directional(f: (h: number) => number, h = 1e-3): number {
  const central = (step: number): number => (f(step) - f(-step)) / (2 * step);
  return (4 * central(h / 2) - central(h)) / 3;
}

/** A sum of all float members, weighted by drawn numbers and bent, so that gradients differ by place and second derivatives exist. */
export function loss(b: GraphBuilder, members: readonly Node[], seed = 7): Node | null {
  let total: Node | null = null;
  for (const [n, y] of members.entries()) {
    if (!isFloat(y.type.dtype)) continue;
    // Infinite identities of exclusive prefixes take no part.
    const huge = b.or(b.lt(y, b.constantOf(-1e30, y.type)), b.lt(b.constantOf(1e30, y.type), y));
    const finite = b.select(huge, b.zeros(y.type), y);
    let weight: Node = b.constantOf(0.7 + 0.1 * n, y.type);
    for (const axis of y.type.sizes.keys()) {
      const place = b.cast(b.iota(y.type.sizes, axis), y.type.dtype);
      weight = b.add(weight, b.sin(b.mul(b.constantOf(seed + 1.3 * axis, y.type), place)));
    }
    const term = b.mul(weight, b.add(b.sin(finite), finite));
    const axes = y.type.sizes.map((_, k) => k);
    const sum = b.cast(b.reduce('sum', term, axes), 'f32');
    total = total === null ? sum : b.add(total, sum);
  }
  return total;
}
