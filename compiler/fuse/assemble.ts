/**
 * A cluster as one kernel: places its units in stages, decides which values stay in registers, and copies the expressions into the shared
 * table under the kernel's own axes and buffer positions.
 *
 * Stages. A reduction needs a stage with its axes and its `over`; one that reads a point-wise unit over exactly axes × over takes that stage over, so
 * that the unit is computed and written (`each`) while it is summed. A point-wise unit goes behind the reductions of the first later
 * stage with its axes. A value is passed by name within a stage at the same point, and between stages when it is one value a row; else
 * through its buffer.
 */
import { name as nameOf, add, num, substitute, type Poly } from '../sizes/poly.ts';
import { Copier, ExprTable } from '../kernel/expr.ts';
import type { BufferParameter, Def, Expr, Reason, Stage, Write } from '../kernel/types.ts';
import type { Node } from '../graph/types.ts';
import { isWide, type Cluster } from './cluster.ts';
import { offset, streamOf, type Unit } from './lower.ts';

/** Where a value lives: a buffer, and the offset of its first element (inside loops: of this round's part). */
export interface Location {
  readonly buffer: number;
  readonly offset: Poly;
}

/** A kernel before it gets a name and an identity. */
export interface Draft {
  readonly axes: Map<string, Poly>;
  readonly rows: readonly string[];
  readonly stages: readonly Stage[];
  /** Program buffers, by parameter position. */
  readonly buffers: readonly number[];
  readonly access: readonly BufferParameter['access'][];
  readonly reasons: ReadonlyMap<number, Reason>;
  /** Size parameters that are numbers at this call. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Program buffers that belong to a point of the rows. */
  readonly local: ReadonlySet<number>;
}

interface Placed {
  readonly name: string;
  axes: number[];
  over: number[];
  /** Sorted axes (with `over` not in it). */
  set: string;
  reduced: Unit[];
  /** Point-wise, at every point of axes × over. */
  inside: Unit[];
  /** Point-wise, after the reductions. */
  after: Unit[];
  order: Unit['order'];
}

const setKey = (axes: readonly number[]): string => [...axes].sort((a, b) => a - b).join();

export const FREE_NAMES = 'ijklmnpq';
export const OVER_NAMES = 'rsuvwxyz';

/** Letters for axes, none of them taken. */
export function letter(choices: string, taken: Set<string>): string {
  for (let round = 0; ; round++) {
    for (const c of choices) {
      const s = round === 0 ? c : `${c}${round}`;
      if (!taken.has(s)) {
        taken.add(s);
        return s;
      }
    }
  }
}

