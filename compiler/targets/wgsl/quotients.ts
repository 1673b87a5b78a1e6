/**
 * Divisions that many points share their divisor in: by a constant, or by what a row or a column has in memory. They become products with its reciprocal, which is
 * computed once; it is off by as little as the language lets a division be (2.5 units of the last place).
 */
import type { Expr, Stage, Write } from '../../kernel/types.ts';

export class Quotients {
  private readonly isShared: (e: Expr) => boolean;
  private readonly made = new Map<Expr, Expr>();
  /** Reciprocal → what it is of. */
  private readonly reciprocals = new Map<Expr, Expr>();
  private readonly stages = new Map<Stage, Stage>();

  /** `isShared`: whether an expression is read once for many points. */
  constructor(isShared: (e: Expr) => boolean) {
    this.isShared = isShared;
  }

  /** What an expression is the reciprocal of. */
  of(e: Expr): Expr | undefined {
    return this.reciprocals.get(e);
  }

  stage(own: Stage): Stage {
    let made = this.stages.get(own);
    if (made === undefined) {
      const write = (w: Write): Write => ({ ...w, value: this.within(w.value) });
      const defs = new Map([...own.defs].map(([name, d]) => [name, { ...d, value: this.within(d.value) }]));
      made = { ...own, defs, each: own.each.map(write), writes: own.writes.map(write) };
      this.stages.set(own, made);
    }
    return made;
  }

  within(e: Expr): Expr {
    let made = this.made.get(e);
    if (made === undefined) this.made.set(e, (made = this.make(e)));
    return made;
  }

  private make(e: Expr): Expr {
    if (e.kind === 'guarded') {
      const [inside, outside] = [this.within(e.inside), this.within(e.outside)];
      return inside === e.inside && outside === e.outside ? e : { ...e, inside, outside };
    }
    if (e.kind !== 'op') return e;
    const args = e.args.map((a) => this.within(a));
    const [a, b] = args;
    if (e.op === 'div' && e.dtype === 'f32') {
      if (b!.kind === 'const' && isFinite(1 / b!.value))
        return { ...e, op: 'mul', args: [a!, { ...b!, value: Math.fround(1 / b!.value) }] };
      if (this.isShared(b!)) return { ...e, op: 'mul', args: [a!, this.reciprocal(b!)] };
    }
    return args.every((x, k) => x === e.args[k]) ? e : { ...e, args };
  }

  private reciprocal(of: Expr): Expr {
    const found = [...this.reciprocals].find(([, x]) => x === of);
    if (found !== undefined) return found[0];
    const one: Expr = { id: of.id, dtype: 'f32', kind: 'const', value: 1 };
    const made: Expr = { id: of.id, dtype: 'f32', kind: 'op', op: 'div', args: [one, of] };
    this.reciprocals.set(made, of);
    return made;
  }
}
