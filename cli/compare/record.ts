/** What a comparison found, as `compare.json` holds it. */
import type { Similarities } from '../../analysis/similarity.ts';

export interface PairRecord {
  /** Positions among the models. */
  readonly a: number;
  readonly b: number;
  readonly similarity: Similarities;
  /** p of each measure, adjusted for all pairs (Holm). */
  readonly adjusted: Readonly<Record<string, number>>;
}

export interface CompareRecord {
  readonly version: 1;
  readonly models: readonly {
    readonly label: string;
    readonly program: string;
    readonly layer: string;
    readonly width: number;
    readonly parameters: number;
  }[];
  readonly rows: number;
  readonly neighbours: number;
  readonly permutations: number;
  readonly seed: number;
  readonly pairs: readonly PairRecord[];
}
