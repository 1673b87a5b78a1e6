/**
 * Wrong programs, each with the codes and lines that must be reported, nothing else. The rendered reports are in `golden/`.
 * Most are mistakes that people make in other systems; there, many of them run.
 */
import type { Wrong } from './wrong/case.ts';
import { wrongNames } from './wrong/names.ts';
import { wrongShapes } from './wrong/shapes.ts';

export const wrong: readonly Wrong[] = [...wrongShapes, ...wrongNames];
