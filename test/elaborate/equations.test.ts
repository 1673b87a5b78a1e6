/** Index equations mean what they say: every form against loops written by hand. */
import { describe, expect, it } from 'vitest';
import { runModel } from '../support/program.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);
const table = (n: number, m: number, f: (i: number, j: number) => number): number[][] =>
  range(n).map((i) => range(m).map((j) => f(i, j)));
const x34 = table(3, 4, (i, j) => i * 4 + j * j - 3);

const out = (text: string, inputs: Record<string, unknown>): unknown => Object.values(runModel(text, inputs))[0];

describe('reads', () => {
  it('transposes, merges and splits', () => {
    const text = `model M(x: float[A, 6]) -> float[3, 2 * A] {
      let y[j, (k a)] = x[a, (k: 2 j)]
      return y
    }`
      .replace('(k: 2 j)', '(k j)')
      .replace('let y[j, (k a)]', 'let y[j: 3, (k a)]');
    const x = table(2, 6, (i, j) => 10 * i + j);
    expect(out(text, { x })).toEqual(
      range(3).map((j) => range(2).flatMap((k) => range(2).map((a) => x[a]![k * 3 + j]!))),
    );
  });
  it('shifts with a constant fill', () => {
    expect(
      out(
        'model M(x: float[A, 4]) -> float[A, 4] { let y[a, j] = x[a, j - 1] else 7\n return y }'.replace(
          'y[a, j]',
          'y[a, j: 4]',
        ),
        { x: x34 },
      ),
    ).toEqual(x34.map((r) => [7, r[0], r[1], r[2]]));
  });
  it('strides, dilates and reverses', () => {
    const x = range(9).map((i) => i * i);
    expect(out('model M(x: float[9]) -> float[4, 2] { let y[i: 4, p: 2] = x[2 * i + p]\n return y }', { x })).toEqual(
      range(4).map((i) => range(2).map((p) => x[2 * i + p])),
    );
    expect(out('model M(x: float[N]) -> float[N] { let y[i: N] = x[N - 1 - i]\n return y }', { x })).toEqual(
      [...x].reverse(),
    );
  });
  it('takes constants and the last position', () => {
    expect(
      out('model M(x: float[A, T]) -> float[A] { let y[a] = x[a, 0] + 100 * x[a, T - 1]\n return y }', { x: x34 }),
    ).toEqual(x34.map((r) => r[0]! + 100 * r[3]!));
  });
  it('halves by floor', () => {
    const x = [5, 6, 7];
    expect(out('model M(x: float[3]) -> float[6] { let y[i: 6] = x[floor(i / 2)]\n return y }', { x })).toEqual([
      5, 5, 6, 6, 7, 7,
    ]);
  });
  it('reads a diagonal', () => {
    const x = table(3, 3, (i, j) => 10 * i + j);
    expect(out('model M(x: float[N, N]) -> float[N] { let y[i] = x[i, i]\n return y }', { x })).toEqual([0, 11, 22]);
  });
  it('gathers rows and one element a row', () => {
    const id = [
      [2, 0],
      [1, 1],
    ];
    expect(
      out(
        'model M(x: float[3, 4], id: i32[B, T] < 3) -> float[B, T, 4] { let y[b, t, d] = x[id[b, t], d]\n return y }',
        { x: x34, id },
      ),
    ).toEqual(id.map((r) => r.map((k) => x34[k])));
    expect(
      out('model M(x: float[B, 4], id: i32[B] < 4) -> float[B] { let y[b] = x[b, id[b]]\n return y }', {
        x: x34,
        id: [3, 0, 2],
      }),
    ).toEqual([x34[0]![3], x34[1]![0], x34[2]![2]]);
  });
  it('prepends by else', () => {
    const text =
      'model M(x: float[B, 2], c: float[2]) -> float[B + 1, 2] { let y[b: B + 1, d] = x[b - 1, d] else c[d]\n return y }';
    expect(
      out(text, {
        x: [
          [1, 2],
          [3, 4],
        ],
        c: [8, 9],
      }),
    ).toEqual([
      [8, 9],
      [1, 2],
      [3, 4],
    ]);
  });
});

