/** Every example of every operation, and its gradient, as WebAssembly kernels: plain and vectorised, fused and one by one, against the interpreter. */
import { describe, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import type { OpName } from '../../../compiler/graph/types.ts';
import { ops, recordOf } from '../../../compiler/ops/registry.ts';
import { isFloat } from '../../../compiler/ops/shapes.ts';
import { build, drawInputs, loss, type AnyExample } from '../../ops/harness.ts';
import { checkGraph } from './support.ts';

const names = (Object.keys(ops) as OpName[]).filter((op) => op !== 'part');

describe.each(names)('%s', (op) => {
  for (const example of recordOf(op).examples as readonly AnyExample[]) {
    test(example.title, () => {
      const { builder: b, inputs, members } = build(op, example);
      const outputs = members.map((node, k) => ({ name: `y${k}`, node, updates: null }));
      const drawn = drawInputs(example);
      checkGraph(b.finish(outputs), b.origins, drawn, example.sizes, 4e-6);
      const f = loss(b, members);
      const floats = inputs.filter((x) => isFloat(x.type.dtype));
      if (f === null || floats.length === 0) return;
      const gradients = differentiate(b, f, floats).flatMap((g, k) =>
        g === null ? [] : [{ name: `g${k}`, node: g, updates: null }],
      );
      const graph = b.finish([{ name: 'f', node: f, updates: null }, ...gradients]);
      checkGraph(graph, b.origins, drawn, example.sizes, 4e-5);
    });
  }
});
