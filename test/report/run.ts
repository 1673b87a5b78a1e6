/** A made-up run with the usual curves: training falls, validation turns. */
import type { RunRecord } from '../../cli/report/record.ts';

export const run: RunRecord = {
  version: 1,
  program: 'digits.nn',
  train: 'Fit',
  target: 'wasm',
  started: '2026-01-02T03:04:05Z',
  seconds: 14.2,
  seed: 7,
  epochsPlanned: 40,
  rows: { train: 1293, validation: 144, test: 360 },
  parameters: 4810,
  memory: 1_482_752,
  configuration: [
    ['optimizer', 'Adam(lr: 3e-3)'],
    ['batch', '64'],
    ['validate', 'split: 0.1, patience: 5'],
  ],
  epochs: Array.from({ length: 24 }, (_, i) => ({
    epoch: i + 1,
    seconds: 0.59,
    rowsPerSecond: 2190 + 40 * Math.sin(i),
    train: { loss: 2.2 * Math.exp(-i / 4) + 0.03, accuracy: 1 - 0.8 * Math.exp(-i / 3) },
    validation: {
      loss: 2.2 * Math.exp(-i / 4) + 0.1 + 0.004 * Math.max(0, i - 10) + 0.01 * Math.sin(2 * i),
      accuracy: 0.97 - 0.8 * Math.exp(-i / 3) + 0.004 * Math.sin(3 * i),
    },
  })),
  best: { epoch: 19, measure: 'loss', value: 0.153 },
  end: 'early',
  test: { loss: 0.1412, accuracy: 0.9694 },
};