export class Assembly {
  readonly stages: Placed[] = [];
  readonly stageOf = new Map<Unit, number>();
  private readonly cluster: Cluster;
  private readonly rowOrder: readonly number[];
  private readonly points: Poly[] = [];
  private readonly inners = new Map<Unit, Map<Unit, boolean>>();
  /** Units that another unit of the cluster takes by name. */
  private readonly valued = new Set<Unit>();
  /** Units that another unit of the cluster reads back from their buffer. */
  readonly reread = new Set<Unit>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    const first = cluster.units[0]!;
    const axes = cluster.axisOf.get(first)!;
    this.rowOrder = first.axes.map((a) => axes.get(a)!).filter((a) => cluster.rows.has(a));
    for (const unit of cluster.units) this.place(unit);
    for (const unit of cluster.units) {
      for (const [made, same] of this.inner(unit)) {
        if (this.byName(unit, made, same)) this.valued.add(made);
        else this.reread.add(made);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------------------- placing

  private axis(unit: Unit, local: string): number {
    return this.cluster.axisOf.get(unit)!.get(local)!;
  }

  /** Units of the cluster that this one reads, and whether always at the very same point. */
  private inner(unit: Unit): ReadonlyMap<Unit, boolean> {
    let found = this.inners.get(unit);
    if (found !== undefined) return found;
    this.inners.set(unit, (found = new Map<Unit, boolean>()));
    for (const read of unit.reads.values()) {
      const made = this.cluster.unitOf.get(read.slot);
      if (made !== undefined) found.set(made, (found.get(made) ?? true) && this.isSamePoint(unit, made, read.at));
    }
    return found;
  }

  private isSamePoint(unit: Unit, made: Unit, at: readonly Poly[]): boolean {
    const axes = this.cluster.axisOf.get(unit)!;
    return made.dims.every((dim, k) => {
      if (dim === null) return true;
      const wanted = this.axis(made, dim);
      for (const a of [...unit.axes, ...unit.over]) if (axes.get(a) === wanted) return nameOf(a) === at[k];
      return false;
    });
  }

  private isRowValue(unit: Unit): boolean {
    return unit.axes.every((a) => this.cluster.rows.has(this.axis(unit, a)));
  }

  private byName(unit: Unit, made: Unit, same: boolean): boolean {
    return same && (this.stageOf.get(unit) === this.stageOf.get(made) || this.isRowValue(made));
  }

  private place(unit: Unit): void {
    const axes = unit.axes.map((a) => this.axis(unit, a));
    const over = unit.over.map((a) => this.axis(unit, a));
    const set = setKey(axes);
    let from = 0;
    let absorb = -1;
    const whole = setKey([...axes, ...over]);
    for (const [made, same] of this.inner(unit)) {
      const at = this.stageOf.get(made)!;
      const stage = this.stages[at]!;
      if (unit.op === null) {
        from = Math.max(from, same && stage.set === set && !stage.inside.includes(made) ? at : at + 1);
        continue;
      }
      const plain = stage.reduced.length === 0 && stage.over.length === 0;
      if (same && plain && over.length > 0 && stage.set === whole && unit.order === null) {
        absorb = absorb < 0 || absorb === at ? at : -2;
        if (absorb === -2) from = Math.max(from, at + 1);
      } else if (same && stage.inside.includes(made) && stage.set === set && stage.over.join() === over.join()) {
        from = Math.max(from, at);
      } else from = Math.max(from, at + 1);
    }
    if (absorb >= 0 && from <= absorb) {
      const stage = this.stages[absorb]!;
      stage.over = over;
      stage.axes = stage.axes.filter((a) => axes.includes(a));
      stage.set = set;
      stage.inside = stage.after;
      stage.after = [];
      stage.reduced.push(unit);
      this.stageOf.set(unit, absorb);
      return;
    }
    if (absorb !== -1)
      for (const made of this.inner(unit).keys()) from = Math.max(from, this.after(unit, made, set, over));
    for (let k = from; k < this.stages.length; k++) {
      const stage = this.stages[k]!;
      if (stage.set !== set || stage.order !== null || unit.order !== null) continue;
      // Products of a streamed kernel are computed by blocks, each by itself.
      if (this.cluster.group !== null && unit.op !== null && (unit.tile || stage.reduced.some((r) => r.tile))) continue;
      if (unit.op !== null && (stage.reduced.length === 0 || stage.over.join() !== over.join())) continue;
      (unit.op === null ? stage.after : stage.reduced).push(unit);
      this.stageOf.set(unit, k);
      return;
    }
    const rows = this.rowOrder.filter((a) => axes.includes(a) && this.cluster.rows.has(a));
    this.stages.push({
      name: stageName(unit),
      axes: [...rows, ...axes.filter((a) => !rows.includes(a))],
      over,
      set,
      reduced: unit.op === null ? [] : [unit],
      inside: [],
      after: unit.op === null ? [unit] : [],
      order: unit.order,
    });
    this.stageOf.set(unit, this.stages.length - 1);
  }

  /** First stage in which a reduction may stand that does not take over the stage of what it reads. */
  private after(unit: Unit, made: Unit, set: string, over: readonly number[]): number {
    const at = this.stageOf.get(made)!;
    const stage = this.stages[at]!;
    const beside =
      unit.op !== null && stage.inside.includes(made) && stage.set === set && stage.over.join() === over.join();
    return beside ? at : at + 1;
  }

  /** In a streamed cluster: a value that lives in a buffer of the row. */
  isLocal(unit: Unit): boolean {
    return this.cluster.group !== null && !this.isRowValue(unit) && isWide(unit, this.cluster.group);
  }

  /** Extents of a value's buffer of the row. */
  localSizes(unit: Unit): Poly[] {
    return unit.node.type.sizes.filter((_, k) => this.isInner(unit, k));
  }

  private isInner(unit: Unit, k: number): boolean {
    const dim = unit.dims[k]!;
    return dim !== null && !this.cluster.rows.has(this.axis(unit, dim));
  }

  private localOffset(unit: Unit, at: readonly Poly[]): Poly {
    return offset(
      this.localSizes(unit),
      at.filter((_, k) => this.isInner(unit, k)),
    );
  }

  // ------------------------------------------------------------------------------------------------------------------ emitting

  /**
   * @param targets where a unit's value is written (empty: nowhere)
   * @param home where a value made elsewhere is read
   */
  emit(
    table: ExprTable,
    targets: (unit: Unit) => readonly Location[],
    home: (slot: Node) => Location,
    reserved: ReadonlySet<string>,
  ): Draft {
    const taken = new Set(reserved);
    const names: string[] = [];
    const axes = new Map<string, Poly>();
    const declare = (axis: number, choices: string): void => {
      if (names[axis] !== undefined) return;
      const s = letter(choices, taken);
      names[axis] = s;
      this.points[axis] = nameOf(s);
      axes.set(s, this.cluster.extents[axis]!);
    };
    for (const row of this.rowOrder) declare(row, FREE_NAMES);
    for (const stage of this.stages) {
      for (const a of stage.axes) declare(a, FREE_NAMES);
      for (const a of stage.over) declare(a, OVER_NAMES);
    }

    const numbers = new Map<string, number>();
    const streams = new Map<string, Poly>();
    for (const unit of this.cluster.units)
      for (const s of unit.sizeNames) {
        const stream = streamOf(s);
        if (stream === null || streams.has(s)) continue;
        const own = fresh('stream', taken);
        streams.set(s, nameOf(own));
        numbers.set(own, stream);
      }

    const valueNames = new Map<Unit, string>();
    for (const unit of this.cluster.units) {
      if (this.valued.has(unit) || unit.op !== null) valueNames.set(unit, fresh(valueName(unit), taken));
    }
    const buffers: number[] = [];
    const access: { reads: boolean; writes: boolean }[] = [];
    const parameter = (buffer: number): number => {
      const known = buffers.indexOf(buffer);
      if (known >= 0) return known;
      access.push({ reads: false, writes: false });
      return buffers.push(buffer) - 1;
    };
    const reasons = new Map<number, Reason>();
    const local = new Set<number>();
    const values = new Map<Unit, Expr>();

    const valueOf = (unit: Unit): { readonly value: Expr; readonly point: (p: Poly) => Poly } => {
      const map = new Map<string, Poly>(streams);
      for (const a of [...unit.axes, ...unit.over]) map.set(a, this.points[this.axis(unit, a)]!);
      const memo = new Map<Poly, Poly>();
      const point = (p: Poly): Poly => {
        let q = memo.get(p);
        if (q === undefined) memo.set(p, (q = substitute(p, map)));
        return q;
      };
      const mapped = (p: Poly, renamed: ReadonlyMap<string, Poly>): Poly =>
        renamed.size === 0 ? point(p) : substitute(p, new Map([...map, ...renamed]));
      const copier = new Copier(table, mapped, (e, copier) => {
        if (e.kind !== 'read') return null;
        const info = unit.reads.get(e);
        const slot = unit.list[e.buffer]!;
        const made = this.cluster.unitOf.get(slot);
        const parts = copier.access(e);
        if (made !== undefined && made !== unit && info !== undefined) {
          if (this.byName(unit, made, this.inner(unit).get(made)!)) {
            let value = table.value(valueNames.get(made)!, values.get(made)!.dtype);
            // What is stored too must be the same number here as there.
            if (made.op !== null && targets(made).length > 0) value = table.rounded(value);
            if (value.dtype !== e.dtype) value = table.op('cast', e.dtype, value);
            return e.guards.length === 0 ? value : table.guarded(parts.guards, value, parts.otherwise!);
          }
        }
        const { buffer, offset: start } = home(slot);
        const k = parameter(buffer);
        access[k]!.reads = true;
        const own = made !== undefined && info !== undefined && this.isLocal(made);
        const at = own ? this.localOffset(made, info.at.map(point)) : add(start, parts.at);
        return table.read(k, e.dtype, at, parts.guards, parts.otherwise);
      });
      const value = copier.copy(unit.value);
      values.set(unit, value);
      if (unit.scatter !== null) this.scatterParts = copier.access(unit.scatter);
      return { value, point };
    };

    const writesOf = (unit: Unit, value: Expr, point: (p: Poly) => Poly): Write[] => {
      const named = valueNames.get(unit);
      let shown = named === undefined ? value : table.value(named, unit.op === 'argmax' ? 'i32' : value.dtype);
      if (shown.dtype !== unit.node.type.dtype) shown = table.op('cast', unit.node.type.dtype, shown);
      return targets(unit).map((target) => {
        const k = parameter(target.buffer);
        access[k]!.writes = true;
        reasons.set(k, this.isLocal(unit) ? 'row of a matrix' : unit.reason);
        if (unit.scatter !== null) {
          access[k]!.reads = true;
          const { at, guards, dynamic } = this.scatterParts!;
          return { buffer: k, at: add(target.offset, at), dynamic, guards, value: shown, mode: unit.scatter.mode };
        }
        const at = unit.dims.map((d) => (d === null ? num(0) : nameOf(d)));
        const own = this.isLocal(unit);
        const linear = own
          ? this.localOffset(unit, at.map(point))
          : add(target.offset, point(offset(unit.node.type.sizes, at)));
        if (own) local.add(target.buffer);
        return { buffer: k, at: linear, dynamic: [], guards: [], value: shown, mode: 'store' as const };
      });
    };

    const stages: Stage[] = [];
    const stageNames = new Set<string>();
    for (const placed of this.stages) {
      const defs = new Map<string, Def>();
      const each: Write[] = [];
      const writes: Write[] = [];
      for (const [list, into] of [
        [placed.inside, each],
        [placed.reduced, placed.order === null ? writes : each],
        [placed.after, writes],
      ] as const) {
        for (const unit of list) {
          const found = valueOf(unit);
          const { point } = found;
          const both = unit.op === null && this.valued.has(unit) && targets(unit).length > 0;
          const value = both ? table.rounded(found.value) : found.value;
          const named = valueNames.get(unit);
          if (unit.op !== null) {
            defs.set(named!, { op: unit.op, init: null, value } as Def);
            if (unit.op === 'argmax') values.set(unit, table.constant(0, 'i32'));
          } else if (named !== undefined) defs.set(named, { op: null, value });
          into.push(...writesOf(unit, value, point));
        }
      }
      const order = placed.order;
      stages.push({
        name: fresh(placed.name, stageNames),
        axes: placed.axes.map((a) => names[a]!),
        over: placed.over.map((a) => names[a]!),
        defs,
        each,
        writes,
        order,
      });
    }
    return {
      axes,
      rows: this.stages.length < 2 ? [] : this.rowOrder.filter((a) => this.cluster.rows.has(a)).map((a) => names[a]!),
      stages,
      buffers,
      access: access.map((a) => (a.reads ? (a.writes ? 'readwrite' : 'read') : 'write')),
      reasons,
      numbers,
      local,
    };
  }

  private scatterParts: ReturnType<Copier['access']> | null = null;

  // ----------------------------------------------------------------------------------------------------------------- in place

  /**
   * Whether a unit may be written over a leaf that this cluster still reads: every read stands in the unit's own stage, outside of its
   * reductions, at the point that is written.
   */
  mayOverwrite(unit: Unit, leaf: Node): boolean {
    for (const reader of this.cluster.units) {
      if (!reader.slots.has(leaf)) continue;
      if (reader.op !== null || this.stageOf.get(reader) !== this.stageOf.get(unit)) return false;
      if (this.stages[this.stageOf.get(reader)!]!.inside.includes(reader)) return false;
      for (const read of reader.reads.values()) {
        if (read.slot !== leaf) continue;
        const same = unit.dims.every((dim, k) => {
          if (dim === null) return true;
          const axis = this.axis(unit, dim);
          return reader.axes.some((a) => this.axis(reader, a) === axis && nameOf(a) === read.at[k]);
        });
        if (!same) return false;
      }
    }
    return true;
  }
}

function fresh(wanted: string, taken: Set<string>): string {
  let s = wanted;
  for (let k = 2; taken.has(s); k++) s = `${wanted}${k}`;
  taken.add(s);
  return s;
}

function valueName(unit: Unit): string {
  if (unit.op !== null)
    return unit.op === 'argmax' ? 'best' : unit.op === 'max' ? 'greatest' : unit.op === 'min' ? 'least' : unit.op;
  return 'value';
}

function stageName(unit: Unit): string {
  return unit.op === null ? 'each' : unit.op;
}
