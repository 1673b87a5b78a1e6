/**
 * Where something that nothing reads was probably to stand: a mask in the guard of a softmax, a length in the guard of a mean, a width in a layer
 * that is missing, an argument under its own name, a block at the end of a chain. Candidates only: `repair.ts` tries them.
 */
import type {
  Argument,
  Body,
  Callable,
  CallExpr,
  Expr,
  Index,
  IndexName,
  NameExpr,
  PipeExpr,
  ReduceExpr,
  Span,
  TrainDeclaration,
  TypeExpr,
} from '../../grammar/ast.ts';
import { nodesOf, walk, type AnyNode } from '../../grammar/walk.ts';
import type { CheckResult } from '../check/check.ts';
import type { Program } from '../check/program.ts';
import { formatSize } from '../check/types.ts';
import { applied } from '../lint/idle.ts';
import { ACTIVATIONS, NORMS } from '../lint/layers.ts';
import { widthLayer } from './layers.ts';

/** What writes candidates. */
export interface Pen {
  readonly program: Program;
  readonly checked: CheckResult;
  readonly text: (s: Span) => string;
  readonly insert: (title: string, at: Span, offset: number, text: string) => void;
}

type Owner = Callable | TrainDeclaration;
type Equation = AnyNode & { readonly indices?: readonly Index[] | null; readonly value: Expr };

const LENGTH = /(^|_)(length|lengths|len|lens)$/i;

/** The declared type of what has a name: an argument, a configuration, an input. */
function typeOf(owner: Owner, name: string): TypeExpr | null {
  if (owner.kind === 'train')
    return owner.statements.flatMap((s) => (s.kind === 'input' && s.name.text === name ? [s.type] : []))[0] ?? null;
  return [...(owner.config ?? []), ...owner.parameters].find((p) => p.name.text === name)?.type ?? null;
}

const bodyOf = (owner: Owner): Body | TrainDeclaration => (owner.kind === 'train' ? owner : owner.body);

export function places(pen: Pen, owner: Owner, name: string): void {
  const type = typeOf(owner, name);
  const dtype = type?.dtype.text ?? null;
  arguments_(pen, owner, name);
  if (type !== null && (dtype === 'mask' || dtype === 'bool' || (dtype === 'i32' && LENGTH.test(name))))
    guards(pen, owner, name, type);
  if (type?.shape === null && dtype === 'int') layers(pen, owner, name);
}

/** `Attention(heads)` of a block that has a `keep` of its own, with a default: `Attention(heads, keep)`. */
function arguments_(pen: Pen, owner: Owner, name: string): void {
  for (const n of nodesOf(bodyOf(owner))) {
    if (n.kind !== 'call') continue;
    const call = n as unknown as CallExpr;
    const meant = call.callee.kind === 'name' ? pen.checked.references.get(call.callee) : undefined;
    if (meant?.kind !== 'definition' || !('parameters' in meant.definition.declaration)) continue;
    const d = meant.definition.declaration as Callable;
    for (const list of [d.config ?? [], d.parameters]) {
      const place = list.findIndex((p) => p.name.text === name);
      if (place < 0 || call.arguments.some((a: Argument) => a.name?.text === name)) continue;
      const last = call.arguments.at(-1);
      const end = last?.span.end ?? call.span.end - 1;
      const comma = last === undefined ? '' : ', ';
      if (call.arguments.length === place && call.arguments.every((a) => a.name === null))
        pen.insert(`give \`${name}\``, call.span, end, `${comma}${name}`);
      else if (call.arguments.length < list.length)
        pen.insert(`give \`${name}\``, call.span, end, `${comma}${name}: ${name}`);
    }
  }
}

/** `softmax[s] …` → `softmax[s where keep(b, h, q: t, k: s)] …`, `mean[b, t] …` → `mean[b, t where t < length[b]] …`. */
function guards(pen: Pen, owner: Owner, name: string, type: TypeExpr): void {
  const visit = (n: AnyNode, equation: Equation | null): void => {
    const r = n as unknown as ReduceExpr;
    if (r.guard !== null || r.indices.length === 0) return;
    const guard = guardFor(pen, r, equation, name, type);
    const last = r.indices.at(-1)!;
    if (guard !== null) pen.insert(`take only where \`${guard}\``, r.span, last.span.end, ` where ${guard}`);
  };
  let equation: Equation | null = null;
  walk(bodyOf(owner), (n) => {
    if (n.kind === 'let' || n.kind === 'assign' || n.kind === 'yield') equation = n as Equation;
    if (n.kind === 'reduce') visit(n, equation !== null && equation.span!.end >= n.span!.end ? equation : null);
    return undefined;
  });
}

