/** Verdicts against enumeration of boxes, and the proofs that shape checking needs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_FACTS } from '../../compiler/sizes/facts.ts';
import type { Facts, Relation, Verdict } from '../../compiler/sizes/facts.ts';
import {
  ONE,
  UNDEFINED,
  ZERO,
  add,
  ceilDiv,
  evaluate,
  floorDiv,
  format,
  mod,
  mul,
  name,
  num,
  power,
  sub,
} from '../../compiler/sizes/poly.ts';
import type { Poly } from '../../compiler/sizes/poly.ts';
import { formatRelation } from '../../compiler/sizes/relation.ts';
import { RUNS, build, expressions, settings, value } from './arbitrary.ts';
import type { Env, Expression } from './arbitrary.ts';

const MOST = 6;
const NAMES = ['H', 'W', 'k'];
const H = name('H');
const W = name('W');
const k = name('k');
const i = name('i');
const D = name('D');
const heads = name('heads');

interface Statement {
  readonly kind: Relation['kind'];
  readonly left: Expression;
  readonly right: Expression;
}

const toRelation = ({ kind, left, right }: Statement): Relation =>
  kind === 'divides'
    ? { kind, of: build(left), divisor: build(right) }
    : { kind, left: build(left), right: build(right) };

/** By plain arithmetic on the expressions, not on polynomials. */
function truth({ kind, left, right }: Statement, env: Env): boolean {
  const a = value(left, env);
  const b = value(right, env);
  switch (kind) {
    case 'equal':
      return a === b;
    case 'at-least':
      return a >= b;
    case 'below':
      return a < b;
    case 'divides':
      return ((a % b) + b) % b === 0;
  }
}

const constant = (v: number): Expression => ({ kind: 'num', value: v });
const named = (s: string): Expression => ({ kind: 'name', name: s });
const all = expressions(['H', 'W', 'k', 'i'], false, NAMES);
const plain = expressions(['H', 'W', 'k'], false, NAMES);
const divisors: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map(constant),
  fc.constantFrom(...NAMES).map(named),
);

function statements(e: fc.Arbitrary<Expression>): fc.Arbitrary<Statement> {
  return fc.oneof(
    fc.record({ kind: fc.constantFrom('equal' as const, 'at-least' as const, 'below' as const), left: e, right: e }),
    fc.record({ kind: fc.constant('divides' as const), left: e, right: divisors }),
  );
}

/** Facts as programs state them, besides arbitrary ones. */
const likely: fc.Arbitrary<Statement> = fc.constantFrom<Statement>(
  { kind: 'divides', left: named('H'), right: named('k') },
  { kind: 'divides', left: named('H'), right: constant(4) },
  { kind: 'divides', left: { kind: 'add', left: named('W'), right: named('k') }, right: constant(2) },
  { kind: 'equal', left: named('H'), right: named('W') },
  { kind: 'equal', left: named('H'), right: { kind: 'mul', left: named('W'), right: named('k') } },
  { kind: 'equal', left: { kind: 'mod', left: named('W'), right: constant(3) }, right: constant(1) },
  {
    kind: 'equal',
    left: { kind: 'mul', left: named('W'), right: named('k') },
    right: { kind: 'mul', left: named('H'), right: constant(2) },
  },
  { kind: 'at-least', left: named('H'), right: named('k') },
  { kind: 'below', left: named('k'), right: constant(5) },
  { kind: 'below', left: named('k'), right: named('W') },
);

function* box(facts: readonly Statement[], extent: Expression): Iterable<Env> {
  for (let h = 1; h <= MOST; h++) {
    for (let w = 1; w <= MOST; w++) {
      for (let n = 1; n <= MOST; n++) {
        const env = new Map([
          ['H', h],
          ['W', w],
          ['k', n],
        ]);
        if (!facts.every((f) => truth(f, env))) continue;
        const end = value(extent, env);
        for (let v = 0; v < end && v < 12; v++) yield new Map([...env, ['i', v]]);
      }
    }
  }
}

