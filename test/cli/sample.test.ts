/** `nnc tokens` and `nnc sample`: text to rows, the tokenizer on its way to the weights, and text again. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decode } from '../../runtime/safetensors.ts';
import { realGpu, skipLoudly } from '../targets/wgsl/gpu.ts';
import { folder, nnc, tensors } from './support.ts';

const { gpu, reason } = await realGpu();
if (gpu === null) skipLoudly('nnc sample --target wgsl', reason);

const program = `model Writer(text: i32[B, T] < 20) -> float[B, T, 20] {
  let e = Embedding(20, 16)
  return e(text) |> gru: GRU(24) |> out: Linear(20)
}
train Write {
  input text: i32[B, T + 1] < 20
  let before[b, t: T] = text[b, t]
  let next[b, t: T] = text[b, t + 1]
  minimize cross_entropy(Writer(before), next)
  optimizer Adam(lr: 2e-2)
  batch B = 16
  epochs 30
}
`;
const song = 'we gently row down the stream\n'.repeat(56);

describe('tokens and sample', () => {
  it('make rows, train, and write what was learnt', async () => {
    const cwd = folder({ 'song.txt': song, 'write.nn': program });
    const made = await nnc(cwd, [
      'tokens',
      'song.txt',
      '--window',
      '33',
      '--parts',
      '0.8,0.2',
      '-o',
      'song.safetensors',
    ]);
    expect(made.err).toBe('');
    expect(made.out).toMatch(/characters: \d+ symbols/);
    expect(made.out).toMatch(/song-train\.safetensors: 41 rows of 33/);
    expect(tensors(join(cwd, 'song-validation.safetensors')).get('text')!.shape[1]).toBe(33);
    const trained = await nnc(cwd, [
      'train',
      'write.nn',
      '--data',
      'song-train.safetensors',
      '-o',
      'o',
      '--target',
      'wasm',
      '-q',
    ]);
    expect(trained.code).toBe(0);
    const weights = decode(readFileSync(join(cwd, 'o/weights.safetensors')));
    expect(weights.ok && JSON.parse(weights.metadata['tokenizer']!)).toMatchObject({ kind: 'characters' });

    const base = ['sample', 'write.nn', '--weights', 'o/weights.safetensors', '--target', 'wasm', '--context', '32'];
    const greedy = await nnc(cwd, [...base, '--prompt', 'we g', '--length', '40', '--temperature', '0']);
    expect(greedy.err).toBe('');
    expect(greedy.out).toBe('we gently row down the stream\nwe gently row \n');
    if (gpu !== null) {
      const there = base.map((word) => (word === 'wasm' ? 'wgsl' : word));
      const on = await nnc(cwd, [...there, '--prompt', 'we g', '--length', '12', '--temperature', '0']);
      expect(on).toMatchObject({ err: '', out: 'we gently row do\n' });
    }
    const drawn = await nnc(cwd, [
      ...base,
      '--prompt',
      'the ',
      '--length',
      '30',
      '--top-k',
      '3',
      '--top-p',
      '0.9',
      '--count',
      '2',
      '--seed',
      '3',
    ]);
    expect(drawn.out.split('---\n')).toHaveLength(2);
    expect(
      (
        await nnc(cwd, [
          ...base,
          '--prompt',
          'the ',
          '--length',
          '30',
          '--top-k',
          '3',
          '--top-p',
          '0.9',
          '--count',
          '2',
          '--seed',
          '3',
        ])
      ).out,
    ).toBe(drawn.out);
    // Byte pairs, by the tokenizer of another file.
    const pairs = await nnc(cwd, [
      'tokens',
      'song.txt',
      '--kind',
      'bpe',
      '--size',
      '30',
      '--window',
      '9',
      '-o',
      'bpe.safetensors',
    ]);
    expect(pairs.out).toMatch(/bpe: \d+ symbols\nbpe\.safetensors: \d+ rows of 9, 1680 characters, \d+\.\d+ a symbol/);
    const same = await nnc(cwd, [
      'tokens',
      'song.txt',
      '--with',
      'bpe.safetensors',
      '--window',
      '9',
      '-o',
      'again.safetensors',
    ]);
    expect(same.code).toBe(0);
    expect(tensors(join(cwd, 'again.safetensors')).get('text')!.data).toEqual(
      tensors(join(cwd, 'bpe.safetensors')).get('text')!.data,
    );
  });

  it('say what is wrong', async () => {
    const other = 'model M(x: float[B, 4]) -> float[B, 2] { return x |> Linear(2) }\n';
    const cwd = folder({ 'song.txt': 'la la', 'write.nn': program, 'other.nn': other });
    const cases: [string[], RegExp, number][] = [
      [['tokens', 'song.txt', '-o', 'a.safetensors'], /NN939.*5 symbols are no row of 65/, 1],
      [['tokens', 'song.txt', '--parts', '0.5,0.4', '-o', 'a'], /NN900.*add up/, 2],
      [['tokens', 'nowhere.txt', '-o', 'a'], /NN920/, 1],
      [['sample', 'other.nn', '--weights', 'w'], /NN939.*does not take one input/, 1],
      [['sample', 'write.nn', '--weights', 'w'], /NN920/, 1],
      [['sample', 'write.nn', '--weights', 'w', '--temperature', '-1'], /NN900/, 2],
    ];
    for (const [argv, text, exit] of cases) {
      const { code, err } = await nnc(cwd, argv);
      expect(err, argv.join(' ')).toMatch(text);
      expect(code).toBe(exit);
    }
  });
});
