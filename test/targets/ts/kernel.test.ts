/** Emitted kernels give, bit for bit, what the interpreter gives, for every remainder of every tile; and they read well (goldens). */
import { describe, expect, it } from 'vitest';
import { plainSchedule } from '../../../compiler/schedule/plain.ts';
import { emitKernel } from '../../../compiler/targets/ts/kernel.ts';
import { allocate, runKernel, type Data } from '../../../compiler/kernel/interpret.ts';
import { add, evaluate, mul, name, num } from '../../../compiler/sizes/poly.ts';
import { erf, floorDivide, modulo } from '../../../runtime/scalars.ts';
import { toHalf } from '../../../runtime/memory.ts';
import { threefryWord0, threefryWord1, uniform } from '../../../runtime/random.ts';
import type { Kernel, Schedule } from '../../../compiler/kernel/types.ts';
import * as K from './kernels.ts';

type Compiled = (...args: readonly (Data | number)[]) => void;

const cache = new WeakMap<Kernel, WeakMap<Schedule, Compiled>>();

function compiled(kernel: Kernel, schedule: Schedule): Compiled {
  const known = cache.get(kernel)?.get(schedule);
  if (known !== undefined) return known;
  const { lines } = emitKernel(kernel, schedule, { types: false, place: null, taken: [] });
  const helpers = { erf, floorDivide, modulo, toHalf, threefryWord0, threefryWord1, uniform };
  const make = new Function(...Object.keys(helpers), `${lines.join('\n')}\nreturn ${kernel.name};`) as (
    ...values: readonly unknown[]
  ) => Compiled;
  const made = make(...Object.values(helpers));
  const bySchedule = cache.get(kernel) ?? new WeakMap<Schedule, Compiled>();
  cache.set(kernel, bySchedule.set(schedule, made));
  return made;
}

/** Deterministic numbers with all signs; integers in [-2, 12). */
function filled(kernel: Kernel, sizes: ReadonlyMap<string, number>): Data[] {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  return kernel.buffers.map((b) => {
    const length = b.sizes.reduce((n, p) => n * evaluate(p, (s) => sizes.get(s)!), 1);
    const data = allocate(b.dtype, length);
    for (let i = 0; i < length; i++) {
      data[i] =
        b.dtype === 'bool' ? Number(next() < 0.5) : b.dtype === 'i32' ? Math.floor(next() * 14) - 2 : next() * 4 - 2;
    }
    return data;
  });
}

function expectSame(kernel: Kernel, schedule: Schedule, sizes: Record<string, number>): void {
  const map = new Map(Object.entries(sizes));
  const mine = filled(kernel, map);
  const oracle = filled(kernel, map);
  runKernel(kernel, oracle, map);
  compiled(kernel, schedule)(...mine, ...kernel.sizes.map((s) => map.get(s)!));
  for (const [i, b] of kernel.buffers.entries())
    expect(mine[i], `${kernel.name} ${b.name} ${JSON.stringify(sizes)}`).toEqual(oracle[i]);
}

