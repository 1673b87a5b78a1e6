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

/** The cipher's two halves: what the source says of every place, and a word at a time, which counts its words in a carry. */
const halves = `const slots = 200
model Read(source: i32[N, S] < 12, source_length: i32[N] < S + 1) -> (rows: float[N, S, 12], real: float[N, S]) {
  param table: float[12, 12] = 0
  let rows[n, s, p] = table[source[n, s], p]
  let real[n, s: S] = float(s < source_length[n])
  return (rows: rows, real: real)
}
model Write(
  rows: float[N, S, 12], real: float[N, S], sentence: i32[B] < N, word: i32[B] < 12, past: i32[B, L] < slots, used: size
) -> float[B, 12] {
  require B <= used and used <= slots
  param end: float[12] = 0
  carry place: float[slots] = 0
  let fresh[b: B] = L - 1 + 0 * float(word[b])
  place[s] = fresh[s - (used - B)] else place[s]
  let logits[b, p] = sum[s where float(s) == place[past[b, L - 1]] and real[sentence[b], s] > 0] rows[sentence[b], s, p]
  let there[b] = sum[s where float(s) == place[past[b, L - 1]]] real[sentence[b], s]
  let result[b, p] = logits[b, p] where there[b] > 0 else end[p]
  return result
}
`;

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

  it('keeps what it has read and written, where a file has a reader and a writer', async () => {
    const cwd = folder({
      'cipher.nn': program,
      'both.nn': `${program}${halves}`,
      'words.safetensors': data(),
      'whole.nn': `${program}${halves.replace('carry place: float[slots]', 'carry place: float[slots] = 0\n  carry other: float[B]')}`,
    });
    await nnc(cwd, ['train', 'cipher.nn', '--data', 'words.safetensors', '-o', 'o', '-q']);
    const run = async (file: string, ...more: string[]) => {
      const all = ['--weights', 'o/weights.safetensors', '--data', 'words.safetensors', '--most', '12', '-o', 'p'];
      const { code, err } = await nnc(cwd, ['translate', file, ...all, ...more]);
      if (code !== 0) return err;
      return JSON.parse(readFileSync(join(cwd, 'p/translate.json'), 'utf8')) as TranslateRecord;
    };
    for (const beam of ['1', '3']) {
      const options = ['--beam', beam, '--batch', '4'];
      const whole = await run('both.nn', '--only', 'Cipher', ...options);
      const kept = await run('both.nn', ...options);
      expect(whole).toMatchObject({ cached: false });
      expect(kept).toMatchObject({ cached: true });
      const of = (record: TranslateRecord | string) => (record as TranslateRecord).translations;
      expect(of(kept).map(({ translation }) => translation)).toEqual(of(whole).map(({ translation }) => translation));
      of(kept).forEach((t, i) => expect(t.logProbability).toBeCloseTo(of(whole)[i]!.logProbability, 4));
    }
    // Ten sentences at once would take more slots than there are: they go in parts of two.
    expect(await run('both.nn', '--beam', '7')).toMatchObject({ sentences: 10, beam: 7 });
    expect(await run('both.nn', '--beam', '16')).toMatch(/NN939\]: 16 rows of 13 symbols.*200 slots/);
    expect(await run('both.nn', '--beam', '16', '--const', 'slots=208')).toMatchObject({ beam: 16 });
    expect(await run('whole.nn', '--batch', '4')).toMatch(/NN939\]: Write keeps nothing/);
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
