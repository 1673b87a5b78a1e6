/**
 * Several trainings of one program: `runs 10` from different seeds, `validate(folds: 5)` on different rows, or both. Each is a `fit` of its own, from its
 * own initial weights; what is reported is the mean over the trials and how far they lie apart. Which one is best is for the caller to use.
 */
import {
  fit,
  fold,
  type Columns,
  type EventualTrainable,
  type FitOptions,
  type FitResult,
  type Metrics,
} from './fit.ts';
import type { Plan } from './plan.ts';

export interface Trial {
  /** Both count from 0; null: without folds. */
  readonly run: number;
  readonly fold: number | null;
  /** Of initial weights, draws and the order of rows. */
  readonly seed: number;
}

/** One measure over the trials. The deviation is that of a sample (divided by n - 1); null of a single trial. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | null;
  readonly least: number;
  readonly most: number;
}

/** All trials that a program asks for, in order. A fold has the run's seed, so that the folds of a run are of one shuffle. */
export function trialsOf(runs: number, folds: number | null, seed: number): Trial[] {
  const out: Trial[] = [];
  for (let run = 0; run < runs; run++)
    for (let k = 0; k < (folds ?? 1); k++) out.push({ run, fold: folds === null ? null : k, seed: seed + run });
  return out;
}

/** Mean and spread of each measure that all trials have. */
export function spread(measures: readonly Metrics[]): Record<string, Spread> {
  const out: Record<string, Spread> = {};
  for (const name of Object.keys(measures[0] ?? {})) {
    if (!measures.every((m) => name in m)) continue;
    const values = measures.map((m) => m[name]!);
    const n = values.length;
    const mean = values.reduce((a, b) => a + b, 0) / n;
    const square = values.reduce((a, b) => a + (b - mean) ** 2, 0);
    out[name] = {
      mean,
      deviation: n < 2 ? null : Math.sqrt(square / (n - 1)),
      least: Math.min(...values),
      most: Math.max(...values),
    };
  }
  return out;
}

/** What a training is judged by: the validation of its best epoch, else the training figures of its last. */
function judged({ history, state }: FitResult): Metrics {
  const epoch = state.best === null ? history.at(-1) : history.find((e) => e.epoch === state.best!.epoch);
  return epoch?.validation ?? epoch?.training ?? {};
}

export interface TrialResult extends Trial {
  readonly result: FitResult;
  readonly measures: Metrics;
}

export interface TrialsOptions extends Omit<FitOptions, 'resume' | 'seed'> {
  /** Of the first run. */
  readonly seed?: number;
  readonly runs?: number;
  readonly folds?: number;
  readonly onTrial?: (trial: TrialResult) => void | Promise<void>;
}

export interface TrialsResult {
  readonly trials: readonly TrialResult[];
  readonly spread: Readonly<Record<string, Spread>>;
  /** Position of the trial with the least loss. */
  readonly best: number;
}

type Made = EventualTrainable & { readonly plan?: Plan };

/** Trains as often as `runs` and `folds` say (the options, else the source). `create` makes a network from a seed. */
export async function fitTrials(
  create: (seed: number) => Made | Promise<Made>,
  columns: Columns,
  options: TrialsOptions = {},
): Promise<TrialsResult> {
  const { seed = 0 } = options;
  const first = await create(seed);
  const said = (first.plan ?? (first.constructor as { plan?: Plan }).plan)?.training ?? null;
  const folds = options.folds ?? said?.folds ?? null;
  const trials: TrialResult[] = [];
  for (const trial of trialsOf(options.runs ?? said?.runs ?? 1, folds, seed)) {
    if (options.signal?.aborted === true) break;
    const unit = trials.length === 0 ? first : await create(trial.seed);
    const parts = trial.fold === null ? { training: columns } : fold(columns, folds!, trial.fold, trial.seed);
    const result = await fit(unit, parts.training, {
      ...options,
      ...('validation' in parts ? { validation: parts.validation } : {}),
      seed: trial.seed,
    });
    const done: TrialResult = { ...trial, result, measures: judged(result) };
    trials.push(done);
    const waiting = options.onTrial?.(done);
    if (waiting !== undefined) await waiting;
  }
  const losses = trials.map((t) => t.measures['loss'] ?? Infinity);
  return { trials, spread: spread(trials.map((t) => t.measures)), best: losses.indexOf(Math.min(...losses)) };
}
