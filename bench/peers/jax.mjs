/** jax-js 0.1.25 on its `wasm` device, one thread (Node has no `Worker` global, so it starts none), each step one `jit` of value, gradient and Adam. */
/** Another contender may have put Node's `Worker` there, which does not take the blobs that jax-js would start its threads from. */
const before = () => {
  delete globalThis.Worker;
};
before();
globalThis.navigator ??= { userAgent: 'node', hardwareConcurrency: 1 };
const { numpy: np, jit, valueAndGrad, nn, lax, init, defaultDevice } = await import('@jax-js/jax');
/** The GPU benchmark says `webgpu`. */
const device = globalThis.nncBenchDevice ?? 'wasm';
await init(device);
defaultDevice(device);

export const version = '0.1.25';

const linear = (x, w, b) => np.matmul(x, np.matrixTranspose(w)).add(b);

/** Mean of −log p of the labels. */
function crossEntropy(logits, hot, rows) {
  return nn
    .logSoftmax(logits, -1)
    .mul(hot)
    .sum()
    .mul(-1 / rows);
}

const pool = (x, [b, c, h, w]) => np.max(np.reshape(x, [b, c, h / 2, 2, w / 2, 2]), [3, 5]);
const convolve = (x, w, b) => lax.convGeneralDilated(x, w, [1, 1], 'SAME').add(np.reshape(b, [1, -1, 1, 1]));

function norm(x, weight, bias) {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(weight)
    .add(bias);
}

function attention(p, path, x, [B, T, D, heads]) {
  const qkv = np.reshape(linear(x, p(`${path}.c_attn.weight`), p(`${path}.c_attn.bias`)), [B, T, 3, heads, D / heads]);
  // `nn.dotProductAttention` goes through `einsum`, which needs the iterator helpers of Node 22.
  const [q, k, v] = np
    .split(np.transpose(qkv, [2, 0, 3, 1, 4]), 3, 0)
    .map((part) => np.reshape(part, [B, heads, T, D / heads]));
  const mask = np
    .tril(np.ones([T, T]))
    .sub(1)
    .mul(1e9);
  const score = np
    .matmul(q, np.matrixTranspose(k))
    .mul(1 / Math.sqrt(D / heads))
    .add(mask);
  const z = np.reshape(np.transpose(np.matmul(nn.softmax(score, -1), v), [0, 2, 1, 3]), [B, T, D]);
  return linear(z, p(`${path}.c_proj.weight`), p(`${path}.c_proj.bias`));
}

const gelus = {
  sigmoid: (x) => x.ref.mul(nn.sigmoid(x.mul(1.702))),
  tanh: (x) => nn.gelu(x, { approximate: true }),
};

/** Embedded tokens through the layers of a GPT, to the last normalisation. */
export function transformer(p, x, [B, T, D, heads, layers], gelu) {
  for (let l = 0; l < layers; l++) {
    const h = (name) => p(`h.${l}.${name}`);
    x = x.ref.add(attention((n) => h(n), 'attn', norm(x, h('ln_1.weight'), h('ln_1.bias')), [B, T, D, heads]));
    const y = norm(x.ref, h('ln_2.weight'), h('ln_2.bias'));
    const up = gelus[gelu](linear(y, h('mlp.c_fc.weight'), h('mlp.c_fc.bias')));
    x = x.add(linear(up, h('mlp.c_proj.weight'), h('mlp.c_proj.bias')));
  }
  return norm(x, p('ln_f.weight'), p('ln_f.bias'));
}

const losses = {
  mlp: (p, { x, hot }) => {
    const y = nn.relu(linear(nn.relu(linear(x, p('a.weight'), p('a.bias'))), p('b.weight'), p('b.bias')));
    return crossEntropy(linear(y, p('c.weight'), p('c.bias')), hot, 64);
  },
  cnn: (p, { x, hot }) => {
    const y = pool(nn.relu(convolve(x, p('conv1.weight'), p('conv1.bias'))), [32, 16, 28, 28]);
    const z = pool(nn.relu(convolve(y, p('conv2.weight'), p('conv2.bias'))), [32, 32, 14, 14]);
    return crossEntropy(linear(np.reshape(z, [32, 1568]), p('out.weight'), p('out.bias')), hot, 32);
  },
  lstm: (p, { x, hot }) => {
    const all = np.matmul(x, np.matrixTranspose(p('lstm.w_x'))).add(p('lstm.bias'));
    const elements = np.split(all, 32, 1).map((e) => np.reshape(e, [32, 512]));
    let h = np.zeros([32, 128]);
    let c = np.zeros([32, 128]);
    for (const e of elements) {
      const z = e.add(np.matmul(h, np.matrixTranspose(p('lstm.w_h'))));
      const [i, f, g, o] = np.split(z, 4, 1);
      c = nn
        .sigmoid(f)
        .mul(c)
        .add(nn.sigmoid(i).mul(np.tanh(g)));
      h = nn.sigmoid(o).mul(np.tanh(c.ref));
    }
    return crossEntropy(linear(h, p('out.weight'), p('out.bias')), hot, 32);
  },
  gpt: (p, { token, hot }) => {
    const x = np.matmul(token, p('wte.weight')).add(p('wpe.weight'));
    const y = transformer(p, x, [16, 64, 128, 4, 4], 'sigmoid');
    return crossEntropy(np.matmul(y, np.matrixTranspose(p('out.weight'))), hot, 1024);
  },
};

