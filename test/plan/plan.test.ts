/** Memory plans: known cases by hand, and random programs whose emitted code in planned memory gives what separate buffers give. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { lifetimes, timeline } from '../../compiler/plan/liveness.ts';
import { inferences, plan as planUnit } from '../../compiler/plan/plan.ts';
import { printPlan } from '../../compiler/plan/print.ts';
import { mayShare } from '../../compiler/plan/share.ts';
import { interval } from '../../compiler/plan/sizes.ts';
import { usage } from '../../compiler/plan/usage.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { add, floorDiv, mul, name, num, sub } from '../../compiler/sizes/poly.ts';
import type { Kernel, KernelStep, Schedule } from '../../compiler/kernel/types.ts';
import type { Plan } from '../../runtime/plan.ts';
import * as K from '../targets/ts/kernels.ts';
import {
  emitted,
  everything,
  imported,
  leastSquares,
  planned,
  ProgramMaker,
  recurrence,
  unitOf,
  type Made,
} from '../targets/ts/units.ts';

const N = 'N';
const M = 'M';
const at = (i: Parameters<typeof K.p>[0] = 'i', j: Parameters<typeof K.p>[0] = 'j') => K.offset([N, M], [i, j]);
const x = K.read(0, at());

interface Shape {
  readonly kernel: Kernel;
  readonly schedule: Schedule;
  readonly inputs: number;
}

const map = (kernelName: string, inputs: number, value: K.ExprOf): Shape => ({
  kernel: K.kernel(
    kernelName,
    [N, M],
    [...Array.from({ length: inputs }, (_, k) => K.buffer(`x${k}`, [N, M])), K.buffer('y', [N, M], 'write')],
    { i: N, j: M },
    K.stage('map', ['i', 'j'], { writes: [K.write(inputs, at(), value)] }),
  ),
  schedule: K.schedule(K.leaf('map', ['i', 'j'], { j: 2 })),
  inputs,
});

const rows = (): Shape => ({
  kernel: K.kernel(
    'rows',
    [N, M],
    [K.buffer('x', [N, M]), K.buffer('y', [N, M], 'write')],
    { i: N, j: M, s: M },
    K.stage('total', ['i'], {
      over: ['s'],
      defs: { total: { op: 'sum', init: null, value: K.read(0, at('i', 's')) } },
    }),
    K.stage('scale', ['i', 'j'], {
      writes: [K.write(1, at(), K.op('sub', x, K.op('mul', K.value('total'), K.constant(0.25))))],
    }),
  ),
  schedule: K.schedule(K.loop('i', [K.leaf('total', ['s']), K.leaf('scale', ['j'])])),
  inputs: 1,
});

const columns = (): Shape => ({
  kernel: K.kernel(
    'columns',
    [N, M],
    [K.buffer('x', [N, M]), K.buffer('y', [N, M], 'write')],
    { i: N, j: M, s: N },
    K.stage('total', ['i', 'j'], {
      over: ['s'],
      defs: { total: { op: 'sum', init: null, value: K.read(0, at('s', 'j')) } },
      writes: [K.write(1, at(), K.op('sub', x, K.op('mul', K.value('total'), K.constant(0.125))))],
    }),
  ),
  schedule: K.schedule(K.leaf('total', ['i', 'j', 's'], { i: 2 })),
  inputs: 1,
});

const shapes: readonly Shape[] = [
  map('halve', 1, K.op('add', K.op('mul', x, K.constant(0.5)), K.constant(1))),
  map('mix', 2, K.op('sub', x, K.op('mul', K.read(1, at()), K.constant(0.75)))),
  map('reverse', 1, K.read(0, at(sub(add(name(N), num(-1)), name('i')), 'j'))),
  map(
    'shift',
    1,
    K.op(
      'add',
      K.read(0, at(add(name('i'), num(-1)), 'j'), {
        guards: [K.guard(add(name('i'), num(-1)), 0, N)],
        otherwise: K.constant(2),
      }),
      x,
    ),
  ),
  rows(),
  columns(),
];

/** Row t of y from row t of x, leaving the other rows. */
const row: Kernel = K.kernel(
  'row',
  [N, M, 't'],
  [K.buffer('x', [N, M]), K.buffer('y', [N, M], 'readwrite')],
  { j: M },
  K.stage('row', ['j'], { writes: [K.write(1, at('t', 'j'), K.op('add', K.read(0, at('t', 'j')), K.constant(0.5)))] }),
);
const rowSchedule = K.schedule(K.leaf('row', ['j']));

