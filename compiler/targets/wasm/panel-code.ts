/** What the ways of packing (pack.ts) are written with: coordinates of flat points, sums of strides, loops, addresses kept within a buffer, transposes in registers. */
import { asConst, num, type Poly } from '../../sizes/poly.ts';
import type { Kernel } from '../../kernel/types.ts';
import { NO_SHIFT, type Expressions } from './expression.ts';
import type { Fn } from './function.ts';
import type { Dim, LinearRead } from './linear-read.ts';

export class PanelCode {
  protected readonly x: Expressions;
  protected readonly fn: Fn;
  protected readonly kernel: Kernel;

  constructor(x: Expressions) {
    this.x = x;
    this.fn = x.fn;
    this.kernel = x.kernel;
  }

  /** `value · p` as an i32 on the stack. */
  protected times(local: number, p: Poly): void {
    const { fn, x } = this;
    const constant = asConst(p);
    fn.code.get(local);
    if (constant === 1) return;
    if (constant !== null && Number.isInteger(Math.log2(constant))) {
      fn.code.i32(Math.log2(constant));
      return fn.code.op('i32.shl');
    }
    x.push(x.index(p));
    fn.code.op('i32.mul');
  }

  protected extent(p: Poly): number | { readonly local: number } {
    const o = this.x.index(p);
    return o.local === null ? o.plus : { local: this.x.inLocal(o) };
  }

  /** Coordinates of a flat point along the dims, the last one fastest. */
  protected decode(flat: number, dims: readonly Dim[]): number[] {
    const { fn, x } = this;
    const out: number[] = [];
    let rest = flat;
    for (let k = dims.length - 1; k > 0; k--) {
      const extent = x.index(dims[k]!.extent);
      fn.code.get(rest);
      x.push(extent);
      fn.code.op('i32.div_u');
      const quotient = fn.hold('i32');
      fn.code.get(rest);
      fn.code.get(quotient);
      x.push(extent);
      fn.code.op('i32.mul');
      fn.code.op('i32.sub');
      out[k] = fn.hold('i32');
      rest = quotient;
    }
    out[0] = rest;
    return out;
  }

  /** Start plus w, at most the last point. */
  protected point(start: number, w: number, total: number): number {
    const { fn } = this;
    if (w === 0) return start;
    fn.code.get(start);
    fn.code.i32(w);
    fn.code.op('i32.add');
    const at = fn.hold('i32');
    fn.code.get(total);
    fn.code.i32(1);
    fn.code.op('i32.sub');
    const last = fn.hold('i32');
    fn.code.get(at);
    fn.code.get(last);
    fn.code.get(at);
    fn.code.get(last);
    fn.code.op('i32.lt_s');
    fn.code.op('select');
    return fn.hold('i32');
  }

  /** Σ coordinate · p[k] plus what is on the stack. */
  protected sum(at: readonly number[], by: readonly Poly[]): void {
    for (const [k, local] of at.entries()) {
      if (asConst(by[k]!) === 0) continue;
      this.times(local, by[k]!);
      this.fn.code.op('i32.add');
    }
  }

  protected base(read: LinearRead): number {
    const { x, fn } = this;
    const o = x.index(read.rest, NO_SHIFT, x.bases[read.buffer]!);
    if (o.plus === 0) return o.local!;
    x.push(o);
    return fn.hold('i32');
  }

  /** Loops over dims; `body` gets the bytes and the guards' parts so far. */
  protected overLoops(
    dims: readonly Dim[],
    guards: number,
    body: (bytes: number, parts: readonly number[]) => void,
  ): void {
    const { fn } = this;
    const zero = (): number => {
      fn.code.i32(0);
      return fn.hold('i32');
    };
    const go = (k: number, bytes: number, parts: readonly number[]): void => {
      const dim = dims[k];
      if (dim === undefined) return body(bytes, parts);
      fn.for(0, this.extent(dim.extent), 1, (at) => {
        fn.code.get(bytes);
        this.sum([at], [dim.stride]);
        const inner = fn.hold('i32');
        const own = parts.map((part, g) => {
          if (asConst(dim.guards[g]!) === 0) return part;
          fn.code.get(part);
          this.sum([at], [dim.guards[g]!]);
          return fn.hold('i32');
        });
        go(k + 1, inner, own);
      });
    };
    const first = zero();
    go(
      0,
      first,
      Array.from({ length: guards }, () => first),
    );
  }

  protected advance(pointer: number, bytes: number): void {
    const { code } = this.fn;
    code.get(pointer);
    code.i32(bytes);
    code.op('i32.add');
    code.set(pointer);
  }

  /** 32 bytes before the buffer, or its end. */
  protected edge(buffer: number, end: boolean): number {
    const { fn, x } = this;
    if (end) return x.bufferEnd(buffer);
    return fn.at(0, () => {
      x.push(x.index(num(-32), NO_SHIFT, x.bases[buffer]!));
      return fn.hold('i32');
    });
  }

  /** The address on the stack, into what may be read: where no lane is inside, anywhere near the buffer will do. Addresses have no sign. */
  protected clamp(low: number, high: number): void {
    const { fn } = this;
    for (const [bound, op] of [
      [low, 'i32.gt_u'],
      [high, 'i32.lt_u'],
    ] as const) {
      const at = fn.hold('i32');
      fn.code.get(at);
      fn.code.get(bound);
      fn.code.get(at);
      fn.code.get(bound);
      fn.code.op(op);
      fn.code.op('select');
    }
  }

  protected transpose(rows: readonly number[]): readonly number[] {
    const { fn } = this;
    const mix = (a: number, b: number, lanes: readonly [number, number, number, number]): number => {
      fn.code.get(a);
      fn.code.get(b);
      fn.code.shuffle(lanes);
      return fn.hold('v128');
    };
    const [a, b, c, d] = rows as [number, number, number, number];
    const ab0 = mix(a, b, [0, 4, 1, 5]);
    const ab1 = mix(a, b, [2, 6, 3, 7]);
    const cd0 = mix(c, d, [0, 4, 1, 5]);
    const cd1 = mix(c, d, [2, 6, 3, 7]);
    return [
      mix(ab0, cd0, [0, 1, 4, 5]),
      mix(ab0, cd0, [2, 3, 6, 7]),
      mix(ab1, cd1, [0, 1, 4, 5]),
      mix(ab1, cd1, [2, 3, 6, 7]),
    ];
  }
}
