/**
 * A training loop over data in memory, for Node and browsers: epochs in an order drawn from (seed, epoch), a smaller last batch, metrics weighted
 * by rows, validation with patience and the best weights kept, abort between steps, and a state from which training goes on bit for bit.
 *
 * It reads no clock and no file and prints nothing: what to show is for `onBatch` and `onEpoch`.
 */
import { NncError } from './errors.ts';
import type { View } from './memory.ts';
import type { Plan } from './plan.ts';
import { permutation } from './random.ts';
import type { Checkpoint, Weights, WeightTensor } from './weights.ts';

/** Rows of one input: `data` has rows × the product of `shape` elements. */
export interface Column {
  readonly data: View;
  /** Of one row; [] for a label. */
  readonly shape: readonly number[];
}

export type Columns = Readonly<Record<string, Column>>;

type Eventual<T> = T | Promise<T>;

/** What a compiled `train` is. */
export interface Trainable {
  step(inputs: Readonly<Record<string, View>>): Readonly<Record<string, unknown>>;
  evaluate?(inputs: Readonly<Record<string, View>>): Readonly<Record<string, unknown>>;
  weights(): Map<string, WeightTensor>;
  load(weights: Weights): void;
  checkpoint(): Checkpoint;
  restore(checkpoint: Checkpoint): void;
  /** Where schedules go by the loss of validations. */
  validated?(loss: number): void;
}

/** The same, at once or by promises, as on a GPU. */
export interface EventualTrainable {
  step(inputs: Readonly<Record<string, View>>): Eventual<Readonly<Record<string, unknown>>>;
  /** A step whose results nobody waits for. */
  enqueue?(inputs: Readonly<Record<string, View>>): void;
  evaluate?(inputs: Readonly<Record<string, View>>): Eventual<Readonly<Record<string, unknown>>>;
  weights(): Eventual<Map<string, WeightTensor>>;
  load(weights: Weights): void;
  checkpoint(): Eventual<Checkpoint>;
  restore(checkpoint: Checkpoint): void;
  /** Where schedules go by the loss of validations. */
  validated?(loss: number): void;
  /** Goes on from a checkpoint after the device was lost (an NncError with code NN542). */
  recover?(checkpoint: Checkpoint): Promise<void>;
}

/** Means over rows. */
export type Metrics = Readonly<Record<string, number>>;

export interface BatchReport {
  /** Both count from 0. */
  readonly epoch: number;
  readonly batch: number;
  readonly batches: number;
  /** Steps done in all. */
  readonly step: number;
  /** Of this batch. */
  readonly metrics: Metrics;
}

export interface EpochReport {
  readonly epoch: number;
  readonly training: Metrics;
  readonly validation: Metrics | null;
  /** Whether the validation loss is the least so far. */
  readonly best: boolean;
}

/** Where training stands. Plain data and typed arrays. */
export interface FitState {
  readonly epoch: number;
  /** The next batch of that epoch. */
  readonly batch: number;
  /** Metric × rows, summed over the epoch's batches so far. */
  readonly sums: Metrics;
  /** Rows of the epoch's steps so far that no metrics were read of; absent: none. */
  readonly unread?: number;
  readonly best: { readonly epoch: number; readonly loss: number; readonly weights: Weights } | null;
  readonly history: readonly EpochReport[];
  /** Program state, before the best weights were put back. */
  readonly checkpoint: Checkpoint;
}

export interface FitOptions {
  readonly epochs?: number;
  readonly batch?: number;
  /** A step goes through its batch in so many equal parts (`batch B = 64 in 4 parts`). */
  readonly parts?: number;
  /** Of the order of rows. 0 if left out. */
  readonly seed?: number;
  readonly shuffle?: boolean;
  readonly validation?: Columns;
  /** Epochs without a better validation loss after which to stop. */
  readonly patience?: number;
  readonly onBatch?: (report: BatchReport) => void | Promise<void>;
  readonly onEpoch?: (report: EpochReport) => void | Promise<void>;
  /** Training has gone back to `state`, since the device was lost; what followed is done again. */
  readonly onRecover?: (state: FitState, error: NncError) => void;
  /** Where a device can be lost: steps from one checkpoint (in memory) to the next. 200 if left out. */
  readonly keepEvery?: number;
  /**
   * On a GPU: results are read back every so many steps only, and at an epoch's end. A step that is read stands for those before it in the epoch's metrics, and is the only one
   * that `onBatch` is told of. 1 if left out.
   */
  readonly readEvery?: number;
  /** An AbortSignal, or anything with its `aborted`. */
  readonly signal?: { readonly aborted: boolean };
  readonly resume?: FitState;
}

