/**
 * Models over weights that are kept in fewer bytes, on both targets, against the evaluator on the values that the stored numbers stand for; the memory
 * they take; and everything that is refused.
 */
import { join, resolve } from 'node:path';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type Artifact } from '../../compiler/index.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { verifyWasmSchedule } from '../../compiler/schedule/verify-wasm.ts';
import { GREATEST } from '../../compiler/schedule/dots.ts';
import { wasmSchedule } from '../../compiler/schedule/wasm.ts';
import { prepare } from '../../compiler/targets/wasm/prepare.ts';
import { decodeWeights, encodeWeights } from '../../runtime/files.ts';
import { dequantise } from '../../runtime/store.ts';
import type { Weights } from '../../runtime/weights.ts';
import { instantiate, loadModule, type Instance } from '../support/emitted.ts';
import { folder, nnc } from '../cli/support.ts';
import { inputs, reference } from './reference.ts';

const source = `
model M(x: float[B, 96], id: i32[B] < 50) -> (y: float[B, 50], z: float[B, 96]) {
  param merge: float[96, 3, 32] = normal() / 8
  let e = Embedding(50, 96)
  let h = x |> a: Linear(96) |> relu |> b: Linear(96, bias: false)
  let heads[b, n: 3, d] = (h |> c: Linear(96))[b, (n d)]
  let g[b, m] = sum[n, d] tanh(heads[b, n, d]) * merge[m, n, d]
  let y[b, w] = sum[d] (h[b, d] + g[b, d]) * e.weight[w, d]
  let z[b, d] = e.weight[id[b], d] + g[b, d]
  return (y: y, z: z)
}`;

function built(text: string, rules: readonly string[], bounds: Readonly<Record<string, number>> = { B: 9 }): Artifact {
  const { artifacts, reports } = compile(text, { bounds, weights: rules, targets: ['wasm'], only: 'M' });
  expect(reports.map((r) => r.message)).toEqual([]);
  return artifacts.get('M')!;
}

const whole = built(source, []);
const rules = ['f16', 'int8', 'int8:16', 'int8:48', 'int4:32', 'int4:96', 'int4:6'];

/** How far an operand of a product with integers is off at most, by the greatest of its block. */
const rounding = (rule: string): number => 1 / (2 * GREATEST[rule.startsWith('int8') ? 'i8' : 'i4']);

