/** Random polynomials together with an independent evaluation of the expression they were built from. */
import fc from 'fast-check';
import { add, ceilDiv, floorDiv, mod, mul, name, num, power, sub } from '../../compiler/sizes/poly.ts';
import type { Poly } from '../../compiler/sizes/poly.ts';

export const RUNS = Number(process.env['NNC_RUNS'] ?? 2000);
export const SEED = 20260;
export const settings = (runs = RUNS): fc.Parameters<unknown> => ({ numRuns: runs, seed: SEED });

export type Env = ReadonlyMap<string, number>;
export const look = (env: Env) => (s: string) => env.get(s) ?? Number.NaN;

export type Expression =
  | { readonly kind: 'num'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | {
      readonly kind: 'add' | 'sub' | 'mul' | 'floor' | 'ceil' | 'mod';
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'power'; readonly base: number; readonly exponent: Expression };

/** The value by plain arithmetic; NaN for a division by zero. */
export const value = (e: Expression, env: Env): number => raw(e, env) + 0;

function raw(e: Expression, env: Env): number {
  switch (e.kind) {
    case 'num':
      return e.value;
    case 'name':
      return env.get(e.name)!;
    case 'power':
      return e.base ** raw(e.exponent, env);
  }
  const a = raw(e.left, env);
  const b = raw(e.right, env);
  switch (e.kind) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return a * b;
    case 'floor':
      return Math.floor(a / b);
    case 'ceil':
      return Math.ceil(a / b);
    case 'mod':
      return a - b * Math.floor(a / b);
  }
}

export function build(e: Expression): Poly {
  switch (e.kind) {
    case 'num':
      return num(e.value);
    case 'name':
      return name(e.name);
    case 'power':
      return power(num(e.base), build(e.exponent))!;
  }
  const a = build(e.left);
  const b = build(e.right);
  switch (e.kind) {
    case 'add':
      return add(a, b);
    case 'sub':
      return sub(a, b);
    case 'mul':
      return mul(a, b);
    case 'floor':
      return floorDiv(a, b);
    case 'ceil':
      return ceilDiv(a, b);
    case 'mod':
      return mod(a, b);
  }
}

/** Expressions over the names; divisors are positive for names >= 1: constants, names, products, n + 1. */
export function expressions(names: readonly string[], withPower = true, divisors = names): fc.Arbitrary<Expression> {
  const leaf: fc.Arbitrary<Expression> = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...names).map((s): Expression => ({ kind: 'name', name: s })) },
    { weight: 2, arbitrary: fc.integer({ min: -9, max: 12 }).map((v): Expression => ({ kind: 'num', value: v })) },
  );
  const divisor: fc.Arbitrary<Expression> = fc.oneof(
    fc.integer({ min: 1, max: 8 }).map((v): Expression => ({ kind: 'num', value: v })),
    fc.constantFrom(...divisors).map((s): Expression => ({ kind: 'name', name: s })),
    fc.tuple(fc.constantFrom(...divisors), fc.integer({ min: 1, max: 4 })).map(([s, v]): Expression => ({
      kind: 'add',
      left: { kind: 'name', name: s },
      right: { kind: 'num', value: v },
    })),
    fc.tuple(fc.constantFrom(...divisors), fc.integer({ min: 1, max: 4 })).map(([s, v]): Expression => ({
      kind: 'mul',
      left: { kind: 'name', name: s },
      right: { kind: 'num', value: v },
    })),
  );
  const tree = fc.letrec<{ e: Expression }>((tie) => ({
    e: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      leaf,
      fc.record({ kind: fc.constantFrom('add' as const, 'sub' as const), left: tie('e'), right: tie('e') }),
      fc.record({ kind: fc.constant('mul' as const), left: tie('e'), right: leaf }),
      fc.record({
        kind: fc.constantFrom('floor' as const, 'ceil' as const, 'mod' as const),
        left: tie('e'),
        right: divisor,
      }),
      ...(withPower
        ? [
            fc.record({
              kind: fc.constant('power' as const),
              base: fc.integer({ min: 1, max: 6 }),
              exponent: fc
                .tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 2 }))
                .map(([s, v]): Expression => ({
                  kind: 'add',
                  left: { kind: 'name', name: s },
                  right: { kind: 'num', value: v },
                })),
            }),
          ]
        : []),
    ),
  }));
  return tree.e;
}

export function environments(names: readonly string[], max: number, min = 1): fc.Arbitrary<Env> {
  return fc
    .tuple(...names.map(() => fc.integer({ min, max })))
    .map((values) => new Map(names.map((s, i) => [s, values[i]!])));
}
