/** Equal layers share their kernels: more of them are more rows in the plan's table, and no more code. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';

const source =
  readFileSync('examples/design/gpt2.nn', 'utf8') +
  `
train Fit {
  input token: i32[B, T + 1] < vocab
  let seen[b, t: T] = token[b, t]
  let next[b, t: T] = token[b, t + 1]
  minimize cross_entropy(GPT2(seen), next)
  optimizer Adam(lr: 3e-4)
}
`;

function gpt(layers: number): Artifact {
  const result = compile(source, {
    only: 'Fit',
    bounds: { B: 2, T: 16 },
    consts: { vocab: 50, width: 16, heads: 2, layers, context: 16 },
  });
  expect(result.reports.map((r) => r.message)).toEqual([]);
  return result.artifacts.get('Fit')!;
}

it('a GPT of eight layers has the kernels of one of four', () => {
  const four = gpt(4);
  const eight = gpt(8);
  expect(eight.kernels.map((k) => k.name)).toEqual(four.kernels.map((k) => k.name));
  const kernels = (a: Artifact): string => a.javascript.slice(0, a.javascript.indexOf('const plan = {'));
  expect(kernels(eight)).toBe(kernels(four));
  const rows = (a: Artifact): number => a.plan.programs.step!.steps.length;
  expect(rows(eight) - rows(four)).toBeGreaterThan(4 * 20);
});