describe('numbers', () => {
  for (const rule of rules)
    it.each(['ts', 'wasm'] as const)(`${rule} on %s, within the rounding of what it computes with`, async (target) => {
      const artifact = built(source, [rule]);
      const net = await instantiate(artifact, 1, (await instantiate(whole, 3)).weights(), target);
      const stored = net.weights() as Weights;
      for (const B of [1, 2, 5, 9]) {
        const results = net.forward(inputs(B));
        const wanted = reference(whole, stored, B);
        for (const name of ['y', 'z']) {
          const { data } = results[name]!;
          const exact = wanted.get(name)!.data;
          const size = Math.max(...Array.from(exact, Math.abs));
          // The other operand of a product with integers is rounded, to so much of the block's greatest for every term, over four products one after the other.
          const integers = target === 'wasm' && rule.startsWith('int');
          const bound = size * (integers ? 8 * rounding(rule) : 2 ** -19);
          for (let i = 0; i < data.length; i++)
            expect(Math.abs(data[i]! - exact[i]!), `${name}[${i}] of B = ${B}`).toBeLessThan(bound);
        }
      }
    });

  it('a product with integers keeps the bound that it states', async () => {
    for (const [rule, k, n] of [
      ['int8', 64, 37],
      ['int8:16', 160, 5],
      ['int4:32', 96, 34],
      ['int4:64', 1536, 3],
      ['int8', 2000, 6],
    ] as const) {
      const text = `model M(x: float[B, ${k}]) -> float[B, ${n}] { return x |> w: Linear(${n}, bias: false) }`;
      const artifact = built(text, [rule], { B: 3 });
      const w = Float32Array.from({ length: k * n }, (_, i) => Math.cos(i * 1.7) * (1 + (i % 5)));
      const x = Float32Array.from({ length: 3 * k }, (_, i) => Math.sin(i * 0.9) * 10 ** (i % 4));
      const net = await instantiate(
        artifact,
        1,
        new Map([['w.weight', { dtype: 'f32', shape: [n, k], data: w }]]),
        'wasm',
      );
      const { data } = Object.values(net.forward({ x }))[0]!;
      const q = net.weights().get('w.weight')!.data;
      expect(printed(artifact)).toContain('dots');
      for (let b = 0; b < 3; b++) {
        const top = Math.max(...x.subarray(b * k, (b + 1) * k).map(Math.abs));
        for (let j = 0; j < n; j++) {
          let [exact, sum] = [0, 0];
          for (let i = 0; i < k; i++) {
            exact += x[b * k + i]! * q[j * k + i]!;
            sum += Math.abs(q[j * k + i]!);
          }
          expect(Math.abs(data[b * n + j]! - exact)).toBeLessThanOrEqual(
            sum * top * rounding(rule) + Math.abs(exact) * 2 ** -20,
          );
        }
      }
    }
  });

  it.each(['i8', 'i4'] as const)(
    '%s: whole numbers come out exactly, whatever is stored, in all remainders',
    async (as) => {
      const most = GREATEST[as];
      const k = 96;
      for (const [n, group] of [
        [2, 96],
        [3, 32],
        [4, 96],
        [7, 96],
        [9, 32],
      ] as const) {
        const text = `model M(x: float[B, ${k}]) -> float[B, ${n}] { return x |> w: Linear(${n}, bias: false) }`;
        const artifact = built(text, [`${as === 'i8' ? 'int8' : 'int4'}:${group}`], { B: 2 });
        expect(printed(artifact)).toContain('dots');
        // Every byte there is, -8 and -128 among them.
        const data = as === 'i8' ? new Int8Array(n * k) : new Uint8Array((n * k) / 2);
        for (let i = 0; i < data.length; i++) data[i] = i * 167 + (i >> 4);
        const scales = new Float32Array((n * k) / group).fill(1);
        const stored = { as, group, data, scales };
        const q = dequantise(stored, as, group);
        const net = await instantiate(
          artifact,
          1,
          new Map([['w.weight', { dtype: 'f32', shape: [n, k], data: q, stored }]]),
          'wasm',
        );
        expect(net.weights().get('w.weight')!.data).toEqual(q);
        // One in each block is the greatest that becomes itself; with bytes sums stay within the whole numbers of f32.
        const x = Float32Array.from({ length: 2 * k }, (_, i) =>
          i % 32 === 5 ? -most : Math.round(Math.sin(i * 1.3) * (as === 'i8' ? 300 : most)),
        );
        const { data: y } = Object.values(net.forward({ x }))[0]!;
        for (let b = 0; b < 2; b++)
          for (let j = 0; j < n; j++) {
            let exact = 0;
            for (let i = 0; i < k; i++) exact += x[b * k + i]! * q[j * k + i]!;
            expect(y[b * n + j], `${n} columns, groups of ${group}: [${b}, ${j}]`).toBe(exact);
          }
      }
    },
  );

  it.each(['int8', 'int4:32'])('%s: the same bits with one thread and with two', async (rule) => {
    const text = 'model M(x: float[R, 768]) -> float[R, 1030] { return x |> w: Linear(1030) |> gelu }';
    const artifact = built(text, [rule], { R: 3 });
    const weights = (await instantiate(built(text, [], { R: 3 }), 5)).weights();
    const module = await loadModule(artifact.modules.get('wasm')!.javascript);
    const M = module['M'] as { create(options: object): Instance & { close(): void } };
    const x = Float32Array.from({ length: 3 * 768 }, (_, i) => Math.cos(i));
    const [one, two] = [1, 2].map((threads) => {
      const net = M.create({ weights, threads });
      const data = [...Object.values(net.forward({ x }))[0]!.data];
      net.close();
      return data;
    });
    expect(two).toEqual(one);
  });

  it('what is no number comes through', async () => {
    const text = 'model M(x: float[B, 64]) -> float[B, 8] { return x |> w: Linear(8) }';
    const net = await instantiate(built(text, ['int8']), 1, (await instantiate(built(text, []), 1)).weights(), 'wasm');
    const x = new Float32Array(128).fill(1);
    x[3] = NaN;
    const { data } = Object.values(net.forward({ x }))[0]!;
    expect([...data.subarray(0, 8)].every(Number.isNaN)).toBe(true);
    expect([...data.subarray(8)].every(Number.isFinite)).toBe(true);
  });
});

