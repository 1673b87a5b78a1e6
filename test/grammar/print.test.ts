/** The printer: a fixpoint, faithful to the tree, keeps comments and blank lines. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Argument, BinaryOperator, Expr, Index, IndexName, ReduceOperator } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { printExpr, printModule } from '../../editor/prettier-plugin/print.ts';
import { bare, programs, randomFrom } from './support.ts';

const span = { file: 0, start: 0, end: 0 };
const name = (text: string) => ({ text, span });

describe('the design programs', () => {
  for (const { name: file, text } of programs) {
    test(file, () => {
      const { module } = parse({ id: 0, text });
      const printed = printModule(module);
      const again = parse({ id: 0, text: printed });
      expect(again.problems).toEqual([]);
      expect(bare(again.module.declarations)).toEqual(bare(module.declarations));
      expect(again.module.comments.map((comment) => comment.text)).toEqual(
        module.comments.map((comment) => comment.text),
      );
      expect(printModule(again.module)).toBe(printed);
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
  const printed = printModule(module);
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
  expect(printModule(parse({ id: 0, text: printed }).module)).toBe(printed);
});

// ------------------------------------------------------------------------------------------------------- generated expressions

/** A random expression of at most this depth; the seed is what fast-check varies. */
function generate(random: () => number, depth: number): Expr {
  const pick = <T>(...items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const word = (): string => pick('a', 'b', 'x_t', 'over', 'sum', 'state', 'in');
  const some = (): Expr => generate(random, depth - 1);
  const many = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, make);
  const binary = (operator: BinaryOperator, left: Expr, right: Expr): Expr => {
    return { kind: 'binary', operator, operatorSpan: span, left, right, span };
  };
  const arithmetic = (level: number): Expr =>
    level <= 0 || random() < 0.5
      ? generate(random, 0)
      : binary(pick('+', '-', '*', '/', '%', '^'), arithmetic(level - 1), arithmetic(level - 1));
  const indexName = (): IndexName => {
    const extent = random() < 0.3 ? arithmetic(2) : null;
    return { kind: 'index', name: name(word()), extent, run: random() < 0.2, span };
  };
  const index = (): Index => {
    if (random() < 0.3) return indexName();
    if (random() < 0.3) return { kind: 'group', parts: many(2, 3, indexName), span };
    const value = some();
    // A lone name is an index of its own kind.
    if (value.kind !== 'name') return { kind: 'expression', value, span };
    return { kind: 'index', name: name(value.name), extent: null, run: false, span };
  };
  const argument = (): Argument => ({ name: random() < 0.3 ? name(word()) : null, value: some(), span });
  const nameExpr = (): Expr => ({ kind: 'name', name: word(), span });
  const call = (): Expr => ({ kind: 'call', callee: nameExpr(), arguments: many(0, 2, argument), span });
  if (depth <= 0) {
    if (random() < 0.7) return nameExpr();
    const text = pick('0', '768', '2.5', '1e-3');
    return { kind: 'number', value: Number(text), text, integer: /^\d+$/.test(text), span };
  }
  switch (Math.floor(random() * 15)) {
    case 0:
      return { kind: 'boolean', value: random() < 0.5, span };
    case 1:
      return { kind: 'string', value: many(0, 4, () => pick('a', '"', '\\', '\n', '\t', '/', "'")).join(''), span };
    case 2:
      return { kind: 'unary', operator: pick('-', 'not'), operand: some(), span };
    case 3:
    case 4:
      return binary(pick('+', '-', '*', '/', '%', '^'), some(), some());
    case 5:
      return binary(pick('<', '<=', '==', '!=', 'and', 'or'), some(), some());
    case 6:
      return { kind: 'where', value: some(), condition: some(), span };
    case 7:
      return { kind: 'else', left: some(), right: some(), span };
    case 8: {
      const label = random() < 0.4 ? name(word()) : null;
      return { kind: 'pipe', value: some(), label, stage: random() < 0.5 ? nameExpr() : call(), span };
    }
    case 9:
      return call();
    case 10:
      return { kind: 'read', target: some(), indices: many(0, 3, index), span };
    case 11: {
      const operator = pick<ReduceOperator>('sum', 'max', 'softmax');
      const guard = random() < 0.4 ? some() : null;
      return {
        kind: 'reduce',
        operator,
        operatorSpan: span,
        indices: many(1, 2, indexName),
        guard,
        operand: some(),
        span,
      };
    }
    case 12:
      return { kind: 'member', target: some(), name: name(word()), span };
    case 13:
      return { kind: 'list', items: many(0, 3, some), span };
    default:
      if (random() < 0.5) return { kind: 'with', target: some(), record: some(), edits: null, span };
      return { kind: 'with', target: some(), record: null, edits: many(0, 2, some), span };
  }
}

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
    fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), (seed, depth) => {
      const value = generate(randomFrom(seed), depth);
      const text = printExpr(value);
      expect(bare(reparse(text)), text).toEqual(bare(value));
      const { module } = parse({ id: 0, text: `fn f(x: float) {\n  let r = ${text}\n}\n` });
      const printed = printModule(module);
      const again = parse({ id: 0, text: printed });
      expect(again.problems, printed).toEqual([]);
      expect(bare(again.module.declarations), printed).toEqual(bare(module.declarations));
      expect(printModule(again.module)).toBe(printed);
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
