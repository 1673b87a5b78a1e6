/**
 * Errors are data. A producer creates a `Problem`: a stable code, a place and the facts. Prose lives in `render/`, one function a code.
 *
 * Families by their first digit: 0 syntax · 1 sizes, shapes, index equations · 2 broadcasting · 3 roles · 4 masks · 5 data and sizes at run
 * time · 6 numerics and derivatives · 7 names, declarations, calls, training · 8 not yet supported · 9 files, weights, options.
 */
import type { Span } from '../../grammar/ast.ts';
import type { SyntaxProblems } from '../../grammar/problems.ts';
import type { CheckProblems } from './families/check.ts';
import type { BuildProblems } from './families/build.ts';
import type { DataProblems } from './families/data.ts';
import type { LintProblems } from './families/lint.ts';
import type { PlanProblems } from './families/plan.ts';

/** Code → the facts that its report needs. Each family is an interface in its own file; spans beside the primary one are facts too. */
export interface ProblemData
  extends SyntaxProblems, CheckProblems, BuildProblems, DataProblems, LintProblems, PlanProblems {}

export type Code = keyof ProblemData;

export type Severity = 'error' | 'warning' | 'note';

/** rustc's four grades: whether a tool may apply the fix without asking. */
export type Applicability = 'always' | 'maybe' | 'placeholder' | 'unknown';

export interface Edit {
  readonly span: Span;
  readonly text: string;
}

export interface Fix {
  readonly title: string;
  readonly edits: readonly Edit[];
  readonly applicability: Applicability;
}

export type Problem = { [C in Code]: ProblemOf<C> }[Code];

export interface ProblemOf<C extends Code> {
  readonly code: C;
  /** Where: the operand, index or word that is guilty. Null only for problems outside any source text (a data file, an option). */
  readonly span: Span | null;
  readonly data: ProblemData[C];
  readonly fixes: readonly Fix[];
  /** Where a level says otherwise than the prose. */
  readonly severity?: Severity;
  /** Where the mistake probably is, if not where it was noticed; found by trying (`compiler/repair`). */
  readonly blame?: Blame;
}

/** The place of a mistake, and what else is wrong because of it. */
export interface Blame {
  readonly span: Span;
  readonly label: string;
  readonly also: readonly { readonly span: Span; readonly label: string }[];
}

/** What a renderer makes of a problem: prose with places, ready for a terminal, an editor, JSON or SARIF. */
export interface Report {
  readonly code: Code;
  readonly severity: Severity;
  /** One sentence that stands alone in an editor. */
  readonly message: string;
  readonly span: Span | null;
  /** Where it was noticed, if the mistake is probably elsewhere: `span` is then the place of the mistake. */
  readonly noticed?: Span;
  /** The few words under the primary span; may be empty. */
  readonly label: string;
  readonly related: readonly { readonly span: Span; readonly label: string }[];
  readonly notes: readonly string[];
  readonly fixes: readonly Fix[];
}

/** The prose of one code. `explain` is the text of `nnc explain CODE` (Markdown, with a wrong and a mended program in ```nn blocks). */
export interface Prose<Data> {
  readonly severity: Severity;
  readonly title: string;
  readonly explain: string;
  readonly render: (data: Data) => {
    readonly message: string;
    readonly label?: string;
    readonly related?: readonly { readonly span: Span; readonly label: string }[];
    readonly notes?: readonly string[];
  };
}

export type ProseTable<Family> = { readonly [C in keyof Family]: Prose<Family[C]> };

export function problem<C extends Code>(
  code: C,
  span: Span | null,
  data: ProblemData[C],
  fixes: readonly Fix[] = [],
): Problem {
  return { code, span, data, fixes } as unknown as Problem;
}
