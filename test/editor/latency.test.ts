/**
 * How long an editor waits, through the protocol, in a file of a thousand lines that imports another. The figures are printed and not judged:
 * they depend on the machine. What is judged is that the server, after many edits, says what a fresh look at the text says.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { analyse } from '../../editor/analysis.ts';
import { diagnostics } from '../../editor/features/diagnostics.ts';
import { bundleServer, Client, root } from './client.ts';

const example = readFileSync(join(root, 'examples/phonemes.nn'), 'utf8');
const shared = 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n';

/** Blocks of the transformer example over and over under other names, behind an import. */
function thousandLines(): string {
  const blocks = example.slice(example.indexOf('/// Multi-head'), example.indexOf('/// Position t'));
  const lines = ['import scaled from "./shared.nn"', ''];
  for (let k = 0; lines.length < 1000; k++) {
    const copy = blocks.replace(/\b(Attention|FeedForward|EncoderLayer|DecoderLayer)\b/g, `$1${k}`);
    lines.push(...copy.split('\n'), `fn again${k}(x: float[N, D]) -> float[N, D] = scaled(x, by: ${k + 1})`, '');
  }
  return `${lines.join('\n')}\n`;
}

let folder: string;
let client: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nnc-latency-'));
  client = new Client(await bundleServer(folder));
  writeFileSync(join(client.folder, 'shared.nn'), shared);
  await client.start();
});
afterAll(async () => {
  expect(await client.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

const figure = (what: string, times: number[]): string => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (q: number): string => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!.toFixed(1);
  return `${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, ${times.length} times`;
};

it('latency in 1,000 lines', async () => {
  const text = thousandLines();
  const report: string[] = [`${text.split('\n').length} lines`];
  const timed = async (f: () => Promise<unknown>): Promise<number> => {
    const before = performance.now();
    await f();
    return performance.now() - before;
  };
  report.push(`open to diagnostics: ${(await timed(() => client.open('large.nn', text))).toFixed(0)} ms`);
  const middle = text.indexOf('let score', text.length >> 1);
  const keystrokes: number[] = [];
  for (let k = 0; k < 20; k++)
    keystrokes.push(
      await timed(() => client.change('large.nn', middle + 4, middle + 4 + (k % 2), k % 2 === 0 ? 'x' : '')),
    );
  report.push(figure('keystroke to diagnostics', keystrokes));
  const position = client.at('large.nn', 'let score', 5);
  const range = { start: { line: 0, character: 0 }, end: { line: 80, character: 0 } };
  const requests: [string, object][] = [
    ['hover', { position }],
    ['completion', { position }],
    ['definition', { position }],
    ['inlayHint', { range }],
    ['semanticTokens/full', {}],
    ['documentSymbol', {}],
    ['foldingRange', {}],
  ];
  for (const [method, more] of requests) {
    const times: number[] = [];
    for (let k = 0; k < 20; k++) times.push(await timed(() => client.ask(method, 'large.nn', more)));
    report.push(figure(method, times));
  }
  process.stdout.write(`${report.map((r) => `  ${r}`).join('\n')}\n`);
  expect(keystrokes).toHaveLength(20);
});

it('after hundreds of edits and requests without a pause it says what a fresh check says', async () => {
  const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
  await client.open('fuzz.nn', text);
  const edits = fc.sample(
    fc.record({
      at: fc.nat(2000),
      length: fc.nat(6),
      insert: fc.constantFrom('', 'x', '(', ')', '[', '}', '\n', ' let ', '|>', '"', 'é', '😀'),
    }),
    { seed: 3, numRuns: 300 },
  );
  const methods = [
    'hover',
    'completion',
    'definition',
    'signatureHelp',
    'documentSymbol',
    'semanticTokens/full',
    'foldingRange',
  ];
  const answers: Promise<unknown>[] = [];
  for (const [k, e] of edits.entries()) {
    const now = client.text('fuzz.nn');
    const start = e.at % (now.length + 1);
    await client.edit('fuzz.nn', start, Math.min(now.length, start + e.length), e.insert);
    answers.push(
      client.ask(methods[k % methods.length]!, 'fuzz.nn', { position: { line: k % 20, character: k % 30 } }),
    );
  }
  await Promise.all(answers);
  expect(client.logs).toEqual([]);
  const last = await client.change('fuzz.nn', 0, 0, ' ');
  const fresh = diagnostics(analyse('fuzz.nn', client.text('fuzz.nn'), { read: () => null }));
  expect(last.map((d) => d.code)).toEqual(fresh.map((d) => d.code));
  expect(await client.set('fuzz.nn', text)).toEqual([]);
});
