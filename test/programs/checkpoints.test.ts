/** Checkpoint maps: someone else's names and layouts, for loading and for saving. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { exportWeights, importWeights } from '../../runtime/exchange.ts';
import type { Plan } from '../../runtime/plan.ts';
import { instantiate } from '../support/emitted.ts';

const build = (text: string, only: string, consts: Record<string, number> = {}) => {
  const { artifacts, reports } = compile(text, { path: 'test.nn', only, consts, bounds: { B: 2, T: 4 } });
  expect(reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return artifacts.get(only)!;
};

describe('gpt2', () => {
  const artifact = build(readFileSync('examples/design/gpt2.nn', 'utf8'), 'GPT2', {
    ...{ vocab: 13, width: 8, heads: 2, layers: 2, context: 4 },
  });
  it('every weight that Conv1D keeps [in, out] is transposed, and goes there and back bit for bit', async () => {
    const net = await instantiate(artifact, 4);
    const ours = net.weights() as Parameters<typeof exportWeights>[2];
    const theirs = exportWeights(artifact.plan, 'huggingface', ours);
    expect([...theirs.keys()]).toEqual([...ours.keys()]);
    const [a, b] = [ours.get('h.1.mlp.c_fc.weight')!, theirs.get('h.1.mlp.c_fc.weight')!];
    expect(a.shape).toEqual([32, 8]);
    expect(b.shape).toEqual([8, 32]);
    for (let o = 0; o < 32; o++) for (let d = 0; d < 8; d++) expect(b.data[d * 32 + o]).toBe(a.data[o * 8 + d]);
    expect(theirs.get('wte.weight')).toEqual(ours.get('wte.weight'));
    theirs.set('h.0.attn.masked_bias', { dtype: 'f32', shape: [], data: Float32Array.of(-1e4) });
    const { weights, unused } = importWeights(artifact.plan, 'huggingface', theirs);
    expect(unused).toEqual(['h.0.attn.masked_bias']);
    for (const [path, tensor] of ours) expect(weights.get(path), path).toEqual(tensor);
    const other = await instantiate(artifact, 5);
    other.load(weights);
    const token = Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const sizes = { B: 2, T: 4 };
    expect([...Object.values(other.forward({ token }, sizes))[0]!.data]).toEqual([
      ...Object.values(net.forward({ token }, sizes))[0]!.data,
    ]);
  });
  it('the emitted module carries the map', async () => {
    const { GPT2 } = (await import(
      `data:text/javascript;base64,${Buffer.from(artifact.javascript).toString('base64')}`
    )) as { GPT2: { plan: Plan } };
    expect(GPT2.plan.checkpoints).toEqual(artifact.plan.checkpoints);
  });
  it('says which tensor has another shape, and which map there is', () => {
    const wrong = new Map([['wte.weight', { dtype: 'f32' as const, shape: [1], data: new Float32Array(1) }]]);
    expect(importWeights(artifact.plan, 'huggingface', wrong).weights.size).toBe(1);
    const misshapen = new Map([
      ['h.0.mlp.c_fc.weight', { dtype: 'f32' as const, shape: [32, 8], data: new Float32Array(256) }],
    ]);
    expect(() => importWeights(artifact.plan, 'huggingface', misshapen)).toThrow(/\[32, 8\], not \[8, 32\]/);
    expect(() => importWeights(artifact.plan, 'other', misshapen)).toThrow(/only huggingface/);
  });
});

it('groups, renames and rounds: heads before channels in one file, after them in another', async () => {
  const artifact = build(
    `block Layer(x: float[B, 4]) -> float[B, 6] { return x |> qk: Linear(6) }
model M(x: float[B, 4]) -> float[B, 6] {
  let y = x
  let z = y |> first: Layer
  h: repeat 2 { z = z + (y |> l: Layer) }
  return z
}
checkpoint other for M {
  h.*.l.qk.weight[(n h: 3), d] = "layers.*.w"[d, (h n)]
  h.*.l.qk.bias = "layers.*.b"
  first.qk.bias[(a: 2 b)] = "start"[b, a]
}`,
    'M',
  );
  const net = await instantiate(artifact, 1);
  const ours = net.weights() as Parameters<typeof exportWeights>[2];
  const theirs = exportWeights(artifact.plan, 'other', ours);
  expect([...theirs.keys()].sort()).toEqual(
    ['first.qk.weight', 'layers.0.b', 'layers.0.w', 'layers.1.b', 'layers.1.w', 'start'].sort(),
  );
  const [a, b] = [ours.get('h.1.l.qk.weight')!, theirs.get('layers.1.w')!];
  expect(b.shape).toEqual([4, 6]);
  for (let n = 0; n < 2; n++)
    for (let h = 0; h < 3; h++)
      for (let d = 0; d < 4; d++) expect(b.data[d * 6 + h * 2 + n]).toBe(a.data[(n * 3 + h) * 4 + d]);
  expect(theirs.get('start')!.shape).toEqual([3, 2]);
  const { weights, unused } = importWeights(artifact.plan, 'other', theirs);
  expect(unused).toEqual([]);
  for (const [path, tensor] of ours) expect(weights.get(path), path).toEqual(tensor);
});
