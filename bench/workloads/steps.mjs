/**
 * Training steps: forward, backward, Adam (1e-3, 0.9, 0.999, 1e-8). The programs are in `wasm/programs/`; a peer has its own text of each in
 * `peers/`, with the same starting weights and the same batch, so that the losses must agree.
 */
import { readFileSync } from 'node:fs';
import * as nnc from '../peers/nnc.mjs';
import { floats, weights, whole } from '../lib/random.mjs';

const source = (name) => readFileSync(new URL(`../wasm/programs/${name}.nn`, import.meta.url), 'utf8');

const steps = {
  mlp: {
    what: 'MLP 784-256-128-10, batch 64',
    bounds: { B: 64 },
    inputs: () => ({ x: { shape: [64, 784], data: floats(1, 64 * 784, 0, 1) }, label: { shape: [64], data: whole(2, 64, 10) } }), // prettier-ignore
  },
  cnn: {
    what: 'CNN on 28x28: conv 3x3 1-16, relu, max-pool 2, conv 3x3 16-32, relu, max-pool 2, dense 10; batch 32',
    bounds: { B: 32 },
    inputs: () => ({ x: { shape: [32, 1, 28, 28], data: floats(3, 32 * 784, 0, 1) }, label: { shape: [32], data: whole(4, 32, 10) } }), // prettier-ignore
  },
  lstm: {
    what: 'LSTM, input 64, hidden 128, 32 steps, batch 32, classifier on the last state',
    bounds: { B: 32, T: 32 },
    inputs: () => ({ x: { shape: [32, 32, 64], data: floats(5, 32 * 32 * 64) }, label: { shape: [32], data: whole(6, 32, 10) } }), // prettier-ignore
  },
  gpt: {
    what: 'GPT, 4 layers, width 128, 4 heads, context 64, vocabulary 65, batch 16',
    bounds: { B: 16, T: 64 },
    inputs: () => ({ token: { shape: [16, 64], data: whole(7, 1024, 65) }, next: { shape: [16, 64], data: whole(8, 1024, 65) } }), // prettier-ignore
  },
};

async function own(name, target, start, inputs) {
  const { bounds } = steps[name];
  const net = await nnc.instance(source(name), { path: `${name}.nn`, unit: 'Fit', bounds, target }, start);
  const batch = Object.fromEntries(Object.entries(inputs).map(([key, { data }]) => [key, data]));
  return () => net.step(batch, bounds).loss;
}

export const workloads = Object.entries(steps).map(([name, { what, bounds, inputs }]) => ({
  name: `step-${name}`,
  group: 'steps',
  what: `training step: ${what}`,
  unit: 'ms',
  // Losses of the first step; the peers' exponentials differ in the last digits.
  tolerance: 2e-4,
  async contenders(wanted) {
    const start = weights(11, nnc.leaves(source(name), { path: `${name}.nn`, unit: 'Fit', bounds }));
    const batch = inputs();
    const all = {
      'nnc wasm': async () => ({ run: await own(name, 'wasm', start, batch) }),
      'nnc ts': async () => ({ run: await own(name, 'ts', start, batch) }),
      'jax-js': async () => (await import('../peers/jax.mjs')).step(name, start, batch),
      'tfjs wasm': async () => (await import('../peers/tfjs.mjs')).step('wasm', name, start, batch),
      'tfjs cpu': async () => (await import('../peers/tfjs.mjs')).step('cpu', name, start, batch),
      convnetjs: async () => (await import('../peers/convnet.mjs')).step(name, batch),
    };
    return wanted(all);
  },
}));
