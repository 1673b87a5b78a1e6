/**
 * Makes the data of examples/bias-variance.nn and examples/optimizers.nn.
 *
 * For the first y = sin(2 x) + x / 2 + noise, for x in [-2, 2], noise normal with variance 0.09. 1,000 rows to draw
 * training sets from; 60 places with 6 values each to test on, so that the noise can be told from the bias. For the second y = tanh(1.2 x) + noise of
 * variance 0.04, for 64 x in [-3, 3].
 *
 *   npx tsc -p scripts && node dist/scripts/noisy-curve.js
 */
import { writeFileSync } from 'node:fs';
import { Stream } from '../analysis/random.ts';

const f = (x: number): number => Math.sin(2 * x) + x / 2;
const noise = 0.3;
const draw = new Stream(20, 1);
const line = (x: number): string => `${x.toFixed(4)},${(f(Number(x.toFixed(4))) + noise * draw.normal()).toFixed(4)}`;

const rows = Array.from({ length: 1000 }, () => line(4 * draw.uniform() - 2));
const places = Array.from({ length: 60 }, (_, i) => -2 + (4 * (i + 0.5)) / 60);
const tests = places.flatMap((x) => Array.from({ length: 6 }, () => line(x)));
writeFileSync('examples/data/bias-variance-train.csv', `x.0,y.0\n${rows.join('\n')}\n`);
writeFileSync('examples/data/bias-variance-test.csv', `x.0,y.0\n${tests.join('\n')}\n`);

const steep = new Stream(21, 1);
const points = Array.from({ length: 64 }, () => {
  const x = 6 * steep.uniform() - 3;
  return `${x.toFixed(4)},${(Math.tanh(1.2 * x) + 0.2 * steep.normal()).toFixed(4)}`;
});
writeFileSync('examples/data/optimizers.csv', `x,y\n${points.join('\n')}\n`);

// For examples/approximation.nn: places only, evenly over [-2, 2].
const even = Array.from({ length: 640 }, (_, i) => (-2 + (4 * (i + 0.5)) / 640).toFixed(6));
writeFileSync('examples/data/approximation.csv', `x.0\n${even.join('\n')}\n`);
