/**
 * Simplification: each rule fires on its case and keeps the value; what must stay stays; and over every operation's example, with its gradient, and over
 * random graphs, nothing changes but the work.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { print } from '../../compiler/graph/print.ts';
import type { DType, Graph, Node, OpName } from '../../compiler/graph/types.ts';
import { verify } from '../../compiler/graph/verify.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { ops, recordOf } from '../../compiler/ops/registry.ts';
import { isFloat } from '../../compiler/ops/shapes.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { loopRules, rules, simplify } from '../../compiler/simplify/simplify.ts';
import { add, name, num, ONE, ZERO, evaluate as evaluateSize, type Poly } from '../../compiler/sizes/poly.ts';
import { build, drawer, drawInputs, loss, newBuilder, type AnyExample } from '../ops/harness.ts';

const sizes = { N: 3, M: 2 };
const N = name('N');
const M = name('M');

function drawLeaves(graph: Graph, seed: number, values: Record<string, number>): Map<string, Tensor> {
  const draw = drawer(seed);
  return new Map(
    graph.inputs.map((leaf) => [
      leaf.attrs.name,
      fill(
        leaf.type.dtype,
        leaf.type.sizes.map((p) => evaluateSize(p, (s) => values[s] ?? NaN)),
        () => {
          const u = draw();
          return isFloat(leaf.type.dtype) ? u * 3 - 1.5 : Math.floor(u * 2);
        },
      ),
    ]),
  );
}

function expectSame(
  before: Graph,
  after: Graph,
  inputs: ReadonlyMap<string, Tensor>,
  values: Record<string, number>,
): void {
  expect(verify(after)).toEqual([]);
  const expected = evaluate(before, inputs, values);
  const found = evaluate(after, inputs, values);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [key, x] of expected) {
    const y = found.get(key)!;
    expect([y.dtype, y.sizes]).toEqual([x.dtype, x.sizes]);
    for (const [k, value] of x.data.entries()) {
      const other = y.data[k]!;
      const same = Object.is(value, other) || Math.abs(value - other) <= 1e-11 * (1 + Math.abs(value));
      expect(same, `${key}[${k}]: ${other}, not ${value}\n${print(before)}\n${print(after)}`).toBe(true);
    }
  }
}

type Case = (b: GraphBuilder, leaf: (dtype: DType, ...sizes: Poly[]) => Node) => Node | readonly Node[];

const two = num(2);
const three = num(3);

/** A case for each rule, on which it must fire. */
const cases: Record<string, Case> = {
  fold_constants: (b, leaf) => b.mul(leaf('f32'), b.add(b.constant(2, 'f32'), b.constant(3, 'f32'))),
  elementwise_of_broadcast: (b, leaf) =>
    b.mul(b.broadcastTo(leaf('f32', N), [M, N]), b.constantOf(2, { dtype: 'f32', sizes: [M, N] })),
  surrogate_value: (b, leaf) => b.surrogate(leaf('f32', N), leaf('f32', N)),
  size_constant: (b) => b.sizeValue(three),
  add_zero: (b, leaf) => b.add(b.zeros({ dtype: 'f32', sizes: [N] }), leaf('f32', N)),
  sub_zero: (b, leaf) => b.sub(leaf('f32', N), b.zeros({ dtype: 'f32', sizes: [N] })),
  zero_sub: (b, leaf) => b.sub(b.zeros({ dtype: 'f32', sizes: [N] }), leaf('f32', N)),
  mul_one: (b, leaf) => b.mul(leaf('f32', N), b.constantOf(1, { dtype: 'f32', sizes: [N] })),
  mul_minus_one: (b, leaf) => b.mul(leaf('f32', N), b.constantOf(-1, { dtype: 'f32', sizes: [N] })),
  mul_zero_integer: (b, leaf) => b.mul(leaf('i32', N), b.zeros({ dtype: 'i32', sizes: [N] })),
  div_one: (b, leaf) => b.div(leaf('i32', N), b.constantOf(1, { dtype: 'i32', sizes: [N] })),
  one_div: (b, leaf) => b.div(b.constantOf(1, { dtype: 'f32', sizes: [N] }), leaf('f32', N)),
  pow_zero: (b, leaf) => b.pow(leaf('f32', N), b.zeros({ dtype: 'f32', sizes: [N] })),
  pow_one: (b, leaf) => b.pow(leaf('f32', N), b.constantOf(1, { dtype: 'f32', sizes: [N] })),
  pow_two: (b, leaf) => b.pow(leaf('f32', N), b.constantOf(2, { dtype: 'f32', sizes: [N] })),
  pow_minus_one: (b, leaf) => b.pow(leaf('f32', N), b.constantOf(-1, { dtype: 'f32', sizes: [N] })),
  neg_neg: (b, leaf) => b.neg(b.neg(leaf('f32', N))),
  neg_sub: (b, leaf) => b.neg(b.sub(leaf('f32', N), leaf('f32', N))),
  add_neg: (b, leaf) => b.add(b.neg(leaf('f32', N)), leaf('f32', N)),
  sub_neg: (b, leaf) => b.sub(leaf('f32', N), b.neg(leaf('f32', N))),
  mul_neg_neg: (b, leaf) => b.div(b.neg(leaf('f32', N)), b.neg(leaf('f32', N))),
  same_operands: (b, leaf) => {
    const x = leaf('f32', N);
    return b.max(x, x);
  },
  not_not: (b, leaf) => b.not(b.not(leaf('bool', N))),
  and_constant: (b, leaf) => {
    const x = leaf('bool', N);
    return [b.and(x, b.constantOf(1, x.type)), b.and(x, b.constantOf(0, x.type))];
  },
  or_constant: (b, leaf) => {
    const x = leaf('bool', N);
    return [b.or(x, b.constantOf(1, x.type)), b.or(x, b.constantOf(0, x.type))];
  },
  lt_itself: (b, leaf) => {
    const x = leaf('f32', N);
    return b.lt(x, x);
  },
  eq_itself: (b, leaf) => {
    const x = leaf('i32', N);
    return b.eq(x, x);
  },
  select_constant: (b, leaf) =>
    b.select(b.constantOf(1, { dtype: 'bool', sizes: [N] }), leaf('f32', N), leaf('f32', N)),
  select_same: (b, leaf) => {
    const x = leaf('f32', N);
    return b.select(leaf('bool', N), x, x);
  },
  select_not: (b, leaf) => b.select(b.not(leaf('bool', N)), leaf('f32', N), leaf('f32', N)),
  select_select: (b, leaf) => {
    const c = leaf('bool', N);
    return b.select(c, b.select(c, leaf('f32', N), leaf('f32', N)), b.select(c, leaf('f32', N), leaf('f32', N)));
  },
  cast_cast: (b, leaf) => b.cast(b.cast(leaf('bool', N), 'i32'), 'f32'),

  movement_of_constant: (b) => b.transpose(b.constantOf(4, { dtype: 'f32', sizes: [N, M] }), [1, 0]),
  transpose_transpose: (b, leaf) => b.transpose(b.transpose(leaf('f32', N, M, two), [1, 2, 0]), [2, 1, 0]),
  transpose_broadcast: (b, leaf) => b.transpose(b.broadcast(leaf('f32', N, M), [N, two, M], [0, 2]), [2, 1, 0]),
  broadcast_broadcast: (b, leaf) => b.broadcast(b.broadcast(leaf('f32', N), [M, N], [1]), [M, two, N], [0, 2]),
  merge_split: (b, leaf) => b.merge(b.split(leaf('f32', num(6)), 0, [two, three]), 0, 2),
  split_merge: (b, leaf) => b.split(b.merge(leaf('f32', N, M), 0, 2), 0, [N, M]),
  merge_merge: (b, leaf) => b.merge(b.merge(leaf('f32', N, M, two), 1, 2), 0, 2),
  split_split: (b, leaf) => b.split(b.split(leaf('f32', num(12)), 0, [two, num(6)]), 1, [three, two]),
  drop_fresh_axis: (b, leaf) => b.dropAxis(b.newAxis(leaf('f32', N, M), 1), 1),
  slice_slice: (b, leaf) => b.slice(b.slice(leaf('f32', num(7)), 0, ONE, num(5)), 0, two, two),
  slice_broadcast: (b, leaf) => b.slice(b.broadcastTo(leaf('f32', N), [num(5), N]), 0, ONE, two),
  slice_pad: (b, leaf) => b.slice(b.pad(leaf('f32', N), 0, M, ONE, 0), 0, add(M, ZERO), N),
  slice_concat: (b, leaf) => b.slice(b.concat([leaf('f32', N), leaf('f32', num(4))], 0), 0, add(N, ONE), two),
  pad_pad: (b, leaf) => b.pad(b.pad(leaf('f32', N), 0, M, ONE, 2), 0, ONE, ONE, 2),
  pad_of_its_value: (b) => b.pad(b.constantOf(2, { dtype: 'f32', sizes: [N] }), 0, M, ONE, 2),
  add_pads: (b, leaf) => {
    const x = leaf('f32', N, M, three);
    const parts = [0, 1, 2].map((k) => b.sin(b.take(x, 2, num(k))));
    const y = b.reduce('sum', b.mul(b.mul(parts[2]!, parts[1]!), parts[0]!), [0, 1]);
    return differentiate(b, y, [x])[0]!;
  },
  scatter_as_select: (b, leaf) => {
    const pick = {
      sources: [
        { from: 'axis', axis: 1 },
        { from: 'index', which: 0 },
        { from: 'axis', axis: 0 },
      ],
      combine: 'add',
      initial: 0,
    } as const;
    return [
      b.scatter(leaf('f32', N, M), [leaf('i32', N)], { ...pick, sizes: [M, two, N], on: [0] }),
      b.scatter(leaf('f32', N, M), [leaf('i32', N, M)], { ...pick, sizes: [M, ONE, N], on: [0, 1] }),
    ];
  },
  concat_concat: (b, leaf) => b.concat([b.concat([leaf('f32', N), leaf('f32', M)], 0), leaf('f32', N)], 0),
  concat_of_slices: (b, leaf) => {
    const x = leaf('f32', num(5));
    return b.concat([b.slice(x, 0, ZERO, two), b.slice(x, 0, two, three)], 0);
  },
  unfold_as_slice: (b, leaf) => b.unfold(leaf('f32', num(5)), 0, ONE, [{ size: three, stride: ONE }]),
  reduce_size_one: (b, leaf) => b.reduce('max', leaf('f32', N, ONE, M), [1, 2]),
  reduce_transpose: (b, leaf) => b.reduce('sum', b.transpose(leaf('f32', N, M, two), [2, 0, 1]), [1]),
  reduce_reduce: (b, leaf) => b.reduce('max', b.reduce('max', leaf('f32', N, M, two), [1]), [0]),
  reduce_broadcast: (b, leaf) => {
    const x = b.broadcast(leaf('f32', N, M), [N, two, M, N], [0, 2]);
    return [b.reduce('sum', x, [1, 2, 3]), b.reduce('max', x, [0, 3]), b.reduce('sum', b.zeros(x.type), [0, 1])];
  },

  contract_transpose: (b, leaf) =>
    b.contract(
      b.transpose(leaf('f32', N, M), [1, 0]),
      b.transpose(leaf('f32', two, N), [1, 0]),
      ['i', 'j'],
      ['j', 'k'],
      ['i', 'k'],
    ),
  transpose_contract: (b, leaf) =>
    b.transpose(b.contract(leaf('f32', N, M), leaf('f32', M, two), ['i', 'j'], ['j', 'k'], ['i', 'k']), [1, 0]),
  contract_broadcast: (b, leaf) => {
    const repeated = b.broadcast(leaf('f32', M), [N, M], [1]);
    const y = leaf('f32', M, two);
    const z = leaf('f32', N, two);
    return [
      b.contract(repeated, y, ['i', 'j'], ['j', 'k'], ['i', 'k']),
      b.contract(repeated, z, ['i', 'j'], ['i', 'k'], ['j', 'k']),
      b.contract(z, repeated, ['i', 'k'], ['i', 'j'], ['i', 'k', 'j']),
    ];
  },
  contract_without_sum: (b, leaf) => b.contract(leaf('f32', N, M), leaf('f32', M), ['i', 'j'], ['j'], ['j', 'i']),
  sum_of_product: (b, leaf) => {
    const x = b.broadcast(leaf('f32', N, M), [N, two, M], [0, 2]);
    const y = b.broadcast(leaf('f32', two, M), [N, two, M], [1, 2]);
    return b.reduce('sum', b.mul(x, y), [2]);
  },

  scan_save: (b, leaf) => {
    const w = leaf('f32', M, M);
    const spec = { carries: [leaf('f32', two, M)], sequences: [leaf('f32', N, two, M)], length: N, reversed: false };
    const loop = b.loop(spec, (i, _, [h], [x]) => {
      const next = i.tanh(i.add(i.contract(h!, w, ['b', 'i'], ['o', 'i'], ['b', 'o']), x!));
      return { carries: [next], yields: [i.mul(next, i.sin(h!))] };
    });
    const y = b.reduce('sum', loop.yields[0]!, [0, 1, 2]);
    return [y, ...differentiate(b, y, [w]).map((g) => g!)];
  },
  scan_share: (b, leaf) => {
    const x = leaf('f32', N);
    const loop = b.loop({ carries: [x], sequences: [], length: M, reversed: false }, (i, _, [c]) => ({
      carries: [i.sin(c!)],
      yields: [],
    }));
    const y = b.reduce('sum', loop.carries[0]!, [0]);
    return [y, differentiate(b, y, [x])[0]!];
  },
  scan_prune: (b, leaf) => {
    const w = leaf('f32', M);
    const loop = b.loop(
      { carries: [leaf('f32'), leaf('f32')], sequences: [leaf('f32', N)], length: N, reversed: false },
      (i, _, [p, q], [x]) => ({
        carries: [i.mul(p!, x!), i.add(q!, i.reduce('sum', w, [0]))],
        yields: [i.sin(q!)],
      }),
    );
    return loop.carries[0]!;
  },
  scan_constant_carry: (b, leaf) => {
    const loop = b.loop(
      { carries: [leaf('f32'), leaf('f32')], sequences: [], length: N, reversed: false },
      (i, _, [p, q]) => ({
        carries: [i.add(i.mul(p!, q!), q!), q!],
        yields: [],
      }),
    );
    return loop.carries;
  },
  scan_operands: (b, leaf) => {
    const x = leaf('f32', N);
    const same = b.broadcast(leaf('f32'), [N], []);
    const loop = b.loop(
      { carries: [leaf('f32')], sequences: [x, x, same], length: N, reversed: false },
      (i, _, [p], [u, v, w]) => ({
        carries: [i.add(i.mul(p!, u!), i.mul(v!, w!))],
        yields: [],
      }),
    );
    return loop.carries[0]!;
  },
  scan_yield_of_operand: (b, leaf) => {
    const w = leaf('f32', M);
    const loop = b.loop(
      { carries: [leaf('f32')], sequences: [leaf('f32', N)], length: N, reversed: false },
      (i, _, [p], [u]) => ({
        carries: [i.sin(p!)],
        yields: [u!, i.local(w)],
      }),
    );
    return [...loop.carries, ...loop.yields];
  },
  scan_single_round: (b, leaf) => {
    const loop = b.loop(
      { carries: [leaf('f32', M)], sequences: [leaf('f32', ONE, M)], length: ONE, reversed: true },
      (i, round, [p], [u]) => ({
        carries: [i.mul(p!, u!)],
        yields: [i.add(u!, i.broadcast(i.cast(round, 'f32'), [M], []))],
      }),
    );
    return [...loop.carries, ...loop.yields];
  },
  scan_sum_outside: (b, leaf) => {
    const w = leaf('f32', M, M);
    const bias = leaf('f32', M);
    const loop = b.loop(
      { carries: [leaf('f32', two, M)], sequences: [leaf('f32', N, two, M)], length: N, reversed: false },
      (i, _, [h], [x]) => ({
        carries: [
          i.tanh(
            i.add(
              i.contract(i.add(h!, x!), w, ['b', 'i'], ['o', 'i'], ['b', 'o']),
              i.broadcastTo(i.local(bias), [two, M]),
            ),
          ),
        ],
        yields: [],
      }),
    );
    const y = b.reduce('sum', loop.carries[0]!, [0, 1]);
    return [y, ...differentiate(b, y, [w, bias]).map((g) => g!)];
  },
  scan_map_outside: (b, leaf) => {
    const w = leaf('f32', M, two);
    const scale = leaf('f32', M);
    const sequences = [leaf('f32', N, three, two)];
    const spec = { carries: [leaf('f32', three, M)], sequences, length: N, reversed: false };
    const loop = b.loop(spec, (i, _, [h], [x]) => {
      const projected = i.contract(x!, w, ['b', 'd'], ['h', 'd'], ['h', 'b']);
      const factor = i.exp(i.local(scale)); // made of constants alone
      return {
        carries: [i.sin(i.mul(i.add(h!, i.transpose(projected, [1, 0])), i.broadcastTo(factor, [three, M])))],
        yields: [],
      };
    });
    return loop.carries[0]!;
  },
  scan_yield_outside: (b, leaf) => {
    const w = leaf('f32', M, M);
    const spec = { carries: [leaf('f32', two, M)], sequences: [leaf('f32', N, M)], length: N, reversed: true };
    const loop = b.loop(spec, (i, _, [h], [x]) => {
      const next = i.sin(h!);
      return {
        carries: [next],
        yields: [
          i.contract(next, w, ['b', 'i'], ['o', 'i'], ['o', 'b']),
          i.contract(x!, next, ['i'], ['b', 'i'], ['b']),
        ],
      };
    });
    return [...loop.carries, ...loop.yields];
  },
};

