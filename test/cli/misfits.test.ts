/** Data, folders and options that do not fit: what is said, and that nothing wrong is left behind. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { folder, nnc } from './support.ts';

const program = (lr = '1e-2'): string => `model Line(x: float[B, 2]) -> float[B, 1] { return x |> Linear(1) }
train Fit {
  input x: float[B, 2]
  input y: float[B]
  let z = Line(x)
  minimize mean[b] (z[b, 0] - y[b]) ^ 2
  optimizer SGD(lr: ${lr})
  batch B = 2
  epochs 2
}
`;
const rows = (y: string): string => `x.0,x.1,y\n1,2,1\n2,1,2\n3,${y},3\n4,4,4\n`;

describe('data that are no numbers', () => {
  it('are reported before training, with row and column; nothing is written', async () => {
    const cwd = folder({ 'net.nn': program(), 'd.csv': rows('nan') });
    const { code, err } = await nnc(cwd, ['train', 'net.nn', '--data', 'd.csv']);
    expect(code).toBe(1);
    expect(err).toContain('error[NN944]');
    expect(err.replace(/\s+/g, ' ')).toMatch(/input x holds NaN in column x\.1, row 2|input x holds NaN in .*row 2/);
    expect(existsSync(join(cwd, 'nnc-out'))).toBe(false);
  });

  it('--allow-nonfinite goes on', async () => {
    const cwd = folder({ 'net.nn': program(), 'd.csv': rows('inf') });
    const { err } = await nnc(cwd, ['train', 'net.nn', '--data', 'd.csv', '--allow-nonfinite', '--quiet']);
    expect(err).not.toContain('NN944');
    expect(err).toContain('NN526');
  });
});

describe('a run that diverges', () => {
  it('keeps no weights, and leaves none of an earlier run', async () => {
    const cwd = folder({ 'net.nn': program(), 'd.csv': rows('2') });
    expect((await nnc(cwd, ['train', 'net.nn', '--data', 'd.csv', '--quiet'])).code).toBe(0);
    const weights = join(cwd, 'nnc-out/Fit/weights.safetensors');
    expect(existsSync(weights)).toBe(true);
    // nnc: a rate far out of range is what is wanted here.
    writeFileSync(join(cwd, 'net.nn'), program('1e30'));
    const { code, out, err } = await nnc(cwd, ['train', 'net.nn', '--data', 'd.csv', '--quiet']);
    expect(code).toBe(1);
    expect(err).toContain('NN926');
    expect(existsSync(weights)).toBe(false);
    expect(existsSync(join(cwd, 'nnc-out/Fit/checkpoint.safetensors'))).toBe(false);
    expect(out).toContain('removed weights.safetensors');
    expect(out).not.toMatch(/^weights:/m);
    expect(JSON.parse(readFileSync(join(cwd, 'nnc-out/Fit/run.json'), 'utf8'))).toMatchObject({
      end: 'diverged',
      best: null,
    });
  });
});

describe('a block of the other kind', () => {
  it('train --only MODEL', async () => {
    const cwd = folder({ 'net.nn': program(), 'd.csv': rows('2') });
    const { code, err } = await nnc(cwd, ['train', 'net.nn', '--data', 'd.csv', '--only', 'Line']);
    expect(code).toBe(1);
    expect(err).toContain('error[NN943]: Line is a model, and this command takes a train block');
    expect(err).toContain('train blocks of net.nn: Fit');
  });

  it('run --only TRAIN, and a name that does not exist', async () => {
    const cwd = folder({ 'net.nn': program(), 'd.csv': rows('2') });
    const run = (only: string) =>
      nnc(cwd, ['run', 'net.nn', '--weights', 'w.safetensors', '--data', 'd.csv', '--only', only]);
    expect((await run('Fit')).err).toContain('error[NN943]: Fit is a train block');
    expect((await run('Lime')).err).toContain('error[NN790]');
  });
});

describe('two targets in one folder', () => {
  it('do not overwrite each other', async () => {
    const cwd = folder({ 'net.nn': program() });
    expect((await nnc(cwd, ['build', 'net.nn', '--only', 'Line', '--out', 'dist'])).code).toBe(0);
    const before = readFileSync(join(cwd, 'dist/Line.js'), 'utf8');
    const { code, err } = await nnc(cwd, ['build', 'net.nn', '--only', 'Line', '--out', 'dist', '--target', 'wasm']);
    expect(code).toBe(1);
    expect(err).toContain('error[NN945]');
    expect(readFileSync(join(cwd, 'dist/Line.js'), 'utf8')).toBe(before);
    expect((await nnc(cwd, ['build', 'net.nn', '--only', 'Line', '--out', 'dist'])).code).toBe(0);
    expect((await nnc(cwd, ['build', 'net.nn', '--only', 'Line', '--out', 'other', '--target', 'wasm'])).code).toBe(0);
    expect((await nnc(cwd, ['build', 'net.nn', '--only', 'Line', '--out', 'other'])).err).toContain(
      'was built for wasm',
    );
  });
});

describe('bounds', () => {
  it('of a size that the program does not have are refused', async () => {
    expect(compile(program(), { bounds: { B: 4, Q: 3 } }).reports.map((r) => r.message)).toEqual([
      'the option bounds.Q is given, not a size of the file (B)',
    ]);
    const { code, err } = await nnc(folder({ 'net.nn': program() }), ['build', 'net.nn', '--bound', 'Q=3']);
    expect(code).toBe(1);
    expect(err).toContain('error[NN933]: there is no size Q in net.nn');
  });
});
