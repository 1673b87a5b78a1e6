import { describe, expect, it } from 'vitest';
import { datasetOf, type Column, type Dataset } from '../../cli/data/dataset.ts';
import { meetInputs, type InputSpec, type SizeFormula } from '../../cli/data/meet.ts';
import { nearestName } from '../../cli/data/nearest.ts';
import { readData } from '../../cli/data/open.ts';
import { bytesOf, sentence, sound } from './tools.ts';

const floats = (name: string, shape: number[], values?: number[], source?: string): Column => {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = values === undefined ? Float32Array.from({ length: size }, (_, i) => i / 2) : Float32Array.from(values);
  return { name, dtype: 'f32', shape, data, ...(source === undefined ? {} : { source }) };
};
const ints = (name: string, shape: number[], values: number[], source?: string): Column => ({
  name,
  dtype: 'i32',
  shape,
  data: Int32Array.from(values),
  ...(source === undefined ? {} : { source }),
});
const data = (...columns: Column[]): Dataset => datasetOf(columns, 'data.npz');
const plus = (name: string, n: number): SizeFormula => ({
  text: `${name} + ${n}`,
  evaluate: (sizes) => (sizes.has(name) ? sizes.get(name)! + n : null),
});
const image: InputSpec = { name: 'image', dtype: 'f32', dims: ['B', 8, 8] };
const label: InputSpec = { name: 'label', dtype: 'i32', dims: ['B'], below: 10 };

const told = (dataset: Dataset, inputs: InputSpec[], known?: Map<string, number>) =>
  meetInputs(dataset, inputs, known).problems.map(sentence).join('\n');

