/**
 * Every kernel of every design program, example and golden case passes Dawn's WGSL front end within WebGPU's guaranteed limits, as every schedule that
 * may be chosen for it: plain rows and shared ones.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { evaluate as evaluateSize } from '../../../compiler/sizes/poly.ts';
import { wgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import type { Artifact } from '../../../compiler/pipeline.ts';
import type { Sources } from '../../../compiler/source/source.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import { emitKernel } from '../../../compiler/targets/wgsl/kernel.ts';
import { shaderText } from '../../../compiler/targets/wgsl/shader.ts';
import type { GpuKernel, GpuProgramTable } from '../../../runtime/webgpu/table.ts';
import { imported } from '../ts/units.ts';
import { cases } from './cases.ts';
import { complaints, deviceOf, nullGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

const root = join(import.meta.dirname, '../../..');
const folders = ['examples/design', 'examples', 'test/golden/cases'];
const files = folders.flatMap((f) =>
  readdirSync(join(root, f))
    .filter((n) => n.endsWith('.nn'))
    .map((n) => `${f}/${n}`),
);

/** Of the emitted module. */
async function shadersOf(artifact: Artifact, sources: Sources): Promise<readonly GpuKernel[]> {
  const { unit, plan, kernels, schedules, origins } = artifact;
  const { code } = emitWgsl(unit, plan, kernels, schedules, { types: false, origins, sources });
  const { table } = (await imported(`${code}\nexport { table };\n`)) as { readonly table: GpuProgramTable };
  return table.kernels;
}

const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('shaders are not validated', reason);

describe.skipIf(gpu === null)('every kernel passes the WGSL front end', () => {
  it.each(files)('%s', async (file) => {
    const device = await deviceOf(gpu!);
    const sizes = { B: 4, T: 4, S: 4, H: 64, W: 64, N: 4, E: 8, L: 3, K: 4 };
    const result = compile(readFileSync(join(root, file), 'utf8'), { path: file, bounds: sizes });
    const wrong: string[] = [];
    let count = 0;
    const seen = new Set<string>();
    // None is left out because it was refused.
    const units = readFileSync(join(root, file), 'utf8').match(/^(?:model|train) \w+/gm) ?? [];
    expect(result.artifacts.size).toBe(units.length);
    for (const artifact of result.artifacts.values()) {
      // As they are in the module, with buffers that share memory.
      for (const { code, name } of await shadersOf(artifact, result.sources)) {
        if (seen.has(code)) continue;
        seen.add(code);
        count++;
        const found = await complaints(device, code);
        if (found.length > 0) wrong.push(`${artifact.name} ${name}: ${found[0]}`);
      }
      for (const kernel of artifact.kernels) {
        // Small sizes give plain rows, great ones shared rows.
        for (const size of [4, 4096]) {
          const slots = kernel.buffers.map((_b, i) => i);
          const emitted = emitKernel(
            kernel,
            wgslSchedule(kernel, () => size),
            slots,
            null,
          );
          const code = shaderText(emitted);
          if (seen.has(code)) continue;
          seen.add(code);
          count++;
          expect(emitted.slots.length, kernel.name).toBeLessThanOrEqual(8);
          const found = await complaints(device, code);
          if (found.length > 0) wrong.push(`${artifact.name} ${kernel.name} ${size}: ${found[0]}`);
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    if (result.artifacts.size > 0) expect(count).toBeGreaterThan(0);
    device.destroy();
  });
});

describe.skipIf(gpu === null)('whole modules pass validation: pipelines, bindings, aliasing, dispatches', () => {
  it.each(cases.map((c) => [`${c.file}: ${c.unit}`, c] as const))('%s', async (_name, c) => {
    const text = `${readFileSync(join(root, c.file), 'utf8')}\n${c.more ?? ''}`;
    const bounds = { bounds: c.sizes, ...(c.consts ? { consts: c.consts } : {}) };
    const result = compile(text, { path: c.file, only: c.unit, ...bounds });
    const artifact = result.artifacts.get(c.unit)!;
    const device = await deviceOf(gpu!);
    device.pushErrorScope('validation');
    const net = await onGpu(artifact, result.sources, device, { seed: 1 });
    const arrays = { f32: Float32Array, f16: Float32Array, i32: Int32Array, bool: Uint8Array };
    const zeros = Object.fromEntries(
      artifact.unit.inputs.map((input) => {
        const count = input.type.sizes.reduce((n, s) => n * evaluateSize(s, (name) => c.sizes[name]!), 1);
        return [input.name, new arrays[input.type.dtype](count)];
      }),
    );
    for (const program of ['forward', 'evaluate', 'step'] as const)
      if (artifact.plan.programs[program] !== undefined) await net[program](zeros, c.sizes);
    expect((await device.popErrorScope())?.message).toBe(undefined);
    net.close();
    device.destroy();
  });
});
