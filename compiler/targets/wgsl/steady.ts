/**
 * Operands of a product whose place in memory moves evenly along the sum: a thread computes once where it begins, and a slab of the sum is a number that is the
 * same for all threads and loads. What is guarded, looked up or stored in fewer bytes has its place computed anew at every load (operandLines of product.ts).
 */
import { add, asConst, coefficientOf, mul, name as nameOf, names, num, sub, type Poly } from '../../sizes/poly.ts';
import { divides, type TiledProduct } from '../../schedule/wgsl-product.ts';
import type { PassEmitter } from './kernel.ts';
import type { TileLoad } from './operand.ts';
import { itemOf } from './windows.ts';

export interface Steady {
  /** Names the place of an element (a vector, where the operand is loaded so) of the first slab: `own` along the operand's axis, `into` along the sum. */
  readonly begin: (own: string, into: string) => string;
  /** Names how far the slab that begins at step `k` lies behind the first one. */
  readonly slab: (k: string) => string;
  readonly item: (begin: string, slab: string) => string;
  /** What must hold at run time: slabs do not cross what the sum's last axis runs over. Null: they never do. */
  readonly condition: string | null;
}

/** `isExact`: the operand's own axes end where a tile does; else what would lie behind them repeats the last element. */
export function steadyOperand(
  emitter: PassEmitter,
  pass: TiledProduct,
  which: 'rows' | 'columns',
  load: TileLoad,
  isExact: boolean,
): Steady | null {
  const { x, kernel } = emitter;
  const side = pass[which];
  const e = side.value;
  if (e.kind !== 'read' || e.dynamic.length > 0 || e.guards.length > 0 || side.guards.length > 0) return null;
  const slot = emitter.slotOf(e.buffer);
  const { dtype, storage, row } = kernel.buffers[e.buffer]!;
  if (dtype !== 'f32' || storage !== undefined || row === true) return null;
  const isHalf = slot.type === 'f16';
  if (isHalf ? load.vector && load.halves !== true : slot.type !== 'f32') return null;
  if (slot.atomic || slot.windows > 1 || slot.lanes !== (load.vector ? 4 : 1)) return null;
  // How far the place moves with each axis of the sum, and what does not depend on them.
  const steps: Poly[] = [];
  let rest = e.at;
  for (const axis of pass.over) {
    const linear = coefficientOf(rest, axis);
    if (linear === null || [...names(linear.coefficient)].some((n) => kernel.axes.has(n))) return null;
    steps.push(linear.coefficient);
    rest = linear.rest;
  }
  const last = pass.over.at(-1)!;
  const step = steps.at(-1)!;
  const isOne = pass.over.every(
    (_axis, i) =>
      i + 1 === pass.over.length ||
      asConst(sub(steps[i]!, mul(steps[i + 1]!, emitter.extent(pass.over[i + 1]!)))) === 0,
  );
  const depth = pass.tile[2];
  const own = emitter.points(side.axes);
  const clamped = x.poly(add(own, num(load.vector && load.along === 'own' ? -4 : -1)));
  const shift = load.vector ? ' >> 2u' : '';
  const named = (name: string, text: string): string => {
    const fresh = x.fresh(name);
    x.line(`let ${fresh} = ${text};`);
    return fresh;
  };
  return {
    begin: (at, into) => {
      emitter.split(pass.batch, 'batch');
      emitter.split(side.axes, named('own', isExact ? at : `min(${at}, ${clamped})`));
      x.bind(last, named('into', into));
      return named('begin', `${x.shifted(e.buffer, x.poly(add(rest, mul(step, nameOf(last)))))}${shift}`);
    },
    slab: (k) => {
      const from = named('from', k);
      if (isOne) {
        x.bind(last, from);
        return named('slab', `${x.poly(mul(step, nameOf(last)))}${shift}`);
      }
      emitter.split(pass.over, from);
      const moved = pass.over.reduce((p, axis, i) => add(p, mul(steps[i]!, nameOf(axis))), num(0));
      return named('slab', `${x.poly(moved)}${shift}`);
    },
    item: (begin, slab) => {
      const item = itemOf(slot, `${begin} + ${slab}`);
      return isHalf && !load.vector ? `f32(${item})` : item;
    },
    condition: isOne || divides(emitter.extent(last), depth) ? null : `${x.poly(emitter.extent(last))} % ${depth} == 0`,
  };
}
