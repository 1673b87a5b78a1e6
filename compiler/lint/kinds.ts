/** Kinds of elements that are taken for one another: a float compared with an index, whole numbers that are only ever computed with as floats. */
import type { Callable, Expr, LetStatement, NameExpr, ReadExpr } from '../../grammar/ast.ts';
import { nodesOf } from '../../grammar/walk.ts';
import { isFloat, type Type } from '../check/types.ts';
import type { Body, Context } from './context.ts';
import type { Lint } from './record.ts';

const isFloats = (t: Type | null): boolean => t?.kind === 'tensor' && isFloat(t.dtype);
const isIndex = (t: Type | null): boolean => t?.kind === 'tensor' && t.dtype === 'i32' && t.below !== null;

export const floatEquality: Lint = {
  code: 'NN310',
  name: 'float-equality',
  level: 'warn',
  looksFor:
    'a float compared for equality with an index below a number of classes: `(max[c] logits[b, c]) == label[b]`',
  avoids: 'floats compared with floats or literals, indices compared with indices, what `float(…)` made of an index',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.binaries) {
        if (e.operator !== '==' && e.operator !== '!=') continue;
        const [x, y] = [c.type(e.left), c.type(e.right)];
        const value = isFloats(x) && isIndex(y) ? e.left : isIndex(x) && isFloats(y) ? e.right : null;
        if (value === null || (value.kind === 'call' && value.callee.kind === 'name' && value.callee.name === 'float'))
          continue;
        const extreme =
          value.kind === 'reduce' && (value.operator === 'max' || value.operator === 'min') ? value : null;
        c.report(
          'NN310',
          extreme?.span ?? value.span,
          { value: c.text(value.span), index: c.text((value === e.left ? e.right : e.left).span) },
          extreme?.operator === 'max'
            ? [
                {
                  title: 'write `argmax`',
                  edits: [{ span: extreme.operatorSpan, text: 'argmax' }],
                  applicability: 'maybe',
                },
              ]
            : [],
        );
      }
  },
};

/** Functions whose results are fractions, whatever they are given. */
const SMOOTH = new Set(['exp', 'log', 'log1p', 'sqrt', 'tanh', 'sin', 'cos', 'erf', 'sigmoid', 'softmax']);

export const wholeAsFloat: Lint = {
  code: 'NN311',
  name: 'whole-as-float',
  level: 'warn',
  looksFor:
    'a tensor declared as whole numbers without a bound, that is multiplied with floats, given to smooth functions or compared with them, and never counts or picks anything: its callers would have floats',
  avoids: 'numbers (rank 0), indices `i32 < n`, what is read as a length or a position, what `float(…)` converts',
  run(c) {
    for (const body of c.bodies) {
      const { owner } = body;
      if (owner.kind === 'train' || owner.kind === 'mask' || owner.kind === 'optimizer' || owner.kind === 'schedule')
        continue;
      for (const p of owner.parameters) {
        const t = p.type;
        if (t?.shape == null || t.shape.length === 0 || t.dtype.text !== 'i32' || t.below !== null) continue;
        const uses = usesOf(c, body, owner, p.name.text);
        if (!uses.includes('float') || uses.includes('whole')) continue;
        c.report('NN311', t.dtype.span, { name: p.name.text, owner: owner.name.text }, [
          { title: 'write `float`', edits: [{ span: t.dtype.span, text: 'float' }], applicability: 'maybe' },
        ]);
      }
    }
  },
};

/** As a float, as a whole number (an index, a length, a count), or as neither in particular. */
type Use = 'float' | 'whole' | 'either';

/** How a value is used. */
function usesOf(c: Context, body: Body, owner: Callable, name: string, depth = 0): Use[] {
  const out: Use[] = [];
  for (const n of nodesOf(owner.body)) {
    if (n.kind !== 'name' || (n as NameExpr).name !== name) continue;
    const up = c.parent(n);
    const value = (up?.kind === 'read' && (up as unknown as ReadExpr).target === (n as unknown) ? up : n) as Expr;
    out.push(useOf(c, body, value, depth));
  }
  return out;
}

/** As a value that is made of it is used. */
function follow(c: Context, body: Body, name: string, depth: number): Use {
  const { owner } = body;
  if (depth > 2 || owner.kind === 'train') return 'either';
  const uses = usesOf(c, body, owner, name, depth + 1);
  return uses.includes('whole') ? 'whole' : uses.includes('float') ? 'float' : 'either';
}

function useOf(c: Context, body: Body, e: Expr, depth: number): Use {
  const up = c.parent(e);
  switch (up?.kind) {
    case 'reduce':
      return (up as { operand?: Expr }).operand === e ? useOf(c, body, up as unknown as Expr, depth) : 'whole';
    case 'else':
      return useOf(c, body, up as unknown as Expr, depth);
    case 'where':
      return (up as { condition?: Expr }).condition === e ? 'whole' : useOf(c, body, up as unknown as Expr, depth);
    case 'let':
      return follow(c, body, (up as unknown as LetStatement).name.text, depth);
    case 'binary': {
      const { operator, left, right } = up as unknown as { operator: string; left: Expr; right: Expr };
      const other = left === e ? right : left;
      if (['+', '-', '*', '/'].includes(operator)) {
        if (isFloats(c.type(other)) && other.kind !== 'number') return 'float';
        return useOf(c, body, up as unknown as Expr, depth);
      }
      if (operator === '^') return isFloats(c.type(other)) ? 'float' : useOf(c, body, up as unknown as Expr, depth);
      if (['<', '>', '<=', '>='].includes(operator)) return other.kind === 'number' ? 'either' : 'whole';
      return 'whole';
    }
    case undefined: {
      // An argument of a call, what a scan goes through.
      const above = up === null ? null : (c.parent(up) as Expr | null);
      if (above?.kind === 'call') return called(c, above);
      const source = up as { readonly sequence?: Expr; readonly variable?: { readonly text: string } } | null;
      return above?.kind === 'scan' && source?.sequence === e
        ? follow(c, body, source.variable!.text, depth)
        : 'either';
    }
    case 'call':
    case 'pipe':
      return called(c, up as unknown as Expr);
    default:
      return up?.kind === 'expression' || up?.kind === 'index' || up?.kind === 'group' ? 'whole' : 'either';
  }
}

function called(c: Context, e: Expr): Use {
  const a = e.kind === 'call' || e.kind === 'pipe' ? c.application(e) : null;
  return a !== null && SMOOTH.has(a.name) ? 'float' : 'whole';
}
