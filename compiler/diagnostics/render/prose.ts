/** Pieces that the prose of the checker shares: verdicts, chains, shapes written under each other. */
import type { Span } from '../../../grammar/ast.ts';
import type { Aligned, Judgement, Link } from '../families/check.ts';

/** The text of `nnc explain`, with a wrong and a mended program. */
export const explain = (text: string, wrong: string, mended: string): string =>
  `${text}\n\nWrong:\n\n\`\`\`nn\n${wrong}\n\`\`\`\n\nMended:\n\n\`\`\`nn\n${mended}\n\`\`\`\n`;

/** "they never agree", "they need not agree: not for H = 3", "cannot decide". */
export function verdict(j: Judgement, claim: string): string[] {
  const notes: string[] = [];
  if (j.coincidence === true)
    return [`${claim}: only by the present values of constants; constants are equal only where a \`require\` says so`];
  if (j.kind === 'refuted') notes.push(`${claim}: never`);
  else if (j.witness !== null) notes.push(`${claim}: need not be, for instance with ${j.witness}`);
  else notes.push(`${claim}: cannot be decided from what is known here`);
  if (j.condition !== null) notes.push(`it holds where ${j.condition}`);
  return notes;
}

/** A size that only a statement can settle. */
export function stateIt(j: Judgement, condition: string): string[] {
  return j.kind === 'refuted' ? [] : [`if it is meant to hold, state \`require ${condition}\``];
}

/** The links of a chain as places beside the text. */
export function places(chain: readonly Link[]): readonly { readonly span: Span; readonly label: string }[] {
  return chain.flatMap(({ text, span }) => (span === null ? [] : [{ span, label: text }]));
}

const WIDTH = 56;

/** Two shapes, axis under axis, the guilty one marked. Trailing axes are lined up, as broadcasting reads them. */
export function table({ leftName, left, rightName, right, axis }: Aligned): string {
  const rank = Math.max(left.length, right.length);
  const padded = (axes: readonly string[]): string[] => [...Array<string>(rank - axes.length).fill(''), ...axes];
  const [a, b] = [padded(left), padded(right)];
  const guilty = axis === null ? -1 : axis + (rank - left.length);
  const widths = a.map((x, k) => Math.max(x.length, b[k]!.length));
  const name = Math.min(WIDTH, Math.max(leftName.length, rightName.length));
  const row = (title: string, axes: readonly string[]): string =>
    `${title.padEnd(name)}  [ ${axes.map((x, k) => x.padEnd(widths[k]!)).join('  ')} ]`;
  const lines = [row(leftName, a), row(rightName, b)];
  if (guilty >= 0 && guilty < rank) {
    const before = widths.slice(0, guilty).reduce((sum, w) => sum + w + 2, 0);
    lines.push(`${' '.repeat(name + 4 + before)}${'^'.repeat(Math.max(1, widths[guilty]!))}`);
  }
  return lines.join('\n');
}

export const quoted = (names: readonly string[]): string => names.map((n) => `\`${n}\``).join(', ');

export const didYouMean = (suggestion: string | null): string =>
  suggestion === null ? '' : `; did you mean \`${suggestion}\`?`;

export const knownNames = (known: readonly string[], what = 'known here'): string[] =>
  known.length === 0 ? [] : [`${what}: ${known.slice(0, 12).join(', ')}`];

/** `1 argument`, `3 arguments` */
export const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
