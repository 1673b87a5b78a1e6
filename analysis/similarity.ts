/**
 * How alike two representations of the same rows are. A representation is a matrix, one row an input, one column a number that a network
 * computes for it; the two may have different widths, and each measure is blind to rotation and to the scale of the whole.
 *
 *     cka         linear centred kernel alignment (Kornblith et al., 2019): |Y'X|^2 / (|X'X| |Y'Y|) of centred columns, between 0 and 1. It grows with
 *                 the widths alone when rows are few
 *     cka_debiased the same from the unbiased estimator of HSIC (Song et al., 2012): 0 on average for unrelated representations
 *     neighbours  mutual k nearest neighbours (Huh et al., 2024): the mean share of an input's k nearest, by cosine, that both agree on
 *     procrustes  orthogonal Procrustes (Schönemann, 1966; Ding et al., 2021): |X'Y|_* / (|X| |Y|) of centred columns, which is 1 - d^2 / 2 for the distance d
 *                 after the best rotation of normalised representations
 *
 * Each is held against its chance level by permutations: with the rows of Y in random order nothing but size and shape is left. p is the share of
 * permutations that come as far, counting the observed one (Phipson and Smyth, 2010).
 */
import { centered, frobenius, gram, inner, nuclearNorm, transposeProduct, zeros, type Matrix } from './matrix.ts';
import type { Stream } from './random.ts';

export const measures = ['cka', 'cka_debiased', 'neighbours', 'procrustes'] as const;
export type Measure = (typeof measures)[number];

export interface Similarity {
  readonly value: number;
  /** Mean over permutations. */
  readonly chance: number;
  /** (value - chance) / (1 - chance): 0 at chance, 1 for the same. */
  readonly calibrated: number;
  readonly p: number;
}

export type Similarities = Readonly<Record<Measure, Similarity>>;

/** What a measure needs of one representation, made once. */
export interface Prepared {
  readonly rows: number;
  readonly centered: Matrix;
  readonly norm: number;
  /** Doubly centred Gram matrix, and the U-centred one without diagonal. */
  readonly kernel: Matrix;
  readonly unbiased: Matrix;
  /** By row: its neighbours, and whether a row is among them. */
  readonly neighbours: readonly Uint32Array[];
  readonly near: readonly Uint8Array[];
}

export function prepare(x: Matrix, k: number): Prepared {
  const c = centered(x);
  const kernel = gram(c);
  const neighbours = nearest(x, k);
  return {
    rows: x.rows,
    centered: c,
    norm: frobenius(c),
    kernel,
    unbiased: uCentered(gram(x)),
    neighbours,
    near: neighbours.map((own) => {
      const flags = new Uint8Array(x.rows);
      for (const j of own) flags[j] = 1;
      return flags;
    }),
  };
}

/** Székely and Rizzo's (2014) U-centring: without diagonal, rows and columns add up to 0. */
function uCentered(k: Matrix): Matrix {
  const n = k.rows;
  const out = zeros(n, n);
  const sums = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) if (i !== j) sums[i]! += k.data[i * n + j]!;
    total += sums[i]!;
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      out.data[i * n + j] = k.data[i * n + j]! - (sums[i]! + sums[j]!) / (n - 2) + total / ((n - 1) * (n - 2));
    }
  }
  return out;
}

/** The k nearest other rows by cosine, of centred columns; ties by row number. */
function nearest(x: Matrix, k: number): Uint32Array[] {
  const c = centered(x);
  for (let i = 0; i < c.rows; i++) {
    let size = 0;
    for (let j = 0; j < c.columns; j++) size += c.data[i * c.columns + j]! ** 2;
    const scale = size > 0 ? 1 / Math.sqrt(size) : 0;
    for (let j = 0; j < c.columns; j++) c.data[i * c.columns + j]! *= scale;
  }
  const g = gram(c);
  return Array.from({ length: c.rows }, (_, i) => {
    const own = g.data.subarray(i * c.rows, (i + 1) * c.rows);
    const others = Array.from({ length: c.rows }, (_v, j) => j).filter((j) => j !== i);
    others.sort((a, b) => own[b]! - own[a]! || a - b);
    return Uint32Array.from(others.slice(0, k));
  });
}

/** Sum over i, j of a[i, j] b[order i, order j]. */
function permutedInner(a: Matrix, b: Matrix, order: Uint32Array): number {
  const n = a.rows;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const from = order[i]! * n;
    for (let j = 0; j < n; j++) sum += a.data[i * n + j]! * b.data[from + order[j]!]!;
  }
  return sum;
}

function permutedRows(a: Matrix, order: Uint32Array): Matrix {
  const out = zeros(a.rows, a.columns);
  order.forEach((row, i) => out.data.set(a.data.subarray(row * a.columns, (row + 1) * a.columns), i * a.columns));
  return out;
}

/** The share of neighbours that agree, with row i of the second standing for order[i]. */
function agreement(a: Prepared, b: Prepared, order: Uint32Array): number {
  const back = new Uint32Array(order.length);
  order.forEach((row, i) => (back[row] = i));
  let shared = 0;
  let all = 0;
  for (let i = 0; i < a.rows; i++) {
    const near = a.near[i]!;
    const other = b.neighbours[order[i]!]!;
    for (const j of other) shared += near[back[j]!]!;
    all += other.length;
  }
  return shared / all;
}

export interface SimilarityOptions {
  readonly permutations: number;
}

export function similarities(a: Prepared, b: Prepared, stream: Stream, options: SimilarityOptions): Similarities {
  if (a.rows !== b.rows) throw new RangeError(`representations of ${a.rows} and of ${b.rows} rows`);
  const orders = Array.from({ length: options.permutations }, () => stream.permutation(a.rows));
  const straight = Uint32Array.from({ length: a.rows }, (_, i) => i);
  const kernels = frobenius(a.kernel) * frobenius(b.kernel);
  const unbiased = Math.sqrt(Math.abs(inner(a.unbiased, a.unbiased) * inner(b.unbiased, b.unbiased)));
  const by: Readonly<Record<Measure, (order: Uint32Array) => number>> = {
    cka: (order) => permutedInner(a.kernel, b.kernel, order) / kernels,
    cka_debiased: (order) => permutedInner(a.unbiased, b.unbiased, order) / unbiased,
    neighbours: (order) => agreement(a, b, order),
    procrustes: (order) =>
      nuclearNorm(transposeProduct(a.centered, permutedRows(b.centered, order))) / (a.norm * b.norm),
  };
  const test = (measure: Measure): Similarity => {
    const value = by[measure](straight);
    let [sum, reached] = [0, 0];
    for (const order of orders) {
      const at = by[measure](order);
      sum += at;
      // Equal up to rounding counts as reached.
      if (at >= value - 1e-12) reached++;
    }
    const chance = orders.length === 0 ? NaN : sum / orders.length;
    return { value, chance, calibrated: (value - chance) / (1 - chance), p: (reached + 1) / (orders.length + 1) };
  };
  return {
    cka: test('cka'),
    cka_debiased: test('cka_debiased'),
    neighbours: test('neighbours'),
    procrustes: test('procrustes'),
  };
}

/** Holm's (1979) adjustment for several tests at once, in the order given. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a]! - ps[b]!);
  const out = new Array<number>(ps.length);
  let least = 0;
  order.forEach((at, rank) => {
    least = Math.max(least, Math.min(1, (ps.length - rank) * ps[at]!));
    out[at] = least;
  });
  return out;
}