const data = (name_: string) => ({
  name: name_,
  type: { dtype: 'f32' as const, sizes: [K.p(N), K.p(M)] },
  below: null,
  origin: 0,
});
const bounds = { N: 5, M: 4 };

function model(maker: ProgramMaker, inputs: readonly string[]): Made {
  return unitOf(
    {
      name: 'Random',
      kind: 'model',
      inputs: inputs.map(data),
      sizes: [
        { name: N, bound: bounds.N },
        { name: M, bound: bounds.M },
      ],
    },
    { forward: maker.done() },
  );
}

interface Choice {
  readonly shape: number;
  readonly from: readonly number[];
  readonly loop: boolean;
}

/** Straight steps and loops; a loop carries a buffer, stacks rows, and uses what stands before it. */
function build(choices: readonly Choice[], results: readonly number[]): Made {
  const maker = new ProgramMaker('forward');
  const alive = [maker.buffer('p', 'data', [N, M]), maker.buffer('q', 'data', [N, M])];
  const sizes = [N, M].map(K.p);
  const pick = (k: number): number => alive[k % alive.length]!;
  const call = (into: KernelStep[], s: Shape, from: readonly number[], to: number): void => {
    into.push({
      kind: 'call',
      kernel: s.kernel,
      schedule: s.schedule,
      buffers: [...from.slice(0, s.inputs), to],
      sizes,
      origin: 0,
    });
  };
  for (const [k, choice] of choices.entries()) {
    const shape = shapes[choice.shape % shapes.length]!;
    const from = choice.from.map(pick);
    if (!choice.loop || from[0] === from[1]) {
      const to = maker.buffer(`v${k}`, 'temporary', [N, M]);
      call(
        maker.steps,
        shape,
        from[0] === from[1] && shape.inputs === 2 ? [from[0]!, alive[0] === from[0] ? alive[1]! : alive[0]!] : from,
        to,
      );
      alive.push(to);
      continue;
    }
    const carry = maker.buffer(`carry${k}`, 'temporary', [N, M]);
    const inner = maker.buffer(`inner${k}`, 'temporary', [N, M]);
    const stack = maker.buffer(`stack${k}`, 'temporary', [N, M]);
    call(maker.steps, shapes[0]!, [from[0]!], carry);
    call(maker.steps, shapes[0]!, [from[1]!], stack);
    const body: KernelStep[] = [];
    call(body, shapes[1]!, [carry, from[1]!], inner);
    body.push({
      kind: 'call',
      kernel: row,
      schedule: rowSchedule,
      buffers: [inner, stack],
      sizes: [N, M, 't'].map(K.p),
      origin: 0,
    });
    const mixed = maker.buffer(`mixed${k}`, 'temporary', [N, M]);
    call(body, shape, [inner, stack], mixed);
    body.push({ kind: 'copy', from: mixed, to: carry, origin: 0 });
    maker.steps.push({
      kind: 'loop',
      variable: 't',
      count: K.p(N),
      reversed: k % 2 === 1,
      until: null,
      limit: null,
      body,
      origin: 0,
    });
    alive.push(carry, stack);
  }
  const named = new Set(results.map((r) => alive[2 + (r % Math.max(1, alive.length - 2))] ?? alive[0]!));
  for (const b of named) maker.output(`out${b}`, b);
  return model(maker, ['p', 'q']);
}

const choice = fc.record({
  shape: fc.nat(shapes.length - 1),
  from: fc.tuple(fc.nat(30), fc.nat(30)),
  loop: fc.boolean(),
});

