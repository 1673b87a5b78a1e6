/**
 * Encodes WebAssembly modules: bytes, types, imports, one memory, functions with structured control. No text form and no validation of its own:
 * `WebAssembly.validate` is the judge in tests. Function bodies are written by `Fn` (function.ts), which knows about scopes and locals.
 */
import {
  ACCESS,
  ATOMIC,
  LANE_ACCESS,
  LANES,
  MISC,
  OPCODES,
  SIMD,
  type Access,
  type LaneAccess,
  type LaneOp,
  type Op,
} from './opcodes.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export const TYPE_CODES: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

const scratch = new DataView(new ArrayBuffer(8));

/** A growable byte buffer with the number formats of the binary form. */
export class Bytes {
  private data: Uint8Array;
  length = 0;

  constructor(room = 64) {
    this.data = new Uint8Array(room);
  }

  private grow(by: number): void {
    if (this.length + by <= this.data.length) return;
    const larger = new Uint8Array(Math.max(2 * this.data.length, this.length + by));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }

  byte(b: number): void {
    this.grow(1);
    this.data[this.length++] = b;
  }

  append(other: Bytes): void {
    this.grow(other.length);
    this.data.set(other.data.subarray(0, other.length), this.length);
    this.length += other.length;
  }

  raw(bytes: ArrayLike<number>): void {
    this.grow(bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  f32(value: number): void {
    scratch.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.byte(scratch.getUint8(i));
  }

  f64(value: number): void {
    scratch.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.byte(scratch.getUint8(i));
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** Its length, then itself. */
  sized(other: Bytes): void {
    this.u32(other.length);
    this.append(other);
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.length) as Uint8Array<ArrayBuffer>;
  }
}

/** Instructions, each appended at the end. Depths of branches count the enclosing blocks, 0 the innermost. */
export class Code {
  readonly bytes = new Bytes();

  private opcode(code: number): void {
    const { bytes } = this;
    if (code >= ATOMIC) {
      bytes.byte(0xfe);
      bytes.u32(code - ATOMIC);
    } else if (code >= SIMD) {
      bytes.byte(0xfd);
      bytes.u32(code - SIMD);
    } else if (code >= MISC) {
      bytes.byte(0xfc);
      bytes.u32(code - MISC);
    } else bytes.byte(code);
  }

  op(name: Op): void {
    this.opcode(OPCODES[name]);
  }

  i32(value: number): void {
    this.bytes.byte(0x41);
    this.bytes.s32(value);
  }

  i64(value: bigint): void {
    this.bytes.byte(0x42);
    this.bytes.s64(value);
  }

  f32(value: number): void {
    this.bytes.byte(0x43);
    this.bytes.f32(value);
  }

  f64(value: number): void {
    this.bytes.byte(0x44);
    this.bytes.f64(value);
  }

  /** Four equal or different 32-bit lanes, as the bits of integers. */
  v128(lanes: readonly [number, number, number, number]): void {
    this.opcode(SIMD + 12);
    for (const lane of lanes) {
      scratch.setInt32(0, lane | 0, true);
      for (let i = 0; i < 4; i++) this.bytes.byte(scratch.getUint8(i));
    }
  }

  get(local: number): void {
    this.bytes.byte(0x20);
    this.bytes.u32(local);
  }

  set(local: number): void {
    this.bytes.byte(0x21);
    this.bytes.u32(local);
  }

  tee(local: number): void {
    this.bytes.byte(0x22);
    this.bytes.u32(local);
  }

  access(name: Access, offset = 0): void {
    const [code, align] = ACCESS[name];
    this.opcode(code);
    // Data is aligned to elements of four bytes, not to vectors.
    this.bytes.u32(Math.min(align, 2));
    this.bytes.u32(offset);
  }

  laneAccess(name: LaneAccess, lane: number, offset = 0): void {
    const [code, align] = LANE_ACCESS[name];
    this.opcode(code);
    this.bytes.u32(align);
    this.bytes.u32(offset);
    this.bytes.byte(lane);
  }

  lane(name: LaneOp, lane: number): void {
    this.opcode(LANES[name]);
    this.bytes.byte(lane);
  }

  /** Lanes of 32 bits: 0-3 of the first operand, 4-7 of the second. */
  shuffle(lanes: readonly [number, number, number, number]): void {
    this.opcode(SIMD + 13);
    for (const lane of lanes) for (let i = 0; i < 4; i++) this.bytes.byte(4 * lane + i);
  }

  private start(opcode: number, type: ValueType | null): void {
    this.bytes.byte(opcode);
    this.bytes.byte(type === null ? 0x40 : TYPE_CODES[type]);
  }

  block(type: ValueType | null = null): void {
    this.start(0x02, type);
  }

  loop(): void {
    this.start(0x03, null);
  }

  if(type: ValueType | null = null): void {
    this.start(0x04, type);
  }

  else(): void {
    this.bytes.byte(0x05);
  }

  end(): void {
    this.bytes.byte(0x0b);
  }

  br(depth: number): void {
    this.bytes.byte(0x0c);
    this.bytes.u32(depth);
  }

  brIf(depth: number): void {
    this.bytes.byte(0x0d);
    this.bytes.u32(depth);
  }

  call(target: number): void {
    this.bytes.byte(0x10);
    this.bytes.u32(target);
  }

  /** Pages of memory. */
  memorySize(): void {
    this.bytes.byte(0x3f);
    this.bytes.byte(0);
  }

  memoryCopy(): void {
    this.opcode(MISC + 10);
    this.bytes.byte(0);
    this.bytes.byte(0);
  }

  memoryFill(): void {
    this.opcode(MISC + 11);
    this.bytes.byte(0);
  }
}

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A finished function: types of its own locals (after the parameters), and its instructions without the last `end`. */
export interface FunctionBody {
  readonly locals: readonly ValueType[];
  readonly code: Bytes;
}

interface ModuleFunction {
  readonly signature: Signature;
  readonly exported: string | null;
  body: FunctionBody | null;
}

/** How the memory's import begins: module `e`, name `m`, a memory; then the flags of its limits. */
const MEMORY_IMPORT = [1, 0x65, 1, 0x6d, 2];
/** A greatest size; and shared. */
const LIMITED = 1;
const SHARED = 3;
const MOST_PAGES = 65536;

/**
 * Where in a module the byte stands that says whether its memory is shared. Atomics are valid on either kind, so that one module serves both: 1 is
 * unshared, 3 shared.
 */
export function sharedFlag(module: Uint8Array): number {
  for (let k = 8; k + MEMORY_IMPORT.length < module.length; k++)
    if (MEMORY_IMPORT.every((b, j) => module[k + j] === b)) return k + MEMORY_IMPORT.length;
  throw new Error('the module imports no memory');
}

/** Imports: `e.m`, the memory, and functions `e.name`. Exports: functions by name. */
export class ModuleBuilder {
  private readonly imported: { readonly name: string; readonly signature: Signature }[] = [];
  private readonly functions: ModuleFunction[] = [];
  private readonly data: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  private readonly memory: { readonly pages: number; readonly shared: boolean };

  /** `pages`: least size of the imported memory. */
  constructor(memory: { readonly pages: number; readonly shared: boolean }) {
    this.memory = memory;
  }

  /** A function of another module; before all that are declared here. */
  import(name: string, signature: Signature): number {
    if (this.functions.length > 0) throw new Error('imports come first');
    this.imported.push({ name, signature });
    return this.imported.length - 1;
  }

  /** Its number, for `call`; the body may follow later. */
  declare(signature: Signature, exported: string | null = null): number {
    this.functions.push({ signature, exported, body: null });
    return this.imported.length + this.functions.length - 1;
  }

  signature(target: number): Signature {
    return (this.imported[target] ?? this.functions[target - this.imported.length]!).signature;
  }

  define(target: number, body: FunctionBody): void {
    this.functions[target - this.imported.length]!.body = body;
  }

  constants(at: number, bytes: Uint8Array): void {
    this.data.push({ at, bytes });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes(1 << 12);
    out.raw([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (id: number, body: Bytes): void => {
      out.byte(id);
      out.sized(body);
    };
    const types = new Map<string, { readonly index: number; readonly signature: Signature }>();
    const typeOf = (signature: Signature): number => {
      const key = `${signature.parameters.join()}>${signature.results.join()}`;
      let known = types.get(key);
      if (known === undefined) types.set(key, (known = { index: types.size, signature }));
      return known.index;
    };
    const imports = new Bytes();
    imports.u32(1 + this.imported.length);
    for (const { name, signature } of this.imported) {
      imports.name('e');
      imports.name(name);
      imports.byte(0);
      imports.u32(typeOf(signature));
    }
    const table = new Bytes();
    table.u32(this.functions.length);
    for (const f of this.functions) table.u32(typeOf(f.signature));

    const typeSection = new Bytes();
    typeSection.u32(types.size);
    for (const { signature } of types.values()) {
      typeSection.byte(0x60);
      for (const list of [signature.parameters, signature.results]) {
        typeSection.u32(list.length);
        for (const t of list) typeSection.byte(TYPE_CODES[t]);
      }
    }
    section(1, typeSection);

    imports.name('e');
    imports.name('m');
    imports.byte(2);
    imports.byte(this.memory.shared ? SHARED : LIMITED);
    imports.u32(this.memory.pages);
    imports.u32(MOST_PAGES);
    section(2, imports);
    section(3, table);

    const exported = this.functions.flatMap((f, index) =>
      f.exported === null ? [] : [{ name: f.exported, index: this.imported.length + index }],
    );
    const exports = new Bytes();
    exports.u32(exported.length);
    for (const { name, index } of exported) {
      exports.name(name);
      exports.byte(0);
      exports.u32(index);
    }
    section(7, exports);

    const code = new Bytes(1 << 12);
    code.u32(this.functions.length);
    for (const [index, f] of this.functions.entries()) {
      if (f.body === null) throw new Error(`function ${index} has no body`);
      const body = new Bytes();
      const runs: { type: ValueType; count: number }[] = [];
      for (const type of f.body.locals) {
        const last = runs.at(-1);
        if (last?.type === type) last.count++;
        else runs.push({ type, count: 1 });
      }
      body.u32(runs.length);
      for (const { type, count } of runs) {
        body.u32(count);
        body.byte(TYPE_CODES[type]);
      }
      body.append(f.body.code);
      body.byte(0x0b);
      code.sized(body);
    }
    section(10, code);

    if (this.data.length > 0) {
      const data = new Bytes();
      data.u32(this.data.length);
      for (const { at, bytes } of this.data) {
        data.byte(0);
        data.byte(0x41);
        data.s32(at);
        data.byte(0x0b);
        data.u32(bytes.length);
        data.raw(bytes);
      }
      section(11, data);
    }
    return out.take();
  }
}
