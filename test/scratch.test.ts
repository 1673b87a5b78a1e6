import { readFileSync, readdirSync } from 'node:fs';
import { it } from 'vitest';
import { loadProgram } from '../compiler/check/program.ts';
import { elaborate } from '../compiler/elaborate/elaborate.ts';

const library = Object.fromEntries(readdirSync('library').map((f) => [f, readFileSync(`library/${f}`, 'utf8')]));
for (const f of readdirSync('../shared/design/programs')) {
  it(f, () => {
    const text = readFileSync(`../shared/design/programs/${f}`, 'utf8');
    const { program, problems } = loadProgram(f, text, { read: () => null }, library);
    const out = problems.map((p) => `${p.code} ${p.span ? program.sources.place(p.span) : ''} ${JSON.stringify(p.data)}`);
    if (problems.length === 0) {
      const t0 = performance.now();
      const e = elaborate(program);
      const t1 = performance.now();
      for (const p of e.problems) out.push(`${p.code} ${p.span ? program.sources.place(p.span) : ''} ${JSON.stringify(p.data)}`);
      for (const u of e.units) for (const [n, g] of u.programs) out.push(`${u.name}.${n}: ${g.nodes.length} nodes, outputs ${g.outputs.slice(0, 6).map((o) => o.name).join(' ')} ${(t1 - t0).toFixed(0)} ms`);
    }
    console.log(f, '\n  ' + out.join('\n  '));
  });
}
