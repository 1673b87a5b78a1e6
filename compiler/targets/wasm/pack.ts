/**
 * Packing an operand of a product into panels: `width` free points side by side, one step of K after the other. Transposes, windows and guards
 * live here alone, so that the register tile reads along one line.
 *
 * Where the operand is one read that is linear in its axes, the ways are, in this order:
 * - lanes: free points run with stride 1; vector copies. A panel that crosses the end of a row of the innermost axis (a window of an image) is put
 *   together from two loads, with the lanes' masks computed once a panel; guards are masks too.
 * - transposed: K runs with stride 1; 4 x 4 transposes in registers.
 * - strided: element by element, addresses of the points computed once a panel.
 * Everything else is computed point by point. Lanes past the last point hold nonsense that nobody reads.
 */
import { asConst, divideExact, mul, num } from '../../sizes/poly.ts';
import type { ProductSide } from '../../schedule/wasm.ts';
import type { FunctionBody } from './encoder.ts';
import { Expressions, NO_SHIFT, type Context } from './expression.ts';
import { Fn } from './function.ts';
import { linearRead, type LinearRead } from './linear-read.ts';
import { matrix, packSignature, PARAMETER, plainStride, STEP, type PackForm } from './pack-function.ts';
import { PanelCode } from './panel-code.ts';

export interface Panels {
  readonly width: number;
  /** Locals: first free point, how many panels, where they go, length of K, all free points. */
  readonly first: number;
  readonly count: number;
  readonly to: number;
  readonly length: number;
  readonly total: number;
  /** The operand is probably in no cache. */
  readonly cold?: boolean;
}

/** Bytes of a cache line. */
const LINE = 64;
/** Panels that are fetched together. */
const FETCHED = 16;

type Way = 'lanes' | 'transposed' | 'strided' | 'points';

/** A function that packs plain matrices. */
export function packFunction(form: PackForm, context: Context): FunctionBody {
  const fn = new Fn(packSignature);
  const { kernel, side } = matrix(form);
  const packer = new Packer(new Expressions(fn, kernel, context));
  packer.plain(side, { width: form.width, cold: form.cold, ...PARAMETER });
  return fn.done();
}

export class Packer extends PanelCode {
  /** In the code itself. */
  plain(side: ProductSide, panels: Panels): void {
    const read = linearRead(this.kernel, side, [STEP])!;
    this.inline(side, [STEP], panels, read, this.way(read, panels.width));
  }

  pack(side: ProductSide, over: readonly string[], panels: Panels): void {
    const read = linearRead(this.kernel, side, over);
    const way = read === null ? 'points' : this.way(read, panels.width);
    if (read !== null && this.called(read, way, panels)) return;
    this.inline(side, over, panels, read, way);
  }

  /** By a function of the module, where the operand is a plain matrix. */
  private called(read: LinearRead, way: Way, panels: Panels): boolean {
    const { fn, x } = this;
    const stride = plainStride(read, way);
    const elements = stride === null ? null : divideExact(stride, num(4));
    if (elements === null || (way !== 'lanes' && way !== 'transposed')) return false;
    const cold = panels.cold === true && way === 'transposed' && elements === read.over[0]!.extent;
    for (const local of [panels.first, panels.count, panels.to, panels.length]) fn.code.get(local);
    x.push(x.index(elements));
    fn.code.get(panels.total);
    fn.code.get(this.base(read));
    fn.code.call(x.context.pack({ way, width: panels.width, cold }));
    return true;
  }

  private inline(side: ProductSide, over: readonly string[], panels: Panels, read: LinearRead | null, way: Way): void {
    const { fn } = this;
    const pointer = fn.local('i32');
    fn.code.get(panels.to);
    fn.code.set(pointer);
    // The panel's first point.
    fn.for(0, { local: panels.count }, 1, (panel) => {
      fn.code.get(panel);
      fn.code.i32(panels.width);
      fn.code.op('i32.mul');
      fn.code.get(panels.first);
      fn.code.op('i32.add');
      const start = fn.hold('i32');
      if (panels.cold === true && read !== null && way === 'transposed')
        this.bring(read, panels, panel, start, pointer);
      if (read === null || way === 'points') this.points(side, over, panels, start, pointer);
      else if (way === 'lanes') this.lanes(read, panels, start, pointer);
      else this.rows(read, panels, start, pointer, way === 'transposed');
    });
  }

