/** What operators look at: the bodies of a checked program, what stands in them, and edits of its text. No slip is made here (operators.ts). */
import type { BinaryExpr, Callable, Expr, Index, IndexName, ReduceExpr, Span, Statement } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import type { Body, Context } from '../../compiler/lint/context.ts';

export interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Site {
  readonly edits: readonly Change[];
  readonly target: { readonly start: number; readonly end: number };
}

export interface Material {
  readonly text: string;
  readonly file: number;
  readonly context: Context;
  readonly bodies: readonly Body[];
}

export const put = (span: Span, text: string): Change => ({ start: span.start, end: span.end, text });
export const at = (span: Span, ...edits: Change[]): Site => ({ edits, target: { start: span.start, end: span.end } });
export const isBare = (i: Index): i is IndexName => i.kind === 'index' && !i.run && i.extent === null;

/** Every expression of a kind in the bodies, with its body. */
export function nodes<K extends Expr['kind']>(
  m: Material,
  kind: K,
): { readonly node: Extract<Expr, { readonly kind: K }>; readonly body: Body }[] {
  return m.bodies.flatMap((body) => {
    const out: { node: Extract<Expr, { readonly kind: K }>; body: Body }[] = [];
    walk(body.owner, (n) => {
      if (n.kind === kind) out.push({ node: n as Extract<Expr, { readonly kind: K }>, body });
      return undefined;
    });
    return out;
  });
}

export const statements = (m: Material): Statement[] =>
  m.bodies.flatMap((body) => {
    const out: Statement[] = [];
    walk(body.owner, (n) => {
      if (n.kind === 'let' || n.kind === 'assign') out.push(n as Statement);
      return undefined;
    });
    return out;
  });

/** The names of an equation's indices. */
export function lettersAround(m: Material, node: object): string[] {
  const equation =
    m.context.enclosing(node, 'let') ?? m.context.enclosing(node, 'assign') ?? m.context.enclosing(node, 'yield');
  const names = new Set<string>();
  if (equation !== null)
    walk(equation, (n) => {
      if (n.kind !== 'index') return undefined;
      const index = n as IndexName;
      if (m.context.letter(index) !== null && !index.run) names.add(index.name.text);
      return undefined;
    });
  return [...names];
}

export const misspelt = (word: string): string =>
  word.length < 3 ? `${word}${word.at(-1)!}` : `${word.slice(0, 1)}${word[2]!}${word[1]!}${word.slice(3)}`;

export const applications = (m: Material) => m.bodies.flatMap((body) => body.applications.map((a) => ({ a, body })));
export const reads = (m: Material) => m.bodies.flatMap((b) => b.reads);
export const reduces = (m: Material) => m.bodies.flatMap((b) => b.reduces);
export const binaries = (m: Material): BinaryExpr[] => m.bodies.flatMap((b) => b.binaries);
export const equations = (m: Material) => m.bodies.flatMap((b) => b.equations);

/** Numbers that configure a layer: `Linear(64)`, `Conv2d(8, kernel: 3)`. */
export function configurationNumbers(m: Material) {
  return m.bodies.flatMap((body) =>
    [...body.applications, ...body.configured].flatMap((a) =>
      (a.definition?.declaration as Callable | undefined)?.kind === 'block'
        ? [...a.config].map(([parameter, value]) => ({ a, parameter, value }))
        : [],
    ),
  );
}

/** Sizes and consts in scope by name, for wrong ones. */
export function sizeNames(m: Material, body: Body): string[] {
  const signature = body.owner.kind === 'train' ? undefined : m.context.checked.signatures.get(body.owner);
  const own =
    signature?.sizes ?? (body.owner.kind === 'train' ? (m.context.checked.trains.get(body.owner)?.sizes ?? []) : []);
  const config =
    body.owner.kind === 'train'
      ? []
      : (body.owner.config ?? []).filter((p) => p.type?.dtype.text === 'int').map((p) => p.name.text);
  return [...own, ...config];
}

export const inGuard = (m: Material, e: object): boolean => {
  for (let p: object | null = e; p !== null; p = m.context.parent(p)) {
    const up = m.context.parent(p);
    if (up?.kind === 'reduce') return (up as ReduceExpr).guard === p;
    if (up?.kind === 'mask') return true;
  }
  return false;
};

export const maskBodies = (m: Material): Expr[] =>
  m.bodies.flatMap((b) => {
    const [only] = b.owner.kind === 'mask' ? b.owner.body.statements : [];
    return only?.kind === 'expression'
      ? [only.value]
      : only?.kind === 'return' && only.value !== null
        ? [only.value]
        : [];
  });

export function firstUse(body: Body, name: string, after: number): Span | null {
  let found: Span | null = null;
  walk(body.owner, (n) => {
    if (found === null && n.kind === 'name' && (n as { name?: string }).name === name && n.span!.start >= after)
      found = n.span!;
    return undefined;
  });
  return found;
}
