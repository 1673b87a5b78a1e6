/** What is packed comes back byte for byte, whatever it is, and code of the compiler's comes back from a third. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { pack } from '../../../compiler/targets/wasm/packing.ts';
import { unpacked } from '../../../runtime/packed.ts';
import { instantiate } from '../../support/emitted.ts';

const drawn = (seed: number, length: number): Uint8Array<ArrayBuffer> => {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (state * 48271) % 2147483647) >> 7);
};

it.each([
  ['nothing', new Uint8Array(0)],
  ['a byte', Uint8Array.of(255)],
  ['all bytes', Uint8Array.from({ length: 256 }, (_, k) => k)],
  ['zeros', new Uint8Array(3000)],
  ['ones', new Uint8Array(3000).fill(255)],
  ['a period of 7', Uint8Array.from({ length: 5000 }, (_, k) => (k % 7) * 37)],
  ['noise', drawn(7, 20_000)],
  ['noise, repeated', Uint8Array.from([...drawn(9, 3000), ...drawn(10, 40), ...drawn(9, 3000)])],
  ['opcodes with operands that never come', Uint8Array.of(0x43, 0x41, 0xfd, 0xfd, 12, 0x20, 0x80, 0x80, 0xff, 0x28)],
])('%s', (_what, bytes) => {
  const text = pack(bytes);
  expect(unpacked(text, bytes.length)).toEqual(bytes);
  // At worst a little more than the bytes themselves.
  expect((text.length * Math.log2(91)) / 8).toBeLessThan(bytes.length * 1.02 + 16);
});

it('a module is lighter, and the same', async () => {
  const source = readFileSync('examples/digits.nn', 'utf8');
  const [loose, packed] = [false, true].map((packed) => {
    const result = compile(source, { path: 'digits.nn', targets: ['wasm'], packed, bounds: { B: 64 } });
    if (!result.ok) throw new Error(JSON.stringify(result.reports));
    return result.artifacts;
  });
  const code = (of: typeof loose, name: string): string => of!.get(name)!.modules.get('wasm')!.javascript;
  const weight = (text: string): number => gzipSync(text, { level: 9 }).length;
  expect(weight(code(packed, 'Fit'))).toBeLessThan(0.95 * weight(code(loose, 'Fit')));
  // What is small stays as it is, and starts at once.
  expect(code(packed, 'Digits')).toBe(code(loose, 'Digits'));
  const results = await Promise.all(
    [loose, packed].map(async (of) => {
      const fit = await instantiate(of!.get('Fit')!, 3, undefined, 'wasm');
      const image = Float32Array.from({ length: 64 * 64 }, (_, k) => (k * 37) % 17);
      const label = Int32Array.from({ length: 64 }, (_, k) => k % 10);
      return [1, 2, 3].map(() => fit.step({ image, label })['loss']!);
    }),
  );
  expect(results[1]).toEqual(results[0]);
  expect(results[0]![2]).toBeLessThan(results[0]![0]!);
});