describe('verdicts', () => {
  it(
    'never say more than enumeration finds',
    () => {
      const seen: Record<Verdict['kind'], number> = { proved: 0, refuted: 0, counterexample: 0, unknown: 0 };
      const extents = fc.constantFrom<Expression>(
        named('H'),
        named('W'),
        constant(7),
        { kind: 'ceil', left: named('H'), right: constant(2) },
        { kind: 'add', left: { kind: 'floor', left: named('H'), right: named('k') }, right: constant(1) },
      );
      fc.assert(
        fc.property(
          fc.array(fc.oneof({ weight: 3, arbitrary: likely }, statements(plain)), { maxLength: 2 }),
          extents,
          fc.oneof(statements(all), statements(plain)),
          (given, extent, claim) => {
            const relation = toRelation(claim);
            let facts = NO_FACTS.withIndex('i', build(extent));
            for (const f of given) facts = facts.assume(toRelation(f));
            const verdict = facts.ask(relation);
            seen[verdict.kind]++;
            const story = (): string =>
              `${given.map((f) => formatRelation(toRelation(f))).join(', ')}, i < ${format(build(extent))} |- ${formatRelation(relation)}`;
            const bad = (env: Env): never =>
              expect.fail(`${verdict.kind} is wrong: ${story()} at ${JSON.stringify([...env])}`);
            if (verdict.kind === 'counterexample') {
              const env: Env = new Map([...NAMES.map((s): [string, number] => [s, 1]), ['i', 0], ...verdict.env]);
              if (truth(claim, env)) bad(env);
              // A name that neither the claim nor a fact about it mentions is not part of the answer.
              const full = NAMES.every((s) => verdict.env.has(s));
              if (full && !given.every((f) => truth(f, env))) bad(env);
              if (verdict.env.has('i') && !(env.get('i')! >= 0 && env.get('i')! < value(extent, env))) bad(env);
            }
            const condition = 'condition' in verdict ? verdict.condition : undefined;
            if (verdict.kind !== 'proved' && verdict.kind !== 'refuted' && condition === undefined) return;
            for (const env of box(given, extent)) {
              const holds = truth(claim, env);
              if (verdict.kind === 'proved' && !holds) bad(env);
              if (verdict.kind === 'refuted' && holds) bad(env);
              if (condition !== undefined && !holds && condition.relations.every((r) => conditionHolds(r, env))) {
                expect.fail(`${condition.text} is not enough: ${story()} at ${JSON.stringify([...env])}`);
              }
            }
          },
        ),
        settings(),
      );
      expect(seen.proved).toBeGreaterThan(RUNS / 25);
      expect(seen.refuted).toBeGreaterThan(RUNS / 25);
      expect(seen.counterexample).toBeGreaterThan(RUNS / 5);
      expect(seen.unknown).toBeLessThan(RUNS / 2);
    },
    60_000 + 60 * RUNS,
  );

  it('normal keeps the value wherever the facts hold', () => {
    let changed = 0;
    fc.assert(
      fc.property(fc.array(likely, { minLength: 1, maxLength: 3 }), plain, (given, e) => {
        let facts: Facts = NO_FACTS;
        for (const f of given) facts = facts.assume(toRelation(f));
        const p = build(e);
        const q = facts.external(facts.normal(p));
        if (p === UNDEFINED || q === UNDEFINED || p === q) return;
        changed++;
        for (const env of box(given, constant(1))) {
          if (evaluate(q, (s) => env.get(s)!) !== value(e, env)) {
            expect.fail(
              `${format(p)} became ${format(q)} under ${given.map((f) => formatRelation(toRelation(f))).join(', ')}`,
            );
          }
        }
      }),
      settings(),
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  });
});

function conditionHolds(r: Relation, env: Env): boolean {
  if (r.kind !== 'divides') throw new Error('a condition by residues is a divisibility');
  // An internal name such as `H / 4` has no number here; then nothing can be said.
  const of = evaluate(r.of, (s) => env.get(s) ?? Number.NaN);
  return of % evaluate(r.divisor, () => Number.NaN) === (r.residue ?? 0);
}

describe('proofs that shape checking needs', () => {
  const proved = (v: Verdict): void => expect(v.kind).toBe('proved');
  const below = (f: Facts, p: Poly, q: Poly): Verdict => f.ask({ kind: 'below', left: p, right: q });

  it('a strided window without padding stays inside; with padding it may leave', () => {
    const [pad, dil, stride, p] = [name('pad'), name('dil'), name('stride'), name('p')];
    for (const [s, d] of [
      [num(1), ONE],
      [num(2), ONE],
      [num(2), num(3)],
      [stride, dil],
    ] as const) {
      // prettier-ignore
      const reach = add(H, sub(ZERO, mul(d, sub(k, ONE))), num(-1));
      const extent = add(floorDiv(reach, s), ONE);
      const at = add(mul(s, i), mul(d, p));
      const inside = NO_FACTS.withIndex('i', extent).withIndex('p', k);
      proved(inside.atLeastZero(at));
      proved(below(inside, at, H));
      const padded = NO_FACTS.withName('pad', 0)
        .withIndex('i', add(floorDiv(add(reach, mul(num(2), pad)), s), ONE))
        .withIndex('p', k);
      expect(padded.atLeastZero(sub(at, pad)).kind).toBe('counterexample');
      expect(below(padded, sub(at, pad), H).kind).toBe('counterexample');
    }
    const five = NO_FACTS.withIndex('i', floorDiv(sub(H, num(3)), num(2))).withIndex('p', num(5));
    proved(below(five, add(mul(num(2), i), name('p')), H));
  });

  it('pooling, upsampling, reversal, splits', () => {
    const f = NO_FACTS.withIndex('i', H);
    proved(below(f, floorDiv(i, num(2)), ceilDiv(H, num(2))));
    expect(below(f, floorDiv(i, num(2)), floorDiv(H, num(2))).kind).toBe('counterexample');
    proved(f.atLeastZero(sub(sub(H, ONE), i)));
    proved(below(f, sub(sub(H, ONE), i), H));
    const half = NO_FACTS.assumeDivides(num(2), H);
    const half2 = half.withIndex('i', half.quotient(H, num(2))!).withIndex('p', num(2));
    proved(below(half2, add(mul(num(2), i), name('p')), H));
    const pooled = NO_FACTS.withIndex('i', floorDiv(H, num(2))).withIndex('p', num(2));
    proved(below(pooled, add(mul(num(2), i), name('p')), H));
    const flat = NO_FACTS.withIndex('i', mul(H, W));
    proved(below(flat, floorDiv(i, W), H));
    proved(below(flat, mod(i, W), W));
    proved(flat.atLeastZero(mod(i, W)));
    const causal = NO_FACTS.withIndex('t', name('T')).withIndex('s', add(name('t'), ONE));
    proved(below(causal, sub(name('t'), name('s')), name('T')));
    proved(causal.atLeastZero(sub(name('t'), name('s'))));
    expect(NO_FACTS.withIndex('s', name('T')).atLeastZero(sub(name('s'), name('at'))).kind).toBe('counterexample');
  });

  it('known inequalities combine', () => {
    const [S, T, at] = [name('S'), name('T'), name('at')];
    const f = NO_FACTS.withName('at', 0).assumeAtLeast(S, add(at, T)).withIndex('t', T);
    proved(below(f, add(at, name('t')), S));
    proved(f.atLeastZero(sub(S, T)));
    const bounded = NO_FACTS.assumeBelow(T, num(1025)).withIndex('t', T);
    proved(below(bounded, name('t'), num(1024)));
    proved(below(NO_FACTS.assumeAtLeast(H, k).assumeAtLeast(k, W).withIndex('i', W), i, H));
  });

  it('heads divide the width', () => {
    const f = NO_FACTS.assumeDivides(heads, D);
    const e = f.quotient(D, heads)!;
    expect(f.show(e)).toBe('D / heads');
    expect(f.show(mul(num(2), e))).toBe('2 * (D / heads)');
    expect(f.show(f.normal(mul(num(3), D)))).toBe('3 * D');
    proved(f.equal(mul(heads, e), D));
    proved(f.divides(heads, mul(num(3), D)));
    proved(f.equal(floorDiv(D, heads), e));
    expect(NO_FACTS.quotient(D, heads)).toBeNull();
    expect(f.equal(D, heads).kind).toBe('counterexample');
    const v = NO_FACTS.divides(heads, D);
    expect(v.kind).toBe('counterexample');
    if (v.kind === 'counterexample') expect(v.env.get('D')! % v.env.get('heads')!).not.toBe(0);
  });

  it('finds the condition of a U-Net: H % 16 == 0', () => {
    let size: Poly = H;
    for (let level = 0; level < 4; level++) size = floorDiv(size, num(2));
    for (let level = 0; level < 4; level++) size = mul(size, num(2));
    const v = NO_FACTS.equal(size, H);
    expect(v.kind).toBe('counterexample');
    if (v.kind !== 'counterexample') return;
    expect(v.condition?.text).toBe('H % 16 == 0');
    const under = v.condition!.relations.reduce<Facts>((f, r) => f.assume(r), NO_FACTS);
    proved(under.equal(size, H));
    const area = NO_FACTS.equal(mul(num(4), floorDiv(H, num(2)), floorDiv(W, num(2))), mul(H, W));
    expect('condition' in area ? area.condition?.text : null).toBe('H % 2 == 0 and W % 2 == 0');
  });

  it('decides by residues what the normal form does not', () => {
    proved(NO_FACTS.equal(add(floorDiv(H, num(2)), ceilDiv(H, num(2))), H));
    proved(NO_FACTS.divides(num(2), mul(H, add(H, ONE))));
    proved(NO_FACTS.divides(num(6), mul(H, add(H, ONE), add(H, num(2)))));
    expect(NO_FACTS.equal(mul(num(2), H), add(mul(num(2), W), ONE)).kind).toBe('refuted');
    expect(NO_FACTS.divides(num(4), add(mul(num(2), mul(H, H)), ONE)).kind).toBe('refuted');
    // No residue class is identically 0, yet the floor is 0 for S < 8.
    const S = name('S');
    expect(NO_FACTS.equal(floorDiv(S, num(8)), ZERO).kind).toBe('counterexample');
    expect(NO_FACTS.assumeBelow(S, num(8)).equal(floorDiv(S, num(8)), ZERO).kind).toBe('proved');
  });

  it('refutes by sign and by constants', () => {
    expect(NO_FACTS.equal(H, add(H, ONE)).kind).toBe('refuted');
    expect(NO_FACTS.equal(ZERO, mul(H, W)).kind).toBe('refuted');
    expect(NO_FACTS.atLeastZero(sub(ZERO, H)).kind).toBe('refuted');
    expect(NO_FACTS.withName('n', 0).equal(name('n'), ZERO).kind).toBe('counterexample');
    expect(NO_FACTS.equal(H, W).kind).toBe('counterexample');
  });

  it('equalities rewrite names, products and powers', () => {
    proved(NO_FACTS.assumeEqual(H, W).equal(mul(H, k), mul(W, k)));
    const f = NO_FACTS.assumeEqual(mul(H, W), mul(num(2), k));
    proved(f.equal(mul(H, W, H), mul(num(2), k, H)));
    proved(f.divides(num(2), mul(H, W)));
    proved(NO_FACTS.assumeEqual(mul(num(2), H), mul(num(2), W)).equal(H, W));
    const two = power(num(2), i)!;
    proved(
      NO_FACTS.withName('i', 0)
        .assumeEqual(D, mul(num(3), two))
        .divides(two, D),
    );
    expect(NO_FACTS.assumeEqual(mul(num(2), H), add(mul(num(2), W), ONE)).contradictory).toBe(true);
    expect(NO_FACTS.assumeEqual(H, W).assumeEqual(H, add(W, ONE)).contradictory).toBe(true);
  });

  it('a remainder stated as an equality is a divisibility', () => {
    const f = NO_FACTS.assumeEqual(mod(H, num(4)), ZERO);
    proved(f.divides(num(2), H));
    const g = NO_FACTS.assumeEqual(mod(H, num(4)), num(3));
    proved(g.equal(mod(H, num(2)), ONE));
    expect(g.divides(num(2), H).kind).toBe('refuted');
  });

  it('leaves the parent scope as it was', () => {
    const parent = NO_FACTS.assumeDivides(heads, D);
    parent.extend().assumeEqual(H, W);
    expect(parent.equal(H, W).kind).toBe('counterexample');
  });

  it('is silent where sizes have no value', () => {
    expect(NO_FACTS.equal(UNDEFINED, UNDEFINED).kind).toBe('unknown');
    expect(NO_FACTS.atLeastZero(UNDEFINED).kind).toBe('unknown');
    expect(NO_FACTS.divides(ZERO, H).kind).toBe('unknown');
  });
});
