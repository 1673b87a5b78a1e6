/** docs/library.md is what the library says (refresh with `-u`), and nothing in the library stands without a source and a comparison. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { entriesOf, libraryReference } from '../../scripts/library.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('docs/library.md is fresh', async () => {
  await expect(libraryReference(root)).toMatchFileSnapshot('../../docs/library.md');
});

test('everything has a comment', () => {
  expect(
    entriesOf(root)
      .filter((e) => (e.callable.doc ?? '').trim() === '')
      .map((e) => e.callable.name.text),
  ).toEqual([]);
});

test('every comment names a source: a year of publication, or what it is elsewhere', () => {
  const source = /\b(1[789]|20)\d\d\b|PyTorch|Keras/;
  expect(
    entriesOf(root)
      .filter((e) => !source.test(e.callable.doc ?? ''))
      .map((e) => e.callable.name.text),
  ).toEqual([]);
});

test('every comment has a formula, where the signature does not show it as a body', () => {
  // An equality, an update or an operation between things that are neither words of prose nor a publication.
  const formula =
    /[\p{L}\d)\]'] ?(==?|<-|\+|-|\/|\^|\*|<=|>=|<|>|·|∈|±) ?[\p{L}\d(|[-]|sqrt|softmax\(|mean \(|\bsum\b|\bmax\(|\|\w+\|/u;
  const publications = /\([^()]*\d{4}[^()]*\)/g;
  expect(
    entriesOf(root)
      .filter((e) => !e.callable.body.expression && !formula.test((e.callable.doc ?? '').replace(publications, '')))
      .map((e) => e.callable.name.text),
  ).toEqual([]);
});

test('everything has a row in the tables', () => {
  const text = libraryReference(root);
  expect(entriesOf(root).filter((e) => !text.includes(`| \`${e.callable.name.text}\` `))).toEqual([]);
});

test('everything is compared with numbers', () => {
  const missing = entriesOf(root).filter((e) => e.compared.first + e.compared.trajectories === 0);
  // Initialisers and layers that draw are random: random.test.ts has their moments.
  expect(missing.map((e) => e.callable.name.text).sort()).toEqual([
    ...['AlphaDropout', 'DropPath', 'Dropout', 'GaussianNoise', 'SpatialDropout', 'kaiming_normal', 'kaiming_uniform'],
    ...['lecun_normal', 'lecun_uniform', 'orthogonal', 'xavier_normal', 'xavier_uniform'],
  ]);
});

test('a signature is the text before the body', () => {
  const of = (name: string) => entriesOf(root).find((e) => e.callable.name.text === name)!;
  expect(of('relu').signature).toBe('fn relu(x: float[...S]) -> float[...S] = max(x, 0)');
  expect(of('RMSNorm').signature).toBe(
    'block RMSNorm(eps: float = 1e-6, affine: bool = true)(x: float[...S, D]) -> float[...S, D]',
  );
  expect(of('LayerNorm').leaves).toEqual(['param `weight: float[D]`', 'param `bias: float[D]`']);
});
