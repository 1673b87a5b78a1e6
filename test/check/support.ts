/** Programs for the checker's tests: loaded with the standard library, checked, reported. */
import { readdirSync, readFileSync } from 'node:fs';
import { check } from '../../compiler/check/check.ts';
import type { CheckResult } from '../../compiler/check/check.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import type { Program } from '../../compiler/check/program.ts';
import type { Problem, Report } from '../../compiler/diagnostics/problem.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';

const folder = new URL('../../library/', import.meta.url);

export const library: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder)
    .filter((name) => name.endsWith('.nn'))
    .sort()
    .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
);

export const designed: readonly { readonly name: string; readonly text: string }[] = readdirSync(
  new URL('../../examples/design/', import.meta.url),
)
  .filter((name) => name.endsWith('.nn'))
  .sort()
  .map((name) => ({ name, text: readFileSync(new URL(`../../examples/design/${name}`, import.meta.url), 'utf8') }));

export interface Checked {
  readonly program: Program;
  readonly result: CheckResult;
  /** Of loading and checking. */
  readonly problems: readonly Problem[];
  readonly reports: readonly Report[];
}

export function checkText(
  text: string,
  options: { fixes?: boolean; files?: Readonly<Record<string, string>> } = {},
): Checked {
  const host = { read: (path: string): string | null => options.files?.[path] ?? null };
  const { program, problems } = loadProgram('test.nn', text, host, library);
  const result = check(program, { fixes: options.fixes ?? true });
  const all = [...problems, ...result.problems];
  return { program, result, problems: all, reports: all.map(report) };
}

/** `NN102 4:18`, in the order of the text. */
export function places({ program, problems }: Checked): string[] {
  return problems.map((p) => {
    if (p.span === null) return p.code;
    const file = program.sources.get(p.span.file);
    const { line } = program.sources.position(p.span.file, p.span.start);
    return `${p.code} ${file.library ? `${file.path}:` : ''}${line}`;
  });
}

export const rendered = ({ reports, program }: Checked): string =>
  renderTerminal(reports, program.sources, { color: false, width: 100 });
