/** Data that scripts take from elsewhere: gettext catalogues read in both byte orders, damaged ones refused; messages made into pairs; files of Fashion-MNIST held to their sizes. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { pairsOf, plain, readCatalogue } from '../../scripts/messages.ts';
import { fault } from '../../scripts/fashion-mnist.ts';

/** A catalogue as msgfmt writes it. */
function catalogue(entries: readonly (readonly [string, string])[], little = true): Uint8Array {
  const sides = [0, 1].map((side) => entries.map((entry) => new TextEncoder().encode(entry[side])));
  const texts = sides.flat();
  const head = 28;
  const tables = 16 * entries.length;
  const out = new Uint8Array(head + tables + texts.reduce((sum, t) => sum + t.length + 1, 0));
  const view = new DataView(out.buffer);
  [0x950412de, 0, entries.length, head, head + tables / 2, 0, head + tables].forEach((n, i) =>
    view.setUint32(4 * i, n, little),
  );
  let at = head + tables;
  texts.forEach((text, i) => {
    view.setUint32(head + 8 * i, text.length, little);
    view.setUint32(head + 8 * i + 4, at, little);
    out.set(text, at);
    at += text.length + 1;
  });
  return out;
}

const entries = [
  ['', 'Content-Type: text/plain; charset=UTF-8\n'],
  ['menu\u0004_Open...', '打开(_O)...'],
  ['%1 file\0%1 files', '%1 个文件'],
  ['Insert Cells', '插入单元格'],
] as const;

describe('gettext catalogues', () => {
  it.each([true, false])('are read, little-endian: %s', (little) => {
    expect(readCatalogue(catalogue(entries, little))).toEqual([
      { context: 'menu', source: '_Open...', target: '打开(_O)...' },
      { context: '', source: '%1 file', target: '%1 个文件' },
      { context: '', source: 'Insert Cells', target: '插入单元格' },
    ]);
  });
  it('that are none, or damaged, are refused', () => {
    const whole = catalogue(entries);
    expect(() => readCatalogue(whole.subarray(0, 20))).toThrow('too short');
    expect(() => readCatalogue(Uint8Array.from(whole, (b, i) => (i === 0 ? 7 : b)))).toThrow('begin with its number');
    expect(() => readCatalogue(whole.subarray(0, 30))).toThrow('cut off');
    expect(() => readCatalogue(whole.subarray(0, whole.length - 4))).toThrow('entry 3 lies behind');
    expect(() => readCatalogue(Uint8Array.from(whole, (b, i) => (i === 6 ? 2 : b)))).toThrow('revision 2');
    const latin = Uint8Array.from(whole, (b, i) => (i === whole.length - 2 ? 0xff : b));
    expect(() => readCatalogue(latin)).toThrow();
  });
});

describe('messages', () => {
  it('lose the marks of keys and menus', () => {
    expect(plain('_Open...')).toBe('Open');
    expect(plain('打开(_O)...')).toBe('打开');
    expect(plain('Save ~As…')).toBe('Save As');
    expect(plain('标点符号(~N):')).toBe('标点符号:');
    expect(plain('snake_ case')).toBe('snake_ case');
  });
  it('are kept once, if both sides have words and no places for values', () => {
    const message = (source: string, target: string) => ({ context: '', source, target });
    const pairs = pairsOf([
      ...readCatalogue(catalogue(entries)),
      message('Open', '开启'),
      message('SUM', 'SUM'),
      message('<b>Bold</b>', '<b>粗体</b>'),
      message('12:30', '十二点'),
      message('Close', '关闭'),
    ]);
    expect(new Map(pairs.map(({ source, target }) => [source, target]))).toEqual(
      new Map([
        ['Open', '打开'],
        ['Insert Cells', '插入单元格'],
        ['Close', '关闭'],
      ]),
    );
    expect(pairs.map(({ hash }) => hash)).toEqual([...pairs.map(({ hash }) => hash)].sort((a, b) => a - b));
  });
});

describe('files of Fashion-MNIST', () => {
  const name = 't10k-labels-idx1-ubyte.gz';
  const labels = (rows: number): Uint8Array => {
    const bytes = new Uint8Array(8 + rows);
    new DataView(bytes.buffer).setUint32(0, 0x801);
    new DataView(bytes.buffer).setUint32(4, rows);
    return gzipSync(bytes);
  };
  it('have the shape that the data set has', () => {
    expect(fault(name, labels(10_000))).toBeNull();
    expect(fault(name, labels(9_999))).toBe(`${name} has the shape [9999], not [10000]`);
    expect(fault(name, labels(10_000).subarray(0, 30))).toMatch(/is not a sound gzip file/);
    expect(fault(name, new Uint8Array(12))).not.toBeNull();
  });
});
