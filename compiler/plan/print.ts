/**
 * A plan as a picture: one row a buffer, one column a step, with offsets and sizes. `█` where a step reads or writes the buffer, `─` while it must be
 * kept, `·` where its memory is free for others.
 */
import type { Plan, PlanStep } from '../../runtime/plan.ts';
import { sizeText } from './sizes.ts';

const bytesText = (n: number): string =>
  n < 1024 ? `${n} B` : n < 1024 ** 2 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 ** 2).toFixed(1)} MiB`;

export function printPlan(plan: Plan): string {
  const out = [
    `plan of ${plan.name}: persistent ${bytesText(plan.arenas.persistent)}, work ${bytesText(plan.arenas.work)}`,
    `sizes: ${plan.sizes.map((s) => `${s.name} <= ${s.bound}`).join(', ') || 'none'}`,
  ];
  for (const program of Object.values(plan.programs)) {
    const columns: { head: string; uses: readonly number[] }[] = [];
    const go = (steps: readonly PlanStep[], indent: string): void => {
      for (const step of steps) {
        if (step.kind === 'call') columns.push({ head: `${indent}${plan.kernels[step.kernel]}`, uses: step.buffers });
        else if (step.kind === 'copy') columns.push({ head: `${indent}copy`, uses: [step.from, step.to] });
        else {
          columns.push({
            head: `${indent}loop ${step.variable} < ${sizeText(step.count)}${step.reversed ? ', reversed' : ''}`,
            uses: [step.limit, step.until].filter((b) => b !== undefined),
          });
          go(step.body, `${indent}  `);
        }
      }
    };
    go(program.steps, '');
    out.push('', `${program.name}:`);
    for (const [i, { head }] of columns.entries()) out.push(`  ${String(i).padStart(3)} ${head}`);
    const used = new Set([
      ...columns.flatMap((c) => c.uses),
      ...Object.values(program.inputs),
      ...Object.values(program.outputs),
    ]);
    const rows = [...used]
      .filter((b) => plan.buffers[b]!.arena === 'work')
      .sort((a, b) => plan.buffers[a]!.offset - plan.buffers[b]!.offset || a - b);
    const width = Math.max(0, ...rows.map((b) => plan.buffers[b]!.name.length));
    const given = new Set(Object.values(program.inputs));
    const results = new Set(Object.values(program.outputs));
    for (const b of rows) {
      const row = plan.buffers[b]!;
      const touched = columns.map((c) => c.uses.includes(b));
      const first = given.has(b) ? 0 : touched.indexOf(true);
      const last = results.has(b) ? columns.length - 1 : touched.lastIndexOf(true);
      const cells = touched.map((t, i) => (t ? '█' : i >= first && i <= last ? '─' : '·')).join('');
      const shape = `${row.dtype}[${row.shape.map((e) => sizeText(e)).join(', ')}]`;
      out.push(
        `  ${String(row.offset).padStart(9)} ${bytesText(row.bytes).padStart(9)}  ${row.name.padEnd(width)}  ${cells}  ${shape}`,
      );
    }
  }
  return out.join('\n');
}
