/**
 * Reports for a terminal, and as JSON lines. A report becomes a header, then for each file the lines that its spans touch with marks below
 * (`^^^` what is guilty, `---` what is related), then notes, then each fix as a small difference.
 *
 * Columns on the screen are not offsets: tabs run to the next multiple of four, East Asian characters and emoji are two wide, combining
 * marks none; control characters are drawn as pictures, so that no source text can steer the terminal. Text out, no Node API: the
 * caller knows the width and whether there are colours.
 */
import type { Span } from '../../grammar/ast.ts';
import type { Sources } from '../source/source.ts';
import type { Applicability, Fix, Report, Severity } from './problem.ts';
import { annotate, type Mark } from './terminal-marks.ts';
import { clip, expand, wrap } from './terminal-text.ts';

export interface TerminalOptions {
  readonly color: boolean;
  /** Columns of the terminal. Below 40 it is taken as 40. */
  readonly width: number;
}

/** How text is drawn; without colours every style is plain. */
export type Style = 'error' | 'warning' | 'note' | 'bold' | 'gutter' | 'related' | 'added' | 'removed';
export type Paint = (style: Style, text: string) => string;

const escapes: { readonly [S in Style]: string } = {
  error: '1;31',
  warning: '1;33',
  note: '1;36',
  bold: '1',
  gutter: '34',
  related: '34',
  added: '32',
  removed: '31',
};

const fixTitle: { readonly [A in Applicability]: string } = {
  always: 'fix',
  maybe: 'possible fix',
  placeholder: 'fix, with a part for you to fill in',
  unknown: 'possible fix',
};

/** All reports, in the order given, with an empty line between them; ends with a line break unless there is nothing to say. */
export function renderTerminal(reports: readonly Report[], sources: Sources, options: TerminalOptions): string {
  const paint: Paint = (style, text) => (options.color && text !== '' ? `\x1b[${escapes[style]}m${text}\x1b[0m` : text);
  const width = Math.max(40, options.width);
  return reports.map((report) => renderReport(report, sources, paint, width).join('\n') + '\n').join('\n');
}

function renderReport(report: Report, sources: Sources, paint: Paint, width: number): string[] {
  const lines: string[] = [];
  const head = `${report.severity}[${report.code}]`;
  wrap(expand(report.message).text, width - head.length - 2).forEach((text, i) => {
    lines.push(i === 0 ? `${paint(report.severity, head)}${paint('bold', `: ${text}`)}` : paint('bold', `  ${text}`));
  });

  const marks = marksOf(report);
  const files = [...new Set(marks.map(({ span }) => span.file))];
  const spans = [
    ...marks.map(({ span }) => span),
    ...report.fixes.flatMap(({ edits }) => edits.map(({ span }) => span)),
  ];
  const last = Math.max(0, ...spans.map((span) => sources.position(span.file, span.end).line));
  const gutter = String(last).length;
  const blank = ' '.repeat(gutter);

  files.forEach((file, i) => {
    const own = marks.filter(({ span }) => span.file === file);
    const first = own.find(({ primary }) => primary) ?? own[0]!;
    lines.push(`${blank}${paint('gutter', i === 0 ? '-->' : ':::')} ${sources.place(first.span)}`);
    lines.push(`${blank} ${paint('gutter', '|')}`);
    lines.push(...snippet(own, file, sources, gutter, report.severity, paint, width));
  });
  const lead = files.length === 0 ? '' : `${blank} `;
  if (files.length > 0 && report.notes.length > 0) lines.push(`${blank} ${paint('gutter', '|')}`);
  for (const note of report.notes) {
    // A note may hold a drawing (shapes one under the other): its own line breaks stay.
    const prefix = `${lead}${paint('gutter', '=')} ${paint('bold', 'note')}: `;
    const indent = ' '.repeat(lead.length + 8);
    const parts = note.split('\n').flatMap((line) => wrap(expand(line).text, width - indent.length));
    parts.forEach((part, i) => lines.push(`${i === 0 ? prefix : indent}${part}`.trimEnd()));
  }
  for (const fix of report.fixes) lines.push(...renderFix(fix, sources, gutter, paint, width));
  return lines;
}

