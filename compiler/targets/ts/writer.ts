/** What a stage of a kernel writes, as statements: at points side by side, stored or combined with what is there. */
import { substitute as substitutePoly } from '../../sizes/poly.ts';
import type { Kernel, Write } from '../../kernel/types.ts';
import type { DType } from '../../graph/types.ts';
import type { Expressions, Shift } from './expression.ts';
import { atom, at, byte, type Piece } from './scalar.ts';

export class Writer {
  private readonly kernel: Kernel;
  private readonly x: Expressions;

  constructor(kernel: Kernel, x: Expressions) {
    this.kernel = kernel;
    this.x = x;
  }

  write(writes: readonly Write[], points: readonly Shift[]): void {
    if (writes.length === 0) return;
    const { x } = this;
    // All reads of a point come before its stores.
    const stores: { condition: Piece | null; text: string }[] = [];
    for (const p of points) {
      for (const w of writes) {
        const map = x.dynamic(w.dynamic, p);
        const condition = x.condition(
          w.guards.map((g) => ({
            e: substitutePoly(g.e, map),
            lo: substitutePoly(g.lo, map),
            hi: substitutePoly(g.hi, map),
          })),
          p,
        );
        const { dtype } = this.kernel.buffers[w.buffer]!;
        let value = x.emit(w.value, p);
        if (dtype === 'bool') value = byte(value);
        const rounded =
          w.value.dtype === 'f16' && (w.value.kind === 'read' || (w.value.kind === 'op' && w.value.op === 'cast'));
        if (dtype === 'f16' && (!rounded || w.mode === 'add')) x.helpers.add('toHalf');
        const target = x.place(w.buffer, substitutePoly(w.at, map), p, w.mode !== 'store');
        if (writes.length > 1 && !/^[\w$]+$/.test(value.text)) {
          const named = x.take(`next_${x.buffers[w.buffer]!}`);
          x.line(`const ${named} = ${value.text};`);
          value = atom(named);
        }
        stores.push({ condition, text: this.store(target, value, w.mode, dtype, rounded) });
      }
    }
    for (const { condition, text } of stores) x.line(condition === null ? text : `if (${condition.text}) ${text}`);
    x.forget();
  }

  private store(target: string, value: Piece, mode: Write['mode'], dtype: DType, rounded: boolean): string {
    if (mode === 'max') return `${target.replace(/!$/, '')} = Math.max(${target}, ${value.text});`;
    if (mode === 'add') {
      return dtype === 'f16'
        ? `${target.replace(/!$/, '')} = toHalf(${target} + ${at(value, 13)});`
        : `${target} += ${value.text};`;
    }
    return `${target} = ${dtype === 'f16' && !rounded ? `toHalf(${value.text})` : value.text};`;
  }
}
