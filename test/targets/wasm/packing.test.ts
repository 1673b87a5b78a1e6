/** What is packed comes back byte for byte, whatever it is, and code of the compiler's comes back from a third. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { Artifact } from '../../../compiler/pipeline.ts';
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

const whole = (shape: readonly number[], below: number): Int32Array =>
  Int32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => (k * 37) % below);
const real = (...shape: readonly number[]): Float32Array => Float32Array.from(whole(shape, 17), (x) => x / 8 - 1);

it.each([
  ['examples/digits.nn', { image: real(64, 8, 8), label: whole([64], 10) }, {}, 0.95],
  ['bench/wasm/programs/cnn.nn', { x: real(4, 1, 28, 28), label: whole([4], 10) }, {}, 0.85],
  ['bench/wasm/programs/lstm.nn', { x: real(4, 8, 64), label: whole([4], 10) }, {}, 0.85],
  ['bench/wasm/programs/gpt.nn', { token: whole([2, 16], 65), next: whole([2, 16], 65) }, { B: 2, T: 16 }, 0.75],
])('%s is lighter, and computes the same bits', async (path, inputs, sizes, most) => {
  const [loose, packed] = [false, true].map((packed) => {
    const bounds = { B: 64, T: 64 };
    const result = compile(readFileSync(path, 'utf8'), { path, only: 'Fit', targets: ['wasm'], packed, bounds });
    if (!result.ok) throw new Error(JSON.stringify(result.reports));
    return result.artifacts.get('Fit')!;
  });
  const weight = (of: Artifact): number => gzipSync(of.modules.get('wasm')!.javascript, { level: 9 }).length;
  expect(weight(packed!)).toBeLessThan(most * weight(loose!));
  const results = await Promise.all(
    [loose!, packed!].map(async (of) => {
      const fit = await instantiate(of, 3, undefined, 'wasm');
      const losses = [1, 2, 3].map(() => fit.step(inputs, sizes)['loss']!);
      return [losses, [...fit.weights()].map(([name, { data }]) => [name, data.slice()])] as const;
    }),
  );
  expect(results[1]).toEqual(results[0]);
  const [losses] = results[0]!;
  expect(losses[2]).toBeLessThan(losses[0]!);
});

it('what is small is shorter, and starts at once', () => {
  const code = [false, true].map((packed) => {
    const result = compile(readFileSync('examples/digits.nn', 'utf8'), {
      only: 'Digits',
      targets: ['wasm'],
      packed,
      bounds: { B: 64 },
    });
    return result.artifacts.get('Digits')!.modules.get('wasm')!.javascript;
  });
  expect(code[1]!.length).toBeLessThan(code[0]!.length);
  expect(code[1]).not.toContain('unpacked(');
});
