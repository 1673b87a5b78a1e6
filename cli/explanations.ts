/** All codes and their explanations: the compiler's and the command line's. */
import { codes as compilerCodes, explain } from '../compiler/diagnostics/render/index.ts';
import { cliProse, type CliCode } from './problems.ts';

/** Markdown, with the code and its title first; null for a code that does not exist. */
export function explanationOf(code: string): string | null {
  if (!Object.hasOwn(cliProse, code)) return explain(code);
  const prose = cliProse[code as CliCode];
  return `${code}: ${prose.title}\n\n${prose.explain}`;
}

/** In order. */
export const codes = (): readonly string[] => [...compilerCodes, ...Object.keys(cliProse)].sort();
