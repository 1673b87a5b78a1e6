/** Candidates in what a declaration states: its types, its requirements, its result, and names of it that nothing reads. */
import type { CallExpr, Dim, Expr, NameExpr } from '../../grammar/ast.ts';
import { nodesOf, walk } from '../../grammar/walk.ts';
import { formatSize } from '../check/types.ts';
import { between, isStatement, Pencil, typesOf, type Equation, type Owner, type Read } from './pencil.ts';

export class Declared extends Pencil {
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
  protected classes(): string[] {
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
}
