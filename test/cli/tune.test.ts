/** `nnc tune`: the file that it leaves, who uses it, and what is said where it is of another machine or broken. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, nnc } from './support.ts';

const program = 'model M(x: float[B, 64]) -> float[B, 64] { return x |> a: Linear(64) |> relu |> b: Linear(64) }\n';

describe('nnc tune', () => {
  it('leaves a file beside the program that the wasm target uses', async () => {
    const cwd = folder({ 'm.nn': program });
    const run = await nnc(cwd, ['tune', 'm.nn', '--bound', 'B=64', '--seconds', '1']);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toMatch(/[012] of 2 kernels are quicker otherwise: m\.tune\.json/);
    expect(run.out).toMatch(/the usual time of each kernel on (one thread|\d+ threads, by the longest part), and/);
    const path = join(cwd, 'm.tune.json');
    const read = () =>
      JSON.parse(readFileSync(path, 'utf8')) as { threads: number; kernels: { kernel: string; choice: object }[] };
    const file = read();
    expect(file.kernels.map((k) => k.kernel)).toEqual(['linear_relu', 'linear_2']);
    const build = () => nnc(cwd, ['build', 'm.nn', '--bound', 'B=64', '--target', 'wasm', '--out', 'out']);
    expect(await build()).toMatchObject({ code: 0, err: '' });
    const before = readFileSync(join(cwd, 'out/M.js'), 'latin1');

    file.kernels[0]!.choice = { stages: { sum: { block: [65536, 524288] } } };
    writeFileSync(path, JSON.stringify(file));
    expect(await build()).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(join(cwd, 'out/M.js'), 'latin1')).not.toBe(before);
    const shown = await nnc(cwd, ['explain', 'm.nn', '--bound', 'B=64', '--schedule']);
    expect(shown.out).toMatch(/linear_relu\n[\s\S]*wasm, tuned: sum: blocks of 64 and 512 KiB/);
    const three = await nnc(cwd, ['tune', 'm.nn', '--bound', 'B=64', '--seconds', '1', '--threads', '3']);
    expect(three.out).toMatch(/on 3 threads, by the longest part/);
    expect(read().threads).toBe(3);
    // At another size it is another kernel.
    const other = await nnc(cwd, ['explain', 'm.nn', '--bound', 'B=32', '--schedule']);
    expect(other.out).not.toMatch(/tuned/);
    expect(other.err).toMatch(/warning\[NN949\].*of 2 kernels of M, 2 are no longer there/);
    expect(other.err).toContain('no longer there: linear_relu, linear_2');

    // Everything that can be chosen, as the compiler prints it.
    const whole = { share: { panels: 'columns' }, stages: { sum: { height: 4, turned: true } } };
    file.kernels[0]!.choice = whole;
    file.kernels[1]!.choice = { stages: { sum: { height: 6 } } };
    writeFileSync(path, JSON.stringify(file));
    const mixed = await nnc(cwd, ['explain', 'm.nn', '--bound', 'B=64', '--schedule']);
    expect(mixed.err).toMatch(/warning\[NN949\].*of 2 kernels of M, 2 cannot be as it says/);
    expect(mixed.err).toContain('linear_2: sum: tiles of 6 rows');
    delete (whole.stages.sum as { turned?: true }).turned;
    writeFileSync(path, JSON.stringify(file));
    const fits = await nnc(cwd, ['explain', 'm.nn', '--bound', 'B=64', '--schedule']);
    expect(fits.err).toMatch(/of 2 kernels of M, 1 cannot be as it says/);
    expect(fits.out).toMatch(/wasm, tuned: sum: tiles of 4 rows, threads share panels of columns/);
    expect(fits.out).toMatch(/tile 4x8[^\n]*\n *threads share columns/);
  });

  it('a file of another machine or version, or a broken one, is said not to be used', async () => {
    const cwd = folder({ 'm.nn': program });
    await nnc(cwd, ['tune', 'm.nn', '--bound', 'B=8', '--seconds', '1']);
    const path = join(cwd, 'm.tune.json');
    const good = readFileSync(path, 'utf8');
    const build = (target: string) =>
      nnc(cwd, ['build', 'm.nn', '--bound', 'B=8', '--target', target, '--out', target]);
    const file = JSON.parse(good) as Record<string, unknown>;
    for (const [text, code, why] of [
      [{ ...file, machine: 'abacus' }, 'NN948', /on another machine[\s\S]*it says abacus/],
      [{ ...file, compiler: '0.0.1' }, 'NN948', /another version of nnc[\s\S]*it says 0\.0\.1/],
      ...[{ speed: 9 }, { share: { panels: 'all' } }, { stages: { sum: { turned: false } } }, { stages: [] }].map(
        (choice) =>
          [
            { ...file, kernels: [{ key: 'a', kernel: 'a', units: [], choice }] },
            'NN947',
            /kernel 1 has no key, or a choice/,
          ] as const,
      ),
      [{ ...file, kernels: [{ key: 'a', choice: {} }] }, 'NN947', /kernel 1 has no key, or a choice/],
      [{ ...file, format: 'none' }, 'NN947', /it does not begin with/],
    ] as const) {
      writeFileSync(path, JSON.stringify(text));
      const run = await build('wasm');
      expect(run.code).toBe(0);
      expect(run.err).toContain(`warning[${code}]`);
      expect(run.err).toMatch(why);
      // The readable target has no such schedules.
      expect((await build('ts')).err).toBe('');
    }
    writeFileSync(path, good.slice(0, 100));
    expect((await build('wasm')).err).toContain('warning[NN947]');
  });
});
