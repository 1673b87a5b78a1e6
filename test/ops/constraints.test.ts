/**
 * One illegal use for every constraint of every operation, named after it (`contract_c2`), refused by that constraint and no other.
 */
import { describe, expect, test } from 'vitest';
import type {
  DType,
  ElementwiseOp,
  Graph,
  Node,
  OpAttributes,
  OpName,
  TensorType,
} from '../../compiler/graph/types.ts';
import { signatures } from '../../compiler/ops/elementwise-rules.ts';
import { inferNode, ops, recordOf } from '../../compiler/ops/registry.ts';
import { name, num, ONE, ZERO, type Poly } from '../../compiler/sizes/poly.ts';
import { newBuilder } from './harness.ts';

const T = (dtype: DType, ...sizes: Poly[]): TensorType => ({ dtype, sizes });
const F = (...sizes: Poly[]): TensorType => T('f32', ...sizes);
const I = (...sizes: Poly[]): TensorType => T('i32', ...sizes);
const N = name('N');
const M = name('M');
const two = num(2);
const three = num(3);

function body(
  carries: readonly TensorType[],
  make: (leaves: readonly Node[]) => readonly Node[],
  round: TensorType = I(),
): Graph {
  const b = newBuilder('body');
  const leaves = [round, ...carries].map((type, k) => b.input(`leaf${k}`, 'body', type));
  return b.finish(make(leaves).map((node, k) => ({ name: `out${k}`, node, updates: null })));
}

const hands = body([F(N), F()], (leaves) => [leaves[1]!]); // carry f32[N], element f32
const scan = (attrs: Partial<OpAttributes['scan']> = {}): OpAttributes['scan'] => ({
  body: hands,
  length: three,
  carries: 1,
  sequences: 1,
  reversed: false,
  ...attrs,
});

type Misuse = { [O in OpName]: readonly [O, readonly TensorType[], OpAttributes[O]] }[OpName];

const window = { size: two, stride: ONE };

