/** Models that go on from call to call, on a device and behind the module for all targets: cached decoding gives what the readable target gives. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { decode, decodeAsync, type EventualStreaming } from '../../../runtime/decode.ts';
import type { GpuDevice } from '../../../runtime/webgpu/api.ts';
import { instantiate, loadModule, type Instance } from '../../support/emitted.ts';
import { deviceOf, realGpu, skipLoudly } from './gpu.ts';
import { onGpu } from './instance.ts';

type Streaming = Instance & { stream: Instance['forward']; reset(): void };

const source = readFileSync(join(import.meta.dirname, '../../../examples/design/decode.nn'), 'utf8');
const consts = { width: 16, layers: 2, heads: 2, vocab: 29, context: 24 };
const result = compile(source, { path: 'decode.nn', only: 'GPT2', bounds: { T: 8 }, consts, targets: ['auto'] });
const artifact = result.artifacts.get('GPT2')!;
const tokens = Int32Array.from({ length: 12 }, (_, i) => (i * 7) % 29);

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('cached decoding on WebGPU', reason);

let device: GpuDevice | null = null;
beforeAll(async () => {
  if (gpu !== null) device = await deviceOf(gpu);
});
afterAll(() => {
  device?.destroy();
});

const textOf = async (net: EventualStreaming): Promise<number[]> => {
  const ids: number[] = [];
  for await (const id of decodeAsync(net, { prompt: tokens.slice(0, 9), length: 8, part: 4 })) ids.push(id);
  return ids;
};

describe.skipIf(gpu === null)('cached decoding on a device', { timeout: 200_000 }, () => {
  it('prompts in parts, token by token, begun anew, beside forward', async () => {
    const here = (await instantiate(artifact, 1)) as Streaming;
    const there = await onGpu(artifact, result.sources, device!, { seed: 1 });
    const same = async (name: 'stream' | 'forward', from: number, S: number): Promise<void> => {
      const token = tokens.slice(from, S);
      const expected = here[name]({ token }, { S })['logits']!.data;
      const { logits } = await there[name]({ token }, { S });
      const { data, shape } = logits as { data: Float32Array; shape: number[] };
      expect(shape).toEqual([1, 29]);
      const size = Math.max(...Array.from(expected, Math.abs));
      data.forEach((v, k) => expect(Math.abs(v - expected[k]!)).toBeLessThan(2e-6 * size));
    };
    await same('stream', 0, 3);
    await same('stream', 3, 8);
    await same('forward', 2, 6);
    for (let S = 9; S <= 12; S++) await same('stream', S - 1, S);
    here.reset();
    there.reset();
    await same('stream', 0, 1);
    await same('stream', 1, 2);
    await expect(there.stream({ token: tokens.slice(0, 1) }, { S: 25 })).rejects.toThrow(/NN533: S is 25/);
    there.close();
  });

  it('the same text by the loop of the runtime, on every target', async () => {
    const expected = [
      ...decode((await instantiate(artifact, 1)) as Streaming, { prompt: tokens.slice(0, 9), length: 8, part: 4 }),
    ];
    expect(new Set(expected).size).toBeGreaterThan(1);
    const module = (await loadModule(artifact.modules.get('auto')!.javascript)) as {
      GPT2: { create(options: object): Promise<EventualStreaming & { target: string; close(): void }> };
    };
    for (const target of ['wgsl', 'wasm', 'ts']) {
      const net = await module.GPT2.create({ seed: 1, targets: [target], device });
      expect(net.target).toBe(target);
      expect(await textOf(net)).toEqual(expected);
      // Again: it begins anew.
      expect(await textOf(net)).toEqual(expected);
      net.close();
    }
  });
});
