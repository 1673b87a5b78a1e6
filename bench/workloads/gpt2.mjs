/** Inference at the shape of GPT-2 small (124M parameters, vocabulary 50,257), `examples/design/gpt2.nn`, random weights. */
import { readFileSync } from 'node:fs';
import * as nnc from '../peers/nnc.mjs';
import { weights, whole } from '../lib/random.mjs';

const source = readFileSync(new URL('../../examples/design/gpt2.nn', import.meta.url), 'utf8');
const options = { path: 'gpt2.nn', unit: 'GPT2', bounds: { B: 1, T: 64 } };

/** 496 MB: made once, for all. */
let made = null;
const start = () => (made ??= weights(21, nnc.leaves(source, options)));

async function own(tokens) {
  const net = await nnc.instance(source, { ...options, bounds: { B: 1, T: tokens.length }, target: 'wasm' }, start());
  const inputs = { token: tokens };
  const sizes = { B: 1, T: tokens.length };
  return { run: () => net.forward(inputs, sizes).logits.data[1] };
}

const cached = readFileSync(new URL('../../examples/design/decode.nn', import.meta.url), 'utf8');

/** One token more, with keys and values of those before in the cache: the prompt once, then the same place again and again. */
async function decoding(tokens, rules) {
  const options = { path: 'decode.nn', unit: 'GPT2', bounds: { T: tokens.length }, target: 'wasm', weights: rules };
  const net = await nnc.instance(cached, options, start());
  const S = tokens.length;
  net.stream({ token: tokens }, { S });
  const one = tokens.slice(-1);
  return {
    // What is stored smaller computes something near.
    run: () =>
      rules.length > 0 ? (net.stream({ token: one }, { S }), null) : net.stream({ token: one }, { S }).logits.data[1],
  };
}

const storage = { f32: [], int8: ['int8'], 'int4:128': ['int4:128'], 'int4:32': ['int4:32'] };

const decode = {
  name: 'gpt2-decode',
  group: 'gpt2',
  what: "GPT-2 small's shape: ours one token behind 64 cached ones, theirs one token alone",
  unit: 'ms',
  tolerance: Infinity,
  seconds: 20,
  async contenders(wanted) {
    const tokens = whole(5, 65, 50257);
    const own = Object.entries(storage).map(([name, rules]) => [
      name === 'f32' ? 'nnc wasm' : `nnc wasm ${name}`,
      () => decoding(tokens, rules),
    ]);
    return wanted({
      ...Object.fromEntries(own),
      'ort-web': async () => (await import('../peers/ort.mjs')).gpt2('web', start(), tokens.slice(0, 1)),
      'ort-node': async () => (await import('../peers/ort.mjs')).gpt2('node', start(), tokens.slice(0, 1)),
    });
  },
};

const passes = [64, 1].map((T) => ({
  name: `gpt2-${T}`,
  group: 'gpt2',
  what: `GPT-2 small's shape, ${T} ${T === 1 ? 'token' : 'tokens, logits of all rows'}`,
  unit: 'ms',
  tolerance: 1e-3,
  seconds: 20,
  async contenders(wanted) {
    const tokens = whole(5, T, 50257);
    return wanted({
      'nnc wasm': () => own(tokens),
      'ort-web': async () => (await import('../peers/ort.mjs')).gpt2('web', start(), tokens),
      'jax-js': async () => (await import('../peers/jax.mjs')).gpt2(start(), tokens),
      'tfjs wasm': async () => (await import('../peers/tfjs.mjs')).gpt2('wasm', start(), tokens),
      'ort-node': async () => (await import('../peers/ort.mjs')).gpt2('node', start(), tokens),
    });
  },
}));

export const workloads = [...passes, decode];
