/**
 * The mutation study: every operator applied to a program, and what nnc says of each result.
 *
 * A mutant is reported as an error, reported by a lint (or another warning), harmless (its graphs after simplification are the original's, or give
 * the same numbers), or missed. What is missed is told apart by whether the types that the checker infers, shapes and roles, differ from
 * the original's. Of a report it is said whether its place is on the changed expression and whether a fix gives the original back.
 */
import { check } from '../../compiler/check/check.ts';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { printTyped } from '../../compiler/check/print.ts';
import { loadProgram, type Program } from '../../compiler/check/program.ts';
import type { Report } from '../../compiler/diagnostics/problem.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import { elaborate } from '../../compiler/elaborate/elaborate.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { print as printGraph } from '../../compiler/graph/print.ts';
import type { Graph } from '../../compiler/graph/types.ts';
import { Context } from '../../compiler/lint/context.ts';
import { diagnose, diagnoseLoading } from '../../compiler/lint/lint.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { simplify } from '../../compiler/simplify/simplify.ts';
import { evaluate as sizeValue, names } from '../../compiler/sizes/poly.ts';
import { lexer } from '../../grammar/tokens.ts';
import { operators, type Change, type Material, type Operator, type Site } from './operators.ts';

export type Outcome = 'error' | 'lint' | 'harmless' | 'missed';

export interface Mutant {
  readonly operator: string;
  readonly file: string;
  readonly line: number;
  /** The changed line, before and after. */
  readonly before: string;
  readonly after: string;
  readonly outcome: Outcome;
  readonly codes: readonly string[];
  /** Of the first report: its place lies on the changed expression. Null where nothing is reported. */
  readonly onTarget: boolean | null;
  /** The place of the first report, one that it shows beside, or what its first fix changes, lies there. */
  readonly named: boolean | null;
  readonly fix: 'first' | 'any' | 'none' | null;
  /** A missed one: the types that the checker infers differ from the original's. */
  readonly typesDiffer: boolean;
}

export interface Source {
  readonly name: string;
  readonly text: string;
  /** Programs that use a file of the library, to compare functions by: they are loaded with it in the place of the library's own. */
  readonly users?: readonly string[];
}

export type Library = Readonly<Record<string, string>>;

const none = { read: (): null => null };

/** The text without its white space and comments. */
const canonical = (text: string): string =>
  lexer
    .tokenize(text)
    .tokens.map((t) => t.image)
    .join(' ');

function applyChanges(text: string, edits: readonly Change[]): string {
  let out = text;
  for (const e of [...edits].sort((a, b) => b.start - a.start)) out = out.slice(0, e.start) + e.text + out.slice(e.end);
  return out;
}

interface Looked {
  readonly program: Program;
  readonly reports: readonly Report[];
  readonly typed: string;
}

function look(text: string, library: Library, fixes: boolean): Looked {
  const { program, problems } = loadProgram('program.nn', text, none, library);
  const checked = check(program, { fixes, guesses: fixes });
  const loading = fixes ? diagnoseLoading(program, problems) : problems;
  const all = [...loading, ...diagnose(program, checked, { fixes, loading: problems })];
  return { program, reports: all.map(report), typed: printTyped(program, checked, program.entry) };
}

/** Graphs of all units after simplification, by unit and program. Null where the program is not built. */
function graphsOf(text: string, library: Library): Map<string, Graph> | null {
  const { program, problems } = loadProgram('program.nn', text, none, library);
  if (problems.length > 0) return null;
  const checked = check(program, { fixes: false });
  try {
    const { units, origins, problems: refused } = elaborate(program, { scanAxes: checked.scanAxes });
    if (refused.length > 0 || units.length === 0) return null;
    return new Map(
      units.flatMap((u) => [...u.programs].map(([n, g]) => [`${u.name} ${n}`, simplify(g, origins)] as const)),
    );
  } catch {
    return null;
  }
}

const textOf = (graphs: ReadonlyMap<string, Graph>): string =>
  [...graphs].map(([n, g]) => `${n}\n${printGraph(g)}`).join('\n');

/** A number in (-1, 1) for a name and a place. */
function noise(seed: string, k: number): number {
  let h = 2166136261 ^ k;
  for (const c of seed) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  h = Math.imul(h ^ (h >>> 15), 2246822507);
  return ((h >>> 0) / 2 ** 32) * 2 - 1;
}

const MOST_ELEMENTS = 60_000;

/** Outputs of a graph for inputs made from names; null where it is too large or does not run. */
function numbers(graph: Graph): Map<string, Tensor> | null {
  const sizes: Record<string, number> = {};
  const primes = [2, 3, 5, 4, 6, 7];
  for (const n of graph.nodes)
    for (const s of n.type.sizes)
      for (const name of names(s)) sizes[name] ??= primes[Object.keys(sizes).length % primes.length]!;
  try {
    const inputs = new Map<string, Tensor>();
    let total = 0;
    for (const leaf of graph.inputs) {
      const { dtype, sizes: polys } = leaf.type;
      const concreteSizes = polys.map((p) => sizeValue(p, (n) => sizes[n]!));
      const length = concreteSizes.reduce((a, b) => a * b, 1);
      total += length;
      if (total > MOST_ELEMENTS) return null;
      const whole = dtype === 'i32' || dtype === 'bool';
      const made = fill(dtype, concreteSizes, (_, k) => {
        const x = noise(leaf.attrs.name, k);
        return whole ? Number(x > 0) : x;
      });
      inputs.set(leaf.attrs.name, made);
    }
    return evaluate(graph, inputs, sizes);
  } catch {
    return null;
  }
}

