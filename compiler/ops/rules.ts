/**
 * The static half of the structured operations' records: numbered constraints and shape rules. Sizes compare by normal form (`===`); what needs
 * bounds to decide (a slice inside its axis) is refused here only where the constants refute it, because the checker has proved the rest.
 */
import type { Node, OpAttributes, OpName, TensorType } from '../graph/types.ts';
import { asConst, ONE, sub, type Poly } from '../sizes/poly.ts';
import type { Inferred } from './record.ts';
import {
  isAxis,
  isFloat,
  isIncreasing,
  isNumber,
  sameType,
  showSizes,
  showType,
  splice,
  tuple,
  typed,
  violates,
  without,
} from './shapes.ts';

export interface Rule<O extends OpName> {
  readonly name: O;
  readonly summary: string;
  readonly constraints: Readonly<Record<string, string>>;
  readonly infer: (inputs: readonly Node[], attrs: OpAttributes[O]) => Inferred;
}

export const rule = <O extends OpName>(r: Rule<O>): Rule<O> => r;

/** A constant below 0. */
export const negative = (p: Poly): boolean => (asConst(p) ?? 0) < 0;

// ------------------------------------------------------------------------------------------------------------------------ leaves

export const inputRule = rule<'input'>({
  name: 'input',
  summary:
    'A named leaf: data, a parameter, a state, a slot, a carry, a scalar, or an input of a loop body. Never merged with another.',
  constraints: { C1: 'takes no operands', C2: 'has a name' },
  infer: (inputs, attrs) => {
    if (inputs.length !== 0) return violates('C1', `${inputs.length} operands`);
    if (attrs.name === '') return violates('C2', 'the name is empty');
    return typed(attrs.type.dtype, attrs.type.sizes);
  },
});

export const constRule = rule<'const'>({
  name: 'const',
  summary: 'A scalar constant.',
  constraints: {
    C1: 'takes no operands',
    C2: 'the value is not NaN',
    C3: 'the value is one of its dtype: bool 0 or 1, i32 an integer of 32 bits',
  },
  infer: (inputs, { value, dtype }) => {
    if (inputs.length !== 0) return violates('C1', `${inputs.length} operands`);
    if (Number.isNaN(value)) return violates('C2', 'NaN');
    const legal = dtype === 'bool' ? value === 0 || value === 1 : dtype === 'i32' ? value === (value | 0) : true;
    return legal ? typed(dtype, []) : violates('C3', `${value} as ${dtype}`);
  },
});

export const iotaRule = rule<'iota'>({
  name: 'iota',
  summary: 'The coordinate along one axis, as i32.',
  constraints: { C1: 'takes no operands', C2: 'the axis is one of the shape' },
  infer: (inputs, { sizes, axis }) => {
    if (inputs.length !== 0) return violates('C1', `${inputs.length} operands`);
    if (!isAxis(axis, sizes.length)) return violates('C2', `axis ${axis} of [${showSizes(sizes)}]`);
    return typed('i32', sizes);
  },
});

export const sizeRule = rule<'size'>({
  name: 'size',
  summary: 'The value of a size, as an i32 scalar.',
  constraints: { C1: 'takes no operands' },
  infer: (inputs) => (inputs.length === 0 ? typed('i32', []) : violates('C1', `${inputs.length} operands`)),
});

export const randomRule = rule<'random'>({
  name: 'random',
  summary:
    'Uniform numbers in [0, 1) of 24 bits: Threefry-2x32-20 under key (seed, stream) at counter (step, linear position), one word of two.',
  constraints: { C1: 'takes two i32 scalars, seed and step', C2: 'stream is an integer of 32 bits, word is 0 or 1' },
  infer: (inputs, { sizes, stream, word }) => {
    if (inputs.length !== 2 || !inputs.every((n) => n.type.dtype === 'i32' && n.type.sizes.length === 0))
      return violates('C1', `${inputs.length} operands`);
    if (stream !== (stream | 0) || (word !== 0 && word !== 1)) return violates('C2', `stream ${stream}, word ${word}`);
    return typed('f32', sizes);
  },
});

// -------------------------------------------------------------------------------------------------------------------- reductions

