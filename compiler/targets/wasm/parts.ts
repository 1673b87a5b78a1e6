/** How a stage's values lie about its reduction: before it, in it, after it. */
import type { Expr, Stage } from '../../kernel/types.ts';
import { Levels } from '../../kernel/levels.ts';

/** How a stage's values lie about its reduction. */
export interface Parts {
  readonly before: readonly string[];
  readonly reduced: readonly string[];
  /** At every point of the reduced axes … */
  readonly inside: readonly string[];
  /** … and those of them that see running values. */
  readonly running: ReadonlySet<string>;
  readonly after: readonly string[];
}

export function partsOf(stage: Stage): Parts {
  const levels = new Levels(stage);
  const before: string[] = [];
  const reduced: string[] = [];
  const inside: string[] = [];
  const after: string[] = [];
  const running = new Set<string>();
  for (const [name, def] of stage.defs) {
    if (def.op !== null) {
      reduced.push(name);
      continue;
    }
    const level = levels.defs.get(name);
    if (level === 'before') before.push(name);
    else if (level === 'after') after.push(name);
    else {
      inside.push(name);
      if (stage.order !== null && uses(def.value, new Set([...reduced, ...running]))) running.add(name);
    }
  }
  return { before, reduced, inside, running, after };
}

function uses(root: Expr, wanted: ReadonlySet<string>): boolean {
  if (root.kind === 'value') return wanted.has(root.name);
  if (root.kind === 'op') return root.args.some((a) => uses(a, wanted));
  if (root.kind === 'guarded') return uses(root.inside, wanted) || uses(root.outside, wanted);
  if (root.kind === 'read')
    return root.dynamic.some((d) => uses(d.value, wanted)) || (root.otherwise !== null && uses(root.otherwise, wanted));
  return false;
}
