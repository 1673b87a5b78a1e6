/** `nnc check`: every report of every file, and how many there are. */
import { checkSource, renderJson, type LevelOptions } from '../../compiler/index.ts';
import { unknownNames } from '../../compiler/lint/levels.ts';
import type { Io, LookOptions } from '../io.ts';
import { Refusal, wrongUsage } from '../problems.ts';
import { openProject, showReports } from '../project.ts';

export interface CheckOptions extends LookOptions {
  readonly format: 'text' | 'json';
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export function check(io: Io, files: readonly string[], options: CheckOptions): number {
  const levels: LevelOptions = { allow: options.allow ?? [], deny: options.deny ?? [] };
  const [strange] = unknownNames(levels);
  if (strange !== undefined)
    wrongUsage(
      `\`${strange.name}\` has no level${strange.suggestion === null ? '' : `; did you mean \`${strange.suggestion}\`?`}`,
    );
  const counts = { error: 0, warning: 0, note: 0 };
  const seen = new Set<string>();
  for (const file of files) {
    const { reports, sources } = checked(io, file, levels);
    // Two files may import a third: what is wrong there is said once.
    const lines = renderJson(reports, sources);
    const fresh = reports.filter((_, i) => !seen.has(lines[i]!));
    for (const line of lines) seen.add(line);
    for (const { severity } of fresh) counts[severity]++;
    if (options.format === 'json') for (const line of renderJson(fresh, sources)) io.stdout.write(`${line}\n`);
    else showReports(io, fresh, sources, options, io.stdout);
  }
  if (options.format === 'text') {
    const found = (['error', 'warning', 'note'] as const).filter((severity) => counts[severity] > 0);
    const text = found.map((severity) => plural(counts[severity], severity)).join(', ');
    io.stdout.write(`${plural(files.length, 'file')} checked: ${text === '' ? 'no problems' : text}\n`);
  }
  return counts.error > 0 ? 1 : 0;
}

function checked(io: Io, file: string, levels: LevelOptions): Pick<Refusal, 'reports' | 'sources'> {
  try {
    const { path, text, host } = openProject(io, file);
    const { reports, program } = checkSource(text, { path, host, levels });
    return { reports, sources: program.sources };
  } catch (error) {
    // A missing file is one more report; the others are still checked.
    if (error instanceof Refusal) return error;
    throw error;
  }
}

const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