function graphOf(make: Case): { graph: Graph; builder: GraphBuilder } {
  const builder = newBuilder();
  let leaves = 0;
  const made = make(builder, (dtype, ...shape) => builder.input(`x${leaves++}`, 'data', { dtype, sizes: shape }));
  const nodes = Array.isArray(made) ? (made as readonly Node[]) : [made as Node];
  return { builder, graph: builder.finish(nodes.map((node, k) => ({ name: `y${k}`, node, updates: null }))) };
}

describe('each rule', () => {
  const all = [...rules.map((r) => r.name), ...loopRules];
  test('has a case', () => void expect(all.filter((r) => !(r in cases))).toEqual([]));
  test.each(all)('%s', (rule) => {
    const { graph, builder } = graphOf(cases[rule]!);
    const fired = new Set<string>();
    const after = simplify(graph, builder.origins, (r) => fired.add(r));
    expect([...fired]).toContain(rule);
    expectSame(graph, after, drawLeaves(graph, 5, sizes), sizes);
  });
});

describe('what stays', () => {
  test('a guard against gradients', () => {
    const { graph, builder } = graphOf((b, leaf) => {
      const x = leaf('f32', N);
      return b.select(leaf('bool', N), x, b.stopGradient(x));
    });
    expect(print(simplify(graph, builder.origins))).toBe(print(graph));
  });
  test('0 times a float, which may be infinite', () => {
    const { graph, builder } = graphOf((b, leaf) => b.mul(leaf('f32', N), b.zeros({ dtype: 'f32', sizes: [N] })));
    const after = simplify(graph, builder.origins);
    expect(after.nodes.some((n) => n.op === 'mul')).toBe(true);
  });
  test('simplifying twice changes nothing', () => {
    for (const make of Object.values(cases)) {
      const { graph, builder } = graphOf(make);
      const once = simplify(graph, builder.origins);
      expect(print(simplify(once, builder.origins))).toBe(print(once));
    }
  });
  test('a scatter that may combine', () => {
    const { graph, builder } = graphOf((b, leaf) =>
      b.scatter(leaf('f32', N, M), [leaf('i32', N)], {
        sizes: [two, M],
        sources: [
          { from: 'index', which: 0 },
          { from: 'axis', axis: 1 },
        ],
        on: [0],
        combine: 'add',
        initial: 0,
      }),
    );
    expect(print(simplify(graph, builder.origins))).toBe(print(graph));
  });
  test('weights that the loop sees in another shape leave it with their products and gradients', () => {
    const { graph, builder } = graphOf((b, leaf) => {
      const gates = num(6);
      const [w, u, bias] = [leaf('f32', gates, two), leaf('f32', gates, three), leaf('f32', gates)];
      const loop = b.loop(
        { carries: [leaf('f32', M, three)], sequences: [leaf('f32', N, M, two)], length: N, reversed: false },
        (i, _, [h], [x]) => {
          const [own, back, shift] = [w, u, bias].map((p) => i.split(i.local(p), 0, [two, three]));
          const sum = i.add(
            i.contract(x!, own!, ['b', 'd'], ['g', 'h', 'd'], ['b', 'g', 'h']),
            i.contract(h!, back!, ['b', 'd'], ['g', 'h', 'd'], ['b', 'g', 'h']),
          );
          const all = i.add(sum, i.broadcast(shift!, [M, two, three], [1, 2]));
          return { carries: [i.tanh(i.reduce('sum', i.sin(all), [1]))], yields: [] };
        },
      );
      const y = b.reduce('sum', loop.carries[0]!, [0, 1]);
      return [y, ...differentiate(b, y, [w, u, bias]).map((g) => g!)];
    });
    const after = simplify(graph, builder.origins);
    expectSame(graph, after, drawLeaves(graph, 5, sizes), sizes);
    const products = after.nodes.flatMap((n) =>
      n.op === 'scan' ? [n.attrs.body.nodes.filter((x) => x.op === 'contract').length] : [],
    );
    // Of the state with its weights, and backward of the state's gradient with them.
    expect(products).toEqual([1, 1]);
  });
  test('scores much larger than what they are made of are made again, their sums are kept', () => {
    const [rows, width] = [num(64), num(2)];
    const { graph, builder } = graphOf((b, leaf) => {
      const w = leaf('f32', width);
      const loop = b.loop(
        { carries: [leaf('f32', rows, width)], sequences: [], length: N, reversed: false },
        (i, _, [h]) => {
          const query = i.mul(h!, i.broadcastTo(i.local(w), [rows, width]));
          const weights = i.exp(i.contract(query, h!, ['q', 'd'], ['k', 'd'], ['q', 'k']));
          const sum = i.broadcast(i.reduce('sum', weights, [1]), [rows, rows], [0]);
          return { carries: [i.contract(i.div(weights, sum), h!, ['q', 'k'], ['k', 'd'], ['q', 'd'])], yields: [] };
        },
      );
      const y = b.reduce('sum', loop.carries[0]!, [0, 1]);
      return [y, ...differentiate(b, y, [w]).map((g) => g!)];
    });
    const after = simplify(graph, builder.origins);
    expectSame(graph, after, drawLeaves(graph, 5, sizes), sizes);
    const [first, second] = after.nodes.flatMap((n) => (n.op === 'scan' ? [n] : []));
    const kept = first!.attrs.body.outputs.slice(1).map((o) => o.node.type.sizes.length);
    expect(kept).toEqual([2, 1]); // the carry before, and the sums
    expect(second!.attrs.body.nodes.filter((n) => n.op === 'exp')).toHaveLength(1);
  });
  test('a weight gradient leaves the loop', () => {
    const { graph, builder } = graphOf(cases['scan_sum_outside']!);
    const after = simplify(graph, builder.origins);
    const loops = after.nodes.flatMap((n) => (n.op === 'scan' ? [n.attrs] : []));
    expect(loops.map((l) => l.carries)).toEqual([1, 1]);
  });
});

