/**
 * What writes candidates for repairs: the text of a program, its types, and the small changes of it that several kinds of slips share (another
 * name, two things exchanged, a size that is off by one, another value). `slips.ts` says which are tried where.
 */
import type {
  Callable,
  Expr,
  Index,
  IndexName,
  NameExpr,
  Span,
  TrainDeclaration,
  TypeExpr,
} from '../../grammar/ast.ts';
import { nodesOf, walk, type AnyNode } from '../../grammar/walk.ts';
import type { CheckResult } from '../check/check.ts';
import type { Program } from '../check/program.ts';
import type { Type } from '../check/types.ts';
import type { Fix, Problem } from '../diagnostics/problem.ts';
import { report } from '../diagnostics/render/index.ts';
import type { Pen } from './unused.ts';

export type Owner = Callable | TrainDeclaration;

export const isOwner = (n: AnyNode): n is Owner & AnyNode => 'parameters' in n || n.kind === 'train';

export const isBare = (i: Index): i is IndexName => i.kind === 'index' && !i.run && i.extent === null;

export interface Equation extends AnyNode {
  readonly name?: { readonly text: string } | null;
  readonly indices?: readonly Index[] | null;
  readonly value: Expr;
}

export const STATEMENTS = new Set([
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
export const isStatement = (n: AnyNode, parent: AnyNode | null): n is Equation =>
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

export type Read = AnyNode & { readonly indices: readonly Index[]; readonly target: Expr; readonly span: Span };
export type Reduction = AnyNode & { readonly indices: readonly IndexName[]; readonly operator: string };
export type Group = AnyNode & { readonly parts: readonly IndexName[]; readonly span: Span };

/** Numbers that a report speaks of: where 65 does not fit 64, either may be meant. */
function numbersOf(problem: Problem): number[] {
  const { message, notes } = report(problem);
  const found = [message, ...notes].join(' ').match(/\b\d+\b/g) ?? [];
  return [...new Set(found.map(Number))].filter((n) => n > 0 && Number.isSafeInteger(n)).slice(0, 6);
}

export const typesOf = (declaration: Owner): TypeExpr[] =>
  declaration.kind === 'train'
    ? declaration.statements.flatMap((s) => (s.kind === 'input' ? [s.type] : []))
    : declaration.parameters.flatMap((p) => p.type ?? []);

export const between = (a: Span, b: Span): Span => ({ file: a.file, start: a.end, end: b.start });

export const OPPOSITE: Readonly<Record<string, string>> = { '+': '-', '-': '+', '*': '/', '/': '*' };

export const where = (s: Span): Span => ({ file: s.file, start: s.start, end: s.end });

export class Pencil implements Pen {
  readonly found: Slip[] = [];
  protected far = false;
  readonly program: Program;
  protected readonly span: Span;
  readonly checked: CheckResult;
  protected readonly path: readonly AnyNode[];
  protected readonly problem: Problem;
  protected readonly numbers: readonly number[];
  protected readonly seen = new Set<string>();
  protected sizes: string[] = [];
  protected plain: ReadonlySet<string> = new Set();
  protected owner: Owner | null = null;

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

  protected add(title: string, ...edits: readonly (readonly [Span, string])[]): void {
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

  protected write(span: Span, text: string): void {
    if (this.text(span) !== text) this.add(`write \`${text}\``, [span, text]);
  }

  protected exchange(a: { readonly span: Span }, b: { readonly span: Span }): void {
    const [x, y] = [this.text(a.span), this.text(b.span)];
    if (x !== y) this.add(`exchange \`${x}\` and \`${y}\``, [a.span, y], [b.span, x]);
  }

  protected pairs(list: readonly Index[]): void {
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

  protected extent(i: Index): void {
    for (const part of i.kind === 'group' ? i.parts : i.kind === 'index' ? [i] : [])
      if (part.extent !== null) this.size(part.extent);
  }

  /** `x[b, t + 1]` where `t` stays inside; `T + 1` for `T - 1`; one index too many or too few in a sum. */
  protected computed(i: Index): void {
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
  protected size(e: Expr): void {
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

  protected operators(e: Expr): void {
    walk(e, (n) => {
      if (n.kind !== 'binary') return undefined;
      const { operator, operatorSpan } = n as unknown as { operator: string; operatorSpan: Span };
      const other = OPPOSITE[operator];
      if (other !== undefined) this.write(operatorSpan, other);
      return undefined;
    });
  }

  /** Numbers that differ by little from one that the report speaks of. */
  protected numbersIn(equation: Equation): void {
    walk(equation, (n) => {
      const e = n as Expr;
      if (e.kind === 'number' && e.integer && this.numbers.includes(e.value))
        for (const other of this.numbers) if (other !== e.value) this.write(e.span, String(other));
      return undefined;
    });
  }

  /** Values in scope at a place, those that nothing uses first. */
  protected values(before: number): string[] {
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

  protected otherValue(node: NameExpr, read: Read | null): void {
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
  protected typeNamed(name: string): Type | null {
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

  /** Sizes, configuration and constants, first what is called as a parameter is. */
  protected numbersInScope(parameters: readonly string[]): string[] {
    const module = this.program.modules.find((m) => m.file === this.span.file);
    const consts = (module?.ast.declarations ?? []).flatMap((d) => (d.kind === 'const' ? [d.name.text] : []));
    const all = [...this.sizes, ...consts];
    return [...all.filter((s) => parameters.includes(s)), ...all];
  }
}
