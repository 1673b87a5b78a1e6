/** The profile of a GPU program: every call of a kernel has its time from the device, under its line; what a device lacks or rounds is said. */
import { describe, expect, it } from 'vitest';
import { profileGpu, quantum, type Stamp } from '../../cli/profile/gpu.ts';
import { profileText } from '../../cli/profile/text.ts';
import { Refusal } from '../../cli/problems.ts';
import { compile } from '../../compiler/index.ts';
import type { GpuLike } from '../../runtime/webgpu/api.ts';
import { realGpu, nullGpu, skipLoudly } from '../targets/wgsl/gpu.ts';

const source = `model Net(x: float[B, T, 3]) -> float[B, 4] {
  let y = x |> lstm: LSTM(4)
  let last[b, n] = y[b, T - 1, n]
  return last
}
train Fit {
  input x: float[B, T, 3]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 0.1)
}`;
const sizes = { B: 4, T: 3 };
const result = compile(source, { path: 'net.nn', only: 'Fit', bounds: sizes, targets: ['wgsl'] });
const artifact = result.artifacts.get('Fit')!;
const inputs = { x: new Float32Array(36).fill(0.5) };

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('GPU profiles are not taken', reason);
const none = await nullGpu();

describe.skipIf(gpu === null)('on a device', { timeout: 120_000 }, () => {
  it('gives every call its time and its line', async () => {
    const { profile, machine } = await profileGpu(artifact, gpu!, 'step', inputs, sizes, 0.2);
    expect(profile.steps.length).toBeGreaterThan(5);
    for (const s of profile.steps) {
      // In a loop a kernel is called once a round.
      expect([1, 3], s.kernel).toContain(s.calls);
      // A call may be shorter than a tick of the device's clock.
      expect(s.milliseconds, s.kernel).toBeGreaterThanOrEqual(0);
    }
    const timed = profile.steps.filter((s) => s.milliseconds > 0);
    expect(timed.length).toBeGreaterThan(profile.steps.length / 2);
    expect(profile.steps.some((s) => s.calls === 3)).toBe(true);
    expect(machine.peak).toBeGreaterThan(0);
    expect(machine.bandwidth[0]!.rate).toBeGreaterThan(0);
    const text = profileText(
      {
        title: 'Fit.step',
        profile,
        machine,
        origins: artifact.origins,
        sources: result.sources,
        persistent: 1,
        work: 1,
        recomputed: [],
      },
      120,
    );
    expect(text).toMatch(/net\.nn:2 +let y = x \|> lstm/);
    expect(text).toMatch(/timestamps of the device/);
    expect(text).toMatch(/this GPU \(.*\): .* GFLOP\/s; .* GB\/s from memory/);
  });
});

describe('where stamps are not what one would wish', () => {
  it.skipIf(none.gpu === null)('a GPU without them is refused', async () => {
    const given = none.gpu!;
    const without: GpuLike = {
      requestAdapter: async () => {
        const adapter = (await given.requestAdapter())!;
        return new Proxy(adapter, {
          get: (target, key) => (key === 'features' ? new Set() : Reflect.get(target, key, target)) as unknown,
        });
      },
    };
    const refused = profileGpu(artifact, without, 'step', inputs, sizes, 0.1);
    await expect(refused).rejects.toBeInstanceOf(Refusal);
    await expect(refused).rejects.toMatchObject({ reports: [{ code: 'NN946' }] });
    await expect(profileGpu(artifact, undefined, 'step', inputs, sizes, 0.1)).rejects.toMatchObject({
      reports: [{ code: 'NN938', message: expect.stringContaining('is not installed') as string }],
    });
    const empty = { requestAdapter: () => Promise.resolve(null) };
    await expect(profileGpu(artifact, empty, 'step', inputs, sizes, 0.1)).rejects.toMatchObject({
      reports: [{ code: 'NN938', message: expect.stringContaining('finds no GPU') as string }],
    });
  });

  it('rounded ones are recognised', () => {
    const stamps = (step: bigint, ...values: number[]): Stamp[] =>
      values.map((v) => ({ label: '', begin: step * BigInt(v), end: step * BigInt(v + 1) }));
    expect(quantum(stamps(100_000n, 7, 12, 15))).toBe(100_000n);
    expect(quantum([...stamps(100_000n, 7), { label: '', begin: 1_234_567n, end: 2_000_001n }])).toBe(1n);
    expect(quantum([])).toBe(0n);
  });
});
