/** `nnc run`: formats of results, and weights and data that do not fit. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { encode, type Tensor } from '../../runtime/safetensors.ts';
import { readData } from '../../cli/data/open.ts';
import { folder, nnc, program, tensors } from './support.ts';

const model = program.slice(0, program.indexOf('train')).replace(' |> Dropout(0.2)', '');
const weights = new Map<string, Tensor>([
  ['hidden.weight', { dtype: 'F32', shape: [16, 4], data: Float32Array.from({ length: 64 }, (_, i) => (i % 7) / 7) }],
  ['hidden.bias', { dtype: 'F32', shape: [16], data: Float32Array.from({ length: 16 }, (_, i) => i / 16 - 0.5) }],
  ['out.weight', { dtype: 'F32', shape: [3, 16], data: Float32Array.from({ length: 48 }, (_, i) => (i % 5) - 2) }],
  ['out.bias', { dtype: 'F32', shape: [3], data: Float32Array.of(0.25, 0, -0.25) }],
]);
const data = 'x.0,x.1,x.2,x.3\n1,2,3,4\n-1,0.5,0,2\n0,0,0,0\n';

/** The same network by hand: rows of x → rows of the result. */
function byHand(rows: readonly (readonly number[])[]): number[][] {
  const of = (name: string) => weights.get(name)!.data as Float32Array;
  const linear = (x: readonly number[], name: string) =>
    Array.from(of(`${name}.bias`), (bias, o) =>
      x.reduce((sum, v, d) => sum + v * of(`${name}.weight`)[o * x.length + d]!, bias),
    );
  return rows.map((x) =>
    linear(
      linear(x, 'hidden').map((v) => Math.max(0, v)),
      'out',
    ),
  );
}
const expected = byHand([
  [1, 2, 3, 4],
  [-1, 0.5, 0, 2],
  [0, 0, 0, 0],
]).flat();

let cwd = '';
beforeEach(() => {
  cwd = folder({ 'model.nn': model, 'rows.csv': data, 'w.safetensors': encode(weights) });
});
const run = (...more: string[]) =>
  nnc(cwd, ['run', 'model.nn', '--weights', 'w.safetensors', '--data', 'rows.csv', ...more]);

describe('results', () => {
  it.each(['csv', 'npy', 'jsonl', 'safetensors'])('as .%s are the numbers computed by hand', async (format) => {
    const path = join(cwd, `y.${format}`);
    expect(await run('--out', `y.${format}`, '--batch', '2')).toEqual({
      code: 0,
      out: `y.${format}: output [3, 3]\n`,
      err: '',
    });
    const reading = readData(readFileSync(path), path);
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    const [column] = [...reading.dataset.columns.values()];
    expect(column!.shape).toEqual([3, 3]);
    expected.forEach((value, i) => expect(column!.data[i]).toBeCloseTo(value, 4));
  });

  it('go to the terminal as CSV', async () => {
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toBe('output.0,output.1,output.2');
    expect(out.trimEnd().split('\n')).toHaveLength(4);
  });

  it('of a format that is none are refused before anything is computed', async () => {
    const { code, err } = await run('--out', 'y.txt');
    expect([code, err]).toEqual([1, expect.stringContaining('NN929') as string]);
  });
});

describe('weights that do not fit', () => {
  it('are listed by name', async () => {
    const other = new Map(weights);
    other.delete('out.bias');
    other.set('out.weight', { dtype: 'F32', shape: [16, 3], data: new Float32Array(48) });
    other.set('head.bias', { dtype: 'F32', shape: [3], data: new Float32Array(3) });
    writeFileSync(join(cwd, 'w.safetensors'), encode(other));
    const { code, err } = await run();
    expect(code).toBe(1);
    expect(err).toMatchInlineSnapshot(`
      "error[NN924]: the weights in w.safetensors do not fit Net
      = note: missing:
              out.bias f32[3]
      = note: not part of Net:
              head.bias f32[3]
      = note: of another shape or type:
              out.weight is f32[16, 3], should be f32[3, 16]

      "
    `);
  });

  it('or cannot be read are reported', async () => {
    const bytes = readFileSync(join(cwd, 'w.safetensors'));
    writeFileSync(join(cwd, 'w.safetensors'), bytes.subarray(0, bytes.length - 3));
    expect((await run()).err).toMatch(/^error\[NN915\]/);
    writeFileSync(join(cwd, 'w.safetensors'), 'hello');
    expect((await run()).err).toMatch(/^error\[NN915\]/);
    writeFileSync(
      join(cwd, 'w.safetensors'),
      encode(new Map([['a', { dtype: 'F64', shape: [1], data: new Float64Array(1) }]])),
    );
    expect((await run()).err).toMatch(/^error\[NN911\]/);
    expect((await nnc(cwd, ['run', 'model.nn', '--weights', 'no.safetensors', '--data', 'rows.csv'])).err).toContain(
      'NN920',
    );
  });
});

it('takes half-precision weights, widened', async () => {
  const half = new Map([...weights].map(([name, t]): [string, Tensor] => [name, { ...t, dtype: 'F16' }]));
  writeFileSync(join(cwd, 'w.safetensors'), encode(half));
  const { code, err } = await run('--out', 'y.safetensors');
  expect([code, err]).toEqual([0, '']);
  const output = tensors(join(cwd, 'y.safetensors')).get('output')!.data;
  expected.forEach((value, i) => expect(Number(output[i])).toBeCloseTo(value, 1));
});

it('reports data that do not meet the inputs', async () => {
  writeFileSync(join(cwd, 'rows.csv'), 'x.0,x.1\n1,2\n');
  expect((await run()).err).toMatch(/^error\[NN523\]: input x wants \[B, 4\]/);
});