const structured: Record<string, Misuse> = {
  input_c1: ['input', [F()], { name: 'x', kind: 'data', type: F() }],
  input_c2: ['input', [], { name: '', kind: 'data', type: F() }],
  const_c1: ['const', [F()], { value: 1, dtype: 'f32' }],
  const_c2: ['const', [], { value: NaN, dtype: 'f32' }],
  const_c3: ['const', [], { value: 2 ** 31, dtype: 'i32' }],
  iota_c1: ['iota', [I()], { sizes: [N], axis: 0 }],
  iota_c2: ['iota', [], { sizes: [N], axis: 1 }],
  size_c1: ['size', [I()], { value: N }],
  random_c1: ['random', [I(), F()], { sizes: [N], stream: 0, word: 0 }],
  random_c2: ['random', [I(), I()], { sizes: [N], stream: 0.5, word: 0 }],
  reduce_c1: ['reduce', [F(N), F(N)], { op: 'sum', axes: [0] }],
  reduce_c2: ['reduce', [F(N, M)], { op: 'sum', axes: [1, 0] }],
  reduce_c3: ['reduce', [F(N)], { op: 'any', axes: [0] }],
  argmax_c1: ['argmax', [T('bool', N)], { axis: 0 }],
  argmax_c2: ['argmax', [F(N)], { axis: -1 }],
  cumulate_c1: ['cumulate', [T('bool', N)], { op: 'sum', axis: 0, exclusive: false, reversed: false }],
  cumulate_c2: ['cumulate', [F(N)], { op: 'sum', axis: 1, exclusive: false, reversed: false }],
  contract_c1: ['contract', [I(N), I(N)], { a: ['i'], b: ['i'], out: [] }],
  contract_c2: ['contract', [F(N, N), F(N)], { a: ['i', 'i'], b: ['i'], out: [] }],
  contract_c3: ['contract', [F(N), F(M)], { a: ['i'], b: ['i'], out: [] }],
  contract_c4: ['contract', [F(N), F(N)], { a: ['i'], b: ['i'], out: ['j'] }],
  contract_c5: ['contract', [F(N), F()], { a: ['i'], b: [], out: [] }],
  broadcast_c1: ['broadcast', [], { sizes: [N], axes: [] }],
  broadcast_c2: ['broadcast', [F(N, M)], { sizes: [M, N], axes: [1, 0] }],
  broadcast_c3: ['broadcast', [F(ONE)], { sizes: [N], axes: [0] }],
  transpose_c1: ['transpose', [], { perm: [] }],
  transpose_c2: ['transpose', [F(N, M)], { perm: [1, 1] }],
  split_c1: ['split', [], { axis: 0, sizes: [N] }],
  split_c2: ['split', [F(N)], { axis: 1, sizes: [N] }],
  split_c3: ['split', [F(num(6))], { axis: 0, sizes: [two, two] }],
  merge_c1: ['merge', [], { axis: 0, count: 1 }],
  merge_c2: ['merge', [F(N, M)], { axis: 1, count: 2 }],
  slice_c1: ['slice', [], { axis: 0, start: ZERO, size: ONE }],
  slice_c2: ['slice', [F(N)], { axis: 1, start: ZERO, size: ONE }],
  slice_c3: ['slice', [F(three)], { axis: 0, start: two, size: two }],
  pad_c1: ['pad', [], { axis: 0, before: ONE, after: ONE, value: 0 }],
  pad_c2: ['pad', [F()], { axis: 0, before: ONE, after: ONE, value: 0 }],
  pad_c3: ['pad', [F(N)], { axis: 0, before: num(-1), after: ONE, value: 0 }],
  pad_c4: ['pad', [I(N)], { axis: 0, before: ONE, after: ONE, value: -Infinity }],
  concat_c1: ['concat', [], { axis: 0 }],
  concat_c2: ['concat', [F(N)], { axis: 1 }],
  concat_c3: ['concat', [F(N, two), F(N, three)], { axis: 0 }],
  unfold_c1: ['unfold', [], { axis: 0, offset: ZERO, windows: [window] }],
  unfold_c2: ['unfold', [F(N)], { axis: 1, offset: ZERO, windows: [window] }],
  unfold_c3: ['unfold', [F(N)], { axis: 0, offset: ZERO, windows: [{ size: two, stride: ZERO }] }],
  unfold_c4: ['unfold', [F(three)], { axis: 0, offset: two, windows: [window] }],
  fold_c1: ['fold', [T('bool', two)], { axis: 0, size: N, offset: ZERO, windows: [window] }],
  fold_c2: ['fold', [F(two)], { axis: 0, size: N, offset: ZERO, windows: [window, window] }],
  fold_c3: ['fold', [F(two)], { axis: 0, size: N, offset: ZERO, windows: [] }],
  fold_c4: ['fold', [F(two)], { axis: 0, size: ONE, offset: ZERO, windows: [window] }],
  fold_c5: ['fold', [F(three)], { axis: 0, size: num(9), offset: ZERO, windows: [window] }],
  gather_c1: ['gather', [], { sizes: [], sources: [], on: [] }],
  gather_c2: ['gather', [F(N)], { sizes: [N], sources: [], on: [] }],
  gather_c3: ['gather', [F(N)], { sizes: [N], sources: [{ from: 'index', which: 0 }], on: [] }],
  gather_c4: ['gather', [F(N), I(N)], { sizes: [N], sources: [{ from: 'index', which: 0 }], on: [1] }],
  gather_c5: ['gather', [F(N), F(N)], { sizes: [N], sources: [{ from: 'index', which: 0 }], on: [0] }],
  scatter_c1: [
    'scatter',
    [T('bool', N)],
    { sizes: [N], sources: [{ from: 'axis', axis: 0 }], on: [], combine: 'add', initial: 0 },
  ],
  scatter_c2: ['scatter', [F(N)], { sizes: [N], sources: [], on: [], combine: 'add', initial: 0 }],
  scatter_c3: [
    'scatter',
    [F(N)],
    { sizes: [N], sources: [{ from: 'axis', axis: 1 }], on: [], combine: 'add', initial: 0 },
  ],
  scatter_c4: [
    'scatter',
    [F(N, M), I(N, M)],
    { sizes: [N], sources: [{ from: 'axis', axis: 0 }], on: [1, 0], combine: 'add', initial: 0 },
  ],
  scatter_c5: [
    'scatter',
    [F(N), I(M)],
    { sizes: [N], sources: [{ from: 'index', which: 0 }], on: [0], combine: 'add', initial: 0 },
  ],
  scatter_c6: [
    'scatter',
    [F(N)],
    { sizes: [N], sources: [{ from: 'axis', axis: 0 }], on: [], combine: 'add', initial: 1 },
  ],
  topk_c1: ['topk', [T('bool', N)], { axis: 0, k: ONE }],
  topk_c2: ['topk', [F(N)], { axis: 1, k: ONE }],
  topk_c3: ['topk', [F(two)], { axis: 0, k: three }],
  scan_c1: ['scan', [F(N)], scan()],
  scan_c2: ['scan', [F(M), F(three)], scan()],
  scan_c3: ['scan', [F(N), F(two)], scan()],
  scan_c4: ['scan', [F(N), F(three)], scan({ body: body([F(N), F()], (leaves) => [leaves[2]!]) })],
  scan_c5: ['scan', [F(three)], scan({ body: body([F()], () => []), carries: 0 })],
  scan_c6: ['scan', [F(N), F(three)], scan({ until: true })],
  scan_c7: ['scan', [F(N), F(three)], scan({ limited: true })],
  part_c1: ['part', [F(N)], { index: 0 }],
  // part_c2 needs a tuple: see below.
};

