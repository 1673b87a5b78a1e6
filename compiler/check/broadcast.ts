/**
 * How the shapes of two whole tensors combine: equal shapes, a scalar, or a trailing part of the other shape whose sizes occur once there.
 * Never both ways, and never a named size taken as 1: what NumPy would pair silently ([N, 1] with [N]) is a report that shows the pairing.
 */
import type { Span } from '../../grammar/ast.ts';
import { asConst } from '../sizes/poly.ts';
import type { Verdict } from './knowledge.ts';
import { aligned, axisWhy, chain, judgement, showAxis, sourceText } from './report.ts';
import type { Frame } from './session.ts';
import type { Axis } from './types.ts';

export interface Operand {
  readonly shape: readonly Axis[];
  readonly span: Span;
}

export function sameAxis(f: Frame, a: Axis, b: Axis): boolean {
  if (a.kind === 'run') return b.kind === 'run' && a.name === b.name;
  return b.kind === 'size' && f.know.isEqual(a.size, b.size);
}

export function sameShape(f: Frame, a: readonly Axis[], b: readonly Axis[]): boolean {
  return a.length === b.length && a.every((axis, k) => sameAxis(f, axis, b[k]!));
}

/** The combined shape, or null after a report. `what` is the operator or function as written. */
export function broadcast(f: Frame, what: string, at: Span, left: Operand, right: Operand): readonly Axis[] | null {
  const a = left.shape;
  const b = right.shape;
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  const lead = long.length - short.length;
  let failed = -1;
  for (let k = 0; k < short.length; k++) {
    // Innermost axis first: that is where people look.
    const j = short.length - 1 - k;
    if (!sameAxis(f, long[lead + j]!, short[j]!)) {
      failed = j;
      break;
    }
  }
  const names = [sourceText(f, left.span, 24), sourceText(f, right.span, 24)] as const;
  const show = (axis: number | null): ReturnType<typeof aligned> => aligned(f, names[0], a, names[1], b, axis);
  if (failed < 0) {
    if (lead === 0) return long;
    for (const axis of short) {
      if (axis.kind === 'run' || asConst(axis.size) !== null) continue;
      const twice = long.slice(0, lead).some((l) => l.kind === 'size' && f.know.isEqual(l.size, axis.size));
      if (!twice) continue;
      f.report('NN203', at, { operator: what, shapes: show(null), size: showAxis(f, axis) });
      return null;
    }
    return long;
  }
  const guilty = [long[lead + failed]!, short[failed]!] as const;
  const whys = [axisWhy(guilty[0]), axisWhy(guilty[1])];
  const fromEnd = short.length - failed;
  const pairing = pairs(f, long, short);
  if (pairing !== null) {
    f.report('NN201', at, { operator: what, shapes: show(a.length - fromEnd), pairing, chain: chain(f, ...whys) });
    return null;
  }
  const verdict: Verdict =
    guilty[0].kind === 'size' && guilty[1].kind === 'size'
      ? f.know.equal(guilty[0].size, guilty[1].size)
      : { kind: 'refuted' };
  f.report('NN202', at, {
    operator: what,
    shapes: show(a.length - fromEnd),
    judgement: judgement(verdict),
    chain: chain(f, ...whys),
  });
  return null;
}

/** `[N, N]`: what other systems would make of it, if they would take it; null where they would refuse too. */
function pairs(f: Frame, long: readonly Axis[], short: readonly Axis[]): string | null {
  const lead = long.length - short.length;
  const isOne = (axis: Axis): boolean => axis.kind === 'size' && asConst(axis.size) === 1;
  const out = long.slice(0, lead);
  for (let j = 0; j < short.length; j++) {
    const l = long[lead + j]!;
    const s = short[j]!;
    if (sameAxis(f, l, s) || isOne(s)) out.push(l);
    else if (isOne(l)) out.push(s);
    else return null;
  }
  return `[${out.map((axis) => showAxis(f, axis)).join(', ')}]`;
}
