import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { loadProgram } from '../compiler/check/program.ts';
import { elaborate } from '../compiler/elaborate/elaborate.ts';
import { fuse } from '../compiler/fuse/program.ts';
import { simplify } from '../compiler/simplify/simplify.ts';
import { printProgram } from '../compiler/kernel/print.ts';
import { libraryTexts } from './support/program.ts';
it('x', () => {
  const { program } = loadProgram('g.nn', readFileSync('examples/design/graph.nn', 'utf8'), { read: () => null }, libraryTexts);
  const e = elaborate(program, { only: 'Nodes' });
  const g = simplify(e.units[0]!.programs.get('step')!, e.origins);
  const t = printProgram(fuse(g, { origins: e.origins }));
  const at = t.indexOf('graph_layer_gradient_3');
  console.log(t.slice(0, 0) + t.slice(at - 200, at + 3000));
});
