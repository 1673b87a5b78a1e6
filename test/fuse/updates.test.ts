/** An optimizer has no kernels of its own where a parameter's gradient is one: moments and parameter are written where the gradient is made. */
import { expect, test } from 'vitest';
import { compile } from '../../compiler/index.ts';

const source = `
model Net(x: float[B, 12]) -> float[B, 3] {
  return x |> a: Linear(16) |> relu |> b: Linear(8) |> relu |> c: Linear(3)
}

train Fit {
  input x: float[B, 12]
  input label: i32[B] < 3
  minimize cross_entropy(Net(x), label)
  optimizer Adam(lr: 1e-3)
  batch B = 8
}
`;

test('Adam of a network of layers', () => {
  const { plan, kernels } = compile(source, { only: 'Fit' }).artifacts.get('Fit')!;
  const calls = plan.programs['step']!.steps.flatMap((s) => (s.kind === 'call' ? [s] : []));
  for (const leaf of plan.leaves) {
    const writers = calls.filter((c) => {
      const { buffers } = kernels[c.kernel]!;
      return c.buffers.some((b, k) => b === leaf.buffer && buffers[k]!.access !== 'read');
    });
    expect(writers, leaf.path).toHaveLength(1);
    // The gradient of a weight or a bias is a sum.
    expect(kernels[writers[0]!.kernel]!.stages.some((s) => s.over.length > 0)).toBe(true);
  }
  // The step's corrections, three layers, the loss and its gradient, two products backward, six gradients.
  expect(calls).toHaveLength(1 + 3 + 2 + 2 + 6);
});