describe('every example with its gradients', () => {
  for (const op of Object.keys(ops) as OpName[]) {
    for (const example of recordOf<OpName>(op).examples as readonly AnyExample[]) {
      test(`${op}, ${example.title}`, () => {
        const { builder: b, inputs, members } = build(op, example);
        const floats = inputs.filter((x) => isFloat(x.type.dtype));
        const f = loss(b, members);
        let gradients = f === null ? [] : differentiate(b, f, floats);
        const first = gradients;
        const norm = first.reduce<Node | null>((sum, g) => {
          if (g === null) return sum;
          const square = b.cast(
            b.reduce(
              'sum',
              b.mul(g, g),
              g.type.sizes.map((_, k) => k),
            ),
            'f32',
          );
          return sum === null ? square : b.add(sum, square);
        }, null);
        if (norm !== null) gradients = [...gradients, ...differentiate(b, norm, floats)];
        const outputs = [...members, ...gradients.filter((g) => g !== null)];
        const graph = b.finish(outputs.map((node, k) => ({ name: `y${k}`, node, updates: null })));
        expectSame(graph, simplify(graph, b.origins), drawInputs(example), example.sizes);
      });
    }
  }
});

/** A random graph over shapes of at most three axes, from a list of numbers that choose. */
function randomGraph(choices: readonly number[]): { graph: Graph; builder: GraphBuilder } {
  const b = newBuilder();
  const extents = [N, M, two, ONE];
  const pool: Node[] = [
    b.input('x0', 'data', { dtype: 'f32', sizes: [N, M] }),
    b.input('x1', 'data', { dtype: 'f32', sizes: [M] }),
  ];
  let at = 0;
  const pick = (n: number): number => choices[at++ % choices.length]! % n;
  const any = (): Node => pool[pick(pool.length)]!;
  for (let step = 0; step < choices.length; step++) {
    const x = any();
    const shape = x.type.sizes;
    const rank = shape.length;
    const axis = rank === 0 ? 0 : pick(rank);
    const partner = pool.filter((y) => y.type.sizes.length === rank && y.type.sizes.every((s, k) => s === shape[k]));
    const y = partner[pick(partner.length)]!;
    const make: (() => Node | null)[] = [
      () => b.add(x, y),
      () => b.mul(x, b.constantOf([0, 1, -1, 0.5][pick(4)]!, x.type)),
      () => b.sub(b.neg(x), y),
      () => b.select(b.lt(x, y), x, b.neg(y)),
      () => b.tanh(x),
      () =>
        rank < 3
          ? b.broadcast(
              x,
              [...shape.slice(0, axis), extents[pick(4)]!, ...shape.slice(axis)],
              shape.map((_, k) => (k < axis ? k : k + 1)),
            )
          : null,
      () => b.transpose(x, [...shape.keys()].reverse()),
      () => (rank > 0 ? b.reduce((['sum', 'max', 'min'] as const)[pick(3)]!, x, [axis]) : null),
      () => (rank > 1 ? b.merge(x, 0, 2) : null),
      () => (rank > 0 && rank < 3 && shape[axis] === two ? b.split(x, axis, [ONE, two]) : null),
      () => (rank > 0 && rank < 3 ? b.split(b.merge(b.newAxis(x, axis), axis, 2), axis, [ONE, shape[axis]!]) : null),
      () => (rank > 0 ? b.pad(x, axis, ONE, ZERO, [0, 1][pick(2)]!) : null),
      () => (rank > 0 ? b.slice(b.pad(x, axis, ONE, two, 0), axis, ONE, shape[axis]!) : null),
      () => (rank > 0 ? b.slice(b.concat([x, y], axis), axis, shape[axis]!, shape[axis]!) : null),
      () =>
        b.contract(
          x,
          y,
          shape.map((_, k) => `l${k}`),
          shape.map((_, k) => `l${k}`),
          shape.map((_, k) => `l${k}`).slice(0, pick(rank + 1)),
        ),
      () => (rank > 0 ? b.reverse(x, axis) : null),
    ];
    const made = make[pick(make.length)]!();
    if (made !== null) pool.push(made);
  }
  return { builder: b, graph: b.finish(pool.slice(-3).map((node, k) => ({ name: `y${k}`, node, updates: null }))) };
}

