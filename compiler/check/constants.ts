/**
 * `const` declarations. A literal integer constant is a size name with a definition, so that reports speak of `width` and an override stays
 * possible; a constant computed from others is its expression.
 */
import type { ConstDeclaration } from '../../grammar/ast.ts';
import { asConst, name, ONE, sub } from '../sizes/poly.ts';
import { check } from './expressions.ts';
import { Knowledge } from './knowledge.ts';
import type { Definition } from './program.ts';
import { Frame } from './session.ts';
import type { Session } from './session.ts';
import type { Type } from './types.ts';
import { ERROR, formatType, intOf, numberOf } from './types.ts';

export function constType(session: Session, definition: Definition): Type {
  const { declaration } = definition;
  if (declaration.kind !== 'const') return ERROR;
  session.units.needs(definition);
  const known = session.units.isFresh(declaration) ? session.consts.get(declaration) : undefined;
  if (known === 'checking' || (known === undefined && session.units.isVerifying(declaration))) {
    if (known === undefined) session.units.giveUp(declaration);
    session.report('NN712', declaration.span, {
      what: `const ${declaration.name.text}`,
      expected: 'a definition that does not need itself',
      actual: 'a circle',
    });
    if (known === 'checking') session.consts.set(declaration, ERROR);
    return ERROR;
  }
  if (known !== undefined) return known;
  session.units.run(declaration, definition.module, () => compute(session, definition, declaration));
  const type = session.consts.get(declaration);
  return type === undefined || type === 'checking' ? ERROR : type;
}

function compute(session: Session, definition: Definition, declaration: ConstDeclaration): void {
  session.consts.set(declaration, 'checking');
  const f = new Frame(session, definition.module, null, null, new Knowledge(session.constValues));
  let type = check(f, declaration.value);
  if (session.consts.get(declaration) !== 'checking' || session.units.isCircular(declaration)) type = ERROR;
  if (type.kind !== 'number' && type.kind !== 'error') {
    session.report('NN712', declaration.value.span, {
      what: `const ${declaration.name.text}`,
      expected: 'a number or bool known at build',
      actual: formatType(type),
    });
    type = ERROR;
  }
  if (type.kind === 'number' && type.dtype === 'int' && type.value !== null) {
    const value = asConst(type.value);
    // Zero and negative constants are no sizes: they stay plain numbers.
    if (value !== null && asConst(sub(type.value, ONE))! >= 0) {
      // Always marked: a size or configuration may have the constant's name (`block Attention(heads: int)` beside `const heads`).
      const internal = `${declaration.name.text}#${session.fresh()}`;
      session.constValues.set(internal, type.value);
      type = { ...intOf(name(internal)), literal: value };
    }
  } else if (type.kind === 'number') type = numberOf(type.dtype, { condition: type.condition, literal: type.literal });
  session.consts.set(declaration, type);
}
