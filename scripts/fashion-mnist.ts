/**
 * Puts the data of examples/fashion-mnist.nn where its header looks for them: Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), MIT licence, four gzipped IDX
 * files, 31 MB, which is too much to be kept here.
 *
 *   npx tsc -p scripts && node dist/scripts/fashion-mnist.js [folder with the four files]
 *
 * Without a folder they come from the Debian package `dataset-fashion-mnist`: installed, or fetched with apt-get. What is taken is held to the sizes that the
 * data set has, since a half-copied file would train as well.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readData } from '../cli/data/open.ts';
import { report } from '../compiler/diagnostics/render/index.ts';

const installed = '/usr/share/datasets/fashion-mnist';

/** Name of a file → rows. */
export const files: Readonly<Record<string, number>> = {
  'train-images-idx3-ubyte.gz': 60_000,
  'train-labels-idx1-ubyte.gz': 60_000,
  't10k-images-idx3-ubyte.gz': 10_000,
  't10k-labels-idx1-ubyte.gz': 10_000,
};

/** What is wrong with one of the files; null where nothing is. */
export function fault(name: string, bytes: Uint8Array): string | null {
  const reading = readData(bytes, name);
  if (!reading.ok) return reading.problems.map((p) => report(p).message).join('\n');
  const [column] = reading.dataset.columns.values();
  const [shape, wanted] = [column!.shape, name.includes('idx3') ? [files[name]!, 28, 28] : [files[name]!]];
  return shape.join() === wanted.join()
    ? null
    : `${name} has the shape [${shape.join(', ')}], not [${wanted.join(', ')}]`;
}

function fetched(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-fashion-'));
  execFileSync('apt-get', ['download', 'dataset-fashion-mnist'], { cwd: folder, stdio: 'ignore' });
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb')))
    execFileSync('dpkg-deb', ['-x', join(folder, file), folder]);
  return join(folder, installed);
}

function main(given: string | undefined, out: string): void {
  const folder = given ?? (existsSync(installed) ? installed : fetched());
  const faults = Object.keys(files).flatMap((name) => {
    const path = join(folder, name);
    return existsSync(path) ? (fault(name, readFileSync(path)) ?? []) : `${path} is not there`;
  });
  if (faults.length > 0) {
    console.error(faults.join('\n'));
    process.exitCode = 1;
    return;
  }
  mkdirSync(out, { recursive: true });
  for (const name of Object.keys(files)) copyFileSync(join(folder, name), join(out, name));
  console.log(`${out}: ${Object.keys(files).join(', ')}`);
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  main(process.argv[2], 'nnc-out/data/fashion-mnist');
