/** The checker on right programs (no alarm), wrong programs (the right alarm, once), and mutilated ones (never an exception). */
import { describe, expect, it } from 'vitest';
import { check } from '../../compiler/check/check.ts';
import { printTyped } from '../../compiler/check/print.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import { parse } from '../../grammar/parse.ts';
import { checkText, designed, library, places, rendered } from './support.ts';
import { right } from './right.ts';
import { wrong } from './wrong.ts';

describe('right programs', () => {
  it.each(designed)('$name has no problem', ({ text }) => {
    expect(rendered(checkText(text))).toBe('');
  });

  it.each(right)('$name has no problem', ({ text }) => {
    expect(rendered(checkText(text))).toBe('');
  });

  it('the whole library has no problem', () => {
    const { program } = loadProgram('empty.nn', '', { read: () => null }, library);
    const result = check(program, { library: true });
    expect(result.problems.map((p) => [p.code, p.span && program.sources.place(p.span)])).toEqual([]);
    expect(result.signatures.size).toBeGreaterThan(30);
  });

  it('each body is checked once', () => {
    for (const { text } of designed) {
      const { result } = checkText(text);
      for (const [callable, times] of result.bodyChecks)
        expect([callable.name.text, times]).toEqual([callable.name.text, 1]);
      expect(result.bodyChecks.size).toBeGreaterThan(0);
    }
  });

  it.each(designed)('$name: types', async ({ name, text }) => {
    const { program, result } = checkText(text);
    await expect(printTyped(program, result, program.entry)).toMatchFileSnapshot(`golden/typed/${name}.txt`);
  });
});

describe('wrong programs', () => {
  it.each(wrong.map((w) => [w.name, w] as const))('%s', async (name, { text, expected, fixes }) => {
    const checked = checkText(text);
    expect(places(checked)).toEqual(expected);
    if (fixes !== undefined) expect(checked.problems.flatMap((p) => p.fixes.map((x) => x.title))).toEqual(fixes);
    await expect(`${text}\n\n${'='.repeat(60)}\n${rendered(checked)}`).toMatchFileSnapshot(
      `golden/wrong/${name.replace(/[^a-z0-9]+/gi, '-')}.txt`,
    );
  });

  it('names are different', () => {
    expect(new Set(wrong.map((w) => w.name)).size).toBe(wrong.length);
    expect(wrong.length).toBeGreaterThanOrEqual(60);
  });
});

describe('mutilated programs', () => {
  const COUNT = Number(process.env['NNC_MUTATIONS'] ?? 2000);

  /** A fixed stream of numbers in [0, n). */
  function stream(seed: number): (n: number) => number {
    let state = seed >>> 0;
    return (n) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
  }

  it(`${COUNT} programs with tokens deleted, doubled or swapped: no exception, every problem has a report`, () => {
    const next = stream(20261123);
    const tokens = designed.map(({ text }) => text.match(/\s+|[\w.]+|"[^"\n]*"|\/\/[^\n]*|[^\w\s]/g) ?? []);
    let reported = 0;
    for (let i = 0; i < COUNT; i++) {
      const mutated = [...tokens[i % tokens.length]!];
      for (let k = next(3); k >= 0; k--) {
        const at = next(mutated.length);
        const other = next(mutated.length);
        const what = next(3);
        if (what === 0) mutated.splice(at, 1);
        else if (what === 1) mutated.splice(at, 0, mutated[other] ?? '');
        else [mutated[at], mutated[other]] = [mutated[other] ?? '', mutated[at] ?? ''];
      }
      const text = mutated.join('');
      try {
        reported += checkText(text, { fixes: false }).reports.length;
      } catch (error) {
        throw new Error(`mutation ${i} threw ${String((error as Error).stack)} on\n${text}`);
      }
    }
    expect(reported).toBeGreaterThan(COUNT);
  }, 600_000);

  it('deep expressions are reported', () => {
    const f = (e: string): string => `fn f(x: float[N]) -> float[N] = ${e}\n`;
    expect(places(checkText(f(Array(3000).fill('x').join(' + '))))).toEqual(['NN724 1']);
    expect(places(checkText(f(['x', ...Array<string>(3000).fill('relu')].join(' |> '))))).toEqual(['NN724 1']);
    expect(places(checkText(f(Array(200).fill('x').join(' + '))))).toEqual([]);
  });

  it('single declarations cut anywhere', () => {
    const { text } = designed.find((d) => d.name === 'gpt2.nn')!;
    for (let cut = 0; cut < text.length; cut += 37) checkText(text.slice(0, cut), { fixes: false });
    expect(parse({ id: 0, text }).problems).toEqual([]);
  });
});
