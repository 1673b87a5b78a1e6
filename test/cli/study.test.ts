/** `nnc study`: what is kept apart, what is written, the same numbers every time, and what is wrong with a study. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../analysis/random.ts';
import type { StudyRecord } from '../../cli/study/record.ts';
import { folder, nnc, program, rows } from './support.ts';

const curve = `const hidden = 4
model Curve(x: float[B, 1]) -> float[B, 1] { return x |> Linear(hidden) |> tanh |> Linear(1) }
train Fit {
  input x: float[B, 1]
  input y: float[B, 1]
  let guess = Curve(x)
  minimize mean((guess - y) ^ 2)
  optimizer Adam(lr: 2e-2)
  batch B = 20
  epochs 800
}
`;
const draw = new Stream(1, 1);
const line = (x: number): string => `${x.toFixed(4)},${(Math.sin(3 * x) + 0.2 * draw.normal()).toFixed(4)}`;
const train = ['x.0,y.0', ...Array.from({ length: 200 }, () => line(2 * draw.uniform() - 1))].join('\n');
const test = ['x.0,y.0', ...Array.from({ length: 120 }, (_, i) => line((i % 30) / 15 - 1))].join('\n');
const record = (cwd: string, out: string): StudyRecord =>
  JSON.parse(readFileSync(join(cwd, out, 'study.json'), 'utf8')) as StudyRecord;

describe('study', () => {
  it('decomposes the error of networks of several sizes, and the parts add up', async () => {
    const cwd = folder({ 'curve.nn': curve, 'train.csv': train, 'test.csv': test });
    const args = [
      'study',
      'curve.nn',
      '--data',
      'train.csv',
      '--test',
      'test.csv',
      '--vary',
      'hidden=1,6',
      '--rows',
      '20',
    ];
    const { code, out, err } = await nnc(cwd, [...args, '--retrainings', '10', '-o', 'o', '--target', 'wasm']);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/10 retrainings on sets without repetition of 20 out of 200 rows; 0 rows validate, 120 test/);
    expect(out).toMatch(/hidden 1 +.*adds up/);
    const study = record(cwd, 'o');
    const [small, large] = study.variants;
    expect(small!.decomposition!.bias!.mean).toBeGreaterThan(5 * Math.abs(large!.decomposition!.bias!.mean));
    expect(small!.decomposition!.noise!.low).toBeLessThan(0.04);
    expect(small!.decomposition!.noise!.high).toBeGreaterThan(0.03);
    // The measured error belongs to half of the networks and targets; the loss to all.
    expect(large!.decomposition!.measured.mean).toBeGreaterThan(0.03);
    expect(large!.training['loss']!.mean).toBeLessThan(large!.test['loss']!.mean);
    for (const file of ['study.html', 'study.svg', 'curves.svg']) expect(existsSync(join(cwd, 'o', file))).toBe(true);
    expect(readFileSync(join(cwd, 'o/study.html'), 'utf8')).toContain('adds up');
    expect((await nnc(cwd, [...args, '--retrainings', '10', '-o', 'p', '--target', 'wasm'])).code).toBe(0);
    expect(record(cwd, 'p').variants).toEqual(study.variants);
  });

  it('keeps rows to test and to validate apart, and compares classes by the Brier score', async () => {
    const cwd = folder({ 'net.nn': program, 'rows.csv': rows(120) });
    const args = [
      'study',
      'net.nn',
      '--data',
      'rows.csv',
      '--holdout',
      '0.25',
      '--retrainings',
      '4',
      '--epochs',
      '4',
      '-o',
      'o',
    ];
    const { code, out } = await nnc(cwd, args);
    expect(code).toBe(0);
    // 120: 30 test; 0.2 of the other 90 validate; bootstrap sets of the 72 left.
    expect(out).toMatch(/4 retrainings on bootstrap sets of 72 out of 72 rows; 18 rows validate, 30 test/);
    expect(out).toMatch(/bias² \+ noise/);
    const { variants, decomposition } = record(cwd, 'o');
    expect(decomposition).toMatchObject({ prediction: 'logits', truth: 'label' });
    expect(variants[0]!.bestEpoch).toBeGreaterThanOrEqual(1);
    expect(variants[0]!.decomposition!.measured.mean).toBeGreaterThan(0.1);
    expect(variants[0]!.decomposition!.measured.mean).toBeLessThan(1);
    expect(variants[0]!.curves.validation).toHaveLength(4);
  });

  it('says what is wrong with a study', async () => {
    const cwd = folder({ 'net.nn': program, 'curve.nn': curve, 'rows.csv': rows(40), 'train.csv': train });
    const data = ['--data', 'rows.csv'];
    const cases: [string[], RegExp, number][] = [
      [['study', 'net.nn', ...data, '--vary', 'width=1,2'], /NN933.*there is no const width/, 1],
      [['study', 'net.nn', ...data, '--vary', 'width'], /NN900.*name=1,2,3/s, 2],
      [['study', 'net.nn', ...data, '--vary', 'width=1,1'], /NN900.*twice/s, 2],
      [['study', 'net.nn', ...data, '--rows', '500'], /NN927.*sets of 500/, 1],
      [['study', 'net.nn', ...data, '--prediction', 'nothing'], /NN934.*no `let nothing`/, 1],
      [['study', 'net.nn', ...data, '--truth', 'nothing'], /NN934.*no input nothing/, 1],
      [['study', 'net.nn', ...data, '--holdout', '1.5'], /NN900/, 2],
      [['study', 'net.nn'], /NN923/, 1],
    ];
    for (const [argv, text, exit] of cases) {
      const { code, err } = await nnc(cwd, argv);
      expect(err, argv.join(' ')).toMatch(text);
      expect(code).toBe(exit);
    }
    const few = await nnc(cwd, ['study', 'curve.nn', '--data', 'train.csv', '--retrainings', '2', '--epochs', '2']);
    expect(few.out).toMatch(/no decomposition: a decomposition needs four/);
  });
});
