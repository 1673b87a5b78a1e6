/** Turns types, verdicts and whys into the plain facts of a problem. Nothing here decides anything. */
import type { Aligned, Judgement, Link } from '../diagnostics/families/check.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Span } from '../../grammar/ast.ts';
import type { Verdict } from './knowledge.ts';
import { COINCIDENCE, witness } from './knowledge.ts';
import type { Frame } from './session.ts';
import type { Axis, Type, Why } from './types.ts';
import { formatRole, formatType, shown } from './types.ts';

export function judgement(v: Verdict): Judgement {
  const condition = v.kind === 'counterexample' || v.kind === 'unknown' ? (v.condition?.text ?? null) : null;
  return {
    kind: v.kind === 'proved' ? 'unknown' : v.kind,
    witness: witness(v),
    condition: condition === null ? null : shown(condition),
    coincidence: v === COINCIDENCE,
  };
}

export const showAxis = (f: Frame, a: Axis): string => (a.kind === 'run' ? `...${shown(a.name)}` : f.know.show(a.size));

export const showShape = (f: Frame, shape: readonly Axis[]): string =>
  `[${shape.map((a) => showAxis(f, a)).join(', ')}]`;

export function showType(f: Frame, t: Type): string {
  if (t.kind !== 'tensor') return formatType(t);
  const shape = t.shape.length === 0 ? '' : showShape(f, t.shape);
  const below = t.below === null ? '' : ` < ${f.know.show(t.below)}`;
  return `${t.dtype}${shape}${below}${formatRole(t.role, t.shape)}`;
}

export function aligned(
  f: Frame,
  leftName: string,
  left: readonly Axis[],
  rightName: string,
  right: readonly Axis[],
  axis: number | null,
): Aligned {
  return {
    leftName,
    left: left.map((a) => showAxis(f, a)),
    rightName,
    right: right.map((a) => showAxis(f, a)),
    axis,
  };
}

const MAX_LINKS = 6;

/** The chain of a size, outermost first, each place once. */
export function chain(f: Frame, ...whys: readonly (Why | null)[]): Link[] {
  const links: Link[] = [];
  const seen = new Set<string>();
  const visit = (why: Why, depth: number): void => {
    const key = why.span === null ? why.text : `${why.span.file}:${why.span.start}:${f.know.show(why.size)}`;
    if (links.length >= MAX_LINKS || depth > 4 || seen.has(key)) return;
    seen.add(key);
    links.push({ text: `${f.know.show(why.size)}: ${why.text}`, span: why.span });
    for (const part of why.from) visit(part, depth + 1);
  };
  for (const why of whys) if (why !== null) visit(why, 0);
  return links;
}

export const because = (size: Poly, text: string, span: Span | null, from: readonly Why[] = []): Why => ({
  size,
  text,
  span,
  from,
});

export const axisWhy = (a: Axis | undefined): Why | null => (a?.kind === 'size' ? a.why : null);

export function sourceText(f: Frame, span: Span, limit = 40): string {
  const text = f.session.program.sources.text(span).replace(/\s+/g, ' ');
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
