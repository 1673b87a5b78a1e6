/** What the notes say of masked attention, on the decoder of examples/translation.nn: row 0 of its result holds only word 0, and no row a later one. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { instantiate, type ResultTensor } from '../../cli/artifact.ts';
import { compile } from '../../compiler/index.ts';

const [B, S, T, heads, width] = [2, 5, 6, 4, 96];

async function network() {
  const at = 'decoder.0.decoder_layer.self';
  const { artifacts, reports } = compile(readFileSync('examples/translation.nn', 'utf8'), {
    only: 'Translate',
    bounds: { B, S, T },
    expose: [`${at}.weight`, `${at}.value`, `${at}.z`, 'decoder.0.decoder_layer.cross.weight'],
  });
  expect(reports.filter(({ severity }) => severity === 'error')).toEqual([]);
  const unit = await instantiate(artifacts.get('Translate')!, 'ts', 3);
  const lengths = Int32Array.of(5, 3);
  return (before: Int32Array) => {
    const source = Int32Array.from({ length: B * S }, (_, i) => 3 + ((i * 37) % 900));
    const result = unit.forward({ source, source_length: lengths, before }, { B, S, T });
    return Object.fromEntries(
      Object.entries(result as Readonly<Record<string, ResultTensor>>).map(([name, { data }]) => [
        name,
        Float64Array.from(data),
      ]),
    );
  };
}

describe('masked attention', () => {
  const words = Int32Array.from({ length: B * T }, (_, i) => 3 + ((i * 53) % 900));

  it('gives row t no weight on later words, and row 0 all on word 0', async () => {
    const result = (await network())(words);
    const weight = result['decoder.0.decoder_layer.self.weight']!;
    for (let row = 0; row < B * heads * T; row++) {
      const own = weight.subarray(row * T, (row + 1) * T);
      const t = row % T;
      expect(own.subarray(t + 1).every((w) => w === 0)).toBe(true);
      expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      if (t === 0) expect(own[0]).toBe(1);
    }
    // The result of row 0 is the value of word 0, head by head.
    const [z, value] = [result['decoder.0.decoder_layer.self.z']!, result['decoder.0.decoder_layer.self.value']!];
    const each = width / heads;
    for (let b = 0; b < B; b++)
      for (let h = 0; h < heads; h++)
        for (let e = 0; e < each; e++)
          expect(z[b * T * width + h * each + e]).toBeCloseTo(value[((b * heads + h) * T + 0) * each + e]!, 6);
  });

  it('does not look behind the end of the source', async () => {
    const weight = (await network())(words)['decoder.0.decoder_layer.cross.weight']!;
    // The second sentence has three words.
    for (let row = 0; row < heads * T; row++) {
      const own = weight.subarray((heads * T + row) * S, (heads * T + row + 1) * S);
      expect([...own.subarray(3)]).toEqual([0, 0]);
    }
  });

  it('predicts place t from the words up to t alone', async () => {
    const forward = await network();
    const first = forward(words)['logits'] ?? forward(words)['output']!;
    const changed = Int32Array.from(words);
    // The last three words of the first sentence.
    for (let t = 3; t < T; t++) changed[t] = 7;
    const second = forward(changed)['logits'] ?? forward(changed)['output']!;
    const symbols = first.length / (B * T);
    const row = (all: Float64Array, t: number): number[] => [...all.subarray(t * symbols, (t + 1) * symbols)];
    for (let t = 0; t < 3; t++) expect(row(second, t)).toEqual(row(first, t));
    expect(row(second, 3)).not.toEqual(row(first, 3));
  });
});
