/** `nnc train --from`: fine-tuning from weights in a file: all of it, parts of it, another's, and what does not fit. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeWeights } from '../../runtime/files.ts';
import { folder, nnc, program, rows, tensors } from './support.ts';

const net = program.slice(0, program.indexOf('train Fit'));
const fit = (body: string, more = '', network = net): string => `${network}${more}
train Tune {
  input x: float[B, 4]
  input label: i32[B] < 3
  ${body}
  batch B = 16
  epochs 2
}
`;
const lowRank = `
block LowRank(rank: int)(w: float[O, I]) -> float[O, I] {
  param up: float[O, rank] = 0
  param down: float[rank, I] = normal() / sqrt(I)
  let change[o, i] = sum[r] up[o, r] * down[r, i]
  return w + change
}`;

async function trained(files: Record<string, string>): Promise<string> {
  const cwd = folder({ 'net.nn': program, 'rows.csv': rows(), ...files });
  expect((await nnc(cwd, ['train', 'net.nn', '--data', 'rows.csv', '--out', 'base', '-q'])).code).toBe(0);
  return cwd;
}
const tune = (cwd: string, ...more: string[]) =>
  nnc(cwd, ['train', 'tune.nn', '--data', 'rows.csv', '--from', 'base/weights.safetensors', '--out', 'tuned', ...more]);
const data = (path: string): Record<string, number[]> =>
  Object.fromEntries([...tensors(path)].map(([name, t]) => [name, Array.from(t.data as Float32Array)]));

describe('nnc train --from', () => {
  it('leaves what is frozen and trains what is new: a low-rank change', async () => {
    const body = `let tuned = frozen(Net) with { "*.weight" |> LowRank(2) }
  minimize cross_entropy(tuned(x), label)
  optimizer Adam(lr: 1e-2) for "**.low_rank.*"`;
    const cwd = await trained({ 'tune.nn': fit(body, lowRank) });
    const { code, out, err } = await tune(cwd);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('begins with 4 of 8 parameters and states from base/weights.safetensors');
    expect(out).toContain('as the program says begin hidden.weight.low_rank.up');
    const [before, after] = [data(join(cwd, 'base/weights.safetensors')), data(join(cwd, 'tuned/weights.safetensors'))];
    for (const path of Object.keys(before)) expect(after[path]).toEqual(before[path]);
    expect(after['hidden.weight.low_rank.up']!.some((v) => v !== 0)).toBe(true);
  });

  it('a new head begins anew, the old one stays unread', async () => {
    const body = 'minimize cross_entropy(Net(x), label)\n  optimizer SGD(lr: 0)';
    const cwd = await trained({ 'tune.nn': fit(body, '', net.replace('out: Linear(3)', 'head: Linear(3)')) });
    const { code, out } = await tune(cwd);
    expect(code).toBe(0);
    expect(out).toContain('begins with 2 of 4 parameters and states');
    expect(out).toContain('as the program says begin head.weight, head.bias');
    expect(out).toMatch(
      /not used of base\/weights.safetensors: out.bias, out.weight|not used .*: out.weight, out.bias/,
    );
    const [before, after] = [data(join(cwd, 'base/weights.safetensors')), data(join(cwd, 'tuned/weights.safetensors'))];
    expect(after['hidden.weight']).toEqual(before['hidden.weight']);
  });

  it('an average of the parameters begins where they do', async () => {
    const body = `state average: record = Net.params
  minimize cross_entropy(Net(x), label)
  average = 0.5 * average + 0.5 * Net.params
  optimizer SGD(lr: 0)`;
    const cwd = await trained({ 'tune.nn': fit(body) });
    expect((await tune(cwd)).code).toBe(0);
    const [before, after] = [data(join(cwd, 'base/weights.safetensors')), data(join(cwd, 'tuned/weights.safetensors'))];
    expect(after['average.hidden.weight']).toEqual(before['hidden.weight']);
  });

  it('one of several networks, which is named where it is not clear', async () => {
    const twin = net.replace('model Net', 'model Teacher');
    const body = `minimize mean((Net(x) - frozen(Teacher)(x)) ^ 2) + 0 * mean(float(label))
  optimizer SGD(lr: 0.1)`;
    const cwd = await trained({ 'tune.nn': fit(body, twin) });
    const unclear = await tune(cwd);
    expect(unclear.code).toBe(1);
    expect(unclear.err).toContain(
      'error[NN937]: Tune cannot begin with base/weights.safetensors: several networks could',
    );
    const from = 'Teacher=base/weights.safetensors';
    const clear = await nnc(cwd, ['train', 'tune.nn', '--data', 'rows.csv', '--from', from, '--out', 'tuned']);
    expect(clear.code).toBe(0);
    const [before, after] = [data(join(cwd, 'base/weights.safetensors')), data(join(cwd, 'tuned/weights.safetensors'))];
    expect(after['Teacher.hidden.weight']).toEqual(before['hidden.weight']);
    // And back: a file with networks in front, for one alone.
    writeFileSync(join(cwd, 'one.nn'), fit('minimize cross_entropy(Net(x), label)\n  optimizer SGD(lr: 0)'));
    const back = await nnc(cwd, ['train', 'one.nn', '--data', 'rows.csv', '--from', 'tuned/weights.safetensors']);
    expect(back.err).toContain('NN937');
  });

  it("another's file by a checkpoint map", async () => {
    const map = `
checkpoint other for Net {
  hidden.weight[o, d] = "fc1.kernel"[d, o]
  hidden.bias = "fc1.bias"
}`;
    const cwd = folder({
      'tune.nn': fit('minimize cross_entropy(Net(x), label)\n  optimizer SGD(lr: 0)', map),
      'rows.csv': rows(),
    });
    const kernel = Float32Array.from({ length: 64 }, (_, k) => k / 64);
    const theirs = new Map([
      ['fc1.kernel', { dtype: 'f32', shape: [4, 16], data: kernel }],
      ['fc1.bias', { dtype: 'f32', shape: [16], data: new Float32Array(16) }],
    ] as const);
    writeFileSync(join(cwd, 'theirs.safetensors'), encodeWeights(theirs, {}));
    const args = ['train', 'tune.nn', '--data', 'rows.csv', '--from', 'theirs.safetensors', '--out', 'o'];
    expect((await nnc(cwd, args)).err).toContain('NN937');
    const { code, out } = await nnc(cwd, [...args, '--map', 'other']);
    expect(code).toBe(0);
    expect(out).toContain('begins with 2 of 4 parameters and states from theirs.safetensors');
    const weight = data(join(cwd, 'o/weights.safetensors'))['hidden.weight']!;
    expect(weight[1]).toBe(kernel[16]);
    expect((await nnc(cwd, [...args, '--map', 'none'])).err).toContain('NN940');
  });

  it('is refused where shapes differ, and beside --resume', async () => {
    const wide = net.replace('Linear(16)', 'Linear(8)');
    const cwd = await trained({
      'tune.nn': fit('minimize cross_entropy(Net(x), label)\n  optimizer SGD(lr: 0)', '', wide),
    });
    const { err } = await tune(cwd);
    expect(err.slice(err.indexOf('error[')).trim().split('\n')).toEqual([
      'error[NN937]: Tune cannot begin with base/weights.safetensors: tensors of it have another shape or',
      '  type than the program',
      '= note: hidden.weight is f32[16, 4], should be f32[8, 4]',
      '= note: hidden.bias is f32[16], should be f32[8]',
      '= note: out.weight is f32[3, 16], should be f32[3, 8]',
      '= note: a layer under a name that the file does not have begins anew',
    ]);
    expect((await tune(cwd, '--resume')).err).toContain('leave one of --from and --resume out');
    expect((await nnc(cwd, ['train', 'net.nn', '--data', 'rows.csv', '--map', 'x'])).err).toContain('NN937');
  });
});
