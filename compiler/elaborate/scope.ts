/** Names in force at a point of a body. Rebinding changes the binding where it was made; a scope is one body, branch or round. */
import type { ProgramModule } from '../check/program.ts';
import type { Value } from './values.ts';

export interface Binding {
  value: Value;
  /** Saved path when the name is a `state` leaf: rebinding it is an update. */
  readonly state: string | null;
}

export class Scope {
  readonly module: ProgramModule;
  readonly parent: Scope | null;
  readonly bindings = new Map<string, Binding>();

  constructor(module: ProgramModule, parent: Scope | null = null) {
    this.module = module;
    this.parent = parent;
  }

  child(): Scope {
    return new Scope(this.module, this);
  }

  find(name: string): Binding | null {
    return this.bindings.get(name) ?? this.parent?.find(name) ?? null;
  }

  get(name: string): Value | null {
    return this.find(name)?.value ?? null;
  }

  set(name: string, value: Value, state: string | null = null): void {
    this.bindings.set(name, { value, state });
  }
}
