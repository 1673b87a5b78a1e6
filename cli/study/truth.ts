/**
 * Predictions and truths of test rows as the decomposition takes them: rows with equal inputs are one input with several targets; classes are
 * compared as probabilities with one-hot vectors (the Brier score), numbers as they are.
 */
import type { DecompositionInput } from '../../analysis/decomposition.ts';
import type { Column, Columns } from '../../runtime/fit.ts';
import type { Role } from './role.ts';
import type { OneRun } from './runs.ts';

export type Comparison =
  | { readonly ok: true; readonly input: DecompositionInput; readonly error: string }
  | { readonly ok: false; readonly reason: string };

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, extent) => n * extent, 1);

/** Rows with equal values in all columns but the truth, in the order of their first. */
function groups(columns: Columns, truth: string, rows: number): number[][] {
  const found = new Map<string, number[]>();
  const others = Object.entries(columns).filter(([name]) => name !== truth);
  for (let row = 0; row < rows; row++) {
    const key = others
      .map(([, { data, shape }]) => {
        const size = sizeOf(shape);
        return data.subarray(row * size, (row + 1) * size).join();
      })
      .join(';');
    const own = found.get(key);
    if (own === undefined) found.set(key, [row]);
    else own.push(row);
  }
  return [...found.values()];
}

export function compared(
  all: readonly OneRun[],
  columns: Columns,
  truth: string,
  role: Role,
  noise: number | null,
): Comparison {
  const target: Column | undefined = columns[truth];
  const shape = all[0]?.prediction?.shape;
  if (target === undefined || shape === undefined) return { ok: false, reason: `${truth} has no rows of its own` };
  const width = sizeOf(shape);
  const each = sizeOf(target.shape);
  const classes = shape.at(-1) ?? 1;
  const ofClasses = target.data instanceof Int32Array;
  if (ofClasses ? each * classes !== width : each !== width) {
    return {
      ok: false,
      reason: `the prediction has shape [${shape.join(', ')}] a row and ${truth} [${target.shape.join(', ')}]`,
    };
  }
  const rows = target.data.length / each;
  const grouped = groups(columns, truth, rows);
  const predictions = all.map(({ prediction }) => {
    const values = Float64Array.from(prediction!.data);
    if (ofClasses) toProbabilities(values, classes, role);
    const first = new Float64Array(grouped.length * width);
    grouped.forEach(([row], i) => first.set(values.subarray(row! * width, (row! + 1) * width), i * width));
    return first;
  });
  const targets = grouped.map((own) =>
    own.map((row) => {
      const y = new Float64Array(width);
      if (ofClasses) for (let k = 0; k < each; k++) y[k * classes + target.data[row * each + k]!] = 1;
      else y.set(target.data.subarray(row * each, (row + 1) * each));
      return y;
    }),
  );
  const over = ofClasses ? 'sum' : 'mean';
  return {
    ok: true,
    input: { predictions, targets, width, over, noise },
    error: ofClasses ? 'Brier score: squared distance of probabilities and one-hot class' : 'squared error',
  };
}

/** In place, class by class of each row. */
function toProbabilities(values: Float64Array, classes: number, role: Role): void {
  if (role === 'probs') return;
  for (let from = 0; from < values.length; from += classes) {
    const row = values.subarray(from, from + classes);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    row.forEach((v, i) => (row[i] = Math.exp(v - (role === 'log_probs' ? 0 : most))));
    const total = role === 'log_probs' ? 1 : row.reduce((a, b) => a + b, 0);
    row.forEach((v, i) => (row[i] = v / total));
  }
}
