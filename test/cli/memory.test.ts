/** `--memory`: training within a bound writes the same weights; what an amount may be; what is shown. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, nnc } from './support.ts';

const program = `
model M(x: float[B, 4]) -> float[B, 3] {
  let h = x |> first: Linear(64)
  deep: repeat 8 { h = h |> l: Linear(64) |> tanh }
  return h |> out: Linear(3)
}
train Fit {
  input x: float[B, 4]
  input y: i32[B] < 3
  minimize cross_entropy(M(x), y)
  optimizer SGD(lr: 0.1)
  batch B = 256
}
`;
const rows = Array.from({ length: 256 }, (_, k) => `${k % 7},${k % 5},${k % 3},${k % 2},${k % 3}`).join('\n');
const files = { 'm.nn': program, 'd.csv': `x.0,x.1,x.2,x.3,y\n${rows}\n` };

describe('--memory', () => {
  it('trains to the same weights, and says what it costs', async () => {
    const cwd = folder(files);
    const train = (out: string, ...more: string[]) =>
      nnc(cwd, ['train', 'm.nn', '--data', 'd.csv', '--epochs', '2', '--out', out, ...more]);
    expect(await train('whole')).toMatchObject({ code: 0, err: '' });
    expect(await train('less', '--memory', '500kB')).toMatchObject({ code: 0, err: '' });
    const [a, b] = ['whole', 'less'].map((out) => readFileSync(join(cwd, out, 'weights.safetensors')));
    expect(a!.equals(b!)).toBe(true);
    const build = await nnc(cwd, ['build', 'm.nn', '--only', 'Fit', '--memory', '500kB']);
    expect(build.out).toMatch(
      /`Fit\.step` computes values again \([\d.]+ % more work\) to work in \d+ kB in place of \d+ kB/,
    );
    const explain = await nnc(cwd, ['explain', 'm.nn', '--only', 'Fit', '--memory', '500kB']);
    expect(explain.out).toMatch(/step: computed again, /);
    expect(explain.out).toMatch(/65\.5 kB {2}tanh\w* +[\d.]+ ms +m\.nn:4/);
  });

  it('that cannot be is refused with the lines of the largest tensors', async () => {
    const cwd = folder(files);
    const run = await nnc(cwd, ['build', 'm.nn', '--memory', '100kB']);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(/error\[NN530\]: `Fit` takes at least \d+ kB, more than the 100 kB/);
    expect(run.err).toMatch(/m\.nn:\d+:\d+/);
    expect(await nnc(cwd, ['build', 'm.nn', '--memory', 'much'])).toMatchObject({ code: 2 });
    expect(await nnc(cwd, ['build', 'm.nn', '--memory', '0'])).toMatchObject({ code: 2 });
  });
});
