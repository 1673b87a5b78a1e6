/** What the data tests share: bytes from text, and problems as sentences. */
import type { Problem } from '../../compiler/diagnostics/problem.ts';
import type { Prose } from '../../compiler/diagnostics/problem.ts';
import { dataProse } from '../../compiler/diagnostics/render/data.ts';
import type { Column, Dataset, Reading } from '../../cli/data/dataset.ts';

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const base64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

/** `NN906: column x, row 1 (a.csv:3) is empty` and the notes below. */
export function sentence(problem: Problem): string {
  const table = dataProse as unknown as { readonly [code: string]: Prose<unknown> };
  const { message, notes = [] } = table[problem.code]!.render(problem.data);
  return [`${problem.code}: ${message}`, ...notes.map((note) => `  ${note}`)].join('\n');
}

export function sound(reading: Reading): Dataset {
  if (!reading.ok) throw new Error(reading.problems.map(sentence).join('\n'));
  return reading.dataset;
}

export const complaint = (reading: Reading): string =>
  reading.ok
    ? [...reading.dataset.damaged.values()].map(sentence).join('\n')
    : reading.problems.map(sentence).join('\n');

/** Type, shape and values of a column. */
export function shown(column: Column | undefined): [string, readonly number[], number[]] | null {
  return column === undefined ? null : [column.dtype, column.shape, [...column.data]];
}
