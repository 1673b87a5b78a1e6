/**
 * Guesses at what was meant, for errors that know no fix of their own: small changes of the text near the place, each a slip that people make (two
 * indices exchanged, another index, the parts of a group, two arguments, a size too large by one). They are candidates only: one is offered where
 * the program with it has fewer errors (`fixes.ts`). From the syntax alone; nearest to the place first.
 */
import type {
  Callable,
  Dim,
  Expr,
  Index,
  IndexName,
  NameExpr,
  Span,
  TrainDeclaration,
  TypeExpr,
} from '../../grammar/ast.ts';
import { pathTo, walk, type AnyNode } from '../../grammar/walk.ts';
import type { Fix, Problem } from '../diagnostics/problem.ts';
import type { Program } from './program.ts';
import type { Type } from './types.ts';

/** More than these are not tried, and fewer in a long text: each costs a check. */
const MOST = 24;
const CHARACTERS = 40_000;

const isBare = (i: Index): i is IndexName => i.kind === 'index' && !i.run && i.extent === null;

interface Equation extends AnyNode {
  readonly indices?: readonly Index[] | null;
  readonly value: Expr;
}

export function guesses(program: Program, problem: Problem, types: ReadonlyMap<Expr, Type>): Fix[] {
  const { span } = problem;
  if (span === null || program.sources.get(span.file).library) return [];
  const module = program.modules.find((m) => m.ast.file === span.file);
  if (module === undefined) return [];
  const g = new Guesser(program, span, types);
  // A report at the end of something belongs to what ends there.
  const path = pathTo(module.ast, span.start).filter((n) => n.span === undefined || n.span.end >= span.end);
  const inner = [...path].reverse();
  const declaration = path.find((n) => 'parameters' in n || n.kind === 'train') as
    Callable | TrainDeclaration | undefined;
  const equation = inner.find(isEquation);
  if (declaration !== undefined) g.learn(declaration);
  if (problem.code === 'NN704' && equation !== undefined) g.missing(equation, problem.data.name);
  if (equation !== undefined) g.equation(equation, path);
  for (const n of inner) if (n.kind === 'call' || n.kind === 'pipe') g.call(n);
  if (declaration === undefined) return g.found();
  g.types(declaration);
  // What the reported expression is made of: the equations that made its names.
  const statement = inner.find(
    (n) =>
      n.kind === 'return' ||
      n.kind === 'expression' ||
      n.kind === 'let' ||
      n.kind === 'assign' ||
      n.kind === 'minimize',
  );
  const used = new Set<string>();
  if (statement !== undefined)
    walk(statement, (n) => {
      if (n.kind === 'name') used.add((n as NameExpr).name);
      return undefined;
    });
  walk(declaration, (n) => {
    if (
      (n.kind === 'let' || n.kind === 'assign') &&
      n !== equation &&
      used.has((n as unknown as { name: { text: string } }).name.text)
    ) {
      if (isEquation(n)) g.equation(n, path);
      walk(n, (m) => {
        if (m.kind === 'call' || m.kind === 'pipe') g.call(m);
        return undefined;
      });
    }
    return undefined;
  });
  return g.found();
}

const STATEMENTS = new Set(['let', 'assign', 'yield', 'leaf', 'metric', 'minimize', 'return', 'expression']);

/** Any statement with a value; what is no index equation has no indices on its left. */
const isEquation = (n: AnyNode): n is Equation =>
  n.kind !== undefined && STATEMENTS.has(n.kind) && (n as Partial<Equation>).value != null && n.span !== undefined;

type Read = AnyNode & { readonly indices: readonly Index[]; readonly target: Expr };
type Reduction = AnyNode & { readonly indices: readonly IndexName[]; readonly operator: string };

class Guesser {
  private readonly program: Program;
  private readonly span: Span;
  private readonly known: ReadonlyMap<Expr, Type>;
  private readonly out: Fix[] = [];
  private readonly seen = new Set<string>();

  constructor(program: Program, span: Span, known: ReadonlyMap<Expr, Type>) {
    this.program = program;
    this.span = span;
    this.known = known;
  }

  found(): Fix[] {
    const { length } = this.program.sources.get(this.span.file).text;
    return this.out.slice(0, Math.min(MOST, Math.floor(CHARACTERS / Math.max(1, length))));
  }

  private text(s: Span): string {
    return this.program.sources.text(s);
  }

