/**
 * What a program costs: operations of an equation as it is written, and of a whole model or train block by its graph. Counts are polynomials in the
 * sizes, numbers where the text says the sizes.
 *
 * One operation is one addition, multiplication, exponential or the like of floats; a multiply-add is two. Movement, comparisons and selections
 * are free. What fusion and sparsity (masks) save is not looked at.
 */
import type { Expr, Index, LetStatement, YieldStatement, AssignStatement } from '../../grammar/ast.ts';
import type { Graph, Node } from '../../compiler/graph/types.ts';
import { add, asConst, mul, num, ONE, ZERO, type Poly } from '../../compiler/sizes/poly.ts';
import type { Axis } from '../../compiler/check/types.ts';
import type { Analysis } from '../analysis.ts';

const product = (sizes: readonly Poly[]): Poly => sizes.reduce((a, b) => mul(a, b), ONE);

/** Of an index equation; null for other statements, and where something in it is not understood. */
export function equationOperations(a: Analysis, s: LetStatement | AssignStatement | YieldStatement): Poly | null {
  if (s.indices === null || s.value.kind === 'scan') return null;
  const places = extents(a, s.indices);
  const each = places === null ? null : operations(a, s.value);
  return places === null || each === null ? null : mul(product(places), each);
}

function extents(a: Analysis, indices: readonly Index[]): Poly[] | null {
  const out: Poly[] = [];
  for (const i of indices) {
    if (i.kind === 'expression') return null;
    for (const one of i.kind === 'group' ? i.parts : [i]) {
      const r = a.checked.references.get(one);
      if (r?.kind !== 'local' || r.binding.kind !== 'letter') return null;
      const axes: readonly (Axis | null)[] = r.binding.run ?? [r.binding.extent];
      for (const axis of axes) {
        if (axis?.kind !== 'size') return null;
        out.push(axis.size);
      }
    }
  }
  return out;
}

const ARITHMETIC = new Set(['+', '-', '*', '/', '%', '^']);

/** At one place of the left side. */
function operations(a: Analysis, e: Expr): Poly | null {
  const sum = (parts: readonly Expr[], own: Poly = ZERO): Poly | null => {
    let total = own;
    for (const part of parts) {
      const cost = operations(a, part);
      if (cost === null) return null;
      total = add(total, cost);
    }
    return total;
  };
  switch (e.kind) {
    case 'number':
    case 'boolean':
    case 'name':
    case 'read':
    case 'member':
      return ZERO;
    case 'unary':
      return sum([e.operand], e.operator === '-' ? ONE : ZERO);
    case 'binary': {
      // Positions and sizes are integers known beforehand.
      const type = a.checked.types.get(e);
      const known =
        type?.kind === 'number' || (type?.kind === 'tensor' && (type.dtype === 'i32' || type.dtype === 'bool'));
      return known ? ZERO : sum([e.left, e.right], ARITHMETIC.has(e.operator) ? ONE : ZERO);
    }
    case 'where':
      return sum([e.value]);
    case 'else':
      return sum([e.left, e.right]);
    case 'reduce': {
      const over = extents(a, e.indices);
      const each = operations(a, e.operand);
      if (over === null || each === null) return null;
      // The exponentials and their sum are shared by a row: at each place exp, its part of the sum, the quotient.
      if (e.operator === 'softmax') return add(each, num(3));
      const own = e.operator === 'logsumexp' ? num(2) : ['any', 'all', 'argmax'].includes(e.operator) ? ZERO : ONE;
      return mul(product(over), add(each, own));
    }
    case 'call':
      if (a.checked.types.get(e)?.kind === 'number') return ZERO;
      return e.callee.kind === 'name'
        ? sum(
            e.arguments.map((x) => x.value),
            ONE,
          )
        : null;
    default:
      return null;
  }
}

const COUNTED = new Set([
  'neg',
  'recip',
  'exp',
  'log',
  'sin',
  'cos',
  'tanh',
  'erf',
  'sqrt',
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'max',
  'min',
  'mod',
]);

export function graphOperations(graph: Graph): Poly {
  return graph.nodes.reduce((total, node) => add(total, nodeOperations(node)), ZERO);
}

function nodeOperations(node: Node): Poly {
  const elements = (n: Node): Poly => product(n.type.sizes);
  switch (node.op) {
    case 'contract': {
      const { a, b } = node.attrs;
      const letters = new Map<string, Poly>();
      a.forEach((letter, k) => letters.set(letter, node.inputs[0]!.type.sizes[k]!));
      b.forEach((letter, k) => letters.set(letter, node.inputs[1]!.type.sizes[k]!));
      return mul(num(2), product([...letters.values()]));
    }
    case 'reduce':
    case 'cumulate':
      return elements(node.inputs[0]!);
    case 'scan':
      return mul(node.attrs.length, graphOperations(node.attrs.body));
    default:
      return COUNTED.has(node.op) && (node.type.dtype === 'f32' || node.type.dtype === 'f16') ? elements(node) : ZERO;
  }
}

/** `1.2 G`; exact below ten thousand. */
export function showOperations(count: number): string {
  if (count < 10_000) return count.toLocaleString('en-US');
  const units = ['k', 'M', 'G', 'T', 'P'];
  let value = count / 1000;
  let k = 0;
  while (value >= 1000 && k < units.length - 1) {
    value /= 1000;
    k++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[k]!}`;
}

export const isNothing = (p: Poly): boolean => asConst(p) === 0;
