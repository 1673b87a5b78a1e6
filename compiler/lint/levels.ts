/**
 * Levels: which reports are allowed, warned of or denied, by file and by line.
 *
 * ```
 * // nnc: allow-file(NN604) because the width between is learnt away        at the head: for the whole file
 * // nnc: allow(softmax-axis) because this is slot attention                before a statement or declaration: for all of it
 * let w[n, k] = softmax[k] z[n, k]   // nnc: allow(NN306) because …         behind it: for the line
 * ```
 *
 * An `allow` says why; one without a reason, one for a code without a level and one that has nothing to allow are reported themselves.
 */
import type { Comment, Module, Span } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import { nearest } from '../check/scope.ts';
import type { Program } from '../check/program.ts';
import { problem, type Problem } from '../diagnostics/problem.ts';
import { codes, proseOf } from '../diagnostics/render/index.ts';
import type { Level } from './record.ts';
import { codeOf, levelled } from './registry.ts';

/** Levels from outside the text: `nnc check --deny warnings --allow NN604`. Names of lints serve as well as codes. */
export interface LevelOptions {
  readonly allow?: readonly string[];
  readonly warn?: readonly string[];
  /** `warnings` stands for everything that is a warning in the end. */
  readonly deny?: readonly string[];
}

interface Directive {
  readonly level: Level;
  readonly code: string;
  /** The code as written. */
  readonly span: Span;
  readonly covers: Span;
  readonly where: 'line' | 'file';
  used: boolean;
}

const FORM = /^\/\/\s*nnc:\s*(allow|warn|deny)(-file)?\s*\(([^)]*)\)\s*(?:because\b\s*(.*))?$/;

/** Reads the directives of a file; what is wrong with them goes to `out`. */
function directives(module: Module, text: string, out: Problem[]): Directive[] {
  const found: Directive[] = [];
  const head = module.declarations[0]?.span.start ?? Infinity;
  for (const c of module.comments) {
    const own = text.slice(c.span.start, c.span.end).trimEnd();
    if (!/^\/\/\s*nnc:/.test(own)) continue;
    const match = FORM.exec(own);
    const names = match?.[3]!.split(',').filter((n) => n.trim() !== '') ?? [];
    const isFile = match?.[2] !== undefined;
    if (match === null || names.length === 0 || (isFile && c.span.start > head)) {
      out.push(
        problem('NN783', { file: module.file, start: c.span.start, end: c.span.start + own.length }, { text: own }),
      );
      continue;
    }
    const level = match[1] as Level;
    const at = own.indexOf('(') + 1;
    const listed = match[3]!;
    let offset = 0;
    const known: string[] = [];
    for (const part of listed.split(',')) {
      const name = part.trim();
      const start = c.span.start + at + offset + part.indexOf(name);
      const span = { file: module.file, start, end: start + name.length };
      offset += part.length + 1;
      if (name === '') continue;
      const code = codeOf(name);
      if (code === null) {
        const exists = (codes as readonly string[]).includes(name);
        const suggestion = exists
          ? null
          : nearest(
              name,
              levelled.flatMap((l) => [l.code, l.name]),
            );
        out.push(
          problem(
            'NN781',
            span,
            { name, suggestion, exists },
            suggestion === null
              ? []
              : [{ title: `write \`${suggestion}\``, edits: [{ span, text: suggestion }], applicability: 'maybe' }],
          ),
        );
        continue;
      }
      known.push(name);
      found.push({
        level,
        code,
        span,
        covers: isFile ? { file: module.file, start: 0, end: Infinity } : covered(module, text, c),
        where: isFile ? 'file' : 'line',
        used: false,
      });
    }
    if (level === 'allow' && known.length > 0 && (match[4] ?? '').trim() === '')
      out.push(
        problem('NN780', { file: module.file, start: c.span.start, end: c.span.start + own.length }, { codes: known }),
      );
  }
  return found;
}

/** A comment behind something covers its line; one on a line of its own the statement or declaration that follows. */
function covered(module: Module, text: string, c: Comment): Span {
  const { file } = module;
  if (!c.ownLine) {
    const end = text.indexOf('\n', c.span.end);
    return { file, start: text.lastIndexOf('\n', c.span.start) + 1, end: end < 0 ? text.length : end };
  }
  let best: Span | null = null;
  walk(module, (n) => {
    if (n.span === undefined || n.kind === undefined) return true;
    if (n.span.end < c.span.end) return false;
    const starts = n.span.start >= c.span.end;
    // The outermost of what begins first.
    if (starts && (best === null || n.span.start < best.start)) best = n.span;
    return true;
  });
  return best ?? { file, start: c.span.end, end: c.span.end };
}

export function applyLevels(program: Program, problems: readonly Problem[], options: LevelOptions = {}): Problem[] {
  const out: Problem[] = [];
  const meta: Problem[] = [];
  const given = new Map<number, Directive[]>();
  for (const module of program.modules) {
    if (module.library || !module.ast.comments.some((c) => c.text.includes('nnc:'))) continue;
    given.set(module.ast.file, directives(module.ast, program.sources.get(module.ast.file).text, meta));
  }
  const outside = new Map<string, Level>();
  for (const level of ['deny', 'warn', 'allow'] as const)
    for (const name of options[level] ?? []) {
      const code = codeOf(name);
      if (code !== null) outside.set(code, level);
    }
  const denyWarnings = options.deny?.includes('warnings') === true;
  let broken = false;
  for (const p of problems) {
    const prose = proseOf(p.code);
    const mine =
      p.span === null
        ? []
        : (given.get(p.span.file) ?? []).filter((d) => d.code === p.code && within(p.span!, d.covers));
    // The nearest says: a line before a file, a small statement before a large one.
    mine.sort((a, b) => (a.where === b.where ? length(a.covers) - length(b.covers) : a.where === 'line' ? -1 : 1));
    for (const d of mine) d.used = true;
    const level = codeOf(p.code) === null ? null : (mine[0]?.level ?? outside.get(p.code) ?? null);
    if (level === 'allow') continue;
    let severity = level === 'deny' ? ('error' as const) : level === 'warn' ? ('warning' as const) : prose.severity;
    if (severity === 'error' && level === null && codeOf(p.code) === null) broken = true;
    if (severity === 'warning' && denyWarnings) severity = 'error';
    out.push(severity === prose.severity ? p : { ...p, severity });
  }
  // Where something else is wrong, lints stay quiet, and an `allow` may look idle that is not.
  if (!broken)
    for (const list of given.values())
      for (const d of list)
        if (!d.used && d.level === 'allow') meta.push(problem('NN782', d.span, { code: d.code, where: d.where }));
  return [...out, ...meta.map((p) => (denyWarnings ? { ...p, severity: 'error' as const } : p))];
}

const length = (s: Span): number => s.end - s.start;
const within = (s: Span, range: Span): boolean => s.start >= range.start && s.start < range.end;

/** Names given from outside that are no lint's: for whoever read the options. */
export function unknownNames(options: LevelOptions): { readonly name: string; readonly suggestion: string | null }[] {
  return [...(options.allow ?? []), ...(options.warn ?? []), ...(options.deny ?? [])]
    .filter((name) => name !== 'warnings' && codeOf(name) === null)
    .map((name) => ({
      name,
      suggestion: nearest(
        name,
        levelled.flatMap((l) => [l.code, l.name]),
      ),
    }));
}