function guardFor(pen: Pen, r: ReduceExpr, equation: Equation | null, name: string, type: TypeExpr): string | null {
  if (type.dtype.text === 'mask') {
    const left = equation?.indices ?? [];
    const last = left.at(-1);
    const own = r.indices[0]!.name.text;
    return r.operator === 'softmax' && left.length >= 2 && last?.kind === 'index' && last.name.text === own
      ? applied(name, left)
      : null;
  }
  // Letters by the sizes that they run over.
  const letters = new Map<string, string>();
  for (const n of nodesOf(equation ?? r)) {
    if (n.kind !== 'index') continue;
    const found = pen.checked.references.get(n);
    const letter = found?.kind === 'local' && found.binding.kind === 'letter' ? found.binding : null;
    if (letter?.extent?.kind === 'size' && !letter.isRun) letters.set(letter.name, formatSize(letter.extent.size));
  }
  const at: string[] = [];
  for (const d of type.shape ?? []) {
    if (d.kind !== 'size') return null;
    const size = pen.text(d.value.span);
    const letter = [...letters].find(([l, s]) => s === size && !at.includes(l));
    if (letter === undefined) return null;
    at.push(letter[0]);
  }
  const read = at.length === 0 ? name : `${name}[${at.join(', ')}]`;
  if (type.dtype.text === 'bool') return read;
  const place = [...r.indices].reverse().find((i: IndexName) => !at.includes(i.name.text));
  return place === undefined ? null : `${place.name.text} < ${read}`;
}

/** `x |> relu |> …` → `x |> Linear(hidden) |> relu |> …`. */
function layers(pen: Pen, owner: Owner, name: string): void {
  const layer = widthLayer(pen.program);
  if (layer === null) return;
  for (const n of nodesOf(bodyOf(owner))) {
    if (n.kind !== 'pipe') continue;
    const { value, stage } = n as unknown as PipeExpr;
    const head = stage.kind === 'name' ? stage.name : null;
    if (head === null || !ACTIVATIONS.has(head) || value.kind === 'pipe') continue;
    pen.insert(`put \`${layer}(${name})\` before it`, value.span, value.span.end, ` |> ${layer}(${name})`);
  }
}

/** A block that nothing uses, behind a normalisation with which a chain ends: `x + (x |> norm: LayerNorm)`. */
export function chains(pen: Pen, owners: readonly Owner[], block: Callable): void {
  if (block.config?.some((p) => p.default === null) === true || block.parameters.length !== 1) return;
  for (const owner of owners)
    walk(bodyOf(owner), (n, parent) => {
      if (n.kind !== 'pipe' || parent?.kind === 'pipe') return undefined;
      const { stage, label, span } = n as unknown as PipeExpr;
      const head: Expr = stage.kind === 'call' ? stage.callee : stage;
      if (head.kind !== 'name' || !Object.hasOwn(NORMS, (head as NameExpr).name)) return undefined;
      const name = block.name.text;
      const labelled = label === null ? name : `${name.toLowerCase()}: ${name}`;
      pen.insert(`go on with \`${name}\``, span, span.end, ` |> ${labelled}`);
      return undefined;
    });
}

/** The first tensor that stands whole in an equation, where every value is one element. */
export function wholeTensor(checked: CheckResult, equation: { readonly value: Expr }): Span | null {
  let found: Span | null = null;
  walk(equation.value, (n, parent) => {
    if (found !== null || n.kind === 'call') return false;
    if (n.kind !== 'name' && n.kind !== 'member') return undefined;
    if (parent?.kind === 'read' && (parent as unknown as { target: unknown }).target === n) return false;
    const type = checked.types.get(n as Expr);
    if (type?.kind === 'tensor' && type.shape.length > 0) found = n.span!;
    return false;
  });
  return found;
}
