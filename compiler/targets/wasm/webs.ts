/**
 * The variables of a function: a local serves many values one after the other, and each of them becomes a variable of its own: a set, the gets that may see it, and
 * the other sets that those may see. Sets that no get sees are told.
 */
import type { Label, Tree } from './tree.ts';

export interface Webs {
  /** Variable → the local it was. Parameters are the first, each by its own number. */
  readonly localOf: readonly number[];
  /** Variables that a get sees before any set: a local's zero. */
  readonly zero: ReadonlySet<number>;
  /** Variables whose value a round of the loop leaves to the next. */
  readonly carried: ReadonlyMap<Label, ReadonlySet<number>>;
  /** Variable → how many sets it has. */
  readonly sets: readonly number[];
}

type SetTree = Extract<Tree, { kind: 'set' | 'tee' }>;

/** Changes the variables of `trees`, which are locals, to webs'; a set that is not seen is given the variable -1. */
export function findWebs(trees: readonly Tree[], locals: number, parameters: number): Webs {
  /** A definition: its local; a meeting of several has operands. The first are what locals begin with. */
  const local: number[] = Array.from({ length: locals }, (_, k) => k);
  const operands: (number[] | null)[] = local.map(() => null);
  const define = (l: number, from: number[] | null): number => {
    local.push(l);
    operands.push(from);
    return local.length - 1;
  };
  const gets: Extract<Tree, { kind: 'get' }>[] = [];
  const setTrees: SetTree[] = [];
  /** Loop → its meetings. */
  const headers = new Map<Label, number[]>();
  /** Block → what holds where it is left. */
  const leaving = new Map<Label, Int32Array[]>();
  let now: Int32Array | null = Int32Array.from(local);
  const unreached = Int32Array.from(local);

  const meet = (list: readonly (Int32Array | null)[]): Int32Array | null => {
    const reached = list.filter((e) => e !== null);
    if (reached.length < 2) return reached[0] ?? null;
    const [first, ...others] = reached as [Int32Array, ...Int32Array[]];
    const met = first.slice();
    for (let l = 0; l < locals; l++) {
      if (others.every((e) => e[l] === first[l])) continue;
      met[l] = define(l, reached.map((e) => e[l]!)); // prettier-ignore
    }
    return met;
  };
  const all = (list: readonly Tree[]): void => {
    for (const tree of list) visit(tree);
  };
  const visit = (tree: Tree): void => {
    switch (tree.kind) {
      case 'i32':
        return;
      case 'get':
        tree.variable = (now ?? unreached)[tree.variable]!;
        gets.push(tree);
        return;
      case 'set':
      case 'tee': {
        visit(tree.value);
        const l = tree.variable;
        tree.variable = define(l, null);
        setTrees.push(tree);
        if (now !== null) now[l] = tree.variable;
        return;
      }
      case 'op':
      case 'call':
        return all(tree.args);
      case 'then':
        visit(tree.value);
        return all(tree.after);
      case 'br': {
        if (tree.condition !== null) visit(tree.condition);
        if (now !== null) {
          if (tree.label.kind === 'loop') for (const m of headers.get(tree.label)!) operands[m]!.push(now[local[m]!]!);
          else leaving.set(tree.label, [...(leaving.get(tree.label) ?? []), now.slice()]);
        }
        if (tree.condition === null) now = null;
        return;
      }
      case 'block':
        all(tree.body);
        now = meet([now, ...(leaving.get(tree.label) ?? [])]);
        return;
      case 'loop': {
        const meetings: number[] = [];
        if (now !== null)
          for (const l of tree.label.assigned) {
            now[l] = define(l, [now[l]!]);
            meetings.push(now[l]!);
          }
        headers.set(tree.label, meetings);
        return all(tree.body);
      }
      case 'if': {
        visit(tree.condition);
        const before: Int32Array | null = now === null ? null : now.slice();
        all(tree.body);
        const yes: Int32Array | null = now;
        now = before;
        if (tree.otherwise !== null) all(tree.otherwise);
        now = meet([yes, now, ...(leaving.get(tree.label) ?? [])]);
        return;
      }
    }
  };
  all(trees);

  const parent = local.map((_, k) => k);
  const find = (x: number): number => {
    let root = x;
    while (parent[root] !== root) root = parent[root]!;
    while (parent[x] !== root) [x, parent[x]] = [parent[x]!, root];
    return root;
  };
  const used = new Uint8Array(local.length);
  const open = gets.map((g) => g.variable);
  for (let d = open.pop(); d !== undefined; d = open.pop()) {
    if (used[d] === 1) continue;
    used[d] = 1;
    for (const from of operands[d] ?? []) {
      parent[find(from)] = find(d);
      open.push(from);
    }
  }
  // A parameter's variable is the parameter.
  const localOf: number[] = Array.from({ length: parameters }, (_, k) => k);
  const numbers = new Map<number, number>();
  for (let p = 0; p < parameters; p++) numbers.set(find(p), p);
  const number = (d: number): number => {
    const root = find(d);
    let known = numbers.get(root);
    if (known === undefined) numbers.set(root, (known = localOf.push(local[root]!) - 1));
    return known;
  };
  const sets: number[] = [];
  for (const tree of setTrees) {
    tree.variable = used[tree.variable] === 1 ? number(tree.variable) : -1;
    if (tree.variable >= 0) sets[tree.variable] = (sets[tree.variable] ?? 0) + 1;
  }
  for (const tree of gets) tree.variable = number(tree.variable);
  const zero = new Set<number>();
  for (let l = parameters; l < locals; l++) if (used[l] === 1) zero.add(number(l));
  const carried = new Map<Label, Set<number>>();
  for (const [label, meetings] of headers)
    carried.set(label, new Set(meetings.filter((m) => used[m] === 1).map(number)));
  return { localOf, zero, carried, sets };
}
