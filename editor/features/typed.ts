/**
 * Types as a body would say them: `[T, D / heads]` where `require D % heads == 0` makes the division exact. The checker's own types carry
 * sizes as they were computed; what the body knows is put in here, from its signature's requirements.
 */
import type { Callable, TrainDeclaration } from '../../grammar/ast.ts';
import { Knowledge } from '../../compiler/check/knowledge.ts';
import { formatRole, formatType, shown, type Axis, type Type } from '../../compiler/check/types.ts';
import { names, num, type Poly } from '../../compiler/sizes/poly.ts';
import type { Analysis } from '../analysis.ts';

type Home = Callable | TrainDeclaration | null;

const kept = new WeakMap<Analysis, Map<Home, Knowledge>>();

function knowledge(a: Analysis, home: Home): Knowledge {
  let own = kept.get(a);
  if (own === undefined) kept.set(a, (own = new Map()));
  let know = own.get(home);
  if (know !== undefined) return know;
  const constants = new Map<string, Poly>();
  for (const type of a.checked.consts.values()) {
    if (type.kind !== 'number' || type.value === null || type.literal === null) continue;
    for (const n of names(type.value)) constants.set(n, num(type.literal));
  }
  know = new Knowledge(constants);
  const signature = home === null || home.kind === 'train' ? undefined : a.checked.signatures.get(home);
  for (const p of [...(signature?.config ?? []), ...(signature?.parameters ?? [])])
    if (p.type.kind === 'number' && p.type.dtype === 'int') know.integer(p.name, 0);
  const requirements = home?.kind === 'train' ? a.checked.trains.get(home)?.requirements : signature?.requirements;
  for (const r of requirements ?? []) know.assume(r.condition);
  own.set(home, know);
  return know;
}

/** The declaration that a place lies in. */
export function homeAt(a: Analysis, offset: number): Home {
  for (const d of a.module.ast.declarations)
    if (d.span.start <= offset && offset <= d.span.end)
      return d.kind === 'const' ||
        d.kind === 'import' ||
        d.kind === 'bad' ||
        d.kind === 'checkpoint' ||
        d.kind === 'storage'
        ? null
        : d;
  return null;
}

export function sizeText(a: Analysis, home: Home, p: Poly): string {
  return knowledge(a, home).show(p);
}

export function typeText(a: Analysis, home: Home, t: Type): string {
  if (t.kind === 'record')
    return `(${[...t.fields].map(([name, field]) => `${name}: ${typeText(a, home, field)}`).join(', ')})`;
  if (t.kind !== 'tensor') return formatType(t);
  const know = knowledge(a, home);
  const axis = (x: Axis): string => (x.kind === 'run' ? `...${shown(x.name)}` : know.show(x.size));
  const shape = t.shape.length === 0 ? '' : `[${t.shape.map(axis).join(', ')}]`;
  const below = t.below === null ? '' : ` < ${know.show(t.below)}`;
  return `${t.dtype}${shape}${below}${formatRole(t.role, t.shape)}`;
}
