/**
 * The lints as a pass: a checked program in, problems out. It runs after the checker and adds to what that found; then levels decide.
 *
 * A declaration with an error is left alone: what would be said of it mostly follows from the error. Every fix is tried before it is offered, as
 * the checker's are.
 */
import { check, type CheckResult } from '../check/check.ts';
import { verifiedFixes, verifiedLoadFixes } from '../check/fixes.ts';
import type { Program } from '../check/program.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { proseOf } from '../diagnostics/render/index.ts';
import { Context } from './context.ts';
import { applyLevels, type LevelOptions } from './levels.ts';
import { lints } from './registry.ts';

export interface LintOptions {
  /** False leaves fixes out instead of trying them. */
  readonly fixes?: boolean;
  /** True reads the library too. */
  readonly library?: boolean;
  readonly levels?: LevelOptions | undefined;
  /** What loading the program found: damaged declarations are left alone. */
  readonly loading?: readonly Problem[];
}

/** Everything that is to be said of a checked program: the checker's problems and the lints', at their levels, in the order of the text. */
export function diagnose(program: Program, checked: CheckResult, options: LintOptions = {}): Problem[] {
  const found = lint(program, checked, options);
  const quiet = damaged(program, options.loading ?? []);
  // What could not be read may have been what uses a name.
  const own = checked.problems.filter((p) => p.code !== 'NN706' || !quiet(p));
  const all = applyLevels(program, [...own, ...found], options.levels);
  const key = (p: Problem): [number, number] => [p.span?.file ?? -1, p.span?.start ?? -1];
  return all.sort((a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1]);
}

/** What loading found, with the fixes that hold. */
export function diagnoseLoading(program: Program, found: readonly Problem[]): readonly Problem[] {
  return verifiedLoadFixes(program, found, (again) => check(again, { fixes: false }).problems);
}

/** Whether a problem stands in a declaration that another one damages. */
function damaged(program: Program, errors: readonly Problem[]): (p: Problem) => boolean {
  if (errors.length === 0) return () => false;
  const declarations = program.modules.flatMap((m) => (m.library ? [] : m.ast.declarations.map((d) => d.span)));
  const hurt = declarations.filter((d) =>
    errors.some((e) => e.span !== null && e.span.file === d.file && inside(e.span, d)),
  );
  return (p) => p.span !== null && hurt.some((d) => d.file === p.span!.file && inside(p.span!, d));
}

/** What the lints alone find, without levels. */
export function lint(program: Program, checked: CheckResult, options: LintOptions = {}): Problem[] {
  const context = new Context(program, checked, options.library === true);
  const repeatable: Problem[] = [];
  for (const one of lints) {
    const before = context.problems.length;
    one.run(context);
    if (one.whole !== true) repeatable.push(...context.problems.slice(before));
  }
  context.remember(repeatable);
  const errors = [...checked.problems, ...(options.loading ?? [])].filter((p) => proseOf(p.code).severity === 'error');
  const quiet = damaged(program, errors);
  const clean = context.problems.filter((p) => !quiet(p));
  if (options.fixes === false) return clean;
  const all = [...checked.problems, ...clean];
  return clean.map((p) => {
    const candidates = context.candidates.get(p);
    if (candidates === undefined) return p;
    const recheck = (again: Program): readonly Problem[] => {
      const result = check(again, { fixes: false });
      return [...result.problems, ...lint(again, result, { ...options, loading: [], fixes: false })];
    };
    return { ...p, fixes: verifiedFixes(program, p, all, candidates, recheck) };
  });
}

const inside = (s: { start: number; end: number }, range: { start: number; end: number }): boolean =>
  s.start >= range.start && s.end <= range.end;
