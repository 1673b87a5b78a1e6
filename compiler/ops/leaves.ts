/**
 * Operations without a computation of their own: named leaves, constants, coordinates, sizes, and the members of tuples.
 */
import { evaluate, mul, name, num } from '../sizes/poly.ts';
import type { OpRecord } from './record.ts';
import { constRule, inputRule, iotaRule, partRule, sizeRule } from './rules.ts';
import { concrete, fill } from './tensor.ts';

export const input: OpRecord<'input'> = {
  ...inputRule,
  vjp: () => [],
  evaluate: (_, node) => {
    throw new Error(`leaf ${node.attrs.name} has no value`);
  },
  lowering: { kind: 'leaf' },
  cost: () => 0,
  examples: [
    {
      title: 'a batch of images',
      inputs: [],
      attrs: { name: 'image', kind: 'data', type: { dtype: 'f32', sizes: [name('B'), num(2), num(2)] } },
      sizes: { B: 2 },
    },
  ],
};

export const constant: OpRecord<'const'> = {
  ...constRule,
  vjp: () => [],
  evaluate: (_, node) => [fill(node.attrs.dtype, [], () => node.attrs.value)],
  lowering: { kind: 'scalar', lower: (cx, node) => cx.constant(node.attrs.value, node.attrs.dtype) },
  cost: () => 0,
  examples: [
    { title: 'a float', inputs: [], attrs: { value: 0.5, dtype: 'f32' }, sizes: {} },
    { title: 'minus infinity', inputs: [], attrs: { value: -Infinity, dtype: 'f32' }, sizes: {} },
    { title: 'an integer', inputs: [], attrs: { value: -3, dtype: 'i32' }, sizes: {} },
    { title: 'true', inputs: [], attrs: { value: 1, dtype: 'bool' }, sizes: {} },
  ],
};

export const iota: OpRecord<'iota'> = {
  ...iotaRule,
  vjp: () => [],
  evaluate: (_, node, cx) => [fill('i32', concrete(node.attrs.sizes, cx), (position) => position[node.attrs.axis]!)],
  lowering: { kind: 'scalar', lower: (cx, node, at) => cx.index(at[node.attrs.axis]!) },
  cost: () => 0,
  examples: [
    { title: 'along the first axis', inputs: [], attrs: { sizes: [name('T'), num(2)], axis: 0 }, sizes: { T: 3 } },
    { title: 'along the last axis', inputs: [], attrs: { sizes: [num(2), name('T')], axis: 1 }, sizes: { T: 3 } },
  ],
};

export const size: OpRecord<'size'> = {
  ...sizeRule,
  vjp: () => [],
  evaluate: (_, node, cx) => [fill('i32', [], () => evaluate(node.attrs.value, cx.sizes))],
  lowering: { kind: 'scalar', lower: (cx, node) => cx.index(node.attrs.value) },
  cost: () => 0,
  examples: [{ title: 'a product', inputs: [], attrs: { value: mul(name('B'), name('T')) }, sizes: { B: 2, T: 3 } }],
};

/** The evaluator and reverse mode take a tuple's members apart themselves: neither comes here. */
export const part: OpRecord<'part'> = {
  ...partRule,
  vjp: () => [null],
  evaluate: () => {
    throw new Error('the members of a tuple are read off its node');
  },
  lowering: { kind: 'opaque' },
  cost: () => 0,
  // A tuple is no leaf: the examples of scan and topk read their parts.
  examples: [],
};
