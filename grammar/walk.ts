/** Walks any part of the tree without knowing its kinds: what is a node is what has a place. */
import type { Module, Span } from './ast.ts';

/** A node as far as a walk knows it. */
export interface AnyNode {
  readonly kind?: string;
  readonly span?: Span;
}

const isPlace = (key: string): boolean =>
  key === 'span' || key.endsWith('Span') || key === 'lineStarts' || key === 'comments';

const children = new WeakMap<object, readonly AnyNode[]>();

/** The objects directly below a node, lists opened. Trees do not change, so each node is looked through once. */
function childrenOf(node: object): readonly AnyNode[] {
  const known = children.get(node);
  if (known !== undefined) return known;
  const made: AnyNode[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) for (const item of value) collect(item);
    else made.push(value as AnyNode);
  };
  for (const key in node) if (!isPlace(key)) collect((node as Readonly<Record<string, unknown>>)[key]);
  children.set(node, made);
  return made;
}

/** Calls `enter` for every object of the tree, parents first; `false` keeps it out of the node. */
export function walk(node: object, enter: (node: AnyNode, parent: AnyNode | null) => boolean | undefined): void {
  const visit = (own: AnyNode, parent: AnyNode | null): void => {
    if (enter(own, parent) === false) return;
    for (const child of childrenOf(own)) visit(child, own);
  };
  if (Array.isArray(node)) for (const item of node as readonly AnyNode[]) visit(item, null);
  else visit(node as AnyNode, null);
}

const lists = new WeakMap<object, readonly AnyNode[]>();

/** Everything that `walk` would enter, in its order; remembered for as long as the tree lives. */
export function nodesOf(root: object): readonly AnyNode[] {
  const known = lists.get(root);
  if (known !== undefined) return known;
  const made: AnyNode[] = [];
  walk(root, (node) => {
    made.push(node);
    return true;
  });
  lists.set(root, made);
  return made;
}

export const contains = (span: Span, offset: number): boolean => span.start <= offset && offset <= span.end;

/** The nodes around an offset, outermost first. */
export function pathTo(root: Module, offset: number): AnyNode[] {
  const path: AnyNode[] = [root];
  const around = root.declarations.filter((d) => contains(d.span, offset));
  walk(around, (node) => {
    if (node.span === undefined) return true;
    if (!contains(node.span, offset)) return false;
    path.push(node);
    return true;
  });
  return path;
}
