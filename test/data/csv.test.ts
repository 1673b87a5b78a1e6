import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readCsv } from '../../cli/data/csv.ts';
import { openData, readData } from '../../cli/data/open.ts';
import { bytesOf, complaint, shown, sound } from './tools.ts';

const csv = (text: string, header?: string[]) =>
  readCsv(bytesOf(text), 'a.csv', header === undefined ? {} : { header });
const columns = (text: string, header?: string[]) =>
  Object.fromEntries([...sound(csv(text, header)).columns].map(([name, column]) => [name, shown(column)]));

describe('CSV', () => {
  it('reads a header, integers, floats and truth values', () => {
    expect(columns('a,b,c\n1,0.5,true\n-2,1e3,FALSE\n')).toEqual({
      a: ['i32', [2], [1, -2]],
      b: ['f32', [2], [0.5, 1000]],
      c: ['bool', [2], [1, 0]],
    });
  });
  it('names columns by position without a header', () => {
    expect(columns('1,2\n3,4')).toEqual({ 0: ['i32', [2], [1, 3]], 1: ['i32', [2], [2, 4]] });
  });
  it('takes a header from outside, with a range', () => {
    expect(columns('1,2,3,7\n4,5,6,8\n', ['x: 0..2', 'label'])).toEqual({
      x: ['i32', [2, 3], [1, 2, 3, 4, 5, 6]],
      label: ['i32', [2], [7, 8]],
    });
  });
  it('understands a range in the header of the file', () => {
    expect(columns('x: 0..1,label\n1,2,3\n')).toEqual({ x: ['i32', [1, 2], [1, 2]], label: ['i32', [1], [3]] });
  });
  it('keeps RFC 4180: quotes, doubled quotes, breaks in cells, CRLF, a byte order mark', () => {
    const text = '\ufeff"a","b ""c""",d\r\n"1","x\r\ny",3\r\n"2","z, ""w""",4\r\n\r\n';
    const { columns: found, damaged } = sound(csv(text));
    expect(shown(found.get('a'))).toEqual(['i32', [2], [1, 2]]);
    expect(shown(found.get('d'))).toEqual(['i32', [2], [3, 4]]);
    expect([...damaged.keys()]).toEqual(['b "c"']);
    expect([...found.get('d')!.lines!]).toEqual([2, 4]);
  });
  it('gathers numbered columns, in any order, from 0 or from 1, with several numbers', () => {
    expect(columns('x[1],y,x[0]\n1,2,3\n')).toEqual({ x: ['i32', [1, 2], [3, 1]], y: ['i32', [1], [2]] });
    expect(columns('p.1,p.2,p.3\n1,2.5,3\n')).toEqual({ p: ['f32', [1, 3], [1, 2.5, 3]] });
    expect(columns('p[0][0],p[0][1],p[1][0],p[1][1]\n1,2,3,4\n')).toEqual({ p: ['i32', [1, 2, 2], [1, 2, 3, 4]] });
  });
  it('knows semicolons and tabs', () => {
    expect(columns('a;b\n1;2\n')).toEqual({ a: ['i32', [1], [1]], b: ['i32', [1], [2]] });
    expect(columns('a\tb\n1\t2\n')).toEqual({ a: ['i32', [1], [1]], b: ['i32', [1], [2]] });
  });
  it('reads nan and inf as floats', () => {
    expect(columns('a\nnan\n-inf\n1\n')).toEqual({ a: ['f32', [3], [NaN, -Infinity, 1]] });
  });
  it('lets one bad column spare the others', () => {
    const reading = csv('name,x\nanna,1\nbert,2\n');
    expect(shown(sound(reading).columns.get('x'))).toEqual(['i32', [2], [1, 2]]);
    expect(complaint(reading)).toMatchInlineSnapshot(`
      "NN906: column name, row 0 (a.csv:2) holds "anna", not a number
        Rows count from 0, lines from 1."
    `);
  });

  const bad: [string, string][] = [
    ['an empty file', ''],
    ['a short line', 'a,b\n1,2\n3\n'],
    ['a long line', 'a,b\n1,2\n3,4,5\n'],
    ['a quote without end', 'a,b\n1,"2\n3,4\n'],
    ['text after a quote', 'a,b\n1,"2"x\n'],
    ['an empty cell', 'a,b\n1,2\n,3\n'],
    ['a missing value', 'a\n1\nNA\n'],
    ['an integer beyond i32', 'a\n1\n2147483648\n'],
    ['a float beyond f32', 'a\n1.5\n1e39\n'],
    ['hexadecimal', 'a\n1\n0x10\n'],
    ['a truth value among numbers', 'a\n1\ntrue\n'],
    ['a gap', 'x.0,x.1,x.3\n1,2,3\n'],
    ['a column twice', 'a,a\n1,2\n'],
    ['a range in reverse', 'x: 3..1\n1\n'],
  ];
  it.each(bad)('reports %s', (_, text) => {
    expect(complaint(csv(text))).toMatchSnapshot();
  });

  it('reads every f32 back that was printed with an exponent', () => {
    const table = fc.array(fc.tuple(fc.float({ noDefaultInfinity: true }), fc.float()), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), (rows, eol) => {
        const text = ['x.0,x.1', ...rows.map(([a, b]) => `${a.toExponential()},"${b.toExponential()}"`)].join(eol);
        const column = sound(csv(text)).columns.get('x')!;
        expect([...column.data].map((v) => v + 0)).toEqual(rows.flat().map((v) => v + 0));
      }),
      { seed: 3, numRuns: 500 },
    );
  });
  it('agrees with Number on decimals of every length', () => {
    const digits = fc.tuple(fc.boolean(), fc.stringMatching(/^\d{1,18}$/), fc.stringMatching(/^\d{1,18}$/));
    fc.assert(
      fc.property(digits, ([minus, whole, part]) => {
        const text = `${minus ? '-' : ''}${whole}.${part}`;
        expect(sound(csv(`a\n${text}\n`)).columns.get('a')!.data[0]).toBe(Math.fround(Number(text)));
      }),
      { seed: 4, numRuns: 1000 },
    );
  });
});