export const reduceRule = rule<'reduce'>({
  name: 'reduce',
  summary:
    'Combines all elements along some axes, which go. The gradient of max and min is shared by the elements that attain it.',
  constraints: {
    C1: 'takes one operand',
    C2: 'axes are at least one, strictly increasing, within the rank',
    C3: 'sum, max, min and prod take numbers; any and all take bools',
  },
  infer: (inputs, { op, axes }) => {
    if (inputs.length !== 1) return violates('C1', `${inputs.length} operands`);
    const { dtype, sizes } = inputs[0]!.type;
    if (axes.length === 0 || !isIncreasing(axes) || !axes.every((a) => isAxis(a, sizes.length)))
      return violates('C2', `axes ${axes.join()} of rank ${sizes.length}`);
    if ((op === 'any' || op === 'all') === isNumber(dtype)) return violates('C3', `${op} of ${dtype}`);
    return typed(dtype, without(sizes, axes));
  },
});

export const argmaxRule = rule<'argmax'>({
  name: 'argmax',
  summary: 'The first position of the greatest value along an axis, which goes.',
  constraints: { C1: 'takes one operand of numbers', C2: 'the axis is within the rank' },
  infer: (inputs, { axis }) => {
    const x = inputs[0];
    if (inputs.length !== 1 || x === undefined || !isNumber(x.type.dtype))
      return violates('C1', `${inputs.length} operands, ${x?.type.dtype ?? 'none'}`);
    if (!isAxis(axis, x.type.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.type.sizes.length}`);
    return typed('i32', without(x.type.sizes, [axis]));
  },
});

export const cumulateRule = rule<'cumulate'>({
  name: 'cumulate',
  summary:
    'Prefix reduction along an axis; exclusive: of the positions before the own one, the identity first. The gradient of max and min goes to the first position that attains it.',
  constraints: {
    C1: 'takes one operand of numbers',
    C2: 'the axis is within the rank',
  },
  infer: (inputs, { axis }) => {
    const x = inputs[0];
    if (inputs.length !== 1 || x === undefined || !isNumber(x.type.dtype))
      return violates('C1', `${inputs.length} operands, ${x?.type.dtype ?? 'none'}`);
    if (!isAxis(axis, x.type.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.type.sizes.length}`);
    return typed(x.type.dtype, x.type.sizes);
  },
});

export const contractRule = rule<'contract'>({
  name: 'contract',
  summary: 'Sum of products over the labels that the result does not name.',
  constraints: {
    C1: 'takes two operands of one float dtype',
    C2: "each operand's labels are as many as its axes, and unique",
    C3: 'a label in both operands has one size',
    C4: "the result's labels are unique and each is in an operand",
    C5: 'a label in one operand only is in the result',
  },
  infer: (inputs, { a, b, out }) => {
    const [x, y] = inputs;
    if (inputs.length !== 2 || x === undefined || y === undefined) return violates('C1', `${inputs.length} operands`);
    if (x.type.dtype !== y.type.dtype || !isFloat(x.type.dtype))
      return violates('C1', `${x.type.dtype} and ${y.type.dtype}`);
    const unique = (labels: readonly string[]): boolean => new Set(labels).size === labels.length;
    if (a.length !== x.type.sizes.length || b.length !== y.type.sizes.length || !unique(a) || !unique(b))
      return violates('C2', `${a.join(' ')} for ${showType(x.type)}, ${b.join(' ')} for ${showType(y.type)}`);
    const sizes = new Map<string, Poly>();
    for (const [k, label] of a.entries()) sizes.set(label, x.type.sizes[k]!);
    for (const [k, label] of b.entries()) {
      const size = y.type.sizes[k]!;
      const other = sizes.get(label);
      if (other !== undefined && other !== size)
        return violates('C3', `${label}: ${showSizes([other])}, ${showSizes([size])}`);
      sizes.set(label, size);
    }
    if (!unique(out) || !out.every((label) => sizes.has(label))) return violates('C4', out.join(' '));
    for (const label of sizes.keys()) {
      if (a.includes(label) !== b.includes(label) && !out.includes(label)) return violates('C5', label);
    }
    return typed(
      x.type.dtype,
      out.map((label) => sizes.get(label)!),
    );
  },
});

