/** What a study found, as `study.json` holds it and the report shows it. Numbers that do not exist are null. */
import type { Decomposition } from '../../analysis/decomposition.ts';
import type { Estimate } from '../../analysis/statistics.ts';

export type Measures = Readonly<Record<string, Estimate>>;

export interface VariantRecord {
  /** The value of the varied const. */
  readonly value: number | null;
  readonly parameters: number;
  /** With the kept weights (of the best epoch, where there is validation), means over the retrainings with their intervals. */
  readonly training: Measures;
  readonly validation: Measures | null;
  readonly test: Measures;
  /** Test errors less those of the first variant, retraining by retraining on the same set; null for the first. */
  readonly against: Measures | null;
  /** With the weights after the last epoch. */
  readonly last: { readonly test: Measures };
  /** The mean of the epochs whose weights were kept, from 1; null without validation. */
  readonly bestEpoch: number | null;
  /** Mean losses by epoch. Test losses are here for the picture: nothing is chosen by them. */
  readonly curves: {
    readonly training: readonly number[];
    readonly validation: readonly number[];
    readonly test: readonly number[];
  };
  readonly decomposition: Decomposition | null;
}

export interface StudyRecord {
  readonly version: 1;
  readonly program: string;
  readonly train: string;
  readonly vary: string | null;
  readonly scheme: string;
  readonly retrainings: number;
  readonly rows: { readonly each: number; readonly pool: number; readonly validation: number; readonly test: number };
  readonly seed: number;
  readonly epochs: number;
  readonly confidence: number;
  readonly seconds: number;
  /** What is squared in the decomposition, or why there is none. */
  readonly decomposition:
    { readonly prediction: string; readonly truth: string; readonly error: string } | { readonly reason: string };
  readonly variants: readonly VariantRecord[];
}
