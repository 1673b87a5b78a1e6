/** Every program of the language reference goes through the front of the compiler. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkSource, compile } from '../../compiler/index.ts';

const text = readFileSync('docs/language.md', 'utf8');
const blocks = [...text.matchAll(/^```nn(.*)\n([\s\S]*?)^```$/gm)].map((m) => ({
  mark: m[1]!.trim(),
  program: m[2]!,
  line: text.slice(0, m.index).split('\n').length,
}));

describe('docs/language.md', () => {
  it('has programs', () => expect(blocks.length).toBeGreaterThan(15));
  for (const { mark, program, line } of blocks) {
    it(`line ${line}${mark === '' ? '' : ` (${mark})`}`, () => {
      const result =
        mark === 'check'
          ? checkSource(program)
          : compile(program, { bounds: { B: 4, T: 8, S: 8, N: 8, E: 8, H: 2, D: 8 } });
      const codes = result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code}: ${r.message}`);
      if (/^NN\d+$/.test(mark)) {
        expect(codes.length, 'it should be refused').toBeGreaterThan(0);
        expect(codes[0]).toContain(mark);
      } else expect(codes).toEqual([]);
    });
  }
});
