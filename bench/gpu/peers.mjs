/**
 * Other people's WebGPU in the same process: TensorFlow.js, ONNX Runtime's web build, jax-js; each with what it can do of products and of a GPT's training step. Products are a chain of `chain` and
 * end in one number, as ours do, so that nothing large is read back; `flying` has several under way at once.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { OnnxModel } from '../lib/onnx.mjs';
import { here, packed } from './device.mjs';

async function jax() {
  globalThis.nncBenchDevice = 'webgpu';
  const { numpy: np, jit } = await import('@jax-js/jax');
  const { step, version } = await import('../peers/jax.mjs');
  return {
    version,
    step,
    product(a, b, n, half, { chain, flying }) {
      const cast = (x) => (half ? x.astype(np.float16) : x);
      const [x, y] = [a, b].map((data) => cast(np.array(data).reshape([n, n])));
      const f = jit((p, q) => {
        let c = q;
        for (let k = 0; k < chain; k++) c = np.matmul(k + 1 < chain ? p.ref : p, c);
        return np.square(c.astype(np.float32)).sum();
      });
      return { per: chain * flying.count, run: () => flying(async () => (await f(x.ref, y.ref).data())[0]) };
    },
  };
}

async function tfjs() {
  globalThis.window ??= globalThis;
  const tf = await import('@tensorflow/tfjs');
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('its webgpu backend did not start');
  const { step, version } = await import('../peers/tfjs.mjs');
  return {
    version,
    step: (name, start, inputs) => step('webgpu', name, start, inputs),
    product(a, b, n, half, { chain, flying }) {
      if (half) throw new Error('it has no half precision');
      const [x, y] = [tf.tensor(a, [n, n]), tf.tensor(b, [n, n])];
      return {
        per: chain * flying.count,
        run: () =>
          flying(async () => {
            const z = tf.tidy(() => {
              let c = y;
              for (let k = 0; k < chain; k++) c = tf.matMul(x, c);
              return c.square().sum();
            });
            const [value] = await z.data();
            z.dispose();
            return value;
          }),
        close: () => tf.dispose([x, y]),
      };
    },
  };
}

/** Dawn for Node takes no views of shared memory, which ONNX Runtime's module has. */
function unshared() {
  const { prototype } = globalThis.GPUQueue;
  const write = prototype.writeBuffer;
  prototype.writeBuffer = function (buffer, offset, data, from = 0, count = undefined) {
    if (!ArrayBuffer.isView(data) || !(data.buffer instanceof SharedArrayBuffer))
      return count === undefined
        ? write.call(this, buffer, offset, data, from)
        : write.call(this, buffer, offset, data, from, count);
    const part = data.slice(from, count === undefined ? data.length : from + count);
    return write.call(this, buffer, offset, new data.constructor(part));
  };
}

async function ort() {
  unshared();
  const ort = await import('onnxruntime-web/webgpu');
  ort.env.wasm.numThreads = 1;
  const name = 'ort-wasm-simd-threaded.asyncify.wasm';
  const at = packed
    ? join(here, name)
    : join(createRequire(import.meta.url).resolve('onnxruntime-web/webgpu'), '..', name);
  ort.env.wasm.wasmBinary = readFileSync(at);
  return {
    version: '1.30.0',
    // Its sessions run one call at a time.
    async product(a, b, n, half, { chain }) {
      const g = new OnnxModel();
      g.input('x', [1]);
      const cast = (v) => (half ? g.op('Cast', [v], { to: 10 }) : v);
      const [left, right] = [g.constant('a', [n, n], a), g.constant('b', [n, n], b)];
      // Scaled by an input of 1, or it would be computed once and for all when the session is made.
      const scaled = cast(g.op('Mul', [left, 'x']));
      let y = cast(right);
      for (let k = 0; k < chain; k++) y = g.op('MatMul', [scaled, y]);
      const z = half ? g.op('Cast', [y], { to: 1 }) : y;
      g.output(g.op('ReduceSum', [g.op('Mul', [z, z])], { keepdims: 0 }), []);
      const session = await ort.InferenceSession.create(g.encode(), { executionProviders: ['webgpu'] });
      const feeds = { x: new ort.Tensor('float32', Float32Array.of(1), [1]) };
      const [output] = session.outputNames;
      const run = async () => (await session.run(feeds))[output].data[0];
      return { per: chain, run, close: () => session.release() };
    },
  };
}

const all = { 'tfjs webgpu': tfjs, 'ort-web webgpu': ort, 'jax-js webgpu': jax };

/** Those of `wanted` that start; why another does not is told. */
export async function openPeers(wanted, attempt) {
  const out = {};
  for (const [name, open] of Object.entries(all)) {
    if (wanted !== null && !wanted.some((w) => name.startsWith(w))) continue;
    const peer = await attempt(`${name} does not start`, open);
    if (peer === null) continue;
    out[name] = peer;
    console.log(`peer: ${name} ${peer.version}`);
  }
  return out;
}
