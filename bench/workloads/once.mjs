/**
 * What is paid once: the weight of a module on the page, the time to a first result in a fresh process over an empty one, and compiling. Times
 * are of child processes that take turns.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as nnc from '../peers/nnc.mjs';
import { quantile, summary } from '../lib/measure.mjs';

const text = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const digits = { path: 'digits.nn', unit: 'Digits', bounds: { B: 64 } };
const gpt = { path: 'gpt.nn', unit: 'Fit', bounds: { B: 16, T: 64 } };
const programs = [
  ['digits, inference', text('../../examples/digits.nn'), digits],
  ['digits, training', text('../../examples/digits.nn'), { ...digits, unit: 'Fit' }],
  ['GPT, inference', text('../wasm/programs/gpt.nn'), { ...gpt, unit: 'GPT' }],
  ['GPT, training', text('../wasm/programs/gpt.nn'), gpt],
];

/** Bytes over the wire, gzip, of modules as `nnc build` writes them. */
export function weight() {
  const rows = programs.flatMap(([name, source, options]) =>
    ['wasm', 'ts'].map((target) => ({
      name: `nnc ${target}, ${name}`,
      bytes: nnc.gzipped(nnc.moduleText(nnc.artifact(source, { ...options, target, packed: true }), target)),
    })),
  );
  const peer = (name, paths) => {
    try {
      const bytes = paths.map((p) => nnc.gzipped(readFileSync(new URL(`../node_modules/${p}`, import.meta.url))));
      rows.push({ name, bytes: bytes.reduce((x, y) => x + y, 0) });
    } catch {
      rows.push({ name, bytes: null });
    }
  };
  const jax = new URL('../node_modules/@jax-js/jax/dist/', import.meta.url);
  let parts = [];
  try {
    parts = readdirSync(jax).filter((f) => f === 'index.js' || /^(backend|rolldown).*\.js$/.test(f));
  } catch {
    // Not installed: the row says so.
  }
  peer('jax-js', parts.length > 0 ? parts.map((f) => `@jax-js/jax/dist/${f}`) : ['none']);
  peer('tfjs wasm', [
    '@tensorflow/tfjs-core/dist/tf-core.min.js',
    '@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js',
    '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
  ]);
  peer('ort-web', ['onnxruntime-web/dist/ort.wasm.min.mjs', 'onnxruntime-web/dist/ort-wasm-simd-threaded.wasm']);
  return rows;
}

const starts = (folder) => {
  for (const target of ['wasm', 'ts'])
    for (const unit of ['Digits', 'Fit'])
      writeFileSync(
        join(folder, `${unit}-${target}.mjs`),
        nnc.moduleText(nnc.artifact(programs[0][1], { ...digits, unit, target, packed: true }), target),
      );
  const own = (target) => `
    const { Digits } = await import('./Digits-${target}.mjs');
    Digits.create({ seed: 1 }).forward({ image: new Float32Array(64) });`;
  const training = (target) => `
    const { Fit } = await import('./Fit-${target}.mjs');
    Fit.create({ seed: 1 }).step({ image: new Float32Array(64 * 64), label: new Int32Array(64) });`;
  const from = (path) => new URL(`../node_modules/${path}`, import.meta.url).href;
  return {
    'empty Node': '',
    'nnc wasm': own('wasm'),
    'nnc ts': own('ts'),
    'nnc wasm, a step of training': training('wasm'),
    'nnc ts, a step of training': training('ts'),
    'jax-js': `
      globalThis.navigator ??= { userAgent: 'node' };
      const { numpy: np, init, defaultDevice } = await import('${from('@jax-js/jax/dist/index.js')}');
      await init('wasm'); defaultDevice('wasm');
      await np.matmul(np.ones([8, 8]), np.ones([8, 8])).data();`,
    'tfjs cpu': `
      const tf = (await import('${from('@tensorflow/tfjs/dist/tf.node.js')}')).default;
      await tf.setBackend('cpu');
      tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).dataSync();`,
    'ort-web': `
      import { OnnxModel } from '${new URL('../lib/onnx.mjs', import.meta.url).href}';
      const ort = await import('${from('onnxruntime-web/dist/ort.node.min.mjs')}');
      ort.env.wasm.numThreads = 1;
      const g = new OnnxModel(); g.input('a', [8, 8]);
      const y = g.op('MatMul', ['a', g.constant('b', [8, 8], new Float32Array(64))]); g.output(y, [8, 8]);
      const s = await ort.InferenceSession.create(g.encode(), { executionProviders: ['wasm'] });
      await s.run({ a: new ort.Tensor('float32', new Float32Array(64), [8, 8]) });
      process.exit(0);`,
  };
};

/** Milliseconds to a first result over those of an empty Node, by contender. */
export function start(rounds = 9) {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-start-'));
  try {
    const scripts = Object.entries(starts(folder)).map(([name, code]) => {
      const file = join(folder, `${name.replaceAll(' ', '-')}.mjs`);
      writeFileSync(file, code);
      return { name, file, samples: [], why: null };
    });
    for (let round = 0; round < rounds; round++)
      for (const s of round % 2 === 0 ? scripts : [...scripts].reverse()) {
        if (s.why !== null) continue;
        const from = performance.now();
        try {
          execFileSync(process.execPath, [s.file], { stdio: ['ignore', 'ignore', 'pipe'] });
          s.samples.push(performance.now() - from);
        } catch (error) {
          s.why = String(error.message).split('\n')[0];
        }
      }
    const empty = quantile(
      [...scripts[0].samples].sort((x, y) => x - y),
      0.5,
    );
    return scripts.map(
      ({ name, samples, why }) =>
      why === null ? { name, milliseconds: summary(samples), over: Number((quantile([...samples].sort((x, y) => x - y), 0.5) - empty).toFixed(1)) } : { name, why }, // prettier-ignore
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const gpt2 = `${text('../../examples/design/gpt2.nn')}
train Fit {
  input token: i32[B, T] < vocab
  input next: i32[B, T] < vocab
  minimize cross_entropy(GPT2(token), next)
  optimizer Adam(lr: 1e-4)
  batch B = 1
}
`;

/** Milliseconds of compiling a program in a fresh process: the training step of GPT-2 (12 layers). */
export function compiling(rounds = 5) {
  const folder = mkdtempSync(join(tmpdir(), 'nnc-compile-'));
  try {
    writeFileSync(join(folder, 'gpt2.nn'), gpt2);
    const file = join(folder, 'compile.mjs');
    writeFileSync(
      file,
      `import { readFileSync } from 'node:fs';
       const begin = performance.now();
       const { compile } = await import('${new URL('../../dist/compiler/index.js', import.meta.url).href}');
       const loaded = performance.now();
       const result = compile(readFileSync('${join(folder, 'gpt2.nn')}', 'utf8'), { path: 'gpt2.nn', only: 'Fit', bounds: { B: 1, T: 256 }, targets: [process.argv[2]] });
       if (!result.ok) throw new Error(JSON.stringify(result.reports));
       console.log(JSON.stringify([performance.now() - loaded, loaded - begin]));`,
    );
    return ['ts', 'wasm'].map((target) => {
      const samples = Array.from({ length: rounds }, () => JSON.parse(execFileSync(process.execPath, [file, target])));
      return { name: `nnc ${target}`, milliseconds: summary(samples.map((s) => s[0])), loading: summary(samples.map((s) => s[1])) }; // prettier-ignore
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
