/** `--target`: the same run on WebAssembly, and what may not be mixed. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, nnc, tensors } from './support.ts';

const digits = resolve('examples/digits.nn');

describe('--target', () => {
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
