/** Polynomials as people read them. Internal to this folder, see poly.ts. */
import { divideExact } from './division.ts';
import { ofTerm } from './inspect.ts';
import { UNDEFINED, ZERO, neg, node, ofAtom, sub, times } from './interning.ts';
import type { Atom, Factor, Poly, Term } from './interning.ts';

/**
 * `4 * D`, `floor((H + 1) / 2)`, `(i + 1) % 4`, `2 ^ i`. `shown` replaces names (a fact's `D / heads`); text with spaces is put in
 * parentheses where it meets an operator.
 */
export function format(p: Poly, shown: (name: string) => string = (s) => s): string {
  if (p === UNDEFINED) return 'undefined';
  if (p === ZERO) return '0';
  const pieces: { negative: boolean; text: string }[] = [];
  let left = p;
  for (const found of remainders(p)) {
    left = sub(left, found.value);
    pieces.push({ negative: found.coefficient < 0, text: remainderText(found, shown) });
  }
  for (const t of node(left).parts) pieces.push({ negative: t.coefficient < 0, text: termText(t, shown) });
  // `1 - H` reads better than `-H + 1`.
  const first = pieces.findIndex((piece) => !piece.negative);
  if (first > 0) pieces.unshift(...pieces.splice(first, 1));
  return pieces
    .map(({ negative, text }, i) => (i === 0 ? (negative ? '-' : '') : negative ? ' - ' : ' + ') + text)
    .join('');
}

export interface Remainder {
  readonly coefficient: number;
  readonly others: readonly Factor[];
  readonly numerator: Poly;
  readonly denominator: Poly;
  readonly value: Poly;
}

/** The parts of p of the form k · m · (n - d · floor(n / d)). */
export function remainders(p: Poly): Remainder[] {
  const out: Remainder[] = [];
  let left = p;
  for (const t of node(p).parts) {
    for (const [at, { atom, exponent }] of t.factors.entries()) {
      if (atom.kind !== 'floor' || exponent !== 1) continue;
      const { numerator, denominator } = atom;
      const cofactor = neg(ofTerm({ coefficient: t.coefficient, factors: t.factors.toSpliced(at, 1) }));
      const multiple = divideExact(cofactor, denominator);
      if (multiple === null || node(multiple).parts.length !== 1) continue;
      const value = times(multiple, sub(numerator, times(denominator, ofAtom(atom))));
      const rest = sub(left, value);
      if (node(rest).parts.length + node(value).parts.length !== node(left).parts.length) continue;
      const { coefficient, factors } = node(multiple).parts[0]!;
      out.push({ coefficient, others: factors, numerator, denominator, value });
      left = rest;
      break;
    }
  }
  return out;
}

function remainderText(
  { coefficient, others, numerator, denominator }: Remainder,
  shown: (s: string) => string,
): string {
  const text = `${inParentheses(numerator, shown)} % ${inParentheses(denominator, shown)}`;
  const scale_ = Math.abs(coefficient);
  if (scale_ === 1 && others.length === 0) return text;
  return `${termText({ coefficient: scale_, factors: others }, shown)} * (${text})`;
}

function termText({ coefficient, factors }: Term, shown: (s: string) => string): string {
  const size = Math.abs(coefficient);
  if (factors.length === 0) return String(size);
  const texts = size === 1 ? [] : [String(size)];
  const alone = size === 1 && factors.length === 1 && coefficient > 0;
  for (const { atom, exponent } of factors) {
    const text = atomText(atom, shown, alone && exponent === 1);
    texts.push(exponent === 1 ? text : `${atom.kind === 'power' ? `(${text})` : text} ^ ${exponent}`);
  }
  return texts.join(' * ');
}

function atomText(atom: Atom, shown: (s: string) => string, alone: boolean): string {
  switch (atom.kind) {
    case 'name': {
      const text = shown(atom.name);
      return alone || !text.includes(' ') ? text : `(${text})`;
    }
    case 'floor':
      return `floor(${inParentheses(atom.numerator, shown)} / ${inParentheses(atom.denominator, shown)})`;
    case 'power':
      return `${atom.base} ^ ${inParentheses(atom.exponent, shown)}`;
  }
}

function inParentheses(p: Poly, shown: (s: string) => string): string {
  const text = format(p, shown);
  return /^[^\s()-]+$/.test(text) || /^floor\([^()]*\)$/.test(text) ? text : `(${text})`;
}
