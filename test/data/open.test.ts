import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cellOf } from '../../cli/data/dataset.ts';
import { openColumns, openData, openOptions, scaleOf } from '../../cli/data/open.ts';
import { complaint, shown, sound } from './tools.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const without = (text: string) => text.replaceAll(`${folder}/`, '').replaceAll(folder, '.');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nnc-data-'));
  writeFileSync(
    at('images-idx3-ubyte'),
    Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 51, 102, 255),
  );
  writeFileSync(at('labels-idx1-ubyte'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 3, 4));
  writeFileSync(at('a.csv'), 'x,y\n1,2\n3,4\n');
  writeFileSync(at('b.csv'), 'x,y\n5,6.5\n');
  writeFileSync(at('c.csv'), 'z\n7\n8\n');
  writeFileSync(at('d.csv'), 'x\n7\n');
  mkdirSync(at('images'));
  writeFileSync(at('images/255'), 'q\n1\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('openData', () => {
  it('puts files with other columns side by side', () => {
    const dataset = sound(openData([at('a.csv'), at('c.csv')]));
    expect([...dataset.columns.keys()]).toEqual(['x', 'y', 'z']);
    expect(dataset.rows).toBe(2);
  });
  it('continues rows over files with the same columns, and still knows their lines', () => {
    const dataset = sound(openData([at('a.csv'), at('b.csv')]));
    expect(shown(dataset.columns.get('x'))).toEqual(['i32', [3], [1, 3, 5]]);
    expect(shown(dataset.columns.get('y'))).toEqual(['f32', [3], [2, 4, 6.5]]);
    expect(cellOf(dataset.columns.get('x')!, 2, '')).toEqual({ path: at('b.csv'), column: 'x', row: 0, line: 2 });
  });
  it('reports files that share only some columns', () => {
    expect(without(complaint(openData([at('a.csv'), at('d.csv')])))).toMatchInlineSnapshot(`
      "NN916: a.csv has column y, d.csv has not
        files that share a column are joined row after row and need the same columns"
    `);
  });
  it('reports every file that cannot be read', () => {
    expect(without(complaint(openData([at('nowhere.csv'), at('images')])))).toMatchInlineSnapshot(`
      "NN901: cannot read nowhere.csv: there is no such file
      NN901: cannot read images: it is a folder"
    `);
  });
});

describe('openColumns', () => {
  it('maps columns to files, with a scale', () => {
    const dataset = sound(
      openColumns(
        new Map([
          ['image', `${at('images-idx3-ubyte')}/255`],
          ['label', at('labels-idx1-ubyte')],
          ['half', `${at('labels-idx1-ubyte')}*0.5`],
          ['y', at('a.csv')],
        ]),
      ),
    );
    expect(shown(dataset.columns.get('image'))).toEqual(['f32', [2, 1, 2], [0, 0.2, 0.4, 1].map(Math.fround)]);
    expect(shown(dataset.columns.get('label'))).toEqual(['i32', [2], [3, 4]]);
    expect(shown(dataset.columns.get('half'))).toEqual(['f32', [2], [1.5, 2]]);
    expect(shown(dataset.columns.get('y'))).toEqual(['i32', [2], [2, 4]]);
  });
  it('asks which of several columns is meant', () => {
    expect(without(complaint(openColumns(new Map([['label', at('a.csv')]]))))).toMatchInlineSnapshot(`
      "NN914: a.csv has several columns, none of them named label
        columns there are: x, y"
    `);
  });
  it('tells a scale from a name', () => {
    expect(scaleOf('x.idx/255')).toEqual({ path: 'x.idx', scale: { by: 255, divide: true } });
    expect(scaleOf('x.npy*1e-2')).toEqual({ path: 'x.npy', scale: { by: 0.01, divide: false } });
    expect(scaleOf('data/x.npy')).toEqual({ path: 'data/x.npy', scale: null });
    expect(scaleOf(at('images/255'))).toEqual({ path: at('images/255'), scale: null });
  });
});

describe('--data options', () => {
  it('are paths or mappings', () => {
    expect([...sound(openOptions([at('a.csv'), at('c.csv')])).columns.keys()]).toEqual(['x', 'y', 'z']);
    expect([...sound(openOptions([`q=${at('c.csv')}`, `x=${at('a.csv')}`])).columns.keys()]).toEqual(['q', 'x']);
  });
  it.each([
    ['a mixture', ['x=a.csv', 'b.csv']],
    ['a name without a file', ['x=']],
    ['a name twice', ['x=a.csv', 'x=b.csv']],
    ['a scale of nothing', ['x=a.csv/0']],
    ['nothing', []],
  ])('report %s', (_, texts) => {
    expect(complaint(openOptions(texts))).toMatchSnapshot();
  });
});
