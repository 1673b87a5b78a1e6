/**
 * A fix is offered only if it is one: the edit is applied, the program loaded and checked again; the problem must be gone and none added.
 * Done only for problems that have candidates, so clean programs cost nothing.
 */
import type { Fix, Problem } from '../diagnostics/problem.ts';
import { proseOf } from '../diagnostics/render/index.ts';
import type { Loaded, Program } from './program.ts';

const MOST_TRIALS = 24;

export function applyEdits(text: string, fix: Fix, file: number): string {
  let out = text;
  const edits = fix.edits.filter((e) => e.span.file === file).sort((a, b) => b.span.start - a.span.start);
  for (const e of edits) out = out.slice(0, e.span.start) + e.text + out.slice(e.span.end);
  return out;
}

/** What a changed program has wrong when it is checked. */
type Recheck = (program: Program) => readonly Problem[];

export function verifiedFixes(
  program: Program,
  problem: Problem,
  all: readonly Problem[],
  candidates: readonly Fix[],
  recheck: Recheck,
): readonly Fix[] {
  if (all.length > MOST_TRIALS) return [];
  const holds = (fix: Fix): boolean =>
    tried(
      program,
      fix,
      (loaded) => loaded.problems.length <= program.problems.length && better(problem, all, recheck(loaded.program)),
    );
  return candidates.filter(holds);
}

/** The same for what the parser and the loader found: their fixes are candidates until they have been tried. */
export function verifiedLoadFixes(program: Program, found: readonly Problem[], recheck: Recheck): readonly Problem[] {
  if (found.every((p) => p.fixes.length === 0)) return found;
  if (found.length > MOST_TRIALS) return found.map((p) => ({ ...p, fixes: [] }));
  const whole = [...found, ...recheck(program)];
  return found.map((p) => ({
    ...p,
    fixes: p.fixes.filter((fix) =>
      tried(program, fix, (loaded) => better(p, whole, [...loaded.problems, ...recheck(loaded.program)])),
    ),
  }));
}

/** The problem is gone and no error came. Where an error went, warnings may come that it had hidden. */
function better(problem: Problem, all: readonly Problem[], after: readonly Problem[]): boolean {
  const errors = (list: readonly Problem[]): number => list.filter((p) => proseOf(p.code).severity === 'error').length;
  const count = (list: readonly Problem[]): number => list.filter((p) => p.code === problem.code).length;
  if (count(after) >= count(all)) return false;
  return proseOf(problem.code).severity === 'error'
    ? errors(after) < errors(all)
    : errors(after) <= errors(all) && after.length < all.length;
}

/** Asks about the program with a fix applied; no for one that would change the library. */
function tried(program: Program, fix: Fix, ask: (loaded: Loaded) => boolean): boolean {
  const files = new Set(fix.edits.map((e) => e.span.file));
  if ([...files].some((id) => program.sources.get(id).library)) return false;
  return program.again((file) => applyEdits(file.text, fix, file.id), ask);
}
