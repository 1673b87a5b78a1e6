/**
 * Scalar expressions of a kernel as instructions, for one value or for four lanes along one axis; where they belong is decided in indices.ts.
 *
 * Lanes: in wide code every value is a v128, booleans are masks, and `lane` is the axis along which the four differ; its binding holds the
 * first. What does not mention the lane is computed once and splat. Reads with stride 1 are vector loads, with stride 2 two loads and a
 * shuffle; whatever has no wide form (data-dependent indices, powers) is computed lane by lane.
 *
 * A load never leaves the memory: where guards fail its address is a safe one (the buffer's own, or within 16 bytes around it: the plan keeps
 * margins), and the loaded value is not used. Arithmetic is f32, without contraction into fused operations.
 */
import { mul, name as nameOf, names, num, substitute, type Poly } from '../../sizes/poly.ts';
import type { DType } from '../../graph/types.ts';
import type { Expr, Guard } from '../../kernel/types.ts';
import { WIDTH } from '../../plan/place.ts';
import { applyScalar, foldable } from './scalar.ts';
import { loadStored, loadStoredWide, wordsBeside, type StoredElements } from './stored.ts';
import { Indices, NO_SHIFT, typeOf, type Shift } from './indices.ts';

export { NO_SHIFT, typeOf, type Context, type Operand, type Shift, type ValueBinding } from './indices.ts';

export class Expressions extends Indices {
  /** Dynamic indices of a read or write become names of their own; null where they differ from lane to lane in wide code. */
  dynamic(list: readonly { readonly name: string; readonly value: Expr }[], shift: Shift): ReadonlyMap<string, Poly> {
    const map = new Map<string, Poly>();
    for (const { name, value } of list) {
      const key = `#${this.key(value, false, shift)}`;
      let local = this.fn.scope.find(key);
      const depth = this.depthOf(this.mentioned(value));
      local ??= this.fn.at(depth, () => {
        this.emit(value, false, shift);
        const held = this.fn.hold('i32');
        this.fn.scope.known.set(key, held);
        if (this.mentioned(value).has('!')) this.pinned.add(key);
        return held;
      });
      const bound = `#${this.dynamics++}`;
      this.bindings.set(bound, { local, depth, natural: false });
      map.set(name, nameOf(bound));
    }
    return map;
  }

  // ---------------------------------------------------------------------------------------------------------------------------- scalars

  /** Leaves the value on the stack. */
  emit(e: Expr, wide: boolean, shift: Shift = NO_SHIFT): void {
    const { fn } = this;
    if (e.kind === 'const') return this.constant(e.value, e.dtype, wide);
    if (e.kind === 'value') return this.value(e.name, e.dtype, wide, shift);
    if (wide && !this.varies(e)) return this.splat(e, shift);
    if (e.kind === 'index' && !wide) return this.push(this.index(e.at, shift));
    const key = this.key(e, wide, shift);
    const known = fn.scope.find(key);
    if (known !== null) return fn.code.get(known);
    const mentioned = this.mentioned(e);
    const depth = this.depthOf(mentioned);
    if (depth === fn.scope.depth && !this.shared(e)) return this.build(e, wide, shift);
    const held = fn.at(depth, () => {
      this.build(e, wide, shift);
      return fn.hold(typeOf(e.dtype, wide));
    });
    fn.at(depth, () => fn.scope.known.set(key, held));
    if (mentioned.has('!')) this.pinned.add(key);
    fn.code.get(held);
  }

  private constant(value: number, dtype: DType, wide: boolean): void {
    const { code } = this.fn;
    if (dtype === 'f32' || dtype === 'f16') {
      if (!wide) return code.f32(value);
      const bits = new Int32Array(new Float32Array([value]).buffer)[0]!;
      return code.v128([bits, bits, bits, bits]);
    }
    const whole = dtype === 'bool' ? (value === 0 ? 0 : wide ? -1 : 1) : value;
    if (wide) code.v128([whole, whole, whole, whole]);
    else code.i32(whole);
  }

