/** A whole training step: right at small sizes, and fused quickly at twelve layers into kernels that the layers share. */
import { expect, test } from 'vitest';
import { fuse } from '../../compiler/fuse/program.ts';
import { kernelsOf } from '../../compiler/kernel/print.ts';
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
  expect(callsOf(p).length).toBeLessThan(62);
});

test('twelve layers', () => {
  const b = newBuilder('step');
  const graph = b.finish(m.gptStep(b, { layers: 12, heads: 12, width: 768, vocabulary: 50257 }));
  const begin = process.cpuUsage();
  const p = fuse(graph, { origins: b.origins });
  const took = process.cpuUsage(begin).user / 1000;
  expect(verifyProgram(p)).toEqual([]);
  // Milliseconds of one core, cold; a quadratic pass would take minutes.
  expect(took).toBeLessThan(3000);
  expect(kernelsOf(p).length).toBeLessThan(80);
});
