/**
 * ONNX Runtime 1.30.0: `web` (WebAssembly, one thread; what a page has) and `node` (native, AVX; what the same work costs without WebAssembly,
 * as a far mark). Inference only. Models are written by lib/onnx.mjs, with transposed operands as an exporter from PyTorch has them.
 */
import { OnnxModel } from '../lib/onnx.mjs';

export const version = '1.30.0';

async function session(kind, bytes, threads) {
  const ort = await import(kind === 'web' ? 'onnxruntime-web' : 'onnxruntime-node');
  if (kind === 'web') ort.env.wasm.numThreads = threads;
  const options =
    kind === 'web' ? { executionProviders: ['wasm'] } : { intraOpNumThreads: threads, interOpNumThreads: 1 };
  return { ort, session: await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'all', ...options }) };
}

/** a [m, k] @ b [k, n]; b is a constant, as weights are. */
export async function product(kind, a, b, [m, k, n]) {
  const g = new OnnxModel();
  g.input('a', [m, k]);
  const y = g.op('MatMul', ['a', g.constant('b', [k, n], b)]);
  g.output(y, [m, n]);
  const { ort, session: s } = await session(kind, g.encode(), 1);
  const feeds = { a: new ort.Tensor('float32', a, [m, k]) };
  return { run: async () => (await s.run(feeds))[y].data[m * n - 1] };
}

/** Logits of all rows, or of the last row only. */
export async function gpt2(kind, start, tokens, rows = 'all') {
  const T = tokens.length;
  const [D, heads, layers] = [768, 12, 12];
  const g = new OnnxModel();
  const weight = (path) => g.constant(path, start.get(path).shape, start.get(path).data);
  const scalar = (x) => g.constant(`s${g.fresh++}`, [], Float32Array.of(x));
  g.input('token', [T], true);
  const wte = weight('wte.weight');
  let x = g.op('Add', [
    g.op('Gather', [wte, 'token']),
    g.constant('positions', [T, D], start.get('wpe.weight').data.slice(0, T * D)),
  ]);
  const norm = (v, path) =>
    g.op('LayerNormalization', [v, weight(`${path}.weight`), weight(`${path}.bias`)], { axis: 1 });
  const linear = (v, path) => g.op('Gemm', [v, weight(`${path}.weight`), weight(`${path}.bias`)], { transB: 1 });
  const mask = new Float32Array(T * T);
  for (let t = 0; t < T; t++) mask.fill(-1e9, t * T + t + 1, (t + 1) * T);
  const hidden = g.constant('mask', [T, T], mask);
  const thirds = g.list(D, D, D);
  const split = g.list(T, heads, D / heads);
  const joined = g.list(T, D);
  const scale = scalar(1 / Math.sqrt(D / heads));
  for (let l = 0; l < layers; l++) {
    const own = `h.${l}`;
    const parts = g.op('Split', [linear(norm(x, `${own}.ln_1`), `${own}.attn.c_attn`), thirds], { axis: 1 }, 3);
    const [q, k, v] = parts.map((part, i) =>
      g.op('Transpose', [g.op('Reshape', [part, split])], { perm: i === 1 ? [1, 2, 0] : [1, 0, 2] }),
    );
    const score = g.op('Add', [g.op('Mul', [g.op('MatMul', [q, k]), scale]), hidden]);
    const z = g.op('MatMul', [g.op('Softmax', [score], { axis: 2 }), v]);
    const rowsOf = g.op('Reshape', [g.op('Transpose', [z], { perm: [1, 0, 2] }), joined]);
    x = g.op('Add', [x, linear(rowsOf, `${own}.attn.c_proj`)]);
    const up = g.op('Gelu', [linear(norm(x, `${own}.ln_2`), `${own}.mlp.c_fc`)], { approximate: 'tanh' });
    x = g.op('Add', [x, linear(up, `${own}.mlp.c_proj`)]);
  }
  let y = norm(x, 'ln_f');
  if (rows === 'last') y = g.op('Gather', [y, g.list(T - 1)]);
  const logits = g.op('Gemm', [y, wte], { transB: 1 });
  g.output(logits, [rows === 'last' ? 1 : T, 50257]);
  const { ort, session: s } = await session(kind, g.encode(), 1);
  const feeds = { token: new ort.Tensor('int64', BigInt64Array.from(tokens, BigInt), [T]) };
  return { run: async () => (await s.run(feeds))[logits].data[1] };
}
