/**
 * Training on disk: one safetensors file with everything that going on bit for bit needs. Tensors: all leaves of the program by path, the best
 * weights so far behind `best:`. Metadata `state`: JSON with seed, step, place in the epoch, running sums, history.
 */
import { encodeWeights } from '../../runtime/files.ts';
import type { FitState } from '../../runtime/fit.ts';
import type { Plan } from '../../runtime/plan.ts';
import type { WeightTensor } from '../../runtime/weights.ts';
import type { Io } from '../io.ts';
import { refuse } from '../problems.ts';
import type { EpochRecord } from '../report/record.ts';
import { adopted, isWeight, misfit, readWeights } from '../weights.ts';

/** What must be the same for going on to mean anything, and what is only kept for the report. */
export interface RunFacts {
  readonly seed: number;
  /** Targets round differently: only the same one goes on bit for bit. */
  readonly target: string;
  readonly batch: number;
  readonly split: number | null;
  readonly rows: number;
  /** SHA-256 of the data and of the program's text. */
  readonly data: string;
  readonly program: string;
}

export interface Saved {
  readonly state: FitState;
  readonly facts: RunFacts;
  readonly epochs: readonly EpochRecord[];
  readonly seconds: number;
}

const bestPrefix = 'best:';

export function encodeSaved({ state, facts, epochs, seconds }: Saved): Uint8Array {
  const { checkpoint, best } = state;
  const tensors = new Map<string, WeightTensor>(checkpoint.tensors);
  for (const [path, tensor] of best?.weights ?? []) tensors.set(bestPrefix + path, tensor);
  const json = {
    seed: checkpoint.seed,
    step: checkpoint.step,
    epoch: state.epoch,
    batch: state.batch,
    sums: state.sums,
    best: best === null ? null : { epoch: best.epoch, loss: best.loss },
    history: state.history,
    facts,
    epochs,
    seconds,
  };
  return encodeWeights(tensors, {
    format: 'nnc',
    kind: 'checkpoint',
    version: '1',
    unit: checkpoint.unit,
    state: JSON.stringify(json, (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value,
    ),
  });
}

const advice = 'without --resume training begins anew';

/** Reads a checkpoint and sees that it belongs to this program and these data; otherwise the command ends. */
export function readSaved(
  io: Io,
  path: string,
  plan: Plan,
  facts: RunFacts,
): { readonly saved: Saved; readonly changed: readonly string[] } {
  const fail = (reason: string): never => refuse('NN925', { path, reason, advice });
  const { weights: all, metadata } = readWeights(io, path);
  if (metadata['kind'] !== 'checkpoint') return fail('it is no checkpoint of nnc');
  if (metadata['version'] !== '1') return fail(`it was written by another version of nnc (${metadata['version']})`);
  if (metadata['unit'] !== plan.name) return fail(`it is of ${metadata['unit']}, not of ${plan.name}`);
  const json = parsed(metadata['state'] ?? '');
  if (json === null) return fail('its state is damaged');

  const tensors = new Map<string, WeightTensor>();
  const bestWeights = new Map<string, WeightTensor>();
  for (const [name, tensor] of all) {
    if (name.startsWith(bestPrefix)) bestWeights.set(name.slice(bestPrefix.length), tensor);
    else tensors.set(name, tensor);
  }
  const wrong = misfit(plan, tensors, () => true) ?? (json.best === null ? null : misfit(plan, bestWeights, isWeight));
  if (wrong !== null) return refuse('NN924', { path, unit: plan.name, ...wrong });

  const was = json.facts;
  if (was.seed !== facts.seed) return fail(`it was trained with --seed ${was.seed}, not ${facts.seed}`);
  if (was.target !== facts.target) return fail(`it was trained on the target ${was.target}, not ${facts.target}`);
  if (was.batch !== facts.batch) return fail(`it was trained in batches of ${was.batch}, not ${facts.batch}`);
  if (was.split !== facts.split) return fail(`it held out ${was.split ?? 0} of the rows, not ${facts.split ?? 0}`);
  if (was.rows !== facts.rows) return fail(`it was trained on ${was.rows} rows, not ${facts.rows}`);
  const changed = [
    ...(was.program === facts.program ? [] : ['the program has changed since the checkpoint']),
    ...(was.data === facts.data ? [] : ['the data have changed since the checkpoint']),
  ];
  const state: FitState = {
    epoch: json.epoch,
    batch: json.batch,
    sums: json.sums,
    history: json.history,
    best: json.best === null ? null : { ...json.best, weights: adopted(plan, bestWeights) },
    checkpoint: { unit: plan.name, seed: json.seed, step: json.step, tensors: adopted(plan, tensors) },
  };
  return { saved: { state, facts: was, epochs: json.epochs, seconds: json.seconds }, changed };
}

interface SavedJson {
  readonly seed: number;
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
  readonly sums: FitState['sums'];
  readonly best: { readonly epoch: number; readonly loss: number } | null;
  readonly history: FitState['history'];
  readonly facts: RunFacts;
  readonly epochs: readonly EpochRecord[];
  readonly seconds: number;
}

/** The state as written by `encodeSaved`, or null: what was not is not trusted. */
function parsed(text: string): SavedJson | null {
  let value: unknown;
  try {
    value = JSON.parse(text, (_, v: unknown) => {
      if (!isRecord(v) || typeof v['number'] !== 'string' || Object.keys(v).length !== 1) return v;
      return Number(v['number']);
    });
  } catch {
    return null;
  }
  if (!isRecord(value) || !isRecord(value['facts']) || !isRecord(value['sums'])) return null;
  const whole = [value['seed'], value['step'], value['epoch'], value['batch']].every((n) => Number.isInteger(n));
  const lists = Array.isArray(value['history']) && Array.isArray(value['epochs']);
  const { best } = value;
  const bestGood =
    best === null || (isRecord(best) && Number.isInteger(best['epoch']) && typeof best['loss'] === 'number');
  if (!whole || !lists || !bestGood || typeof value['seconds'] !== 'number') return null;
  return value as unknown as SavedJson;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
