/** A bound on the memory: the plan is within it, and what is computed has the same bits as without. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type Artifact, type CompileOptions } from '../../compiler/index.ts';
import type { KernelStep } from '../../compiler/kernel/types.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { evaluateSize } from '../../compiler/plan/sizes.ts';

/** The program of the benchmark, smaller. */
const gpt = readFileSync('bench/wasm/programs/gpt.nn', 'utf8').replace(
  'width = 128, heads = 4, layers = 4, context = 64',
  'width = 32, heads = 4, layers = 3, context = 16',
);

/** Dropout, normalisation with running statistics, and a batch in parts: the whole pass is the body of a loop. */
const parts = `
model M(x: float[B, 32]) -> float[B, 8] {
  let h = x
  b: repeat 6 {
    h = h |> l: Linear(32) |> n: BatchNorm |> relu |> Dropout(0.3)
  }
  return h |> out: Linear(8)
}
train Fit {
  input x: float[B, 32]
  input y: i32[B] < 8
  minimize cross_entropy(M(x), y)
  optimizer Adam(lr: 1e-2)
  batch B = 64 PARTS
}
`;

/** Loops of the program itself: their stacks are made again by running them again. */
const recurrent = `
model M(x: float[B, T, 8]) -> float[B, 8] {
  require T <= 24
  let y = x |> first: LSTM(24)
  let z = y |> second: LSTM(24)
  let w = z |> third: LSTM(24)
  let l[b, d] = w[b, T - 1, d]
  return l |> out: Linear(8)
}
train Fit {
  input x: float[B, T, 8]
  input y: i32[B] < 8
  minimize cross_entropy(M(x), y)
  optimizer Adam(lr: 1e-2)
  batch B = 16
}
`;

function built(source: string, options: CompileOptions): Artifact {
  const result = compile(source, { only: 'Fit', ...options });
  if (!result.ok) throw new Error(result.reports.map((r) => `${r.code} ${r.message}`).join('\n'));
  return result.artifacts.get('Fit')!;
}

const memoryOf = ({ plan }: Artifact): number => plan.arenas.persistent + plan.arenas.work;

interface Net {
  step(inputs: object, sizes: object): Record<string, number>;
  weights(): Map<string, { data: Float32Array }>;
}

async function run(artifact: Artifact, target: 'ts' | 'wasm', steps: number): Promise<Uint8Array[]> {
  const { javascript } = artifact.modules.get(target)!;
  const address = `data:text/javascript;base64,${Buffer.from(javascript).toString('base64')}`;
  const module = (await import(/* @vite-ignore */ address)) as Record<string, { create(o: object): Net }>;
  const net = module['Fit']!.create({ seed: 3 });
  const sizes = Object.fromEntries(artifact.plan.sizes.map((s) => [s.name, s.bound]));
  let state = 1;
  const draw = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const bytes: Uint8Array[] = [];
  for (let n = 0; n < steps; n++) {
    const inputs = Object.fromEntries(
      artifact.plan.inputs.map((input) => {
        const length = input.shape.reduce<number>((c, e) => c * evaluateSize(e, (s) => sizes[s]!), 1);
        const below = input.below === null ? 1 : evaluateSize(input.below, (s) => sizes[s]!);
        return [
          input.name,
          input.dtype === 'i32'
            ? Int32Array.from({ length }, () => Math.floor(draw() * below))
            : Float32Array.from({ length }, () => draw() * 2 - 1),
        ];
      }),
    );
    bytes.push(new Uint8Array(Float64Array.from(Object.values(net.step(inputs, sizes))).buffer));
  }
  for (const { data } of net.weights().values()) bytes.push(new Uint8Array(Float32Array.from(data).buffer));
  return bytes;
}

const calls = (steps: readonly KernelStep[]): number =>
  steps.reduce((n, s) => n + (s.kind === 'loop' ? calls(s.body) : 1), 0);

/** Shares of the memory beyond what is kept: the plan fits, verifies, and computes the same bits. */
async function holds(source: string, options: CompileOptions, shares: readonly number[], targets: ('ts' | 'wasm')[]) {
  const whole = built(source, { ...options, targets });
  const { persistent, work } = whole.plan.arenas;
  const wanted = await Promise.all(targets.map((t) => run(whole, t, 3)));
  for (const share of shares) {
    const memory = Math.floor(persistent + share * work);
    const less = built(source, { ...options, targets, memory });
    expect(memoryOf(less)).toBeLessThanOrEqual(memory);
    expect(verifyPlan(less.plan, less.kernels, less.schedules)).toEqual([]);
    expect(less.recomputations.map((r) => r.program)).toContain('Fit.step');
    expect(less.plan.kernels.toSorted()).toEqual(whole.plan.kernels.toSorted());
    expect(calls(less.kernelPrograms.get('step')!.steps)).toBeGreaterThan(
      calls(whole.kernelPrograms.get('step')!.steps),
    );
    for (const [k, target] of targets.entries()) expect(await run(less, target, 3)).toEqual(wanted[k]);
  }
}

