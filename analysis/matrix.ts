/** Small dense matrices, row-major in float64: what representational similarity needs, and no more. */

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export const zeros = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: new Float64Array(rows * columns),
});

/** Columns with their mean taken away. */
export function centered({ rows, columns, data }: Matrix): Matrix {
  const out = zeros(rows, columns);
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += data[i * columns + j]!;
    for (let i = 0; i < rows; i++) out.data[i * columns + j] = data[i * columns + j]! - sum / rows;
  }
  return out;
}

/** a' b */
export function transposeProduct(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.columns, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let p = 0; p < a.columns; p++) {
      const v = a.data[i * a.columns + p]!;
      if (v === 0) continue;
      const from = i * b.columns;
      const to = p * b.columns;
      for (let q = 0; q < b.columns; q++) out.data[to + q]! += v * b.data[from + q]!;
    }
  }
  return out;
}

/** a a' */
export function gram(a: Matrix): Matrix {
  const out = zeros(a.rows, a.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < a.columns; k++) sum += a.data[i * a.columns + k]! * a.data[j * a.columns + k]!;
      out.data[i * a.rows + j] = sum;
      out.data[j * a.rows + i] = sum;
    }
  }
  return out;
}

export const inner = (a: Matrix, b: Matrix): number => {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
};

export const frobenius = (a: Matrix): number => Math.sqrt(inner(a, a));

/**
 * Eigenvalues of a symmetric matrix: Householder's reduction to three diagonals, then QL with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson,
 * 1968; EISPACK's tred1 and tql1). In no particular order.
 */
export function symmetricEigenvalues(a: Matrix): Float64Array {
  const n = a.rows;
  const m = Float64Array.from(a.data);
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    let h = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(m[i * n + k]!);
    if (i === 1 || scale === 0) e[i] = m[i * n + i - 1]!;
    else {
      for (let k = 0; k < i; k++) {
        m[i * n + k]! /= scale;
        h += m[i * n + k]! ** 2;
      }
      const f = m[i * n + i - 1]!;
      const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      m[i * n + i - 1] = f - g;
      let sum = 0;
      for (let j = 0; j < i; j++) {
        let product = 0;
        for (let k = 0; k <= j; k++) product += m[j * n + k]! * m[i * n + k]!;
        for (let k = j + 1; k < i; k++) product += m[k * n + j]! * m[i * n + k]!;
        e[j] = product / h;
        sum += e[j]! * m[i * n + j]!;
      }
      const half = sum / (h + h);
      for (let j = 0; j < i; j++) {
        const u = m[i * n + j]!;
        const v = (e[j]! -= half * u);
        for (let k = 0; k <= j; k++) m[j * n + k]! -= u * e[k]! + v * m[i * n + k]!;
      }
    }
  }
  for (let i = 0; i < n; i++) d[i] = m[i * n + i]!;
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!;
  if (n > 0) e[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let round = 0; ; round++) {
      let k = l;
      for (; k < n - 1; k++) {
        const size = Math.abs(d[k]!) + Math.abs(d[k + 1]!);
        if (Math.abs(e[k]!) <= Number.EPSILON * size) break;
      }
      if (k === l) break;
      if (round === 60) throw new Error('eigenvalues do not converge: the matrix holds what is no number');
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      let r = Math.hypot(g, 1);
      g = d[k]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
      let [s, c, p] = [1, 1, 0];
      let i = k - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[k] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        r = (d[i]! - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
      }
      if (r === 0 && i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[k] = 0;
    }
  }
  return d;
}

/** The sum of the singular values, from the eigenvalues of the smaller Gram matrix. */
export function nuclearNorm(a: Matrix): number {
  const small = a.rows <= a.columns ? gram(a) : transposeProduct(a, a);
  return symmetricEigenvalues(small).reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}
