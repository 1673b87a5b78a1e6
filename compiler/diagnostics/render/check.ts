/** The prose of the checker's problems, by topic. */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { broadcastProse } from './check-broadcast.ts';
import { equationsProse } from './check-equations.ts';
import { namesProse } from './check-names.ts';
import { rolesProse } from './check-roles.ts';
import { shapesProse } from './check-shapes.ts';

export const checkProse: ProseTable<CheckProblems> = {
  ...shapesProse,
  ...equationsProse,
  ...broadcastProse,
  ...rolesProse,
  ...namesProse,
};
