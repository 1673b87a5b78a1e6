/**
 * How near translations come to references: BLEU (Papineni et al., 2002) and chrF (Popović, 2015), over a whole corpus, as sacrebleu computes them by
 * default: BLEU with the tokens of mteval-v13a (or single characters), smoothed exponentially; chrF2 with character n-grams up to 6, without blanks, and no words. From 0 to 100.
 */

/** The tokens of mteval-v13a: punctuation apart from words, but for points and commas within numbers. */
export function bleuTokens(text: string): string[] {
  let line = ` ${text} `;
  line = line
    .replaceAll('<skipped>', '')
    .replace(/-\n/g, '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  line = line
    .replace(/([{-~[-` -&(-+:-@/])/g, ' $1 ')
    .replace(/([^0-9])([.,])/g, '$1 $2 ')
    .replace(/([.,])([^0-9])/g, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ');
  return line.split(/\s+/).filter((token) => token !== '');
}

function grams(items: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= items.length; i++) {
    const key = items.slice(i, i + n).join('\u0001');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** How many of a are in b, each counted as often as b has it. */
function matches(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [key, count] of a) sum += Math.min(count, b.get(key) ?? 0);
  return sum;
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);

/** Every character that is no blank, for languages that are written without them (sacrebleu's `char`). */
export const characterTokens = (text: string): string[] => [...text.replace(/\s+/g, '')];

/** One reference for each translation. */
export function bleu(
  translations: readonly string[],
  references: readonly string[],
  tokensOf: (text: string) => string[] = bleuTokens,
): number {
  const most = 4;
  const right = new Array<number>(most).fill(0);
  const all = new Array<number>(most).fill(0);
  let [length, wanted] = [0, 0];
  translations.forEach((translation, i) => {
    const own = tokensOf(translation);
    const reference = tokensOf(references[i]!);
    length += own.length;
    wanted += reference.length;
    for (let n = 1; n <= most; n++) {
      const mine = grams(own, n);
      right[n - 1]! += matches(mine, grams(reference, n));
      all[n - 1]! += total(mine);
    }
  });
  if (length === 0 || right[0] === 0) return 0;
  let smooth = 1;
  let logs = 0;
  let orders = 0;
  for (let n = 0; n < most; n++) {
    if (all[n] === 0) break;
    orders++;
    if (right[n] === 0) smooth *= 2;
    logs += Math.log(right[n] === 0 ? 1 / (smooth * all[n]!) : right[n]! / all[n]!);
  }
  if (orders < most) return 0;
  const brevity = length < wanted ? Math.exp(1 - wanted / length) : 1;
  return 100 * brevity * Math.exp(logs / most);
}

export function chrf(translations: readonly string[], references: readonly string[], order = 6, beta = 2): number {
  const [right, mine, theirs] = [new Float64Array(order), new Float64Array(order), new Float64Array(order)];
  translations.forEach((translation, i) => {
    const own = characterTokens(translation);
    const reference = characterTokens(references[i]!);
    for (let n = 1; n <= order; n++) {
      const [a, b] = [grams(own, n), grams(reference, n)];
      right[n - 1]! += matches(a, b);
      mine[n - 1]! += total(a);
      theirs[n - 1]! += total(b);
    }
  });
  let [precision, recall, orders] = [0, 0, 0];
  for (let n = 0; n < order; n++) {
    if (mine[n] === 0 || theirs[n] === 0) continue;
    precision += right[n]! / mine[n]!;
    recall += right[n]! / theirs[n]!;
    orders++;
  }
  if (orders === 0 || precision + recall === 0) return 0;
  precision /= orders;
  recall /= orders;
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall);
}
