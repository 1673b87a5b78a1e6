/** Where a name is introduced, where else it stands, and what happens when it is called something else. */
import type { Span } from '../../grammar/ast.ts';
import { reserved } from '../../grammar/tokens.ts';
import { analyse, type Analysis } from '../analysis.ts';
import type { Host } from '../../compiler/check/program.ts';
import { wordAt } from './hover.ts';
import type { NameSymbol, Occurrence } from './names.ts';
import { visibleAt } from './scope.ts';

export function definition(a: Analysis, offset: number): Span | null {
  const o = a.names().at(a.file, offset);
  if (o !== null) return o.symbol.place;
  const path = a.module.ast.declarations.find(
    (d) => d.kind === 'import' && d.fromSpan.start <= offset && offset <= d.fromSpan.end,
  );
  if (path?.kind === 'import') {
    const file = a.sources.files.find(
      (f) => !f.library && f.path.endsWith(path.from.replace(/^(\.\.?\/)+/, '')) && f.id !== a.file,
    );
    if (file !== undefined) return { file: file.id, start: 0, end: 0 };
  }
  const word = wordAt(a.text, offset);
  const found = word === null ? undefined : visibleAt(a, offset).find((v) => v.name === word.text);
  const d = found?.declaration;
  return d == null || !('name' in d) ? null : d.name.span;
}

export function references(a: Analysis, offset: number, declaration: boolean): Occurrence[] {
  const o = a.names().at(a.file, offset);
  if (o === null) return [];
  return a
    .names()
    .of(o.symbol)
    .filter((r) => declaration || !r.introduces);
}

export interface RenameEdit {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export type Renamed =
  { readonly ok: true; readonly edits: readonly RenameEdit[] } | { readonly ok: false; readonly reason: string };

/** What of the text would be renamed; null where nothing can be. */
export function renameable(
  a: Analysis,
  offset: number,
): { readonly span: Span; readonly text: string } | { readonly reason: string } {
  const o = a.names().at(a.file, offset);
  if (o === null) return { reason: 'There is no name here that can be renamed.' };
  const refused = refusal(a, o.symbol);
  return refused === null ? { span: o.span, text: a.sources.text(o.span) } : { reason: refused };
}

function refusal(a: Analysis, s: NameSymbol): string | null {
  if (s.kind === 'builtin' || s.place === null) return `\`${s.name}\` belongs to the language.`;
  if (a.sources.get(s.place.file).library) return `\`${s.name}\` belongs to the standard library.`;
  return null;
}

/**
 * Renames everywhere in the program, and refuses where another meaning would come of it: the renamed program is checked, and must have the
 * same problems and the same occurrences of the name.
 */
export function rename(a: Analysis, offset: number, to: string, host: Host): Renamed {
  const o = a.names().at(a.file, offset);
  if (o === null) return { ok: false, reason: 'There is no name here that can be renamed.' };
  const refused = refusal(a, o.symbol) ?? nameRefusal(o.symbol, to);
  if (refused !== null) return { ok: false, reason: refused };
  const from = a.sources.text(o.span);
  const all = a.names().of(o.symbol);
  const edits = all
    .filter((r) => a.sources.text(r.span) === from)
    .map((r): RenameEdit => ({
      path: a.sources.get(r.span.file).path,
      start: r.span.start,
      end: r.span.end,
      text: to,
    }));
  if (from === to) return { ok: true, edits: [] };
  const again = analyse(a.path, applyRename(a.path, a.text, edits), {
    read: (path) => {
      const text = host.read(path);
      return text === null ? null : applyRename(path, text, edits);
    },
  });
  const codes = (x: Analysis): string =>
    x.reports
      .map((r) => r.code)
      .sort()
      .join(' ');
  if (codes(again) !== codes(a)) {
    const added = again.reports.find((r) => !a.reports.some((old) => old.code === r.code)) ?? again.reports[0];
    return {
      ok: false,
      reason: `\`${to}\` cannot be the name: ${added?.message ?? 'the program would mean something else'}`,
    };
  }
  const moved = edits.filter((e) => e.path === a.path && e.start < o.span.start).length * (to.length - from.length);
  const after = again.names().at(again.file, o.span.start + moved);
  if (after === null || again.names().of(after.symbol).length !== all.length)
    return { ok: false, reason: `\`${to}\` means something else here already.` };
  return { ok: true, edits };
}

function nameRefusal(s: NameSymbol, to: string): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(to))
    return `\`${to}\` is not a name: letters, digits and _, not beginning with a digit.`;
  if (reserved.has(to)) return `\`${to}\` is a word of the language.`;
  if ((s.kind === 'size' || s.kind === 'run') && !/^[A-Z]/.test(to))
    return 'A size introduced by a signature begins with an upper-case letter.';
  return null;
}

export function applyRename(path: string, text: string, edits: readonly RenameEdit[]): string {
  let out = text;
  for (const e of edits.filter((x) => x.path === path).sort((x, y) => y.start - x.start))
    out = out.slice(0, e.start) + e.text + out.slice(e.end);
  return out;
}
