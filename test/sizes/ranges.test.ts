/** The simplifier and the bounds of index arithmetic against brute force over every point of small boxes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ranges, bounds, simplify, upTo } from '../../compiler/sizes/ranges.ts';
import type { Range, RangeOf } from '../../compiler/sizes/ranges.ts';
import {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  evaluate,
  floorDiv,
  format,
  mod,
  mul,
  name,
  num,
  sub,
} from '../../compiler/sizes/poly.ts';
import type { Poly } from '../../compiler/sizes/poly.ts';
import { RUNS, build, expressions, look, settings } from './arbitrary.ts';

const from =
  (table: Readonly<Record<string, Range>>): RangeOf =>
  (s) =>
    table[s] ?? null;
const [E, F, H, W, a, b, e, h, w, c] = ['E', 'F', 'H', 'W', 'a', 'b', 'e', 'h', 'w', 'c'].map(name) as [
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
  Poly,
];

/** Every assignment of axes within their ranges for the sizes E, F in 1..3. */
function* points(rangeOf: RangeOf, axes: readonly string[]): Iterable<ReadonlyMap<string, number>> {
  for (let E = 1; E <= 3; E++) {
    for (let F = 1; F <= 3; F++)
      yield* inside(
        new Map([
          ['E', E],
          ['F', F],
        ]),
        0,
      );
  }
  function* inside(env: Map<string, number>, k: number): Iterable<ReadonlyMap<string, number>> {
    const axis = axes[k];
    if (axis === undefined) return void (yield env);
    const at = (x: Poly | number): number => (typeof x === 'number' ? x : evaluate(x, look(env)));
    const { lo, hi } = rangeOf(axis)!;
    for (let v = at(lo!); v <= at(hi!); v++) yield* inside(new Map([...env, [axis, v]]), k + 1);
  }
}

const axisRanges = fc.record({
  a: fc.constantFrom<Range>(upTo(4), upTo(E), upTo(mul(E, F)), { lo: -2, hi: 3 }, upTo(1), { lo: 1, hi: E }),
  b: fc.constantFrom<Range>(upTo(3), upTo(F), upTo(name('E')), { lo: 0, hi: a }, { lo: 2, hi: 5 }),
});
/** Products and sums of splits, as kernels produce them, mixed with arbitrary expressions. */
const indices: fc.Arbitrary<Poly> = fc.oneof(
  expressions(['a', 'b', 'E', 'F'], false, ['E', 'F']).map(build),
  fc
    .tuple(
      fc.constantFrom(a, b, add(a, b), mul(a, b), sub(a, b)),
      fc.constantFrom(a, b, ZERO, sub(num(3), a), sub(sub(E, ONE), a), sub(ZERO, b)),
      fc.constantFrom(num(4), num(3), E, F, mul(E, F), mul(num(2), E), add(E, ONE)),
      fc.constantFrom(num(4), num(8), num(12), num(3), E, F, mul(E, F), mul(num(4), E), add(E, ONE)),
      fc.boolean(),
    )
    .map(([x, y, s, q, rest]) => {
      const flat = add(mul(x, s), y);
      return rest ? mod(flat, q) : floorDiv(flat, q);
    }),
);

