/** Programs through checker and lints, with the standard library; and every `.nn` text of the project. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '../../compiler/check/check.ts';
import { loadProgram } from '../../compiler/check/program.ts';
import type { Program } from '../../compiler/check/program.ts';
import type { Problem, Report } from '../../compiler/diagnostics/problem.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { diagnose, diagnoseLoading, type LintOptions } from '../../compiler/lint/lint.ts';
import { library } from '../check/support.ts';

const root = join(import.meta.dirname, '../..');

export interface Diagnosed {
  readonly program: Program;
  readonly problems: readonly Problem[];
  readonly reports: readonly Report[];
}

export function diagnoseText(
  text: string,
  options: LintOptions = {},
  files: Readonly<Record<string, string>> = {},
): Diagnosed {
  const { program, problems } = loadProgram('test.nn', text, { read: (path) => files[path] ?? null }, library);
  const checked = check(program, { fixes: options.fixes ?? true });
  const all = [...diagnoseLoading(program, problems), ...diagnose(program, checked, { ...options, loading: problems })];
  return { program, problems: all, reports: all.map(report) };
}

export const codes = (d: Diagnosed): string[] => d.problems.map((p) => p.code);

export const rendered = ({ reports, program }: Diagnosed, width = 100): string =>
  renderTerminal(reports, program.sources, { color: false, width });

/** `examples/design/gpt2.nn` → its text, for every program of the project; the library by itself. */
export function programs(): { readonly name: string; readonly text: string }[] {
  const out: { name: string; text: string }[] = [];
  for (const folder of ['examples', 'bench', 'test/fixtures'])
    for (const f of readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      if (f.isFile() && f.name.endsWith('.nn') && !f.parentPath.includes('node_modules')) {
        const path = join(f.parentPath, f.name);
        out.push({ name: path.slice(root.length + 1), text: readFileSync(path, 'utf8') });
      }
  return out.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The blocks of the reference that must be right. */
export function documented(): { readonly name: string; readonly text: string }[] {
  const text = readFileSync(join(root, 'docs/language.md'), 'utf8');
  return [...text.matchAll(/```nn(?: check)?\n([\s\S]*?)\n```/g)].map((m, k) => ({
    name: `block ${k + 1}`,
    text: m[1]!,
  }));
}

/** The ```nn blocks of an explanation. */
export const blocks = (markdown: string): string[] =>
  [...markdown.matchAll(/```nn\n([\s\S]*?)\n```/g)].map((m) => m[1]!);
