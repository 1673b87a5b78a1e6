/** BLEU and chrF against sacrebleu (test/fixtures/make_scores.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bleu, bleuTokens, characterTokens, chrf } from '../../analysis/text/scores.ts';

const { cases, tokens } = JSON.parse(readFileSync('test/fixtures/scores.json', 'utf8')) as {
  cases: { translations: string[]; references: string[]; bleu: number; characters: number; chrf: number }[];
  tokens: [string, string[]][];
};

describe('scores', () => {
  cases.forEach(({ translations, references, ...wanted }, i) => {
    it(`are sacrebleu's: case ${i}`, () => {
      expect(bleu(translations, references)).toBeCloseTo(wanted.bleu, 8);
      expect(bleu(translations, references, characterTokens)).toBeCloseTo(wanted.characters, 8);
      expect(chrf(translations, references)).toBeCloseTo(wanted.chrf, 8);
    });
  });
  it('split tokens as sacrebleu does', () => {
    for (const [text, wanted] of tokens) expect(bleuTokens(text)).toEqual(wanted);
  });
});
