/** Operations and bytes of kernels against counts by hand, and `nnc profile` from end to end. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { kernelCost, type KernelCost } from '../../compiler/plan/cost.ts';
import { folder, nnc } from '../cli/support.ts';

/** The sum over the kernels of a model's forward, each called once. */
function costs(source: string, sizes: Readonly<Record<string, number>>, unit = 'M'): KernelCost {
  const { artifacts, reports } = compile(source, { bounds: sizes, only: unit });
  expect(reports.map((r) => r.message)).toEqual([]);
  const { kernels, plan } = artifacts.get(unit)!;
  const used = plan.programs['forward']!.steps.flatMap((s) => (s.kind === 'call' ? [s.kernel] : []));
  const all = used.map((k) => kernelCost(kernels[k]!, (s) => sizes[s]!));
  const sum = (f: (c: KernelCost) => number): number => all.reduce((n, c) => n + f(c), 0);
  return { flops: sum((c) => c.flops), read: sum((c) => c.read), written: sum((c) => c.written) };
}

describe('what kernels have to do', () => {
  it('a product: two operations a term, a bias one more, every operand once', () => {
    expect(costs('model M(x: float[B, 30]) -> float[B, 7] { return x |> Linear(7) }', { B: 5 })).toEqual({
      flops: 2 * 5 * 7 * 30 + 5 * 7,
      read: 4 * (5 * 30 + 7 * 30 + 7),
      written: 4 * 5 * 7,
    });
  });

  it('what does not depend on an axis counts once along it', () => {
    const source = `model M(x: float[B, 10], a: float[10]) -> float[B, 10] {
      let y[b, i] = x[b, i] * (exp(a[i]) + 1)
      return y
    }`;
    // The row that is the same for every b is stored, and read again.
    const row = 10;
    expect(costs(source, { B: 8 })).toEqual({
      flops: 80 + 2 * row,
      read: 4 * (80 + 10 + row),
      written: 4 * (80 + row),
    });
  });

  it('a convolution: windows overlap, the picture is read once', () => {
    const source = `model M(x: float[B, 20], w: float[5]) -> float[B, 16] {
      let y[b, i: 16] = sum[p] w[p] * x[b, i + p]
      return y
    }`;
    expect(costs(source, { B: 3 })).toEqual({ flops: 2 * 3 * 16 * 5, read: 4 * (3 * 20 + 5), written: 4 * 3 * 16 });
  });

  it('a gather reads the rows it takes, not the table', () => {
    const source = `model M(id: i32[B] < 1000, table: float[1000, 8]) -> float[B, 8] {
      let y[b, d] = table[id[b], d]
      return y
    }`;
    expect(costs(source, { B: 4 })).toEqual({ flops: 0, read: 4 * (4 + 4 * 8), written: 4 * 4 * 8 });
  });

  it('a scatter adds', () => {
    const source = `model M(x: float[E, 6], to: i32[E] < 9) -> float[9, 6] {
      let y[n: 9, d] = sum[e where to[e] == n] x[e, d]
      return y
    }`;
    const { flops } = costs(source, { E: 11 });
    expect(flops).toBe(11 * 6);
  });
});

describe('nnc profile', () => {
  it.each(['ts', 'wasm'])('by line and kernel, on %s', async (target) => {
    const cwd = folder();
    const args = ['profile', resolve('examples/digits.nn'), '--target', target, '--seconds', '1', '--width', '200'];
    const { code, out, err } = await nnc(cwd, args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/Fit\.step of .*digits\.nn on (ts|wasm), drawn inputs/);
    expect(out).toMatch(/digits\.nn:7  return x \|> hidden: Linear\(64\) \|> relu/);
    expect(out).toMatch(/\d %  +2  .*digits\.nn:7  /);
    expect(out).toMatch(/linear_relu$/m);
    expect(out).toMatch(/\d+ dispatches/);
    const page = readFileSync(join(cwd, 'nnc-out/Fit/profile.html'), 'utf8');
    expect(page).toContain('class="flame"');
    expect(page).toContain('linear_relu');
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('a model, its own data, loops; and a program that is not there', async () => {
    const cwd = folder();
    const digits = resolve('examples/digits.nn');
    const data = resolve('examples/data/digits-test.csv.gz');
    const run = await nnc(cwd, ['profile', digits, '--only', 'Digits', '--seconds', '1', '--data', data]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.out).toContain('Digits.forward');
    expect(run.out).not.toContain('drawn inputs');
    const lstm = resolve('bench/wasm/programs/lstm.nn');
    const looped = await nnc(cwd, ['profile', lstm, '--bound', 'T=8', '--target', 'wasm', '--seconds', '1']);
    expect(looped.code).toBe(0);
    expect(looped.out).not.toMatch(/NaN/);
    const wrong = await nnc(cwd, ['profile', digits, '--only', 'Digits', '--program', 'step']);
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain('NN936');
  });
});