  private value(name: string, dtype: DType, wide: boolean, shift: Shift): void {
    const { fn } = this;
    const binding = this.values.get(name);
    if (binding === undefined)
      throw new Error(`kernel ${this.kernel.name}: value ${name} is used before it is defined`);
    if (binding.wide && !wide) {
      if (this.single === null)
        throw new Error(`kernel ${this.kernel.name}: four lanes of ${name} where one is wanted`);
      const back = new Map(shift);
      back.set(this.lane!, (shift.get(this.lane!) ?? 0) - this.single);
      fn.code.get(binding.local(back));
      if (dtype === 'f32' || dtype === 'f16') fn.code.lane('f32x4.extract_lane', this.single);
      else {
        fn.code.lane('i32x4.extract_lane', this.single);
        if (dtype === 'bool') {
          fn.code.i32(1);
          fn.code.op('i32.and');
        }
      }
      return;
    }
    const local = binding.local(shift);
    if (!wide || binding.wide) return fn.code.get(local);
    if (!binding.steady) {
      fn.code.get(local);
      return this.splatted(dtype);
    }
    const key = `v${local}`;
    let known = fn.scope.find(key);
    if (known === null) {
      known = fn.at(binding.depth, () => {
        fn.code.get(local);
        this.splatted(dtype);
        return fn.hold('v128');
      });
      const held = known;
      fn.at(binding.depth, () => fn.scope.known.set(key, held));
    }
    fn.code.get(known);
  }

  private splatted(dtype: DType): void {
    const { code } = this.fn;
    if (dtype === 'f32' || dtype === 'f16') return code.op('f32x4.splat');
    if (dtype === 'bool') {
      const bit = this.fn.hold('i32');
      code.i32(0);
      code.get(bit);
      code.op('i32.sub');
    }
    code.op('i32x4.splat');
  }

  private splat(e: Expr, shift: Shift): void {
    const { fn } = this;
    const key = `p${this.key(e, false, shift)}`;
    const known = fn.scope.find(key);
    if (known !== null) return fn.code.get(known);
    const mentioned = this.mentioned(e);
    const depth = this.depthOf(mentioned);
    const held = fn.at(depth, () => {
      this.emit(e, false, shift);
      this.splatted(e.dtype);
      return fn.hold('v128');
    });
    fn.at(depth, () => fn.scope.known.set(key, held));
    if (mentioned.has('!')) this.pinned.add(key);
    fn.code.get(held);
  }

  private build(e: Expr, wide: boolean, shift: Shift): void {
    const { fn } = this;
    switch (e.kind) {
      case 'read':
        return wide ? this.readWide(e, shift) : this.readOne(e, shift);
      case 'guarded': {
        if (wide && this.guardsVary(e.guards)) return this.lanewise(e, shift);
        const condition = this.condition(e.guards, shift);
        if (condition === null) return this.emit(e.inside, wide, shift);
        fn.code.get(condition);
        const branch = (of: Expr) => (): void => this.branch(() => this.emit(of, wide, shift));
        return fn.if(branch(e.inside), branch(e.outside), typeOf(e.dtype, wide));
      }
      case 'index': {
        const stride = this.stride(e.at, this.lane!);
        if (stride === null) return this.lanewise(e, shift);
        this.push(this.index(e.at, shift));
        fn.code.op('i32x4.splat');
        fn.code.v128([0, stride, 2 * stride, 3 * stride]);
        return fn.code.op('i32x4.add');
      }
      case 'op': {
        if (wide && !foldable(e)) return this.lanewise(e, shift);
        const from = e.args.map((a) => a.dtype);
        applyScalar(e, from, wide, this.fn, this.context, (k) => this.emit(e.args[k]!, wide, shift));
        return;
      }
      default:
        this.emit(e, wide, shift);
    }
  }

  /** One lane at a time. */
  private lanewise(e: Expr, shift: Shift): void {
    const { fn } = this;
    const result = fn.local('v128');
    const float = typeOf(e.dtype, false) === 'f32';
    for (let lane = 0; lane < 4; lane++) {
      if (lane > 0) fn.code.get(result);
      this.one(lane, () => this.emit(e, false, this.laneShift(shift, lane)));
      if (lane === 0) fn.code.op(float ? 'f32x4.splat' : 'i32x4.splat');
      else fn.code.lane(float ? 'f32x4.replace_lane' : 'i32x4.replace_lane', lane);
      if (lane < 3) fn.code.set(result);
    }
    if (e.dtype === 'bool') {
      fn.code.v128([0, 0, 0, 0]);
      fn.code.op('i32x4.ne');
    }
  }

