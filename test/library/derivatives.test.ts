/**
 * The table of derivatives in docs/library.md is what was verified. `NNC_VERIFY=all npx vitest run test/library/derivatives.test.ts` verifies everything and writes
 * test/fixtures/library-derivatives.json (names with commas between, or `new`, verify those; NNC_ON=wgsl adds what a
 * WebGPU device computes); without, some functions are verified anew, also on a device if there is one, and the file must speak of all that the library declares.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { derivativesOf, differentiable, entriesOf, type Derivatives } from '../../scripts/library.ts';
import { skipLoudly } from '../targets/wgsl/gpu.ts';
import { caseOf, RUNNERS, verify, type Runner, type Verified } from './derivatives.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const file = new URL('../fixtures/library-derivatives.json', import.meta.url);
const entries = entriesOf(root).filter(differentiable);
const committed: Derivatives = derivativesOf(root);

/** Dawn's objects go when nothing holds them, and what they made with them. */
const held: unknown[] = [];

async function onDevice(): Promise<Runner> {
  const { deviceOf, realGpu } = await import('../targets/wgsl/gpu.ts');
  const { onGpu } = await import('../targets/wgsl/instance.ts');
  const { gpu, reason } = await realGpu();
  if (gpu === null) throw new Error(reason);
  const device = await deviceOf(gpu);
  held.push(gpu, device);
  return async (artifact, compiled, weights, inputs) => {
    const net = await onGpu(artifact, compiled.sources, device, { seed: 1, weights });
    await net.step(inputs, { B: 1 });
    const { tensors } = await net.checkpoint();
    net.close();
    return tensors;
  };
}

const chosen = process.env.NNC_VERIFY;
if (chosen !== undefined) {
  it('verifies', async () => {
    const device = process.env.NNC_ON === 'wgsl' ? await onDevice() : null;
    const names = new Set(entries.map((e) => e.callable.name.text));
    const all: Record<string, Verified> = Object.fromEntries(
      Object.entries(committed).filter(([name]) => names.has(name)),
    );
    for (const name of names) {
      const c = caseOf(name);
      if (c === null) throw new Error(`${name} has no comparison`);
      const known = all[name]?.case === c.name;
      if (chosen === 'new' ? known : chosen !== 'all' && !chosen.split(',').includes(name)) continue;
      const now = await verify(c, device === null ? RUNNERS : { wgsl: device });
      const before = all[name];
      // A device's column stands beside the others, and they beside it, if they are of the same comparison.
      all[name] = before?.case !== now.case ? now : { ...now, targets: { ...before.targets, ...now.targets } };
      const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
      writeFileSync(file, `${JSON.stringify(sorted, null, 1)}\n`);
    }
  }, 3_600_000);
}

it('speaks of every function, and of nothing else, by the comparison that is its own', () => {
  const cases = (of: (name: string) => string | undefined): Record<string, string | undefined> =>
    Object.fromEntries(entries.map((e) => [e.callable.name.text, of(e.callable.name.text)]));
  expect(Object.keys(committed).sort()).toEqual(entries.map((e) => e.callable.name.text).sort());
  expect(cases((name) => committed[name]?.case)).toEqual(cases((name) => caseOf(name)?.name));
});

const there = chosen === undefined ? await onDevice().catch((e: unknown) => String(e)) : 'verified on request';
if (typeof there === 'string') skipLoudly('derivatives of the library on a WebGPU device', there);

describe.skipIf(typeof there === 'string')('verified anew on a device', () => {
  it.each(['gelu', 'cross_entropy', 'Conv1d', 'LayerNorm', 'GRUCell'])('%s', async (name) => {
    const { targets } = await verify(caseOf(name)!, { wgsl: there as Runner });
    expect(targets).toEqual({ wgsl: committed[name]!.targets.wgsl });
  });
});

describe('verified anew', () => {
  it.each([
    'silu',
    'binary_cross_entropy',
    'Conv1d',
    'lp_pool1d',
    'RMSNorm',
    'Dropout',
    'RNNCell',
    'attention',
    'Maxout',
  ])('%s', async (name) => {
    const { targets, ...rest } = await verify(caseOf(name)!);
    const known = committed[name]!;
    expect({ ...rest, targets: { ...known.targets, ...targets } }).toEqual(known);
  });
});
