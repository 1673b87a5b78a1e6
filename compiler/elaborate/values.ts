/**
 * What a name or an expression stands for while a program is elaborated: tensors are graph nodes, everything known at build stays a
 * number. Integers stay polynomials as long as possible (also index letters, as positions), so that index arithmetic never becomes data.
 */
import type { CallExpr, Callable, Expr, NameExpr } from '../../grammar/ast.ts';
import type { Definition, ProgramModule } from '../check/program.ts';
import type { Node } from '../graph/types.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Store } from './cells.ts';
import type { Ask, Override } from './records.ts';
import type { Scope } from './scope.ts';

/** A whole tensor: axes by position. */
export interface TensorValue {
  readonly kind: 'tensor';
  readonly node: Node;
}

/** Inside an index equation: every axis bears an index letter; axes stand in the equation's order of letters. */
export interface LabelledValue {
  readonly kind: 'labelled';
  readonly node: Node;
  readonly labels: readonly string[];
}

/** An integer: a number, a size, or (inside an equation) arithmetic over index positions. */
export interface IntegerValue {
  readonly kind: 'integer';
  readonly poly: Poly;
}

/** A real number known at build. */
export interface FloatValue {
  readonly kind: 'float';
  readonly value: number;
}

export interface BooleanValue {
  readonly kind: 'boolean';
  readonly value: boolean;
}

export interface StringValue {
  readonly kind: 'string';
  readonly value: string;
}

/** `...S`: the sizes of a run of axes. */
export interface RunValue {
  readonly kind: 'run';
  readonly sizes: readonly Poly[];
}

/** A block or model with its configuration fixed: one set of parameters under `path`. */
export interface InstanceValue {
  readonly kind: 'instance';
  readonly callable: Callable;
  readonly module: ProgramModule;
  readonly scope: Scope;
  readonly path: string;
  /** Where its carries, and those of what it makes, live. */
  readonly store: Store;
  /** What it reads in place of its own leaves. */
  readonly overrides: readonly Override[];
  /** Computes as in evaluation, in a step of training too. */
  readonly evaluating: boolean;
  /** Its inner values are computed again in the backward pass. */
  readonly recomputed: boolean;
}

/** Leaves of a layer by path (`m.params`), or what was computed from them leafwise. */
export interface LeavesValue {
  readonly kind: 'leaves';
  /** The leaf at a path; null where it has none. `ask`: makes it where it is not known yet. */
  readonly get: (path: string, ask: Ask | null) => Node | null;
  /** All paths met so far. */
  readonly paths: () => readonly string[];
  /** The saved path of a leaf, where the record is a state: rebinding it is an update. */
  readonly saved?: (path: string) => string;
}

/** A part of a network, by path only: what `Llama.core` is outside of Llama. */
export interface PlaceValue {
  readonly kind: 'place';
  readonly path: string;
  readonly overrides: readonly Override[];
}

/** A mask, not yet applied to positions. */
export type MaskValue =
  | { readonly kind: 'mask'; readonly how: 'everything' }
  | {
      readonly kind: 'mask';
      readonly how: 'declared';
      readonly callable: Callable;
      readonly scope: Scope;
      readonly module: ProgramModule;
    }
  | { readonly kind: 'mask'; readonly how: 'and' | 'or'; readonly left: MaskValue; readonly right: MaskValue }
  | { readonly kind: 'mask'; readonly how: 'not'; readonly of: MaskValue };

/** A schedule with its configuration fixed: a value over steps. `place`: where it is written; its states go by that. */
export interface ScheduleValue {
  readonly kind: 'schedule';
  readonly place: Expr;
  readonly callable: Callable;
  readonly scope: Scope;
  readonly module: ProgramModule;
}

/** Several results by name. */
export interface RecordValue {
  readonly kind: 'record';
  readonly fields: ReadonlyMap<string, Value>;
}

/** A name that stands for a declaration. */
export interface DefinitionValue {
  readonly kind: 'definition';
  readonly definition: Definition;
}

/** A built-in function, by name. */
export interface BuiltinValue {
  readonly kind: 'builtin';
  readonly name: string;
}

export type Value =
  | TensorValue
  | LabelledValue
  | IntegerValue
  | FloatValue
  | BooleanValue
  | StringValue
  | RunValue
  | InstanceValue
  | MaskValue
  | ScheduleValue
  | RecordValue
  | LeavesValue
  | PlaceValue
  | DefinitionValue
  | BuiltinValue;

export const integer = (poly: Poly): IntegerValue => ({ kind: 'integer', poly });
export const float = (value: number): FloatValue => ({ kind: 'float', value });
export const boolean = (value: boolean): BooleanValue => ({ kind: 'boolean', value });
export const tensor = (node: Node): TensorValue => ({ kind: 'tensor', node });

/** Two values of the same kind that are certainly the same value: rebinding to it changes nothing. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.kind === 'tensor' && b.kind === 'tensor') return a.node === b.node;
  if (a.kind === 'integer' && b.kind === 'integer') return a.poly === b.poly;
  if (a.kind === 'float' && b.kind === 'float') return a.value === b.value;
  return false;
}

export type CallSite = CallExpr | NameExpr | Expr;
