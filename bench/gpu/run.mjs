/**
 * The WebGPU target on a real GPU: what the adapter is, whether it computes what the CPU does, products as a share of the card's peak, steps of a GPT. In a clone
 * (`node bench/gpu/run.mjs`), or from the folder that pack.mjs makes.
 *
 *   --peak 67          TFLOP/s of f32 that the card is said to have, for the shares
 *   --sizes 1024,2048  products; 1024 to 8192 if left out
 *   --quick            small shapes: whether it runs at all
 *   --backend vulkan
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from '../../dist/compiler/index.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    peak: { type: 'string' },
    sizes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    backend: { type: 'string', default: 'vulkan' },
  },
});

const packed = existsSync(join(here, 'dawn.node'));
const gpu = packed
  ? createRequire(import.meta.url)(join(here, 'dawn.node')).create(flags())
  : (await import('webgpu')).create(flags());
const gpt2 = readFileSync(
  packed ? join(here, 'programs/gpt2.nn') : join(here, '../../examples/design/gpt2.nn'),
  'utf8',
);

function flags() {
  return [`backend=${options.backend}`, 'disable-dawn-features=timestamp_quantization'];
}

const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (adapter === null) {
  console.log('no adapter: no GPU, or no driver that WebGPU accepts');
  process.exit(1);
}
const { limits, info } = adapter;
console.log(`adapter: ${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
console.log(`features: ${[...adapter.features].sort().join(', ')}`);
const shown = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage'];
shown.push('maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup');
console.log(`limits: ${shown.map((name) => `${name} ${limits[name]}`).join(', ')}`);
const whole = (bytes) => Math.floor(bytes / 256) * 256;
const own = {
  buffer: whole(limits.maxBufferSize),
  binding: whole(limits.maxStorageBufferBindingSize),
  bindings: limits.maxStorageBuffersPerShaderStage,
};

async function load(text, only, settings) {
  const { reports, artifacts } = compile(text, { only, targets: ['wgsl'], gpu: own, ...settings });
  const errors = reports.filter((r) => r.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((r) => `${r.code}: ${r.message}`).join('\n'));
  const artifact = artifacts.get(only);
  const of = async (code) => {
    const file = join(mkdtempSync(join(tmpdir(), 'nnc-gpu-')), 'module.mjs');
    writeFileSync(file, code);
    return (await import(pathToFileURL(file).href))[only];
  };
  return {
    plan: artifact.plan,
    gpu: await of(artifact.modules.get('wgsl').javascript),
    cpu: () => of(artifact.javascript),
  };
}

/** Calls in a row until there is a second of them, then the time of one; three times, the median. */
async function timed(call, finish) {
  await call();
  await finish();
  const samples = [];
  let count = 1;
  for (let round = 0; round < 4; round++) {
    const begun = performance.now();
    for (let i = 0; i < count; i++) await call();
    await finish();
    const each = (performance.now() - begun) / count;
    count = Math.max(1, Math.min(2000, Math.round((options.quick ? 50 : 700) / each)));
    if (round > 0) samples.push(each);
  }
  return samples.sort((a, b) => a - b)[1];
}

async function attempt(what, work) {
  try {
    await work();
  } catch (error) {
    console.log(`${what}: ${error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : error}`);
  }
}

const numbers = (count, seed) => {
  let state = seed;
  return Float32Array.from({ length: count }, () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5);
};

// ------------------------------------------------------------------------------------------------------------------------------- self-check

await attempt('self-check', async () => {
  const text = `model Net(x: float[B, 96]) -> float[B, 40] { return x |> Linear(200) |> LayerNorm |> gelu |> Linear(40) |> softmax }
train Fit { input x: float[B, 96]
  minimize mean(Net(x) ^ 2)
  optimizer Adam(lr: 1e-3) }`;
  const { gpu: There, cpu } = await load(text, 'Fit', { bounds: { B: 130 } });
  const [there, here] = [await There.create({ gpu, seed: 1 }), (await cpu()).create({ seed: 1 })];
  const x = numbers(130 * 96, 7);
  let worst = 0;
  for (let k = 0; k < 5; k++) {
    const [a, b] = [(await there.step({ x })).loss, here.step({ x }).loss];
    worst = Math.max(worst, Math.abs(a - b) / Math.abs(b));
  }
  there.close();
  console.log(
    `self-check: five training steps, loss within ${worst.toExponential(1)} of the CPU's${worst < 1e-4 ? '' : ': WRONG'}`,
  );
  if (!(worst < 1e-4)) process.exitCode = 1;
});

