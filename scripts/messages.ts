/**
 * Makes data for examples/translation.nn out of gettext catalogues, in which programs keep their messages in two languages. By default English and Chinese: those of
 * LibreOffice in Debian's `libreoffice-l10n-zh-cn` (MPL-2.0, which is why they are fetched and never kept here).
 *
 *   npx tsc -p scripts && node dist/scripts/messages.js [folder with .mo files] [prefix] [pieces] [most]      (default: fetched with apt-get, messages-zh, 3000, 12)
 *
 * Kept is a message once, with its first translation; without the marks of keys and menus (`_Open...`, `打开(_O)...`), if both sides have letters, no markup and no
 * places for values, and have at most `most` pieces: menus, buttons, titles, short sentences. Every 20th (by the hash of the English) tests, another 20th validates. Pieces are of one byte-pair encoding for both languages.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bytePairs } from '../analysis/text/tokens.ts';
import { encode } from '../runtime/safetensors.ts';
import { mostWords, tensorsOf, type Pair } from './verses.ts';

export interface Message {
  /** What tells messages of one text apart; empty where there is none. */
  readonly context: string;
  readonly source: string;
  readonly target: string;
}

/**
 * A catalogue of GNU gettext (`.mo`): magic number, revision, count, and where the tables of originals and translations begin, of (length, offset) each; numbers in
 * the byte order of whoever wrote it. An original may have a context and U+0004 in front, and a plural behind a zero byte. The entry of the empty original is a
 * header, and left out.
 */
export function readCatalogue(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 28) throw new Error('this is no gettext catalogue: it is too short');
  const magic = view.getUint32(0, true);
  if (magic !== 0x950412de && magic !== 0xde120495)
    throw new Error('this is no gettext catalogue: it does not begin with its number');
  const little = magic === 0x950412de;
  const number = (at: number): number => {
    if (at + 4 > bytes.length) throw new Error('the catalogue is cut off');
    return view.getUint32(at, little);
  };
  if (number(4) >>> 16 > 1) throw new Error(`catalogues of revision ${number(4) >>> 16} are not known`);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const text = (table: number, i: number): string => {
    const [length, from] = [number(table + 8 * i), number(table + 8 * i + 4)];
    if (from + length > bytes.length) throw new Error(`entry ${i} lies behind the end of the catalogue`);
    return decoder.decode(bytes.subarray(from, from + length));
  };
  const [count, originals, translations] = [number(8), number(12), number(16)];
  const messages: Message[] = [];
  for (let i = 0; i < count; i++) {
    const whole = text(originals, i);
    const at = whole.indexOf('\u0004');
    const source = whole.slice(at + 1).split('\0')[0]!;
    const target = text(translations, i).split('\0')[0]!;
    if (source !== '') messages.push({ context: whole.slice(0, Math.max(at, 0)), source, target });
  }
  return messages;
}

/** Without the marks of keys (`_Open`, `~Open`, in Chinese `(_O)` behind) and the dots of menus. */
export const plain = (text: string): string =>
  text
    .replace(/\s*[(（][_~][A-Za-z0-9][)）]/g, '')
    .replace(/[_~](?=[\p{L}\p{N}])/gu, '')
    .replace(/\s*(\.\.\.|…)\s*$/, '')
    .replace(/\s+/g, ' ')
    .trim();

const usable = ({ source, target }: { readonly source: string; readonly target: string }): boolean =>
  [source, target].every((side) => /\p{L}{2}|\p{Script=Han}/u.test(side) && !/[<>%{}\\$#]|&\w/.test(side)) &&
  source !== target &&
  source.split(' ').length <= mostWords;

/** Each message once, in the order of the hashes of their originals. */
export function pairsOf(messages: readonly Message[]): (Pair & { readonly hash: number })[] {
  const known = new Map<string, string>();
  for (const message of messages) {
    const pair = { source: plain(message.source), target: plain(message.target) };
    if (usable(pair) && !known.has(pair.source)) known.set(pair.source, pair.target);
  }
  return [...known]
    .map(([source, target]) => ({ source, target, hash: createHash('sha256').update(source).digest().readUInt32BE(0) }))
    .sort((a, b) => a.hash - b.hash)
    .map((pair, number) => ({ ...pair, number }));
}

function fetched(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-messages-'));
  execFileSync('apt-get', ['download', 'libreoffice-l10n-zh-cn'], { cwd: folder, stdio: 'ignore' });
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb')))
    execFileSync('dpkg-deb', ['-x', join(folder, file), folder]);
  return folder;
}

function catalogues(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? catalogues(path) : entry.name.endsWith('.mo') ? [path] : [];
    });
}

function main(folder: string, prefix: string, pieces: number, most: number, out: string): void {
  const messages = catalogues(folder).flatMap((path) => readCatalogue(readFileSync(path)));
  const pairs = pairsOf(messages);
  const of = (part: string): Pair[] =>
    pairs.filter(({ hash }) => (hash % 20 === 0 ? 'test' : hash % 20 === 1 ? 'validation' : 'train') === part);
  const text = of('train').map(({ source, target }) => `${source}\n${target}`);
  const tokenizer = bytePairs(text.join('\n'), pieces);
  console.log(`${messages.length} messages, ${pairs.length} usable; ${tokenizer.symbols.length} pieces`);
  mkdirSync(out, { recursive: true });
  for (const part of ['train', 'validation', 'test']) {
    const { tensors, kept } = tensorsOf(of(part), tokenizer, most);
    writeFileSync(
      join(out, `${prefix}-${part}.safetensors`),
      encode(tensors, { tokenizer: JSON.stringify(tokenizer) }),
    );
    console.log(`${prefix}-${part}: ${kept.length} pairs`);
  }
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  main(
    process.argv[2] ?? fetched(),
    process.argv[3] ?? 'messages-zh',
    Number(process.argv[4] ?? 3000),
    Number(process.argv[5] ?? 12),
    'nnc-out/data',
  );
