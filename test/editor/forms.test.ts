/**
 * The editor on every form of the language: properties that hold for each name of a text, over the protocol. The corpus is the reference's own
 * programs (docs/language.md), so that a form which the language gains is held to them on the day that it is described.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CodeLens,
  CompletionList,
  DocumentSymbol,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  SemanticTokens,
  TextEdit,
  WorkspaceEdit,
} from 'vscode-languageserver/node';
import { lexer } from '../../grammar/tokens.ts';
import { diagnoseText, documented } from '../lint/support.ts';
import { bundleServer, Client } from './client.ts';

/** What the reference shows in pieces, in one program. */
const together = `/// Records, objectives and trainings in one program.
const width = 16
block Step(x: float[B, D]) -> float[B, D] {
  let hard = floor(x)
  return surrogate(hard, gradient: x) + (x |> up: Linear(D))
}
model Net(x: float[B, 8]) -> float[B, 4] {
  let h = x |> first: Linear(width) |> relu
  rounds: repeat 2 { h = h |> step: Step }
  return h |> out: Linear(4)
}
model Root(x: float[B], N: size) -> (root: float[B], trace: float[B, N]) {
  require N <= 32
  let y = x
  scan n in N {
    let next = 0.5 * (y + 2 / y)
    yield trace[b, n] = next[b] else 0
    let small = abs(next - y) < 1e-6
    y = next
    until all(small)
  }
  return (root: y, trace: trace)
}
checkpoint other for Net {
  first.weight[o, d] = "a.kernel"[d, o]
  first.bias = "a.b"
}
train Fit {
  input x: float[B, 8]
  input target: float[B, 4]
  state average: record = Net.params
  let guess = Net(x)
  let loss = mean_squared_error(guess, target)
  let moved = Net with (Net.params - 0.1 * grad(loss, wrt: Net.params))
  minimize loss + mean_squared_error(moved(x), target) over Net
  average = 0.99 * average + 0.01 * Net.params
  metric smoothed = mean_squared_error(eval(Net with average)(x), target)
  gradient |> clip_norm(1)
  optimizer Adam(lr: 1e-3) for "first.*"
  optimizer SGD(lr: 0.1)
  batch B = 16 in 4 parts
  epochs 2
  validate(folds: 5)
  runs 3
  precision f32
}
`;

const corpus = [{ name: 'all together', text: together }, ...documented()].map(({ name, text }) => ({
  name,
  text: text.endsWith('\n') ? text : `${text}\n`,
}));

let folder: string;
let client: Client;
let capabilities: { semanticTokensProvider: { legend: { tokenTypes: string[] } } };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nnc-forms-'));
  client = new Client(await bundleServer(folder));
  capabilities = (await client.start({ canRun: true })) as never;
});
afterAll(async () => {
  expect(await client.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
  expect(client.logs).toEqual([]);
});

interface Word {
  readonly text: string;
  readonly offset: number;
}
const words = (text: string): Word[] =>
  lexer
    .tokenize(text)
    .tokens.filter((t) => /^[A-Za-z_]\w*$/.test(t.image))
    .map((t) => ({ text: t.image, offset: t.startOffset }));

const place = (text: string, offset: number) => {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length - 1, character: before.at(-1)!.length };
};
const offsetOf = (text: string, p: { readonly line: number; readonly character: number }): number =>
  text
    .split('\n')
    .slice(0, p.line)
    .reduce((n, l) => n + l.length + 1, p.character);

let opened = 0;
const open = async (text: string): Promise<string> => {
  const name = `form${++opened}.nn`;
  expect(await client.open(name, text)).toEqual([]);
  return name;
};

