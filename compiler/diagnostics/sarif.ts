/**
 * Reports for other tools: SARIF 2.1.0 (code scanning, editors) and GitHub's workflow commands. Pure text; JSON lines are in `terminal.ts`.
 *
 * Places count from 1, columns in UTF-16 units (`columnKind` says so), ends are exclusive, as the standard wants.
 */
import type { Span } from '../../grammar/ast.ts';
import type { Sources } from '../source/source.ts';
import type { Fix, Report } from './problem.ts';

/** Reports with the files that their places are in. */
export interface Batch {
  readonly reports: readonly Report[];
  readonly sources: Sources;
}

/** What a code means, for the list of rules. Markdown, its first line a title. */
export type Explained = (code: string) => string | null;

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';

export function renderSarif(batches: readonly Batch[], version: string, explained: Explained): string {
  const codes = [...new Set(batches.flatMap((b) => b.reports.map((r) => r.code as string)))].sort();
  const level = new Map(batches.flatMap((b) => b.reports.map((r) => [r.code as string, r.severity] as const)));
  const rules = codes.map((id) => {
    const text = explained(id) ?? id;
    const [title = id, ...rest] = text.split('\n');
    const markdown = rest.join('\n').trim();
    return {
      id,
      shortDescription: { text: title.replace(/^NN\d+: /, '') },
      fullDescription: { text: markdown.split('\n\n')[0] ?? title },
      help: { text: markdown === '' ? title : markdown, markdown: markdown === '' ? title : markdown },
      defaultConfiguration: { level: level.get(id) ?? 'warning' },
    };
  });
  const results = batches.flatMap(({ reports, sources }) =>
    reports.map((r) => ({
      ruleId: r.code,
      ruleIndex: codes.indexOf(r.code),
      level: r.severity,
      message: { text: [r.message, ...r.notes].join('\n') },
      locations: r.span === null ? [] : [{ physicalLocation: place(r.span, sources), ...labelled(r.label) }],
      ...(r.related.length === 0
        ? {}
        : {
            relatedLocations: r.related.map(({ span, label }, id) => ({
              id,
              physicalLocation: place(span, sources),
              message: { text: label === '' ? r.message : label },
            })),
          }),
      ...(r.fixes.length === 0 ? {} : { fixes: r.fixes.map((f) => fixed(f, sources)) }),
    })),
  );
  const run = {
    tool: { driver: { name: 'nnc', version, rules } },
    columnKind: 'utf16CodeUnits',
    results,
  };
  return `${JSON.stringify({ $schema: SCHEMA, version: '2.1.0', runs: [run] }, null, 2)}\n`;
}

const labelled = (label: string): { readonly message?: { readonly text: string } } =>
  label === '' ? {} : { message: { text: label } };

/** A path as a URI reference: relative paths stay relative. */
function uri(path: string): string {
  const plain = path.replaceAll('\\', '/');
  const absolute = plain.startsWith('/') || /^[A-Za-z]:\//.test(plain);
  const encoded = encodeURI(plain).replace(/[?#]/g, (c) => (c === '?' ? '%3F' : '%23'));
  return absolute ? `file://${encoded.startsWith('/') ? '' : '/'}${encoded}` : encoded;
}

function region(span: Span, sources: Sources) {
  const from = sources.position(span.file, span.start);
  const to = sources.position(span.file, span.end);
  return { startLine: from.line, startColumn: from.column, endLine: to.line, endColumn: to.column };
}

const place = (span: Span, sources: Sources) => ({
  artifactLocation: { uri: uri(sources.get(span.file).path) },
  region: region(span, sources),
});

function fixed(fix: Fix, sources: Sources) {
  const files = [...new Set(fix.edits.map((e) => e.span.file))];
  return {
    description: { text: fix.title },
    artifactChanges: files.map((file) => ({
      artifactLocation: { uri: uri(sources.get(file).path) },
      replacements: fix.edits
        .filter((e) => e.span.file === file)
        .map((e) => ({ deletedRegion: region(e.span, sources), insertedContent: { text: e.text } })),
    })),
  };
}

const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** One `::error …::` line a report: GitHub shows it beside the line in a pull request. */
export function renderGithub({ reports, sources }: Batch): string[] {
  return reports.map((r) => {
    const properties: string[] = [];
    if (r.span !== null) {
      const { startLine, startColumn, endLine, endColumn } = region(r.span, sources);
      properties.push(`file=${property(sources.get(r.span.file).path)}`, `line=${startLine}`, `endLine=${endLine}`);
      // Columns are only understood within one line.
      if (startLine === endLine) properties.push(`col=${startColumn}`, `endColumn=${endColumn}`);
    }
    properties.push(`title=${property(r.code)}`);
    return `::${r.severity === 'note' ? 'notice' : r.severity} ${properties.join(',')}::${data([r.message, ...r.notes].join('\n'))}`;
  });
}