describe('brute force', () => {
  it('simplify keeps the value at every point of the ranges', () => {
    let changed = 0;
    fc.assert(
      fc.property(axisRanges, indices, (table, p) => {
        const rangeOf = from(table);
        const q = simplify(p, rangeOf);
        if (p === UNDEFINED || q === p) return;
        changed++;
        for (const env of points(rangeOf, ['a', 'b'])) {
          if (evaluate(p, look(env)) !== evaluate(q, look(env))) {
            expect.fail(`${format(p)} became ${format(q)}, which differs at ${JSON.stringify([...env])}`);
          }
        }
      }),
      settings(),
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  });

  it('bounds hold at every point of the ranges', () => {
    let found = 0;
    fc.assert(
      fc.property(axisRanges, indices, (table, p) => {
        if (p === UNDEFINED) return;
        const rangeOf = from(table);
        const { lo, hi } = bounds(p, rangeOf);
        if (lo !== null && hi !== null) found++;
        for (const env of points(rangeOf, ['a', 'b'])) {
          const v = evaluate(p, look(env));
          if (lo !== null && evaluate(lo, look(env)) > v)
            expect.fail(`${format(p)} is below ${format(lo)} at ${JSON.stringify([...env])}`);
          if (hi !== null && evaluate(hi, look(env)) < v)
            expect.fail(`${format(p)} is above ${format(hi)} at ${JSON.stringify([...env])}`);
        }
      }),
      settings(),
    );
    expect(found).toBeGreaterThan(RUNS / 3);
  });

  it('atLeast holds at every point of the ranges', () => {
    let shown = 0;
    fc.assert(
      fc.property(axisRanges, indices, fc.constantFrom(ZERO, ONE, a, b, E, sub(b, E)), (table, p, q) => {
        if (p === UNDEFINED) return;
        const rangeOf = from(table);
        if (!new Ranges(rangeOf).atLeast(p, q)) return;
        shown++;
        for (const env of points(rangeOf, ['a', 'b'])) {
          if (evaluate(p, look(env)) < evaluate(q, look(env))) {
            expect.fail(`${format(p)} is below ${format(q)} at ${JSON.stringify([...env])}`);
          }
        }
      }),
      settings(),
    );
    expect(shown).toBeGreaterThan(RUNS / 10);
  });
});

describe('what kernels need to become linear', () => {
  const rangeOf = from({ e: upTo(E), h: upTo(H), w: upTo(W), c: upTo(64), a: upTo(7), b: upTo(9) });
  const same = (p: Poly, q: Poly): void => expect(format(simplify(p, rangeOf))).toBe(format(q));

  it('splits and merges by a constant', () => {
    const flat = add(mul(num(64), h), c);
    same(floorDiv(flat, num(64)), h);
    same(mod(flat, num(64)), c);
    same(floorDiv(add(mul(num(9), a), b), num(9)), a);
    same(mod(add(mul(num(9), a), b), num(9)), b);
    same(floorDiv(add(mul(num(32), h), floorDiv(c, num(2))), num(32)), h);
    same(floorDiv(flat, num(128)), floorDiv(h, num(2)));
    same(floorDiv(add(mul(num(64), h), sub(num(63), c)), num(64)), h);
    same(mod(sub(num(63), c), num(64)), sub(num(63), c));
  });

  it('splits and merges by a size, and by sums and products of sizes', () => {
    const flat = add(mul(E, h), e);
    same(floorDiv(flat, E), h);
    same(mod(flat, E), e);
    const image = add(mul(H, W, e), mul(W, h), w);
    same(floorDiv(image, mul(H, W)), e);
    same(mod(floorDiv(image, W), H), h);
    same(mod(image, W), w);
    same(floorDiv(image, W), add(mul(H, e), h));
    same(mod(image, mul(H, W)), add(mul(W, h), w));
    const padded = add(W, num(2));
    same(floorDiv(add(mul(padded, h), w), padded), h);
    same(mod(add(mul(padded, h), w, ONE), padded), add(w, ONE));
    same(floorDiv(add(mul(padded, h), w), mul(padded, H)), ZERO);
    same(floorDiv(add(mul(F, E, h), mul(F, e)), mul(F, E)), h);
  });

  it('drops axes of extent 1', () => {
    expect(simplify(add(mul(E, a), h), from({ a: upTo(1) }))).toBe(h);
  });

  it('leaves what depends on the values', () => {
    expect(simplify(floorDiv(c, num(32)), rangeOf)).toBe(floorDiv(c, num(32)));
    expect(simplify(mod(e, F), rangeOf)).toBe(mod(e, F));
  });

  it('bounds indices', () => {
    const range = (p: Poly): [string, string] => {
      const { lo, hi } = bounds(p, rangeOf);
      return [lo === null ? '-' : format(lo), hi === null ? '-' : format(hi)];
    };
    expect(range(add(mul(E, h), e))).toEqual(['0', 'E * H - 1']);
    expect(range(mod(c, num(5)))).toEqual(['0', '4']);
    expect(range(floorDiv(c, num(5)))).toEqual(['0', '12']);
    expect(range(sub(num(3), a))).toEqual(['-3', '3']);
    expect(bounds(c, from({ c: { lo: 0 } })).hi).toBeNull();
  });
});
