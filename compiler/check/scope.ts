/**
 * Names: what a word means where it stands. Scopes are chained; the outermost one of a body is its module's.
 *
 * A binding of a value can be rebound (`x = …`), so it is an object whose type changes while the body is walked. Nothing here reports.
 */
import type { Name, Span } from '../../grammar/ast.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Axis, Type, Why } from './types.ts';
import type { Definition } from './program.ts';

export type ValueOrigin =
  | 'let'
  | 'param'
  | 'state'
  | 'carry'
  | 'parameter'
  | 'measure'
  | 'config'
  | 'yield'
  | 'round'
  | 'element'
  | 'input'
  | 'weight';

export interface ValueBinding {
  readonly kind: 'value';
  readonly name: string;
  readonly span: Span;
  readonly origin: ValueOrigin;
  /** The type it was declared with: a leaf keeps it. */
  readonly declared: Type | null;
  type: Type;
  used: boolean;
  /** False when the binding was made in a loop round and must not be reported as unused twice. */
  readonly quiet: boolean;
}

export interface SizeBinding {
  readonly kind: 'size';
  readonly name: string;
  readonly span: Span;
  readonly size: Poly;
  readonly why: Why;
  used: boolean;
}

export interface RunBinding {
  readonly kind: 'run';
  readonly name: string;
  readonly span: Span;
  used: boolean;
}

/** An index of an equation. `extent` (or `run`) is found before the equation's body is checked. */
export interface Letter {
  readonly kind: 'letter';
  readonly name: string;
  readonly span: Span;
  readonly isRun: boolean;
  /** Its position as a size name, unique in the compilation. */
  readonly atom: string;
  readonly position: Poly;
  extent: Axis | null;
  run: readonly Axis[] | null;
  /** Where the extent comes from: the written extent or the first read. */
  place: Span | null;
  /** Its extent stands in the text. */
  written: boolean;
  failed: boolean;
  used: boolean;
}

export interface DefinitionBinding {
  readonly kind: 'definition';
  readonly definition: Definition;
}

export type Binding = ValueBinding | SizeBinding | RunBinding | Letter | DefinitionBinding;
export type LocalBinding = Exclude<Binding, DefinitionBinding>;

export class Scope {
  readonly parent: Scope | null;
  readonly names = new Map<string, LocalBinding>();

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  find(name: string): LocalBinding | null {
    return this.names.get(name) ?? this.parent?.find(name) ?? null;
  }

  add(binding: LocalBinding): void {
    this.names.set(binding.name, binding);
  }

  /** Every visible local name, for suggestions. */
  *visible(): Iterable<string> {
    yield* this.names.keys();
    if (this.parent !== null) yield* this.parent.visible();
  }
}

export function valueBinding(
  name: Name | { readonly text: string; readonly span: Span },
  origin: ValueOrigin,
  type: Type,
  declared: Type | null = null,
  quiet = false,
): ValueBinding {
  return { kind: 'value', name: name.text, span: name.span, origin, type, declared, used: false, quiet };
}

/** Damerau-Levenshtein distance (with adjacent transpositions), for "did you mean". */
export function editDistance(a: string, b: string): number {
  let previous: number[] = [];
  let current = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const before = previous;
    previous = current;
    current = [i];
    for (let j = 1; j <= b.length; j++) {
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1);
      current[j] = best;
    }
  }
  return current[b.length]!;
}

/** The nearest of `known`, if it is near enough to be a slip of the pen. */
export function nearest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of known) {
    if (candidate === word) continue;
    const d =
      candidate.toLowerCase() === word.toLowerCase() ? 0.5 : editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance || (d === bestDistance && best !== null && candidate < best)) {
      best = candidate;
      bestDistance = d;
    }
  }
  const limit = word.length <= 2 ? 0.5 : word.length <= 5 ? 1 : 2;
  return bestDistance <= limit ? best : null;
}
