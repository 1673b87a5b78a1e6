/** docs/errors is what `nnc explain` says (refresh with `--update`), and the programs it shows do what it says they do. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { codes } from '../../compiler/diagnostics/render/index.ts';
import { explanationOf } from '../../cli/explanations.ts';
import { errorPage, pages } from '../../scripts/errors.ts';
import { blocks, codes as found, diagnoseText } from '../lint/support.ts';

const folder = fileURLToPath(new URL('../../docs/errors/', import.meta.url));

describe('docs/errors', () => {
  it.each([...pages()])('%s is fresh', async (name, text) => {
    await expect(text).toMatchFileSnapshot(`${folder}${name}`);
  });

  it('has a page for every code and no other', () => {
    expect(readdirSync(folder).sort()).toEqual([...pages().keys()].sort());
  });
});

/** What the checker says first under another code, whose page has the programs. */
const NO_PROGRAM: readonly string[] = ['NN150', 'NN151', 'NN152'];
/** The file of which the pages about imports speak. */
const files = { 'shared.nn': 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n' };

describe('what a page shows is true', () => {
  const shown = codes.filter((c) => /^NN[0-46]|^NN7[0-8]/.test(c));
  it.each(shown)('%s', (code) => {
    const [wrong, mended, ...rest] = blocks(errorPage(code));
    expect(rest).toEqual([]);
    if (wrong === undefined || mended === undefined) {
      expect(NO_PROGRAM).toContain(code);
      return;
    }
    const seen = diagnoseText(wrong, { fixes: false }, files);
    expect(found(seen)).toContain(code);
    const right = diagnoseText(mended, { fixes: false }, files);
    expect(found(right)).not.toContain(code);
    // Nothing else is wrong with the mended program.
    expect(right.reports.filter((r) => r.severity === 'error')).toEqual([]);
  });

  it('every explanation is a text', () => {
    for (const code of codes) expect(explanationOf(code)!.length, code).toBeGreaterThan(60);
  });
});
