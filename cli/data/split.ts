/** Which rows train and which validate: a shuffled split that depends on (rows, fraction, seed) alone. */
import { permutation } from '../../runtime/random.ts';

/** The stream of the split; epochs shuffle with streams from 0 up, which never reach it. */
const splitStream = 0xffffffff;

export interface Split {
  readonly train: Uint32Array;
  readonly held: Uint32Array;
}

/** Holds out round(rows · fraction) rows, but leaves at least one on each side where fraction is between 0 and 1. Both lists are ascending. */
export function split(rows: number, fraction: number, seed: number): Split {
  const wanted = Math.round(rows * fraction);
  const count = fraction <= 0 ? 0 : fraction >= 1 ? rows : Math.max(Math.min(1, rows - 1), Math.min(rows - 1, wanted));
  return divide(permutation(rows, seed, splitStream), 0, count);
}

/** Fold `fold` of `folds` for cross-validation: folds differ by at most one row and together cover every row once. */
export function fold(rows: number, folds: number, index: number, seed: number): Split {
  const start = Math.floor((rows * index) / folds);
  return divide(permutation(rows, seed, splitStream), start, Math.floor((rows * (index + 1)) / folds));
}

function divide(order: Uint32Array, start: number, end: number): Split {
  const train = new Uint32Array(order.length - (end - start));
  train.set(order.subarray(0, start));
  train.set(order.subarray(end), start);
  return { train: train.sort(), held: order.slice(start, end).sort() };
}