/** The primary span and the related ones; a related span that repeats the primary place only adds its words. */
function marksOf(report: Report): Mark[] {
  const marks: Mark[] = [];
  if (report.span !== null) marks.push({ span: report.span, label: report.label, primary: true });
  for (const { span, label } of report.related) marks.push({ span, label, primary: false });
  return marks;
}

/** The marked lines of one file. One unmarked line between two marked ones is shown; more become `...`. */
function snippet(
  marks: readonly Mark[],
  file: number,
  sources: Sources,
  gutter: number,
  severity: Severity,
  paint: Paint,
  width: number,
): string[] {
  const byLine = new Map<number, LineMark[]>();
  for (const mark of marks) {
    for (const part of splitByLine(mark, sources)) {
      const list = byLine.get(part.line);
      if (list === undefined) byLine.set(part.line, [part]);
      else list.push(part);
    }
  }
  const lines: string[] = [];
  const blank = ' '.repeat(gutter);
  const bar = paint('gutter', '|');
  const room = width - gutter - 3;
  let previous = 0;
  for (const line of [...byLine.keys()].sort((a, b) => a - b)) {
    if (previous > 0 && line === previous + 2) lines.push(row(line - 1, expand(sources.line(file, line - 1)).text));
    else if (previous > 0 && line > previous + 1) lines.push(paint('gutter', '...'));
    previous = line;
    const { text, columns } = expand(sources.line(file, line));
    const parts = byLine.get(line)!.map((part) => {
      const start = columns[Math.min(part.start, columns.length - 1)]!;
      const end = columns[Math.min(part.end, columns.length - 1)]!;
      return { start, end: Math.max(end, start + 1), label: expand(part.label).text, primary: part.primary };
    });
    const clipped = clip(text, parts, room);
    lines.push(row(line, clipped.text));
    for (const under of annotate(clipped.parts, room, severity, paint))
      lines.push(`${blank} ${bar} ${under}`.trimEnd());
  }
  return lines;

  function row(line: number, text: string): string {
    const number = paint('gutter', String(line).padStart(gutter));
    return `${number} ${bar} ${clip(text, [], room).text}`.trimEnd();
  }
}

interface LineMark {
  readonly line: number;
  /** Offsets within the line, half-open. */
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly primary: boolean;
}

/** A span over several lines marks each of them, without the indentation; its label stands at the last. The middle of a long one is left out. */
function splitByLine({ span, label, primary }: Mark, sources: Sources): LineMark[] {
  const from = sources.position(span.file, span.start);
  const lastOffset = span.end > span.start ? span.end - 1 : span.end;
  let to = sources.position(span.file, lastOffset);
  // A span that ends with a line break ends on the line before.
  if (to.line > from.line && sources.line(span.file, to.line).slice(0, to.column).trim() === '') {
    to = { line: to.line - 1, column: Infinity };
  }
  if (from.line === to.line) {
    const start = from.column - 1;
    const end = Math.min(start + span.end - span.start, sources.line(span.file, from.line).length);
    return [{ line: from.line, start, end: Math.max(end, start), label, primary }];
  }
  const parts: LineMark[] = [];
  for (let line = from.line; line <= to.line; line++) {
    if (to.line - from.line > 4 && line === from.line + 2) line = to.line - 1;
    const text = sources.line(span.file, line);
    if (text.trim() === '' && line !== from.line && line !== to.line) continue;
    const indent = text.length - text.trimStart().length;
    const start = line === from.line ? from.column - 1 : indent;
    const end = line === to.line ? Math.min(to.column, text.length) : text.trimEnd().length;
    parts.push({ line, start, end: Math.max(end, start), label: line === to.line ? label : '', primary });
  }
  return parts;
}

