/**
 * The evaluators against numbers from outside: worked by hand, from tables, or (random) from the generator's published test vectors.
 */
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { DType, Node, OpAttributes, OpName } from '../../compiler/graph/types.ts';
import { threefry2x32 } from '../../compiler/ops/random.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { count } from '../../compiler/ops/tensor.ts';
import { num, ONE, ZERO } from '../../compiler/sizes/poly.ts';
import { threefryWord0, threefryWord1 } from '../../runtime/random.ts';
import { drawer, newBuilder } from './harness.ts';

type Nested = number | readonly Nested[];

function tensor(dtype: DType, value: Nested): Tensor {
  const sizes: number[] = [];
  for (let v = value; typeof v !== 'number'; v = v[0]!) sizes.push(v.length);
  const flat = [value].flat(9) as number[];
  if (flat.length !== count(sizes)) throw new Error('ragged');
  return {
    dtype,
    sizes,
    data: dtype === 'i32' ? Int32Array.from(flat) : dtype === 'bool' ? Uint8Array.from(flat) : Float64Array.from(flat),
  };
}

const f = (value: Nested): Tensor => tensor('f32', value);
const i = (value: Nested): Tensor => tensor('i32', value);

function nested(x: Tensor): Nested {
  let level: Nested[] = Array.from(x.data);
  for (const size of [...x.sizes].reverse()) {
    const next: Nested[] = [];
    for (let k = 0; k < level.length; k += size) next.push(level.slice(k, k + size));
    level = next;
  }
  return level[0]!;
}

function run<O extends OpName>(op: O, inputs: readonly Tensor[], attrs: OpAttributes[O]): Nested[] {
  const b = newBuilder();
  const leaves = inputs.map((x, k) => b.input(`x${k}`, 'data', { dtype: x.dtype, sizes: x.sizes.map(num) }));
  const node = b.node(op, leaves, attrs) as unknown as Node;
  const members = node.members === null ? [node] : node.members.map((_, k) => b.part(node, k));
  const graph = b.finish(members.map((y, k) => ({ name: `y${k}`, node: y, updates: null })));
  const found = evaluate(graph, new Map(inputs.map((x, k) => [`x${k}`, x])), {});
  return [...found.values()].map(nested);
}

const x = f([
  [1, 2, 3],
  [4, 5, 6],
]);
const two = num(2);
const three = num(3);

describe('elementwise', () => {
  test.each<[OpName, Tensor[], number]>([
    // Abramowitz & Stegun, table 7.1
    ['erf', [f(0.5)], 0.520499877813],
    ['erf', [f(1)], 0.842700792949],
    ['erf', [f(2)], 0.995322265018],
    ['erf', [f(-1)], -0.842700792949],
    ['tanh', [f(1)], 0.761594155956],
    ['exp', [f(1)], 2.718281828459],
    ['log', [f(10)], 2.302585092994],
    ['pow', [f(-2), f(3)], -8],
    ['pow', [f(0), f(0)], 1],
    ['max', [f(-3), f(-2)], -2],
    ['min', [f(3), f(2)], 2],
    ['div', [i(-7), i(2)], -4],
    ['mod', [i(-7), i(3)], 2],
    ['mod', [i(7), i(-3)], -2],
    ['mod', [f(-0.5), f(2)], 1.5],
    ['mul', [i(65536), i(65537)], 65536],
    ['lt', [f(1), f(1)], 0],
    ['eq', [f(NaN), f(NaN)], 0],
    ['select', [tensor('bool', 0), f(1), f(2)], 2],
  ])('%s', (op, inputs, expected) => {
    expect(run(op, inputs, {})[0]).toBeCloseTo(expected, 11);
  });
  test('cast', () => {
    expect(run('cast', [f([-1.9, 1.9])], { dtype: 'i32' })).toEqual([[-1, 1]]);
    expect(run('cast', [f([0.5, 0])], { dtype: 'bool' })).toEqual([[1, 0]]);
  });
});