describe('the digits in examples/data', () => {
  const open = (name: string) => sound(openData(`examples/data/${name}.csv.gz`));
  it('are 1,797 images with labels, split into 1,437 and 360', () => {
    const sizes = ['digits', 'digits-train', 'digits-test'].map((name) => {
      const data = open(name);
      expect([...data.columns.keys()]).toEqual(['image', 'label']);
      expect(data.columns.get('image')!.shape).toEqual([data.rows, 64]);
      return data.rows;
    });
    expect(sizes).toEqual([1797, 1437, 360]);
  });
  it('keep the raw values, and every digit in proportion', () => {
    const all = open('digits');
    const image = all.columns.get('image')!;
    expect([...image.data.subarray(0, 8)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
    expect([...image.data].reduce((a, b) => Math.max(a, b))).toBe(16);
    // The sum over all pixels and the label counts as scikit-learn's load_digits gives them.
    expect([...image.data].reduce((a, b) => a + b)).toBe(561718);
    const count = (name: string) => {
      const counts = Array.from({ length: 10 }, () => 0);
      for (const label of open(name).columns.get('label')!.data) counts[label]!++;
      return counts;
    };
    expect(count('digits')).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    count('digits-test').forEach((n, digit) => {
      expect(Math.abs(n - (count('digits')[digit]! * 360) / 1797)).toBeLessThan(1);
    });
  });
  it('are split without overlap', () => {
    const lines = (name: string) =>
      gunzipSync(readFileSync(`examples/data/${name}.csv.gz`))
        .toString()
        .trim()
        .split('\n')
        .slice(1);
    expect([...lines('digits-train'), ...lines('digits-test')].sort()).toEqual(lines('digits').sort());
  });
  it('are the same with and without gzip', () => {
    const packed = readFileSync('examples/data/digits-test.csv.gz');
    expect(sound(readData(gunzipSync(packed), 'x.csv')).columns.get('image')!.data).toEqual(
      open('digits-test').columns.get('image')!.data,
    );
  });
});
