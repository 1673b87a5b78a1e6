/**
 * Candidates for what was meant: small changes of the text around an error, each a slip that people make (two indices exchanged, another index,
 * the parts of a group, two arguments, a size too large by one, another element type, a value for another). Candidates only: `repair.ts`
 * tries them. The nearest to the place come first: the statement, what made its names, the signature, what it calls.
 */
import type { CallExpr, Expr, Index, IndexName, NameExpr, Span } from '../../grammar/ast.ts';
import { nodesOf, pathTo, walk, type AnyNode } from '../../grammar/walk.ts';
import type { CheckResult } from '../check/check.ts';
import type { Program } from '../check/program.ts';
import { formatSize } from '../check/types.ts';
import type { Aligned } from '../diagnostics/families/check.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { Declared } from './declared.ts';
import { widthLayer } from './layers.ts';
import {
  isBare,
  isOwner,
  isStatement,
  where,
  type Equation,
  type Group,
  type Owner,
  type Read,
  type Reduction,
  type Slip,
} from './pencil.ts';
import { chains, places } from './unused.ts';

const inside = (s: Span, range: Span): boolean => s.file === range.file && s.start >= range.start && s.end <= range.end;

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

class Slips extends Declared {
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

  call(n: AnyNode): void {
    const stage = n.kind === 'pipe' ? (n as unknown as { readonly stage: Expr }).stage : (n as unknown as Expr);
    for (let e: Expr = stage; e.kind === 'call'; e = e.callee) {
      const plain = e.arguments.filter((a) => a.name === null);
      for (let k = 0; k + 1 < plain.length; k++) this.exchange(plain[k]!, plain[k + 1]!);
      for (const a of e.arguments) this.size(a.value);
    }
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
}
