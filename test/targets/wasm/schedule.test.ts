/** The schedules that known kernels get, as text; and that every one of them is in order. */
import { expect, test } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { differentiate } from '../../../compiler/differentiate/differentiate.ts';
import { fuse } from '../../../compiler/fuse/program.ts';
import type { GraphBuilder } from '../../../compiler/graph/builder.ts';
import type { Node } from '../../../compiler/graph/types.ts';
import { kernelsOf } from '../../../compiler/kernel/print.ts';
import { blocksFor } from '../../../compiler/schedule/panels.ts';
import { verifyWasmSchedule } from '../../../compiler/schedule/verify-wasm.ts';
import { printWasmSchedule, wasmSchedule } from '../../../compiler/schedule/wasm.ts';
import { num } from '../../../compiler/sizes/poly.ts';
import { prepare } from '../../../compiler/targets/wasm/prepare.ts';
import { newBuilder } from '../../ops/harness.ts';
import * as m from '../../fuse/models.ts';

function schedules(b: GraphBuilder, outputs: readonly Node[]): string {
  const program = fuse(b.finish(outputs.map((node, k) => ({ name: `o${k}`, node, updates: null }))), {
    origins: b.origins,
  });
  const lines = kernelsOf(program).map((k) => {
    const kernel = prepare(k);
    const schedule = wasmSchedule(kernel);
    expect(verifyWasmSchedule(kernel, schedule), k.name).toEqual([]);
    return `${k.name}\n${printWasmSchedule(schedule).replace(/^/gm, '  ')}`;
  });
  return `\n${lines.join('\n')}\n`;
}

function withGradients(b: GraphBuilder, y: Node, inputs: readonly Node[]): Node[] {
  const seed = b.input('seed', 'data', y.type);
  const axes = y.type.sizes.map((_, k) => k);
  return [y, ...differentiate(b, b.reduce('sum', b.mul(y, seed), axes), inputs).filter((g) => g !== null)];
}

test('linear and relu with gradients: products, columns along the results', () => {
  const b = newBuilder();
  const [x, w, c] = [
    b.input('x', 'data', m.f32(m.B, m.K)),
    b.input('w', 'param', m.f32(m.K, m.N)),
    b.input('c', 'param', m.f32(m.N)),
  ];
  expect(schedules(b, withGradients(b, m.relu(b, m.linear(b, x, w, c)), [x, w, c]))).toMatchInlineSnapshot(`
    "
    product_max_select_gradient
      sum: product rows i columns j over r tile 5x8 unroll 1 blocks 1024 and 1024 KiB
      threads share rows
    sum_gradient
      sum: i over r vector i x 4
    product_gradient
      sum: product rows i columns j over r tile 5x8 unroll 1 blocks 1024 and 1024 KiB
      threads share rows
    product_gradient_2
      sum: product rows i columns j over r tile 5x8 unroll 1 blocks 1024 and 1024 KiB
      threads share rows
    "
  `);
});

test('nine columns are two panels of eight, nine rows two tiles: operands change places where that counts', () => {
  const rowsOf = (rows: number, columns: number, sum: number): string => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(num(rows), num(sum)));
    const w = b.input('w', 'param', m.f32(num(sum), num(columns)));
    const c = b.input('c', 'param', m.f32(num(columns)));
    return /rows (\w)/.exec(schedules(b, [m.linear(b, x, w, c)]))![1]!;
  };
  expect(rowsOf(16, 9, 1000)).toBe('j');
  expect(rowsOf(16, 16, 1000)).toBe('i');
  expect(rowsOf(160, 90, 1000)).toBe('i');
  // A short sum: how its results are written counts.
  expect(rowsOf(16, 9, 40)).toBe('i');
});

test('long sums: rows are one block as far as caches reach, else columns have larger ones', () => {
  const blocksOf = (...sizes: Parameters<typeof blocksFor>): readonly number[] =>
    blocksFor(...sizes).map((n) => n >> 20);
  expect(blocksOf(1024, 1024, 1024)).toEqual([1, 1]);
  expect(blocksOf(5, 768, 50304)).toEqual([4, 1]);
  expect(blocksOf(64, 768, 50304)).toEqual([16, 1]);
  expect(blocksOf(1024, 768, 50304)).toEqual([1, 16]);
  // One block of columns: rows are packed once anyhow.
  expect(blocksOf(64, 8, 50304)).toEqual([1, 1]);
});

test('softmax: lanes along the row', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
  expect(schedules(b, withGradients(b, m.softmax(b, x), [x]))).toMatchInlineSnapshot(`
    "
    max_exp_add_gradient
      loop i
        max:  over r vector r x 4
        each:  over r vector r x 2
        each2:  over r vector r x 4
        each3:  over r vector r x 4
        each4: r vector r x 2
      threads share i
    "
  `);
});

test('an optimizer update: one loop over everything', () => {
  const b = newBuilder();
  const t = m.f32(m.K, m.N);
  const [w, g, v1, v2] = ['w', 'g', 'm', 'v'].map((s) => b.input(s, 'data', t)) as [Node, Node, Node, Node];
  expect(schedules(b, [...m.adam(b, w, g, v1, v2, b.input('rate', 'scalar', m.f32()))])).toMatchInlineSnapshot(`
    "
    add_sub
      each: i vector i x 2
    "
  `);
});

test('convolution and its gradients: channels as rows, pixels as columns', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(num(4), num(8), num(14), num(14)));
  const w = b.input('w', 'param', m.f32(num(16), num(8), num(3), num(3)));
  expect(schedules(b, withGradients(b, m.conv(b, x, w), [x, w]))).toMatchInlineSnapshot(`
    "
    product
      sum: product rows j columns i k l over r s u tile 4x8 unroll 1 blocks 1024 and 1024 KiB
      threads share columns
    mul_gradient
      each: i vector i x 2
    product_gradient
      sum: product rows i columns j k l over r s u tile 4x8 unroll 1 blocks 1024 and 1024 KiB
      threads share columns
    fold_gradient
      sum: product rows j columns i k l over r s u tile 5x8 unroll 1 blocks 1024 and 1024 KiB
      threads share columns
    slice_gradient
      each: i k l vector l x 2
    "
  `);
});

test('a few rows with the matrices of several heads: the heads innermost where rows are whole cache lines', () => {
  const order = (width: number): readonly string[] => {
    const source = `model M(q: float[T, 4, ${width}], k: float[4, S, ${width}]) -> float[4, T, S] {
      let score[h, t, s] = sum[e] q[t, h, e] * k[h, s, e]
      return score
    }`;
    const { kernels } = compile(source, { only: 'M', bounds: { T: 64, S: 1024 } }).artifacts.get('M')!;
    const [leaf] = wasmSchedule(prepare(kernels[0]!)).leaves;
    if (leaf?.kind !== 'product') throw new Error('no product');
    expect(leaf.few.leaf.vector).toBe(leaf.over[0]);
    return leaf.few.leaf.free.map((axis) => (leaf.batch.includes(axis) ? 'heads' : leaf.rows.axes.includes(axis) ? 'rows' : 'columns')); // prettier-ignore
  };
  expect(order(64)).toEqual(['rows', 'columns', 'heads']);
  expect(order(24)).toEqual(['heads', 'rows', 'columns']);
});
