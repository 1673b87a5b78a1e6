/** What programs that use compiled modules may want beside them: training over data in memory, weights as files, and the types. */
export { decode, decodeAsync, type DecodeOptions, type EventualStreaming, type Streaming } from './decode.ts';
export { NncError, type NncErrorCode } from './errors.ts';
export {
  evaluateAll,
  evaluateEventually,
  fit,
  fold,
  rowsOf,
  split,
  type BatchReport,
  type Column,
  type Columns,
  type EpochReport,
  type EventualTrainable,
  type FitOptions,
  type FitResult,
  type FitState,
  type Metrics,
  type Trainable,
} from './fit.ts';
export {
  fitTrials,
  spread,
  type Spread,
  type Trial,
  type TrialResult,
  type TrialsOptions,
  type TrialsResult,
} from './trials.ts';
export { exportWeights, importWeights, type Imported } from './exchange.ts';
export { decodeCheckpoint, decodeWeights, encodeCheckpoint, encodeWeights, type DecodedWeights } from './files.ts';
export { Machine, type Bound, type GivenSizes, type Inputs, type Result } from './execute.ts';
export type { View } from './memory.ts';
export type * from './plan.ts';
export { dequantise, quantise, type Quantised } from './store.ts';
export { permutation } from './random.ts';
export type { Checkpoint, CreateOptions, Weights, WeightTensor } from './weights.ts';
