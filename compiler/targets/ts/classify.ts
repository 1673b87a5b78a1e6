/** What of a stage is computed where: before, inside and after its reduced loops. And the plainest schedule a kernel can have. */
import { names as namesOf } from '../../sizes/poly.ts';
import type { Expr, Kernel, Schedule, ScheduleNode, Stage } from '../../kernel/types.ts';
import { walk } from '../../kernel/expr.ts';

/** Every stage by itself in a plain nest, or inside the loops over the axes that neighbouring stages share values along. */
export function plainSchedule(kernel: Kernel): Schedule {
  const leaf = (stage: Stage, looped: readonly string[]): ScheduleNode => ({
    kind: 'stage',
    stage: stage.name,
    order: [...stage.axes, ...stage.over].filter((a) => !looped.includes(a)),
    tile: new Map(),
    unroll: 1,
  });
  if (kernel.stages.length === 1) return { parallel: null, body: [leaf(kernel.stages[0]!, [])] };
  const shared = kernel.stages.map((s) => s.axes).reduce((a, b) => a.filter((axis) => b.includes(axis)));
  const body = shared.reduceRight<readonly ScheduleNode[]>(
    (inner, axis) => [{ kind: 'loop', axis, step: 1, body: inner }],
    kernel.stages.map((stage) => leaf(stage, shared)),
  );
  return { parallel: null, body };
}

export interface Classified {
  /** Plain values known before the reduction (they mention no reduced axis). */
  readonly before: readonly string[];
  readonly reduced: readonly string[];
  /** Plain values at every point of the reduced axes. */
  readonly inside: readonly string[];
  /** Of those, the ones that mention running values (only in ordered stages). */
  readonly running: ReadonlySet<string>;
  /** Plain values after the reduction. */
  readonly after: readonly string[];
}

export function classify(stage: Stage): Classified {
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
    let usesReduced = false;
    let usesInside = false;
    let usesOver = false;
    walk([def.value], (e: Expr) => {
      if (e.kind === 'value' && (reduced.includes(e.name) || after.includes(e.name) || running.has(e.name)))
        usesReduced = true;
      if (e.kind === 'value' && inside.includes(e.name)) usesInside = true;
      const polys =
        e.kind === 'index'
          ? [e.at]
          : e.kind === 'read'
            ? [e.at, ...e.guards.flatMap((g) => [g.e, g.lo, g.hi])]
            : e.kind === 'guarded'
              ? e.guards.flatMap((g) => [g.e, g.lo, g.hi])
              : [];
      for (const p of polys) for (const s of namesOf(p)) if (stage.over.includes(s)) usesOver = true;
    });
    if (usesReduced && stage.order !== null) {
      inside.push(name);
      running.add(name);
      // Also what it is after the last point, where that makes sense.
      if (!usesOver && !usesInside) after.push(name);
    } else if (usesReduced) after.push(name);
    else if (usesOver || usesInside) inside.push(name);
    else before.push(name);
  }
  return { before, reduced, inside, running, after };
}
