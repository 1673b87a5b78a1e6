/**
 * One training run: the loop of the runtime with what a command line adds, which is progress, checkpoints on disk, Ctrl-C, and a stop when the
 * loss is no number any more. It decides nothing about learning; `runtime/fit.ts` does.
 */
import type { Artifact } from '../../compiler/index.ts';
import {
  fit,
  type Columns,
  type EpochReport,
  type EventualTrainable,
  type FitState,
  type Metrics,
  type Trainable,
} from '../../runtime/fit.ts';
import { translated, type EventualInstance, type Inputs, type Instance } from '../artifact.ts';
import { writeFile } from '../files.ts';
import type { Io } from '../io.ts';
import type { EpochRecord } from '../report/record.ts';
import type { Progress } from '../terminal/progress.ts';
import { encodeSaved, type RunFacts, type Saved } from './checkpoint.ts';
import { countable, type RunData } from './data.ts';

export interface SessionOptions {
  readonly epochs: number;
  readonly batch: number;
  readonly patience: number | null;
  readonly seed: number;
  /** Rows to train on, and rows never trained on. */
  readonly training: Columns;
  readonly validation: Columns | null;
  readonly rows: number;
  /** Equal parts of a step's batch. */
  readonly parts: number;
  readonly readEvery: number;
  readonly checkpointPath: string;
  readonly facts: RunFacts;
  readonly resume: Saved | null;
  readonly progress: Progress;
}

export interface SessionResult {
  readonly end: 'finished' | 'early' | 'interrupted' | 'diverged';
  readonly epochs: readonly EpochRecord[];
  readonly best: FitState['best'];
  readonly seconds: number;
  /** Where the loss was no number. */
  readonly diverged: { readonly epoch: number; readonly step: number } | null;
}

/** Between two looks at waiting events, and between two checkpoints within an epoch: milliseconds. */
const breath = 25;
const saveEvery = 60_000;

/**
 * An instance as the loop takes it: inputs that are given whole are added to every call, and the sizes of the data, since the length of an
 * array alone does not tell B and T of `[B, T + 1]`.
 */
export function trainable(unit: Instance, data: RunData, batch: string | null): Trainable;
export function trainable(unit: EventualInstance, data: RunData, batch: string | null): EventualTrainable;
export function trainable(
  unit: EventualInstance,
  { whole, columns, sizes }: RunData,
  batch: string | null,
): EventualTrainable {
  const given: Record<string, number> = Object.fromEntries(sizes);
  const [first] = Object.entries(columns);
  const size = first === undefined ? 1 : first[1].shape.reduce((n, extent) => n * extent, 1);
  const told = (inputs: Inputs): Record<string, number> => {
    if (batch !== null && first !== undefined) given[batch] = inputs[first[0]]!.length / size;
    return given;
  };
  return {
    step: (inputs) => unit.step({ ...inputs, ...whole }, told(inputs)),
    ...(unit.enqueue === undefined
      ? {}
      : { enqueue: (inputs: Inputs) => unit.enqueue!({ ...inputs, ...whole }, told(inputs)) }),
    evaluate: (inputs) => unit.evaluate({ ...inputs, ...whole }, told(inputs)),
    weights: () => unit.weights(),
    load: (weights) => unit.load(weights),
    checkpoint: () => unit.checkpoint(),
    restore: (checkpoint) => unit.restore(checkpoint),
    ...(unit.validated === undefined ? {} : { validated: unit.validated.bind(unit) }),
    ...(unit.recover === undefined ? {} : { recover: unit.recover.bind(unit) }),
  };
}