  /** The shift of one lane of a wide point. */
  laneShift(shift: Shift, lane: number): Shift {
    return new Map([...shift, [this.lane!, (shift.get(this.lane!) ?? 0) + lane]]);
  }

  /** Code for one lane of wide code. */
  one(lane: number, body: () => void): void {
    const before = this.single;
    this.single = lane;
    body();
    this.single = before;
  }

  /** Not of two elements a byte. */
  private bytesOf(buffer: number): number {
    const { dtype, storage } = this.kernel.buffers[buffer]!;
    return storage === undefined ? WIDTH[dtype] : storage === 'f16' ? 2 : 1;
  }

  /** A stored element, or four side by side: stored.ts. */
  private get elements(): StoredElements {
    return {
      fn: this.fn,

      address: (buffer, p, shift) => this.address(buffer, p, shift),
      index: (p, shift) => this.inLocal(this.index(p, shift)),
      base: (buffer) => this.bases[buffer]!,
    };
  }

  /** Address of an element, and an offset for the access itself. */
  address(buffer: number, p: Poly, shift: Shift): { readonly local: number; readonly offset: number } {
    const o = this.index(mul(p, num(this.bytesOf(buffer))), shift, this.bases[buffer]!);
    if (o.plus === 0 || (o.plus > 0 && o.natural)) return { local: o.local!, offset: o.plus };
    this.push(o);
    return { local: this.fn.hold('i32'), offset: 0 };
  }

  private readOne(e: Extract<Expr, { kind: 'read' }>, shift: Shift): void {
    const { fn } = this;
    const map = this.dynamic(e.dynamic, shift);
    const condition = this.condition(substituted(e.guards, map), shift);
    const { storage } = this.kernel.buffers[e.buffer]!;
    if (storage !== undefined) {
      // Outside its guards the place is 0, which every buffer has.
      const element = (): void => loadStored(this.elements, storage, e.buffer, substitute(e.at, map), shift, condition);
      element();
      if (condition === null || e.otherwise === null) return;
      this.emit(e.otherwise, false, shift);
      fn.code.get(condition);
      return fn.code.op('select');
    }
    let { local, offset } = this.address(e.buffer, substitute(e.at, map), shift);
    if (condition !== null) {
      if (offset > 0) {
        fn.code.get(local);
        fn.code.i32(offset);
        fn.code.op('i32.add');
      } else fn.code.get(local);
      fn.code.get(this.bases[e.buffer]!);
      fn.code.get(condition);
      fn.code.op('select');
      local = fn.hold('i32');
      offset = 0;
    }
    fn.code.get(local);
    const { dtype } = this.kernel.buffers[e.buffer]!;
    fn.code.access(dtype === 'bool' ? 'i32.load8_u' : dtype === 'i32' ? 'i32.load' : 'f32.load', offset);
    if (condition === null || e.otherwise === null) return;
    this.emit(e.otherwise, false, shift);
    fn.code.get(condition);
    fn.code.op('select');
  }

