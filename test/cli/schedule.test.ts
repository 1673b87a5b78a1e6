/** `nnc train` tells schedules that go by validations each one, also when it goes on; without validation it refuses. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folder, nnc, program, rows, tensors } from './support.ts';

// No validation after the first is better by 9: the rate is halved after each.
const falling = program.replace(
  'Adam(lr: 1e-2)',
  'Adam(lr: plateau(1, 0.5, patience: 0, threshold: 9, absolute: true))',
);
const rate = (cwd: string, out: string): number =>
  Number(tensors(join(cwd, out, 'checkpoint.safetensors')).get('schedule/plateau/rate')!.data[0]);
const train = ['train', 'net.nn', '--data', 'rows.csv', '-q'];

it('hears of each validation, and goes on', async () => {
  const cwd = folder({ 'net.nn': falling, 'rows.csv': rows() });
  expect((await nnc(cwd, [...train, '--out', 'o', '--epochs', '3'])).code).toBe(0);
  expect(rate(cwd, 'o')).toBe(0.25);
  expect((await nnc(cwd, [...train, '--out', 'o', '--epochs', '5', '--resume'])).code).toBe(0);
  expect(rate(cwd, 'o')).toBe(0.0625);
  expect((await nnc(cwd, [...train, '--out', 'js', '--epochs', '3', '--target', 'ts'])).code).toBe(0);
  expect(rate(cwd, 'js')).toBe(0.25);
});

it('needs validation', async () => {
  const cwd = folder({ 'net.nn': falling.replace('validate(split: 0.2)', ''), 'rows.csv': rows() });
  const { code, err } = await nnc(cwd, train);
  expect(code).toBe(1);
  expect(err).toContain('error[NN930]: Fit refuses: a schedule goes by the loss of validations, and there is none');
});
