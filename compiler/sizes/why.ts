/**
 * Why a size has its value. The normal form of a size forgets where it came from (1568 has lost 32 · 7 · 7), so every axis of a tensor
 * carries its provenance beside it: plain data, made by the checker, read when a problem is told or a hover is shown.
 *
 * `explainWhy` gives the chain as facts in order, the size's own story first. It is no judge: a `Why` that does not fit its size is told
 * as it is.
 */
import { asConst, evaluate, format, isDefined, names } from './poly.ts';
import type { Poly } from './poly.ts';
import type { Span } from '../../grammar/ast.ts';

export type Why =
  /** `B` in a signature. */
  | { readonly kind: 'declared'; readonly span: Span; readonly name: string }
  /** `28` in the program. */
  | { readonly kind: 'literal'; readonly span: Span }
  /** A value of the configuration or of a call's argument: `heads = 4`. */
  | { readonly kind: 'config'; readonly span: Span; readonly name: string; readonly value: Poly }
  /** The call of a block or function gave it; `of` are the sizes it was computed from. */
  | { readonly kind: 'result'; readonly span: Span; readonly callee: string; readonly of: readonly Sized[] }
  /** A merged group `(c h w)` or an expression of sizes. */
  | { readonly kind: 'product'; readonly span: Span; readonly parts: readonly Sized[] }
  | { readonly kind: 'sum'; readonly span: Span; readonly parts: readonly Sized[] }
  /** A part of a split group without an extent: whole / by. */
  | { readonly kind: 'quotient'; readonly span: Span; readonly whole: Sized; readonly by: Sized }
  /** A signature's name, bound by an argument of the call. */
  | { readonly kind: 'bound'; readonly span: Span; readonly name: string; readonly to: Sized }
  /** The extent an index letter got from the axis it stands at. */
  | { readonly kind: 'index'; readonly span: Span; readonly name: string; readonly of: Sized }
  /** The size in a round of a `repeat`, from what it was before the round. */
  | {
      readonly kind: 'round';
      readonly span: Span;
      readonly name: string;
      readonly round: Poly;
      readonly before: Sized;
    };

/** A size together with its provenance. */
export interface Sized {
  readonly size: Poly;
  readonly why: Why;
}

/** One link of the explanation. The text names no place: the renderer adds it from the span. */
export interface Reason {
  readonly span: Span;
  readonly text: string;
}

const MOST_REASONS = 12;
const DEEPEST = 16;

/**
 * The chain that gave a size its value, the first link about the size itself: `1568 = 32 · 7 · 7`, then one link for each part: `32 from
 * Conv2d`. Links that say the same about the same place are told once; at most 12, nested at most 16 deep. `show` writes sizes (pass
 * `facts.show`).
 */
export function explainWhy(why: Why, size: Poly, show: (p: Poly) => string = format): Reason[] {
  const out: Reason[] = [];
  const told = new Set<string>();
  const tell = (span: Span, text: string): void => {
    const key = `${span.file}:${span.start}:${span.end}:${text}`;
    if (told.has(key) || out.length >= MOST_REASONS) return;
    told.add(key);
    out.push({ span, text });
  };
  const visit = ({ size: s, why: w }: Sized, depth: number): void => {
    if (depth > DEEPEST || out.length >= MOST_REASONS) return;
    const text = show(s);
    switch (w.kind) {
      case 'declared':
        tell(w.span, text === w.name ? `${w.name} is declared` : `${text} is declared as ${w.name}`);
        return;
      case 'literal':
        tell(w.span, `${text} is written`);
        return;
      case 'config':
        tell(w.span, text === w.name ? `${w.name} = ${show(w.value)}` : `${text} from ${w.name} = ${show(w.value)}`);
        return;
      case 'result':
        tell(w.span, `${text} from \`${w.callee}\``);
        for (const part of w.of) visit(part, depth + 1);
        return;
      case 'product':
      case 'sum': {
        const flat = flatten(w.parts, w.kind);
        tell(
          w.span,
          `${text} = ${flat.map((p) => operand(p.size, w.kind, show)).join(w.kind === 'product' ? ' · ' : ' + ')}`,
        );
        for (const part of flat) visit(part, depth + 1);
        return;
      }
      case 'quotient':
        tell(w.span, `${text} = ${operand(w.whole.size, 'product', show)} / ${operand(w.by.size, 'product', show)}`);
        visit(w.whole, depth + 1);
        visit(w.by, depth + 1);
        return;
      case 'bound':
        tell(w.span, text === w.name ? `${w.name} is the argument's` : `${w.name} = ${text} from the argument`);
        visit(w.to, depth + 1);
        return;
      case 'index':
        tell(w.span, `${w.name} < ${text} from the axis that ${w.name} indexes`);
        visit(w.of, depth + 1);
        return;
      case 'round':
        tell(w.span, `${text} after round ${w.name} = ${show(w.round)}, ${show(w.before.size)} before`);
        visit(w.before, depth + 1);
        return;
    }
  };
  visit({ size, why }, 0);
  return out;
}

/** A product of products is one product: 32 · (7 · 7) is told as 32 · 7 · 7. */
function flatten(parts: readonly Sized[], kind: 'product' | 'sum'): readonly Sized[] {
  return parts.flatMap((part) => (part.why.kind === kind ? flatten(part.why.parts, kind) : [part]));
}

function operand(p: Poly, kind: 'product' | 'sum', show: (p: Poly) => string): string {
  const text = show(p);
  return kind === 'product' && / [+-] | \/ (?![^(]*\))/.test(text) ? `(${text})` : text;
}

/** The factors a size was made of, where its provenance still has them: 1568 gives 32, 7, 7; else the size alone. */
export function factorsOf({ size, why }: Sized): readonly Poly[] {
  switch (why.kind) {
    case 'product':
      return flatten(why.parts, 'product').flatMap(factorsOf);
    case 'bound':
      return factorsOf(why.to);
    case 'index':
      return factorsOf(why.of);
    default:
      return [size];
  }
}

/** Whether the parts of a product or sum really give the size: a check for tests and for the checker's own assertions. */
export function whyFits({ size, why }: Sized): boolean {
  switch (why.kind) {
    case 'product':
    case 'sum': {
      if (!isDefined(size) || !why.parts.every(whyFits)) return false;
      const all = new Set([size, ...why.parts.map((p) => p.size)].flatMap((p) => [...names(p)]));
      // Two points are enough to catch a mix-up; this is no proof of identity.
      return [3, 7].every((at) => {
        const env = new Map([...all].map((s, k) => [s, at + k]));
        const value = (p: Poly): number => evaluate(p, (s) => env.get(s)!);
        const values = why.parts.map((p) => value(p.size));
        const total = why.kind === 'product' ? values.reduce((a, b) => a * b, 1) : values.reduce((a, b) => a + b, 0);
        return total === value(size);
      });
    }
    case 'literal':
      return asConst(size) !== null;
    case 'bound':
      return why.to.size === size && whyFits(why.to);
    case 'index':
      return why.of.size === size && whyFits(why.of);
    default:
      return true;
  }
}
