/** Shortened functions do what they did: random ones over locals and memory, and single forms that must be gone or must stay. */
import { expect, it } from 'vitest';
import { Code, ModuleBuilder, type Signature, type ValueType } from '../../../compiler/targets/wasm/encoder.ts';
import { shorten } from '../../../compiler/targets/wasm/shorten.ts';

const signature: Signature = { parameters: ['i32', 'i32'], results: ['i32'] };
/** Of locals: two parameters, integers, vectors. */
const [INTEGERS, VECTORS] = [8, 3];
const locals: ValueType[] = [
  ...Array.from({ length: INTEGERS - 2 }, (): ValueType => 'i32'),
  ...Array.from({ length: VECTORS }, (): ValueType => 'v128'),
];
const helper: Signature = { parameters: ['i32'], results: ['i32'] };
const keeper: Signature = { parameters: ['i32', 'i32'], results: [] };

class Writer {
  readonly code = new Code();
  private state: number;
  private counters = 0;
  private depth = 0;

  constructor(seed: number) {
    this.state = seed * 7919 + 17;
    for (let k = 0; k < 4; k++) this.draw(2);
  }

  private draw(below: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * below);
  }

  private pick = <T>(list: readonly T[]): T => list[this.draw(list.length)]!;
  /** Integers that are no loop's counter now. */
  private free = (): number => this.draw(INTEGERS - this.counters);

  /** An address inside a small window. */
  private address(depth: number): void {
    this.value(depth);
    this.code.i32(0x1fc);
    this.code.op('i32.and');
  }

  value(depth: number): void {
    const { code } = this;
    const kind = depth <= 0 ? this.draw(2) : this.draw(13);
    if (kind === 0) return code.i32(this.pick([0, 1, 2, 4, -1, 3, 64, 1000]));
    if (kind < 4) return code.get(this.draw(INTEGERS));
    if (kind === 4) {
      this.address(depth - 1);
      return code.access('i32.load', this.pick([0, 4]));
    }
    if (kind === 5) {
      this.value(depth - 1);
      return code.tee(this.free());
    }
    if (kind === 6) {
      this.value(depth - 1);
      this.value(depth - 1);
      this.value(depth - 1);
      return code.op('select');
    }
    if (kind === 7) {
      this.value(depth - 1);
      return code.call(0);
    }
    if (kind === 8) {
      code.get(INTEGERS + this.draw(VECTORS));
      return code.lane('i32x4.extract_lane', this.draw(4));
    }
    if (kind === 9) {
      this.value(depth - 1);
      this.value(depth - 1);
      code.i32(1);
      code.op('i32.or');
      return code.op('i32.div_u');
    }
    this.value(depth - 1);
    // A statement while a value waits.
    if (this.draw(4) === 0) this.statement(1);
    this.value(depth - 1);
    code.op(this.pick(['i32.add', 'i32.sub', 'i32.mul', 'i32.and', 'i32.shl', 'i32.lt_s', 'i32.eq', 'i32.xor', 'i32.gt_u'])); // prettier-ignore
  }

  statement(depth: number): void {
    const { code } = this;
    const kind = this.draw(depth > 0 && this.depth < 4 ? 11 : 6);
    this.depth++;
    if (kind < 3) {
      this.value(3);
      code.set(this.free());
    } else if (kind === 3) {
      this.address(2);
      this.value(2);
      code.access('i32.store', 4);
    } else if (kind === 4) {
      this.address(1);
      code.access('v128.load');
      code.get(INTEGERS + this.draw(VECTORS));
      code.op(this.pick(['i32x4.add', 'v128.xor']));
      code.set(INTEGERS + this.draw(VECTORS));
    } else if (kind === 5) {
      this.address(1);
      if (this.draw(2) === 0) {
        code.get(INTEGERS + this.draw(VECTORS));
        code.access('v128.store', 16);
      } else {
        this.value(1);
        code.call(1);
      }
    } else if (kind < 8) {
      this.value(2);
      code.if();
      this.list(depth - 1);
      if (this.draw(2) === 0) {
        code.else();
        this.list(depth - 1);
      }
      code.end();
    } else if (kind === 8) {
      code.block();
      this.list(depth - 1);
      this.value(2);
      code.brIf(0);
      this.list(depth - 1);
      code.end();
    } else if (this.counters < 3) {
      this.counters++;
      const counter = INTEGERS - this.counters;
      code.i32(this.pick([1, 3, 4]));
      code.set(counter);
      code.loop();
      this.list(depth - 1);
      code.get(counter);
      code.i32(1);
      code.op('i32.sub');
      code.tee(counter);
      code.brIf(0);
      code.end();
      this.counters--;
    } else {
      this.value(2);
      code.op('drop');
    }
    this.depth--;
  }

  list(depth: number): void {
    for (let k = 1 + this.draw(4); k > 0; k--) this.statement(depth);
  }
}

