/**
 * Every report has a golden: those of programs from the programs of their pages, all others (data, files, options, builds) from facts as the
 * producers make them, in every form that the wording has. Read them when they change: would a student understand it, would an expert be spared?
 */
import { describe, expect, it } from 'vitest';
import { cliProse } from '../../cli/problems.ts';
import { codes } from '../../cli/explanations.ts';
import { codes as compilerCodes, proseOf } from '../../compiler/diagnostics/render/index.ts';
import { runtimeExplanations } from '../../compiler/diagnostics/render/runtime.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { Sources } from '../../compiler/source/source.ts';
import type { Prose } from '../../compiler/diagnostics/problem.ts';
import { errorPage } from '../../scripts/errors.ts';
import { blocks, diagnoseText, rendered } from '../lint/support.ts';
import { facts, reachedElsewhere } from './facts.ts';

const files = { 'shared.nn': 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n' };
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
  const thrown = Object.keys(runtimeExplanations);
  const known = new Set<string>([...ofPrograms, ...Object.keys(facts), ...thrown, ...reachedElsewhere]);
  expect(codes().filter((c) => !known.has(c))).toEqual([]);
});