describe('a bound on the memory', () => {
  it('of a GPT: half and less than a third of the work buffers, the same bits', async () => {
    await holds(gpt, { bounds: { T: 16 } }, [0.5, 0.3], ['wasm']);
  });

  it('with draws and running statistics', async () => {
    await holds(parts.replace('PARTS', ''), {}, [0.6, 0.45], ['wasm']);
  });

  it('with the batch in parts', async () => {
    await holds(parts.replace('PARTS', 'in 4 parts'), {}, [0.6], ['wasm', 'ts']);
  });

  it('with loops', async () => {
    await holds(recurrent, { bounds: { T: 24 } }, [0.75], ['wasm']);
  });

  it('that is not reached changes nothing', () => {
    const whole = built(gpt, { bounds: { T: 16 } });
    const same = built(gpt, { bounds: { T: 16 }, memory: memoryOf(whole) });
    expect(same.plan).toEqual(whole.plan);
    expect(same.recomputations).toEqual([]);
  });

  it('`least` takes less than any bound that is refused', () => {
    const least = memoryOf(built(gpt, { bounds: { T: 16 }, memory: 'least' }));
    const refused = compile(gpt, { only: 'Fit', bounds: { T: 16 }, memory: Math.floor(least * 0.7) });
    expect(refused.ok).toBe(false);
    expect(refused.reports.map((r) => r.code)).toEqual(['NN530']);
    const [report] = refused.reports;
    expect(report!.message).toMatch(/^`Fit` takes at least [\d.]+ [kM]B, more than the [\d.]+ [kM]B that it may take$/);
    expect(refused.sources.text(report!.span!)).toMatch(/1\.702|sigmoid|Linear/);
    expect(report!.related.length).toBeGreaterThan(1);
  });

  it('must be an amount', () => {
    for (const memory of [0, -1, 1.5, NaN]) {
      const result = compile(gpt, { only: 'Fit', bounds: { T: 16 }, memory });
      expect(result.problems.map((p) => p.code)).toContain('NN792');
    }
  });
});

/** The same network by layers in a block, with or without the request on it. */
const blocks = (asked: boolean, more = ''): string => `
block Layer(x: float[B, D]) -> float[B, D] {
  let h = x |> up: Linear(4 * D) |> norm: BatchNorm |> relu |> Dropout(0.2)
  return x + (h |> tanh |> down: Linear(D))
}
model M(x: float[B, 16]) -> float[B, 8] {
  let h = x
  b: repeat 5 {
    let layer = ${asked ? 'recomputed(Layer())' : 'Layer()'}
    h = h |> layer
  }
  return h |> out: Linear(8)
}
train Fit {
  input x: float[B, 16]
  input y: i32[B] < 8
  minimize cross_entropy(M(x), y)
  optimizer Adam(lr: 1e-2)
  batch B = 64 ${more}
}
`;

describe('a layer that asks for its values to be computed again', () => {
  const gptBlocks = (layer: string): string =>
    gpt
      .replace(
        'model GPT',
        `block Layer(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  let y = x + (x |> ln_1: LayerNorm |> attn: CausalAttention(heads))
  return y + (y |> ln_2: LayerNorm |> mlp: Mlp)
}

model GPT`,
      )
      .replace(/h: repeat layers \{[^}]*\}/, `h: repeat layers {\n    x = x |> ${layer}\n  }`);

  it.each([
    [
      'a block of a GPT',
      gptBlocks('layer: Layer(heads)'),
      gptBlocks('layer: recomputed(Layer(heads))()'),
      { T: 16 },
      0.55,
    ],
    ['draws and running statistics', blocks(false), blocks(true), {}, 0.7],
    ['the batch in parts', blocks(false, 'in 4 parts'), blocks(true, 'in 4 parts'), {}, 0.75],
  ] as const)('%s: less memory, the same bits, weights and kernels', async (_, plain, asked, bounds, most) => {
    const whole = built(plain, { bounds, targets: ['wasm'] });
    const less = built(asked, { bounds, targets: ['wasm'] });
    expect(less.plan.arenas.work).toBeLessThan(most * whole.plan.arenas.work);
    expect(verifyPlan(less.plan, less.kernels, less.schedules)).toEqual([]);
    expect(less.recomputations.map((r) => r.program)).toEqual(['Fit.step']);
    // Less than the forward pass once more.
    expect(less.recomputations[0]!.share).toBeLessThan(0.34);
    expect(less.plan.leaves.map((l) => l.path)).toEqual(whole.plan.leaves.map((l) => l.path));
    expect(less.plan.kernels.toSorted()).toEqual(whole.plan.kernels.toSorted());
    for (const target of ['wasm', 'ts'] as const)
      expect(await run(less, target, 2)).toEqual(await run(whole, target, 2));
    // Beside a bound.
    const bounded = built(asked, { bounds, targets: ['wasm'], memory: 'least' });
    expect(memoryOf(bounded)).toBeLessThanOrEqual(memoryOf(less));
    expect(await run(bounded, 'wasm', 2)).toEqual(await run(whole, 'wasm', 2));
  });

  it('is as ever where there is no backward pass', () => {
    const [plain, asked] = [false, true].map((x) =>
      compile(blocks(x), { only: 'M', bounds: { B: 8 } }).artifacts.get('M')!,
    );
    expect(asked!.plan).toEqual(plain!.plan);
    expect(asked!.recomputations).toEqual([]);
  });

  it('is a layer, and nothing else', () => {
    const wrong = compile('model M(x: float[B, 4]) = recomputed(x)\n', {});
    expect(wrong.reports.map((r) => r.code)).toEqual(['NN712']);
  });
});
