/** The signs of shifted coefficients against the same shift by substitution of polynomials. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNDEFINED, add, mapAtoms, mul, name, num, ofAtom, sub, terms } from '../../compiler/sizes/poly.ts';
import type { Atom, Poly } from '../../compiler/sizes/poly.ts';
import { nonNegativeFrom } from '../../compiler/sizes/signs.ts';
import { build, expressions, settings } from './arbitrary.ts';

type Least = (atom: Atom) => number | null;

function bySubstitution(p: Poly, least: Least): boolean {
  const shifted = mapAtoms(p, (atom) => {
    const at = least(atom);
    return at === null || at === 0 ? null : add(ofAtom(atom), num(at));
  });
  return (
    shifted !== UNDEFINED &&
    terms(shifted).every(
      (t) => t.coefficient >= 0 && t.factors.every(({ atom, exponent }) => exponent % 2 === 0 || least(atom) !== null),
    )
  );
}

const [x, y] = [name('x'), name('y')];

describe('signs after the shift', () => {
  it('agree with the substitution', () => {
    const choice = fc.constantFrom<(number | null)[]>(null, -2, -1, 0, 1, 3);
    let shown = 0;
    fc.assert(
      fc.property(expressions(['x', 'y', 'z']), fc.array(choice, { minLength: 7, maxLength: 7 }), (e, leasts) => {
        const p = build(e);
        fc.pre(p !== UNDEFINED);
        const table = new Map<Atom, number | null>();
        const least: Least = (atom) => {
          if (!table.has(atom)) table.set(atom, leasts[table.size % leasts.length]!);
          return table.get(atom)!;
        };
        for (const t of terms(p)) for (const { atom } of t.factors) least(atom);
        const expected = bySubstitution(p, least);
        if (expected) shown++;
        expect(nonNegativeFrom(p, least)).toBe(expected);
      }),
      settings(),
    );
    expect(shown).toBeGreaterThan(100);
  });

  it('show what a square and a bound show, and no more', () => {
    const square = mul(sub(x, y), sub(x, y));
    expect(nonNegativeFrom(mul(x, x), () => null)).toBe(true);
    expect(nonNegativeFrom(x, () => null)).toBe(false);
    expect(nonNegativeFrom(square, () => 1)).toBe(false);
    expect(nonNegativeFrom(sub(mul(x, y), x), () => 1)).toBe(true);
    expect(nonNegativeFrom(sub(mul(x, y), x), () => 0)).toBe(false);
    expect(nonNegativeFrom(UNDEFINED, () => 1)).toBe(false);
    // A power that no number holds exactly.
    expect(nonNegativeFrom(mul(x, x), () => 2 ** 40)).toBe(false);
  });
});
