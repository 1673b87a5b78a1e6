/** Expressions, the verifier, the printer and the interpreter on kernels written by hand. */
import { describe, expect, test } from 'vitest';
import { ExprTable } from '../../compiler/kernel/expr.ts';
import { roundToHalf, runKernel } from '../../compiler/kernel/interpret.ts';
import { Levels } from '../../compiler/kernel/levels.ts';
import { printKernel } from '../../compiler/kernel/print.ts';
import type { Kernel, Stage } from '../../compiler/kernel/types.ts';
import { verifyKernel } from '../../compiler/kernel/verify.ts';
import { add, name, num, ZERO, type Poly } from '../../compiler/sizes/poly.ts';
import { defaultSchedule } from '../../compiler/schedule/default.ts';
import { verifySchedule } from '../../compiler/schedule/verify.ts';

const t = new ExprTable();
const [i, N] = ['i', 'N'].map((s) => name(s)) as [Poly, Poly];

describe('expressions', () => {
  test('equal ones are one object', () => {
    const x = t.read(0, 'f32', i);
    expect(t.op('add', 'f32', x, x)).toBe(t.op('add', 'f32', t.read(0, 'f32', i), x));
    expect(t.constant(0, 'f32')).not.toBe(t.constant(-0, 'f32'));
    expect(t.constant(0, 'f32')).not.toBe(t.constant(0, 'i32'));
  });

  test('simplifications are exact', () => {
    const x = t.read(0, 'f32', i);
    const zero = t.constant(0, 'f32');
    expect(t.op('mul', 'f32', x, t.constant(1, 'f32'))).toBe(x);
    expect(t.op('sub', 'f32', x, zero)).toBe(x);
    expect(t.op('neg', 'f32', t.op('neg', 'f32', x))).toBe(x);
    // −0 + 0 is 0, and infinity · 0 is no number: these stay.
    expect(t.op('add', 'f32', x, zero).kind).toBe('op');
    expect(t.op('mul', 'f32', x, zero).kind).toBe('op');
    expect(t.op('add', 'i32', t.index(i), t.constant(3, 'i32'))).toBe(t.index(add(i, num(3))));
    expect(t.op('lt', 'bool', t.index(i), t.index(add(i, num(1))))).toBe(t.constant(1, 'bool'));
    expect(t.op('select', 'f32', t.constant(0, 'bool'), x, zero)).toBe(zero);
  });

  test('rounding stays where a register may be wider', () => {
    const x = t.read(0, 'f32', i);
    expect(t.rounded(x)).toBe(x);
    expect(t.rounded(t.op('add', 'f32', x, x)).kind).toBe('op');
    expect(t.rounded(t.rounded(t.op('add', 'f32', x, x)))).toBe(t.rounded(t.op('add', 'f32', x, x)));
    expect(t.rounded(t.op('max', 'f32', x, t.constant(0.5, 'f32')))).toBe(
      t.op('max', 'f32', x, t.constant(0.5, 'f32')),
    );
    expect(t.op('cast', 'f32', t.constant(0.1, 'f32'))).toBe(t.constant(Math.fround(0.1), 'f32'));
  });

  test('guards join the read they stand around', () => {
    const guard = { e: i, lo: ZERO, hi: N };
    const zero = t.constant(0, 'f32');
    const read = t.guarded([guard], t.read(0, 'f32', i), zero);
    expect(read.kind).toBe('read');
    expect(t.guarded([guard], read, zero)).toBe(read);
    expect(t.guarded([guard], zero, zero)).toBe(zero);
  });
});

/** y[i] = x[i] − the sum of row i; x [N, 3] kept as N rows. */
function rowKernel(change: Partial<Stage> = {}): Kernel {
  const at = add(num(0), name('i'), name('i'), name('i'), name('r'));
  const x = t.read(0, 'f32', at);
  const first: Stage = {
    name: 'sum',
    axes: ['i'],
    over: ['r'],
    defs: new Map([
      ['twice', { op: null, value: t.op('add', 'f32', x, x) }],
      ['sum', { op: 'sum', init: null, value: t.value('twice', 'f32') }],
    ]),
    each: [],
    writes: [],
    order: null,
    ...change,
  };
  const value = t.op('sub', 'f32', x, t.value('sum', 'f32'));
  const second: Stage = {
    name: 'each',
    axes: ['i', 'r'],
    over: [],
    defs: new Map(),
    each: [],
    writes: [{ buffer: 1, at, dynamic: [], guards: [], value, mode: 'store' }],
    order: null,
  };
  const buffer = (label: string, access: 'read' | 'write'): Kernel['buffers'][number] => ({
    name: label,
    dtype: 'f32',
    access,
    sizes: [N, num(3)],
  });
  return {
    name: 'rows',
    sizes: ['N'],
    buffers: [buffer('x', 'read'), buffer('y', 'write')],
    axes: new Map([
      ['i', N],
      ['r', num(3)],
    ]),
    rows: ['i'],
    stages: [first, second],
    origin: 0,
    reasons: new Map(),
  };
}

test('a kernel prints, verifies and runs', () => {
  const kernel = rowKernel();
  expect(verifyKernel(kernel)).toEqual([]);
  expect(verifySchedule(kernel, defaultSchedule(kernel, 'ts'))).toEqual([]);
  expect(printKernel(kernel)).toMatchInlineSnapshot(`
    "kernel rows(N, x f32[N, 3], write y f32[N, 3])
      i < N, r < 3; rows i
      sum: i over r
        twice = x[3 * i + r] + x[3 * i + r]
        sum = sum(twice)
      each: i r
        y[3 * i + r] = x[3 * i + r] - sum"
  `);
  const y = new Float32Array(6);
  runKernel(kernel, [Float32Array.from([1, 2, 3, 4, 5, 6]), y], new Map([['N', 2]]));
  expect([...y]).toEqual([-11, -10, -9, -26, -25, -24]);
});

describe('the verifier finds', () => {
  test.each([
    ['an axis that is not looped', { over: [] }, /axis r is not looped here/],
    ['an unknown name', { axes: ['i', 'q'] }, /axis q has no extent/],
    ['a row that is missing', { axes: [] }, /row i is no axis/],
    [
      'a value before its definition',
      { defs: new Map([...rowKernel().stages[0]!.defs].reverse()) },
      /before its definition/,
    ],
    ['a missing value', { defs: new Map() }, /no value sum/],
  ] as const)('%s', (_, change, message) => {
    expect(verifyKernel(rowKernel(change as Partial<Stage>)).join('\n')).toMatch(message);
  });

  test('a schedule that leaves out an axis or a stage', () => {
    const kernel = rowKernel();
    const schedule = defaultSchedule(kernel, 'ts');
    expect(verifySchedule(kernel, { ...schedule, body: [] })).not.toEqual([]);
    const bare = kernel.stages.map(
      (s) => ({ kind: 'stage', stage: s.name, order: s.over, tile: new Map(), unroll: 1 }) as const,
    );
    expect(verifySchedule(kernel, { parallel: null, body: bare }).join()).toMatch(/loops/);
  });
});

test('levels of plain values', () => {
  const stage = rowKernel().stages[0]!;
  expect([...new Levels(stage).defs]).toEqual([
    ['twice', 'inside'],
    ['sum', 'after'],
  ]);
});

test('half precision', () => {
  expect([1 / 3, 65519, 65520, 2 ** -25, 3 * 2 ** -25, -0, 2049].map(roundToHalf)).toEqual([
    0.333251953125,
    65504,
    Infinity,
    0,
    2 ** -23,
    -0,
    2048,
  ]);
});
