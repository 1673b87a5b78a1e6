/**
 * The WebGPU target on a GPU: what the adapter is, whether it computes what the CPU does, products as a share of what the card can do, training steps and decoding of a GPT, streamed attention; beside other
 * people's WebGPU in the same process and PyTorch on the same card, where they are at hand. In a clone (`node bench/gpu/run.mjs`, after `npm ci` in bench/), or from the folder that pack.mjs makes.
 *
 *   --small             tiny shapes: whether all of it runs
 *   --sizes 1024,2048   products; 1024 to 8192 if left out
 *   --peak 67           TFLOP/s of f32 that the card is said to have, for the shares; measured if left out (--peak-half: of f16)
 *   --peers tfjs,jax    some of the peers; none: no peer
 *   --only products,gpt some of self-check, products, step, gpt, decode, attention
 *   --profile           the kernels of the last GPT's step by timestamps, longest first
 *   --python python3    where PyTorch may be
 *   --backend vulkan, --adapter llvmpipe, --json FILE
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { profileGpu } from '../../dist/cli/profile/gpu.js';
import { gpuRoofs } from '../../dist/cli/profile/gpu-roofs.js';
import { floats, weights, whole } from '../lib/random.mjs';
import { decode } from './decode.mjs';
import { file, openGpu, tell } from './device.mjs';
import { attempt, compare, firstLines } from './measure.mjs';
import { compilerFor, dispatches } from './own.mjs';
import { openPeers } from './peers.mjs';

const { values: options } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    sizes: { type: 'string' },
    peak: { type: 'string' },
    'peak-half': { type: 'string' },
    peers: { type: 'string' },
    only: { type: 'string' },
    profile: { type: 'boolean', default: false },
    python: { type: 'string', default: 'python3' },
    backend: { type: 'string', default: 'vulkan' },
    adapter: { type: 'string' },
    json: { type: 'string' },
  },
});
const { small } = options;
const wants = (section) => options.only === undefined || options.only.split(',').includes(section);
const milliseconds = small ? 5 : 300;
const rounds = small ? 1 : 3;
const record = { products: {}, steps: {} };

const { gpu, adapter } = await openGpu(options);
if (adapter === null) {
  console.log('no adapter: no GPU, or no driver that WebGPU accepts');
  process.exit(1);
}
tell(adapter);
const load = compilerFor(adapter);
const source = (path) => readFileSync(file(path), 'utf8');
const show = (n) => Math.round(n).toLocaleString('en-US');

// --------------------------------------------------------------------------------------------------------------------------------- what is there

const roofs = adapter.features.has('timestamp-query')
  ? await attempt('the peak cannot be measured', async () => {
      const device = await adapter.requestDevice({ requiredFeatures: ['timestamp-query'] });
      const found = await gpuRoofs(device, 'this GPU');
      device.destroy();
      console.log(
        `measured: ${(found.peak / 1000).toPrecision(3)} TFLOP/s of f32, ${found.bandwidth[0].rate.toPrecision(3)} GB/s from memory`,
      );
      return found;
    })
  : null;
const peak = options.peak === undefined ? (roofs?.peak ?? 0) / 1000 : Number(options.peak);
const peers = options.peers === 'none' ? {} : await openPeers(options.peers?.split(',') ?? null, attempt);

if (wants('self-check'))
  await attempt('self-check', async () => {
    const [B, input, hidden, out] = small ? [5, 6, 9, 4] : [130, 96, 200, 40];
    const text = `model Net(x: float[B, ${input}]) -> float[B, ${out}] { return x |> Linear(${hidden}) |> LayerNorm |> gelu |> Linear(${out}) |> softmax }
train Fit { input x: float[B, ${input}]
  minimize mean(Net(x) ^ 2)
  optimizer Adam(lr: 1e-3) }`;
    const { gpu: There, cpu } = await load(text, 'Fit', { bounds: { B } });
    const [there, here] = [await There.create({ gpu, seed: 1 }), (await cpu()).create({ seed: 1 })];
    const x = floats(7, B * input);
    let worst = 0;
    for (let k = 0; k < 5; k++) {
      const [a, b] = [(await there.step({ x })).loss, here.step({ x }).loss];
      worst = Math.max(worst, Math.abs(a - b) / Math.abs(b));
    }
    there.close();
    const right = worst < 1e-4;
    console.log(
      `self-check: five training steps, loss within ${worst.toExponential(1)} of the CPU's${right ? '' : ': WRONG'}`,
    );
    if (!right) process.exitCode = 1;
  });

// --------------------------------------------------------------------------------------------------------------------------------- products

const sizes = (options.sizes ?? (small ? '64,100' : '1024,2048,4096,8192')).split(',').map(Number);
const forms = {
  'A B': (b) => `a[i, k] * ${b}[k, j]`,
  'A B^T': (b) => `a[i, k] * ${b}[j, k]`,
  'A^T B': (b) => `a[k, i] * ${b}[k, j]`,
};
/** Products one after the other, so that the one number at their end and its way back count for little. */
const CHAIN = 4;
/** Such chains that are under way at once. */
const FLYING = small ? 2 : 4;

