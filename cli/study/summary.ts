/** The runs of one variant as its record. */
import type { Decomposition } from '../../analysis/decomposition.ts';
import { mean, meanWithInterval } from '../../analysis/statistics.ts';
import type { Metrics } from '../../runtime/fit.ts';
import type { Measures, VariantRecord } from './record.ts';
import type { OneRun } from './runs.ts';

function measures(all: readonly Metrics[], confidence: number): Measures {
  return Object.fromEntries(
    Object.keys(all[0] ?? {}).map((name) => [
      name,
      meanWithInterval(
        all.map((m) => m[name] ?? NaN),
        confidence,
      ),
    ]),
  );
}

/** Mean of curves of unequal length, as far as half of them go. */
function meanCurve(curves: readonly (readonly number[])[]): number[] {
  const lengths = curves.map(({ length }) => length).sort((a, b) => a - b);
  const length = lengths[Math.floor(lengths.length / 2)] ?? 0;
  return Array.from({ length }, (_, i) => mean(curves.flatMap((curve) => (i < curve.length ? [curve[i]!] : []))));
}

export function variantRecord(
  value: number | null,
  parameters: number,
  all: readonly OneRun[],
  first: readonly OneRun[] | null,
  decomposition: Decomposition | null,
  confidence: number,
): VariantRecord {
  const validated = all.flatMap(({ validation }) => (validation === null ? [] : [validation]));
  const epochs = all.flatMap(({ bestEpoch }) => (bestEpoch === null ? [] : [bestEpoch]));
  return {
    value,
    parameters,
    training: measures(
      all.map((r) => r.training),
      confidence,
    ),
    validation: validated.length === 0 ? null : measures(validated, confidence),
    test: measures(
      all.map((r) => r.test),
      confidence,
    ),
    against:
      first === null
        ? null
        : measures(
            all.map(({ test }, r) =>
              Object.fromEntries(Object.entries(test).map(([name, v]) => [name, v - (first[r]?.test[name] ?? NaN)])),
            ),
            confidence,
          ),
    last: {
      test: measures(
        all.map((r) => r.lastTest),
        confidence,
      ),
    },
    bestEpoch: epochs.length === 0 ? null : mean(epochs),
    curves: {
      training: meanCurve(all.map((r) => r.curves.training)),
      validation: meanCurve(all.map((r) => r.curves.validation)),
      test: meanCurve(all.map((r) => r.curves.test)),
    },
    decomposition,
  };
}
