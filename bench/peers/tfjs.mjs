/**
 * TensorFlow.js 4.22.0 with its `wasm` backend (SIMD, one thread) or its plain JavaScript backend `cpu`, written as its own documentation does
 * (NHWC, `optimizer.minimize`, tensors made once). The wasm backend has no gradient kernels for convolution and pooling: that step is left out.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

export const version = tf.version.tfjs;

tf.enableProdMode();

/** Only where it is wanted: the GPU benchmark carries no such files. */
async function openWasm() {
  const { setThreadsCount, setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const at = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(`${join(dirname(at), 'dist')}/`);
  setThreadsCount(1);
}
let wasm = null;

const use = (backend) => async () => {
  if (backend === 'wasm') await (wasm ??= openWasm());
  await tf.setBackend(backend);
};

const linear = (x, p, path) => x.matMul(p(`${path}.weight`), false, true).add(p(`${path}.bias`));

function norm(x, p, path) {
  const centred = x.sub(x.mean(-1, true));
  const variance = centred.square().mean(-1, true);
  return centred
    .div(variance.add(1e-5).sqrt())
    .mul(p(`${path}.weight`))
    .add(p(`${path}.bias`));
}

const gelus = {
  sigmoid: (x) => x.mul(x.mul(1.702).sigmoid()),
  tanh: (x) =>
    x.mul(0.5).mul(
      x
        .add(x.pow(3).mul(0.044715))
        .mul(Math.sqrt(2 / Math.PI))
        .tanh()
        .add(1),
    ),
};

function transformer(x, p, [B, T, D, heads, layers], gelu) {
  const mask = tf.linalg
    .bandPart(tf.ones([T, T]), -1, 0)
    .sub(1)
    .mul(1e9);
  for (let l = 0; l < layers; l++) {
    const own = (path) => p(`h.${l}.${path}`);
    const qkv = linear(norm(x, own, 'ln_1'), own, 'attn.c_attn').reshape([B, T, 3, heads, D / heads]);
    const [q, k, v] = tf.split(qkv.transpose([2, 0, 3, 1, 4]), 3, 0).map((t) => t.reshape([B * heads, T, D / heads]));
    const score = tf
      .matMul(q, k, false, true)
      .div(Math.sqrt(D / heads))
      .add(mask);
    const z = tf
      .matMul(score.softmax(), v)
      .reshape([B, heads, T, D / heads])
      .transpose([0, 2, 1, 3])
      .reshape([B * T, D]);
    x = x.add(linear(z, own, 'attn.c_proj'));
    const up = gelus[gelu](linear(norm(x, own, 'ln_2'), own, 'mlp.c_fc'));
    x = x.add(linear(up, own, 'mlp.c_proj'));
  }
  return norm(x, p, 'ln_f');
}

const pool = (x) => x.maxPool(2, 2, 'valid');
const convolve = (x, p, path) =>
  x
    .conv2d(p(`${path}.weight`), 1, 'same')
    .add(p(`${path}.bias`))
    .relu();

const forward = {
  mlp: (p, { x }) => linear(linear(linear(x, p, 'a').relu(), p, 'b').relu(), p, 'c'),
  cnn: (p, { x }) => linear(pool(convolve(pool(convolve(x, p, 'conv1')), p, 'conv2')).reshape([32, 1568]), p, 'out'),
  lstm: (p, { x }) => {
    const all = x.reshape([1024, 64]).matMul(p('lstm.w_x'), false, true).add(p('lstm.bias')).reshape([32, 32, 512]);
    let h = tf.zeros([32, 128]);
    let c = tf.zeros([32, 128]);
    for (const e of tf.unstack(all, 1)) {
      const [i, f, g, o] = tf.split(e.add(h.matMul(p('lstm.w_h'), false, true)), 4, 1);
      c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
      h = o.sigmoid().mul(c.tanh());
    }
    return linear(h, p, 'out');
  },
  gpt: (p, { token }) => {
    const x = token.matMul(p('wte.weight')).reshape([16, 64, 128]).add(p('wpe.weight')).reshape([1024, 128]);
    return transformer(x, p, [16, 64, 128, 4, 4], 'sigmoid').matMul(p('out.weight'), false, true);
  },
};

/** conv [out, in, y, x] → [y, x, in, out]; after two poolings the features are [32, 7, 7] in nnc and [7, 7, 32] here. */
function converted(name, path, { shape, data }) {
  const t = tf.tensor(data, shape, 'float32');
  if (shape.length === 4) return t.transpose([2, 3, 1, 0]);
  if (name === 'cnn' && path === 'out.weight')
    return t.reshape([10, 32, 7, 7]).transpose([0, 2, 3, 1]).reshape([10, 1568]);
  return t;
}

const hot = (data, classes) => tf.oneHot(tf.tensor1d(data, 'int32'), classes).toFloat();

export async function step(backend, name, start, inputs) {
  if (backend === 'wasm' && name === 'cnn') return null;
  await use(backend)();
  const variables = new Map();
  for (const [path, t] of start) variables.set(path, tf.variable(tf.tidy(() => converted(name, path, t))));
  const y = tf.tidy(() => (name === 'gpt' ? hot(inputs.next.data, 65) : hot(inputs.label.data, 10)));
  const batch =
    name === 'gpt'
      ? { token: tf.tidy(() => hot(inputs.token.data, 65)) }
      : { x: tf.tidy(() => tf.tensor(inputs.x.data, name === 'cnn' ? [32, 28, 28, 1] : inputs.x.shape, 'float32')) };
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  const loss = () =>
    tf.losses.softmaxCrossEntropy(
      y,
      forward[name]((path) => variables.get(path), batch),
    );
  return {
    before: use(backend),
    run: () => {
      const value = optimizer.minimize(loss, true);
      // A GPU gives nothing at once.
      if (backend === 'webgpu') return value.data().then(([number]) => (value.dispose(), number));
      const number = value.dataSync()[0];
      value.dispose();
      return number;
    },
  };
}

/** a [m, k] @ b [k, n]. */
export async function product(backend, a, b, [m, k, n]) {
  await use(backend)();
  const [x, y] = [tf.tensor(a, [m, k]), tf.tensor(b, [k, n])];
  return {
    before: use(backend),
    run: () => {
      const z = tf.matMul(x, y);
      const value = z.dataSync()[m * n - 1];
      z.dispose();
      return value;
    },
  };
}

export async function gpt2(backend, start, tokens) {
  await use(backend)();
  const T = tokens.length;
  const weights = new Map([...start].map(([path, t]) => [path, tf.tensor(t.data, t.shape, 'float32')]));
  const p = (path) => weights.get(path);
  return {
    before: use(backend),
    run: () => {
      const logits = tf.tidy(() => {
        const x = tf.gather(p('wte.weight'), tf.tensor1d(tokens, 'int32')).add(p('wpe.weight').slice([0, 0], [T, 768]));
        return transformer(x, p, [1, T, 768, 12, 12], 'tanh').matMul(p('wte.weight'), false, true);
      });
      const value = logits.dataSync()[1];
      logits.dispose();
      return value;
    },
  };
}