const hotRows = (data, classes, shape) => {
  const hot = new Float32Array(data.length * classes);
  data.forEach((k, i) => (hot[i * classes + k] = 1));
  return np.array(hot).reshape([...shape, classes]);
};

function batchOf(name, inputs) {
  if (name === 'gpt')
    return { token: hotRows(inputs.token.data, 65, [16, 64]), hot: hotRows(inputs.next.data, 65, [16, 64]) };
  return {
    x: np.array(inputs.x.data).reshape(inputs.x.shape),
    hot: hotRows(inputs.label.data, 10, inputs.label.shape),
  };
}

const map = (f, first, ...more) => Object.fromEntries(Object.keys(first).map((k) => [k, f(first[k], ...more.map((m) => m[k]))])); // prettier-ignore
const refs = (record) => map((a) => a.ref, record);

export async function step(name, start, inputs) {
  const batch = batchOf(name, inputs);
  const update = jit((params, m, v, t, data) => {
    const [loss, grads] = valueAndGrad((own) => losses[name]((path) => own[path].ref, data))(params);
    const m2 = map((a, g) => a.mul(0.9).add(g.ref.mul(0.1)), m, grads);
    const v2 = map((a, g) => a.mul(0.999).add(np.square(g).mul(0.001)), v, grads);
    const [c1, c2] = [0.9, 0.999].map((beta) =>
      np
        .exp(t.ref.mul(Math.log(beta)))
        .mul(-1)
        .add(1),
    );
    const moved = map(
      (p, a, b) =>
        p.sub(
          a.ref
            .div(c1.ref)
            .mul(1e-3)
            .div(np.sqrt(b.ref.div(c2.ref)).add(1e-8)),
        ),
      params,
      m2,
      v2, // prettier-ignore
    );
    return { loss, params: moved, m: m2, v: v2 };
  });
  let params = Object.fromEntries([...start].map(([path, t]) => [path, np.array(t.data.slice()).reshape(t.shape)]));
  let m = map((a) => np.zeros(a.shape), params);
  let v = map((a) => np.zeros(a.shape), params);
  let t = 0;
  return {
    before,
    run: async () => {
      t++;
      const next = update(params, m, v, np.array([t]).reshape([]), refs(batch));
      ({ params, m, v } = next);
      const loss = await next.loss.data();
      return loss[0];
    },
  };
}

/** a [m, k] @ b [k, n]. */
export function product(a, b, [m, k, n]) {
  const [x, y] = [np.array(a).reshape([m, k]), np.array(b).reshape([k, n])];
  const f = jit((p, q) => np.matmul(p, q));
  return { before, run: async () => (await f(x.ref, y.ref).data())[m * n - 1] };
}

/** GPT-2's shape with a vocabulary padded to a multiple of 48: jax-js has no fast kernel for a prime one. */
export function gpt2(start, tokens) {
  const T = tokens.length;
  const params = Object.fromEntries([...start].map(([path, t]) => [path, np.array(t.data).reshape(t.shape)]));
  const f = jit((own, ids) => {
    const p = (path) => own[path].ref;
    const x = np.take(p('wte.weight'), ids, 0).add(np.split(p('wpe.weight'), [T], 0)[0]);
    const y = transformer(p, np.reshape(x, [1, T, 768]), [1, T, 768, 12, 12], 'tanh');
    return np.matmul(np.reshape(y, [T, 768]), np.matrixTranspose(p('wte.weight')));
  });
  return {
    before,
    run: async () => (await f(refs(params), np.array(Int32Array.from(tokens), { dtype: np.int32 })).data())[1],
  };
}