  /**
   * Points whose K runs with stride 1, one behind the other: transposing reads as many short streams as a panel is wide, too short for the processor to see
   * where they lead. So two long ones fetch a few panels first, a word of every line.
   */
  private bring(read: LinearRead, panels: Panels, panel: number, start: number, pointer: number): void {
    const { fn } = this;
    const [own, more] = read.own;
    const [over, further] = read.over;
    if (own === undefined || more !== undefined || over === undefined || further !== undefined) return;
    if (read.guards.length > 0 || own.stride !== mul(over.extent, num(4))) return;
    const stride = this.x.inLocal(this.x.index(own.stride));
    const base = this.base(read);
    fn.code.get(panel);
    fn.code.i32(FETCHED - 1);
    fn.code.op('i32.and');
    fn.code.op('i32.eqz');
    fn.if(() => {
      fn.code.get(base);
      fn.code.get(start);
      fn.code.get(stride);
      fn.code.op('i32.mul');
      fn.code.op('i32.add');
      const first = fn.hold('i32');
      // No word beyond the operand.
      const all = fn.local('i32');
      fn.code.i32(FETCHED * panels.width);
      fn.code.get(panels.total);
      fn.code.get(start);
      fn.code.op('i32.sub');
      fn.code.tee(all);
      fn.code.get(all);
      fn.code.i32(FETCHED * panels.width);
      fn.code.op('i32.gt_s');
      fn.code.op('select');
      fn.code.get(stride);
      fn.code.op('i32.mul');
      fn.code.i32(1);
      fn.code.op('i32.shr_u');
      fn.code.i32(-LINE);
      fn.code.op('i32.and');
      const half = fn.hold('i32');
      fn.code.get(first);
      fn.code.get(half);
      fn.code.op('i32.add');
      const second = fn.hold('i32');
      const seen = fn.local('i32');
      fn.for(0, { local: half }, LINE, (at) => {
        for (const from of [first, second]) {
          fn.code.get(from);
          fn.code.get(at);
          fn.code.op('i32.add');
          fn.code.access('i32.load');
          fn.code.get(seen);
          fn.code.op('i32.or');
          fn.code.set(seen);
        }
      });
      // Kept, so that the loads are; the panel comes over it.
      fn.code.get(pointer);
      fn.code.get(seen);
      fn.code.access('i32.store');
    });
  }

  private way(read: LinearRead, width: number): Way {
    const inner = read.own.at(-1);
    const run = inner === undefined ? null : asConst(inner.extent);
    if (inner !== undefined && asConst(inner.stride) === 4 && (read.own.length === 1 || (run !== null && run >= width)))
      return 'lanes';
    const last = read.over.at(-1);
    if (last !== undefined && asConst(last.stride) === 4 && (asConst(last.extent) ?? 8) >= 4) {
      if (last.guards.every((g) => asConst(g) !== null)) return 'transposed';
    }
    return 'strided';
  }

  // --------------------------------------------------------------------------------------------------------------------------- lanes

