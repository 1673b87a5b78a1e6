/** Tokenizers in files: in the metadata of data that they made, and of the weights that were trained on such data. */
import { existsSync } from 'node:fs';
import { parseTokenizer, type Tokenizer } from '../../analysis/text/tokens.ts';
import { decode } from '../../runtime/safetensors.ts';
import { located, readBytes } from '../files.ts';
import type { Io } from '../io.ts';
import { refuse } from '../problems.ts';

/** The tokenizer of a safetensors file, or null. */
export function tokenizerIn(io: Io, path: string): Tokenizer | null {
  const decoded = decode(readBytes(io, path));
  return decoded.ok ? parseTokenizer(decoded.metadata['tokenizer'] ?? '') : null;
}

/** The tokenizer of the first of these data files that has one: what the weights should carry. */
export function tokenizerOfData(io: Io, texts: readonly string[]): Tokenizer | null {
  for (const text of texts) {
    const path = text.replace(/^[A-Za-z_]\w*=/, '');
    if (!path.endsWith('.safetensors') || !existsSync(located(io, path))) continue;
    const found = tokenizerIn(io, path);
    if (found !== null) return found;
  }
  return null;
}

export function demandTokenizer(io: Io, path: string): Tokenizer {
  return (
    tokenizerIn(io, path) ??
    refuse('NN939', {
      reason: `${path} has no tokenizer`,
      advice: 'data made by `nnc tokens` have one, and so have weights trained on them',
    })
  );
}
