/** What a stage writes: values at points, one by one or four lanes, stored or combined with what is there. */
import { substitute } from '../../sizes/poly.ts';
import type { Kernel, Write } from '../../kernel/types.ts';
import { substituted, typeOf, type Context, type Expressions, type Shift } from './expression.ts';
import type { Fn } from './function.ts';
import { combine } from './scalar.ts';

export class Writer {
  private readonly fn: Fn;
  private readonly x: Expressions;
  private readonly kernel: Kernel;
  private readonly context: Context;

  constructor(x: Expressions, context: Context) {
    this.fn = x.fn;
    this.x = x;
    this.kernel = x.kernel;
    this.context = context;
  }

  /** At each point all values come before all stores. */
  write(writes: readonly Write[], wide: boolean, points: readonly Shift[]): void {
    if (writes.length === 0) return;
    const { x, fn } = this;
    for (const p of points) {
      const stores: (() => void)[] = [];
      for (const w of writes) {
        const dtype = this.kernel.buffers[w.buffer]!.dtype;
        x.emit(w.value, wide, p);
        if (dtype === 'f16' && w.mode === 'store') fn.code.call(this.context.library(wide ? 'half4' : 'half'));
        const value = fn.hold(typeOf(dtype, wide));
        stores.push(() => (wide ? this.storeWide(w, value, p) : this.storeOne(w, p, () => fn.code.get(value))));
      }
      for (const store of stores) store();
      x.forget();
    }
    x.forget();
  }

  private storeOne(w: Write, p: Shift, value: () => void): void {
    const { x, fn } = this;
    const map = x.dynamic(w.dynamic, p);
    const condition = x.condition(substituted(w.guards, map), p);
    const store = (): void => {
      const { local, offset } = x.address(w.buffer, substitute(w.at, map), p);
      const { dtype } = this.kernel.buffers[w.buffer]!;
      fn.code.get(local);
      const load = dtype === 'bool' ? 'i32.load8_u' : dtype === 'i32' ? 'i32.load' : 'f32.load';
      if (w.mode !== 'store') {
        fn.code.get(local);
        fn.code.access(load, offset);
      }
      value();
      if (w.mode !== 'store') {
        combine(w.mode === 'add' ? 'sum' : 'max', dtype, false, fn);
        if (dtype === 'f16') fn.code.call(this.context.library('half'));
      }
      fn.code.access(dtype === 'bool' ? 'i32.store8' : dtype === 'i32' ? 'i32.store' : 'f32.store', offset);
    };
    if (condition === null) return store();
    fn.code.get(condition);
    fn.if(store);
  }

  private storeWide(w: Write, value: number, p: Shift): void {
    const { x, fn } = this;
    const { dtype } = this.kernel.buffers[w.buffer]!;
    const lane = x.lane!;
    const varies =
      w.dynamic.some((d) => x.varies(d.value)) ||
      w.guards.some((g) => [g.e, g.lo, g.hi].some((q) => x.stride(q, lane) !== 0));
    if (!varies) {
      const map = x.dynamic(w.dynamic, p);
      const at = substitute(w.at, map);
      if (x.stride(at, lane) === 1) {
        const condition = x.condition(substituted(w.guards, map), p);
        const store = (): void => {
          const { local, offset } = x.address(w.buffer, at, p);
          fn.code.get(local);
          if (dtype === 'bool') {
            fn.code.get(value);
            fn.code.v128([1, 1, 1, 1]);
            fn.code.op('v128.and');
            const bits = fn.hold('v128');
            fn.code.get(bits);
            fn.code.get(bits);
            fn.code.op('i16x8.narrow_i32x4_s');
            fn.code.tee(bits);
            fn.code.get(bits);
            fn.code.op('i8x16.narrow_i16x8_u');
            return fn.code.laneAccess('v128.store32_lane', 0, offset);
          }
          if (w.mode !== 'store') {
            fn.code.get(local);
            fn.code.access('v128.load', offset);
          }
          fn.code.get(value);
          if (w.mode !== 'store') {
            combine(w.mode === 'add' ? 'sum' : 'max', dtype, true, fn);
            if (dtype === 'f16') fn.code.call(this.context.library('half4'));
          }
          fn.code.access('v128.store', offset);
        };
        if (condition === null) return store();
        fn.code.get(condition);
        return fn.if(store);
      }
    }
    const float = typeOf(dtype, false) === 'f32';
    for (let k = 0; k < 4; k++)
      x.one(k, () =>
        this.storeOne(w, x.laneShift(p, k), () => {
          fn.code.get(value);
          fn.code.lane(float ? 'f32x4.extract_lane' : 'i32x4.extract_lane', k);
          if (dtype === 'bool') {
            fn.code.i32(1);
            fn.code.op('i32.and');
          }
        }),
      );
  }
}
