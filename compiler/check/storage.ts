/** `storage Model { path = int8 }`: the model is one, every path names parameters of it, and how they are stored is something that there is. */
import type { StorageDeclaration } from '../../grammar/ast.ts';
import { Knowledge } from './knowledge.ts';
import type { ProgramModule } from './program.ts';
import { nearest } from './scope.ts';
import { Frame } from './session.ts';
import type { Session } from './session.ts';
import { ensureBody, signatureOf } from './signature.ts';
import { undefinedName } from './expressions.ts';

/** `int4` has groups of 32 where none are given, `int8` a row; both come in pairs at least. */
const isStorage = (text: string): boolean => {
  const group = /^(?:f32|f16|int8|int4)(?::(\d+))?$/.exec(text);
  if (group === null) return false;
  return group[1] === undefined || (text.startsWith('int') && Number(group[1]) >= 2 && Number(group[1]) % 2 === 0);
};

export function checkStorage(session: Session, module: ProgramModule, d: StorageDeclaration): void {
  const f = new Frame(session, module, null, null, new Knowledge(session.constValues));
  for (const { as, asSpan } of d.entries) if (!isStorage(as)) f.report('NN728', asSpan, { given: as });
  const definition = f.lookup(d.model.text);
  if (definition === null) return undefinedName(f, d.model.text, d.model.span);
  session.references.set(d.model, { kind: 'definition', definition });
  const { declaration } = definition;
  if (declaration.kind !== 'model') {
    f.report('NN712', d.model.span, { what: d.model.text, expected: 'a model', actual: `a ${declaration.kind}` });
    return;
  }
  const signature = signatureOf(session, definition);
  ensureBody(session, signature);
  const known = [...signature.paths.keys()];
  for (const { path, pathSpan } of d.entries) {
    if (known.some((k) => meets(path, k))) continue;
    const suggestion = nearest(path, known);
    f.report(
      'NN720',
      pathSpan,
      { path, of: d.model.text, suggestion, known: known.slice(0, 12) },
      suggestion === null
        ? []
        : [
            {
              title: `write \`${suggestion}\``,
              edits: [{ span: pathSpan, text: suggestion }],
              applicability: 'maybe',
            },
          ],
    );
  }
}

/** Whether a pattern can be about a path in which `*` stands for the rounds of a repeat: `h.0.**` is about `h.*.attn.weight`. */
function meets(pattern: string, path: string): boolean {
  const go = (a: readonly string[], b: readonly string[]): boolean => {
    const [first, ...rest] = a;
    if (first === undefined) return b.length === 0;
    if (first.includes('**')) return b.some((_, k) => go(rest, b.slice(k + 1))) || (rest.length === 0 && b.length > 0);
    const part = b[0];
    if (part === undefined) return false;
    const text = first
      .split('*')
      .map((s) => s.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*');
    const same = new RegExp(`^${text}$`).test(part) || (part === '*' && /^\d+$/.test(first));
    return same && go(rest, b.slice(1));
  };
  return go(pattern.split('.'), path.split('.'));
}
