/** The plainest schedule that a kernel can have. */
import type { Kernel, Schedule, ScheduleNode, Stage } from '../kernel/types.ts';

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
