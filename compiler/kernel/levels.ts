/**
 * Where a plain named value of a stage belongs: before its reduced loops, inside them, or after them. A reduced value counts as `after`,
 * except in an ordered stage, whose running values are inside.
 */
import { names } from '../sizes/poly.ts';
import { operands, polysOf } from './expr.ts';
import type { Expr, Stage } from './types.ts';

export type Level = 'before' | 'inside' | 'after';

export class Levels {
  readonly defs = new Map<string, Level>();
  private readonly known = new Map<Expr, Level>();
  private readonly over: ReadonlySet<string>;

  constructor(stage: Stage) {
    this.over = new Set(stage.over);
    for (const [name, def] of stage.defs) {
      const inner = this.of(def.value);
      this.defs.set(name, def.op === null ? inner : stage.order === null ? 'after' : 'inside');
    }
  }

  /** Level of an expression of this stage. Inside wins over after: an ordered stage's running values are read inside. */
  of(e: Expr): Level {
    const known = this.known.get(e);
    if (known !== undefined) return known;
    let level: Level = e.kind === 'value' ? (this.defs.get(e.name) ?? 'before') : 'before';
    for (const p of polysOf(e)) {
      if (level === 'inside') break;
      for (const s of names(p)) if (this.over.has(s)) level = 'inside';
    }
    for (const x of operands(e)) {
      const below = this.of(x);
      if (below === 'inside' || (below === 'after' && level === 'before')) level = below;
    }
    this.known.set(e, level);
    return level;
  }
}
