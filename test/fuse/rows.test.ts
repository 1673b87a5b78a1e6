/** Updates of the rows that data named: the bits of the whole table's, the bytes of the rows alone, and only where the rest of the table stays as it is. */
import { describe, expect, it } from 'vitest';
import { compile, type Artifact, type Target } from '../../compiler/index.ts';
import { kernelCost } from '../../compiler/plan/cost.ts';
import { loadModule } from '../support/emitted.ts';

const source = (optimizer: string, more = '0', rows = 5000): string => `
model M(token: i32[B, T] < ${rows}) -> float[B, 10] {
  let wte = Embedding(${rows}, 20)
  let x = token |> wte
  let m[b, d] = mean[t] x[b, t, d] + ${more}
  return m |> out: Linear(10)
}
train Fit {
  input token: i32[B, T] < ${rows}
  input label: i32[B] < 10
  minimize cross_entropy(M(token), label)
  optimizer ${optimizer}
  batch B = 4
}
`;

function build(text: string, targets: readonly Target[], memory?: 'least'): Artifact {
  const wishes = { only: 'Fit', bounds: { T: 8 }, targets, ...(memory === undefined ? {} : { memory }) };
  const made = compile(text, wishes);
  if (!made.ok) throw new Error(made.reports.map((r) => r.message).join('\n'));
  return made.artifacts.get('Fit')!;
}

const kernelsOf = (artifact: Artifact): string[] =>
  artifact.plan.programs['step']!.steps.flatMap((s) => (s.kind === 'call' ? [artifact.plan.kernels[s.kernel]!] : []));
const byRows = (artifact: Artifact): boolean => kernelsOf(artifact).some((k) => k.endsWith('_zeros'));

interface Net {
  step(inputs: object, sizes: object): Record<string, number>;
  weights(): Map<string, { data: Float32Array }>;
  close?(): void;
}

async function trained(artifact: Artifact, target: Target, threads = 1): Promise<[string, Uint8Array][]> {
  const module = await loadModule(artifact.modules.get(target)!.javascript);
  const { Fit } = module as unknown as { Fit: { create(o: object): Net } };
  const net = Fit.create({ seed: 2, ...(threads > 1 ? { threads } : {}) });
  const losses: number[] = [];
  for (let k = 0; k < 6; k++) {
    // Rows that occur twice, neighbours, the first and the last one.
    const token = Int32Array.from({ length: 32 }, (_, n) => [0, 4999, 7, 7, 8, (n * n * 13 + k) % 5000][n % 6]!);
    const label = Int32Array.from({ length: 4 }, (_, n) => (n + k) % 10);
    losses.push(Object.values(net.step({ token, label }, { B: 4, T: 8 }))[0]!);
  }
  const bytes = (data: ArrayLike<number>): Uint8Array => new Uint8Array(Float32Array.from(data).buffer);
  const found = [...net.weights()].map(([name, { data }]): [string, Uint8Array] => [name, bytes(data)]);
  net.close?.();
  return [['losses', bytes(losses)], ...found];
}

describe('plain gradient descent on a table', () => {
  it.each([['wasm'], ['ts']] as const)('%s: the bits of the whole table', async (target) => {
    const text = source('SGD(lr: cosine(0.5, 100))');
    const [rows, whole] = [build(text, [target]), build(text, [target, 'wgsl'])];
    expect([byRows(rows), byRows(whole)]).toEqual([true, false]);
    const wanted = await trained(whole, target);
    expect(await trained(rows, target)).toEqual(wanted);
    if (target === 'wasm') expect(await trained(rows, target, 2)).toEqual(wanted);
    expect(await trained(build(text, [target], 'least'), target)).toEqual(wanted);
  });

  it('moves as many bytes whatever the rows of the table', () => {
    const bytes = (rows: number): number => {
      const { plan, kernels } = build(source('SGD(lr: 0.1)', '0', rows), ['wasm']);
      const sizes: Readonly<Record<string, number>> = { B: 4, T: 8 };
      return plan.programs['step']!.steps.reduce((sum, step) => {
        if (step.kind !== 'call') return sum;
        const cost = kernelCost(kernels[step.kernel]!, (s) => sizes[s]!);
        return sum + cost.read + cost.written;
      }, 0);
    };
    expect(bytes(50257)).toBe(bytes(5000));
    expect(bytes(50257)).toBeLessThan(50_000);
  });

  it.each([
    ['moments that decay in all rows', source('Adam(lr: 1e-3)')],
    ['momentum', source('SGD(lr: 0.1, momentum: 0.9)')],
    ['decay', source('SGD(lr: 0.1, decay: 0.01)')],
    ['a gradient that others read', source('SGD(lr: 0.1)').replace('batch B', 'gradient |> clip_norm(1)\n  batch B')],
    ['a table that is also a matrix', source('SGD(lr: 0.1)', 'sum[v] wte.weight[v, d]')],
    ['a table with few rows', source('SGD(lr: 0.1)', '0', 40)],
  ])('%s: the whole table', (_, text) => {
    expect(byRows(build(text, ['wasm']))).toBe(false);
  });
});
