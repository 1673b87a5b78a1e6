/**
 * Many fixes at once: those that need no asking, none overlapping another, applied to the texts they belong to. Which of them hold is not decided
 * here: whoever applies them checks again.
 */
import type { Edit, Fix, Report } from './problem.ts';

export interface Chosen {
  readonly report: Report;
  readonly fix: Fix;
}

/** The first `always` fix of every report, in the order of the text; where two overlap or touch, the first. */
export function choose(reports: readonly Report[], editable: (file: number) => boolean): Chosen[] {
  const taken: Edit[] = [];
  const out: Chosen[] = [];
  for (const report of reports) {
    const fix = report.fixes.find(
      (f) => f.applicability === 'always' && f.edits.length > 0 && f.edits.every((e) => editable(e.span.file)),
    );
    if (fix === undefined) continue;
    const clashes = fix.edits.some((e) =>
      taken.some((t) => t.span.file === e.span.file && t.span.start <= e.span.end && e.span.start <= t.span.end),
    );
    if (clashes) continue;
    taken.push(...fix.edits);
    out.push({ report, fix });
  }
  return out;
}

/** The text of a file after all these edits, none of which overlap. */
export function edited(text: string, file: number, edits: readonly Edit[]): string {
  let out = text;
  for (const e of edits.filter((x) => x.span.file === file).sort((a, b) => b.span.start - a.span.start))
    out = out.slice(0, e.span.start) + e.text + out.slice(e.span.end);
  return out;
}
