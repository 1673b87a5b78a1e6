/**
 * `nnc fmt`: files in the language's canonical form, by Prettier and the plugin for `.nn`; what a Prettier or EditorConfig configuration beside a file says of
 * width and line ends holds. A file with syntax errors is reported and left as it is.
 */
import { report } from '../../compiler/diagnostics/render/index.ts';
import { Sources } from '../../compiler/source/source.ts';
import { formatText, type FormatOptions } from '../../editor/prettier-plugin/format.ts';
import { NnSyntaxError } from '../../editor/prettier-plugin/index.ts';
import { resolve } from 'node:path';
import { readText, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { Refusal } from '../problems.ts';
import { showReports } from '../project.ts';

export interface FmtOptions extends LookOptions {
  readonly check?: boolean;
}

/** What a configuration beside a file says; it is looked for on disk, which only the whole of Prettier does. */
export async function configuration(path: string): Promise<FormatOptions> {
  const { resolveConfig } = await import('prettier');
  const found = await resolveConfig(path, { editorconfig: true, useCache: false });
  const { printWidth, endOfLine, requirePragma, insertPragma } = found ?? {};
  return Object.fromEntries(
    Object.entries({ printWidth, endOfLine, requirePragma, insertPragma }).filter(([, value]) => value !== undefined),
  );
}

async function formatted(path: string, text: string): Promise<string> {
  try {
    return await formatText(text, await configuration(path));
  } catch (error) {
    if (!(error instanceof NnSyntaxError)) throw error;
    const sources = new Sources();
    sources.add(path, text);
    throw new Refusal(error.problems.map(report), sources);
  }
}

export async function fmt(io: Io, files: readonly string[], options: FmtOptions): Promise<number> {
  let exit = 0;
  for (const path of files) {
    try {
      const text = readText(io, path);
      const wanted = await formatted(resolve(io.cwd, path), text);
      if (wanted === text) continue;
      if (options.check === true) {
        io.stdout.write(`${path} is not formatted\n`);
        exit = 1;
      } else {
        writeFile(io, path, wanted);
        io.stdout.write(`${path} formatted\n`);
      }
    } catch (error) {
      // The other files are still formatted.
      if (!(error instanceof Refusal)) throw error;
      showReports(io, error.reports, error.sources, options);
      exit = 1;
    }
  }
  return exit;
}
