/**
 * Interned integer polynomials: the sizes of tensors (`4 * D`, `floor((H + 1) / 2)`) and the index arithmetic of kernels.
 *
 * A polynomial is a sum of integer multiples of monomials over atoms: a name, floor(p / q), or c^e with a prime base. Every value is kept
 * in normal form and interned, so equal normal forms are the same object and `===` compares them. The normal form is not complete:
 * floor(H / 2) + floor((H + 1) / 2) equals H and does not reduce to it; `Facts` (facts.ts) decides such cases by residue classes.
 *
 * Two conventions. The divisor of a floor is positive wherever the value is used (callers check it), exponents are not negative. A value
 * that does not exist (division by the constant 0) or that would need a coefficient beyond 2^53 is `UNDEFINED`, which absorbs everything;
 * it is identical to itself but proves nothing, so test with `isDefined` where user input could lead there.
 *
 * The tables are global and only grow; entries are small and shared between compilations. The memos of operations are dropped when large.
 * Nothing here knows the ranges of names (ranges.ts) or facts about them (facts.ts).
 */
export {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  asConst,
  isDefined,
  mul,
  name,
  neg,
  num,
  ofAtom,
  scratch,
  sub,
} from './interning.ts';
export type { Atom, Factor, Poly, Term } from './interning.ts';
export {
  ceilDiv,
  divideExact,
  divideWithRest,
  floorDiv,
  floorOfQuotient,
  greatestCommonDivisor,
  mod,
  power,
} from './division.ts';
export {
  coefficientOf,
  evaluate,
  evaluateAtom,
  mapAtoms,
  names,
  namesOfAtom,
  ofTerm,
  substitute,
  terms,
} from './inspect.ts';
export { format, remainders } from './format.ts';
export type { Remainder } from './format.ts';