describe.each(corpus)('$name', ({ text }) => {
  it('each name leads to its declaration, whose references lead back; renaming all of them keeps the program whole', async () => {
    const name = await open(text);
    const uri = client.uri(name);
    const seen = new Map<number, { readonly from: Word; readonly references: readonly number[] }>();
    for (const w of words(text)) {
      const position = place(text, w.offset);
      const l = await client.ask<Location | null>('definition', name, { position });
      if (l === null || l.uri !== uri) continue;
      const target = offsetOf(text, l.range.start);
      const known = seen.get(target);
      if (known !== undefined) {
        expect(known.references, `${w.text} at ${w.offset}`).toContain(w.offset);
        continue;
      }
      const all = await client.ask<Location[]>('references', name, {
        position,
        context: { includeDeclaration: true },
      });
      const references = all.filter((r) => r.uri === uri).map((r) => offsetOf(text, r.range.start));
      expect(references, `${w.text} at ${w.offset}`).toContain(w.offset);
      seen.set(target, { from: w, references });
    }
    for (const { from } of seen.values()) {
      const renamed = await client
        .ask<WorkspaceEdit | null>('rename', name, { position: place(text, from.offset), newName: 'renamed_here' })
        .catch((error: unknown) => String(error));
      // Some names cannot be changed (a word of a signature that others give by name), which is said.
      if (typeof renamed === 'string' || renamed === null) continue;
      const edits = [...renamed.changes![uri]!].sort(
        (a, b) => offsetOf(text, b.range.start) - offsetOf(text, a.range.start),
      );
      let after = text;
      for (const e of edits)
        after = after.slice(0, offsetOf(text, e.range.start)) + e.newText + after.slice(offsetOf(text, e.range.end));
      const wrong = diagnoseText(after, { fixes: false }).reports.filter((r) => r.severity === 'error');
      expect(
        wrong.map((r) => r.message),
        `${from.text} at ${from.offset}`,
      ).toEqual([]);
    }
  }, 120_000);

  it('hover, completion, colours, hints, outline and form', async () => {
    const name = await open(text);
    const own = words(text);
    let told = 0;
    for (const w of own) {
      const h = await client.ask<Hover | null>('hover', name, { position: place(text, w.offset) });
      if (h === null) continue;
      told++;
      expect((h.contents as MarkupContent).value).not.toMatch(/: undefined|\bundefined$|\[object/);
    }
    expect(told).toBeGreaterThan(own.length / 3);
    // After each opening brace a statement may begin.
    for (const m of text.matchAll(/\{\n/g)) {
      const list = await client.ask<CompletionList | null>('completion', name, {
        position: place(text, m.index + 2),
      });
      expect(list?.items.length ?? 0).toBeGreaterThan(0);
    }
    const { data } = await client.ask<SemanticTokens>('semanticTokens/full', name);
    const kinds = capabilities.semanticTokensProvider.legend.tokenTypes;
    let [line, character] = [0, 0];
    for (let k = 0; k < data.length; k += 5) {
      line += data[k]!;
      character = data[k] === 0 ? character + data[k + 1]! : data[k + 1]!;
      const at = offsetOf(text, { line, character });
      expect(text.slice(at, at + data[k + 2]!)).toMatch(/^\S(.*\S)?$/);
      expect(kinds[data[k + 3]!]).toBeDefined();
    }
    const range = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };
    for (const style of ['names', 'sizes', 'bytes']) {
      await client.connection.sendNotification('workspace/didChangeConfiguration', {
        settings: { nn: { inlayHints: style } },
      });
      const hints = await client.ask<InlayHint[]>('inlayHint', name, { range });
      for (const h of hints) expect(String(h.label)).not.toMatch(/undefined|#|@/);
      if (/^ {2}let /m.test(text)) expect(hints.length, style).toBeGreaterThan(0);
    }
    const symbols = await client.ask<DocumentSymbol[]>('documentSymbol', name);
    expect(symbols.length).toBeGreaterThan(0);
    const edits =
      (await client.ask<TextEdit[] | null>('formatting', name, { options: { tabSize: 2, insertSpaces: true } })) ?? [];
    const formatted = client.edited(name, edits);
    expect(diagnoseText(formatted, { fixes: false }).reports).toEqual([]);
    const lenses = await client.ask<CodeLens[]>('codeLens', name);
    expect(lenses.filter((l) => l.command?.command === 'nn.run')).toHaveLength([...text.matchAll(/^train /gm)].length);
  }, 120_000);
});

describe('what hover says of gradients', () => {
  it('whether one comes through a surrogate, a stop and to a record', async () => {
    const name = await open(together);
    const hover = async (piece: string): Promise<string> => {
      const h = await client.ask<Hover | null>('hover', name, { position: client.at(name, piece, 0) });
      return h === null ? '' : (h.contents as MarkupContent).value;
    };
    expect(await hover('hard = floor')).toContain(
      'No gradient: the result of `Step` depends on it only through `surrogate`',
    );
    expect(await hover('h = x |> first')).toContain('Gradient: flows to it from the result of `Net`');
    // With parameters as values the reading does not follow, and says nothing rather than something wrong.
    expect(await hover('guess = Net')).not.toContain('radient:');
  });
});
