/**
 * Every example of every operation: the shape rule agrees with the evaluator, and first and second derivatives (for elementwise operations third
 * ones too) agree with finite differences in float64.
 */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Node, OpName } from '../../compiler/graph/types.ts';
import { verify } from '../../compiler/graph/verify.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { elementwise } from '../../compiler/ops/elementwise.ts';
import { ops, recordOf } from '../../compiler/ops/registry.ts';
import { isFloat } from '../../compiler/ops/shapes.ts';
import { concrete, fill } from '../../compiler/ops/tensor.ts';
import { build, directional, drawer, drawInputs, loss, plus, scalar, type AnyExample } from './harness.ts';

/** `part` shows in the examples of the tuples it reads. */
const names = (Object.keys(ops) as OpName[]).filter((op) => op !== 'part');

/** ⟨direction, gradient⟩ summed over the inputs, as a scalar node; directions are leaves `v<order><k>`. */
function along(
  b: ReturnType<typeof build>['builder'],
  inputs: readonly Node[],
  gradients: readonly (Node | null)[],
  order: number,
): Node | null {
  let total: Node | null = null;
  for (const [k, g] of gradients.entries()) {
    if (g === null) continue;
    const x = inputs[k]!;
    const v = b.input(`v${order}${k}`, 'data', x.type);
    const term = b.cast(
      b.reduce(
        'sum',
        b.mul(v, g),
        x.type.sizes.map((_, a) => a),
      ),
      'f32',
    );
    total = total === null ? term : b.add(total, term);
  }
  return total;
}

function checkDerivatives(op: OpName, example: AnyExample, orders: number): void {
  const { builder: b, inputs, members } = build(op, example);
  const floats = inputs.filter((x) => isFloat(x.type.dtype));
  let f = loss(b, members);
  const drawn = drawInputs(example);
  const draw = drawer(99);
  const direction = (x: Tensor): Tensor => fill(x.dtype, x.sizes, () => draw() * 2 - 1);
  for (let order = 1; order <= orders && f !== null; order++) {
    const gradients = differentiate(b, f, floats);
    for (const [k, g] of gradients.entries()) if (g !== null) expect(g.type).toEqual(floats[k]!.type);
    const graph = b.finish([
      { name: 'y', node: f, updates: null },
      ...gradients.flatMap((g, k) => (g === null ? [] : [{ name: `g${k}`, node: g, updates: null }])),
    ]);
    expect(verify(graph, b.origins.rows.length)).toEqual([]);
    const found = evaluate(graph, drawn, example.sizes);
    let compared = 0;
    for (const [k, leaf] of floats.entries()) {
      const name = (leaf as Node & { op: 'input' }).attrs.name;
      const x = drawn.get(name)!;
      // Every entry for the first order, drawn directions for the others.
      const directions =
        order === 1
          ? Array.from(x.data, (_, n) => fill(x.dtype, x.sizes, (_p, at) => Number(at === n)))
          : [direction(x), direction(x)];
      for (const v of directions) {
        const expected = directional((h) => {
          const moved = new Map(drawn).set(name, plus(x, v, h));
          return scalar(graph, moved, example.sizes);
        });
        const g = found.get(`g${k}`);
        const got = Array.from(v.data).reduce(
          (sum: number, weight: number, n: number) => sum + weight * (g?.data[n] ?? 0),
          0,
        );
        expect(Number.isFinite(got)).toBe(true);
        // Where the function itself ends (a negative base, its exponent moved) there is no quotient to compare with.
        if (Number.isNaN(expected)) continue;
        compared++;
        expect(
          Math.abs(got - expected) / (1 + Math.abs(expected)),
          `order ${order}, x${k}: ${got}, not ${expected}`,
        ).toBeLessThan(1e-7);
      }
    }
    if (floats.length > 0) expect(compared).toBeGreaterThan(0);
    for (const [k, g] of gradients.entries()) {
      if (g !== null)
        drawn.set(`v${order}${k}`, direction(drawn.get((floats[k] as Node & { op: 'input' }).attrs.name)!));
    }
    f = along(b, floats, gradients, order);
  }
}

describe.each(names)('%s', (op) => {
  const { examples } = recordOf(op);
  test('has an example', () => void expect(examples.length).toBeGreaterThan(0));
  for (const example of examples) {
    test(`${example.title}: the shape rule agrees with the evaluator`, () => {
      const { builder, members } = build(op, example);
      const graph = builder.finish(members.map((node, k) => ({ name: `y${k}`, node, updates: null })));
      expect(verify(graph, 1)).toEqual([]);
      const found = evaluate(graph, drawInputs(example), example.sizes);
      for (const [k, node] of members.entries()) {
        const y = found.get(`y${k}`)!;
        const sizes = concrete(node.type.sizes, { sizes: (n) => example.sizes[n]!, run: () => [] });
        expect([y.dtype, y.sizes, y.data.length]).toEqual([node.type.dtype, sizes, sizes.reduce((a, s) => a * s, 1)]);
        expect(y.data.some(Number.isNaN)).toBe(false);
      }
    });
    test(`${example.title}: derivatives agree with finite differences`, () => {
      // stop_gradient is the one whose gradient is not its derivative.
      if (op === 'stop_gradient') {
        const { builder, inputs, members } = build(op, example);
        expect(differentiate(builder, loss(builder, members)!, inputs)).toEqual([null]);
      } else if (op === 'surrogate') {
        // Its gradient is the derivative of its second operand by definition.
        const { builder, inputs, members } = build(op, example);
        const found = differentiate(builder, loss(builder, members)!, inputs);
        expect(found[0]).toBe(null);
        expect(found[1]).not.toBe(null);
      } else checkDerivatives(op, example, op in elementwise ? 3 : 2);
    });
  }
});
