/**
 * The checker's types: tensors over symbolic sizes, numbers of configuration, masks, schedules, instances, records.
 *
 * Types are immutable values; only an `Instance` is an object with a state (the sizes its first use fixes, rule 11). The error type unifies
 * with everything, so that one cause gives one report. Role axes count from the end of the shape (0 is the last axis), because runs (`...S`)
 * make the distance from the front unknown; inside an index equation they are index letters.
 */
import type { Callable, Span } from '../../grammar/ast.ts';
import type { Poly } from '../sizes/poly.ts';
import { format, ONE, mul } from '../sizes/poly.ts';
import type { Condition } from './conditions.ts';
import type { Definition } from './program.ts';

/** `float` is the build's compute type; it mixes with `f32` and `f16`. */
export type ElementType = 'float' | 'f32' | 'f16' | 'i32' | 'bool';

/** Why an axis has its size: one step of the chain a report prints. */
export interface Why {
  readonly size: Poly;
  readonly text: string;
  readonly span: Span | null;
  readonly from: readonly Why[];
}

export type Axis =
  | { readonly kind: 'size'; readonly size: Poly; readonly why: Why | null }
  | { readonly kind: 'run'; readonly name: string };

export type RoleKind = 'real' | 'unit' | 'nonneg' | 'probs' | 'problike' | 'log_probs';

export interface Role {
  readonly kind: RoleKind;
  /** From the end of the shape; a letter's atom inside an equation; null when unknown or meaningless. */
  readonly axis: number | string | null;
  /** Where the value got the role, for reports. */
  readonly from: Span | null;
}

export interface TensorType {
  readonly kind: 'tensor';
  readonly dtype: ElementType;
  readonly shape: readonly Axis[];
  /** Integers in [0, below). */
  readonly below: Poly | null;
  readonly role: Role;
  /** Integer scalars whose value is known symbolically (positions in an equation). */
  readonly value: Poly | null;
  /** Boolean scalars that say something about sizes and positions. */
  readonly condition: Condition | null;
}

/** Numbers of configuration, constants and sizes: known at build or once the sizes are. */
export interface NumberType {
  readonly kind: 'number';
  readonly dtype: 'int' | 'float' | 'bool';
  readonly value: Poly | null;
  readonly condition: Condition | null;
  /** The value of a literal (also `inf`), where it is one. */
  readonly literal: number | null;
  /** Set on the quotient of two integers that need not divide: what a demand for an integer then reports. */
  readonly inexact: { readonly dividend: Poly; readonly divisor: Poly; readonly span: Span } | null;
}

export interface Instance {
  readonly definition: Definition;
  readonly label: string | null;
  /** Configuration: name → value. */
  readonly config: ReadonlyMap<string, Type>;
  /** Boolean configuration, as conditions of the caller. */
  readonly flags: ReadonlyMap<string, Condition>;
  /** Integer configuration. */
  readonly sizes: ReadonlyMap<string, Poly>;
  /** Sizes its parameters depend on, fixed by the first use. */
  readonly fixed: Map<string, { readonly size: Poly; readonly span: Span }>;
  readonly shared: boolean;
  readonly span: Span;
}

export type Type =
  | TensorType
  | NumberType
  | { readonly kind: 'mask'; readonly definition: Definition | null }
  | { readonly kind: 'schedule' }
  | { readonly kind: 'optimizer'; readonly definition: Definition }
  | { readonly kind: 'instance'; readonly instance: Instance }
  | { readonly kind: 'record'; readonly fields: ReadonlyMap<string, Type> }
  /** `m.params`: leaves by path, with leafwise arithmetic; `of` null: of some network. */
  | { readonly kind: 'leaves'; readonly of: Definition | null; readonly what: string }
  | { readonly kind: 'callable'; readonly definition: Definition }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'error' };

/** A parameter `g: record`: leaves of any network. */
export const RECORD: Type = { kind: 'leaves', of: null, what: 'record' };

export const ERROR: Type = { kind: 'error' };
export const NONE: Type = { kind: 'none' };
export const REAL: Role = { kind: 'real', axis: null, from: null };

