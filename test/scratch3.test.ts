import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { loadProgram } from '../compiler/check/program.ts';
import { elaborate } from '../compiler/elaborate/elaborate.ts';
import { KernelCache } from '../compiler/fuse/cache.ts';
import { fuse } from '../compiler/fuse/program.ts';
import { plan as planMemory } from '../compiler/plan/plan.ts';
import { emitTypeScript } from '../compiler/targets/ts/emit.ts';
import { simplify } from '../compiler/simplify/simplify.ts';
import { libraryTexts } from './support/program.ts';

it('gpt2', async () => {
  const text = readFileSync('examples/design/gpt2.nn', 'utf8') + `
train Fit {
  input token: i32[B, T + 1] < vocab
  let seen[b, t: T] = token[b, t]
  let next[b, t: T] = token[b, t + 1]
  minimize cross_entropy(GPT2(seen), next)
  optimizer Adam(lr: 3e-4)
  batch B = 8
}`;
  for (let k = 0; k < 2; k++) {
  const T = [performance.now()];
  const { program, problems } = loadProgram('gpt2.nn', text, { read: () => null }, libraryTexts);
  if (problems.length) throw new Error(JSON.stringify(problems[0]));
  T.push(performance.now());
  const e = elaborate(program, { only: 'Fit' });
  if (e.problems.length) throw new Error(JSON.stringify(e.problems[0]));
  T.push(performance.now());
  const unit = e.units[0]!;
  const graphs = new Map([...unit.programs].map(([n, g]) => [n, simplify(g, e.origins)]));
  T.push(performance.now());
  const cache = new KernelCache();
  const programs = new Map([...graphs].map(([n, g]) => [n, fuse(g, { origins: e.origins, cache })]));
  T.push(performance.now());
  const p = planMemory(unit, programs, new Map([['B', 8], ['T', 1024]]));
  if (!p.ok) throw new Error(JSON.stringify(p.problems));
  T.push(performance.now());
  const js = emitTypeScript(unit, p.plan, p.kernels, p.schedules, { types: false, origins: e.origins, sources: program.sources });
  T.push(performance.now());
  writeFileSync('/tmp/nnc/gpt2.mjs', js.code);
  console.log('nodes', [...unit.programs].map(([n, g]) => `${n} ${g.nodes.length} -> ${graphs.get(n)!.nodes.length}`).join(', '), 'kernels', p.kernels.length, 'steps', p.plan.programs.step!.steps.length, 'code', js.code.length, 'arena', (p.plan.arenas.work / 2 ** 30).toFixed(2), 'GiB');
  console.log('load, elaborate, simplify, fuse, plan, emit', T.slice(1).map((t, k) => (t - T[k]!).toFixed(0)).join(' '));
  }
}, 120000);
