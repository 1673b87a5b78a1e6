/** Imports go downward only, and what must be pure is pure: no file, network, clock or process in grammar/, compiler/ and runtime/. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const sourcesUnder = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith('.ts'))
    .map((f) => relative(root, join(f.parentPath, f.name)));

/** [kind, target] of every import and export-from; `import(…)` types included. */
function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found: { target: string; typeOnly: boolean }[] = [];
  for (const m of text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gms))
    found.push({ target: m[2]!, typeOnly: m[1] !== undefined });
  for (const m of text.matchAll(/import\('([^']+)'\)/g)) found.push({ target: m[1]!, typeOnly: true });
  return found.map((i) => ({
    ...i,
    target: i.target.startsWith('.') ? relative(root, join(root, dirname(file), i.target)) : i.target,
  }));
}

/** Folder → what it may import (prefixes); its own folder always. */
const allowed: Record<string, string[]> = {
  runtime: [],
  analysis: ['runtime'],
  grammar: ['chevrotain'],
  'compiler/source': ['grammar'],
  'compiler/sizes': ['grammar/ast.ts'],
  'compiler/diagnostics': ['grammar', 'compiler/source', 'compiler/sizes', 'runtime'],
  'compiler/check': [
    'grammar',
    'compiler/source',
    'compiler/sizes',
    'compiler/diagnostics',
    'compiler/library.generated.ts',
  ],
  'compiler/lint': ['grammar', 'compiler/source', 'compiler/sizes', 'compiler/diagnostics', 'compiler/check'],
  'compiler/repair': ['grammar', 'compiler/source', 'compiler/diagnostics', 'compiler/check', 'compiler/lint'],
  'compiler/kernel': ['compiler/sizes', 'compiler/graph', 'compiler/ops/random.ts', 'grammar/ast.ts', 'runtime'],
  'compiler/graph': ['compiler/sizes', 'compiler/ops', 'grammar/ast.ts'],
  'compiler/ops': ['compiler/sizes', 'compiler/graph', 'compiler/kernel', 'runtime'],
  'compiler/differentiate': ['compiler/sizes', 'compiler/graph', 'compiler/ops'],
  'compiler/simplify': ['compiler/sizes', 'compiler/graph', 'compiler/ops'],
  'compiler/elaborate': [
    'grammar',
    'compiler/source',
    'compiler/sizes',
    'compiler/diagnostics',
    'compiler/check',
    'compiler/graph',
    'compiler/ops',
    'compiler/differentiate',
  ],
  'compiler/schedule': ['compiler/sizes', 'compiler/kernel', 'compiler/graph'],
  'compiler/fuse': ['compiler/sizes', 'compiler/graph', 'compiler/ops', 'compiler/kernel', 'compiler/schedule'],
  'compiler/store': [
    'compiler/sizes',
    'compiler/graph',
    'compiler/kernel',
    'compiler/schedule',
    'compiler/diagnostics',
    'runtime',
  ],
  'compiler/plan': ['compiler/sizes', 'compiler/graph', 'compiler/kernel', 'compiler/diagnostics', 'runtime'],
};

const under = (target: string, prefix: string): boolean =>
  target === prefix || target.startsWith(`${prefix}/`) || target === `${prefix}.ts`;

describe('imports go downward', () => {
  for (const [folder, may] of Object.entries(allowed)) {
    it(folder, () => {
      const wrong = sourcesUnder(folder).flatMap((file) =>
        importsOf(file)
          .filter((i) => !under(i.target, folder) && !may.some((p) => under(i.target, p)))
          .map((i) => `${file} imports ${i.target}`),
      );
      expect(wrong).toEqual([]);
    });
  }
  it('only the entry of the language server reaches outside', () => {
    const wrong = ['editor', 'editor/features']
      .flatMap((folder) => sourcesUnder(folder).filter((f) => dirname(f) === folder))
      .filter((file) => file !== 'editor/lsp.ts')
      .flatMap((file) =>
        importsOf(file).flatMap((i) => (i.target.startsWith('node:') ? [`${file} imports ${i.target}`] : [])),
      );
    expect(wrong).toEqual([]);
  });
  it('compiler never imports cli, editor or a Node module', () => {
    const wrong = ['analysis', 'grammar', 'compiler', 'runtime'].flatMap((folder) =>
      sourcesUnder(folder).flatMap((file) =>
        importsOf(file)
          .filter(
            (i) =>
              /^(cli|editor|playground|node:)/.test(i.target) || (!/\.ts$/.test(i.target) && i.target !== 'chevrotain'),
          )
          .map((i) => `${file} imports ${i.target}`),
      ),
    );
    expect(wrong).toEqual([]);
  });
});

describe('no input or output below the command line', () => {
  // What a page and Node share is fine (typed arrays, WebAssembly, Math); these reach outside, or depend on when they run.
  const forbidden =
    /\b(process\.|(?<!\w)require\('|fetch\(|XMLHttpRequest|localStorage|Date\.now|new Date|performance\.now|Math\.random|setTimeout|setInterval|console\.)/;
  for (const folder of ['analysis', 'grammar', 'compiler', 'runtime']) {
    it(folder, () => {
      const wrong = sourcesUnder(folder)
        .filter((file) => !file.endsWith('.generated.ts'))
        .flatMap((file) => {
          const code = readFileSync(join(root, file), 'utf8')
            .replace(/\/\*[\s\S]*?\*\//g, (c) => c.replace(/[^\n]/g, ' '))
            .replace(/(^|\s)\/\/.*$/gm, '$1');
          return code
            .split('\n')
            .flatMap((line, k) => (forbidden.test(line) ? [`${file}:${k + 1}: ${line.trim()}`] : []));
        });
      expect(wrong).toEqual([]);
    });
  }
});
