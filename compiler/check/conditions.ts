/**
 * Conditions on sizes and positions: what `require`, compile-time `if`, guards and `where` say, as far as sizes can say it.
 *
 * A condition is decided against what is known, assumed in a branch, negated for the other branch, substituted at a call. Parts that speak of
 * run-time data are `opaque`: they decide nothing and teach nothing.
 */
import type { Poly } from '../sizes/poly.ts';
import { add, asConst, names, ONE, sub, substitute } from '../sizes/poly.ts';
import { formatSize } from './types.ts';

export type Condition =
  | { readonly kind: 'known'; readonly value: boolean }
  /** left = right, or left ≠ right. */
  | { readonly kind: 'equal'; readonly left: Poly; readonly right: Poly; readonly negated: boolean }
  /** left ≤ right. */
  | { readonly kind: 'atMost'; readonly left: Poly; readonly right: Poly }
  /** value ≡ 0 (mod divisor), or not. */
  | { readonly kind: 'divides'; readonly divisor: Poly; readonly value: Poly; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  /** A named bool of configuration, or data. `build` when it is known at build. */
  | { readonly kind: 'opaque'; readonly text: string; readonly negated: boolean; readonly build: boolean };

export const TRUE: Condition = { kind: 'known', value: true };
export const FALSE: Condition = { kind: 'known', value: false };
export const opaque = (text: string, build = false): Condition => ({ kind: 'opaque', text, negated: false, build });

export function negate(c: Condition): Condition {
  switch (c.kind) {
    case 'known':
      return c.value ? FALSE : TRUE;
    case 'equal':
    case 'divides':
    case 'opaque':
      return { ...c, negated: !c.negated };
    case 'atMost':
      return { kind: 'atMost', left: add(c.right, ONE), right: c.left };
    case 'and':
      return { kind: 'or', parts: c.parts.map(negate) };
    case 'or':
      return { kind: 'and', parts: c.parts.map(negate) };
  }
}

export function both(a: Condition, b: Condition): Condition {
  const parts = [a, b].flatMap((c) => (c.kind === 'and' ? c.parts : [c])).filter((c) => c !== TRUE);
  return parts.length === 0 ? TRUE : parts.length === 1 ? parts[0]! : { kind: 'and', parts };
}

export function either(a: Condition, b: Condition): Condition {
  const parts = [a, b].flatMap((c) => (c.kind === 'or' ? c.parts : [c])).filter((c) => c !== FALSE);
  return parts.length === 0 ? FALSE : parts.length === 1 ? parts[0]! : { kind: 'or', parts };
}

/** The condition in the caller's sizes. `opaque` parts are renamed to their text in the callee; they stay undecided. */
export function substituteCondition(
  c: Condition,
  map: ReadonlyMap<string, Poly>,
  flags: ReadonlyMap<string, Condition> = new Map(),
): Condition {
  switch (c.kind) {
    case 'known':
      return c;
    case 'opaque': {
      const by = flags.get(c.text);
      return by === undefined ? c : c.negated ? negate(by) : by;
    }
    case 'equal':
    case 'atMost':
      return { ...c, left: substitute(c.left, map), right: substitute(c.right, map) };
    case 'divides':
      return { ...c, divisor: substitute(c.divisor, map), value: substitute(c.value, map) };
    case 'and':
    case 'or':
      return { kind: c.kind, parts: c.parts.map((p) => substituteCondition(p, map, flags)) };
  }
}

/** Every size name the condition speaks of. */
export function conditionNames(c: Condition): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (p: Poly): void => {
    for (const n of names(p)) found.add(n);
  };
  const walk = (k: Condition): void => {
    if (k.kind === 'equal' || k.kind === 'atMost') {
      visit(k.left);
      visit(k.right);
    } else if (k.kind === 'divides') {
      visit(k.divisor);
      visit(k.value);
    } else if (k.kind === 'and' || k.kind === 'or') k.parts.forEach(walk);
  };
  walk(c);
  return found;
}

export function hasOpaque(c: Condition): boolean {
  return c.kind === 'opaque' ? true : c.kind === 'and' || c.kind === 'or' ? c.parts.some(hasOpaque) : false;
}

/** The conjuncts of a condition. */
export const conjuncts = (c: Condition): readonly Condition[] => (c.kind === 'and' ? c.parts : [c]);

/** `left` − `right` where the condition is true, for bounds: ≥ 0. */
export const slack = (c: Condition & { kind: 'atMost' }): Poly => sub(c.right, c.left);

export function atMost(left: Poly, right: Poly): Condition {
  const d = asConst(sub(right, left));
  return d !== null ? (d >= 0 ? TRUE : FALSE) : { kind: 'atMost', left, right };
}

export const below = (left: Poly, right: Poly): Condition => atMost(add(left, ONE), right);

export function formatCondition(c: Condition): string {
  switch (c.kind) {
    case 'known':
      return String(c.value);
    case 'equal':
      return `${formatSize(c.left)} ${c.negated ? '!=' : '=='} ${formatSize(c.right)}`;
    case 'atMost': {
      // p + 1 <= q reads better as p < q.
      const less = sub(c.left, ONE);
      const constantLeft = asConst(c.left);
      if (constantLeft === null && formatSize(less).length < formatSize(c.left).length)
        return `${formatSize(less)} < ${formatSize(c.right)}`;
      if (constantLeft !== null) return `${formatSize(c.right)} >= ${constantLeft}`;
      return `${formatSize(c.left)} <= ${formatSize(c.right)}`;
    }
    case 'divides':
      return `${group(c.value)} % ${group(c.divisor)} ${c.negated ? '!=' : '=='} 0`;
    case 'and':
      return c.parts.map((p) => (p.kind === 'or' ? `(${formatCondition(p)})` : formatCondition(p))).join(' and ');
    case 'or':
      return c.parts.map(formatCondition).join(' or ');
    case 'opaque':
      return c.negated ? `not (${c.text})` : c.text;
  }
}

const group = (p: Poly): string => {
  const text = formatSize(p);
  return /^[\w.]+$/.test(text) ? text : `(${text})`;
};
