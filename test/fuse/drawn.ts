/** Values for every leaf of a graph, drawn from a fixed sequence. */
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { evaluate } from '../../compiler/sizes/poly.ts';
import { drawer } from '../ops/harness.ts';

/** f32 in [low(name), 1), i32 in {0, 1, 2}. */
export function drawn(
  b: GraphBuilder,
  sizes: Readonly<Record<string, number>>,
  low: (name: string) => number = () => -1,
  seed = 5,
): Map<string, Tensor> {
  const draw = drawer(seed);
  return new Map(
    b.inputs.map((x) => {
      const extents = x.type.sizes.map((p) => evaluate(p, (s) => sizes[s]!));
      const from = low(x.attrs.name);
      const value = (): number => {
        if (x.type.dtype === 'i32') return Math.floor(draw() * 3);
        return x.type.dtype === 'bool' ? Math.floor(draw() * 2) : from + draw() * (1 - from);
      };
      return [x.attrs.name, fill(x.type.dtype, extents, value)];
    }),
  );
}
