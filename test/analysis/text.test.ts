/** Tokenizers give texts back; byte pairs are merged as the paper says; sampling keeps to its restrictions and to the probabilities. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../analysis/random.ts';
import { restricted, sampled } from '../../analysis/text/sampling.ts';
import { bytePairs, characters, decoded, encoder, parseTokenizer, windows } from '../../analysis/text/tokens.ts';

const words = (word: string, count: number): string => `${word} `.repeat(count);
/** The example of Sennrich, Haddow and Birch (2016), without their end-of-word mark. */
const sample = words('low', 5) + words('lower', 2) + words('newest', 6) + words('widest', 3);

describe('tokenizers', () => {
  it('by characters: the frequent first, unknown ones are 0', () => {
    const t = characters('abba a');
    expect(t.symbols).toEqual(['', '', '', 'a', 'b', ' ']);
    expect(encoder(t)('bad')).toEqual([4, 3, 0]);
    expect(decoded(t, [3, 4])).toBe('ab');
    expect(characters('abba a', 5).symbols).toHaveLength(5);
  });
  it('by byte pairs: the frequent neighbours first', () => {
    const t = bytePairs(sample, 40);
    const made = t.merges.map(([a, b]) => t.symbols[a]! + t.symbols[b]!);
    // e-s and s-t stand 9 times in newest and widest.
    expect(['es', 'st']).toContain(made[0]);
    expect(made).toContain('est');
    expect(made).toContain(' low');
    expect(encoder(t)(' newest').length).toBe(1);
    const unseen = encoder(t)(' lowest');
    expect(unseen.length).toBeLessThan(4);
    expect(decoded(t, unseen)).toBe(' lowest');
  });
  it('give any text of their characters back, and are plain data', () => {
    const t = bytePairs(`${sample}The quick brown fox. It jumps, over\nthe lazy dog!`, 80);
    const again = parseTokenizer(JSON.stringify(t))!;
    const encode = encoder(again);
    const letters = [...new Set([...sample, ...'The quick brown fox. It jumps, over\nthe lazy dog!'])];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...letters), { maxLength: 60 }), (own) => {
        expect(decoded(again, encode(own.join('')))).toBe(own.join(''));
      }),
    );
    for (const wrong of [
      '',
      '{}',
      '{"kind":"bpe","symbols":[1],"merges":[]}',
      '{"kind":"bpe","symbols":["a"],"merges":[[1]]}',
    ])
      expect(parseTokenizer(wrong)).toBeNull();
  });
  it('windows overlap by the symbol that one predicts and the next begins with', () => {
    expect(windows([1, 2, 3, 4, 5, 6, 7, 8], 4).map((w) => [...w])).toEqual([
      [1, 2, 3, 4],
      [4, 5, 6, 7],
    ]);
  });
});

describe('sampling', () => {
  const logits = [0, Math.log(4), Math.log(3), Math.log(2)];
  const rounded = (p: Float64Array): number[] => [...p].map((v) => Math.round(v * 1000) / 1000);
  it('by temperature, k and p', () => {
    const all = { temperature: 1, topK: null, topP: null };
    expect(rounded(restricted(logits, all))).toEqual([0.1, 0.4, 0.3, 0.2]);
    expect(rounded(restricted(logits, { ...all, temperature: 0 }))).toEqual([0, 1, 0, 0]);
    expect(rounded(restricted(logits, { ...all, temperature: 0.5 }))).toEqual([0.033, 0.533, 0.3, 0.133]);
    expect(rounded(restricted(logits, { ...all, topK: 2 }))).toEqual([0, 0.571, 0.429, 0]);
    expect(rounded(restricted(logits, { ...all, topP: 0.6 }))).toEqual([0, 0.571, 0.429, 0]);
    expect(rounded(restricted(logits, { ...all, topP: 0.75 }))).toEqual([0, 0.444, 0.333, 0.222]);
    expect(rounded(restricted(logits, { ...all, topP: 0.01 }))).toEqual([0, 1, 0, 0]);
    expect(rounded(restricted([-Infinity, 0, 0], all))).toEqual([0, 0.5, 0.5]);
  });
  it('as often as the probabilities say', () => {
    const stream = new Stream(1, 1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[sampled(logits, { temperature: 1, topK: null, topP: null }, stream)]!++;
    [0.1, 0.4, 0.3, 0.2].forEach((p, i) => expect(counts[i]! / 20_000).toBeCloseTo(p, 1));
    expect(Math.abs(counts[0]! - 2000)).toBeLessThan(200);
  });
});
