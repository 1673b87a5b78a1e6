/**
 * Candidates for what was meant: small changes of the text around an error, each a slip that people make (two indices exchanged, another index,
 * the parts of a group, two arguments, a size too large by one, another element type, a value for another). Candidates only: `repair.ts`
 * tries them. The nearest to the place come first: the statement, what made its names, the signature, what it calls.
 */
import type {
  Callable,
  CallExpr,
  Dim,
  Expr,
  Index,
  IndexName,
  NameExpr,
  Span,
  TrainDeclaration,
  TypeExpr,
} from '../../grammar/ast.ts';
import { nodesOf, pathTo, walk, type AnyNode } from '../../grammar/walk.ts';
import type { CheckResult } from '../check/check.ts';
import type { Program } from '../check/program.ts';
import { formatSize, type Type } from '../check/types.ts';
import type { Aligned } from '../diagnostics/families/check.ts';
import type { Fix, Problem } from '../diagnostics/problem.ts';
import { report } from '../diagnostics/render/index.ts';
import { widthLayer } from './layers.ts';
import { chains, places } from './unused.ts';

type Owner = Callable | TrainDeclaration;

const isOwner = (n: AnyNode): n is Owner & AnyNode => 'parameters' in n || n.kind === 'train';

const isBare = (i: Index): i is IndexName => i.kind === 'index' && !i.run && i.extent === null;

interface Equation extends AnyNode {
  readonly name?: { readonly text: string } | null;
  readonly indices?: readonly Index[] | null;
  readonly value: Expr;
}

const STATEMENTS = new Set([
  'let',
  'assign',
  'yield',
  'leaf',
  'metric',
  'minimize',
  'return',
  'expression',
  'optimizer',
]);

/** Any statement with a value; what is no index equation has no indices on its left. */
const isStatement = (n: AnyNode, parent: AnyNode | null): n is Equation =>
  n.kind !== undefined &&
  STATEMENTS.has(n.kind) &&
  (n as Partial<Equation>).value != null &&
  n.span !== undefined &&
  // A computed index is called an expression, too.
  !(n.kind === 'expression' && parent?.kind === 'read');

/** A candidate; `far` is a greater change, less likely than a slip of the pen. */
export interface Slip {
  readonly fix: Fix;
  readonly far: boolean;
}

export function slips(program: Program, problem: Problem, checked: CheckResult): Slip[] {
  const { span } = problem;
  if (span === null || program.sources.get(span.file).library) return [];
  const module = program.modules.find((m) => m.file === span.file);
  if (module === undefined) return [];
  // A report at the end of something belongs to what ends there.
  const path = pathTo(module.ast, span.start).filter((n) => n.span === undefined || n.span.end >= span.end);
  const declaration = path.find(isOwner);
  const s = new Slips(program, problem, span, checked, path);
  if (declaration === undefined) return s.found;
  s.learn(declaration);
  if (problem.code === 'NN132') {
    for (const d of module.ast.declarations) if (isOwner(d)) s.widths(d, problem.data.size);
    return s.found;
  }
  const statement = [...path].reverse().find((n, k, inner): n is Equation => isStatement(n, inner[k + 1] ?? null));
  if (problem.code === 'NN622') {
    const owners = module.ast.declarations.filter((d): d is Owner => isOwner(d));
    if ('parameters' in declaration) chains(s, owners, declaration);
    return s.found;
  }
  if (problem.code === 'NN706') s.unused(declaration, problem.data.name);
  if (problem.code === 'NN603') {
    places(s, declaration, problem.data.name);
    s.unread(declaration, problem.data.name);
  }
  if (problem.code === 'NN706' || problem.code === 'NN603') return s.found;
  if (statement !== undefined) {
    if (problem.code === 'NN704') s.missing(statement, problem.data.name);
    if (problem.code === 'NN710') s.forgotten(problem.data.names);
    if (problem.code === 'NN109') s.lastLayer(problem.data.shapes);
    s.statement(statement, true);
  }
  // A value that nothing uses now may be what was to stand somewhere.
  for (const p of checked.problems)
    if (p.code === 'NN706' && p.span !== null && inside(p.span, declaration.span)) s.unused(declaration, p.data.name);
  s.requires(declaration);
  const made = statement === undefined ? [] : s.makers(declaration, statement);
  for (const maker of made) s.left(maker);
  s.types(declaration);
  for (const maker of made) {
    s.statement(maker, false);
    s.layerless(maker);
  }
  s.results(declaration);
  // What it calls of the program's own may be wrong, too.
  const callees = new Set<Owner>();
  for (const n of nodesOf(statement ?? declaration)) {
    const meant = n.kind === 'name' ? checked.references.get(n) : undefined;
    if (meant?.kind === 'definition' && !meant.definition.module.library && isOwner(meant.definition.declaration))
      callees.add(meant.definition.declaration);
  }
  for (const callee of callees)
    if (callee !== declaration) {
      s.learn(callee);
      s.types(callee);
      for (const n of nodesOf(callee)) if (n.kind === 'let') s.formula(n as Equation);
    }
  s.learn(declaration);
  s.sizesOfTypes(declaration);
  return s.found;
}

