/** The standard library against PyTorch, through all stages: the emitted code computes in f32 what PyTorch computes in float64. */
import { describe, expect, it } from 'vitest';
import { compile, type Artifact } from '../../compiler/index.ts';
import { instantiate } from '../support/emitted.ts';
import { descent, expectedOf, fixtures, flat, groups, off, programOf, shapeOf, type Case } from './support.ts';

/** f32 has 24 bits; sums of few terms lose one or two of them. */
const relative = 4e-6;

describe.each([...groups])('%s', (_, cases) => {
  let artifacts: ReadonlyMap<string, Artifact> | null = null;

  it.each(cases.map((c, k): Case & { k: number } => ({ ...c, k })))('$name', async (c) => {
    if (artifacts === null) {
      const result = compile(programOf(cases), { path: 'library.nn', bounds: { B: 1 } });
      expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
      artifacts = result.artifacts;
    }
    const artifact = artifacts.get(`Fit${c.k}`)!;
    const expected = expectedOf(c);
    const paths = new Set(artifact.plan.leaves.map((l) => l.path));
    const weights = new Map(
      [...expected]
        .filter(([path]) => paths.has(path))
        .map(([path, { before }]) => [
          path,
          { dtype: 'f32', shape: shapeOf(c.tensors[path] ?? c.states![path]!.before), data: Float32Array.from(before) },
        ]),
    );
    const net = await instantiate(artifact, 1, weights);
    const ints = Object.fromEntries(Object.entries(c.ints).map(([name, i]) => [name, Int32Array.from(flat(i.value))]));
    net.step({ ...ints, on: Float32Array.of(0) }, { B: 1 });
    const after = net.weights();
    for (const [path, { before, change, trained }] of expected) {
      if (!after.has(path)) continue;
      const now = Array.from(after.get(path)!.data);
      const actual = trained ? before.map((v, at) => v - now[at]!) : now;
      // What is left after subtracting from a large parameter has that parameter's rounding.
      const slack = Math.max(1, ...before.map(Math.abs));
      expect(off(actual, change, relative), `${path}: ${actual.join(' ')} for ${change.join(' ')}`).toBeLessThan(slack);
    }
  });
});

describe('optimizers', () => {
  it.each(fixtures.optimizers)('$optimizer', async ({ optimizer, before, after, float32 }) => {
    const result = compile(descent(optimizer), { path: 'descent.nn', only: 'Fit' });
    expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
    const w = { dtype: 'f32', shape: shapeOf(before), data: Float32Array.from(flat(before)) };
    const net = await instantiate(result.artifacts.get('Fit')!, 1, new Map([['w', w]]));
    // Centred RMSProp subtracts two nearly equal numbers: there PyTorch in f32 loses digits too.
    const allowed = Math.max(1e-5, 2 * float32);
    for (let step = 1; step <= 50; step++) {
      net.step({ on: Float32Array.of(0) }, { B: 1 });
      const expected = after[step];
      if (expected === undefined) continue;
      expect(off(net.weights().get('w')!.data, flat(expected), allowed), `after ${step}`).toBeLessThan(1);
    }
  });
});
