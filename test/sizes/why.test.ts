/** The chain that is told for a size. */
import { describe, expect, it } from 'vitest';
import { NO_FACTS } from '../../compiler/sizes/facts.ts';
import { add, floorDiv, mul, name, num } from '../../compiler/sizes/poly.ts';
import { explainWhy, factorsOf, whyFits } from '../../compiler/sizes/why.ts';
import type { Sized, Why } from '../../compiler/sizes/why.ts';

const at = (start: number): Why['span'] => ({ file: 0, start, end: start + 4 });
const H: Sized = { size: name('H'), why: { kind: 'declared', span: at(0), name: 'H' } };
const channels: Sized = {
  size: num(32),
  why: {
    kind: 'result',
    span: at(10),
    callee: 'Conv2d(32)',
    of: [{ size: num(32), why: { kind: 'literal', span: at(14) } }],
  },
};
const seven: Sized = { size: num(7), why: { kind: 'result', span: at(20), callee: 'max_pool(2)', of: [] } };
const area: Sized = { size: num(49), why: { kind: 'product', span: at(30), parts: [seven, seven] } };
const flat: Sized = { size: num(1568), why: { kind: 'product', span: at(40), parts: [channels, area] } };

describe('explainWhy', () => {
  it('keeps the factors that the normal form forgets', () => {
    expect(explainWhy(flat.why, flat.size)).toEqual([
      { span: at(40), text: '1568 = 32 · 7 · 7' },
      { span: at(10), text: '32 from `Conv2d(32)`' },
      { span: at(14), text: '32 is written' },
      { span: at(20), text: '7 from `max_pool(2)`' },
    ]);
    expect(factorsOf(flat)).toEqual([num(32), num(7), num(7)]);
    expect(whyFits(flat)).toBe(true);
    expect(whyFits({ ...flat, size: num(1569) })).toBe(false);
  });

  it('follows results, bounds, rounds and quotients down to what was declared', () => {
    const half: Sized = {
      size: floorDiv(H.size, num(2)),
      why: { kind: 'result', span: at(50), callee: 'Down', of: [H] },
    };
    expect(explainWhy(half.why, half.size).map((r) => r.text)).toEqual(['floor(H / 2) from `Down`', 'H is declared']);
    const bound: Why = { kind: 'bound', span: at(60), name: 'D', to: H };
    expect(explainWhy(bound, H.size).map((r) => r.text)).toEqual(['D = H from the argument', 'H is declared']);
    const sum: Sized = {
      size: add(H.size, num(1)),
      why: { kind: 'sum', span: at(70), parts: [H, { size: num(1), why: { kind: 'literal', span: at(71) } }] },
    };
    const twice: Why = {
      kind: 'product',
      span: at(80),
      parts: [{ size: num(2), why: { kind: 'literal', span: at(81) } }, sum],
    };
    expect(explainWhy(twice, mul(num(2), sum.size))[0]!.text).toBe('2 * H + 2 = 2 · (H + 1)');
    const round: Why = { kind: 'round', span: at(90), name: 'i', round: num(2), before: H };
    expect(explainWhy(round, mul(num(2), H.size))[0]!.text).toBe('2 * H after round i = 2, H before');
    const index: Why = { kind: 'index', span: at(95), name: 'h', of: H };
    expect(explainWhy(index, H.size)[0]!.text).toBe('h < H from the axis that h indexes');
  });

  it('shows quotients as facts show them', () => {
    const D = name('D');
    const heads = name('heads');
    const facts = NO_FACTS.assumeDivides(heads, D);
    const each = facts.quotient(D, heads)!;
    const declared = (p: typeof D, s: string): Sized => ({ size: p, why: { kind: 'declared', span: at(1), name: s } });
    const why: Why = { kind: 'quotient', span: at(2), whole: declared(D, 'D'), by: declared(heads, 'heads') };
    const texts = explainWhy(why, each, (p) => facts.show(p)).map((r) => r.text);
    expect(texts).toEqual(['D / heads = D / heads', 'D is declared', 'heads is declared']);
  });

  it('ends, however deep the story', () => {
    let deep: Sized = H;
    for (let i = 0; i < 1000; i++)
      deep = { size: H.size, why: { kind: 'round', span: at(i), name: 'i', round: num(i), before: deep } };
    expect(explainWhy(deep.why, deep.size)).toHaveLength(12);
  });
});
