/**
 * What expressions of a kernel rest on, and how often they are used: by this a target decides in which scope a value is computed, and whether it gets a name.
 * Nothing here knows a target's text or registers.
 */
import { names, type Poly } from '../sizes/poly.ts';
import { stageRoots, walk } from './expr.ts';
import type { Expr, Guard, Kernel } from './types.ts';

export class Mentions {
  /** Buffers that the kernel both reads and writes. */
  private readonly mutable: ReadonlySet<number>;
  private readonly valueAxes: ReadonlyMap<string, readonly string[]>;
  private readonly known = new Map<Expr, ReadonlySet<string>>();

  /** `valueAxes`: the axes on which a named value rests; may still grow for values that no expression asked about has mentioned. */
  constructor(kernel: Kernel, valueAxes: ReadonlyMap<string, readonly string[]>) {
    this.valueAxes = valueAxes;
    const read = new Set<number>();
    const written = new Set<number>();
    for (const stage of kernel.stages) {
      for (const w of [...stage.each, ...stage.writes]) written.add(w.buffer);
      walk(stageRoots(stage), (e) => {
        if (e.kind === 'read') read.add(e.buffer);
      });
    }
    this.mutable = new Set([...written].filter((b) => read.has(b)));
  }

  /** Axes and sizes by name; `=v` for a value v, `!` for a read of what the kernel changes, `~` for any read. */
  of(e: Expr): ReadonlySet<string> {
    const before = this.known.get(e);
    if (before !== undefined) return before;
    const found = new Set<string>();
    const poly = (p: Poly, dynamic: ReadonlySet<string>): void => {
      for (const s of names(p)) if (!dynamic.has(s)) found.add(s);
    };
    const take = (other: Expr): void => {
      for (const s of this.of(other)) found.add(s);
    };
    const guards = (all: readonly Guard[], dynamic: ReadonlySet<string>): void => {
      for (const g of all) for (const p of [g.e, g.lo, g.hi]) poly(p, dynamic);
    };
    switch (e.kind) {
      case 'read': {
        const dynamic = new Set(e.dynamic.map((d) => d.name));
        poly(e.at, dynamic);
        guards(e.guards, dynamic);
        for (const d of e.dynamic) take(d.value);
        if (e.otherwise !== null) take(e.otherwise);
        found.add('~');
        if (this.mutable.has(e.buffer)) found.add('!');
        break;
      }
      case 'value':
        found.add(`=${e.name}`);
        for (const axis of this.valueAxes.get(e.name) ?? []) found.add(axis);
        break;
      case 'index':
        poly(e.at, new Set());
        break;
      case 'const':
        break;
      case 'guarded':
        guards(e.guards, new Set());
        take(e.inside);
        take(e.outside);
        break;
      case 'op':
        for (const arg of e.args) take(arg);
        break;
    }
    this.known.set(e, found);
    return found;
  }
}

/** How often each expression below `roots` is used by another, or is a root. Indices that an expression looks up are not counted. */
export function useCounts(roots: readonly Expr[]): Map<Expr, number> {
  const uses = new Map<Expr, number>();
  const use = (e: Expr): void => void uses.set(e, (uses.get(e) ?? 0) + 1);
  for (const root of roots) use(root);
  walk(roots, (e) => {
    const below = e.kind === 'op' ? e.args : e.kind === 'guarded' ? [e.inside, e.outside] : [];
    for (const child of below) use(child);
    if (e.kind === 'read' && e.otherwise !== null) use(e.otherwise);
  });
  return uses;
}
