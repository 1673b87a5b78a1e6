/**
 * Every example of every operation and its gradient, from the graph through fusion and planning to an emitted module that is imported and run: the
 * same numbers as the interpreter of kernels gives in separate buffers. And a small GPT with its gradients.
 */
import { describe, expect, it, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import { fuse } from '../../../compiler/fuse/program.ts';
import { GraphBuilder } from '../../../compiler/graph/builder.ts';
import { Origins } from '../../../compiler/graph/origin.ts';
import type { Graph, OpName } from '../../../compiler/graph/types.ts';
import { interpret } from '../../../compiler/kernel/interpret.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { ops, recordOf } from '../../../compiler/ops/registry.ts';
import { isFloat } from '../../../compiler/ops/shapes.ts';
import { verifyPlan } from '../../../compiler/plan/verify.ts';
import { emitTypeScript } from '../../../compiler/targets/ts/emit.ts';
import { toHalf } from '../../../runtime/memory.ts';
import type { WeightTensor } from '../../../runtime/weights.ts';
import { drawn } from '../../fuse/drawn.ts';
import { gpt } from '../../fuse/models.ts';
import { rounded, type Sizes } from '../../fuse/support.ts';
import { build, drawInputs, loss, type AnyExample } from '../../ops/harness.ts';
import { imported, planned, unitOf } from './units.ts';

type Typed = Float32Array | Int32Array | Uint8Array;

interface Running {
  load(weights: ReadonlyMap<string, WeightTensor>): void;
  forward(inputs: object, sizes: object): Record<string, number | boolean | { data: Typed }>;
}

const arrayOf = (t: Tensor): Typed =>
  t.dtype === 'i32'
    ? Int32Array.from(t.data)
    : t.dtype === 'bool'
      ? Uint8Array.from(t.data)
      : Float32Array.from(t.data);

async function checkModule(
  graph: Graph,
  origins: Origins,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
): Promise<void> {
  const program = fuse(graph, { origins });
  const persistent = program.buffers.filter((b) => b.kind === 'persistent');
  const made = unitOf(
    {
      name: 'Unit',
      kind: 'model',
      leaves: persistent.map((b) => ({
        path: b.leaf!,
        kind: 'param',
        type: { dtype: b.dtype, sizes: b.sizes },
        origin: 0,
      })),
      inputs: program.buffers
        .filter((b) => b.kind === 'data')
        .map((b) => ({ name: b.leaf!, type: { dtype: b.dtype, sizes: b.sizes }, below: null, origin: 0 })),
      sizes: Object.entries(sizes).map(([name, value]) => ({ name, bound: value + 1 })),
    },
    { forward: program },
  );
  const { plan, kernels, schedules } = planned(made);
  expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
  const { code } = emitTypeScript(made.unit, plan, kernels, schedules, { types: false });
  const { Unit } = (await imported(code)) as unknown as { Unit: { create(): Running } };
  const unit = Unit.create();
  const exact = new Map(
    [...rounded(inputs)].map(([name, t]) => [
      name,
      t.dtype === 'f16' ? { ...t, data: Float64Array.from(t.data, toHalf) } : t,
    ]),
  );
  const want = interpret(program, new Map([...exact].map(([name, t]) => [name, t.data])), sizes);
  unit.load(
    new Map(
      persistent.map((b) => {
        const t = exact.get(b.leaf!)!;
        return [b.leaf!, { dtype: b.dtype, shape: t.sizes, data: arrayOf(t) }];
      }),
    ),
  );
  const given = Object.fromEntries([...exact].map(([name, t]) => [name, arrayOf(t)]));
  const found = unit.forward(given, sizes);
  for (const { name } of program.outputs) {
    const value = found[name]!;
    const values = typeof value === 'object' ? value.data : [Number(value)];
    const wanted = want.output(name);
    expect(values.length, name).toBe(wanted.length);
    for (const [k, y] of wanted.entries()) {
      const x = values[k]!;
      // The interpreter adds in another order where a schedule reorders sums, and has its own erf.
      if (!Object.is(x, y) && !(Math.abs(x - y) <= 2e-6 * (1 + Math.abs(y))))
        expect(x, `${name}[${k}]\n${code.slice(0, 4000)}`).toBe(y);
    }
  }
}

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
