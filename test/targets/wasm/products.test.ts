/** Products of matrices in every form that is packed: all transposes, batches, every remainder of the tile, several blocks, windows, guards. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import { fuse } from '../../../compiler/fuse/program.ts';
import { kernelsOf } from '../../../compiler/kernel/print.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { fill } from '../../../compiler/ops/tensor.ts';
import { productLeaf, wasmSchedule, type WasmLeaf } from '../../../compiler/schedule/wasm.ts';
import { num, type Poly } from '../../../compiler/sizes/poly.ts';
import { prepare } from '../../../compiler/targets/wasm/prepare.ts';
import { drawer, newBuilder } from '../../ops/harness.ts';
import * as m from '../../fuse/models.ts';
import { compare, divided, run, type Schedules } from './support.ts';

const n = (x: number): Poly => num(x);

function draw(sizes: readonly number[], seed: number): Tensor {
  const next = drawer(seed);
  return fill('f32', [...sizes], () => Math.fround(next() * 2 - 1));
}

function product(
  a: string,
  b: string,
  out: string,
  of: Readonly<Record<string, number>>,
  schedules: Schedules = (k) => wasmSchedule(k),
): void {
  const g = newBuilder();
  const type = (labels: string) => m.f32(...[...labels].map((s) => n(of[s]!)));
  const x = g.input('a', 'data', type(a));
  const y = g.input('b', 'data', type(b));
  const program = fuse(g.finish([{ name: 'c', node: g.contract(x, y, [...a], [...b], [...out]), updates: null }]), {
    origins: g.origins,
  });
  const kernel = prepare(kernelsOf(program)[0]!);
  expect(productLeaf(kernel, kernel.stages[0]!), 'is a product').not.toBeNull();
  const inputs = new Map([
    [
      'a',
      draw(
        [...a].map((s) => of[s]!),
        1,
      ),
    ],
    [
      'b',
      draw(
        [...b].map((s) => of[s]!),
        2,
      ),
    ],
  ]);
  // Sums of K products of numbers below 1, in f32: an error of about a unit a step, at random.
  compare(program, inputs, {}, schedules, 2e-6 * Math.sqrt(of['k']! * (of['j'] ?? 1)));
}

describe('remainders of the tile', () => {
  for (let rows = 4; rows <= 11; rows++) {
    test(`${rows} rows`, () => {
      for (let columns = 8; columns <= 17; columns++) product('mk', 'kn', 'mn', { m: rows, n: columns, k: 130 + rows });
    });
  }
});

describe('one row with the rows of a matrix: two streams', () => {
  for (const columns of [64, 65, 127, 130])
    test(`${columns} columns`, () => {
      for (const length of [16, 35, 77]) {
        const g = newBuilder();
        const [x, w, c] = [
          g.input('a', 'data', m.f32(m.B, n(length))),
          g.input('b', 'data', m.f32(n(columns), n(length))),
          g.input('c', 'data', m.f32(n(columns))),
        ];
        const product = g.contract(x, w, ['m', 'k'], ['n', 'k'], ['m', 'n']);
        const y = m.relu(g, g.add(product, g.broadcast(c, [m.B, n(columns)], [1])));
        const program = fuse(g.finish([{ name: 'y', node: y, updates: null }]), { origins: g.origins });
        const inputs = new Map([
          ['a', draw([2, length], 1)],
          ['b', draw([columns, length], 2)],
          ['c', draw([columns], 3)],
        ]);
        const leaf = wasmSchedule(prepare(kernelsOf(program)[0]!)).leaves[0]!;
        expect(leaf.kind === 'product' && leaf.few.leaf.points).toBe(2);
        compare(program, inputs, { B: 2 }, (k) => wasmSchedule(k), 2e-5);
        compare(program, inputs, { B: 2 }, divided, 2e-5);
      }
    });
});

describe('transposes', () => {
  for (const a of ['mk', 'km'])
    for (const b of ['kn', 'nk'])
      for (const out of ['mn', 'nm'])
        test(`${a} ${b} ${out}`, () => {
          product(a, b, out, { m: 13, n: 19, k: 33 });
          product(a, b, out, { m: 24, n: 32, k: 16 });
          product(a, b, out, { m: 7, n: 530, k: 6 });
        });
});

describe('batches', () => {
  test.each([
    ['bmk', 'bkn', 'bmn'],
    ['bhmk', 'bhnk', 'bhmn'],
    ['bmhk', 'bnhk', 'bhmn'],
    ['bmhk', 'bhkn', 'bmhn'],
  ])('%s %s %s', (a, b, out) => product(a, b, out, { b: 2, h: 3, m: 11, n: 13, k: 34 }));
});

describe('reduced over several axes', () => {
  test.each([
    ['mkj', 'kjn', 'mn'],
    ['mkj', 'jkn', 'mn'],
    ['kmj', 'njk', 'mn'],
    ['kjm', 'kjn', 'mn'],
  ])('%s %s %s', (a, b, out) => product(a, b, out, { m: 11, n: 13, k: 7, j: 9 }));
});

test.each([
  ['rows and columns', 10, 16],
  ['columns, all rows at once', 60, 16],
  ['rows', 20, 70],
])('several blocks of %s', (_, rows, columns) => {
  const k = 130;
  const small = (schedules: Schedules): Schedules => {
    const leaf = (l: WasmLeaf): WasmLeaf =>
      l.kind === 'product' ? { ...l, block: [4 * k * rows, 4 * k * columns] } : l;
    return (kernel) => {
      const schedule = schedules(kernel);
      return { ...schedule, leaves: schedule.leaves.map(leaf) };
    };
  };
  for (const out of ['mn', 'nm']) {
    product(
      'mk',
      'nk',
      out,
      { m: 60, n: 70, k },
      small((kernel) => wasmSchedule(kernel)),
    );
    product('mk', 'nk', out, { m: 60, n: 70, k }, small(divided));
  }
});

describe('convolution, forward and both gradients', () => {
  test.each([
    [1, 9, 12],
    [1, 13, 13],
    [1, 5, 8],
    [2, 9, 17],
  ])('stride %i, %i x %i', (stride, height, width) => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(n(2), n(3), n(height), n(width)));
    const w = b.input('w', 'param', m.f32(n(6), n(3), n(3), n(3)));
    const y = m.conv(b, x, w, stride);
    const seed = b.input('seed', 'data', y.type);
    const [gx, gw] = differentiate(b, b.reduce('sum', b.mul(y, seed), [0, 1, 2, 3]), [x, w]);
    const out = [y, gx!, gw!].map((node, k) => ({ name: `o${k}`, node, updates: null }));
    const program = fuse(b.finish(out), { origins: b.origins });
    const sizes = (list: readonly Poly[]): number[] => list.map((p) => Number(p.key));
    const inputs = new Map([x, w, seed].map((node, k) => [node.attrs.name, draw(sizes(node.type.sizes), k)]));
    compare(program, inputs, {}, (k) => wasmSchedule(k), 2e-5);
    // Addresses beyond 2 GiB, and on both sides of it: windows are masked, and their addresses kept within the memory.
    if (height !== width) return;
    for (const base of [2 ** 31 - 2048, 3 * 2 ** 30]) compare(program, inputs, {}, (k) => wasmSchedule(k), 2e-5, base);
  });
});

test('the same bits from call to call', () => {
  const g = newBuilder();
  const x = g.input('a', 'data', m.f32(n(33), n(65)));
  const y = g.input('b', 'data', m.f32(n(65), n(47)));
  const program = fuse(
    g.finish([{ name: 'c', node: g.contract(x, y, ['m', 'k'], ['k', 'n'], ['m', 'n']), updates: null }]),
    {
      origins: g.origins,
    },
  );
  const given = new Map([
    ['a', draw([33, 65], 1).data],
    ['b', draw([65, 47], 2).data],
  ]);
  const buffer = program.outputs[0]!.buffer;
  const [first, second] = [run(program, given, {}), run(program, given, {})].map((r) => [...r.buffers.get(buffer)!]);
  expect(first).toEqual(second);
});
