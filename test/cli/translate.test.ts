/** `nnc translate` on a cipher that is learnt in a second: greedy and beam, one text and a scored file, and what is wrong. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { characters, encoder, start, stop } from '../../analysis/text/tokens.ts';
import type { TranslateRecord } from '../../cli/commands/translate.ts';
import { encode } from '../../runtime/safetensors.ts';
import { folder, nnc } from './support.ts';

/** Place t of the result follows from place t of the source; behind its end comes the stop. */
const program = `model Cipher(source: i32[B, S] < 12, source_length: i32[B] < S + 1, before: i32[B, T] < 12) -> float[B, T, 12] {
  param table: float[12, 12] = 0
  param end: float[12] = 0
  let from[b, t: T, p] = table[source[b, t], p] else 0
  let given[b, t: T] = float(before[b, t] >= 0 and t < source_length[b])
  let logits[b, t, p] = from[b, t, p] where given[b, t] > 0 else end[p]
  return logits
}
train Fit {
  input source: i32[B, S] < 12
  input source_length: i32[B] < S + 1
  input target: i32[B, T + 1] < 12
  let before[b, t: T] = target[b, t]
  let next[b, t: T] = target[b, t + 1]
  minimize cross_entropy(Cipher(source, source_length, before), next, ignore: 0)
  optimizer Adam(lr: 0.1)
  batch B = 16
  epochs 20
}
`;
const tokenizer = characters('abcdefgh ');
const words = [
  'abc ab',
  'hag bed',
  'face the',
  'be ad',
  'cab gab',
  'dead bag',
  'had a bed',
  'beef hed',
  'a cafe gh',
  'fad bag',
];
const coded = (word: string): string =>
  [...word].map((c) => (c === ' ' ? ' ' : ('bcdefgha'['abcdefgh'.indexOf(c)] ?? ' '))).join('');

function data(): Uint8Array {
  const ids = encoder(tokenizer);
  const known = words.map((w) => w.replace(/t/g, 'd'));
  const [S, T] = [9, 11];
  const source = new Int32Array(known.length * S);
  const target = new Int32Array(known.length * T);
  known.forEach((word, i) => {
    source.set(ids(word), i * S);
    target.set([start, ...ids(coded(word)), stop], i * T);
  });
  const lengths = Int32Array.from(known, (w) => w.length);
  return encode(
    new Map([
      ['source', { dtype: 'I32' as const, shape: [known.length, S], data: source }],
      ['source_length', { dtype: 'I32' as const, shape: [known.length], data: lengths }],
      ['target', { dtype: 'I32' as const, shape: [known.length, T], data: target }],
    ]),
    { tokenizer: JSON.stringify(tokenizer) },
  );
}

describe('translate', () => {
  it('decodes greedily and with a beam, and scores what has a truth', async () => {
    const cwd = folder({ 'cipher.nn': program, 'words.safetensors': data() });
    const trained = await nnc(cwd, ['train', 'cipher.nn', '--data', 'words.safetensors', '-o', 'o', '-q']);
    expect(trained.err).toBe('');
    const base = ['translate', 'cipher.nn', '--weights', 'o/weights.safetensors', '--most', '12'];
    const one = await nnc(cwd, [...base, '--text', 'bad face', 'gab']);
    expect(one.err).toBe('');
    expect(one.out).toBe('cbe gbdf\nhbc\n');
    for (const beam of ['1', '3']) {
      const all = await nnc(cwd, [...base, '--data', 'words.safetensors', '--beam', beam, '--batch', '4', '-o', 'p']);
      expect(all.out).toMatch(new RegExp(`10 sentences, beam ${beam}: BLEU [\\d.]+, chrF 100\\.0`));
    }
    const record = JSON.parse(readFileSync(join(cwd, 'p/translate.json'), 'utf8')) as TranslateRecord;
    expect(record).toMatchObject({ sentences: 10, beam: 3 });
    expect(record.translations[0]).toMatchObject({ source: 'abc ab', translation: 'bcd bc', reference: 'bcd bc' });
  });

  it('says what is wrong', async () => {
    const other = 'model M(x: float[B, 4]) -> float[B, 2] { return x |> Linear(2) }\n';
    const cwd = folder({ 'cipher.nn': program, 'other.nn': other, 'words.safetensors': data() });
    const cases: [string[], RegExp, number][] = [
      [['translate', 'cipher.nn', '--weights', 'words.safetensors'], /NN900.*either --text or --data/, 2],
      [['translate', 'other.nn', '--weights', 'words.safetensors', '--text', 'a'], /NN939.*does not read/, 1],
      [['translate', 'cipher.nn', '--weights', 'words.safetensors', '--text', 'a'], /NN924/, 1],
      [['translate', 'cipher.nn', '--weights', 'words.safetensors', '--text', ''], /NN939.*empty/, 1],
      [
        ['translate', 'cipher.nn', '--weights', 'words.safetensors', '--data', 'words.safetensors', '--truth', 'x'],
        /NN939.*called x/,
        1,
      ],
    ];
    for (const [argv, text, exit] of cases) {
      const { code, err } = await nnc(cwd, argv);
      expect(err, argv.join(' ')).toMatch(text);
      expect(code).toBe(exit);
    }
  });
});