  private readWide(e: Extract<Expr, { kind: 'read' }>, shift: Shift): void {
    const { fn, lane } = this;
    if (e.dynamic.some((d) => this.varies(d.value))) return this.lanewise(e, shift);
    const map = this.dynamic(e.dynamic, shift);
    const at = substitute(e.at, map);
    const guards = substituted(e.guards, map);
    const stride = this.stride(at, lane!);
    const vary = this.guardsVary(guards);
    const { dtype, storage } = this.kernel.buffers[e.buffer]!;
    if (storage !== undefined) {
      const words = storage !== 'i4' || (this.aligned && (shift.get(lane!) ?? 0) % 4 === 0 && wordsBeside(at, lane!));
      if (stride !== 1 || vary || guards.length > 0 || !words) return this.lanewise(e, shift);
      return loadStoredWide(this.elements, storage, e.buffer, at, shift);
    }
    if (stride === null || stride < 0 || stride > 2 || (dtype === 'bool' && stride !== 1))
      return this.lanewise(e, shift);
    if (vary && stride !== 1) return this.lanewise(e, shift);
    let mask: number | null = null;
    let condition: number | null = null;
    if (vary) {
      mask = this.mask(guards, shift);
      if (mask === null) return this.lanewise(e, shift);
    } else condition = this.condition(guards, shift);
    let { local, offset } = this.address(e.buffer, at, shift);
    if (mask !== null || condition !== null) {
      const whole = (): void => {
        fn.code.get(local);
        if (offset > 0) {
          fn.code.i32(offset);
          fn.code.op('i32.add');
        }
      };
      const base = this.bases[e.buffer]!;
      if (condition !== null) {
        whole();
        fn.code.get(base);
        fn.code.get(condition);
        fn.code.op('select');
        local = fn.hold('i32');
      } else {
        // A vector with a lane inside begins at most three lanes before the buffer and at its last element at latest. Addresses have no sign: memory goes to 4 GiB.
        whole();
        local = fn.hold('i32');
        const first = this.bound(base, -16);
        const last = this.bufferEnd(e.buffer);
        fn.code.get(local);
        fn.code.get(first);
        fn.code.get(local);
        fn.code.get(first);
        fn.code.op('i32.gt_u');
        fn.code.op('select');
        const raised = fn.hold('i32');
        fn.code.get(raised);
        fn.code.get(last);
        fn.code.get(raised);
        fn.code.get(last);
        fn.code.op('i32.lt_u');
        fn.code.op('select');
        local = fn.hold('i32');
      }
      offset = 0;
    }
    if (dtype === 'bool') {
      fn.code.get(local);
      fn.code.access('v128.load32_zero', offset);
      fn.code.op('i16x8.extend_low_i8x16_u');
      fn.code.op('i32x4.extend_low_i16x8_u');
      fn.code.v128([0, 0, 0, 0]);
      fn.code.op('i32x4.ne');
    } else if (stride === 2) {
      fn.code.get(local);
      fn.code.access('v128.load', offset);
      fn.code.get(local);
      fn.code.access('v128.load', offset + 16);
      fn.code.shuffle([0, 2, 4, 6]);
    } else {
      fn.code.get(local);
      fn.code.access(stride === 0 ? 'v128.load32_splat' : 'v128.load', offset);
    }
    if (e.otherwise === null || (mask === null && condition === null)) return;
    if (mask === null) {
      fn.code.i32(0);
      fn.code.get(condition!);
      fn.code.op('i32.sub');
      fn.code.op('i32x4.splat');
      mask = fn.hold('v128');
    }
    if (e.otherwise.kind === 'const' && Object.is(e.otherwise.value, 0)) {
      fn.code.get(mask);
      return fn.code.op('v128.and');
    }
    this.emit(e.otherwise, true, shift);
    fn.code.get(mask);
    fn.code.op('v128.bitselect');
  }

  private bound(base: number, by: number): number {
    const key = `|${base}${by}`;
    let known = this.fn.scope.find(key);
    known ??= this.fn.at(0, () => {
      this.fn.code.get(base);
      this.fn.code.i32(by);
      this.fn.code.op('i32.add');
      const held = this.fn.hold('i32');
      this.fn.scope.known.set(key, held);
      return held;
    });
    return known;
  }

  /**
   * An address up to which a vector may be loaded, at or behind the buffer's end: where the kernel does not know how long the buffer is (a sequence of which it
   * sees one round), the last of the memory.
   */
  bufferEnd(buffer: number): number {
    const { sizes } = this.kernel.buffers[buffer]!;
    const count = sizes.reduce((p, s) => mul(p, s), num(this.bytesOf(buffer)));
    if ([...names(count)].some((s) => !this.bindings.has(s))) {
      const known = this.fn.scope.find('|end');
      if (known !== null) return known;
      return this.fn.at(0, () => {
        const { code } = this.fn;
        code.memorySize();
        code.i32(16);
        code.op('i32.shl');
        code.i32(32);
        code.op('i32.sub');
        const held = this.fn.hold('i32');
        this.fn.scope.known.set('|end', held);
        return held;
      });
    }
    return this.fn.at(0, () => this.inLocal(this.index(count, NO_SHIFT, this.bases[buffer]!)));
  }
}

export const substituted = (guards: readonly Guard[], map: ReadonlyMap<string, Poly>): readonly Guard[] =>
  map.size === 0
    ? guards
    : guards.map((g) => ({ e: substitute(g.e, map), lo: substitute(g.lo, map), hi: substitute(g.hi, map) }));
