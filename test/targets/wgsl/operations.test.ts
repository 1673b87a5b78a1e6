/**
 * Every example of every operation with its gradient, from the graph to an emitted module on a device: what the interpreter of kernels gives. One module an
 * example: values, the loss made of them, and its gradients.
 */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import type { OpName, Unit } from '../../../compiler/graph/types.ts';
import { ops, recordOf } from '../../../compiler/ops/registry.ts';
import { isFloat } from '../../../compiler/ops/shapes.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { build, drawInputs, loss, type AnyExample } from '../../ops/harness.ts';
import { checkModule, type Running } from '../ts/module-check.ts';
import type { Planned } from '../../../compiler/plan/plan.ts';
import { imported } from '../ts/units.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('operations are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const names = (Object.keys(ops) as OpName[]).filter((op) => op !== 'part');

describe.skipIf(gpu === null).each(names)('%s on a device', { timeout: 120_000 }, (op) => {
  for (const example of recordOf(op).examples as readonly AnyExample[]) {
    test(example.title, async () => {
      const { builder: b, inputs, members } = build(op, example);
      const outputs = members.map((node, k) => ({ name: `y${k}`, node, updates: null }));
      const f = loss(b, members);
      const floats = inputs.filter((x) => isFloat(x.type.dtype));
      if (f !== null && floats.length > 0) {
        outputs.push({ name: 'f', node: f, updates: null });
        for (const [k, g] of differentiate(b, f, floats).entries())
          if (g !== null) outputs.push({ name: `g${k}`, node: g, updates: null });
      }
      let close = (): void => undefined;
      const start = async (unit: Unit, { plan, kernels, schedules }: Planned): Promise<Running> => {
        const { code } = emitWgsl(unit, plan, kernels, schedules, { types: false });
        const module = (await imported(code)) as {
          Unit: { create(options: object): Promise<Running & { close(): void }> };
        };
        const made = await module.Unit.create({ device });
        close = () => made.close();
        return made;
      };
      await checkModule(b.finish(outputs), b.origins, drawInputs(example), example.sizes, start, 2e-5);
      close();
    });
  }
});
