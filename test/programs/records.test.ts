/** Parameters as values: records, layers that read other leaves, modes; each against the same thing written another way. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate } from '../support/emitted.ts';
import { agree } from '../support/agree.ts';

const x = Float32Array.from([0.3, -0.7, 0.2, 0.9, 0.1, -0.4]);

async function unit(text: string, name: string) {
  const { artifacts, reports } = compile(text, { path: 'test.nn', only: name, bounds: { B: 3, T: 6 } });
  expect(reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return instantiate(artifacts.get(name)!, 5);
}

const numbers = (net: Awaited<ReturnType<typeof unit>>): Record<string, number[]> =>
  Object.fromEntries([...net.weights()].map(([path, w]) => [path, [...w.data]]));

const step = async (body: string, name = 'Fit', steps = 1) => {
  const net = await unit(
    `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) |> tanh |> b: Linear(2) }
block Shift(x: float[...S]) -> float[...S] {
  param by: float = 0.25
  return x + by
}
train Fit {
  input x: float[B, 2]
  ${body}
  optimizer SGD(lr: 0.1)
  batch B = 3
}`,
    name,
  );
  const before = numbers(net);
  let report: Record<string, number> = {};
  for (let k = 0; k < steps; k++) report = { ...net.step({ x }) };
  return { before, after: numbers(net), report, net };
};

const close = (a: Record<string, number[]>, b: Record<string, number[]>): void => {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [path, values] of Object.entries(a))
    values.forEach((v, k) => expect(v, path).toBeCloseTo(b[path]![k]!, 5));
};

describe('records', () => {
  it('a penalty on all parameters is that of each', async () => {
    const whole = await step('minimize mean(Net(x) ^ 2) + 0.1 * sum(Net.params ^ 2)');
    const parts = await step(
      'minimize mean(Net(x) ^ 2) + 0.1 * (sum(Net.a.weight ^ 2) + sum(Net.a.bias ^ 2) + sum(Net.b.weight ^ 2) + sum(Net.b.bias ^ 2))',
    );
    close(whole.after, parts.after);
    expect(whole.report['loss']).toBeCloseTo(parts.report['loss']!, 6);
  });

  it('a record before the network is called knows all its leaves, too', async () => {
    const before = await step('let penalty = mean(abs(Net.params))\n  minimize mean(Net(x) ^ 2) + penalty');
    const after = await step('let y = Net(x)\n  minimize mean(y ^ 2) + mean(abs(Net.params))');
    close(before.after, after.after);
  });

  it('computes with other parameters: a step of gradient descent inside the loss', async () => {
    // Half the weights in the inner network: as if the layers had been scaled.
    const halved = await step('let half = Net with (0.5 * Net.params)\n  minimize mean(half(x) ^ 2)');
    const by = { ...halved.before };
    const net = await unit(
      `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) |> tanh |> b: Linear(2) }`,
      'Net',
    );
    net.load(new Map([...net.weights()].map(([p, w]) => [p, { ...w, data: Float32Array.from(by[p]!, (v) => v / 2) }])));
    const y = [...net.forward({ x })['output']!.data];
    expect(halved.report['loss']).toBeCloseTo(y.reduce((s, v) => s + v * v, 0) / y.length, 5);
  });

  it('a gradient by a record is a record: two steps at once (MAML) has the derivative of the evaluator', async () => {
    await agree(
      `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) |> tanh |> b: Linear(2) }
train Fit {
  input x: float[B, 2]
  let inner = mean(Net(x) ^ 2)
  let moved = Net with (Net.params - 0.1 * grad(inner, wrt: Net.params))
  minimize mean((moved(x) - 1) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 3
}`,
      'Fit',
      { B: 3 },
    );
  });

  it('an average of the weights is a state of the train block', async () => {
    const { before, after } = await step(
      'state average: record = Net.params\n  minimize mean(Net(x) ^ 2)\n  average = 0.75 * average + 0.25 * Net.params\n  metric distance = mean(((Net with average)(x) - Net(x)) ^ 2)',
      'Fit',
      2,
    );
    const one = await step('minimize mean(Net(x) ^ 2)', 'Fit', 1);
    // Two steps: w0, then 0.75 w0 + 0.25 w1.
    for (const path of ['a.weight', 'b.bias']) {
      expect(before[`average.${path}`]).toEqual(before[path]);
      after[`average.${path}`]!.forEach((v, k) =>
        expect(v).toBeCloseTo(0.75 * one.before[path]![k]! + 0.25 * one.after[path]![k]!, 5),
      );
    }
  });
});

describe('with', () => {
  it('sends the leaves that a selector names through a function, or a layer with parameters of its own', async () => {
    const { before, after } = await step(
      'let moved = frozen(Net) with { "*.bias" |> Shift }\n  minimize mean((moved(x) - 1) ^ 2)',
    );
    expect(Object.keys(before).sort()).toEqual(
      ['a.bias', 'a.bias.shift.by', 'a.weight', 'b.bias', 'b.bias.shift.by', 'b.weight'].sort(),
    );
    for (const path of ['a.weight', 'a.bias', 'b.weight', 'b.bias']) expect(after[path]).toEqual(before[path]);
    expect(after['b.bias.shift.by']).not.toEqual(before['b.bias.shift.by']);
  });

  describe('a sort of leaves by its word', () => {
    const total = `
block Total(x: float[B]) -> float[B] {
  carry sum: float[B] = 0
  sum = sum + x
  return sum
}
fn pick(c: float[B], parent: i32[B] < B) -> float[B] {
  let y[b] = c[parent[b]]
  return y
}`;
    const rows = (body: string): string => `${total}
model M(x: float[B], parent: i32[B] < B) -> float[B, 4] {
  let total = Total()
  ${body}
  return y
}`;
    const inputs = { x: Float32Array.from([1, 2, 4]), parent: Int32Array.from([2, 0, 0]) };

    it('carries begin a call as f makes of them: a beam is reordered so', async () => {
      const net = await unit(rows('scan n in 4 { yield y[b, n] = (total with { carry |> pick(parent) })(x)[b] }'), 'M');
      const sums = [0, 0, 0];
      const expected: number[][] = [[], [], []];
      for (let n = 0; n < 4; n++) {
        const from = [...sums];
        inputs.parent.forEach((p, b) => expected[b]!.push((sums[b] = from[p]! + inputs.x[b]!)));
      }
      expect([...net.forward(inputs)['y']!.data]).toEqual(expected.flat());
    });

    it('a record of carries takes their place', async () => {
      const net = await unit(
        rows(`let first = total(x)
  let half = 0.5 * total.carry
  let second = (total with half)(x)
  let third = total(x)
  let y[b, k: 4] = first[b] where k == 0 else second[b] where k == 1 else third[b] where k == 2 else float(parent[b])`),
        'M',
      );
      // 1, then a half and 1 more, then 1 more.
      expect([...net.forward(inputs)['y']!.data].slice(0, 4)).toEqual([1, 1.5, 2.5, 2]);
    });

    it('params and state', async () => {
      const still = await step('minimize mean((Net with { params |> stop_gradient })(x) ^ 2) + mean(Net(x) ^ 2)');
      const frozen = await step('minimize mean(frozen(Net)(x) ^ 2) + mean(Net(x) ^ 2)');
      close(still.after, frozen.after);
      const { reports } = compile(
        `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) }
model Other(x: float[B, 2]) -> float[B, 2] { return (Net with { state |> tanh })(x) }`,
        { path: 'test.nn', bounds: { B: 2 } },
      );
      expect(reports.map((r) => r.code)).toEqual(['NN720']);
    });

    it('a path names no carries', async () => {
      const net = await unit(
        `block Drift(x: float[B]) -> float[B] {
  carry sum: float[B] = 0
  param w: float = 1
  sum = sum + w * x
  return sum
}
fn twice(x: float[...S]) -> float[...S] = 2 * x
model M(x: float[B]) -> float[B] {
  let drift = Drift()
  let first = (drift with { "**" |> twice })(x)
  return (drift with { "**" |> twice })(x) + 0 * first
}`,
        'M',
      );
      expect([...net.forward({ x: inputs.x })['output']!.data]).toEqual([4, 8, 16]);
    });
  });

  it('a network of which only a configuration is used is no program of its own', async () => {
    const text = `model Net(hidden: int)(x: float[B, 2]) -> float[B, 2] { return x |> Linear(hidden) |> tanh |> Linear(2) }
train Fit {
  input x: float[B, 2]
  let net = Net(hidden: 4)
  minimize mean(net(x) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 3
}`;
    const net = await unit(text, 'Fit');
    expect(net.step({ x })['loss']).toBeGreaterThan(0);
    expect([...net.weights().keys()]).toContain('linear.weight');
  });

  it('a selector that names nothing is reported', () => {
    const { reports } = compile(
      `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) }
model Other(x: float[B, 2]) -> float[B, 2] { return (Net with { "b.*" |> tanh })(x) }`,
      { path: 'test.nn', bounds: { B: 2 } },
    );
    expect(reports.map((r) => r.code)).toEqual(['NN720']);
  });

  it('the same weights in another configuration: decoding with a cache is the forward pass token by token', async () => {
    const text = `
block Sum(cache: int = 0)(x: float[B, T, D], at: i32 = 0) -> float[B, T, D] {
  param w: float[D, D] = normal() / sqrt(D)
  let k[b, t, d] = sum[e] x[b, t, e] * w[d, e]
  if cache > 0 {
    carry past: float[B, cache, D] = 0
    past[b, s, d] = k[b, s - at, d] else past[b, s, d]
    k = past
  }
  let y[b, t: T, d] = sum[s where s <= at + t] k[b, s, d]
  return y
}
model Whole(x: float[B, T, 3]) -> float[B, T, 3] { let core = Sum(); core(x) }
model Stepwise(x: float[B, T, 3]) -> float[B, T, 3] {
  require T <= 6
  let core = Sum(cache: 6) with Whole.core.params
  scan t in T {
    let now[b, one: 1, d] = x[b, t, d]
    yield y[b, t, d] = core(now, at: t)[b, 0, d]
  }
  return y
}`;
    const data = Float32Array.from({ length: 2 * 5 * 3 }, (_, k) => Math.sin(k));
    const [whole, stepwise] = [await unit(text, 'Whole'), await unit(text, 'Stepwise')];
    expect([...stepwise.weights().keys()]).toEqual(['core.w']);
    stepwise.load(whole.weights());
    const [a, b] = [whole, stepwise].map((n) => Object.values(n.forward({ x: data }, { B: 2, T: 5 }))[0]!.data);
    expect(b!.length).toBe(30);
    a!.forEach((v, k) => expect(b![k]).toBeCloseTo(v, 5));
  });
});

describe('modes', () => {
  it('eval(m) in a step computes as in evaluation', async () => {
    const text = (call: string) => `
model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) |> Dropout(0.5) }
train Fit {
  input x: float[B, 2]
  minimize mean(${call} ^ 2)
  optimizer SGD(lr: 0)
  batch B = 3
}`;
    const [plain, evaluating] = [await unit(text('Net(x)'), 'Fit'), await unit(text('eval(Net)(x)'), 'Fit')];
    const expected = plain.evaluate({ x })['loss'];
    expect(evaluating.step({ x })['loss']).toBeCloseTo(expected!, 6);
    expect(plain.step({ x })['loss']).not.toBeCloseTo(expected!, 3);
  });

  it('frozen(m) has no gradient, and needs no optimizer of its own', async () => {
    const { before, after } = await step('minimize mean((Net(x) - frozen(Net)(x) - 1) ^ 2)');
    const plain = await step('let target = stop_gradient(Net(x))\n  minimize mean((Net(x) - target - 1) ^ 2)');
    close(after, plain.after);
    expect(after).not.toEqual(before);
  });

  it('surrogate has the value of one and the derivative of the other', async () => {
    const hard = await step(
      'let y = Net(x)\n  let s = surrogate(float(y > 0), gradient: sigmoid(4 * y))\n  minimize mean((s - 1) ^ 2)',
    );
    const y = await step('let y = Net(x)\n  minimize mean((float(y > 0) - 1) ^ 2) + 0 * mean(y)');
    expect(hard.report['loss']).toBeCloseTo(y.report['loss']!, 6);
    expect(hard.after).not.toEqual(hard.before);
    await agree(
      `model Net(x: float[B, 2]) -> float[B, 2] { return x |> a: Linear(2) }
train Fit {
  input x: float[B, 2]
  let y = Net(x)
  let s[b, d] = surrogate(float(y[b, d] > 0), gradient: y[b, d] ^ 3)
  minimize mean((s - 0.5) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 3
}`,
      'Fit',
      { B: 3 },
    );
  });
});
