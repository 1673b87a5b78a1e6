/** Where an optimizer's updates are computed: in the kernel that sums up the gradient, which then never crosses memory, or in one that reads it from there. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { format } from '../../compiler/sizes/poly.ts';
import type { KernelStep } from '../../compiler/kernel/types.ts';

interface Update {
  readonly kernel: string;
  readonly parameter: string;
  readonly sums: boolean;
  /** Stored gradients of the parameter's shape that are read. */
  readonly reads: readonly string[];
}

function updatesOf(file: string): readonly Update[] {
  const bounds = { B: 64, ...(file === 'gpt' ? { T: 64 } : {}) };
  const made = compile(readFileSync(`bench/wasm/programs/${file}.nn`, 'utf8'), { only: 'Fit', bounds });
  if (!made.ok) throw new Error(made.reports.map((r) => r.message).join('\n'));
  const { buffers, steps } = made.artifacts.get('Fit')!.kernelPrograms.get('step')!;
  const byId = new Map(buffers.map((b) => [b.id, b]));
  const found: Update[] = [];
  const go = (list: readonly KernelStep[]): void => {
    for (const step of list) {
      if (step.kind === 'loop') go(step.body);
      if (step.kind !== 'call') continue;
      const touched = step.kernel.buffers.map(({ access }, k) => ({ access, buffer: byId.get(step.buffers[k]!)! }));
      const weight = touched.find(
        ({ access, buffer: b }) => access !== 'read' && b.kind === 'persistent' && !b.name.includes('/'),
      )?.buffer;
      if (weight === undefined) continue;
      const same = touched.filter(
        ({ access, buffer: b }) =>
          access === 'read' &&
          b.kind === 'temporary' &&
          b.sizes.map((x) => format(x)).join() === weight.sizes.map((x) => format(x)).join(),
      );
      const sums = step.kernel.stages.some((s) => s.over.length > 0);
      found.push({ kernel: step.kernel.name, parameter: weight.name, sums, reads: same.map((s) => s.buffer.name) });
    }
  };
  go(steps);
  return found;
}

it('a multilayer perceptron: every update sums up its gradient itself', () => {
  const updates = updatesOf('mlp');
  expect(updates).toHaveLength(6);
  expect(updates.filter((u) => !u.sums || u.reads.length > 0)).toEqual([]);
});

it('a transformer: all but the two tables', () => {
  const updates = updatesOf('gpt');
  expect(updates).toHaveLength(53);
  expect(updates.filter((u) => !u.sums).map((u) => [u.parameter, u.reads])).toEqual([
    ['wte.weight', ['scatter']],
    ['wpe.weight', []],
  ]);
});
