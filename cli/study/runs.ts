/**
 * Trains one network many times on resampled rows and evaluates each on rows that it never saw. Training goes through the same loop as
 * `nnc train`; nothing here chooses anything by the test rows.
 */
import { Stream } from '../../analysis/random.ts';
import { allRows, apart, resample, type Scheme } from '../../analysis/resample.ts';
import type { Artifact } from '../../compiler/index.ts';
import { evaluateAll, fit, type Columns, type Metrics, type Trainable } from '../../runtime/fit.ts';
import { instantiate, translated, type NodeTarget, type ResultTensor } from '../artifact.ts';
import { refuse } from '../problems.ts';
import { countable, selectRows, type RunData } from '../train/data.ts';
import { trainable } from '../train/session.ts';

/** Streams of the seed: rows kept for testing, for validating, and one for each retraining. */
const streams = { test: 1, validation: 2, decomposition: 3, sets: 1000 } as const;

export const decompositionStream = (seed: number): Stream => new Stream(seed, streams.decomposition);

export interface Parts {
  /** Rows of the data that retrainings draw from. */
  readonly pool: Uint32Array;
  readonly validation: Uint32Array | null;
  readonly test: Uint32Array | null;
}

/** Test rows (where there is no test file) and validation rows are taken out first, once for the whole study. */
export function partsOf(rows: number, holdout: number | null, validation: number | null, seed: number): Parts {
  let pool = allRows(rows);
  let test: Uint32Array | null = null;
  let checked: Uint32Array | null = null;
  if (holdout !== null) ({ kept: pool, taken: test } = apart(pool, holdout, new Stream(seed, streams.test)));
  if (validation !== null)
    ({ kept: pool, taken: checked } = apart(pool, validation, new Stream(seed, streams.validation)));
  return { pool, validation: checked, test };
}

export interface RunsOptions {
  readonly target: NodeTarget;
  readonly epochs: number;
  readonly batch: number;
  readonly patience: number | null;
  readonly batchSize: string | null;
  readonly seed: number;
  readonly retrainings: number;
  readonly scheme: Scheme;
  /** Rows of each set. */
  readonly rows: number;
  /** One set of initial weights for all, so that only the rows differ. */
  readonly sameStart: boolean;
  readonly data: RunData;
  readonly parts: Parts;
  readonly test: { readonly data: RunData; readonly columns: Columns };
  /** The value of the train block whose numbers are kept for every test row; null: none. */
  readonly prediction: string | null;
  readonly onRun: (done: number) => Promise<boolean>;
}

export interface OneRun {
  readonly training: Metrics;
  readonly validation: Metrics | null;
  readonly test: Metrics;
  readonly lastTest: Metrics;
  readonly bestEpoch: number | null;
  readonly curves: { readonly training: number[]; readonly validation: number[]; readonly test: number[] };
  /** By test row. */
  readonly prediction: { readonly shape: readonly number[]; readonly data: Float64Array } | null;
}

/** Null when `onRun` asked to stop. */
export async function runs(artifact: Artifact, options: RunsOptions): Promise<OneRun[] | null> {
  const found: OneRun[] = [];
  for (let r = 0; r < options.retrainings; r++) {
    found.push(await oneRun(artifact, options, r).catch((error: unknown) => translated(artifact, error)));
    if (!(await options.onRun(r + 1))) return null;
  }
  return found;
}

async function oneRun(artifact: Artifact, options: RunsOptions, number: number): Promise<OneRun> {
  const { data, parts, test, batch, batchSize, seed } = options;
  const unit = await instantiate(artifact, options.target, options.sameStart ? seed : (seed + number) >>> 0);
  const learner = trainable(unit, data, batchSize);
  const examiner = trainable(unit, test.data, batchSize);
  // The n-th set is the same for every variant, so that variants differ by what is varied alone.
  const rows = resample(parts.pool, options.scheme, options.rows, new Stream(seed, streams.sets + number));
  const training = countable(selectRows(data.columns, rows));
  const validation = parts.validation === null ? null : selectRows(data.columns, parts.validation);
  if (artifact.plan.programs['validated'] !== undefined && validation === null)
    refuse('NN934', {
      reason: 'a schedule goes by the loss of validations, and there is none',
      advice: 'validate(split: 0.1) in the train block',
    });
  const examined = countable(test.columns);
  const exam = (): Metrics => evaluateAll(examiner, examined, batch)!;

  const curves = { training: [] as number[], validation: [] as number[], test: [] as number[] };
  const result = await fit(learner, training, {
    epochs: options.epochs,
    batch,
    seed: (seed + number) >>> 0,
    ...(options.patience === null ? {} : { patience: options.patience }),
    ...(validation === null ? {} : { validation }),
    onEpoch: (report) => {
      const loss = report.training['loss'] ?? NaN;
      if (!Number.isFinite(loss)) refuse('NN926', { epoch: report.epoch + 1, step: 0, kept: null, saved: 0 });
      curves.training.push(loss);
      if (report.validation !== null) curves.validation.push(report.validation['loss'] ?? NaN);
      curves.test.push(exam()['loss'] ?? NaN);
    },
  });
  const best = result.state.best;
  const keptTest = exam();
  const keptTraining = evaluateAll(learner, training, batch)!;
  const keptValidation = validation === null ? null : evaluateAll(learner, validation, batch);
  const prediction = options.prediction === null ? null : predict(examiner, examined, options.prediction, batch);
  // The weights at the end of training are in the state; the unit has the best ones.
  if (best !== null) learner.restore(result.state.checkpoint);
  return {
    training: keptTraining,
    validation: keptValidation,
    test: keptTest,
    lastTest: best === null ? keptTest : exam(),
    bestEpoch: best === null ? null : best.epoch + 1,
    curves,
    prediction,
  };
}

/** A value of `evaluate` for every row. */
function predict(unit: Trainable, columns: Columns, name: string, batch: number): OneRun['prediction'] {
  const [first] = Object.values(columns);
  const rows = first!.data.length / first!.shape.reduce((n, extent) => n * extent, 1);
  let shape: readonly number[] = [];
  const values: number[] = [];
  for (let from = 0; from < rows; from += batch) {
    const take = allRows(Math.min(batch, rows - from)).map((i) => i + from);
    const inputs = Object.fromEntries(Object.entries(selectRows(columns, take)).map(([key, { data }]) => [key, data]));
    const result = (unit.evaluate!(inputs) as Readonly<Record<string, unknown>>)[name];
    const tensor = result as ResultTensor;
    shape = tensor.shape.slice(1);
    for (const v of tensor.data) values.push(v);
  }
  return { shape, data: Float64Array.from(values) };
}
