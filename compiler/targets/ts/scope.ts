/**
 * Nested blocks of a function under construction. A statement may be added to any open block: what does not depend on a loop is written before that
 * loop, which is how invariant reads and offsets leave inner loops without a pass of their own.
 */
export class Scope {
  readonly lines: string[] = [];
  /** Names of values computed in this block, by what they compute. */
  readonly known = new Map<string, string>();
  /** Names declared here; free again when the block is closed. */
  readonly declared: string[] = [];
  readonly depth: number;
  readonly parent: Scope | null;

  constructor(parent: Scope | null) {
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  find(key: string): string | null {
    return this.known.get(key) ?? this.parent?.find(key) ?? null;
  }

  at(depth: number): Scope {
    return this.parent === null || this.depth <= depth ? this : this.parent.at(depth);
  }

  forget(keys: ReadonlySet<string>): void {
    for (const key of keys) this.known.delete(key);
    this.parent?.forget(keys);
  }
}
