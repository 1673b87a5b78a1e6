/** How a stage's values lie about its reduction: before it, in it, after it. Every target emits by this. */
import { names } from '../sizes/poly.ts';
import { polysOf, walk } from './expr.ts';
import { Levels } from './levels.ts';
import type { Stage } from './types.ts';

export interface Parts {
  readonly before: readonly string[];
  readonly reduced: readonly string[];
  /** At every point of the reduced axes … */
  readonly inside: readonly string[];
  /** … and those of them that see running values, in ordered stages. */
  readonly running: ReadonlySet<string>;
  readonly after: readonly string[];
  /** `after`, with the running values that are defined behind the last point, too: they come from reduced ones alone. */
  readonly last: readonly string[];
}

export function partsOf(stage: Stage): Parts {
  const levels = new Levels(stage);
  const before: string[] = [];
  const reduced: string[] = [];
  const inside: string[] = [];
  const after: string[] = [];
  const last: string[] = [];
  const running = new Set<string>();
  for (const [name, def] of stage.defs) {
    if (def.op !== null) {
      reduced.push(name);
      continue;
    }
    const level = levels.defs.get(name);
    if (level === 'before') before.push(name);
    else if (level === 'after') {
      after.push(name);
      last.push(name);
    } else {
      let runs = false;
      let pointwise = false;
      walk([def.value], (e) => {
        if (e.kind === 'value') {
          if (reduced.includes(e.name) || running.has(e.name)) runs = true;
          if (inside.includes(e.name)) pointwise = true;
        }
        for (const p of polysOf(e)) for (const s of names(p)) if (stage.over.includes(s)) pointwise = true;
      });
      inside.push(name);
      if (stage.order === null || !runs) continue;
      running.add(name);
      if (!pointwise) last.push(name);
    }
  }
  return { before, reduced, inside, running, after, last };
}
