/**
 * The numbers behind materialisation, in one table. The unit is about one multiply-add of scalar code; they need to be right within a factor
 * of two or three only, because a wrong choice costs some time and never a result.
 */
import { evaluate, type Poly } from '../sizes/poly.ts';
import { typeNumber } from '../graph/identity.ts';
import type { ElementwiseOp, Node, TensorType } from '../graph/types.ts';

export const READ = 1;
export const WRITE = 1.5;
/** A coordinate, a constant, a comparison of coordinates: mostly hoisted out of inner loops. */
export const INDEX = 0.2;
export const RANDOM = 60;
/** Values that read no buffer are computed again wherever they are needed, up to this cost. */
export const TRIVIAL = 12;
/** A value with several uses and more cost than this will probably be stored, and then counts as a read within the cost of its users. */
export const SHARED = 2.5;
/** A sum of sums becomes one reduction while it does not add up more than this many times the terms. */
export const SUM_OF_SUMS = 10;
/** More places than this that would each compute a value anew: it is stored. */
export const MAX_SITES = 8;
/** Longest chain of values inlined into each other; bounds recursion here and in every consumer of expressions. */
export const MAX_DEPTH = 60;
/** What a size name is taken to be where a number is needed. */
export const NOMINAL = 64;

export const ELEMENTWISE = {
  neg: 0.5,
  recip: 3,
  exp: 16,
  log: 16,
  sin: 20,
  cos: 20,
  tanh: 20,
  erf: 30,
  sqrt: 4,
  floor: 1,
  not: 0.5,
  cast: 0.5,
  add: 1,
  sub: 1,
  mul: 1,
  div: 3,
  pow: 40,
  max: 1,
  min: 1,
  mod: 5,
  lt: 1,
  eq: 1,
  and: 0.5,
  or: 0.5,
  select: 1,
  stop_gradient: 0,
  surrogate: 0,
} as const satisfies Record<ElementwiseOp, number>;

export const isElementwise = (op: string): op is ElementwiseOp => Object.hasOwn(ELEMENTWISE, op);

export const estimate = (p: Poly): number =>
  Math.max(
    1,
    evaluate(p, () => NOMINAL),
  );

const counts = new Map<number, number>();

export function elements(type: TensorType): number {
  const key = typeNumber(type);
  let n = counts.get(key);
  if (n === undefined) {
    n = type.sizes.reduce((product, s) => product * estimate(s), 1);
    counts.set(key, n);
  }
  return n;
}

/** Cost of an element of a node without its inputs; `inputs` are the costs of theirs. Leaves, reductions and opaque values are one read. */
export function coneCost(node: Node, lowering: string, inputs: readonly number[]): number {
  if (lowering !== 'scalar' || node.op === 'part') return READ;
  if (node.op === 'random') return RANDOM;
  let sum = 0;
  for (const x of inputs) sum += x;
  if (isElementwise(node.op)) return Math.min(1e6, ELEMENTWISE[node.op] + sum);
  return node.inputs.length === 0 ? INDEX : Math.min(1e6, sum + (node.inputs.length - 1) * INDEX);
}
