/** Text of a schedule, one node a line. */
import type { Schedule, ScheduleNode } from '../kernel/types.ts';

export function printSchedule(schedule: Schedule): string {
  const lines: string[] = schedule.parallel === null ? [] : [`parallel ${schedule.parallel}`];
  const go = (nodes: readonly ScheduleNode[], indent: string): void => {
    for (const n of nodes) {
      if (n.kind === 'loop') {
        lines.push(`${indent}loop ${n.axis}${n.step === 1 ? '' : ` by ${n.step}`}`);
        go(n.body, `${indent}  `);
        continue;
      }
      const tile = n.tile.size === 0 ? '' : ` tile ${[...n.tile].map(([a, t]) => `${a} ${t}`).join(', ')}`;
      lines.push(
        `${indent}${n.stage}: ${n.order.join(' ')}${tile}${n.unroll === 1 ? '' : ` unroll ${n.unroll}`}`.trimEnd(),
      );
    }
  };
  go(schedule.body, '');
  return lines.join('\n');
}
