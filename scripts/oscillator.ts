/**
 * Makes examples/data/oscillator.csv: 1,024 places in [0, 2 pi) where examples/oscillator.nn asks its equation to hold. They are the van der
 * Corput sequence in base 2, which fills the interval evenly from any beginning and needs no generator.
 *
 *   npx tsc -p scripts && node dist/scripts/oscillator.js
 */
import { writeFileSync } from 'node:fs';

/** The digits of n in base 2, mirrored at the point. */
function mirrored(n: number): number {
  let value = 0;
  for (let rest = n, weight = 0.5; rest > 0; rest = Math.floor(rest / 2), weight /= 2) value += (rest % 2) * weight;
  return value;
}

const rows = Array.from({ length: 1024 }, (_, n) => (2 * Math.PI * mirrored(n)).toFixed(7));
writeFileSync('examples/data/oscillator.csv', `x.0\n${rows.join('\n')}\n`);