  private lanes(read: LinearRead, panels: Panels, start: number, pointer: number): void {
    const { fn, x } = this;
    const { width } = panels;
    const base = this.base(read);
    const pieces: number[] = [];
    let masks: readonly [number, number] | null = null;
    const strides = read.own.map((d) => d.stride);
    const address = (at: readonly number[], back: number): number => {
      fn.code.get(base);
      this.sum(at, strides);
      if (back !== 0) {
        fn.code.i32(back);
        fn.code.op('i32.sub');
      }
      return fn.hold('i32');
    };
    const first = this.decode(start, read.own);
    pieces.push(address(first, 0));
    if (read.own.length > 1) {
      // Lanes from `turn` on belong to the next row: its first point lies at turn lanes less.
      const extent = x.index(read.own.at(-1)!.extent);
      x.push(extent);
      fn.code.get(first.at(-1)!);
      fn.code.op('i32.sub');
      const turn = fn.hold('i32');
      fn.code.get(start);
      fn.code.get(turn);
      fn.code.op('i32.add');
      const next = fn.hold('i32');
      fn.code.get(next);
      fn.code.get(panels.total);
      fn.code.op('i32.lt_s');
      fn.code.get(turn);
      fn.code.i32(width);
      fn.code.op('i32.lt_s');
      fn.code.op('i32.and');
      const crosses = fn.hold('i32');
      fn.code.get(next);
      fn.code.get(start);
      fn.code.get(crosses);
      fn.code.op('select');
      const point = this.decode(fn.hold('i32'), read.own);
      fn.code.get(base);
      this.sum(point, strides);
      fn.code.get(turn);
      fn.code.i32(2);
      fn.code.op('i32.shl');
      fn.code.i32(0);
      fn.code.get(crosses);
      fn.code.op('select');
      fn.code.op('i32.sub');
      pieces.push(fn.hold('i32'));
      const mask = (from: number): number => {
        fn.code.v128([from, from + 1, from + 2, from + 3]);
        fn.code.get(turn);
        fn.code.op('i32x4.splat');
        fn.code.op('i32x4.ge_s');
        return fn.hold('v128');
      };
      masks = [mask(0), mask(4)];
    }
    // Lanes of the guards' expressions, less their lower bounds.
    const guards = read.guards.map((g, k) => {
      const own = read.own.map((d) => d.guards[k]!);
      const rest = x.index(g.rest);
      const lanes = [fn.local('v128'), fn.local('v128')] as const;
      if (own.every((p) => asConst(p) === 0)) {
        for (const v of lanes) {
          x.push(rest);
          fn.code.op('i32x4.splat');
          fn.code.set(v);
        }
        return lanes;
      }
      for (let w = 0; w < width; w++) {
        const v = lanes[w < 4 ? 0 : 1];
        const at = this.decode(this.point(start, w, panels.total), read.own);
        if (w % 4 !== 0) fn.code.get(v);
        x.push(rest);
        this.sum(at, own);
        if (w % 4 === 0) fn.code.op('i32x4.splat');
        else fn.code.lane('i32x4.replace_lane', w % 4);
        fn.code.set(v);
      }
      return lanes;
    });
    const rooms = read.guards.map((g) => {
      x.push(x.index(g.room));
      fn.code.op('i32x4.splat');
      return fn.hold('v128');
    });
    const low = guards.length === 0 ? 0 : this.edge(read.buffer, false);
    const high = guards.length === 0 ? 0 : this.edge(read.buffer, true);

    const step = (bytes: number, parts: readonly number[]): void => {
      const addresses = pieces.map((piece) => {
        fn.code.get(piece);
        fn.code.get(bytes);
        fn.code.op('i32.add');
        if (guards.length > 0) this.clamp(low, high);
        return fn.hold('i32');
      });
      const splats = parts.map((part, g) => {
        if (read.over.every((d) => asConst(d.guards[g]!) === 0)) return null;
        fn.code.get(part);
        fn.code.op('i32x4.splat');
        return fn.hold('v128');
      });
      for (const half of [0, 1] as const) {
        fn.code.get(pointer);
        if (pieces.length > 1) {
          fn.code.get(addresses[1]!);
          fn.code.access('v128.load', 16 * half);
        }
        fn.code.get(addresses[0]!);
        fn.code.access('v128.load', 16 * half);
        if (pieces.length > 1) {
          fn.code.get(masks![half]);
          fn.code.op('v128.bitselect');
        }
        for (const [g, lanes] of guards.entries()) {
          fn.code.get(lanes[half]);
          if (splats[g] !== null) {
            fn.code.get(splats[g]!);
            fn.code.op('i32x4.add');
          }
          fn.code.get(rooms[g]!);
          fn.code.op('i32x4.lt_u');
          fn.code.op('v128.and');
        }
        fn.code.access('v128.store', 16 * half);
      }
      this.advance(pointer, 4 * width);
    };
    this.overLoops(read.over, guards.length, step);
  }

