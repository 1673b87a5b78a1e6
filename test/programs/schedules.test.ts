/** Schedules: how they are combined, and those that go by the loss of validations: in training loops, over checkpoints, and where the text is wrong. Their numbers are in test/library/. */
import { describe, expect, it } from 'vitest';
import { checkSource, compile } from '../../compiler/index.ts';
import { fit, type Columns } from '../../runtime/fit.ts';
import { instantiate, loadModule, type Instance } from '../support/emitted.ts';

const net = `
model Line(x: float[B, 2]) -> float[B, 1] { return x |> out: Linear(1) }`;
const program = (optimizer: string, more = ''): string => `${more}${net}
train Fit {
  input x: float[B, 2]
  input y: float[B, 1]
  minimize mean_squared_error(Line(x), y)
  ${optimizer}
  batch B = 4
  epochs 6
}`;

function artifactOf(text: string) {
  const { artifacts, reports } = compile(text, { only: 'Fit', targets: ['ts', 'wasm'] });
  expect(reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return artifacts.get('Fit')!;
}
const codes = (text: string): string[] =>
  checkSource(text)
    .reports.filter((r) => r.severity === 'error')
    .map((r) => `${r.code} ${r.message}`);

const rows = 8;
const data = (shift: number): Columns => ({
  x: { data: Float32Array.from({ length: rows * 2 }, (_, k) => Math.sin(k + shift)), shape: [2] },
  y: { data: Float32Array.from({ length: rows }, (_, k) => Math.cos(2 * k + shift)), shape: [1] },
});
const slots = (net: Instance): Record<string, number> =>
  Object.fromEntries(
    [...(net.checkpoint() as { tensors: Map<string, { data: Float32Array }> }).tensors]
      .filter(([path]) => path.startsWith('schedule/'))
      .map(([path, t]) => [path, t.data[0]!]),
  );

/** Every validation of a fit whose loss no longer falls counts. */
const restless = 'optimizer SGD(lr: plateau(0.5, patience: 0, threshold: 1, absolute: true))';

describe('schedules that go by validations', () => {
  it.each(['ts', 'wasm'] as const)(
    'hear of each from fit, and go on from a checkpoint bit for bit: %s',
    async (target) => {
      const artifact = artifactOf(program(restless));
      const make = async (): Promise<Instance> => {
        const module = await loadModule(artifact.modules.get(target)!.javascript);
        return (module['Fit'] as { create(o: object): Instance }).create({ seed: 3 });
      };
      const [training, validation] = [data(0), data(1)];
      const whole = await make();
      await fit(whole as never, training, { validation, patience: Infinity });
      // The first validation sets the mark; none after it is better by 1.
      expect(slots(whole)['schedule/plateau/rate']).toBeCloseTo(0.5 * 0.1 ** 5, 9);

      const first = await make();
      const { state } = await fit(first as never, training, { validation, epochs: 3, patience: Infinity });
      const second = await make();
      await fit(second as never, training, { validation, resume: state, patience: Infinity });
      expect(slots(second)).toEqual(slots(whole));
      expect([...second.weights()]).toEqual([...whole.weights()]);
    },
  );

  it('keep one set of states for all parameters, and each place its own', async () => {
    const artifact = artifactOf(
      program(
        'optimizer SGD(lr: plateau(0.5, patience: 0)) for "*.bias"\n  optimizer Adam(lr: plateau(0.1), decay: plateau(0.2, patience: 0))',
      ),
    );
    const paths = artifact.plan.leaves.map((l) => l.path).filter((p) => p.endsWith('/rate'));
    expect(paths.sort()).toEqual(['schedule/plateau/rate', 'schedule/plateau_2/rate', 'schedule/plateau_3/rate']);
    const net = await instantiate(artifact, 1);
    for (const loss of [1, 2]) net.validated!(loss);
    expect(slots(net)['schedule/plateau/rate']).toBeCloseTo(0.05);
    expect(slots(net)['schedule/plateau_2/rate']).toBeCloseTo(0.1);
    expect(slots(net)['schedule/plateau_3/rate']).toBeCloseTo(0.02);
  });

  it('one that two optimizers share counts a validation once', async () => {
    const artifact = artifactOf(
      program(
        'optimizer Own() for "*.bias"\n  optimizer Own(scale: 2)',
        `optimizer Own(scale: float = 1, lr: schedule = plateau(0.5, patience: 0))(w: f32[...S], g: f32[...S]) {
  w -= scale * lr * g
}
`,
      ),
    );
    const net = await instantiate(artifact, 1);
    for (const loss of [1, 2]) net.validated!(loss);
    expect(Object.keys(slots(net)).filter((p) => p.endsWith('/rate'))).toHaveLength(1);
    expect(slots(net)['schedule/plateau/rate']).toBeCloseTo(0.05);
  });

  it('need validations', async () => {
    const net = await instantiate(artifactOf(program(restless)), 1);
    await expect(fit(net as never, data(0))).rejects.toThrow('NN537: A schedule goes by the loss of validations');
  });

  it('others have nothing to hear', () => {
    const artifact = artifactOf(program('optimizer Adam(lr: cosine(0.1, total: 10))'));
    expect(Object.keys(artifact.plan.programs)).not.toContain('validated');
    expect(artifact.modules.get('ts')!.typescript).not.toContain('validated(');
  });
});

describe('combined', () => {
  it('by arithmetic, and by calls at a step', async () => {
    const more = 'schedule both(peak: float)(step) = cosine(peak, total: 8)(step) * warmup(1, over: 4)(step)\n';
    const weights = await Promise.all(
      [
        'both(0.1)',
        'cosine(0.1, total: 8) * warmup(1, over: 4)',
        '0.5 * (cosine(0.2, total: 8) * warmup(1, over: 4)) + 0',
      ].map(async (lr) => {
        const net = await instantiate(artifactOf(program(`optimizer SGD(lr: ${lr})`, more)), 1);
        const { x, y } = data(0);
        for (let k = 0; k < 6; k++) net.step({ x: x!.data.slice(0, 8), y: y!.data.slice(0, 4) });
        return Array.from(net.weights().get('out.weight')!.data);
      }),
    );
    expect(weights[1]).toEqual(weights[0]);
    weights[2]!.forEach((w, k) => expect(w).toBeCloseTo(weights[0]![k]!, 6));
  });

  it('with the loss handed on', () => {
    const more = 'schedule slow(peak: float)(step, loss) = plateau(peak)(step, loss) * warmup(1, over: 4)(step)\n';
    expect(artifactOf(program('optimizer SGD(lr: slow(0.1))', more)).plan.programs['validated']).toBeDefined();
  });
});

describe('refused', () => {
  const schedule = (body: string): string => `schedule s(peak: float)(step, loss) {
  state rate: float = peak
  ${body}
  return rate
}${net}`;
  it('the loss where there is none', () => {
    expect(codes(schedule('if validated { rate = loss }'))).toEqual([]);
    expect(codes(schedule('let x = loss * 2\n  if validated { rate = x }'))).toEqual([
      'NN721 `loss` has no meaning in a schedule outside `if validated { … }`',
    ]);
    expect(codes(schedule('if not validated { rate = 0.5 * loss }'))).toHaveLength(2);
  });
  it('a state that changes in steps', () => {
    expect(codes(schedule('rate = 0.5 * rate\n  if validated { rate = loss }'))).toEqual([
      'NN721 a change of `rate` has no meaning in a schedule outside `if validated { … }`',
    ]);
  });
  it('`validated` elsewhere, and a third value', () => {
    expect(codes('fn f(x: float[N]) -> float[N] {\n  if validated { return x }\n  return 2 * x\n}')[0]).toMatch(/^NN7/);
    expect(codes(`schedule s(peak: float)(step, loss, more) = peak * step${net}`).join()).toContain(
      'NN721 `more` has no meaning in a schedule, which knows the step and the loss',
    );
  });
});
