import { test } from 'vitest';
import { fuse } from '../../compiler/fuse/program.ts';
import { newBuilder } from '../ops/harness.ts';
import * as m from './models.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
test('profile', async () => {
  const b = newBuilder('step');
  const graph = b.finish(m.gptStep(b, { layers: 1, heads: 2, width: 4, vocabulary: 5 }));
  (globalThis as {DBG?:boolean}).DBG = true;
  const p = fuse(graph, { origins: b.origins });
  (globalThis as {DBG?:boolean}).DBG = false;
  console.log([printProgram(p), ...kernelsOf(p).map(printKernel)].join('\n\n'));
});
