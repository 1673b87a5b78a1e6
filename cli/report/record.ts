/** What a training run leaves behind: plain JSON, written beside the weights and read by the report. Times in seconds, rates in rows a second. */

import type { Spread } from '../../runtime/trials.ts';

export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** `loss` and the metrics. JSON has no NaN: null stands for a value that is not finite. */
  readonly train: Readonly<Record<string, number | null>>;
  readonly validation: Readonly<Record<string, number | null>> | null;
}

export interface RunRecord {
  readonly version: 1;
  /** As the user named it: `digits.nn`. */
  readonly program: string;
  /** Where the program was, and the consts it was compiled with: what belongs to the weights beside this record. */
  readonly path?: string;
  readonly consts?: Readonly<Record<string, number>>;
  /** The train block: `Fit`. */
  readonly train: string;
  readonly target: string;
  /** ISO 8601, given by the caller: nothing here reads a clock. */
  readonly started: string;
  readonly seconds: number;
  readonly seed: number;
  readonly epochsPlanned: number;
  readonly rows: { readonly train: number; readonly validation: number; readonly test: number };
  readonly parameters: number;
  /** Bytes of all arenas; null where not known. */
  readonly memory: number | null;
  /** Name and value as the program states them: `['optimizer', 'Adam(lr: 3e-3)'], ['batch', '64']`. */
  readonly configuration: readonly (readonly [string, string])[];
  readonly epochs: readonly EpochRecord[];
  /** The epoch whose weights were kept, and the measure that chose it. */
  readonly best: { readonly epoch: number; readonly measure: string; readonly value: number } | null;
  readonly end: 'finished' | 'early' | 'interrupted' | 'diverged';
  /** Measures on held-out test data with the kept weights. */
  readonly test: Readonly<Record<string, number | null>> | null;
  /** With `runs` or `folds`: every training, and each measure over them. The rest of the record is then that of the best. */
  readonly trials?: readonly {
    readonly name: string;
    readonly seed: number;
    readonly end: RunRecord['end'];
    readonly measures: Readonly<Record<string, number | null>>;
  }[];
  readonly spread?: Readonly<Record<string, Spread>>;
  /** What the compiler or the data readers warned of, one sentence each. */
  readonly warnings?: readonly string[];
}
