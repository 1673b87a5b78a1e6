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
  /** By parent and span object (an AST node has one), then few rows each: elaboration asks for every expression it evaluates. */
  private readonly seen = new Map<OriginId | null, Map<Span, OriginId[]>>();

  add(span: Span, parent: OriginId | null = null, via = ''): OriginId {
    let below = this.seen.get(parent);
    if (below === undefined) this.seen.set(parent, (below = new Map()));
    const ids = below.get(span);
    if (ids !== undefined) for (const known of ids) if (this.rows[known]!.via === via) return known;
    const id = this.rows.length;
    this.rows.push({ span, parent, via });
    if (ids === undefined) below.set(span, [id]);
    else ids.push(id);
    return id;
  }

  get(id: OriginId): Origin {
    const row = this.rows[id];
    if (row === undefined) throw new RangeError(`no origin ${id}`);
    return row;
  }
}