  private add(title: string, ...edits: readonly (readonly [Span, string])[]): void {
    const key = edits.map(([s, t]) => `${s.start}-${s.end}=${t}`).join(';');
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.out.push({
      title,
      edits: edits.map(([s, t]) => ({ span: { file: s.file, start: s.start, end: s.end }, text: t })),
      applicability: 'maybe',
    });
  }

  private write(span: Span, text: string): void {
    if (this.text(span) !== text) this.add(`write \`${text}\``, [span, text]);
  }

  private exchange(a: { readonly span: Span }, b: { readonly span: Span }): void {
    const [x, y] = [this.text(a.span), this.text(b.span)];
    if (x !== y) this.add(`exchange \`${x}\` and \`${y}\``, [a.span, y], [b.span, x]);
  }

  private pairs(list: readonly Index[]): void {
    const whole = list.filter((i) => i.kind !== 'expression');
    for (let d = 1; d < whole.length; d++)
      for (let k = whole.length - 1 - d; k >= 0; k--) this.exchange(whole[k]!, whole[k + d]!);
  }

  /** Everything in an equation, what is nearest to the place first. */
  equation(equation: Equation, path: readonly AnyNode[]): void {
    const reads: Read[] = [];
    const reductions: Reduction[] = [];
    const groups: (AnyNode & { readonly parts: readonly IndexName[] })[] = [];
    const letters = new Set<string>();
    walk(equation, (n) => {
      if (n.kind === 'read') reads.push(n as Read);
      if (n.kind === 'reduce') reductions.push(n as Reduction);
      if (n.kind === 'group') groups.push(n as (typeof groups)[number]);
      if (n.kind === 'index' && !(n as unknown as IndexName).run) letters.add((n as unknown as IndexName).name.text);
      return undefined;
    });
    const { span } = this;
    const near = (n: AnyNode): number =>
      path.includes(n) ? 0 : Math.min(Math.abs(n.span!.start - span.start), Math.abs(n.span!.end - span.end)) + 1;
    reads.sort((a, b) => near(a) - near(b));
    const names = [...letters];
    const others = (i: IndexName, taken: readonly Index[]): void => {
      for (const other of names)
        if (!taken.some((x) => x.kind === 'index' && x.name.text === other)) this.write(i.name.span, other);
    };
    const at = reads[0];
    const under = (i: { readonly span: Span }): boolean => i.span.start <= span.end && i.span.end >= span.start;
    for (const r of reductions) for (const i of r.indices) if (under(i)) others(i, r.indices);
    for (const i of at?.indices ?? []) this.shiftless(i);
    if (at !== undefined) {
      this.pairs(at.indices);
      for (const i of at.indices) if (isBare(i) && under(i)) others(i, at.indices);
      // An index too few.
      for (const name of names)
        if (!at.indices.some((i) => i.kind === 'index' && i.name.text === name)) {
          const last = at.indices.at(-1);
          if (last !== undefined)
            this.add(`add the index \`${name}\``, [{ ...where(last.span), start: last.span.end }, `, ${name}`]);
        }
    }
    this.whole(equation, names);
    for (const i of equation.indices ?? []) this.extent(i);
    this.pairs(equation.indices ?? []);
    for (const x of groups) if (x.parts.length > 1) this.exchange(x.parts[0]!, x.parts[1]!);
    for (const r of reads.slice(1, 4)) {
      this.pairs(r.indices);
      for (const i of r.indices) this.shiftless(i);
    }
    for (const r of reductions) for (const i of r.indices) others(i, r.indices);
  }

  /** What stands on the left: its extents, its order. */
  left(equation: Equation): void {
    this.pairs(equation.indices ?? []);
    for (const i of equation.indices ?? []) this.extent(i);
  }

  /** A whole tensor where one element was meant: with as many of the equation's indices as it has axes. */
  private whole(equation: Equation, names: readonly string[]): void {
    walk(equation.value, (n, parent) => {
      if (n.kind !== 'name' || parent?.kind === 'read') return undefined;
      const type = this.known.get(n as NameExpr);
      if (type?.kind !== 'tensor' || type.shape.length === 0) return undefined;
      const rank = type.shape.length;
      for (let from = 0; from + rank <= names.length; from++)
        this.write(n.span!, `${(n as NameExpr).name}[${names.slice(from, from + rank).join(', ')}]`);
      return undefined;
    });
  }

