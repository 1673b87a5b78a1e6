/** Emitted modules: they compile under strict settings, compute what they should, check what they are given, and allocate nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Origins } from '../../../compiler/graph/origin.ts';
import { interpret } from '../../../compiler/kernel/interpret.ts';
import { evaluate as evaluateAt } from '../../../compiler/sizes/poly.ts';
import { Sources } from '../../../compiler/source/source.ts';
import { emitTypeScript } from '../../../compiler/targets/ts/emit.ts';
import { vlq } from '../../../compiler/targets/ts/source-map.ts';
import type { Result } from '../../../runtime/execute.ts';
import type { Checkpoint, Weights, WeightTensor } from '../../../runtime/weights.ts';
import { emitted, everything, imported, leastSquares, planned, recurrence, type Made } from './units.ts';

interface Fit {
  step(inputs: Record<string, unknown>, sizes?: Record<string, number>): { loss: number; accuracy: number };
  evaluate(inputs: Record<string, unknown>): { loss: number; accuracy: number };
  forward(
    inputs: Record<string, unknown>,
    sizes?: undefined,
    options?: { copy?: boolean },
  ): { prediction: Result<Float32Array> };
  weights(): Map<string, WeightTensor>;
  load(weights: Weights): void;
  checkpoint(): Checkpoint;
  restore(checkpoint: Checkpoint): void;
  readonly steps: number;
}

interface Recurrence {
  forward(inputs: { x: Float32Array }): { all: Result<Float32Array>; sum: Result<Float32Array> };
  reset(): void;
}

async function created<T>(made: Made, options: object = {}, bounds: Record<string, number> = {}): Promise<T> {
  const module = await imported(emitted(made, false, bounds).code);
  return (module[made.unit.name] as { create(o: object): T }).create(options);
}

function data(rows: number): { x: Float32Array; y: Float32Array } {
  const x = Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * 1.7));
  return { x, y: Float32Array.from({ length: rows }, (_, b) => x[3 * b]! - 2 * x[3 * b + 1]!) };
}

function refusal(action: () => unknown): {
  code: string;
  input: string | null;
  message: string;
  problems: readonly string[];
} {
  try {
    action();
  } catch (error) {
    return error as never;
  }
  throw new Error('nothing was refused');
}

describe('types', () => {
  it('TypeScript and declarations pass tsc --strict with noUncheckedIndexedAccess and the ES2022 library alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nnc-emitted-'));
    try {
      const files: string[] = [];
      for (const [made, bounds] of [
        [leastSquares(), {}],
        [recurrence(), { T: 9 }],
        [everything(), {}],
      ] as const) {
        const { name } = made.unit;
        writeFileSync(join(folder, `${name}.ts`), emitted(made, true, bounds).code);
        writeFileSync(join(folder, `${name}Js.d.ts`), emitted(made, false, bounds).declarations);
        files.push(join(folder, `${name}.ts`), join(folder, `${name}Js.d.ts`));
      }
      const use = join(folder, 'use.ts');
      writeFileSync(
        use,
        `import { Fit } from './FitJs.js';
import { Fit as Typed } from './Fit.js';
for (const fit of [Fit.create({ seed: 1 }), Typed.create()]) {
  const { loss, accuracy } = fit.step({ x: new Float32Array(3), y: new Float32Array(1) });
  const n: number = loss + accuracy + fit.forward({ x: new Float32Array(3) }, { B: 1 }, { copy: true }).prediction.data[0]!;
  fit.restore(fit.checkpoint());
  fit.load(fit.weights());
  // @ts-expect-error y is missing
  fit.step({ x: new Float32Array(n) });
  // @ts-expect-error no such size
  fit.evaluate({ x: new Float32Array(3), y: new Float32Array(1) }, { T: 3 });
}
`,
      );
      const flags = [
        '--ignoreConfig',
        '--noEmit',
        '--strict',
        '--noUncheckedIndexedAccess',
        '--lib',
        'ES2022',
        '--target',
        'ES2022',
        '--module',
        'ES2022',
        '--moduleResolution',
        'bundler',
        '--erasableSyntaxOnly',
      ];
      let output = '';
      try {
        execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', ...flags, ...files, use], {
          encoding: 'utf8',
        });
      } catch (error) {
        output = (error as { stdout: string }).stdout;
      }
      expect(output).toBe('');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('numbers', () => {
  it('trains as plain code with the same rounding does, bit for bit', async () => {
    const fit = await created<Fit>(leastSquares(), { seed: 5 });
    const { x, y } = data(7);
    const w = (fit.weights().get('w')!.data as Float32Array).slice();
    const [m, v, g] = [new Float32Array(3), new Float32Array(3), new Float32Array(3)];
    for (let t = 1; t <= 20; t++) {
      const prediction = Float32Array.from(
        { length: 7 },
        (_, b) => x[3 * b]! * w[0]! + x[3 * b + 1]! * w[1]! + x[3 * b + 2]! * w[2]!,
      );
      let squares = 0;
      let hits = 0;
      g.fill(0);
      for (let d = 0; d < 3; d++) {
        let sum = 0;
        for (let b = 0; b < 7; b++) sum += 2 * ((prediction[b]! - y[b]!) / 7) * x[3 * b + d]!;
        g[d] = sum;
      }
      for (let b = 0; b < 7; b++) {
        const e = prediction[b]! - y[b]!;
        squares += e * e;
        hits += e * e < 0.25 ? 1 : 0;
      }
      const { loss, accuracy } = fit.step({ x, y });
      expect([loss, accuracy]).toEqual([Math.fround(squares / 7), Math.fround(hits / 7)]);
      for (let i = 0; i < 3; i++) {
        const nm = 0.9 * m[i]! + 0.1 * g[i]!;
        const nv = 0.999 * v[i]! + 0.001 * (g[i]! * g[i]!);
        w[i] = w[i]! - (0.01 * (nm / (1 - 0.9 ** t))) / (Math.sqrt(nv / (1 - 0.999 ** t)) + 1e-8);
        m[i] = nm;
        v[i] = nv;
      }
      expect(fit.weights().get('w')!.data).toEqual(w);
    }
    expect(fit.steps).toBe(20);
  });

  it('learns', async () => {
    const fit = await created<Fit>(leastSquares());
    const batch = data(32);
    for (let i = 0; i < 1500; i++) fit.step(batch);
    expect(fit.evaluate(batch).loss).toBeLessThan(1e-3);
    expect(fit.evaluate(batch).accuracy).toBe(1);
  });

  it('loops over time with a carry, which lasts between calls until it is reset', async () => {
    const unit = await created<Recurrence>(recurrence(), {}, { T: 9 });
    const x = Float32Array.from({ length: 36 }, (_, i) => Math.cos(i));
    const h = new Float32Array(4);
    const expected = (from: number, to: number): number[] => {
      const all: number[] = [];
      for (let t = from; t < to; t++) {
        for (let i = 0; i < 4; i++) h[i] = Math.tanh(h[i]! * 0.5 + x[4 * t + i]!);
        all.push(...h);
      }
      return all;
    };
    const first = unit.forward({ x: x.slice(0, 20) });
    expect([...first.all.data]).toEqual(expected(0, 5));
    expect(first.all.shape).toEqual([5, 4]);
    expect([...unit.forward({ x: x.slice(20) }).all.data]).toEqual(expected(5, 9));
    unit.reset();
    h.fill(0);
    const again = unit.forward({ x });
    const all = expected(0, 9);
    expect([...again.all.data]).toEqual(all);
    expect(again.sum.data[0]).toBe(Math.fround([0, 4, 8, 12, 16, 20, 24, 28, 32].reduce((s, i) => s + all[i]!, 0)));
  });

  it('resumes from a checkpoint bit for bit', async () => {
    const [a, b] = [await created<Fit>(leastSquares(), { seed: 9 }), await created<Fit>(leastSquares(), { seed: 1 })];
    for (let i = 0; i < 5; i++) a.step(data(8));
    const saved = a.checkpoint();
    const straight = Array.from({ length: 5 }, () => ({ ...a.step(data(8)) }));
    b.restore(saved);
    expect(Array.from({ length: 5 }, () => ({ ...b.step(data(8)) }))).toEqual(straight);
    expect(b.checkpoint()).toEqual(a.checkpoint());
    expect(saved.step).toBe(5);
    expect([...saved.tensors.keys()]).toEqual(['w', 'w/m', 'w/v']);
  });

  it('draws initial weights from the seed', async () => {
    const take = async (seed: number): Promise<unknown> =>
      (await created<Fit>(leastSquares(), { seed })).weights().get('w')!.data;
    expect(await take(4)).toEqual(await take(4));
    expect(await take(4)).not.toEqual(await take(5));
  });
});

describe('results', () => {
  it('are the same objects while sizes stay, and copies on demand', async () => {
    const fit = await created<Fit>(leastSquares());
    const { x } = data(4);
    const first = fit.forward({ x });
    const held = first.prediction;
    const copy = fit.forward({ x }, undefined, { copy: true });
    expect(copy.prediction.data).toEqual(held.data);
    x.fill(0);
    expect(fit.forward({ x })).toBe(first);
    expect(fit.forward({ x }).prediction).toBe(held);
    expect([...held.data]).toEqual([0, 0, 0, 0]);
    expect([...copy.prediction.data]).not.toEqual([0, 0, 0, 0]);
    expect(fit.forward({ x: x.slice(0, 6) }).prediction.shape).toEqual([2]);
  });
});

describe('checks', () => {
  it('inputs: missing, of another type, of another length', async () => {
    const fit = await created<Fit>(leastSquares());
    const { x, y } = data(4);
    expect(refusal(() => fit.step({ x }))).toMatchObject({ code: 'NN531', input: 'y' });
    expect(refusal(() => fit.step({ x, y: [...y] })).message).toContain('y must be a Float32Array, not Array');
    expect(refusal(() => fit.step({ x: x.slice(1), y }))).toMatchObject({ code: 'NN532', input: 'x' });
    expect(refusal(() => fit.step({ x, y: y.slice(1) })).message).toContain(
      'y has 3 elements, but [B] is [4], 4 elements',
    );
    expect(refusal(() => fit.step({ x, y }, { B: 3 }))).toMatchObject({ code: 'NN532', input: 'x' });
    expect(fit.steps).toBe(0);
  });
  it('sizes: beyond the bound, not whole, and those that the inputs leave open', async () => {
    const fit = await created<Fit>(leastSquares());
    expect(refusal(() => fit.step(data(33)))).toMatchObject({ code: 'NN533', input: 'B' });
    expect(refusal(() => fit.step(data(2), { B: 0.5 }))).toMatchObject({ code: 'NN533', input: 'B' });
  });
  it('sizes follow from lengths where one is open in an input, and must be given where several are', () => {
    const { infer, required } = planned(everything()).plan.programs['forward']!;
    // From i32[B], [O], [B, D] and so on; V occurs in a written buffer and a bound only, N, H and W together in one input.
    expect(infer.map((r) => r.size).sort()).toEqual(['B', 'C', 'D', 'O', 'T', 'W']);
    // N, H and W stand together in one input: given the first two, the third follows.
    expect(required).toEqual(['V', 'N', 'H']);
  });
  it('a plan that asks for sizes says which', () => {
    const made = everything();
    const inputs = made.unit.inputs.filter((i) => i.name.startsWith('softmax_x') || i.name.startsWith('prefix'));
    const only = { ...made, unit: { ...made.unit, inputs } };
    const { required, infer } = planned(only).plan.programs['forward']!;
    expect(required).toContain('B');
    // Given B, the other axis follows.
    expect(infer.map((r) => r.size)).toContain('T');
  });
  it('weights: all that is wrong at once, and nothing written', async () => {
    const fit = await created<Fit>(leastSquares());
    const before = fit.weights();
    const bad = new Map<string, WeightTensor>([['v', before.get('w')!]]);
    expect(refusal(() => fit.load(bad)).problems).toEqual(['w (f32[3]) is missing.', 'There is no v in Fit.']);
    bad.set('w', { dtype: 'f32', shape: [4], data: new Float32Array(4) });
    expect(refusal(() => fit.load(bad))).toMatchObject({ code: 'NN536' });
    bad.delete('v');
    bad.set('w', { dtype: 'i32', shape: [3], data: new Int32Array(3) });
    expect(refusal(() => fit.load(bad)).message).toContain('w is i32, not f32');
    expect(fit.weights()).toEqual(before);
    fit.load(new Map([['w', { dtype: 'f32', shape: [3], data: Float32Array.of(1, 2, 3) }]]));
    expect([...fit.weights().get('w')!.data]).toEqual([1, 2, 3]);
    expect(refusal(() => fit.restore({ ...fit.checkpoint(), unit: 'Other' })).message).toContain('Other');
  });
});

describe('every hand-made kernel in one module', () => {
  const sizes = { B: 3, C: 5, D: 2, O: 6, V: 7, T: 4, N: 1, H: 3, W: 5 };
  type All = { forward(inputs: object, sizes: object): Record<string, Result> };
  const inputsFor = (made: Made, at: Record<string, number>): Record<string, Float32Array | Int32Array> =>
    Object.fromEntries(
      made.unit.inputs.map((input) => {
        const length = input.type.sizes.reduce((n, p) => n * evaluateAt(p, (s) => at[s]!), 1);
        return [
          input.name,
          input.type.dtype === 'i32'
            ? Int32Array.from({ length }, (_, i) => (3 * i) % 7)
            : Float32Array.from({ length }, (_, i) => Math.sin(i + input.name.length)),
        ];
      }),
    );
  it('gives what the interpreter gives', async () => {
    const made = everything();
    const unit = await created<All>(made);
    const inputs = inputsFor(made, sizes);
    const want = interpret(made.programs.get('forward')!, new Map(Object.entries(inputs)), sizes);
    const got = unit.forward(inputs, sizes);
    for (const [key, { data: values }] of Object.entries(got)) expect(values, key).toEqual(want.output(key));
  });
  it('refuses an index outside its bound and sizes that break a requirement', async () => {
    const made = everything();
    const unit = await created<All>(made);
    const inputs = inputsFor(made, sizes);
    (inputs['embedding_gradient_id'] as Int32Array)[2] = 7;
    expect(refusal(() => unit.forward(inputs, sizes))).toMatchObject({ code: 'NN534', input: 'embedding_gradient_id' });
    const small = { ...sizes, V: 4 };
    // Twice: a refused call leaves nothing behind that lets the next one through.
    for (let i = 0; i < 2; i++) {
      const refused = refusal(() => unit.forward(inputsFor(made, small), small));
      expect(refused).toMatchObject({ code: 'NN535' });
      expect(refused.message).toContain('classes fit the table (C is 5, V is 4; required: C <= V)');
    }
    expect(refusal(() => unit.forward(inputsFor(made, sizes), {})).message).toContain(
      'does not follow from the inputs',
    );
  });
});

describe('cost', () => {
  it('a step allocates next to nothing', async () => {
    const fit = await created<Fit>(leastSquares());
    const batch = data(8);
    for (let i = 0; i < 50_000; i++) fit.step(batch);
    // The least of some rounds: the engine's own work (compiling, collecting) falls into the others.
    let grown = Infinity;
    for (let round = 0; round < 8; round++) {
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < 5_000; i++) fit.step(batch);
      grown = Math.min(grown, Math.abs(process.memoryUsage().heapUsed - before) / 5_000);
    }
    expect(grown).toBeLessThan(8);
  });
});

describe('source map', () => {
  it('writes base-64 VLQ', () => {
    expect([0, 1, -1, 15, 16, -16, 511, 1 << 20].map(vlq)).toEqual(['A', 'C', 'D', 'e', 'gB', 'hB', '+f', 'ggggC']);
  });
  it('leads from every line of a kernel to its place in the user’s file', () => {
    const sources = new Sources();
    const library = sources.add('nnc:linear.nn', 'block Linear(out: int)\n', true);
    const user = sources.add('fit.nn', 'train Fit {\n  let y = x |> Linear(1)\n}\n');
    const origins = new Origins();
    const call = origins.add({ file: user.id, start: 22, end: 36 });
    const inner = origins.add({ file: library.id, start: 6, end: 12 }, call, 'call Linear');
    const made = leastSquares();
    const { plan, kernels, schedules } = planned(made);
    const moved = kernels.map((k) => ({ ...k, origin: inner }));
    const { code, sourceMap } = emitTypeScript(made.unit, plan, moved, schedules, { types: true, origins, sources });
    const map = JSON.parse(sourceMap) as { version: number; sources: string[]; mappings: string };
    expect(map.version).toBe(3);
    expect(map.sources).toEqual(['nnc:linear.nn', 'fit.nn']);
    const lines = code.split('\n');
    const line = lines.findIndex((l) => l.includes('dot0 += '));
    expect(lines[lines.findIndex((l) => l.startsWith('function predict')) - 4]).toBe('// fit.nn:2:11');
    expect(decoded(map.mappings)[line]).toEqual([0, 1, 1, 10]);
    expect(decoded(map.mappings)[lines.findIndex((l) => l.startsWith('export class Fit'))]).toBeUndefined();
  });
});

/** [column, source, line, column] of the first segment of each line, as ECMA-426 says. */
function decoded(mappings: string): (number[] | undefined)[] {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const state = [0, 0, 0, 0];
  return mappings.split(';').map((text) => {
    if (text === '') return undefined;
    let field = 0;
    let value = 0;
    let shift = 0;
    state[0] = 0;
    for (const c of text) {
      const digit = digits.indexOf(c);
      value += (digit & 31) << shift;
      shift += 5;
      if ((digit & 32) !== 0) continue;
      state[field]! += (value & 1) === 1 ? -(value >> 1) : value >> 1;
      field++;
      value = shift = 0;
    }
    return [...state];
  });
}
