/**
 * The server under abuse: requests of every kind at places that do not exist, for documents that are not open, with parameters of the wrong form, out of order and
 * cancelled; and thousands of edits, after which it needs no more memory than before.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { analyse } from '../../editor/analysis.ts';
import { diagnostics } from '../../editor/features/diagnostics.ts';
import { randomFrom } from '../grammar/support.ts';
import { bundleServer, Client, root } from './client.ts';

let folder: string;
let server: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nnc-robust-'));
  server = await bundleServer(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `NNC_EDITS=10000` for the whole of it. */
const edits = Number(process.env['NNC_EDITS'] ?? 800);

const METHODS = [
  'hover',
  'definition',
  'references',
  'documentHighlight',
  'prepareRename',
  'rename',
  'completion',
  'signatureHelp',
  'documentSymbol',
  'foldingRange',
  'inlayHint',
  'semanticTokens/full',
  'formatting',
  'rangeFormatting',
  'codeAction',
  'codeLens',
  'noSuchThing',
];

it('a fuzzed session: every request is answered, and afterwards it says what a fresh check says', async () => {
  const client = new Client(server);
  await client.start();
  const random = randomFrom(4);
  const pick = <T>(...items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const number = (): number => pick(0, 1, 5, 20, 1000, 1e9, -1, -5, 0.5, Math.floor(random() * 60));
  const position = (): unknown =>
    pick<unknown>({ line: number(), character: number() }, { line: number(), character: number() }, {}, null, {
      line: 'x',
      character: null,
    });
  const uri = (): unknown =>
    pick<unknown>(
      client.uri('a.nn'),
      client.uri('a.nn'),
      client.uri('b.nn'),
      client.uri('gone.nn'),
      'untitled:1',
      'nonsense',
      '',
      7,
      null,
    );
  const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
  await client.open('a.nn', text);
  await client.open(
    'b.nn',
    'import Digits from "./a.nn"\nmodel M(x: float[B, 8, 8]) -> float[B, 10] { return Digits(x) }\n',
  );
  const answers: Promise<unknown>[] = [];
  let refused = 0;
  const send = (method: string, params: object): void => {
    answers.push(client.connection.sendRequest(method, params).catch(() => refused++));
  };
  for (let k = 0; k < 1500; k++) {
    const textDocument = { uri: uri(), version: number() };
    const range = { start: position(), end: position() };
    switch (Math.floor(random() * 8)) {
      case 0:
        await client.connection.sendNotification('textDocument/didChange', {
          textDocument: { uri: pick(client.uri('b.nn'), client.uri('gone.nn'), 'nonsense'), version: number() },
          contentChanges: pick<unknown>(
            [],
            [{ text: pick('x', '', text, 'model ') }],
            [{ range, text: pick('(', '\n', '😀') }],
            null,
          ),
        });
        break;
      case 1:
        await client.connection.sendNotification(
          pick(
            'textDocument/didClose',
            'textDocument/didOpen',
            'textDocument/didSave',
            'workspace/didChangeWatchedFiles',
            '$/whatever',
          ),
          {
            textDocument: { ...textDocument, text: pick('', 'fn f(x: float) = x', '\u0000') },
            changes: [{ uri: client.uri('a.nn'), type: number() }],
          },
        );
        break;
      case 2: {
        const id = 1_000_000 + k;
        await client.connection.sendNotification('$/cancelRequest', { id: pick<unknown>(id, 'x', null) });
        break;
      }
      default:
        send(
          `textDocument/${pick(...METHODS)}`,
          pick<object>(
            {
              textDocument,
              position: position(),
              range,
              context: { diagnostics: [], only: pick<unknown>(undefined, ['quickfix'], ['source.fixAll'], 5) },
              newName: pick('q', 'let', '', '1x'),
              options: {},
            },
            { textDocument, position: position() },
            {},
          ),
        );
    }
  }
  await Promise.all(answers);
  expect(refused).toBeGreaterThan(10);
  expect(client.child.exitCode).toBeNull();
  // Whatever happened to the documents, they can be opened anew.
  for (const name of ['a.nn', 'b.nn'])
    await client.connection.sendNotification('textDocument/didClose', { textDocument: { uri: client.uri(name) } });
  expect((await client.open('a.nn', text)).map((d) => d.code)).toEqual([]);
  const wrong = text.replace('Linear(10)', 'Linear(11)');
  const fresh = diagnostics(analyse('c.nn', wrong, { read: () => null }));
  expect(fresh.length).toBeGreaterThan(0);
  expect((await client.open('c.nn', wrong)).map((d) => d.code)).toEqual(fresh.map((d) => d.code));
  await client.stop();
});

it(`${edits} edits leave nothing behind`, async () => {
  const preload = join(folder, 'heap.cjs');
  writeFileSync(
    preload,
    "process.on('SIGUSR2', () => { gc(); gc(); process.stderr.write(`heap ${process.memoryUsage().heapUsed}\\n`); });\n",
  );
  const client = new Client(server, ['--expose-gc', '--require', preload]);
  await client.start();
  const base = `block Two(hidden: int)(x: float[B, D]) -> float[B, D] {
  let y[b, d] = 2 * x[b, d]
  return y |> Linear(hidden) |> relu |> Linear(D)
}
model Net(x: float[B, 6]) -> float[B, 4] { return x |> Two(8) |> Linear(4) }
`;
  await client.open('e.nn', base);
  const heap = async (): Promise<number> => {
    const before = client.logs.length;
    client.child.kill('SIGUSR2');
    while (client.logs.length === before) await new Promise((done) => setTimeout(done, 20));
    return Number(/heap (\d+)/.exec(client.logs.slice(before).join(''))![1]);
  };
  const random = randomFrom(9);
  const letters = 'xyzwdb';
  const edit = async (k: number): Promise<void> => {
    const now = client.text('e.nn');
    // A letter in, and out again; every few edits a word that was never seen before.
    const at = Math.floor(random() * now.length);
    const word = k % 5 === 0 ? `n${k}` : letters[k % letters.length]!;
    await client.change('e.nn', at, at, word);
    if (k % 3 === 0) await client.ask('hover', 'e.nn', { position: { line: k % 5, character: 12 } });
    await client.change('e.nn', at, at + word.length, '');
  };
  for (let k = 0; k < 600; k += 2) await edit(k);
  const early = await heap();
  for (let k = 0; k < edits; k += 2) await edit(k + 600);
  const late = await heap();
  process.stdout.write(
    `  heap ${(early / 2 ** 20).toFixed(1)} MiB, after ${edits} more edits ${(late / 2 ** 20).toFixed(1)} MiB\n`,
  );
  // The tables of sizes grow by what was never seen before: some hundred bytes a word.
  expect(late - early).toBeLessThan(2 ** 20 + edits * 200);
  await client.stop();
});
