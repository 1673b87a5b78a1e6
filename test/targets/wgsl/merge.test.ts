/**
 * Calls that are one kernel where there is one row: which they are, that a text behind a cache is the same as on the CPU, token by token, with fewer dispatches, without races; and that
 * nothing is merged whose units look at each other.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { verifyKernel } from '../../../compiler/kernel/verify.ts';
import { format } from '../../../compiler/sizes/poly.ts';
import { GUARANTEED, gpuPlan } from '../../../compiler/targets/wgsl/layout.ts';
import { mergedCalls, type MergedCalls } from '../../../compiler/targets/wgsl/merge.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { instantiate } from '../../support/emitted.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu, type GpuInstance } from './instance.ts';
import { raceDevice } from './race-device.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('merged calls are not computed on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const decode = readFileSync(join(import.meta.dirname, '../../../examples/design/decode.nn'), 'utf8');
const consts = { vocab: 61, width: 128, heads: 4, layers: 2, context: 48 };

const compiled = (text: string, own: Record<string, number> = consts): ReturnType<typeof compile> => {
  const result = compile(text, { only: 'GPT2', consts: own, bounds: { T: 8 } });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  return result;
};
const runs = (text: string, own?: Record<string, number>): MergedCalls[] => {
  const { plan, kernels } = compiled(text, own).artifacts.get('GPT2')!;
  const there = gpuPlan(plan, GUARANTEED);
  return mergedCalls(there, there.programs['stream']!, kernels);
};
const count = (net: GpuInstance): number =>
  (net as unknown as { readonly machine: { dispatches(program: string): number } }).machine.dispatches('stream');

describe('merged calls', { timeout: 120_000 }, () => {
  it('are what a head does with its cache, and a last norm of one row', () => {
    const found = runs(decode);
    expect(found.map((m) => [m.first, m.count, m.within.map((w) => `${format(w.value)} <= ${w.most}`)])).toEqual([
      [2, 4, ['T <= 1', expect.stringMatching(/ \* S \+ \d+ <= 163840$/)]],
      [12, 4, ['T <= 1', expect.stringMatching(/ \* S \+ \d+ <= 163840$/)]],
      [20, 4, ['T <= 1']],
    ]);
    for (const m of found) expect(verifyKernel(m.kernel)).toEqual([]);
  });

  it('are none where one unit looks at what another writes', () => {
    const shifted = decode.replace('keys[b, h, s + 0, e] / sqrt', 'keys[b, (h + 1) % heads, s + 0, e] / sqrt');
    expect(shifted).not.toBe(decode);
    // Whoever reads the keys of another head waits for all heads.
    const [writes, reads] = runs(shifted, { ...consts, layers: 1 });
    expect([writes!.first, writes!.count]).toEqual([2, 2]);
    expect(reads!.first).toBeGreaterThanOrEqual(4);
  });

  it.skipIf(gpu === null)('write the text that the CPU writes, with fewer dispatches', async () => {
    const result = compiled(decode, { ...consts, layers: 1 });
    const artifact = result.artifacts.get('GPT2')!;
    const here = await instantiate(artifact, 5);
    const there = await onGpu(artifact, result.sources, device!, { seed: 5 });
    let S = 0;
    const counts: number[] = [];
    for (const text of [[3, 14, 15, 9, 2], [6], [53], [5, 8], [9], [7], [9], [32]]) {
      S += text.length;
      const inputs = { token: Int32Array.from(text) };
      const a = here.stream!(inputs, { S })['logits'] as unknown as { data: Float32Array };
      const b = (await there.stream(inputs, { S }))['logits'] as unknown as { data: Float32Array };
      counts.push(count(there));
      expect(b.data.length).toBe(61);
      for (const [i, v] of a.data.entries()) expect(Math.abs(b.data[i]! - v)).toBeLessThan(1e-5);
    }
    there.close();
    const [many, one] = [counts[0]!, counts[1]!];
    expect(many - one).toBe(6);
    expect(counts).toEqual([many, one, one, many, one, one, one, one]);
  });

  it('have no races, and need their barriers', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const result = compiled(decode, { ...consts, width: 8, layers: 1, context: 6 });
    const artifact = result.artifacts.get('GPT2')!;
    const run = async (change: (code: string) => string): Promise<ReturnType<typeof raceDevice>['found']> => {
      const { device: watching, found } = raceDevice(change);
      const net = await onGpu(artifact, result.sources, watching, { seed: 1 });
      for (const S of [1, 2, 3]) await net.stream({ token: Int32Array.of(S) }, { S });
      return found;
    };
    const whole = await run((code) => code);
    expect(whole.errors).toEqual([]);
    expect(whole.races).toEqual([]);
    expect([...whole.ran].some((k) => k.includes('_to_cached_attention'))).toBe(true);
    const broken = await run((code) => code.replaceAll('workgroupBarrier();', ''));
    expect(broken.races.some((r) => r.includes('_to_cached_attention'))).toBe(true);
    vi.restoreAllMocks();
  });
});
