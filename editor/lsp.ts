/** The language server over standard input and output: `nnc lsp`, and what the extension starts. The only file of the editor that touches the disk. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createConnection } from 'vscode-languageserver/node';
import type { FormatOptions } from './prettier-plugin/format.ts';
import { serve } from './server.ts';
import type { Addresses } from './places.ts';

/** A workspace larger than this is not searched for uses of a name. */
const MOST_FILES = 500;
const SKIPPED = new Set(['node_modules', 'dist', 'nnc-out', '.git']);

/** A folder of the project beside this file, in the sources, in a build and in the extension: the one with `file` in it. */
function folderWith(name: string, file: string): string | null {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let k = 0; k < 4; k++) {
    const candidate = join(folder, name);
    if (existsSync(join(candidate, file))) return candidate;
    folder = dirname(folder);
  }
  return null;
}

const slashed = (path: string): string => path.replace(/\\/g, '/');

/** Serves until the client ends it. `formatting`: what the user's configuration says of a file's form. */
export function lsp(formatting: (path: string) => Promise<FormatOptions> = () => Promise.resolve({})): void {
  // Given the streams themselves, the connection ends the process when the client is gone.
  const connection = createConnection(process.stdin, process.stdout);
  const library = folderWith('library', 'layers.nn');
  const pages = folderWith('docs/errors', 'NN101.md');
  let roots: readonly string[] = [];
  // Clients write addresses in more than one way (`c%3A`); what a client wrote is what it gets back.
  const written = new Map<string, string>();
  const addresses: Addresses = {
    path: (uri) => {
      if (!uri.startsWith('file:')) return uri;
      try {
        const path = slashed(fileURLToPath(uri));
        written.set(path, uri);
        return path;
      } catch {
        return uri;
      }
    },
    uri: (path) => {
      const known = written.get(path);
      if (known !== undefined) return known;
      if (path.startsWith('nnc:') && library !== null) return pathToFileURL(join(library, path.slice(4))).href;
      return /^[a-z][a-z0-9+.-]+:/i.test(path) ? path : pathToFileURL(path).href;
    },
  };
  const read = (path: string): string | null => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  };
  serve(connection, {
    disk: { read, list: () => roots.flatMap((root) => programsUnder(root)).slice(0, MOST_FILES) },
    addresses,
    folders: (uris) => {
      roots = uris.filter((uri) => uri.startsWith('file:')).map((uri) => fileURLToPath(uri));
    },
    clock: () => performance.now(),
    turn: () => new Promise((done) => setImmediate(done)),
    formatting,
    explanation: (code) => {
      const page = pages === null ? null : join(pages, `${code}.md`);
      return page !== null && existsSync(page) ? pathToFileURL(page).href : null;
    },
  });
}

function programsUnder(root: string): string[] {
  const found: string[] = [];
  const visit = (folder: string, depth: number): void => {
    if (depth > 8 || found.length >= MOST_FILES) return;
    let entries: string[];
    try {
      entries = readdirSync(folder);
    } catch {
      return;
    }
    for (const name of entries) {
      if (SKIPPED.has(name) || name.startsWith('.')) continue;
      const path = join(folder, name);
      if (name.endsWith('.nn')) found.push(slashed(path));
      else if (!name.includes('.') && isFolder(path)) visit(path, depth + 1);
    }
  };
  visit(root, 0);
  return found;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
