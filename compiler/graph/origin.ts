/**
 * Where a node came from, as one integer. A table row is `{span, parent, via}`: a gradient node's parent is its forward node's origin,
 * a node inside a called block has the call as parent. No pass can lose a span, because the builder demands a current origin.
 */
import type { Span } from '../../grammar/ast.ts';

export type OriginId = number;

export interface Origin {
  readonly span: Span;
  readonly parent: OriginId | null;
  /** How it came from the parent: `call Linear`, `gradient`, `round 3`, … */
  readonly via: string;
}

export class Origins {
  readonly rows: Origin[] = [];
  /** By span object (an AST node has one), then few rows each: elaboration asks for every expression it evaluates. */
  private readonly seen = new Map<Span, OriginId[]>();

  add(span: Span, parent: OriginId | null = null, via = ''): OriginId {
    let ids = this.seen.get(span);
    if (ids === undefined) this.seen.set(span, (ids = []));
    // Latest first: rounds and calls ask again for what they just made.
    for (let k = ids.length - 1; k >= 0; k--) {
      const row = this.rows[ids[k]!]!;
      if (row.parent === parent && row.via === via) return ids[k]!;
    }
    const id = this.rows.length;
    this.rows.push({ span, parent, via });
    ids.push(id);
    return id;
  }

  get(id: OriginId): Origin {
    const row = this.rows[id];
    if (row === undefined) throw new RangeError(`no origin ${id}`);
    return row;
  }
}
