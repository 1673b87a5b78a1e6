/** Masks are predicates over positions by name: an application takes any letters; a mask ignores the positions it does not declare. */
import type { CallExpr, Callable } from '../../grammar/ast.ts';
import { isElement, opaqueOf } from './arithmetic.ts';
import { argumentType } from './arguments.ts';
import type { Given } from './builtins.ts';
import { showType } from './report.ts';
import type { Definition } from './program.ts';
import { nearest } from './scope.ts';
import type { Frame } from './session.ts';
import type { Type } from './types.ts';
import { ERROR, isInteger, tensor } from './types.ts';

/** The positions that attention-like code speaks of; others are legal when the mask declares them. */
const POSITIONS: readonly string[] = ['b', 'h', 'q', 'k'];

export function applyMask(f: Frame, e: CallExpr, definition: Definition | null, args: readonly Given[]): Type {
  const declared = definition === null ? null : (definition.declaration as Callable).parameters.map((p) => p.name.text);
  let ok = true;
  for (const a of args) {
    const t = argumentType(f, a);
    if (t.kind === 'error') {
      ok = false;
      continue;
    }
    const scalar = (t.kind === 'tensor' && isElement(f, t, a.span) && t.shape.length === 0) || t.kind === 'number';
    if (!scalar || !isInteger((t as { dtype: 'int' }).dtype)) {
      if (t.kind !== 'tensor' || t.shape.length === 0)
        f.report('NN126', a.span, { index: f.session.program.sources.text(a.span), type: showType(f, t) });
      ok = false;
      continue;
    }
    const position = a.name ?? (a.value?.kind === 'name' ? a.value.name : null);
    // A positional argument of a known mask stands at its own place; by name it must mean something.
    if (a.name !== null && position !== null) {
      const known = [...new Set([...POSITIONS, ...(declared ?? [])])];
      if (known.includes(position)) continue;
      const near = nearest(position, known);
      if (declared === null && near === null) continue;
      f.report('NN401', a.nameSpan ?? a.span, {
        mask: definition?.declaration.name.text ?? f.session.program.sources.text(e.callee.span),
        position,
        known: declared ?? known,
      });
      ok = false;
    }
  }
  return ok ? tensor('bool', [], { condition: opaqueOf(f, e.span, false) }) : ERROR;
}
