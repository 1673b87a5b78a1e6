/** The printer: a fixpoint, faithful to the tree, keeps comments and blank lines. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Argument, BinaryOperator, Expr, Index, IndexName, ReduceOperator } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { print, printExpr } from '../../grammar/print.ts';
import { bare, programs } from './support.ts';

const span = { file: 0, start: 0, end: 0 };
const name = (text: string) => ({ text, span });

describe('the design programs', () => {
  for (const { name: file, text } of programs) {
    test(file, () => {
      const { module } = parse({ id: 0, text });
      const printed = print(module);
      const again = parse({ id: 0, text: printed });
      expect(again.problems).toEqual([]);
      expect(bare(again.module.declarations)).toEqual(bare(module.declarations));
      expect(again.module.comments.map((comment) => comment.text)).toEqual(
        module.comments.map((comment) => comment.text),
      );
      expect(print(again.module)).toBe(printed);
      const code = printed.split('\n').filter((line) => !line.trimStart().startsWith('//'));
      for (const line of code) expect(line.length).toBeLessThanOrEqual(120);
    });
  }
});

test('comments, blank lines and long lines', () => {
  const text = `// a file


/// Documentation.
fn   f( x :float[B,D] )->float[B] {  // header

  // before y
  let y = ((x)) * (2)   // behind y
  let z = a_rather_long_name_for_a_value * another_rather_long_name_for_a_value + a_third_one_that_is_long // inside
    + (c - (the_last * (of_them))) // behind z


  return z // last
  // at the end
}
fn g(x: float) = (sum[e] x[e]) // note
// the end
`;
  const { module, problems } = parse({ id: 0, text });
  expect(problems).toEqual([]);
  const printed = print(module);
  expect(printed).toBe(`// a file

/// Documentation.
fn f(x: float[B, D]) -> float[B] {
  // header

  // before y
  let y = x * 2 // behind y
  // inside
  let z = a_rather_long_name_for_a_value * another_rather_long_name_for_a_value
    + a_third_one_that_is_long
    + (c - the_last * of_them) // behind z

  return z // last
  // at the end
}
fn g(x: float) = sum[e] x[e] // note
// the end
`);
  expect(print(parse({ id: 0, text: printed }).module)).toBe(printed);
});

// ------------------------------------------------------------------------------------------------------- generated expressions

const names = fc.constantFrom('a', 'b', 'x_t', 'over', 'sum', 'state', 'in');
const { expr } = fc.letrec<{ expr: Expr; arithmetic: Expr; index: Index; indexName: IndexName; argument: Argument }>(
  (tie) => {
    const some = (key: 'expr' | 'arithmetic') => tie(key) as fc.Arbitrary<Expr>;
    const number = fc.constantFrom('0', '768', '2.5', '1e-3').map((text): Expr => ({
      kind: 'number',
      value: Number(text),
      text,
      integer: /^\d+$/.test(text),
      span,
    }));
    const nameExpr = names.map((text): Expr => ({ kind: 'name', name: text, span }));
    const call: fc.Arbitrary<Expr> = fc
      .tuple(nameExpr, fc.array(tie('argument') as fc.Arbitrary<Argument>, { maxLength: 2 }))
      .map(([callee, list]) => ({ kind: 'call', callee, arguments: list, span }));
    const member: fc.Arbitrary<Expr> = fc
      .tuple(
        some('expr').filter((e) => e.kind !== 'number'),
        names,
      )
      .map(([target, text]) => ({ kind: 'member', target, name: name(text), span }));
    const reduce: fc.Arbitrary<Expr> = fc
      .tuple(
        fc.constantFrom<ReduceOperator>('sum', 'max', 'softmax'),
        fc.array(tie('indexName') as fc.Arbitrary<IndexName>, { minLength: 1, maxLength: 2 }),
        fc.option(some('expr')),
        some('expr'),
      )
      .map(([operator, indices, guard, operand]) => ({
        kind: 'reduce',
        operator,
        operatorSpan: span,
        indices,
        guard,
        operand,
        span,
      }));
    const binary = (operators: readonly BinaryOperator[]): fc.Arbitrary<Expr> =>
      fc
        .tuple(fc.constantFrom(...operators), some('expr'), some('expr'))
        .map(([operator, left, right]) => ({ kind: 'binary', operator, operatorSpan: span, left, right, span }));
    const arithmetic = binary(['+', '-', '*', '/', '%', '^']);
    return {
      expr: fc.oneof(
        { maxDepth: 4, depthIdentifier: 'tree', withCrossShrink: true },
        nameExpr,
        number,
        fc.boolean().map((value): Expr => ({ kind: 'boolean', value, span })),
        fc
          .string({ maxLength: 4 })
          .filter((s) => /^[ -~\n\t]*$/.test(s))
          .map((value): Expr => ({ kind: 'string', value, span })),
        fc
          .tuple(fc.constantFrom<'-' | 'not'>('-', 'not'), some('expr'))
          .map(([operator, operand]): Expr => ({ kind: 'unary', operator, operand, span })),
        arithmetic,
        binary(['<', '==', 'and', 'or', '+', '-', '*', '^']),
        fc
          .tuple(some('expr'), some('expr'))
          .map(([value, condition]): Expr => ({ kind: 'where', value, condition, span })),
        fc.tuple(some('expr'), some('expr')).map(([left, right]): Expr => ({ kind: 'else', left, right, span })),
        fc
          .tuple(some('expr'), fc.option(names), fc.oneof(nameExpr, call))
          .map(([value, label, stage]): Expr => ({
            kind: 'pipe',
            value,
            label: label === null ? null : name(label),
            stage,
            span,
          })),
        call,
        fc
          .tuple(some('expr'), fc.array(tie('index') as fc.Arbitrary<Index>, { maxLength: 3 }))
          .map(([target, indices]): Expr => ({ kind: 'read', target, indices, span })),
        member,
        reduce,
        fc.array(some('expr'), { maxLength: 3 }).map((items): Expr => ({ kind: 'list', items, span })),
        fc
          .tuple(some('expr'), some('expr'))
          .map(([target, record]): Expr => ({ kind: 'with', target, record, edits: null, span })),
        fc
          .tuple(some('expr'), fc.array(some('expr'), { maxLength: 2 }))
          .map(([target, edits]): Expr => ({ kind: 'with', target, record: null, edits, span })),
      ),
      arithmetic: fc.oneof({ maxDepth: 4, depthIdentifier: 'tree' }, nameExpr, number, arithmetic),
      indexName: fc
        .tuple(names, fc.option(some('arithmetic')), fc.boolean())
        .map(([text, extent, run]): IndexName => ({ kind: 'index', name: name(text), extent, run, span })),
      index: fc.oneof(
        tie('indexName') as fc.Arbitrary<Index>,
        fc
          .array(tie('indexName') as fc.Arbitrary<IndexName>, { minLength: 2, maxLength: 3 })
          .map((parts): Index => ({ kind: 'group', parts, span })),
        some('expr')
          .filter((value) => value.kind !== 'name')
          .map((value): Index => ({ kind: 'expression', value, span })),
      ),
      argument: fc
        .tuple(fc.option(names), some('expr'))
        .map(([label, value]): Argument => ({ name: label === null ? null : name(label), value, span })),
    };
  },
);

const reparse = (text: string): Expr => {
  const source = `fn f(x: float) {\n  let r = ${text}\n}\n`;
  const { module, problems } = parse({ id: 0, text: source });
  expect(problems, source).toEqual([]);
  const declaration = module.declarations[0]!;
  if (declaration.kind !== 'fn') throw new Error(source);
  const statement = declaration.body.statements[0]!;
  if (statement.kind !== 'let' || declaration.body.statements.length > 1) throw new Error(source);
  return statement.value;
};

test('a printed expression parses to the same tree, on one line and broken over several', () => {
  fc.assert(
    fc.property(expr, (value) => {
      const text = printExpr(value);
      expect(bare(reparse(text)), text).toEqual(bare(value));
      const { module } = parse({ id: 0, text: `fn f(x: float) {\n  let r = ${text}\n}\n` });
      const printed = print(module);
      const again = parse({ id: 0, text: printed });
      expect(again.problems, printed).toEqual([]);
      expect(bare(again.module.declarations), printed).toEqual(bare(module.declarations));
      expect(print(again.module)).toBe(printed);
    }),
    { seed: 20260727, numRuns: 1500 },
  );
});

test('parentheses only where they are needed', () => {
  for (const text of [
    'a + b * c ^ 2',
    '(a + b) * c',
    '(-x) ^ 2',
    'a - (b - c)',
    '(x + y) |> f',
    'x + (x |> f)',
    'a * b |> f',
    '(sum[e] x[e]) + (sum[e] y[e]) + z',
    'a * sum[e] x[e] * y[e]',
    'sum[e] (x[e] + y[e])',
    'max[e] (-x[e])',
    '2 ^ (sum[e] x[e])',
    'max[e] x[e] else 0',
    '(a else b) where c',
    'a where c else b where d else e',
    '(x |> q: Linear(D))[b, (h e)]',
    '(m with r)(x)',
    'not (a and b) or c',
    '(a < b) == c',
  ]) {
    expect(printExpr(reparse(text))).toBe(text);
  }
});
