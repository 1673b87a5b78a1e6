/** Sizes in a plan: polynomials as plain data, and their greatest value within the bounds of the names. */
import {
  add,
  asConst,
  floorDiv,
  mul,
  name,
  num,
  power,
  terms,
  type Atom,
  type Poly,
  UNDEFINED,
  ZERO,
} from '../sizes/poly.ts';
import type { SizeExpr } from '../../runtime/plan.ts';

function atomExpr(atom: Atom): SizeExpr {
  switch (atom.kind) {
    case 'name':
      return atom.name;
    case 'floor':
      return { op: 'floordiv', args: [sizeExpr(atom.numerator), sizeExpr(atom.denominator)] };
    case 'power':
      return { op: 'pow', args: [atom.base, sizeExpr(atom.exponent)] };
  }
}

export function sizeExpr(p: Poly): SizeExpr {
  const constant = asConst(p);
  if (constant !== null) return constant;
  const summands = terms(p).map(({ coefficient, factors }): SizeExpr => {
    const parts: SizeExpr[] = coefficient === 1 && factors.length > 0 ? [] : [coefficient];
    for (const { atom, exponent } of factors) for (let i = 0; i < exponent; i++) parts.push(atomExpr(atom));
    return parts.length === 1 ? parts[0]! : { op: 'mul', args: parts };
  });
  return summands.length === 1 ? summands[0]! : { op: 'add', args: summands };
}

/** And back. */
export function sizePoly(e: SizeExpr): Poly {
  if (typeof e === 'number') return num(e);
  if (typeof e === 'string') return name(e);
  const args = e.args.map(sizePoly);
  switch (e.op) {
    case 'add':
      return args.reduce((a, b) => add(a, b));
    case 'mul':
      return args.reduce((a, b) => mul(a, b));
    case 'floordiv':
      return floorDiv(args[0]!, args[1]!);
    case 'pow':
      return power(args[0]!, args[1]!) ?? UNDEFINED;
  }
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** An interval that holds every value of p while each name stays in its own. Exact where p grows with every name. */
export function interval(p: Poly, of: (name: string) => Interval): Interval {
  if (p === ZERO) return { low: 0, high: 0 };
  let low = 0;
  let high = 0;
  for (const { coefficient, factors } of terms(p)) {
    let a = coefficient;
    let b = coefficient;
    for (const { atom, exponent } of factors) {
      const by = atomInterval(atom, of);
      for (let i = 0; i < exponent; i++) {
        const corners = [a * by.low, a * by.high, b * by.low, b * by.high];
        a = Math.min(...corners);
        b = Math.max(...corners);
      }
    }
    low += a;
    high += b;
  }
  return { low, high };
}

function atomInterval(atom: Atom, of: (name: string) => Interval): Interval {
  switch (atom.kind) {
    case 'name':
      return of(atom.name);
    case 'floor': {
      const n = interval(atom.numerator, of);
      const d = interval(atom.denominator, of);
      const least = Math.max(1, d.low);
      const corners = [n.low / least, n.low / d.high, n.high / least, n.high / d.high];
      return { low: Math.floor(Math.min(...corners)), high: Math.floor(Math.max(...corners)) };
    }
    case 'power': {
      const e = interval(atom.exponent, of);
      return { low: atom.base ** Math.max(0, e.low), high: atom.base ** e.high };
    }
  }
}

export function evaluateSize(e: SizeExpr, of: (name: string) => number): number {
  if (typeof e === 'number') return e;
  if (typeof e === 'string') return of(e);
  const args = e.args.map((a) => evaluateSize(a, of));
  switch (e.op) {
    case 'add':
      return args.reduce((x, y) => x + y, 0);
    case 'mul':
      return args.reduce((x, y) => x * y, 1);
    case 'floordiv':
      return Math.floor(args[0]! / args[1]!);
    case 'pow':
      return args[0]! ** args[1]!;
  }
}

/** `4 * B`, for comments in emitted code and pictures. */
export function sizeText(e: SizeExpr, inside = false): string {
  if (typeof e === 'number' || typeof e === 'string') return String(e);
  const texts = e.args.map((a) => sizeText(a, true));
  switch (e.op) {
    case 'add': {
      const text = texts.join(' + ').replaceAll('+ -', '- ');
      return inside ? `(${text})` : text;
    }
    case 'mul':
      return texts[0] === '-1' ? `-${texts.slice(1).join(' * ')}` : texts.join(' * ');
    case 'floordiv':
      return `floor(${texts[0]} / ${texts[1]})`;
    case 'pow':
      return `${texts[0]} ^ ${texts[1]}`;
  }
}
