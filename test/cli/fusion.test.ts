/** `nnc explain --fusion`: what was weighed and what kernels move, pinned; and that the decision is the cheaper side of what is printed. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { MAX_SITES } from '../../compiler/fuse/cost.ts';
import { folder, nnc } from './support.ts';

const program = `model Net(x: float[B, T, 32]) -> float[B, 10] {
  let h = scan x_t over x along T {
    carry h: float[B, 16] = 0
    h = tanh(x_t |> a: Linear(16))
    yield h
  }
  let last[b, d] = max[t] h[b, t, d]
  return last |> norm: LayerNorm |> b: Linear(64) |> gelu |> c: Linear(10)
}
train Fit {
  input x: float[B, T, 32]
  input label: i32[B] < 10
  minimize cross_entropy(Net(x), label)
  optimizer Adam(lr: 1e-3)
  batch B = 16
}
`;

describe('nnc explain --fusion', () => {
  it('prints decisions with their costs, and what each kernel moves', async () => {
    const cwd = folder({ 'net.nn': program });
    const { code, out, err } = await nnc(cwd, ['explain', 'net.nn', '--only', 'Fit', '--bound', 'T=8', '--fusion']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    await expect(out).toMatchFileSnapshot('golden/fusion.txt');
  });

  it('the cheaper side is taken, and nothing is weighed without fusion', () => {
    const weighed = (fuse: boolean) => {
      const made = compile(program, { only: 'Fit', bounds: { T: 8 }, fuse });
      if (!made.ok) throw new Error(made.reports.map((r) => r.message).join('\n'));
      return [...made.artifacts.get('Fit')!.kernelPrograms.values()].flatMap((p) => p.fusing!.weighed);
    };
    const all = weighed(true);
    expect(all.filter((w) => w.reason === null).length).toBeGreaterThan(0);
    expect(all.filter((w) => w.reason !== null).length).toBeGreaterThan(5);
    for (const w of all) {
      expect(w.again).toBeCloseTo(w.wanted * w.cost);
      expect(w.reason !== null).toBe(w.again > w.stored || (w.places > MAX_SITES && w.cost > 1));
    }
    expect(weighed(false)).toEqual([]);
  });
});