describe('numbers', () => {
  const to9 = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  it.each([
    [4, 4, 1],
    [4, 2, 4],
    [3, 5, 2],
    [1, 8, 3],
  ])('product with bias and relu, tile %i x %i, unrolled %i, every size from 1 to 9', (b, o, unroll) => {
    const kernel = K.linearRelu('D', 'O');
    const schedule = K.linearReluSchedule(b, o, unroll);
    for (const B of to9) for (const O of to9) for (const D of [1, 3, 4, 7]) expectSame(kernel, schedule, { B, O, D });
  });
  it('product with sizes known at build', () => {
    for (const D of to9) for (const O of to9) expectSame(K.linearRelu(D, O), K.linearReluSchedule(2, 4, 4), { B: 5 });
  });
  it('product inside loops over blocks', () => {
    const schedule = K.schedule(K.loop('i', [K.loop('j', [K.leaf('dot', ['i', 'j', 'k'], { i: 2, j: 4 })], 8)], 3));
    const kernel = K.matmul();
    for (const M of to9) for (const N of [1, 4, 8, 9, 17]) expectSame(kernel, schedule, { M, N, K: 3 });
  });
  it('softmax by rows, and with its values in scratch arrays', () => {
    for (const B of to9) {
      expectSame(K.softmax(), K.softmaxSchedule(), { B, C: 10 - B });
      const apart = K.schedule(
        K.leaf('greatest', ['b', 'r'], { b: 2 }),
        K.leaf('total', ['b', 's']),
        K.leaf('scale', ['b', 'c'], { c: 4 }),
      );
      expectSame(K.softmax(), apart, { B, C: 10 - B });
    }
  });
  it('Adam', () => {
    const kernel = { ...K.adam() };
    const sizes = new Map([['n', 7]]);
    const [mine, oracle] = [filled(kernel, sizes), filled(kernel, sizes)];
    for (const data of [mine, oracle]) {
      data[2] = data[2]!.map((x) => Math.abs(x));
      data[4]![0] = 3;
    }
    runKernel(kernel, oracle, sizes);
    compiled(kernel, K.schedule(K.leaf('update', ['i'], { i: 2 })))(...mine, 7);
    expect(mine).toEqual(oracle);
    expect([...mine[0]!].every(Number.isFinite)).toBe(true);
  });
  it('scatter with repeated indices and indices outside', () => {
    for (const B of to9) expectSame(K.scatterAdd(), K.scatterAddSchedule(), { B, D: 3, V: 5 });
  });
  it.each(['forward', 'backward'] as const)('prefix sum, %s', (order) => {
    const kernel = K.prefixSum(order);
    for (const T of to9) expectSame(kernel, plainSchedule(kernel), { B: 3, T });
  });
  it.each<Record<string, number>>([{}, { o: 2 }, { j: 2 }, { o: 2, j: 3 }])('padded convolution, tile %j', (tile) => {
    const schedule = K.schedule(K.leaf('conv', ['n', 'o', 'i', 'j', 'c', 'p', 'q'], tile));
    for (const H of [1, 2, 3, 5])
      for (const W of [1, 2, 4, 7]) expectSame(K.convolution(), schedule, { N: 2, C: 2, O: 3, H, W });
  });
  it('strided and reversed windows tighten their loops', () => {
    // y[i] = Σ_p x[2 i − 3 p + 4] over p < 4, x being 0 outside
    const at = add(mul(num(2), name('i')), mul(num(-3), name('p')), num(4));
    const x = K.read(0, at, { guards: [K.guard(at, 0, 'N')], otherwise: K.constant(0) });
    const kernel = K.kernel(
      'strided',
      ['N', 'M'],
      [K.buffer('x', ['N']), K.buffer('y', ['M'], 'write')],
      { i: 'M', p: 4 },
      K.stage('sum', ['i'], {
        over: ['p'],
        defs: { total: { op: 'sum', init: null, value: x } },
        writes: [K.write(1, K.p('i'), K.value('total'))],
      }),
    );
    const text = emitKernel(kernel, plainSchedule(kernel), { types: true, place: null, taken: [] }).lines.join('\n');
    expect(text).toMatch(/const pFrom = Math\.max\(0, /);
    expect(text).not.toContain('?');
    for (const N of to9) for (const M of to9) expectSame(kernel, plainSchedule(kernel), { N, M });
  });
  it('argmax over two axes, booleans, integers', () => {
    const at = K.offset(['B', 'R', 'C'], ['b', 'r', 'c']);
    const x = K.read(0, at);
    const kernel = K.kernel(
      'mixed',
      ['B', 'R', 'C'],
      [
        K.buffer('x', ['B', 'R', 'C']),
        K.buffer('n', ['B', 'R', 'C'], 'read', 'i32'),
        K.buffer('keep', ['B', 'R', 'C'], 'read', 'bool'),
        K.buffer('where', ['B'], 'write', 'i32'),
        K.buffer('any', ['B'], 'write', 'bool'),
        K.buffer('product', ['B'], 'write', 'i32'),
        K.buffer('least', ['B'], 'write', 'i32'),
      ],
      { b: 'B', r: 'R', c: 'C' },
      K.stage('scan', ['b'], {
        over: ['r', 'c'],
        defs: {
          where: { op: 'argmax', init: null, value: K.op('floor', x) },
          any: {
            op: 'any',
            init: null,
            value: K.op('and', K.read(2, at, { dtype: 'bool' }), K.op('lt', x, K.constant(0))),
          },
          product: {
            op: 'prod',
            init: null,
            value: K.op(
              'add',
              K.op('mul', K.read(1, at, { dtype: 'i32' }), K.constant(65537, 'i32')),
              K.constant(3, 'i32'),
            ),
          },
          least: {
            op: 'min',
            init: null,
            value: K.op(
              'select',
              K.read(2, at, { dtype: 'bool' }),
              K.op('mod', K.read(1, at, { dtype: 'i32' }), K.constant(5, 'i32')),
              K.constant(9, 'i32'),
            ),
          },
        },
        writes: [
          K.write(3, K.p('b'), K.value('where', 'i32')),
          K.write(4, K.p('b'), K.op('not', K.value('any', 'bool'))),
          K.write(5, K.p('b'), K.value('product', 'i32')),
          K.write(6, K.p('b'), K.op('div', K.value('least', 'i32'), K.constant(-2, 'i32'))),
        ],
      }),
    );
    for (const R of [1, 2, 5])
      for (const C of [1, 3, 4])
        expectSame(kernel, K.schedule(K.leaf('scan', ['b', 'r', 'c'], { b: 2 })), { B: 5, R, C });
  });
  it('a gather of a computed, guarded index; a random draw; halves', () => {
    const id = { name: 'k', value: K.op('sub', K.read(1, K.p('b'), { dtype: 'i32' }), K.constant(1, 'i32')) };
    const gathered = K.read(0, K.p('k'), {
      dynamic: [id],
      guards: [K.guard(K.p('k'), 0, 'V')],
      otherwise: K.constant(-1),
    });
    const drawn = K.opOf(
      'f32',
      'random',
      K.constant(3, 'i32'),
      K.constant(1, 'i32'),
      K.constant(2, 'i32'),
      K.index('b'),
      K.constant(1, 'i32'),
    );
    const half = K.opOf('f16', 'cast', K.op('div', gathered, K.constant(3)));
    const kernel = K.kernel(
      'gather',
      ['B', 'V'],
      [
        K.buffer('table', ['V']),
        K.buffer('id', ['B'], 'read', 'i32'),
        K.buffer('y', ['B'], 'write'),
        K.buffer('draw', ['B'], 'write'),
        K.buffer('half', ['B'], 'write', 'f16'),
      ],
      { b: 'B' },
      K.stage('map', ['b'], {
        writes: [K.write(2, K.p('b'), gathered), K.write(3, K.p('b'), drawn), K.write(4, K.p('b'), half)],
      }),
    );
    for (const B of to9) expectSame(kernel, K.schedule(K.leaf('map', ['b'], { b: 4 })), { B, V: 6 });
  });
  it('indices with quotients and remainders', () => {
    // y[i] = x[(i div 3) + N · (i mod 3)]: a transpose without axes of its own
    const i = name('i');
    const quotient = K.quotient(i, num(3));
    const at = add(quotient, mul(name('N'), add(i, mul(num(-3), quotient))));
    const kernel = K.kernel(
      'transpose',
      ['N'],
      [K.buffer('x', [3, 'N']), K.buffer('y', [mul(num(3), name('N'))], 'write')],
      { i: mul(num(3), name('N')) },
      K.stage('map', ['i'], { writes: [K.write(1, i, K.read(0, at))] }),
    );
    for (const N of to9) expectSame(kernel, K.schedule(K.leaf('map', ['i'], { i: 4 })), { N });
  });
});

describe('scalars', () => {
  it('erf is within 3 ULP of f32', () => {
    // erf by its series (Abramowitz & Stegun 7.1.6), all terms positive: accurate to f64 for |x| < 6.
    const exact = (x: number): number => {
      let term = x;
      let sum = x;
      for (let n = 1; Math.abs(term) > 1e-19 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
      return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
    };
    for (let x = -6; x <= 6; x += 1 / 512) {
      const want = exact(x);
      const ulp = 2 ** (Math.floor(Math.log2(Math.abs(want) || 1)) - 23);
      expect(Math.abs(erf(x) - want)).toBeLessThanOrEqual(ulp / 1000);
    }
    expect([erf(0), erf(30), erf(-30), erf(NaN)]).toEqual([0, 1, -1, NaN]);
  });
  it('toHalf rounds to nearest, ties to even', () => {
    expect(
      [1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65519, 65520, -1e9, 2 ** -25, 3 * 2 ** -25, 0.1].map(toHalf),
    ).toEqual([1, 1, 1 + 2 ** -9, 65504, 65504, Infinity, -Infinity, 0, 2 ** -23, 0.0999755859375]);
    expect(toHalf(NaN)).toBeNaN();
  });
});

describe('text', () => {
  const golden = async (file: string, kernel: Kernel, schedule: Schedule): Promise<void> => {
    const { lines } = emitKernel(kernel, schedule, { types: true, place: 'digits.nn:4:10', taken: [] });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`../../golden/ts/${file}.txt`);
  };
  it('product with bias and relu', () => golden('linear_relu', K.linearRelu(64, 10), K.linearReluSchedule(2, 2)));
  it('softmax', () => golden('softmax', K.softmax(), K.softmaxSchedule()));
  it('Adam', () => golden('adam', K.adam(), plainSchedule(K.adam())));
  it('scatter', () => golden('embedding_gradient', K.scatterAdd(), K.scatterAddSchedule()));
  it('prefix sum', () => golden('prefix_sum', K.prefixSum(), plainSchedule(K.prefixSum())));
  it('convolution', () => golden('convolution', K.convolution(), plainSchedule(K.convolution())));
  it('never allocates but for scratch, never rounds inside', () => {
    for (const k of [K.linearRelu(), K.softmax(), K.adam(), K.scatterAdd(), K.prefixSum(), K.convolution()]) {
      const { lines } = emitKernel(k, plainSchedule(k), { types: true, place: null, taken: [] });
      const code = lines.filter((l) => !l.trim().startsWith('//')).join('\n');
      expect(code).not.toMatch(/\bnew |\[\]|=>|fround/);
    }
  });
});
