/** Representational similarity: numpy's numbers (test/fixtures/make_similarity.py), what each measure must not see, and chance. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { centered, symmetricEigenvalues, transposeProduct, zeros, type Matrix } from '../../analysis/matrix.ts';
import { Stream } from '../../analysis/random.ts';
import { holm, measures, prepare, similarities, type Measure } from '../../analysis/similarity.ts';

type Case = Readonly<Record<Measure, number>> & {
  readonly x: number[][];
  readonly y: number[][];
  readonly k: number;
  readonly eigenvalues: number[];
};
const cases = JSON.parse(readFileSync('test/fixtures/similarity.json', 'utf8')) as Case[];
const matrix = (rows: readonly (readonly number[])[]): Matrix => ({
  rows: rows.length,
  columns: rows[0]!.length,
  data: Float64Array.from(rows.flat()),
});
const normal = (stream: Stream, rows: number, columns: number): Matrix => {
  const out = zeros(rows, columns);
  out.data.forEach((_, i) => (out.data[i] = stream.normal()));
  return out;
};

describe('similarity', () => {
  cases.forEach((given, number) => {
    it(`agrees with numpy: case ${number}, ${given.x[0]!.length} and ${given.y[0]!.length} wide`, () => {
      const [x, y] = [prepare(matrix(given.x), given.k), prepare(matrix(given.y), given.k)];
      const found = similarities(x, y, new Stream(1, 1), { permutations: 0 });
      for (const measure of measures) expect(found[measure].value, measure).toBeCloseTo(given[measure], 6);
      const c = centered(matrix(given.x));
      const values = [...symmetricEigenvalues(transposeProduct(c, c))].sort((a, b) => a - b);
      values.forEach((v, i) => expect(v).toBeCloseTo(given.eigenvalues[i]!, 8));
    });
  });

  it('does not see rotation, scale and place', () => {
    const x = normal(new Stream(2, 1), 40, 2);
    const turned = zeros(40, 2);
    for (let i = 0; i < 40; i++) {
      const [a, b] = [x.data[2 * i]!, x.data[2 * i + 1]!];
      turned.data.set([5 + 3 * (0.6 * a - 0.8 * b), 3 * (0.8 * a + 0.6 * b) - 2], 2 * i);
    }
    const found = similarities(prepare(x, 5), prepare(turned, 5), new Stream(3, 1), { permutations: 99 });
    for (const measure of measures) {
      expect(found[measure].value, measure).toBeCloseTo(1, 9);
      expect(found[measure].calibrated, measure).toBeCloseTo(1, 9);
      expect(found[measure].p, measure).toBeCloseTo(0.01, 9);
    }
  });

  it('is at chance for unrelated representations: p is even, and only debiased CKA is 0 by itself', () => {
    const count = 40;
    const ps: Record<Measure, number[]> = { cka: [], cka_debiased: [], neighbours: [], procrustes: [] };
    let [biased, debiased, near] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const stream = new Stream(4, i);
      const [x, y] = [prepare(normal(stream, 30, 20), 5), prepare(normal(stream, 30, 25), 5)];
      const found = similarities(x, y, new Stream(5, i), { permutations: 39 });
      for (const measure of measures) ps[measure].push(found[measure].p);
      biased += found.cka.value / count;
      debiased += found.cka_debiased.value / count;
      near += found.neighbours.chance / count;
    }
    expect(biased).toBeGreaterThan(0.3);
    expect(Math.abs(debiased)).toBeLessThan(0.05);
    // k of n - 1 others are near by chance.
    expect(near).toBeCloseTo(5 / 29, 2);
    for (const measure of measures) {
      const small = ps[measure].filter((p) => p <= 0.1).length;
      expect(small, measure).toBeLessThanOrEqual(10);
      expect(ps[measure].filter((p) => p > 0.5).length, measure).toBeGreaterThanOrEqual(10);
    }
  });

  it('adjusts for many tests as Holm does', () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
  });
});