describe('random programs', () => {
  it('compute in planned memory what they compute in separate buffers; the verifier finds nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(choice, { minLength: 1, maxLength: 9 }),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        async (choices, results) => {
          const made = build(choices, results);
          const { plan, kernels, schedules } = planned(made);
          expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
          const { Random } = (await imported(emitted(made, false).code)) as unknown as {
            Random: { create(): { forward(i: object): Record<string, { data: Float32Array }> } };
          };
          const unit = Random.create();
          for (const [n, m] of [
            [5, 4],
            [3, 2],
            [1, 4],
          ] as const) {
            const p = Float32Array.from({ length: n * m }, (_, i) => Math.sin(i));
            const q = Float32Array.from({ length: n * m }, (_, i) => Math.cos(3 * i));
            const want = interpret(made.programs.get('forward')!, new Map(Object.entries({ p, q })), { N: n, M: m });
            const got = unit.forward.call(unit, { p, q }, ...([{ N: n, M: m }] as unknown as []));
            for (const [key, { data: values }] of Object.entries(got)) expect(values).toEqual(want.output(key));
          }
        },
      ),
      { numRuns: 60, seed: 20260101 },
    );
  });

  it('need no less than what is alive at once, and place nothing twice', () => {
    fc.assert(
      fc.property(
        fc.array(choice, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        (choices, results) => {
          const made = build(choices, results);
          const program = made.programs.get('forward')!;
          const line = timeline(program);
          const ranges = [...lifetimes(program, line).values()];
          let most = 0;
          // Strictly within a life nothing can be shared.
          for (let t = 0; t < line.end; t++)
            most = Math.max(most, ranges.filter((r) => r.first < t && t < r.last).length);
          const { plan } = planned(made);
          expect(plan.arenas.work).toBeGreaterThanOrEqual(most * 5 * 4 * 4);
          expect(plan.arenas.work).toBeLessThanOrEqual(ranges.length * 128);
          for (const b of plan.buffers) expect(b.offset % 64).toBe(0);
        },
      ),
      { numRuns: 300, seed: 20260102 },
    );
  });
});

describe('the verifier', () => {
  const broken = (made: Made, change: (plan: Plan) => Plan): string[] => {
    const { plan, kernels, schedules } = planned(made, { T: 9 });
    expect(verifyPlan(plan, kernels, schedules)).toEqual([]);
    return verifyPlan(change(plan), kernels, schedules);
  };
  const moved = (plan: Plan, buffer: string, offset: number, kind = 'work'): Plan => ({
    ...plan,
    buffers: plan.buffers.map((b) => (b.name === buffer && b.arena === kind ? { ...b, offset } : b)),
  });
  it('sees a buffer that is overwritten before it is read', () => {
    const wrong = broken(leastSquares(), (plan) =>
      moved(plan, 'prediction', plan.buffers.find((b) => b.name === 'y')!.offset),
    );
    expect(wrong.join('\n')).toMatch(/reads y \(\d+\), which has been overwritten|in one place/);
  });
  it('sees what a loop needs from the round before', () => {
    const wrong = broken(recurrence(), (plan) =>
      moved(plan, 'all', plan.buffers.find((b) => b.name === 'next')!.offset),
    );
    expect(wrong.join('\n')).toContain('in one place');
    const other = broken(recurrence(), (plan) => moved(plan, 'next', plan.buffers.find((b) => b.name === 'x')!.offset));
    expect(other.join('\n')).toMatch(/reads x \(\d+\), which has been overwritten|in one place/);
  });
  it('sees unaligned, overlapping and outlying buffers', () => {
    expect(broken(leastSquares(), (plan) => moved(plan, 'w/m', 4, 'persistent')).join('\n')).toMatch(
      /overlap[\s\S]*not aligned/,
    );
    expect(broken(leastSquares(), (plan) => moved(plan, 'x', 1 << 20)).join('\n')).toContain(
      'reaches beyond the work arena',
    );
  });
  it('sees steps that read what nobody wrote', () => {
    const drop = (plan: Plan): Plan => ({
      ...plan,
      programs: { ...plan.programs, step: { ...plan.programs['step']!, steps: plan.programs['step']!.steps.slice(1) } },
    });
    expect(broken(leastSquares(), drop).join('\n')).toContain('which was never written');
  });
});

