/** The prose of the checker's problems: sizes and shapes in one file, names, roles and calls in another. */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { namesProse } from './check-names.ts';
import { shapesProse } from './check-shapes.ts';

export const checkProse: ProseTable<CheckProblems> = { ...shapesProse, ...namesProse };
