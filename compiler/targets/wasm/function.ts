/**
 * A function under construction: nested scopes of instructions, and locals.
 *
 * Code may be added to any open scope: what does not depend on a loop is written before that loop, which is how invariant reads and offsets leave
 * inner loops without a pass of their own. A scope's locals are free again when it is closed, but only for what comes after it in the scope
 * around it: code hoisted to before a loop must not use a local that the loop's body has used already.
 */
import { Code, type FunctionBody, type Signature, type ValueType } from './encoder.ts';

interface Held {
  readonly local: number;
  readonly type: ValueType;
}

export class Scope {
  readonly code = new Code();
  /** Local that holds what a key stands for. */
  readonly known = new Map<string, number>();
  readonly own: Held[] = [];
  readonly free: Held[] = [];
  readonly depth: number;
  readonly parent: Scope | null;

  constructor(parent: Scope | null) {
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  find(key: string): number | null {
    return this.known.get(key) ?? this.parent?.find(key) ?? null;
  }
}

export class Fn {
  readonly signature: Signature;
  scope = new Scope(null);
  /** How many sets of expressions have been written into it. */
  tags = 0;
  private readonly locals: ValueType[] = [];

  constructor(signature: Signature) {
    this.signature = signature;
  }

  /** Where instructions go now. */
  get code(): Code {
    return this.scope.code;
  }

  local(type: ValueType): number {
    for (let scope: Scope | null = this.scope; scope !== null; scope = scope.parent) {
      const at = scope.free.findIndex((h) => h.type === type);
      if (at < 0) continue;
      const [held] = scope.free.splice(at, 1);
      this.scope.own.push(held!);
      return held!.local;
    }
    const local = this.signature.parameters.length + this.locals.length;
    this.locals.push(type);
    this.scope.own.push({ local, type });
    return local;
  }

  /** The value on the stack goes into a fresh local. */
  hold(type: ValueType): number {
    const local = this.local(type);
    this.code.set(local);
    return local;
  }

  /** What `body` writes goes to the open scope at this depth. */
  at<T>(depth: number, body: () => T): T {
    const inner = this.scope;
    while (this.scope.depth > depth) this.scope = this.scope.parent!;
    const result = body();
    this.scope = inner;
    return result;
  }

  /** A nested scope; `close` says how its instructions join those of the scope around it. */
  nested(body: () => void, close: (inner: Code, outer: Code) => void): void {
    const outer = this.scope;
    this.scope = new Scope(outer);
    body();
    const inner = this.scope;
    this.scope = outer;
    outer.free.push(...inner.own, ...inner.free);
    close(inner.code, outer.code);
  }

  /**
   * `if` with the condition on the stack (of the current scope). What the branches hoist to the current scope stands before the `if`.
   */
  if(then: () => void, otherwise: (() => void) | null = null, type: ValueType | null = null): void {
    let yes: Code | null = null;
    let no: Code | null = null;
    this.nested(then, (inner) => void (yes = inner));
    if (otherwise !== null) this.nested(otherwise, (inner) => void (no = inner));
    const { code } = this;
    code.if(type);
    code.bytes.append((yes as unknown as Code).bytes);
    if (no !== null) {
      code.else();
      code.bytes.append((no as Code).bytes);
    }
    code.end();
  }

  /**
   * `for (v = from; v < to; v += step)` over an i32 local, which the body is given. `to` is a local or a constant. The loop's scope is one deeper
   * than the variable's. `by`, if given, is a local to step by instead.
   */
  for(
    from: number | { readonly local: number },
    to: number | { readonly local: number },
    step: number,
    body: (variable: number) => void,
    by: number | null = null,
  ): void {
    const variable = this.local('i32');
    const push = (code: Code, x: number | { readonly local: number }): void =>
      typeof x === 'number' ? code.i32(x) : code.get(x.local);
    this.nested(
      () => body(variable),
      (inner, outer) => {
        push(outer, from);
        outer.set(variable);
        const certain = typeof from === 'number' && typeof to === 'number' && from < to;
        if (!certain) {
          outer.get(variable);
          push(outer, to);
          outer.op('i32.lt_s');
          outer.if();
        }
        outer.loop();
        outer.bytes.append(inner.bytes);
        outer.get(variable);
        if (by === null) outer.i32(step);
        else outer.get(by);
        outer.op('i32.add');
        outer.tee(variable);
        push(outer, to);
        outer.op('i32.lt_s');
        outer.brIf(0);
        outer.end();
        if (!certain) outer.end();
      },
    );
    this.release(variable, 'i32');
  }

  /** `while (condition) body`; the condition is asked before every round. */
  while(condition: () => void, body: () => void): void {
    this.nested(
      () => {
        condition();
        this.code.if();
        this.nested(body, (inner, outer) => outer.bytes.append(inner.bytes));
        this.code.br(1);
        this.code.end();
      },
      (inner, outer) => {
        outer.loop();
        outer.bytes.append(inner.bytes);
        outer.end();
      },
    );
  }

  /** Downward: `for (v = from - 1; v >= 0; v--)`. */
  down(from: number | { readonly local: number }, body: (variable: number) => void): void {
    const variable = this.local('i32');
    this.nested(
      () => body(variable),
      (inner, outer) => {
        if (typeof from === 'number') outer.i32(from);
        else outer.get(from.local);
        outer.tee(variable);
        outer.i32(0);
        outer.op('i32.gt_s');
        outer.if();
        outer.loop();
        outer.get(variable);
        outer.i32(1);
        outer.op('i32.sub');
        outer.set(variable);
        outer.bytes.append(inner.bytes);
        outer.get(variable);
        outer.i32(0);
        outer.op('i32.gt_s');
        outer.brIf(0);
        outer.end();
        outer.end();
      },
    );
    this.release(variable, 'i32');
  }

  release(local: number, type: ValueType): void {
    const at = this.scope.own.findIndex((h) => h.local === local);
    if (at >= 0) this.scope.own.splice(at, 1);
    this.scope.free.push({ local, type });
  }

  done(): FunctionBody {
    if (this.scope.parent !== null) throw new Error('a scope is still open');
    return { locals: this.locals, code: this.code.bytes };
  }
}
