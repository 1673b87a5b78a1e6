/**
 * The table of derivatives in docs/library.md is what was verified. `NNC_VERIFY=all npx vitest run test/library/derivatives.test.ts` verifies everything and writes
 * test/fixtures/library-derivatives.json; without, some functions are verified anew and the file must speak of all that the library declares.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { derivativesOf, differentiable, entriesOf, type Derivatives } from '../../scripts/library.ts';
import { caseOf, verify, type Verified } from './derivatives.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const file = new URL('../fixtures/library-derivatives.json', import.meta.url);
const entries = entriesOf(root).filter(differentiable);
const committed: Derivatives = derivativesOf(root);

const chosen = process.env.NNC_VERIFY;
if (chosen !== undefined) {
  it('verifies', async () => {
    const names = new Set(entries.map((e) => e.callable.name.text));
    const all: Record<string, Verified> = Object.fromEntries(
      Object.entries(committed).filter(([name]) => names.has(name)),
    );
    for (const name of names) {
      if (chosen === 'new' ? all[name] !== undefined : chosen !== 'all' && !chosen.split(',').includes(name)) continue;
      const c = caseOf(name);
      if (c === null) throw new Error(`${name} has no comparison`);
      all[name] = await verify(c);
      const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
      writeFileSync(file, `${JSON.stringify(sorted, null, 1)}\n`);
    }
  }, 3_600_000);
}

it('speaks of every function, and of nothing else', () => {
  expect(Object.keys(committed).sort()).toEqual(entries.map((e) => e.callable.name.text).sort());
});

describe('verified anew', () => {
  it.each([
    'silu',
    'binary_cross_entropy',
    'Conv1d',
    'lp_pool1d',
    'RMSNorm',
    'Dropout',
    'RNNCell',
    'attention',
    'Maxout',
  ])('%s', async (name) => {
    expect(await verify(caseOf(name)!)).toEqual(committed[name]);
  });
});
