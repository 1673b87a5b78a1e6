/**
 * A function's instructions as trees, read from its bytes and written to them: what `shorten.ts` works on. Instructions have their operands below them, blocks their
 * lists; branches name the block they leave. Immediates that nothing looks at stay bytes.
 *
 * An instruction without a result that stands between operands of another one goes before it where it does not matter, and else is kept as `then`.
 */
import { Bytes, type Signature } from './encoder.ts';
import { ACCESS, ATOMIC, LANE_ACCESS, LANES, MISC, OPCODES, SIMD } from './opcodes.ts';

/** What a block, a loop or an `if` is left by. */
export interface Label {
  readonly kind: 'block' | 'loop' | 'if';
  /** Locals that are set inside. */
  readonly assigned: Set<number>;
}

export interface OpTree {
  readonly kind: 'op';
  readonly form: Form;
  readonly immediate: Uint8Array<ArrayBuffer>;
  readonly args: Tree[];
}

export type Tree =
  | OpTree
  | { readonly kind: 'i32'; readonly value: number }
  | { readonly kind: 'get'; variable: number }
  | { readonly kind: 'set' | 'tee'; variable: number; value: Tree }
  | { readonly kind: 'call'; readonly target: number; readonly results: number; readonly args: Tree[] }
  | { readonly kind: 'block' | 'loop'; readonly type: number; readonly label: Label; body: Tree[] }
  | {
      readonly kind: 'if';
      readonly type: number;
      readonly label: Label;
      condition: Tree;
      body: Tree[];
      otherwise: Tree[] | null;
    }
  | { readonly kind: 'br'; readonly label: Label; condition: Tree | null }
  | { readonly kind: 'then'; value: Tree; after: Tree[] };

/** An instruction: its opcode in bytes, how many operands and results it has, and how many bytes of immediates; null: two numbers, of an access, and a lane. */
export interface Form {
  readonly name: string;
  readonly code: number;
  readonly operands: number;
  readonly results: number;
  readonly immediate: number | 'access' | 'lane access';
  readonly reads: boolean;
  readonly writes: boolean;
}

export const EMPTY = 0x40;
const NOTHING = new Uint8Array(0);

const UNARY =
  /\.(eqz|clz|abs|neg|ceil|floor|trunc|nearest|sqrt|splat|not|any_true|all_true|bitmask|(wrap|extend|convert|demote|promote|reinterpret|trunc_sat)_\w+)$/;
const TERNARY = /^select$|\.(bitselect|relaxed_n?madd)$/;

function forms(): Map<number, Form> {
  const all = new Map<number, Form>();
  const add = (form: Partial<Form> & Pick<Form, 'name' | 'code' | 'operands'>): void =>
    void all.set(form.code, { results: 1, immediate: 0, reads: false, writes: false, ...form });
  for (const [name, code] of Object.entries(OPCODES)) {
    if (name === 'unreachable' || name === 'return') continue;
    if (name === 'drop') add({ name, code, operands: 1, results: 0 });
    else add({ name, code, operands: TERNARY.test(name) ? 3 : UNARY.test(name) ? 1 : 2 });
  }
  for (const [name, [code]] of Object.entries(ACCESS)) {
    const atomic = code >= ATOMIC;
    const stores = name.includes('store');
    add({
      name,
      code,
      operands: name.endsWith('wait32') ? 3 : stores || (atomic && !name.endsWith('load')) ? 2 : 1,
      results: stores ? 0 : 1,
      immediate: 'access',
      reads: !stores || atomic,
      writes: stores || atomic,
    });
  }
  for (const [name, [code]] of Object.entries(LANE_ACCESS)) {
    const stores = name.includes('store');
    add({ name, code, operands: 2, results: stores ? 0 : 1, immediate: 'lane access', reads: !stores, writes: stores });
  }
  for (const [name, code] of Object.entries(LANES))
    add({ name, code, operands: name.includes('extract') ? 1 : 2, immediate: 1 });
  add({ name: 'v128.const', code: SIMD + 12, operands: 0, immediate: 16 });
  add({ name: 'i8x16.shuffle', code: SIMD + 13, operands: 2, immediate: 16 });
  add({ name: 'f32.const', code: 0x43, operands: 0, immediate: 4 });
  add({ name: 'f64.const', code: 0x44, operands: 0, immediate: 8 });
  add({ name: 'memory.size', code: 0x3f, operands: 0, immediate: 1, reads: true, writes: true });
  add({ name: 'memory.copy', code: MISC + 10, operands: 3, results: 0, immediate: 2, reads: true, writes: true });
  add({ name: 'memory.fill', code: MISC + 11, operands: 3, results: 0, immediate: 1, writes: true });
  return all;
}

