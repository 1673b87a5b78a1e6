/** Names in force at a point of a body. Rebinding changes the binding where it was made; a scope is one body, branch or round. */
import type { ProgramModule } from '../check/program.ts';
import type { Value } from './values.ts';

/** A value that outlives the body: see `cells.ts`. */
export interface Cell {
  /** Of a state its saved path. */
  readonly key: string;
  /** How many loops were open where it began. */
  readonly depth: number;
}

export interface Binding {
  value: Value;
  /** Where the name is a `state` or an instance's `carry`: rebinding it is an update. */
  readonly cell: Cell | null;
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

  set(name: string, value: Value, cell: Cell | null = null): void {
    this.bindings.set(name, { value, cell });
  }
}
