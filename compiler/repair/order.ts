/**
 * How ordinary a program's axes are: people name axes in one order (batch, time, features) and keep to it, in types, on the left of equations
 * and in reads. Of two changes that both make a program whole, the one that leaves its axes in their usual order is likelier what was meant:
 * a majority of uses against the odd one. From the text alone; a number without a unit, to compare programs that differ by one change.
 */
import type { Dim, Expr, Index, Module, ReadExpr } from '../../grammar/ast.ts';
import { nodesOf, type AnyNode } from '../../grammar/walk.ts';
import { formatSize, type Type } from '../check/types.ts';

/** Index letters and size names of one list, groups opened; null where a place has no name. */
function lettersOf(list: readonly (Index | Dim)[]): string[] {
  return list.flatMap((i): string[] => {
    switch (i.kind) {
      case 'index':
      case 'run':
        return [i.name.text.toLowerCase()];
      case 'group':
        return i.parts.map((p) => p.name.text.toLowerCase());
      case 'size':
        return nameIn(i.value);
      case 'expression':
        return nameIn(i.value);
    }
  });
}

const nameIn = (e: Expr): string[] => (e.kind === 'name' ? [e.name.toLowerCase()] : []);

/** Agreements less contradictions of all pairs of axes, and less what is named twice in one list. */
export function orderliness(module: Module, types: ReadonlyMap<Expr, Type>): number {
  const before = new Map<string, number>();
  let twice = 0;
  let sum = 0;
  for (const n of module.declarations.flatMap((d) => nodesOf(d))) {
    if (n.kind === 'read') sum += fitting(n as ReadExpr, types);
    const list = listOf(n);
    if (list === null || list.length < 2) continue;
    const letters = lettersOf(list);
    for (const [k, a] of letters.entries())
      for (const b of letters.slice(k + 1)) {
        if (a === b) twice++;
        else {
          const key = a < b ? `${a} ${b}` : `${b} ${a}`;
          before.set(key, (before.get(key) ?? 0) + (a < b ? 1 : -1));
        }
      }
  }
  sum -= 2 * twice;
  for (const n of before.values()) sum += Math.abs(n);
  return sum;
}

/** Letters mostly have the name of the size they run over: `b` of `B`. */
function fitting(read: ReadExpr, types: ReadonlyMap<Expr, Type>): number {
  const type = types.get(read.target);
  if (type?.kind !== 'tensor' || type.shape.length !== read.indices.length) return 0;
  let sum = 0;
  for (const [k, i] of read.indices.entries()) {
    const axis = type.shape[k]!;
    if (i.kind !== 'index' || axis.kind !== 'size') continue;
    if (formatSize(axis.size).toLowerCase() === i.name.text.toLowerCase()) sum++;
  }
  return sum;
}

function listOf(n: AnyNode): readonly (Index | Dim)[] | null {
  const { indices, shape } = n as { readonly indices?: unknown; readonly shape?: unknown };
  if (Array.isArray(indices)) return indices as readonly Index[];
  if (Array.isArray(shape)) return shape as readonly Dim[];
  return null;
}
