/**
 * How long an editor waits: the language server as the extension bundles it, driven over its standard streams, in a file of 1,000 lines that
 * imports two others. `node bench/editor.mjs [KEYSTROKES]`; prints medians and 99th percentiles of wall time.
 *
 * A keystroke is one letter typed into (or deleted from) a body, a signature or a comment somewhere in the file; it ends when the
 * diagnostics of that version of the document arrive. Run it with `taskset -c 0` to have client and server share one core.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-languageserver/node';

const root = join(import.meta.dirname, '..');
const strokes = Number(process.argv[2] ?? 200);
const folder = mkdtempSync(join(tmpdir(), 'nnc-bench-editor-'));

const file = join(folder, 'server.mjs');
const bundle = await rolldown({ input: join(root, 'editor/main.ts'), platform: 'node', logLevel: 'silent' });
await bundle.write({ file, format: 'esm', codeSplitting: false });
await bundle.close();
cpSync(join(root, 'library'), join(folder, 'library'), { recursive: true });

// Blocks of the Transformer example over and over under other names.
const example = readFileSync(join(root, 'examples/phonemes.nn'), 'utf8');
const blocks = example.slice(example.indexOf('/// Multi-head'), example.indexOf('/// Position t'));
const lines = ['import scaled from "./shared.nn"', 'import Half from "./deep/blocks.nn"', ''];
for (let k = 0; lines.length < 1000; k++) {
  lines.push(...blocks.replace(/\b(Attention|FeedForward|EncoderLayer|DecoderLayer)\b/g, `$1${k}`).split('\n'));
  lines.push(`fn again${k}(x: float[N, D]) -> float[N, D] = scaled(x, by: ${k + 1})`, '');
}
lines.push('model Net(x: float[B, 8]) -> float[B, 4] { return x |> Half |> again0 }');
const large = `${lines.join('\n')}\n`;
writeFileSync(join(folder, 'shared.nn'), 'fn scaled(x: float[...S], by: float = 2) -> float[...S] = by * x\n');
cpSync(join(root, 'examples/phonemes.nn'), join(folder, 'phonemes.nn'));
const deep = join(folder, 'deep');
cpSync(join(root, 'examples/design'), deep, { recursive: true });
writeFileSync(
  join(deep, 'blocks.nn'),
  'import scaled from "../shared.nn"\nblock Half(x: float[B, 2 * K]) -> float[B, K] {\n  let y[b, k: K] = scaled(x)[b, 2 * k] + x[b, 2 * k + 1]\n  return y\n}\n',
);

const child = spawn(
  process.execPath,
  [...(process.env.PROFILE ? ['--cpu-prof', '--cpu-prof-dir', process.env.PROFILE] : []), file],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
const connection = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
let arrived = () => {};
connection.onNotification('textDocument/publishDiagnostics', (p) => arrived(p));
connection.onNotification('window/logMessage', (p) => process.stderr.write(`${p.message}\n`));
connection.listen();
const uri = pathToFileURL(join(folder, 'large.nn')).href;
const published = (version) =>
  new Promise((done) => {
    arrived = (p) => p.uri === uri && p.version === version && done(p.diagnostics);
  });
const ask = (method, more = {}) => connection.sendRequest(`textDocument/${method}`, { textDocument: { uri }, ...more });

await connection.sendRequest('initialize', {
  processId: process.pid,
  rootUri: null,
  workspaceFolders: [{ uri: pathToFileURL(folder).href, name: 'bench' }],
  capabilities: {},
});
await connection.sendNotification('initialized', {});

let text = large;
let version = 1;
const positionAt = (offset) => {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length - 1, character: offset - before.lastIndexOf('\n') - 1 };
};
const timed = async (work) => {
  const before = performance.now();
  await work();
  return performance.now() - before;
};
const change = async (start, end, insert) => {
  const contentChanges = [{ range: { start: positionAt(start), end: positionAt(end) }, text: insert }];
  text = text.slice(0, start) + insert + text.slice(end);
  const answer = published(++version);
  await connection.sendNotification('textDocument/didChange', { textDocument: { uri, version }, contentChanges });
  return answer;
};
/** Milliseconds of processor time of the server so far (Linux; else nothing): what a crowded machine cannot falsify. */
const worked = () => {
  try {
    const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number);
    return (user + system) * 10;
  } catch {
    return Number.NaN;
  }
};
const figure = (what, times) => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))].toFixed(1).padStart(7);
  process.stdout.write(`${what.padEnd(34)} median ${at(0.5)} ms   p99 ${at(0.99)} ms   n ${times.length}\n`);
};

