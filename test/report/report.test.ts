import { describe, expect, it } from 'vitest';
import { lineChart, logTicks, niceTicks } from '../../cli/report/chart.ts';
import { renderReport, type RunRecord } from '../../cli/report/report.ts';
import { run } from './run.ts';

/** Names of elements in order of opening; throws where they do not nest. The few void ones of the page are known. */
function elements(html: string): string[] {
  const open: string[] = [];
  const all: string[] = [];
  for (const match of html
    .replace(/<!doctype html>|<style>[^]*?<\/style>/g, '')
    .matchAll(/<(\/?)([a-z0-9]+)((?:\s[^<>]*?)?)(\/?)>/gi)) {
    const [, close, name, , self] = match;
    if (close === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
    } else {
      all.push(name!);
      if (self !== '/' && name !== 'meta') open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`${open.join(' ')} stay open`);
  return all;
}

describe('renderReport', () => {
  const html = renderReport(run);
  it('is one well-formed page without script or links', () => {
    const names = elements(html);
    expect(names.filter((name) => name === 'svg').length).toBe(3);
    expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/);
    expect(html).toContain('prefers-color-scheme: dark');
  });
  it('draws as many points as there are epochs, for both lines', () => {
    expect(html.match(/class="line train" d="M[^"]*"/)![0].match(/[ML]/g)!.length).toBe(24);
    expect(html).toContain('<title>validation, epoch 3: 1.427</title>');
    expect(html).toContain('best: epoch 19');
    expect(html).toContain('stopped early');
  });
  it('tells the outcome and the figures of the kept weights', () => {
    expect(html).toContain('Stopped early after 24 of 40 epochs. The weights of epoch 19 were kept.');
    expect(html).toMatch(/<b>0\.9694<\/b><span>test accuracy/);
    expect(html).toMatch(/loss<\/th><td>0\.05444<\/td><td>0\.1465<\/td><td>0\.1412<\/td>/);
    expect(html).toContain('1,293 training, 144 validation, 360 test');
    expect(html).toContain('<td>1.48 MB</td>');
    expect(html).toContain('<tr class="best"><th scope="row">19</th>');
  });
  it('escapes every text', () => {
    const evil = '<b>"&\'';
    const hostile: RunRecord = {
      ...run,
      program: evil,
      train: evil,
      target: evil,
      started: evil,
      configuration: [[evil, evil]],
      epochs: run.epochs.map((epoch) => ({ ...epoch, train: { [evil]: 1 }, validation: { [evil]: 2 } })),
      test: { [evil]: 1 },
      warnings: [evil],
    };
    const page = renderReport(hostile);
    elements(page);
    expect(page).not.toContain('<b>"');
    expect(page).not.toContain(evil);
  });
  it('copes with runs that are short or broken', () => {
    const none: RunRecord = { ...run, epochs: [], best: null, end: 'interrupted', test: null };
    elements(renderReport(none));
    expect(renderReport(none)).toContain('Interrupted after 0 of 40 epochs.');
    const one: RunRecord = { ...run, epochs: run.epochs.slice(0, 1), best: null, end: 'finished' };
    elements(renderReport(one));
    expect(renderReport(one)).toContain('Trained for 1 epoch.');
    const broken: RunRecord = {
      ...run,
      best: null,
      end: 'diverged',
      test: null,
      epochs: run.epochs.map((epoch) => ({ ...epoch, train: { loss: null }, validation: null })),
    };
    elements(renderReport(broken));
    expect(renderReport(broken)).toContain('No finite values of loss.');
    for (const page of [none, one, broken].map(renderReport)) expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('axes', () => {
  it('have ticks at round numbers that enclose the values', () => {
    expect(niceTicks(0.03, 2.3, 5)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
    expect(niceTicks(0.17, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(niceTicks(-3, 12, 5)).toEqual([-5, 0, 5, 10, 15]);
    expect(niceTicks(0.9671, 0.9689, 5)).toEqual([0.967, 0.9675, 0.968, 0.9685, 0.969]);
    for (const [low, high] of [
      [0, 1],
      [1e-9, 3e-9],
      [1234, 98765],
      [-1, -0.5],
      [7, 7],
      [0, 0],
    ] as const) {
      // prettier-ignore
      const ticks = niceTicks(low, high, 5);
      expect(ticks[0]!).toBeLessThanOrEqual(low);
      expect(ticks.at(-1)!).toBeGreaterThanOrEqual(high);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThan(9);
    }
  });
  it('are logarithmic over two decades and more', () => {
    expect(logTicks(0.02, 3)).toEqual([0.01, 0.1, 1, 10]);
    expect(logTicks(0.2, 30)).toEqual([0.1, 1, 10, 100]);
    expect(logTicks(1, 100)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    const chart = lineChart({
      title: 'loss',
      series: [{ name: 'a', kind: 'plain', points: [1, 0.1, 0.01, 0.001].map((y, i) => ({ x: i, y })) }],
      format: String,
      marks: [],
    });
    expect(chart).toContain('logarithmic');
    // Equal factors are equal distances.
    const ys = [...chart.matchAll(/cy="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(ys[1]! - ys[0]!).toBeCloseTo(ys[2]! - ys[1]!, 1);
  });
  it('leave a gap where a value is missing', () => {
    const chart = lineChart({
      title: 'loss',
      series: [{ name: 'a', kind: 'plain', points: [1, 2, null, 3, 4].map((y, x) => ({ x, y })) }],
      format: String,
      marks: [],
    });
    expect(/d="([^"]*)"/.exec(chart)![1]!.replace(/[\d. ]/g, '')).toBe('MLML');
  });
});
