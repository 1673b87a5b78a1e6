/** Where a training step's time goes: least time of every kernel over many steps, with its schedule. `node bench/wasm/profile.mjs lstm [rows]` */
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
const schedules = kernels.map((k) => wasmSchedule(k));
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
      const start = performance.now();
      exports[`k${step.kernel}`](...step.buffers.map(address), ...own.values(), workspace, 0, 1);
      now.set(step.kernel, (now.get(step.kernel) ?? 0) + performance.now() - start);
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
  [now, calls, flops] = [new Map(), new Map(), new Map()];
  go(plan.programs.step.steps);
  if (round > 1) for (const [k, t] of now) best.set(k, Math.min(best.get(k) ?? Infinity, t));
}
const total = [...best.values()].reduce((a, b) => a + b, 0);
console.log(`${name}: ${total.toFixed(2)} ms in kernels`);
for (const [k, t] of [...best].sort((a, b) => b[1] - a[1]).slice(0, Number(shown))) {
  const rate = flops.has(k) ? `${(flops.get(k) / t / 1e6).toFixed(1)} GFLOP/s` : '';
  console.log(
    `${t.toFixed(3).padStart(9)} ms ${String(calls.get(k)).padStart(4)} x ${kernels[k].name} ${rate}\n            ${printWasmSchedule(schedules[k]).replaceAll('\n', '; ')}`,
  );
}
