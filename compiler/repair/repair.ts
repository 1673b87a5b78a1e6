/**
 * What was probably meant: for the first error of a program, small changes around it are tried (`slips.ts`), and those that leave fewer errors are
 * offered, the likeliest first. Where one of them, elsewhere than the report stands, makes the program whole as nothing at the report's
 * own place does, the report moves there (`Blame`): two places contradict each other, and that is the evidence which of them is wrong.
 *
 * Likelier is what leaves fewer errors, then fewer warnings of any kind, then what is a slip rather than a way out, then what leaves the axes in
 * their usual order (`order.ts`). The number of trials is bounded by a count, never by a clock, so that the same text has the same report.
 * Each costs a check: only for people who look at a report, not at every keystroke.
 */
import type { Expr } from '../../grammar/ast.ts';
import { pathTo } from '../../grammar/walk.ts';
import { check, type CheckResult } from '../check/check.ts';
import { applyEdits } from '../check/fixes.ts';
import type { Program } from '../check/program.ts';
import type { Blame, Fix, Problem } from '../diagnostics/problem.ts';
import { proseOf, report } from '../diagnostics/render/index.ts';
import { diagnose } from '../lint/lint.ts';
import { orderliness } from './order.ts';
import type { Slip } from './pencil.ts';
import { slips } from './slips.ts';
import { wholeTensor } from './unused.ts';

/** In a program full of errors no guess is a help. */
const FEW = 12;
/** Trials of one report, fewer in a long text: each costs what the text is long. */
const MOST = 160;
const LEAST = 12;
/** Who waits for a whole check waits longer than who types. */
const CHARACTERS = { whole: 2_000_000, typing: 600_000 };
export type Patience = keyof typeof CHARACTERS;
/** Of those that leave the fewest errors, so many are looked at closer. */
const CLOSER = 12;
/** Of what has the same cause, so many places are shown. */
const BESIDE = 4;
/** More guesses would only make the reader choose. */
const GUESSES = 2;

/** Their own fixes are a way out; what was meant may be simpler. */
const WAYS_OUT: ReadonlySet<string> = new Set(['NN103', 'NN124', 'NN126']);

interface Trial {
  readonly fix: Fix;
  readonly own: boolean;
  readonly far: boolean;
  readonly errors: number;
  readonly warnings: number;
  readonly order: number;
}

const isError = (p: Problem): boolean => (p.severity ?? proseOf(p.code).severity) === 'error';
const count = (list: readonly Problem[], test: (p: Problem) => boolean): number => list.filter(test).length;

