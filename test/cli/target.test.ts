/** `--target`: the same run on WebAssembly, and what may not be mixed. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { realGpu, skipLoudly } from '../targets/wgsl/gpu.ts';
import { folder, nnc, tensors } from './support.ts';

const digits = resolve('examples/digits.nn');

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('nnc train --target wgsl', reason);

/** Some rows of the digits: a software driver takes its time. */
const few = (): Record<string, string> => {
  const text = gunzipSync(readFileSync('examples/data/digits-train.csv.gz')).toString('utf8');
  return { 'few.csv': text.split('\n').slice(0, 65).join('\n') };
};
const brief = ['--data', 'few.csv', '--epochs', '2', '--batch', '32'];

describe('--target', () => {
  it.runIf(gpu !== null)(
    'a profile may ask for matrix units, too',
    async () => {
      const source = `train Fit {
  input x: float[B, 64]
  minimize mean((x |> Linear(64, bias: false)) ^ 2)
  optimizer SGD(lr: 0.1)
  precision f16
}`;
      const cwd = folder({ 'half.nn': source });
      const options = ['--target', 'wgsl', '--gpu-matrices', '--bound', 'B=64', '--seconds', '1'];
      const run = await nnc(cwd, ['profile', 'half.nn', ...options]);
      expect(run).toMatchObject({ code: 0, err: '' });
      expect(run.out).toMatch(/Fit\.step of half\.nn on wgsl/);
    },
    120_000,
  );

  it('auto trains on what there is', async () => {
    const cwd = folder(few());
    const run = await nnc(cwd, ['train', digits, ...brief, '--target', 'auto', '--out', 'auto']);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(tensors(join(cwd, 'auto', 'weights.safetensors')).size).toBe(4);
  }, 120_000);

  it('trains and runs on wgsl as on ts, within the rounding of f32; where there is no GPU it says so', async () => {
    const cwd = folder(few());
    const train = (target: string) => nnc(cwd, ['train', digits, ...brief, '--target', target, '--out', target]);
    const there = await train('wgsl');
    if (gpu === null) {
      expect(there.code).toBe(1);
      expect(there.err).toMatch(/NN938.*finds no GPU/s);
      return;
    }
    expect(there).toMatchObject({ code: 0, err: '' });
    // The same weights where the loss is read back less often; and where matrix units are asked for that there are none of, or no halves to multiply.
    const seldom = ['--target', 'wgsl', '--read-every', '2', '--gpu-matrices', '--out', 'seldom'];
    expect(await nnc(cwd, ['train', digits, ...brief, ...seldom])).toMatchObject({ code: 0, err: '' });
    for (const [path, { data }] of tensors(join(cwd, 'wgsl', 'weights.safetensors')))
      expect(tensors(join(cwd, 'seldom', 'weights.safetensors')).get(path)!.data).toEqual(data);
    expect(await train('ts')).toMatchObject({ code: 0, err: '' });
    const [a, b] = ['ts', 'wgsl'].map((target) => tensors(join(cwd, target, 'weights.safetensors')));
    for (const [path, { data }] of a!) {
      const other = b!.get(path)!.data;
      for (let k = 0; k < data.length; k++)
        expect(Math.abs(Number(data[k]) - Number(other[k])), path).toBeLessThan(1e-4);
    }
    const weights = join('wgsl', 'weights.safetensors');
    const [here, answers] = [[] as number[], [] as number[]];
    for (const [target, into] of [
      ['ts', here],
      ['wgsl', answers],
    ] as const) {
      const out = ['--target', target, '--out', `${target}.csv`];
      const run = await nnc(cwd, ['run', digits, '--weights', weights, '--data', 'few.csv', ...out]);
      expect(run).toMatchObject({ code: 0, err: '' });
      into.push(
        ...readFileSync(join(cwd, `${target}.csv`), 'utf8')
          .split(/[\n,]/)
          .map(Number),
      );
    }
    expect(answers.length).toBe(here.length);
    expect(here.filter((v, k) => Math.abs(v - answers[k]!) > 1e-4)).toEqual([]);
  }, 240_000);

  it('trains on wasm as on ts, within the rounding of f32', async () => {
    const cwd = folder();
    for (const target of ['ts', 'wasm']) {
      const run = await nnc(cwd, ['train', digits, '--epochs', '1', '--target', target, '--out', target]);
      expect(run).toMatchObject({ code: 0, err: '' });
    }
    const [a, b] = ['ts', 'wasm'].map((target) => tensors(join(cwd, target, 'weights.safetensors')));
    expect([...b!.keys()]).toEqual([...a!.keys()]);
    for (const [path, { data }] of a!) {
      const other = b!.get(path)!.data;
      for (let k = 0; k < data.length; k++)
        expect(Math.abs(Number(data[k]) - Number(other[k])), path).toBeLessThan(1e-4);
    }
  });

  it('goes on bit for bit on wasm too, and only on the target it began on', async () => {
    const cwd = folder();
    const train = (out: string, epochs: string, ...more: string[]) =>
      nnc(cwd, ['train', digits, '--target', 'wasm', '--epochs', epochs, '--out', out, ...more]);
    expect((await train('straight', '2')).code).toBe(0);
    expect((await train('parts', '1')).code).toBe(0);
    expect((await train('parts', '2', '--resume')).code).toBe(0);
    const [a, b] = ['straight', 'parts'].map((out) => tensors(join(cwd, out, 'weights.safetensors')));
    for (const [path, { data }] of a!) expect(b!.get(path)!.data, path).toEqual(data);
    const mixed = await nnc(cwd, ['train', digits, '--epochs', '3', '--out', 'parts', '--resume']);
    expect(mixed.code).toBe(1);
    expect(mixed.err.replace(/\s+/g, ' ')).toContain('trained on the target wasm, not ts');
  });

  it('builds a module for each', async () => {
    const cwd = folder();
    for (const [target, files] of [
      ['ts', ['Fit.ts', 'Fit.js', 'Fit.js.map', 'Fit.d.ts']],
      ['wasm', ['Fit.js', 'Fit.d.ts']],
      ['wgsl', ['Fit.ts', 'Fit.js', 'Fit.d.ts']],
    ] as const) {
      const run = await nnc(cwd, ['build', digits, '--only', 'Fit', '--target', target, '--out', target]);
      expect(run).toMatchObject({ code: 0, err: '' });
      for (const file of files) expect(existsSync(join(cwd, target, file)), `${target} ${file}`).toBe(true);
    }
  });
});
