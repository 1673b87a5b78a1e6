/** `nnc tokens`: text as rows of numbers to train a language model on, with the tokenizer that made them in the file. */
import { bytePairs, characters, encoder, windows, type Tokenizer } from '../../analysis/text/tokens.ts';
import { encode } from '../../runtime/safetensors.ts';
import { readText, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse, wrongUsage } from '../problems.ts';
import { demandTokenizer } from '../text/tokenizer.ts';

export interface TokensOptions extends LookOptions {
  readonly kind: 'characters' | 'bpe';
  readonly size?: number;
  readonly window: number;
  readonly name: string;
  readonly parts?: readonly number[];
  readonly with?: string;
  readonly out: string;
}

const partNames = ['train', 'validation', 'test'] as const;
const usualSize = 1024;

export function tokens(io: Io, files: readonly string[], options: TokensOptions): number {
  const parts = options.parts ?? [1];
  const sum = parts.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > 1e-9) return wrongUsage(`the --parts add up to ${sum}, not to 1`);
  const text = files.map((file) => readText(io, file).replaceAll('\r\n', '\n')).join('\n');
  const all = [...text];
  const cuts = parts.map((_, i) => Math.round(all.length * parts.slice(0, i + 1).reduce((a, b) => a + b, 0)));
  const pieces = cuts.map((cut, i) => all.slice(cuts[i - 1] ?? 0, cut).join(''));
  // Learnt from the first part alone: the others stand for text that nobody has seen.
  const tokenizer = options.with === undefined ? learnt(pieces[0]!, options) : demandTokenizer(io, options.with);
  const encoded = encoder(tokenizer);
  const stem = options.out.replace(/\.safetensors$/, '');
  io.stdout.write(`${tokenizer.kind}: ${tokenizer.symbols.length} symbols\n`);
  for (const [i, piece] of pieces.entries()) {
    const ids = encoded(piece);
    const rows = windows(ids, options.window);
    const path = pieces.length === 1 ? `${stem}.safetensors` : `${stem}-${partNames[i]!}.safetensors`;
    if (rows.length === 0)
      return refuse('NN939', {
        reason: `${ids.length} symbols are no row of ${options.window}`,
        advice: 'give more text, or a smaller --window',
      });
    const data = new Int32Array(rows.length * options.window);
    rows.forEach((row, k) => data.set(row, k * options.window));
    const tensor = { dtype: 'I32' as const, shape: [rows.length, options.window], data };
    writeFile(io, path, encode(new Map([[options.name, tensor]]), { tokenizer: JSON.stringify(tokenizer) }));
    const unknown = ids.filter((id) => id === 0).length;
    io.stdout.write(
      `${path}: ${rows.length} rows of ${options.window}, ${piece.length} characters, ${(piece.length / ids.length).toFixed(2)} a symbol${unknown > 0 ? `, ${unknown} unknown` : ''}\n`,
    );
  }
  return 0;
}

const learnt = (text: string, { kind, size }: TokensOptions): Tokenizer =>
  kind === 'characters' ? characters(text, size) : bytePairs(text, size ?? usualSize);
