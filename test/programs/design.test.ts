/**
 * The design's programs, at small sizes: what the emitted code computes is what the evaluator computes, for initial values, the forward pass, the loss, and
 * every parameter, slot and state after a step of training.
 */
import { readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { agree } from '../support/agree.ts';

interface Case {
  readonly file: string;
  readonly unit: string;
  readonly consts?: Record<string, number>;
  readonly sizes: Record<string, number>;
  /** Appended to the file. */
  readonly more?: string;
  /** Adam's first step is the sign of the gradient: where that is 0 but for rounding (a key's bias), only SGD can be compared. */
  readonly sgd?: boolean;
  /** Sizes written in the text, and smaller ones. */
  readonly smaller?: readonly (RegExp | string)[];
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
    file: 'wgan',
    unit: 'WGAN',
    sizes: { B: 3 },
    smaller: [/\b784\b/g, '6', /\b512\b/g, '5', /\b128\b/g, '4'],
    sgd: true,
  },
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

describe('emitted code computes what the evaluator computes', () => {
  for (const c of cases) {
    it(`${c.file}: ${c.unit}`, async () => {
      let whole = readFileSync(`examples/design/${c.file}.nn`, 'utf8') + '\n' + (c.more ?? '');
      for (let k = 0; k < (c.smaller?.length ?? 0); k += 2)
        whole = whole.replace(c.smaller![k] as RegExp, c.smaller![k + 1] as string);
      const text = c.sgd === true ? whole.replace(/optimizer Adam\([^)]*\)/, 'optimizer SGD(lr: 0.1)') : whole;
      await agree(text, c.unit, c.sizes, {
        threads: true,
        path: `${c.file}.nn`,
        adam: c.sgd !== true,
        ...(c.consts ? { consts: c.consts } : {}),
        ...(c.inputs ? { inputs: c.inputs } : {}),
      });
    });
  }
});
