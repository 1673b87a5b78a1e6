/** One door to all prose: a problem becomes a report, a code becomes its explanation. */
import type { Code, Problem, ProblemData, Prose, ProseTable, Report } from '../problem.ts';
import { buildProse } from './build.ts';
import { checkProse } from './check.ts';
import { dataProse } from './data.ts';
import { lintProse } from './lint.ts';
import { planProse } from './plan.ts';
import { syntaxProse } from './syntax.ts';

const table: ProseTable<ProblemData> = {
  ...syntaxProse,
  ...checkProse,
  ...buildProse,
  ...dataProse,
  ...lintProse,
  ...planProse,
};

/** Every code, in order. */
export const codes: readonly Code[] = (Object.keys(table) as Code[]).sort();

export function proseOf(code: Code): Prose<unknown> {
  return table[code] as Prose<unknown>;
}

export function report(problem: Problem): Report {
  const prose = proseOf(problem.code);
  const { message, label = '', related = [], notes = [] } = prose.render(problem.data);
  const { blame } = problem;
  if (blame !== undefined && problem.span !== null)
    return {
      code: problem.code,
      severity: problem.severity ?? prose.severity,
      message,
      span: blame.span,
      noticed: problem.span,
      label: blame.label,
      related: [
        ...(blame.span === problem.span
          ? []
          : [{ span: problem.span, label: label === '' ? 'noticed here' : `noticed here: ${label}` }]),
        ...blame.also,
        ...related,
      ],
      notes,
      fixes: problem.fixes,
    };
  return {
    code: problem.code,
    severity: problem.severity ?? prose.severity,
    message,
    span: problem.span,
    label,
    related,
    notes,
    fixes: problem.fixes,
  };
}

/** The text of `nnc explain NN101`, or null for a code that does not exist. */
export function explain(code: string): string | null {
  if (!Object.hasOwn(table, code)) return null;
  const prose = proseOf(code as Code);
  return `${code}: ${prose.title}\n\n${prose.explain}`;
}