describe('usage and sharing', () => {
  it('knows what a kernel defines, reads and combines', () => {
    expect(usage(K.linearRelu())[3]).toEqual({ readsOld: false, writes: true, combines: false, defines: true });
    expect(usage(K.scatterAdd())[2]).toEqual({ readsOld: false, writes: true, combines: false, defines: true });
    expect(usage(K.adam())[0]).toEqual({ readsOld: true, writes: true, combines: false, defines: false });
    expect(usage(row)[1]).toEqual({ readsOld: false, writes: true, combines: false, defines: false });
    expect(usage(K.softmax())[1]).toEqual({ readsOld: false, writes: true, combines: false, defines: true });
  });
  it.each([
    ['halve', 0, true],
    ['mix', 1, true],
    ['reverse', 2, false],
    ['shift', 3, false],
    ['rows', 4, true],
    ['columns', 5, false],
  ])('%s in place', (kernelName, k, expected) => {
    const { kernel, schedule, inputs } = shapes[k]!;
    expect(kernel.name).toBe(kernelName);
    expect(mayShare(kernel, schedule, 0, inputs)).toBe(expected);
  });
  it('a chain of elementwise steps needs one buffer', () => {
    const maker = new ProgramMaker('forward');
    let last = maker.buffer('p', 'data', [N, M]);
    for (let k = 0; k < 6; k++) {
      const next = maker.buffer(`v${k}`, 'temporary', [N, M]);
      maker.call(shapes[0]!.kernel, shapes[0]!.schedule, [last, next]);
      last = next;
    }
    maker.output('out', last);
    const { plan } = planned(model(maker, ['p']));
    expect(plan.arenas.work).toBe(128); // 5 · 4 · 4 = 80 bytes, aligned
    expect(printPlan(plan)).toMatchSnapshot();
  });
});

describe('sizes', () => {
  it('an open size without a bound is a problem that names it', () => {
    const made = recurrence();
    const refused = planUnit(made.unit, made.programs, new Map());
    expect(refused.ok ? [] : refused.problems.map((p) => [p.code, p.data])).toEqual([
      ['NN520', { size: 'T', unit: 'Recurrence' }],
    ]);
    const accepted = planUnit(made.unit, made.programs, new Map([['T', 12]]));
    expect(accepted.ok && accepted.plan.sizes).toEqual([{ name: 'T', bound: 12 }]);
  });
  it('a bound of the source is not exceeded by one of the build', () => {
    expect(planned(leastSquares(), { B: 100 }).plan.sizes).toEqual([{ name: 'B', bound: 32 }]);
    expect(planned(leastSquares(), { B: 8 }).plan.sizes).toEqual([{ name: 'B', bound: 8 }]);
  });
  it('intervals hold every value', () => {
    const [a, b] = [name('a'), name('b')];
    const cases = [
      add(a, b),
      sub(a, b),
      mul(a, b, num(-2)),
      floorDiv(add(a, num(-3)), b),
      sub(a, mul(num(2), floorDiv(a, num(2)))),
    ];
    for (const p of cases) {
      const { low, high } = interval(p, (s) => (s === 'a' ? { low: 1, high: 7 } : { low: 2, high: 4 }));
      for (let av = 1; av <= 7; av++) {
        for (let bv = 2; bv <= 4; bv++) {
          const value = K.valueOf(p, { a: av, b: bv });
          expect(value).toBeGreaterThanOrEqual(low);
          expect(value).toBeLessThanOrEqual(high);
        }
      }
    }
  });
  it('follow from lengths through offsets and scales', () => {
    const input = (n: string, ...shape: Plan['inputs'][number]['shape']) => ({
      name: n,
      dtype: 'f32' as const,
      shape,
      below: null,
    });
    const { infer, required } = inferences(
      [
        input('pair', 'B', 'T'),
        input('label', 'B'),
        input('long', { op: 'add', args: ['S', 1] }),
        input('twice', { op: 'mul', args: [2, 'U'] }),
      ],
      ['B', 'T', 'S', 'U', 'Z'],
    );
    expect(infer).toEqual([
      { size: 'B', scale: 1, offset: 0, input: 'label', axis: 0 },
      { size: 'S', scale: 1, offset: 1, input: 'long', axis: 0 },
      { size: 'U', scale: 2, offset: 0, input: 'twice', axis: 0 },
      { size: 'T', scale: 1, offset: 0, input: 'pair', axis: 1 },
    ]);
    expect(required).toEqual(['Z']);
    const square = inferences([input('ids', 'B', 'T')], ['B', 'T']);
    expect(square).toEqual({ infer: [{ size: 'T', scale: 1, offset: 0, input: 'ids', axis: 1 }], required: ['B'] });
  });
});

describe('tables', () => {
  it('hold a kernel once for all programs', () => {
    const { plan } = planned(leastSquares());
    expect(plan.kernels).toEqual(['draw', 'zero', 'predict', 'metrics', 'gradient', 'adam']);
    expect(planned(everything()).plan.kernels).toHaveLength(6);
  });
});
