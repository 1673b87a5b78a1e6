/**
 * Nothing that compiles knows the library: no stage under compiler/ (nor grammar/, nor runtime/) asks for a layer, an activation, a loss or an optimizer by its name. The names
 * are those that library/*.nn declares; what is looked for is a literal that is one of them, and names in capitals anywhere but in prose.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { entriesOf } from '../../scripts/library.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const names = new Set(entriesOf(root).map((e) => e.callable.name.text));

/** Advice, not compilation: reports and lints speak of the library to people, and a program compiles the same without them. */
const ADVICE = ['compiler/lint/', 'compiler/check/habits.ts', 'compiler/diagnostics/render/'];

/** Words that the language or the stages have for things of their own. */
const OWN: Readonly<Record<string, string>> = {
  ...{ softmax: 'a reduction of index equations (grammar)', precision: 'a statement of train blocks' },
  ...{ concat: 'an operation', transpose: 'an operation', linear: 'a kind of order', constant: 'a kind of value' },
  ...{ bits: 'a helper of WGSL', cosine: 'a helper of WGSL', exponential: 'a helper of WGSL' },
  ...{ clip_norm: 'a stage that `gradient |> …` checks' },
  ...{ sign: 'a scalar operation of kernels', identity: 'a kind of value', window: 'a kind of read' },
};

function* sources(folder: string): Iterable<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* sources(path);
    else if (path.endsWith('.ts') && !path.endsWith('.generated.ts')) yield path;
  }
}

/** Names of the library that a text knows. */
export function known(text: string): string[] {
  const code = text.replace(/\/\*[^]*?\*\/|(?<!:)\/\/[^\n]*/g, '');
  const found = new Set<string>();
  for (const [, single, double] of code.matchAll(/'([^'\n]*)'|"([^"\n]*)"/g)) {
    const literal = single ?? double ?? '';
    if (names.has(literal)) found.add(literal);
  }
  // Prose is a literal with a blank in it; what is left are identifiers, patterns and single words.
  const bare = code.replace(/'[^'\n]* [^'\n]*'|"[^"\n]* [^"\n]*"|`[^`]* [^`]*`/g, '');
  for (const [word] of bare.matchAll(/\b[A-Z]\w+\b/g)) if (names.has(word)) found.add(word);
  return [...found].filter((n) => OWN[n] === undefined);
}

it('no stage knows a name of the library', () => {
  const found = ['compiler', 'grammar', 'runtime']
    .flatMap((folder) => [...sources(folder)])
    .filter((path) => !ADVICE.some((a) => path.startsWith(a)))
    .flatMap((path) => known(readFileSync(join(root, path), 'utf8')).map((name) => `${path}: ${name}`));
  expect(found).toEqual([]);
});

it('finds what it looks for', () => {
  expect(known("if (name === 'relu') return 1; // 'gelu'")).toEqual(['relu']);
  expect(known('/^(Linear|Conv1d)$/.test(name)')).toEqual(['Linear', 'Conv1d']);
  expect(known('report(`add optimizer Adam(lr: 1e-3)`)')).toEqual([]);
});

it('every word that is allowed is one of the library', () => {
  expect(Object.keys(OWN).filter((n) => !names.has(n))).toEqual([]);
});
