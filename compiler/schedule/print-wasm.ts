/** Schedules of the WebAssembly target as text: one line a node. */
import type { WasmSchedule } from './wasm.ts';

export function printWasmSchedule(schedule: WasmSchedule): string {
  const lines: string[] = [];
  let indent = '';
  if (schedule.rows.length > 0) {
    const vector = schedule.vector === null ? '' : ` vector ${schedule.vector}`;
    const block = schedule.block === null ? '' : ` in blocks of ${schedule.block.by} ${schedule.block.axis}`;
    lines.push(`loop ${schedule.rows.join(' ')}${vector}${block}`);
    indent = '  ';
  }
  for (const leaf of schedule.leaves) {
    if (leaf.kind === 'loops') {
      const vector =
        leaf.vector === null
          ? ''
          : ` vector ${leaf.vector}${leaf.count > 1 ? ` x ${leaf.count}` : ''}${leaf.points === undefined ? '' : `, ${leaf.points} ${leaf.free.at(-1)!} together`}`;
      const over = leaf.over.length === 0 ? '' : ` over ${leaf.over.join(' ')}`;
      lines.push(`${indent}${leaf.stage}: ${leaf.free.join(' ')}${over}${vector}`);
      continue;
    }
    if (leaf.kind === 'dots') {
      lines.push(
        `${indent}${leaf.stage}: ${leaf.storage} dots rows ${leaf.rows.axes.join(' ')} columns ${leaf.columns.axes.join(' ')} over ${leaf.over.join(' ')} blocks of ${leaf.block}`,
      );
      continue;
    }
    const batch = leaf.batch.length === 0 ? '' : ` batch ${leaf.batch.join(' ')}`;
    lines.push(
      `${indent}${leaf.stage}: product${batch} rows ${leaf.rows.axes.join(' ')} columns ${leaf.columns.axes.join(' ')} over ${leaf.over.join(' ')}` +
        ` tile ${leaf.tile.join('x')} unroll ${leaf.unroll}${blockText(leaf.block)}`,
    );
  }
  const { share } = schedule;
  if (share !== null) {
    const units = share.by === undefined || share.by === 1 ? '' : ` by ${share.by}`;
    lines.push(`threads share ${'axis' in share ? share.axis : share.panels}${units}`);
  }
  return lines.join('\n');
}

/** Greatest bytes of packed blocks, where a product chooses them: within a block of rows it does not. */
const blockText = ([rows, columns]: readonly [number, number]): string =>
  rows === 0 ? '' : ` blocks ${rows / 1024} and ${columns / 1024} KiB`;
