/** The decomposition of the error against worlds whose bias, variance and noise are known, and the statistics that it stands on. */
import { describe, expect, it } from 'vitest';
import { decompose, type DecompositionInput } from '../../analysis/decomposition.ts';
import { Stream } from '../../analysis/random.ts';
import { allRows, apart, resample } from '../../analysis/resample.ts';
import {
  mean,
  meanWithInterval,
  normalQuantile,
  quantile,
  studentQuantile,
  variance,
} from '../../analysis/statistics.ts';

/** At x the truth is 0, networks say bias + normal of variance `spread`, targets are normal of variance `noise`. */
function world(
  stream: Stream,
  { bias = 0.5, spread = 0.2, noise = 0.3, networks = 20, inputs = 40, repeats = 6, width = 1 },
): DecompositionInput {
  const values = (count: number, of: () => number): Float64Array => Float64Array.from({ length: count }, of);
  return {
    predictions: Array.from({ length: networks }, () =>
      values(inputs * width, () => bias + Math.sqrt(spread) * stream.normal()),
    ),
    targets: Array.from({ length: inputs }, () =>
      Array.from({ length: repeats }, () => values(width, () => Math.sqrt(noise) * stream.normal())),
    ),
    width,
    over: 'mean',
    noise: null,
  };
}

describe('decomposition', () => {
  it('is unbiased in all its parts: means over 150 worlds', () => {
    const parts = Array.from({ length: 150 }, (_, i) =>
      decompose(world(new Stream(1, i), { networks: 8 }), new Stream(2, i), 1),
    );
    const error = (of: (d: (typeof parts)[number]) => number): number => {
      const values = parts.map(of);
      return Math.sqrt(variance(values) / values.length);
    };
    const near = (of: (d: (typeof parts)[number]) => number, truth: number): void => {
      expect(Math.abs(mean(parts.map(of)) - truth)).toBeLessThan(4 * error(of));
    };
    near((d) => d.bias!.mean, 0.25);
    near((d) => d.variance.mean, 0.2);
    near((d) => d.noise!.mean, 0.3);
    near((d) => d.measured.mean, 0.75);
    near((d) => d.difference.mean, 0);
  });

  it('has intervals that hold the difference 0, and the error, about as often as they say', () => {
    const worlds = Array.from({ length: 100 }, (_, i) => decompose(world(new Stream(3, i), {}), new Stream(4, i), 200));
    expect(worlds.filter(({ adds }) => adds).length).toBeGreaterThanOrEqual(85);
    const covered = worlds.filter(({ measured }) => measured.low <= 0.75 && measured.high >= 0.75);
    expect(covered.length).toBeGreaterThanOrEqual(85);
  });

  it('holds with few networks that differ in quality, as trained ones do', () => {
    const worlds = Array.from({ length: 100 }, (_, i) => {
      const input = world(new Stream(11, i), { networks: 8 });
      const draw = new Stream(12, i);
      const uneven = input.predictions.map((values) => {
        const [scale, shift] = [Math.exp(0.5 * draw.normal()), 0.3 * draw.normal()];
        return values.map((v) => scale * v + shift);
      });
      return decompose({ ...input, predictions: uneven }, new Stream(13, i), 200);
    });
    expect(worlds.filter(({ adds }) => adds).length).toBeGreaterThanOrEqual(85);
  });

  it('shows a noise that is claimed and not so', () => {
    const right = decompose({ ...world(new Stream(5, 1), { inputs: 200 }), noise: 0.3 }, new Stream(6, 1), 200);
    expect(right.adds).toBe(true);
    expect(right.noise).toEqual({ mean: 0.3, low: 0.3, high: 0.3 });
    // The noise cancels between its own term and the bias where targets repeat little; with six it does not.
    const wrong = decompose({ ...world(new Stream(5, 1), { inputs: 200 }), noise: 0.9 }, new Stream(6, 1), 200);
    expect(wrong.adds).toBe(false);
  });

  it('gives bias and noise together where nothing separates them', () => {
    const worlds = Array.from({ length: 60 }, (_, i) =>
      decompose(world(new Stream(7, i), { repeats: 1, inputs: 100 }), new Stream(8, i), 100),
    );
    for (const { bias, noise, targets } of worlds)
      expect({ bias, noise, shared: targets.shared }).toEqual({ bias: null, noise: null, shared: true });
    const covered = worlds.filter(({ unseparated: { low, high } }) => low <= 0.55 && high >= 0.55);
    expect(covered.length).toBeGreaterThanOrEqual(50);
    expect(worlds.filter(({ adds }) => adds).length).toBeGreaterThanOrEqual(50);
  });

  it('adds or averages over outputs', () => {
    const input = world(new Stream(9, 1), { width: 3 });
    const average = decompose(input, new Stream(1, 1), 1);
    const total = decompose({ ...input, over: 'sum' }, new Stream(1, 1), 1);
    expect(total.sum.mean).toBeCloseTo(3 * average.sum.mean, 10);
    expect(total.measured.mean).toBeCloseTo(3 * average.measured.mean, 10);
  });

  it('refuses fewer than four networks', () => {
    expect(() => decompose(world(new Stream(1, 1), { networks: 3 }), new Stream(1, 1))).toThrow(/four networks/);
  });
});

describe('rows', () => {
  it('are taken apart without overlap, and drawn with or without repetition', () => {
    const { kept, taken } = apart(allRows(100), 0.2, new Stream(1, 1));
    expect([kept.length, taken.length]).toEqual([80, 20]);
    expect(new Set([...kept, ...taken]).size).toBe(100);
    const boot = resample(kept, 'bootstrap', 80, new Stream(1, 2));
    expect(boot).toHaveLength(80);
    expect(new Set(boot).size).toBeLessThan(70);
    expect([...boot].every((row) => kept.includes(row))).toBe(true);
    const some = resample(kept, 'subset', 30, new Stream(1, 2));
    expect(new Set(some).size).toBe(30);
    expect(resample(kept, 'subset', 30, new Stream(1, 2))).toEqual(some);
    expect(() => resample(kept, 'subset', 81, new Stream(1, 2))).toThrow(RangeError);
  });
});

describe('statistics', () => {
  it('quantiles of the normal and of t, by tables', () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959964, 5);
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232, 5);
    for (const [freedom, value] of [
      [1, 12.7062],
      [2, 4.30265],
      [3, 3.18245],
      [5, 2.57058],
      [19, 2.09302],
      [60, 2.0003],
    ] as const)
      expect(Math.abs(studentQuantile(0.975, freedom) / value - 1)).toBeLessThan(0.01);
  });
  it('means, variances, quantiles', () => {
    expect(variance([1, 2, 3, 4])).toBeCloseTo(5 / 3, 12);
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75);
    const { mean: m, low, high } = meanWithInterval([1, 2, 3, 4], 0.95);
    expect(m).toBe(2.5);
    expect(high - m).toBeCloseTo(3.18245 * Math.sqrt(5 / 12), 1);
    expect(low).toBeCloseTo(2 * m - high, 12);
  });
});
