/** Parts of networks at sizes with vectors and remainders, plain and vectorised, against the interpreter. */
import { describe, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import type { GraphBuilder } from '../../../compiler/graph/builder.ts';
import type { Node, Output } from '../../../compiler/graph/types.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { fill } from '../../../compiler/ops/tensor.ts';
import { evaluate } from '../../../compiler/sizes/poly.ts';
import type { Sizes } from '../../fuse/support.ts';
import { drawer, newBuilder } from '../../ops/harness.ts';
import * as m from '../../fuse/models.ts';
import { checkGraph } from './support.ts';

const out = (name: string, node: Node): Output => ({ name, node, updates: null });

function drawn(b: GraphBuilder, sizes: Sizes, positive: readonly string[]): Map<string, Tensor> {
  const draw = drawer(5);
  return new Map(
    b.inputs.map((x) => {
      const extents = x.type.sizes.map((p) => evaluate(p, (s) => sizes[s]!));
      const low = positive.includes(x.attrs.name) ? 0.1 : -1;
      return [
        x.attrs.name,
        fill(x.type.dtype, extents, () => (x.type.dtype === 'i32' ? Math.floor(draw() * 9) : low + draw() * (1 - low))),
      ];
    }),
  );
}

function check(b: GraphBuilder, outputs: readonly Node[], sizes: Sizes, positive: readonly string[] = []): void {
  checkGraph(b.finish(outputs.map((node, k) => out(`o${k}`, node))), b.origins, drawn(b, sizes, positive), sizes, 2e-5);
}

/** A function with all its gradients, weighted by drawn numbers. */
function withGradients(b: GraphBuilder, y: Node, inputs: readonly Node[]): Node[] {
  const seed = b.input('seed', 'data', y.type);
  const axes = y.type.sizes.map((_, k) => k);
  return [y, ...differentiate(b, b.reduce('sum', b.mul(y, seed), axes), inputs).filter((g) => g !== null)];
}

describe.each([1, 4, 7, 16, 37])('rows of %i', (D) => {
  const sizes = { B: 3, T: 5, D };
  test('softmax and its gradient', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
    check(b, withGradients(b, m.softmax(b, x), [x]), sizes);
  });
  test('softmax along another axis', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
    check(b, withGradients(b, m.softmax(b, x, 1), [x]), sizes);
  });
  test('layer normalisation and its gradients', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
    const gain = b.input('gain', 'param', m.f32(m.D));
    const bias = b.input('bias', 'param', m.f32(m.D));
    check(b, withGradients(b, m.layerNorm(b, x, gain, bias), [x, gain, bias]), sizes);
  });
  test('an optimizer update', () => {
    const b = newBuilder();
    const t = m.f32(m.T, m.D);
    const [w, v1, v2] = [b.input('w', 'param', t), b.input('m', 'slot', t), b.input('v', 'slot', t)];
    check(b, [...m.adam(b, w, b.input('g', 'data', t), v1, v2, b.input('rate', 'scalar', m.f32()))], sizes, ['v']);
  });
  test('linear, relu, and the gradients', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
    const w = b.input('w', 'param', m.f32(m.D, m.N));
    const c = b.input('c', 'param', m.f32(m.N));
    check(b, withGradients(b, m.relu(b, m.linear(b, x, w, c)), [x, w, c]), { ...sizes, N: 21 });
  });
  test('an embedding and its gradient', () => {
    const b = newBuilder();
    const table = b.input('table', 'param', m.f32(m.N, m.D));
    const token = b.input('token', 'data', { dtype: 'i32', sizes: [m.B, m.T] });
    const y = b.gather(table, [token], {
      sizes: [m.B, m.T, m.D],
      sources: [
        { from: 'index', which: 0 },
        { from: 'axis', axis: 2 },
      ],
      on: [0, 1],
    });
    check(b, withGradients(b, y, [table]), { ...sizes, N: 6 });
  });
});

test('a recurrent network and its gradient', () => {
  const b = newBuilder();
  const { loss, last, wanted } = m.recurrent(b);
  const gradients = differentiate(b, loss, wanted).filter((g) => g !== null);
  check(b, [loss, last, ...gradients], { T: 3, B: 5, K: 9, N: 11 });
});