  // ---------------------------------------------------------------------------------------------------------------- transposed, strided

  private rows(read: LinearRead, panels: Panels, start: number, pointer: number, transposed: boolean): void {
    const { fn, x } = this;
    const { width } = panels;
    const base = this.base(read);
    const strides = read.own.map((d) => d.stride);
    // Address of every point, and its part of every guard's expression.
    const points = Array.from({ length: width }, (_, w) => {
      const at = this.decode(this.point(start, w, panels.total), read.own);
      fn.code.get(base);
      this.sum(at, strides);
      const address = fn.hold('i32');
      const guards = read.guards.map((g, k) => {
        x.push(x.index(g.rest));
        this.sum(
          at,
          read.own.map((d) => d.guards[k]!),
        );
        return fn.hold('i32');
      });
      return { address, guards };
    });
    const guarded = read.guards.length > 0;
    const rooms = read.guards.map((g) => x.inLocal(x.index(g.room)));
    const inside = (w: number, g: number, parts: readonly number[]): void => {
      fn.code.get(points[w]!.guards[g]!);
      fn.code.get(parts[g]!);
      fn.code.op('i32.add');
    };
    const one = (bytes: number, parts: readonly number[]): void => {
      for (const [w, point] of points.entries()) {
        let condition: number | null = null;
        for (const [g, room] of rooms.entries()) {
          inside(w, g, parts);
          fn.code.get(room);
          fn.code.op('i32.lt_u');
          if (condition !== null) {
            fn.code.get(condition);
            fn.code.op('i32.and');
          }
          condition = fn.hold('i32');
        }
        fn.code.get(pointer);
        fn.code.get(point.address);
        fn.code.get(bytes);
        fn.code.op('i32.add');
        if (condition !== null) {
          fn.code.get(x.bases[read.buffer]!);
          fn.code.get(condition);
          fn.code.op('select');
        }
        fn.code.access('f32.load');
        if (condition !== null) {
          fn.code.f32(0);
          fn.code.get(condition);
          fn.code.op('select');
        }
        fn.code.access('f32.store', 4 * w);
      }
      this.advance(pointer, 4 * width);
    };
    if (!transposed) return this.overLoops(read.over, read.guards.length, one);
    const last = read.over.at(-1)!;
    const low = guarded ? this.edge(read.buffer, false) : 0;
    const high = guarded ? this.edge(read.buffer, true) : 0;
    const wideRooms = rooms.map((room) => {
      fn.code.get(room);
      fn.code.op('i32x4.splat');
      return fn.hold('v128');
    });
    this.overLoops(read.over.slice(0, -1), read.guards.length, (bytes, outer) => {
      const extent = this.extent(last.extent);
      const known = typeof extent === 'number' ? extent : null;
      let main: number | { local: number };
      if (known !== null) main = known - (known % 4);
      else {
        fn.code.get((extent as { local: number }).local);
        fn.code.i32(-4);
        fn.code.op('i32.and');
        main = { local: fn.hold('i32') };
      }
      const offset = (u: number): number => {
        fn.code.get(u);
        fn.code.i32(2);
        fn.code.op('i32.shl');
        fn.code.get(bytes);
        fn.code.op('i32.add');
        return fn.hold('i32');
      };
      const partsAt = (u: number): readonly number[] =>
        outer.map((part, g) => {
          if (asConst(last.guards[g]!) === 0) return part;
          fn.code.get(part);
          this.sum([u], [last.guards[g]!]);
          return fn.hold('i32');
        });
      fn.for(0, main, 4, (u) => {
        const at = offset(u);
        const parts = partsAt(u);
        const load = (w: number): number => {
          fn.code.get(points[w]!.address);
          fn.code.get(at);
          fn.code.op('i32.add');
          if (guarded) this.clamp(low, high);
          fn.code.access('v128.load');
          for (const [g, room] of wideRooms.entries()) {
            inside(w, g, parts);
            fn.code.op('i32x4.splat');
            const step = asConst(last.guards[g]!);
            if (step === null) throw new Error('a guard with an unknown step along the run');
            if (step !== 0) {
              fn.code.v128([0, step, 2 * step, 3 * step]);
              fn.code.op('i32x4.add');
            }
            fn.code.get(room);
            fn.code.op('i32x4.lt_u');
            fn.code.op('v128.and');
          }
          return fn.hold('v128');
        };
        const groups: (readonly number[])[] = [];
        for (let w = 0; w + 4 <= width; w += 4) groups.push(this.transpose([0, 1, 2, 3].map((k) => load(w + k))));
        const singles = Array.from({ length: width % 4 }, (_, k) => load(width - (width % 4) + k));
        for (let k = 0; k < 4; k++) {
          for (const [g, rows] of groups.entries()) {
            fn.code.get(pointer);
            fn.code.get(rows[k]!);
            fn.code.access('v128.store', 4 * width * k + 16 * g);
          }
          for (const [s, row] of singles.entries()) {
            fn.code.get(pointer);
            fn.code.get(row);
            fn.code.laneAccess('v128.store32_lane', k, 4 * width * k + 4 * (width - singles.length + s));
          }
        }
        this.advance(pointer, 16 * width);
      });
      if (known === null || known % 4 !== 0) fn.for(main, extent, 1, (u) => one(offset(u), partsAt(u)));
    });
  }

