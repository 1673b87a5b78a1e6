/** The files that explanations of data show: the wrong one has the problem, the mended one is read. */
import { expect, it } from 'vitest';
import { readData } from '../../cli/data/open.ts';
import { dataProse } from '../../compiler/diagnostics/render/data.ts';
import { bytesOf, complaint } from './tools.ts';

const cases = Object.entries(dataProse).flatMap(([code, { explain }]) => {
  const [wrong, mended] = [...explain.matchAll(/```(csv|json)\n([\s\S]*?)\n```/g)];
  return wrong === undefined || mended === undefined ? [] : [[code, wrong, mended] as const];
});

it.each(cases)('%s', (code, wrong, mended) => {
  const read = ([, format, text]: RegExpMatchArray): string =>
    complaint(readData(bytesOf(`${text!}\n`), format === 'csv' ? 'shown.csv' : 'shown.jsonl', {}));
  expect(read(wrong)).toContain(code);
  expect(read(mended)).toBe('');
});

it('there are some', () => expect(cases.length).toBeGreaterThanOrEqual(8));
