/**
 * The design's programs, at small sizes: what the emitted code computes is what the evaluator computes, for initial values, the forward pass, the loss, and
 * every parameter, slot and state after a step of training.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';
import { verify } from '../../compiler/graph/verify.ts';
import { verifyProgram } from '../../compiler/kernel/verify.ts';
import { verifyPlan } from '../../compiler/plan/verify.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { evaluate as evaluateSize } from '../../compiler/sizes/poly.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { instantiate } from '../support/emitted.ts';
import { toTensor } from '../support/program.ts';

interface Case {
  readonly file: string;
  readonly unit: string;
  readonly consts?: Record<string, number>;
  readonly sizes: Record<string, number>;
  /** Appended to the file. */
  readonly more?: string;
  /** Adam's first step is the sign of the gradient: where that is 0 but for rounding (a key's bias), only SGD can be compared. */
  readonly sgd?: boolean;
  /** Literal values for some inputs. */
  readonly inputs?: Record<string, number[]>;
}

const gpt2 = { vocab: 13, width: 8, heads: 2, layers: 2, context: 8 };
const translator = { vocab: 11, width: 8, heads: 2, layers: 1 };

const cases: Case[] = [
  { file: 'digits', unit: 'Digits', sizes: { B: 3 } },
  { file: 'digits', unit: 'Fit', sizes: { B: 5 } },
  { file: 'gpt2', unit: 'GPT2', consts: gpt2, sizes: { B: 2, T: 5 } },
  {
    file: 'gpt2',
    unit: 'Fit',
    sgd: true,
    consts: gpt2,
    sizes: { B: 2, T: 5 },
    more: `
train Fit {
      input token: i32[B, T + 1] < vocab
      let seen[b, t: T] = token[b, t]
      let next[b, t: T] = token[b, t + 1]
      minimize cross_entropy(GPT2(seen), next)
      optimizer Adam(lr: 1e-3)
}`,
  },
  { file: 'translation', unit: 'Translator', consts: translator, sizes: { B: 2, S: 4, T: 3 } },
  { file: 'translation', unit: 'Translation', sgd: true, consts: translator, sizes: { B: 2, S: 4, T: 3 } },
  {
    file: 'llama',
    unit: 'Llama',
    consts: { vocab: 9, width: 8, heads: 4, groups: 2, layers: 1 },
    sizes: { B: 2, T: 4 },
  },
  { file: 'oscillator', unit: 'Oscillator', sizes: { N: 6 } },
  { file: 'graph', unit: 'Nodes', sgd: true, sizes: { N: 5, E: 9 } },
  { file: 'wgan', unit: 'Generator', sizes: { B: 2 } },
  { file: 'wgan', unit: 'Critic', sizes: { B: 3 } },
  {
    file: 'unet',
    unit: 'Small',
    sizes: { B: 1, H: 5, W: 6 },
    more: `
model Small(image: float[B, 3, H, W]) -> float[B, 2, H, W] { image |> UNet(2, depth: 3) |> Conv2d(2, kernel: 1) }`,
  },
  {
    file: 'resnet',
    unit: 'Small',
    sizes: { B: 2, H: 9, W: 8 },
    more: `
model Small(image: float[B, 3, H, W]) -> float[B, 4] {
      let x = image |> conv1: Conv2d(4, kernel: 3, stride: 2, pad: 1) |> bn1: BatchNorm |> relu |> max_pool(3, stride: 2, pad: 1)
      layer: repeat width in [4, 6] { repeat i < 2 { x = Basic(width, stride: 2 where i == 0 and width > 4 else 1)(x) } }
      let pooled[b, c] = mean[i, j] x[b, c, i, j]
      return pooled |> fc: Linear(4)
}`,
  },
  {
    file: 'resnet',
    unit: 'Fit',
    sizes: { B: 2 },
    more: `
model Small(image: float[B, 3, 9, 8]) -> float[B, 4] {
      let x = image |> conv1: Conv2d(4, kernel: 3, stride: 2, pad: 1) |> bn1: BatchNorm |> relu |> max_pool(3, stride: 2, pad: 1)
      layer: repeat width in [4, 6] { x = Basic(width, stride: 2 where width > 4 else 1)(x) }
      let pooled[b, c] = mean[i, j] x[b, c, i, j]
      return pooled |> fc: Linear(4)
}
train Fit {
      input image: float[B, 3, 9, 8]
      input label: i32[B] < 4
      minimize cross_entropy(Small(image), label)
      optimizer SGD(lr: 0.01, momentum: 0.9)
}`,
  },
  {
    file: 'lstm',
    unit: 'Fit',
    sizes: { B: 2, T: 4 },
    more: `
model Net(x: float[B, T, 3]) -> float[B, 2] {
      let y = x |> lstm: LSTM(5)
      let last[b, n] = y[b, T - 1, n]
      return last |> out: Linear(2)
}
train Fit {
      input x: float[B, T, 3]
      input label: i32[B] < 2
      minimize cross_entropy(Net(x), label)
      optimizer Adam(lr: 1e-3)
}`,
  },
  {
    file: 'ctc',
    unit: 'Fit',
    sizes: { B: 2, T: 5, L: 2 },
    inputs: { frames: [5, 4], length: [2, 1] },
    more: `
model Net(x: float[B, T, 3]) -> float[B, T, 4] { return x |> Linear(4) |> log_softmax }
train Fit {
      input x: float[B, T, 3]
      input label: i32[B, L] < 4
      input frames: i32[B] < T + 1
      input length: i32[B] < L + 1
      minimize ctc(Net(x), label, frames, length)
      optimizer SGD(lr: 0.1)
}`,
  },
];

