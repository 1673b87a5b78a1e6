/**
 * Rows for a study: which are kept apart for testing and for validating, and what each retraining gets of the others. Rows are numbers; who
 * holds the data gathers them. The parts never meet: a bootstrap set repeats rows, so what validates is taken out before, not after.
 */
import { Stream } from './random.ts';

export type Scheme = 'bootstrap' | 'subset';

/** `share` of the rows, and the others, both in random order. */
export function apart(rows: Uint32Array, share: number, stream: Stream): { kept: Uint32Array; taken: Uint32Array } {
  const order = stream.permutation(rows.length).map((i) => rows[i]!);
  const count = Math.max(1, Math.round(rows.length * share));
  return { kept: order.slice(count), taken: order.slice(0, count) };
}

/** `count` of the pool: with replacement (Efron, 1979), or some of it without. */
export function resample(pool: Uint32Array, scheme: Scheme, count: number, stream: Stream): Uint32Array {
  if (scheme === 'bootstrap') return Uint32Array.from({ length: count }, () => pool[stream.below(pool.length)]!);
  if (count > pool.length) throw new RangeError(`${count} of ${pool.length} rows cannot be drawn without replacement`);
  return stream
    .permutation(pool.length)
    .slice(0, count)
    .map((i) => pool[i]!);
}

export const allRows = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);
