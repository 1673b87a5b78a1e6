/** Rule 7: every choice of the grammar is decided by at most three tokens, what follows a rule included. */
import { CstParser, createToken } from 'chevrotain';
import { expect, test } from 'vitest';
import { DeclarationParser, declarationParser } from '../../grammar/parser.ts';
import { vocabulary } from '../../grammar/tokens.ts';
import { conflicts } from './lookahead.ts';

const a = createToken({ name: 'a', pattern: 'a' });
const b = createToken({ name: 'b', pattern: 'b' });
const c = createToken({ name: 'c', pattern: 'c' });

/** `s: (a b)* a b c`: two tokens cannot tell whether to go round again. Chevrotain accepts it. */
class Repeating extends CstParser {
  constructor() {
    super([a, b, c]);
    this.performSelfAnalysis();
  }
  s = this.RULE('s', () => {
    this.MANY(() => this.SUBRULE(this.pair));
    this.SUBRULE1(this.pair);
    this.CONSUME(c);
  });
  pair = this.RULE('pair', () => {
    this.CONSUME(a);
    this.CONSUME(b);
  });
}

/** `s: t (a)?  t: b (a)?`: which of the two takes the `a`? */
class Dangling extends CstParser {
  constructor() {
    super([a, b, c]);
    this.performSelfAnalysis();
  }
  s = this.RULE('s', () => {
    this.SUBRULE(this.t);
    this.OPTION(() => this.CONSUME(a));
  });
  t = this.RULE('t', () => {
    this.CONSUME(b);
    this.OPTION(() => this.CONSUME(a));
  });
}

test('the check finds what Chevrotain lets pass', () => {
  expect(conflicts(new Repeating(), [a, b, c], 3).map(({ rule, choice }) => `${rule} ${choice}`)).toContain('s MANY0');
  expect(conflicts(new Dangling(), [a, b, c], 3).map(({ rule, choice }) => `${rule} ${choice}`)).toContain('t OPTION0');
});

test('the grammar of .nn passes what Chevrotain looks over', () => {
  expect(() => new DeclarationParser(true)).not.toThrow();
});

test('the grammar of .nn is strongly LL(3)', () => {
  expect(conflicts(declarationParser(), vocabulary, 3)).toEqual([]);
});

test('and would not be with two tokens', () => {
  const rules = new Set(conflicts(declarationParser(), vocabulary, 2).map(({ rule }) => rule));
  expect([...rules].sort()).toEqual(['returnStatement', 'statement']);
});
