/** What the tests of stored weights compare with, on every target: the evaluator over the values that the stored numbers stand for. */
import type { Artifact } from '../../compiler/index.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import type { Weights } from '../../runtime/weights.ts';

export const inputs = (B: number) => ({
  x: Float32Array.from({ length: B * 96 }, (_, i) => Math.sin(i * i) * (i % 7 === 0 ? 4 : 1)),
  id: Int32Array.from({ length: B }, (_, i) => (i * 17) % 50),
});

/** Outputs of the graph in float64, with these weights. */
export function reference(artifact: Artifact, weights: Weights, B: number): ReadonlyMap<string, Tensor> {
  const given = new Map<string, Tensor>();
  for (const [path, { shape, data }] of weights)
    given.set(path, { dtype: 'f32', sizes: shape, data: Float64Array.from(data) });
  const { x, id } = inputs(B);
  given.set('x', { dtype: 'f32', sizes: [B, 96], data: Float64Array.from(x) });
  given.set('id', { dtype: 'i32', sizes: [B], data: id });
  return evaluate(artifact.graphs.get('forward')!, given, { B });
}
