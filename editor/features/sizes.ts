/** Which sizes have a value already in the text: constants, and the batch of the only train block. */
import { names } from '../../compiler/sizes/poly.ts';
import type { Analysis } from '../analysis.ts';
import type { KnownSizes } from './show.ts';

export function knownSizes(a: Analysis): KnownSizes {
  const known = new Map<string, number>();
  for (const type of a.checked.consts.values()) {
    if (type.kind !== 'number' || type.value === null || type.literal === null) continue;
    // A literal constant is a size of its own name; nothing else has exactly one.
    const [name, ...others] = names(type.value);
    if (name !== undefined && others.length === 0) known.set(name, type.literal);
  }
  const batches = a.module.ast.declarations.flatMap((d) =>
    d.kind === 'train' ? d.statements.flatMap((s) => (s.kind === 'batch' ? [s] : [])) : [],
  );
  const only = batches.length === 1 ? batches[0] : undefined;
  if (only?.value.kind === 'number') known.set(only.size.text, only.value.value);
  return known;
}
