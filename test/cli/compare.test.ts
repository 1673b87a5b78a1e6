/** `nnc compare`: trained folders and weights files, layers by path, what is written, and what is wrong with a comparison. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CompareRecord } from '../../cli/compare/record.ts';
import { folder, nnc, program, rows } from './support.ts';

const wide = program.replace('Linear(16)', 'Linear(24)');

async function trained(): Promise<string> {
  const cwd = folder({ 'net.nn': program, 'wide.nn': wide, 'rows.csv': rows(120) });
  for (const [file, seed, out] of [
    ['net.nn', '1', 'a'],
    ['net.nn', '2', 'b'],
    ['wide.nn', '3', 'c'],
  ] as const) {
    const result = await nnc(cwd, ['train', file, '--data', 'rows.csv', '--seed', seed, '-o', out]);
    expect(result.code).toBe(0);
  }
  return cwd;
}

describe('compare', () => {
  it('measures pairs at a layer, against chance, and writes what it found', async () => {
    const cwd = await trained();
    const data = ['--data', 'rows.csv'];
    const args = ['compare', 'a', 'b', 'c', ...data, '--layer', 'out.x', '--permutations', '99', '-o', 'o'];
    const { code, out, err } = await nnc(cwd, args);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/3 models on 120 rows; 10 neighbours, 99 permutations/);
    expect(out).toMatch(/c: out\.x of wide\.nn, 24 wide/);
    const record = JSON.parse(readFileSync(join(cwd, 'o/compare.json'), 'utf8')) as CompareRecord;
    expect(record.pairs.map(({ a, b }) => [a, b])).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    for (const { similarity, adjusted } of record.pairs) {
      // The first layer of each sees the same four numbers.
      expect(similarity.cka_debiased.value).toBeGreaterThan(0.3);
      expect(similarity.cka_debiased.p).toBe(0.01);
      expect(adjusted['cka_debiased']).toBeCloseTo(0.03, 9);
      expect(Math.abs(similarity.cka_debiased.chance)).toBeLessThan(0.05);
      expect(similarity.neighbours.chance).toBeCloseTo(10 / 119, 1);
    }
    expect(readFileSync(join(cwd, 'o/compare.html'), 'utf8')).toContain('linear CKA');
    expect(readFileSync(join(cwd, 'o/compare.svg'), 'utf8')).toContain('<svg');

    // A model and itself, by another name and at another place.
    const same = [
      'compare',
      'a',
      'net.nn=a/weights.safetensors',
      ...data,
      '--label',
      'one',
      'two',
      '--rows',
      '50',
      '--permutations',
      '9',
    ];
    const again = await nnc(cwd, same);
    expect(again.out).toMatch(/2 models on 50 rows/);
    expect(again.out).toMatch(/one +two +1\.000 .* 1\.000 .* 1\.000 .* 1\.000/);
  });

  it('says what is wrong with a comparison', async () => {
    const cwd = await trained();
    const cases: [string[], RegExp, number][] = [
      [['compare', 'a', '--data', 'rows.csv'], /NN900.*two models/, 2],
      [['compare', 'a', 'nowhere', '--data', 'rows.csv'], /NN935.*nowhere is no folder/s, 1],
      [['compare', 'a', 'b', '--data', 'rows.csv', '--layer', 'nothing'], /NN793.*no value `nothing`/s, 1],
      [['compare', 'a', 'b', 'c', '--data', 'rows.csv', '--layer', 'out', 'out.x'], /NN900.*2 values for 3 models/, 2],
      [['compare', 'a', 'b', '--data', 'rows.csv', '--neighbours', '120'], /NN935.*too few/, 1],
      [['compare', 'a', 'wide.nn=a/weights.safetensors', '--data', 'rows.csv'], /NN924/, 1],
      [['compare', 'a', 'b'], /--data/, 2],
    ];
    for (const [argv, text, exit] of cases) {
      const { code, err } = await nnc(cwd, argv);
      expect(err, argv.join(' ')).toMatch(text);
      expect(code).toBe(exit);
    }
  });
});
