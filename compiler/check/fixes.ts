/**
 * A fix is offered only if it is one: the edit is applied, the program loaded and checked again; the problem must be gone and none added.
 * Done only for problems that have candidates, so clean programs cost nothing.
 */
import type { Fix, Problem } from '../diagnostics/problem.ts';
import type { Program } from './program.ts';

const MOST_TRIALS = 24;

export function applyEdits(text: string, fix: Fix, file: number): string {
  let out = text;
  const edits = fix.edits.filter((e) => e.span.file === file).sort((a, b) => b.span.start - a.span.start);
  for (const e of edits) out = out.slice(0, e.span.start) + e.text + out.slice(e.span.end);
  return out;
}

export function verifiedFixes(
  program: Program,
  problem: Problem,
  all: readonly Problem[],
  candidates: readonly Fix[],
  recheck: (program: Program) => readonly Problem[],
): readonly Fix[] {
  if (all.length > MOST_TRIALS) return [];
  return candidates.filter((fix) => works(program, problem, all, fix, recheck));
}

function works(
  program: Program,
  problem: Problem,
  all: readonly Problem[],
  fix: Fix,
  recheck: (program: Program) => readonly Problem[],
): boolean {
  const files = new Set(fix.edits.map((e) => e.span.file));
  if ([...files].some((id) => program.sources.get(id).library)) return false;
  return program.again(
    (file) => applyEdits(file.text, fix, file.id),
    (loaded) => {
      if (loaded.problems.length > program.problems.length) return false;
      const after = recheck(loaded.program);
      const count = (problems: readonly Problem[], code: string): number =>
        problems.filter((p) => p.code === code).length;
      if (after.length >= all.length) return false;
      return count(after, problem.code) < count(all, problem.code);
    },
  );
}