  // ------------------------------------------------------------------------------------------------------------------- point by point

  private points(side: ProductSide, over: readonly string[], panels: Panels, start: number, pointer: number): void {
    const { fn, x } = this;
    const { width } = panels;
    fn.for(0, width, 1, (w) => {
      fn.code.get(start);
      fn.code.get(w);
      fn.code.op('i32.add');
      const wanted = fn.hold('i32');
      fn.code.get(panels.total);
      fn.code.i32(1);
      fn.code.op('i32.sub');
      const last = fn.hold('i32');
      fn.code.get(wanted);
      fn.code.get(last);
      fn.code.get(wanted);
      fn.code.get(last);
      fn.code.op('i32.lt_s');
      fn.code.op('select');
      const flat = fn.hold('i32');
      const dims = side.axes.map((axis) => ({
        axes: [axis],
        extent: this.kernel.axes.get(axis)!,
        stride: num(0),
        guards: [],
      }));
      const at = this.decode(flat, dims);
      for (const [k, axis] of side.axes.entries()) x.bind(axis, at[k]!, true);
      fn.code.get(pointer);
      fn.code.get(w);
      fn.code.i32(2);
      fn.code.op('i32.shl');
      fn.code.op('i32.add');
      const to = fn.hold('i32');
      const go = (k: number): void => {
        const axis = over[k];
        if (axis !== undefined)
          return fn.for(0, this.extent(this.kernel.axes.get(axis)!), 1, (v) => {
            x.bind(axis, v, true);
            go(k + 1);
            x.unbind(axis);
          });
        x.begin([side.value]);
        const condition = x.condition(side.guards, NO_SHIFT);
        fn.code.get(to);
        if (condition === null) x.emit(side.value, false);
        else {
          fn.code.get(condition);
          fn.if(
            () => x.branch(() => x.emit(side.value, false)),
            () => fn.code.f32(0),
            'f32',
          );
        }
        fn.code.access('f32.store');
        this.advance(to, 4 * width);
      };
      go(0);
      for (const axis of side.axes) x.unbind(axis);
    });
    fn.code.get(panels.length);
    fn.code.i32(4 * width);
    fn.code.op('i32.mul');
    fn.code.get(pointer);
    fn.code.op('i32.add');
    fn.code.set(pointer);
  }
}
