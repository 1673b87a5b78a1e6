/**
 * The standard library against PyTorch: values, gradients by every tensor, batch statistics, optimizers over 50 steps, schedules; by the graph's evaluator in float64 and by
 * what both targets emit, in f32. One compilation serves all three.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { compile, type Artifact } from '../../compiler/index.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import type { Target } from '../../compiler/targets/index.ts';
import { loadModule, type Instance } from '../support/emitted.ts';
import { toTensor } from '../support/program.ts';
import { sameBits } from '../targets/wasm/together.ts';
import {
  descent,
  expectedOf,
  flat,
  groups,
  inputsOf,
  leavesOf,
  off,
  pace,
  problemsOf,
  programOf,
  rates,
  runs,
  shapeOf,
  type Case,
  type Nested,
} from './cases.ts';

/** Stored numbers have 11 digits; the evaluator computes in float64 as PyTorch did, in another order. */
const EXACT = 1e-9;
/** f32 has 24 bits; sums of few terms lose one or two of them. */
const RELATIVE: Readonly<Record<'ts' | 'wasm', number>> = { ts: 4e-6, wasm: 1e-5 };
const TARGETS = ['ts', 'wasm'] as const;

function compiled(text: string, targets: readonly Target[] = ['wasm']): ReadonlyMap<string, Artifact> {
  const result = compile(text, { path: 'library.nn', bounds: { B: 1 }, targets });
  expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return result.artifacts;
}

async function instance(artifact: Artifact, target: Target, weights: unknown): Promise<Instance> {
  const module = await loadModule(artifact.modules.get(target)!.javascript);
  return (module[artifact.name] as { create(options: object): Instance }).create({ seed: 1, weights });
}

const tensor = (value: Nested, dtype: 'f32' | 'i32' = 'f32'): Tensor => ({
  ...toTensor(value, dtype),
  sizes: shapeOf(value),
});

/** One step of a train block by the evaluator; leaves are replaced by their updates. */
function advance(artifact: Artifact, scope: Map<string, Tensor>, step: number): void {
  scope.set('step', toTensor(step, 'i32'));
  const graph = artifact.unit.programs.get('step')!;
  const results = evaluate(graph, scope, { B: 1 });
  for (const output of graph.outputs) if (output.updates !== null) scope.set(output.updates, results.get(output.name)!);
}

/** What schedules make of a validation's loss. */
function judge(artifact: Artifact, scope: Map<string, Tensor>, loss: number): void {
  scope.set('validation_loss', tensor(loss));
  const graph = artifact.unit.programs.get('validated')!;
  const results = evaluate(graph, scope, { B: 1 });
  for (const output of graph.outputs) scope.set(output.updates!, results.get(output.name)!);
}

/** Everything that a train block reads, with its leaves at their initial values. */
function begin({ unit }: Artifact): Map<string, Tensor> {
  const seed = toTensor(1, 'i32');
  const leaves = evaluate(unit.programs.get('init')!, new Map([['seed', seed]]), {});
  return new Map([...leaves, ['seed', seed], ['on', tensor([0])]]);
}

/** The scope of a case before its step. */
function scopeOf(c: Case, artifact: Artifact): Map<string, Tensor> {
  const scope = begin(artifact);
  for (const [name, i] of Object.entries(c.ints)) scope.set(name, tensor(i.value, 'i32'));
  for (const path of expectedOf(c).keys()) {
    const before = c.tensors[path] ?? c.states![path]!.before;
    const leaf = scope.get(path);
    if (leaf !== undefined) expect(leaf.sizes, path).toEqual(shapeOf(before));
    scope.set(path, tensor(before));
  }
  return scope;
}

