/** The plan in a module of WebAssembly is written as a table where that says the same; what stands there is the plan. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { planLines } from '../../../compiler/targets/wasm/plan-text.ts';
import type { Plan } from '../../../runtime/plan.ts';

const evaluated = (lines: readonly string[]): Plan => new Function(`${lines.join('\n')}\nreturn plan;`)() as Plan;

const planOf = (source: string, only: string, weights?: readonly string[]): Plan => {
  const bounds = { B: 4, T: 8, S: 4 };
  const result = compile(source, { only, bounds, ...(weights === undefined ? {} : { weights }) });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
  return result.artifacts.get(only)!.plan;
};
const gpt = readFileSync('bench/wasm/programs/gpt.nn', 'utf8');

describe('the plan as a table', () => {
  it.each([
    ['parameters and the slots of an optimizer', gpt, 'Fit', 10],
    ['a model', gpt, 'GPT', 7],
    ['running statistics', 'model M(x: float[B, 4]) -> float[B, 3] { return x |> Linear(3) |> BatchNorm }', 'M', 4],
  ])('%s', (_, source, only, times) => {
    const plan = planOf(source, only);
    const lines = planLines(plan);
    expect(lines[1]).toMatch(/^const kept/);
    expect(evaluated(lines)).toEqual(plan);
    expect(JSON.stringify([plan.leaves, plan.buffers.slice(0, plan.leaves.length)]).length).toBeGreaterThan(
      times * (lines[1]!.length - 20),
    );
  });

  it('is written out where leaves are stored smaller', () => {
    const plan = planOf(gpt, 'GPT', ['int8']);
    const lines = planLines(plan);
    expect(lines).toHaveLength(1);
    expect(evaluated(lines)).toEqual(plan);
  });
});
