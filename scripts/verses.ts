/**
 * Makes the data of examples/translation.nn: English and Spanish sentences, aligned, from two public-domain Bibles that Debian packages
 * (`sword-text-kjv` and `sword-text-sparv`).
 *
 *   npx tsc -p scripts && node dist/scripts/verses.js [folder of unpacked packages]      (default: fetches the packages with apt-get)
 *
 * Verses stand at the same numbers in both. Kept are those of at most 20 English words whose pieces fit; every 20th of them (by the hash of its
 * number) tests, another 20th validates. Pieces are of one byte-pair encoding, learnt from the training sentences of both languages and stored in the files.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inflateSync } from 'node:zlib';
import { bytePairs, encoder, start, stop, type Tokenizer } from '../analysis/text/tokens.ts';
import { encode, type Tensor } from '../runtime/safetensors.ts';

export const mostWords = 20;
export const mostPieces = 36;
export const pieces = 1000;

/**
 * The entries of a module in the zText form of the SWORD project: `.bzs` has offset, size and unpacked size of each block, `.bzv` block, start and length of
 * each entry, `.bzz` the blocks, deflated. All numbers are little-endian.
 */
export function readZText(bzs: Uint8Array, bzv: Uint8Array, bzz: Uint8Array): string[] {
  const blocks = new DataView(bzs.buffer, bzs.byteOffset, bzs.byteLength);
  const entries = new DataView(bzv.buffer, bzv.byteOffset, bzv.byteLength);
  if (bzs.byteLength % 12 !== 0 || bzv.byteLength % 10 !== 0) throw new Error('these are no indexes of a zText module');
  const unpacked = new Map<number, Uint8Array>();
  const block = (n: number): Uint8Array => {
    let own = unpacked.get(n);
    if (own === undefined) {
      if (n * 12 + 12 > bzs.byteLength) throw new Error(`there is no block ${n}`);
      const offset = blocks.getUint32(n * 12, true);
      own = inflateSync(bzz.subarray(offset, offset + blocks.getUint32(n * 12 + 4, true)));
      if (own.length !== blocks.getUint32(n * 12 + 8, true))
        throw new Error(`block ${n} has another size than its index says`);
      unpacked.set(n, own);
    }
    return own;
  };
  const text = new TextDecoder();
  return Array.from({ length: bzv.byteLength / 10 }, (_, i) => {
    const length = entries.getUint16(i * 10 + 8, true);
    if (length === 0) return '';
    const from = entries.getUint32(i * 10 + 4, true);
    return text.decode(block(entries.getUint32(i * 10, true)).subarray(from, from + length));
  });
}

/** What is read aloud: without notes, titles, other marks and the pilcrow. */
export const plain = (markup: string): string =>
  markup
    .replace(/<note\b[\s\S]*?<\/note>/g, '')
    .replace(/<title\b[\s\S]*?<\/title>/g, '')
    .replace(/<[^>]*>/g, '')
    .replace(/[¶\s]+/g, ' ')
    .trim();

export interface Pair {
  readonly number: number;
  readonly source: string;
  readonly target: string;
}

/** Entries of both that are not empty, at the same numbers. */
export function aligned(english: readonly string[], spanish: readonly string[]): Pair[] {
  return english.flatMap((markup, number) => {
    const [source, target] = [plain(markup), plain(spanish[number] ?? '')];
    return source === '' || target === '' ? [] : [{ number, source, target }];
  });
}

export type Part = 'train' | 'validation' | 'test';

export function partOf(number: number): Part {
  const bucket = createHash('sha256').update(String(number)).digest().readUInt32BE(0) % 20;
  return bucket === 0 ? 'test' : bucket === 1 ? 'validation' : 'train';
}

/** source [N, S], source_length, target [N, T + 1] (start, pieces, stop), target_length: what counts after the start. */
export function tensorsOf(
  pairs: readonly Pair[],
  tokenizer: Tokenizer,
  most = mostPieces,
): { tensors: Map<string, Tensor>; kept: Pair[] } {
  const pieces = encoder(tokenizer);
  const rows = pairs
    .map((pair) => ({ pair, source: pieces(pair.source), target: pieces(pair.target) }))
    .filter(({ source, target }) => source.length <= most && target.length <= most);
  const width = most + 2;
  const source = new Int32Array(rows.length * most);
  const target = new Int32Array(rows.length * width);
  rows.forEach((row, i) => {
    source.set(row.source, i * most);
    target.set([start, ...row.target, stop], i * width);
  });
  const of = (shape: number[], data: Int32Array): Tensor => ({ dtype: 'I32', shape, data });
  return {
    kept: rows.map(({ pair }) => pair),
    tensors: new Map([
      ['source', of([rows.length, most], source)],
      [
        'source_length',
        of(
          [rows.length],
          Int32Array.from(rows, (r) => r.source.length),
        ),
      ],
      ['target', of([rows.length, width], target)],
      [
        'target_length',
        of(
          [rows.length],
          Int32Array.from(rows, (r) => r.target.length + 1),
        ),
      ],
    ]),
  };
}

function fetched(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-verses-'));
  execFileSync('apt-get', ['download', 'sword-text-kjv', 'sword-text-sparv'], { cwd: folder, stdio: 'ignore' });
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb')))
    execFileSync('dpkg-deb', ['-x', join(folder, file), folder]);
  return folder;
}

function main(unpacked: string, out: string): void {
  const module = (name: string): string[] => {
    const folder = join(unpacked, 'usr/share/sword/modules/texts/ztext', name);
    return ['ot', 'nt'].flatMap((half) => {
      const read = (ext: string): Uint8Array => readFileSync(join(folder, `${half}.${ext}`));
      return readZText(read('bzs'), read('bzv'), read('bzz'));
    });
  };
  const all = aligned(module('engKJV2006eb'), module('spaRV1909eb'));
  const short = all.filter(({ source }) => source.split(' ').length <= mostWords);
  const of = (part: Part): Pair[] => short.filter(({ number }) => partOf(number) === part);
  const tokenizer = bytePairs(
    of('train')
      .map(({ source, target }) => `${source}\n${target}`)
      .join('\n'),
    pieces,
  );
  mkdirSync(out, { recursive: true });
  console.log(
    `${all.length} verses in both, ${short.length} of at most ${mostWords} words; ${tokenizer.symbols.length} pieces`,
  );
  for (const part of ['train', 'validation', 'test'] as const) {
    const { tensors, kept } = tensorsOf(of(part), tokenizer);
    writeFileSync(join(out, `verses-${part}.safetensors`), encode(tensors, { tokenizer: JSON.stringify(tokenizer) }));
    writeFileSync(join(out, `verses-${part}.json`), JSON.stringify(kept.map(({ source, target }) => [source, target])));
    console.log(`verses-${part}: ${kept.length} pairs`);
  }
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  main(process.argv[2] ?? fetched(), 'nnc-out/data');