const signatureOf = (target: number): Signature => (target === 0 ? helper : target === 1 ? keeper : signature);

function run(code: Code, short: boolean): { readonly bytes: number; readonly seen: readonly number[] } {
  const builder = new ModuleBuilder({ pages: 1, shared: false });
  const doubled = new Code();
  doubled.get(0);
  doubled.i32(3);
  doubled.op('i32.mul');
  builder.define(builder.declare(helper), { locals: [], code: doubled.bytes });
  const kept = new Code();
  kept.get(0);
  kept.get(1);
  kept.access('i32.store', 8);
  builder.define(builder.declare(keeper), { locals: [], code: kept.bytes });
  const body = { locals, code: code.bytes };
  builder.define(builder.declare(signature, 'f'), short ? shorten(signature, body, signatureOf) : body);
  const bytes = builder.encode();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  const view = new Int32Array(memory.buffer, 0, 256);
  for (const k of view.keys()) view[k] = Math.imul(k + 1, 0x9e3779b1);
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: memory } }).exports;
  const seen = [(f as (a: number, b: number) => number)(5, -7), (f as (a: number, b: number) => number)(0, 1)];
  return { bytes: bytes.length, seen: [...seen, ...view] };
}

it('random functions give the same results and the same memory, in fewer bytes', () => {
  let [long, short] = [0, 0];
  for (let seed = 0; seed < 400; seed++) {
    const writer = new Writer(seed);
    writer.list(3);
    writer.list(3);
    writer.value(3);
    const [before, after] = [run(writer.code, false), run(writer.code, true)];
    expect(after.seen, `seed ${seed}`).toEqual(before.seen);
    long += before.bytes;
    short += after.bytes;
  }
  expect(short).toBeLessThan(0.9 * long);
});

const text = (write: (code: Code) => void): string => {
  const code = new Code();
  write(code);
  const { code: bytes } = shorten(signature, { locals, code: code.bytes }, signatureOf);
  return [...bytes.take()].map((b) => b.toString(16).padStart(2, '0')).join(' ');
};

it('known integers are folded through locals, and branches that are never taken go', () => {
  const made = text((code) => {
    code.i32(64);
    code.set(2);
    code.get(2);
    code.i32(3);
    code.op('i32.shl');
    code.set(3);
    code.get(3);
    code.i32(500);
    code.op('i32.lt_s');
    code.if();
    code.i32(1);
    code.set(0);
    code.end();
    code.get(3);
    code.get(0);
    code.op('i32.add');
  });
  // i32.const 512, local.get 0, i32.add
  expect(made).toBe('41 80 04 20 00 6a');
});

it('a read stays before a write that may change it', () => {
  const made = text((code) => {
    code.get(0);
    code.access('i32.load');
    code.set(2);
    code.get(1);
    code.i32(7);
    code.access('i32.store');
    code.get(2);
  });
  expect(made).toMatch(/^20 00 28 02 00 21 .. 20 01 41 07 36 02 00 20 ..$/);
});