const FORMS = forms();
const I64_CONST: Form = {
  name: 'i64.const',
  code: 0x42,
  operands: 0,
  results: 1,
  immediate: 0,
  reads: false,
  writes: false,
};
const NAMED = new Map([...FORMS.values()].map((form) => [form.name, form]));
export const formOf = (name: string): Form => NAMED.get(name)!;

export const op = (form: Form, args: Tree[], immediate = NOTHING): OpTree => ({ kind: 'op', form, immediate, args });

/** How many values it leaves. */
export function resultsOf(tree: Tree): number {
  switch (tree.kind) {
    case 'op':
      return tree.form.results;
    case 'call':
      return tree.results;
    case 'block':
    case 'loop':
    case 'if':
      return tree.type === EMPTY ? 0 : 1;
    case 'set':
    case 'br':
      return 0;
    case 'i32':
    case 'get':
    case 'tee':
    case 'then':
      return 1;
  }
}

/** Its value may be computed after what stands behind it: a constant, or a local that this does not set. */
function waits(value: Tree, statement: Tree): boolean {
  if (value.kind === 'i32') return true;
  if (value.kind === 'op') return value.form.operands === 0 && !value.form.reads;
  return value.kind === 'get' && !sets(statement, value.variable);
}

function sets(tree: Tree, variable: number): boolean {
  switch (tree.kind) {
    case 'i32':
    case 'get':
      return false;
    case 'set':
    case 'tee':
      return tree.variable === variable || sets(tree.value, variable);
    case 'op':
    case 'call':
      return tree.args.some((a) => sets(a, variable));
    case 'block':
    case 'loop':
      return tree.label.assigned.has(variable);
    case 'if':
      return tree.label.assigned.has(variable) || sets(tree.condition, variable);
    case 'br':
      return tree.condition !== null && sets(tree.condition, variable);
    case 'then':
      return sets(tree.value, variable) || tree.after.some((a) => sets(a, variable));
  }
}

class Reader {
  private at = 0;
  private readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly signature: (target: number) => Signature;
  private readonly labels: Label[] = [];
  private statements: Tree[] = [];
  /** Values that nothing has taken yet. */
  private open: Tree[] = [];

  constructor(bytes: Uint8Array<ArrayBuffer>, signature: (target: number) => Signature) {
    this.bytes = bytes;
    this.signature = signature;
  }

  private u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const b = this.bytes[this.at++]!;
      value |= (b & 0x7f) << shift;
      if (b < 0x80) return value >>> 0;
    }
  }

  private s32(): number {
    let value = 0;
    for (let shift = 0; ;) {
      const b = this.bytes[this.at++]!;
      value |= (b & 0x7f) << shift;
      shift += 7;
      if (b < 0x80) return shift < 32 && (b & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }

  private take(count: number): Tree[] {
    const { open } = this;
    if (count === 1) return [open.pop()!];
    if (count === 2) {
      const second = open.pop()!;
      return [open.pop()!, second];
    }
    return open.splice(open.length - count, count);
  }

  private put(tree: Tree, results: number): void {
    const { open } = this;
    if (results > 0) return void open.push(tree);
    for (const value of open)
      if (!waits(value, tree)) {
        const last = open.pop()!;
        if (last.kind === 'then') last.after.push(tree);
        return void open.push(last.kind === 'then' ? last : { kind: 'then', value: last, after: [tree] });
      }
    this.statements.push(tree);
  }

  /** A list, and what it sets, which is set in the block around it too. */
  private list(label: Label): Tree[] {
    const { statements, open, labels } = this;
    this.statements = [];
    this.open = [];
    labels.push(label);
    this.all();
    labels.pop();
    const list = this.open.length > 0 ? [...this.statements, ...this.open] : this.statements;
    this.statements = statements;
    this.open = open;
    return list;
  }

  private left(label: Label): void {
    const around = this.labels.at(-1);
    if (around !== undefined) for (const v of label.assigned) around.assigned.add(v);
  }

  private block(kind: 'block' | 'loop'): void {
    const type = this.bytes[this.at++]!;
    const label: Label = { kind, assigned: new Set() };
    const body = this.list(label);
    this.left(label);
    this.put({ kind, type, label, body }, type === EMPTY ? 0 : 1);
  }

  private branches(): void {
    const type = this.bytes[this.at++]!;
    const condition = this.open.pop()!;
    const label: Label = { kind: 'if', assigned: new Set() };
    const body = this.list(label);
    const otherwise = this.bytes[this.at - 1] === 0x05 ? this.list(label) : null;
    this.left(label);
    this.put({ kind: 'if', type, label, condition, body, otherwise }, type === EMPTY ? 0 : 1);
  }

  private operation(first: number): void {
    const code = first < 0xfc ? first : (first === 0xfc ? MISC : first === 0xfd ? SIMD : ATOMIC) + this.u32();
    const form = FORMS.get(code);
    if (form === undefined) throw new Error(`no instruction ${code.toString(16)} is known`);
    const args = this.take(form.operands);
    if (form.immediate === 0) return this.put(op(form, args), form.results);
    const start = this.at;
    if (typeof form.immediate === 'number') this.at += form.immediate;
    else {
      this.u32();
      this.u32();
      if (form.immediate === 'lane access') this.at++;
    }
    this.put(op(form, args, this.bytes.subarray(start, this.at)), form.results);
  }

  /** To the end of a list. */
  all(): Tree[] {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const first = bytes[this.at++]!;
      switch (first) {
        case 0x05:
        case 0x0b:
          return [];
        case 0x02:
        case 0x03:
          this.block(first === 0x02 ? 'block' : 'loop');
          break;
        case 0x04:
          this.branches();
          break;
        case 0x0c:
        case 0x0d: {
          const condition = first === 0x0c ? null : this.open.pop()!;
          this.put({ kind: 'br', label: this.labels[this.labels.length - 1 - this.u32()]!, condition }, 0);
          break;
        }
        case 0x10: {
          const target = this.u32();
          const { parameters, results } = this.signature(target);
          const args = this.take(parameters.length);
          this.put({ kind: 'call', target, results: results.length, args }, results.length);
          break;
        }
        case 0x20:
          this.open.push({ kind: 'get', variable: this.u32() });
          break;
        case 0x21:
        case 0x22: {
          const variable = this.u32();
          this.labels.at(-1)?.assigned.add(variable);
          const kind = first === 0x21 ? 'set' : 'tee';
          this.put({ kind, variable, value: this.open.pop()! }, first === 0x21 ? 0 : 1);
          break;
        }
        case 0x41:
          this.open.push({ kind: 'i32', value: this.s32() });
          break;
        case 0x42: {
          const start = this.at;
          while (bytes[this.at++]! >= 0x80);
          this.open.push(op(I64_CONST, [], bytes.subarray(start, this.at)));
          break;
        }
        default:
          this.operation(first);
      }
    }
    return [...this.statements, ...this.open];
  }
}

