import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fix, Report } from '../../compiler/diagnostics/problem.ts';
import { renderJson, renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { clip, expand, textWidth, wrap } from '../../compiler/diagnostics/terminal-text.ts';
import { Sources, type Span } from '../../compiler/source/source.ts';

const digits = `model Digits(image: float[B, 8, 8]) -> float[B, 10] {
  let x[b, (i j)] = image[b, i, j]
  let y = x |> Linear(64)
  let bias = zeros(B, 10)

  // comment
  // comment
  return y + bias
}
`;
const other = 'block Linear(out: int)(x: float[...S, D]) -> float[...S, out] {\n  x\n}\n';

function sources(...texts: string[]): Sources {
  const all = new Sources();
  (texts.length === 0 ? [digits, other] : texts).forEach((text, i) =>
    all.add(['digits.nn', 'nnc:linear.nn', 'c.nn'][i]!, text),
  );
  return all;
}

/** The span of the nth occurrence of a word. */
function at(text: string, word: string, file = 0, nth = 0): Span {
  let start = text.indexOf(word);
  for (let i = 0; i < nth; i++) start = text.indexOf(word, start + 1);
  if (start < 0) throw new Error(`no ${word}`);
  return { file, start, end: start + word.length };
}

const report = (parts: Partial<Report>): Report => ({
  code: 'NN001',
  severity: 'error',
  message: 'sizes differ',
  span: null,
  label: '',
  related: [],
  notes: [],
  fixes: [],
  ...parts,
});
const plain = (parts: Partial<Report>, from = sources(), width = 80) =>
  `\n${renderTerminal([report(parts)], from, { color: false, width })}`;

describe('renderTerminal', () => {
  it('shows a span with its label', () => {
    expect(plain({ span: at(digits, 'bias', 0, 1), label: 'this is [B, 10]' })).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:8:14
        |
      8 |   return y + bias
        |              ^^^^ this is [B, 10]
      "
    `);
  });
  it('shows several spans on one line, and lines far apart', () => {
    expect(
      plain({
        span: at(digits, 'y + bias'),
        label: 'cannot add these',
        related: [
          { span: at(digits, 'y + bias'), label: '' },
          { span: at(digits, 'x |>'), label: 'from here' },
          { span: at(digits, 'Linear(64)'), label: '64 comes from here' },
          { span: at(digits, '10', 0, 1), label: '10 comes from here' },
        ],
      }),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:8:10
        |
      3 |   let y = x |> Linear(64)
        |           ---- ---------- 64 comes from here
        |           |
        |           from here
      4 |   let bias = zeros(B, 10)
        |                       -- 10 comes from here
      ...
      8 |   return y + bias
        |          ^^^^^^^^ cannot add these
      "
    `);
  });
  it('hangs labels below one another, rightmost first', () => {
    expect(
      plain({
        span: at(digits, 'x[b'),
        label: 'the result',
        related: [
          { span: at(digits, '(i j)'), label: 'i and j are merged' },
          { span: at(digits, 'image[b, i, j]'), label: 'read here' },
        ],
      }),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:2:7
        |
      2 |   let x[b, (i j)] = image[b, i, j]
        |       ^^^  -----    -------------- read here
        |       |    |
        |       |    i and j are merged
        |       |
        |       the result
      "
    `);
  });
  it('hangs two labels from one place', () => {
    expect(
      plain({
        span: at(digits, 'x |>'),
        label: 'first',
        related: [
          { span: at(digits, 'x |>'), label: 'second' },
          { span: at(digits, 'Linear(64)'), label: 'third' },
        ],
      }),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:3:11
        |
      3 |   let y = x |> Linear(64)
        |           ^^^^ ---------- third
        |           |
        |           first
        |           second
      "
    `);
  });
  it('shows other files below, with notes', () => {
    expect(
      plain({
        span: at(digits, 'Linear(64)'),
        label: 'this call',
        related: [{ span: at(other, '...S, D', 1), label: 'wants this' }],
        notes: ['64 = 8 * 8:\n  8 from image at 1:24\n  8 from image at 1:27', 'write `x |> Linear(10)`'],
      }),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:3:16
        |
      3 |   let y = x |> Linear(64)
        |                ^^^^^^^^^^ this call
       ::: nnc:linear.nn:1:33
        |
      1 | block Linear(out: int)(x: float[...S, D]) -> float[...S, out] {
        |                                 ------- wants this
        |
        = note: 64 = 8 * 8:
                  8 from image at 1:24
                  8 from image at 1:27
        = note: write \`x |> Linear(10)\`
      "
    `);
  });
  it('marks every line of a span, without the middle of a long one', () => {
    const whole = { file: 0, start: 0, end: digits.length };
    expect(plain({ span: whole, label: 'unused' })).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
        --> digits.nn:1:1
         |
       1 | model Digits(image: float[B, 8, 8]) -> float[B, 10] {
         | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       2 |   let x[b, (i j)] = image[b, i, j]
         |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      ...
       8 |   return y + bias
         |   ^^^^^^^^^^^^^^^
       9 | }
         | ^ unused
      "
    `);
    const two = { file: 1, start: other.indexOf('{'), end: other.indexOf('x\n') + 1 };
    expect(plain({ span: two, label: 'the body' })).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> nnc:linear.nn:1:63
        |
      1 | block Linear(out: int)(x: float[...S, D]) -> float[...S, out] {
        |                                                               ^
      2 |   x
        |   ^ the body
      "
    `);
  });
  it('shows fixes as differences', () => {
    const fixes: Fix[] = [
      { title: 'use 10 outputs', applicability: 'always', edits: [{ span: at(digits, '64'), text: '10' }] },
      {
        title: 'remove the bias',
        applicability: 'maybe',
        edits: [
          { span: at(digits, ' + bias'), text: '' },
          { span: at(digits, '  let bias = zeros(B, 10)\n'), text: '' },
        ],
      },
      {
        title: 'state it',
        applicability: 'placeholder',
        edits: [{ span: { ...at(digits, '  let x'), end: at(digits, '  let x').start }, text: '  require …\n' }],
      },
    ];
    expect(plain({ span: at(digits, 'Linear(64)'), fixes })).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:3:16
        |
      3 |   let y = x |> Linear(64)
        |                ^^^^^^^^^^
      fix: use 10 outputs
       --> digits.nn:3
      3 | -   let y = x |> Linear(64)
      3 | +   let y = x |> Linear(10)
      possible fix: remove the bias
       --> digits.nn:4
      4 | -   let bias = zeros(B, 10)
       --> digits.nn:8
      8 | -   return y + bias
      8 | +   return y
      fix, with a part for you to fill in: state it
       --> digits.nn:2
      2 | +   require …
      "
    `);
  });
  it('shows problems without a place', () => {
    expect(plain({ message: 'cannot read digits.csv: there is no such file', notes: ['a note'], severity: 'warning' }))
      .toMatchInlineSnapshot(`
      "
      warning[NN001]: cannot read digits.csv: there is no such file
      = note: a note
      "
    `);
  });
  it('keeps marks under wide characters, tabs and combining marks', () => {
    const text = 'let 変数 = "😀"\t+ e\u0301t\u0009bad\n';
    expect(
      plain(
        { span: at(text, 'bad'), label: 'here', related: [{ span: at(text, '変数'), label: '二つ' }] },
        sources(text),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:1:21
        |
      1 | let 変数 = "😀" + ét    bad
        |     ----                ^^^ here
        |     |
        |     二つ
      "
    `);
    expect(plain({ span: at(text, '"😀"'), label: 'a face' }, sources(text))).toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:1:10
        |
      1 | let 変数 = "😀" + ét    bad
        |            ^^^^ a face
      "
    `);
  });
  it('marks the end of a line and of a file, and an empty file', () => {
    const text = 'let x =';
    expect(plain({ span: { file: 0, start: 7, end: 7 }, label: 'expected a value' }, sources(text)))
      .toMatchInlineSnapshot(`
      "
      error[NN001]: sizes differ
       --> digits.nn:1:8
        |
      1 | let x =
        |        ^ expected a value
      "
    `);
    expect(plain({ span: { file: 0, start: 3, end: 4 }, label: 'the break' }, sources('a b\nc'))).toContain(
      '1 | a b\n  |    ^ the break',
    );
    expect(plain({ span: { file: 0, start: 0, end: 0 } }, sources(''))).toContain('--> digits.nn:1:1');
  });
  it('wraps what is too long and cuts long lines around the marks', () => {
    const text = `let x = ${Array.from({ length: 40 }, (_, i) => `a${i}`).join(' + ')}\n`;
    expect(
      plain(
        {
          span: at(text, 'a20 + a21'),
          label: 'a label that is too long for what is left of the line',
          message: 'a message that is itself too long for the line and goes on below',
          notes: ['and a note that is too long for the line as well, so that it wraps'],
        },
        sources(text),
        50,
      ),
    ).toMatchInlineSnapshot(`
      "
      error[NN001]: a message that is itself too long
        for the line and goes on below
       --> digits.nn:1:119
        |
      1 | … + a18 + a19 + a20 + a21 + a22 + a23 + a24 +…
        |                 ^^^^^^^^^
        |                 |
        |               a label that is too long for
        |               what is left of the line
        |
        = note: and a note that is too long for the line
                as well, so that it wraps
      "
    `);
  });
  it('draws control characters as pictures', () => {
    const text = 'let \x1b[31mx = \u202e1\n';
    const shown = plain({ span: at(text, 'x'), message: 'red \x1b[31m', label: '\x07' }, sources(text));
    expect(shown).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    expect(shown).toContain('let ␛[31mx = \ufffd1');
  });
  it('colours nothing but with colours', () => {
    const parts = {
      span: at(digits, 'bias', 0, 1),
      label: 'this',
      related: [{ span: at(digits, 'y +'), label: 'that' }],
      fixes: [{ title: 'mend', applicability: 'always' as const, edits: [{ span: at(digits, '64'), text: '10' }] }],
    };
    const colored = renderTerminal([report(parts)], sources(), { color: true, width: 80 });
    expect(colored.replace(/\x1b\[[\d;]*m/g, '')).toBe(plain(parts).slice(1));
    expect(colored).toContain('\x1b[1;31m^^^^ this\x1b[0m');
  });
  it('separates reports by an empty line', () => {
    const two = renderTerminal([report({ message: 'one' }), report({ message: 'two' })], sources(), {
      color: false,
      width: 80,
    });
    expect(two).toBe('error[NN001]: one\n\nerror[NN001]: two\n');
    expect(renderTerminal([], sources(), { color: false, width: 80 })).toBe('');
  });

  it('never throws, never writes beyond the width, and underlines exactly the span', () => {
    const char = fc.constantFrom('a', 'b', ' ', '\t', '\n', '変', '😀', 'e\u0301', '\r\n', '\u0007', ']');
    const text = fc.array(char, { maxLength: 60 }).map((chars) => chars.join(''));
    const place = fc.tuple(fc.nat(100), fc.nat(100));
    fc.assert(
      fc.property(
        text,
        fc.array(place, { minLength: 1, maxLength: 4 }),
        fc.string({ maxLength: 80 }),
        (source, places, label) => {
          const spans = places.map(([a, b]) => {
            const [start, end] = [a % (source.length + 1), b % (source.length + 1)];
            return { file: 0, start: Math.min(start, end), end: Math.max(start, end) };
          });
          const shown = plain(
            { span: spans[0]!, label, related: spans.slice(1).map((span) => ({ span, label })), notes: [label] },
            sources(source),
            44,
          );
          for (const line of shown.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(46);
          expect(shown).toContain('^');
        },
      ),
      { seed: 6, numRuns: 2000 },
    );
  });
});

describe('text on the grid', () => {
  it('knows widths', () => {
    expect([textWidth('abc'), textWidth('変数'), textWidth('e\u0301'), textWidth('😀'), textWidth('─')]).toEqual([
      3, 4, 1, 2, 1,
    ]);
    expect(expand('\ta\tb').text).toBe('    a   b');
    expect(expand('😀a').columns).toEqual([0, 0, 2, 3]);
  });
  it('wraps at spaces', () => {
    expect(wrap('one two three four', 10)).toEqual(['one two', 'three four']);
    expect(wrap('abcdefghijklmno', 10)).toEqual(['abcdefghij', 'klmno']);
    expect(wrap('  indented words here', 14)).toEqual(['  indented', 'words here']);
  });
  it('clips around what matters', () => {
    expect(clip('0123456789abcdef', [], 10).text).toBe('012345678…');
    expect(clip('0123456789abcdef', [{ start: 14, end: 16 }], 10)).toEqual({
      text: '…789abcdef',
      parts: [{ start: 8, end: 10 }],
    });
  });
});

describe('renderJson', () => {
  it('gives one line a report, with places from 1', () => {
    const lines = renderJson(
      [
        report({
          span: at(digits, 'bias', 0, 1),
          label: 'this',
          related: [{ span: at(other, 'D', 1), label: 'that' }],
          notes: ['two\nlines'],
          fixes: [{ title: 'mend', applicability: 'always', edits: [{ span: at(digits, '64'), text: '10' }] }],
        }),
        report({}),
      ],
      sources(),
    );
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    expect(JSON.parse(lines[0]!)).toMatchInlineSnapshot(`
      {
        "code": "NN001",
        "fixes": [
          {
            "applicability": "always",
            "edits": [
              {
                "place": {
                  "column": 23,
                  "endColumn": 25,
                  "endLine": 3,
                  "file": "digits.nn",
                  "line": 3,
                },
                "text": "10",
              },
            ],
            "title": "mend",
          },
        ],
        "label": "this",
        "message": "sizes differ",
        "notes": [
          "two
      lines",
        ],
        "place": {
          "column": 14,
          "endColumn": 18,
          "endLine": 8,
          "file": "digits.nn",
          "line": 8,
        },
        "related": [
          {
            "label": "that",
            "place": {
              "column": 39,
              "endColumn": 40,
              "endLine": 1,
              "file": "nnc:linear.nn",
              "line": 1,
            },
          },
        ],
        "severity": "error",
      }
    `);
    expect(JSON.parse(lines[1]!)).toMatchObject({ code: 'NN001', place: null });
  });
});