const printed = (artifact: Artifact): string =>
  artifact.kernels
    .map((k) =>
      wasmSchedule(prepare(k))
        .leaves.map((l) => l.kind)
        .join(),
    )
    .join();

describe('memory and form', () => {
  it.each(rules)('%s: plans, kernels and schedules are sound', (rule) => {
    const { plan, kernels, schedules } = built(source, [rule]);
    expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
    for (const k of kernels) {
      expect(verifyKernel(k)).toEqual([]);
      const own = prepare(k);
      expect(verifyWasmSchedule(own, wasmSchedule(own))).toEqual([]);
    }
  });

  it('bytes are those of the elements and their scales', () => {
    const bytes = (rule: readonly string[]) => {
      const { plan } = built('model M(x: float[B, 128]) -> float[B, 64] { return x |> w: Linear(64) }', rule);
      return Object.fromEntries(plan.buffers.filter((b) => b.arena === 'persistent').map((b) => [b.name, b.bytes]));
    };
    expect(bytes([])).toEqual({ 'w.weight': 4 * 8192, 'w.bias': 256 });
    expect(bytes(['f16'])).toEqual({ 'w.weight': 2 * 8192, 'w.bias': 256 });
    expect(bytes(['int8'])).toEqual({ 'w.weight': 8192, 'w.weight#scale': 4 * 64, 'w.bias': 256 });
    expect(bytes(['int8:64'])).toEqual({ 'w.weight': 8192, 'w.weight#scale': 4 * 128, 'w.bias': 256 });
    expect(bytes(['int4:32'])).toEqual({ 'w.weight': 4096, 'w.weight#scale': 4 * 256, 'w.bias': 256 });
  });

  it('rules by path: the first that matches decides, others stay whole', () => {
    const { plan } = built(source, ['a.*=int4:32', 'merge=f16', 'e.**=int8']);
    const how = Object.fromEntries(plan.leaves.map((l) => [l.path, l.stored?.as ?? 'f32']));
    expect(how).toMatchObject({ 'a.weight': 'i4', 'a.bias': 'f32', 'b.weight': 'f32', 'e.weight': 'i8', merge: 'f16' });
  }, 20_000);
});

describe('weights in and out', () => {
  it('what a program computes with goes through a file and back, bit for bit', async () => {
    const artifact = built(source, ['int4:32']);
    const net = await instantiate(artifact, 1, (await instantiate(whole, 3)).weights(), 'wasm');
    const own = net.weights() as Weights;
    const read = decodeWeights(encodeWeights(own));
    if (!read.ok) throw new Error('unreadable');
    const other = await instantiate(artifact, 1, read.weights, 'wasm');
    expect(other.weights()).toEqual(own);
    const values = (n: typeof net): number[] => [...n.forward(inputs(3))['y']!.data];
    expect(values(other)).toEqual(values(net));
    // A checkpoint too.
    other.restore(net.checkpoint());
    expect(values(other)).toEqual(values(net));
  });

  it('refused: none to draw, no numbers, another form', async () => {
    const artifact = built(source, ['f16']);
    await expect(instantiate(artifact)).rejects.toThrow(/NN538: M keeps .* as f16 and cannot draw/);
    const weights = (await instantiate(whole, 3)).weights() as Map<string, { data: Float32Array }>;
    const with1 = (x: number) => {
      const a = weights.get('a.weight')!;
      return new Map([...weights, ['a.weight', { ...a, data: a.data.map((v, i) => (i === 5 ? x : v)) }]]);
    };
    await expect(instantiate(artifact, 1, with1(NaN))).rejects.toThrow(/a\.weight: element 5 is NaN/);
    await expect(instantiate(artifact, 1, with1(1e5))).rejects.toThrow(/a\.weight: element 5 is 100000, beyond/);
    const int8 = await instantiate(built(source, ['int8']), 1, weights);
    await expect(instantiate(artifact, 1, int8.weights())).rejects.toThrow(
      /is stored as i8 in groups of 96, not as f16/,
    );
  });
});

