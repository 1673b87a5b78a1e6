/** A whole training step: right at small sizes, and fused quickly at twelve layers into kernels that the layers share. */
import { expect, test } from 'vitest';
import { fuse } from '../../compiler/fuse/program.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
import { verifyProgram } from '../../compiler/kernel/verify.ts';
import { newBuilder } from '../ops/harness.ts';
import { drawn } from './drawn.ts';
import * as m from './models.ts';
import { callsOf, checkGraph } from './support.ts';

test('one small layer, against the evaluator', () => {
  const b = newBuilder('step');
  const graph = b.finish(m.gptStep(b, { layers: 1, heads: 2, width: 4, vocabulary: 5 }));
  const sizes = { B: 2, T: 3 };
  const inputs = drawn(b, sizes, (name) => (name.endsWith('/v') ? 0.1 : -1));
  const p = checkGraph(graph, b.origins, inputs, sizes);
  if (process.env['SHOW'] !== undefined) console.log([printProgram(p), ...kernelsOf(p).map(printKernel)].join('\n\n'));
});

test('twelve layers', () => {
  const b = newBuilder('step');
  const graph = b.finish(m.gptStep(b, { layers: 12, heads: 12, width: 768, vocabulary: 50257 }));
  const begin = performance.now();
  const p = fuse(graph, { origins: b.origins });
  const took = performance.now() - begin;
  if (process.env['SHOW'] !== undefined)
    console.log(`${graph.nodes.length} nodes, ${callsOf(p).length} calls, ${kernelsOf(p).length} kernels, ${took} ms`);
  expect(verifyProgram(p)).toEqual([]);
  expect(took).toBeLessThan(5000);
  expect(kernelsOf(p).length).toBeLessThan(80);
});
