/**
 * A value that is held in a variable and wanted once is computed where it is wanted; one that is wanted next and again later is kept on the way (`tee`). Only where
 * nothing between the two would see or change what the other sees.
 */
import { formOf, op, resultsOf, type Tree } from './tree.ts';
import { isPure, type Counts } from './fold.ts';

const DROP = formOf('drop');

type SetTree = Extract<Tree, { kind: 'set' | 'tee' }>;

/** What a tree does: variables it reads and sets, memory it reads and writes. */
interface Effects {
  readonly reads: Set<number>;
  readonly sets: Set<number>;
  memory: { reads: boolean; writes: boolean };
}

function effectsOf(tree: Tree): Effects {
  const effects: Effects = { reads: new Set(), sets: new Set(), memory: { reads: false, writes: false } };
  const visit = (t: Tree): void => {
    if (t.kind === 'get') effects.reads.add(t.variable);
    if (t.kind === 'set' || t.kind === 'tee') effects.sets.add(t.variable);
    if (t.kind === 'op') {
      effects.memory.reads ||= t.form.reads;
      effects.memory.writes ||= t.form.writes;
    }
    if (t.kind === 'call') {
      effects.memory.reads = true;
      effects.memory.writes ||= t.results === 0;
    }
    children(t, visit);
  };
  visit(tree);
  return effects;
}

/** What stands below, in the order in which it is computed. */
export function children(tree: Tree, visit: (t: Tree) => void): void {
  switch (tree.kind) {
    case 'i32':
    case 'get':
      return;
    case 'set':
    case 'tee':
      return visit(tree.value);
    case 'op':
    case 'call':
      return tree.args.forEach(visit);
    case 'block':
    case 'loop':
      return tree.body.forEach(visit);
    case 'if':
      visit(tree.condition);
      tree.body.forEach(visit);
      return tree.otherwise?.forEach(visit);
    case 'br':
      return tree.condition === null ? undefined : visit(tree.condition);
    case 'then':
      visit(tree.value);
      return tree.after.forEach(visit);
  }
}

/** Puts the set's value at the next get of its variable behind it; false where that cannot be. */
class Search {
  private state: 'going' | 'found' | 'stopped' = 'going';
  private left = 400;
  private readonly effects: Effects;
  private readonly set: SetTree;
  private readonly single: boolean;

  constructor(set: SetTree, single: boolean) {
    this.set = set;
    this.single = single;
    this.effects = effectsOf(set.value);
  }

  along(list: Tree[], from: number): boolean {
    for (let k = from; k < list.length && this.state === 'going'; k++) list[k] = this.slot(list[k]!);
    return this.state === 'found';
  }

  private slots(list: Tree[]): void {
    for (let k = 0; k < list.length && this.state === 'going'; k++) list[k] = this.slot(list[k]!);
  }

  private memory(reads: boolean, writes: boolean): void {
    const own = this.effects.memory;
    if ((own.writes && (reads || writes)) || (own.reads && writes)) this.state = 'stopped';
  }

  /** Passes over a list that may be left out or repeated. */
  private over(list: readonly Tree[]): void {
    if (!this.single) this.state = 'stopped';
    const visit = (t: Tree): void => {
      if (this.state !== 'going' || --this.left < 0) return void (this.state = 'stopped');
      this.pass(t);
      if (t.kind === 'get' && t.variable === this.set.variable) this.state = 'stopped';
      if (t.kind === 'br') this.branch();
      children(t, visit);
    };
    list.forEach(visit);
  }

  private branch(): void {
    if (!this.single || this.effects.sets.size > 0 || this.effects.memory.writes) this.state = 'stopped';
  }

  /** What the tree itself does, without what is below. */
  private pass(t: Tree): void {
    const { reads, sets } = this.effects;
    if (t.kind === 'get') {
      if (sets.has(t.variable)) this.state = 'stopped';
    } else if (t.kind === 'set' || t.kind === 'tee') {
      if (reads.has(t.variable) || sets.has(t.variable) || t.variable === this.set.variable) this.state = 'stopped';
    } else if (t.kind === 'op') this.memory(t.form.reads, t.form.writes);
    else if (t.kind === 'call') this.memory(true, t.results === 0);
  }

  private slot(t: Tree): Tree {
    if (this.state !== 'going') return t;
    if (--this.left < 0) {
      this.state = 'stopped';
      return t;
    }
    switch (t.kind) {
      case 'i32':
        return t;
      case 'get':
        if (t.variable !== this.set.variable) break;
        this.state = 'found';
        return this.single ? this.set.value : { kind: 'tee', variable: this.set.variable, value: this.set.value };
      case 'set':
      case 'tee':
        t.value = this.slot(t.value);
        break;
      case 'op':
      case 'call':
        this.slots(t.args);
        break;
      case 'then':
        t.value = this.slot(t.value);
        this.slots(t.after);
        break;
      case 'br':
        if (t.condition !== null) t.condition = this.slot(t.condition);
        if (this.state === 'going') this.branch();
        return t;
      case 'block':
      case 'loop':
        this.over(t.body);
        return t;
      case 'if':
        t.condition = this.slot(t.condition);
        if (this.state === 'going') this.over([...t.body, ...(t.otherwise ?? [])]);
        return t;
    }
    if (this.state === 'going') this.pass(t);
    return t;
  }
}

/** Changes the lists of `trees`. */
export function sink(trees: Tree[], { gets, sets }: Counts): void {
  const lists = (t: Tree): void => {
    if ('body' in t) list(t.body);
    if (t.kind === 'if' && t.otherwise !== null) list(t.otherwise);
    if (t.kind === 'then') list(t.after);
    if (t.kind === 'if' || t.kind === 'br') return void (t.condition !== null && lists(t.condition));
    if (t.kind === 'op' || t.kind === 'call') t.args.forEach(lists);
    if (t.kind === 'set' || t.kind === 'tee' || t.kind === 'then') lists(t.value);
  };
  const list = (own: Tree[]): void => {
    own.forEach(lists);
    let kept = 0;
    for (let k = 0; k < own.length; k++) {
      const t = own[k]!;
      if (t.kind === 'set') {
        const { variable: v, value } = t;
        const uses = gets[v] ?? 0;
        if (uses === 0) {
          if (isPure(value)) continue;
          own[kept++] = resultsOf(value) === 0 ? value : op(DROP, [value]);
          continue;
        }
        const single = uses === 1 && sets[v] === 1;
        if (new Search(t, single).along(own, k + 1)) continue;
      }
      own[kept++] = t;
    }
    own.length = kept;
  };
  list(trees);
}
