/** Widths that are one off: a hidden layer of 65, or of `width + 1`, where the width itself stands nowhere else. */
import type { Callable, Expr } from '../../grammar/ast.ts';
import { nodesOf } from '../../grammar/walk.ts';
import type { Application, Context } from './context.ts';
import type { Lint } from './record.ts';

/** What layers call the number of what they put out or keep. */
const WIDTHS = new Set(['out', 'hidden', 'width']);

/** 2^k, where 2^k + 1 or 2^k - 1 is given. Below 16 any number is as good as another. */
function round(n: number): number | null {
  for (let p = 16; p <= 1 << 20; p *= 2) {
    if (n === p + 1) return p;
    // 15 classes and 31 days are no slips.
    if (n === p - 1 && p >= 64) return p;
  }
  return null;
}

/** `width` of `width + 1`, `4 * D` of `4 * D - 1`. */
function named(e: Expr): Expr | null {
  if (e.kind !== 'binary' || (e.operator !== '+' && e.operator !== '-')) return null;
  if (e.right.kind !== 'number' || e.right.value !== 1) return null;
  const { left } = e;
  const isName = left.kind === 'name';
  const isProduct = left.kind === 'binary' && left.operator === '*' && nodesOf(left).every((n) => n.kind !== 'call');
  return isName || isProduct ? left : null;
}

export const oddWidth: Lint = {
  code: 'NN621',
  name: 'odd-width',
  level: 'warn',
  looksFor:
    'a width of a layer that is one beside a power of two or beside a named size, and stands nowhere else in the file: 65, `width + 1`',
  avoids:
    'widths that anything else in the file has too (a type, a number of classes), numbers of rows of a table, widths below 17',
  whole: true,
  run(c) {
    for (const { ast, library } of c.program.modules) {
      if (library) continue;
      let counts: Map<string, number> | null = null;
      for (const d of ast.declarations) {
        // Also bodies whose own text is as before: what else the file has may have changed. Few have such a number at all.
        if (!('parameters' in d) && d.kind !== 'train') continue;
        if (!hasNear(d)) continue;
        const body = c.body(d);
        for (const a of body === null ? [] : [...body.applications, ...body.configured])
          for (const { value, instead } of widths(c, a)) {
            counts ??= counted(c, ast);
            if ((counts.get(plain(c, value)) ?? 0) > 1) continue;
            c.report('NN621', value.span, { width: c.text(value.span), round: instead }, [
              { title: `write \`${instead}\``, edits: [{ span: value.span, text: instead }], applicability: 'maybe' },
            ]);
          }
      }
    }
  },
};

const near = new WeakMap<object, boolean>();

/** Whether a declaration has such a number at all; remembered, as trees do not change. */
function hasNear(d: object): boolean {
  let known = near.get(d);
  if (known === undefined) {
    known = nodesOf(d).some((n) => {
      const e = n as Expr;
      return e.kind === 'number' ? round(e.value) !== null : named(e) !== null;
    });
    near.set(d, known);
  }
  return known;
}

/** What a width was probably meant to be. */
function insteadOf(c: Context, value: Expr): string | null {
  if (value.kind === 'number') {
    const whole = round(value.value);
    return whole === null ? null : String(whole);
  }
  const inner = named(value);
  return inner === null ? null : c.text(inner.span);
}

function widths(c: Context, a: Application): { readonly value: Expr; readonly instead: string }[] {
  if ((a.definition?.declaration as Callable | undefined)?.kind !== 'block') return [];
  return [...a.config].flatMap(([parameter, value]) => {
    if (!WIDTHS.has(parameter)) return [];
    const instead = insteadOf(c, value);
    return instead === null ? [] : [{ value, instead }];
  });
}

const plain = (c: Context, e: Expr): string => c.text(e.span).replace(/\s+/g, '');

/** How often each number and each sum stands in a file. */
function counted(c: Context, module: object): Map<string, number> {
  const out = new Map<string, number>();
  for (const n of nodesOf(module)) {
    if (n.kind !== 'number' && n.kind !== 'binary') continue;
    const text = plain(c, n as Expr);
    out.set(text, (out.get(text) ?? 0) + 1);
  }
  return out;
}
