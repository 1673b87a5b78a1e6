/** `nnc check`: every report of every file, and how many there are; with `--fix`, the files mended as far as that needs no asking. */
import { join } from 'node:path';
import { choose, edited } from '../../compiler/diagnostics/repair.ts';
import { renderGithub, renderSarif, type Batch } from '../../compiler/diagnostics/sarif.ts';
import { checkSource, renderJson, type LevelOptions } from '../../compiler/index.ts';
import { unknownNames } from '../../compiler/lint/levels.ts';
import { explanationOf } from '../explanations.ts';
import { located, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { Refusal, wrongUsage } from '../problems.ts';
import { hasErrors, openProject, showReports } from '../project.ts';
import { version } from '../version.ts';

export interface CheckOptions extends LookOptions {
  readonly format: 'text' | 'json' | 'sarif' | 'github';
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly fix?: boolean;
}

export function check(io: Io, files: readonly string[], options: CheckOptions): number {
  const levels: LevelOptions = { allow: options.allow ?? [], deny: options.deny ?? [] };
  const [strange] = unknownNames(levels);
  if (strange !== undefined) {
    const hint = strange.suggestion === null ? '' : `; did you mean \`${strange.suggestion}\`?`;
    wrongUsage(`\`${strange.name}\` has no level${hint}`);
  }
  const told: string[] = [];
  if (options.fix === true) for (const file of files) mend(io, file, levels, told);
  const counts = { error: 0, warning: 0, note: 0 };
  const seen = new Set<string>();
  const batches: Batch[] = [];
  for (const file of files) {
    const { reports, sources } = checked(io, file, levels);
    // Two files may import a third: what is wrong there is said once.
    const lines = renderJson(reports, sources);
    const fresh = reports.filter((_, i) => !seen.has(lines[i]!));
    for (const line of lines) seen.add(line);
    for (const { severity } of fresh) counts[severity]++;
    batches.push({ reports: fresh, sources });
  }
  switch (options.format) {
    case 'json':
      for (const { reports, sources } of batches)
        for (const line of renderJson(reports, sources)) io.stdout.write(`${line}\n`);
      break;
    case 'sarif':
      io.stdout.write(renderSarif(batches, version(), explanationOf));
      break;
    case 'github':
      for (const batch of batches) for (const line of renderGithub(batch)) io.stdout.write(`${line}\n`);
      break;
    case 'text': {
      for (const line of told) io.stdout.write(`${line}\n`);
      for (const { reports, sources } of batches) showReports(io, reports, sources, options, io.stdout);
      const found = (['error', 'warning', 'note'] as const).filter((severity) => counts[severity] > 0);
      const text = found.map((severity) => plural(counts[severity], severity)).join(', ');
      io.stdout.write(`${plural(files.length, 'file')} checked: ${text === '' ? 'no problems' : text}\n`);
    }
  }
  // What was done is never lost: where reports are for a machine, it goes to the other stream.
  if (options.format !== 'text') for (const line of told) io.stderr.write(`${line}\n`);
  return counts.error > 0 ? 1 : 0;
}

/** A fix may uncover another. */
const MOST_ROUNDS = 20;

/** Applies what needs no asking to a program and the files that it imports, until there is nothing left. Every round is checked before it is written. */
function mend(io: Io, file: string, levels: LevelOptions, told: string[]): void {
  let project: ReturnType<typeof openProject>;
  try {
    project = openProject(io, file);
  } catch (error) {
    // A file that cannot be read is reported by the check.
    if (error instanceof Refusal) return;
    throw error;
  }
  const texts = new Map<string, string>([[project.path, project.text]]);
  const original = new Map<string, string>();
  const host = { read: (path: string): string | null => texts.get(path) ?? project.host.read(path) };
  const look = () => checkSource(texts.get(project.path)!, { path: project.path, host, levels });
  let now = look();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { sources } = now.program;
    let chosen = choose(now.reports, (id) => !sources.get(id).library);
    let next: ReturnType<typeof look> | null = null;
    // Each fix holds by itself; together they must as well, else the first alone.
    for (; chosen.length > 0; chosen = chosen.length > 1 ? chosen.slice(0, 1) : []) {
      const before = new Map(texts);
      const edits = chosen.flatMap(({ fix }) => fix.edits);
      for (const id of new Set(edits.map((e) => e.span.file))) {
        const { path, text } = sources.get(id);
        if (!original.has(path)) original.set(path, text);
        texts.set(path, edited(text, id, edits));
      }
      next = look();
      if (weight(next.reports) < weight(now.reports)) break;
      for (const path of [...texts.keys()]) if (!before.has(path)) texts.delete(path);
      for (const [path, text] of before) texts.set(path, text);
      next = null;
    }
    if (next === null) break;
    for (const { report, fix } of chosen)
      told.push(
        `${report.span === null ? project.path : sources.place(report.span)}: ${report.code} fixed: ${fix.title}`,
      );
    now = next;
  }
  for (const [path, text] of texts)
    if (original.has(path) && original.get(path) !== text) writeFile(io, join(located(io, path)), text);
}

/** Errors before everything else. */
const weight = (reports: Refusal['reports']): number =>
  reports.length + 1000 * reports.filter((r) => hasErrors([r])).length;

function checked(io: Io, file: string, levels: LevelOptions): Pick<Refusal, 'reports' | 'sources'> {
  try {
    const { path, text, host } = openProject(io, file);
    const { reports, program } = checkSource(text, { path, host, levels, guesses: true });
    return { reports, sources: program.sources };
  } catch (error) {
    // A missing file is one more report; the others are still checked.
    if (error instanceof Refusal) return error;
    throw error;
  }
}

const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