// --------------------------------------------------------------------------------------------------------------- data-dependent

/** What gather and scatter check alike. `indexed`: sizes of the side whose axes sources and `on` name. */
function indexing(
  inputs: readonly Node[],
  attrs: { readonly sources: OpAttributes['gather']['sources']; readonly on: readonly number[] },
  indexed: readonly Poly[],
  read: readonly Poly[],
): Inferred | null {
  const count = inputs.length - 1;
  if (attrs.sources.length !== read.length)
    return violates('C2', `${attrs.sources.length} sources for rank ${read.length}`);
  for (const s of attrs.sources) {
    const legal = s.from === 'axis' ? isAxis(s.axis, indexed.length) : isAxis(s.which, count);
    if (!legal)
      return violates(
        'C3',
        s.from === 'axis' ? `axis ${s.axis} of rank ${indexed.length}` : `index ${s.which} of ${count}`,
      );
  }
  if (!isIncreasing(attrs.on) || !attrs.on.every((a) => isAxis(a, indexed.length)))
    return violates('C4', `on ${attrs.on.join()} of rank ${indexed.length}`);
  const wanted: TensorType = { dtype: 'i32', sizes: attrs.on.map((k) => indexed[k]!) };
  for (const index of inputs.slice(1)) {
    if (!sameType(index.type, wanted)) return violates('C5', `${showType(index.type)}, not ${showType(wanted)}`);
  }
  return null;
}

export const gatherRule = rule<'gather'>({
  name: 'gather',
  summary:
    'Reads where the data says: every axis of the operand takes its coordinate from an axis of the result or from an index. Outside: 0.',
  constraints: {
    C1: 'takes at least one operand',
    C2: 'there is one source for each axis of the operand',
    C3: 'sources name axes of the result, or indices that are given',
    C4: '`on` is strictly increasing, within the result',
    C5: 'every index is i32 with the sizes of the axes in `on`',
  },
  infer: (inputs, attrs) => {
    const x = inputs[0]?.type;
    if (x === undefined) return violates('C1', 'none');
    return indexing(inputs, attrs, attrs.sizes, x.sizes) ?? typed(x.dtype, attrs.sizes);
  },
});

export const scatterRule = rule<'scatter'>({
  name: 'scatter',
  summary:
    'The adjoint of gather: combines every element of the update into the place that the data says. Outside: ignored. The gradient of max is shared by the updates that attain it.',
  constraints: {
    C1: 'takes at least one operand, of numbers',
    C2: 'there is one source for each axis of the result',
    C3: 'sources name axes of the update, or indices that are given',
    C4: '`on` is strictly increasing, within the update',
    C5: 'every index is i32 with the sizes of the axes in `on`',
    C6: 'initial is a value of the dtype; 0 for add',
  },
  infer: (inputs, attrs) => {
    const u = inputs[0]?.type;
    if (u === undefined || !isNumber(u.dtype)) return violates('C1', u?.dtype ?? 'none');
    const wrong = indexing(inputs, attrs, u.sizes, attrs.sizes);
    if (wrong !== null) return wrong;
    if (
      (attrs.combine === 'add' && attrs.initial !== 0) ||
      !constRule.infer([], { value: attrs.initial, dtype: u.dtype }).ok
    )
      return violates('C6', `${attrs.initial} as ${u.dtype} for ${attrs.combine}`);
    return typed(u.dtype, attrs.sizes);
  },
});

export const topkRule = rule<'topk'>({
  name: 'topk',
  summary: 'The k greatest along an axis, descending, and their positions; the first position first on ties.',
  constraints: {
    C1: 'takes one operand of numbers',
    C2: 'the axis is within the rank',
    C3: 'k is at least 1 and at most the size of the axis',
  },
  infer: (inputs, { axis, k }) => {
    const x = inputs[0]?.type;
    if (inputs.length !== 1 || x === undefined || !isNumber(x.dtype))
      return violates('C1', `${inputs.length} operands, ${x?.dtype ?? 'none'}`);
    if (!isAxis(axis, x.sizes.length)) return violates('C2', `axis ${axis} of rank ${x.sizes.length}`);
    if (negative(sub(k, ONE)) || negative(sub(x.sizes[axis]!, k)))
      return violates('C3', `${showSizes([k])} of ${showSizes([x.sizes[axis]!])}`);
    const sizes = splice(x.sizes, axis, 1, k);
    return tuple([
      { dtype: x.dtype, sizes },
      { dtype: 'i32', sizes },
    ]);
  },
});

