/** Sums along rows of a wide matrix from short ones: the same numbers, by the evaluator of graphs, for attention under masks of positions and of data, with dropout; and where there is no softmax nothing changes. */
import { expect, test } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { rowSums } from '../../compiler/fuse/row-sums.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph } from '../../compiler/graph/types.ts';
import { verify } from '../../compiler/graph/verify.ts';
import { simplify } from '../../compiler/simplify/simplify.ts';
import { evaluate as sizeOf } from '../../compiler/sizes/poly.ts';
import { attentions, source } from '../support/attention.ts';

const sizes: Record<string, number> = { T: 7, B: 2 };

function step(name: string): Graph {
  const { artifacts } = compile(source(attentions[name]!), { only: 'Fit', bounds: { T: 7, B: 2 } });
  const { unit, origins } = artifacts.get('Fit')!;
  return simplify(unit.programs.get('step')!, origins);
}

function values(graph: Graph): Float64Array[] {
  const inputs = new Map(
    graph.inputs.map((n, i) => {
      const shape = n.type.sizes.map((p) => sizeOf(p, (s) => sizes[s]!));
      const length = shape.reduce((a, b) => a * b, 1);
      const whole = n.type.dtype === 'i32';
      const data = Float64Array.from({ length }, (_, k) => (whole ? (k % 3) + 1 : Math.sin(k * 0.7 + i)));
      return [n.attrs.name, { dtype: n.type.dtype, sizes: shape, data }] as const;
    }),
  );
  return [...evaluate(graph, inputs, sizes).values()].map((t) => Float64Array.from(t.data, Number));
}

const wideSums = (graph: Graph): number =>
  graph.nodes.filter((n) => n.op === 'reduce' && n.attrs.op === 'sum' && n.inputs[0]!.type.sizes.length === 4).length;

test.each(['causal', 'lengths from data', 'dropout on the weights', 'no softmax at all'])('%s', (name) => {
  const graph = step(name);
  const short = rowSums(graph, () => true);
  expect(verify(short)).toEqual([]);
  const [a, b] = [values(graph), values(short)];
  expect(b.length).toBe(a.length);
  for (const [k, list] of a.entries())
    list.forEach((v, i) => expect(Math.abs(v - b[k]![i]!)).toBeLessThan(1e-12 * Math.max(1, Math.abs(v))));
  if (name === 'no softmax at all') expect(short).toBe(graph);
  if (name === 'causal') {
    expect(short).not.toBe(graph);
    expect(wideSums(short)).toBeLessThanOrEqual(wideSums(graph));
  }
});
