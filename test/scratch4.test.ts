import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { elaborateText } from './support/program.ts';
const text = readFileSync('docs/language.md', 'utf8');
for (const m of text.matchAll(/^```nn(.*)\n([\s\S]*?)^```$/gm)) {
  const line = text.slice(0, m.index).split('\n').length;
  if (/^ NN(201|303|131)/.test(m[1]!)) continue;
  it(`line ${line} ${m[1]}`, () => { elaborateText(m[2]!); });
}
