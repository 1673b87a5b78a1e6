import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { gunzipSync } from 'node:zlib';
import { loadProgram } from '../compiler/check/program.ts';
import { elaborate } from '../compiler/elaborate/elaborate.ts';
import { KernelCache } from '../compiler/fuse/cache.ts';
import { fuse } from '../compiler/fuse/program.ts';
import { plan as planMemory } from '../compiler/plan/plan.ts';
import { emitTypeScript } from '../compiler/targets/ts/emit.ts';
import { printProgram } from '../compiler/kernel/print.ts';
import { libraryTexts } from './support/program.ts';

it('digits', async () => {
  const text = readFileSync('examples/digits.nn', 'utf8');
  const { program } = loadProgram('digits.nn', text, { read: () => null }, libraryTexts);
  const e = elaborate(program, { only: 'Fit' });
  const unit = e.units[0]!;
  const cache = new KernelCache();
  const programs = new Map([...unit.programs].map(([n, g]) => [n, fuse(g, { origins: e.origins, cache })]));
  writeFileSync('/tmp/nnc/digits.kernels', [...programs.values()].map((p) => printProgram(p)).join('\n'));
  const p = planMemory(unit, programs, new Map([['B', 64]]));
  if (!p.ok) throw new Error(JSON.stringify(p.problems));
  const js = emitTypeScript(unit, p.plan, p.kernels, p.schedules, { types: false, origins: e.origins, sources: program.sources });
  writeFileSync('/tmp/nnc/digits.mjs', js.code);
  const m = await import('/tmp/nnc/digits.mjs');
  const rows = gunzipSync(readFileSync('examples/data/digits-train.csv.gz')).toString().trim().split('\n').slice(1).map((l) => l.split(',').map(Number));
  const net = m.Fit.create({ seed: 1 });
  for (let epoch = 0; epoch < 20; epoch++) {
    let loss = 0, acc = 0, n = 0;
    const t0 = performance.now();
    for (let at = 0; at + 64 <= rows.length; at += 64) {
      const image = new Float32Array(64 * 64), label = new Int32Array(64);
      for (let k = 0; k < 64; k++) { const r = rows[(at + k)]!; for (let j = 0; j < 64; j++) image[k * 64 + j] = r[j]!; label[k] = r[64]!; }
      const o = net.step({ image, label });
      loss += o.loss; acc += o.accuracy; n++;
    }
    console.log(epoch, loss / n, acc / n, (performance.now() - t0).toFixed(0), 'ms');
  }
});
