/** Causal attention, one head of width 64: streamed against stored, forward and a step of training, interleaved. `node bench/wasm/attention.mjs [length] [seconds]` */
import { compileText, given, interleaved, load, tell } from './build.mjs';

const [length = '4096', seconds = '30'] = given();
const T = Number(length);
const source = `
model M(x: float[B, T, 64]) -> float[B, T, 64] {
  let q = x |> q: Linear(64, bias: false)
  let k = x |> k: Linear(64, bias: false)
  let v = x |> v: Linear(64, bias: false)
  let score[b, t, s] = (sum[e] q[b, t, e] * k[b, s, e]) / 8
  let weight[b, t, s] = softmax[s where s <= t] score[b, t, s]
  let y[b, t, e] = sum[s] weight[b, t, s] * v[b, s, e]
  return y |> o: Linear(64)
}
train Fit {
  input x: float[B, T, 64]
  minimize mean((M(x) - x) ^ 2)
  optimizer SGD(lr: 1e-2)
  batch B = 1
}
`;
const x = Float32Array.from({ length: T * 64 }, (_, k) => Math.sin(k * 0.37));
const runs = [];
for (const stream of [false, 1]) {
  const { artifacts, reports } = compileText(source, { bounds: { T, B: 1 }, stream, targets: ['wasm'] });
  if (artifacts.size === 0) throw new Error(JSON.stringify(reports));
  for (const only of ['M', 'Fit']) {
    const artifact = artifacts.get(only);
    const net = (await load(artifact.modules.get('wasm').javascript))[only].create({ seed: 1 });
    const memory = net.machine.memory.views[0].buffer.byteLength;
    const { buffers, arenas } = artifact.plan;
    // Of the scores and what becomes of them alone: whole matrices, each place once; or the rows and packed operands of streamed kernels, which lie beside the plan.
    const matrices = new Map(buffers.filter((b) => b.bytes >= 4 * T * T).map((b) => [b.offset, b.bytes]));
    const whole = [...matrices.values()].reduce((n, b) => n + b, 0);
    const scores = stream ? memory - arenas.persistent - arenas.work : whole;
    const run = only === 'M' ? () => net.forward({ x }, { T, B: 1 }) : () => net.step({ x }, { T, B: 1 });
    runs.push({ name: `${only === 'M' ? 'forward' : 'step'}, ${stream ? 'streamed' : 'stored'}`, memory, scores, run });
  }
}
const times = interleaved(
  runs.map((r) => r.run),
  { warmup: 0, seconds: Number(seconds) },
);
const rows = runs.map(({ name, memory, scores }, k) => ({ name, length: T, ...times[k], memory, scores }));
tell(
  rows,
  (r) =>
    `length ${T}, ${r.name}: ${r.least.toFixed(1)} ms at best, median ${r.median.toFixed(1)}; ${(r.memory / 1e6).toFixed(1)} MB, for scores ${(r.scores / 1e6).toFixed(2)} MB`,
);