function leaves(types: readonly TensorType[]): Node[] {
  const b = newBuilder();
  return types.map((type, k) => b.input(`x${k}`, 'data', type));
}

function expectRefused(op: OpName, inputs: readonly Node[], attrs: OpAttributes[OpName], constraint: string): void {
  const inferred = inferNode(op, inputs, attrs);
  expect(inferred.ok ? 'accepted' : inferred.constraint).toBe(constraint);
}

describe('structured operations', () => {
  test.each(Object.entries(structured))('%s', (title, [op, types, attrs]) => {
    expect(title.startsWith(`${op}_c`)).toBe(true);
    expectRefused(op, leaves(types), attrs, title.slice(op.length + 1).toUpperCase());
  });
  test('part_c2', () => {
    const b = newBuilder();
    const both = b.node('topk', [b.input('x', 'data', F(N))], { axis: 0, k: ONE });
    expectRefused('part', [both as Node], { index: 2 }, 'C2');
  });
  test('scan_c1 asks for leaves of kind body', () => {
    const b = newBuilder('body');
    const stray = b.finish([
      { name: 'y', node: b.add(b.input('round', 'body', I()), b.input('x', 'data', I())), updates: null },
    ]);
    expectRefused('scan', leaves([I()]), scan({ body: stray, carries: 1, sequences: 0 }), 'C1');
  });
  test('every constraint has a case', () => {
    const missing = (Object.keys(ops) as OpName[])
      .filter((op) => !(op in signatures))
      .flatMap((op) => Object.keys(recordOf<OpName>(op).constraints).map((c) => `${op}_${c.toLowerCase()}`))
      .filter((title) => !(title in structured));
    expect(missing).toEqual(['part_c2']);
  });
});

describe('elementwise operations', () => {
  for (const op of Object.keys(signatures) as ElementwiseOp[]) {
    const { arity, domain } = signatures[op];
    const own: DType = domain === 'bool' ? 'bool' : 'f32';
    const attrs = op === 'cast' ? { dtype: 'f32' as const } : {};
    const good = op === 'select' ? [T('bool', N), F(N), F(N)] : Array.from({ length: arity }, () => T(own, N));
    test(`${op} is legal in its examples' form`, () => void expect(inferNode(op, leaves(good), attrs).ok).toBe(true));
    test(`${op}_c1`, () => expectRefused(op, leaves([...good, F(N)]), attrs, 'C1'));
    if (arity > 1) test(`${op}_c2`, () => expectRefused(op, leaves([...good.slice(0, -1), T(own, M)]), attrs, 'C2'));
    if (domain !== 'any') {
      const wrong: DType = domain === 'bool' ? 'i32' : 'bool';
      test(`${op}_c3`, () => expectRefused(op, leaves(good.map(() => T(wrong, N))), attrs, 'C3'));
      if (domain === 'float')
        test(`${op}_c3, integers`, () => expectRefused(op, leaves(good.map(() => I(N))), attrs, 'C3'));
    }
  }
});

test('a tuple is only read by part', () => {
  const b = newBuilder();
  const both = b.node('topk', [b.input('x', 'data', F(N))], { axis: 0, k: ONE }) as Node;
  expectRefused('neg', [both], {}, 'tuple');
  expect(() => b.neg(both)).toThrow('only read by');
});
