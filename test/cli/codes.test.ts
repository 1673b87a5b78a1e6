/** One code, one meaning: no two of the compiler's, the emitted modules' and the command line's codes are the same. */
import { expect, it } from 'vitest';
import { codes, explanationOf } from '../../cli/explanations.ts';

it('codes are unique and all explained', () => {
  const all = codes();
  expect(new Set(all).size).toBe(all.length);
  for (const code of all) expect(explanationOf(code), code).toMatch(new RegExp(`^${code}: .+\\n\\n.{30}`, 's'));
});
