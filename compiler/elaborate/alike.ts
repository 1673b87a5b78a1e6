/**
 * Updates of parameters that are alike. An optimizer is elaborated for the first parameter of a type; for the next ones the nodes that it made then are
 * made again over their own weight, gradient and slots: the same nodes in the same order, as elaborating would give.
 *
 * Only where nothing else can differ: no draws, slots that begin with a number, and no node of the first update that was there before it
 * and rests on the parameter. Otherwise every parameter is elaborated.
 */
import { remake } from '../graph/copy.ts';
import { typeNumber } from '../graph/identity.ts';
import type { Node } from '../graph/types.ts';
import type { Elaboration, LeafRecord } from './elaboration.ts';

interface Recipe {
  readonly path: string;
  readonly weight: Node;
  readonly gradient: Node;
  /** What the first update made, in order. */
  readonly nodes: readonly Node[];
  readonly slots: ReadonlyMap<Node, LeafRecord>;
  /** New values: of the parameter (its path) and of its slots. */
  readonly results: readonly (readonly [key: string, value: Node])[];
}

/** Values that an update may rest on beside the parameter's own: few nodes, and of leaves only the step's and the seed's numbers. */
const FEW = 64;

export class Updates {
  private readonly known = new Map<string, Recipe | null>();
  private readonly numbers = new Map<object, number>();

  /** Updates `path` with `run`, or as it did for one before that is like it. */
  run(cx: Elaboration, optimizer: object, periods: readonly number[], path: string, gradient: Node, run: () => void) {
    const weight = cx.initial.get(path)!;
    if (cx.builder !== cx.root || isPlain(gradient)) return run();
    let number = this.numbers.get(optimizer);
    if (number === undefined) this.numbers.set(optimizer, (number = this.numbers.size));
    const key = `${number} ${periods.join()} ${typeNumber(weight.type)} ${typeNumber(gradient.type)}`;
    const recipe = this.known.get(key);
    if (recipe === undefined) this.known.set(key, recorded(cx, path, weight, gradient, run));
    else if (recipe === null) run();
    else again(cx, recipe, path, weight, gradient);
  }
}

/** Constants may be computed with. */
const isPlain = (x: Node): boolean => x.inputs.length === 0 || (x.op === 'broadcast' && x.inputs[0]!.op === 'const');

function recorded(cx: Elaboration, path: string, weight: Node, gradient: Node, run: () => void): Recipe | null {
  const start = cx.root.nodes.length;
  const draws = total(cx.drawCount);
  const { identities } = cx;
  run();
  if (total(cx.drawCount) !== draws || cx.identities !== identities) return null;
  const nodes = cx.root.nodes.slice(start);
  const slots = new Map<Node, LeafRecord>();
  for (const node of nodes) {
    if (node.op !== 'input') continue;
    const record = cx.unit.leaves.get(node.attrs.name);
    // Numbers of the step: the same node for every parameter.
    if (node.attrs.kind === 'scalar') continue;
    if (!node.attrs.name.startsWith(`${path}/`) || record === undefined) return null;
    if (record.statement.indices !== null || record.statement.value.kind !== 'number') return null;
    slots.set(node, record);
  }
  const results = [...cx.current].filter(([key]) => key === path || key.startsWith(`${path}/`));
  const fits = (x: Node): boolean => x.id >= start || x === weight || x === gradient || isShared(x);
  if (!nodes.every((n) => n.inputs.every(fits)) || !results.every(([, value]) => fits(value))) return null;
  return { path, weight, gradient, nodes, slots, results };
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);

/** Rests on numbers of the step only. */
function isShared(x: Node): boolean {
  const seen = new Set<Node>([x]);
  for (const node of seen) {
    if (seen.size > FEW || (node.op === 'input' && node.attrs.kind !== 'scalar')) return false;
    for (const below of node.inputs) seen.add(below);
  }
  return true;
}

function again(cx: Elaboration, recipe: Recipe, path: string, weight: Node, gradient: Node): void {
  const own = (key: string): string => path + key.slice(recipe.path.length);
  const copies = new Map<Node, Node>([
    [recipe.weight, weight],
    [recipe.gradient, gradient],
  ]);
  for (const node of recipe.nodes) {
    const slot = recipe.slots.get(node);
    if (slot !== undefined) {
      const name = own(slot.leaf.path);
      copies.set(
        node,
        cx.leaf(cx.unit.leaves.get(name) ?? { ...slot, leaf: { ...slot.leaf, path: name }, stream: name }),
      );
    } else if (node.op !== 'input')
      copies.set(
        node,
        remake(
          cx.root,
          node,
          node.inputs.map((x) => copies.get(x) ?? x),
        ),
      );
  }
  for (const [key, value] of recipe.results) cx.current.set(own(key), copies.get(value) ?? value);
}