describe('reductions', () => {
  it('sums, means, products and extrema over some axes', () => {
    for (const [op, f] of [
      ['sum', (r: number[]) => r.reduce((a, b) => a + b, 0)],
      ['mean', (r: number[]) => r.reduce((a, b) => a + b, 0) / r.length],
      ['prod', (r: number[]) => r.reduce((a, b) => a * b, 1)],
      ['max', (r: number[]) => Math.max(...r)],
      ['min', (r: number[]) => Math.min(...r)],
      ['argmax', (r: number[]) => r.indexOf(Math.max(...r))],
    ] as const) {
      const type = op === 'argmax' ? 'i32[A]' : 'float[A]';
      expect(
        out(`model M(x: float[A, 4]) -> ${type} { let y[a] = ${op}[j] x[a, j]\n return y }`, { x: x34 }),
        op,
      ).toEqual(x34.map(f));
    }
  });
  it('contracts, also with three factors, numbers and what is not summed', () => {
    const w = table(2, 4, (i, j) => i - j);
    const v = [1, -1, 2, 0];
    expect(
      out(
        'model M(x: float[A, 4], w: float[2, 4], v: float[4]) -> float[A, 2] { let y[a, o] = sum[d] x[a, d] * w[o, d] * v[d] / 2\n return y }',
        { x: x34, w, v },
      ),
    ).toEqual(x34.map((r) => w.map((u) => r.reduce((s, q, d) => s + (q * u[d]! * v[d]!) / 2, 0))));
  });
  it('convolves with padding', () => {
    const w = [1, 10, 100];
    const x = [1, 2, 3, 4];
    expect(
      out(
        'model M(x: float[4], w: float[3]) -> float[4] { let y[i: 4] = sum[p] w[p] * (x[i + p - 1] else 0)\n return y }',
        { x, w },
      ),
    ).toEqual(range(4).map((i) => range(3).reduce((s, p) => s + w[p]! * (x[i + p - 1] ?? 0), 0)));
  });
  it('sums under a guard', () => {
    expect(
      out('model M(x: float[A, 4]) -> float[A] { let y[a] = sum[j where j % 2 == 1] x[a, j]\n return y }', { x: x34 }),
    ).toEqual(x34.map((r) => r[1]! + r[3]!));
    expect(
      out(
        'model M(x: float[A, 4], n: i32[A] < 5) -> float[A] { let y[a] = mean[j where j < n[a]] x[a, j]\n return y }',
        { x: x34, n: [1, 2, 4] },
      ),
    ).toEqual([1, 2, 4].map((n, a) => x34[a]!.slice(0, n).reduce((s, q) => s + q, 0) / n));
  });
  it('scatters by a guard', () => {
    const text = (op: string, tail = ''): string =>
      `model M(x: float[E], to: i32[E] < N, n: float[N]) -> float[N] { let y[n: N] = ${op}[e where to[e] == n] x[e]${tail}\n return y }`.replaceAll(
        'n: float[N]',
        'z: float[N]',
      );
    const inputs = { x: [1, 2, 4, 8], to: [2, 0, 2, 0], z: [0, 0, 0] };
    expect(out(text('sum'), inputs)).toEqual([10, 0, 5]);
    expect(out(text('max', ' else -1'), inputs)).toEqual([8, -1, 4]);
  });
  it('reduces prefixes', () => {
    const x = [3, 1, 4, 1, 5];
    const y = (guard: string): unknown =>
      out(`model M(x: float[T]) -> float[T] { let y[t: T] = sum[s: T where ${guard}] x[s]\n return y }`, { x });
    expect(y('s <= t')).toEqual([3, 4, 8, 9, 14]);
    expect(y('s < t')).toEqual([0, 3, 4, 8, 9]);
    expect(y('s >= t')).toEqual([14, 11, 10, 6, 5]);
    expect(y('t < s')).toEqual([11, 10, 6, 5, 0]);
    expect(
      out('model M(x: float[T]) -> float[T] { let y[t: T] = max[s: T where s <= t] x[s]\n return y }', { x }),
    ).toEqual([3, 3, 4, 4, 5]);
  });
  it('softmax and logsumexp, masked rows included', () => {
    const close = (a: unknown, b: number[][]): void => {
      (a as number[][]).forEach((r, i) => r.forEach((v, j) => expect(v).toBeCloseTo(b[i]![j]!, 12)));
    };
    const soft = (r: number[]): number[] => {
      const m = Math.max(...r);
      const e = r.map((v) => (m === -Infinity ? 0 : Math.exp(v - m)));
      const s = e.reduce((p, q) => p + q, 0);
      return e.map((v) => (s === 0 ? 0 : v / s));
    };
    close(
      out('model M(x: float[A, 4]) -> float[A, 4] { let y[a, j] = softmax[j] x[a, j]\n return y }', { x: x34 }),
      x34.map(soft),
    );
    close(
      out(
        'model M(x: float[A, 4], n: i32[A] < 5) -> float[A, 4] { let y[a, j] = softmax[j where j < n[a]] x[a, j]\n return y }',
        { x: x34, n: [2, 0, 4] },
      ),
      [2, 0, 4].map((n, a) => soft(x34[a]!.map((v, j) => (j < n ? v : -Infinity)))),
    );
    expect(
      out(
        'model M(x: float[A, 4], n: i32[A] < 5) -> float[A] { let y[a] = logsumexp[j where j < n[a]] x[a, j]\n return y }',
        { x: x34, n: [0, 1, 1] },
      ),
    ).toEqual([-Infinity, x34[1]![0], x34[2]![0]]);
  });
  it('any and all', () => {
    expect(
      out(
        'model M(x: float[A, 4]) -> bool[A] { let y[a] = any[j] x[a, j] > 12\n return y }'.replace(
          'any[j] x[a, j] > 12',
          'any[j] (x[a, j] > 12)',
        ),
        { x: x34 },
      ),
    ).toEqual(x34.map((r) => r.some((v) => v > 12)));
  });
});

