/** From a `.nn` file to its plan, kernels and emitted modules, for the timing scripts. Needs `npm run build` (or NNC_DIST, a folder of it). */
import { readFileSync } from 'node:fs';

const dist = process.env.NNC_DIST ?? new URL('../../dist/', import.meta.url).href;
const from = (path) => import(`${dist.endsWith('/') ? dist : `${dist}/`}compiler/${path}`);

export const [{ loadProgram }, { elaborate }, { KernelCache }, { fuse }, { simplify }, { plan }, { library }] =
  await Promise.all(
    [
      'check/program.js',
      'elaborate/elaborate.js',
      'fuse/cache.js',
      'fuse/program.js',
      'simplify/simplify.js',
      'plan/plan.js',
      'library.generated.js',
    ].map(from),
  );
export const [
  { emitWasm, prepareAll },
  { emitTypeScript },
  tile,
  encoder,
  { WasmModule, FIRST },
  { prepare },
  { workspaceBytes },
  { wasmSchedule, printWasmSchedule },
] = await Promise.all(
  [
    'targets/wasm/emit.js',
    'targets/ts/emit.js',
    'targets/wasm/tile.js',
    'targets/wasm/encoder.js',
    'targets/wasm/module.js',
    'targets/wasm/prepare.js',
    'targets/wasm/product.js',
    'schedule/wasm.js',
  ].map(from),
);
export const { compile: compileText } = await from('index.js');
export const sizes = await from('sizes/poly.js');
export const { evaluateSize } = await from('plan/sizes.js');

/** The four training steps of docs/performance.md, with their sizes. */
export const programs = {
  mlp: { B: 64 },
  cnn: { B: 32 },
  lstm: { B: 32, T: 32 },
  gpt: { B: 16, T: 64 },
};

export function compile(name) {
  const path = new URL(`programs/${name}.nn`, import.meta.url);
  const { program, problems } = loadProgram(`${name}.nn`, readFileSync(path, 'utf8'), { read: () => null }, library);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const { units, origins } = elaborate(program, { only: 'Fit' });
  const cache = new KernelCache();
  const kernelPrograms = new Map(
    [...units[0].programs].map(([n, g]) => [n, fuse(simplify(g, origins), { origins, cache })]),
  );
  const planned = plan(units[0], kernelPrograms, new Map(Object.entries(programs[name])));
  if (!planned.ok) throw new Error(JSON.stringify(planned.problems));
  return { unit: units[0], ...planned };
}

export const load = (code) => import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);

/** One batch, drawn. */
export function inputs(plan, bounds) {
  let state = 1;
  const draw = () => (state = (state * 48271) % 2147483647) / 2147483647;
  return Object.fromEntries(
    plan.inputs.map((input) => {
      const length = input.shape.reduce((n, e) => n * (typeof e === 'number' ? e : bounds[e]), 1);
      const data =
        input.dtype === 'i32'
          ? Int32Array.from({ length }, () => Math.floor(draw() * input.below))
          : Float32Array.from({ length }, () => draw() * 2 - 1);
      return [input.name, data];
    }),
  );
}

const processorTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Least and median time of each run in ms, interleaved: a spell of noise meets all of them. Time of the processor, so that what else runs on the
 * machine counts only by the caches it takes; of several threads only the clock on the wall (`clock: () => performance.now()`) tells.
 */
export function interleaved(runs, { warmup = 400, seconds = 3, clock = processorTime } = {}) {
  for (const run of runs) for (const end = performance.now() + warmup; performance.now() < end;) run();
  const times = runs.map(() => []);
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    for (const [k, run] of runs.entries()) {
      const start = clock();
      run();
      times[k].push(clock() - start);
    }
  }
  return times.map((list) => {
    list.sort((a, b) => a - b);
    return { least: list[0], median: list[list.length >> 1], rounds: list.length };
  });
}

/** Rows of a script: text for people, with `--json` one line of JSON for all.mjs. */
export function tell(rows, text) {
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
  else for (const row of rows) console.log(text(row));
}

/** What stands on the command line, but for `--json`. */
export const given = () => process.argv.slice(2).filter((a) => a !== '--json');