export interface FitResult {
  readonly reason: 'finished' | 'patience' | 'aborted';
  readonly history: readonly EpochReport[];
  readonly state: FitState;
}

const wrong = (input: string, text: string): NncError => new NncError('NN537', input, [text]);

/** The number of rows that all columns have. */
export function rowsOf(columns: Columns): number {
  let rows = -1;
  let first = '';
  for (const [name, { data, shape }] of Object.entries(columns)) {
    const size = shape.reduce((n, extent) => n * extent, 1);
    const own = data.length / size;
    if (!Number.isInteger(own)) {
      throw wrong(name, `${name}: ${data.length} elements are no whole number of rows of [${shape.join(', ')}].`);
    }
    if (rows >= 0 && own !== rows) throw wrong(name, `${name} has ${own} rows, ${first} has ${rows}.`);
    [rows, first] = [own, name];
  }
  if (rows < 1) throw wrong('data', 'There are no rows of data.');
  return rows;
}

const rowSize = (column: Column): number => column.shape.reduce((n, extent) => n * extent, 1);

function emptyLike(data: View, length: number): View {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
}

/** Buffers for a batch of each length that occurs, and how to fill them. */
class Batcher {
  private readonly columns: Columns;
  private readonly buffers = new Map<number, Record<string, View>>();

  constructor(columns: Columns) {
    this.columns = columns;
  }

  /** The rows order[from … to). */
  take(order: Uint32Array, from: number, to: number): Readonly<Record<string, View>> {
    let batch = this.buffers.get(to - from);
    if (batch === undefined) {
      batch = {};
      for (const [name, column] of Object.entries(this.columns)) {
        batch[name] = emptyLike(column.data, (to - from) * rowSize(column));
      }
      this.buffers.set(to - from, batch);
    }
    for (const name in this.columns) {
      const column = this.columns[name]!;
      gather(batch[name]!, column.data, order, from, to, rowSize(column));
    }
    return batch;
  }
}

function gather(into: View, data: View, order: Uint32Array, from: number, to: number, size: number): void {
  let k = 0;
  for (let row = from; row < to; row++) {
    const start = order[row]! * size;
    for (let i = 0; i < size; i++) into[k++] = data[start + i]!;
  }
}

function inOrder(rows: number): Uint32Array {
  const order = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) order[i] = i;
  return order;
}

/** Adds rows × each number or truth value of `report`; tensors are passed over. */
function accumulate(sums: Record<string, number>, report: Readonly<Record<string, unknown>>, rows: number): void {
  for (const name in report) {
    const value = report[name];
    if (typeof value === 'number' || typeof value === 'boolean') sums[name] = (sums[name] ?? 0) + Number(value) * rows;
  }
}

const means = (sums: Metrics, rows: number): Metrics =>
  Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / rows]));

/** Metrics of `evaluate` over all rows, weighted by rows. Null if the unit does not evaluate. */
export function evaluateAll(unit: Trainable, columns: Columns, batch: number): Metrics | null {
  if (unit.evaluate === undefined) return null;
  const sums: Record<string, number> = {};
  const rows = rowsOf(columns);
  for (const [inputs, count] of inBatches(columns, rows, batch)) accumulate(sums, unit.evaluate(inputs), count);
  return means(sums, rows);
}

/** `evaluateAll` of what may answer by promises. */
export async function evaluateEventually(
  unit: EventualTrainable,
  columns: Columns,
  batch: number,
): Promise<Metrics | null> {
  if (unit.evaluate === undefined) return null;
  const sums: Record<string, number> = {};
  const rows = rowsOf(columns);
  for (const [inputs, count] of inBatches(columns, rows, batch)) {
    const given = unit.evaluate(inputs);
    accumulate(sums, given instanceof Promise ? await given : given, count);
  }
  return means(sums, rows);
}

