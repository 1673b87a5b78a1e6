/**
 * Which value of a train block is its prediction, and which input is the truth it is held against. Read off the source: the prediction is the
 * first `let` that names a model (or a field of a model's result), the truth the one input that it does not come from.
 */
import type { TrainDeclaration } from '../../grammar/ast.ts';
import { lookup, type Program } from '../../compiler/check/program.ts';
import { resultRole, type Role } from './role.ts';

export interface Prediction {
  /** The `let` in the train block. */
  readonly name: string;
  /** The input that it is compared with. */
  readonly truth: string;
  /** What the model's signature says of its result. */
  readonly role: Role;
}

export type Found =
  { readonly ok: true; readonly prediction: Prediction } | { readonly ok: false; readonly reason: string };

/** Names that an expression, or any other part of the tree, mentions. */
export function namesOf(tree: unknown, into = new Set<string>()): Set<string> {
  if (Array.isArray(tree)) for (const part of tree) namesOf(part, into);
  else if (tree !== null && typeof tree === 'object') {
    const node = tree as { kind?: unknown; name?: unknown };
    if (node.kind === 'name' && typeof node.name === 'string') into.add(node.name);
    for (const part of Object.values(tree)) if (typeof part === 'object') namesOf(part, into);
  }
  return into;
}

export function predictionOf(
  program: Program,
  train: TrainDeclaration,
  wanted: { readonly prediction?: string | undefined; readonly truth?: string | undefined },
): Found {
  const inputs = train.statements.flatMap((s) => (s.kind === 'input' ? [s.name.text] : []));
  const sources = new Map<string, Set<string>>();
  const models = new Map<string, Role>();
  /** Results with several fields: `let digits = Digits(image)`, of which `digits.logits` is one. */
  const records = new Set<string>();
  for (const s of train.statements) {
    if (s.kind !== 'let') continue;
    const names = namesOf(s.value);
    sources.set(s.name.text, names);
    if ([...names].some((name) => records.has(name))) models.set(s.name.text, 'none');
    for (const name of names) {
      const d = lookup(program, program.entry, name)?.declaration;
      if (d?.kind !== 'model') continue;
      if (s.value.kind === 'call' && Array.isArray(d.result)) records.add(s.name.text);
      else models.set(s.name.text, resultRole(d));
    }
  }
  const name = wanted.prediction ?? [...models.keys()][0];
  if (name === undefined)
    return {
      ok: false,
      reason: 'no `let` of the train block is the result of a model: write `let prediction = Model(x)`',
    };
  if (!sources.has(name)) return { ok: false, reason: `the train block has no \`let ${name}\`` };
  const reached = new Set<string>();
  const visit = (at: string): void => {
    if (reached.has(at)) return;
    reached.add(at);
    for (const next of sources.get(at) ?? []) visit(next);
  };
  visit(name);
  const role = [...models].find(([at]) => reached.has(at))?.[1] ?? 'none';
  if (wanted.truth !== undefined) {
    return inputs.includes(wanted.truth)
      ? { ok: true, prediction: { name, truth: wanted.truth, role } }
      : { ok: false, reason: `the train block has no input ${wanted.truth}` };
  }
  const truths = inputs.filter((input) => !reached.has(input));
  if (truths.length === 1) return { ok: true, prediction: { name, truth: truths[0]!, role } };
  const which = truths.length === 0 ? `${name} comes from every input` : `${truths.join(' and ')} could be`;
  return { ok: false, reason: `which input is the truth for ${name} is not clear: ${which}; say so with --truth` };
}
