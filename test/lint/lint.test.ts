/** Lints: no alarm on anything that the project wrote, the right alarm on what each is for, and levels. */
import { describe, expect, it } from 'vitest';
import { check } from '../../compiler/check/check.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import { proseOf } from '../../compiler/diagnostics/render/index.ts';
import { lintProse } from '../../compiler/diagnostics/render/lint.ts';
import { lint } from '../../compiler/lint/lint.ts';
import { lints } from '../../compiler/lint/registry.ts';
import { library } from '../check/support.ts';
import { right } from '../check/right.ts';
import { blocks, codes, diagnoseText, documented, programs, rendered } from './support.ts';

describe('no false alarm', () => {
  it.each(programs())('$name', ({ text }) => {
    expect(rendered(diagnoseText(text))).toBe('');
  });

  it.each(documented())('docs/language.md, $name', ({ text }) => {
    expect(rendered(diagnoseText(text))).toBe('');
  });

  it.each(right)('$name', ({ text }) => {
    expect(rendered(diagnoseText(text))).toBe('');
  });

  it('the library', () => {
    const { program } = loadProgram('empty.nn', '', { read: () => null }, library);
    const found = lint(program, check(program, { library: true }), { library: true });
    expect(found.map((p) => [p.code, p.span && program.sources.place(p.span)])).toEqual([]);
  });
});

describe('each lint finds what it is for', () => {
  it('codes and names are unique, each has prose with both programs', () => {
    expect(new Set(lints.map((l) => l.code)).size).toBe(lints.length);
    expect(new Set(lints.map((l) => l.name)).size).toBe(lints.length);
    for (const l of lints) expect(blocks(proseOf(l.code).explain), l.code).toHaveLength(2);
  });

  it.each(Object.keys(lintProse))('%s: the wrong program has it, the mended one nothing', async (code) => {
    const [wrong, mended] = blocks(proseOf(code as never).explain);
    const found = diagnoseText(wrong!);
    // A program about levels may hold the lint that it speaks of.
    expect(codes(found).filter((c) => !code.startsWith('NN78') || c !== 'NN604')).toEqual([code]);
    expect(codes(diagnoseText(mended!)).filter((c) => code !== 'NN783' || c !== 'NN604')).toEqual([]);
    await expect(`${wrong!}\n\n${'='.repeat(60)}\n${rendered(found)}`).toMatchFileSnapshot(`golden/${code}.txt`);
  });
});

describe('levels', () => {
  const net = (before: string, line: string, head = ''): string =>
    `${head}model M(x: float[B, 8]) -> float[B, 4] {
  let h = x |> Linear(16)
  ${before}
  return h |> Linear(4)${line}
}`;
  const because = 'because the product of two matrices is what is studied';

  it.each([
    ['nothing said', net('', ''), ['NN604']],
    ['before the statement', net(`// nnc: allow(NN604) ${because}`, ''), []],
    ['by the name of the lint', net(`// nnc: allow(linear-linear) ${because}`, ''), []],
    ['behind the statement', net('', ` // nnc: allow(NN604) ${because}`), []],
    ['before the declaration', net('', '', `// nnc: allow(NN604) ${because}\n`), []],
    ['for the file', net('', '', `// nnc: allow-file(NN604) ${because}\n`), []],
    ['without a reason', net('// nnc: allow(NN604)', ''), ['NN780']],
    [
      'before another statement',
      `${net('', '').replace('let h', `// nnc: allow(NN604) ${because}\n  let h`)}`,
      ['NN782', 'NN604'],
    ],
    ['two codes, one of them idle', net(`// nnc: allow(NN604, NN305) ${because}`, ''), ['NN782']],
    ['a code that has no level', net(`// nnc: allow(NN604, NN101) ${because}`, ''), ['NN781']],
    ['the nearest wins', net('// nnc: warn(NN604)', '', `// nnc: allow-file(NN604) ${because}\n`), ['NN604']],
    ['for the file, but not at its head', `${net('', '')}\n// nnc: allow-file(NN604) ${because}`, ['NN604', 'NN783']],
    ['a comment of another kind', net('// nnc is a compiler', ''), ['NN604']],
  ] as const)('%s', (_, text, expected) => {
    expect(codes(diagnoseText(text))).toEqual(expected);
  });

  it('deny makes an error', () => {
    const found = diagnoseText(net('// nnc: deny(NN604)', ''));
    expect(found.reports.map((r) => [r.code, r.severity])).toEqual([['NN604', 'error']]);
  });

  it('roles take part: an allowed error is none', () => {
    const twice = (before: string): string => `fn f(x: float[N, C]) -> float[N, C] {
  let p = softmax(x)
  ${before}
  let q[n, c] = softmax[c] p[n, c]
  return q
}`;
    expect(codes(diagnoseText(twice('')))).toEqual(['NN303']);
    expect(codes(diagnoseText(twice('// nnc: allow(NN303) because it is shown in a lecture')))).toEqual([]);
  });

  it('from outside: denied warnings, allowed codes; the text goes first', () => {
    const text = net('', '');
    const at = (levels: Parameters<typeof diagnoseText>[1]): string[] =>
      diagnoseText(text, levels).reports.map((r) => `${r.code} ${r.severity}`);
    expect(at({ levels: { deny: ['warnings'] } })).toEqual(['NN604 error']);
    expect(at({ levels: { allow: ['linear-linear'], deny: ['warnings'] } })).toEqual([]);
    const denied = diagnoseText(net('// nnc: deny(NN604)', ''), { levels: { allow: ['NN604'] } });
    expect(denied.reports.map((r) => r.severity)).toEqual(['error']);
  });

  it('where something else is wrong an allow is not called idle, and lints of that declaration are quiet', () => {
    const text = `// nnc: allow-file(NN604) ${because}\nmodel M(x: float[B, 8]) -> float[B, 4] { return y |> Linear(16) |> Linear(4) }`;
    expect(codes(diagnoseText(text))).toEqual(['NN704']);
  });
});