/** Whether two programs compute the same: the same graphs, or the same numbers. */
function sameFunction(a: ReadonlyMap<string, Graph>, b: ReadonlyMap<string, Graph>): boolean {
  if (textOf(a) === textOf(b)) return true;
  if ([...a.keys()].join() !== [...b.keys()].join()) return false;
  for (const [name, graph] of a) {
    const other = b.get(name)!;
    if (printGraph(graph) === printGraph(other)) continue;
    const [x, y] = [numbers(graph), numbers(other)];
    if (x === null || y === null || [...x.keys()].join() !== [...y.keys()].join()) return false;
    for (const [output, tensor] of x) {
      const data = y.get(output)!.data as ArrayLike<number>;
      const own = tensor.data as ArrayLike<number>;
      if (own.length !== data.length) return false;
      for (let k = 0; k < own.length; k++) {
        const [p, q] = [own[k]!, data[k]!];
        if (!(Object.is(p, q) || Math.abs(p - q) <= 1e-9 * Math.max(1, Math.abs(p)))) return false;
      }
    }
  }
  return true;
}

/** Evenly chosen, always the same. */
function some<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  return Array.from({ length: most }, (_, k) => list[Math.floor(((k + 0.5) * list.length) / most)]!);
}

export interface StudyOptions {
  /** Sites of one operator in one file. */
  readonly most: number;
  readonly operators?: readonly Operator[];
  readonly each?: (m: Mutant) => void;
}

export function study(source: Source, library: Library, options: StudyOptions): Mutant[] {
  const { text, name } = source;
  const { program, problems } = loadProgram('program.nn', text, none, library);
  const checked = check(program, { fixes: false });
  if (problems.length > 0) return [];
  const context = new Context(program, checked, false);
  const material: Material = {
    text,
    file: program.entry.ast.file,
    context,
    bodies: context.bodies.filter((b) => b.module === program.entry),
  };
  const original = look(text, library, false);
  const known = new Set(original.reports.map((r) => r.code));
  const plain = canonical(text);
  let graphs: Map<string, Graph> | null | undefined;
  let users: (Map<string, Graph> | null)[] | undefined;
  const out: Mutant[] = [];

  const judge = (operator: Operator, site: Site): Mutant | null => {
    const mutated = applyChanges(text, site.edits);
    if (canonical(mutated) === plain) return null;
    const found = look(mutated, library, true);
    const reports = found.reports.filter((r) => r.severity === 'error' || !known.has(r.code));
    const errors = reports.filter((r) => r.severity === 'error');
    let outcome: Outcome = errors.length > 0 ? 'error' : reports.length > 0 ? 'lint' : 'missed';
    if (outcome === 'missed') {
      if (source.users === undefined) {
        graphs ??= graphsOf(text, library);
        const other = graphs === null ? null : graphsOf(mutated, library);
        if (graphs !== null && other !== null && sameFunction(graphs, other)) outcome = 'harmless';
      } else if (source.users.length > 0) {
        const [key] = Object.entries(library).find(([, t]) => t === text) ?? ['own.nn'];
        users ??= source.users.map((u) => graphsOf(u, library));
        const own = { ...library, [key]: mutated };
        const same = source.users.every((u, k) => {
          const before = users![k]!;
          const after = before === null ? null : graphsOf(u, own);
          return before === null || (after !== null && sameFunction(before, after));
        });
        if (same && users.some((u) => u !== null)) outcome = 'harmless';
      }
    }
    const first = errors[0] ?? reports[0] ?? null;
    const shift = site.edits.reduce((n, e) => n + e.text.length - (e.end - e.start), 0);
    const moved = site.edits.every((e) => e.end <= site.target.start)
      ? { start: site.target.start + shift, end: site.target.end + shift }
      : { start: site.target.start, end: site.target.end + shift };
    const hits = (s: { file: number; start: number; end: number } | null): boolean =>
      s !== null &&
      s.file === found.program.entry.ast.file &&
      s.start < Math.max(moved.end, moved.start + 1) &&
      s.end > moved.start;
    const onTarget = first === null ? null : hits(first.span);
    const restores = (fix: Report['fixes'][number]): boolean => {
      if (fix.edits.some((e) => e.span.file !== found.program.entry.ast.file)) return false;
      return canonical(applyEdits(mutated, fix, found.program.entry.ast.file)) === plain;
    };
    const fixes = first?.fixes ?? [];
    const fix =
      first === null
        ? null
        : fixes[0] !== undefined && restores(fixes[0])
          ? 'first'
          : reports.some((r) => r.fixes.some(restores))
            ? 'any'
            : 'none';
    const from = Math.min(...site.edits.map((e) => e.start));
    const lineOf = (t: string): string =>
      t.slice(t.lastIndexOf('\n', from - 1) + 1, t.indexOf('\n', from) < 0 ? undefined : t.indexOf('\n', from)).trim();
    return {
      operator: operator.name,
      file: name,
      line: text.slice(0, from).split('\n').length,
      before: lineOf(text),
      after: lineOf(mutated),
      outcome,
      codes: [...new Set(reports.map((r) => r.code))],
      onTarget,
      named:
        first === null
          ? null
          : hits(first.span) ||
            first.related.some((r) => hits(r.span)) ||
            (first.fixes[0]?.edits ?? []).some((e) =>
              hits({ file: e.span.file, start: e.span.start, end: e.span.end + 1 }),
            ),
      fix,
      typesDiffer: outcome === 'missed' && found.typed !== original.typed,
    };
  };

  for (const operator of options.operators ?? operators)
    for (const site of some(operator.sites(material), options.most)) {
      const m = judge(operator, site);
      if (m === null) continue;
      out.push(m);
      options.each?.(m);
    }
  return out;
}