/** A fix as the lines it removes (-) and those it puts there (+), per file and run of lines. */
function renderFix(fix: Fix, sources: Sources, gutter: number, paint: Paint, width: number): string[] {
  const blank = ' '.repeat(gutter);
  const bar = paint('gutter', '|');
  const room = width - gutter - 3;
  const lines: string[] = [];
  const title = fixTitle[fix.applicability];
  wrap(expand(fix.title).text, width - title.length - 2).forEach((text, i) => {
    lines.push(i === 0 ? `${paint('note', title)}: ${text}` : `  ${text}`);
  });
  for (const group of editGroups(fix, sources)) {
    const { file, from, to } = group;
    lines.push(`${blank}${paint('gutter', '-->')} ${sources.get(file).path}:${from}`);
    const old: string[] = [];
    for (let line = from; line <= to; line++) old.push(sources.line(file, line));
    const fresh = applied(group, sources).split('\n');
    // Lines that both begin or end with are no difference.
    let head = 0;
    while (head < old.length - 1 && head < fresh.length - 1 && old[head] === fresh[head]) head++;
    let tail = 0;
    while (tail < old.length - head && tail < fresh.length - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
    old.slice(head, old.length - tail).forEach((text, i) => lines.push(row(from + head + i, '-', 'removed', text)));
    fresh.slice(head, fresh.length - tail).forEach((text, i) => lines.push(row(from + head + i, '+', 'added', text)));
  }
  return lines;

  function row(line: number, sign: string, style: Style, text: string): string {
    const content = clip(expand(text).text, [], room - 2).text;
    return `${paint('gutter', String(line).padStart(gutter))} ${bar} ${paint(style, `${sign} ${content}`.trimEnd())}`;
  }
}

interface EditGroup {
  readonly file: number;
  readonly from: number;
  to: number;
  readonly edits: { readonly span: Span; readonly text: string }[];
}

/** Edits in order of place; those on the same or neighbouring lines are shown together. */
function editGroups(fix: Fix, sources: Sources): EditGroup[] {
  const groups: EditGroup[] = [];
  const ordered = [...fix.edits].sort((a, b) => a.span.file - b.span.file || a.span.start - b.span.start);
  for (const edit of ordered) {
    const from = sources.position(edit.span.file, edit.span.start).line;
    const to = sources.position(edit.span.file, edit.span.end).line;
    const group = groups.at(-1);
    if (group !== undefined && group.file === edit.span.file && from <= group.to + 1) {
      group.edits.push(edit);
      group.to = Math.max(group.to, to);
    } else groups.push({ file: edit.span.file, from, to, edits: [edit] });
  }
  return groups;
}

/** The text of a group's lines after its edits. */
function applied({ file, to, edits }: EditGroup, sources: Sources): string {
  const { text } = sources.get(file);
  const first = edits[0]!.span.start;
  const start = first - (sources.position(file, first).column - 1);
  let at = start;
  let result = '';
  for (const { span, text: replacement } of edits) {
    result += text.slice(at, span.start) + replacement;
    at = Math.max(at, span.end);
  }
  const { line, column } = sources.position(file, at);
  const rest = line > to ? '' : sources.line(file, line).slice(column - 1);
  const below = Array.from({ length: Math.max(0, to - line) }, (_, i) => sources.line(file, line + 1 + i));
  return [result.replaceAll('\r', '') + rest, ...below].join('\n');
}

/** One JSON object a report. Places are `{file, line, column, endLine, endColumn}`, counted from 1 in UTF-16 units. */
export function renderJson(reports: readonly Report[], sources: Sources): string[] {
  const place = (span: Span) => {
    const from = sources.position(span.file, span.start);
    const to = sources.position(span.file, span.end);
    const file = sources.get(span.file).path;
    return { file, line: from.line, column: from.column, endLine: to.line, endColumn: to.column };
  };
  return reports.map((report) =>
    JSON.stringify({
      code: report.code,
      severity: report.severity,
      message: report.message,
      place: report.span === null ? null : place(report.span),
      label: report.label,
      related: report.related.map(({ span, label }) => ({ place: place(span), label })),
      notes: report.notes,
      fixes: report.fixes.map(({ title, applicability, edits }) => ({
        title,
        applicability,
        edits: edits.map(({ span, text }) => ({ place: place(span), text })),
      })),
    }),
  );
}
