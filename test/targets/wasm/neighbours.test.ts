/** Like functions stand together, and no bytes are lost in a module's text. */
import { expect, it } from 'vitest';
import { bytesLiteral, BYTES } from '../../../compiler/targets/wasm/emit.ts';
import { neighbours } from '../../../compiler/targets/wasm/neighbours.ts';

const drawn = (seed: number, length: number): Uint8Array => {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (state * 48271) % 2147483647));
};

it('like functions are neighbours, each once', () => {
  const kinds = [11, 22, 33].map((seed) => drawn(seed, 400));
  const functions = Array.from({ length: 12 }, (_, k) => {
    const own = Uint8Array.from(kinds[k % 3]!);
    own.set(drawn(k + 100, 40), 7 * k);
    return own;
  });
  const order = neighbours(functions);
  expect([...order].sort((a, b) => a - b)).toEqual([...functions.keys()]);
  const changes = order.filter((k, at) => at > 0 && k % 3 !== order[at - 1]! % 3).length;
  expect(changes).toBe(2);
  expect(neighbours([])).toEqual([]);
  expect(neighbours([new Uint8Array(2)])).toEqual([0]);
});

it('the text of a module gives its bytes', async () => {
  const bytes = Uint8Array.from([...Array.from({ length: 256 }, (_, k) => k), 242, 48, 242, 57, ...drawn(5, 3000)]);
  const code = `${BYTES} export const made = bytes(${bytesLiteral(bytes)});`;
  const { made } = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as {
    made: Uint8Array;
  };
  expect(made).toEqual(bytes);
});
