/** Every lint, and every other code that has a level. */
import {
  attentionScale,
  attentionUnscaled,
  maskAxis,
  maskEmptiesRows,
  maskOfQueries,
  maskPolarity,
} from './attention.ts';
import { crossedAxes, flattenOrder, partOfAxis, swappedArguments } from './axes.ts';
import { copy, emptyRange, extremeOfOne, unusedDeclaration } from './idle.ts';
import { floatEquality, wholeAsFloat } from './kinds.ts';
import { initialiserFan, initialiserGain, linearLinear, logitsAsProbs, normOfOne } from './layers.ts';
import {
  axisNames,
  batchInFeatures,
  classOutOfRange,
  fixedRows,
  floorDivision,
  groupOrder,
  parameterByDataSize,
} from './layout.ts';
import { epsilonRange, rateRange } from './numbers.ts';
import type { Level, Lint } from './record.ts';
import { meanOfWeights, softmaxAxis, softmaxOfOne, softmaxOverBatch } from './softmax.ts';
import { causalUnmasked } from './causal.ts';
import { noGradient, unusedParameter } from './training.ts';
import {
  activationFirst,
  windowPlacement,
  rootBelowZero,
  stageTwice,
  sumOfInfinity,
  unreachedRows,
  unreadOutputs,
  weightsBeyondOne,
} from './unusual.ts';
import { oddWidth } from './widths.ts';

export const lints: readonly Lint[] = [
  batchInFeatures,
  groupOrder,
  parameterByDataSize,
  fixedRows,
  classOutOfRange,
  floorDivision,
  axisNames,
  softmaxOfOne,
  softmaxAxis,
  softmaxOverBatch,
  logitsAsProbs,
  maskAxis,
  maskPolarity,
  maskEmptiesRows,
  attentionScale,
  attentionUnscaled,
  maskOfQueries,
  noGradient,
  unusedParameter,
  linearLinear,
  normOfOne,
  rateRange,
  epsilonRange,
  initialiserGain,
  initialiserFan,
  meanOfWeights,
  causalUnmasked,
  sumOfInfinity,
  rootBelowZero,
  weightsBeyondOne,
  stageTwice,
  unreadOutputs,
  unreachedRows,
  activationFirst,
  windowPlacement,
  crossedAxes,
  partOfAxis,
  flattenOrder,
  swappedArguments,
  floatEquality,
  wholeAsFloat,
  copy,
  extremeOfOne,
  emptyRange,
  oddWidth,
  unusedDeclaration,
];

/** What the checker finds on its own and what is a matter of meaning, not of sizes: it takes part in levels. */
const ofTheChecker: readonly { readonly code: string; readonly name: string; readonly level: Level }[] = [
  { code: 'NN301', name: 'role', level: 'deny' },
  { code: 'NN302', name: 'perhaps-probs', level: 'warn' },
  { code: 'NN303', name: 'double-softmax', level: 'deny' },
  { code: 'NN304', name: 'log-of-softmax', level: 'warn' },
  { code: 'NN706', name: 'unused-let', level: 'warn' },
];

export const levelled: readonly { readonly code: string; readonly name: string; readonly level: Level }[] = [
  ...ofTheChecker,
  ...lints,
];

/** A code or a lint's name → the code; null where it has no level. */
export function codeOf(text: string): string | null {
  return levelled.find((l) => l.code === text || l.name === text)?.code ?? null;
}