export async function trainSession(
  io: Io,
  artifact: Artifact,
  unit: EventualTrainable,
  options: SessionOptions,
): Promise<SessionResult> {
  const { batch, rows, progress, resume } = options;
  const begun = io.now();
  const epochs: EpochRecord[] = [...(resume?.epochs ?? [])];
  const signal = { aborted: false };
  let interrupted = false;
  let diverged: SessionResult['diverged'] = null;
  let best = resume?.state.best ?? null;
  let history: readonly EpochReport[] = resume?.state.history ?? [];
  let sums: Record<string, number> = { ...resume?.state.sums };
  /** Rows of the epoch that `sums` has. */
  let counted = resume === null ? 0 : resume.state.batch * batch - (resume.state.unread ?? 0);
  let epochBegun = begun;
  let breathed = begun;
  let savedAt = begun;
  const elapsed = () => (resume?.seconds ?? 0) + (io.now() - begun) / 1000;

  const save = (state: FitState) => {
    writeFile(io, options.checkpointPath, encodeSaved({ state, facts: options.facts, epochs, seconds: elapsed() }));
    savedAt = io.now();
  };
  /** As the loop would give it. */
  const stateAt = async (epoch: number, next: number): Promise<FitState> => ({
    epoch,
    batch: next,
    sums,
    best,
    history,
    checkpoint: await unit.checkpoint(),
  });

  const release = io.onInterrupt(() => {
    if (interrupted) {
      progress.finish();
      io.abort(130);
    }
    interrupted = true;
    signal.aborted = true;
    progress.say('stopping after this step and saving; Ctrl-C again stops at once');
  });
  try {
    const result = await fit(unit, countable(options.training), {
      epochs: options.epochs,
      batch,
      parts: options.parts,
      readEvery: options.readEvery,
      seed: options.seed,
      signal,
      ...(options.patience === null ? {} : { patience: options.patience }),
      ...(options.validation === null ? {} : { validation: options.validation }),
      ...(resume === null ? {} : { resume: resume.state }),
      onRecover: (state, error) => {
        sums = { ...state.sums };
        counted = state.batch * batch - (state.unread ?? 0);
        progress.say(`${error.problems.join(' ')} Going on from step ${state.checkpoint.step} on another.`);
      },
      onBatch: async ({ epoch, batch: index, step, metrics }) => {
        const done = Math.min((index + 1) * batch, rows);
        // The loop's own sums, kept along so that a checkpoint can be written between its epochs.
        for (const name in metrics) sums[name] = (sums[name] ?? 0) + metrics[name]! * (done - counted);
        counted = done;
        if (!Number.isFinite(metrics['loss'] ?? 0)) {
          diverged ??= { epoch: epoch + 1, step };
          signal.aborted = true;
          return;
        }
        const now = io.now();
        progress.step(done, means(sums, done));
        if (now - savedAt > saveEvery) save(await stateAt(epoch, index + 1));
        if (now - breathed < breath) return;
        breathed = now;
        return io.pause();
      },
      onEpoch: async (report) => {
        sums = {};
        counted = 0;
        if (diverged !== null) return;
        const seconds = (io.now() - epochBegun) / 1000;
        epochBegun = io.now();
        history = [...history, report];
        const loss = report.validation?.['loss'];
        if (report.best && loss !== undefined) best = { epoch: report.epoch, loss, weights: await unit.weights() };
        epochs.push({
          epoch: report.epoch + 1,
          seconds,
          rowsPerSecond: rows / Math.max(1e-9, seconds),
          train: finite(report.training),
          validation: report.validation === null ? null : finite(report.validation),
        });
        progress.epoch(report.training, report.validation, report.best);
        save(await stateAt(report.epoch + 1, 0));
        return io.pause();
      },
    });
    if (diverged !== null) {
      if (best !== null) unit.load(best.weights);
      return { end: 'diverged', epochs, best, seconds: elapsed(), diverged };
    }
    if (result.reason === 'aborted') {
      save(result.state);
      if (best !== null) unit.load(best.weights);
    }
    const end = result.reason === 'aborted' ? 'interrupted' : result.reason === 'patience' ? 'early' : 'finished';
    return { end, epochs, best, seconds: elapsed(), diverged: null };
  } catch (error) {
    return translated(artifact, error);
  } finally {
    release();
    progress.finish();
  }
}

const means = (sums: Metrics, rows: number): Metrics =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / rows]));

export const finite = (values: Metrics): Record<string, number | null> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number.isFinite(value) ? value : null]));
