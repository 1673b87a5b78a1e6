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
  // Of many problems the first are tried; when they are mended it is the turn of the others.
  const place = all.indexOf(problem);
  if (place >= MOST_TRIALS || (place < 0 && all.length > MOST_TRIALS)) return [];
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
  const whole = [...found, ...recheck(program)];
  const after = (loaded: Loaded): readonly Problem[] => [...loaded.problems, ...recheck(loaded.program)];
  const together = found.length > MOST_TRIALS ? safeTogether(found) : new Map<Problem, Fix>();
  if (together.size > 0) {
    const fix = { ...together.values().next().value!, edits: [...together.values()].flatMap((f) => f.edits) };
    if (tried(program, fix, (loaded) => errors(after(loaded)) <= errors(whole) - together.size))
      return found.map((p) => ({ ...p, fixes: together.has(p) ? [together.get(p)!] : [] }));
  }
  return found.map((p, k) => ({
    ...p,
    fixes: p.fixes.filter((fix) => k < MOST_TRIALS && tried(program, fix, (loaded) => better(p, whole, after(loaded)))),
  }));
}

/** Signs of another language stand everywhere in a text that was copied: too many to try one by one, so those that need no asking are tried at once. */
function safeTogether(found: readonly Problem[]): ReadonlyMap<Problem, Fix> {
  const out = new Map<Problem, Fix>();
  for (const p of found) {
    const fix = p.fixes.find((f) => f.applicability === 'always');
    const clashes = (f: Fix): boolean =>
      [...out.values()].some((o) =>
        o.edits.some((a) =>
          f.edits.some((b) => a.span.file === b.span.file && a.span.start <= b.span.end && b.span.start <= a.span.end),
        ),
      );
    if (fix !== undefined && !clashes(fix)) out.set(p, fix);
  }
  return out;
}

const errors = (list: readonly Problem[]): number => list.filter((p) => proseOf(p.code).severity === 'error').length;

/** The problem is gone and no error came. Where an error went, warnings may come that it had hidden. */
function better(problem: Problem, all: readonly Problem[], after: readonly Problem[]): boolean {
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