/** Both operands stay on the GPU: A B, A (A B), and so on; the sum of squares comes back. */
async function product(n, form, half, data) {
  const chain = Array.from(
    { length: CHAIN },
    (_, k) => `  let c${k}[i: ${n}, j: ${n}] = sum[k] ${forms[form](k === 0 ? 'b' : `c${k - 1}`)}`,
  );
  const model = `model Net(x: float[B]) -> float[B] {
  param a: float[${n}, ${n}] = 0
  param b: float[${n}, ${n}] = 0
${chain.join('\n')}
  let all = sum[i, j] c${CHAIN - 1}[i, j] ^ 2
  return x * all
}
train Fit {
  input x: float[B]
  minimize sum(Net(x))
  optimizer SGD(lr: 0)${half ? '\n  precision f16' : ''}
}`;
  const { gpu: Unit } = await load(model, half ? 'Fit' : 'Net', { bounds: { B: 1 } });
  const tensors = new Map(['a', 'b'].map((name, k) => [name, { dtype: 'f32', shape: [n, n], data: data[k] }]));
  const net = await Unit.create({ gpu, weights: tensors });
  const x = Float32Array.of(1);
  const once = async () =>
    half ? (await net.evaluate({ x })).loss : Object.values(await net.forward({ x }))[0].data[0];
  return { per: FLYING * CHAIN, run: () => flying(once), close: () => net.close() };
}

async function flying(once) {
  return (await Promise.all(Array.from({ length: FLYING }, once)))[0];
}
flying.count = FLYING;

const torchAsked = { sizes, milliseconds, gpt: null };

if (wants('products'))
  for (const n of sizes) {
    const data = [floats(1, n * n), floats(2, n * n)];
    // So that a product's elements are about as large as B's.
    const scale = Math.sqrt(1 / (n * (data[0].reduce((s, v) => s + v * v, 0) / (n * n))));
    data[0] = data[0].map((v) => v * scale);
    for (const half of [false, true]) {
      for (const form of half ? ['A B'] : Object.keys(forms)) {
        const what = `${half ? 'f16' : 'f32'} ${form} ${n}`;
        const theirs = form === 'A B' ? Object.entries(peers) : [];
        const found = await compare(
          what,
          {
            nnc: () => product(n, form, half, data),
            ...Object.fromEntries(
              theirs.map(([name, p]) => [name, () => p.product(data[0], data[1], n, half, { chain: CHAIN, flying })]),
            ),
          },
          { milliseconds, tolerance: half ? 3e-2 : 1e-3, rounds },
        );
        const top = half ? Number(options['peak-half'] ?? 0) : peak;
        for (const [name, each] of Object.entries(found)) {
          const rate = (2 * n ** 3) / each / 1e9;
          const share = top > 0 ? `, ${((100 * rate) / top).toFixed(1)} % of the peak` : '';
          const ratio =
            name === 'nnc' || found.nnc === undefined ? '' : `; nnc is ${(each / found.nnc).toFixed(2)} times as fast`;
          console.log(`${what}: ${name} ${each.toFixed(3)} ms, ${rate.toPrecision(3)} TFLOP/s${share}${ratio}`);
        }
        record.products[what] = found;
      }
    }
  }

// ------------------------------------------------------------------------------------------------------------------------------------ steps