const inside = (s: Span, range: Span): boolean => s.file === range.file && s.start >= range.start && s.end <= range.end;

type Read = AnyNode & { readonly indices: readonly Index[]; readonly target: Expr; readonly span: Span };
type Reduction = AnyNode & { readonly indices: readonly IndexName[]; readonly operator: string };
type Group = AnyNode & { readonly parts: readonly IndexName[]; readonly span: Span };

/** Numbers that a report speaks of: where 65 does not fit 64, either may be meant. */
function numbersOf(problem: Problem): number[] {
  const { message, notes } = report(problem);
  const found = [message, ...notes].join(' ').match(/\b\d+\b/g) ?? [];
  return [...new Set(found.map(Number))].filter((n) => n > 0 && Number.isSafeInteger(n)).slice(0, 6);
}

class Slips {
  readonly found: Slip[] = [];
  private far = false;
  readonly program: Program;
  private readonly span: Span;
  readonly checked: CheckResult;
  private readonly path: readonly AnyNode[];
  private readonly problem: Problem;
  private readonly numbers: readonly number[];
  private readonly seen = new Set<string>();
  private sizes: string[] = [];
  private plain: ReadonlySet<string> = new Set();
  private owner: Owner | null = null;

  constructor(program: Program, problem: Problem, span: Span, checked: CheckResult, path: readonly AnyNode[]) {
    this.program = program;
    this.span = span;
    this.checked = checked;
    this.path = path;
    this.problem = problem;
    this.numbers = numbersOf(problem);
  }

  readonly text = (s: Span): string => this.program.sources.text(s);

  readonly insert = (title: string, { file }: Span, offset: number, text: string): void =>
    this.add(title, [{ file, start: offset, end: offset }, text]);

