/**
 * The training steps that are timed: a program, one batch, and weights to start from, the same for every contender. Layouts are nnc's;
 * a contender that keeps others converts them. Values come from a small generator with a fixed seed: time does not depend on them, and two
 * contenders that compute the same have the same losses.
 */
import { readFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Uniform numbers in [lo, hi): the 32-bit generator "mulberry32". */
function generator(seed) {
  let state = seed;
  return (lo, hi) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return lo + ((hi - lo) * ((x ^ (x >>> 14)) >>> 0)) / 2 ** 32;
  };
}

function make(seed, parameters, inputs) {
  const draw = generator(seed);
  const weights = new Map();
  for (const [path, { shape, fan }] of Object.entries(parameters)) {
    const size = shape.reduce((a, b) => a * b, 1);
    weights.set(path, { shape, data: Float32Array.from({ length: size }, () => draw(-1, 1) / Math.sqrt(fan)) });
  }
  const data = {};
  for (const [name, { shape, below, scale }] of Object.entries(inputs)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = below === undefined ? new Float32Array(size) : new Int32Array(size);
    for (let i = 0; i < size; i++) values[i] = below === undefined ? draw(0, scale) : Math.floor(draw(0, below));
    data[name] = { shape, data: values };
  }
  return { weights, inputs: data };
}

export const batch = 64;

export const workloads = [
  {
    name: 'digits',
    what: 'MLP 64-64-10, cross-entropy, Adam, batch 64',
    source: read('../../examples/digits.nn'),
    path: 'digits.nn',
    unit: 'Fit',
    rate: 3e-3,
    warmup: 300,
    /** Steps in one sample. */
    steps: 20,
    rounds: 15,
    ...make(
      1,
      {
        'hidden.weight': { shape: [64, 64], fan: 64 },
        'hidden.bias': { shape: [64], fan: 64 },
        'out.weight': { shape: [10, 64], fan: 64 },
        'out.bias': { shape: [10], fan: 64 },
      },
      { image: { shape: [batch, 8, 8], scale: 16 }, label: { shape: [batch], below: 10 } },
    ),
  },
  {
    name: 'mnist',
    what: 'CNN 28x28: conv 3x3 1-8, relu, max-pool 2, conv 3x3 8-16, relu, max-pool 2, dense 400-10, cross-entropy, Adam, batch 64',
    source: read('../../examples/mnist.nn'),
    path: 'mnist.nn',
    unit: 'Fit',
    rate: 1e-3,
    warmup: 2,
    steps: 1,
    rounds: 9,
    ...make(
      2,
      {
        'conv1.weight': { shape: [8, 1, 3, 3], fan: 9 },
        'conv1.bias': { shape: [8], fan: 9 },
        'conv2.weight': { shape: [16, 8, 3, 3], fan: 72 },
        'conv2.bias': { shape: [16], fan: 72 },
        'out.weight': { shape: [10, 400], fan: 400 },
        'out.bias': { shape: [10], fan: 400 },
      },
      { image: { shape: [batch, 28, 28], scale: 255 }, label: { shape: [batch], below: 10 } },
    ),
  },
];
