/** Beam search on a toy language whose every sentence can be listed: greedy takes the likeliest symbol, a wide beam finds the likeliest sentence. */
import { describe, expect, it } from 'vitest';
import { Stream } from '../../analysis/random.ts';
import { search, type Prefix, type SearchOptions } from '../../analysis/text/search.ts';

const [fill, start, stop] = [0, 1, 2];
const symbols = 6;
const options: SearchOptions = { beam: 1, most: 4, start, stop, barred: [fill, start], penalty: 0 };

/** Logits that depend on the sentence and the whole prefix, and on nothing else. */
const language =
  (seed: number) =>
  (prefixes: readonly Pick<Prefix, 'sentence' | 'ids'>[]): number[][] =>
    prefixes.map(({ sentence, ids }) => {
      const stream = new Stream(
        seed,
        [sentence, ...ids].reduce((h, id) => h * 7 + id + 1, 17),
      );
      return Array.from({ length: symbols }, () => 2 * stream.normal());
    });

/** Log probability of the likeliest finished sentence, by trying all. */
function exhaustive(seed: number, sentence: number): { ids: number[]; score: number } {
  let best = { ids: [] as number[], score: -Infinity };
  const visit = (ids: number[], score: number): void => {
    const [values] = language(seed)([{ sentence, ids }]);
    const allowed = values!.map((v, i) => (options.barred.includes(i) ? -Infinity : v));
    const total = Math.log(allowed.reduce((sum, v) => sum + Math.exp(v), 0));
    const stopped = score + allowed[stop]! - total;
    if (stopped > best.score) best = { ids: ids.slice(1), score: stopped };
    if (ids.length <= options.most)
      for (let id = 3; id < symbols; id++) visit([...ids, id], score + allowed[id]! - total);
  };
  visit([start], 0);
  return best;
}

describe('search', () => {
  it('greedily follows the likeliest symbol', () => {
    const [found] = search(1, language(1), options);
    const ids = [start];
    for (let i = 0; i < options.most; i++) {
      const [values] = language(1)([{ sentence: 0, ids }]);
      const next = values!.map((v, k) => (k < 2 ? -Infinity : v));
      const id = next.indexOf(Math.max(...next));
      if (id === stop) break;
      ids.push(id);
    }
    expect(found!.ids).toEqual(ids.slice(1));
  });

  it('with a beam as wide as the language finds the likeliest sentence, for several at once', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const found = search(3, language(seed), { ...options, beam: 100 });
      found.forEach(({ ids, logProbability, finished }, sentence) => {
        const best = exhaustive(seed, sentence);
        expect(finished).toBe(true);
        expect(ids).toEqual(best.ids);
        expect(logProbability).toBeCloseTo(best.score, 9);
      });
    }
  });

  it('is never worse with a wider beam than greedily, on the whole', () => {
    const sum = (beam: number): number =>
      search(40, language(5), { ...options, beam }).reduce((s, { logProbability }) => s + logProbability, 0);
    expect(sum(4)).toBeGreaterThan(sum(1));
  });

  it('cuts off what does not stop, and prefers longer results with a penalty on length', () => {
    const endless = (prefixes: readonly Pick<Prefix, 'sentence' | 'ids'>[]) =>
      prefixes.map(() => [0, 0, -1e9, 1, 0, 0]);
    expect(search(1, endless, { ...options, beam: 2 })[0]).toMatchObject({ ids: [3, 3, 3, 3], finished: false });
    const length = (penalty: number): number =>
      search(40, language(6), { ...options, beam: 4, penalty }).reduce((s, { ids }) => s + ids.length, 0);
    expect(length(2)).toBeGreaterThan(length(0));
  });
});
