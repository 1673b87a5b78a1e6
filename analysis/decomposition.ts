/**
 * The decomposition of the expected squared error of a learner at fixed test inputs (Geman, Bienenstock and Doursat, 1992):
 *
 *     E (y - f_D(x))^2  =  (f*(x) - E f_D(x))^2  +  E (f_D(x) - E f_D(x))^2  +  E (y - f*(x))^2
 *                                  bias^2                    variance                  noise
 *
 * over training sets D, targets y and inputs x. It is estimated from R networks trained on resampled sets, and K targets for each input:
 *
 *     variance   mean over x of s_f^2, the unbiased variance of the networks' outputs
 *     noise      known, or the variance of repeated targets within inputs, pooled: sum of squares over sum of (K - 1)
 *     bias^2     mean over x of (mean y - mean f)^2 - noise / K - s_f^2 / R: the square of a difference of means is too large by their variances
 *
 * The three are taken from one half of the networks and of the targets. The error is measured on the other half, so that the sum and the
 * measured error are independent: with the same half they would agree by algebra whatever the numbers are. Both, and their difference, have
 * intervals by the bootstrap over inputs and over networks (Efron and Tibshirani, 1993); variances are rescaled by R / (R - 1) there, since a
 * bootstrap sample of R repeats networks. The interval of the difference, which decides, is Student's: the bootstrap's standard deviation times
 * the quantile of t for as many degrees as the smaller half has networks to spare. Percentiles of so few would be too narrow.
 *
 * With one target an input, and no known noise, bias^2 and noise cannot be told apart; then their sum is given.
 */
import type { Stream } from './random.ts';
import { percentiles, studentQuantile, variance, type Estimate } from './statistics.ts';

export interface DecompositionInput {
  /** By network: outputs of all inputs, `width` numbers each. */
  readonly predictions: readonly Float64Array[];
  /** By input: its targets, `width` numbers each. */
  readonly targets: readonly (readonly Float64Array[])[];
  readonly width: number;
  /** Squared errors of an input's outputs are added up, or averaged. */
  readonly over: 'sum' | 'mean';
  /** The noise, in the units of the error, where it is known. */
  readonly noise: number | null;
}

export interface Decomposition {
  readonly inputs: number;
  readonly networks: number;
  /** Targets that estimated the parts, and others that measured the error; the same ones where there is only one for each input. */
  readonly targets: { readonly parts: number; readonly measured: number; readonly shared: boolean };
  /** Null where only `unseparated` is known. */
  readonly bias: Estimate | null;
  readonly noise: Estimate | null;
  /** bias^2 + noise. */
  readonly unseparated: Estimate;
  readonly variance: Estimate;
  readonly sum: Estimate;
  /** On other networks (and other targets, where there are) than the parts. */
  readonly measured: Estimate;
  readonly difference: Estimate;
  /** The interval of sum - measured holds 0. */
  readonly adds: boolean;
}

/** What is needed of every input, so that a bootstrap round is sums over small arrays. */
interface Prepared {
  readonly a: readonly Float64Array[];
  readonly b: readonly Float64Array[];
  /** By input: mean target of the first half, their number, sum of squares about it, and the second half's targets. */
  readonly center: readonly Float64Array[];
  readonly count: readonly number[];
  readonly squares: readonly number[];
  readonly others: readonly (readonly Float64Array[])[];
}

interface Parts {
  readonly bias: number;
  readonly noise: number;
  readonly variance: number;
  readonly measured: number;
}

