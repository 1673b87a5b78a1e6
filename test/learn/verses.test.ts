/** The data of examples/translation.nn: the zText form read, marks taken off, parts and tensors; on a module made here, since the real ones are fetched. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytePairs, decoded } from '../../analysis/text/tokens.ts';
import { aligned, mostPieces, partOf, plain, readZText, tensorsOf } from '../../scripts/verses.ts';

/** Blocks of entries as the three files of a module. */
function module(blocks: readonly (readonly string[])[]): [Uint8Array, Uint8Array, Uint8Array] {
  const [bzs, bzv, bzz] = [[] as number[], [] as number[], [] as number[]];
  const number = (into: number[], value: number, bytes: number): void => {
    for (let i = 0; i < bytes; i++) into.push((value >>> (8 * i)) & 255);
  };
  blocks.forEach((entries, block) => {
    const encoded = entries.map((text) => new TextEncoder().encode(text));
    const whole = Uint8Array.from(encoded.flatMap((e) => [...e]));
    const packed = deflateSync(whole);
    for (const value of [bzz.length, packed.length, whole.length]) number(bzs, value, 4);
    let start = 0;
    for (const e of encoded) {
      number(bzv, block, 4);
      number(bzv, start, 4);
      number(bzv, e.length, 2);
      start += e.length;
    }
    bzz.push(...packed);
  });
  return [Uint8Array.from(bzs), Uint8Array.from(bzv), Uint8Array.from(bzz)];
}

describe('verses', () => {
  it('are read from zText modules', () => {
    const blocks = [
      ['', 'In the beginning ¶ God'],
      ['¿Dónde estás tú?', '', 'fin'],
    ];
    expect(readZText(...module(blocks))).toEqual(blocks.flat());
    const [bzs, bzv, bzz] = module(blocks);
    expect(() => readZText(bzs.subarray(1), bzv, bzz)).toThrow(/no indexes/);
    expect(() => readZText(bzs.subarray(0, 12), bzv, bzz)).toThrow(/no block 1/);
    const damaged = Uint8Array.from(bzs);
    damaged[8]!++;
    expect(() => readZText(damaged, bzv, bzz)).toThrow(/another size/);
  });
  it('lose their marks', () => {
    const markup =
      '<title type="x">Psalm <hi>1</hi></title><w lemma="a">Blessed</w> <note n="1">or, happy</note>is\n the <hi>man</hi> ¶ ';
    expect(plain(markup)).toBe('Blessed is the man');
    expect(aligned(['a', '', '<note>only</note>'], ['b', 'c', 'd'])).toEqual([{ number: 0, source: 'a', target: 'b' }]);
  });
  it('go to parts by number, and to tensors with lengths', () => {
    const parts = Array.from({ length: 2000 }, (_, i) => partOf(i));
    expect(parts.filter((p) => p === 'test').length).toBeGreaterThan(60);
    expect(parts.filter((p) => p === 'train').length).toBeGreaterThan(1700);
    const pairs = [
      { number: 0, source: 'the sea', target: 'el mar' },
      { number: 1, source: 'x'.repeat(mostPieces + 1), target: 'y' },
    ];
    const tokenizer = bytePairs('the sea el mar x y the sea', 40);
    const { tensors, kept } = tensorsOf(pairs, tokenizer);
    expect(kept.map(({ number }) => number)).toEqual([0]);
    const of = (name: string): number[] => [...(tensors.get(name)!.data as Int32Array)];
    const [length] = of('target_length');
    expect(of('target')[0]).toBe(1);
    expect(of('target')[length!]).toBe(2);
    expect(
      of('target')
        .slice(length! + 1)
        .every((id) => id === 0),
    ).toBe(true);
    expect(decoded(tokenizer, of('target'))).toBe('el mar');
    expect(decoded(tokenizer, of('source').slice(0, of('source_length')[0]))).toBe('the sea');
  });
});