describe('where and else', () => {
  it('selects, and takes no gradient where it is undefined', () => {
    const text = `model M(x: float[4]) -> float[4] {
      let y[i] = log(x[i]) where x[i] > 0 else 0
      let g = grad(sum(y), wrt: x)
      return g
    }`;
    expect(out(text, { x: [-1, 0, 2, 4] })).toEqual([0, 0, 0.5, 0.25]);
  });
  it('rotates by nested reads', () => {
    const text = `model M(x: float[6]) -> float[6] { let y[e: 6] = -x[e + 3] else x[e - 3]\n return y }`;
    expect(out(text, { x: [1, 2, 3, 4, 5, 6] })).toEqual([-4, -5, -6, 1, 2, 3]);
  });
});

describe('masks', () => {
  it('apply by name and compose', () => {
    const text = `mask near(size: int)(q, k) = abs(q - k) < size
    model M(x: float[B, T], length: i32[B] < T + 1) -> float[B, T] {
      let keep = near(2)
      let y[b, t: T] = sum[s where causal(q: t, k: s) and keep(q: t, k: s) and padding(length)(b, k: s)] x[b, s]
      return y
    }`;
    const x = table(2, 4, (i, j) => 10 * i + j + 1);
    const length = [4, 2];
    expect(out(text, { x, length })).toEqual(
      x.map((r, b) =>
        range(4).map((t) =>
          r.reduce((sum, v, s) => (s <= t && Math.abs(t - s) < 2 && s < length[b]! ? sum + v : sum), 0),
        ),
      ),
    );
  });
});

describe('scan', () => {
  it('carries forward and backward, over sequences and counts', () => {
    const x = table(2, 3, (i, j) => i + 2 * j);
    const sums = x.map((r) => r.map((_, t) => r.slice(0, t + 1).reduce((a, b) => a + b, 0)));
    expect(
      out(
        'model M(x: float[B, T]) -> float[B, T] { return scan x_t over x along T { carry h: float[B] = 0\n h = h + x_t\n yield h } }',
        { x },
      ),
    ).toEqual(sums);
    const back = x.map((r) => r.map((_, t) => r.slice(t).reduce((a, b) => a + b, 0)));
    expect(
      out(
        'model M(x: float[B, T]) -> float[B, T] { return scan x_t over x along T reversed { carry h: float[B] = 0\n h = h + x_t\n yield h } }',
        { x },
      ),
    ).toEqual(back);
    const text = `model M(x: float[B]) -> float[B, 3] {
      let h = x
      scan n in 3 { h = h * 2
        yield out[b, n] = h[b] + n }
      let y[b, n] = out[b, n] + h[b]
      return y
    }`;
    expect(out(text, { x: [1, 10] })).toEqual([1, 10].map((v) => range(3).map((n) => v * 2 ** (n + 1) + n + v * 8)));
  });
});

describe('gradients in the language', () => {
  it('nest', () => {
    const text =
      'model M(x: float[3]) -> float[3] { let g = grad(sum(x ^ 3), wrt: x)\n return grad(sum(g * g), wrt: x) }';
    expect(out(text, { x: [1, 2, -1] })).toEqual([36, 288, -36]);
  });
  it('know a constant from its equals', () => {
    const text =
      'model M(x: float[2]) -> float[2] { let o[i: 2] = 0\n let p[i: 2] = 0\n let y = sum((x + o) ^ 2) + sum(p * 5)\n return grad(y, wrt: o) }';
    expect(out(text, { x: [1, 2] })).toEqual([2, 4]);
  });
});
