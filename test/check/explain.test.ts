/** What `nnc explain` shows is true: the wrong program has the problem, the mended one has none. */
import { describe, expect, it } from 'vitest';
import { checkProse } from '../../compiler/diagnostics/render/check.ts';
import { checkText, places } from './support.ts';

const programs = (explain: string): string[] => [...explain.matchAll(/```nn\n([\s\S]*?)\n```/g)].map((m) => m[1]!);

/** The file of which the pages about imports speak. */
const files = { 'shared.nn': 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n' };

describe('explanations', () => {
  for (const [code, prose] of Object.entries(checkProse)) {
    const [wrong, mended] = programs(prose.explain);
    if (wrong === undefined || mended === undefined) continue;
    it(`${code}: ${prose.title}`, () => {
      expect(places(checkText(wrong, { files })).map((p) => p.split(' ')[0])).toEqual([code]);
      expect(places(checkText(mended, { files }))).toEqual([]);
    });
  }
});