describe('meetInputs', () => {
  it('binds columns by name and finds the sizes', () => {
    const meeting = meetInputs(data(floats('image', [2, 8, 8]), ints('label', [2], [3, 9])), [image, label]);
    if (!meeting.ok) throw new Error('refused');
    expect([...meeting.sizes]).toEqual([['B', 2]]);
    expect(meeting.bound.get('label')!.data).toEqual(Int32Array.of(3, 9));
    expect(meeting.problems).toEqual([]);
  });
  it('reads a flat row in the shape of the input and says so', () => {
    const flat = floats('image', [2, 64]);
    const meeting = meetInputs(data(flat), [image]);
    expect(meeting.ok && meeting.bound.get('image')!.shape).toEqual([2, 8, 8]);
    expect(meeting.ok && meeting.bound.get('image')!.data).toEqual(flat.data);
    expect(told(data(flat), [image])).toMatchInlineSnapshot(`
      "NN527: column image [2, 64] is read as [2, 8, 8] for input image [B, 8, 8]
        row by row, from data.npz"
    `);
  });
  it('flattens a picture and adds an axis of one', () => {
    expect(meetInputs(data(floats('x', [2, 3, 4])), [{ name: 'x', dtype: 'f32', dims: ['B', 12] }]).ok).toBe(true);
    expect(meetInputs(data(floats('x', [2, 3, 4])), [{ name: 'x', dtype: 'f32', dims: ['B', 1, 3, 4] }]).ok).toBe(true);
    expect(meetInputs(data(floats('x', [2, 1])), [{ name: 'x', dtype: 'f32', dims: ['B'] }]).ok).toBe(true);
    expect(meetInputs(data(floats('x', [1])), [{ name: 'x', dtype: 'f32', dims: [] }]).ok).toBe(true);
  });
  it('never turns axes round', () => {
    expect(told(data(floats('x', [2, 3, 4])), [{ name: 'x', dtype: 'f32', dims: ['B', 4, 3] }])).toMatchInlineSnapshot(`
      "NN523: input x wants [B, 4, 3], but column x is [2, 3, 4]
        the second axis is 3, not 4
        from data.npz"
    `);
    expect(meetInputs(data(floats('x', [2, 3, 4, 5])), [{ name: 'x', dtype: 'f32', dims: ['B', 5, 12] }]).ok).toBe(
      false,
    );
  });
  it('converts only without loss', () => {
    const whole = meetInputs(data(floats('label', [2], [3, 4])), [label]);
    expect(whole.ok && whole.bound.get('label')).toMatchObject({ dtype: 'i32', data: Int32Array.of(3, 4) });
    const float = meetInputs(data(ints('x', [2], [3, 4])), [{ name: 'x', dtype: 'f16', dims: ['B'] }]);
    expect(float.ok && float.bound.get('x')).toMatchObject({ dtype: 'f32', data: Float32Array.of(3, 4) });
    const truth = meetInputs(data(ints('m', [2], [0, 1])), [{ name: 'm', dtype: 'bool', dims: ['B'] }]);
    expect(truth.ok && truth.bound.get('m')).toMatchObject({ dtype: 'bool', data: Uint8Array.of(0, 1) });
    expect(told(data(floats('label', [3], [1, 2.5, 3])), [label])).toMatchInlineSnapshot(`
      "NN522: input label is i32, but column label, row 1 (data.npz) holds 2.5
        the column was read as f32
        Rows count from 0, lines from 1."
    `);
    expect(told(data(floats('label', [2], [1, NaN])), [label])).toMatchInlineSnapshot(`
      "NN522: input label is i32, but column label, row 1 (data.npz) holds NaN
        the column was read as f32
        NaN usually stands for a missing value; an integer has none
        Rows count from 0, lines from 1."
    `);
    expect(told(data(ints('m', [3], [0, 1, 2])), [{ name: 'm', dtype: 'bool', dims: ['B'] }])).toMatch(
      /^NN522.* holds 2/,
    );
  });
  it('evaluates formulas', () => {
    const inputs: InputSpec[] = [
      { name: 'x', dtype: 'f32', dims: ['B', 'T'] },
      { name: 'y', dtype: 'f32', dims: ['B', plus('T', 1)] },
    ];
    const meeting = meetInputs(data(floats('y', [2, 4]), floats('x', [2, 3])), inputs);
    expect(meeting.ok && [...meeting.sizes]).toEqual([
      ['B', 2],
      ['T', 3],
    ]);
    expect(told(data(floats('x', [2, 3]), floats('y', [2, 3])), inputs)).toMatchInlineSnapshot(`
      "NN523: input y wants [B, T + 1], but column y is [2, 3]
        the second axis is 3, not T + 1 (4 here)
        from data.npz"
    `);
    expect(told(data(floats('y', [2, 3])), inputs.slice(1))).toMatchInlineSnapshot(`
      "NN528: the data do not determine T + 1 in input y [B, T + 1]
        store the column with one axis for each of [B, T + 1], or set the size as a const"
    `);
  });
  it('lists the columns when one is missing, and the nearest', () => {
    expect(told(data(floats('images', [2, 8, 8]), ints('label', [2], [1, 2])), [image, label])).toMatchInlineSnapshot(`
      "NN521: no column for input image in data.npz
        columns there are: images, label
        the nearest name is images; to use it, write: input images, or rename the column"
    `);
    expect(nearestName('label', ['lable', 'y'])).toBe('lable');
    expect(nearestName('label', ['price', 'y'])).toBe(null);
  });
  it('names both places of a size that has two values', () => {
    const dataset = data(floats('image', [3, 8, 8], undefined, 'images.npy'), ints('label', [2], [1, 2], 'labels.npy'));
    expect(told(dataset, [image, label])).toMatchInlineSnapshot(`
      "NN524: size B is 3 and 2
        3 in input image: first axis of column image in images.npy
        2 in input label: first axis of column label in labels.npy"
    `);
    expect(told(data(floats('image', [3, 64]), ints('label', [2], [1, 2])), [label, image])).toMatch(
      /^NN524: size B is 2 and 3[^N]*$/,
    );
    expect(told(data(ints('label', [2], [1, 2])), [label], new Map([['B', 4]]))).toMatchInlineSnapshot(`
      "NN524: size B is 4 and 2
        4 in the program
        2 in input label: first axis of column label in data.npz"
    `);
  });
  it('names the guilty axis of a wrong shape', () => {
    expect(told(data(floats('image', [2, 8, 7])), [image])).toMatchInlineSnapshot(`
      "NN523: input image wants [B, 8, 8], but column image is [2, 8, 7]
        the third axis is 7, not 8
        from data.npz"
    `);
    expect(told(data(floats('image', [2, 63])), [image])).toMatchInlineSnapshot(`
      "NN523: input image wants [B, 8, 8], but column image is [2, 63]
        from data.npz"
    `);
  });
  it('names the first index beyond its bound, by row and line', () => {
    expect(told(data(ints('label', [4], [1, 10, 2, -1])), [label])).toMatchInlineSnapshot(`
      "NN525: 10 in column label, row 1 (data.npz) is no index below 10
        input label is declared < 10, so its values are 0 to 9
        2 values are outside; this is the first
        values that count from 1 give this; indices count from 0
        Rows count from 0, lines from 1."
    `);
    const dataset = sound(readData(bytesOf('{"id":[1,2]}\n\n{"id":[3,7]}\n'), 'text.jsonl'));
    const bound = { text: 'vocab', evaluate: () => 5 };
    expect(told(dataset, [{ name: 'id', dtype: 'i32', dims: ['B', 'T'], below: bound }])).toMatchInlineSnapshot(`
      "NN525: 7 in column id[1], row 1 (text.jsonl:3) is no index below 5
        input id is declared < vocab = 5, so its values are 0 to 4
        Rows count from 0, lines from 1."
    `);
  });
  it('checks indices against a size of the data', () => {
    const graph = data(floats('x', [3, 2]), ints('source', [4], [0, 1, 2, 3]));
    const inputs: InputSpec[] = [
      { name: 'source', dtype: 'i32', dims: ['E'], below: { text: 'N', evaluate: (sizes) => sizes.get('N') ?? null } },
      { name: 'x', dtype: 'f32', dims: ['N', 2] },
    ];
    expect(told(graph, inputs)).toMatch(/^NN525: 3 in column source, row 3 \(data.npz\) is no index below 3/);
  });
  it('warns of NaN but goes on', () => {
    const dataset = data(floats('x', [2, 2], [1, NaN, Infinity, 2]));
    expect(meetInputs(dataset, [{ name: 'x', dtype: 'f32', dims: ['B', 2] }]).ok).toBe(true);
    expect(told(dataset, [{ name: 'x', dtype: 'f32', dims: ['B', 2] }])).toMatchInlineSnapshot(`
      "NN526: input x holds NaN in column x[1], row 0 (data.npz)
        2 values are not finite; this is the first"
    `);
  });
  it('reports a damaged column only to who wants it', () => {
    const dataset = sound(readData(bytesOf('x,name\n1,anna\n'), 'a.csv'));
    expect(meetInputs(dataset, [{ name: 'x', dtype: 'f32', dims: ['B'] }]).ok).toBe(true);
    expect(told(dataset, [{ name: 'name', dtype: 'f32', dims: ['B'] }])).toMatch(
      /^NN906: column name, row 0 \(a\.csv:2\)/,
    );
  });
  it('reports everything at once', () => {
    const codes = meetInputs(data(floats('image', [2, 9, 8]), ints('label', [3], [1, 2, 77])), [
      image,
      label,
      { name: 'weight', dtype: 'f32', dims: ['B'] },
    ]).problems.map(({ code }) => code);
    expect(codes.sort()).toEqual(['NN521', 'NN523', 'NN524', 'NN525']);
  });
  it('refuses data without rows', () => {
    expect(told(data(floats('image', [0, 8, 8])), [image])).toBe('NN529: data.npz has no rows');
  });
});