/** The problems of a program, with guesses at the first of them, moved to where the evidence points. */
export function repaired(program: Program, checked: CheckResult, problems: readonly Problem[]): Problem[] {
  const steps = repairing(program, checked, problems);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same, a trial a step: between two of them an editor may look whether somebody types. */
export function* repairing(
  program: Program,
  checked: CheckResult,
  problems: readonly Problem[],
  patience: Patience = 'whole',
): Generator<undefined, Problem[]> {
  const errors = problems.filter(isError);
  if (errors.length > FEW || program.problems.some(isError)) return [...problems];
  if (errors.length === 0) {
    const cause = yield* commonCause(program, problems);
    if (cause !== null) return cause;
  }
  const copy = errors.length === 0 ? forgotten(problems) : null;
  if (copy !== null) return copy;
  const first = errors[0] ?? problems.find((p) => p.fixes.length === 0 && !DIRECTIVE.test(p.code));
  if (first?.span == null) return [...problems];
  const mended = yield* mend(program, checked, first, problems, patience);
  const { blame } = mended;
  if (blame === undefined) return problems.map((p) => (p === first ? mended : p));
  // One change makes the program whole: what else is wrong in it has the same cause, and is shown beside it.
  const rest = errors.filter((p) => p !== first && p.span !== null);
  const also = rest.slice(0, BESIDE).map((p) => ({ span: p.span!, label: report(p).message }));
  return problems.flatMap((p) => (p === first ? { ...mended, blame: { ...blame, also } } : rest.includes(p) ? [] : p));
}

/** What levels say of themselves has nothing to be tried. */
const DIRECTIVE = /^NN78/;

const UNUSED: ReadonlySet<string> = new Set(['NN603', 'NN706']);

/** A value that is only copied, and names that nothing reads now: what was to be done with them is missing at the copy. */
function forgotten(problems: readonly Problem[]): Problem[] | null {
  const copies = problems.filter((p) => p.code === 'NN618');
  const [copy] = copies;
  const unused = problems.filter((p) => UNUSED.has(p.code) && p.span !== null);
  if (copy?.span == null || copies.length > 1 || unused.length === 0 || unused.length + 1 < problems.length)
    return null;
  const also = unused.slice(0, BESIDE).map((p) => ({ span: p.span!, label: report(p).message }));
  return [{ ...copy, blame: { span: copy.span, label: report(copy).label, also } }];
}

/** Of several warnings one may have a fix with which all go: then it is the cause of the others (a factor left out, and a name now unused). */
function* commonCause(program: Program, problems: readonly Problem[]): Generator<undefined, Problem[] | null> {
  if (problems.length < 2 || problems.length > FEW) return null;
  for (const p of problems) {
    const [fix] = p.fixes;
    if (fix === undefined || p.span === null) continue;
    yield;
    if (attempt(program, fix, lintCount) !== 0) continue;
    const also = problems.filter((q) => q !== p && q.span !== null);
    const beside = also.slice(0, BESIDE).map((q) => ({ span: q.span!, label: report(q).message }));
    return [{ ...p, blame: { span: p.span, label: report(p).label, also: beside } }];
  }
  return null;
}

function* mend(
  program: Program,
  checked: CheckResult,
  first: Problem,
  problems: readonly Problem[],
  patience: Patience,
): Generator<undefined, Problem> {
  const { length } = program.sources.get(first.span!.file).text;
  const most = Math.max(LEAST, Math.min(MOST, Math.floor(CHARACTERS[patience] / Math.max(1, length))));
  const known = new Set(first.fixes.map(keyOf));
  const guesses = slips(program, first, checked)
    .filter(({ fix }) => !known.has(keyOf(fix)))
    .slice(0, most);
  const trials: Trial[] = [];
  const before = { errors: count(problems, isError), code: count(problems, (p) => p.code === first.code) };
  const own = new Set(first.fixes);
  // What a lint says takes a lint to see whether it is gone.
  const inChecker = isError(first) || first.code === 'NN706';
  const candidates: Slip[] = [...first.fixes.map((fix) => ({ fix, far: WAYS_OUT.has(first.code) })), ...guesses];
  for (const { fix, far } of candidates) {
    yield;
    const trial = attempt(program, fix, (again) => {
      const after = check(again, { fixes: false });
      const found = inChecker ? after.problems : diagnose(again, after, { fixes: false });
      const better = count(found, (p) => p.code === first.code) < before.code;
      const fewer = isError(first)
        ? count(found, isError) < before.errors
        : count(found, isError) === 0 && (inChecker || found.length < problems.length);
      if (!own.has(fix) && !(better && fewer)) return null;
      return {
        fix,
        own: own.has(fix),
        far,
        errors: count(found, isError),
        warnings: count(found, (p) => !isError(p)),
        order: orderliness(again.entry.ast, after.types),
      };
    });
    if (trial !== null) trials.push(trial);
  }
  const compare = (a: Trial, b: Trial): number =>
    a.errors - b.errors ||
    a.warnings - b.warnings ||
    Number(a.far) - Number(b.far) ||
    // What the checker knows to mend it is no guess.
    Number(b.own) - Number(a.own) ||
    b.order - a.order;
  const sorted = trials.sort(compare);
  const fewest = sorted[0]?.errors;
  const closer: Trial[] = [];
  for (const t of sorted.slice(0, Math.min(CLOSER, Math.ceil(most / 4))).filter((x) => x.errors === fewest)) {
    yield;
    closer.push({ ...t, warnings: attempt(program, t.fix, lintCount) ?? Infinity });
  }
  closer.sort(compare);
  const ranked = [...closer, ...sorted.slice(closer.length)];
  let guessed = 0;
  // Where a slip explains everything, a greater change is no help.
  const near = ranked.some((t) => !t.far && t.errors === 0);
  const fixes = ranked.filter((t) => t.own || (!(near && t.far) && guessed++ < GUESSES)).map((t) => t.fix);
  return { ...first, fixes, ...(wholeBlame(program, checked, first) ?? blame(first, ranked, compare, program)) };
}

/** An index gets no extent, because what should give it one stands in the equation without indices. */
function wholeBlame(program: Program, checked: CheckResult, first: Problem): { readonly blame: Blame } | null {
  if (first.code !== 'NN104') return null;
  const span = first.span!;
  const module = program.modules.find((m) => m.file === span.file);
  const equation =
    module === undefined
      ? undefined
      : pathTo(module.ast, span.start).find((n) => n.kind === 'let' || n.kind === 'assign' || n.kind === 'yield');
  const at = equation === undefined ? null : wholeTensor(checked, equation as unknown as { readonly value: Expr });
  return at === null ? null : { blame: { span: at, label: 'the whole tensor, without indices', also: [] } };
}

const keyOf = (f: Fix): string =>
  f.edits.map((e) => `${e.span.file}:${e.span.start}-${e.span.end}=${e.text}`).join(';');

function attempt<T>(program: Program, fix: Fix, ask: (again: Program) => T | null): T | null {
  if (fix.edits.some((e) => program.sources.get(e.span.file).library)) return null;
  return program.again(
    (file) => applyEdits(file.text, fix, file.id),
    (loaded) => (loaded.problems.length > program.problems.length ? null : ask(loaded.program)),
  );
}

const lintCount = (again: Program): number =>
  count(diagnose(again, check(again, { fixes: false }), { fixes: false }), (p) => !isError(p));

/** Where the report belongs, if not where it stands. */
function blame(
  first: Problem,
  ranked: readonly Trial[],
  compare: (a: Trial, b: Trial) => number,
  program: Program,
): { readonly blame?: Blame } {
  const [winner] = ranked;
  const span = first.span!;
  if (winner === undefined || winner.errors > 0) return {};
  const touches = (f: Fix): boolean =>
    f.edits.some((e) => e.span.file === span.file && e.span.start <= span.end && e.span.end >= span.start);
  if (touches(winner.fix)) return {};
  const rival = ranked.find((t) => touches(t.fix));
  if (rival !== undefined && compare(winner, rival) >= 0) return {};
  const [edit] = winner.fix.edits;
  if (edit === undefined || winner.fix.edits.some((e) => e.span.file !== edit.span.file)) return {};
  const start = Math.min(...winner.fix.edits.map((e) => e.span.start));
  const end = Math.max(...winner.fix.edits.map((e) => e.span.end));
  const { text } = program.sources.get(edit.span.file);
  // Nothing can be marked where something is missing: what stands before it, then.
  const from = start < end ? start : text.slice(0, start).search(/\S\s*$/);
  return {
    blame: {
      span: { file: edit.span.file, start: Math.max(0, from), end: Math.max(end, from + 1) },
      label: `probably here: ${winner.fix.title}`,
      also: [],
    },
  };
}
