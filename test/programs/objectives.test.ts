/** Several objectives, `every`, steps on the whole gradient, and batches in parts: each against the same thing done another way. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate, loadModule, type Instance } from '../support/emitted.ts';
import { agree } from '../support/agree.ts';

async function unit(
  text: string,
  target: 'ts' | 'wasm' = 'ts',
  bounds: Record<string, number> = {},
): Promise<Instance> {
  const { artifacts, reports } = compile(text, { path: 'test.nn', only: 'Fit', bounds, targets: ['wasm'] });
  expect(reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return instantiate(artifacts.get('Fit')!, 5, undefined, target);
}

const numbers = (net: Instance): Record<string, number[]> =>
  Object.fromEntries([...net.weights()].map(([path, w]) => [path, [...w.data]]));

const wave = (n: number, scale = 1): Float32Array =>
  Float32Array.from({ length: n }, (_, k) => scale * Math.sin(1.7 * k));

const close = (a: Record<string, number[]>, b: Record<string, number[]>, digits = 5): void => {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [path, values] of Object.entries(a))
    values.forEach((v, k) => expect(v, `${path} ${k}`).toBeCloseTo(b[path]![k]!, digits));
};

const nets = `
model A(x: float[B, 3]) -> float[B, 2] { return x |> Linear(4) |> tanh |> Linear(2) }
model C(y: float[B, 2]) -> float[B, 1] { return y |> Linear(3) |> tanh |> Linear(1) }`;

const train = (body: string): string => `${nets}
train Fit {
  input x: float[B, 3]
  ${body}
  batch B = 4
}`;

describe('several objectives', () => {
  const x = wave(12);
  it('over all: the sum of the losses', async () => {
    const two = await unit(train('let y = A(x)\n  minimize mean(y ^ 2)\n  minimize mean(abs(y))\n  optimizer Adam()'));
    const one = await unit(train('let y = A(x)\n  minimize mean(y ^ 2) + mean(abs(y))\n  optimizer Adam()'));
    const report = { ...two.step({ x }) };
    const sum = one.step({ x })['loss']!;
    expect(Object.keys(report)).toEqual(['loss', 'loss_2']);
    expect(report['loss']! + report['loss_2']!).toBeCloseTo(sum, 6);
    close(numbers(two), numbers(one));
  });

  it('each over its own networks: both see the start of the step, and land together', async () => {
    const body = (over: string, lr: string) => train(`let y = A(x)\n  ${over}\n  optimizer SGD(lr: ${lr})`);
    const first = 'minimize mean(C(y)) over C';
    const second = 'minimize -mean(C(y)) + mean(y ^ 2) over A';
    const both = await unit(body(`${first}\n  ${second}`, '0.1'));
    const c = await unit(body(`${first}\n  minimize 0 * mean(y) over A`, '0.1'));
    const a = await unit(body(`${second}\n  minimize 0 * mean(C(y)) over C`, '0.1'));
    for (const net of [both, c, a]) net.step({ x });
    const [all, ofC, ofA] = [numbers(both), numbers(c), numbers(a)];
    for (const [path, values] of Object.entries(all))
      values.forEach((v, k) => expect(v).toBeCloseTo((path.startsWith('A.') ? ofA : ofC)[path]![k]!, 6));
  });

  it('every n steps: parameters and slots stay in the others, and the optimizer counts its updates', async () => {
    const text = (every: string) =>
      train(`minimize mean(A(x) ^ 2) over A${every}\n  minimize mean(C(A(x)) ^ 2) over C\n  optimizer Adam(lr: 0.01)`);
    const third = await unit(text(' every 3'));
    const start = numbers(third)['A.linear.weight'];
    const held: number[][] = [];
    for (let k = 0; k < 7; k++) {
      third.step({ x });
      held.push(numbers(third)['A.linear.weight']!);
    }
    expect(held[0]).toEqual(start);
    expect(held[1]).toEqual(start);
    expect(held[2]).not.toEqual(start);
    expect(held[4]).toEqual(held[2]);
    expect(held[6]).toEqual(held[5]);
    // Two updates of A in six steps are those of two steps of A alone.
    const alone = await unit(train('minimize mean(A(x) ^ 2)\n  optimizer Adam(lr: 0.01)'));
    const paths = [...alone.weights().keys()];
    const fresh = await unit(text(' every 3'));
    alone.load(new Map(paths.map((p) => [p, fresh.weights().get(`A.${p}`)!])));
    for (let k = 0; k < 2; k++) alone.step({ x });
    numbers(alone)['linear.weight']!.forEach((v, k) => expect(held[6]![k]).toBeCloseTo(v, 6));
  });

  it('in other steps its gradient is not computed, nor its parameters touched', async () => {
    const { artifacts } = compile(
      train(
        'let y = A(x)\n  minimize mean(C(y)) over C\n  minimize -mean(C(y)) + mean(y ^ 2) over A every 3\n  optimizer Adam()',
      ),
      { path: 'test.nn', only: 'Fit', targets: ['wasm'] },
    );
    const artifact = artifacts.get('Fit')!;
    const calls: string[] = [];
    (globalThis as { called?: (name: string) => void }).called = (name) => void calls.push(name);
    const noted = artifact.modules
      .get('ts')!
      .javascript.replace(/^function (\w+)\((.*)\) \{$/gm, "function $1($2) { globalThis.called('$1');");
    const module = await loadModule(noted);
    const net = (module['Fit'] as { create(o: object): Instance }).create({ seed: 5 });
    const kernels = new Set(artifact.plan.kernels);
    const ran = (): string[] => {
      calls.length = 0;
      net.step({ x });
      return calls.filter((name) => kernels.has(name));
    };
    const [first, second, third, fourth] = [ran(), ran(), ran(), ran()];
    expect(second).toEqual(first);
    expect(fourth).toEqual(first);
    // Backward through C by its input and through A, and the updates of A's four parameters.
    expect(third!.length - first!.length).toBeGreaterThanOrEqual(7);
    const { steps } = artifact.plan.programs['step']!;
    const { buffers } = artifact.plan;
    const written = (list: typeof steps): string[] =>
      list.flatMap((s) =>
        (s.kind === 'loop' ? [] : s.kind === 'copy' ? [s.to] : s.buffers).map((b) => buffers[b]!.leaf ?? ''),
      );
    expect(written(steps).filter((leaf) => leaf.startsWith('A.') && leaf.includes('/'))).toEqual([]);
    expect(written(steps).some((leaf) => leaf.startsWith('C.') && leaf.includes('/'))).toBe(true);
  });

  it.each(['ts', 'wasm'] as const)(
    'one that acts more rarely on the same parameters adds its gradient in its own steps: %s',
    async (target) => {
      const one = 'minimize mean((A(x) - 1) ^ 2)';
      const text = (more: string): string => train(`${one}${more}\n  optimizer SGD(lr: 0.1)`);
      const lazy = await unit(text('\n  minimize mean(A(x) ^ 4) every 3'), target);
      const plain = await unit(text(''));
      const both = await unit(text(' + mean(A(x) ^ 4)'));
      const weights = () => new Map([...plain.weights()]);
      plain.load(new Map([...lazy.weights()]));
      for (let k = 1; k <= 6; k++) {
        lazy.step({ x });
        if (k % 3 === 0) {
          both.load(weights());
          both.step({ x });
          plain.load(new Map([...both.weights()]));
        } else plain.step({ x });
        close(numbers(lazy), numbers(plain), 6);
      }
    },
  );

  it('periods that meet now and then', async () => {
    // In steps 2, 3, 4, 6 …: each objective at its own; the optimizer counts them all.
    const text = (a: string, b: string): string =>
      train(`minimize mean(A(x) ^ 2)${a}\n  minimize mean(abs(A(x)))${b}\n  optimizer SGD(lr: 0.1 / step)`);
    const net = await unit(text(' every 2', ' every 3'));
    const held = [numbers(net)['linear.weight']!];
    for (let k = 0; k < 6; k++) {
      net.step({ x });
      held.push(numbers(net)['linear.weight']!);
    }
    const moved = held.slice(1).map((w, k) => w.some((v, j) => v !== held[k]![j]));
    expect(moved).toEqual([false, true, true, true, false, true]);
    await agree(text(' every 2', ' every 3'), 'Fit', { B: 4 }, { wasm: true });
  });

  it('computes what the evaluator computes', async () => {
    await agree(
      train(
        'let y = A(x)\n  minimize mean(C(y)) over C\n  minimize -mean(C(y)) over A every 2\n  optimizer SGD(lr: 0.1)',
      ),
      'Fit',
      { B: 4 },
      { wasm: true },
    );
  });
});

describe('gradient |> …', () => {
  const x = wave(12, 3);
  it('clip_norm makes the step as long as it says, and no longer one short', async () => {
    const text = (stages: string) => train(`minimize 100 * mean(C(A(x)) ^ 2)\n  ${stages}\n  optimizer SGD(lr: 1)`);
    const moved = async (stages: string): Promise<number[]> => {
      const net = await unit(text(stages));
      const before = numbers(net);
      net.step({ x });
      const after = numbers(net);
      return Object.entries(after).flatMap(([p, v]) => v.map((w, k) => w - before[p]![k]!));
    };
    const length = (v: number[]): number => Math.hypot(...v);
    const plain = await moved('');
    expect(length(plain)).toBeGreaterThan(1);
    const clipped = await moved('gradient |> clip_norm(0.5)');
    expect(length(clipped)).toBeCloseTo(0.5, 4);
    clipped.forEach((v, k) => expect(v).toBeCloseTo((plain[k]! * 0.5) / length(plain), 4));
    const loose = await moved('gradient |> clip_norm(1e6)');
    loose.forEach((v, k) => expect(v).toBeCloseTo(plain[k]!, 5));
    const values = await moved('gradient |> clip_value(0.01)');
    expect(Math.max(...values.map(Math.abs))).toBeCloseTo(0.01, 6);
  });
});

describe('a batch in parts', () => {
  const rows = 8;
  const x = wave(rows * 3);
  const label = Int32Array.from({ length: rows }, (_, k) => k % 2);
  const real = Uint8Array.from({ length: rows }, (_, k) => Number(k === 0 || k > 4));
  const body = (loss: string, parts: string, more = '') => `
model Net(x: float[B, 3]) -> float[B, 2] { return x |> Linear(5) |> tanh |> Linear(2) }
train Fit {
  input x: float[B, 3]
  input label: i32[B] < 2
  input real: bool[B]
  let logits = Net(x)
  let logp = log_softmax(logits)
  ${loss}
  metric accuracy = mean[b] ((argmax[c] logits[b, c]) == label[b])
  metric counted = sum[b where real[b]] 1
  metric greatest = max(logits)
  ${more}
  optimizer SGD(lr: 0.5)
  batch B = 8${parts}
}`;
  const losses = {
    'a mean': 'minimize cross_entropy(logits, label)',
    'a masked mean, whose parts have different counts': 'minimize -mean[b where real[b]] logp[b, label[b]]',
    'a mean with a penalty on the weights': 'minimize cross_entropy(logits, label) + 0.1 * sum(Net.params ^ 2)',
    'the root of a mean': 'minimize sqrt(mean(logits ^ 2))',
    'a quotient of two sums that both depend on the weights':
      'minimize (sum[b] logits[b, 0] ^ 2) / (1 + sum[b] exp(logits[b, 1]))',
    'two objectives': 'minimize cross_entropy(logits, label)\n  minimize mean(abs(logits))',
  };
  for (const [name, loss] of Object.entries(losses))
    it(`is the undivided batch: ${name}`, async () => {
      const masked = name.includes('masked');
      for (const target of masked ? (['ts', 'wasm'] as const) : (['ts'] as const))
        for (const parts of masked && target === 'ts' ? [2, 4] : [4]) {
          const split = await unit(body(loss, ` in ${parts} parts`), target);
          const again = await unit(body(loss, ''));
          for (let k = 0; k < 3; k++) {
            const a = { ...again.step({ x, label, real }) };
            const b = { ...split.step({ x, label, real }) };
            expect(Object.keys(b)).toEqual(Object.keys(a));
            for (const [m, v] of Object.entries(a)) expect(b[m], m).toBeCloseTo(v, 4);
          }
          close(numbers(split), numbers(again), 4);
        }
    });

  it('takes any batch that divides, and says when one does not', async () => {
    const split = await unit(body(losses['a mean'], ' in 4 parts'));
    const some = (n: number) => ({ x: x.slice(0, 3 * n), label: label.slice(0, n), real: real.slice(0, n) });
    const whole = await unit(body(losses['a mean'], ''));
    expect(split.step(some(4))['loss']).toBeCloseTo(whole.step(some(4))['loss']!, 5);
    expect(() => split.step(some(6))).toThrow(/4 equal parts/);
    // Evaluation is not in parts.
    expect(split.evaluate(some(6))['loss']).toBeCloseTo(whole.evaluate(some(6))['loss']!, 5);
  });

  it('needs less memory', () => {
    const text = (parts: string) => `
model Net(x: float[B, 3]) -> float[B, 2] { return x |> Linear(50) |> tanh |> Linear(50) |> tanh |> Linear(2) }
train Fit {
  input x: float[B, 3]
  minimize mean(Net(x) ^ 2)
  optimizer SGD()
  batch B = 512${parts}
}`;
    const work = (parts: string): number => {
      const { plan } = compile(text(parts), { path: 'test.nn', only: 'Fit' }).artifacts.get('Fit')!;
      return plan.arenas.work;
    };
    // Evaluation of the whole batch needs memory, too: less than the step's.
    expect(work(' in 16 parts')).toBeLessThan(work(''));
  });

  it('a loss that is no sum over the batch is refused', () => {
    const { reports } = compile(body('minimize max(logits) + mean(logp)', ' in 4 parts'), {
      path: 'test.nn',
      only: 'Fit',
    });
    expect(reports.map((r) => r.code)).toEqual(['NN806']);
  });

  it('states change part by part', async () => {
    await agree(
      `model Net(x: float[B, 3]) -> float[B, 2] { return x |> Linear(4, bias: false) |> BatchNorm |> Linear(2) |> Dropout(0.5) }
train Fit {
  input x: float[B, 3]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 8 in 2 parts
}`,
      'Fit',
      { B: 8 },
      { wasm: true },
    );
  });
});

describe('precision f16', () => {
  const text = (precision: string) => `
model Net(x: float[B, 3]) -> float[B, 2] { return x |> Linear(5, bias: false) |> tanh |> Linear(2, bias: false) }
train Fit {
  input x: float[B, 3]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 0.5)
  batch B = 4
  ${precision}
}`;
  it('rounds the operands of products, and nothing else', async () => {
    const [half, single] = [await unit(text('precision f16')), await unit(text('precision f32'))];
    const x = wave(12);
    // By hand: the same network with operands rounded to 11 bits.
    const round = (v: number): number => {
      if (v === 0) return 0;
      const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10);
      return Math.round(v / step) * step;
    };
    const [w1, w2] = ['linear.weight', 'linear_2.weight'].map((p) => [...half.weights().get(p)!.data].map(round));
    let total = 0;
    for (let b = 0; b < 4; b++) {
      const h = Array.from({ length: 5 }, (_, o) =>
        round(Math.tanh([0, 1, 2].reduce((s, d) => s + round(x[b * 3 + d]!) * w1![o * 3 + d]!, 0))),
      );
      for (let o = 0; o < 2; o++) total += h.reduce((s, v, k) => s + v * w2![o * 5 + k]!, 0) ** 2;
    }
    const [a, c] = [half.step({ x })['loss']!, single.step({ x })['loss']!];
    expect(a).toBeCloseTo(total / 8, 6);
    // A value that differs in the last bit of f32 may round to the next half: 2^-11 of it.
    const wasm = await unit(text('precision f16'), 'wasm');
    expect(wasm.step({ x })['loss']! / a).toBeCloseTo(1, 2);
    expect(Math.abs(a - c)).toBeGreaterThan(1e-7);
    expect(a).toBeCloseTo(c, 2);
    // Parameters stay in single precision: they move by less than a half would show.
    const moved = numbers(half)['linear.weight']!;
    expect(moved.some((v) => round(v) !== v)).toBe(true);
  });
});
