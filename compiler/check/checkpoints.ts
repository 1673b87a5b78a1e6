/** Checkpoint maps: every path names a parameter of the model, the equation is a bijection between the same indices. */
import type { CheckpointDeclaration, Index, IndexName } from '../../grammar/ast.ts';
import { Knowledge } from './knowledge.ts';
import type { ProgramModule } from './program.ts';
import { showShape } from './report.ts';
import { nearest } from './scope.ts';
import { Frame } from './session.ts';
import type { Session } from './session.ts';
import { ensureBody, signatureOf } from './signature.ts';
import { undefinedName } from './expressions.ts';

export function checkCheckpoint(session: Session, module: ProgramModule, d: CheckpointDeclaration): void {
  const f = new Frame(session, module, null, null, new Knowledge(session.constValues));
  const definition = f.lookup(d.model.text);
  if (definition === null) return undefinedName(f, d.model.text, d.model.span);
  session.references.set(d.model, { kind: 'definition', definition });
  const { declaration } = definition;
  if (declaration.kind !== 'model' && declaration.kind !== 'block') {
    f.report('NN712', d.model.span, { what: d.model.text, expected: 'a model', actual: `a ${declaration.kind}` });
    return;
  }
  const signature = signatureOf(session, definition);
  ensureBody(session, signature);
  const known = [...signature.paths.keys()];
  for (const entry of d.entries) {
    const shape = signature.paths.get(entry.path) ?? signature.paths.get(rounds(entry.path));
    if (shape === undefined) {
      const suggestion = nearest(entry.path, known);
      f.report(
        'NN720',
        entry.pathSpan,
        { path: entry.path, of: d.model.text, suggestion, known: known.slice(0, 12) },
        suggestion === null
          ? []
          : [
              {
                title: `write \`${suggestion}\``,
                edits: [{ span: entry.pathSpan, text: suggestion }],
                applicability: 'maybe',
              },
            ],
      );
      continue;
    }
    // Without indices it is another name for the same layout.
    if (entry.indices.length === 0 && entry.sourceIndices.length === 0) continue;
    if (entry.indices.length !== shape.length && !entry.indices.some((i) => i.kind === 'index' && i.run)) {
      f.report('NN113', entry.span, {
        tensor: entry.path,
        shape: showShape(f, shape),
        rank: String(shape.length),
        given: entry.indices.length,
      });
      continue;
    }
    sameLetters(f, entry.indices, entry.sourceIndices);
  }
}

/** `h.0.attn` is a round of `h.*.attn`. */
const rounds = (path: string): string =>
  path
    .split('.')
    .map((part) => (/^\d+$/.test(part) ? '*' : part))
    .join('.');

const lettersOf = (indices: readonly Index[]): IndexName[] =>
  indices.flatMap((i) => (i.kind === 'index' ? [i] : i.kind === 'group' ? i.parts : []));

function sameLetters(f: Frame, left: readonly Index[], right: readonly Index[]): void {
  const inLeft = new Set(lettersOf(left).map((i) => i.name.text));
  const inRight = new Set(lettersOf(right).map((i) => i.name.text));
  for (const i of lettersOf(right)) if (!inLeft.has(i.name.text)) f.report('NN104', i.span, { index: i.name.text });
  for (const i of lettersOf(left)) if (!inRight.has(i.name.text)) f.report('NN104', i.span, { index: i.name.text });
}
