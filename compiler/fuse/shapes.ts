/**
 * Units are lowered once a shape. The layers of a network ask for the same scalars over other tensors; what a unit looks like rests on the operations
 * between its value and the values that it reads, their attributes and types, and not on which values those are. So reads stand for
 * positions in the unit's own list, and an equal unit gets its list only.
 */
import { attributesNumber, typeNumber } from '../graph/identity.ts';
import type { Node } from '../graph/types.ts';
import { ExprTable } from '../kernel/expr.ts';
import type { Poly } from '../sizes/poly.ts';
import type { ReadInfo, Unit } from './lower.ts';

interface Known {
  readonly unit: Unit;
  /** Position in the unit's list → position in the order of the shape's walk. */
  readonly order: readonly number[];
}

/** What a unit rests on, as text, and the values at its ends in the order met. */
export interface Shape {
  readonly key: string;
  readonly ends: readonly Node[];
}

export class UnitShapes {
  readonly table = new ExprTable();
  private readonly known = new Map<string, Known>();
  private count = 0;

  /** A number for a unit that no other is like. */
  another(): number {
    return this.count++;
  }

  /** The unit of this shape, if one was made; `make` makes the first. */
  unit(shape: Shape, node: Node, reason: Unit['reason'], make: () => Unit): Unit {
    const known = this.known.get(shape.key);
    if (known === undefined) {
      const unit = make();
      this.known.set(shape.key, { unit, order: unit.list.map((slot) => shape.ends.indexOf(slot)) });
      return unit;
    }
    const list = known.order.map((k) => shape.ends[k]!);
    const reads = new Map<Parameters<Unit['reads']['get']>[0], ReadInfo>();
    for (const [e, info] of known.unit.reads)
      reads.set(e, { slot: list[info.position]!, position: info.position, at: info.at });
    return { ...known.unit, node, reason, reads, list, slots: new Set(list) };
  }
}

/**
 * `isEnd`: what is read and not computed; `isTensor` says of such whether it lies in a buffer. Null where the shape does not tell all: a loop's
 * round, which is no tensor.
 */
export function shapeOf(
  node: Node,
  isEnd: (x: Node) => boolean,
  isTensor: (x: Node) => boolean,
  variables: ReadonlyMap<string, Poly>,
): Shape | null {
  let key = '';
  for (const [name, extent] of variables) key += `${name}${extent.id} `;
  const seen = new Map<Node, number>();
  const ends: Node[] = [];
  let whole = true;
  const visit = (x: Node): void => {
    const known = seen.get(x);
    if (known !== undefined) {
      key += `#${known}`;
      return;
    }
    seen.set(x, seen.size);
    if (x !== node && isEnd(x)) {
      if (!isTensor(x)) whole = false;
      ends.push(x);
      key += `:${typeNumber(x.type)}`;
      return;
    }
    key += `${x.op}${attributesNumber(x.attrs as object)}:${typeNumber(x.type)}(`;
    for (const y of x.inputs) visit(y);
    key += ')';
  };
  visit(node);
  return whole ? { key, ends } : null;
}