  private add(title: string, ...edits: readonly (readonly [Span, string])[]): void {
    const key = edits.map(([s, t]) => `${s.file}:${s.start}-${s.end}=${t}`).join(';');
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const fix: Fix = {
      title,
      edits: edits.map(([s, t]) => ({ span: where(s), text: t })),
      applicability: 'maybe',
    };
    this.found.push({ fix, far: this.far });
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

  /** The sizes that a declaration names. */
  learn(declaration: Owner): void {
    this.owner = declaration;
    const names = new Set<string>();
    for (const t of typesOf(declaration))
      for (const d of t.shape ?? [])
        if (d.kind === 'size') for (const n of nodesOf(d.value)) if (n.kind === 'name') names.add((n as NameExpr).name);
    this.plain = new Set(names);
    if (declaration.kind !== 'train')
      for (const p of declaration.config ?? []) if (p.type?.dtype.text === 'int') names.add(p.name.text);
    this.sizes = [...names];
  }

  /** The statements that made what a statement uses, the last first, and what made that. */
  makers(declaration: Owner, statement: Equation): Equation[] {
    const lists = new Map<string, Equation[]>();
    walk(declaration, (n, parent) => {
      if (n !== statement && isStatement(n, parent) && n.name != null) {
        const before = lists.get(n.name.text) ?? [];
        lists.set(n.name.text, [n, ...before]);
      }
      return undefined;
    });
    const out = new Set<Equation>();
    const visit = (n: Equation, depth: number): void => {
      for (const x of nodesOf(n))
        if (x.kind === 'name' && depth > 0)
          for (const maker of (lists.get((x as NameExpr).name) ?? []).slice(0, 3))
            if (!out.has(maker)) {
              out.add(maker);
              visit(maker, depth - 1);
            }
    };
    visit(statement, 3);
    return [...out].slice(0, 8);
  }

  /** Everything in a statement, what is nearest to the place first. */
  statement(equation: Equation, here: boolean): void {
    const reads: Read[] = [];
    const reductions: Reduction[] = [];
    const groups: Group[] = [];
    const letters = new Set<string>();
    const calls: AnyNode[] = [];
    const names: { readonly node: NameExpr; readonly read: Read | null }[] = [];
    walk(equation, (n, parent) => {
      if (n.kind === 'read') reads.push(n as Read);
      if (n.kind === 'reduce') reductions.push(n as Reduction);
      if (n.kind === 'group') groups.push(n as Group);
      if (n.kind === 'index' && !(n as unknown as IndexName).run) letters.add((n as unknown as IndexName).name.text);
      if (n.kind === 'call' || n.kind === 'pipe') calls.push(n);
      if (n.kind === 'name')
        names.push({ node: n as NameExpr, read: parent?.kind === 'read' ? (parent as Read) : null });
      return undefined;
    });
    const { span, path } = this;
    const near = (n: AnyNode): number =>
      path.includes(n) ? 0 : Math.min(Math.abs(n.span!.start - span.start), Math.abs(n.span!.end - span.end)) + 1;
    reads.sort((a, b) => near(a) - near(b));
    const known = [...letters];
    const others = (i: IndexName, taken: readonly Index[]): void => {
      for (const other of known)
        if (!taken.some((x) => x.kind === 'index' && x.name.text === other)) this.write(i.name.span, other);
    };
    const at = reads[0];
    const under = (i: { readonly span: Span }): boolean => i.span.start <= span.end && i.span.end >= span.start;
    for (const r of reads) for (const i of r.indices) if (under(i) || !here) this.computed(i);
    for (const r of reductions) for (const i of r.indices) if (under(i)) others(i, r.indices);
    if (at !== undefined) {
      this.pairs(at.indices);
      for (const i of at.indices) if (isBare(i) && under(i)) others(i, at.indices);
      // An index too few.
      for (const name of known)
        if (!at.indices.some((i) => i.kind === 'index' && i.name.text === name)) {
          const last = at.indices.at(-1);
          if (last !== undefined)
            this.add(`add the index \`${name}\``, [{ ...where(last.span), start: last.span.end }, `, ${name}`]);
        }
    }
    // `x[...s]` beside `y[...s, d]`.
    if (this.problem.code === 'NN102' && this.problem.data.index.startsWith('...'))
      for (const r of reads) {
        const run = r.indices.at(-1);
        if (run?.kind !== 'index' || !run.run) continue;
        for (const name of known)
          this.add(`add the index \`${name}\``, [{ ...where(run.span), start: run.span.end }, `, ${name}`]);
      }
    const end = at?.indices.at(-1);
    if (end !== undefined && this.problem.code === 'NN113') {
      this.far = true;

      this.add('add the index `0`', [{ ...where(end.span), start: end.span.end }, ', 0']);
      this.far = false;
    }

    this.whole(equation, known);
    this.formula(equation);
    this.joined(equation, reads);
    for (const i of equation.indices ?? []) this.extent(i);
    this.pairs(equation.indices ?? []);
    for (const x of groups) if (x.parts.length > 1) this.exchange(x.parts[0]!, x.parts[1]!);
    // A part of a group stands for the whole: `w[n, d]` where `(gate n)` is read elsewhere.
    for (const g of groups)
      for (const r of reads)
        for (const i of r.indices)
          if (isBare(i) && g.parts.some((p) => p.name.text === i.name.text))
            this.write(i.span, `(${g.parts.map((p) => p.name.text).join(' ')})`);
    for (const r of reads.slice(1, 5)) {
      this.pairs(r.indices);
      for (const i of r.indices) this.computed(i);
    }
    for (const r of reductions) {
      if (r.operator === 'max') this.write((r as unknown as { operatorSpan: Span }).operatorSpan, 'argmax');
      for (const i of r.indices) others(i, r.indices);
    }
    for (const c of calls) this.call(c);
    this.numbersIn(equation);
    if (here) {
      const { problem } = this;
      if (problem.code === 'NN102')
        for (const r of reads)
          for (const i of r.indices) if (isBare(i) && i.name.text === problem.data.index) others(i, r.indices);
      this.far = true;
      for (const { node, read } of names) this.otherValue(node, read);
      this.far = false;
      if (at !== undefined) for (const i of at.indices) if (isBare(i) && !under(i)) others(i, at.indices);
    }
  }

  /** A whole tensor where one element was meant: with as many of the equation's indices as it has axes. */
  private whole(equation: Equation, names: readonly string[]): void {
    walk(equation.value, (n, parent) => {
      if ((n.kind !== 'name' && n.kind !== 'member') || parent?.kind === 'read' || parent?.kind === 'member')
        return undefined;
      const type = this.checked.types.get(n as Expr);
      if (type?.kind !== 'tensor' || type.shape.length === 0) return undefined;
      const rank = type.shape.length;
      const name = this.text(n.span!);
      // As it is read elsewhere, then by the letters in their order.
      for (const list of this.readings(name)) this.write(n.span!, `${name}[${list}]`);
      for (let from = 0; from + rank <= names.length; from++)
        this.write(n.span!, `${name}[${names.slice(from, from + rank).join(', ')}]`);
      // One place of an axis that the equation has not.
      if (rank === names.length + 1)
        for (let k = 0; k < rank; k++) {
          const axis = type.shape[k]!;
          const last = axis.kind === 'size' ? [`${formatSize(axis.size)} - 1`] : [];
          for (const place of ['0', ...last])
            this.write(n.span!, `${name}[${[...names.slice(0, k), place, ...names.slice(k)].join(', ')}]`);
        }
      // All choices of the letters that keep their order.
      if (rank < names.length && names.length <= 5)
        for (let bits = 0; bits < 1 << names.length; bits++) {
          const chosen = names.filter((_, k) => (bits >> k) & 1);
          if (chosen.length === rank) this.write(n.span!, `${name}[${chosen.join(', ')}]`);
        }
      return undefined;
    });
  }

  /** A size that is computed by a `let`: another operator, another name. */
  formula(equation: Equation): void {
    if (equation.indices != null || this.checked.types.get(equation.value)?.kind !== 'number') return;
    this.operators(equation.value);
    this.size(equation.value);
  }

  private operators(e: Expr): void {
    walk(e, (n) => {
      if (n.kind !== 'binary') return undefined;
      const { operator, operatorSpan } = n as unknown as { operator: string; operatorSpan: Span };
      const other = OPPOSITE[operator];
      if (other !== undefined) this.write(operatorSpan, other);
      return undefined;
    });
  }

  /** Letters of the left that nothing on the right reads are parts of an axis: `y[b, t, e]` → `y[b, t, (h e)]`. */
  private joined(equation: Equation, reads: readonly Read[]): void {
    const left = (equation.indices ?? []).flatMap((i) => (i.kind === 'index' && !i.run ? [i.name.text] : []));
    const used = new Set(
      nodesOf(equation.value).flatMap((n) =>
        n.kind === 'index' ? [(n as unknown as IndexName).name.text] : n.kind === 'name' ? [(n as NameExpr).name] : [],
      ),
    );
    const idle = left.filter((l) => !used.has(l));
    if (idle.length === 0) return;
    for (const r of reads)
      for (const i of r.indices) {
        if (!isBare(i) || !left.includes(i.name.text)) continue;
        const parts = left.filter((l) => l === i.name.text || idle.includes(l));
        this.write(i.span, `(${parts.join(' ')})`);
      }
  }

  /** Sizes in a `require` of the declaration. */
  requires(declaration: Owner): void {
    if (declaration.kind === 'train') return;
    const before = this.sizes;
    const numbers = declaration.parameters.flatMap((p) =>
      p.type?.shape === null && (p.type.dtype.text === 'int' || p.type.dtype.text === 'i32') ? [p.name.text] : [],
    );
    this.sizes = [...before, ...numbers];
    for (const s of declaration.body.statements) if (s.kind === 'require') this.size(s.condition);
    this.sizes = before;
  }

  /** What a declaration says that it gives: another operator in the formula of a size. */
  results(declaration: Owner): void {
    if (declaration.kind === 'train' || declaration.result === null) return;
    const types = 'shape' in declaration.result ? [declaration.result] : declaration.result.map((r) => r.type);
    for (const t of types) for (const d of t.shape ?? []) if (d.kind === 'size') this.operators(d.value);
  }

  /** A value that is another under a new name: the layer between them may be missing. */
  layerless(equation: Equation): void {
    if (equation.indices != null || equation.kind !== 'let') return;
    const { value } = equation;
    const from = value.kind === 'pipe' ? value.value : value;
    if (from.kind !== 'name' || (value.kind === 'pipe' && value.stage.kind !== 'name')) return;
    const type = this.checked.types.get(from);
    const layer = type?.kind === 'tensor' && type.shape.length >= 2 ? widthLayer(this.program) : null;
    if (layer === null) return;
    for (const width of this.sizes)
      this.insert(`put \`${layer}(${width})\` here`, from.span, from.span.end, ` |> ${layer}(${width})`);
  }

  private readings(name: string): string[] {
    const out = new Set<string>();
    if (this.owner !== null)
      for (const n of nodesOf(this.owner))
        if (n.kind === 'read' && this.text((n as Read).target.span) === name)
          out.add((n as Read).indices.map((i) => this.text(i.span)).join(', '));
    return [...out].slice(0, 3);
  }

  /** An index that nothing declares: it was part of a group, or of a reduction, or is another's. */
  missing(equation: Equation, name: string): void {
    const reductions: Reduction[] = [];
    walk(equation, (n) => {
      if (n.kind === 'reduce') reductions.push(n as Reduction);
      return undefined;
    });
    for (const r of reductions) {
      const last = r.indices.at(-1);
      if (last === undefined) continue;
      for (const i of r.indices) this.write(i.name.span, name);
      this.add(`reduce over \`${name}\` too`, [{ ...where(last.span), start: last.span.end }, `, ${name}`]);
    }
    for (const i of equation.indices ?? []) {
      if (i.kind !== 'index' || i.run) continue;
      const own = this.text(i.span);
      this.write(i.span, `(${name} ${own})`);
      this.write(i.span, `(${own} ${name})`);
    }
    walk(equation.value, (n) => {
      if (n.kind === 'read')
        for (const i of (n as Read).indices) if (isBare(i)) this.write(i.span, `(${name} ${i.name.text})`);
      return undefined;
    });
  }

  /** What stands on the left: its order, its extents. */
  left(equation: Equation): void {
    this.pairs(equation.indices ?? []);
    for (const i of equation.indices ?? []) this.extent(i);
  }

  private extent(i: Index): void {
    for (const part of i.kind === 'group' ? i.parts : i.kind === 'index' ? [i] : [])
      if (part.extent !== null) this.size(part.extent);
  }

  /** `x[b, t + 1]` where `t` stays inside; `T + 1` for `T - 1`; one index too many or too few in a sum. */
  private computed(i: Index): void {
    if (i.kind !== 'expression') return;
    walk(i.value, (n) => {
      const e = n as Expr;
      if (e.kind !== 'binary') return undefined;
      const { left, right, operator, operatorSpan } = e;
      if (operator !== '+' && operator !== '-' && operator !== '*' && operator !== '/') return undefined;
      if (right.kind === 'number' && right.value === 1 && operator === '+') this.write(e.span, this.text(left.span));
      if (operator === '+' || operator === '-') this.write(operatorSpan, operator === '+' ? '-' : '+');
      else this.write(operatorSpan, operator === '*' ? '/' : '*');
      if (right.kind === 'number' && operator === '+') this.write(e.span, this.text(left.span));
      return undefined;
    });
    this.size(i.value);
  }

  /** A size too large or too small by one, of another name, or with another sign. */
  private size(e: Expr): void {
    if (e.kind === 'number' && e.integer && e.value > 0) {
      for (const n of this.numbers) if (n !== e.value && Math.abs(n - e.value) <= 1) this.write(e.span, String(n));
      if (e.value > 1) this.write(e.span, String(e.value - 1));
      this.write(e.span, String(e.value + 1));
    }
    if (e.kind === 'binary' && e.operator === '+' && e.right.kind === 'number' && e.right.value === 1)
      this.write(e.span, this.text(e.left.span));
    if (e.kind === 'binary' && (e.operator === '+' || e.operator === '-'))
      this.write(e.operatorSpan, e.operator === '+' ? '-' : '+');
    if (e.kind === 'binary' && (e.operator === '*' || e.operator === '/'))
      this.write(e.operatorSpan, e.operator === '*' ? '/' : '*');
    // Only sizes for sizes: what a configuration is called is rarely mistaken.
    walk(e, (n) => {
      if (n.kind !== 'name') return undefined;
      const own = (n as NameExpr).name;
      if (!this.sizes.includes(own)) return undefined;
      for (const other of this.sizes)
        if (other !== own && (this.plain.has(own) || this.plain.has(other))) this.write(n.span!, other);
      return undefined;
    });
  }

  /** Numbers that differ by little from one that the report speaks of. */
  private numbersIn(equation: Equation): void {
    walk(equation, (n) => {
      const e = n as Expr;
      if (e.kind === 'number' && e.integer && this.numbers.includes(e.value))
        for (const other of this.numbers) if (other !== e.value) this.write(e.span, String(other));
      return undefined;
    });
  }

  call(n: AnyNode): void {
    const stage = n.kind === 'pipe' ? (n as unknown as { readonly stage: Expr }).stage : (n as unknown as Expr);
    for (let e: Expr = stage; e.kind === 'call'; e = e.callee) {
      const plain = e.arguments.filter((a) => a.name === null);
      for (let k = 0; k + 1 < plain.length; k++) this.exchange(plain[k]!, plain[k + 1]!);
      for (const a of e.arguments) this.size(a.value);
    }
  }

  /** Values in scope at a place, those that nothing uses first. */
  private values(before: number): string[] {
    const { owner } = this;
    if (owner === null) return [];
    const names: string[] =
      owner.kind === 'train' ? [] : owner.parameters.filter((p) => p.type?.shape != null).map((p) => p.name.text);
    const used = new Map<string, number>();
    walk(owner, (n) => {
      if (
        (n.kind === 'let' || n.kind === 'leaf' || n.kind === 'input') &&
        n.span!.end <= before &&
        !names.includes((n as unknown as { name: { text: string } }).name.text)
      )
        names.push((n as unknown as { name: { text: string } }).name.text);
      if (n.kind === 'name') used.set((n as NameExpr).name, (used.get((n as NameExpr).name) ?? 0) + 1);
      return undefined;
    });
    // The last made are the likeliest.
    const rank = new Map(names.map((x, k) => [x, (used.get(x) ?? 0) === 0 ? -names.length + k : k - names.length]));
    return names
      .reverse()
      .sort((a, b) => Number((used.get(a) ?? 0) > 0) - Number((used.get(b) ?? 0) > 0) || rank.get(b)! - rank.get(a)!);
  }

  private otherValue(node: NameExpr, read: Read | null): void {
    const type = this.checked.types.get(node);
    if (type?.kind !== 'tensor') return;
    const own = read === null ? type.shape.length : read.indices.length;
    for (const name of this.values(node.span.start).slice(0, 6)) {
      if (name === node.name) continue;
      const other = this.typeNamed(name);
      if (other?.kind === 'tensor' && (other.shape.length === own || other.shape.some((a) => a.kind === 'run')))
        this.write(node.span, name);
    }
  }

  /** The type of a value, as its first use or its `let` says. */
  private typeNamed(name: string): Type | null {
    if (this.owner === null) return null;
    for (const n of nodesOf(this.owner)) {
      if (n.kind === 'name' && (n as NameExpr).name === name) {
        const type = this.checked.types.get(n as NameExpr);
        if (type !== undefined) return type;
      }
      if (n.kind === 'let' && (n as unknown as { name: { text: string } }).name.text === name) {
        const type = this.checked.lets.get(n);
        if (type !== undefined) return type;
      }
    }
    return null;
  }

  /** An argument that is missing: a value of the parameter's name, else one that nothing uses. */
  forgotten(parameters: readonly string[]): void {
    const call = [...this.path].reverse().find((n) => n.kind === 'call') as (CallExpr & AnyNode) | undefined;
    const last = call?.arguments.at(-1);
    if (call === undefined || last === undefined) return;
    const end = { ...where(last.span), start: last.span.end };
    // What the call has already it is rarely given twice.
    const given = new Set(nodesOf(call).map((n) => (n.kind === 'name' ? (n as NameExpr).name : '')));
    for (const parameter of parameters) {
      const values = this.values(call.span.start).filter((v) => !given.has(v));
      const named = values.filter((v) => v === parameter);
      for (const v of [...named, ...values.filter((x) => x !== parameter).slice(0, 6)]) {
        this.add(`give \`${v}\``, [end, `, ${v}`]);
        this.add(`give \`${parameter}: ${v}\``, [end, `, ${parameter}: ${v}`]);
      }
    }
    for (const s of this.numbersInScope(parameters)) if (!given.has(s)) this.add(`give \`${s}\``, [end, `, ${s}`]);
  }

  /** The layer that gives a result its width is missing. */
  lastLayer(shapes: Aligned | null): void {
    const width = shapes?.left.at(-1);
    if (shapes === null || shapes.axis === null || width === undefined) return;
    const [left, right] = [shapes.left.slice(0, -1), shapes.right.slice(0, -1)];
    const layer = right.length === left.length && right.length >= 1 ? widthLayer(this.program) : null;
    if (layer === null) return;
    const call = `${layer}(${width})`;
    // A whole layer is more than a slip.
    this.far = true;
    this.add(`end with \`${call}\``, [{ ...where(this.span), start: this.span.end }, ` |> ${call}`]);
    this.far = false;
  }

  /** Sizes, configuration and constants, first what is called as a parameter is. */
  private numbersInScope(parameters: readonly string[]): string[] {
    const module = this.program.modules.find((m) => m.file === this.span.file);
    const consts = (module?.ast.declarations ?? []).flatMap((d) => (d.kind === 'const' ? [d.name.text] : []));
    const all = [...this.sizes, ...consts];
    return [...all.filter((s) => parameters.includes(s)), ...all];
  }

  /** A value that nothing uses: what was made from the same, and is used after it, may have been meant to be it. */
  unused(declaration: Owner, name: string): void {
    let made: Equation | null = null;
    walk(declaration, (n, parent) => {
      if (isStatement(n, parent) && n.kind === 'let' && n.name?.text === name) made = n;
      return undefined;
    });
    const own = made as Equation | null;
    if (own === null) return;
    const type = this.checked.lets.get(own);
    if (type?.kind !== 'tensor') return;
    const sources = new Set<string>();
    for (const n of nodesOf(own.value)) if (n.kind === 'name') sources.add((n as NameExpr).name);
    const after = own.span!.end;
    const uses: NameExpr[] = [];
    for (const n of nodesOf(declaration)) {
      if (n.kind !== 'name' || n.span!.start < after || (n as NameExpr).name === name) continue;
      const other = this.checked.types.get(n as NameExpr);
      if (other?.kind === 'tensor' && other.shape.length === type.shape.length) uses.push(n as NameExpr);
    }
    // Who copies a line forgets to change its end: of a name that stands twice in a statement, the last.
    const twice = (u: NameExpr): boolean =>
      uses.some(
        (v) =>
          v.name === u.name && v.span.end < u.span.start && !this.text(between(v.span, u.span)).includes('\n  let '),
      );
    uses.sort(
      (a, b) =>
        Number(sources.has(b.name)) - Number(sources.has(a.name)) ||
        Number(twice(b)) - Number(twice(a)) ||
        (twice(a) ? b.span.start - a.span.start : a.span.start - b.span.start),
    );
    for (const u of uses.slice(0, 8)) this.write(u.span, name);
  }

  /** A configuration that nothing reads: it may have been meant where another number stands. */
  unread(declaration: Owner, name: string): void {
    const body = 'body' in declaration ? declaration.body : declaration;
    for (const n of nodesOf(body)) {
      if (n.kind === 'input') break;
      if (n.kind !== 'name' || (n as NameExpr).name === name) continue;
      const meant = this.checked.references.get(n);
      const { binding } = meant?.kind === 'local' ? meant : { binding: null };
      const isNumber = binding?.kind === 'size' || (binding?.kind === 'value' && binding.type.kind === 'number');
      if (isNumber && this.found.length < 12) this.write(n.span!, name);
    }
  }

  /** The types that a declaration states: axes exchanged, bounds that differ, another element type. */
  types(declaration: Owner): void {
    for (const t of typesOf(declaration)) {
      if (t.below !== null) {
        this.size(t.below);
        if (t.below.kind === 'number') for (const n of this.numbers) this.write(t.below.span, String(n));
      }
      const dims: readonly Dim[] = t.shape ?? [];
      if (t.shape !== null && t.dtype.text === 'i32' && t.below === null) this.write(t.dtype.span, 'float');
      for (let k = dims.length - 2; k >= 0; k--) this.exchange(dims[k]!, dims[k + 1]!);
      if (t.shape !== null && t.dtype.text === 'float') {
        this.write(t.dtype.span, 'i32');
        if (t.role === null && t.below === null)
          for (const n of this.classes()) this.write(t.span, `i32${this.text(t.span).slice(5)} < ${n}`);
      }
    }
  }

  /** A size of the data as the width of a layer, in any declaration of the file. */
  widths(declaration: Owner, size: string): void {
    this.learn(declaration);
    for (const n of nodesOf(declaration)) {
      if (n.kind !== 'call') continue;
      for (const a of (n as unknown as CallExpr).arguments)
        for (const x of nodesOf(a.value))
          if (x.kind === 'name' && (x as NameExpr).name === size)
            for (const other of this.sizes) if (other !== size) this.write(x.span!, other);
    }
  }

  /** Sizes in the types: rarely mistaken. */
  sizesOfTypes(declaration: Owner): void {
    this.far = true;
    for (const t of typesOf(declaration)) for (const d of t.shape ?? []) if (d.kind === 'size') this.size(d.value);
    this.far = false;
  }

  /** How many classes there may be: the last axes of what stands around the place. */
  private classes(): string[] {
    const out = new Set<string>();
    for (const n of [...this.path].reverse()) {
      if (n.kind !== 'read') continue;
      const { indices, target } = n as Read;
      const type = this.checked.types.get(target);
      const k = indices.findIndex((i) => i.span.start <= this.span.start && i.span.end >= this.span.end);
      const axis = type?.kind === 'tensor' ? type.shape[k] : undefined;
      if (axis?.kind === 'size') out.add(formatSize(axis.size));
    }
    const call = [...this.path].reverse().find((n) => n.kind === 'call' || n.kind === 'minimize' || n.kind === 'let');
    for (const n of call === undefined ? [] : nodesOf(call)) {
      const type = this.checked.types.get(n as Expr);
      const last = type?.kind === 'tensor' ? type.shape.at(-1) : undefined;
      if (last?.kind === 'size') out.add(formatSize(last.size));
    }
    const own = this.program.modules.find((m) => m.file === this.span.file);
    for (const n of own?.ast.declarations.flatMap((d) => nodesOf(d)) ?? []) {
      const below = (n as { readonly below?: Expr | null }).below ?? null;
      if (below?.span !== undefined) out.add(this.text(below.span));
    }
    return [...out].slice(0, 8);
  }
}

const typesOf = (declaration: Owner): TypeExpr[] =>
  declaration.kind === 'train'
    ? declaration.statements.flatMap((s) => (s.kind === 'input' ? [s.type] : []))
    : declaration.parameters.flatMap((p) => p.type ?? []);

const between = (a: Span, b: Span): Span => ({ file: a.file, start: a.end, end: b.start });

const OPPOSITE: Readonly<Record<string, string>> = { '+': '-', '-': '+', '*': '/', '/': '*' };

const where = (s: Span): Span => ({ file: s.file, start: s.start, end: s.end });