// --------------------------------------------------------------------------------------------------------------------------------- products

const sizes = (options.sizes ?? (options.quick ? '64,100' : '1024,2048,4096,8192')).split(',').map(Number);
const FLYING = options.quick ? 2 : 8;
const forms = {
  'A B': 'let c[i, j] = sum[k] a[i, k] * b[k, j]',
  'A B^T': 'let c[i, j] = sum[k] a[i, k] * b[j, k]',
  'A^T B': 'let c[i, j] = sum[k] a[k, i] * b[k, j]',
};
for (const n of sizes) {
  for (const [form, equation] of Object.entries(forms)) {
    await attempt(`${form} ${n}`, async () => {
      // Both operands stay on the GPU, and one number comes back; several calls are under way at once.
      const model = `model Net(x: float[B]) -> float[B] {
  param a: float[${n}, ${n}] = normal()
  param b: float[${n}, ${n}] = normal()
  ${equation}
  let all = sum[i, j] c[i, j] * c[i, j]
  return x * all
}`;
      const { gpu: Net } = await load(model, 'Net', { bounds: { B: 1 }, fuse: false });
      const net = await Net.create({ gpu, seed: 1 });
      const x = Float32Array.of(1);
      const several = () => Promise.all(Array.from({ length: FLYING }, () => net.forward({ x })));
      const each = (await timed(several, () => net.finished())) / FLYING;
      net.close();
      const rate = (2 * n ** 3) / each / 1e9;
      const share =
        options.peak === undefined ? '' : `, ${((100 * rate) / Number(options.peak)).toFixed(1)} % of the peak`;
      console.log(`${form} ${n}: ${each.toFixed(3)} ms, ${rate.toFixed(2)} TFLOP/s${share}`);
    });
  }
}

// -------------------------------------------------------------------------------------------------------------------------------------- GPT

const shapes = options.quick
  ? [{ vocab: 61, width: 32, heads: 2, layers: 1, context: 16, batch: 2 }]
  : [
      { vocab: 8192, width: 384, heads: 6, layers: 6, context: 256, batch: 8 },
      { vocab: 50257, width: 768, heads: 12, layers: 12, context: 1024, batch: 8 },
    ];
for (const { batch, ...consts } of shapes) {
  const name = `GPT ${consts.layers} x ${consts.width}, ${batch} x ${consts.context}`;
  await attempt(name, async () => {
    const text = `${gpt2}
train Fit {
  input token: i32[B, T + 1] < vocab
  let seen[b, t: T] = token[b, t]
  let next[b, t: T] = token[b, t + 1]
  minimize cross_entropy(GPT2(seen), next)
  optimizer Adam(lr: 1e-4)
}`;
    const T = consts.context;
    const begun = performance.now();
    const { gpu: Fit, plan } = await load(text, 'Fit', { consts, bounds: { B: batch, T } });
    const compiled = performance.now();
    const net = await Fit.create({ gpu, seed: 1 });
    const created = performance.now();
    const token = Int32Array.from({ length: batch * (T + 1) }, (_, k) => (k * 7919) % consts.vocab);
    const each = await timed(
      () => net.enqueue({ token }, { B: batch, T }),
      () => net.finished(),
    );
    const { loss } = await net.step({ token }, { B: batch, T });
    net.close();
    const calls = (steps) => steps.reduce((k, s) => k + (s.kind === 'loop' ? calls(s.body) : 1), 0);
    console.log(
      `${name}: ${each.toFixed(1)} ms a step, ${Math.round((batch * T * 1000) / each).toLocaleString('en')} tokens/s; ${calls(plan.programs.step.steps)} kernels a step; ` +
        `compiled in ${((compiled - begun) / 1000).toFixed(1)} s, on the GPU in ${((created - compiled) / 1000).toFixed(1)} s; loss ${loss.toFixed(4)}`,
    );
  });
}
process.exit(process.exitCode ?? 0);
