/** Reports as an editor shows them: what concerns the document, and one mark at the import of a file that is itself wrong. */
import type { Severity, Report } from '../../compiler/diagnostics/problem.ts';
import type { Span } from '../../grammar/ast.ts';
import type { Analysis } from '../analysis.ts';

export interface Diagnosis {
  readonly span: Span;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  readonly related: readonly { readonly span: Span; readonly message: string }[];
  /** The code is about something without a use: editors fade it. */
  readonly unused: boolean;
}

/** The most that a person can read; the rest mostly follows from them. */
const MOST = 200;

export function diagnostics(a: Analysis, reports: readonly Report[] = a.reports): Diagnosis[] {
  const out: Diagnosis[] = [];
  const elsewhere = new Map<number, Report[]>();
  for (const r of reports) {
    const file = r.span?.file ?? a.file;
    if (file === a.file) {
      if (out.length < MOST) out.push(diagnosis(a, r));
    } else if (!a.sources.get(file).library) elsewhere.set(file, [...(elsewhere.get(file) ?? []), r]);
  }
  for (const [file, reports] of elsewhere) {
    const errors = reports.filter((r) => r.severity === 'error');
    if (errors.length > 0) out.push(atImport(a, file, errors));
  }
  return out;
}

function diagnosis(a: Analysis, r: Report): Diagnosis {
  const lines = [r.message];
  if (r.label !== '' && !r.message.includes(r.label)) lines.push(r.label);
  lines.push(...r.notes.map((n) => `• ${n}`));
  return {
    span: r.span ?? { file: a.file, start: 0, end: 0 },
    severity: r.severity,
    code: r.code,
    message: lines.join('\n'),
    related: r.related.map(({ span, label }) => ({ span, message: label })),
    unused: /\b(unused|never used|not used)\b/.test(r.message),
  };
}

function atImport(a: Analysis, file: number, errors: readonly Report[]): Diagnosis {
  const { path } = a.sources.get(file);
  const name = path.split('/').at(-1)!;
  const declaration = a.module.ast.declarations.find(
    (d) => d.kind === 'import' && path.endsWith(d.from.replace(/^(\.\.?\/)+/, '')),
  );
  const count = errors.length === 1 ? 'an error' : `${errors.length} errors`;
  return {
    span: declaration?.kind === 'import' ? declaration.fromSpan : { file: a.file, start: 0, end: 0 },
    severity: 'error',
    code: errors[0]!.code,
    message: `\`${name}\` has ${count}: ${errors[0]!.message}`,
    related: errors.slice(0, 10).flatMap((r) => (r.span === null ? [] : [{ span: r.span, message: r.message }])),
    unused: false,
  };
}
