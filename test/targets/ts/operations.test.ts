/**
 * Every example of every operation and its gradient, from the graph through fusion and planning to an emitted module that is imported and run: the
 * same numbers as the interpreter of kernels gives in separate buffers. And a small GPT with its gradients.
 */
import { describe, it, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import { GraphBuilder } from '../../../compiler/graph/builder.ts';
import { Origins } from '../../../compiler/graph/origin.ts';
import type { Graph, OpName, Unit } from '../../../compiler/graph/types.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { ops, recordOf } from '../../../compiler/ops/registry.ts';
import { isFloat } from '../../../compiler/ops/shapes.ts';
import { emitTypeScript } from '../../../compiler/targets/ts/emit.ts';
import { drawn } from '../../fuse/drawn.ts';
import { gpt } from '../../fuse/models.ts';
import type { Sizes } from '../../fuse/support.ts';
import { build, drawInputs, loss, type AnyExample } from '../../ops/harness.ts';
import { checkModule as check, type Running } from './module-check.ts';
import type { Planned } from '../../../compiler/plan/plan.ts';
import { imported } from './units.ts';

async function start(unit: Unit, { plan, kernels, schedules }: Planned): Promise<Running> {
  const { code } = emitTypeScript(unit, plan, kernels, schedules, { types: false });
  const { Unit } = (await imported(code)) as unknown as { Unit: { create(): Running } };
  return Unit.create();
}

const checkModule = (graph: Graph, origins: Origins, inputs: ReadonlyMap<string, Tensor>, sizes: Sizes) =>
  check(graph, origins, inputs, sizes, start, 2e-6);

const names = (Object.keys(ops) as OpName[]).filter((op) => op !== 'part');

describe.each(names)('%s', (op) => {
  for (const example of recordOf(op).examples as readonly AnyExample[]) {
    test(example.title, async () => {
      const { builder: b, inputs, members } = build(op, example);
      const outputs = members.map((node, k) => ({ name: `y${k}`, node, updates: null }));
      const values = drawInputs(example);
      await checkModule(b.finish(outputs), b.origins, values, example.sizes);
      const f = loss(b, members);
      const floats = inputs.filter((x) => isFloat(x.type.dtype));
      if (f === null || floats.length === 0) return;
      const gradients = differentiate(b, f, floats).flatMap((g, k) =>
        g === null ? [] : [{ name: `g${k}`, node: g, updates: null }],
      );
      await checkModule(
        b.finish([{ name: 'f', node: f, updates: null }, ...gradients]),
        b.origins,
        values,
        example.sizes,
      );
    });
  }
});

it('a small GPT with the gradients of all parameters', async () => {
  const origins = new Origins();
  const b = new GraphBuilder('gpt', origins);
  b.origin = origins.add({ file: 0, start: 0, end: 0 });
  const { loss: l, parameters } = gpt(b, { layers: 2, heads: 2, width: 8, vocabulary: 11 });
  const gradients = differentiate(b, l, parameters);
  const graph = b.finish([
    { name: 'loss', node: l, updates: null },
    ...gradients.flatMap((g, k) => (g === null ? [] : [{ name: `g${k}`, node: g, updates: null }])),
  ]);
  const sizes = { B: 2, T: 5 };
  await checkModule(graph, origins, drawn(b, sizes), sizes);
});
