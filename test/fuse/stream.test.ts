/**
 * Matrices that are only reduced are not stored: attention forward and backward, by structure, under every kind of mask. The same numbers as with everything
 * stored, on both targets of this process, with much less memory; and what is not of that structure is stored as before.
 */
import { describe, expect, test } from 'vitest';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';
import { explainFusion } from '../../compiler/fuse/explain.ts';
import { kernelsOf, printKernel } from '../../compiler/kernel/print.ts';
import { verifyWasmSchedule } from '../../compiler/schedule/verify-wasm.ts';
import { printWasmSchedule, wasmSchedule } from '../../compiler/schedule/wasm.ts';
import { prepare } from '../../compiler/targets/wasm/prepare.ts';
import { attentions as cases, source, type Attention } from '../support/attention.ts';
import { loadModule, type Instance } from '../support/emitted.ts';

const options = (stream: number | false): CompileOptions => ({
  only: 'Fit',
  bounds: { T: 53, B: 3 },
  targets: ['wasm'],
  stream,
});

function artifact(text: string, stream: number | false): Artifact {
  const { artifacts, reports } = compile(text, options(stream));
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  return artifacts.get('Fit')!;
}

async function net(made: Artifact, target: 'ts' | 'wasm'): Promise<Instance> {
  const module = await loadModule(made.modules.get(target)!.javascript);
  return (module['Fit'] as { create(options: object): Instance }).create({ seed: 4 });
}

const streamed = (made: Artifact): number =>
  kernelsOf(made.kernelPrograms.get('step')!).filter((k) => k.buffers.some((b) => b.row)).length;

function inputs(text: string, rows: number, length: number): Record<string, Float32Array | Int32Array> {
  const x = Float32Array.from({ length: rows * length * 16 }, (_, k) => Math.sin(k * 0.37) + Math.cos(k * k * 0.011));
  return text.includes('input length')
    ? { x, length: Int32Array.from({ length: rows }, (_, k) => (k * 17) % length) }
    : { x };
}

describe.each(Object.entries(cases))('%s', (_, given) => {
  const text = source(given);
  const [plain, lean] = [artifact(text, false), artifact(text, 1)];

  test('is streamed in three kernels, whose schedules are in order', () => {
    expect(streamed(plain)).toBe(0);
    expect(streamed(lean)).toBe(3);
    expect(lean.plan.arenas.work).toBeLessThan(0.75 * plain.plan.arenas.work);
    for (const kernel of kernelsOf(lean.kernelPrograms.get('step')!)) {
      const own = prepare(kernel);
      expect(verifyWasmSchedule(own, wasmSchedule(own)), printKernel(own)).toEqual([]);
    }
  });

  test.each(['ts', 'wasm'] as const)('computes the same on %s', async (target) => {
    const [a, b] = [await net(plain, target), await net(lean, target)];
    for (const [rows, length] of [
      [3, 53],
      [2, 41],
      [1, 7],
      [3, 1],
    ] as const) {
      const data = inputs(text, rows, length);
      const given = { B: rows, T: length };
      const wanted = a.step(data, given)['loss']!;
      expect(Math.abs(b.step(data, given)['loss']! - wanted)).toBeLessThan(2e-5 * (1 + Math.abs(wanted)));
      for (const [path, { data: values }] of a.weights()) {
        const own = b.weights().get(path)!.data;
        for (const [k, w] of values.entries()) expect(Math.abs(own[k]! - w), `${path}[${k}]`).toBeLessThan(1e-5);
      }
    }
  });
});

describe('half precision of products', () => {
  const text = source({}).replace('batch B = 3', 'batch B = 3\n  precision f16');
  const [plain, lean] = [artifact(text, false), artifact(text, 1)];

  test('is streamed as well: rounding does not stand between a product and the axes of its operands', () => {
    expect(streamed(plain)).toBe(0);
    expect(streamed(lean)).toBeGreaterThanOrEqual(3);
    expect(lean.plan.arenas.work).toBeLessThan(0.75 * plain.plan.arenas.work);
    const { reports, artifacts } = compile(text, { ...options(1), targets: ['wgsl'] });
    expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
    expect(streamed(artifacts.get('Fit')!)).toBeGreaterThanOrEqual(3);
  });

  test.each(['ts', 'wasm'] as const)('computes the same on %s', async (target) => {
    const [a, b] = [await net(plain, target), await net(lean, target)];
    const data = inputs(text, 2, 41);
    const wanted = a.step(data, { B: 2, T: 41 })['loss']!;
    // What differs in the last bit of f32 may be rounded to the next half.
    expect(Math.abs(b.step(data, { B: 2, T: 41 })['loss']! - wanted)).toBeLessThan(1e-4 * (1 + Math.abs(wanted)));
    for (const [path, { data: values }] of a.weights()) {
      const own = b.weights().get(path)!.data;
      for (const [k, w] of values.entries()) expect(Math.abs(own[k]! - w), `${path}[${k}]`).toBeLessThan(1e-4);
    }
  });
});

test('a mask of positions leaves out the rest of the row, forward and backward', () => {
  const spans = (given: Attention): string[] =>
    kernelsOf(artifact(source(given), 1).kernelPrograms.get('step')!)
      .filter((k) => k.spans !== undefined)
      .map((k) =>
        printKernel(k)
          .split('\n')[1]!
          .replace(/^.*rows [a-z ]*; /, ''),
      );
  expect(spans({})).toEqual(['l from 0 to its end, k + 1', 'l from 0 to its end, k + 1', 'l from 0, k to its end']);
  expect(spans(cases['a window']!)).toEqual([
    'l from 0, k - 8 to its end, k + 1',
    'l from 0, k - 8 to its end, k + 1',
    'l from 0, k to its end, k + 9',
  ]);
  expect(spans(cases['no mask']!)).toEqual([]);
});

test('schedules by blocks of rows', () => {
  const [kernel] = kernelsOf(artifact(source({}), 1).kernelPrograms.get('step')!).filter((k) =>
    k.buffers.some((b) => b.row),
  );
  expect(`\n${printWasmSchedule(wasmSchedule(prepare(kernel!)))}\n`).toMatchInlineSnapshot(`
    "
    loop i j k in blocks of 40 k
      sum: product batch i j rows k columns l over r tile 5x8 unroll 1
      max:  over l vector l x 4
      each:  over l vector l x 2
      each2: l vector l x 2
      sum2: product batch i j rows k columns r over l tile 5x8 unroll 1
    threads share i
    "
  `);
});

test('what is needed whole is stored', () => {
  // A result, and a matrix that a sum over both of its axes reads.
  const whole = source({}).replace('minimize', 'metric first = weight[0, 0, 0, 0]\n  minimize');
  const all = source({}).replace('minimize', 'metric total = sum(weight)\n  minimize');
  for (const text of [whole, all]) {
    const made = artifact(text, 1);
    expect(streamed(made)).toBe(0);
    const facts = explainFusion(made.kernelPrograms.get('step')!);
    expect(facts.map((f) => f.reason)).toContain('needed whole');
  }
});

test('small matrices are stored by default', () => {
  const { artifacts } = compile(source({}), { only: 'Fit', bounds: { T: 53, B: 3 } });
  expect(streamed(artifacts.get('Fit')!)).toBe(0);
});
