/** What stands above models and train blocks: how many parameters, how much memory they take, and how to run them. */
import type { Callable, Span, TrainDeclaration } from '../../grammar/ast.ts';
import { elaborate } from '../../compiler/elaborate/elaborate.ts';
import type { Leaf } from '../../compiler/graph/types.ts';
import { add, asConst, coefficientOf, format, mul, names, ONE, type Poly } from '../../compiler/sizes/poly.ts';
import { ZERO } from '../../compiler/sizes/poly.ts';
import type { Analysis } from '../analysis.ts';
import { graphOperations, showOperations } from './cost.ts';
import { showBytes, showCount, valueOfSize } from './show.ts';
import { knownSizes } from './sizes.ts';

export interface Lens {
  readonly span: Span;
  readonly name: string;
  readonly kind: 'model' | 'train';
  readonly what: 'size' | 'run';
}

export function lenses(a: Analysis): Lens[] {
  return a.module.ast.declarations.flatMap((d): Lens[] => {
    if ((d.kind !== 'model' && d.kind !== 'train') || d.name.text === '') return [];
    const size: Lens = { span: d.name.span, name: d.name.text, kind: d.kind, what: 'size' };
    return d.kind === 'train' ? [size, { ...size, what: 'run' }] : [size];
  });
}

const weighed = new WeakMap<Analysis, Map<string, string | null>>();

/** `1,290 parameters · 5.0 KiB · 2.6 k operations a row`; null where the program is not whole. Made once for each state of a text. */
export function weigh(a: Analysis, name: string): string | null {
  let own = weighed.get(a);
  if (own === undefined) weighed.set(a, (own = new Map()));
  const known = own.get(name);
  if (known !== undefined) return known;
  const made = count(a, name);
  own.set(name, made);
  return made;
}

function count(a: Analysis, name: string): string | null {
  if (a.failure !== null || a.reports.some((r) => r.severity === 'error')) return null;
  const d = a.module.ast.declarations.find(
    (x): x is Callable | TrainDeclaration => (x.kind === 'model' || x.kind === 'train') && x.name.text === name,
  );
  if (d === undefined) return null;
  try {
    const { units } = elaborate(a.program, { only: name, scanAxes: a.checked.scanAxes });
    const unit = units[0];
    if (unit === undefined) return null;
    const { text: parameters, count } = total(unit.leaves, ['param']);
    const parts = [`${parameters} parameter${count === 1 ? '' : 's'}`];
    if (count !== null) parts.push(showBytes(4 * count));
    const state = total(unit.leaves, ['state', 'carry']);
    if (state.count !== 0) parts.push(`${state.text} of state`);
    if (d.kind === 'train') {
      const slots = total(unit.leaves, ['slot']);
      if (slots.count !== 0)
        parts.push(`${slots.count === null ? slots.text : showBytes(4 * slots.count)} of optimizer state`);
      const batch = unit.training?.batch;
      if (batch != null) parts.push(`batch ${batch.value}`);
    }
    const program = unit.programs.get(d.kind === 'train' ? 'step' : 'forward');
    if (program !== undefined) parts.push(operations(a, graphOperations(program), d.kind === 'train'));
    return parts.join(' · ');
  } catch {
    // A program that this version cannot elaborate has no count, and its report says so elsewhere.
    return null;
  }
}

function operations(a: Analysis, count: Poly, step: boolean): string {
  const number = valueOfSize(count, knownSizes(a));
  const what = step ? 'a step' : 'forward';
  if (number !== null) return `${showOperations(number)} operations ${what}`;
  // Most models do the same for each row of a batch.
  const [only, ...others] = names(count);
  const parts = only !== undefined && others.length === 0 ? coefficientOf(count, only) : null;
  const row = parts === null || asConst(parts.rest) === null ? null : asConst(parts.coefficient);
  if (row !== null) return `${showOperations(row)} operations for each ${only!}`;
  const text = format(count);
  return text.length > 60 ? 'operations depend on its sizes' : `${text} operations ${what}`;
}

function total(
  leaves: readonly Leaf[],
  kinds: readonly Leaf['kind'][],
): { readonly text: string; readonly count: number | null } {
  let sum: Poly = ZERO;
  for (const leaf of leaves) {
    if (!kinds.includes(leaf.kind)) continue;
    let elements: Poly = ONE;
    for (const size of leaf.type.sizes) elements = mul(elements, size);
    sum = add(sum, elements);
  }
  const exact = asConst(sum);
  const count = exact === null ? null : Number(exact);
  return { text: count === null ? format(sum) : showCount(count), count };
}