  /** An index that nothing declares: it was part of a group, or of a reduction. */
  missing(equation: Equation, name: string): void {
    const reductions: Reduction[] = [];
    walk(equation, (n) => {
      if (n.kind === 'reduce') reductions.push(n as Reduction);
      return undefined;
    });
    for (const i of equation.indices ?? []) {
      if (!isBare(i)) continue;
      this.write(i.span, `(${name} ${i.name.text})`);
      this.write(i.span, `(${i.name.text} ${name})`);
    }
    for (const r of reductions) {
      const last = r.indices.at(-1);
      if (last === undefined) continue;
      this.add(`reduce over \`${name}\` too`, [{ ...where(last.span), start: last.span.end }, `, ${name}`]);
      this.write(last.name.span, name);
    }
  }

  private extent(i: Index): void {
    for (const part of i.kind === 'group' ? i.parts : i.kind === 'index' ? [i] : [])
      if (part.extent !== null) this.size(part.extent);
  }

  /** `x[b, t + 1]` where `t` stays inside. */
  private shiftless(i: Index): void {
    if (
      i.kind === 'expression' &&
      i.value.kind === 'binary' &&
      i.value.right.kind === 'number' &&
      i.value.right.value === 1
    )
      this.write(i.value.span, this.text(i.value.left.span));
  }

  /** A size too large by one, of another name, or with another sign. */
  private size(e: Expr): void {
    if (e.kind === 'number' && e.integer && e.value > 1) this.write(e.span, String(e.value - 1));
    if (e.kind === 'binary' && e.operator === '+' && e.right.kind === 'number' && e.right.value === 1)
      this.write(e.span, this.text(e.left.span));
    if (e.kind === 'binary' && (e.operator === '+' || e.operator === '-'))
      this.write(e.operatorSpan, e.operator === '+' ? '-' : '+');
    // Only sizes for sizes: what a configuration is called is rarely mistaken.
    walk(e, (n) => {
      if (n.kind !== 'name' || !this.plain.has((n as NameExpr).name)) return undefined;
      for (const other of this.sizes) if (other !== (n as NameExpr).name) this.write(n.span!, other);
      return undefined;
    });
  }

  private sizes: string[] = [];
  private plain: ReadonlySet<string> = new Set();

  call(n: AnyNode): void {
    const stage = n.kind === 'pipe' ? (n as unknown as { readonly stage: Expr }).stage : (n as unknown as Expr);
    for (let e: Expr = stage; e.kind === 'call'; e = e.callee) {
      const plain = e.arguments.filter((a) => a.name === null);
      for (let k = 0; k + 1 < plain.length; k++) this.exchange(plain[k]!, plain[k + 1]!);
      for (const a of e.arguments) this.size(a.value);
    }
  }

  /** The sizes that a declaration names. */
  learn(declaration: Callable | TrainDeclaration): void {
    const names = new Set<string>();
    for (const t of typesOf(declaration))
      for (const d of t.shape ?? []) if (d.kind === 'size' && d.value.kind === 'name') names.add(d.value.name);
    this.plain = new Set(names);
    if (declaration.kind !== 'train')
      for (const p of declaration.config ?? []) if (p.type?.dtype.text === 'int') names.add(p.name.text);
    this.sizes = [...names];
  }

  /** The types that the declaration states: axes exchanged, bounds too large by one, another element type. */
  types(declaration: Callable | TrainDeclaration): void {
    for (const t of typesOf(declaration)) {
      if (t.below !== null) this.size(t.below);
      const dims: readonly Dim[] = t.shape ?? [];
      for (let k = dims.length - 2; k >= 0; k--) this.exchange(dims[k]!, dims[k + 1]!);
      if (t.shape !== null && t.dtype.text === 'i32' && t.below === null) this.write(t.dtype.span, 'float');
      if (t.shape !== null && t.dtype.text === 'float') this.write(t.dtype.span, 'i32');
    }
  }
}

const typesOf = (declaration: Callable | TrainDeclaration): TypeExpr[] =>
  declaration.kind === 'train'
    ? declaration.statements.flatMap((s) => (s.kind === 'input' ? [s.type] : []))
    : declaration.parameters.flatMap((p) => p.type ?? []);

const where = (s: Span): Span => ({ file: s.file, start: s.start, end: s.end });
