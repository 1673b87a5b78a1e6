/** What the grammar's tests share: the twelve design programs, structural comparison, a seeded generator and mutilation of texts. */
import { readdirSync, readFileSync } from 'node:fs';
import { lexer } from '../../grammar/tokens.ts';

const folder = new URL('../../examples/design/', import.meta.url);

export const programs: readonly { readonly name: string; readonly text: string }[] = readdirSync(folder)
  .filter((name) => name.endsWith('.nn'))
  .map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }));

const isPlace = (key: string): boolean =>
  key === 'span' || key.endsWith('Span') || key === 'group' || key === 'lineStarts' || key === 'file';

/** A tree without places, for structural equality. */
export function bare(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (isPlace(key) ? undefined : value)));
}

/** mulberry32: small, seeded, the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const scraps =
  '( ) [ ] { } , : ; . ... |> -> = == -= =- + - * / % ^ < <= where else and or not let return yield repeat scan if require param carry until ' +
  'model train const fn block import mask sum[ max[ softmax[ x 3 1e-3 "text" " \' # @ \\ // /// as over along in with { \n \n\n é 😀 \t';
const fragments = [...scraps.split(' '), ' ', '\n}\n', '\nfn '];

/** One to three deletions, duplications, swaps or insertions of tokens or characters. */
export function mutilate(text: string, random: () => number): string {
  let result = text;
  const times = 1 + Math.floor(random() * 3);
  for (let n = 0; n < times; n++) {
    const choice = Math.floor(random() * 7);
    const at = Math.floor(random() * (result.length + 1));
    if (choice === 0) result = result.slice(0, at) + result.slice(at + 1);
    else if (choice === 1)
      result = result.slice(0, at) + fragments[Math.floor(random() * fragments.length)]! + result.slice(at);
    else if (choice === 2) result = result.slice(0, at) + result.slice(at, at + 1) + result.slice(at);
    else if (choice === 3 && random() < 0.3) result = random() < 0.5 ? result.slice(0, at) : result.slice(at);
    else {
      const tokens = lexer.tokenize(result).tokens;
      const token = tokens[Math.floor(random() * tokens.length)];
      if (token === undefined) continue;
      const from = token.startOffset;
      const to = from + token.image.length;
      const other = tokens[Math.floor(random() * tokens.length)]!;
      if (choice === 4) result = result.slice(0, from) + result.slice(to);
      else if (choice === 5) result = `${result.slice(0, to)} ${token.image}${result.slice(to)}`;
      else result = result.slice(0, from) + other.image + result.slice(to);
    }
  }
  return result;
}

/** Every span of a tree. */
export function spansOf(tree: unknown): { start: number; end: number; file: number }[] {
  const found: { start: number; end: number; file: number }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('start' in value && 'end' in value && 'file' in value) {
      found.push(value as { start: number; end: number; file: number });
      return;
    }
    for (const child of Object.values(value)) visit(child);
  };
  visit(tree);
  return found;
}
