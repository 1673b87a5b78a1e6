/**
 * Remakes the figures of docs/learn/, all of them or those named. Each is drawn from what compiled programs compute, or from the record of a run; none
 * by hand.
 *
 *   npx tsc -p scripts && node dist/scripts/figures.js [--quick] [name …]
 *
 * `--quick` makes those that take seconds.
 */
import { approximation } from './figures/approximation.ts';
import { convergence } from './figures/convergence.ts';
import { activations, losses } from './figures/functions.ts';
import { convolutional, features, recurrent } from './figures/networks.ts';
import { chinese, languageModels, translation } from './figures/text.ts';
import { optimizers, schedules } from './figures/optimizers.ts';
import { positions } from './figures/positions.ts';
import { biasVariance, earlyStopping, regularisation } from './figures/studies.ts';

interface FigureOf {
  readonly make: () => Promise<void>;
  /** Made in seconds. */
  readonly quick: boolean;
}

const figures: Readonly<Record<string, FigureOf>> = {
  activations: { make: activations, quick: true },
  losses: { make: losses, quick: true },
  optimizers: { make: optimizers, quick: true },
  positions: { make: positions, quick: true },
  schedules: { make: schedules, quick: true },
  'bias-variance': { make: biasVariance, quick: false },
  regularisation: { make: regularisation, quick: false },
  approximation: { make: approximation, quick: false },
  convolutional: { make: convolutional, quick: false },
  features: { make: features, quick: false },
  recurrent: { make: recurrent, quick: false },
  convergence: { make: convergence, quick: false },
  'language-models': { make: languageModels, quick: false },
  translation: { make: translation, quick: false },
  chinese: { make: chinese, quick: false },
  'early-stopping': { make: earlyStopping, quick: false },
};

const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith('--'));
const strange = wanted.find((name) => figures[name] === undefined);
if (strange !== undefined) throw new Error(`no figure ${strange}; there are ${Object.keys(figures).join(', ')}`);
for (const [name, { make, quick }] of Object.entries(figures)) {
  if (wanted.length > 0 ? wanted.includes(name) : quick || !words.includes('--quick')) await make();
}