export function decompose(input: DecompositionInput, stream: Stream, rounds = 1000, confidence = 0.95): Decomposition {
  const { predictions, targets, width } = input;
  if (predictions.length < 4)
    throw new RangeError('a decomposition needs four networks: two for the parts and two for the error');
  const scale = input.over === 'mean' ? 1 / width : 1;
  const half = Math.ceil(predictions.length / 2);
  const shared = targets.every((own) => own.length < 2);
  const split = targets.map((own) => {
    if (own.length === 0) throw new RangeError('an input without a target');
    const order = [...stream.permutation(own.length)].map((i) => own[i]!);
    // An odd one helps to estimate the noise. Inputs with a single target give it to both where all are single, else to the parts alone.
    const first = order.slice(0, Math.ceil(own.length / 2));
    return { first, second: shared ? first : order.slice(first.length) };
  });
  const centers = split.map(({ first }) => {
    const center = new Float64Array(width);
    for (const y of first) for (let d = 0; d < width; d++) center[d]! += y[d]! / first.length;
    return center;
  });
  const prepared: Prepared = {
    a: predictions.slice(0, half),
    b: predictions.slice(half),
    center: centers,
    count: split.map(({ first }) => first.length),
    squares: split.map(
      ({ first }, i) => first.reduce((sum, y) => sum + squared(y, 0, centers[i]!, 0, width), 0) * scale,
    ),
    others: split.map(({ second }) => second),
  };
  const known = input.noise ?? (prepared.count.some((n) => n > 1) ? null : NaN);
  const n = targets.length;
  const straight = (length: number): Uint32Array => Uint32Array.from({ length }, (_, i) => i);
  const at = (xs: Uint32Array, as: Uint32Array, bs: Uint32Array, correct: boolean): Parts =>
    partsOf(prepared, xs, as, bs, width, scale, known, correct);
  const value = at(straight(n), straight(half), straight(prepared.b.length), false);

  const samples: Parts[] = [];
  for (let r = 0; r < rounds; r++) {
    const draw = (length: number): Uint32Array => Uint32Array.from({ length }, () => stream.below(length));
    samples.push(at(draw(n), draw(half), draw(prepared.b.length), true));
  }
  const estimate = (of: (p: Parts) => number): Estimate => ({
    mean: of(value),
    ...percentiles(samples.map(of).filter(Number.isFinite), confidence),
  });
  const separated = known === null || Number.isFinite(known);
  // Without a separate noise `bias` holds both.
  const both = (p: Parts): number => (separated ? p.bias + p.noise : p.bias);
  const gap = (p: Parts): number => both(p) + p.variance - p.measured;
  const few = Math.min(half, prepared.b.length);
  const spread = Math.sqrt(variance(samples.map(gap).filter(Number.isFinite)) * (few / (few - 1)));
  const reach = studentQuantile(0.5 + confidence / 2, few - 1) * spread;
  const difference = { mean: gap(value), low: gap(value) - reach, high: gap(value) + reach };
  return {
    inputs: n,
    networks: predictions.length,
    targets: {
      parts: prepared.count.reduce((sum, k) => sum + k, 0),
      measured: prepared.others.reduce((sum, own) => sum + own.length, 0),
      shared,
    },
    bias: separated ? estimate((p) => p.bias) : null,
    noise: separated ? estimate((p) => p.noise) : null,
    unseparated: estimate(both),
    variance: estimate((p) => p.variance),
    sum: estimate((p) => both(p) + p.variance),
    measured: estimate((p) => p.measured),
    difference,
    adds: difference.low <= 0 && difference.high >= 0,
  };
}

function squared(a: Float64Array, fromA: number, b: Float64Array, fromB: number, width: number): number {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += (a[fromA + d]! - b[fromB + d]!) ** 2;
  return sum;
}

/** `known`: the noise; null to pool it from repeated targets; NaN where nothing tells it. */
function partsOf(
  { a, b, center, count, squares, others }: Prepared,
  xs: Uint32Array,
  as: Uint32Array,
  bs: Uint32Array,
  width: number,
  scale: number,
  known: number | null,
  correct: boolean,
): Parts {
  const networks = as.length;
  const middle = new Float64Array(width);
  let [distance, spread, fromTargets, pooled, freedom, error, measuredAt] = [0, 0, 0, 0, 0, 0, 0];
  for (const x of xs) {
    middle.fill(0);
    for (const r of as) for (let d = 0; d < width; d++) middle[d]! += a[r]![x * width + d]! / networks;
    let s = 0;
    for (const r of as) s += squared(a[r]!, x * width, middle, 0, width);
    spread += (s * scale) / (networks - 1);
    distance += squared(center[x]!, 0, middle, 0, width) * scale;
    fromTargets += 1 / count[x]!;
    pooled += squares[x]!;
    freedom += count[x]! - 1;
    if (others[x]!.length === 0) continue;
    let e = 0;
    for (const y of others[x]!) for (const r of bs) e += squared(b[r]!, x * width, y, 0, width);
    error += (e * scale) / (others[x]!.length * bs.length);
    measuredAt++;
  }
  const n = xs.length;
  const across = (spread / n) * (correct ? networks / (networks - 1) : 1);
  const noise = known ?? pooled / freedom;
  const raw = distance / n - across / networks;
  return {
    bias: Number.isNaN(noise) ? raw : raw - (noise * fromTargets) / n,
    noise,
    variance: across,
    measured: error / measuredAt,
  };
}
