/** What lengths are multiples of, whatever the sizes: loops over them that leave nothing need no code for a rest. */
import { terms, type Poly } from '../../sizes/poly.ts';

export const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** Of a value that is 0: 0. */
export const multipleOf = (p: Poly): number => terms(p).reduce((n, t) => commonDivisor(n, Math.abs(t.coefficient)), 0);

/** The same of the ends of a part in such units. */
export const unitOf = (p: Poly, unit: number): number => commonDivisor(multipleOf(p), unit);
