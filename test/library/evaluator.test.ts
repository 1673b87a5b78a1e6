/** The standard library against PyTorch in float64, through the evaluator: values, gradients by every tensor, batch statistics, optimizers, schedules. */
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Unit } from '../../compiler/graph/types.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { elaborateText, toTensor } from '../support/program.ts';
import { descent, expectedOf, fixtures, flat, groups, off, programOf, shapeOf, type Nested } from './support.ts';

/** Stored numbers have 13 digits; the evaluator computes in float64 as PyTorch did, in another order. */
const relative = 1e-10;

const tensor = (value: Nested, dtype: 'f32' | 'i32' = 'f32'): Tensor => ({
  ...toTensor(value, dtype),
  sizes: shapeOf(value),
});

/** One step of a train block; leaves are replaced by their updates. */
function advance(unit: Unit, scope: Map<string, Tensor>, step: number): void {
  scope.set('step', toTensor(step, 'i32'));
  const graph = unit.programs.get('step')!;
  const results = evaluate(graph, scope, { B: 1 });
  for (const output of graph.outputs) if (output.updates !== null) scope.set(output.updates, results.get(output.name)!);
}

const unitsOf = (text: string): ReadonlyMap<string, Unit> => new Map(elaborateText(text).units.map((u) => [u.name, u]));

function begin(unit: Unit): Map<string, Tensor> {
  const seed = toTensor(1, 'i32');
  const leaves = evaluate(unit.programs.get('init')!, new Map([['seed', seed]]), {});
  return new Map([...leaves, ['seed', seed], ['on', tensor([0])]]);
}

describe.each([...groups])('%s', (_, cases) => {
  let units: ReadonlyMap<string, Unit> | null = null;

  it.each(cases.map((c, k) => ({ ...c, k })))('$name', ({ k }) => {
    units ??= unitsOf(programOf(cases));
    const c = cases[k]!;
    const unit = units.get(`Fit${k}`)!;
    const expected = expectedOf(c);
    const kept = unit.leaves.filter((l) => l.kind === 'param' || l.kind === 'state').map((l) => l.path);
    // A parameter that the function does not depend on may be missing.
    expect(kept.filter((path) => !expected.has(path))).toEqual([]);
    const scope = begin(unit);
    for (const [name, i] of Object.entries(c.ints)) scope.set(name, tensor(i.value, 'i32'));
    for (const path of expected.keys()) {
      const before = c.tensors[path] ?? c.states![path]!.before;
      expect(scope.get(path)?.sizes, path).toEqual(shapeOf(before));
      scope.set(path, tensor(before));
    }
    advance(unit, scope, 1);
    for (const [path, { before, change, trained }] of expected) {
      const after = flat([...scope.get(path)!.data]);
      // Far out the parameter itself is large: the difference has its rounding.
      const slack = 1 + 1e-6 * Math.max(...before.map(Math.abs));
      const actual = trained ? before.map((v, at) => v - after[at]!) : after;
      expect(off(actual, change, relative), `${path}: ${actual.join(' ')} for ${change.join(' ')}`).toBeLessThan(slack);
    }
  });
});

describe('optimizers', () => {
  it.each(fixtures.optimizers)('$optimizer', ({ optimizer, before, after }) => {
    const unit = unitsOf(descent(optimizer)).get('Fit')!;
    const scope = begin(unit);
    scope.set('w', tensor(before));
    for (let step = 1; step <= 50; step++) {
      advance(unit, scope, step);
      const expected = after[step];
      if (expected !== undefined)
        expect(off([...scope.get('w')!.data], flat(expected), 1e-9), `after ${step}`).toBeLessThan(1);
    }
  });
});

describe('schedules', () => {
  it.each(fixtures.schedules)('$schedule', ({ schedule, rates }) => {
    const unit = unitsOf(`
model Plane(on: float[B]) -> float {
  param w: float[1] = 0
  return sum(w)
}
train Fit {
  input on: float[B]
  minimize Plane(on)
  optimizer SGD(lr: ${schedule})
  batch B = 1
}`).get('Fit')!;
    const scope = begin(unit);
    const seen = rates.map((_, at) => {
      scope.set('w', tensor([0]));
      advance(unit, scope, at + 1);
      return -scope.get('w')!.data[0]!;
    });
    expect(off(seen, rates, relative), `${seen.join(' ')} for ${rates.join(' ')}`).toBeLessThan(1);
  });
});
