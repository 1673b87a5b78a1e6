/**
 * Where a training step's time goes: least time of every kernel over many steps, with its schedule. `node bench/wasm/profile.mjs lstm [rows]`
 * Kernels that threads share are also run in two parts, one after the other: the longer part is what two threads would take, less their
 * meetings. Unlike a clock over two threads, that can be had on a busy machine.
 */
import {
  compile,
  evaluateSize,
  FIRST,
  prepare,
  printWasmSchedule,
  programs,
  sizes as polys,
  tile,
  wasmSchedule,
  WasmModule,
} from './build.mjs';

const [name = 'mlp', shown = '16'] = process.argv.slice(2);
const { plan, kernels: given } = compile(name);
const kernels = given.map(prepare);
const bounds = programs[name];
const schedules = kernels.map((k) => wasmSchedule(k, (s) => bounds[s] ?? 64));
const work = FIRST + plan.arenas.persistent + 1024;
const workspace = work + plan.arenas.work + 1024;
const sizes = new Map(Object.entries(programs[name]));
const sizesOf = (step) =>
  new Map(kernels[step.kernel].sizes.map((s, k) => [s, evaluateSize(step.sizes[k], (x) => sizes.get(x) ?? 1)]));
const pages = Math.ceil((workspace + 16e6) / 65536);
const module = new WasmModule({ pages, shared: false });
for (const [k, kernel] of kernels.entries()) module.kernel({ ...kernel, name: `k${k}` }, true, schedules[k]);
const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
new Float32Array(memory.buffer).fill(0.01);
const address = (b) => (plan.buffers[b].arena === 'persistent' ? FIRST : work) + plan.buffers[b].offset;
for (const [k, b] of plan.buffers.entries())
  if (b.dtype === 'i32') new Int32Array(memory.buffer, address(k), b.bytes / 4).fill(1);
const tiles = new WebAssembly.Instance(new WebAssembly.Module(tile.tileModule(false)), { e: { m: memory } });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {
  e: { m: memory, ...tiles.exports },
});

const best = new Map();
let calls = new Map();
let flops = new Map();
let now = new Map();
let halves = [];
const bestHalves = [new Map(), new Map()];
function go(steps) {
  for (const step of steps) {
    if (step.kind === 'loop') {
      const count = evaluateSize(step.count, (x) => sizes.get(x));
      for (let i = 0; i < count; i++) {
        sizes.set(step.variable, step.reversed ? count - 1 - i : i);
        go(step.body);
      }
    } else if (step.kind === 'call') {
      const own = sizesOf(step);
      const run = (into, thread, threads) => {
        const start = performance.now();
        exports[`k${step.kernel}`](workspace, thread, threads, ...own.values(), ...step.buffers.map(address));
        into.set(step.kernel, (into.get(step.kernel) ?? 0) + performance.now() - start);
      };
      run(now, 0, 1);
      if (schedules[step.kernel].share !== null) for (const k of [0, 1]) run(halves[k], k, 2);
      calls.set(step.kernel, (calls.get(step.kernel) ?? 0) + 1);
      for (const leaf of schedules[step.kernel].leaves) {
        if (leaf.kind !== 'product') continue;
        const axes = [...leaf.batch, ...leaf.rows.axes, ...leaf.columns.axes, ...leaf.over];
        const work = axes.reduce((n, a) => n * polys.evaluate(kernels[step.kernel].axes.get(a), (x) => own.get(x)), 2);
        flops.set(step.kernel, (flops.get(step.kernel) ?? 0) + work);
      }
    }
  }
}
for (let round = 0, end = performance.now() + 5000; round < 4 || performance.now() < end; round++) {
  [now, calls, flops, halves] = [new Map(), new Map(), new Map(), [new Map(), new Map()]];
  go(plan.programs.step.steps);
  const least = (into, from) => {
    for (const [k, t] of from) into.set(k, Math.min(into.get(k) ?? Infinity, t));
  };
  if (round > 1) [best, ...bestHalves].forEach((into, k) => least(into, [now, ...halves][k]));
}
const total = [...best.values()].reduce((a, b) => a + b, 0);
const two = [...best].reduce(
  (sum, [k, t]) => sum + (bestHalves[0].has(k) ? Math.max(...bestHalves.map((h) => h.get(k))) : t),
  0,
);
console.log(
  `${name}: ${total.toFixed(2)} ms in kernels; by two threads ${two.toFixed(2)} ms, ${(total / two).toFixed(2)} times as fast, less their meetings`,
);
for (const [k, t] of [...best].sort((a, b) => b[1] - a[1]).slice(0, Number(shown))) {
  const rate = flops.has(k) ? `${(flops.get(k) / t / 1e6).toFixed(1)} GFLOP/s` : '';
  console.log(
    `${t.toFixed(3).padStart(9)} ms ${String(calls.get(k)).padStart(4)} x ${kernels[k].name} ${rate}\n            ${printWasmSchedule(schedules[k]).replaceAll('\n', '; ')}`,
  );
}
