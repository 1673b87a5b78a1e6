/** Walks any part of the tree without knowing its kinds: what is a node is what has a place. */
import type { Span } from './ast.ts';

/** A node as far as a walk knows it. */
export interface AnyNode {
  readonly kind?: string;
  readonly span?: Span;
}

const isPlace = (key: string): boolean =>
  key === 'span' || key.endsWith('Span') || key === 'lineStarts' || key === 'comments';

/** Calls `enter` for every object of the tree, parents first; `false` keeps it out of the node. */
export function walk(node: object, enter: (node: AnyNode, parent: AnyNode | null) => boolean | undefined): void {
  const visit = (value: unknown, parent: AnyNode | null): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, parent);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const own = value as AnyNode;
    if (enter(own, parent) === false) return;
    for (const [key, child] of Object.entries(value)) if (!isPlace(key)) visit(child, own);
  };
  visit(node, null);
}

export const contains = (span: Span, offset: number): boolean => span.start <= offset && offset <= span.end;

/** The nodes around an offset, outermost first. */
export function pathTo(root: object, offset: number): AnyNode[] {
  const path: AnyNode[] = [];
  walk(root, (node) => {
    if (node.span === undefined) return true;
    if (!contains(node.span, offset)) return false;
    path.push(node);
    return true;
  });
  return path;
}