function* inBatches(
  columns: Columns,
  rows: number,
  batch: number,
): Generator<[Readonly<Record<string, View>>, number]> {
  const order = inOrder(rows);
  const batcher = new Batcher(columns);
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(from + batch, rows);
    yield [batcher.take(order, from, to), to - from];
  }
}

/** The last `share` of the rows, after shuffling by `seed`, and the others. */
export function split(columns: Columns, share: number, seed: number): { training: Columns; validation: Columns } {
  const rows = rowsOf(columns);
  const count = Math.max(1, Math.round(rows * share));
  // A stream that no epoch uses.
  const order = permutation(rows, seed, 2 ** 31 - 1);
  const part = (from: number, to: number): Columns =>
    Object.fromEntries(
      Object.entries(columns).map(([name, column]) => {
        const data = emptyLike(column.data, (to - from) * rowSize(column));
        gather(data, column.data, order, from, to, rowSize(column));
        return [name, { data, shape: column.shape }];
      }),
    );
  if (count >= rows) throw wrong('split', `A split of ${share} leaves none of ${rows} rows to train on.`);
  return { training: part(0, rows - count), validation: part(rows - count, rows) };
}

/** No more rows than there are, and the same number in every part. */
export function batchOf(wanted: number, rows: number, parts: number): number {
  const most = Math.min(wanted, rows);
  return parts > 1 && most >= parts ? most - (most % parts) : most;
}

/** How many rows an epoch trains on: with steps in equal parts the last few may have to wait for the next epoch's order. */
export function trainedRows(parts: number, rows: number, batch: number): number {
  if (batch < parts)
    throw wrong('batch', `A batch of ${batch} does not go into ${parts} parts: there must be as many rows as parts.`);
  return rows - (rows % parts);
}

/**
 * The rows of fold number `k` of `folds`, for validation, and the others. Every row is in one fold; the same seed gives the same folds.
 */
export function fold(
  columns: Columns,
  folds: number,
  k: number,
  seed: number,
): { training: Columns; validation: Columns } {
  const rows = rowsOf(columns);
  if (!Number.isInteger(folds) || folds < 2 || folds > rows)
    throw wrong('folds', `${rows} rows do not go into ${folds} folds: from 2 to as many as there are rows.`);
  // The stream that `split` uses: no epoch does.
  const order = permutation(rows, seed, 2 ** 31 - 1);
  const [from, to] = [Math.floor((k * rows) / folds), Math.floor(((k + 1) * rows) / folds)];
  const pick = (which: Uint32Array): Columns =>
    Object.fromEntries(
      Object.entries(columns).map(([name, column]) => {
        const data = emptyLike(column.data, which.length * rowSize(column));
        gather(data, column.data, which, 0, which.length, rowSize(column));
        return [name, { data, shape: column.shape }];
      }),
    );
  const others = new Uint32Array(rows - (to - from));
  others.set(order.subarray(0, from));
  others.set(order.subarray(to), from);
  return { training: pick(others), validation: pick(order.slice(from, to)) };
}

/**
 * Trains. `epochs`, `batch` and `patience` come from the options, else from the unit's source (`plan.training`). Where there is validation, the
 * unit has the weights of the best epoch afterwards, unless it was aborted.
 */
