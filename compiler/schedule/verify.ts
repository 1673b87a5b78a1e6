/** What every schedule satisfies: each stage once and in order, every axis of a stage looped exactly once, tiles over its own free axes. */
import type { Kernel, Schedule, ScheduleNode } from '../kernel/types.ts';

export function verifySchedule(kernel: Kernel, schedule: Schedule): string[] {
  const wrong: string[] = [];
  const seen: string[] = [];
  const go = (nodes: readonly ScheduleNode[], looped: readonly string[]): void => {
    for (const n of nodes) {
      if (n.kind === 'loop') {
        if (!kernel.axes.has(n.axis)) wrong.push(`no axis ${n.axis}`);
        if (n.step !== 1) wrong.push(`loop ${n.axis}: step ${n.step}`);
        go(n.body, [...looped, n.axis]);
        continue;
      }
      seen.push(n.stage);
      const stage = kernel.stages.find((s) => s.name === n.stage);
      if (stage === undefined) {
        wrong.push(`no stage ${n.stage}`);
        continue;
      }
      const covered = [...looped, ...n.order].sort();
      if (covered.join() !== [...stage.axes, ...stage.over].sort().join())
        wrong.push(`${n.stage}: loops ${covered.join(' ')}`);
      for (const a of looped) if (stage.over.includes(a)) wrong.push(`${n.stage}: reduced axis ${a} is looped outside`);
      for (const [a, t] of n.tile) {
        if (!n.order.includes(a) || !stage.axes.includes(a)) wrong.push(`${n.stage}: tile over ${a}`);
        if (!Number.isInteger(t) || t < 1) wrong.push(`${n.stage}: tile of ${t}`);
      }
    }
  };
  go(schedule.body, []);
  if (seen.join() !== kernel.stages.map((s) => s.name).join()) wrong.push(`stages ${seen.join(' ')}`);
  return wrong;
}
