/** Inner values as further results of `forward`: by path, the numbers that the model computes with, and the results unchanged. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate, type ResultTensor } from '../../cli/artifact.ts';

const source = `block Gate(hidden: int)(x: float[B, D]) -> float[B, D] {
  let open = x |> up: Linear(hidden) |> sigmoid
  return open |> down: Linear(D)
}
model Net(x: float[B, 4]) -> float[B, 2] {
  let scaled = 2 * x
  h: repeat 2 { scaled = scaled + (scaled |> gate: Gate(3)) }
  return scaled |> relu |> out: Linear(2)
}
train Fit {
  input x: float[B, 4]
  let y = Net(x)
  minimize mean(y ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 5
}
`;
const x = Float32Array.from({ length: 20 }, (_, i) => Math.sin(i));
const paths = ['h.0.gate', 'h.1.gate.open', 'out.x', 'out', 'scaled', 'h.1.scaled'];

async function forward(only: string, expose: readonly string[], target: 'ts' | 'wasm' = 'ts') {
  const { artifacts, reports } = compile(source, { only, expose, targets: [target], bounds: { B: 5 } });
  expect(reports).toEqual([]);
  const unit = await instantiate(artifacts.get(only)!, target, 3);
  return unit.forward({ x }) as Readonly<Record<string, ResultTensor>>;
}

describe('expose', () => {
  for (const target of ['ts', 'wasm'] as const) {
    it(`gives values by path: ${target}`, async () => {
      const plain = await forward('Net', [], target);
      const result = await forward('Net', paths, target);
      expect(Object.keys(result)).toEqual(['output', ...paths]);
      // What is exposed is stored, so rounded: in the readable target the result may differ in its last bits.
      result['output']!.data.forEach((v, i) => expect(v).toBeCloseTo(plain['output']!.data[i]!, 5));
      expect([...result['out']!.data]).toEqual([...result['output']!.data]);
      expect(result['h.0.gate']!.shape).toEqual([5, 4]);
      expect(result['h.1.gate.open']!.shape).toEqual([5, 3]);
      const rectified = [...result['h.1.scaled']!.data].map((v) => Math.max(v, 0));
      expect([...result['scaled']!.data]).toEqual([...x].map((v) => 2 * v));
      expect([...result['out.x']!.data]).toEqual(rectified);
    });
  }

  it('works for the network of a train block', async () => {
    const result = await forward('Fit', ['out.x']);
    expect(Object.keys(result)).toEqual(['output', 'out.x']);
  });

  it('works for values of the train block itself, in evaluate', async () => {
    const { artifacts, reports } = compile(source, { only: 'Fit', expose: ['y', 'out.x'] });
    expect(reports).toEqual([]);
    const unit = await instantiate(artifacts.get('Fit')!, 'ts', 3);
    const y = (unit.evaluate({ x }) as unknown as Readonly<Record<string, ResultTensor>>)['y']!;
    expect(y.shape).toEqual([5, 2]);
    const values = [...y.data];
    const { output } = await forward('Fit', []);
    values.forEach((v, i) => expect(v).toBeCloseTo(output!.data[i]!, 5));
  });

  it('refuses what the model does not have, and says what it has', () => {
    const { ok, reports } = compile(source, { only: 'Net', expose: ['hidden'], bounds: { B: 5 } });
    expect(ok).toBe(false);
    expect(reports[0]!.code).toBe('NN793');
    expect(reports[0]!.message).toBe('there is no value `hidden` in Net');
    expect(reports[0]!.notes.join()).toMatch(/h\.0\.gate, .*out/);
  });
});
