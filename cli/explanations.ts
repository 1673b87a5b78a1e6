/** All codes and their explanations: the compiler's, the emitted modules' and the command line's. */
import { codes as compilerCodes, explain } from '../compiler/diagnostics/render/index.ts';
import { runtimeExplanations } from '../compiler/diagnostics/render/runtime.ts';
import type { NncErrorCode } from '../runtime/errors.ts';
import { cliProse, type CliCode } from './problems.ts';
import { shown } from './shown/index.ts';
import { shownText } from './shown/shown.ts';

/** Markdown, with the code and its title first, and files and commands where a program alone does not show it; null for a code that does not exist. */
export function explanationOf(code: string): string | null {
  const text = ownText(code);
  const page = Object.hasOwn(shown, code) ? shown[code] : undefined;
  return text === null || page === undefined ? text : `${text}\n\n${shownText(page)}`;
}

function ownText(code: string): string | null {
  const thrown = Object.hasOwn(runtimeExplanations, code) ? runtimeExplanations[code as NncErrorCode] : null;
  if (thrown === null && !Object.hasOwn(cliProse, code)) return explain(code);
  const prose = thrown ?? cliProse[code as CliCode];
  return `${code}: ${prose.title}\n\n${prose.explain}`;
}

/** In order. */
export const codes = (): readonly string[] =>
  [...compilerCodes, ...Object.keys(runtimeExplanations), ...Object.keys(cliProse)].sort();