// The peers' text of it has its size: too much for a software driver, unless it is asked for.
if (wants('step') && (!small || options.only !== undefined)) {
  const text = source('bench/wasm/programs/gpt.nn');
  const bounds = { B: 16, T: 64 };
  const batch = {
    token: { shape: [16, 64], data: whole(7, 1024, 65) },
    next: { shape: [16, 64], data: whole(8, 1024, 65) },
  };
  const what = 'training step of a GPT of characters (4 x 128, 16 x 64), loss read each time';
  let count = 0;
  await attempt(what, async () => {
    const { gpu: Fit, plan } = await load(text, 'Fit', { bounds });
    const leaves = plan.leaves.filter((l) => l.kind === 'param').map((l) => [l.path, l.shape]);
    const start = weights(11, Object.fromEntries(leaves));
    const own = async () => {
      const given = new Map([...start].map(([path, t]) => [path, { dtype: 'f32', ...t }]));
      const net = await Fit.create({ gpu, weights: given });
      const inputs = { token: batch.token.data, next: batch.next.data };
      const run = async () => {
        const { loss } = await net.step(inputs, bounds);
        count = dispatches(net, 'step');
        return loss;
      };
      return { run, close: () => net.close() };
    };
    const theirs = Object.entries(peers).filter(([, p]) => p.step !== undefined);
    const found = await compare(
      what,
      { nnc: own, ...Object.fromEntries(theirs.map(([name, p]) => [name, () => p.step('gpt', start, batch)])) },
      { milliseconds, tolerance: 2e-4, rounds },
    );
    for (const [name, each] of Object.entries(found)) {
      const ratio =
        name === 'nnc' || found.nnc === undefined
          ? `, ${count} dispatches`
          : `; nnc is ${(each / found.nnc).toFixed(2)} times as fast`;
      console.log(`${what}: ${name} ${each.toFixed(2)} ms${ratio}`);
    }
    if (peers['ort-web webgpu'] !== undefined) console.log('  (ONNX Runtime does not train in a page)');
    record.steps.characters = found;
  });
}

const shapes = small
  ? [{ vocab: 61, width: 32, heads: 2, layers: 1, context: 16, batch: 2 }]
  : [
      { vocab: 8192, width: 384, heads: 6, layers: 6, context: 256, batch: 8 },
      { vocab: 50257, width: 768, heads: 12, layers: 12, context: 1024, batch: 8 },
    ];
torchAsked.gpt = shapes.at(-1);

async function profiled(artifact, inputs, sizes) {
  const { profile } = await profileGpu(artifact, gpu, 'step', inputs, sizes, small ? 0.01 : 0.5);
  const kernels = new Map();
  for (const { kernel, milliseconds: time, calls, flops } of profile.steps) {
    const sum = kernels.get(kernel) ?? { time: 0, calls: 0, flops: 0 };
    kernels.set(kernel, { time: sum.time + time, calls: sum.calls + calls, flops: sum.flops + flops });
  }
  const rows = [...kernels].sort(([, a], [, b]) => b.time - a.time);
  record.profile = Object.fromEntries(rows);
  for (const [kernel, { time, calls, flops }] of rows.slice(0, 30)) {
    const rate = flops > 0 && time > 0 ? `, ${(flops / time / 1e9).toFixed(2)} TFLOP/s` : '';
    console.log(`  ${time.toFixed(3)} ms  ${kernel}, ${calls} calls${rate}`);
  }
}

if (wants('gpt'))
  for (const { batch, ...consts } of shapes) {
    const name = `GPT ${consts.layers} x ${consts.width}, ${batch} x ${consts.context}`;
    await attempt(name, async () => {
      const text = `${source('examples/design/gpt2.nn')}
train Fit {
  input token: i32[B, T + 1] < vocab
  let seen[b, t: T] = token[b, t]
  let next[b, t: T] = token[b, t + 1]
  minimize cross_entropy(GPT2(seen), next)
  optimizer Adam(lr: 1e-4)
}`;
      const T = consts.context;
      const begun = performance.now();
      const { gpu: Fit, artifact } = await load(text, 'Fit', { consts, bounds: { B: batch, T } });
      const compiled = performance.now();
      const net = await Fit.create({ gpu, seed: 1 });
      const created = performance.now();
      const token = whole(3, batch * (T + 1), consts.vocab);
      const inputs = { token };
      const given = { B: batch, T };
      // The loss is read back every fourth step, as training does.
      const run = async () => {
        for (let k = 0; k < 3; k++) net.enqueue(inputs, given);
        return (await net.step(inputs, given)).loss;
      };
      const { nnc: each } = await compare(
        name,
        { nnc: () => ({ run, per: 4 }) },
        { milliseconds, tolerance: 1, rounds },
      );
      const { loss } = await net.step(inputs, given);
      const count = dispatches(net, 'step');
      net.close();
      if (options.profile && T === shapes.at(-1).context) await profiled(artifact, inputs, given);
      record.steps[name] = { nnc: each, dispatches: count };
      console.log(
        `${name}: ${each.toFixed(1)} ms a step, ${show((batch * T * 1000) / each)} tokens/s; ${count} dispatches a step; ` +
          `compiled in ${((compiled - begun) / 1000).toFixed(1)} s, on the GPU in ${((created - compiled) / 1000).toFixed(1)} s; loss ${loss.toFixed(4)}`,
      );
    });
  }

