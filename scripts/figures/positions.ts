/** Note 7: what tells attention where words stand, computed by docs/learn/positions.nn. */
import { heatMaps, type HeatMap } from '../../cli/report/figure.ts';
import type { ResultTensor } from '../../cli/artifact.ts';
import { built, created, save } from './support.ts';

const [T, E] = [16, 16];

export async function positions(): Promise<void> {
  const unit = await created(built('docs/learn/positions.nn', 'Positions', { T, E }));
  const ones = new Float32Array(E).fill(1 / Math.sqrt(E));
  const results = unit.forward({ query: ones, key: ones }, { T, E }) as Readonly<Record<string, ResultTensor>>;
  const map = (title: string, name: string, from = 0, full?: number): HeatMap => ({
    title,
    rows: Array.from({ length: T }, () => ''),
    columns: Array.from({ length: T }, () => ''),
    values: Array.from({ length: T }, (_, t) =>
      Array.from({ length: T }, (_v, s) => results[name]!.data[from + t * T + s]!),
    ),
    cell: 12,
    ...(full === undefined ? {} : { full }),
  });
  save(
    'positions.svg',
    heatMaps(
      [
        map('sines and cosines: place, channel', 'waves'),
        map('rotary: query t, key s', 'turned'),
        map('ALiBi, first head of two', 'lowered', 0, 1),
        map('ALiBi, second head', 'lowered', T * T, 1),
      ],
      { title: 'Four tables of positions: blue above zero, orange below', columns: 4 },
    ),
  );
}
