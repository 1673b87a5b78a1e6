/**
 * Text as numbers and back: by characters, or by byte-pair encoding (Sennrich, Haddow and Birch, 2016). A tokenizer is plain data, learnt from a
 * text and stored beside the weights that were trained with it.
 *
 * Symbol 0 fills, and stands for what the tokenizer has never seen; 1 starts a text and 2 ends it, where texts have a start and an end.
 */

export interface Tokenizer {
  readonly kind: 'characters' | 'bpe';
  /** By number: the text of each symbol; the first three are `fill`, `start` and `stop`. */
  readonly symbols: readonly string[];
  /** Pairs of symbols' numbers in the order in which they were merged. The n-th makes symbol symbols.length - merges.length + n. */
  readonly merges: readonly (readonly [number, number])[];
}

export const [fill, start, stop] = [0, 1, 2];
const special = ['', '', ''];

/** The text's characters, the frequent first. */
export function characters(text: string, most = Infinity): Tokenizer {
  return { kind: 'characters', symbols: [...special, ...alphabet(text).slice(0, most - special.length)], merges: [] };
}

function alphabet(text: string): string[] {
  const counts = new Map<string, number>();
  for (const c of text) counts.set(c, (counts.get(c) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([c]) => c);
}

/** Words with the blank before them, and what stands between: merges never cross a word's beginning. */
const wordsOf = (text: string): string[] => text.match(/ ?[\p{L}\p{N}]+| ?[^\p{L}\p{N}\s]+|\s/gu) ?? [];

/** Learns merges of the most frequent neighbours until there are `size` symbols (or no pair occurs twice). */
export function bytePairs(text: string, size: number): Tokenizer {
  const letters = alphabet(text);
  const symbols = [...special, ...letters];
  const numberOf = new Map(symbols.map((s, i) => [s, i]));
  const counts = new Map<string, number>();
  for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].map(([word, count]) => ({ ids: [...word].map((c) => numberOf.get(c)!), count }));
  const merges: [number, number][] = [];
  // Pair (a, b) has the key a * 2^16 + b. Counts are kept up to date word by word.
  const pairs = new Map<number, number>();
  const where = new Map<number, Set<number>>();
  const note = (at: number, sign: 1 | -1): void => {
    const { ids, count } = words[at]!;
    for (let i = 0; i + 1 < ids.length; i++) {
      const key = ids[i]! * 65536 + ids[i + 1]!;
      pairs.set(key, (pairs.get(key) ?? 0) + sign * count);
      if (sign > 0) {
        const places = where.get(key);
        if (places === undefined) where.set(key, new Set([at]));
        else places.add(at);
      }
    }
  };
  words.forEach((_, at) => note(at, 1));
  while (symbols.length < Math.min(size, 65536)) {
    let [best, most] = [-1, 1];
    // Of equally frequent pairs the smaller key wins, so that the result does not depend on the order of a map.
    for (const [key, count] of pairs)
      if (count > most || (count === most && best >= 0 && key < best)) [best, most] = [key, count];
    if (best < 0) break;
    const [a, b] = [Math.floor(best / 65536), best % 65536];
    const made = symbols.length;
    symbols.push(symbols[a]! + symbols[b]!);
    merges.push([a, b]);
    for (const at of where.get(best) ?? []) {
      note(at, -1);
      words[at]!.ids = merged(words[at]!.ids, a, b, made);
      note(at, 1);
    }
    pairs.delete(best);
  }
  return { kind: 'bpe', symbols, merges };
}

function merged(ids: readonly number[], a: number, b: number, made: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === a && ids[i + 1] === b) {
      out.push(made);
      i++;
    } else out.push(ids[i]!);
  }
  return out;
}

/** How a tokenizer numbers texts; words are remembered, since texts repeat them. */
export function encoder(tokenizer: Tokenizer): (text: string) => number[] {
  const single = new Map<string, number>();
  const letters = tokenizer.symbols.length - tokenizer.merges.length;
  for (let i = special.length; i < letters; i++) single.set(tokenizer.symbols[i]!, i);
  const spell = (text: string): number[] => [...text].map((c) => single.get(c) ?? fill);
  if (tokenizer.kind === 'characters') return spell;
  const rank = new Map(tokenizer.merges.map(([a, b], i) => [a * 65536 + b, i]));
  const known = new Map<string, readonly number[]>();
  const word = (text: string): readonly number[] => {
    let ids = spell(text);
    for (;;) {
      let [least, at] = [Infinity, -1];
      for (let i = 0; i + 1 < ids.length; i++) {
        const r = rank.get(ids[i]! * 65536 + ids[i + 1]!) ?? Infinity;
        if (r < least) [least, at] = [r, i];
      }
      if (at < 0) return ids;
      ids = merged(ids, ids[at]!, ids[at + 1]!, letters + least);
    }
  };
  return (text) =>
    wordsOf(text).flatMap((w) => {
      let ids = known.get(w);
      if (ids === undefined) known.set(w, (ids = word(w)));
      return ids;
    });
}

export const decoded = (tokenizer: Tokenizer, ids: ArrayLike<number>): string =>
  Array.from(ids, (id) => tokenizer.symbols[id] ?? '').join('');

/** A tokenizer out of JSON; null where it is none. */
export function parseTokenizer(text: string): Tokenizer | null {
  try {
    const t = JSON.parse(text) as Partial<Tokenizer>;
    const good =
      (t.kind === 'characters' || t.kind === 'bpe') &&
      Array.isArray(t.symbols) &&
      t.symbols.every((s) => typeof s === 'string') &&
      Array.isArray(t.merges) &&
      t.merges.every((m) => Array.isArray(m) && m.length === 2 && m.every((n) => Number.isInteger(n)));
    return good ? (t as Tokenizer) : null;
  } catch {
    return null;
  }
}

/** Rows of `length` numbers, each beginning where the one before it ended: the last of a row is the first of the next, which it predicts. */
export function windows(ids: readonly number[], length: number): Int32Array[] {
  const rows: Int32Array[] = [];
  for (let from = 0; from + length <= ids.length; from += length - 1)
    rows.push(Int32Array.from(ids.slice(from, from + length)));
  return rows;
}
