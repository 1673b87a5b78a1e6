/** The data of examples/names-*.nn: what is kept, how it is coded, and that test names are unseen. */
import { expect, it } from 'vitest';
import { boundary, isTest, longest, namesOf, readLists, tensorOf } from '../scripts/names.ts';

const names = namesOf(readLists());

it('keeps names of letters a-z, each once, in an order that does not depend on the lists', () => {
  expect(names.length).toBe(8398);
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^[a-z]{2,11}$/.test(name))).toBe(true);
  expect(namesOf(['Ann\nBob', 'Ann\nX\nMary-Lou'])).toEqual(namesOf(['Bob', 'Ann']));
});

it('stands between boundaries and is filled with 0', () => {
  const { shape, data } = tensorOf(['abz', 'm'.repeat(longest)]);
  expect(shape).toEqual([2, longest + 2]);
  expect([...data].slice(0, longest + 2)).toEqual([boundary, 1, 2, 26, boundary, ...new Array<number>(8).fill(0)]);
  expect([...data].slice(longest + 2)).toEqual([boundary, ...new Array<number>(longest).fill(13), boundary]);
});

it('puts one in ten names into the test file', () => {
  const share = names.filter(isTest).length / names.length;
  expect(share).toBeGreaterThan(0.09);
  expect(share).toBeLessThan(0.11);
});