// ------------------------------------------------------------------------------------------------------------------------- loops

const BOOL: TensorType = { dtype: 'bool', sizes: [] };
const WHOLE: TensorType = { dtype: 'i32', sizes: [] };

export const scanRule = rule<'scan'>({
  name: 'scan',
  summary:
    'A loop: carries pass from round to round, sequences give an element a round, constants stay; yields are stacked.',
  constraints: {
    C1: 'the body takes the round (an i32 scalar), then one leaf for each operand, all of kind `body`',
    C2: 'carries and constants have the types of their leaves',
    C3: 'a sequence has an axis of size `length` before the axes of its leaf',
    C4: 'the body gives every carry back with its type',
    C5: 'there is at least one carry or yield',
    C6: '`until`: carry 0 is a bool scalar, carry 1 an i32 scalar, and the loop is not reversed',
    C7: '`limited`: the last operand is a constant of the loop, an i32 scalar',
  },
  infer: (inputs, { body, length, carries, sequences, reversed, until, limited }) => {
    const [round, ...leaves] = body.inputs;
    const known = [...body.inputs].every((n) => n.attrs.kind === 'body');
    if (
      round === undefined ||
      !sameType(round.type, { dtype: 'i32', sizes: [] }) ||
      leaves.length !== inputs.length ||
      !known
    )
      return violates('C1', `${body.inputs.length} leaves for ${inputs.length} operands`);
    if (carries + sequences > inputs.length) return violates('C1', `${carries} carries and ${sequences} sequences`);
    for (const [k, input] of inputs.entries()) {
      const leaf = leaves[k]!.type;
      const sequence = k >= carries && k < carries + sequences;
      if (
        sequence
          ? !sameType(input.type, { dtype: leaf.dtype, sizes: [length, ...leaf.sizes] })
          : !sameType(input.type, leaf)
      )
        return violates(sequence ? 'C3' : 'C2', `operand ${k}: ${showType(input.type)} for ${showType(leaf)}`);
    }
    const [first, second] = inputs;
    if (until === true && (reversed || carries < 2 || !sameType(first!.type, BOOL) || !sameType(second!.type, WHOLE)))
      return violates('C6', reversed ? 'reversed' : `${carries} carries`);
    const last = inputs.at(-1);
    if (limited === true && (inputs.length === carries + sequences || !sameType(last!.type, WHOLE)))
      return violates('C7', last === undefined ? 'no operand' : showType(last.type));
    const next = body.outputs.slice(0, carries);
    const bad = next.findIndex((o, k) => !sameType(o.node.type, leaves[k]!.type));
    if (next.length < carries || bad >= 0)
      return violates(
        'C4',
        bad < 0 ? `${next.length} of ${carries}` : `carry ${bad}: ${showType(next[bad]!.node.type)}`,
      );
    const members = body.outputs.map(({ node }, k): TensorType =>
      k < carries ? node.type : { dtype: node.type.dtype, sizes: [length, ...node.type.sizes] },
    );
    return members.length === 0 ? violates('C5', 'none') : tuple(members);
  },
});

export const partRule = rule<'part'>({
  name: 'part',
  summary: 'One member of a tuple.',
  constraints: { C1: 'takes one tuple', C2: 'the index is one of its members' },
  infer: (inputs, { index }) => {
    const members = inputs[0]?.members;
    if (inputs.length !== 1 || members === null || members === undefined)
      return violates('C1', `${inputs.length} operands`);
    const member = members[index];
    return member === undefined
      ? violates('C2', `member ${index} of ${members.length}`)
      : typed(member.dtype, member.sizes);
  },
});
