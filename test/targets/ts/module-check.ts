/** A graph through fusion and planning to an emitted module of any target, imported and run: what the interpreter of kernels gives in separate buffers. */
import { expect } from 'vitest';
import { fuse } from '../../../compiler/fuse/program.ts';
import type { Origins } from '../../../compiler/graph/origin.ts';
import type { Graph, Unit } from '../../../compiler/graph/types.ts';
import { interpret } from '../../../compiler/kernel/interpret.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { verifyPlan } from '../../../compiler/plan/verify.ts';
import { toHalf } from '../../../runtime/memory.ts';
import type { WeightTensor } from '../../../runtime/weights.ts';
import { rounded, type Sizes } from '../../fuse/support.ts';
import type { Planned } from '../../../compiler/plan/plan.ts';
import { planned, unitOf } from './units.ts';

type Typed = Float32Array | Int32Array | Uint8Array;

type Values = Record<string, number | boolean | { data: Typed }>;

export interface Running {
  load(weights: ReadonlyMap<string, WeightTensor>): void;
  forward(inputs: object, sizes: object): Values | Promise<Values>;
}

const arrayOf = (t: Tensor): Typed =>
  t.dtype === 'i32'
    ? Int32Array.from(t.data)
    : t.dtype === 'bool'
      ? Uint8Array.from(t.data)
      : Float32Array.from(t.data);

export async function checkModule(
  graph: Graph,
  origins: Origins,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  start: (unit: Unit, made: Planned) => Promise<Running>,
  bound: number,
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
  const ready = planned(made);
  const { plan, kernels, schedules } = ready;
  expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
  const unit = await start(made.unit, ready);
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
  const found = await unit.forward(given, sizes);
  for (const { name } of program.outputs) {
    const value = found[name]!;
    const values = typeof value === 'object' ? value.data : [Number(value)];
    const wanted = want.output(name);
    expect(values.length, name).toBe(wanted.length);
    for (const [k, y] of wanted.entries()) {
      const x = values[k]!;
      // The interpreter adds in another order where a schedule reorders sums, and has its own erf.
      if (!Object.is(x, y) && !(Math.abs(x - y) <= bound * (1 + Math.abs(y)))) expect(x, `${name}[${k}]`).toBe(y);
    }
  }
}
