/**
 * The comparisons with PyTorch on a WebGPU device: values, gradients, batch statistics, losses far out, optimizers over 50 steps, schedules. A sample where there is a driver;
 * all of them (or with `new` those that the record lacks), and the record from which docs/library.md speaks, with
 *
 *   eval "$(.ci/vulkan.sh FOLDER)"; NNC_VERIFY=all npx vitest run test/library/device.test.ts
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, type CompileResult } from '../../compiler/index.ts';
import { deviceOf, realGpu, skipLoudly } from '../targets/wgsl/gpu.ts';
import { onGpu, type GpuInstance } from '../targets/wgsl/instance.ts';
import {
  descent,
  flat,
  groups,
  inputsOf,
  leavesOf,
  off,
  pace,
  problemsOf,
  programOf,
  rates,
  runs,
  shapeOf,
} from './cases.ts';

const file = new URL('../fixtures/library-device.json', import.meta.url);
const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('the library on a WebGPU device', reason);
const device = gpu === null ? null : await deviceOf(gpu);
/** Dawn's objects go when nothing holds them, and what they made with them. */
const held = { gpu, device };
afterAll(() => {
  held.gpu = null;
  held.device = null;
});

/** f32, and functions that WGSL allows to be a few units in the last place off. */
const RELATIVE = 2e-5;
const all = process.env.NNC_VERIFY === 'all';
/** Those that the record does not have. */
const fresh = process.env.NNC_VERIFY === 'new';
const record: Readonly<Record<string, readonly string[]>> = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string[]>)
  : {};
/** Every so many-th comparison of a family; in a full run each. */
const sampled = <T>(list: readonly T[], stride: number, family: string, nameOf: (t: T) => string): T[] => {
  if (fresh) return list.filter((t) => record[family]?.includes(nameOf(t)) !== true);
  return list.filter((_, k) => all || k % stride === Math.floor(stride / 2) % list.length);
};

/** By family, the names of what the device computes. */
const computed: Record<string, string[]> = {};

function compiled(text: string): CompileResult {
  const result = compile(text, { path: 'library.nn', bounds: { B: 1 }, targets: ['wasm'] });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return result;
}

async function instance(
  result: CompileResult,
  name: string,
  weights: ReadonlyMap<string, unknown>,
): Promise<GpuInstance> {
  return onGpu(result.artifacts.get(name)!, result.sources, device!, { seed: 1, weights });
}

const on = { on: Float32Array.of(0) };

describe.skipIf(device === null)('on a device', () => {
  const chosen = [...groups].map(([group, every]) => [group, sampled(every, 24, group, (c) => c.name)] as const);
  describe.each(chosen.filter(([, cases]) => cases.length > 0))('%s', (group, cases) => {
    let result: CompileResult | null = null;

    it.each(cases.map((c, k) => ({ ...c, k })))('$name', async (c) => {
      result ??= compiled(programOf(cases));
      const paths = new Set(result.artifacts.get(`Fit${c.k}`)!.plan.leaves.map((l) => l.path));
      const net = await instance(result, `Fit${c.k}`, leavesOf(c, paths));
      try {
        if (c.evaluated !== undefined)
          expect(off([Number((await net.evaluate(inputsOf(c), { B: 1 })).loss)], [c.evaluated], RELATIVE)).toBeLessThan(
            1,
          );
        await net.step(inputsOf(c), { B: 1 });
        expect(problemsOf(c, (await net.checkpoint()).tensors, RELATIVE)).toEqual([]);
        (computed[group] ??= []).push(c.name);
      } finally {
        net.close();
      }
    });
  });

  it.each(sampled(runs, 24, 'optimizers', (r) => r.optimizer))(
    '$optimizer',
    async ({ optimizer, before, after, float32 }) => {
      const w = { dtype: 'f32', shape: shapeOf(before), data: Float32Array.from(flat(before)) };
      const net = await instance(compiled(descent(optimizer)), 'Fit', new Map([['w', w]]));
      // Where PyTorch in f32 itself is further off than that, its distance counts (twice).
      const allowed = Math.max(1e-5, 2 * float32);
      try {
        for (let step = 1; step <= 50; step++) {
          net.enqueue(on, { B: 1 });
          const expected = after[step];
          if (expected === undefined) continue;
          const { tensors } = await net.checkpoint();
          expect(off(tensors.get('w')!.data, flat(expected), allowed), `after ${step}`).toBeLessThan(1);
        }
        (computed['optimizers'] ??= []).push(optimizer);
      } finally {
        net.close();
      }
    },
  );

  it.each(sampled(rates, 12, 'schedules', (r) => r.schedule))(
    '$schedule',
    async ({ schedule, rates: expected, losses }) => {
      const zero = new Map([['w', { dtype: 'f32', shape: [1], data: Float32Array.of(0) }]]);
      const net = await instance(compiled(pace(schedule)), 'Fit', zero);
      try {
        const steps: number[] = [];
        let last = 0;
        for (const [k] of expected.entries()) {
          net.enqueue(on, { B: 1 });
          const now = (await net.checkpoint()).tensors.get('w')!.data[0]!;
          steps.push(last - now);
          last = now;
          if (losses !== undefined) net.validated!(losses[k]!);
        }
        expect(off(steps, expected, 1e-5), `${steps.join(' ')} for ${expected.join(' ')}`).toBeLessThan(1);
        (computed['schedules'] ??= []).push(schedule);
      } finally {
        net.close();
      }
    },
  );
});

/** Everything that is compared, by family. */
const whole: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries([...groups].map(([group, cases]) => [group, cases.map((c) => c.name)])),
  optimizers: runs.map((r) => r.optimizer),
  schedules: rates.map((r) => r.schedule),
};

it('the record speaks of every comparison', () => {
  const now = Object.entries(whole).map(([family, names]) => {
    const known = [...(all ? [] : (record[family] ?? [])), ...(computed[family] ?? [])];
    return [family, names.filter((name) => known.includes(name))] as const;
  });
  if ((all || fresh) && device !== null) writeFileSync(file, `${JSON.stringify(Object.fromEntries(now), null, 1)}\n`);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(whole);
});