describe.each([...groups])('%s', (_, cases) => {
  let artifacts: ReadonlyMap<string, Artifact> = new Map();
  beforeAll(() => {
    artifacts = compiled(programOf(cases));
  }, 300_000);

  it.each(cases.map((c, k): Case & { k: number } => ({ ...c, k })))('$name', async (c) => {
    const artifact = artifacts.get(`Fit${c.k}`)!;
    const paths = artifact.plan.leaves.map((l) => l.path);
    const expected = expectedOf(c);
    expect(paths.filter((path) => !expected.has(path))).toEqual([]);

    const scope = scopeOf(c, artifact);
    advance(artifact, scope, 1);
    expect(problemsOf(c, scope, EXACT), 'evaluator').toEqual([]);
    const outside = artifact.unit.programs.get('evaluate')!;
    if (c.evaluated !== undefined) {
      const { data } = evaluate(outside, scopeOf(c, artifact), { B: 1 }).get('loss')!;
      expect(off(data, [c.evaluated], EXACT)).toBeLessThan(1);
    }
    for (const target of TARGETS) {
      const net = await instance(artifact, target, leavesOf(c, new Set(paths)));
      if (c.evaluated !== undefined)
        expect(off([net.evaluate(inputsOf(c), { B: 1 }).loss!], [c.evaluated], RELATIVE[target])).toBeLessThan(1);
      net.step(inputsOf(c), { B: 1 });
      expect(problemsOf(c, net.weights(), RELATIVE[target]), target).toEqual([]);
    }
    sameBits(artifact.plan, artifact.kernels, { B: 1 });
  });
});

describe('optimizers', () => {
  it.each(runs)('$optimizer', async ({ optimizer, before, after, float32 }) => {
    const artifact = compiled(descent(optimizer)).get('Fit')!;
    const scope = begin(artifact);
    scope.set('w', tensor(before));
    const w = { dtype: 'f32', shape: shapeOf(before), data: Float32Array.from(flat(before)) };
    const nets = new Map<Target, Instance>();
    for (const target of TARGETS) nets.set(target, await instance(artifact, target, new Map([['w', w]])));
    // Where PyTorch in f32 itself is further off than that, its distance counts (twice).
    const allowed = Math.max(1e-5, 2 * float32);
    for (let step = 1; step <= 50; step++) {
      advance(artifact, scope, step);
      for (const net of nets.values()) net.step({ on: Float32Array.of(0) }, { B: 1 });
      const expected = after[step];
      if (expected === undefined) continue;
      expect(off([...scope.get('w')!.data], flat(expected), EXACT), `after ${step}`).toBeLessThan(1);
      for (const [target, net] of nets)
        expect(off(net.weights().get('w')!.data, flat(expected), allowed), `${target} after ${step}`).toBeLessThan(1);
    }
  });
});

describe('schedules', () => {
  it.each(rates)('$schedule', async ({ schedule, rates: expected, losses }) => {
    const artifact = compiled(pace(schedule)).get('Fit')!;
    const scope = begin(artifact);
    const zero = { dtype: 'f32', shape: [1], data: Float32Array.of(0) };
    const seen = expected.map((_, at) => {
      scope.set('w', tensor([0]));
      advance(artifact, scope, at + 1);
      if (losses !== undefined) judge(artifact, scope, losses[at]!);
      return -scope.get('w')!.data[0]!;
    });
    expect(off(seen, expected, EXACT), `${seen.join(' ')} for ${expected.join(' ')}`).toBeLessThan(1);
    for (const target of TARGETS) {
      const net = await instance(artifact, target, new Map([['w', zero]]));
      const steps = expected.map((_, at) => {
        const before = net.weights().get('w')!.data[0]!;
        net.step({ on: Float32Array.of(0) }, { B: 1 });
        if (losses !== undefined) net.validated!(losses[at]!);
        return before - net.weights().get('w')!.data[0]!;
      });
      // Differences of a growing sum: its rounding counts.
      expect(off(steps, expected, 1e-5), `${target}: ${steps.join(' ')} for ${expected.join(' ')}`).toBeLessThan(1);
    }
  });
});
