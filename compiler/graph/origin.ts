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
  private readonly seen = new Map<string, OriginId>();

  add(span: Span, parent: OriginId | null = null, via = ''): OriginId {
    const key = `${span.file}:${span.start}:${span.end}:${parent ?? ''}:${via}`;
    const known = this.seen.get(key);
    if (known !== undefined) return known;
    const id = this.rows.length;
    this.rows.push({ span, parent, via });
    this.seen.set(key, id);
    return id;
  }

  get(id: OriginId): Origin {
    const row = this.rows[id];
    if (row === undefined) throw new RangeError(`no origin ${id}`);
    return row;
  }
}