describe('reports', () => {
  const codes = (text: string, list: readonly string[], only = 'M'): string[] =>
    compile(text, { bounds: { B: 4 }, weights: list, only }).reports.map((r) => `${r.code} ${r.message}`);

  it('rules that cannot be', () => {
    expect(codes(source, ['int5'])).toEqual([expect.stringMatching(/^NN792 the option weights\[0\] is `int5`/)]);
    expect(codes(source, ['int4:7'])).toEqual([expect.stringMatching(/^NN792/)]);
    expect(codes(source, ['nothing.*=int8'])).toEqual([
      expect.stringMatching(/^NN794 the rule nothing\.\*=int8 stores nothing/),
    ]);
    expect(codes(source, ['a.weight=int8:64'])).toEqual([
      'NN794 `a.weight` cannot be stored as a.weight=int8:64: groups of 64 do not divide its rows of 96',
    ]);
  });

  it('training', () => {
    const text = `${source}
train Fit {
  input x: float[B, 96]
  input id: i32[B] < 50
  let r = M(x, id)
  minimize mean(r.z ^ 2)
  optimizer SGD()
  batch B = 4
}`;
    expect(codes(text, ['int8'], 'Fit')).toEqual([expect.stringMatching(/^NN795 Fit trains `.*` and \d+ more/)]);
    expect(codes(text, ['int8'])).toEqual([]);
  });
});

it('nnc build, run and compare', async () => {
  const cwd = folder();
  const digits = resolve('examples/digits.nn');
  const data = resolve('examples/data/digits-test.csv.gz');
  const trained = await nnc(cwd, ['train', digits, '--epochs', '3', '--target', 'wasm', '--quiet']);
  expect(trained.code).toBe(0);
  const weights = 'nnc-out/Fit/weights.safetensors';
  const made = await nnc(cwd, ['build', digits, '--only', 'Digits', '--weights', 'int8', '--target', 'wasm']);
  expect(made).toMatchObject({ code: 0, err: '' });
  const compared = await nnc(cwd, [
    'run',
    digits,
    '--weights',
    weights,
    '--data',
    data,
    '--compare',
    'int4:32',
    '--target',
    'wasm',
  ]);
  expect(compared).toMatchObject({ code: 0 });
  expect(compared.out).toMatch(
    /f32 against int4:32: 2 of 4 parameters and states stored smaller, 19\.\d kB → 3\.\d+ kB/,
  );
  expect(compared.out).toMatch(
    /output: largest difference [\d.]+, mean [\d.]+, of values up to [\d.]+; the same greatest element in 9\d/,
  );
  expect(compared.out).toMatch(/accuracy: 0\.9\d* → 0\.9\d*/);
  const ran = await nnc(cwd, [
    'run',
    digits,
    '--weights',
    weights,
    '--data',
    data,
    '--store',
    'int8',
    '--out',
    'a.csv',
  ]);
  expect(ran).toMatchObject({ code: 0 });
  writeFileSync(join(cwd, 'no.csv'), 'image\n');
  const wrong = await nnc(cwd, ['build', digits, '--weights', 'int8', '--only', 'Fit']);
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('NN795');
});
