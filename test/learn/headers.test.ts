/** What the headers of examples say: every example has one, its commands are nnc's, and claims are decided as they read. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exampleFiles, headerOf, holds, valueAt, wordsOf } from '../../scripts/examples.ts';

describe('examples', () => {
  for (const file of exampleFiles()) {
    it(`${file} says how it is run and what comes out`, () => {
      const { experiments, data } = headerOf(readFileSync(file, 'utf8'));
      expect(experiments.length).toBeGreaterThan(0);
      for (const { full, small } of experiments) {
        for (const { command, claims } of [full, small]) {
          expect(command.some((word) => word.startsWith(file) || word.startsWith('examples/'))).toBe(true);
          for (const path of command.filter((word) => word.startsWith('examples/')))
            expect(existsSync(path.split('=')[0]!), path).toBe(true);
          expect(claims.length).toBeGreaterThan(0);
        }
      }
      for (const command of data) expect(command).toMatch(/^node dist\/(scripts\/[\w-]+|bin\/nnc|cli\/main)\.js/);
    });
  }
});

describe('claims', () => {
  const [claim] = headerOf('// run: nnc train a.nn --x "b c"\n// claim: epochs.last.train.loss < 0.5\n').experiments[0]!
    .full.claims;
  const record = (loss: number | null) => ({ epochs: [{ train: { loss: 9 } }, { train: { loss } }] });

  it('hold or fail by the numbers of the record', () => {
    expect(valueAt(record(0.25), 'epochs.last.train.loss')).toBe(0.25);
    expect(valueAt(record(0.25), 'epochs.0.train.loss')).toBe(9);
    expect(holds(claim!, record(0.25))).toBe(true);
    expect(holds(claim!, record(0.75))).toBe(false);
    expect(holds({ ...claim!, right: 'epochs.0.train.loss' }, record(0.75))).toBe(true);
  });
  it('fail where the record has no such number', () => {
    for (const wrong of [null, {}, record(null), { epochs: [] }]) expect(holds(claim!, wrong)).toBe(false);
  });
  it('belong to the run above them; what is no claim or has none is refused', () => {
    const two = headerOf(
      '// run: nnc train a\n// claim: a > 1\n// small: nnc train b\n// run: nnc study c\n// claim: b == 2\n',
    );
    expect(two.experiments.map(({ full, small }) => [full.command, small.command, small.claims.length])).toEqual([
      [['train', 'a'], ['train', 'b'], 1],
      [['study', 'c'], ['study', 'c'], 1],
    ]);
    for (const wrong of [
      '// claim: a > 1',
      '// run: nnc a',
      '// run: make\n// claim: a > 1',
      '// run: nnc a\n// claim: a is 1',
    ])
      expect(() => headerOf(wrong)).toThrow();
    expect(wordsOf(`a "b c" 'd e' f`)).toEqual(['a', 'b c', 'd e', 'f']);
  });
});
