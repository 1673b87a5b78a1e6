/** Llama's decoding, with its caches in a loop that stops, is the forward pass without a cache, token by token. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate } from '../support/emitted.ts';

const consts = { vocab: 11, width: 16, heads: 4, groups: 2, layers: 2, limit: 12 };
const [B, P, N] = [2, 4, 7];

describe('llama', () => {
  const text = readFileSync('examples/design/llama.nn', 'utf8');
  const build = (only: string) => {
    const { artifacts, reports } = compile(text, {
      path: 'llama.nn',
      only,
      consts,
      bounds: { B, T: P + N },
      targets: ['wasm'],
    });
    expect(reports.filter((r) => r.severity === 'error').map((r) => r.message)).toEqual([]);
    return artifacts.get(only)!;
  };
  const [whole, generate] = [build('Llama'), build('Generate')];
  const prompt = Int32Array.from({ length: B * P }, (_, k) => (k * 7 + 3) % consts.vocab);

  for (const target of ['ts', 'wasm'] as const)
    it(`decodes with caches what it would choose without (${target})`, async () => {
      const llama = await instantiate(whole, 4, undefined, target);
      const decoder = await instantiate(generate, 9, llama.weights(), target);
      expect([...decoder.weights().keys()]).toEqual([...llama.weights().keys()]);

      // The greatest logit at the last place, again and again over all that there is.
      const rows = Array.from({ length: B }, (_, b) => [...prompt.subarray(b * P, (b + 1) * P)]);
      for (let n = 0; n < N; n++) {
        const token = Int32Array.from(rows.flat());
        const logits = Object.values(llama.forward({ token }, { B, T: P + n }))[0]!.data;
        rows.forEach((row, b) => {
          const last = logits.subarray((b * (P + n) + P + n - 1) * consts.vocab).subarray(0, consts.vocab);
          row.push(last.indexOf(Math.max(...last)));
        });
      }
      const expected = rows.map((row) => row.slice(P));
      const run = (stop: number): number[][] => {
        const out = Object.values(decoder.forward({ prompt, stop: Int32Array.of(stop) }, { B, P, N }))[0]!;
        expect(out.shape).toEqual([B, N]);
        return Array.from({ length: B }, (_, b) => [...out.data.subarray(b * N, (b + 1) * N)]);
      };
      expect(run(-1)).toEqual(expected);
      // A word that every row says ends the loop; the rest is that word.
      const common = expected[0]!.find((w) => expected.every((row) => row.includes(w)));
      expect(common).toBeDefined();
      const last = Math.max(...expected.map((row) => row.indexOf(common!)));
      expect(last).toBeLessThan(N - 1);
      const stopped = run(common!);
      stopped.forEach((row, b) => expect(row.slice(0, last + 1)).toEqual(expected[b]!.slice(0, last + 1)));
      stopped.forEach((row) => expect(row.slice(last + 1)).toEqual(new Array<number>(N - last - 1).fill(common!)));
    });
});
