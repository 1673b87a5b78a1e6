/**
 * Every report has a golden: those of programs from the programs of their pages, all others (data, files, options, builds) from facts as the
 * producers make them, in every form that the wording has; what emitted modules throw is run by shown.test.ts. Read them when they change: would a student understand it, would an expert be spared?
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cliProse } from '../../cli/problems.ts';
import { shown } from '../../cli/shown/index.ts';
import { codes } from '../../cli/explanations.ts';
import { codes as compilerCodes, proseOf } from '../../compiler/diagnostics/render/index.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { Sources } from '../../compiler/source/source.ts';
import type { Prose } from '../../compiler/diagnostics/problem.ts';
import { errorPage } from '../../scripts/errors.ts';
import { blocks, diagnoseText, rendered } from '../lint/support.ts';
import { facts } from './facts.ts';

const files = { 'shared.nn': 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n' };
/** What a page shows in any language. */
const blocksOf = (page: string): string[] => [...page.matchAll(/```\w+\n[\s\S]*?\n```/g)].map((m) => m[0]);
const ofPrograms = compilerCodes.filter((c) => /^NN[0-46]|^NN7[0-8]/.test(c) && !Object.hasOwn(facts, c));

describe('reports of programs', () => {
  it.each(ofPrograms)('%s', async (code) => {
    const [wrong] = blocks(errorPage(code));
    const seen = diagnoseText(wrong!, {}, files);
    // One of a kind: what else is wrong in the program is not of this golden.
    const reports = seen.reports.filter((r) => r.code === code).slice(0, 1);
    expect(reports).toHaveLength(1);
    const text = rendered({ ...seen, reports });
    await expect(text.replace(/(x \+ ){20,}/g, 'x + … + ')).toMatchFileSnapshot(`golden/messages/${code}.txt`);
  });
});

describe('reports of data, files, options and builds', () => {
  it.each(Object.keys(facts))('%s', async (code) => {
    const prose = (Object.hasOwn(cliProse, code) ? cliProse[code as never] : proseOf(code as never)) as Prose<unknown>;
    const forms = facts[code as keyof typeof facts] as readonly unknown[];
    const reports = forms.map((form) => {
      const { message, label = '', notes = [] } = prose.render(form);
      return {
        code: code as never,
        severity: prose.severity,
        message,
        span: null,
        label,
        related: [],
        notes,
        fixes: [],
      };
    });
    const text = renderTerminal(reports, new Sources(), { color: false, width: 100 });
    expect(text).not.toMatch(/undefined|\[object|NaN of/);
    await expect(text).toMatchFileSnapshot(`golden/messages/${code}.txt`);
  });
});

it('no code is without one', () => {
  const goldens = new Set(
    ['messages', 'shown'].flatMap((f) => readdirSync(join(import.meta.dirname, 'golden', f))).map((f) => f.slice(0, 5)),
  );
  expect(codes().filter((c) => !goldens.has(c))).toEqual([]);
});

it('every code that no program alone brings about has a page with files and commands', () => {
  const ofFiles = codes().filter((c) => !ofPrograms.includes(c as never) || Object.hasOwn(facts, c));
  const paged = (c: string): boolean => Object.hasOwn(shown, c) || blocksOf(errorPage(c)).length >= 2;
  expect(ofFiles.filter((c) => !paged(c))).toEqual([]);
});

it('messages begin with a small letter or a name of the program, and end without a full stop', () => {
  const wrong: string[] = [];
  for (const folder of ['messages', 'shown'])
    for (const name of readdirSync(join(import.meta.dirname, 'golden', folder))) {
      const text = readFileSync(join(import.meta.dirname, 'golden', folder, name), 'utf8');
      // Lines that go on are indented.
      for (const [, message] of text.matchAll(/^(?:error|warning|note)\[NN\d+\]: (.*(?:\n {2}(?=\S).*)*)/gm))
        if (/^(The|An?|This|That|Nothing|Expected|What|Every|No|Both) |\.$/.test(message!))
          wrong.push(`${name}: ${message!}`);
    }
  expect(wrong).toEqual([]);
});
