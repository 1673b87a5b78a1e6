/**
 * Training steps on two threads against one, interleaved in runs of some steps, by the clock: a step follows a step, as in training. Needs two cores that
 * nobody else uses. `node bench/wasm/threads.mjs [mlp cnn lstm gpt]`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile, emitWasm, given, inputs, programs, tell } from './build.mjs';

const names = given().length > 0 ? given() : Object.keys(programs);
const STEPS = 8;
const rows = [];
// Threads import the module again: from a file.
const folder = mkdtempSync(join(tmpdir(), 'nnc-threads-'));
for (const name of names) {
  const { unit, plan, kernels } = compile(name);
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, emitWasm(unit, plan, kernels).code);
  const { Fit } = await import(pathToFileURL(path).href);
  const nets = [await Fit.create({ seed: 1, threads: 1 }), await Fit.create({ seed: 1, threads: 2 })];
  const batch = inputs(plan, programs[name]);
  const times = nets.map(() => []);
  for (let turn = 0, end = performance.now() + 6000; turn < 4 || performance.now() < end; turn++)
    for (const [k, net] of nets.entries())
      for (let step = 0; step < STEPS; step++) {
        const start = performance.now();
        net.step(batch, programs[name]);
        if (turn > 1) times[k].push(performance.now() - start);
      }
  const [one, two] = times.map((list) => {
    list.sort((a, b) => a - b);
    return { least: list[0], median: list[list.length >> 1], rounds: list.length };
  });
  rows.push({ name, one, two, times: Number((one.median / two.median).toFixed(3)) });
  for (const net of nets) net.close();
}
rmSync(folder, { recursive: true });
const shown = (t) => `${t.median.toFixed(2)} ms (${t.least.toFixed(2)} at best)`;
tell(rows, (r) => `${r.name}: one thread ${shown(r.one)}, two ${shown(r.two)}: ${r.times.toFixed(2)} times as fast`);
