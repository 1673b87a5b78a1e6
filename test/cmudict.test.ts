/** The data of examples/phonemes.nn: what is kept, how it is coded, and that test words are unseen. */
import { describe, expect, it } from 'vitest';
import {
  alphabet,
  entriesOf,
  longest,
  partOf,
  parts,
  phonemes,
  readDictionary,
  smallWords,
  sounds,
  start,
  stop,
  tensorsOf,
} from '../scripts/cmudict.ts';

const dictionary = readDictionary();
const entries = entriesOf(dictionary);

describe('entries', () => {
  it('are words of letters a-z with a first pronunciation of known phonemes', () => {
    expect(entries.length).toBeGreaterThan(110_000);
    for (const { word, phonemes: spoken } of entries) {
      if (!/^[a-z]{2,12}$/.test(word) || spoken.length === 0 || spoken.length > longest) throw new Error(word);
      if (!spoken.every((phoneme) => phonemes.includes(phoneme))) throw new Error(`${word}: ${spoken.join(' ')}`);
    }
    expect(entries.find(({ word }) => word === 'compiler')?.phonemes).toEqual(['K', 'AH', 'M', 'P', 'AY', 'L', 'ER']);
  });
  it('leave out what does not fit', () => {
    const sample = { A: 'AH0', AB: 'AE1 B', 'AB(1)': 'EY1 B IY1', "AB'S": 'AE1 B Z', ABCDEFGHIJKLM: 'AE1' };
    const long = {
      LONG: Array<string>(longest + 1)
        .fill('AH0')
        .join(' '),
    };
    expect(entriesOf({ ...sample, ...long })).toEqual([{ word: 'ab', phonemes: ['AE', 'B'] }]);
  });
  it('do not depend on the order of the dictionary', () => {
    const some = Object.entries(dictionary).slice(0, 500);
    expect(entriesOf(Object.fromEntries([...some].reverse()))).toEqual(entriesOf(Object.fromEntries(some)));
  });
});

describe('parts', () => {
  it('share no word, and the test has unseen ones in number', () => {
    const words = new Set(entries.map(({ word }) => word));
    expect(words.size).toBe(entries.length);
    const count = Object.fromEntries(
      parts.map((part) => [part, entries.filter((e) => partOf(e.word) === part).length]),
    );
    expect(count).toEqual({ train: 102_070, validation: 5_763, test: 5_764 });
    expect(count.train).toBeGreaterThan(smallWords);
  });
});

describe('tensors', () => {
  const tensors = tensorsOf(entries.slice(0, 2000));
  const data = (name: string): ArrayLike<number> => tensors.get(name)!.data as Int32Array;
  it('give the words back', () => {
    const width = longest + 2;
    for (let row = 0; row < 2000; row++) {
      const { word, phonemes: spoken } = entries[row]!;
      const letters = Array.from(
        { length: data('letters_length')[row]! },
        (_, i) => data('letters')[row * longest + i]!,
      );
      expect(String.fromCharCode(...letters.map((letter) => letter + 96))).toBe(word);
      const sequence = Array.from({ length: width }, (_, i) => data('phonemes')[row * width + i]!);
      const end = data('phonemes_length')[row]!;
      expect([sequence[0], sequence[end]]).toEqual([start, stop]);
      expect(sequence.slice(1, end).map((code) => phonemes[code - 3])).toEqual(spoken);
      expect(sequence.slice(end + 1).every((code) => code === 0)).toBe(true);
    }
  });
  it('stay below the bounds that the programs declare', () => {
    expect([alphabet, sounds]).toEqual([27, 42]);
    expect(Math.max(...Array.from(data('letters')))).toBeLessThan(alphabet);
    expect(Math.max(...Array.from(data('phonemes')))).toBeLessThan(sounds);
    expect(Math.max(...Array.from(data('letters_length')))).toBeLessThanOrEqual(longest);
    expect(Math.max(...Array.from(data('phonemes_length')))).toBeLessThanOrEqual(longest + 1);
  });
});
