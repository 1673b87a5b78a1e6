/** Every code's wrong program gives exactly that code, and its mended program gives nothing. */
import { expect, test } from 'vitest';
import { syntaxProse } from '../../compiler/diagnostics/render/syntax.ts';
import { parse } from '../../grammar/parse.ts';
import type { Prose } from '../../compiler/diagnostics/problem.ts';

const codes = (text: string): string[] => parse({ id: 0, text }).problems.map((problem) => problem.code);

for (const [code, prose] of Object.entries(syntaxProse)) {
  test(`${code}: ${prose.title}`, () => {
    const [wrong, mended, ...others] = [...prose.explain.matchAll(/```nn\n([\s\S]*?)\n```/g)].map((match) => match[1]!);
    expect(others).toEqual([]);
    expect(codes(wrong!)).toEqual([code]);
    expect(codes(mended!)).toEqual([]);
    const [problem] = parse({ id: 0, text: wrong! }).problems;
    const { message, label } = (prose as Prose<never>).render(problem!.data as never);
    expect(message).toMatch(/^[a-z`].*[^.]$/s);
    expect(label).toBeTruthy();
  });
}

test('each fix that a tool may apply mends its program', () => {
  let applied = 0;
  for (const prose of Object.values(syntaxProse)) {
    const wrong = /```nn\n([\s\S]*?)\n```/.exec(prose.explain)![1]!;
    for (const fix of parse({ id: 0, text: wrong }).problems.flatMap((problem) => problem.fixes)) {
      let text = wrong;
      for (const edit of [...fix.edits].sort((a, b) => b.span.start - a.span.start)) {
        text = text.slice(0, edit.span.start) + edit.text + text.slice(edit.span.end);
      }
      expect(codes(text), fix.title).toEqual([]);
      applied++;
    }
  }
  expect(applied).toBeGreaterThan(10);
});
