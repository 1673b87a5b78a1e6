/**
 * Decoding: the likeliest continuation by beam search; with a beam of one, greedily. Several sentences go together, each with its own beam: after
 * t steps all prefixes are t long, so one call of the model serves them all.
 *
 * A finished hypothesis counts by its log probability over ((5 + length) / 6)^penalty (Wu et al., 2016), since every further symbol costs.
 */

export interface SearchOptions {
  readonly beam: number;
  /** The most symbols of a result. */
  readonly most: number;
  readonly start: number;
  readonly stop: number;
  /** Never chosen: what fills, and the start. */
  readonly barred: readonly number[];
  readonly penalty: number;
}

export interface Prefix {
  readonly sentence: number;
  /** With the start in front. */
  readonly ids: readonly number[];
  /** Which prefix of the call before this one it continues; -1 in the first call. */
  readonly from: number;
}

export interface Found {
  /** Without start and stop. */
  readonly ids: readonly number[];
  /** Log probability, the stop's included. */
  readonly logProbability: number;
  readonly finished: boolean;
}

interface Hypothesis extends Prefix {
  readonly score: number;
}

/** `logits` gives, for each prefix, the logits of the symbol that follows. */
export function search(
  sentences: number,
  logits: (prefixes: readonly Prefix[]) => readonly ArrayLike<number>[],
  options: SearchOptions,
): Found[] {
  const { beam, most, start, stop, penalty } = options;
  const barred = new Set(options.barred);
  const rated = (score: number, length: number): number => score / ((5 + length) / 6) ** penalty;
  const best: (Found & { readonly rate: number })[] = [];
  let open: Hypothesis[][] = Array.from({ length: sentences }, (_, sentence) => [
    { sentence, ids: [start], from: -1, score: 0 },
  ]);
  const keep = (h: Hypothesis, ids: readonly number[], finished: boolean): void => {
    const rate = rated(h.score, ids.length + 1);
    const known = best[h.sentence];
    // What is finished is better than what was cut off.
    if (known !== undefined && ((known.finished && !finished) || (known.finished === finished && known.rate >= rate)))
      return;
    best[h.sentence] = { ids, logProbability: h.score, finished, rate };
  };
  for (let length = 1; length <= most + 1; length++) {
    const rows = open.flat();
    if (rows.length === 0) break;
    const results = logits(rows);
    const next: Hypothesis[][] = open.map(() => []);
    const candidates: Hypothesis[][] = open.map(() => []);
    rows.forEach((h, r) => {
      const values = results[r]!;
      const total = logSumExp(values, barred);
      for (const id of likeliest(values, beam + 1, barred)) {
        candidates[h.sentence]!.push({
          sentence: h.sentence,
          ids: [...h.ids, id],
          from: r,
          score: h.score + values[id]! - total,
        });
      }
    });
    candidates.forEach((own, sentence) => {
      own.sort((a, b) => b.score - a.score);
      for (const h of own.slice(0, 2 * beam)) {
        if (h.ids.at(-1) === stop) keep(h, h.ids.slice(1, -1), true);
        else if (next[sentence]!.length < beam && length <= most) next[sentence]!.push(h);
      }
      // No open hypothesis can become better than the best finished one, even if all that follows were certain.
      const known = best[sentence];
      const hope = next[sentence]![0];
      if (known?.finished === true && hope !== undefined && rated(hope.score, most + 1) <= known.rate)
        next[sentence] = [];
      if (length === most) for (const h of next[sentence]!) keep(h, h.ids.slice(1), false);
    });
    open = next;
  }
  return best.map(({ ids, logProbability, finished }) => ({ ids, logProbability, finished }));
}

function logSumExp(values: ArrayLike<number>, barred: ReadonlySet<number>): number {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) if (!barred.has(i)) most = Math.max(most, values[i]!);
  let sum = 0;
  for (let i = 0; i < values.length; i++) if (!barred.has(i)) sum += Math.exp(values[i]! - most);
  return most + Math.log(sum);
}

/** The places of the `count` greatest values, greatest first; ties by place. */
function likeliest(values: ArrayLike<number>, count: number, barred: ReadonlySet<number>): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (barred.has(i)) continue;
    if (found.length === count && values[i]! <= values[found.at(-1)!]!) continue;
    let at = found.length;
    while (at > 0 && values[found[at - 1]!]! < values[i]!) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}