// ----------------------------------------------------------------------------------------------------------------------------------- decode

if (wants('decode')) {
  const bandwidth = roofs?.bandwidth[0].rate ?? 0;
  record.decode = await decode({ gpu, load, source, small, computes: options.backend !== 'null', bandwidth });
}

// -------------------------------------------------------------------------------------------------------------------------------- attention

if (wants('attention')) {
  const T = small ? 128 : 4096;
  const name = `attention over ${T} places, 4 heads of 64, forward and backward`;
  await attempt(name, async () => {
    const text = `model Net(x: float[B]) -> float[4, ${T}, 64] {
  param q: float[4, ${T}, 64] = normal()
  param k: float[4, ${T}, 64] = normal()
  param v: float[4, ${T}, 64] = normal()
  let score[h, t, s] = sum[e] q[h, t, e] * k[h, s, e] / 8
  let weight[h, t, s] = softmax[s where s <= t] score[h, t, s]
  let z[h, t, e] = sum[s] weight[h, t, s] * v[h, s, e] * x[0]
  return z
}
train Fit { input x: float[B]
  minimize mean(Net(x) ^ 2)
  optimizer SGD(lr: 0) }`;
    const form = async (stream) => {
      const made = await load(text, 'Fit', { bounds: { B: 1 }, stream });
      const names = made.kernels.map((k) => k.name).join();
      const create = async () => {
        const net = await made.gpu.create({ gpu, seed: 1 });
        const x = Float32Array.of(1);
        return { run: async () => (await net.step({ x })).loss, close: () => net.close() };
      };
      return { create, names, bytes: made.plan.arenas.work };
    };
    const [stored, streamed] = [await form(false), await form(small ? 1024 : 2 ** 22)];
    if (stored.names === streamed.names) console.log(`${name}: nothing is streamed on this target; stored only`);
    const found = await compare(
      name,
      { stored: stored.create, ...(stored.names === streamed.names ? {} : { streamed: streamed.create }) },
      { milliseconds, tolerance: 1e-4, rounds },
    );
    for (const [kind, each] of Object.entries(found)) {
      const { bytes } = kind === 'stored' ? stored : streamed;
      const ratio =
        kind === 'streamed' && found.stored !== undefined
          ? `; ${(found.stored / each).toFixed(2)} times as fast as stored`
          : '';
      console.log(`${name}: ${kind} ${each.toFixed(2)} ms, ${(bytes / 2 ** 20).toFixed(1)} MiB to work in${ratio}`);
    }
    record.attention = found;
  });
}

// ------------------------------------------------------------------------------------------------------------------------------- the far mark

if (options.python !== 'none' && (wants('products') || wants('gpt')))
  await attempt('PyTorch', async () => {
    let text;
    try {
      text = execFileSync(options.python, [file('bench/gpu/torch.py'), JSON.stringify(torchAsked)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 240_000,
      });
    } catch (error) {
      throw new Error(`not at hand (${firstLines(error).slice(0, 80)})`);
    }
    const found = JSON.parse(text.trim().split('\n').at(-1));
    if (found.error !== undefined) throw new Error(`not at hand (${found.error})`);
    record.torch = found;
    console.log(
      `PyTorch ${found.version}, eager, on ${found.device}${found.device === 'cpu' ? ': NOT on the card' : ''}`,
    );
    for (const [what, each] of Object.entries(found.products)) {
      const [kind, n] = what.split(' ');
      const own = record.products[`${kind} A B ${n}`]?.nnc;
      const ratio = own === undefined ? '' : `; nnc takes ${(own / each).toFixed(2)} times as long`;
      console.log(`${what}: PyTorch ${each.toFixed(3)} ms, ${((2 * n ** 3) / each / 1e9).toFixed(2)} TFLOP/s${ratio}`);
    }
    const { batch, context } = shapes.at(-1);
    if (found.step !== undefined)
      console.log(
        `GPT step: PyTorch ${found.step.toFixed(1)} ms, ${show((batch * context * 1000) / found.step)} tokens/s`,
      );
    else if (found['step error'] !== undefined) console.log(`GPT step: PyTorch cannot: ${found['step error']}`);
  });

if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(record, null, 1)}\n`);
process.exit(process.exitCode ?? 0);
