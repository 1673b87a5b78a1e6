import { describe, expect, it } from 'vitest';
import { permutation, threefryWord0, threefryWord1, uniform } from '../../runtime/random.ts';

const block = (k0: number, k1: number, c0: number, c1: number) => [
  threefryWord0(k0, k1, c0, c1),
  threefryWord1(k0, k1, c0, c1),
];

describe('Threefry-2x32-20', () => {
  // Known-answer vectors published with Random123 (Salmon et al., 2011).
  it('gives the published answer for zeros', () => {
    expect(block(0, 0, 0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
  });
  it('gives the published answer for ones', () => {
    expect(block(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff)).toEqual([0x1cb996fc, 0xbb002be7]);
  });
  it('gives the published answer for the digits of pi', () => {
    expect(block(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0]);
  });
});

describe('uniform', () => {
  it('stays in [0, 1) and is exact in f32', () => {
    expect(uniform(0)).toBe(0);
    expect(uniform(0xffffffff)).toBe(1 - 2 ** -24);
    expect(Math.fround(uniform(0xffffffff))).toBe(uniform(0xffffffff));
    expect(uniform(0x80000000)).toBe(0.5);
  });
  it('has the moments of the uniform distribution', () => {
    let sum = 0;
    let squares = 0;
    const n = 100_000;
    for (let i = 0; i < n; i++) {
      const u = uniform(threefryWord0(1, 2, i, 3));
      sum += u;
      squares += u * u;
    }
    // Four standard errors of the mean (sqrt(1/12/n)) and of the mean square (sqrt(4/45/n)).
    expect(Math.abs(sum / n - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(squares / n - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / n));
  });
});

describe('permutation', () => {
  it('holds every number once and repeats for a seed and stream', () => {
    const order = permutation(1000, 7, 0);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(permutation(1000, 7, 0)).toEqual(order);
    expect(permutation(1000, 7, 1)).not.toEqual(order);
    expect(permutation(1000, 8, 0)).not.toEqual(order);
    expect(permutation(1000, 7 + 2 ** 32, 0)).not.toEqual(order);
  });
  it('stays as it was written (runs repeat across versions)', () => {
    expect([...permutation(10, 0, 0)]).toMatchInlineSnapshot(`
      [
        6,
        0,
        7,
        5,
        3,
        2,
        4,
        8,
        9,
        1,
      ]
    `);
    expect([...permutation(0, 0, 0)]).toEqual([]);
    expect([...permutation(1, 0, 0)]).toEqual([0]);
  });
  it('gives the orders of three about equally often', () => {
    const counts = new Map<string, number>();
    const n = 6000;
    for (let stream = 0; stream < n; stream++) {
      const key = permutation(3, 5, stream).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let chi2 = 0;
    for (const count of counts.values()) chi2 += (count - n / 6) ** 2 / (n / 6);
    expect(counts.size).toBe(6);
    expect(chi2).toBeLessThan(20.5); // 99.9 % quantile of chi-square with 5 degrees of freedom
  });
});