test('random graphs keep their values', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 4, maxLength: 24 }), (choices) => {
      const { graph, builder } = randomGraph(choices);
      expectSame(graph, simplify(graph, builder.origins), drawLeaves(graph, choices[0]!, sizes), sizes);
    }),
    { seed: 20, numRuns: 300 },
  );
});

/** A loop with a random body over two carries, two sequences and two constants, and its gradients. */
function randomLoop(choices: readonly number[]): { graph: Graph; builder: GraphBuilder } {
  const b = newBuilder();
  let at = 0;
  const pick = (n: number): number => choices[at++ % choices.length]! % n;
  const row = { dtype: 'f32' as const, sizes: [two] };
  const weight = b.input('w', 'param', { dtype: 'f32', sizes: [two, two] });
  const bias = b.input('v', 'param', row);
  const carries = [b.input('p', 'data', row), pick(2) === 0 ? b.zeros(row) : b.input('q', 'data', row)];
  const same = b.broadcastTo(b.input('r', 'data', row), [N, two]);
  const sequences = [
    b.input('s', 'data', { dtype: 'f32', sizes: [N, two] }),
    pick(2) === 0 ? same : b.input('t', 'data', same.type),
  ];
  const length = pick(6) === 0 ? ONE : N;
  const cut = sequences.map((s) => b.slice(s, 0, ZERO, length));
  const loop = b.loop({ carries, sequences: cut, length, reversed: pick(2) === 0 }, (i, round, held, elements) => {
    const pool = [...held, ...elements, i.local(bias), i.broadcast(i.cast(round, 'f32'), [two], [])];
    const any = (): Node => pool[pick(pool.length)]!;
    for (let step = 0; step < choices.length; step++) {
      const x = any();
      const y = any();
      const make = [
        () => i.add(x, y),
        () => i.mul(x, y),
        () => i.sin(x),
        () => i.contract(x, weight, ['i'], ['o', 'i'], ['o']),
        () => i.contract(x, weight, ['i'], ['i', 'o'], ['o']),
        () => i.mul(i.broadcast(i.reduce('sum', x, [0]), [two], []), y),
        () => i.add(held[0]!, x),
      ];
      pool.push(i.tanh(make[pick(make.length)]!()));
      if (pick(3) === 0) pool.push(make[pick(make.length)]!());
    }
    const last = pool.at(-1)!;
    const sum = i.add(held[1]!, any());
    return {
      carries: [pick(5) === 0 ? held[0]! : last, pick(2) === 0 ? sum : any()],
      yields: [any(), i.contract(last, weight, ['i'], ['o', 'i'], ['o'])],
    };
  });
  const results = [...loop.carries, ...loop.yields].filter((_, k) => k === 0 || pick(3) > 0);
  const total = loss(b, results)!;
  const wrt = [weight, bias, ...b.inputs.filter((n) => n.attrs.kind === 'data')];
  const gradients = differentiate(b, total, wrt).filter((g) => g !== null);
  const graph = b.finish([total, ...gradients].map((node, k) => ({ name: `y${k}`, node, updates: null })));
  return { builder: b, graph };
}

test('random loops and their gradients keep their values', () => {
  const fired = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 3, maxLength: 7 }), (choices) => {
      const { graph, builder } = randomLoop(choices);
      const after = simplify(graph, builder.origins, (rule) => fired.add(rule));
      expectSame(graph, after, drawLeaves(graph, choices[0]!, sizes), sizes);
    }),
    { seed: 21, numRuns: 150 },
  );
  expect(loopRules.filter((rule) => !fired.has(rule))).toEqual([]);
});
