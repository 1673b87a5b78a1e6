/** Programs as they are while somebody types: parts deleted, lines cut, words doubled. Every feature answers, and nothing is thrown. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyse, type Analysis } from '../../editor/analysis.ts';
import { completions } from '../../editor/features/completion.ts';
import { diagnostics } from '../../editor/features/diagnostics.ts';
import { printModule } from '../../editor/prettier-plugin/print.ts';
import { hover } from '../../editor/features/hover.ts';
import { inlayHints } from '../../editor/features/inlay.ts';
import { lenses } from '../../editor/features/lens.ts';
import { definition, references, renameable } from '../../editor/features/navigate.ts';
import { signatureHelp } from '../../editor/features/signature-help.ts';
import { folds, outline } from '../../editor/features/structure.ts';
import { semanticTokens } from '../../editor/features/tokens.ts';
import { root } from './client.ts';

const folders = ['examples', 'examples/design', 'library'];
const programs = folders.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((f) => f.endsWith('.nn'))
    .map((f) => ({ name: `${folder}/${f}`, text: readFileSync(join(root, folder, f), 'utf8') })),
);
/** Proving the reads of convolutions inside takes a second a check: these are looked at once, and not in every damaged form. */
const slow = /Conv2d|max_pool/;

const host = { read: (): null => null };

/** All that an editor asks at a keystroke. Places must lie in the text. */
function everything(text: string, offset: number): Analysis {
  const a = analyse('typed.nn', text, host);
  expect(a.failure).toBeNull();
  const inside = (start: number, end: number): void => {
    expect(start).toBeGreaterThanOrEqual(0);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(end).toBeLessThanOrEqual(text.length);
  };
  for (const d of diagnostics(a)) inside(d.span.start, d.span.end);
  const h = hover(a, offset);
  if (h !== null) inside(h.span.start, h.span.end);
  for (const i of inlayHints(a, 0, text.length, 'bytes')) inside(i.offset, i.offset);
  let last = 0;
  for (const t of semanticTokens(a)) {
    inside(t.start, t.start + t.length);
    // Tokens that overlap are refused by editors.
    expect(t.start).toBeGreaterThanOrEqual(last);
    last = t.start + t.length;
  }
  for (const f of folds(a)) inside(f.start, f.end);
  for (const s of outline(a)) inside(s.span.start, s.span.end);
  const labels = completions(a, offset).map((c) => c.label);
  expect(new Set(labels).size).toBe(labels.length);
  definition(a, offset);
  references(a, offset, true);
  renameable(a, offset);
  signatureHelp(a, offset);
  lenses(a);
  printModule(a.module.ast, text);
  return a;
}

describe('incomplete programs', () => {
  for (const { name, text } of programs)
    it(name, () => {
      everything(text, text.length >> 1);
      if (slow.test(text)) return;
      // Not every place: the whole suite has to stay quick.
      const tokens = [...text.matchAll(/[A-Za-z_]\w*|\d+|[^\s\w]/g)];
      const every = Math.max(1, Math.ceil(tokens.length / 4));
      for (let k = 0; k < tokens.length; k += every) {
        const t = tokens[k]!;
        everything(text.slice(0, t.index) + text.slice(t.index + t[0].length), t.index);
        everything(text.slice(0, t.index), t.index);
      }
    });

  it('any damage', () => {
    const damage = fc.record({
      program: fc.constantFrom(...programs.filter((p) => !slow.test(p.text))),
      from: fc.nat(4000),
      length: fc.nat(60),
      insert: fc.constantFrom(
        '',
        '(',
        ')',
        '[',
        '{',
        '}',
        '|> ',
        '\n',
        'let ',
        ' where ',
        '...',
        '"',
        '.',
        ': ',
        'sum[',
        '= ',
      ),
    });
    fc.assert(
      fc.property(damage, ({ program, from, length, insert }) => {
        const { text } = program;
        const start = from % (text.length + 1);
        everything(text.slice(0, start) + insert + text.slice(start + length), start + insert.length);
      }),
      { seed: 20, numRuns: 25 },
    );
  });
});

describe('right programs', () => {
  for (const { name, text } of programs.filter((p) => p.name.startsWith('examples/') && !p.name.includes('design')))
    it(`${name}: every name is known`, () => {
      const a = analyse('right.nn', text, host);
      expect(diagnostics(a).filter((d) => d.severity === 'error')).toEqual([]);
      const names = a.names().byFile.get(a.file)!;
      // What the index does not know is a word of the language, a comment, a string, or a built-in type.
      const known = new Set(names.map((o) => o.span.start));
      const blanked = text.replace(/\/\/[^\n]*|"[^"]*"/g, (m) => ' '.repeat(m.length));
      const language =
        /^(const|fn|block|model|train|mask|loss|metric|optimizer|schedule|let|return|yield|repeat|scan|if|else|require|and|or|not|where|true|false|import|from|as|param|state|carry|input|minimize|batch|epochs|validate|split|patience|over|along|in|reversed|for|gradient|parts|every|until|with|folds|runs|storage|float|f32|i32|int|bool|size|sum|max|min|mean|prod|any|all|argmax|logsumexp|softmax|wrt)$/;
      const unknown = [...blanked.matchAll(/(?<![\d.\w])[A-Za-z_]\w*/g)].filter(
        (m) => !known.has(m.index) && !language.test(m[0]),
      );
      // A mask that is a configuration has positions, but no declaration where they would have names.
      const abstract = name.endsWith('phonemes.nn') ? ['q', 'k'] : [];
      expect(unknown.map((m) => m[0])).toEqual(abstract);
    });
});