export async function fit(
  unit: EventualTrainable & { readonly plan?: Plan },
  columns: Columns,
  options: FitOptions = {},
): Promise<FitResult> {
  const plan = unit.plan ?? (unit.constructor as { plan?: Plan }).plan;
  const said = plan?.training ?? null;
  if (plan?.programs['validated'] !== undefined && options.validation === undefined)
    throw wrong('validation', 'A schedule goes by the loss of validations: validate(split: 0.1), or give rows for it.');
  const rows = rowsOf(columns);
  const epochs = options.epochs ?? said?.epochs ?? 1;
  const parts = options.parts ?? said?.batch?.parts ?? 1;
  const batch = batchOf(options.batch ?? said?.batch?.value ?? 32, rows, parts);
  const patience = options.patience ?? said?.patience ?? Infinity;
  const { seed = 0, shuffle = true, validation, resume, signal } = options;
  if (!Number.isInteger(batch) || batch < 1)
    throw wrong('batch', `The batch must be a whole number from 1, not ${batch}.`);
  const trained = trainedRows(parts, rows, batch);
  const batches = Math.ceil(trained / batch);
  const batcher = new Batcher(columns);

  if (resume !== undefined) unit.restore(resume.checkpoint);
  let { best, history } = resume ?? { best: null, history: [] };
  let first = resume?.batch ?? 0;
  let sums: Record<string, number> = { ...resume?.sums };
  let unread = resume?.unread ?? 0;
  let step = resume?.checkpoint.step ?? 0;
  let epoch = resume?.epoch ?? 0;
  const stateAt = async (at: number, next: number): Promise<FitState> => ({
    epoch: at,
    batch: next,
    sums: { ...sums },
    ...(unread === 0 ? {} : { unread }),
    best,
    history,
    checkpoint: await unit.checkpoint(),
  });

  // Where to go back to. Kept only for what can be lost.
  const { keepEvery = 200, readEvery = 1 } = options;
  if (!Number.isInteger(readEvery) || readEvery < 1)
    throw wrong('readEvery', `readEvery must be a whole number from 1, not ${readEvery}.`);
  let safe: FitState | null = null;
  let losses = 0;
  const keep = async (next: number): Promise<void> => {
    if (unit.recover === undefined || safe?.checkpoint.step === step) return;
    safe = await stateAt(epoch, next);
    losses = 0;
  };

  /** The epochs that are left, from wherever training stands. */
  const advance = async (): Promise<FitResult | null> => {
    for (; epoch < epochs && !exhausted(best, epoch, patience); epoch++) {
      const order = shuffle ? permutation(rows, seed, epoch) : inOrder(rows);
      for (let b = first; b < batches; b++) {
        if (signal?.aborted === true) return { reason: 'aborted', history, state: await stateAt(epoch, b) };
        if (unit.recover !== undefined && (b === first || step % keepEvery === 0)) await keep(b);
        const from = b * batch;
        const to = Math.min(from + batch, trained);
        const inputs = batcher.take(order, from, to);
        unread += to - from;
        if (unit.enqueue !== undefined && b + 1 < batches && (b + 1) % readEvery !== 0) {
          unit.enqueue(inputs);
          step++;
          continue;
        }
        const given = unit.step(inputs);
        const report = given instanceof Promise ? await given : given;
        accumulate(sums, report, unread);
        unread = 0;
        step++;
        if (options.onBatch !== undefined) {
          const own: Record<string, number> = {};
          accumulate(own, report, 1);
          const waiting = options.onBatch({ epoch, batch: b, batches, step, metrics: own });
          if (waiting !== undefined) await waiting;
        }
      }
      const checked = validation === undefined ? null : await evaluateEventually(unit, validation, batch);
      const loss = checked?.['loss'];
      const better = loss !== undefined && (best === null || loss < best.loss);
      // Before anything of the epoch is settled: what follows cannot fail.
      const weights = better ? await unit.weights() : null;
      if (loss !== undefined) unit.validated?.(loss);
      first = 0;
      if (better) best = { epoch, loss, weights: weights! };
      const report: EpochReport = { epoch, training: means(sums, trained), validation: checked, best: better };
      history = [...history, report];
      sums = {};
      if (options.onEpoch !== undefined) {
        const waiting = options.onEpoch(report);
        if (waiting !== undefined) await waiting;
      }
    }
    return null;
  };

  for (;;) {
    try {
      const aborted = await advance();
      if (aborted !== null) return aborted;
      const state = await stateAt(epoch, 0);
      if (best !== null) unit.load(best.weights);
      return { reason: epoch < epochs ? 'patience' : 'finished', history, state };
    } catch (error) {
      // A device that is lost again and again at the same place will not be found by trying.
      const back = safe as FitState | null;
      if (!isLost(error) || unit.recover === undefined || back === null || ++losses > 3) throw error;
      await unit.recover(back.checkpoint);
      ({ epoch, best, history, batch: first } = back);
      sums = { ...back.sums };
      unread = back.unread ?? 0;
      ({ step } = back.checkpoint);
      options.onRecover?.(back, error);
    }
  }
}

/** By name: every emitted module has an NncError of its own. */
const isLost = (error: unknown): error is NncError =>
  error instanceof Error && error.name === 'NncError' && (error as NncError).code === 'NN542';

const exhausted = (best: FitState['best'], epoch: number, patience: number): boolean =>
  best !== null && epoch - 1 - best.epoch >= patience;
