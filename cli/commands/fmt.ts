/** `nnc fmt`: files in the language's canonical form. A file with syntax errors is reported and left as it is. */
import { report } from '../../compiler/diagnostics/render/index.ts';
import type { Problem } from '../../compiler/diagnostics/problem.ts';
import { Sources } from '../../compiler/source/source.ts';
import { parse } from '../../grammar/parse.ts';
import { print } from '../../grammar/print.ts';
import { readText, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { Refusal } from '../problems.ts';
import { hasErrors, showReports } from '../project.ts';

export interface FmtOptions extends LookOptions {
  readonly check?: boolean;
}

export function fmt(io: Io, files: readonly string[], options: FmtOptions): number {
  let exit = 0;
  for (const path of files) {
    try {
      const sources = new Sources();
      const text = readText(io, path);
      const parsed = parse({ id: sources.add(path, text).id, text });
      const reports = parsed.problems.map((p) => report(p as unknown as Problem));
      if (hasErrors(reports)) throw new Refusal(reports, sources);
      const formatted = print(parsed.module);
      if (formatted === text) continue;
      if (options.check === true) {
        io.stdout.write(`${path} is not formatted\n`);
        exit = 1;
      } else {
        writeFile(io, path, formatted);
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
