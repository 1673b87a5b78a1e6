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
import { Kept } from '../../compiler/check/kept.ts';
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
import { repaired } from '../../compiler/repair/repair.ts';
import { simplify } from '../../compiler/simplify/simplify.ts';
import { evaluate as sizeValue, names, type Poly } from '../../compiler/sizes/poly.ts';
import { lexer } from '../../grammar/tokens.ts';
import type { Change, Material, Site } from './material.ts';
import { operators, type Operator } from './operators.ts';

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
  /** The first report: its line, the text under it, its message, its first fix. */
  readonly said: string;
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

/** With `kept` only what differs from the text before is parsed and checked, as an editor does. */
function look(text: string, library: Library, fixes: boolean, kept: Kept): Looked {
  const { program, problems } = loadProgram('program.nn', text, none, library, {}, kept);
  const checked = check(program, { fixes });
  const loading = fixes ? diagnoseLoading(program, problems) : problems;
  const found = [...loading, ...diagnose(program, checked, { fixes, loading: problems })];
  const all = fixes ? repaired(program, checked, found) : found;
  return { program, reports: all.map(report), typed: printTyped(program, checked, program.entry) };
}

/** Graphs of all units after simplification, by unit and program. Null where the program is not built. */
function functionOf(text: string, library: Library): Computation | null {
  const { program, problems } = loadProgram('program.nn', text, none, library);
  if (problems.length > 0) return null;
  const checked = check(program, { fixes: false });
  try {
    const { units, origins, problems: refused } = elaborate(program, { scanAxes: checked.scanAxes });
    if (refused.length > 0 || units.length === 0) return null;
    return new Computation(
      new Map(units.flatMap((u) => [...u.programs].map(([n, g]) => [`${u.name} ${n}`, simplify(g, origins)] as const))),
    );
  } catch {
    return null;
  }
}

/** A number in (-1, 1) for a name and a place. */
function noise(seed: string, k: number): number {
  let h = 2166136261 ^ k;
  for (const c of seed) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  h = Math.imul(h ^ (h >>> 15), 2246822507);
  return ((h >>> 0) / 2 ** 32) * 2 - 1;
}

/** A multiplication or so each; the evaluator does some millions in a second. */
const MOST_WORK = 4e6;

/** About how many scalar operations the evaluator needs. */
function workOf(graph: Graph, value: (p: Poly) => number): number {
  const count = (sizes: readonly Poly[]): number => sizes.reduce((n, s) => n * value(s), 1);
  let total = 0;
  for (const n of graph.nodes) {
    const inputs = n.inputs.map((i) => count(i.type.sizes));
    total += Math.max(count(n.type.sizes), ...inputs);
    // Each label of a product of matrices stands in two of three.
    if (n.op === 'contract') total += Math.sqrt(inputs[0]! * inputs[1]! * count(n.type.sizes));
    if (n.op === 'scan') total += value(n.attrs.length) * workOf(n.attrs.body, value);
  }
  return total;
}

/** Outputs of a graph for inputs made from names; null where that is too much work or does not run. */
function numbers(graph: Graph): Map<string, Tensor> | null {
  const sizes: Record<string, number> = {};
  const primes = [2, 3, 5, 4, 6, 7];
  for (const n of graph.nodes)
    for (const s of n.type.sizes)
      for (const name of names(s)) sizes[name] ??= primes[Object.keys(sizes).length % primes.length]!;
  const value = (p: Poly): number => sizeValue(p, (n) => sizes[n]!);
  try {
    if (!(workOf(graph, value) <= MOST_WORK)) return null;
    const inputs = new Map<string, Tensor>();
    for (const leaf of graph.inputs) {
      const { dtype, sizes: polys } = leaf.type;
      const whole = dtype === 'i32' || dtype === 'bool';
      const made = fill(dtype, polys.map(value), (_, k) => {
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

/** The graphs of a program as text and, once asked for, as numbers. */
class Computation {
  readonly graphs: ReadonlyMap<string, Graph>;
  readonly texts: ReadonlyMap<string, string>;
  private readonly values = new Map<string, Map<string, Tensor> | null>();

  constructor(graphs: ReadonlyMap<string, Graph>) {
    this.graphs = graphs;
    this.texts = new Map([...graphs].map(([n, g]) => [n, printGraph(g)]));
  }

  numbers(name: string): Map<string, Tensor> | null {
    let known = this.values.get(name);
    if (known === undefined) {
      known = numbers(this.graphs.get(name)!);
      this.values.set(name, known);
    }
    return known;
  }
}

/** Whether two programs compute the same: the same graphs, or the same numbers. */
function sameFunction(a: Computation, b: Computation): boolean {
  if ([...a.texts.keys()].join() !== [...b.texts.keys()].join()) return false;
  // The cheapest first: what differs in its prediction need not be trained.
  const differ = [...a.texts.keys()].filter((name) => a.texts.get(name) !== b.texts.get(name)).sort();
  for (const name of differ) {
    const [x, y] = [a.numbers(name), b.numbers(name)];
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

function said({ code, span, message, fixes }: Report, text: string): string {
  const place =
    span === null
      ? ''
      : `${text.slice(0, span.start).split('\n').length} \`${text.slice(span.start, span.end).replace(/\s+/g, ' ').slice(0, 60)}\` `;
  return `${place}${code} ${message}${fixes[0] === undefined ? '' : ` => ${fixes[0].title}`}`;
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
  const kept = new Kept();
  const original = look(text, library, false, kept);
  const known = new Set(original.reports.map((r) => r.code));
  const plain = canonical(text);
  let graphs: Computation | null | undefined;
  let users: (Computation | null)[] | undefined;
  const out: Mutant[] = [];

  const judge = (operator: Operator, site: Site): Mutant | null => {
    const mutated = applyChanges(text, site.edits);
    if (canonical(mutated) === plain) return null;
    const found = look(mutated, library, true, kept);
    const reports = found.reports.filter((r) => r.severity === 'error' || !known.has(r.code));
    const errors = reports.filter((r) => r.severity === 'error');
    let outcome: Outcome = errors.length > 0 ? 'error' : reports.length > 0 ? 'lint' : 'missed';
    if (outcome === 'missed') {
      if (source.users === undefined) {
        graphs ??= functionOf(text, library);
        const other = graphs === null ? null : functionOf(mutated, library);
        if (graphs !== null && other !== null && sameFunction(graphs, other)) outcome = 'harmless';
      } else if (source.users.length > 0) {
        const [key] = Object.entries(library).find(([, t]) => t === text) ?? ['own.nn'];
        users ??= source.users.map((u) => functionOf(u, library));
        const own = { ...library, [key]: mutated };
        const same = source.users.every((u, k) => {
          const before = users![k]!;
          const after = before === null ? null : functionOf(u, own);
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
      said: first === null ? '' : said(first, mutated),
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
