/** The design's adversarial pair at its own size, on synthetic pictures: both objectives train. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate } from '../support/emitted.ts';

it('WGAN with a gradient penalty: the critic learns in every step, the generator in every fifth', async () => {
  const text = readFileSync('examples/design/wgan.nn', 'utf8').replace('lr: 1e-4', 'lr: 1e-3');
  const { artifacts, reports } = compile(text, { path: 'wgan.nn', only: 'WGAN', targets: ['wasm'] });
  expect(reports.filter((r) => r.severity === 'error')).toEqual([]);
  const net = await instantiate(artifacts.get('WGAN')!, 1, undefined, 'wasm');
  // A bright square at one of four places.
  const picture = (k: number, i: number): number => Number(i % 28 < 14 === (k & 1) > 0 && i < 392 === (k & 2) > 0);
  const real = Float32Array.from({ length: 64 * 784 }, (_, n) => picture(Math.floor(n / 784) % 4, n % 784));
  const [losses, generator]: [number[], number[]] = [[], []];
  for (let step = 1; step <= 30; step++) {
    const report = net.step({ real });
    losses.push(report['loss']!);
    generator.push(net.weights().get('Generator.linear.weight')!.data[0]!);
    expect(Number.isFinite(report['loss_Generator'])).toBe(true);
  }
  for (let step = 2; step <= 30; step++)
    expect(generator[step - 1] !== generator[step - 2], `step ${step}`).toBe(step % 5 === 0);
  // The critic tells pictures from noise: minus the distance falls well below 0 from about 10, the penalty of a flat critic.
  expect(losses[0]).toBeGreaterThan(5);
  expect(Math.min(...losses)).toBeLessThan(-2);
});
