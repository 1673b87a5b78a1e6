/** Training steps: this target against the TypeScript target, interleaved; sizes of what is emitted. `node bench/wasm/steps.mjs [mlp cnn lstm gpt]` */
import { gzipSync } from 'node:zlib';
import { compile, emitTypeScript, emitWasm, inputs, interleaved, load, programs } from './build.mjs';

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(programs);
for (const name of names) {
  const { unit, plan, kernels, schedules } = compile(name);
  const start = performance.now();
  const wasm = emitWasm(unit, plan, kernels);
  const emitted = performance.now() - start;
  const ts = emitTypeScript(unit, plan, kernels, schedules, { types: false });
  const [a, b] = (await Promise.all([load(wasm.code), load(ts.code)])).map((m) => m.Fit.create({ seed: 1 }));
  const batch = inputs(plan, programs[name]);
  const losses = [a, b].map((m) => m.step(batch, programs[name]).loss);
  const [own] = interleaved([() => a.step(batch, programs[name])]);
  const [other] = interleaved([() => b.step(batch, programs[name])], { warmup: 0, seconds: 1 });
  console.log(
    `${name}: wasm ${own.least.toFixed(2)} ms at best, median ${own.median.toFixed(2)}; ts ${other.least.toFixed(1)}; ` +
      `losses ${losses.join(' ')}; wasm ${wasm.bytes.length} bytes (gzip ${gzipSync(wasm.bytes).length}), module gzip ${gzipSync(wasm.code).length}; emitted in ${emitted.toFixed(0)} ms`,
  );
}
