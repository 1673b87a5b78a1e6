/** All prose of the lints. */
import type { LintProblems } from '../families/lint.ts';
import type { ProseTable } from '../problem.ts';
import { lintIdleProse } from './lint-idle.ts';
import { lintMeaningProse } from './lint-meaning.ts';
import { lintTrainingProse } from './lint-training.ts';
import { lintUnusualProse } from './lint-unusual.ts';

export const lintProse: ProseTable<LintProblems> = {
  ...lintMeaningProse,
  ...lintTrainingProse,
  ...lintUnusualProse,
  ...lintIdleProse,
};
