import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';
import { cases } from './cases.ts';
it('x', () => {
  for (const [i, c] of cases.entries()) {
    const text = `${readFileSync(c.file, 'utf8')}\n${c.more ?? ''}`;
    const result = compile(text, { path: c.file, only: c.unit, bounds: c.sizes, ...(c.consts ? { consts: c.consts } : {}) });
    const a = result.artifacts.get(c.unit)!;
    writeFileSync(`/tmp/nnc/w/m${i}.mjs`, emitWgsl(a.unit, a.plan, a.kernels, a.schedules, { types: false, origins: a.origins, sources: result.sources }).code);
    writeFileSync(`/tmp/nnc/w/m${i}.ts`, emitWgsl(a.unit, a.plan, a.kernels, a.schedules, { types: true, origins: a.origins, sources: result.sources }).code);
  }
});
