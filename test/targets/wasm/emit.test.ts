/** Whole programs: the emitted module beside the TypeScript target's, step for step; what the class promises; memory that stays as it is. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadProgram } from '../../../compiler/check/program.ts';
import { elaborate } from '../../../compiler/elaborate/elaborate.ts';
import { compile } from '../../../compiler/index.ts';
import { KernelCache } from '../../../compiler/fuse/cache.ts';
import { fuse } from '../../../compiler/fuse/program.ts';
import { plan as planMemory } from '../../../compiler/plan/plan.ts';
import { simplify } from '../../../compiler/simplify/simplify.ts';
import { emitTypeScript } from '../../../compiler/targets/ts/emit.ts';
import { emitWasm } from '../../../compiler/targets/wasm/emit.ts';
import { tileModule } from '../../../compiler/targets/wasm/tile.ts';
import { drawer } from '../../ops/harness.ts';
import { libraryTexts } from '../../support/program.ts';

interface Tensor {
  readonly data: Float32Array;
}
type Arrays = Readonly<Record<string, Float32Array | Int32Array>>;
interface Instance {
  readonly step: (inputs: Arrays, sizes: Readonly<Record<string, number>>) => { readonly loss: number };
  readonly evaluate: (inputs: Arrays, sizes: Readonly<Record<string, number>>) => { readonly loss: number };
  readonly weights: () => Map<string, Tensor>;
  readonly load: (weights: Map<string, Tensor>) => void;
  readonly checkpoint: () => { readonly step: number };
  readonly restore: (checkpoint: { readonly step: number }) => void;
}
interface Emitted {
  readonly Fit: { readonly create: (options: { readonly seed: number }) => Instance };
}

async function load(code: string): Promise<Emitted> {
  const address = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
  return (await import(/* @vite-ignore */ address)) as Emitted;
}

async function build(path: string, bounds: Readonly<Record<string, number>>) {
  const text = readFileSync(new URL(`../../../bench/wasm/programs/${path}`, import.meta.url), 'utf8');
  const { program, problems } = loadProgram(path, text, { read: () => null }, libraryTexts);
  if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
  const { units, origins } = elaborate(program, { only: 'Fit' });
  const unit = units[0]!;
  const cache = new KernelCache();
  const programs = new Map([...unit.programs].map(([n, g]) => [n, fuse(simplify(g, origins), { origins, cache })]));
  const planned = planMemory(unit, programs, new Map(Object.entries(bounds)));
  if (!planned.ok) throw new Error(JSON.stringify(planned.problems));
  const { plan, kernels, schedules } = planned;
  const wasm = emitWasm(unit, plan, kernels);
  const js = emitTypeScript(unit, plan, kernels, schedules, { types: false });
  const draw = drawer(3);
  const inputs: Record<string, Float32Array | Int32Array> = {};
  for (const input of plan.inputs) {
    const length = input.shape.reduce<number>((n, e) => n * (typeof e === 'number' ? e : bounds[String(e)]!), 1);
    inputs[input.name] =
      input.dtype === 'i32'
        ? Int32Array.from({ length }, () => Math.floor(draw() * Number(input.below)))
        : Float32Array.from({ length }, () => draw() * 2 - 1);
  }
  return { wasm, own: await load(wasm.code), other: await load(js.code), inputs, sizes: bounds };
}

describe.each([
  ['mlp.nn', { B: 9 }, 3],
  ['cnn.nn', { B: 2 }, 2],
  ['lstm.nn', { B: 5, T: 3 }, 3],
  ['gpt.nn', { B: 2, T: 7 }, 2],
] as const)('%s', (path, bounds, steps) => {
  test('trains as the TypeScript target does', { timeout: 60_000 }, async () => {
    const { wasm, own, other, inputs, sizes } = await build(path, bounds);
    expect(WebAssembly.validate(wasm.bytes)).toBe(true);
    const [a, b] = [own.Fit.create({ seed: 4 }), other.Fit.create({ seed: 4 })];
    for (let k = 0; k < steps; k++) {
      const [x, y] = [a.step(inputs, sizes).loss, b.step(inputs, sizes).loss];
      // f32 sums against f64 sums.
      expect(Math.abs(x - y) / Math.abs(y), `loss of step ${k}`).toBeLessThan(1e-5);
    }
    expect(a.evaluate(inputs, sizes).loss).toBeCloseTo(b.evaluate(inputs, sizes).loss, 3);
    // Adam moves by the gradient's sign at first: weights differ where a gradient is next to nothing.
    const wanted = b.weights();
    for (const [name, tensor] of a.weights()) {
      const { data } = wanted.get(name)!;
      let sum = 0;
      for (const [k, x] of tensor.data.entries()) sum += (x - data[k]!) ** 2;
      expect(Math.sqrt(sum / data.length), name).toBeLessThan(2e-4);
    }
  });
});

test('checkpoint, restore, load: what follows is bit for bit what followed', async () => {
  const { own, inputs, sizes } = await build('mlp.nn', { B: 9 });
  const a = own.Fit.create({ seed: 4 });
  a.step(inputs, sizes);
  const saved = a.checkpoint();
  const losses = [a.step(inputs, sizes).loss, a.step(inputs, sizes).loss];
  a.restore(saved);
  expect([a.step(inputs, sizes).loss, a.step(inputs, sizes).loss]).toEqual(losses);
  const b = own.Fit.create({ seed: 5 });
  b.load(a.weights());
  expect(b.evaluate(inputs, sizes).loss).toBe(a.evaluate(inputs, sizes).loss);
  // Two instances do not share memory.
  b.step(inputs, sizes);
  expect(a.evaluate(inputs, sizes).loss).not.toBe(b.evaluate(inputs, sizes).loss);
});

test('a smaller batch than the bound', async () => {
  const { own, other, inputs } = await build('mlp.nn', { B: 9 });
  const few = { x: inputs['x']!.slice(0, 4 * 784), label: inputs['label']!.slice(0, 4) };
  const [a, b] = [own.Fit.create({ seed: 4 }), other.Fit.create({ seed: 4 })];
  expect(Math.abs(a.step(few, {}).loss - b.step(few, {}).loss)).toBeLessThan(1e-5);
});

test('the tiles are valid', () => {
  expect(WebAssembly.validate(tileModule(false))).toBe(true);
});

test('more memory than a WebAssembly memory can have is refused', () => {
  const source = `model Wide(x: float[B, 1000]) -> float[B, 1000] { return x |> a: Linear(1000) }`;
  const codes = (B: number): readonly string[] =>
    compile(source, { bounds: { B }, targets: ['wasm'] }).reports.map((r) => `${r.code} ${r.message}`);
  expect(codes(400_000)).toEqual([]);
  expect(codes(600_000)).toEqual([expect.stringMatching(/^NN804 .* it has 4\.5 GiB of memory/)]);
});
