/** Figures: whole SVG documents, the same text every time, with what was asked for in them. */
import { describe, expect, it } from 'vitest';
import { figure, heatMaps, levelLines } from '../../cli/report/figure.ts';

const wellFormed = (svg: string): void => {
  const open = [...svg.matchAll(/<(g|svg|text|style|clipPath|title)\b[^>]*(?<!\/)>/g)].map((m) => m[1]);
  const shut = [...svg.matchAll(/<\/(\w+)>/g)].map((m) => m[1]);
  for (const name of new Set([...open, ...shut]))
    if (name !== 'path')
      expect(shut.filter((n) => n === name).length, name).toBe(open.filter((n) => n === name).length);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
};

describe('figures', () => {
  const panels = [
    {
      title: 'a < b',
      x: { label: 'width', log: true },
      y: { label: 'error' },
      curves: [
        {
          name: 'test',
          color: 0,
          points: [
            [1, 2],
            [10, 0.5],
            [100, NaN],
          ] as const,
          band: [
            [1, 1, 3],
            [10, 0.2, 1],
          ] as const,
        },
        {
          name: 'train',
          color: 1,
          points: [
            [1, 1],
            [100, 0.1],
          ] as const,
          dashed: true,
          style: 'both' as const,
        },
      ],
      marks: [{ x: 10, label: 'best' }],
    },
  ];
  it('are documents with light and dark colours, escaped text and a legend', () => {
    const svg = figure(panels, { title: 'errors' });
    wellFormed(svg);
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg).toContain('a &lt; b');
    expect(svg).toContain('>test</text>');
    expect(svg).toContain('>100</text>');
    expect(figure(panels, { title: 'errors' })).toBe(svg);
  });
  it('draw heat maps with numbers, empty cells and two hues', () => {
    const svg = heatMaps(
      [
        {
          title: 'alike',
          rows: ['a', 'b'],
          columns: ['long name', 'b'],
          values: [
            [1, null],
            [-0.5, 0.25],
          ],
          format: (v) => v.toFixed(2),
        },
      ],
      { title: 'maps' },
    );
    wellFormed(svg);
    expect(svg.match(/class="(cell|negative)"/g)).toHaveLength(3);
    expect(svg).toContain('-0.50');
  });
  it('find level lines where they are', () => {
    const circle = levelLines((x, y) => x * x + y * y, [-2, 2], [-2, 2], [1]);
    expect(circle.length).toBeGreaterThan(50);
    for (const [a, b, c, d] of circle) {
      expect(Math.hypot(a, b)).toBeCloseTo(1, 1);
      expect(Math.hypot(c, d)).toBeCloseTo(1, 1);
    }
  });
});
