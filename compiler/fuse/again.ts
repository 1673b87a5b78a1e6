/**
 * Kernels of clusters that are like one before: the same units in the same places over other buffers. The layers of a network make one kernel each time;
 * assembling it again only to find it known would be half of fusing a deep network.
 *
 * The key has all that an assembled kernel rests on: shapes of units, which axis is which, what is read from where and written to where, with the
 * buffers by order of first mention. A streamed cluster has no key.
 */
import type { Poly } from '../sizes/poly.ts';
import type { Buffer } from '../kernel/types.ts';
import type { Node } from '../graph/types.ts';
import type { Location } from './assemble.ts';
import type { Made } from './cache.ts';
import type { Cluster } from './cluster.ts';
import type { Unit } from './lower.ts';

export interface Likeness {
  readonly key: string;
  /** Buffers of the program, in order of first mention. */
  readonly buffers: readonly number[];
}

/** The kernel of a key: parameters are positions in the likeness's buffers. */
export interface MadeOnce {
  readonly made: Made;
  readonly parameters: readonly number[];
  readonly numbers: ReadonlyMap<string, number>;
}

export function likeness(
  cluster: Cluster,
  targets: (unit: Unit) => readonly Location[],
  home: (slot: Node) => Location,
  variables: ReadonlyMap<string, Poly>,
  bufferOf: (buffer: number) => Buffer,
): Likeness | null {
  if (cluster.group !== null) return null;
  const buffers: number[] = [];
  let key = [...variables.keys()].join();
  const at = ({ buffer, offset }: Location): void => {
    let k = buffers.indexOf(buffer);
    if (k < 0) {
      k = buffers.push(buffer) - 1;
      const { dtype, sizes } = bufferOf(buffer);
      key += `[${dtype}${sizes.map((s) => s.id).join('x')}]`;
    }
    key += `b${k}+${offset.id}`;
  };
  const position = new Map<Unit, number>(cluster.units.map((u, k) => [u, k]));
  for (const unit of cluster.units) {
    key += `;${unit.shape}`;
    const axes = cluster.axisOf.get(unit)!;
    for (const a of unit.axes) key += `,${axes.get(a)}`;
    for (const a of unit.over) key += `/${axes.get(a)}`;
    for (const slot of unit.list) {
      const made = cluster.unitOf.get(slot);
      if (made === undefined) at(home(slot));
      else {
        key += `u${position.get(made)}`;
        if (targets(made).length > 0) at(home(slot));
      }
    }
    for (const target of targets(unit)) {
      key += '>';
      at(target);
    }
  }
  key += `|${cluster.extents.map((e) => e.id).join()}|${[...cluster.rows].join()}`;
  return { key, buffers };
}