export const sizeAxis = (size: Poly, why: Why | null = null): Axis => ({ kind: 'size', size, why });

export function tensor(dtype: ElementType, shape: readonly Axis[], more: Partial<TensorType> = {}): TensorType {
  return { kind: 'tensor', dtype, shape, below: null, role: REAL, value: null, condition: null, ...more };
}

export function numberOf(dtype: NumberType['dtype'], more: Partial<NumberType> = {}): NumberType {
  return { kind: 'number', dtype, value: null, condition: null, literal: null, inexact: null, ...more };
}

export const intOf = (value: Poly): NumberType => numberOf('int', { value });
export const boolOf = (condition: Condition | null): NumberType => numberOf('bool', { condition });

export const valueOf = (t: Type): Poly | null => (t.kind === 'tensor' || t.kind === 'number' ? t.value : null);
export const conditionOf = (t: Type): Condition | null =>
  t.kind === 'tensor' || t.kind === 'number' ? t.condition : null;

export const isFloat = (d: ElementType | NumberType['dtype']): boolean => d === 'float' || d === 'f32' || d === 'f16';
export const isInteger = (d: ElementType | NumberType['dtype']): boolean => d === 'i32' || d === 'int';

export const withRole = (t: TensorType, role: Role): TensorType => (t.role === role ? t : { ...t, role });

export const rankKnown = (shape: readonly Axis[]): boolean => shape.every((a) => a.kind === 'size');

/** The number of elements, runs as `size(S)`. */
export function elements(shape: readonly Axis[], runSize: (name: string) => Poly): Poly {
  let product = ONE;
  for (const axis of shape) product = mul(product, axis.kind === 'run' ? runSize(axis.name) : axis.size);
  return product;
}

/** Internal names carry `#n`; people never see it. */
export const shown = (name: string): string => name.replace(/#.*$/, '');

export const formatSize = (p: Poly): string => format(p, shown);

export function formatAxis(a: Axis): string {
  return a.kind === 'run' ? `...${shown(a.name)}` : formatSize(a.size);
}

export const formatShape = (shape: readonly Axis[]): string => `[${shape.map(formatAxis).join(', ')}]`;

export function formatRole(role: Role, shape: readonly Axis[] = []): string {
  // `unit` and `nonneg` are derived on the way and would only be noise.
  if (role.kind === 'real' || role.kind === 'unit' || role.kind === 'nonneg') return '';
  if (typeof role.axis !== 'number') return ` as ${role.kind}`;
  const axis = shape[shape.length - 1 - role.axis];
  return axis === undefined ? ` as ${role.kind}` : ` as ${role.kind}(${formatAxis(axis)})`;
}

/** A type as a person would write or say it. */
export function formatType(t: Type): string {
  switch (t.kind) {
    case 'tensor': {
      const shape = t.shape.length === 0 ? '' : formatShape(t.shape);
      const below = t.below === null ? '' : ` < ${formatSize(t.below)}`;
      return `${t.dtype}${shape}${below}${formatRole(t.role, t.shape)}`;
    }
    case 'number':
      if (t.literal !== null) return String(t.literal);
      return t.value === null ? t.dtype : formatSize(t.value);
    case 'mask':
      return t.definition === null ? 'mask' : `mask ${t.definition.declaration.name.text}`;
    case 'schedule':
      return 'schedule';
    case 'optimizer':
      return `optimizer ${t.definition.declaration.name.text}`;
    case 'instance':
      return `instance of ${t.instance.definition.declaration.name.text}`;
    case 'record':
      return `(${[...t.fields].map(([name, type]) => `${name}: ${formatType(type)}`).join(', ')})`;
    case 'leaves':
      return t.of === null ? 'a record of leaves' : `${t.what} of ${t.of.declaration.name.text}`;
    case 'callable': {
      const d = t.definition.declaration;
      return `${(d as Callable).kind} ${d.name.text}`;
    }
    case 'builtin':
      return `built-in ${t.name}`;
    case 'text':
      return 'text';
    case 'none':
      return 'nothing';
    case 'error':
      return '?';
  }
}
