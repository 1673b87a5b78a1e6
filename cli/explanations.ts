/** All codes and their prose: the compiler's and the command line's. */
import type { Code, Prose } from '../compiler/diagnostics/problem.ts';
import { prose } from '../compiler/diagnostics/render/index.ts';
import { cliProse, type CliCode } from './problems.ts';

export type Explanation = Pick<Prose<never>, 'severity' | 'title' | 'explain'>;

export function proseOf(code: string): Explanation | null {
  if (Object.hasOwn(cliProse, code)) return cliProse[code as CliCode];
  return Object.hasOwn(prose, code) ? prose[code as Code] : null;
}

/** In order. */
export const codes = (): readonly string[] => [...Object.keys(prose), ...Object.keys(cliProse)].sort();