process.stdout.write(`${text.split('\n').length} lines, Node ${process.version}\n`);
const opened = published(1);
const open = await timed(async () => {
  await connection.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'nn', version, text },
  });
  const found = await opened;
  if (found.length > 0) throw new Error(`the program is not clean: ${found[0].message}`);
});
process.stdout.write(`open to diagnostics: ${open.toFixed(0)} ms\n`);

const places = { body: 'let score', signature: 'block FeedForward', comment: '/// Multi-head' };
const offsets = Object.fromEntries(
  Object.entries(places).map(([what, word]) => {
    const all = [];
    for (let i = text.indexOf(word); i >= 0; i = text.indexOf(word, i + 1)) all.push(i + word.length);
    return [what, all];
  }),
);
for (let warm = 0; warm < 20; warm++) {
  await change(offsets.body[3], offsets.body[3], 'x');
  await change(offsets.body[3], offsets.body[3] + 1, '');
}
const hovers = [];
const all = [];
for (const what of Object.keys(places)) {
  const times = [];
  let work = -worked();
  for (let k = 0; k < strokes; k += 2) {
    const at = offsets[what][(k / 2) % offsets[what].length];
    times.push(await timed(() => change(at, at, 'x')));
    if (k % 20 === 0) {
      work += worked();
      hovers.push(await timed(() => ask('hover', { position: positionAt(at + 40) })));
      work -= worked();
    }
    times.push(await timed(() => change(at, at + 1, '')));
  }
  work += worked();
  figure(`keystroke in a ${what}`, times);
  process.stdout.write(`${''.padEnd(34)} processor ${(work / times.length).toFixed(1)} ms a keystroke\n`);
  all.push(...times);
}
figure('keystroke to diagnostics', all);
figure('hover after a keystroke', hovers);
const position = positionAt(offsets.body[5] + 20);
const range = { start: { line: 400, character: 0 }, end: { line: 460, character: 0 } };
for (const [method, more] of [
  ['hover', { position }],
  ['completion', { position }],
  ['definition', { position }],
  ['references', { position, context: { includeDeclaration: true } }],
  ['inlayHint', { range }],
  ['semanticTokens/full', {}],
  ['documentSymbol', {}],
  ['foldingRange', {}],
  ['codeLens', {}],
  ['formatting', { options: { tabSize: 2, insertSpaces: true } }],
]) {
  const times = [];
  for (let k = 0; k < strokes / 4; k++) {
    // With a keystroke before each, as in life.
    const at = offsets.comment[0];
    await change(at, at + (k % 2), k % 2 === 0 ? 'x' : '');
    times.push(await timed(() => ask(method, more)));
  }
  figure(method, times);
}
{
  const times = [];
  for (let k = 0; k < 10; k++) {
    const at = offsets.body[k % offsets.body.length] - 'score'.length;
    const found = await change(at, at, 'x');
    const line = positionAt(at).line;
    const whole = { start: { line, character: 0 }, end: { line: line + 3, character: 0 } };
    times.push(await timed(() => ask('codeAction', { range: whole, context: { diagnostics: found } })));
    await change(at, at + 1, '');
  }
  figure('codeAction, each fix tried', times);
}
await connection.sendRequest('shutdown');
await connection.sendNotification('exit');
rmSync(folder, { recursive: true, force: true });
