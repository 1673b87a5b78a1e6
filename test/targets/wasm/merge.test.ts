/** Kernels that differ in lengths only are one function: the updates of an optimizer that could not join their gradients. */
import { expect, test } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { prepareAll } from '../../../compiler/targets/wasm/emit.ts';
import { mergeKernels } from '../../../compiler/targets/wasm/merge.ts';
import { loadModule, type Instance } from '../../support/emitted.ts';

const source = `
model Net(x: float[B, 12]) -> float[B, 5] {
  return x |> a: Linear(40) |> relu |> b: Linear(33) |> relu |> c: Linear(5)
}
train Fit {
  input x: float[B, 12]
  input label: i32[B] < 5
  minimize cross_entropy(Net(x), label)
  gradient |> clip_norm(0.5)
  optimizer AdamW(lr: 1e-2)
  batch B = 9
}
`;

type Threaded = Instance & { close(): void };

test('updates and squares under a common norm', async () => {
  const artifact = compile(source, { only: 'Fit', targets: ['wasm'] }).artifacts.get('Fit')!;
  const { plan, kernels } = artifact;
  const groups = mergeKernels(prepareAll(plan, kernels).joined);
  const updates = new Set(
    plan.programs['step']!.steps.flatMap((s) => {
      const writesMoments =
        s.kind === 'call' &&
        s.buffers.some(
          (b, k) => plan.buffers[b]!.name.endsWith('/v') && kernels[s.kernel]!.buffers[k]!.access !== 'read',
        );
      return writesMoments ? [s.kernel] : [];
    }),
  );
  expect(updates.size).toBe(6);
  const group = groups.find((g) => g.members.has([...updates][0]!))!;
  expect([...group.members.keys()].sort()).toEqual([...updates].sort());
  expect([...group.members.values()].map(([n]) => n).sort((a, b) => a! - b!)).toEqual([5, 33, 40, 165, 480, 1320]);

  const x = Float32Array.from({ length: 9 * 12 }, (_, k) => Math.sin(k));
  const label = Int32Array.from({ length: 9 }, (_, k) => k % 5);
  const trained = async (code: string, threads: number): Promise<number[]> => {
    const { Fit } = (await loadModule(code)) as unknown as { Fit: { create(options: object): Threaded } };
    const net = await Fit.create({ seed: 1, threads });
    const losses: number[] = [];
    for (let step = 0; step < 12; step++) {
      losses.push(net.step({ x, label }, { B: 9 }).loss as number);
      if (threads > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    net.close();
    return losses;
  };
  const wasm = artifact.modules.get('wasm')!.javascript;
  const [own, wanted] = [await trained(wasm, 1), await trained(artifact.javascript, 1)];
  for (const [k, loss] of own.entries()) expect(Math.abs(loss - wanted[k]!)).toBeLessThan(1e-4);
  expect(own.at(-1)).toBeLessThan(own[0]! / 2);
  expect(await trained(wasm, 2)).toEqual(own);
});
