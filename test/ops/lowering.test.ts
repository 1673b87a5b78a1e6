/**
 * Every lowering against the evaluator, element by element, by an interpreter of the lowering context: positions are numbers, reads are checked to
 * lie inside, reduced axes are run through.
 */
import { describe, expect, test } from 'vitest';
import type { Node, NodeOf, OpName } from '../../compiler/graph/types.ts';
import type { Expr, Guard, ScalarOp } from '../../compiler/kernel/types.ts';
import { elementwise } from '../../compiler/ops/elementwise.ts';
import { threefry2x32 } from '../../compiler/ops/random.ts';
import type { EvaluateContext, LowerContext, OpRecord, Tensor } from '../../compiler/ops/record.ts';
import { combine, identityOf } from '../../compiler/ops/reduce.ts';
import { ops, recordOf } from '../../compiler/ops/registry.ts';
import { concrete, eachPosition, fill, isInside, offsetOf, zeros } from '../../compiler/ops/tensor.ts';
import { evaluate, num, type Poly } from '../../compiler/sizes/poly.ts';
import { build, drawInputs, type AnyExample } from './harness.ts';

const constant = (value: number, dtype: Expr['dtype']): Expr => ({ id: 0, dtype, kind: 'const', value });
const valueOf = (e: Expr): number => (e.kind === 'const' ? e.value : NaN);

function compute(op: ScalarOp, dtype: Expr['dtype'], args: readonly Expr[]): number {
  const values = args.map(valueOf);
  if (op === 'random') {
    const [seed, stream, step, position, word] = values;
    return (threefry2x32([seed!, stream!], [step!, position!])[word === 0 ? 0 : 1] >>> 8) * 2 ** -24;
  }
  const record = elementwise[op] as unknown as OpRecord<OpName>;
  const node = { type: { dtype, sizes: [] } } as unknown as NodeOf<OpName>;
  const tensors = args.map((e, k) => fill(e.dtype, [], () => values[k]!));
  return record.evaluate(tensors, node, { sizes: () => NaN, run: () => [] })[0]!.data[0]!;
}

class Interpreter implements LowerContext {
  readonly node: Node;
  /** Extents of the reduced axes, in the order they were asked for. */
  extents: number[] = [];
  assignment: readonly number[] = [];
  private readonly inputs: readonly Tensor[];
  private readonly env: (name: string) => number;

  constructor(node: Node, inputs: readonly Tensor[], env: (name: string) => number) {
    this.node = node;
    this.inputs = inputs;
    this.env = env;
  }

  number = (p: Poly): number => evaluate(p, this.env);
  holds = (guards: readonly Guard[]): boolean =>
    guards.every((g) => this.number(g.lo) <= this.number(g.e) && this.number(g.e) < this.number(g.hi));
  read = (k: number, at: readonly Poly[]): Expr => {
    const x = this.inputs[k]!;
    const position = at.map(this.number);
    if (position.length !== x.sizes.length || !isInside(x.sizes, position))
      throw new Error(`read of [${position.join()}] in [${x.sizes.join()}]`);
    return constant(x.data[offsetOf(x.sizes, position)]!, x.dtype);
  };
  guarded = (k: number, at: readonly Poly[], guards: readonly Guard[], otherwise: Expr): Expr =>
    this.holds(guards) ? this.read(k, at) : otherwise;
  dynamic = (value: Expr): Poly => num(valueOf(value));
  op = (op: ScalarOp, dtype: Expr['dtype'], ...args: Expr[]): Expr => constant(compute(op, dtype, args), dtype);
  constant = constant;
  index = (at: Poly): Expr => constant(this.number(at), 'i32');
  axis = (extent: Poly): Poly => {
    this.extents.push(this.number(extent));
    return num(this.assignment[this.extents.length - 1] ?? 0);
  };
}

function interpret(op: OpName, node: Node, inputs: readonly Tensor[], cx: EvaluateContext): Tensor | null {
  const { lowering } = recordOf<OpName>(op);
  const own = node as unknown as NodeOf<OpName>;
  const sizes = concrete(node.type.sizes, cx);
  const run = (): Interpreter => new Interpreter(node, inputs, cx.sizes);
  const poly = (position: readonly number[]): Poly[] => position.map(num);
  switch (lowering.kind) {
    case 'leaf':
    case 'opaque':
      return null;
    case 'scalar':
      return fill(node.type.dtype, sizes, (p) => valueOf(lowering.lower(run(), own, poly(p))));
    case 'reduction':
      return fill(node.type.dtype, sizes, (p) => {
        const probe = run();
        const { op: how } = lowering.lower(probe, own, poly(p));
        const dtype = node.type.dtype;
        let result = how === 'argmax' ? 0 : identityOf(how, dtype);
        let best = -Infinity;
        eachPosition(probe.extents, (assignment, linear) => {
          const cxAt = run();
          cxAt.assignment = assignment;
          const value = valueOf(lowering.lower(cxAt, own, poly(p)).value);
          if (how !== 'argmax') result = combine[how](result, value);
          else if (value > best) {
            best = value;
            result = linear;
          }
        });
        return result;
      });
    case 'scatter': {
      const out = zeros(node.type.dtype, sizes);
      eachPosition(inputs[0]!.sizes, (p, linear) => {
        const interpreter = run();
        const { to, guards, value, mode, initial } = lowering.lower(interpreter, own, poly(p));
        if (linear === 0) out.data.fill(initial);
        if (!interpreter.holds(guards)) return;
        const place = to.map(interpreter.number);
        expect(isInside(sizes, place)).toBe(true);
        const offset = offsetOf(sizes, place);
        const before = out.data[offset]!;
        out.data[offset] = mode === 'add' ? before + valueOf(value) : Math.max(before, valueOf(value));
      });
      return out;
    }
  }
}

describe.each(Object.keys(ops) as OpName[])('%s', (op) => {
  const record = recordOf<OpName>(op);
  test('says how it is lowered', () => {
    const opaque = ['scan', 'cumulate', 'topk', 'part'];
    expect(record.lowering.kind === 'opaque').toBe(opaque.includes(op));
    expect(record.lowering.kind === 'leaf').toBe(op === 'input');
  });
  if (record.lowering.kind === 'opaque' || record.lowering.kind === 'leaf') return;
  for (const example of record.examples as readonly AnyExample[]) {
    test(example.title, () => {
      const { node } = build(op, example);
      const inputs = [...drawInputs(example).values()];
      const cx: EvaluateContext = { sizes: (n) => example.sizes[n]!, run: () => [] };
      const expected = record.evaluate(inputs, node as unknown as NodeOf<OpName>, cx)[0]!;
      const found = interpret(op, node, inputs, cx)!;
      expect([found.dtype, found.sizes]).toEqual([expected.dtype, expected.sizes]);
      for (const [k, value] of expected.data.entries())
        expect(Object.is(found.data[k], value) || Math.abs(found.data[k]! - value) < 1e-13, `at ${k}`).toBe(true);
    });
  }
});
