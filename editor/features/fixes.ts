/** Quick fixes from the reports, and all of them that are safe together. */
import type { Edit, Fix, Report } from '../../compiler/diagnostics/problem.ts';
import type { Span } from '../../grammar/ast.ts';
import type { Analysis } from '../analysis.ts';

export interface QuickFix {
  readonly title: string;
  readonly report: Report;
  readonly edits: readonly Edit[];
  /** The only one, and surely right. */
  readonly preferred: boolean;
}

export function quickFixes(a: Analysis, start: number, end: number): QuickFix[] {
  const at = (s: Span | null | undefined): boolean =>
    s != null && s.file === a.file && s.start <= end && s.end >= start;
  // The mark may still be where the mistake was noticed, or already where it probably is.
  const touched = (r: Report): boolean => at(r.span) || at(r.noticed);
  // Trying fixes costs a check each: only where there is something to mend.
  if (!a.reports.some(touched) && !a.refined().some(touched)) return [];
  return a
    .repairs()
    .filter(touched)
    .flatMap((report) =>
      report.fixes
        .filter((f) => editable(a, f))
        .map((f, k) => ({
          title: sentence(f.title),
          report,
          edits: f.edits,
          preferred: k === 0 && f.applicability === 'always',
        })),
    );
}

/** Every fix that may be applied without asking; where two overlap, the first. */
export function fixAll(a: Analysis): Edit[] {
  const taken: Edit[] = [];
  if (a.reports.length === 0) return taken;
  for (const r of a.repairs()) {
    const fix = r.fixes.find((f) => f.applicability === 'always' && editable(a, f));
    if (fix === undefined) continue;
    const clashes = fix.edits.some((e) =>
      taken.some((t) => t.span.file === e.span.file && t.span.start <= e.span.end && e.span.start <= t.span.end),
    );
    if (!clashes) taken.push(...fix.edits);
  }
  return taken;
}

const editable = (a: Analysis, f: Fix): boolean =>
  f.edits.length > 0 && f.edits.every((e) => !a.sources.get(e.span.file).library);
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
