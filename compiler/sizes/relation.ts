/** Statements about sizes, as data: what can be assumed, asked, and given back as a condition. */
import { format, names } from './poly.ts';
import type { Poly } from './poly.ts';

export type Relation =
  | { readonly kind: 'equal'; readonly left: Poly; readonly right: Poly }
  /** left >= right */
  | { readonly kind: 'at-least'; readonly left: Poly; readonly right: Poly }
  /** left < right */
  | { readonly kind: 'below'; readonly left: Poly; readonly right: Poly }
  /** of % divisor == residue; the residue is 0 where it is not given. */
  | { readonly kind: 'divides'; readonly divisor: Poly; readonly of: Poly; readonly residue?: number };

/** `H % 16 == 0`, `T <= 1024` written as in the language. */
export function formatRelation(r: Relation, show: (p: Poly) => string = format): string {
  switch (r.kind) {
    case 'equal':
      return `${show(r.left)} == ${show(r.right)}`;
    case 'at-least':
      return `${show(r.left)} >= ${show(r.right)}`;
    case 'below':
      return `${show(r.left)} < ${show(r.right)}`;
    case 'divides': {
      const part = (p: Poly): string => (/^[^\s()]+$/.test(show(p)) ? show(p) : `(${show(p)})`);
      return `${part(r.of)} % ${part(r.divisor)} == ${r.residue ?? 0}`;
    }
  }
}

export const polysOf = (r: Relation): readonly [Poly, Poly] =>
  r.kind === 'divides' ? [r.of, r.divisor] : [r.left, r.right];

export function namesOfRelation(r: Relation): Set<string> {
  const [a, b] = polysOf(r);
  return new Set([...names(a), ...names(b)]);
}