/** A cheap deterministic generator (Park and Miller, 1988), so that inputs do not depend on what is tested. */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

export function inputsOf(
  artifact: Artifact,
  sizes: Record<string, number>,
  literal: Record<string, number[]> = {},
): Map<string, Tensor> {
  const random = generator(7);
  return new Map(
    artifact.unit.inputs.map((input) => {
      const shape = input.type.sizes.map((s) => evaluateSize(s, (n) => sizes[n]!));
      const count = shape.reduce((a, b) => a * b, 1);
      const below = input.below === null ? 3 : evaluateSize(input.below, (n) => sizes[n]!);
      const given = literal[input.name];
      const values = Array.from({ length: count }, (_, k) =>
        given !== undefined
          ? given[k]!
          : input.type.dtype === 'f32'
            ? Math.fround(random() * 2 - 1)
            : input.type.dtype === 'bool'
              ? Number(random() < 0.7)
              : Math.floor(random() * below),
      );
      return [input.name, { ...toTensor(values, input.type.dtype === 'f16' ? 'f32' : input.type.dtype), sizes: shape }];
    }),
  );
}

/** Largest difference as a share of the reference's largest magnitude. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = 0;
  let scale = 1e-6;
  for (let k = 0; k < b.length; k++) {
    if (a[k] === b[k]) continue;
    worst = Math.max(worst, Number.isNaN(a[k]! - b[k]!) ? Infinity : Math.abs(a[k]! - b[k]!));
    if (Number.isFinite(b[k])) scale = Math.max(scale, Math.abs(b[k]!));
  }
  return worst / scale;
}

const typed = (t: Tensor): Float32Array | Int32Array | Uint8Array =>
  t.dtype === 'f32' || t.dtype === 'f16' ? Float32Array.from(t.data) : (t.data as Int32Array);

describe('emitted code computes what the evaluator computes', () => {
  for (const c of cases) {
    it(`${c.file}: ${c.unit}`, async () => {
      const whole = readFileSync(`examples/design/${c.file}.nn`, 'utf8') + '\n' + (c.more ?? '');
      const text = c.sgd === true ? whole.replace(/optimizer Adam\(.*\)/, 'optimizer SGD(lr: 0.1)') : whole;
      const result = compile(text, {
        path: `${c.file}.nn`,
        only: c.unit,
        bounds: c.sizes,
        ...(c.consts ? { consts: c.consts } : {}),
      });
      expect(result.reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
      const artifact = result.artifacts.get(c.unit)!;
      for (const graph of artifact.graphs.values()) expect(verify(graph), graph.name).toEqual([]);
      for (const program of artifact.kernelPrograms.values())
        expect(verifyProgram(program, c.sizes), program.name).toEqual([]);
      expect(verifyPlan(artifact.plan, artifact.kernels, artifact.schedules)).toEqual([]);
      const net = await instantiate(artifact, 3);

      const seed = toTensor(3, 'i32');
      const leaves = evaluate(artifact.unit.programs.get('init')!, new Map([['seed', seed]]), {});
      for (const [path, w] of net.weights()) {
        // A fused program keeps f64 where the graph says f32: equal within rounding of f32, longer for iterated initialisers.
        expect(distance(w.data, leaves.get(path)!.data), `init ${path}`).toBeLessThan(1e-5);
      }
      // From here on the evaluator starts where the emitted code starts.
      for (const leaf of artifact.plan.leaves) {
        const view = net.machine.memory.views[leaf.buffer]!;
        const old = leaves.get(leaf.path)!;
        const n = old.data.length;
        leaves.set(leaf.path, {
          ...old,
          data: old.dtype === 'f32' ? Float64Array.from(view.subarray(0, n)) : (view.slice(0, n) as Int32Array),
        });
      }
      const inputs = inputsOf(artifact, c.sizes, c.inputs);
      const scope = new Map([...leaves, ...inputs, ['seed', seed], ['step', toTensor(1, 'i32')]]);
      for (const program of ['forward', 'evaluate', 'step'] as const) {
        const graph = artifact.unit.programs.get(program);
        if (graph === undefined) continue;
        const names = new Set(graph.inputs.map((i) => i.attrs.name));
        const expected = evaluate(graph, scope, c.sizes);
        const data = Object.fromEntries([...inputs].filter(([n]) => names.has(n)).map(([n, t]) => [n, typed(t)]));
        const actual = net[program](data, c.sizes);
        for (const output of graph.outputs) {
          const reference = expected.get(output.name)!;
          const value = actual[output.name];
          const got =
            output.updates !== null
              ? net.machine.memory.views[artifact.plan.leaves.find((l) => l.path === output.updates)!.buffer]!
              : typeof value === 'number'
                ? [value]
                : value!.data;
          // Adam divides by the root of a small second moment: the rounding of f32 shows more there.
          const tolerance = output.updates !== null && c.sgd !== true ? 2e-3 : 2e-5;
          const slice = Array.from(got).slice(0, reference.data.length);
          expect(distance(slice, reference.data), `${program} ${output.name}`).toBeLessThan(tolerance);
        }
      }
    });
  }
});