/** The instructions of a body, without its last `end`. `signature`: of a function that is called. */
export const treesOf = (bytes: Uint8Array<ArrayBuffer>, signature: (target: number) => Signature): Tree[] =>
  new Reader(bytes, signature).all();

export function bytesOf(trees: readonly Tree[], local: (variable: number) => number): Bytes {
  const out = new Bytes(1024);
  const labels: Label[] = [];
  const opcode = (code: number): void => {
    if (code < MISC) return out.byte(code);
    out.byte(code >= ATOMIC ? 0xfe : code >= SIMD ? 0xfd : 0xfc);
    out.u32(code & 0xffff);
  };
  const all = (list: readonly Tree[]): void => {
    for (const tree of list) write(tree);
  };
  const write = (tree: Tree): void => {
    switch (tree.kind) {
      case 'i32':
        out.byte(0x41);
        return out.s32(tree.value);
      case 'get':
        out.byte(0x20);
        return out.u32(local(tree.variable));
      case 'set':
      case 'tee':
        if (tree.kind === 'set' && tree.value.kind === 'get' && local(tree.value.variable) === local(tree.variable))
          return;
        write(tree.value);
        out.byte(tree.kind === 'set' ? 0x21 : 0x22);
        return out.u32(local(tree.variable));
      case 'op':
        all(tree.args);
        opcode(tree.form.code);
        return out.raw(tree.immediate);
      case 'call':
        all(tree.args);
        out.byte(0x10);
        return out.u32(tree.target);
      case 'then':
        write(tree.value);
        return all(tree.after);
      case 'br':
        if (tree.condition !== null) write(tree.condition);
        out.byte(tree.condition === null ? 0x0c : 0x0d);
        return out.u32(labels.length - 1 - labels.lastIndexOf(tree.label));
      case 'block':
      case 'loop':
        out.byte(tree.kind === 'block' ? 0x02 : 0x03);
        out.byte(tree.type);
        labels.push(tree.label);
        all(tree.body);
        labels.pop();
        return out.byte(0x0b);
      case 'if':
        write(tree.condition);
        out.byte(0x04);
        out.byte(tree.type);
        labels.push(tree.label);
        all(tree.body);
        if (tree.otherwise !== null && tree.otherwise.length > 0) {
          out.byte(0x05);
          all(tree.otherwise);
        }
        labels.pop();
        return out.byte(0x0b);
    }
  };
  all(trees);
  return out;
}
