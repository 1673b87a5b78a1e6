/** Which sizes count examples. Only what is plainly so: the size that `batch` names, and the first axis of a model's inputs and result. */
import type { Callable, TypeExpr } from '../../grammar/ast.ts';
import { name, type Poly } from '../sizes/poly.ts';
import type { Body, Context } from './context.ts';

const first = (t: TypeExpr | null): string | null => {
  const dim = t?.shape?.[0];
  return dim?.kind === 'size' && dim.value.kind === 'name' && /^\p{Lu}/u.test(dim.value.name) ? dim.value.name : null;
};

/** In blocks and functions a batch goes by its usual names. */
const USUAL = new Set(['B', 'N']);

export function batchSizes(c: Context, body: Body): ReadonlySet<Poly> {
  const names = new Set<string>();
  const { owner } = body;
  if (owner.kind === 'train') {
    for (const s of owner.statements) if (s.kind === 'batch') names.add(s.size.text);
  } else if (owner.kind !== 'mask' && owner.kind !== 'optimizer' && owner.kind !== 'schedule') {
    const found = leading(owner);
    if (found !== null && (owner.kind === 'model' || USUAL.has(found))) names.add(found);
  }
  void c;
  return new Set([...names].map(name));
}

/** The size that leads the first tensor and every result. */
function leading(d: Callable): string | null {
  const own = d.parameters.map((p) => first(p.type)).find((n) => n !== null) ?? null;
  if (own === null || d.result === null) return null;
  const results = Array.isArray(d.result) ? d.result.map((r) => r.type) : [d.result as TypeExpr];
  return results.every((r) => first(r) === own) ? own : null;
}
