/**
 * All operations. `tsc` names a missing record.
 */
import type { Node, OpAttributes, OpName } from '../graph/types.ts';
import { contract } from './contract.ts';
import { cumulate } from './cumulate.ts';
import { elementwise } from './elementwise.ts';
import { gather, scatter } from './gather.ts';
import { constant, input, iota, part, size } from './leaves.ts';
import { broadcast, concat, merge, pad, slice, split, transpose } from './movement.ts';
import { random } from './random.ts';
import type { Inferred, OpRecord } from './record.ts';
import { argmax, reduce } from './reduce.ts';
import { scan } from './scan.ts';
import { topk } from './topk.ts';
import { fold, unfold } from './unfold.ts';

export const ops = {
  input,
  const: constant,
  iota,
  size,
  random,
  ...elementwise,
  reduce,
  argmax,
  cumulate,
  contract,
  broadcast,
  transpose,
  split,
  merge,
  slice,
  pad,
  concat,
  unfold,
  fold,
  gather,
  scatter,
  topk,
  scan,
  part,
} satisfies { [O in OpName]: OpRecord<O> };

/** The record of an operation, typed by its name. */
export function recordOf<O extends OpName>(op: O): OpRecord<O> {
  return ops[op] as unknown as OpRecord<O>; // the table is mapped by name, which tsc loses for a generic name
}

/** What comes out. Beside the record's constraints: a tuple is read by `part` only. */
export function inferNode<O extends OpName>(op: O, inputs: readonly Node[], attrs: OpAttributes[O]): Inferred {
  if (op !== 'part' && inputs.some((n) => n.members !== null))
    return { ok: false, constraint: 'tuple', detail: 'a tuple is only read by `part`' };
  return recordOf(op).infer(inputs, attrs);
}