describe('structured', () => {
  test.each<[string, () => Nested[], Nested[]]>([
    ['reduce sum', () => run('reduce', [x], { op: 'sum', axes: [0] }), [[5, 7, 9]]],
    ['reduce prod', () => run('reduce', [x], { op: 'prod', axes: [0, 1] }), [720]],
    ['reduce max', () => run('reduce', [x], { op: 'max', axes: [1] }), [[3, 6]]],
    ['reduce of integers', () => run('reduce', [i([-5, -7])], { op: 'max', axes: [0] }), [-5]],
    ['argmax', () => run('argmax', [f([1, 3, 3])], { axis: 0 }), [1]],
    [
      'cumulate',
      () => run('cumulate', [x], { op: 'sum', axis: 1, exclusive: false, reversed: false }),
      [
        [
          [1, 3, 6],
          [4, 9, 15],
        ],
      ],
    ],
    [
      'cumulate, exclusive from the end',
      () => run('cumulate', [x], { op: 'prod', axis: 1, exclusive: true, reversed: true }),
      [
        [
          [6, 3, 1],
          [30, 6, 1],
        ],
      ],
    ],
    [
      'contract',
      () => run('contract', [x, x], { a: ['i', 'k'], b: ['j', 'k'], out: ['i', 'j'] }),
      [
        [
          [14, 32],
          [32, 77],
        ],
      ],
    ],
    [
      'contract, outer',
      () => run('contract', [f([1, 2]), f([3, 4])], { a: ['i'], b: ['j'], out: ['j', 'i'] }),
      [
        [
          [3, 6],
          [4, 8],
        ],
      ],
    ],
    [
      'broadcast',
      () => run('broadcast', [f([1, 2])], { sizes: [two, two], axes: [0] }),
      [
        [
          [1, 1],
          [2, 2],
        ],
      ],
    ],
    [
      'transpose',
      () => run('transpose', [x], { perm: [1, 0] }),
      [
        [
          [1, 4],
          [2, 5],
          [3, 6],
        ],
      ],
    ],
    [
      'split',
      () => run('split', [f([1, 2, 3, 4, 5, 6])], { axis: 0, sizes: [two, three] }),
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
    ],
    ['merge', () => run('merge', [x], { axis: 0, count: 2 }), [[1, 2, 3, 4, 5, 6]]],
    [
      'slice',
      () => run('slice', [x], { axis: 1, start: ONE, size: two }),
      [
        [
          [2, 3],
          [5, 6],
        ],
      ],
    ],
    ['pad', () => run('pad', [f([1, 2])], { axis: 0, before: ONE, after: two, value: 9 }), [[9, 1, 2, 9, 9]]],
    ['concat', () => run('concat', [f([1]), f([2, 3])], { axis: 0 }), [[1, 2, 3]]],
    [
      'unfold',
      () =>
        run('unfold', [f([0, 1, 2, 3, 4])], {
          axis: 0,
          offset: ZERO,
          windows: [
            { size: two, stride: two },
            { size: two, stride: ONE },
          ],
        }),
      [
        [
          [0, 1],
          [2, 3],
        ],
      ],
    ],
    [
      'unfold, backward',
      () => run('unfold', [f([0, 1, 2, 3])], { axis: 0, offset: three, windows: [{ size: num(4), stride: num(-1) }] }),
      [[3, 2, 1, 0]],
    ],
    [
      'fold',
      () =>
        run(
          'fold',
          [
            f([
              [1, 2],
              [3, 4],
            ]),
          ],
          {
            axis: 0,
            size: num(4),
            offset: ONE,
            windows: [
              { size: two, stride: ONE },
              { size: two, stride: ONE },
            ],
          },
        ),
      [[0, 1, 5, 4]],
    ],
    [
      'gather',
      () =>
        run('gather', [x, i([1, 0, 1])], {
          sizes: [three, three],
          sources: [
            { from: 'index', which: 0 },
            { from: 'axis', axis: 1 },
          ],
          on: [0],
        }),
      [
        [
          [4, 5, 6],
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
    ],
    [
      'gather outside',
      () =>
        run('gather', [f([7, 8]), i([2, -1, 1])], { sizes: [three], sources: [{ from: 'index', which: 0 }], on: [0] }),
      [[0, 0, 8]],
    ],
    [
      'scatter',
      () =>
        run('scatter', [f([1, 2, 4]), i([1, 1, 5])], {
          sizes: [three],
          sources: [{ from: 'index', which: 0 }],
          on: [0],
          combine: 'add',
          initial: 0,
        }),
      [[0, 3, 0]],
    ],
    [
      'scatter max',
      () =>
        run('scatter', [f([-1, -2, 4]), i([1, 1, 0])], {
          sizes: [three],
          sources: [{ from: 'index', which: 0 }],
          on: [0],
          combine: 'max',
          initial: -Infinity,
        }),
      [[4, -1, -Infinity]],
    ],
    [
      'topk',
      () => run('topk', [f([2, 5, 5, 1])], { axis: 0, k: three }),
      [
        [5, 5, 2],
        [1, 2, 0],
      ],
    ],
    [
      'iota',
      () => run('iota', [], { sizes: [two, three], axis: 0 }),
      [
        [
          [0, 0, 0],
          [1, 1, 1],
        ],
      ],
    ],
  ])('%s', (_, found, expected) => {
    expect(found()).toEqual(expected);
  });
});

describe('scan', () => {
  const fibonacci = (reversed: boolean): Nested[] => {
    const b = newBuilder();
    const start = b.constant(1, 'f32');
    const loop = b.loop(
      { carries: [start, start], sequences: [], length: num(5), reversed },
      (inner, round, [p, q]) => ({
        carries: [q!, inner.add(p!, q!)],
        yields: [p!, round],
      }),
    );
    const graph = b.finish(
      [...loop.carries, ...loop.yields].map((node, k) => ({ name: `y${k}`, node, updates: null })),
    );
    return [...evaluate(graph, new Map(), {}).values()].map(nested);
  };
  test('forward', () => void expect(fibonacci(false)).toEqual([8, 13, [1, 1, 2, 3, 5], [0, 1, 2, 3, 4]]));
  test('reversed: yields stand at their round', () =>
    void expect(fibonacci(true)).toEqual([8, 13, [5, 3, 2, 1, 1], [0, 1, 2, 3, 4]]));
});

describe('random', () => {
  // Known answers of Random123, kat_vectors, threefry 2x32 with 20 rounds.
  test.each<[[number, number], [number, number], [number, number]]>([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ])('threefry under %o at %o', (key, counter, expected) => {
    expect(threefry2x32(key, counter)).toEqual(expected);
  });
  test("the runtime's draws the same", () => {
    const draw = drawer(3);
    const word = (): number => Math.floor(draw() * 2 ** 32) | 0;
    for (let n = 0; n < 200; n++) {
      const [k0, k1, c0, c1] = [word(), word(), word(), word()];
      expect([threefryWord0(k0, k1, c0, c1), threefryWord1(k0, k1, c0, c1)]).toEqual(threefry2x32([k0, k1], [c0, c1]));
    }
  });
  test('is uniform in [0, 1) and differs by word, stream and step', () => {
    const attrs = { sizes: [num(4000)], stream: 3, word: 0 } as const;
    const base = run('random', [i(1), i(0)], attrs)[0] as number[];
    expect(Math.min(...base)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...base)).toBeLessThan(1);
    const mean = base.reduce((sum, u) => sum + u, 0) / base.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 / Math.sqrt(12 * base.length)); // four standard errors
    for (const other of [
      run('random', [i(1), i(0)], { ...attrs, word: 1 }),
      run('random', [i(1), i(0)], { ...attrs, stream: 4 }),
      run('random', [i(1), i(1)], attrs),
      run('random', [i(2), i(0)], attrs),
    ])
      expect(other[0]).not.toEqual(base);
  });
});
