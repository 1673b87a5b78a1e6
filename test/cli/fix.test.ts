/**
 * `nnc check --fix` over the wrong programs of the project, and over right ones written with the signs of Python: what it mends is gone, a second run changes
 * nothing, and programs with every form of the language come back as they were written.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codes } from '../../cli/explanations.ts';
import { errorPage } from '../../scripts/errors.ts';
import { right } from '../check/right.ts';
import { checkText } from '../check/support.ts';
import { wrong } from '../check/wrong.ts';
import { blocks, documented } from '../lint/support.ts';
import { folder, nnc } from './support.ts';

const root = join(import.meta.dirname, '../..');

interface Fixed {
  readonly text: string;
  readonly out: string;
}

async function fixed(text: string): Promise<Fixed> {
  const cwd = folder({ 'net.nn': text });
  const { out } = await nnc(cwd, ['check', '--fix', 'net.nn']);
  return { text: readFileSync(join(cwd, 'net.nn'), 'utf8'), out };
}

/** Programs of which a report has a fix that needs no asking, with the codes of those reports. */
const corpus = [
  ...wrong.map(({ name, text }) => [name, text] as const),
  ...codes().flatMap((code) =>
    blocks(errorPage(code))
      .slice(0, 1)
      .map((text) => [code, text] as const),
  ),
].flatMap(([name, text]) => {
  const safe = checkText(text).problems.filter((p) => p.fixes.some((f) => f.applicability === 'always'));
  return safe.length === 0 ? [] : [{ name, text, safe: [...new Set(safe.map((p) => p.code))] }];
});

describe('wrong programs', () => {
  it('there are some', () => expect(corpus.length).toBeGreaterThanOrEqual(5));

  it('with the signs of Python as well: those are mended, whatever else is wrong', async () => {
    for (const { text } of wrong.filter((_, k) => k % 12 === 0)) {
      const once = await fixed(foreign(`// A note.\n${text}`));
      expect(once.out).not.toContain('error[NN020]');
      expect(once.text).toBe(`// A note.\n${text}`);
    }
  });

  it.each(corpus)('$name', async ({ text, safe }) => {
    const once = await fixed(text);
    expect(once.text).not.toBe(text);
    for (const code of safe) expect(once.out).not.toContain(`error[${code}]`);
    expect((await fixed(once.text)).text).toBe(once.text);
  });
});

/** Comments and operators as Python has them; strings and documentation stay. */
const foreign = (text: string): string =>
  text
    .split(/("[^"\n]*"|\/\/[^\n]*)/)
    .map((piece, k) =>
      k % 2 === 1
        ? piece.replace(/^\/\/(?!\/)(?! nnc)/, '#')
        : piece.replace(/\^/g, '**').replace(/ and /g, ' && ').replace(/ or /g, ' || '),
    )
    .join('');

const examples = ['examples', 'examples/design'].flatMap((f) =>
  readdirSync(join(root, f))
    .filter((name) => name.endsWith('.nn'))
    .map((name) => ({ name, text: readFileSync(join(root, f, name), 'utf8') })),
);
/** Forms that no example has by itself. */
const more = [
  {
    name: 'rounded weights, several runs, half precision',
    text: `fn rounded(x: float[...S]) -> float[...S] = surrogate(0 where x < 0 and x > -1 else 1, gradient: x ^ 2)

train Fit {
  input x: float[N, 3]
  input y: float[N, 1]
  minimize mean((rounded(x |> Linear(1)) - y) ^ 2)
  optimizer SGD(lr: 0.1)
  batch N = 8
  epochs 2
  runs 3
  precision f16
}
`,
  },
];
// Imports are of files that are not there.
const programs = [...right, ...examples, ...documented(), ...more]
  .filter(({ text }) => !/^import/m.test(text))
  .map(({ name, text }) => ({ name, text: `// A note.\n${text.replace(/\n*$/, '\n')}` }));
const FORMS = {
  'records of parameters': /\.params\b/,
  with: / with /,
  objectives: /minimize[\s\S]*minimize/,
  'rarer updates': /\bevery \d/,
  storage: /^storage /m,
  'surrogate gradients': /surrogate/,
  runs: /^ +runs\b/m,
  precision: /^ *precision /m,
  'checkpoint maps': /^checkpoint /m,
  carries: /\bcarry /,
  scans: /\bscan /,
  repeats: /\brepeat /,
  masks: /^mask /m,
  schedules: /^schedule /m,
  parts: / in \d+ parts/,
  'wrt and frozen': /frozen\(|\bgrad\(/,
};

describe('right programs with the signs of Python', () => {
  const chosen = new Map<string, (typeof programs)[number]>();
  for (const [form, pattern] of Object.entries(FORMS)) {
    const shortest = programs.filter(({ text }) => pattern.test(text)).sort((a, b) => a.text.length - b.text.length)[0];
    if (shortest !== undefined) chosen.set(form, shortest);
  }
  it('have nearly every form', () => expect(chosen.size).toBeGreaterThan(13));

  it('are mended also where there are more signs than fixes are tried one by one', async () => {
    const { text } = programs.find(({ name }) => name === 'optimizers.nn')!;
    expect(foreign(text).match(/#|\*\*/g)!.length).toBeGreaterThan(24);
    expect((await fixed(foreign(text))).text).toBe(text);
  });

  it.each([...chosen])('%s', async (_, { text }) => {
    expect((await fixed(foreign(text))).text).toBe(text);
    expect((await fixed(text)).text).toBe(text);
  });
});
