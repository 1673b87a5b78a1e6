/** Programs that go on from call to call: cached decoding against the whole text at once, carries kept and begun anew, updates of a part. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, type Artifact } from '../../compiler/index.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { kernelCost } from '../../compiler/plan/cost.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { GREATEST } from '../../compiler/schedule/dots.ts';
import { decode } from '../../runtime/decode.ts';
import { instantiate, type Instance } from '../support/emitted.ts';

type Streaming = Instance & { stream: Instance['forward']; reset(): void };

const text = (path: string): string => readFileSync(resolve(path), 'utf8');
const consts = { width: 64, layers: 2, heads: 4, vocab: 101, context: 40 };
const [T, V] = [20, 101];
const tokens = Int32Array.from({ length: T }, (_, i) => (i * 37) % V);

function built(source: string, options: Parameters<typeof compile>[1], only = 'GPT2'): Artifact {
  const { artifacts, reports } = compile(source, { ...options, only, targets: ['wasm'] });
  expect(reports.map((r) => r.message)).toEqual([]);
  return artifacts.get(only)!;
}

const whole = built(text('examples/design/gpt2.nn'), { bounds: { B: 1, T }, consts });
const cached = (weights: string[] = []): Artifact =>
  built(text('examples/design/decode.nn'), { bounds: { T: 8 }, consts, weights });

describe('cached decoding', () => {
  for (const [rules, rounding] of [
    [[], 0],
    // Nine products one after the other round their other operand by so much of its greatest value.
    [['int8'], 9 / (2 * GREATEST.i8)],
    [['h.**=int4:32', 'int8'], 8 / (2 * GREATEST.i4) + 1 / (2 * GREATEST.i8)],
  ] as const)
    it.each(['ts', 'wasm'] as const)(
      `${rules.join() || 'f32'} on %s: the logits of the whole text at once`,
      async (target) => {
        const reference = await instantiate(whole, 1);
        const net = (await instantiate(cached([...rules]), 1, reference.weights(), target)) as Streaming;
        // The same numbers that the stored ones stand for.
        reference.load(
          new Map([...net.weights()].map(([path, w]) => [path, { dtype: w.dtype, shape: w.shape, data: w.data }])),
        );
        const { data } = reference.forward({ token: tokens }, { B: 1, T })['logits']!;
        const size = Math.max(...Array.from(data, Math.abs));
        const check = (own: ArrayLike<number>, at: number): void => {
          for (let i = 0; i < V; i++)
            expect(Math.abs(own[i]! - data[at * V + i]!), `place ${at}`).toBeLessThan(
              size * (1e-6 + (target === 'ts' ? 0 : rounding)),
            );
        };
        // Twice the same net; prompts of several lengths, one of them in two parts.
        for (const parts of [[7], [1], [5, 3]]) {
          net.reset();
          let S = 0;
          for (const length of parts) {
            S += length;
            check(net.stream({ token: tokens.slice(S - length, S) }, { S })['logits']!.data, S - 1);
          }
          for (; S < T; S++) check(net.stream({ token: tokens.slice(S, S + 1) }, { S: S + 1 })['logits']!.data, S);
        }
      },
    );

  it('`forward` begins anew and leaves the stream alone', async () => {
    const net = (await instantiate(cached(), 1)) as Streaming;
    const of = (name: 'stream' | 'forward', from: number, S: number): number[] => [
      ...net[name]({ token: tokens.slice(from, S) }, { S })['logits']!.data,
    ];
    const first = of('stream', 0, 5);
    expect(of('forward', 0, 5)).toEqual(first);
    const further = of('stream', 5, 6);
    of('forward', 3, 6);
    net.reset();
    of('stream', 0, 5);
    expect(of('stream', 5, 6)).toEqual(further);
  });

  it('memory is laid out once, and a step writes its own rows only', () => {
    const { plan, kernels, schedules } = cached();
    expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
    for (const k of kernels) expect(verifyKernel(k)).toEqual([]);
    const caches = plan.leaves.filter((l) => l.kind === 'carry');
    expect(caches.map((l) => l.path)).toEqual([0, 1].flatMap((l) => [`h.${l}.attn.keys`, `h.${l}.attn.values`]));
    for (const { buffer } of caches) expect(plan.buffers[buffer]!.bytes).toBe(4 * 40 * 64);
    const update = kernels.find((k) => k.name.endsWith('_part'))!;
    const cost = kernelCost(update, (s) => ({ S: 30, T: 1 })[s]!);
    expect(cost).toEqual({ flops: 0, read: 4 * 2 * 64, written: 4 * 2 * 64 });
    const names = plan.programs['stream']!.steps.flatMap((s) =>
      s.kind === 'call' ? [plan.kernels[s.kernel]!] : [s.kind],
    );
    expect(names.filter((name) => name.endsWith('_part')).length).toBe(2);
    expect(names).not.toContain('copy');
  });

  it('a text token by token, by the runtime', async () => {
    const net = (await instantiate(cached(), 1)) as Streaming;
    const own: number[] = [];
    for (const id of decode(net, { prompt: tokens.slice(0, 11), length: 9, part: 8 })) own.push(id);
    // By hand, over the whole text each time.
    const reference = await instantiate(whole, 1, net.weights());
    const ids = [...tokens.slice(0, 11)];
    for (let n = 0; n < 9; n++) {
      const { data } = reference.forward({ token: Int32Array.from(ids) }, { B: 1, T: ids.length })['logits']!;
      const last = [...data.subarray((ids.length - 1) * V)];
      ids.push(last.indexOf(Math.max(...last)));
    }
    expect(own).toEqual(ids.slice(11));
    expect([...decode(net, { prompt: tokens.slice(0, 11), length: 9, part: 8, stop: own[2]! })]).toEqual(
      own.slice(0, own.indexOf(own[2]!)),
    );
    const chosen = [...decode(net, { prompt: [1], length: 3, choose: (logits) => (logits.length === V ? 5 : 0) })];
    expect(chosen).toEqual([5, 5, 5]);
    expect(() => [...decode(net, { prompt: [], length: 1 })]).toThrow(RangeError);
  });

  it('what does not fit is refused', async () => {
    const net = (await instantiate(cached(), 1)) as Streaming;
    const one = tokens.slice(0, 1);
    expect(() => net.stream({ token: one })).toThrow(/NN533: The size S does not follow/);
    expect(() => net.stream({ token: one }, { S: 41 })).toThrow(/NN533: S is 41, but .* at most 40/);
    expect(() => net.stream({ token: tokens.slice(0, 3) }, { S: 2 })).toThrow(/NN535/);
    expect(() => net.stream({ token: tokens.slice(0, 9) }, { S: 9 })).toThrow(/NN533: T is 9/);
  });
});

describe('carries from call to call', () => {
  const total = `
block Total(x: float[B]) -> float[B] {
  carry sum: float[B] = 1
  sum = sum + x
  return sum
}`;

  it.each(['ts', 'wasm'] as const)('kept, and begun anew, on %s', async (target) => {
    const artifact = built(`${total}\nmodel M(x: float[3]) -> float[3] { return x |> a: Total |> b: Total }`, {}, 'M');
    const net = (await instantiate(artifact, 1, undefined, target)) as Streaming;
    const run = (name: 'stream' | 'forward', ...x: number[]) => [
      ...Object.values(net[name]({ x: Float32Array.from(x) }))[0]!.data,
    ];
    expect(run('forward', 1, 2, 3)).toEqual([3, 4, 5]);
    expect(run('stream', 1, 2, 3)).toEqual([3, 4, 5]);
    expect(run('stream', 1, 0, 0)).toEqual([6, 7, 9]);
    expect(run('forward', 1, 2, 3)).toEqual([3, 4, 5]);
    net.reset();
    expect(run('stream', 1, 2, 3)).toEqual([3, 4, 5]);
  });

  it('a layer called in a loop is kept too', async () => {
    const source = `${total}
model M(x: float[3]) -> float[3, 4] {
  let t = Total()
  scan n in 4 { yield y[b, n] = t(x)[b] }
  return y
}`;
    const artifact = built(source, {}, 'M');
    const net = (await instantiate(artifact, 1)) as Streaming;
    const x = { x: Float32Array.of(1, 2, 0) };
    const run = () => [...net.stream(x)['y']!.data];
    expect(run()).toEqual([2, 3, 4, 5, 3, 5, 7, 9, 1, 1, 1, 1]);
    expect(run()).toEqual([6, 7, 8, 9, 11, 13, 15, 17, 1, 1, 1, 1]);
  });

  it('not where a size or a beginning is only known in a call', () => {
    const open = built(`${total}\nmodel M(x: float[B]) -> float[B] { return x |> Total }`, { bounds: { B: 4 } }, 'M');
    expect(Object.keys(open.plan.programs)).toEqual(['init', 'forward']);
    expect(open.plan.leaves).toEqual([]);
    const source = 'model M(x: float[3]) -> float[3] { carry c: float[3] = x\n c = c + x\n return c }';
    expect(Object.keys(built(source, {}, 'M').plan.programs)).toEqual(['init', 'forward']);
    const none = built('model M(x: float[3]) -> float[3] { return x + 1 }', {}, 'M');
    expect(Object.keys(none.plan.programs)).toEqual(['init', 'forward']);
  });
});
